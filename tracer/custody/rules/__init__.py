"""The rules of the custody model: every one with its id, severity and lane, and where it is evaluated. Pure."""

from tracer.custody.findings import Rule
from tracer.custody.rules import addresses, bond, clock, legs, money, papers, people, price, recording, told, venue

RULES: tuple[Rule, ...] = (
    *told.RULES,
    *legs.RULES,
    *addresses.RULES,
    *venue.RULES,
    *bond.RULES,
    *price.RULES,
    *recording.RULES,
    *papers.RULES,
    *people.RULES,
    *clock.RULES,
    *money.RULES,
)
"""Every rule, in the order in which they are documented."""

BY_ID = {rule.id: rule for rule in RULES}
ON_CASE = tuple(rule for rule in RULES if rule.on_case is not None)
ON_LEG = tuple(rule for rule in RULES if rule.on_leg is not None)
