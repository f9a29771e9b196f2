"""Tells apart in which form a transaction was given, and has it read by its family. Pure."""

import re

from tracer.precheck import bitcoin, ethereum, ethereum_json
from tracer.precheck.planned import Planned, Unreadable
from tracer.types import ChainId

MOST_BYTES = 32 * 1024 * 1024
"""A PSBT carries whole previous transactions; nothing that a network takes comes near."""

_HEX = re.compile(r"(?:0x)?((?:[0-9a-fA-F]{2})+)")
_FAMILIES = {"bip122": "Bitcoin", "eip155": "Ethereum"}


def read(given: bytes, chain: ChainId) -> Planned:
    """Read a transaction for a chain from what a wallet wrote; raises Unreadable."""
    if len(given) > MOST_BYTES:
        raise Unreadable(f"more than {MOST_BYTES} bytes were given")
    family = _FAMILIES.get(chain.partition(":")[0])
    if family is None:
        raise Unreadable(f"transactions of {chain} are not known here")
    found, planned = _read(given)
    if found != family:
        raise Unreadable(f"this is a transaction of {found}, and the leg is on {family}")
    return planned


def _read(given: bytes) -> tuple[str, Planned]:
    """Read what says of itself which family it is of."""
    if given.startswith(bitcoin.MAGIC):
        return "Bitcoin", bitcoin.read_psbt(given)
    try:
        text = given.decode("ascii").strip()
    except UnicodeDecodeError as error:
        raise Unreadable("what was given is neither text nor a PSBT") from error
    if not text:
        raise Unreadable("nothing was given")
    if text.startswith("{"):
        return "Ethereum", ethereum_json.read_json(text)
    joined = "".join(text.split())
    if match := _HEX.fullmatch(joined):
        raw = bytes.fromhex(match[1])
        if raw.startswith(bitcoin.MAGIC):
            return "Bitcoin", bitcoin.read_psbt(raw)
        if ethereum.looks_like(raw):
            return "Ethereum", ethereum.read_raw(raw)
        return "Bitcoin", bitcoin.read_raw(raw)
    return "Bitcoin", bitcoin.read_psbt(bitcoin.from_base64(joined))
