"""A leg and what is known of its case, for transactions that are held against it."""

from dataclasses import replace
from typing import Any

from embit import script as scripts
from embit.networks import NETWORKS

from tracer.custody.case import LegKind
from tracer.custody.judge import Attested
from tracer.custody.lookalike import LookAlikes
from tracer.matching import Plan
from tracer.precheck.compare import compare
from tracer.precheck.facts import Declared, KnownCoin, LegFacts, Unit
from tracer.precheck.planned import Planned
from tracer.precheck.rows import Row
from tracer.types import AssetId, Hash, Holder, Outpoint, outpoint

NOW = 1_750_000_000
BTC_CHAIN = "bip122:0f9188f13cb7b2c71f2a335e3a4fc328"
ETH_CHAIN = "eip155:31337"


def script(name: str) -> Holder:
    """A script that pays to a witness key hash made of a name."""
    return Holder(b"\x00\x14" + name.encode().ljust(20, b"\x07"))


def account(name: str) -> Holder:
    return Holder(name.encode().ljust(20, b"\x07"))


def point(name: str, index: int = 0) -> Outpoint:
    return outpoint(Hash(name.encode().ljust(32, b"\x07")), index)


def bitcoin_text(holder: Holder) -> str:
    """By the library, as the wallets of others write it."""
    known: Any = scripts.Script(bytes(holder))
    try:
        return str(known.address(NETWORKS["regtest"]))
    except Exception:  # noqa: BLE001
        return holder.hex()


def account_text(holder: Holder) -> str:
    return "0x" + holder.hex()


def declared(*held: Holder, outside: tuple[Holder, ...] = ()) -> dict[Holder, Declared]:
    names = {holder: bytes(holder[-20:]).rstrip(b"\x07").decode() for holder in (*held, *outside)}
    return {holder: Declared(name, holder in held) for holder, name in names.items()}


def bitcoin_leg(**changes: object) -> LegFacts:
    """One bitcoin and a half from the agency to the exchange: from coins a (2 BTC) and b (1 BTC)."""
    agency, exchange, authority = script("agency"), script("exchange"), script("authority")
    known = declared(agency, authority, outside=(exchange,))
    return facts(
        Plan(
            *(1, "deposit", LegKind.DEPOSIT, AssetId(f"{BTC_CHAIN}/slip44:0"), frozenset({agency}), exchange),
            *(150_000_000, 0, 10_000, None, None),
        ),
        known,
        LookAlikes((bitcoin_text(holder), one.ref) for holder, one in known.items()),
        {
            point("a"): KnownCoin(agency, 200_000_000, spent=False),
            point("b"): KnownCoin(agency, 100_000_000, spent=False),
            point("c"): KnownCoin(authority, 100_000_000, spent=False),
        },
        bitcoin_text,
        Unit("BTC", 8),
        Unit("BTC", 8),
        changes,
    )


TOKEN = bytes([0xD5]) * 20


def ethereum_leg(sender: Holder, token: bool = True, **changes: object) -> LegFacts:
    """4500 of a token with 6 decimals, or 4500 gwei, from an account to the exchange."""
    exchange = account("exchange")
    known = declared(account("agency"), outside=(exchange,)) | {sender: Declared("sender", True)}
    asset = f"{ETH_CHAIN}/erc20:0x{TOKEN.hex()}" if token else f"{ETH_CHAIN}/slip44:60"
    return facts(
        Plan(
            *(1, "deposit", LegKind.DEPOSIT, AssetId(asset), frozenset({sender}), exchange),
            *(4_500_000_000, 1_000_000, 10**15, None, None),
        ),
        known,
        LookAlikes((account_text(holder), one.ref) for holder, one in known.items()),
        {},
        account_text,
        Unit("USDT", 6) if token else Unit("ETH", 18),
        Unit("ETH", 18),
        {"balances": {sender: 5 * 10**18}} | changes,
    )


def facts(
    plan: Plan,
    known: dict[Holder, Declared],
    alike: LookAlikes,
    coins: dict[Outpoint, KnownCoin],
    show: Any,
    unit: Unit,
    native: Unit,
    changes: dict[str, Any],
) -> LegFacts:
    """Facts under which nothing but the transaction decides; `changes` names fields of the plan too."""
    base = LegFacts(plan, True, True, False, known, alike, coins, show, unit, native)
    base = replace(base, attestations=(Attested(1, NOW - 10, NOW + 10),))
    for name, value in changes.items():
        if name in Plan.__dataclass_fields__:
            base = replace(base, plan=replace(base.plan, **{name: value}))
        else:
            base = replace(base, **{name: value})
    return base


def failing(planned: Planned, leg: LegFacts, now: int | None = NOW) -> dict[str, tuple[str, str]]:
    """What is not shown: by field, the verdict and the rule."""
    return {row.field: (row.verdict.value, row.rule) for row in rows(planned, leg, now) if row.verdict.value != "SHOWN"}


def rows(planned: Planned, leg: LegFacts, now: int | None = NOW) -> tuple[Row, ...]:
    return compare(planned, leg, now)
