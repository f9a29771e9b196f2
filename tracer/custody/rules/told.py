"""The rules that blocks, mempools and nodes set off, where they are followed (`tracer.notices` and others). Pure."""

from tracer.custody.findings import Rule
from tracer.types import Lane

RULES = (
    Rule("LEG-1", "CRITICAL", Lane.REPORTED, "a debit of custody outside an approved leg, the mempool included"),
    Rule("LEG-2", "INFO", Lane.REPORTED, "a credit outside a leg"),
    Rule(
        "LEG-3",
        "HIGH",
        Lane.REPORTED,
        "a counterparty looks like a known address, or an event that moves nothing names one",
    ),
    Rule("LEG-5", "HIGH", Lane.REPORTED, "amount, fee, asset or contract not as planned"),
    Rule("LEG-6", "HIGH", Lane.REPORTED, "late, stuck, replaced, dropped or failed"),
    Rule(
        "KEY-1", "CRITICAL", Lane.REPORTED, "a seized address spends other than by a SECURE leg before all are secured"
    ),
    Rule("COLD-1", "CRITICAL", Lane.REPORTED, "an address in cold storage is debited outside a leg"),
    Rule("SEIZE-1", "HIGH", Lane.REPORTED, "a coin named as seized was not there after the block of the seizure"),
    Rule("REORG-1", "HIGH", Lane.REPORTED, "a matched movement left the chain"),
    Rule("VALUE-1", "CRITICAL", Lane.REPORTED, "a balance in custody fell by more than was observed"),
    Rule("LATE-1", "HIGH", Lane.ATTESTED, "value became explained by what was declared after it had moved"),
    Rule("RECON-2", "HIGH", Lane.REPORTED, "two sources disagree about the chain"),
)
