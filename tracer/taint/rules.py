"""The tracing rules for one transaction: haircut and FIFO over its inputs and sinks, exact to the unit. Pure.

Sinks are the outputs in vout order, then the fee; inputs come in vin order. Definitions: haircut spreads tainted value
in proportion to amounts by telescoping floors; FIFO (Clayton's rule) takes units in the order in which they came.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

Label = int


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of units of one label (None: clean) that came through input number `source`."""

    source: int
    label: Label | None
    length: int


@dataclass(frozen=True, slots=True)
class Share:
    """Tainted units of one label that went from input `source` to a sink."""

    source: int
    label: Label
    amount: int


def haircut(tainted: int, sinks: Sequence[int]) -> tuple[int, ...]:
    """Spread `tainted` base units over `sinks` in proportion to their amounts.

    The shares add up to `tainted` exactly: rounding moves units, it never loses them. Nothing tainted, all zeros.

    >>> haircut(50, (30, 70))
    (15, 35)
    """
    total = sum(sinks)
    if not tainted:
        return (0,) * len(sinks)
    bounds = [tainted * upto // total for upto in accumulate(sinks, initial=0)]
    return tuple(high - low for low, high in pairwise(bounds))


def haircut_shares(inputs: Sequence[Mapping[Label, int]], sinks: Sequence[int]) -> list[list[Share]]:
    """Split the haircut of every sink over labels and the inputs they came through.

    inputs: per input its tainted units by label. Each sink's total comes from the total taint; it is then split over
    the remaining masses in (label, input) order by the same telescoping, so rows and columns are exact, and summing
    the inputs of a label gives what a split by labels alone would give.

    >>> haircut_shares([{0: 3}, {1: 1}], (2, 2))
    [[Share(source=0, label=0, amount=1), Share(source=1, label=1, amount=1)], [Share(source=0, label=0, amount=2)]]
    """
    keys = sorted((label, source) for source, taint in enumerate(inputs) for label, units in taint.items() if units)
    masses = [inputs[source][label] for label, source in keys]
    result: list[list[Share]] = []
    for share in haircut(sum(masses), sinks):
        total = sum(masses)
        row: list[Share] = []
        if share:
            bounds = [share * upto // total for upto in accumulate(masses, initial=0)]
            for place, (low, high) in enumerate(pairwise(bounds)):
                if high > low:
                    label, source = keys[place]
                    row.append(Share(source, label, high - low))
                    masses[place] -= high - low
        result.append(row)
    return result


def fifo_segments(inputs: Sequence[Sequence[tuple[Label | None, int]]], sinks: Sequence[int]) -> list[list[Segment]]:
    """Cut the concatenated inputs into sinks from the front; every unit keeps its label and its input.

    inputs: per input its segments (label or None, length), which tile the input's amount. Inputs and sinks have the
    same total. Neighbouring segments are merged when label and input agree.

    >>> fifo_segments([[(0, 3)], [(None, 2)]], (4, 1))
    [[Segment(source=0, label=0, length=3), Segment(source=1, label=None, length=1)], \
[Segment(source=1, label=None, length=1)]]
    """
    queue = [
        Segment(source, label, length) for source, segments in enumerate(inputs) for label, length in segments if length
    ]
    queue.reverse()
    result: list[list[Segment]] = []
    for sink in sinks:
        row: list[Segment] = []
        wanted = sink
        while wanted:
            head = queue.pop()
            taken = min(wanted, head.length)
            if taken < head.length:
                queue.append(Segment(head.source, head.label, head.length - taken))
            if row and (row[-1].source, row[-1].label) == (head.source, head.label):
                row[-1] = Segment(head.source, head.label, row[-1].length + taken)
            else:
                row.append(Segment(head.source, head.label, taken))
            wanted -= taken
        result.append(row)
    return result
