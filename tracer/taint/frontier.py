"""The sparse frontier: traced coins advance over one transaction; what is cut becomes a leaf with its reason. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tracer.taint.rules import Label, Segment, Share, fifo_segments, haircut_shares
from tracer.types import Holder

OP_RETURN = 0x6A


@dataclass(frozen=True, slots=True)
class Traced:
    """What is known of one coin.

    fifo: segments (label or None for clean, length) that tile its amount from the front.
    haircut: traced units per label.
    hop: transactions since custody; 0 while a watched holder has it.
    """

    fifo: tuple[tuple[Label | None, int], ...]
    haircut: Mapping[Label, int]
    hop: int

    @property
    def mass(self) -> int:
        """The larger of what the two methods say is traced here."""
        return max(sum(self.haircut.values()), sum(units for label, units in self.fifo if label is not None))


@dataclass(frozen=True, slots=True)
class Limits:
    """How far coins are followed beyond the watched holders: hops, traced units per coin, live coins per case."""

    max_hops: int = 20
    min_amount: int = 546
    max_live: int = 100_000


@dataclass(frozen=True, slots=True)
class Sink:
    """An output (`holder` set) or the fee (None) of a traced transaction, with what came into it."""

    holder: Holder | None
    amount: int
    fifo: tuple[Segment, ...]
    haircut: tuple[Share, ...]
    traced: Traced
    boundary: str | None


def seed(label: Label, amount: int) -> Traced:
    """Mark a seized coin: every unit of it is its own label."""
    return Traced(((label, amount),), {label: amount}, 0)


def merge_neighbours(segments: Sequence[tuple[Label | None, int]]) -> tuple[tuple[Label | None, int], ...]:
    """Join neighbouring segments of one label.

    >>> merge_neighbours([(0, 1), (0, 2), (None, 3)])
    ((0, 3), (None, 3))
    """
    merged: list[tuple[Label | None, int]] = []
    for label, length in segments:
        if merged and merged[-1][0] == label:
            merged[-1] = (label, merged[-1][1] + length)
        else:
            merged.append((label, length))
    return tuple(merged)


def spread(
    inputs: Sequence[tuple[int, Traced | None]],
    outputs: Sequence[tuple[Holder, int]],
    boundary: Callable[[Holder | None, Traced], str | None],
    watched: Callable[[Holder], bool],
) -> list[Sink]:
    """Follow traced inputs into a transaction's outputs and fee, which comes last.

    inputs: (amount, what is traced of it) in vin order. The fee is what the outputs leave over.
    boundary: says why a trace stops at a holder (None: the fee), or None if it goes on.
    """
    fee = sum(amount for amount, _ in inputs) - sum(amount for _, amount in outputs)
    sinks = [amount for _, amount in outputs] + [fee]
    shares = haircut_shares([traced.haircut if traced else {} for _, traced in inputs], sinks)
    cuts = fifo_segments([traced.fifo if traced else ((None, amount),) for amount, traced in inputs], sinks)
    hop = 1 + max(traced.hop for _, traced in inputs if traced)
    result: list[Sink] = []
    holders: list[Holder | None] = [holder for holder, _ in outputs] + [None]
    for holder, amount, share, cut in zip(holders, sinks, shares, cuts, strict=True):
        by_label: dict[Label, int] = {}
        for part in share:
            by_label[part.label] = by_label.get(part.label, 0) + part.amount
        fifo = merge_neighbours([(part.label, part.length) for part in cut])
        traced = Traced(fifo, by_label, 0 if holder is not None and watched(holder) else hop)
        result.append(
            Sink(
                holder,
                amount,
                tuple(cut),
                tuple(share),
                traced,
                boundary(holder, traced) if traced.mass else None,
            )
        )
    return result


def stops(holder: Holder | None, traced: Traced, live: int, limits: Limits) -> str | None:
    """Say why a trace cannot go on from an unwatched holder: fee, burn or budget; None if it can."""
    if holder is None:
        return "fee"
    if holder[:1] == bytes([OP_RETURN]):
        return "burn"
    if traced.hop > limits.max_hops:
        return "budget: hops"
    if 0 < traced.mass < limits.min_amount:
        return "budget: amount"
    if live >= limits.max_live:
        return "budget: live coins"
    return None
