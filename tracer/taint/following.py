"""One case's traces on one UTXO chain: which coins carry its seized value, what a transaction does to them. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tracer.taint.frontier import Limits, Sink, Traced, seed, spread, stops
from tracer.types import Holder, Outpoint, Role

FIFO = "fifo"
HAIRCUT = "haircut"
METHODS = (FIFO, HAIRCUT)

BOUNDARY_ROLES = {Role.EXCHANGE: "exchange deposit", Role.REFUND: "refund address"}


@dataclass(frozen=True, slots=True)
class Edge:
    """Traced units from the IN row `from_id` into the OUT or FEE row `to_id`.

    seq: the FIFO order of the units from the front of the output; for haircut the (label, input) order.
    label: None for the clean units of a FIFO tiling.
    """

    method: str
    to_id: int
    seq: int
    from_id: int
    label: int | None
    amount: int


@dataclass(frozen=True, slots=True)
class TracedRow:
    """That an output or fee row carries traced value, and why its trace stops there, if it does."""

    movement_id: int
    hop: int
    boundary: str | None


@dataclass(slots=True)
class Trace:
    """Live traced coins of one case."""

    limits: Limits
    coins: dict[Outpoint, Traced] = field(default_factory=dict)
    labels: int = 0


@dataclass(frozen=True, slots=True)
class Traces:
    """What one transaction adds to a trace; `followed` are the coins that go on being followed."""

    edges: tuple[Edge, ...]
    rows: tuple[TracedRow, ...]
    followed: tuple[tuple[Outpoint, Traced], ...]
    cut: tuple[tuple[int, str, int], ...]


def seed_coin(trace: Trace, point: Outpoint, amount: int) -> int:
    """Start following a seized coin and return its label; coins are seeded in chain order."""
    label = trace.labels
    trace.labels += 1
    trace.coins[point] = seed(label, amount)
    return label


def advance(
    trace: Trace,
    inputs: Sequence[tuple[int, Outpoint, int]],
    outputs: Sequence[tuple[int, Outpoint, Holder, int]],
    fee_id: int,
    role_of: Callable[[Holder], Role | None],
) -> Traces:
    """Advance a trace over a transaction that spends at least one of its coins.

    inputs: (IN row, outpoint, amount) in vin order; outputs: (OUT row, outpoint, holder, amount) in vout order.
    """
    spent = [(amount, trace.coins.pop(point, None)) for _, point, amount in inputs]
    live = len(trace.coins)

    def boundary(holder: Holder | None, traced: Traced) -> str | None:
        role = role_of(holder) if holder is not None else None
        return BOUNDARY_ROLES.get(role) if role else stops(holder, traced, live, trace.limits)

    sinks = spread(
        spent,
        [(holder, amount) for _, _, holder, amount in outputs],
        boundary,
        lambda holder: role_of(holder) is not None,
    )
    edges: list[Edge] = []
    rows: list[TracedRow] = []
    followed: list[tuple[Outpoint, Traced]] = []
    cut: list[tuple[int, str, int]] = []
    places = [(row, point) for row, point, _, _ in outputs] + [(fee_id, None)]
    sources = [row for row, _, _ in inputs]
    for (row, point), sink in zip(places, sinks, strict=True):
        if not sink.traced.mass:
            continue
        edges += edges_into(row, sink, sources)
        rows.append(TracedRow(row, sink.traced.hop, sink.boundary))
        if sink.boundary is None and point is not None:
            trace.coins[point] = sink.traced
            followed.append((point, sink.traced))
        elif sink.boundary is not None and sink.boundary.startswith("budget"):
            cut.append((row, sink.boundary, sink.traced.mass))
    return Traces(tuple(edges), tuple(rows), tuple(followed), tuple(cut))


def edges_into(row: int, sink: Sink, sources: Sequence[int]) -> list[Edge]:
    """Write a sink's shares and segments as edges; a coin that FIFO calls clean gets no FIFO edges."""
    edges = [
        Edge(HAIRCUT, row, seq, sources[share.source], share.label, share.amount)
        for seq, share in enumerate(sink.haircut)
    ]
    if any(segment.label is not None for segment in sink.fifo):
        edges += [
            Edge(FIFO, row, seq, sources[segment.source], segment.label, segment.length)
            for seq, segment in enumerate(sink.fifo)
        ]
    return edges
