"""Reads stored transactions as the heuristics want them: which are around a reference, their coins, their payments."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from tracer.attribution.nouns import Coin, Payment, TxShape
from tracer.store.reader import AT_ONCE, Reader
from tracer.types import Kind

OF_TX = """FROM tx t JOIN block b ON b.id = t.block_id AND b.canonical
    JOIN movement m ON m.block_id = t.block_id AND m.kind {kinds} AND coalesce(m.tx_id, 0) = t.id"""
PARENTS = f"""SELECT DISTINCT o.tx_id {OF_TX.format(kinds="= 0")} JOIN movement o ON o.id = m.spends_id
    JOIN block ob ON ob.id = o.block_id AND ob.canonical WHERE t.id IN ({{numbers}}) AND o.tx_id IS NOT NULL"""
CHILDREN = f"""SELECT DISTINCT i.tx_id {OF_TX.format(kinds="= 1")} JOIN movement i ON i.spends_id = m.id
    JOIN block ib ON ib.id = i.block_id AND ib.canonical WHERE t.id IN ({{numbers}}) AND i.tx_id IS NOT NULL"""
COINS = f"""SELECT t.id, t.txid, k.name, b.height, m.kind, m.amount, h.key, coalesce(ot.txid, m.spent_txid),
    coalesce(o.idx, m.spent_idx) {OF_TX.format(kinds="IN (0, 1, 2)")}
    JOIN asset a ON a.id = m.asset_id AND a.kind = 'native' JOIN chain k ON k.id = b.chain_id
    LEFT JOIN holder h ON h.id = coalesce(m.source_id, m.target_id)
    LEFT JOIN movement o ON o.id = m.spends_id LEFT JOIN tx ot ON ot.id = o.tx_id
    WHERE t.id IN ({{numbers}}) ORDER BY b.height, t.position, m.kind, m.idx"""
PAID = """SELECT m.id, t.txid, s.key, r.key, a.caip19, m.amount, b.height, k.name FROM movement m
    JOIN block b ON b.id = m.block_id AND b.canonical JOIN chain k ON k.id = b.chain_id
    JOIN tx t ON t.id = m.tx_id JOIN asset a ON a.id = m.asset_id AND a.kind IN ('native', 'listed')
    JOIN holder s ON s.id = m.source_id JOIN holder r ON r.id = m.target_id
    WHERE m.kind IN (3, 4) AND m.{side} IN ({{numbers}}) ORDER BY b.height, m.id"""


@dataclass(slots=True)
class Stored:
    """A stored transaction of coins. whole: all its inputs and outputs are stored, not only those of the case."""

    shape: TxShape
    chain: str
    height: int
    whole: bool


@dataclass(slots=True)
class _Parts:
    chain: str
    height: int
    inputs: list[Coin] = field(default_factory=list)
    outputs: list[Coin] = field(default_factory=list)
    spends: list[tuple[bytes, int]] = field(default_factory=list)
    fee: int | None = None


def numbers(reader: Reader, sql: str, chosen: Collection[int]) -> set[int]:
    """The row numbers that a query finds, whose `{numbers}` stands for others."""
    return {int(row[0]) for row in _rows(reader, sql, chosen)}


def _rows(reader: Reader, sql: str, chosen: Collection[int]) -> Iterable[tuple[Any, ...]]:
    ordered = sorted(chosen)
    for start in range(0, len(ordered), AT_ONCE):
        part = ", ".join(str(int(number)) for number in ordered[start : start + AT_ONCE])
        yield from reader.raw(sql.replace("{numbers}", part))


def around(reader: Reader, core: Collection[int], hops: int, most: int) -> tuple[set[int], bool]:
    """The transactions (row numbers) within some hops of others, and whether `most` cut them short."""
    found, edge = set(core), set(core)
    for _ in range(hops):
        edge = (numbers(reader, PARENTS, edge) | numbers(reader, CHILDREN, edge)) - found
        if len(found) + len(edge) > most:
            return found | set(sorted(edge)[: max(0, most - len(found))]), True
        found |= edge
    return found, False


def coins_of(reader: Reader, chosen: Collection[int]) -> list[Stored]:
    """The transactions of coins among some (row numbers), lower blocks first."""
    parts: dict[bytes, _Parts] = {}
    for _, txid, chain, height, kind, amount, holder, spent, index in _rows(reader, COINS, chosen):
        part = parts.setdefault(bytes(txid), _Parts(str(chain), int(height)))
        if kind == Kind.FEE:
            part.fee = int(amount)
        elif kind == Kind.OUT:
            part.outputs.append(Coin(bytes(holder), int(amount)))
        else:
            part.inputs.append(Coin(bytes(holder), int(amount)))
            part.spends.append((bytes(spent or b""), int(index or 0)))
    found = [_stored(txid, part) for txid, part in parts.items() if part.inputs or part.outputs]
    return sorted(found, key=lambda one: one.height)


def _stored(txid: bytes, part: _Parts) -> Stored:
    """A transaction is stored whole if what goes in comes out again, the fee included."""
    went_in, came_out = (sum(coin.amount for coin in side) for side in (part.inputs, part.outputs))
    whole = bool(part.inputs) and part.fee is not None and went_in == came_out + part.fee
    shape = TxShape(txid, tuple(part.inputs), tuple(part.outputs), part.fee or 0, tuple(part.spends))
    return Stored(shape, part.chain, part.height, whole)


def payments_among(reader: Reader, holders: Collection[int]) -> dict[str, list[Payment]]:
    """What some holders (row numbers) of account chains paid and were paid, by chain, in order."""
    found: dict[str, dict[int, Payment]] = {}  # by the movement's number: both sides may be among the holders
    for side in ("source_id", "target_id"):
        for number, txid, source, target, asset, amount, height, chain in _rows(
            reader, PAID.format(side=side), holders
        ):
            payment = Payment(bytes(txid), bytes(source), bytes(target), asset, int(amount), height)
            found.setdefault(chain, {})[number] = payment
    return {chain: [payments[number] for number in sorted(payments)] for chain, payments in found.items()}
