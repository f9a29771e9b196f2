"""One Ethereum node's pending transactions: what they order for accounts of interest, and what became of others.

A transaction is read from its bytes, whose hash must be its id and whose signature says who sent it. What it orders
is an intention: ether to its receiver, and `transfer` and `transferFrom` of listed tokens. What else a contract would
do is not foreseen, and its fee is only known from below.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tracer.errors import Inconsistent, NodeUnavailable
from tracer.life import Conflicted, Included, Observation, Replaced
from tracer.pending import Sighting
from tracer.proof import rlp
from tracer.proof.keccak import keccak
from tracer.proof.transaction import Transaction, created, read_transaction, sender
from tracer.proof.trie import BadProof
from tracer.types import AssetId, Hash, Holder, Kind, Movement
from watchers.ethereum.address import address_of
from watchers.ethereum.ask import Question, ask_many, hex_of, number_of
from watchers.ethereum.facts import Interest
from watchers.ethereum.header import ref_of
from watchers.pool import Gone, Look
from watchers.rpc import JsonRpc, RpcError

log = logging.getLogger(__name__)

MOST_LISTED = 5_000
"""A mempool with more transactions is not listed whole: the custody accounts are asked for, one by one."""

INTRINSIC_GAS = 21_000
"""What any transaction costs at least (Yellow Paper, appendix G)."""

TRANSFER = bytes.fromhex("a9059cbb")
TRANSFER_FROM = bytes.fromhex("23b872dd")
"""`transfer(address,uint256)` and `transferFrom(address,address,uint256)`."""

BLOBS = 3

Told = Mapping[str, Any]
Slot = tuple[Holder, int]
"""An account and a nonce: one transaction of it at most is ever mined."""


@dataclass(frozen=True, slots=True)
class Order:
    """A signed transaction: its id and bytes as they are mined, who sent it, and what it orders."""

    txid: Hash
    raw: bytes
    sender: Holder
    order: Transaction

    @property
    def slot(self) -> Slot:
        """What no other transaction can take beside it."""
        return self.sender, self.order.nonce

    @property
    def data(self) -> bytes:
        """The call data."""
        if not self.order.type:
            return rlp.as_bytes(rlp.fields(self.raw)[5])
        return rlp.as_bytes(rlp.fields(self.raw[1:])[6 if self.order.type == 1 else 7])


class EthereumPool:
    """See `watchers.pool.Pool`."""

    def __init__(self, rpc: JsonRpc, interest: Interest, at_once: int, source: str) -> None:
        """source: what it is called where it is named as a witness."""
        self._rpc, self._interest, self._at_once, self._source = rpc, interest, at_once, source
        self._known: dict[Hash, Sighting | None] = {}
        self._slots: dict[Slot, Hash] = {}

    async def close(self) -> None:
        """Close the connections. Idempotent."""
        await self._rpc.close()

    def forget(self) -> None:
        """Read every transaction anew at the next look."""
        self._known.clear()

    async def look(self, tip: Callable[[], Hash | None], custody: Sequence[Holder]) -> Look | None:
        """Read what is new; None if our tip is not the node's best block all the while."""
        best = await self._best()
        if tip() != best:
            return None
        there = {_hash(told["hash"]): told for told in await self._listed(custody)}
        new = [txid for txid, told in there.items() if txid not in self._known and self._concerns(told)]
        orders = await self._read(new)
        if await self._best() != best:
            return None
        self._slots = {(_account(told["from"]), number_of(told["nonce"])): txid for txid, told in there.items()}
        self._known |= {order.txid: self._sighting(order) for order in orders}
        self._known = {txid: one for txid, one in self._known.items() if txid in there}
        return Look(best, {txid: one for txid, one in self._known.items() if one is not None})

    async def fates(self, best: Hash, gone: Sequence[Gone]) -> dict[Hash, Observation | None]:
        """Find who took the nonce: another transaction of the mempool, or one of our blocks."""
        orders = [read_order(one.raw) for one in gone]
        questions: list[Question] = [("eth_getTransactionByHash", [hex_of(one.txid)]) for one in gone]
        questions += [("eth_getTransactionCount", ["0x" + order.sender.hex(), "latest"]) for order in orders]
        answers = await self._ask(questions)
        found: dict[Hash, Observation | None] = {}
        for one, order, there, count in zip(gone, orders, answers, answers[len(gone) :], strict=False):
            rival = self._slots.get(order.slot)
            if isinstance(there, dict) and there.get("blockHash") is None:
                continue  # the mempool still has it, wherever that is listed
            if rival not in (None, one.txid):
                for by in await self._read([rival]):
                    found[one.txid] = Replaced(by.txid, _slot_text(by)) if by.slot == order.slot else None
            elif number_of(count) > order.order.nonce:
                taken = await self._mined(order, one.blocks)
                if (
                    taken is not None
                ):  # else it cannot be told yet: the nonce is taken, and no block of ours shows by whom
                    found[one.txid] = taken
            else:
                found[one.txid] = None
        return found if await self._best() == best else {}

    # What is there.

    async def _listed(self, custody: Sequence[Holder]) -> list[Told]:
        """List what is pending: all of it if that is little, else what custody accounts sent; or the pending block."""
        [status] = await self._rpc.batch([("txpool_status", [])])
        if isinstance(status, dict) and sum(map(number_of, status.values())) <= MOST_LISTED:
            [content] = await self._ask([("txpool_content", [])])
            return [told for part in content.values() for nonces in part.values() for told in nonces.values()]
        if isinstance(status, dict):
            asked: list[Question] = [("txpool_contentFrom", ["0x" + account.hex()]) for account in custody]
            answers = await ask_many(self._rpc, asked, self._at_once)
            if not any(isinstance(answer, RpcError) for answer in answers):
                return [told for answer in answers for nonces in answer.values() for told in nonces.values()]
        [block] = await self._ask([("eth_getBlockByNumber", ["pending", True])])
        return list(block["transactions"]) if isinstance(block, dict) else []

    def _concerns(self, told: Told) -> bool:
        """Whether a transaction may order anything for a watched account, by what the node tells of it."""
        watched = self._interest.watched
        target, data = told.get("to"), str(told.get("input", "0x"))[2:]
        if int(told["from"], 16) in watched or target is None or int(target, 16) in watched:
            return True
        if f"{self._interest.chain}/erc20:{target.lower()}" not in self._interest.listed:
            return False
        return any(int(data[at : at + 64] or "0", 16) in watched for at in (8, 72))

    async def _read(self, wanted: Sequence[Hash]) -> list[Order]:
        """Fetch transactions; those that the node does not have any more are missing."""
        answers = await self._ask([("eth_getRawTransactionByHash", [hex_of(txid)]) for txid in wanted])
        orders = []
        for txid, answer in zip(wanted, answers, strict=True):
            if isinstance(answer, str) and len(answer) > 2:
                try:
                    order = read_order(bytes.fromhex(answer[2:]))
                except (BadProof, rlp.BadRlp) as error:  # anybody may send one of a kind that is unknown here
                    log.warning("pending transaction %s cannot be read: %s", txid.hex(), error)
                    self._known[txid] = None
                    continue
                if order.txid != txid:
                    raise Inconsistent(f"the bytes of the mempool's {txid.hex()} have another hash")
                orders.append(order)
        return orders

    def _sighting(self, order: Order) -> Sighting | None:
        """Say what a transaction would move; None if it concerns no watched account."""
        moves = tuple(self._movements(order))
        if not any(int.from_bytes(h, "big") in self._interest.watched for m in moves for h in parties(m)):
            return None
        before = self._slots.get((order.sender, order.order.nonce - 1))
        return Sighting(
            order.txid, order.raw, moves, (_slot_text(order),), self._source, () if before is None else (before,)
        )

    def _movements(self, order: Order) -> list[Movement]:
        native, what, payer = self._interest.native, order.order, order.sender
        target = Holder(what.to if what.to is not None else created(payer, what.nonce))
        moves: list[Movement] = []
        if int.from_bytes(payer, "big") in self._interest.watched:
            fee = max(1, INTRINSIC_GAS * min(what.price, what.priority))
            moves.append(Movement(Kind.FEE, 0, native, fee, payer, None))
        if what.value:
            moves.append(Movement(Kind.TRACE, 0, native, what.value, payer, target))
        token = AssetId(f"{self._interest.chain}/erc20:0x{target.hex()}")
        if token in self._interest.listed and (ordered := token_order(order.data, payer)) is not None:
            source, receiver, amount = ordered
            moves.append(Movement(Kind.LOG, 0, token, amount, source, receiver))
        return moves

    # What became of others.

    async def _mined(self, order: Order, blocks: Sequence[tuple[int, Hash]]) -> Observation | None:
        """Find the block of ours in which the nonce was taken, by halving, and by which transaction."""
        low, high = 0, len(blocks)
        while low < high:
            middle = (low + high) // 2
            where = {"blockHash": hex_of(blocks[middle][1])}
            [count] = await self._ask([("eth_getTransactionCount", ["0x" + order.sender.hex(), where])])
            low, high = (low, middle) if number_of(count) > order.order.nonce else (middle + 1, high)
        if low == len(blocks):
            return None
        block_id, block = blocks[low]
        [told] = await self._ask([("eth_getBlockByHash", [hex_of(block), True])])
        if not isinstance(told, dict) or ref_of(told).hash != block:
            raise Inconsistent(f"asked for block 0x{block.hex()}, the node gave another")
        slot = order.slot
        taken = [one for one in told["transactions"] if (_account(one["from"]), number_of(one["nonce"])) == slot]
        for by in await self._read([_hash(one["hash"]) for one in taken]):
            if by.slot == slot:
                mined = by.txid == order.txid
                return Included(block_id) if mined else Conflicted(by.txid, _slot_text(by), block_id)
        return None

    async def _best(self) -> Hash:
        [header] = await self._ask([("eth_getBlockByNumber", ["latest", False])])
        if not isinstance(header, dict):
            raise NodeUnavailable("the node has no newest block")
        return ref_of(header).hash

    async def _ask(self, questions: Sequence[Question]) -> list[Any]:
        """Ask; any refusal is a failure."""
        answers = await ask_many(self._rpc, questions, self._at_once)
        for (method, _), answer in zip(questions, answers, strict=True):
            if isinstance(answer, RpcError):
                raise NodeUnavailable(f"{method}: {answer}")
        return answers


def read_order(raw: bytes) -> Order:
    """Read a signed transaction, with the blobs that a mempool may hold beside it (EIP-4844) left away.

    Raises BadProof or BadRlp if it is none that is known here.
    """
    if raw[:1] == bytes((BLOBS,)):
        first = rlp.fields(raw[1:])[0]
        raw = raw if isinstance(first, bytes) else raw[:1] + rlp.encode(first)
    order = read_transaction(raw)
    return Order(Hash(keccak(raw)), raw, Holder(sender(order.signed)), order)


def token_order(data: bytes, caller: Holder) -> tuple[Holder, Holder, int] | None:
    """Read call data as an order to a token: from whom, to whom, how much; None if it is another one.

    >>> token_order(bytes.fromhex("a9059cbb") + bytes(31) + b"\\x07" + bytes(31) + b"\\x05", Holder(bytes(20)))[2]
    5
    """
    words = [data[at : at + 32] for at in range(4, len(data), 32)]
    if any(len(word) != 32 for word in words):
        return None
    match data[:4], words:
        case (selector, [target, amount]) if selector == TRANSFER and not any(target[:12]):
            return caller, Holder(target[12:]), int.from_bytes(amount, "big")
        case (selector, [source, target, amount]) if selector == TRANSFER_FROM and not any(source[:12] + target[:12]):
            return Holder(source[12:]), Holder(target[12:]), int.from_bytes(amount, "big")
    return None


def parties(move: Movement) -> list[Holder]:
    """Whom a movement names."""
    return [holder for holder in (move.source, move.target) if holder is not None]


def _slot_text(order: Order) -> str:
    return f"nonce {order.order.nonce} of {address_of(order.sender)}"


def _hash(text: object) -> Hash:
    try:
        found = bytes.fromhex(str(text)[2:])
    except ValueError as error:
        raise NodeUnavailable("the node sent something else than a hash") from error
    if len(found) != 32:
        raise NodeUnavailable(f"the node sent {len(found)} bytes for a hash")
    return Hash(found)


def _account(text: object) -> Holder:
    return Holder(bytes.fromhex(str(text)[2:]))
