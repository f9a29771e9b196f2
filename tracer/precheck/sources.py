"""Compares who would pay: whose coins or account, whether they can be spent, and what the fee takes. Pure."""

from collections.abc import Iterator

from tracer.precheck.facts import LegFacts
from tracer.precheck.planned import Planned, Spent
from tracer.precheck.rows import CONTRADICTED, NOT_SHOWN, SHOWN, Row
from tracer.types import Holder, outpoint_text


def named_sources(planned: Planned, facts: LegFacts) -> Iterator[Row]:
    """Compare everybody who would be debited with the leg's sources: one row per holder."""
    wanted = ", ".join(sorted(facts.name(holder) for holder in facts.plan.sources)) or "nobody of the case"
    if facts.utxo:
        counted: dict[tuple[Holder | None, bool], list[Spent]] = {}
        for spent in planned.inputs:
            known = facts.coins.get(spent.point)
            who = (known.holder, True) if known else (spent.holder, spent.shown)
            counted.setdefault(who, []).append(spent)
        for (holder, shown), coins in counted.items():
            beside = f", {len(coins)} coin{'' if len(coins) == 1 else 's'}"
            if holder not in facts.plan.sources:
                beside += f": {outpoint_text(coins[0].point)}{', ..' if len(coins) > 1 else ''}"
            yield source(facts, wanted, holder, shown, beside)
        return
    yield source(facts, wanted, planned.sender, True, ", by its signature" if planned.sender_shown else ", not signed")
    for owner in dict.fromkeys(payment.source for payment in planned.payments if payment.source is not None):
        if owner != planned.sender:
            yield source(facts, wanted, owner, True, ", by transferFrom")


def source(facts: LegFacts, wanted: str, holder: Holder | None, shown: bool, beside: str) -> Row:
    """Compare one payer; shown: that it is his is not a mere claim of the document."""
    if holder is None:
        reason = "nothing says whose it is" if facts.utxo else "it is not signed, and names no sender"
        return Row("source", wanted, f"not known{beside if facts.utxo else ''}", NOT_SHOWN, "LEG-1", reason)
    found = f"{facts.name(holder)}{beside}"
    declared = holder in facts.declared
    if not facts.plan.sources:
        if declared:
            return Row("source", wanted, found, CONTRADICTED, "LEG-1", "the leg is paid from outside the case")
        return Row("source", wanted, found, SHOWN if shown else NOT_SHOWN, "LEG-1", "somebody outside the case")
    if holder in facts.plan.sources:
        if shown:
            return Row("source", wanted, found, SHOWN, "LEG-1", "a source of the leg")
        return Row("source", wanted, found, NOT_SHOWN, "LEG-1", "the document claims so, and nothing shows it")
    reason = "of the case, but no source of this leg" if declared else "a stranger's: not of the case"
    return Row("source", wanted, found, CONTRADICTED, "LEG-1", reason)


def coins(planned: Planned, facts: LegFacts) -> Iterator[Row]:
    """Compare the coins with those on the chain: there, not spent, and worth what the document says."""
    if not facts.plan.sources:
        return
    fine = []
    for spent in planned.inputs:
        text, known = outpoint_text(spent.point), facts.coins.get(spent.point)
        if known is None:
            yield Row("coin", "on the chain, unspent", text, NOT_SHOWN, "LEG-5", "the store does not know this coin")
            continue
        told = (spent.holder or known.holder, known.amount if spent.amount is None else spent.amount)
        if told != (known.holder, known.amount):
            wanted = f"{facts.native.write(known.amount)} at {facts.name(known.holder)}"
            found = f"{facts.native.write(told[1])} at {facts.name(told[0])}"
            yield Row("coin", wanted, found, CONTRADICTED, "LEG-5", f"the document tells another coin {text}")
        if known.spent:
            by = f" by {known.by}" if known.by else ""
            yield Row("coin", "on the chain, unspent", text, CONTRADICTED, "LEG-5", f"it is spent already{by}")
        elif known.spent is None:
            by = f": {known.by}" if known.by else ""
            yield Row("coin", "on the chain, unspent", text, NOT_SHOWN, "LEG-5", f"whether it is spent is open{by}")
        elif told == (known.holder, known.amount):
            fine.append(known.amount)
    if fine:
        found = f"{len(fine)} coin{'' if len(fine) == 1 else 's'}, {facts.native.write(sum(fine))}"
        yield Row("coins", "on the chain, unspent", found, SHOWN, "LEG-5", "known to the store, and not spent")


def balances(planned: Planned, facts: LegFacts) -> Iterator[Row]:
    """Compare what accounts would pay of the leg's asset with what the case holds there."""
    owed: dict[Holder, int] = {}
    for payment in planned.payments:
        owner = planned.sender if payment.source is None else payment.source
        if payment.token == facts.token and owner in facts.plan.sources:
            owed[owner] = owed.get(owner, 0) + payment.amount
    if facts.token is None and planned.gas and planned.sender in owed:
        owed[planned.sender] += planned.gas.limit * planned.gas.price
    for owner, needed in owed.items():
        wanted, held = f"at least {facts.unit.write(needed)}", facts.balances.get(owner)
        if held is None:
            reason = "what the case holds there is not known"
            yield Row("balance", wanted, "not known", NOT_SHOWN, "LEG-5", reason)
        elif held < needed:
            reason = f"{facts.unit.write(needed - held)} are missing"
            yield Row("balance", wanted, facts.unit.write(held), CONTRADICTED, "LEG-5", reason)
        else:
            yield Row("balance", wanted, facts.unit.write(held), SHOWN, "LEG-5", f"held at {facts.name(owner)}")


def fee(planned: Planned, facts: LegFacts) -> Row:
    """Compare the fee, or on account chains what it may be at most, with what the leg still allows."""
    if not facts.plan.sources:
        return Row("fee", "not the case's", "", SHOWN, "LEG-5", "somebody outside the case pays it")
    allowed = facts.plan.max_fee - facts.fees
    before = f" ({facts.native.write(facts.fees)} paid before)" if facts.fees else ""
    wanted = f"at most {facts.native.write(allowed)}{before}"
    paid, shown = bitcoin_fee(planned, facts) if facts.utxo else gas_fee(planned)
    if paid is None:
        reason = "not all inputs are known" if facts.utxo else "gas limit or price is not given"
        return Row("fee", wanted, "not known", NOT_SHOWN, "LEG-5", reason)
    found = facts.native.write(paid) if facts.utxo else f"at most {facts.native.write(paid)}"
    if paid < 0:
        return Row("fee", wanted, found, CONTRADICTED, "LEG-5", "it pays out more than its coins hold")
    if paid > allowed:
        reason = f"{facts.native.write(paid - allowed)} more than the leg allows"
        return Row("fee", wanted, found, CONTRADICTED, "LEG-5", reason)
    if not shown:
        return Row("fee", wanted, found, NOT_SHOWN, "LEG-5", "amounts of its inputs are mere claims of the document")
    return Row("fee", wanted, found, SHOWN, "LEG-5", "within the leg's maximum")


def bitcoin_fee(planned: Planned, facts: LegFacts) -> tuple[int | None, bool]:
    """The fee, and whether all amounts that it follows from are shown; the store's word is before the document's."""
    total, shown = 0, True
    for spent in planned.inputs:
        known = facts.coins.get(spent.point)
        amount = spent.amount if known is None else known.amount
        if amount is None:
            return None, False
        total, shown = total + amount, shown and (known is not None or spent.shown)
    return total - sum(payment.amount for payment in planned.payments), shown


def gas_fee(planned: Planned) -> tuple[int | None, bool]:
    """What the gas may cost at most."""
    return (None, False) if planned.gas is None else (planned.gas.limit * planned.gas.price, True)
