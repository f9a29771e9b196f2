"""How people write Bitcoin scripts: addresses, descriptors, and names for scripts that have neither. Pure."""

import hashlib
import unicodedata
from dataclasses import dataclass

from embit import base58, bech32
from embit.base import EmbitError
from embit.descriptor.checksum import add_checksum
from embit.descriptor.descriptor import Descriptor
from embit.networks import NETWORKS as EMBIT_NETWORKS

from tracer.types import Holder

REFUSALS = (EmbitError, ValueError, AssertionError, IndexError, KeyError, TypeError, AttributeError)
"""All that embit is known to raise on malformed text."""


@dataclass(frozen=True, slots=True)
class Network:
    """What tells a network's addresses apart. test, testnet4, signet (and base58 of regtest) share them."""

    name: str
    hrp: str
    p2pkh: bytes
    p2sh: bytes


NETWORKS = {
    name: Network(title, hrp, *versions)
    for name, title, hrp, versions in (
        ("main", "mainnet", "bc", (b"\x00", b"\x05")),
        ("test", "testnet", "tb", (b"\x6f", b"\xc4")),
        ("testnet4", "testnet4", "tb", (b"\x6f", b"\xc4")),
        ("signet", "signet", "tb", (b"\x6f", b"\xc4")),
        ("regtest", "regtest", "bcrt", (b"\x6f", b"\xc4")),
    )
}


def script_of(address: str, network: str) -> Holder:
    """Read an address of `network` (main, test, testnet4, signet, regtest) into its script pubkey.

    Raises ValueError with one line that says what is wrong. Upper-case bech32 is valid (BIP-173).
    """
    here = _network(network)
    _refuse_foreign_letters(address)
    lower = address.lower()
    if any(lower.startswith(known.hrp + "1") for known in NETWORKS.values()):
        script, canonical = _from_bech32(address, here), lower
    else:
        script, canonical = _from_base58(address, here), address
    if address_of(script, network) != canonical:
        raise ValueError(f"{address!r} is not the one way to write its script")
    return Holder(script)


def address_of(script: bytes, network: str) -> str | None:
    """Write a script as an address; None if it has none (P2PK, bare multisig, OP_RETURN, non-standard)."""
    here = _network(network)
    if len(script) == 25 and script[:3] == b"\x76\xa9\x14" and script[23:] == b"\x88\xac":
        return str(base58.encode_check(here.p2pkh + script[3:23]))
    if len(script) == 23 and script[:2] == b"\xa9\x14" and script[22:] == b"\x87":
        return str(base58.encode_check(here.p2sh + script[2:22]))
    version = _witness_version(script)
    if version is None or (version == 0 and len(script) not in (22, 34)):
        return None
    return str(bech32.encode(here.hrp, version, list(script[2:])))  # type: ignore[no-untyped-call]


def describe(script: bytes, network: str) -> str:
    """Write an address, or for scripts without one a type and the first 8 bytes of the script's SHA-256."""
    return address_of(script, network) or f"{_type(script)}:{hashlib.sha256(script).hexdigest()[:16]}"


def descriptor_scripts(descriptor: str, first: int, last: int, network: str) -> list[Holder]:
    """Derive the scripts `first` to `last` (inclusive) of an output descriptor; one script if it has no `*`.

    A checksum is verified if there is one; private keys and other networks' keys are refused. Multipath
    descriptors (`<0;1>`) give all branches of each index. Raises ValueError.
    """
    if not 0 <= first <= last < 2**31:
        raise ValueError(f"range {first}-{last} is not within 0 to 2147483647, in order")
    _refuse_foreign_letters(descriptor)
    body, hash_sign, _ = descriptor.partition("#")
    try:
        if hash_sign and add_checksum(body) != descriptor:
            raise ValueError("the descriptor's checksum is wrong")
        if body.startswith("addr(") and body.endswith(")"):
            return [script_of(body[5:-1], network)]
        if body.startswith("raw(") and body.endswith(")"):
            return [Holder(bytes.fromhex(body[4:-1]))]
        bare = body.startswith(("pk(", "multi(", "sortedmulti("))  # embit reads these only inside wsh()
        parsed = Descriptor.from_string(f"wsh({body})" if bare else body)  # type: ignore[no-untyped-call]
        _refuse_keys(parsed, network)
        return _derived(parsed, first, last, bare)
    except REFUSALS as error:
        raise ValueError(f"the descriptor cannot be used: {error or type(error).__name__}") from error


def _derived(parsed: Descriptor, first: int, last: int, bare: bool) -> list[Holder]:
    scripts = []
    for index in range(first, last + 1 if parsed.is_wildcard else first + 1):
        for branch in range(parsed.num_branches):
            derived = parsed.derive(index, branch_index=branch)  # type: ignore[no-untyped-call]
            script = derived.witness_script() if bare else derived.script_pubkey()
            scripts.append(Holder(bytes(script.data)))
    return scripts


def _refuse_keys(parsed: Descriptor, network: str) -> None:
    version = EMBIT_NETWORKS["main" if network == "main" else "test"]["xpub"]
    for key in parsed.keys:
        if key.is_private:
            raise ValueError("it holds a private key; give the public form")
        if key.is_extended and key.key.version != version:
            raise ValueError(f"it holds a key that is not written for {_network(network).name}")


def _network(name: str) -> Network:
    try:
        return NETWORKS[name]
    except KeyError:
        raise ValueError(f"unknown Bitcoin network {name!r}; known are {', '.join(NETWORKS)}") from None


def _refuse_foreign_letters(text: str) -> None:
    if not text:
        raise ValueError("the address is empty")
    for place, letter in enumerate(text, 1):
        if not "!" <= letter <= "~":
            name = unicodedata.name(letter, "a control character")
            raise ValueError(f"character {place} is {name} (U+{ord(letter):04X}), which no address contains")


def _from_bech32(address: str, here: Network) -> bytes:
    lower = address.lower()
    if address not in (lower, address.upper()):
        raise ValueError(f"{address!r} mixes upper and lower case")
    hrp, _, data = lower.rpartition("1")
    for letter in data:
        if letter not in bech32.CHARSET:
            raise ValueError(f"{address!r} contains {letter!r}, which bech32 does not use")
    encoding, _, values = bech32.bech32_decode(lower)  # type: ignore[no-untyped-call]
    if encoding is None:
        raise ValueError(f"{address!r} has a wrong checksum or length: mistyped or cut off")
    if hrp != here.hrp:
        theirs = " or ".join(known.name for known in NETWORKS.values() if known.hrp == hrp) or "no"
        raise ValueError(f"{address!r} is an address of {theirs}, not of {here.name}")
    version, program = bech32.decode(hrp, lower) if values else (None, None)  # type: ignore[no-untyped-call]
    if version is None or program is None:
        raise ValueError(f"{address!r} has a witness version, length or checksum kind that BIP-350 forbids")
    return bytes([version + 0x50 if version else 0, len(program), *program])


def _from_base58(address: str, here: Network) -> bytes:
    for letter in address:
        if letter not in base58.B58_DIGITS:
            raise ValueError(f"{address!r} contains {letter!r}, which no address of this kind contains")
    if not 25 <= len(address) <= 36:
        raise ValueError(f"{address!r} is {len(address)} characters long, which no address is")
    try:
        payload = base58.decode_check(address)
    except ValueError as error:
        raise ValueError(f"{address!r} has a wrong checksum: mistyped, or not a Bitcoin address") from error
    if len(payload) != 21:
        raise ValueError(f"{address!r} holds {len(payload)} bytes instead of 21")
    version, digest = payload[:1], payload[1:]
    if version == here.p2pkh:
        return b"\x76\xa9\x14" + digest + b"\x88\xac"
    if version == here.p2sh:
        return b"\xa9\x14" + digest + b"\x87"
    theirs = next((n.name for n in NETWORKS.values() if version in (n.p2pkh, n.p2sh)), "another coin")
    raise ValueError(f"{address!r} is an address of {theirs}, not of {here.name}")


def _witness_version(script: bytes) -> int | None:
    """BIP-141: OP_0 or OP_1 to OP_16, then one push of 2 to 40 bytes."""
    if not 4 <= len(script) <= 42 or script[1] != len(script) - 2:
        return None
    if script[0] == 0:
        return 0
    return script[0] - 0x50 if 0x51 <= script[0] <= 0x60 else None


def _type(script: bytes) -> str:
    if script[:1] == b"\x6a":
        return "op_return"
    if len(script) in (35, 67) and script[0] == len(script) - 2 and script[-1] == 0xAC:
        return "p2pk"
    if len(script) > 36 and script[-1] == 0xAE and 0x51 <= script[0] <= script[-2] <= 0x60:
        return f"multisig-{script[0] - 0x50}-of-{script[-2] - 0x50}"
    return "script" if script else "empty-script"
