"""All cases on one chain advance together over a block: facts in, rows and changes of interest out. Pure.

The state is a function of the store's canonical rows: it is loaded at start and after every disconnect. Questions that
only the store or the node can answer come in as `Asked` and as arguments.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tracer.book import Book, Flow, Moment, Numbered, flow_of, newly_judged, open_with, post
from tracer.chain import Marks
from tracer.custody.judge import Judgement, Verdict, judge_conservation, judge_leg
from tracer.custody.ledger import KEEPING, Entry, Place, Totals
from tracer.matching import LegState
from tracer.notices import Notice, about_decoys, about_postings
from tracer.sharing import share_out
from tracer.taint.following import Edge, Trace, TracedRow, advance, seed_coin
from tracer.types import (
    HELD_ROLES,
    Asset,
    AssetId,
    AssetKind,
    BlockFacts,
    Hash,
    Holder,
    Kind,
    Movement,
    Outpoint,
    Role,
    TxFacts,
    outpoint,
)


@dataclass(frozen=True, slots=True)
class Interest:
    """One case's watch on a holder; `outpoints`: only these coins are seized (None: all)."""

    case_id: int
    role: Role
    outpoints: frozenset[Outpoint] | None = None


@dataclass(frozen=True, slots=True)
class Tracked:
    """An unspent output of interest: its OUT row, who holds it, its amount."""

    movement_id: int
    holder: Holder
    amount: int


@dataclass(frozen=True, slots=True)
class KeptTx:
    """A transaction to be stored."""

    id: int
    position: int
    txid: bytes
    raw: bytes
    moves: tuple[Numbered, ...]


@dataclass(slots=True)
class Prepared:
    """All rows of one block, and what it does to the scanner's interest."""

    block_id: int
    facts: BlockFacts
    marks: Marks
    txs: list[KeptTx] = field(default_factory=list)
    loose: list[Numbered] = field(default_factory=list)
    entries: list[tuple[int, int | None, Entry]] = field(default_factory=list)
    held: dict[tuple[int, Holder, AssetId], int] = field(default_factory=dict)
    ledger: dict[tuple[int, AssetId], Totals] = field(default_factory=dict)
    verdicts: list[tuple[int, int | None, AssetId, Judgement]] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    labels: list[tuple[int, int, int]] = field(default_factory=list)
    edges: list[tuple[int, Edge]] = field(default_factory=list)
    traced: list[tuple[int, TracedRow]] = field(default_factory=list)
    added: dict[Outpoint, Tracked] = field(default_factory=dict)
    removed: list[Outpoint] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Judged:
    """New judgements (case, leg or None, asset, judgement) and the alerts that go with them."""

    verdicts: list[tuple[int, int | None, AssetId, Judgement]]
    notices: list[Notice]


@dataclass(slots=True)
class Ids:
    """Surrogates of the rows to come; the single writer hands them out in memory."""

    block: Iterator[int]
    tx: Iterator[int]
    movement: Iterator[int]


@dataclass(slots=True)
class Casework:
    """The cases of one chain.

    utxo: whether value lives in coins. interest_of: which cases watch a holder. show: a holder's address, for messages.
    """

    utxo: bool
    native: Asset
    assets: dict[AssetId, Asset]
    ids: Ids
    interest_of: Callable[[Holder], tuple[Interest, ...]]
    show: Callable[[Holder], str]
    books: dict[int, Book]
    traces: dict[int, Trace]
    coins: dict[Outpoint, Tracked]
    clock: int = 0

    @property
    def followed(self) -> frozenset[AssetId]:
        """Assets whose movements count in ledgers."""
        return frozenset(
            asset.id for asset in self.assets.values() if asset.kind in (AssetKind.NATIVE, AssetKind.LISTED)
        )

    def opening_at(self, height: int) -> list[int]:
        """The cases whose books open at a height."""
        return [book.case_id for book in self.books.values() if not book.opened and book.seizure == height]

    def connect(self, facts: BlockFacts, marks: Marks, balances: Mapping[tuple[int, Holder, AssetId], int]) -> Prepared:
        """Advance over one block.

        balances: for the cases that open here on account chains, what their holders held after this block.
        """
        done = Prepared(next(self.ids.block), facts, marks)
        moment = Moment(done.block_id, facts.ref.height, facts.time)
        touched: dict[tuple[int, AssetId], None] = {}
        served: dict[tuple[int, int], None] = {}
        for asset in facts.new_assets:
            self.assets.setdefault(asset.id, asset)
        for tx in facts.transactions:
            self._transaction(tx, moment, done, touched, served)
        for move in facts.loose:
            self._loose(move, moment, done, touched)
        for case_id in self.opening_at(facts.ref.height):
            self._open(self.books[case_id], balances, done, touched)
        for case_id, asset_id in touched:
            done.ledger[case_id, asset_id] = replace(self.books[case_id].total(asset_id))
        for case_id, holder, asset_id in done.held:
            done.held[case_id, holder, asset_id] = self.books[case_id].held.get((holder, asset_id), 0)
        judged = self._judge(moment.time, marks, touched, served)
        done.verdicts, done.notices = judged.verdicts, done.notices + judged.notices
        return done

    def voided(self) -> list[tuple[int, int]]:
        """The legs (case, leg) all of whose transactions left the chain."""
        return [(book.case_id, leg.plan.id) for book in self.books.values() for leg in book.legs if leg.voided]

    def judge_again(self, marks: Marks, legs: Iterable[tuple[int, int]]) -> Judged:
        """Judge given legs (case, leg) at the tip without a new block: after a disconnect, or when marks move."""
        return self._judge(self.clock, marks, {}, dict.fromkeys(legs))

    def _transaction(
        self,
        tx: TxFacts,
        moment: Moment,
        done: Prepared,
        touched: dict[tuple[int, AssetId], None],
        served: dict[tuple[int, int], None],
    ) -> None:
        kept = self._keep(tx)
        if kept is None:
            return
        done.txs.append(kept)
        roles = self._roles(kept.moves)
        spent = [(n, self.coins.get(n.movement.spends)) for n in kept.moves if n.movement.spends is not None]
        flows = self._flows(kept.moves, roles, moment.time)
        for case_id, flow in flows.items():
            book = self.books[case_id]
            entries, matches = post(book, flow, moment)
            done.entries += [(case_id, kept.id, entry) for entry in entries]
            self._note(book, flow, entries, done)
            touched.update(((case_id, asset), None) for asset in flow.assets)
            served.update(((case_id, match.leg.plan.id), None) for match in matches)
            if self.utxo:
                book.coins.update(
                    outpoint(tx.txid, n.movement.index)
                    for n in kept.moves
                    if any(e.movement_id == n.id and e.place in KEEPING for e in entries)
                )
            done.notices += about_postings(case_id, kept.id, flow, entries, matches, self.assets, self.show)
        done.notices += about_decoys(kept.id, kept.moves, roles, self.assets, self.show)
        if self.utxo:
            self._move_coins(kept, roles, spent, done)

    def _keep(self, tx: TxFacts) -> KeptTx | None:
        """Number the movements worth storing; a debit of interest keeps the whole transaction."""
        moves: Sequence[Movement] = tx.movements
        if self.utxo and not any(move.spends in self.coins for move in moves if move.spends is not None):
            moves = [
                move
                for move in moves
                if move.kind is Kind.OUT and move.target is not None and self.interest_of(move.target)
            ]
        if not moves:
            return None
        numbered: list[Numbered] = []
        for move in moves:
            tracked = self.coins.get(move.spends) if move.spends is not None else None
            numbered.append(Numbered(next(self.ids.movement), move, tracked.movement_id if tracked else None))
        return KeptTx(next(self.ids.tx), tx.position, tx.txid, tx.raw, tuple(numbered))

    def _roles(self, moves: Sequence[Numbered]) -> dict[int, dict[Holder, Role]]:
        """Per case the roles of the holders that appear in some movements."""
        roles: dict[int, dict[Holder, Role]] = {}
        for holder in {h for n in moves for h in (n.movement.source, n.movement.target) if h is not None}:
            for interest in self.interest_of(holder):
                roles.setdefault(interest.case_id, {})[holder] = interest.role
        return roles

    def _flows(
        self, moves: Sequence[Numbered], roles: Mapping[int, Mapping[Holder, Role]], time: int
    ) -> dict[int, Flow]:
        """Read a transaction for every case it concerns, settling whose payment it is where cases share holders."""
        flows: dict[int, Flow] = {}
        for case_id, case_roles in sorted(roles.items()):
            book = self.books[case_id]
            if book.opened:
                flow = flow_of(book, moves, case_roles, self.native.id, self.followed)
                if flow.debits or flow.credits:
                    flows[case_id] = flow
        return share_out(flows, self.books, time, self.utxo) if len(flows) > 1 else flows

    def _note(self, book: Book, flow: Flow, entries: Sequence[Entry], done: Prepared) -> None:
        """Remember which holdings of a book changed."""
        for asset, paid in flow.debits.items():
            done.held.update({(book.case_id, holder, asset): 0 for holder in paid})
        for entry in entries:
            if entry.holder is not None and entry.place in KEEPING:
                done.held[book.case_id, entry.holder, entry.asset] = 0

    def _move_coins(
        self,
        kept: KeptTx,
        roles: Mapping[int, Mapping[Holder, Role]],
        spent: Sequence[tuple[Numbered, Tracked | None]],
        done: Prepared,
    ) -> None:
        """Retire spent coins, track new ones of watched holders, and advance the traces."""
        outs = [n for n in kept.moves if n.movement.kind is Kind.OUT]
        points = {n.id: outpoint(Hash(kept.txid), n.movement.index) for n in outs}
        for case_id, trace in self.traces.items():
            if not any(n.movement.spends in trace.coins for n, _ in spent):
                continue
            fee = next(n.id for n in kept.moves if n.movement.kind is Kind.FEE)
            case_roles = roles.get(case_id, {})
            result = advance(
                trace,
                [(n.id, n.movement.spends, n.movement.amount) for n, _ in spent if n.movement.spends is not None],
                [
                    (n.id, points[n.id], n.movement.target, n.movement.amount)
                    for n in outs
                    if n.movement.target is not None
                ],
                fee,
                case_roles.get,
            )
            done.edges += [(case_id, edge) for edge in result.edges]
            done.traced += [(case_id, row) for row in result.rows]
            done.notices += [
                Notice(
                    "TRACE-1",
                    "WARN",
                    f"following stopped ({why}) with {mass} traced units left",
                    case_id,
                    tx_id=kept.id,
                )
                for _, why, mass in result.cut
            ]
            going_on = {point for point, _ in result.followed}
            for numbered in outs:
                if points[numbered.id] in going_on:
                    self._track(points[numbered.id], numbered, done)
        for numbered in outs:
            target = numbered.movement.target
            if target is not None and any(target in case_roles for case_roles in roles.values()):
                self._track(points[numbered.id], numbered, done)
        for numbered, tracked in spent:
            point = numbered.movement.spends
            if tracked is not None and point is not None:
                del self.coins[point]
                done.removed.append(point)
                for book in self.books.values():
                    book.coins.discard(point)

    def _track(self, point: Outpoint, numbered: Numbered, done: Prepared) -> None:
        move = numbered.movement
        if point not in self.coins and move.target is not None:
            self.coins[point] = done.added[point] = Tracked(numbered.id, move.target, move.amount)

    def _loose(self, move: Movement, moment: Moment, done: Prepared, touched: dict[tuple[int, AssetId], None]) -> None:
        """Book a withdrawal or reward: a credit that no transaction carries."""
        numbered = Numbered(next(self.ids.movement), move)
        done.loose.append(numbered)
        for interest in self.interest_of(move.target) if move.target is not None else ():
            book = self.books[interest.case_id]
            if book.opened and interest.role in HELD_ROLES and move.amount:
                entry = Entry(move.asset, Place.CREDIT, move.kind.name.lower(), move.amount, numbered.id, move.target)
                open_with(book, [entry])
                done.entries.append((book.case_id, None, entry))
                done.held[book.case_id, move.target, move.asset] = 0  # type: ignore[index]
                touched[book.case_id, move.asset] = None

    def _open(
        self,
        book: Book,
        balances: Mapping[tuple[int, Holder, AssetId], int],
        done: Prepared,
        touched: dict[tuple[int, AssetId], None],
    ) -> None:
        """Open a book at B0 with the coins or balances its holders have."""
        entries = self._opening_coins(book, done) if self.utxo else self._opening_balances(book, balances)
        open_with(book, entries)
        for entry in entries:
            done.entries.append((book.case_id, None, entry))
            if entry.holder is not None:
                done.held[book.case_id, entry.holder, entry.asset] = 0
            touched[book.case_id, entry.asset] = None

    def _opening_coins(self, book: Book, done: Prepared) -> list[Entry]:
        entries: list[Entry] = []
        others = {point for other in self.books.values() if other is not book for point in other.coins}
        for point, coin in sorted(self.coins.items(), key=lambda item: item[1].movement_id):
            for interest in self.interest_of(coin.holder):
                if interest.case_id != book.case_id or interest.role not in HELD_ROLES:
                    continue
                seized = interest.role is Role.SEIZED and (interest.outpoints is None or point in interest.outpoints)
                if not seized and point in others:
                    continue
                place, reason = (Place.SEIZED, "seized") if seized else (Place.CREDIT, "there before")
                entries.append(Entry(self.native.id, place, reason, coin.amount, coin.movement_id, coin.holder))
                book.coins.add(point)
                if seized:
                    label = seed_coin(self.traces[book.case_id], point, coin.amount)
                    done.labels.append((book.case_id, label, coin.movement_id))
        return entries

    def _opening_balances(self, book: Book, balances: Mapping[tuple[int, Holder, AssetId], int]) -> list[Entry]:
        entries: list[Entry] = []
        for (case_id, holder, asset), amount in balances.items():
            if case_id != book.case_id or not amount:
                continue
            role = next(i.role for i in self.interest_of(holder) if i.case_id == case_id)
            if role is Role.SEIZED:
                entries.append(Entry(asset, Place.SEIZED, "seized", amount, None, holder))
                continue
            others = sum(other.held.get((holder, asset), 0) for other in self.books.values() if other is not book)
            if amount > others:
                entries.append(Entry(asset, Place.CREDIT, "there before", amount - others, None, holder))
        return entries

    def _judge(
        self,
        time: int,
        marks: Marks,
        touched: Mapping[tuple[int, AssetId], None],
        served: Mapping[tuple[int, int], None],
    ) -> Judged:
        """Judge what changed: served legs, legs that may cross a threshold or a deadline, and ledgers."""
        before, self.clock = self.clock, max(self.clock, time)
        judged = Judged([], [])
        for book in self.books.values():
            if not book.opened:
                continue
            due = {leg_id for case_id, leg_id in served if case_id == book.case_id} | book.unsettled
            due |= overdue_between(book, before, self.clock)
            for leg in book.legs if not book.judged else [book.by_id[leg_id] for leg_id in sorted(due)]:
                self._judge_leg(book, leg, marks, judged)
        for case_id, asset in touched:
            judgement = judge_conservation(asset, self.books[case_id].total(asset))
            if newly_judged(self.books[case_id], None, asset, judgement):
                judged.verdicts.append((case_id, None, asset, judgement))
        return judged

    def _judge_leg(self, book: Book, leg: LegState, marks: Marks, judged: Judged) -> None:
        plan = leg.plan
        judgement = judge_leg(leg, self.clock, marks, book.attestations.get(plan.target, ()))
        if leg.complete and leg.arrivals and max(a.height for a in leg.arrivals) <= marks.final:
            book.unsettled.discard(plan.id)
        if not newly_judged(book, plan.id, plan.asset, judgement):
            return
        judged.verdicts.append((book.case_id, plan.id, plan.asset, judgement))
        if judgement.verdict is Verdict.CONTRADICTED:
            rule = "LEG-6" if judgement.reason.startswith("late") else "LEG-5"
            judged.notices.append(Notice(rule, "HIGH", f"leg {plan.ref}: {judgement.reason}", book.case_id, plan.id))


def overdue_between(book: Book, before: int, now: int) -> set[int]:
    """The legs whose deadline passed after instant `before` and before or at `now`."""
    first = bisect_left(book.deadlines, (before, -1))
    last = bisect_left(book.deadlines, (now, -1))
    return {leg_id for _, leg_id in book.deadlines[first:last]}
