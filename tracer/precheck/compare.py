"""Holds a transaction that nobody has broadcast yet against its leg, field by field. Pure.

What is not known is NOT_SHOWN, never right; what goes against the plan is CONTRADICTED and names the rule that fires
if it is broadcast all the same. A leg without sources is paid by somebody outside the case: his coins, his fee and
his change are then no concern of it.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

from tracer.custody.case import LegKind
from tracer.custody.judge import ATTESTED_KINDS, Verdict
from tracer.custody.lookalike import matching
from tracer.precheck.facts import LegFacts
from tracer.precheck.planned import Payment, Planned
from tracer.precheck.rows import CONTRADICTED, NOT_SHOWN, SHOWN, Row
from tracer.precheck.sources import balances, coins, fee, named_sources
from tracer.types import Holder


def compare(planned: Planned, facts: LegFacts, now: int | None) -> tuple[Row, ...]:
    """Compare every field; now: the instant at which it would be broadcast, seconds since 1970, None if unknown."""
    main, others = split(planned, facts)
    rows = [
        *(Row("document", "free of contradictions", "", CONTRADICTED, "LEG-5", fault) for fault in planned.faults),
        chain(planned, facts),
        destination(planned, facts, main),
        *assets(facts, main),
        *amount(facts, main),
        *other_payments(facts, others),
        *named_sources(planned, facts),
        *(coins(planned, facts) if facts.utxo else balances(planned, facts)),
        fee(planned, facts),
        *calls(planned, facts),
        *look_alikes(planned, facts),
        window(facts, now),
        *attested(facts, now),
        tested(facts),
    ]
    if facts.plan.sources:
        rows.append(hold(facts))
    return tuple(rows)


def split(planned: Planned, facts: LegFacts) -> tuple[list[Payment], list[Payment]]:
    """Tell what is meant for the destination from what goes elsewhere.

    If nothing goes there, what does not stay with the case is taken for what was meant.
    """
    to_target = [payment for payment in planned.payments if payment.holder == facts.plan.target]
    main = to_target or [payment for payment in planned.payments if not stays(payment.holder, facts)]
    return main, [payment for payment in planned.payments if payment not in main]


def stays(holder: Holder, facts: LegFacts) -> bool:
    """Whether a holder is an address at which the case's value is still held."""
    known = facts.declared.get(holder)
    return known is not None and known.held


def chain(planned: Planned, facts: LegFacts) -> Row:
    """Compare the chain; a Bitcoin transaction is bound to one by the coins that it spends."""

    def row(found: str, verdict: str, reason: str) -> Row:
        return Row("chain", facts.chain, found, Verdict(verdict), "LEG-5", reason)

    if facts.utxo:
        known = sum(spent.point in facts.coins for spent in planned.inputs)
        found = f"{known} of {len(planned.inputs)} coins are known there"
        if known == len(planned.inputs):
            return row(found, "SHOWN", "its coins are on that chain")
        return row(found, "NOT_SHOWN", "a Bitcoin transaction names no chain; only its coins tell")
    if planned.chain_number is None:
        if planned.signed:
            return row("none", "CONTRADICTED", "signed for every chain (before EIP-155): it can be repeated elsewhere")
        return row("none", "NOT_SHOWN", "it does not say for which chain it is")
    found = f"eip155:{planned.chain_number}"
    if found != facts.chain:
        return row(found, "CONTRADICTED", "it is for another chain")
    return row(found, "SHOWN", "the same chain")


def destination(planned: Planned, facts: LegFacts, main: list[Payment]) -> Row:
    """Compare who is paid, byte by byte."""
    target = facts.plan.target
    if any(payment.holder == target for payment in main):
        reason = "the same bytes"
        return Row("destination", facts.name(target), facts.name(target), SHOWN, "LEG-1", reason)
    found = ", ".join(dict.fromkeys(facts.name(payment.holder) for payment in main))
    if planned.unknown and not main:
        reason = "it calls what is not understood here: nobody can say whom it pays"
        return Row("destination", facts.name(target), "not known", NOT_SHOWN, "LEG-1", reason)
    reason = "other bytes: nothing goes to the destination"
    if len(main) == 1:
        wanted, got = facts.show(target), facts.show(main[0].holder)
        head, tail = matching(wanted, got)
        reason += f" ({got} differs at character {head + 1}, and {tail} at the end are the same)"
    return Row("destination", facts.name(target), found or "nobody", CONTRADICTED, "LEG-1", reason)


def assets(facts: LegFacts, main: list[Payment]) -> Iterator[Row]:
    """Compare the asset, where a chain has several."""
    if facts.utxo or not main:
        return
    wanted = written(facts, facts.token)
    for token in dict.fromkeys(payment.token for payment in main):
        if token == facts.token:
            yield Row("asset", wanted, wanted, SHOWN, "LEG-5", "the same asset")
        else:
            reason = "another asset, whatever it calls itself"
            yield Row("asset", wanted, written(facts, token), CONTRADICTED, "LEG-5", reason)


def written(facts: LegFacts, token: bytes | None) -> str:
    """Write an asset: by its symbol if the leg or the chain names it, and a token by its contract too."""
    symbol = facts.unit.symbol if token == facts.token else facts.native.symbol if token is None else "a token"
    return symbol if token is None else f"0x{token.hex()} ({symbol})"


def amount(facts: LegFacts, main: list[Payment]) -> Iterator[Row]:
    """Compare the amount with what is still wanted, within the tolerance."""
    plan, unit = facts.plan, facts.unit
    paid = sum(payment.amount for payment in main if payment.token == facts.token)
    if not main:
        return
    left = f" ({unit.write(facts.arrived)} arrived before)" if facts.arrived else ""
    allowed = f" +- {unit.write(plan.tolerance)}" if plan.tolerance else ""
    wanted = f"{unit.write(plan.amount)}{allowed}{left}"
    total = facts.arrived + paid
    if total > plan.amount + plan.tolerance:
        reason = f"{unit.write(total - plan.amount - plan.tolerance)} more than the leg allows"
        yield Row("amount", wanted, unit.write(paid), CONTRADICTED, "LEG-5", reason)
    elif not paid:
        yield Row("amount", wanted, unit.write(paid), CONTRADICTED, "LEG-5", "nothing of the asset is paid")
    elif total < plan.amount - plan.tolerance:
        reason = f"a part of the leg: {unit.write(plan.amount - total)} would still be missing"
        yield Row("amount", wanted, unit.write(paid), NOT_SHOWN, "LEG-5", reason)
    else:
        yield Row("amount", wanted, unit.write(paid), SHOWN, "LEG-5", "as planned")


def other_payments(facts: LegFacts, others: list[Payment]) -> Iterator[Row]:
    """Compare what goes elsewhere: change back to an address of the case, and nothing else."""
    for payment in others:
        found = f"{facts.money(payment.token, payment.amount)} to {facts.name(payment.holder)}"
        if not facts.plan.sources:
            reason = "somebody outside the case pays: the rest is his"
            yield Row("other output", "not the case's", found, SHOWN, "LEG-1", reason)
        elif facts.utxo and stays(payment.holder, facts):
            back = payment.holder in facts.plan.sources
            reason = "goes back to a source of the leg" if back else "stays at another address of the case"
            yield Row("change", "to an address of the case", found, SHOWN, "LEG-1", reason)
        else:
            known = facts.declared.get(payment.holder)
            reason = f"{known.ref} is declared, but not in custody" if known else "the case declares no such address"
            yield Row("other output", "none", found, CONTRADICTED, "LEG-1", reason)


def calls(planned: Planned, facts: LegFacts) -> Iterator[Row]:
    """Compare what is ordered beside payments: nothing."""
    for grant in planned.grants:
        if grant.amount is None:
            found, reason = f"runs the code of {facts.name(grant.to)}", "gives an account away (EIP-7702)"
        else:
            found = f"approve {facts.money(grant.token, grant.amount)} for {facts.name(grant.to)}"
            reason = "lets somebody take it later, and transfers nothing"
        yield Row("call", "none beside the transfer", found, CONTRADICTED, "APPROVE-1", reason)
    for text in planned.unknown:
        reason = "what this does is not known here, and is not guessed"
        yield Row("call", "none beside the transfer", text, NOT_SHOWN, "LEG-5", reason)


def look_alikes(planned: Planned, facts: LegFacts) -> Iterator[Row]:
    """Look for addresses that a person would take for another one of the case."""
    met = dict.fromkeys([facts.plan.target, *(p.holder for p in planned.payments), *(g.to for g in planned.grants)])
    none = True
    for holder in met:
        found = facts.look_alikes.find(facts.show(holder))
        if found is None:
            continue
        none, ends = False, f"the first {found.head} and last {found.tail} characters of {found.ref}'s"
        if holder in facts.declared:
            reason = f"both are of the case, and share {ends}: confirm on a second channel which one is meant"
            yield Row("look-alike", found.address, facts.name(holder), NOT_SHOWN, "LEG-3", reason)
        else:
            reason = f"it has {ends} address, and other bytes: it may have been planted"
            yield Row("look-alike", found.address, facts.name(holder), CONTRADICTED, "LEG-3", reason)
    if none:
        yield Row("look-alike", "none", "none", SHOWN, "LEG-3", "no address in it looks like another of the case")


def window(facts: LegFacts, now: int | None) -> Row:
    """Compare the instant with the leg's window."""
    first, last = facts.plan.not_before, facts.plan.deadline
    planned = f"from {bound(first)} to {bound(last)}"
    if first is None and last is None:
        return Row(
            "window", "any time", "any time" if now is None else bound(now), SHOWN, "LEG-6", "the leg names no bounds"
        )
    if now is None:
        return Row("window", planned, "not known", NOT_SHOWN, "LEG-6", "it was not said when it would be broadcast")
    if first is not None and now < first:
        return Row("window", planned, bound(now), CONTRADICTED, "LEG-6", "too early")
    if last is not None and now > last:
        return Row("window", planned, bound(now), CONTRADICTED, "LEG-6", "the deadline has passed")
    return Row("window", planned, bound(now), SHOWN, "LEG-6", "inside the window")


def bound(instant: int | None) -> str:
    """Write an instant in UTC; None: a side that is open."""
    return "open" if instant is None else datetime.fromtimestamp(instant, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def attested(facts: LegFacts, now: int | None) -> Iterator[Row]:
    """Compare with what is attested of the destination, where the leg closes on that."""
    if facts.plan.kind not in ATTESTED_KINDS:
        return
    planned = f"whose {facts.name(facts.plan.target)} is"
    if not facts.attestations:
        reason = "nobody attested whose address the destination is"
        yield Row("attestation", planned, "none", NOT_SHOWN, "EXC-2", reason)
    elif now is None or not any(attestation.covers(now) for attestation in facts.attestations):
        found = f"{len(facts.attestations)}, none of them valid {'then' if now is None else f'at {bound(now)}'}"
        yield Row("attestation", planned, found, NOT_SHOWN, "EXC-2", "no attestation of the destination is valid then")
    else:
        yield Row("attestation", planned, "valid", SHOWN, "EXC-2", "an attestation of the destination is valid then")


def tested(facts: LegFacts) -> Row:
    """Compare with the test transfer that the leg asks for."""
    if not facts.needs_test or facts.plan.kind is LegKind.TEST:
        return Row("test transfer", "not asked for", "", SHOWN, "LEG-4", "the leg asks for none")
    planned = f"confirmed, to {facts.name(facts.plan.target)}"
    match facts.test_confirmed:
        case True:
            return Row("test transfer", planned, "confirmed", SHOWN, "LEG-4", "it reached the same bytes")
        case False:
            reason = "no test transfer to the same bytes is confirmed"
            return Row("test transfer", planned, "none", CONTRADICTED, "LEG-4", reason)
        case None:
            reason = "the test transfer to the same bytes is not shown yet"
            return Row("test transfer", planned, "not known", NOT_SHOWN, "LEG-4", reason)


def hold(facts: LegFacts) -> Row:
    """Compare with court holds."""
    match facts.on_hold:
        case True:
            return Row("court hold", "none", "in force", CONTRADICTED, "HOLD-1", "a court holds what would be debited")
        case False:
            return Row("court hold", "none", "none", SHOWN, "HOLD-1", "no hold is in force")
        case None:
            return Row("court hold", "none", "not known", NOT_SHOWN, "HOLD-1", "whether a court holds it is not known")
