"""What an operator reads after a case was imported: the case on one screen. Pure."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from tracer.custody.case import Case, Leg, Watch
from tracer.types import Asset, Role
from watchers import families
from watchers.config import Config

_MOST_WATCHES = 10
_MOST_LEGS = 12


def describe_case(case: Case, config: Config) -> str:
    """Write the case as it was understood, at most about 40 lines; what is left out is counted."""
    names = {chain.id: name for name, chain in config.chain.items()}
    heights = ", ".join(f"{names[chain]} {height}" for chain, height in case.seizures.items())
    counts = (
        f"{len(case.institutions)} institutions, {len(case.documents)} documents, "
        f"{len(case.attestations)} attestations, {len(case.watches)} watches, {len(case.legs)} legs"
    )
    lines = [
        f"Case {case.ref}: {case.title}",
        f"  preset    {case.preset}",
        f"  seized    after block {heights}" if heights else "  seized    nothing",
        f"  declares  {counts}",
        f"  SHA-256   {case.source_sha256.hex()}",
    ]
    if case.watches:
        lines += ["Watches", *_watches(case.watches, config)]
    if case.legs:
        lines += ["Legs", *_legs(case.legs, config)]
    return "\n".join(lines)


def _watches(watches: Sequence[Watch], config: Config) -> list[str]:
    """One line per declared watch: its holder, or how many it stands for."""
    chains = {chain.id: chain for chain in config.chain.values()}
    sizes = Counter(_declared(watch.ref) for watch in watches)
    lines: list[str] = []
    shown: set[str] = set()
    for watch in watches:
        ref = _declared(watch.ref)
        if ref in shown or len(shown) == _MOST_WATCHES:
            continue
        shown.add(ref)
        chain = chains[watch.chain]
        holder = families.show_holder(chain, watch.holder)
        more = f" and {sizes[ref] - 1} more" if sizes[ref] > 1 else ""
        since = f", from block {watch.birth}" if watch.birth else ""
        coins = f", {len(watch.outpoints)} coins" if watch.outpoints is not None else ""
        lines.append(f"  {ref:<20} {watch.role.value:<9} {chain.name:<10} {holder}{more}{coins}{since}")
    return lines + _left_out(len(sizes) - len(shown), "watches", _roles(watches))


def _roles(watches: Sequence[Watch]) -> str:
    counts = Counter(watch.role for watch in watches)
    return ", ".join(f"{counts[role]} {role.value}" for role in Role if counts[role])


def _legs(legs: Sequence[Leg], config: Config) -> list[str]:
    assets = {asset.id: asset for chain in config.chain.values() for asset in chain.assets}
    lines = []
    for leg in legs[:_MOST_LEGS]:
        asset = assets[leg.asset]
        sources = list(dict.fromkeys(_declared(ref) for ref in leg.sources)) or ["outside"]
        payer = sources[0] + (f" +{len(sources) - 1}" if len(sources) > 1 else "")
        by = f", by {datetime.fromtimestamp(leg.deadline, UTC):%Y-%m-%d %H:%M:%SZ}" if leg.deadline is not None else ""
        amount = f"{units(leg.amount, asset)} {asset.symbol}"
        lines.append(f"  {leg.ref:<20} {leg.kind.value:<11} {amount:>24}  {payer} -> {leg.target}{by}")
    return lines + _left_out(len(legs) - _MOST_LEGS, "legs", "")


def _left_out(count: int, what: str, total: str) -> list[str]:
    if count <= 0:
        return []
    return [f"  ... and {count} more {what}" + (f" (in all {total})" if total else "")]


def _declared(ref: str) -> str:
    return ref.partition("/")[0]


def units(amount: int, asset: Asset) -> str:
    """Write base units as exact decimal text in display units.

    >>> from tracer.types import AssetId, AssetKind
    >>> units(150_000_000, Asset(AssetId("x"), "BTC", 8, AssetKind.NATIVE))
    '1.5'
    """
    digits = str(amount).rjust(asset.decimals + 1, "0")
    whole, fraction = digits[: len(digits) - asset.decimals], digits[len(digits) - asset.decimals :].rstrip("0")
    return f"{whole}.{fraction}" if fraction else whole
