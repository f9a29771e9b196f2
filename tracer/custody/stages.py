"""The stage machine: how far a case has come, and what the next gate still asks for. Pure.

A case stands in the last stage whose gate and all gates before it are open. Nothing is remembered: a fact that a reorg
takes away closes its gate again, and the case stands where it stood before.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from tracer.custody.facts import CaseFacts
from tracer.custody.gates import Met, QuietRules, check, parts
from tracer.custody.preset import Preset
from tracer.custody.records import Hold, Suspension


@dataclass(frozen=True, slots=True)
class Gate:
    """A stage's gate: whether it is open, and each of its conditions. left_out: the case takes another way."""

    stage: str
    conditions: tuple[Met, ...]
    left_out: bool = False

    @property
    def open(self) -> bool:
        """Whether every condition holds."""
        return all(met.holds for met in self.conditions)

    @property
    def missing(self) -> tuple[str, ...]:
        """What it still asks for."""
        return tuple(met.missing for met in self.conditions if not met.holds)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a case stands. since: for each stage that it reached, the instant; None where no fact of it has one."""

    stage: str
    since: Mapping[str, int | None]
    gates: tuple[Gate, ...]
    sides: tuple[str, ...]

    @property
    def next(self) -> Gate | None:
        """The gate before which the case stands; None at the end."""
        return next((gate for gate in self.gates if gate.stage not in self.since and not gate.left_out), None)

    @property
    def left_out(self) -> tuple[str, ...]:
        """The stages that the case does not go through, as it stands."""
        return tuple(gate.stage for gate in self.gates if gate.left_out)


def stand(facts: CaseFacts, preset: Preset, finding: QuietRules, critical: bool) -> Standing:
    """Say where a case stands. finding: ids of rules that find something; critical: whether one of them is CRITICAL."""
    gates = tuple(
        Gate(
            stage.name,
            tuple(check(condition, facts, finding) for condition in stage.gate),
            bool(stage.unless) and all(check(condition, facts, finding).holds for condition in stage.unless),
        )
        for stage in preset.file.stage
    )
    since: dict[str, int | None] = {}
    latest: int | None = None
    for gate in (gate for gate in gates if not gate.left_out):
        if not gate.open:
            break
        known = [met.at for met in gate.conditions if met.at is not None]
        latest = max([*known, *([] if latest is None else [latest])], default=None)
        since[gate.stage] = latest
    stage = list(since)[-1] if since else "-"
    return Standing(stage, since, gates, sides_of(facts, gates, since, critical))


def sides_of(
    facts: CaseFacts, gates: tuple[Gate, ...], since: Mapping[str, int | None], critical: bool
) -> tuple[str, ...]:
    """The side states: HOLD, SUSPENDED, INCIDENT, and PARTIAL where a later stage is partly done.

    An incident is a CRITICAL finding, value that moved outside every leg, or a balance that fell and nobody saw why.
    """
    now = facts.clock
    sides = []
    if any(body.start <= now and (body.end is None or now < body.end) for _, body in facts.of("hold", Hold)):
        sides.append("HOLD")
    rests = facts.of("suspension", Suspension)
    if any(body.start <= now and (body.end is None or now < body.end) for _, body in rests):
        sides.append("SUSPENDED")
    if critical or facts.outside or any(one.gone for one in facts.unseen):
        sides.append("INCIDENT")
    if partial(facts, gates, since):
        sides.append("PARTIAL")
    return tuple(sides)


def partial(facts: CaseFacts, gates: tuple[Gate, ...], since: Mapping[str, int | None]) -> bool:
    """Whether legs of a stage that is not reached have been served in part."""
    waiting = {
        rest
        for gate in gates
        if gate.stage not in since and not gate.left_out
        for met in gate.conditions
        if not met.holds
        for verb, rest in parts(met.condition)
        if verb in ("legs", "legs-if-any")
    }
    return any(progress.served for kind, progress in facts.progress.items() if kind.value in waiting)
