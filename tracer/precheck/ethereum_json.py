"""Reads Ethereum transactions from the JSON that wallets write: strictly, each field under a name that it has. Pure."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from eth_utils.address import is_checksum_address

from tracer.precheck.ethereum import Order, planned, read_raw
from tracer.precheck.planned import Planned, Unreadable
from tracer.proof import rlp
from tracer.types import Holder

_NAMES = {
    **{name: name for name in ("type", "chainId", "nonce", "gasPrice", "maxFeePerGas", "maxPriorityFeePerGas")},
    **{name: name for name in ("from", "to", "value", "data", "accessList", "authorizationList", "v", "r", "s")},
    **{"gas": "gas", "gasLimit": "gas", "input": "data", "yParity": "yParity", "raw": "raw", "rawTransaction": "raw"},
    "raw_transaction": "raw",
}
"""How a field may be called, and what it is called here."""

_ASIDE = frozenset({"hash", "blockHash", "blockNumber", "transactionIndex", "tx"})
"""What nodes and wallets add, and what says nothing of its own."""

_BLOBS = frozenset({"blobVersionedHashes", "maxFeePerBlobGas", "blobs", "sidecars"})
_NUMBER = re.compile(r"0x[0-9a-fA-F]{1,64}|[0-9]{1,78}")
_HEX = re.compile(r"0x(?:[0-9a-fA-F]{2})*")
_BRACKETS = re.compile(r"[\[\]{}]")
_ACCOUNT = re.compile(r"0x[0-9a-fA-F]{40}")

DEEPEST = 16
"""An access list is four brackets deep."""


def read_json(text: str) -> Planned:
    """Read one JSON object of a transaction's fields, or one that holds its bytes as `raw`; raises Unreadable."""
    told = _object(text)
    stated = _account(told, "from") if "from" in told else None
    if "raw" in told:
        read = read_raw(_bytes(told, "raw"))
    elif told.keys() & {"v", "r", "s", "yParity"}:
        read = read_raw(_encoded(_order(told), told))
    else:
        kind = _order(told)
        named = "of no stated type" if kind.kind is None else f"type {kind.kind}"
        read = replace(planned(kind, f"JSON of a transaction that is not signed, {named}"), sender=stated)
    if stated is not None and read.sender != stated:
        said = f"it says that 0x{stated.hex()} sends it, but it is signed by 0x{(read.sender or b'').hex()}"
        return replace(read, faults=(*read.faults, said))
    return read


def _object(text: str) -> dict[str, Any]:
    """The fields under their own names, those without a value left out."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError("a name stands twice in one object")
        return found

    def refuse(number: str) -> Any:
        raise ValueError(f"{number:.30} is not a whole number")

    try:
        refuse_depth(text)
        given = json.loads(text, object_pairs_hook=once, parse_float=refuse, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"the JSON cannot be read: {error}") from error
    told: dict[str, Any] = {}
    for name, value in given.items():
        if name in _ASIDE or value is None:
            continue
        if name in _BLOBS:
            raise Unreadable("this transaction carries blobs (EIP-4844), which no custody leg needs: it is not read")
        if name not in _NAMES:
            raise Unreadable(f"the JSON has a field {name!r:.40}, which is not known here")
        if told.setdefault(_NAMES[name], value) != value:
            raise Unreadable(f"the JSON gives {_NAMES[name]!r} twice, and differently")
    return told


def refuse_depth(text: str) -> None:
    """Raise ValueError if a text is nested more deeply than any transaction: a parser would run out of stack."""
    depth = 0
    for bracket in _BRACKETS.findall(text):
        depth += 1 if bracket in "[{" else -1
        if depth > DEEPEST:
            raise ValueError("it is nested too deeply")


def _order(told: Mapping[str, Any]) -> Order:
    kind = _number(told, "type") if "type" in told else _kind(told)
    if kind == 3:
        raise Unreadable("this transaction carries blobs (EIP-4844), which no custody leg needs: it is not read")
    if kind not in (None, 0, 1, 2, 4):
        raise Unreadable(f"a transaction of type {kind} is not known here")
    market = kind in (2, 4)
    if "gasPrice" in told and "maxFeePerGas" in told and "r" not in told:
        raise Unreadable("the JSON gives both `gasPrice` and `maxFeePerGas`")
    delegates = [_account(entry, "address") for entry in _objects(told, "authorizationList")]
    return Order(
        kind,
        _number(told, "chainId"),
        _number(told, "nonce"),
        _number(told, "maxPriorityFeePerGas"),
        _number(told, "maxFeePerGas" if market else "gasPrice"),
        _number(told, "gas"),
        _account(told, "to") if told.get("to") not in (None, "", "0x") else None,
        _number(told, "value") or 0,
        _bytes(told, "data") if "data" in told else b"",
        tuple(delegates),
    )


def _kind(told: Mapping[str, Any]) -> int | None:
    """What type a transaction has by its fields; None if they do not tell."""
    if "authorizationList" in told:
        return 4
    if "maxFeePerGas" in told or "maxPriorityFeePerGas" in told:
        return 2
    if "accessList" in told:
        return 1
    return 0 if "gasPrice" in told else None


def _encoded(order: Order, told: Mapping[str, Any]) -> bytes:
    """Write a signed transaction's bytes, which then are read as any others; raises Unreadable if a field lacks."""

    def needed(name: str, value: int | None) -> bytes:
        if value is None:
            raise Unreadable(f"the transaction is signed, but the JSON does not give `{name}`")
        return rlp.number(value)

    price = needed("maxFeePerGas" if order.kind in (2, 4) else "gasPrice", order.price)
    end = [needed("gas", order.gas), rlp.text(order.to or b""), rlp.number(order.value), rlp.text(order.data)]
    marks = [needed("r", _number(told, "r")), needed("s", _number(told, "s"))]
    nonce = needed("nonce", order.nonce)
    v = _number(told, "v")
    if not order.kind:
        return rlp.wrap(b"".join([nonce, price, *end, needed("v", v), *marks]))
    parity = _number(told, "yParity")
    if parity is None:
        parity = v - 27 if v in (27, 28) else v
    tip = [] if order.kind == 1 else [needed("maxPriorityFeePerGas", order.priority)]
    lists = [rlp.encode(_access(told)), *([rlp.encode(_authorisations(told))] if order.kind == 4 else [])]
    body = [needed("chainId", order.chain), nonce, *tip, price, *end, *lists, needed("yParity", parity), *marks]
    return bytes((order.kind,)) + rlp.wrap(b"".join(body))


def _access(told: Mapping[str, Any]) -> list[rlp.Item]:
    entries: list[rlp.Item] = []
    for entry in _objects(told, "accessList"):
        keys = entry.get("storageKeys", [])
        if not isinstance(keys, list):
            raise Unreadable("`storageKeys` is not a list")
        entries.append([_account(entry, "address"), [_bytes({"storageKeys": key}, "storageKeys") for key in keys]])
    return entries


def _authorisations(told: Mapping[str, Any]) -> list[rlp.Item]:
    entries: list[rlp.Item] = []
    for entry in _objects(told, "authorizationList"):
        numbers = [_number(entry, name) for name in ("chainId", "nonce", "yParity", "r", "s")]
        if None in numbers:
            raise Unreadable("an authorisation lacks one of chainId, nonce, yParity, r, s")
        chain, *rest = [(n or 0).to_bytes(((n or 0).bit_length() + 7) // 8, "big") for n in numbers]
        entries.append([chain, _account(entry, "address"), *rest])
    return entries


def _objects(told: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    entries = told.get(name, [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise Unreadable(f"`{name}` is not a list of objects")
    return entries


def _number(told: Mapping[str, Any], name: str) -> int | None:
    """A number: a JSON integer, or text of decimal digits or 0x and hex digits; None if it is not there."""
    value = told.get(name)
    if value is None:
        return None
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        value = int(value, 16) if value.startswith("0x") else int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**256:
        raise Unreadable(f"`{name}` is {value!r:.40}, not a whole number of 256 bits")
    return value


def _bytes(told: Mapping[str, Any], name: str) -> bytes:
    value = told.get(name)
    if isinstance(value, str) and name == "raw" and not value.startswith("0x"):
        value = "0x" + value
    if not isinstance(value, str) or not _HEX.fullmatch(value):
        raise Unreadable(f"`{name}` is {value!r:.40}, not 0x and bytes in hex")
    return bytes.fromhex(value[2:])


def _account(told: Mapping[str, Any], name: str) -> Holder:
    value = told.get(name)
    if not isinstance(value, str) or not _ACCOUNT.fullmatch(value):
        raise Unreadable(f"`{name}` is {value!r:.50}, not an address of 0x and 40 hex digits")
    if value[2:] != value[2:].lower() and not is_checksum_address(value):
        raise Unreadable(f"`{name}` {value} has a wrong EIP-55 checksum: it is mistyped")
    return Holder(bytes.fromhex(value[2:]))
