"""The follow rule: what to do next, given our tip and what a node says; when a block is confirmed and final. Pure."""

from dataclasses import dataclass

from tracer.types import BlockRef, Hash


@dataclass(frozen=True, slots=True)
class Seen:
    """What a node says, taken together, and what we hold against it.

    best: the node's best block.
    ours_at_best: our canonical hash at the best block's height; None if that is above our tip or below our start.
    hash_at_tip: the node's block hash at our tip's height; None if its chain is shorter.
    above: the node's block at our tip's height + 1; None if there is none yet.
    tip_invalid: the node positively rejects our tip.
    """

    best: BlockRef
    ours_at_best: Hash | None
    hash_at_tip: Hash | None
    above: BlockRef | None
    tip_invalid: bool = False


@dataclass(frozen=True, slots=True)
class Connect:
    """Append this block to our chain."""

    block: BlockRef


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Our tip has left the chain."""

    block: BlockRef


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do now."""


@dataclass(frozen=True, slots=True)
class Behind:
    """The node's best block is one of our own ancestors: it restarted, restores, or lags."""

    best: BlockRef


@dataclass(frozen=True, slots=True)
class Broken:
    """The node contradicts a block that is final here."""

    block: BlockRef


Step = Connect | Disconnect | Wait | Behind | Broken


def next_step(tip: BlockRef, seen: Seen, final: int) -> Step:
    """Decide the next move; `final` is the height at and below which our blocks are final (-1: none yet)."""
    shorter = seen.hash_at_tip is None
    forked_below = shorter and seen.ours_at_best not in (seen.best.hash, None)
    if seen.tip_invalid or forked_below or seen.hash_at_tip not in (tip.hash, None):
        return Disconnect(tip) if tip.height > final else Broken(tip)
    if shorter:
        return Behind(seen.best)
    if seen.above is None or seen.above.parent != tip.hash:
        return Wait()  # in step, or the node switched between our questions
    return Connect(seen.above)


@dataclass(frozen=True, slots=True)
class Policy:
    """When a block is confirmed and when it is final: a number of confirmations (1 = in the tip) or a node's tag."""

    confirmed: int | str
    final: int | str


@dataclass(frozen=True, slots=True)
class Marks:
    """Heights at and below which our canonical blocks are confirmed and final (-1: none)."""

    confirmed: int
    final: int


NO_MARKS = Marks(-1, -1)


def advance_marks(old: Marks, tip: int, policy: Policy, tags: dict[str, int | None]) -> Marks:
    """Work out the marks at a new tip.

    tags: the node's own heights for `safe` and `finalized`; missing or None leaves such a mark where it was.
    Final never moves back; confirmed may, when the tip does.
    """

    def height(rule: int | str, before: int) -> int:
        if isinstance(rule, int):
            return tip - rule + 1
        tagged = tags.get(rule)
        return min(before if tagged is None else tagged, tip)

    final = max(old.final, height(policy.final, old.final), -1)
    return Marks(confirmed=max(height(policy.confirmed, old.confirmed), final, -1), final=final)


UNTAGGED_DEPTH = 64
"""How deep a block is taken to be settled where a node does not tell what is final: two epochs of 32 blocks."""


def anchor_height(first: int, best: int, policy: Policy, tags: dict[str, int | None]) -> int:
    """Work out after which block to begin, so that `first` is scanned and nothing unsettled lies below.

    The anchor is final from the first moment: all that may still be reorganised must be above it.
    """
    if isinstance(policy.final, int):
        settled = best - policy.final
    else:
        tagged = tags.get("finalized")
        settled = best - UNTAGGED_DEPTH if tagged is None else min(tagged, best)
    return max(0, min(first - 1, settled))
