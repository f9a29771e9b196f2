"""Judges legs and cases: a verdict with its claims, each with the lane that supports it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from tracer.chain import Marks
from tracer.custody.case import LegKind
from tracer.custody.ledger import Totals
from tracer.matching import LegState
from tracer.types import AssetId, Lane

ATTESTED_KINDS = frozenset({LegKind.DEPOSIT, LegKind.RETURN})
"""Legs that close only if somebody attested whose address the target is."""

OF_LEG, OF_LEDGER = ("LEG-5", 1), ("RECON-1", 1)
"""The rules by which legs and ledgers are judged, with their versions: raised whenever what is judged changes."""

UNOBSERVED_LOSS = "value left custody that nobody saw go: balances fell by more than was observed"


class Verdict(Enum):
    """What can be said of a subject."""

    SHOWN = "SHOWN"
    CONTRADICTED = "CONTRADICTED"
    NOT_SHOWN = "NOT_SHOWN"


@dataclass(frozen=True, slots=True)
class Claim:
    """One statement a verdict rests on; refs name rows: movement:ID, block:ID, attestation:ID, entry places."""

    what: str
    lane: Lane
    refs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict, why, and the claims it rests on; `lane` is the weakest of them."""

    verdict: Verdict
    reason: str
    claims: tuple[Claim, ...]

    @property
    def lane(self) -> Lane:
        """The weakest lane of the claims; REPORTED where there is none."""
        return max((claim.lane for claim in self.claims), default=Lane.REPORTED)


@dataclass(frozen=True, slots=True)
class Attested:
    """An attestation of a leg's target address, with inclusive instants."""

    id: int
    valid_from: int
    valid_to: int | None

    def covers(self, time: int) -> bool:
        """Whether it was valid at an instant."""
        return self.valid_from <= time and (self.valid_to is None or time <= self.valid_to)


WITHDRAWN = "withdrawn: nothing is to arrive any more"
"""The reason of a leg that was given up, or superseded, before anything arrived."""


def judge_leg(leg: LegState, tip_time: int, marks: Marks, attestations: tuple[Attested, ...]) -> Judgement:
    """Judge one leg at a tip: what arrived, whether on time, as planned, confirmed, and to whose address."""
    plan = leg.plan
    overdue = plan.deadline is not None and tip_time > plan.deadline
    lane = max((arrival.lane for arrival in leg.arrivals), default=Lane.REPORTED)
    claims = [Claim("movement", lane, tuple(f"movement:{a.movement_id}" for a in leg.arrivals))]
    if not leg.arrivals and leg.withdrawn:
        return Judgement(Verdict.NOT_SHOWN, WITHDRAWN, ())
    if not leg.arrivals:
        if overdue:
            return Judgement(Verdict.CONTRADICTED, "late: nothing arrived by the deadline", ())
        reason = "voided by reorg: its transaction left the chain" if leg.voided else "nothing arrived yet"
        return Judgement(Verdict.NOT_SHOWN, reason, ())
    problems = contradictions(leg, overdue)
    if problems:
        return Judgement(Verdict.CONTRADICTED, "; ".join(problems), tuple(claims))
    if any(arrival.doubted for arrival in leg.arrivals):
        return Judgement(
            Verdict.NOT_SHOWN, "arrived, but the receiver's balance changed by another amount", tuple(claims)
        )
    if not leg.complete:
        return Judgement(Verdict.NOT_SHOWN, "part of the amount has arrived", tuple(claims))
    newest = max(arrival.height for arrival in leg.arrivals)
    if newest > marks.confirmed:
        return Judgement(Verdict.NOT_SHOWN, "arrived, not yet confirmed", tuple(claims))
    if plan.kind in ATTESTED_KINDS:
        valid = [next((a for a in attestations if a.covers(arrival.time)), None) for arrival in leg.arrivals]
        used = dict.fromkeys(f"attestation:{a.id}" for a in valid if a is not None)
        if None in valid:
            return Judgement(Verdict.NOT_SHOWN, "no attestation of the target address was valid then", tuple(claims))
        claims.append(Claim("target address", Lane.ATTESTED, tuple(used)))
    state = "final" if newest <= marks.final else "confirmed"
    claims.append(Claim(state, Lane.REPORTED, tuple(f"block:{a.block_id}" for a in leg.arrivals)))
    return Judgement(Verdict.SHOWN, f"arrived as planned, {state}", tuple(claims))


def contradictions(leg: LegState, overdue: bool) -> list[str]:
    """Say what about a leg's arrivals goes against the plan; empty if nothing does."""
    plan, found = leg.plan, list[str]()
    if leg.arrived > plan.amount + plan.tolerance:
        found.append("excess: more arrived than planned")
    if leg.fees > plan.max_fee:
        found.append("fee: more was paid than the leg allows")
    if overdue and not leg.complete:
        found.append("shortfall: less than planned had arrived by the deadline")
    late = [arrival.time > plan.deadline for arrival in leg.arrivals] if plan.deadline is not None else []
    if any(late):
        found.append(f"late: {'all' if all(late) else 'part'} of the amount arrived after the deadline")
    return found


def judge_conservation(asset: AssetId, totals: Totals, doubts: Sequence[str] = (), lost: int = 0) -> Judgement:
    """Judge a case's asset: nothing leaked exactly if unexplained is 0 and everything could be seen.

    doubts: why the ledger may not be whole although it closes, such as an address that paid more than it had.
    lost: base units by which balances in custody fell without anything observed.
    """
    claim = Claim(f"ledger of {asset}", Lane.REPORTED, ("ledger",))
    if totals.unexplained:
        return Judgement(Verdict.CONTRADICTED, "value left custody that no leg explains", (claim,))
    if lost:
        return Judgement(Verdict.CONTRADICTED, UNOBSERVED_LOSS, (claim,))
    if doubts:
        return Judgement(Verdict.NOT_SHOWN, "; ".join(doubts), (claim,))
    return Judgement(Verdict.SHOWN, "every base unit is explained", (claim,))
