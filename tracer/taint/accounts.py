"""One run over accounts: which hold traced value, and what a block's movements do to them. Pure.

One ledger per asset. Fees leave before value moves, as the EVM buys gas first; whoever orders the movements sees to it.
A step changes nothing: it says what would change, and what it would have to know first.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tracer.taint.boundaries import LIVE, NOBODY, SWAP, UNSEEN, Limits, stops
from tracer.taint.coins import Edge, RoleOf, StopOf, TracedRow
from tracer.taint.lots import Holding, Piece, Pool, credited, debited, opened, rescaled
from tracer.taint.rules import Label, Method
from tracer.types import AssetId, Holder, Role

Key = tuple[Holder, AssetId]


@dataclass(frozen=True, slots=True)
class Payment:
    """A movement between accounts; source None: from nowhere (reward, withdrawal), target None: a fee."""

    row: int
    asset: AssetId
    amount: int
    source: Holder | None
    target: Holder | None


@dataclass(frozen=True, slots=True)
class Swap:
    """Two payments of one transaction, in different assets, between the same two: the one for the other."""

    given: Payment
    got: Payment


@dataclass(slots=True)
class AccountStep:
    """What one block does to a run.

    changed: what accounts hold after it; one without labels is not followed any more. opened: all that were first
    reached here. unknown: those whose balance after the parent block must be known; until it is, it counts as nothing.
    unseen: (row, units) that left an account without having been seen to come in. cut: (row, reason, traced units) of
    what limits stopped. swaps: (row given, row got) where traced value went on in another asset.
    """

    edges: list[Edge] = field(default_factory=list)
    rows: list[TracedRow] = field(default_factory=list)
    changed: dict[Key, Holding] = field(default_factory=dict)
    unknown: dict[Key, None] = field(default_factory=dict)
    opened: dict[Key, None] = field(default_factory=dict)
    unseen: list[tuple[int, int]] = field(default_factory=list)
    cut: list[tuple[int, str, int]] = field(default_factory=list)
    swaps: list[tuple[int, int]] = field(default_factory=list)


@dataclass(slots=True)
class AccountTrace:
    """The accounts of one run that hold traced value, or did; sources: (label, account, asset, units) so far.

    stop_of: further reasons to stop, by holder. swaps: whether value goes on through a swap. strict: end where nobody
    knows what an account held, instead of asking.
    """

    method: Method
    limits: Limits
    accounts: dict[Key, Holding] = field(default_factory=dict)
    labels: int = 0
    stop_of: StopOf | None = None
    swaps: bool = True
    strict: bool = False

    def seed(self, key: Key, balance: int) -> int:
        """Follow all that an account holds of an asset as a source; returns its label."""
        label = self.labels
        self.labels += 1
        self.accounts[key] = opened(self.method, balance, label)
        return label

    def step(self, block: Iterable[Sequence[Payment]], balances: Mapping[Key, int], role_of: RoleOf) -> AccountStep:
        """Say what a block's payments, by transaction in chain order, would do.

        balances: after the parent block, of accounts that may be reached here for the first time.
        """
        return _Walk(self, balances, role_of).over(block)

    def apply(self, step: AccountStep) -> None:
        """Take over what a step found; an account that holds nothing traced is let go."""
        for key, holding in step.changed.items():
            if holding.labelled():
                self.accounts[key] = holding
            else:
                self.accounts.pop(key, None)


@dataclass(slots=True)
class _Walk:
    """A step under way; moved: what the block has moved so far, of accounts that are not followed."""

    trace: AccountTrace
    balances: Mapping[Key, int]
    role_of: RoleOf
    done: AccountStep = field(default_factory=AccountStep)
    moved: dict[Key, int] = field(default_factory=dict)
    live: int = 0

    def over(self, block: Iterable[Sequence[Payment]]) -> AccountStep:
        self.live = len(self.trace.accounts)
        for payments in block:
            self._transaction(payments)
        return self.done

    def _holding(self, key: Key) -> Holding | None:
        return self.done.changed.get(key) or self.trace.accounts.get(key)

    def _transaction(self, payments: Sequence[Payment]) -> None:
        swaps = self._swaps(payments)
        given_by = {swap.given.row: swap for swap in swaps}
        got_by = {swap.got.row: swap for swap in swaps}
        pieces_of: dict[int, tuple[Piece, ...]] = {}
        waiting: set[int] = set()
        for payment in payments:
            row = payment.row
            if row in got_by and got_by[row].given.row not in pieces_of:
                waiting.add(row)
            elif row in got_by:
                self._convert(got_by[row], pieces_of[got_by[row].given.row])
            else:
                pieces = self._debit(payment)
                self._credit(payment, row, pieces, SWAP if row in given_by else None)
                if row in given_by:
                    pieces_of[row] = pieces
                    if given_by[row].got.row in waiting:
                        self._convert(given_by[row], pieces)

    def _swaps(self, payments: Sequence[Payment]) -> list[Swap]:
        """The swaps of a transaction: who pays traced value once is paid once, by the payee, in another asset.

        Whoever pays or is paid more than that has not swapped for certain; nor is a payment to the case's own
        addresses a swap. Where the payee's own holding of what was got is traced, that goes on, and nothing is
        converted.
        """
        if not self.trace.swaps:
            return []
        given: dict[Holder, list[Payment]] = {}
        got: dict[Holder, list[Payment]] = {}
        for payment in payments:
            if payment.target is not None and payment.source is not None and payment.source != payment.target:
                given.setdefault(payment.source, []).append(payment)
                got.setdefault(payment.target, []).append(payment)
        found: list[Swap] = []
        for holder, paid in given.items():
            came = got.get(holder, [])
            if len(paid) != 1 or len(came) != 1:
                continue
            [one], [other] = paid, came
            fit = one.asset != other.asset and one.target == other.source and one.amount and other.amount
            if not fit or other.source in (None, NOBODY) or self.role_of(other.source) is not None:
                continue
            if self._carries((holder, one.asset)) and not self._carries((other.source, other.asset)):
                found.append(Swap(one, other))
        return found

    def _carries(self, key: Key) -> bool:
        holding = self._holding(key)
        return holding is not None and bool(holding.labelled())

    def _debit(self, payment: Payment) -> tuple[Piece, ...]:
        """Take a payment from its source; returns its pieces, of a source that is not followed none that is traced."""
        whole: tuple[Piece, ...] = ((None, payment.amount, 0),) if self.trace.method.tiles else ()
        if payment.source is None or payment.source == NOBODY:
            return whole
        key = payment.source, payment.asset
        holding = self._holding(key)
        if holding is None:
            self.moved[key] = self.moved.get(key, 0) - payment.amount
            return whole
        rest, pieces, unseen = debited(self.trace.method, holding, payment.amount)
        self.done.changed[key] = rest
        if unseen:
            self.done.unseen.append((payment.row, unseen))
        return pieces

    def _credit(self, payment: Payment, source: int, pieces: Sequence[Piece], out: str | None) -> None:
        """Bring pieces to the target of a payment. source: the row that they left by. out: a reason why they stop."""
        traced = [units for label, units, _ in pieces if label is not None]
        units = (max(traced) if self.trace.method is Method.POISON else sum(traced)) if traced else 0
        key = None if payment.target is None else (payment.target, payment.asset)
        holding = None if key is None else self._holding(key)
        if units:
            holding, pieces = self._reached(payment, source, pieces, units, holding, out)
        if key is None or not payment.amount:
            return  # a credit of nothing would begin a haircut's telescoping anew
        if holding is None:
            self.moved[key] = self.moved.get(key, 0) + payment.amount
        else:
            self.done.changed[key] = credited(self.trace.method, holding, pieces, payment.amount)

    def _reached(
        self,
        payment: Payment,
        source: int,
        pieces: Sequence[Piece],
        units: int,
        holding: Holding | None,
        out: str | None,
    ) -> tuple[Holding | None, Sequence[Piece]]:
        """Write the edges of traced pieces; returns what to credit to (None: the trace stops here), and the pieces."""
        target = payment.target
        role = self.role_of(target) if target is not None else None
        hop = 0 if role is not None else 1 + max(far for label, _, far in pieces if label is not None)
        reason = out or self._reason(target, role, hop, units, holding)
        if reason is None and target is not None and self._unknown((target, payment.asset), holding):
            reason = UNSEEN
        self.done.edges += [
            Edge(payment.row, seq, source, label, amount) for seq, (label, amount, _) in enumerate(pieces)
        ]
        self.done.rows.append(TracedRow(payment.row, hop, reason))
        if reason is not None:
            if reason.startswith("budget"):
                self.done.cut.append((payment.row, reason, units))
            whole: Sequence[Piece] = ((None, payment.amount, 0),) if self.trace.method.tiles else ()
            return holding, whole
        assert target is not None
        if holding is None:
            holding = self._first(target, payment.asset)
        return holding, [
            (label, amount, 0 if label is None else hop if role is None else 0) for label, amount, _ in pieces
        ]

    def _reason(
        self, target: Holder | None, role: Role | None, hop: int, units: int, holding: Holding | None
    ) -> str | None:
        reason = stops(target, role, hop, units, self.live, self.trace.limits, target == NOBODY)
        if reason == LIVE and holding is not None:
            reason = None
        if reason is None and role is None and self.trace.stop_of is not None and target is not None:
            reason = self.trace.stop_of(target)
        return reason

    def _unknown(self, key: Key, holding: Holding | None) -> bool:
        """Whether a strict run cannot say what an account held before it was reached."""
        return self.trace.strict and holding is None and self.balances.get(key) is None

    def _first(self, target: Holder, asset: AssetId) -> Holding:
        """Open an account that is reached for the first time, with what it held before this payment, as clean."""
        key = target, asset
        known = self.balances.get(key)
        self.done.opened[key] = None
        if known is None:
            self.done.unknown[key] = None
        self.live += 1
        return opened(self.trace.method, max(0, (known or 0) + self.moved.get(key, 0)))

    def _convert(self, swap: Swap, pieces: Sequence[Piece]) -> None:
        """Let what a swap gave be followed in what it got, in proportion."""
        own = self._debit(swap.got)
        if any(label is not None for label, _, _ in own):  # the payee was reached in between: that is no swap's
            self._credit(swap.got, swap.got.row, own, None)
            return
        if self.trace.method is Method.POISON:
            hops = {label: hop for label, _, hop in pieces if label is not None}
            row: Sequence[Piece] = [(label, swap.got.amount, hop) for label, hop in sorted(hops.items())]
        else:
            row = rescaled(pieces, swap.given.amount, swap.got.amount, self.trace.method.tiles)
        if any(label is not None for label, _, _ in pieces):
            self.done.swaps.append((swap.given.row, swap.got.row))
        self._credit(swap.got, swap.given.row, row, None)


def labelled(holding: Holding) -> dict[Label, int]:
    """Units per label that are held."""
    units: dict[Label, int] = {}
    for label, amount, _ in holding.labelled():
        if label is not None:
            units[label] = amount if isinstance(holding, Pool) else units.get(label, 0) + amount
    return units
