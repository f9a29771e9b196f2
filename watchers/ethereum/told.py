"""Transactions of a block of which only the header is verified: signed bytes, and receipts as the node tells. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tracer.errors import Inconsistent
from tracer.proof.ethereum import prove_header
from tracer.proof.header import Header, read_header
from tracer.proof.keccak import keccak
from tracer.proof.transaction import Signed, read_transaction, sender
from tracer.types import Lane

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ToldBlock:
    """Some transactions of a block by position; to be proven when the block is read whole.

    Their bytes hash to the ids that the header's JSON lists and show who signed what; that they are in the block, and
    what became of them there, is reported.
    """

    header: Header
    encoded: bytes
    transactions: Mapping[int, Json]
    receipts: Mapping[int, Json]
    signed: Mapping[int, Signed]
    lane: Lane = Lane.REPORTED
    _senders: dict[int, bytes] = field(default_factory=dict, compare=False)

    def sender(self, position: int) -> bytes:
        """Who signed a transaction; raises BadProof if the signature is of nobody."""
        if position not in self._senders:
            self._senders[position] = sender(self.signed[position])
        return self._senders[position]

    def gas_used(self, position: int) -> int:
        """How much gas a transaction used, as its receipt says."""
        return int(self.receipts[position]["gasUsed"], 16)

    def proof(self, position: int) -> None:
        """Nothing links these transactions to the header yet."""


def told_block(header: Json, raws: Mapping[int, bytes], receipts: Mapping[int, Json]) -> ToldBlock:
    """Join what a node told of some transactions of a block with its header.

    Raises BadProof for a header or transaction that is not what it should be, Inconsistent for a receipt of another.
    """
    encoded = prove_header(header)
    known = {position: read_transaction(raw) for position, raw in raws.items()}
    transactions: dict[int, Json] = {}
    senders: dict[int, bytes] = {}
    for position, one in known.items():
        txid = header["transactions"][position]
        receipt = receipts[position]
        if keccak(one.signed.raw).hex() != txid[2:]:
            raise Inconsistent(f"the bytes of transaction {txid} have another hash")
        stands = (receipt["transactionHash"], receipt["blockHash"], int(receipt["transactionIndex"], 16))
        if stands != (txid, header["hash"], position):
            raise Inconsistent(f"the receipt of {txid} is of another transaction or block")
        to = None if one.to is None else "0x" + one.to.hex()
        senders[position] = sender(one.signed)
        signer = "0x" + senders[position].hex()
        transactions[position] = {"from": signer, "to": to, "value": hex(one.value), "nonce": hex(one.nonce)}
    signed = {position: one.signed for position, one in known.items()}
    return ToldBlock(read_header(encoded), encoded, transactions, receipts, signed, _senders=senders)
