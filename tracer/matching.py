"""How a transaction's credits find the custody legs they fulfil. Pure.

A credit matches an open leg of the same asset and target whose sources are the holders that paid, inside the leg's
window; the oldest deadline is served first, equal deadlines are ambiguous. What an open leg does not need is excess on
the last leg served. One leg may take many transactions, one transaction may serve many legs.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tracer.custody.case import DELIVERING, LegKind
from tracer.types import AssetId, Holder, Role

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

    @property
    def delivers(self) -> bool:
        """Whether fulfilling it takes value out of custody."""
        return self.kind in DELIVERING


@dataclass(frozen=True, slots=True)
class Arrival:
    """Part of a leg that arrived: base units, in which movement, at which height and block time."""

    amount: int
    movement_id: int
    height: int
    time: int
    block_id: int


@dataclass(slots=True)
class LegState:
    """A leg and what has arrived for it on the canonical chain."""

    plan: Plan
    arrivals: list[Arrival] = field(default_factory=list)
    fees: int = 0
    voided: bool = False

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
    """Value that reached a holder the case watches."""

    movement_id: int
    holder: Holder
    role: Role
    asset: AssetId
    amount: int


@dataclass(frozen=True, slots=True)
class Match:
    """Part of a credit that fulfils a leg."""

    credit: Credit
    leg: LegState
    amount: int
    excess: bool


def match_credit(
    credit: Credit, payers: frozenset[Holder], legs: Iterable[LegState], time: int, *, exact: bool = False
) -> tuple[list[Match], int]:
    """Allocate a credit to legs; returns the matches and the units that found none.

    payers: the case's watched holders that the transaction debits in this asset; empty: paid from outside.
    exact: never allocate excess (used where a payment mixes cases).
    """
    fitting = [leg for leg in legs if fits(leg.plan, credit, payers, time)]
    rest = credit.amount
    matches: list[Match] = []
    open_legs = sorted((leg for leg in fitting if leg.wanted and in_window(leg.plan, time)), key=urgency)
    late_legs = sorted((leg for leg in fitting if leg.wanted and not in_window(leg.plan, time)), key=urgency)
    for group in same_deadline(open_legs) + same_deadline(late_legs):
        if not rest:
            break
        if len(group) > 1 and rest < sum(leg.wanted for leg in group):
            return matches, rest  # nobody can say which of them was meant
        for leg in group:
            taken = min(rest, leg.wanted)
            if taken:
                matches.append(Match(credit, leg, taken, excess=False))
                rest -= taken
    if rest and not exact:
        last = matches[-1].leg if matches else last_served(fitting)
        if last is not None:
            matches.append(Match(credit, last, rest, excess=True))
            rest = 0
    return matches, rest


def fits(plan: Plan, credit: Credit, payers: frozenset[Holder], time: int) -> bool:
    """Say whether a leg could be meant by a credit, its window's end and what is still wanted aside."""
    if (plan.asset, plan.target) != (credit.asset, credit.holder) or time < (plan.not_before or 0):
        return False
    return bool(payers) and payers <= plan.sources if plan.sources else not payers


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
    return max(served, key=lambda leg: leg.arrivals[-1].movement_id, default=None)
