"""Rules about money: settlements add up, and what was credited went where it belongs. Pure."""

from collections.abc import Iterator
from math import floor

from tracer.custody.facts import CaseFacts
from tracer.custody.findings import Found, Rule
from tracer.custody.money import Money, read_money, read_rate
from tracer.custody.preset import Preset
from tracer.custody.records import Credit, Remittance, Sale, Settlement
from tracer.types import Lane


def settled(facts: CaseFacts, _: Preset) -> Iterator[Found]:
    """MATH-1: proceeds x rate - fees = credited, to the minor unit; and what is settled is what was sold for."""
    for record, body in facts.of("settlement", Settlement):
        proceeds, fees, credited = (read_money(text) for text in (body.proceeds, body.fees, body.credited))
        if fees.currency != credited.currency:
            text = f"fees are in {fees.currency} and the credit in {credited.currency}"
            yield Found(f"record:{record.ref}", text, (f"record:{record.id}",), shown=False)
            continue
        exact = proceeds.minor * read_rate(body.rate) * 10**credited.decimals / 10**proceeds.decimals - fees.minor
        if abs(exact - credited.minor) >= 1:
            text = f"{proceeds} x {body.rate} - {fees} is {Money(credited.currency, floor(exact))}, not {credited}"
            yield Found(f"record:{record.ref}", text, (f"record:{record.id}",))
    yield from sold(facts)


def sold(facts: CaseFacts) -> Iterator[Found]:
    """The part of MATH-1 before the exchange of currencies: settled proceeds are those of the sales."""
    sales = [body.sum for _, body in facts.of("sale", Sale)]
    proceeds = [read_money(body.proceeds) for _, body in facts.of("settlement", Settlement)]
    if not sales or not proceeds:
        return
    for currency in sorted({money.currency for money in [*sales, *proceeds]}):
        brought = sum(money.minor for money in sales if money.currency == currency)
        used = sum(money.minor for money in proceeds if money.currency == currency)
        if brought != used:
            refs = tuple(f"record:{r.id}" for kind in ("sale", "settlement") for r in facts.current.get(kind, ()))
            text = f"sales brought {Money(currency, brought)}, and {Money(currency, used)} were settled"
            yield Found(f"sales:{currency}", text, refs)


def remitted(facts: CaseFacts, _: Preset) -> Iterator[Found]:
    """MATH-2: treasury + returns + fees = what was credited to the special account."""
    credits = [body.sum for _, body in facts.of("credit", Credit)]
    paid = [body.sum for _, body in facts.of("remittance", Remittance)]
    for currency in sorted({money.currency for money in paid}):
        came = sum(money.minor for money in credits if money.currency == currency)
        went = sum(money.minor for money in paid if money.currency == currency)
        if came != went:
            refs = tuple(f"record:{r.id}" for kind in ("credit", "remittance") for r in facts.current.get(kind, ()))
            text = f"{Money(currency, came)} were credited, and {Money(currency, went)} paid out"
            yield Found(f"currency:{currency}", text, refs)


RULES = (
    Rule("MATH-1", "HIGH", Lane.ATTESTED, "proceeds x rate - fees is not what was credited", on_case=settled),
    Rule("MATH-2", "HIGH", Lane.ATTESTED, "treasury, returns and fees are not what was credited", on_case=remitted),
)
