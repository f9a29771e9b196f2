"""Rules about addresses: shared custody scripts, who else can move them, labels of counterparties. Pure."""

import re
from collections.abc import Iterator

from tracer.custody.case import LegKind
from tracer.custody.facts import CaseFacts, LegFacts
from tracer.custody.findings import Found, Rule
from tracer.custody.preset import Preset
from tracer.custody.records import Control, DeclaredAsset, ForkClaim, Power
from tracer.types import Lane

SANCTIONED = frozenset({"sanction", "sanctions", "sanctioned"})
MIXING = frozenset({"mixer", "mixing_service", "mixing", "coinjoin"})


def shared(facts: CaseFacts, _: Preset) -> Iterator[Found]:
    """COLD-2: one custody script serves two cases."""
    for one in facts.shared:
        yield Found(
            f"watch:{one.watch}:{one.other_case}",
            f"{one.watch} ({one.address}) is a custody address of case {one.other_case} too",
            (f"watch:{one.watch}",),
        )


def powers(facts: CaseFacts, rule: str) -> Iterator[Found]:
    """What was found of those who can move or change what was seized."""
    for record, power in facts.of("power", Power):
        if power.rule == rule:
            yield Found(
                f"record:{record.ref}",
                f"{power.watch}: {power.detail}",
                (f"record:{record.id}",),
                severity=power.severity,
            )


def others_can_move(facts: CaseFacts, _: Preset) -> Iterator[Found]:
    """APPROVE-1: an allowance or a delegation lets somebody else move what is held."""
    yield from powers(facts, "APPROVE-1")


def issuer_can_change(facts: CaseFacts, _: Preset) -> Iterator[Found]:
    """TOKEN-1: the issuer can freeze, pause, rebase or replace the token."""
    yield from powers(facts, "TOKEN-1")


def incomplete(facts: CaseFacts, _: Preset) -> Iterator[Found]:
    """INV-1: the inventory leaves out scripts of the same keys, or indexes beyond the declared range."""
    yield from powers(facts, "INV-1")


def forks_open(facts: CaseFacts, _: Preset) -> Iterator[Found]:
    """FORK-1: coins of a fork, or on a chain that is not watched, were seized too, and nobody decided on them."""
    yield from powers(facts, "FORK-1")
    decided = {body.coin for _, body in facts.of("fork-claim", ForkClaim)}
    for record, body in facts.of("declared-asset", DeclaredAsset):
        if body.symbol not in decided:
            yield Found(
                f"record:{record.ref}",
                f"{body.amount} {body.symbol} on {body.chain} is declared only: nobody decided on it",
                (f"record:{record.id}",),
                shown=False,
            )


def exposed(facts: CaseFacts, categories: frozenset[str]) -> Iterator[Found]:
    """Counterparties with a label of certain categories."""
    for one in facts.exposures:
        if categories & named(one.category):
            yield Found(
                f"address:{one.address}",
                f"{one.address} is called {one.label!r} ({one.category}) by {one.pack}: a lead, not an accusation",
                (f"movement:{one.movement_id}",),
                shown=False,
            )


def named(category: str) -> set[str]:
    """The categories that a label names: packs join several by commas, semicolons or bars."""
    return {part.strip() for part in re.split("[,;|]", category.lower())}


def sanctioned(facts: CaseFacts, _: Preset) -> Iterator[Found]:
    """SANCT-1: a counterparty stands on a sanctions list."""
    yield from exposed(facts, SANCTIONED)


def mixed(facts: CaseFacts, _: Preset) -> Iterator[Found]:
    """MIX-1: a counterparty is said to be a mixer."""
    yield from exposed(facts, MIXING)


def control_voided(facts: CaseFacts, _: Preset) -> Iterator[Found]:
    """CTRL-1: the block at which control over an address was shown has left the chain."""
    for record, body in facts.of("control", Control):
        if record.id in facts.voided and body.shown is not None:
            text = f"control over {body.watch} was shown at block {body.shown.height}, which has left the chain"
            yield Found(f"record:{record.ref}", text, (f"record:{record.id}",), shown=False)


def may_come_back(leg: LegFacts, _: CaseFacts, __: Preset) -> Iterator[Found]:
    """BURN-1: what is to be destroyed goes where somebody may hold a key; told before it is paid, too."""
    if leg.kind is LegKind.DESTROY and not unspendable(leg.target_key) and (leg.arrivals or not leg.withdrawn):
        went = "went" if leg.arrivals else "is to go"
        text = f"leg {leg.ref} {went} to {leg.target}, which is not provably unspendable"
        yield Found(f"leg:{leg.ref}", text, leg.refs, shown=False, leg=leg.id)


def unspendable(key: bytes) -> bool:
    """Whether nobody can ever spend from a holder: OP_RETURN on Bitcoin, the zero account on Ethereum."""
    return key[:1] == b"\x6a" or key == bytes(20)


RULES = (
    Rule("COLD-2", "WARN", Lane.ATTESTED, "one custody script in two cases", on_case=shared),
    Rule(
        "FORK-1",
        "WARN",
        Lane.ATTESTED,
        "coins of a fork or an unwatched chain that nobody decided on",
        on_case=forks_open,
    ),
    Rule(
        "TOKEN-1",
        "WARN",
        Lane.REPORTED,
        "a token can be frozen, paused, rebased or replaced",
        on_case=issuer_can_change,
    ),
    Rule(
        "APPROVE-1",
        "CRITICAL",
        Lane.REPORTED,
        "an allowance or delegation lets others move it",
        on_case=others_can_move,
    ),
    Rule("INV-1", "WARN", Lane.REPORTED, "the inventory is not complete", on_case=incomplete),
    Rule("CTRL-1", "HIGH", Lane.PROVEN, "a proof of control whose block left the chain", on_case=control_voided),
    Rule("BURN-1", "HIGH", Lane.REPORTED, "a destruction that is not provable", on_leg=may_come_back),
    Rule("SANCT-1", "HIGH", Lane.INFERRED, "a counterparty is on a sanctions list", on_case=sanctioned),
    Rule("MIX-1", "WARN", Lane.INFERRED, "a counterparty is called a mixer", on_case=mixed),
)
