"""Who vouches for a block hash: how far enough sources agree, and when a disagreement is an event. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from tracer.types import Hash


@dataclass(frozen=True, slots=True)
class Differs:
    """The first height at which a source shows another block than ours."""

    height: int
    ours: Hash
    theirs: Hash


@dataclass(frozen=True, slots=True)
class Turn:
    """What a look at a source changes: the stored disagreement ends, and another one begins."""

    ends: bool
    begins: Differs | None


def agreed_height(heights: Iterable[int], agree: int) -> int:
    """The highest height up to which at least `agree` sources vouch; -1 if there are fewer.

    heights: per source, the highest of our blocks that it vouches for, and so for all below it.

    >>> agreed_height([120, 118, 90], 2), agreed_height([120], 2)
    (118, -1)
    """
    ranked = sorted(heights, reverse=True)
    return ranked[agree - 1] if len(ranked) >= agree else -1


def judge_look(stored: Differs | None, before: Differs | None, now: Differs | None, settled: int) -> Turn:
    """Decide what a look at a source changes.

    stored: the disagreement that stands in the store. before, now: what the last look and this one found.
    settled: our confirmed height. At or below it a difference counts at once; above it, where nodes hear of blocks at
    different moments, it counts when two looks in a row found one.
    """
    if now == stored:
        return Turn(False, None)
    counts = now is not None and (now.height <= settled or before is not None)
    return Turn(stored is not None, now if counts else None)
