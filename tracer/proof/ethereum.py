"""What an Ethereum block's roots prove: all of it at once, or one transaction with its receipt. Pure.

The hash itself is not proven here: an anchor vouches for it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tracer.proof import rlp
from tracer.proof.header import Header, encode_header, read_header
from tracer.proof.json_fields import address, number
from tracer.proof.keccak import keccak
from tracer.proof.receipt import Receipt, encode_receipt, read_receipt
from tracer.proof.transaction import Signed, Transaction, encode_transaction, read_transaction, sender
from tracer.proof.trie import EMPTY_ROOT, BadProof, IndexTrie, index_key, look_up
from tracer.types import Lane

Json = Mapping[str, Any]

_WITHDRAWAL = (("index", number), ("validatorIndex", number), ("address", address), ("amount", number))


@dataclass(frozen=True, slots=True)
class ProvenBlock:
    """A block that stands up to all roots of its header. Only what its bytes are made of is proven of the JSON.

    transactions, receipts: the JSON that the bytes were made of; positions are those of the block.
    """

    header: Header
    encoded: bytes
    transactions: Sequence[Json]
    receipts: Sequence[Json]
    signed: Sequence[Signed]
    _transactions: IndexTrie
    _receipts: IndexTrie
    _senders: dict[int, bytes] = field(default_factory=dict)
    lane: Lane = Lane.PROVEN

    def sender(self, position: int) -> bytes:
        """Who signed a transaction; raises BadProof if the signature is of nobody, or the node names another."""
        if position not in self._senders:
            found = sender(self.signed[position])
            if int.from_bytes(found, "big") != int(self.transactions[position]["from"], 16):
                raise BadProof(f"transaction {position} is not signed by the sender that is stated")
            self._senders[position] = found
        return self._senders[position]

    def gas_used(self, position: int) -> int:
        """How much gas a transaction used, by the receipts' running sums."""
        before = self.receipts[position - 1]["cumulativeGasUsed"] if position else "0x0"
        return int(self.receipts[position]["cumulativeGasUsed"], 16) - int(before, 16)

    def proof(self, position: int) -> bytes:
        """What links a transaction's bytes and its receipt to the header: see `prove_transaction`."""
        *above, leaf = self._transactions.path(position)
        path = self._receipts.path(position)
        before = self._receipts.path(position - 1) if position else ()
        shared = sum(1 for one, other in zip(path, before, strict=False) if one == other)
        head = rlp.as_bytes(rlp.fields(leaf)[0])
        return rlp.encode([above, head, path, bytes((shared,)), before[shared:]])


@dataclass(frozen=True, slots=True)
class ProvenTransaction:
    """A transaction, who signed it, and what became of it, as stored bytes prove it under a block's hash."""

    header: Header
    transaction: Transaction
    sender: bytes
    receipt: Receipt
    gas_used: int


def prove_header(header: Json) -> bytes:
    """See that the JSON of a header, and the withdrawals beside it, hash to the block's hash; returns its bytes.

    Raises CannotVerify if a field is unknown, else BadProof.
    """
    encoded = encode_header(header)
    _prove_withdrawals(header)
    return encoded


def _prove_withdrawals(header: Json) -> None:
    root, paid = header.get("withdrawalsRoot"), header.get("withdrawals")
    if root is None and paid is None:
        return
    try:
        values = [rlp.wrap(b"".join([write(one[name]) for name, write in _WITHDRAWAL])) for one in paid or ()]
    except (KeyError, TypeError, ValueError) as error:
        raise BadProof(f"a withdrawal is out of shape: {error!r}") from error
    if root is None or (paid is None and root != "0x" + EMPTY_ROOT.hex()):
        raise BadProof("withdrawals without their root, or a root without its withdrawals")
    if IndexTrie(values).root.hex() != root[2:]:
        raise BadProof("the withdrawals do not have the root that the header names")


def prove_block(block: Json, receipts: Sequence[Json]) -> ProvenBlock:
    """Hold a block (JSON with whole transactions) and its receipts against all roots of its header.

    Checked: hash of the header; hashes and root of the transactions (EIP-2718); root of the receipts, their bloom
    filters and gas; root of the withdrawals (EIP-4895). Raises CannotVerify if anything is unknown here, else BadProof.
    """
    try:
        return _prove(block, receipts)
    except (KeyError, TypeError, AttributeError) as error:
        raise BadProof(f"the block is out of shape: {error!r}") from error


def _prove(block: Json, receipts: Sequence[Json]) -> ProvenBlock:
    encoded = prove_header(block)
    header = read_header(encoded)
    transactions = block["transactions"]
    if len(transactions) != len(receipts):
        raise BadProof(f"{len(transactions)} transactions, {len(receipts)} receipts")
    signed = [encode_transaction(told) for told in transactions]
    for told, one in zip(transactions, signed, strict=True):
        if keccak(one.raw).hex() != told["hash"][2:]:
            raise BadProof(f"transaction {told['hash']} has bytes of another hash")
    trie = IndexTrie([one.raw for one in signed])
    if trie.root != header.transactions_root:
        raise BadProof("the transactions do not have the root that the header names")
    return ProvenBlock(header, encoded, transactions, receipts, signed, trie, _prove_receipts(header, receipts))


def _prove_receipts(header: Header, receipts: Sequence[Json]) -> IndexTrie:
    values, bits = [], 0
    for told in receipts:
        encoded, own = encode_receipt(told)
        values.append(encoded)
        bits |= own
    trie = IndexTrie(values)
    if trie.root != header.receipts_root:
        raise BadProof("the receipts do not have the root that the header names")
    if bits.to_bytes(256, "big") != header.bloom:
        raise BadProof("the header's bloom filter is not that of the logs")
    sums = [0, *(int(told["cumulativeGasUsed"], 16) for told in receipts)]
    if sums[-1] != header.gas_used or sums != sorted(sums):
        raise BadProof("the receipts' gas does not add up to the header's")
    return trie


def prove_transaction(
    header: bytes, block_hash: bytes, txid: bytes, position: int, raw: bytes, proof: bytes
) -> ProvenTransaction:
    """Re-derive a transaction, its sender, receipt and gas from stored bytes; raises BadProof.

    proof: RLP of (nodes above the transaction's leaf, the leaf's path, nodes of its receipt, how many of these the
    receipt before it shares, that one's other nodes). The receipt before it gives the gas used.
    """
    if keccak(header) != block_hash:
        raise BadProof("the stored header does not hash to the block's hash")
    if keccak(raw) != txid:
        raise BadProof("the stored transaction does not hash to its id")
    known = read_header(header)
    try:
        above, head, path, count, rest = rlp.fields(proof)
        nodes = [rlp.as_bytes(node) for node in rlp.as_list(above)]
        nodes.append(rlp.join([rlp.as_bytes(head), raw]))
        own = [rlp.as_bytes(node) for node in rlp.as_list(path)]
        shared = rlp.as_bytes(count, 1)[0]
        before = own[:shared] + [rlp.as_bytes(node) for node in rlp.as_list(rest)]
    except ValueError as error:
        raise BadProof(f"the stored proof is out of shape: {error}") from error
    if look_up(known.transactions_root, index_key(position), nodes) != raw:
        raise BadProof(f"the stored proof does not lead to transaction {position}")
    receipt = _stored_receipt(known, position, own)
    if position:
        spent = receipt.cumulative_gas - _stored_receipt(known, position - 1, before).cumulative_gas
    else:
        spent = receipt.cumulative_gas
    if (not position and (shared or before)) or spent <= 0:
        raise BadProof("the stored receipts do not tell the gas that was used")
    sent = read_transaction(raw)
    if sent.type != receipt.type:
        raise BadProof("transaction and receipt are of different types")
    return ProvenTransaction(known, sent, sender(sent.signed), receipt, spent)


def _stored_receipt(header: Header, position: int, nodes: Sequence[bytes]) -> Receipt:
    value = look_up(header.receipts_root, index_key(position), nodes)
    if value is None:
        raise BadProof(f"the stored proof does not lead to receipt {position}")
    return read_receipt(value)
