"""Assesses a case: runs every rule over its facts, and says where it stands and how its clocks run. Pure.

Legs are many and change rarely: what rules find of a leg is kept until the leg, or anything else of the case, changes.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

from tracer.custody.case import LegKind
from tracer.custody.clocks import ClockState, run_clocks
from tracer.custody.facts import CaseFacts
from tracer.custody.findings import Finding, Found, Rule
from tracer.custody.preset import Preset
from tracer.custody.rules import ON_CASE, ON_LEG
from tracer.custody.rules.clock import clock_findings
from tracer.custody.stages import Standing, stand


@dataclass(frozen=True, slots=True)
class Assessment:
    """What can be said of a case at its clock: findings by (rule, subject), where it stands, its clocks."""

    findings: dict[tuple[str, str], Finding]
    standing: Standing
    clocks: tuple[ClockState, ...]
    clock: int


@dataclass(slots=True)
class Assessor:
    """Assesses one case again and again; the findings about its legs are kept between."""

    preset: Preset
    of_legs: dict[int, tuple[Finding, ...]] = field(default_factory=dict)

    def assess(self, facts: CaseFacts, legs: Collection[int] | None = None) -> Assessment:
        """Assess the case; legs: the ids of those that changed since last time, None if anything else did too."""
        off = frozenset(self.preset.file.off)
        if legs is None:
            self.of_legs.clear()
        for number in facts.legs if legs is None else with_tested(facts, legs):
            found = tuple(self._leg_findings(number, facts, off))
            if found:
                self.of_legs[number] = found
            else:
                self.of_legs.pop(number, None)
        now = facts.clock
        findings = {one.key: one for found in self.of_legs.values() for one in found if one.found.told_at(now)}
        for rule in ON_CASE:
            if rule.id not in off and rule.on_case is not None:
                findings.update({one.key: one for one in as_findings(rule, rule.on_case(facts, self.preset))})
        finding = {one.rule for one in findings.values()}
        critical = any(one.severity == "CRITICAL" and one.found.shown for one in findings.values())
        standing = stand(facts, self.preset, finding, critical)
        clocks = tuple(run_clocks(facts, self.preset, standing))
        for rule, late in clock_findings(facts, self.preset, standing, clocks):
            if rule.id not in off:
                findings.update({one.key: one for one in as_findings(rule, [late])})
        return Assessment(findings, standing, clocks, now)

    def _leg_findings(self, number: int, facts: CaseFacts, off: frozenset[str]) -> Iterator[Finding]:
        leg = facts.legs[number]
        for rule in ON_LEG:
            if rule.id not in off and rule.on_leg is not None:
                yield from as_findings(rule, rule.on_leg(leg, facts, self.preset))


def with_tested(facts: CaseFacts, legs: Collection[int]) -> set[int]:
    """Legs that changed, and those whose receiver a changed TEST leg tests: it decides about them too."""
    tests = (leg for number in legs if (leg := facts.legs[number]).kind is LegKind.TEST)
    return {*legs, *(number for leg in tests for number in facts.paying[leg.asset, leg.target_key])}


def as_findings(rule: Rule, found: Iterable[Found]) -> Iterator[Finding]:
    """What a rule found, with the rule."""
    for one in found:
        yield Finding(rule.id, rule.version, one.severity or rule.severity, rule.lane, one)
