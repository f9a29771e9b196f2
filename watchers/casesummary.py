"""What an operator reads after a case was imported: the case on one screen. Pure."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from tracer.custody.case import Case, Leg, Watch
from tracer.custody.judge import ATTESTED_KINDS
from tracer.types import Role
from tracer.units import format_units
from watchers import families
from watchers.config import Config

_MOST_WATCHES = 10
_MOST_LEGS = 12
_MOST_OPEN = 3


def describe_case(case: Case, config: Config) -> str:
    """Write the case as it was understood, at most about 40 lines; what is left out is counted."""
    names = {chain.id: name for name, chain in config.chain.items()}
    heights = ", ".join(f"block {height} of {names[chain]}" for chain, height in case.seizures.items())
    counts = ", ".join(
        (
            counted(len(case.institutions), "institution"),
            counted(len(case.documents), "document"),
            counted(len(case.attestations), "attestation"),
            counted(len(case.watches), "watch", "watches"),
            counted(len(case.legs), "leg"),
        )
    )
    lines = [
        f"Case {case.ref}: {case.title}",
        f"  preset    {case.preset}",
        f"  seized    after {heights}" if heights else "  seized    nothing",
        f"  declares  {counts}",
        f"  SHA-256   {case.source_sha256.hex()}",
    ]
    if case.watches:
        lines += ["Watches", *_watches(case.watches, config)]
    if case.legs:
        lines += ["Legs", *_legs(case.legs, config)]
    return "\n".join([*lines, *_never_closing(case)])


def counted(count: int, one: str, many: str = "") -> str:
    """Write a number and its noun.

    >>> counted(1, "document"), counted(2, "document"), counted(0, "watch", "watches")
    ('1 document', '2 documents', '0 watches')
    """
    return f"{count} {one if count == 1 else many or one + 's'}"


def _never_closing(case: Case) -> list[str]:
    """A note on the legs whose target nobody attested: whatever arrives, they stay NOT_SHOWN."""
    attested = {attestation.watch for attestation in case.attestations}
    open_ = [leg for leg in case.legs if leg.kind in ATTESTED_KINDS and leg.target not in attested]
    if not open_:
        return []
    lines = [
        f"  {leg.ref:<20} {leg.kind.value}: nobody attested whose address {leg.target} is" for leg in open_[:_MOST_OPEN]
    ]
    lines += [f"  ... and {len(open_) - _MOST_OPEN} more legs"] if len(open_) > _MOST_OPEN else []
    head = "Note: these legs are not SHOWN before their target is attested, here or by `tracerd record attestation`"
    return [head, *lines]


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
        coins = f", {counted(len(watch.outpoints), 'coin')}" if watch.outpoints is not None else ""
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
        amount = f"{format_units(leg.amount, asset.decimals)} {asset.symbol}"
        lines.append(f"  {leg.ref:<20} {leg.kind.value:<11} {amount:>27}  {payer} -> {leg.target}{by}")
    return lines + _left_out(len(legs) - _MOST_LEGS, "legs", "")


def _left_out(count: int, what: str, total: str) -> list[str]:
    if count <= 0:
        return []
    return [f"  ... and {count} more {what}" + (f" (in all {total})" if total else "")]


def _declared(ref: str) -> str:
    return ref.partition("/")[0]
