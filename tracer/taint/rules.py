"""The tracing rules for one transaction: what of its inputs goes into which sink, exact to the unit. Pure.

Sinks are the outputs in vout order, then the fee; inputs come in vin order. A *part* is (label, units); label None is
clean. Under the tiling methods (FIFO, LIFO, TIHO, seniority, clean-first) the parts of a coin tile its amount from the
front; under haircut and poison they name its labels in label order and leave the clean rest out. FIFO is the rule of
Clayton's Case (1816) 1 Mer 572; TIHO ("taint in, highest out") is by Tironsakkul and others (2022); clean-first is what
the lowest intermediate balance rule presumes of a wrongdoer.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

Label = int
Parts = tuple[tuple[Label | None, int], ...]


class Method(StrEnum):
    """How mixed value is told apart."""

    POISON = "poison"
    HAIRCUT = "haircut"
    FIFO = "fifo"
    LIFO = "lifo"
    TIHO = "tiho"
    SENIORITY = "seniority"
    CLEAN_FIRST = "clean-first"

    @property
    def tiles(self) -> bool:
        """Whether every unit of a coin has one label, at a place of its own."""
        return self is not Method.POISON and self is not Method.HAIRCUT


class Flow(NamedTuple):
    """Units of one label (None: clean) that went from input number `source` into a sink."""

    source: int
    label: Label | None
    units: int


def flows(method: Method, inputs: Sequence[Parts], sinks: Sequence[int]) -> list[list[Flow]]:
    """Say for every sink what came into it, in order: the places of a tiling, else by label and input.

    inputs: per input its parts. Under tiling methods inputs and sinks have the same total; under haircut the sinks'
    total is at least what is labelled.

    >>> flows(Method.FIFO, [((0, 3),), ((None, 2),)], (4, 1))
    [[Flow(source=0, label=0, units=3), Flow(source=1, label=None, units=1)], [Flow(source=1, label=None, units=1)]]
    >>> flows(Method.LIFO, [((0, 3),), ((None, 2),)], (4, 1))
    [[Flow(source=1, label=None, units=2), Flow(source=0, label=0, units=2)], [Flow(source=0, label=0, units=1)]]
    """
    if len(inputs) == 1 and len(inputs[0]) == 1 and inputs[0][0][0] is not None and inputs[0][0][1] == sum(sinks):
        label = inputs[0][0][0]  # all of one label: every method agrees
        return [[Flow(0, label, sink)] if sink else [] for sink in sinks]
    match method:
        case Method.POISON:
            return poison(inputs, sinks)
        case Method.HAIRCUT:
            return haircut_by_label(inputs, sinks)
    line = [Flow(source, label, units) for source, parts in enumerate(inputs) for label, units in parts if units]
    if method is Method.FIFO:
        return cut(line, sinks)
    if method is Method.LIFO:
        line.reverse()
    elif method in (Method.TIHO, Method.SENIORITY):
        line.sort(key=lambda part: part.label is None)
    elif method is Method.CLEAN_FIRST:
        line.sort(key=lambda part: part.label is not None)
    order = list(range(len(sinks)))
    if method is Method.TIHO:
        order[:-1] = sorted(order[:-1], key=lambda place: (-sinks[place], place))
    cuts = cut(line, [sinks[place] for place in order])
    placed: list[list[Flow]] = [[] for _ in sinks]
    for place, row in zip(order, cuts, strict=True):
        placed[place] = row
    return placed


def parts_of(method: Method, row: Sequence[Flow]) -> Parts:
    """The parts of a coin that received these flows.

    >>> parts_of(Method.FIFO, [Flow(0, 7, 3), Flow(1, 7, 2), Flow(1, None, 1)])
    ((7, 5), (None, 1))
    """
    if len(row) == 1:
        return (row[0][1:],)
    if method.tiles:
        return merge_neighbours([flow[1:] for flow in row])
    if method is Method.POISON:
        return tuple({flow.label: flow.units for flow in row}.items())
    units: dict[Label | None, int] = {}
    for flow in row:
        units[flow.label] = units.get(flow.label, 0) + flow.units
    return tuple(units.items())


def clean(method: Method, amount: int) -> Parts:
    """The parts of a coin that nothing traced went into."""
    return ((None, amount),) if method.tiles else ()


def mark(method: Method, parts: Parts, amount: int, label: Label) -> tuple[Parts, int]:
    """Give a label to the units of a coin that have none; returns also how many: the earliest title wins.

    >>> mark(Method.FIFO, ((0, 3), (None, 2)), 5, 1)
    (((0, 3), (1, 2)), 2)
    >>> mark(Method.HAIRCUT, ((0, 3),), 5, 1)
    (((0, 3), (1, 2)), 2)
    """
    if method.tiles:
        given = sum(units for old, units in parts if old is None)
        return merge_neighbours([(label if old is None else old, units) for old, units in parts]), given
    given = 0 if method is Method.POISON and parts else amount - sum(units for _, units in parts)
    return (tuple(sorted([*parts, (label, given)], key=by_label)) if given else parts), given


def mass(method: Method, parts: Parts) -> int:
    """How many units are traced, each counted once."""
    if len(parts) == 1:
        return parts[0][1] if parts[0][0] is not None else 0
    traced = [units for label, units in parts if label is not None]
    return max(traced, default=0) if method is Method.POISON else sum(traced)


def by_label(part: tuple[Label | None, int]) -> int:
    """The place of a labelled part in the label order."""
    return -1 if part[0] is None else part[0]


def merge_neighbours(parts: Sequence[tuple[Label | None, int]]) -> Parts:
    """Join neighbouring parts of one label.

    >>> merge_neighbours([(0, 1), (0, 2), (None, 3)])
    ((0, 3), (None, 3))
    """
    merged: list[tuple[Label | None, int]] = []
    for label, units in parts:
        if merged and merged[-1][0] == label:
            merged[-1] = (label, merged[-1][1] + units)
        elif units:
            merged.append((label, units))
    return tuple(merged)


def poison(inputs: Sequence[Parts], sinks: Sequence[int]) -> list[list[Flow]]:
    """Give every sink with a value all labels, each over its whole amount, through the first input that has it.

    >>> poison([(), ((2, 5),)], (3, 0))
    [[Flow(source=1, label=2, units=3)], []]
    """
    first: dict[Label, int] = {}
    for source, parts in enumerate(inputs):
        for label, _ in parts:
            if label is not None:
                first.setdefault(label, source)
    return [[Flow(first[label], label, sink) for label in sorted(first)] if sink else [] for sink in sinks]


def haircut(tainted: int, sinks: Sequence[int]) -> tuple[int, ...]:
    """Spread `tainted` base units over `sinks` in proportion to their amounts.

    The shares add up to `tainted` exactly: rounding moves units, it never loses them. Nothing tainted, all zeros.

    >>> haircut(50, (30, 70))
    (15, 35)
    """
    if not tainted:
        return (0,) * len(sinks)
    total, upto, low = sum(sinks), 0, 0
    shares: list[int] = []
    for sink in sinks:
        upto += sink
        high = tainted * upto // total
        shares.append(high - low)
        low = high
    return tuple(shares)


def haircut_by_label(inputs: Sequence[Parts], sinks: Sequence[int]) -> list[list[Flow]]:
    """Split the haircut of every sink over labels and the inputs they came through.

    Each sink's total comes from the total taint; it is then split over the remaining masses in (label, input) order by
    the same telescoping, so rows and columns are exact, and summing the inputs of a label gives what a split by labels
    alone would give.

    >>> haircut_by_label([((0, 3),), ((1, 1),)], (2, 2))
    [[Flow(source=0, label=0, units=1), Flow(source=1, label=1, units=1)], [Flow(source=0, label=0, units=2)]]
    """
    came = sorted((label, source, units) for source, parts in enumerate(inputs) for label, units in parts if units)
    shares = haircut(sum(units for _, _, units in came), sinks)
    if len(came) == 1:
        [(label, source, _)] = came
        return [[Flow(source, label, share)] if share else [] for share in shares]
    left = [units for _, _, units in came]
    rows: list[list[Flow]] = []
    for share in shares:
        taken = split(share, left) if share else ()
        rows.append([Flow(one[1], one[0], units) for one, units in zip(came, taken, strict=False) if units])
    return rows


def split(share: int, left: list[int]) -> list[int]:
    """Take `share` units from what is left of some masses, in proportion, telescoping; reduces `left` in place.

    >>> left = [3, 1]; split(2, left), left
    ([1, 1], [2, 0])
    """
    if not share:
        return [0] * len(left)
    total, upto, low = sum(left), 0, 0
    taken: list[int] = []
    for place, units in enumerate(left):
        upto += units
        high = share * upto // total
        taken.append(high - low)
        left[place] = units - high + low
        low = high
    return taken


def cut(line: Sequence[Flow], sinks: Sequence[int]) -> list[list[Flow]]:
    """Cut a line of units into sinks from the front; every unit keeps its label and its input."""
    rows: list[list[Flow]] = []
    coming = iter(line)
    source, label, left = 0, None, 0
    for sink in sinks:
        row: list[Flow] = []
        wanted = sink
        while wanted:
            if not left:
                source, label, left = next(coming, (0, None, 0))
                if not left:
                    raise ValueError("a transaction pays more than it spends")
            taken = left if left < wanted else wanted
            if row and row[-1][0] == source and row[-1][1] == label:
                row[-1] = Flow(source, label, row[-1][2] + taken)
            else:
                row.append(Flow(source, label, taken))
            left -= taken
            wanted -= taken
        rows.append(row)
    return rows
