"""What a title does to the labelled parts of one coin, as `tracer.taint.rules.mark` says. Pure."""

import numpy as np

from tracer.taint.dense.task import Parts
from tracer.taint.rules import Method


def marked(method: Method, old: Parts | None, amount: int, rank: int) -> tuple[Parts, int]:
    """Give a label to what of a coin has none; returns its parts then, and how many units that are."""
    parts = [] if old is None else list(zip(*(v.tolist() for v in (old.offset, old.rank, old.units)), strict=True))
    if method.tiles:
        return _filled(parts, amount, rank)
    given = amount - sum(units for _, _, units in parts)
    return laid(sorted([*parts, (0, rank, given)], key=lambda part: part[1])), given


def _filled(parts: list[tuple[int, int, int]], amount: int, rank: int) -> tuple[Parts, int]:
    """Fill the places between the parts of a tiling."""
    found: list[tuple[int, int, int]] = []
    at = given = 0
    for offset, label, length in [*parts, (amount, rank, 0)]:
        given += offset - at
        for begin, one, units in ((at, rank, offset - at), (offset, label, length)):
            if units and found and found[-1][1] == one and sum(found[-1][::2]) == begin:
                found[-1] = (found[-1][0], one, found[-1][2] + units)
            elif units:
                found.append((begin, one, units))
        at = offset + length
    return laid(found), given


def laid(parts: list[tuple[int, int, int]]) -> Parts:
    """Parts of one coin, (offset, rank, units), as arrays; whose they are is left out."""
    table = np.array(parts, np.int64).reshape(len(parts), 3)
    return Parts(np.zeros(0, np.int64), table[:, 0], table[:, 1], table[:, 2])
