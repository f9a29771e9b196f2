"""Traces some payments over accounts by themselves, as if nothing else were of interest. Pure.

A payment begins as traced whatever it was made of; units that were traced before it keep that title, and are not
counted twice. Payments may be told to end at once where a reader asks how much came so far.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from tracer.taint.accounts import AccountStep, AccountTrace, Key, Payment
from tracer.taint.boundaries import TIME, UNSEEN, Limits, standing
from tracer.taint.coins import RoleOf
from tracer.taint.ledgers import AccountResult, LedgerBlock, Ledgers, held
from tracer.taint.lots import opened
from tracer.taint.rules import Label, Method
from tracer.taint.run import LEAF, LIVE, End, Place
from tracer.types import Holder

SINK = Holder(b"\0 what was asked for")
"""Stands for whoever receives the payments at which a trace is told to end."""

NOWHERE = Holder(b"\0 nowhere")
"""Takes what a payer pays that is not followed, so that its balance falls."""

ONLY: Label = 0
"""The one label of a trace alone."""


class Books(Ledgers, Protocol):
    """What a trace of payments asks of a store."""

    def balance(self, key: Key, height: int) -> int | None:
        """What an account held after the block below `height`; None: nothing stored tells."""


@dataclass(slots=True)
class AloneResult(AccountResult):
    """A result of one label, with what it does not know: accounts whose earlier balance counts as nothing.

    doubted: those of them that paid since; of the others it makes no difference. begun: units that it began with, by
    asset. reached: units by row of the payments at which it was told to end.
    """

    unknown: dict[Key, None] = field(default_factory=dict)
    doubted: dict[Key, None] = field(default_factory=dict)
    begun: dict[str, int] = field(default_factory=dict)
    reached: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Begin:
    """What a trace begins with: payments by their rows, and balances by account: after which height, and units."""

    payments: Collection[int]
    balances: Mapping[Key, tuple[int, int]] = field(default_factory=dict)


def trace_alone(
    method: Method,
    limits: Limits,
    begin: Begin,
    books: Books,
    role_of: RoleOf,
    since: int,
    upto: int,
    *,
    sinks: Collection[int] = (),
    enough: Callable[[], bool] | None = None,
) -> AloneResult:
    """Trace from what is named over the blocks above `since` up to a height.

    sinks: rows of payments that end the trace. enough: asked at every block whether time is up; what accounts hold
    then, and payments that are named later, end as leaves that say so.
    """
    walk = _Alone(AccountTrace(method, limits), begin, books, role_of, frozenset(sinks))
    late = False
    for block in books.blocks(since, upto):
        late = late or (enough is not None and enough())
        if late:
            walk.leave(block)
        else:
            walk.take(block)
    walk.seed(upto + 1)
    for key in sorted(walk.trace.accounts):
        if key[0] != SINK:
            walk.hold(key, -1, *((LEAF, TIME) if late else (LIVE, standing(role_of(key[0])))))
    return walk.done


@dataclass(slots=True)
class _Alone:
    trace: AccountTrace
    begin: Begin
    books: Books
    role_of: RoleOf
    sinks: frozenset[int]
    done: AloneResult = field(default_factory=AloneResult)
    seeded: set[Key] = field(default_factory=set)
    made_up: set[Holder] = field(default_factory=lambda: {SINK, NOWHERE})
    moved: dict[Key, int] = field(default_factory=dict)

    def seed(self, height: int) -> None:
        """Begin to follow the balances that are named, once a block lies above theirs."""
        for key, (after, units) in self.begin.balances.items():
            if after < height and key not in self.seeded:
                self.seeded.add(key)
                if key not in self.trace.accounts:
                    self.trace.accounts[key] = opened(self.trace.method, units, ONLY)
                    self.done.begun[key[1]] = self.done.begun.get(key[1], 0) + units

    def take(self, block: LedgerBlock) -> None:
        """Take one block, in parts where a payment that is named comes from an account that is followed already."""
        self.seed(block.height)
        self.moved = {}
        self.trace.stop_of = lambda holder: (
            None if holder in self.made_up or self.books.seen(holder, block.height) else UNSEEN
        )
        part: list[Sequence[Payment]] = []
        for payments in block.payments:
            rest: list[Payment] = []
            for payment in payments:
                given = replace(payment, target=SINK) if payment.row in self.sinks else payment
                if payment.row not in self.begin.payments:
                    rest.append(given)
                    continue
                entry = self._entry(payment)
                if self._followed(payment, part, rest, block):
                    self._advance([*part, [*rest, replace(payment, target=entry)]], block, payment.row)
                    part, rest = [], []
                else:
                    rest.append(replace(payment, target=NOWHERE))
                self._title(payment, entry)
                rest.append(replace(given, source=entry))
            part.append(rest)
        self._advance(part, block)
        for holder in self.books.seen_until(block.height):
            for key in sorted(key for key in self.trace.accounts if key[0] == holder):
                self.hold(key, block.height, LIVE, UNSEEN)
                del self.trace.accounts[key]

    def leave(self, block: LedgerBlock) -> None:
        """Write down what is named in a block that there was no time for."""
        for payment in (payment for payments in block.payments for payment in payments):
            if payment.row in self.begin.payments:
                place = block.places[payment.row]
                self.done.begun[payment.asset] = self.done.begun.get(payment.asset, 0) + payment.amount
                self.done.ends.append(End(place, 0, ONLY, payment.amount, LEAF, TIME))
                self.done.places[payment.row], self.done.assets[payment.row] = place, payment.asset

    def _entry(self, payment: Payment) -> Holder:
        """A made-up account that stands for the payer of a payment that is named."""
        entry = Holder(b"\0 named " + payment.row.to_bytes(12))
        self.made_up.add(entry)
        return entry

    def _followed(
        self, payment: Payment, part: Sequence[Sequence[Payment]], rest: Sequence[Payment], block: LedgerBlock
    ) -> bool:
        """Whether the payer of a payment is followed when it pays; what comes before it in the block counts."""
        if payment.source is None:
            return False
        key = payment.source, payment.asset
        if key in self.trace.accounts:
            return True
        if not part and not rest:
            return False
        return key in self._step([*part, rest], block).changed

    def _title(self, payment: Payment, entry: Holder) -> None:
        """Let all units of a payment be traced; those that were traced already are not counted again."""
        key = entry, payment.asset
        before = self.trace.accounts.get(key)
        had = 0 if before is None else sum(units for _, units, _ in before.labelled())
        self.trace.accounts[key] = opened(self.trace.method, payment.amount, ONLY)
        self.done.begun[payment.asset] = self.done.begun.get(payment.asset, 0) + payment.amount - had

    def _step(self, part: Sequence[Sequence[Payment]], block: LedgerBlock) -> AccountStep:
        """Ask the books for balances until nothing more is known."""
        balances = {key: units + self.moved.get(key, 0) for key, units in block.balances.items()}
        while True:
            step = self.trace.step(part, balances, self.role_of)
            found: dict[Key, int] = {}
            for key in step.unknown:
                units = 0 if key[0] in self.made_up else self.books.balance(key, block.height)
                if units is not None:
                    found[key] = units + self.moved.get(key, 0)
            if not found:
                return step
            balances |= found

    def _advance(self, part: Sequence[Sequence[Payment]], block: LedgerBlock, titled: int | None = None) -> None:
        """Take a part of a block. titled: the payment that is named next, whose units are not there yet."""
        step = self._step(part, block)
        self.trace.apply(step)
        self.done.unknown |= step.unknown
        for payment in (payment for payments in part for payment in payments):
            if payment.source is not None and (payment.source, payment.asset) in self.done.unknown:
                self.done.doubted[payment.source, payment.asset] = None
            for holder, units in ((payment.source, -payment.amount), (payment.target, payment.amount)):
                if holder is not None:
                    key = holder, payment.asset
                    self.moved[key] = self.moved.get(key, 0) + units
        self._note(block, step, titled)

    def _note(self, block: LedgerBlock, step: AccountStep, titled: int | None) -> None:
        done = self.done
        stops = {row.row: row for row in step.rows if row.row != titled}
        paid = {payment.row: payment for payments in block.payments for payment in payments}
        done.rows |= stops
        done.unseen += step.unseen
        done.transactions += len({block.places[row].position for row in stops})
        offsets: dict[int, int] = {}
        for edge in step.edges:
            if edge.to_id == titled:
                continue
            row, place, asset = stops[edge.to_id], block.places[edge.to_id], paid[edge.to_id].asset
            done.edges.append(edge)
            done.places[edge.to_id], done.assets[edge.to_id] = place, asset
            offset = offsets.get(edge.to_id, 0)
            offsets[edge.to_id] = offset + edge.amount
            if edge.label is None:
                continue
            if paid[edge.from_id].asset != asset:
                key = edge.label, asset
                done.converted[key] = done.converted.get(key, 0) + edge.amount
            if edge.to_id in self.sinks and row.boundary is None:
                done.reached[edge.to_id] = done.reached.get(edge.to_id, 0) + edge.amount
            elif row.boundary is not None:
                at = offset if self.trace.method.tiles else 0
                done.ends.append(End(place, at, edge.label, edge.amount, LEAF, row.boundary))

    def hold(self, key: Key, height: int, state: str, reason: str) -> None:
        """Write what an account holds as ends."""
        place = Place(height, -1, -1, -1, bytes(key[0]), key[1])
        for offset, label, units in held(self.trace.accounts[key]):
            self.done.ends.append(End(place, offset, label, units, state, reason))
