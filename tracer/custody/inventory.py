"""Whether a seizure's inventory is complete: gaps of descriptors, other scripts of a key, forks, other chains. Pure.

Sources: BIP 44 (gap limit), BIP 141, BIP 86, BIP 341. Fork coins and accounts on other chains are DECLARED_ONLY: nobody
here watches these chains, and nothing of them is ever counted in an amount.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from coincurve import PublicKey

from tracer.powers.nouns import Finding, Rule, Severity, Subject
from tracer.powers.scripts import hash160
from tracer.types import ChainId, Holder, Lane

GAP = 20
"""Wallets look so many unused indexes ahead (BIP 44)."""

DECLARED_ONLY = "DECLARED_ONLY"

BITCOIN_MAIN = ChainId("bip122:000000000019d6689c085ae165831e93")
ETHEREUM_MAIN = ChainId("eip155:1")


@dataclass(frozen=True, slots=True)
class Fork:
    """Coins that came to be beside another chain's: height is of the last block that both have."""

    symbol: str
    name: str
    chain: ChainId
    height: int
    date: str
    source: str


FORKS = (
    Fork("BCH", "Bitcoin Cash", BITCOIN_MAIN, 478_558, "2017-08-01", "uahfHeight in chainparams of Bitcoin ABC"),
    Fork("BTG", "Bitcoin Gold", BITCOIN_MAIN, 491_406, "2017-10-24", "BTGHeight 491407, its first block"),
    Fork("BSV", "Bitcoin SV", BITCOIN_MAIN, 478_558, "2018-11-15",
         "split from Bitcoin Cash after its block 556766 (magneticAnomalyHeight): what counts on this chain is 478558"),
    Fork("ETC", "Ethereum Classic", ETHEREUM_MAIN, 1_919_999, "2016-07-20", "EIP-779: the DAO fork is block 1920000"),
    Fork("ETHW", "EthereumPoW", ETHEREUM_MAIN, 15_537_393, "2022-09-15", "EIP-3675: last proof-of-work block"),
)  # fmt: skip

EVM_CHAINS: Mapping[int, str] = {
    1: "Ethereum",
    10: "OP Mainnet",
    56: "BNB Smart Chain",
    100: "Gnosis",
    137: "Polygon",
    324: "ZKsync Era",
    8453: "Base",
    42161: "Arbitrum One",
    43114: "Avalanche C-Chain",
    59144: "Linea",
    534352: "Scroll",
}
"""Main networks on which the same key has the same account, by EIP-155 chain id."""


@dataclass(frozen=True, slots=True)
class Gap:
    """How far a descriptor must be watched; highest: the highest index that was used, None if none was."""

    highest: int | None
    first: int
    last: int
    needed: int

    @property
    def complete(self) -> bool:
        """Whether the declared range reaches a whole gap beyond the last use."""
        return self.needed <= self.last


def descriptor_gap(used: Iterable[int], first: int, last: int, gap: int = GAP) -> Gap:
    """Compare a declared range with the indexes that were used.

    >>> descriptor_gap([0, 7], 0, 19).needed
    27
    """
    highest = max(used, default=None)
    needed = first + gap - 1 if highest is None else highest + gap
    return Gap(highest, first, last, needed)


def gap_findings(
    subject: Subject, ref: str, gap: Gap, beyond: Mapping[int, int], refs: Mapping[str, str | int]
) -> list[Finding]:
    """Say what a descriptor's range leaves out; beyond: amounts by index above the range. ref: the watch's name."""
    facts: dict[str, str | int] = {**refs, "watch": ref, "first": gap.first, "last": gap.last, "needed": gap.needed}
    facts |= {} if gap.highest is None else {"highest_used": gap.highest}
    found = [
        _found("range-coins", Severity.CRITICAL, subject,
               f"{ref}: index {index}, above the declared range, holds {amount} base units",
               {**facts, "index": index, "amount": str(amount)})
        for index, amount in sorted(beyond.items())
    ]  # fmt: skip
    if not gap.complete:
        used = "no index was used" if gap.highest is None else f"index {gap.highest} was used"
        text = f"{ref}: {used}, and the range ends at {gap.last}; watch [{gap.first}, {gap.needed}]"
        found.append(_found("range-gap", Severity.WARN, subject, text, facts))
    return found


@dataclass(frozen=True, slots=True)
class Sibling:
    """Another script that the same key can spend."""

    form: str
    script: Holder


def siblings(key: bytes) -> tuple[Sibling, ...]:
    """The scripts that wallets make of one public key (33 or 65 bytes); raises ValueError for what is no key."""
    point = PublicKey(key)
    short, long = point.format(compressed=True), point.format(compressed=False)
    program = b"\x00\x14" + hash160(short)
    return (
        Sibling("P2PK", Holder(b"\x21" + short + b"\xac")),
        Sibling("P2PK uncompressed", Holder(b"\x41" + long + b"\xac")),
        Sibling("P2PKH", Holder(b"\x76\xa9\x14" + hash160(short) + b"\x88\xac")),
        Sibling("P2PKH uncompressed", Holder(b"\x76\xa9\x14" + hash160(long) + b"\x88\xac")),
        Sibling("P2WPKH", Holder(program)),
        Sibling("P2SH-P2WPKH", Holder(b"\xa9\x14" + hash160(program) + b"\x87")),
        Sibling("P2TR", Holder(b"\x51\x20" + taproot_output(short[1:]))),
    )


def taproot_output(internal: bytes) -> bytes:
    """The output key (x only) of an internal key without a script tree (BIP 86)."""
    tag = hashlib.sha256(b"TapTweak").digest()
    tweak = hashlib.sha256(tag + tag + internal).digest()
    return PublicKey(b"\x02" + internal).add(tweak).format(compressed=True)[1:]


def sibling_findings(
    subject: Subject,
    key: bytes,
    watched: Collection[Holder],
    held: Mapping[Holder, int] | None,
    refs: Mapping[str, str | int],
) -> list[Finding]:
    """Say which other scripts of a key are not watched.

    held: what each script has unspent at the node's tip, in satoshi, absent: nothing; None: the node was not asked.
    """
    missing = [one for one in siblings(key) if one.script not in watched]
    facts: dict[str, str | int] = {**refs, "key": key.hex()}
    found: list[Finding] = []
    for one in missing:
        amount = (held or {}).get(one.script, 0)
        if amount:
            text = f"the same key has {amount} satoshi on a {one.form} script that is not watched"
            more: dict[str, str | int] = {"form": one.form, "script": one.script.hex(), "amount": str(amount)}
            found.append(_found("sibling-coins", Severity.CRITICAL, subject, text, facts | more, who=key))
    empty = [one for one in missing if not (held or {}).get(one.script, 0)]
    if empty:
        forms = ", ".join(one.form for one in empty)
        scripts = {f"script_{place}": one.script.hex() for place, one in enumerate(empty)}
        state = "they hold nothing now" if held is not None else "whether they hold anything was not answered"
        text = f"the same key can have coins on scripts that are not watched: {forms}; {state}"
        shown, severity = held is not None, Severity.INFO if held is not None else Severity.WARN
        found.append(_found("siblings", severity, subject, text, facts | scripts, who=key, shown=shown))
    return found


def other_chains(subject: Subject, configured: Collection[ChainId]) -> list[Finding]:
    """Name the main networks on which the same key has the same account; on a test network none applies."""
    number = int(subject.chain.rpartition(":")[2])
    if number not in EVM_CHAINS:
        text = f"chain {number} is no main network known here: the same account on others is not looked for"
        return [_found("same-account", Severity.INFO, subject, text, {"class": "NONE_APPLIES"}, Lane.ATTESTED)]
    rest = {one: name for one, name in EVM_CHAINS.items() if f"eip155:{one}" not in configured}
    if not rest:
        return []
    text = f"the same account may hold something on {', '.join(rest.values())}: not watched, not counted"
    facts: dict[str, str | int] = {"class": DECLARED_ONLY, "chain_ids": ",".join(str(one) for one in rest)}
    return [_found("same-account", Severity.INFO, subject, text, facts, Lane.ATTESTED)]


@dataclass(frozen=True, slots=True)
class Held:
    """What a holder had after a block; amount None: it could not be found out.

    at_least: the amount is a lower bound (what is still unspent today).
    """

    amount: int | None
    at_least: bool = False


def forks_of(chain: ChainId) -> Sequence[Fork]:
    """The fork coins of a chain; none on test networks."""
    return [fork for fork in FORKS if fork.chain == chain]


def fork_findings(subject: Subject, birth: int, held: Mapping[int, Held]) -> list[Finding]:
    """Name the fork coins that a holder is due for what it had when they split off.

    birth: the first height that can name the holder. held: by the fork's height.
    """
    forks = forks_of(subject.chain)
    if not forks:
        text = "no fork coins are known of this network: it is a test network, or no chain of the table"
        return [_found("fork-coins", Severity.INFO, subject, text, {"class": "NONE_APPLIES"}, Lane.ATTESTED, Rule.FORK)]
    found: list[Finding] = []
    for fork in forks:
        if birth > fork.height:
            continue
        had = held.get(fork.height, Held(None))
        facts: dict[str, str | int] = {
            "class": DECLARED_ONLY, "symbol": fork.symbol, "fork_height": fork.height, "date": fork.date,
            "source": fork.source,
        }  # fmt: skip
        if had.amount is None or (had.at_least and not had.amount):
            text = f"{fork.name} ({fork.symbol}): what it held at block {fork.height} is not shown; not counted"
            args = (Severity.INFO, subject, text, facts, Lane.ATTESTED, Rule.FORK)
            found.append(_found("fork-coins", *args, shown=False))
        elif had.amount:
            least = "at least " if had.at_least else ""
            held_then = f"it held {least}{had.amount} base units at block {fork.height}"
            text = f"{fork.name} ({fork.symbol}): {held_then}; not counted"
            facts["held_then"] = str(had.amount)
            found.append(_found("fork-coins", Severity.WARN, subject, text, facts, Lane.ATTESTED, Rule.FORK))
    return found


def _found(
    kind: str,
    severity: Severity,
    subject: Subject,
    text: str,
    refs: Mapping[str, str | int],
    lane: Lane = Lane.REPORTED,
    rule: Rule = Rule.INVENTORY,
    *,
    who: bytes | None = None,
    shown: bool = True,
) -> Finding:
    return Finding(kind, severity, rule, subject, text, lane, who=who, refs=dict(refs), shown=shown)
