"""The follow rule: what to do next, given our tip and what a node says; when a block is confirmed and final. Pure."""

from dataclasses import dataclass, field

from tracer.types import AssetId, BlockRef, Hash


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
class Tier:
    """What legs of one asset need from a planned amount on (base units): more than the chain itself asks, never less.

    confirmed, final: as in Policy; a tag only if the chain's own policy names it too. None: as the chain's own.
    """

    asset: AssetId
    min_amount: int
    confirmed: int | str | None = None
    final: int | str | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """When a block is confirmed and when it is final: a number of confirmations (1 = in the tip) or a node's tag.

    The chain's own final blocks are never disconnected; `tiers` only decide what legs are judged by.
    """

    confirmed: int | str
    final: int | str
    tiers: tuple[Tier, ...] = ()

    def tier(self, asset: AssetId, amount: int) -> Tier | None:
        """The tier of an amount: of its asset the one with the highest minimum that the amount reaches."""
        reached = [tier for tier in self.tiers if tier.asset == asset and tier.min_amount <= amount]
        return max(reached, key=lambda tier: tier.min_amount, default=None)


@dataclass(frozen=True, slots=True)
class Marks:
    """Heights at and below which our canonical blocks are confirmed and final (-1: none).

    tip: the height they were worked out at; peak: the highest tip there ever was. Both move with every block and say
    nothing about the chain's own marks, so they are not compared.
    """

    confirmed: int
    final: int
    tip: int = field(default=-1, compare=False)
    peak: int = field(default=-1, compare=False)


NO_MARKS = Marks(-1, -1)


def advance_marks(
    old: Marks, tip: int, policy: Policy, tags: dict[str, int | None], vouched: int | None = None
) -> Marks:
    """Work out the marks at a new tip.

    tags: the node's own heights for `safe` and `finalized`; missing or None leaves such a mark where it was.
    vouched: the highest height for whose block enough sources vouch; nothing above it becomes final. None: the one
    node that is followed is enough.
    Final never moves back; confirmed may, when the tip does.
    """

    def height(rule: int | str, before: int) -> int:
        if isinstance(rule, int):
            return tip - rule + 1
        tagged = tags.get(rule)
        return min(before if tagged is None else tagged, tip)

    due = height(policy.final, old.final)
    final = max(old.final, due if vouched is None else min(due, vouched), -1)
    confirmed = max(height(policy.confirmed, old.confirmed), final, -1)
    return Marks(confirmed, final, tip, max(old.peak, tip))


def marks_for(marks: Marks, policy: Policy, asset: AssetId, amount: int) -> Marks:
    """Work out the marks that a leg of this planned amount is judged by.

    A tier is never ahead of the chain's own marks, and what was final by it stays so while the chain keeps the block.
    """
    tier = policy.tier(asset, amount)
    if tier is None:
        return marks

    def height(rule: int | str | None, own: int, seen: int) -> int:
        if rule is None:
            return own
        if isinstance(rule, int):
            return min(own, seen - rule + 1)
        return min(own, {policy.confirmed: marks.confirmed, policy.final: marks.final}[rule])

    final = max(height(tier.final, marks.final, marks.peak), -1)
    confirmed = max(height(tier.confirmed, marks.confirmed, marks.tip), final)
    return Marks(confirmed, final, marks.tip, marks.peak)


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
