"""A case under each preset, told step by step from its first stage to its last, with nothing wrong in it."""

from collections.abc import Sequence
from typing import Any

from tests.unit.custody_facts import T0, asset, facts, leg, record
from tracer.custody.facts import Attested, CaseFacts, InstitutionFacts, LegFacts
from tracer.custody.record import Record

STEP = 600
"""Seconds between two steps."""

Step = tuple[str, list[object]]
"""The stage in which the case stands after the step, and what the step brings."""


class Play:
    """Tells a case: each step is one stage further, ten minutes later."""

    def __init__(self, *institutions: InstitutionFacts) -> None:
        self.steps: list[Step] = [("OPENED", list(institutions))]
        self.filed = 0
        self.paid: dict[str, dict[str, Any]] = {}

    @property
    def now(self) -> int:
        """The instant of the step that is being told."""
        return T0 + STEP * len(self.steps)

    def reach(self, stage: str, *things: object) -> None:
        """Add a step; each thing is a fact, or a list of them."""
        self.steps.append((stage, [one for thing in things for one in (thing if isinstance(thing, list) else [thing])]))

    def file(self, kind: str, **says: Any) -> Record:
        """File a record, by a person and a second one."""
        self.filed += 1
        return record(self.filed, kind, self.now, **{"actor": f"{kind}-1", "second": f"{kind}-2", **says})

    def seized(self) -> list[object]:
        """What every case begins with: the block, the record and the warrant."""
        return ["opened", self.file("seizure", method="m"), self.file("mandate", what="warrant", scope="all")]

    def plan(self, number: int, kind: str, target: str = "agent", **keys: Any) -> LegFacts:
        """Plan a leg; nothing has arrived yet."""
        self.paid[f"{kind.lower()}-{number}"] = {"target": target, "target_key": b"\x00\x14" + target.encode(), **keys}
        return leg(number, kind, **self.paid[f"{kind.lower()}-{number}"])

    def pay(self, number: int, kind: str, *, approved: bool = False, filmed: bool = False) -> list[object]:
        """Pay a planned leg, after two people approved it and while a camera runs, where that is asked for."""
        ref = f"{kind.lower()}-{number}"
        before: list[object] = []
        if approved:
            before += [self.file("approval", leg=ref, actor=who, second=None) for who in ("ann", "ben")]
        if filmed:
            span = {"start": self.now - 60, "end": self.now + 60}
            before.append(self.file("recording", sha256="a" * 64, device="camera 1", legs=[ref], **span))
        return [*before, leg(number, kind, self.now, **self.paid[ref])]

    def attest(self, target: str) -> Attested:
        """The target's owner says that it is its own, from now on."""
        self.filed += 1
        return Attested(self.filed, target, "venue", self.now, None)

    def secured(self) -> list[object]:
        """One SECURE leg, approved by two and paid."""
        return [self.plan(1, "SECURE", "safe"), *self.pay(1, "SECURE", approved=True)]

    def closed(self, *more: object) -> list[object]:
        """The case is closed and everything is explained."""
        return [self.file("closing", reason="done"), asset(), *more]


def quotes(play: Play, reserve: str, *prices: str) -> list[object]:
    """A reserve, an inquiry, a quote of each venue, and the award of the last one, which is the best."""
    first = play.file("reserve", inquiry="inquiry", price=reserve)
    asked = play.file("inquiry", ref="inquiry", asset="bitcoin:BTC", amount="1", closes_at=play.now + 60)
    given = [
        play.file("quote", ref=f"quote-of-{place}", inquiry="inquiry", venue=venue, price=price)
        for place, price in enumerate(prices)
        for venue in [f"other-{place}" if place + 1 < len(prices) else "venue"]
    ]
    won = play.file("award", inquiry="inquiry", quote=f"quote-of-{len(prices) - 1}")
    return [first, asked, *given, won]


def valued(play: Play, value: str) -> Record:
    """A valuation of the case's bitcoins."""
    return play.file("valuation", asset="bitcoin:BTC", value=value, source="an index")


def sold(play: Play, proceeds: str) -> Record:
    """One bitcoin is sold at the venue."""
    return play.file("sale", asset="bitcoin:BTC", amount="1", venue="venue", proceeds=proceeds)


def beijing() -> list[Step]:
    """Everything is sold on a licensed exchange of Hong Kong."""
    play = Play(InstitutionFacts("venue", "EX.IO", "EXCHANGE"))
    play.reach("SEIZED", play.seized())
    play.reach("SECURED", play.secured())
    play.reach("ENTRUSTED", play.file("mandate", what="entrustment", scope="all"))
    bond = play.file("bond", amount="1100 CNY", basis="market value")
    ready = [play.plan(2, "TEST"), play.plan(3, "RECEIVE"), play.attest("agent")]
    play.reach("AGENT_READY", bond, valued(play, "1000 CNY"), ready)
    play.reach("TESTED", play.file("inspection", result="passed", what="w"), play.pay(2, "TEST"))
    play.reach("RECEIVED", play.pay(3, "RECEIVE", approved=True, filmed=True))
    play.reach("PRICED", valued(play, "1000 CNY"), quotes(play, "1000 HKD", "1000 HKD", "1050 HKD", "1100 HKD"))
    deposit = [
        play.plan(4, "DEPOSIT", "desk"),
        play.attest("desk"),
        *play.pay(4, "DEPOSIT", approved=True, filmed=True),
    ]
    play.reach("DEPOSITED", deposit)
    play.reach("SOLD", sold(play, "1100 HKD"))
    play.reach("FX_APPROVED", play.file("fx-approval", number="1"))
    money = {"proceeds": "1100 HKD", "rate": "0.92", "fees": "2 CNY", "credited": "1010 CNY"}
    play.reach("SETTLED", play.file("settlement", **money))
    play.reach("CREDITED", play.file("credit", amount="1010 CNY", account="special"))
    paid = [
        play.file("remittance", amount="1000 CNY", to="treasury"),
        play.file("remittance", amount="10 CNY", to="fees"),
    ]
    play.reach("REMITTED", paid)
    play.reach("CLOSED", play.closed(play.file("bond-release", bond=bond.ref)))
    return play.steps


def beijing_returned() -> list[Step]:
    """Everything goes back to its owner before anybody was entrusted."""
    play = Play()
    play.reach("SEIZED", play.seized())
    play.reach("SECURED", play.secured())
    order = play.file("mandate", what="court-order", scope="all goes back")
    play.reach(
        "RETURNED", order, play.plan(5, "RETURN", "home"), play.attest("home"), play.pay(5, "RETURN", approved=True)
    )
    play.reach("CLOSED", play.closed())
    return play.steps


def shandong() -> list[Step]:
    """A merchant buys at 85 % of the reference, with a recovery agreement."""
    play = Play()
    play.reach("SEIZED", play.seized())
    play.reach("SECURED", play.secured())
    play.reach("PRICED", quotes(play, "1000 CNY", "850 CNY"), play.plan(4, "DEPOSIT", "desk"))
    play.reach("AGREED", play.file("recovery", buyer="venue", terms="t"), play.attest("desk"))
    play.reach("DELIVERED", play.pay(4, "DEPOSIT"))
    play.reach("SOLD", sold(play, "850 CNY"))
    play.reach("CREDITED", play.file("credit", amount="850 CNY", account="special"))
    play.reach("REMITTED", play.file("remittance", amount="850 CNY", to="treasury"))
    play.reach("CLOSED", play.closed())
    return play.steps


def offshore() -> list[Step]:
    """An audit for which, unlike usually, every record is found."""
    play = Play(InstitutionFacts("venue", "A Venue", "EXCHANGE"))
    play.reach("SEIZED", play.seized())
    play.reach("ENTRUSTED", play.file("mandate", what="entrustment", scope="all"))
    play.reach("HANDED_OVER", play.plan(3, "RECEIVE"), play.pay(3, "RECEIVE", filmed=True))
    play.reach("PRICED", valued(play, "1000 HKD"), quotes(play, "900 HKD", "1000 HKD"), play.plan(4, "DEPOSIT", "desk"))
    licence = play.file("licence", institution="venue", entity="E", type="t", source="s", valid_from=T0)
    play.reach("DEPOSITED", licence, play.attest("desk"), play.pay(4, "DEPOSIT", filmed=True))
    play.reach("SOLD", sold(play, "1000 HKD"))
    play.reach("FX_APPROVED", play.file("fx-approval", number="1"))
    play.reach("CREDITED", play.file("credit", amount="1000 HKD", account="special"))
    play.reach("REMITTED", play.file("remittance", amount="1000 HKD", to="treasury"))
    play.reach("CLOSED", play.closed())
    return play.steps


def emergency() -> list[Step]:
    """Three tranches at two addresses; one is not sold and comes back, and is returned after the judgment."""
    play = Play()
    play.reach("SEIZED", play.seized())
    play.reach("SECURED", play.secured())
    play.reach("EMERGENCY", play.file("expected-loss", asset="bitcoin:BTC", percent=10, source="s"))
    tranches = [play.plan(10 + n, "DEPOSIT", f"desk-{n % 2}") for n in range(3)]
    first = play.pay(10, "DEPOSIT", approved=True)
    play.reach("SELLING", tranches, play.attest("desk-0"), play.attest("desk-1"), first, sold(play, "400 EUR"))
    second, third = play.pay(11, "DEPOSIT", approved=True), play.pay(12, "DEPOSIT", approved=True)
    back = [play.plan(20, "REFUND", "safe", sources=()), *play.pay(20, "REFUND")]
    play.reach("SOLD_OUT", second, third, back, sold(play, "500 EUR"))
    play.reach("CREDITED", play.file("credit", amount="900 EUR", account="court"), play.plan(21, "RETURN", "home"))
    play.reach("RETURNED", play.attest("home"), play.pay(21, "RETURN", approved=True))
    play.reach("REMITTED", play.file("remittance", amount="900 EUR", to="treasury"))
    play.reach("CLOSED", play.closed())
    return play.steps


def usms(way: str) -> list[Step]:
    """The coins, and those of a fork, are sold, or given back in kind."""
    play = Play()
    play.reach("SEIZED", play.seized())
    declared = play.file("declared-asset", chain="Bitcoin Cash", symbol="BCH", amount="2", source="s")
    play.reach("INVENTORIED", declared, play.file("fork-claim", coin="BCH", decision="claimed"))
    tested = [play.plan(2, "TEST", "safe"), *play.pay(2, "TEST")]
    play.reach("SECURED", tested, play.secured(), play.plan(6, "FORK_CLAIM", "safe", sources=()))
    play.reach("CLAIMED", play.pay(6, "FORK_CLAIM"))
    kind, target = ("DEPOSIT", "desk") if way == "sale" else ("RETURN", "home")
    trial = [play.plan(3, "TEST", target), *play.pay(3, "TEST")]
    play.reach("ORDERED", play.file("mandate", what="court-order", scope="all"), trial, play.plan(4, kind, target))
    done = "DEPOSITED" if way == "sale" else "RETURNED"
    play.reach(done, play.attest(target), play.pay(4, kind, approved=True))
    if way == "sale":
        play.reach("SOLD", sold(play, "900 USD"))
        play.reach("CREDITED", play.file("credit", amount="900 USD", account="fund"))
        play.reach("REMITTED", play.file("remittance", amount="900 USD", to="treasury"))
    play.reach("CLOSED", play.closed())
    return play.steps


def poca(way: str) -> list[Step]:
    """The coins are realised, or destroyed."""
    play = Play()
    play.reach("SEIZED", play.seized())
    play.reach("SECURED", play.secured())
    order = "court-order" if way == "realise" else "destruction-order"
    burn = play.plan(4, "DESTROY", "nowhere", target_key=b"\x6a\x04burn")
    main = play.plan(4, "DEPOSIT", "desk") if way == "realise" else burn
    play.reach("ORDERED", play.file("mandate", what=order, scope="all"), main)
    if way == "realise":
        play.reach("DEPOSITED", play.attest("desk"), play.pay(4, "DEPOSIT", approved=True))
        play.reach("SOLD", sold(play, "900 GBP"))
        play.reach("CREDITED", play.file("credit", amount="900 GBP", account="court"))
        play.reach("REMITTED", play.file("remittance", amount="900 GBP", to="treasury"))
    else:
        play.reach("DESTROYED", play.pay(4, "DESTROY", approved=True))
    play.reach("CLOSED", play.closed())
    return play.steps


def reserve() -> list[Step]:
    """The coins are kept and consolidated, and proven to be there."""
    play = Play()
    play.reach("SEIZED", play.seized())
    play.reach("SECURED", play.secured(), play.plan(5, "TEST", "vault"), play.plan(6, "CONSOLIDATE", "vault"))
    moved = [*play.pay(5, "TEST"), *play.pay(6, "CONSOLIDATE", approved=True)]
    play.reach("HELD", moved, asset())
    play.reach("PROVEN", play.file("holding-proof", statement="all of it is there"))
    return play.steps


PLAYS: dict[str, tuple[str, list[Step]]] = {
    "beijing: sold": ("beijing-2025", beijing()),
    "beijing: returned": ("beijing-2025", beijing_returned()),
    "shandong": ("cn-shandong-80", shandong()),
    "offshore": ("cn-third-party-offshore", offshore()),
    "emergency": ("de-emergency-sale", emergency()),
    "usms: sold": ("us-usms", usms("sale")),
    "usms: returned": ("us-usms", usms("return")),
    "poca: realised": ("uk-poca", poca("realise")),
    "poca: destroyed": ("uk-poca", poca("destroy")),
    "reserve": ("hold-reserve", reserve()),
}
"""By name: the preset, and the steps."""


def after(steps: Sequence[Step], now: int | None = None) -> CaseFacts:
    """The facts of a case after these steps; now: the tip's block time, the last step's if None."""
    things = [thing for _, brought in steps for thing in brought]
    opened = T0 if "opened" in things else None
    tip = T0 + STEP * len(steps) if now is None else now
    return facts(*(thing for thing in things if thing != "opened"), now=tip, opened=opened)
