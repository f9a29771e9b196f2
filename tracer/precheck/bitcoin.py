"""Reads Bitcoin transactions that wait to be broadcast: as PSBT (BIP-174, BIP-370) and as bytes. Pure.

A library reads the PSBT; beside it the key-value maps are split here, and what the library understood must come back
as the same maps: a field that it drops or reads otherwise is an error, not a silent difference.
"""

import base64
import binascii
from typing import Any

import embit.psbt
import embit.transaction
from embit.base import EmbitError

from tracer.precheck.planned import Payment, Planned, Spent, Unreadable
from tracer.proof.transactions import MAX_SATOSHI, NOWHERE, Transaction, compact_size, hash256, parse, stripped
from tracer.types import Hash, Holder, Outpoint, outpoint, outpoint_text

# embit carries no types.
psbts: Any = embit.psbt
transactions: Any = embit.transaction

MAGIC = b"psbt\xff"
REFUSALS = (
    *(EmbitError, ValueError, AssertionError, IndexError, KeyError, TypeError, AttributeError),
    *(RuntimeError, OverflowError),
)
"""All that embit is known to raise on malformed bytes."""

SIGHASH_DEFAULT, SIGHASH_ALL = 0, 1

Map = dict[bytes, bytes]


def from_base64(text: str) -> bytes:
    """Read base64 without tolerance; raises Unreadable unless a PSBT is in it."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Unreadable("what was given is neither hex, base64 nor JSON") from error
    if not raw.startswith(MAGIC):
        raise Unreadable("the base64 holds no PSBT")
    return raw


def read_raw(raw: bytes) -> Planned:
    """Read a transaction's bytes; amounts of its inputs are not in them. Raises Unreadable."""
    try:
        read = parse(raw)
        again = transactions.Transaction.parse(raw).serialize()
    except REFUSALS as error:
        raise Unreadable(f"the hex is no transaction: {str(error) or type(error).__name__}") from error
    if again != raw:
        raise Unreadable("the hex is a transaction in a form that no node writes")
    spent = tuple(Spent(Outpoint(point)) for point, _ in read.inputs)
    signed = all(script for _, script in read.inputs) if not read.witnesses else _all_signed(read)
    form = "signed transaction" if signed else "transaction that is not signed by all inputs"
    return _planned(form, read, spent, signed, [], hash256(stripped(raw, read.span))[::-1] if signed else None)


def _all_signed(read: Transaction) -> bool:
    return all(script or stack for (_, script), stack in zip(read.inputs, read.witnesses, strict=True))


def read_psbt(raw: bytes) -> Planned:
    """Read a PSBT; raises Unreadable where it breaks its format, and notes as faults where it contradicts itself."""
    try:
        maps = _maps(raw)
        ins, outs, version = _counts(maps)
        read = psbts.PSBT.parse(raw)
        again = _maps(read.serialize())
        tx = parse(read.tx.serialize())
    except REFUSALS as error:
        raise Unreadable(f"the PSBT cannot be read: {str(error) or type(error).__name__}") from error
    maps[0].pop(b"\xfb", None)
    again[0].pop(b"\xfb", None)  # version 0 may be written out or left out
    for fields in maps[1 : 1 + ins] if version == 2 else ():
        fields.setdefault(b"\x10", b"\xff" * 4)  # what BIP-370 takes a sequence that is left out for
    if again != maps or (len(tx.inputs), len(tx.outputs)) != (ins, outs):
        raise Unreadable(
            "the PSBT has fields that do not belong into its version, or that are not written as they must"
        )
    faults: list[str] = []
    spent = tuple(
        _spent(place, Outpoint(point), fields, faults)
        for place, ((point, _), fields) in enumerate(zip(tx.inputs, maps[1 : 1 + ins], strict=True))
    )
    for place, fields in enumerate(maps[1 : 1 + ins]):
        faults += _loose_signatures(place, fields)
    signed = all(b"\x07" in fields or b"\x08" in fields for fields in maps[1 : 1 + ins])
    form = f"PSBT version {version}, {'finalised' if signed else 'not finalised'}"
    return _planned(form, tx, spent, signed, faults)


def _maps(raw: bytes) -> list[Map]:
    """Split a PSBT into its maps: the global one, then one per input and output. Raises ValueError."""
    if not raw.startswith(MAGIC):
        raise ValueError("it does not begin with the PSBT mark")
    maps: list[Map] = []
    place = len(MAGIC)
    while place < len(raw):
        fields: Map = {}
        while True:
            key, place = _string(raw, place)
            if not key:
                break
            value, place = _string(raw, place)
            if key in fields:
                raise ValueError(f"field {key.hex()} stands twice in one map")
            fields[key] = value
        maps.append(fields)
    if not maps:
        raise ValueError("it is empty")
    return maps


def _string(raw: bytes, place: int) -> tuple[bytes, int]:
    try:
        size, start = compact_size(raw, place)
    except IndexError as error:
        raise ValueError("it is cut short") from error
    if start + size > len(raw):
        raise ValueError("it is cut short")
    return raw[start : start + size], start + size


def _counts(maps: list[Map]) -> tuple[int, int, int]:
    """How many inputs and outputs a PSBT says it has, and its version; raises ValueError if it has other maps.

    The library would make as many inputs as the number says before it looks for them.
    """
    top = maps[0]
    version = int.from_bytes(top.get(b"\xfb", b""), "little")
    if version == 0:
        if b"\x00" not in top:
            raise ValueError("it has no transaction")
        tx = parse(top[b"\x00"])
        if tx.witnesses or any(script for _, script in tx.inputs):
            raise ValueError("the transaction inside it has signatures, which BIP-174 forbids")
        ins, outs = len(tx.inputs), len(tx.outputs)
    elif version == 2:
        if b"\x04" not in top or b"\x05" not in top:
            raise ValueError("it does not say how many inputs and outputs it has")
        ins, outs = (_whole_size(top[key]) for key in (b"\x04", b"\x05"))
    else:
        raise ValueError(f"version {version} is not known")
    if len(maps) != 1 + ins + outs:
        raise ValueError(f"it has {len(maps) - 1} maps for {ins} inputs and {outs} outputs")
    if version == 2:
        for fields in maps[1 : 1 + ins]:
            if len(fields.get(b"\x0e", b"")) != 32 or len(fields.get(b"\x0f", b"")) != 4:
                raise ValueError("an input does not say which coin it spends")
        for fields in maps[1 + ins :]:
            if len(fields.get(b"\x03", b"")) != 8 or b"\x04" not in fields:
                raise ValueError("an output does not say how much it pays to whom")
    return ins, outs, version


def _whole_size(value: bytes) -> int:
    size, end = compact_size(value, 0)
    if end != len(value):
        raise ValueError("a count is followed by other bytes")
    return size


def _spent(place: int, point: Outpoint, fields: Map, faults: list[str]) -> Spent:
    """What the fields of an input say of its coin; what contradicts the outpoint or itself is noted."""
    claimed = _output(fields[b"\x01"]) if b"\x01" in fields else None
    if b"\x00" not in fields:
        return Spent(point, claimed[1], claimed[0]) if claimed else Spent(point)
    raw = fields[b"\x00"]
    try:
        previous = parse(raw)
    except ValueError as error:
        raise Unreadable(f"the previous transaction of input {place} cannot be read: {error}") from error
    txid, index = Hash(hash256(stripped(raw, previous.span))[::-1]), int.from_bytes(point[32:], "little")
    if outpoint(txid, index) != point:
        faults.append(
            f"input {place} spends {outpoint_text(point)}, but the previous transaction in the PSBT is {txid.hex()}"
        )
        return Spent(point)
    if index >= len(previous.outputs):
        faults.append(f"input {place} spends output {index} of a transaction that has {len(previous.outputs)}")
        return Spent(point)
    amount, script = previous.outputs[index]
    if claimed is not None and claimed != (amount, script):
        faults.append(
            f"input {place}: witness_utxo claims {claimed[0]} satoshi for script {claimed[1].hex()},"
            f" its previous transaction pays {amount} to {script.hex()}"
        )
    return Spent(point, Holder(script), amount, shown=True)


def _output(value: bytes) -> tuple[int, Holder]:
    """Read an amount and a script; raises Unreadable."""
    try:
        size, start = compact_size(value, 8)
    except IndexError as error:
        raise Unreadable("a witness_utxo is cut short") from error
    if start + size != len(value):
        raise Unreadable("a witness_utxo is cut short, or followed by other bytes")
    return int.from_bytes(value[:8], "little"), Holder(value[start:])


def _loose_signatures(place: int, fields: Map) -> list[str]:
    """Signatures that would leave inputs or outputs open: somebody may change the transaction under them."""
    kinds = [int.from_bytes(fields[b"\x03"], "little")] if b"\x03" in fields else []
    kinds += [value[-1] for key, value in fields.items() if key[0] == 0x02 and value]
    kinds += [value[64] for key, value in fields.items() if key[0] in (0x13, 0x14) and len(value) == 65]
    return [
        f"input {place} is signed for sighash type {kind:#04x}: the signature does not cover the whole transaction"
        for kind in dict.fromkeys(kinds)
        if kind not in (SIGHASH_DEFAULT, SIGHASH_ALL)
    ]


def _planned(
    form: str, tx: Transaction, spent: tuple[Spent, ...], signed: bool, faults: list[str], txid: bytes | None = None
) -> Planned:
    """Put together what was read, with what no node would take noted."""
    points = [one.point for one in spent]
    if not points or not tx.outputs:
        raise Unreadable("the transaction has no inputs, or no outputs")
    if NOWHERE in points:
        raise Unreadable("this is a coinbase transaction, which only miners make")
    faults += [
        f"{outpoint_text(point)} is spent twice in it" for point in dict.fromkeys(points) if points.count(point) > 1
    ]
    if sum(amount for amount, _ in tx.outputs) > MAX_SATOSHI:
        faults.append("its outputs add up to more than all bitcoin")
    payments = tuple(
        Payment(Holder(script), None, amount, place=place) for place, (amount, script) in enumerate(tx.outputs)
    )
    return Planned(form, payments, signed, spent, txid, faults=tuple(faults))
