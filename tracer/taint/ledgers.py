"""Traces a whole stored history of accounts at once, block by block, as the daemon did. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tracer.taint.accounts import AccountStep, AccountTrace, Key, Payment
from tracer.taint.boundaries import UNSEEN, standing
from tracer.taint.coins import RoleOf, StopOf
from tracer.taint.history import Result
from tracer.taint.lots import Holding, Queue
from tracer.taint.rules import Label
from tracer.taint.run import LEAF, LIVE, Declaration, End, Place
from tracer.types import AssetId, Holder


@dataclass(frozen=True, slots=True)
class LedgerBlock:
    """A block's payments by transaction, and balances after its parent of accounts that were first reached in it.

    places: of its movements, by row.
    """

    height: int
    payments: Sequence[Sequence[Payment]]
    balances: Mapping[Key, int]
    places: Mapping[int, Place]


class Ledgers(Protocol):
    """What a trace over accounts asks of a store."""

    def blocks(self, after: int, upto: int) -> Iterable[LedgerBlock]:
        """The blocks above `after` with payments or openings, in order."""

    def seen(self, holder: Holder, height: int) -> bool:
        """Whether an account's movements are stored from a block on."""

    def seen_until(self, height: int) -> Sequence[Holder]:
        """The accounts whose movements are not stored above a block, and were until then."""


@dataclass(slots=True)
class AccountResult(Result):
    """A run's result over accounts; assets: of the units at every end and row; converted: units that came by a swap."""

    assets: dict[int, AssetId] = field(default_factory=dict)
    converted: dict[tuple[Label, str], int] = field(default_factory=dict)
    unseen: list[tuple[int, int]] = field(default_factory=list)


def trace_accounts(
    declared: Declaration,
    sources: Mapping[Label, tuple[Key, int]],
    ledgers: Ledgers,
    role_of: RoleOf,
    upto: int,
    *,
    stop_of: StopOf | None = None,
) -> AccountResult:
    """Trace a run over the accounts of a chain up to a height; sources: account, asset and units by label."""
    walk = _Walk(declared, ledgers, role_of, AccountTrace(declared.method, declared.limits, strict=True))
    for label in sorted(sources):
        key, amount = sources[label]
        given = walk.trace.seed(key, amount)
        assert given == label, "labels are given in order"
        walk.done.seeded[label] = amount
    for block in ledgers.blocks(declared.since, upto):
        walk.take(block, stop_of)
    for key in sorted(walk.trace.accounts):
        walk.hold(key, -1, LIVE, standing(role_of(key[0])))
    return walk.done


@dataclass(slots=True)
class _Walk:
    declared: Declaration
    ledgers: Ledgers
    role_of: RoleOf
    trace: AccountTrace
    done: AccountResult = field(default_factory=AccountResult)

    def take(self, block: LedgerBlock, stop_of: StopOf | None) -> None:
        """Take one block."""

        def stop(holder: Holder) -> str | None:
            if not self.ledgers.seen(holder, block.height):
                return UNSEEN
            return stop_of(holder) if stop_of is not None else None

        self.trace.stop_of = stop
        step = self.trace.step(block.payments, block.balances, self.role_of)
        self.trace.apply(step)
        self._note(block, step)
        for holder in self.ledgers.seen_until(block.height):
            for key in sorted(key for key in self.trace.accounts if key[0] == holder):
                self.hold(key, block.height, LIVE, UNSEEN)
                del self.trace.accounts[key]

    def _note(self, block: LedgerBlock, step: AccountStep) -> None:
        done = self.done
        done.edges += step.edges
        done.unseen += step.unseen
        done.transactions += len({block.places[row.row].position for row in step.rows})
        paid = {payment.row: payment for payments in block.payments for payment in payments}
        stops = {row.row: row for row in step.rows}
        done.rows |= stops
        offsets: dict[int, int] = {}
        for edge in step.edges:
            row, place = stops[edge.to_id], block.places[edge.to_id]
            done.places[edge.to_id], done.assets[edge.to_id] = place, paid[edge.to_id].asset
            offset = offsets.get(edge.to_id, 0)
            offsets[edge.to_id] = offset + edge.amount
            if edge.label is None:
                continue
            asset = paid[edge.to_id].asset
            if paid[edge.from_id].asset != asset:
                key = edge.label, asset
                done.converted[key] = done.converted.get(key, 0) + edge.amount
            if row.boundary is not None:
                at = offset if self.declared.method.tiles else 0
                done.ends.append(End(place, at, edge.label, edge.amount, LEAF, row.boundary))

    def hold(self, key: Key, height: int, state: str, reason: str) -> None:
        """Write what an account holds as ends."""
        holder, asset = key
        place = Place(height, -1, -1, -1, bytes(holder), asset)
        for offset, label, units in held(self.trace.accounts[key]):
            self.done.ends.append(End(place, offset, label, units, state, reason))


def held(holding: Holding) -> list[tuple[int, Label, int]]:
    """The labelled units of an account, by their offset in the queue and label; hops do not tell lots apart here."""
    if isinstance(holding, Queue):
        rows: list[tuple[int, Label, int]] = []
        offset = 0
        for label, units, _ in holding.lots:
            if label is not None and rows and rows[-1][1] == label and rows[-1][0] + rows[-1][2] == offset:
                rows[-1] = (rows[-1][0], label, rows[-1][2] + units)
            elif label is not None:
                rows.append((offset, label, units))
            offset += units
        return rows
    return [(0, label, units) for label, units, _ in holding.labelled() if label is not None]
