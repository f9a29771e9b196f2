"""Rules about the price: a reserve before the inquiry, quotes in time and as committed, the best one wins. Pure."""

import hashlib
from collections.abc import Iterator
from fractions import Fraction
from math import ceil

from tracer.custody.facts import CaseFacts
from tracer.custody.findings import Found, Rule
from tracer.custody.instants import instant_text, span_text
from tracer.custody.money import Money, percent_of
from tracer.custody.preset import Preset
from tracer.custody.record import Record
from tracer.custody.records import Award, Inquiry, Quote, QuoteCommitment, Recovery, Reserve, Sale, Valuation
from tracer.types import Lane

Quotes = list[tuple[Record, Quote]]


def below_reserve(facts: CaseFacts, preset: Preset) -> Iterator[Found]:
    """PRICE-1: the quote that won is below the reserve, or below the preset's share of it."""
    percent = preset.rules.reserve_percent
    buyers = {body.buyer for _, body in facts.of("recovery", Recovery)}
    for award, _, quote, won in awards(facts):
        for record, reserve in facts.of("reserve", Reserve):
            if reserve.inquiry != quote.inquiry:
                continue
            refs = (f"record:{award.id}", f"record:{won.id}", f"record:{record.id}")
            if reserve.sum.currency != quote.sum.currency:
                text = f"the quote is in {quote.sum.currency} and the reserve in {reserve.sum.currency}"
                yield Found(f"record:{award.ref}", text, refs, shown=False, severity="WARN")
            elif quote.sum.minor < percent_of(reserve.sum, percent):
                share = f"{percent} % of " if percent != 100 else ""
                text = f"{quote.venue} won with {quote.sum}; the lowest price is {share}{reserve.sum}"
                yield Found(f"record:{award.ref}", text, refs)
            elif preset.rules.recovery_needed and quote.sum.minor < reserve.sum.minor and quote.venue not in buyers:
                text = f"{quote.venue} won with {quote.sum}, below {reserve.sum}, and filed no recovery agreement"
                yield Found(f"record:{award.ref}", text, refs, shown=False)
    yield from sold_below(facts, preset)


def sold_below(facts: CaseFacts, preset: Preset) -> Iterator[Found]:
    """PRICE-1 of sales: one brought less, for each unit, than the award said, or than the lowest price without one."""
    inquiries = {record.ref: body for record, body in facts.of("inquiry", Inquiry)}
    reserves = {body.inquiry: (record, body.sum) for record, body in facts.of("reserve", Reserve)}
    agreed = {inquiries[q.inquiry].asset: (a, q) for a, _, q, _ in awards(facts) if q.inquiry in inquiries}
    for sale, body in facts.of("sale", Sale):
        offered = [ref for ref, one in inquiries.items() if one.asset == body.asset and ref in reserves]
        if body.asset in agreed:
            record, quote = agreed[body.asset]
            price, whole, words = quote.sum, inquiries[quote.inquiry].amount, f"{quote.venue} had won with"
        elif offered:
            record, price = reserves[offered[-1]]
            price = Money(price.currency, ceil(percent_of(price, preset.rules.reserve_percent)))
            whole, words = inquiries[offered[-1]].amount, "the lowest price is"
        else:
            continue
        refs = (f"record:{sale.id}", f"record:{record.id}")
        text = f"{body.amount} {body.asset} brought {body.sum}; {words} {price} for {whole}"
        if price.currency != body.sum.currency:
            yield Found(f"record:{sale.ref}", text, refs, shown=False, severity="WARN")
        elif body.sum.minor * Fraction(whole) < price.minor * Fraction(body.amount):
            yield Found(f"record:{sale.ref}", text, refs)


def sold_elsewhere(facts: CaseFacts, _: Preset) -> Iterator[Found]:
    """PRICE-4 of sales: it was sold to another venue than the one that had won."""
    inquiries = {record.ref: body.asset for record, body in facts.of("inquiry", Inquiry)}
    winners: dict[str, dict[str, int]] = {}
    for award, _body, quote, _won in awards(facts):
        winners.setdefault(inquiries.get(quote.inquiry, ""), {})[quote.venue] = award.id
    for sale, body in facts.of("sale", Sale):
        won = winners.get(body.asset)
        if won is not None and body.venue not in won:
            text = f"{body.amount} {body.asset} was sold to {body.venue}; {', '.join(sorted(won))} had won"
            refs = (f"record:{sale.id}", *(f"record:{number}" for number in won.values()))
            yield Found(f"record:{sale.ref}", text, refs)


def stale_valuation(facts: CaseFacts, preset: Preset) -> Iterator[Found]:
    """PRICE-2: when a quote won, the asset's latest valuation was older than the preset allows."""
    oldest = preset.rules.valuation_max_age_s
    inquiries = {record.ref: body for record, body in facts.of("inquiry", Inquiry)}
    for award, body, _, _ in awards(facts) if oldest else ():
        asset = inquiries[body.inquiry].asset if body.inquiry in inquiries else f"what inquiry {body.inquiry} offers"
        valued = [
            (r.at, r.id) for r, value in facts.of("valuation", Valuation) if value.asset == asset and r.at <= award.at
        ]
        if not valued:
            yield Found(
                f"record:{award.ref}", f"nobody had valued {asset} when the award was made", (f"record:{award.id}",)
            )
        elif award.at - max(valued)[0] > oldest:
            age = span_text(award.at - max(valued)[0])
            refs = (f"record:{award.id}", f"record:{max(valued)[1]}")
            yield Found(f"record:{award.ref}", f"the valuation was {age} old; {span_text(oldest)} is allowed", refs)


def no_reserve(facts: CaseFacts, preset: Preset) -> Iterator[Found]:
    """PRICE-3: offers were asked for before a reserve was set, or the reserve was filed when one had been made."""
    if not preset.rules.reserve_needed:
        return
    reserves = {body.inquiry: record for record, body in facts.of("reserve", Reserve)}
    for record, _ in facts.of("inquiry", Inquiry):
        reserve = reserves.get(record.ref)
        began = min(one.at for one in facts.lineage(record))
        if reserve is None or reserve.at > began:
            when = f"only at {instant_text(reserve.at)}" if reserve is not None else "not at all"
            refs = (f"record:{record.id}", *([f"record:{reserve.id}"] if reserve is not None else []))
            text = f"inquiry {record.ref} began at {instant_text(began)}; a reserve was set {when}"
            yield Found(f"record:{record.ref}", text, refs)
        elif (offer := first_offer(facts, record)) is not None and offer < reserve.id:
            text = (
                f"reserve {reserve.ref} is dated {instant_text(reserve.at)}, "
                f"and was filed after an offer for {record.ref}"
            )
            refs = (f"record:{record.id}", f"record:{reserve.id}", f"record:{offer}")
            yield Found(f"record:{record.ref}", text, refs, shown=False)


def first_offer(facts: CaseFacts, inquiry: Record) -> int | None:
    """The first quote or commitment that was filed for an inquiry, or for one that it stands for."""
    made = [facts.offered[one.ref] for one in facts.lineage(inquiry) if one.ref in facts.offered]
    return min(made, default=None)


def not_the_best(facts: CaseFacts, preset: Preset) -> Iterator[Found]:
    """PRICE-4: another valid quote was better than the one that won, or the one that won was not valid."""
    quotes = {record.ref for record, _ in facts.of("quote", Quote)}
    for award_, body in facts.of("award", Award):
        if body.quote not in quotes:
            text = f"the award names quote {body.quote}, which does not stand"
            yield Found(f"record:{award_.ref}", text, (f"record:{award_.id}",))
    for award, body, quote, won in awards(facts):
        valid, refs = valid_quotes(facts, body.inquiry), (f"record:{award.id}", f"record:{won.id}")
        if won not in [record for record, _ in valid]:
            text = f"{quote.venue} won with a quote that was late, for another inquiry, or not what it had committed to"
            yield Found(f"record:{award.ref}", text, refs)
            continue
        better = [(r, q) for r, q in valid if q.sum.currency == quote.sum.currency and q.sum.minor > quote.sum.minor]
        other = [(r, q) for r, q in valid if q.sum.currency != quote.sum.currency]
        if other and not better:
            text = (
                f"{quote.venue} won with {quote.sum}; {other[0][1].venue} had offered {other[0][1].sum}: not comparable"
            )
            yield Found(f"record:{award.ref}", text, (*refs, f"record:{other[0][0].id}"), shown=False, severity="WARN")
        if better:
            best, said = max(better, key=lambda item: item[1].sum.minor)
            text = f"{quote.venue} won with {quote.sum}; {said.venue} had offered {said.sum}"
            yield Found(f"record:{award.ref}", text, (*refs, f"record:{best.id}"))
    yield from sold_elsewhere(facts, preset)


def late_quote(facts: CaseFacts, _: Preset) -> Iterator[Found]:
    """PRICE-5: a quote arrived after its inquiry had closed, or was filed then, and nothing had committed its venue."""
    closes = {record.ref: body.closes_at for record, body in facts.of("inquiry", Inquiry)}
    for record, body in facts.of("quote", Quote):
        if body.inquiry in closes and record.at > closes[body.inquiry]:
            text = f"the quote of {body.venue} came at {instant_text(record.at)}, after the inquiry had closed"
            yield Found(f"record:{record.ref}", text, (f"record:{record.id}",))
        elif filed_late(record, closes.get(body.inquiry)) and not sealed(facts, record, body):
            then = "filed when the inquiry had closed" if record.known_at is not None else record.filed_when[4:]
            text = f"the quote of {body.venue} is dated {instant_text(record.at)}, and was {then}"
            yield Found(f"record:{record.ref}", text, (f"record:{record.id}",), shown=False)


def filed_late(record: Record, closes_at: int | None) -> bool:
    """Whether a quote was filed when its inquiry had closed by the newest block, or while nothing tells."""
    return closes_at is not None and (record.known_at is None or record.known_at > closes_at)


def sealed(facts: CaseFacts, quote: Record, said: Quote) -> bool:
    """Whether its venue had committed itself before a quote was filed."""
    return any(
        (body.inquiry, body.venue) == (said.inquiry, said.venue) and record.id < quote.id
        for record, body in facts.of("quote-commitment", QuoteCommitment)
    )


def too_few(facts: CaseFacts, preset: Preset) -> Iterator[Found]:
    """PRICE-6: an award was made on valid quotes of fewer venues than the preset asks for."""
    for award, body, _, _ in awards(facts):
        valid = valid_quotes(facts, body.inquiry)
        venues = {quote.venue for _, quote in valid}
        if len(venues) < preset.rules.min_quotes:
            text = f"valid quotes of {len(venues)} venues for {body.inquiry}; {preset.rules.min_quotes} are required"
            yield Found(f"record:{award.ref}", text, (f"record:{award.id}", *(f"record:{r.id}" for r, _ in valid)))


def awards(facts: CaseFacts) -> Iterator[tuple[Record, Award, Quote, Record]]:
    """The awards, with the quotes that won."""
    quotes = {record.ref: (record, body) for record, body in facts.of("quote", Quote)}
    for record, body in facts.of("award", Award):
        if body.quote in quotes:
            won, quote = quotes[body.quote]
            yield record, body, quote, won


def valid_quotes(facts: CaseFacts, inquiry: str) -> Quotes:
    """The quotes for an inquiry that came in time and are what their venue had committed to, if it had.

    Each quote opens the latest commitment that was filed before it; one that was filed later binds nobody.
    """
    closes = next((body.closes_at for record, body in facts.of("inquiry", Inquiry) if record.ref == inquiry), None)
    sealed = [(r.id, b) for r, b in facts.of("quote-commitment", QuoteCommitment) if b.inquiry == inquiry]

    def opens(quote: Quote, number: int) -> bool:
        own = [(filed, body.sha256) for filed, body in sealed if body.venue == quote.venue and filed < number]
        return not own or max(own)[1] == commitment(quote)

    return [
        (record, body)
        for record, body in facts.of("quote", Quote)
        if body.inquiry == inquiry and (closes is None or record.at <= closes) and opens(body, record.id)
    ]


def commitment(quote: Quote) -> str:
    """The hash that commits a venue to its quote."""
    return hashlib.sha256(f"{quote.inquiry}|{quote.venue}|{quote.price}|{quote.nonce or ''}".encode()).hexdigest()


RULES = (
    Rule("PRICE-1", "HIGH", Lane.ATTESTED, "sold below the reserve, or the award", on_case=below_reserve, version=2),
    Rule("PRICE-2", "WARN", Lane.ATTESTED, "the valuation was stale", on_case=stale_valuation),
    Rule("PRICE-3", "HIGH", Lane.ATTESTED, "no reserve before the inquiry", on_case=no_reserve, version=2),
    Rule(
        "PRICE-4",
        "HIGH",
        Lane.ATTESTED,
        "the winner is not the best valid quote, or no winner",
        on_case=not_the_best,
        version=2,
    ),
    Rule("PRICE-5", "WARN", Lane.ATTESTED, "a quote came late", on_case=late_quote, version=2),
    Rule("PRICE-6", "WARN", Lane.ATTESTED, "too few quotes", on_case=too_few),
)
