"""How a transaction's credits find the custody legs they fulfil. Pure.

A credit matches an open leg of the same asset and target whose sources are the holders that paid, inside the leg's
window. The leg that wants exactly this amount is meant, else the oldest deadline; equal deadlines are ambiguous. One
leg may take many transactions, one transaction may serve many legs.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tracer.custody.case import LegKind
from tracer.types import AssetId, Holder, Lane, Role

NEVER = 2**62


@dataclass(frozen=True, slots=True)
class Plan:
    """A leg as matching and judging need it: ids of the store, holders instead of watch names."""

    id: int
    ref: str
    kind: LegKind
    asset: AssetId
    sources: frozenset[Holder]
    target: Holder
    amount: int
    tolerance: int
    max_fee: int
    not_before: int | None
    deadline: int | None


@dataclass(frozen=True, slots=True)
class Arrival:
    """Part of a leg that arrived: base units, in which movement, at which height and block time, how well shown.

    doubted: the receiver's balance did not change by what was observed.
    """

    amount: int
    movement_id: int
    height: int
    time: int
    block_id: int
    lane: Lane = Lane.REPORTED
    doubted: bool = False


@dataclass(slots=True)
class LegState:
    """A leg and what has arrived for it on the canonical chain; withdrawn: nothing counts for it any more."""

    plan: Plan
    arrivals: list[Arrival] = field(default_factory=list)
    fees: int = 0
    voided: bool = False
    withdrawn: bool = False

    @property
    def arrived(self) -> int:
        """Base units so far."""
        return sum(arrival.amount for arrival in self.arrivals)

    @property
    def wanted(self) -> int:
        """Base units still missing from the planned amount."""
        return max(0, self.plan.amount - self.arrived)

    @property
    def complete(self) -> bool:
        """Whether the planned amount, less the tolerance, has arrived."""
        return self.arrived >= self.plan.amount - self.plan.tolerance


@dataclass(frozen=True, slots=True)
class Credit:
    """Value that reached a holder the case watches.

    payers: the case's watched holders that paid it; empty: paid from outside. change: it went back to its payer.
    """

    movement_id: int
    holder: Holder
    role: Role
    asset: AssetId
    amount: int
    payers: frozenset[Holder]
    change: bool = False
    lane: Lane = Lane.REPORTED


@dataclass(frozen=True, slots=True)
class Match:
    """Part of a credit that fulfils a leg."""

    credit: Credit
    leg: LegState
    amount: int
    excess: bool


@dataclass(frozen=True, slots=True)
class Found:
    """What a credit found: its matches, the units left over, and whether several legs were equally meant."""

    matches: tuple[Match, ...]
    rest: int
    tied: bool = False


def match_credit(credit: Credit, legs: Iterable[LegState], time: int) -> Found:
    """Allocate a credit to legs.

    Legs inside their window come before late ones. What no leg wants is excess on the last leg served, but only if a
    holder of the case paid it: strangers cannot contradict a leg by paying more.
    """
    fitting = [leg for leg in legs if fits(leg.plan, credit, time)]
    rest = credit.amount
    matches: list[Match] = []
    for in_time in (True, False):
        wanting = [leg for leg in fitting if leg.wanted and in_window(leg.plan, time) is in_time]
        for leg in meant(wanting, rest):
            taken = min(rest, leg.wanted)
            matches.append(Match(credit, leg, taken, excess=False))
            rest -= taken
        served = {match.leg.plan.id for match in matches}
        if rest and any(leg.plan.id not in served for leg in wanting):
            return Found(tuple(matches), rest, tied=True)  # nobody can say which of them was meant
    if rest and credit.payers:
        last = matches[-1].leg if matches else last_served(fitting)
        if last is not None:
            matches.append(Match(credit, last, rest, excess=True))
            rest = 0
    return Found(tuple(matches), rest)


def meant(legs: Iterable[LegState], amount: int) -> list[LegState]:
    """Say which of the legs that want something a payment serves, in order; stop where it cannot be told.

    One leg that wants exactly the amount is meant. Else the oldest deadline is served first; legs of one deadline are
    served together if the payment suffices for all of them.
    """
    exact = [leg for leg in legs if leg.wanted == amount]
    if len(exact) == 1:
        return exact
    chosen: list[LegState] = []
    for group in same_deadline(sorted(legs, key=urgency)):
        wanted = sum(leg.wanted for leg in group)
        if not amount or (len(group) > 1 and amount < wanted):
            break
        chosen += group
        amount -= min(amount, wanted)
    return chosen


def fits(plan: Plan, credit: Credit, time: int) -> bool:
    """Say whether a leg could be meant by a credit, its window's end and what is still wanted aside."""
    if (plan.asset, plan.target) != (credit.asset, credit.holder) or time < (plan.not_before or 0):
        return False
    return bool(credit.payers) and credit.payers <= plan.sources if plan.sources else not credit.payers


def in_window(plan: Plan, time: int) -> bool:
    """Say whether an instant is not after a leg's deadline."""
    return plan.deadline is None or time <= plan.deadline


def urgency(leg: LegState) -> tuple[int, int]:
    """Sort key: oldest deadline first, then as imported."""
    return (NEVER if leg.plan.deadline is None else leg.plan.deadline, leg.plan.id)


def same_deadline(legs: Sequence[LegState]) -> list[list[LegState]]:
    """Group legs, sorted by urgency, that share a deadline."""
    groups: list[list[LegState]] = []
    for leg in legs:
        if groups and groups[-1][0].plan.deadline == leg.plan.deadline:
            groups[-1].append(leg)
        else:
            groups.append([leg])
    return groups


def last_served(legs: Iterable[LegState]) -> LegState | None:
    """The leg that was served last, if any has been."""
    served = [leg for leg in legs if leg.arrivals]
    return max(served, key=lambda leg: (leg.arrivals[-1].height, leg.arrivals[-1].movement_id), default=None)
