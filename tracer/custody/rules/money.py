"""Rules about money: settlements add up, and what was credited went where it belongs. Pure."""

from collections.abc import Iterator
from fractions import Fraction
from math import floor

from tracer.custody.facts import CaseFacts
from tracer.custody.findings import Found, Rule
from tracer.custody.money import Money, read_money, read_rate
from tracer.custody.preset import Preset
from tracer.custody.record import Record
from tracer.custody.records import Credit, Remittance, Sale, Settlement
from tracer.types import Lane
from tracer.units import format_units


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
    yield from passed_on(facts)
    yield from oversold(facts)


def oversold(facts: CaseFacts) -> Iterator[Found]:
    """More of MATH-1: no more is sold of an asset than was delivered of it."""
    sold: dict[str, list[tuple[Record, int]]] = {}
    named = {f"{asset.chain}:{asset.symbol}": asset for asset in facts.assets}
    for record, body in facts.of("sale", Sale):
        if body.asset in named:
            units = Fraction(body.amount) * 10 ** named[body.asset].decimals
            sold.setdefault(body.asset, []).append((record, int(units)))
    for name, parts in sold.items():
        asset, whole = named[name], sum(units for _, units in parts)
        if whole > asset.delivered:
            there, gone = (format_units(one, asset.decimals) for one in (whole, asset.delivered))
            text = f"sales are of {there} {asset.symbol}; {gone} {asset.symbol} was delivered"
            yield Found(f"sold:{name}", text, tuple(f"record:{record.id}" for record, _ in parts))


def passed_on(facts: CaseFacts) -> Iterator[Found]:
    """More of MATH-1: what sales brought is what was settled, and what was settled is what the bank credited.

    Where nothing is settled, no currency is exchanged: the bank credits what sales brought.
    """
    sales = [body.sum for _, body in facts.of("sale", Sale)]
    credits = [body.sum for _, body in facts.of("credit", Credit)]
    settlements = [body for _, body in facts.of("settlement", Settlement)]
    if not settlements:
        yield from compared(facts, ("sale", "credit"), sales, credits, ("sales brought {}", "{} credited"))
        return
    settled_ = [read_money(body.proceeds) for body in settlements]
    yield from compared(facts, ("sale", "settlement"), sales, settled_, ("sales brought {}", "{} settled"))
    bought = [read_money(body.credited) for body in settlements]
    yield from compared(facts, ("settlement", "credit"), bought, credits, ("settlements give {}", "{} credited"))


def remitted(facts: CaseFacts, _: Preset) -> Iterator[Found]:
    """MATH-2: treasury + returns + fees = what was credited to the special account."""
    credits = [body.sum for _, body in facts.of("credit", Credit)]
    paid = [body.sum for _, body in facts.of("remittance", Remittance)]
    yield from compared(facts, ("credit", "remittance"), credits, paid, ("{} credited", "{} paid out"))


def compared(
    facts: CaseFacts, kinds: tuple[str, str], came: list[Money], went: list[Money], says: tuple[str, str]
) -> Iterator[Found]:
    """Hold what went on against what had come, per currency.

    Until the case is closed less may have gone on than came (NOT_SHOWN, as soon as some of it did), but never more
    than was filed to have come, if anything was.
    """
    closed = bool(facts.current.get("closing"))
    refs = tuple(f"record:{record.id}" for kind in kinds for record in facts.current.get(kind, ()))
    for currency in sorted({money.currency for money in [*came, *went]}) if went or (closed and came) else ():
        before, after = (Money(currency, sum(m.minor for m in ms if m.currency == currency)) for ms in (came, went))
        if before == after:
            continue
        open_ = not closed and (after.minor < before.minor or not came)
        text = f"{says[0].format(before)}, and {says[1].format(after)}{' so far' if open_ else ''}"
        subject = f"{kinds[0]}-{kinds[1]}:{currency}"
        yield Found(subject, text, refs, shown=not open_, severity="WARN" if open_ else None)


RULES = (
    Rule("MATH-1", "HIGH", Lane.ATTESTED, "proceeds x rate - fees is not what was credited", on_case=settled),
    Rule("MATH-2", "HIGH", Lane.ATTESTED, "treasury, returns and fees are not what was credited", on_case=remitted),
)
