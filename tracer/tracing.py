"""The live runs of a chain's cases advance with its blocks: one run per case and method. Pure."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

from tracer.book import Numbered
from tracer.notices import Notice
from tracer.opening import Tracked
from tracer.prepared import KeptTx, Prepared
from tracer.taint.accounts import AccountStep, AccountTrace, Key, Payment
from tracer.taint.coins import CoinTrace, Into, RoleOf, Step
from tracer.taint.rules import Method
from tracer.types import AssetId, BlockFacts, Hash, Holder, Kind, Movement, Outpoint, Role, outpoint

LIVE_METHODS = (Method.FIFO, Method.HAIRCUT)
"""What the daemon computes beside each other for every case; other methods are computed on demand."""

FEES_FIRST = {Kind.FEE: 0}
"""The EVM buys gas before value moves, and refunds what is left of it: the net fee leaves first."""


@dataclass(frozen=True, slots=True)
class Ahead:
    """What a block would reach for the first time: accounts to be scanned for, balances after its parent to ask for."""

    holders: frozenset[Holder]
    unknown: frozenset[Key]


@dataclass(slots=True)
class LiveRuns:
    """The runs of a chain's cases, by case. coins: on UTXO chains; accounts: on account chains."""

    coins: dict[int, list[CoinTrace[Outpoint]]] = field(default_factory=dict)
    accounts: dict[int, list[AccountTrace]] = field(default_factory=dict)

    @property
    def followed(self) -> frozenset[Holder]:
        """The accounts in which traced value is."""
        traces = [trace for traces in self.accounts.values() for trace in traces]
        return frozenset(holder for trace in traces for holder, _ in trace.accounts)

    def follows(self, holder: Holder, counted: Collection[AssetId]) -> bool:
        """Whether traced value is in an account."""
        return any(
            (holder, asset) in trace.accounts
            for traces in self.accounts.values()
            for trace in traces
            for asset in counted
        )

    def seed_coins(self, case_id: int, coins: Sequence[tuple[Outpoint, Tracked]], done: Prepared) -> None:
        """Begin with a case's seized coins, in chain order."""
        for point, coin in coins:
            labels = {trace.seed(point, coin.amount) for trace in self.coins.get(case_id, ())}
            done.labels += [(case_id, label, coin.movement_id, None, None, coin.amount) for label in labels]

    def seed_accounts(self, case_id: int, balances: Iterable[tuple[Holder, AssetId, int]], done: Prepared) -> None:
        """Begin with what a case's seized accounts hold."""
        for holder, asset, amount in balances:
            traces = self.accounts.get(case_id, ())
            labels = {trace.seed((holder, asset), amount) for trace in traces}
            done.labels += [(case_id, label, None, holder, asset, amount) for label in labels]
            for trace in traces:
                done.lots.append((case_id, trace.method, (holder, asset), trace.accounts[holder, asset]))

    def spend(
        self, kept: KeptTx, roles: Mapping[int, Mapping[Holder, Role]], points: Mapping[int, Outpoint], done: Prepared
    ) -> set[Outpoint]:
        """Advance over a transaction's coins; returns those of its outputs that a run goes on with."""
        ins = [(n.id, n.movement.spends, n.movement.amount) for n in kept.moves if n.movement.spends is not None]
        outs = [n for n in kept.moves if n.movement.kind is Kind.OUT]
        spent, sinks = [point for _, point, _ in ins], sinks_of(kept, outs, points)
        going_on: set[Outpoint] = set()
        for case_id, traces in self.coins.items():
            role_of = roles.get(case_id, {}).get
            steps = [(trace.method, trace.advance(ins, sinks, role_of)) for trace in traces if trace.spends_any(spent)]
            if not steps:
                continue
            for method, step in steps:
                done.edges.append((case_id, method, step.edges))
                done.traced.append((case_id, method, step.rows))
            for _, step in steps:
                going_on.update(step.followed)
            if any(step.cut for _, step in steps):
                rows = {points[n.id]: n.id for n in outs}
                done.notices += stopped(case_id, kept.id, [step for _, step in steps], rows)
        return going_on

    def look_ahead(
        self,
        facts: BlockFacts,
        counted: frozenset[AssetId],
        balances: Mapping[Key, int],
        role_of: Callable[[int], RoleOf],
    ) -> Ahead:
        """Say what a block would reach, without advancing; balances: those after its parent that are known."""
        fresh: dict[Holder, None] = {}
        unknown: dict[Key, None] = {}
        under_way = list(self._under_way())
        block = list(unnumbered(facts, counted)) if under_way else []
        for case_id, trace in under_way:
            step = trace.step(block, balances, role_of(case_id))
            unknown |= step.unknown
            fresh |= dict.fromkeys(holder for holder, asset in step.changed if (holder, asset) not in trace.accounts)
        return Ahead(frozenset(fresh), frozenset(unknown))

    def pay(
        self, counted: frozenset[AssetId], balances: Mapping[Key, int], role_of: Callable[[int], RoleOf], done: Prepared
    ) -> None:
        """Advance over a block's payments."""
        under_way = list(self._under_way())
        if not under_way:
            return
        block = [list(payments(tx.moves, counted)) for tx in done.txs] + [list(payments(done.loose, counted))]
        rows = {payment.row: tx.id for tx, paid in zip(done.txs, block, strict=False) for payment in paid}
        asked: dict[Key, None] = {}
        told: set[tuple[int, int, int]] = set()
        for case_id, trace in under_way:
            step = trace.step(block, balances, role_of(case_id))
            trace.apply(step)
            for given, got in step.swaps:
                if (case_id, given, got) not in told:
                    what = f"traced value went through a swap: movement {given} for movement {got}, see v_trace_swap"
                    done.notices.append(Notice("TRACE-7", "WARN", what, case_id, tx_id=rows.get(given)))
                told.add((case_id, given, got))
            asked |= dict.fromkeys(key for key in step.opened if key in balances)
            done.edges.append((case_id, trace.method, step.edges))
            done.traced.append((case_id, trace.method, step.rows))
            done.lots += [(case_id, trace.method, key, holding) for key, holding in step.changed.items()]
            done.notices += cut_short(case_id, trace.method, step, rows)
            for row, units in step.unseen:
                what = f"{units} units left an account that were not seen to come in ({trace.method})"
                done.notices.append(Notice("TRACE-3", "WARN", what, case_id, tx_id=rows.get(row)))
        done.openings += [(key, balances[key]) for key in asked]

    def _under_way(self) -> Iterator[tuple[int, AccountTrace]]:
        for case_id, traces in self.accounts.items():
            for trace in traces:
                if trace.accounts:
                    yield case_id, trace


def sinks_of(kept: KeptTx, outs: Sequence[Numbered], points: Mapping[int, Outpoint]) -> list[Into]:
    """The outputs of a transaction in vout order, then its fee."""
    sinks = [Into(n.id, points[n.id], n.movement.target, n.movement.amount) for n in outs]
    sinks += [Into(n.id, None, None, n.movement.amount) for n in kept.moves if n.movement.kind is Kind.FEE]
    return sinks


def stopped(
    case_id: int, tx_id: int, steps: Sequence[Step[Outpoint]], rows: Mapping[Outpoint, int]
) -> Iterator[Notice]:
    """Tell of outputs that limits stopped under every method that reached them, with the most that one left there."""
    followed = {rows[point] for step in steps for point in step.followed}
    most: dict[int, tuple[int, str]] = {}
    for row, reason, units in (cut for step in steps for cut in step.cut):
        if row not in followed:
            most[row] = max(most.get(row, (0, "")), (units, reason))
    for units, reason in most.values():
        yield limit_reached(case_id, tx_id, reason, units)


def cut_short(case_id: int, method: Method, step: AccountStep, rows: Mapping[int, int]) -> Iterator[Notice]:
    """Tell of payments that limits stopped, of all in a block together: a busy account makes many. rows: by tx."""
    cuts: dict[str, list[tuple[int, int]]] = {}
    for row, reason, units in step.cut:
        cuts.setdefault(reason, []).append((row, units))
    for reason, some in cuts.items():
        txs = {rows.get(row) for row, _ in some}
        what = f"{reason}, {method}" + (f", {len(some)} payments" if len(some) > 1 else "")
        yield limit_reached(case_id, txs.pop() if len(txs) == 1 else None, what, sum(units for _, units in some))


def limit_reached(case_id: int, tx_id: int | None, reason: str, units: int) -> Notice:
    """Tell that a limit stopped a trace, and with how much."""
    return Notice(
        "TRACE-1", "WARN", f"following stopped ({reason}) with {units} traced units left", case_id, tx_id=tx_id
    )


def payments(moves: Iterable[Numbered], counted: frozenset[AssetId]) -> Iterator[Payment]:
    """The movements of a transaction that move value between accounts, its fee first."""
    for numbered in sorted(moves, key=lambda n: FEES_FIRST.get(n.movement.kind, 1)):
        move = numbered.movement
        if move.asset in counted:
            yield Payment(numbered.id, move.asset, move.amount, move.source, move.target)


def unnumbered(facts: BlockFacts, counted: frozenset[AssetId]) -> Iterator[list[Payment]]:
    """A block's payments by transaction, before their rows have numbers."""
    numbers = count(1)
    for moves in (*(tx.movements for tx in facts.transactions), facts.loose):
        yield list(payments((Numbered(next(numbers), move) for move in moves), counted))


def of_interest(moves: Iterable[Movement], holders: Callable[[Holder], bool]) -> list[Movement]:
    """The movements that name somebody of interest."""
    return [move for move in moves if any(h is not None and holders(h) for h in (move.source, move.target))]


def points_of(kept: KeptTx) -> dict[int, Outpoint]:
    """The coins that a transaction makes, by their row."""
    return {n.id: outpoint(Hash(kept.txid), n.movement.index) for n in kept.moves if n.movement.kind is Kind.OUT}
