"""Reads Ethereum transactions that wait to be broadcast, from their bytes: signed or not, types 0, 1, 2 and 4. Pure.

Type 0 with and without EIP-155, 1 is EIP-2930, 2 EIP-1559, 4 EIP-7702. Type 3 (EIP-4844) carries blobs, which no
custody leg needs: it is refused. `tracer.precheck.ethereum_json` writes down in bytes what a wallet has as JSON.
"""

from dataclasses import dataclass, replace

from tracer.precheck.calls import ordered
from tracer.precheck.planned import Gas, Grant, Payment, Planned, Unreadable
from tracer.proof import rlp
from tracer.proof.keccak import keccak
from tracer.proof.transaction import Signed, sender
from tracer.proof.trie import BadProof
from tracer.types import Holder

HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
"""The largest s that EIP-2 allows: half the order of secp256k1."""

FIELDS = {1: 8, 2: 9, 4: 10}
"""Fields of a typed transaction before its signature."""


@dataclass(frozen=True, slots=True)
class Order:
    """The fields of a transaction before its signature; None where a wallet has not filled one in.

    kind: the type. to: None creates a contract. price: wei for a unit of gas at most. delegates: whose code an
    authorisation lets an account run.
    """

    kind: int | None
    chain: int | None
    nonce: int | None
    priority: int | None
    price: int | None
    gas: int | None
    to: Holder | None
    value: int
    data: bytes
    delegates: tuple[Holder, ...] = ()


def looks_like(raw: bytes) -> bool:
    """Say whether bytes begin as an Ethereum transaction does; no Bitcoin transaction begins so."""
    return raw[:1] >= b"\xc0" or (raw[:1] < b"\x80" and raw[1:2] >= b"\xc0")


def read_raw(raw: bytes) -> Planned:
    """Read a transaction's bytes; raises Unreadable."""
    if not raw:
        raise Unreadable("there is no byte of a transaction")
    try:
        return _legacy(raw) if raw[0] >= 0xC0 else _typed(raw)
    except (rlp.BadRlp, BadProof) as error:
        raise Unreadable(f"the hex is no Ethereum transaction: {error}") from error


def _legacy(raw: bytes) -> Planned:
    items = rlp.fields(raw)
    if len(items) not in (6, 9):
        raise Unreadable(f"a list of {len(items)} fields is no Ethereum transaction")
    nonce, price, gas, to, value, data = items[:6]
    wei = rlp.as_number(price)
    order = Order(
        *(0, None, rlp.as_number(nonce, 64), None, wei, rlp.as_number(gas, 64)),
        *(account(to), rlp.as_number(value), rlp.as_bytes(data)),
    )
    if len(items) == 6:
        return planned(order, "transaction that is not signed, type 0")
    v, r, s = (rlp.as_number(item) for item in items[6:])
    if not r and not s:
        return planned(replace(order, chain=v), "transaction that is not signed, type 0")
    body = b"".join([rlp.encode(item) for item in items[:6]])
    if v in (27, 28):
        return _signed(order, Signed(raw, rlp.wrap(body), v - 27, r, s))
    if v < 35:
        raise Unreadable(f"the signature has v = {v}, which no transaction has")
    chain = (v - 35) // 2
    return _signed(
        replace(order, chain=chain),
        Signed(raw, rlp.wrap(body + rlp.number(chain) + b"\x80\x80"), (v - 35) % 2, r, s),
    )


def _typed(raw: bytes) -> Planned:
    kind = raw[0]
    if kind == 3:
        raise Unreadable("this transaction carries blobs (EIP-4844), which no custody leg needs: it is not read")
    if kind not in FIELDS:
        raise Unreadable(f"a transaction of type {kind} is not known here")
    items = rlp.fields(raw[1:])
    known = FIELDS[kind]
    if len(items) not in (known, known + 3):
        raise Unreadable(f"a transaction of type {kind} has {known} fields, signed {known + 3}; this has {len(items)}")
    order = _order(kind, items)
    if len(items) == known:
        return planned(order, f"transaction that is not signed, type {kind}")
    parity, r, s = (rlp.as_number(item, bits) for item, bits in zip(items[known:], (8, 256, 256), strict=True))
    if parity > 1:
        raise Unreadable(f"the signature has parity {parity}, which no transaction has")
    return _signed(order, Signed(raw, raw[:1] + rlp.encode(items[:known]), parity, r, s))


def _order(kind: int, items: list[rlp.Item]) -> Order:
    chain, nonce, *rest = items
    priority = rlp.as_number(rest.pop(0)) if kind != 1 else None
    price, gas, to, value, data, access = rest[:6]
    for entry in rlp.as_list(access):
        address, keys = _exactly(entry, 2)
        rlp.as_bytes(address, 20)
        for key in rlp.as_list(keys):
            rlp.as_bytes(key, 32)
    delegates = [Holder(rlp.as_bytes(_exactly(entry, 6)[1], 20)) for entry in rlp.as_list(rest[6])] if kind == 4 else []
    return Order(
        *(kind, rlp.as_number(chain), rlp.as_number(nonce, 64), priority, rlp.as_number(price)),
        *(rlp.as_number(gas, 64), account(to), rlp.as_number(value), rlp.as_bytes(data), tuple(delegates)),
    )


def _exactly(item: rlp.Item, size: int) -> list[rlp.Item]:
    parts = list(rlp.as_list(item))
    if len(parts) != size:
        raise rlp.BadRlp(f"{len(parts)} parts where {size} are wanted")
    return parts


def account(item: rlp.Item) -> Holder | None:
    """Take an item for a receiver: 20 bytes, or none for a new contract; raises BadRlp."""
    return None if item == b"" else Holder(rlp.as_bytes(item, 20))


def _signed(order: Order, signed: Signed) -> Planned:
    """Recover who signed; raises BadProof if nobody did."""
    faults = () if signed.s <= HALF_ORDER else ("its signature is in the form that EIP-2 forbids: no node takes it",)
    read = planned(order, f"signed transaction, type {order.kind}")
    return replace(
        read,
        signed=True,
        sender=Holder(sender(signed)),
        sender_shown=True,
        txid=keccak(signed.raw),
        faults=(*read.faults, *faults),
    )


def planned(order: Order, form: str) -> Planned:
    """Say what a transaction orders, as long as it is not signed."""
    payments: list[Payment] = []
    grants = [Grant("code", holder) for holder in order.delegates]
    unknown: list[str] = []
    if order.to is None:
        unknown.append(f"creates a contract with {len(order.data)} bytes of code and {order.value} wei")
    else:
        if order.value:
            payments.append(Payment(order.to, None, order.value))
        match ordered(order.to, order.data):
            case Payment() as payment:
                payments.append(payment)
            case Grant() as grant:
                grants.append(grant)
            case str() as call:
                unknown.append(call)
    priority, price = order.priority, order.price
    faults = []
    if priority is not None and price is not None and priority > price:
        faults.append(f"its priority fee of {priority} wei is above its maximum of {price}: no node takes it")
    return Planned(
        form,
        tuple(payments),
        signed=False,
        chain_number=order.chain,
        nonce=order.nonce,
        gas=None if order.gas is None or price is None else Gas(order.gas, price),
        grants=tuple(grants),
        unknown=tuple(unknown),
        faults=tuple(faults),
    )
