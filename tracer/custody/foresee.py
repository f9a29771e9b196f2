"""What the rules would tell if a leg were paid now, before anybody pays it. Pure."""

from dataclasses import replace

from tracer.custody.assess import Assessor
from tracer.custody.facts import SHOWN, Arrived, CaseFacts
from tracer.custody.findings import Finding
from tracer.custody.preset import Preset


def foreseen(facts: CaseFacts, preset: Preset, leg_id: int, amount: int, now: int) -> list[Finding]:
    """What is found of the case once so many base units more arrived for a leg at an instant, and is not found yet.

    The arrival is put into `facts`, in a block that nobody knew when the records were filed, and counts as confirmed.
    What comes of time that passes is not foreseen: the other facts stand still.
    """
    leg = facts.legs[leg_id]
    before = Assessor(preset).assess(facts).findings
    tip = facts.chains[leg.chain]
    newest = max(chain.tip_id for chain in facts.chains.values())
    paid = Arrived(0, amount, now, tip.height + 1, newest + 1)
    first = leg.first_block if leg.first_block is not None else newest + 1
    facts.put_leg(replace(leg, arrivals=(*leg.arrivals, paid), verdict=SHOWN, reason="", first_block=first))
    after = Assessor(preset).assess(facts).findings
    return [one for key, one in after.items() if key not in before or (one.found.shown and not before[key].found.shown)]
