"""How a contract is asked whether a signature is its own, after a block that is named by its hash (EIP-1271)."""

from tracer.errors import NodeUnavailable
from tracer.proof.control.ethereum import ContractSaid
from tracer.types import BlockRef, Holder
from watchers.ethereum.ask import at_block
from watchers.ethereum.texts import silent
from watchers.rpc import JsonRpc, RpcError

GAS = 5_000_000
"""Enough for a wallet of many owners; a contract that burns more is taken for one that reverts."""


async def contract_signature(rpc: JsonRpc, ref: BlockRef, account: Holder, call: bytes) -> ContractSaid:
    """Ask a contract with the call data of `isValidSignature` after a block; the caller sees that the block stays.

    Raises NodeUnavailable if the node itself fails to answer: that is not the contract's no.
    """
    there = at_block(ref.hash)
    to = "0x" + account.hex()
    asked = {"to": to, "data": "0x" + call.hex(), "gas": hex(GAS)}
    code, answer = await rpc.batch([("eth_getCode", [to, there]), ("eth_call", [asked, there])])
    found = _bytes(code, ref)
    returned = None if silent(answer) else _bytes(answer, ref)
    return ContractSaid(account, call, ref.height, ref.hash, bool(found), returned)


def _bytes(answer: object, ref: BlockRef) -> bytes:
    if isinstance(answer, RpcError):
        raise NodeUnavailable(f"the node cannot answer for the state after block {ref.height}: {answer}") from answer
    try:
        return bytes.fromhex(str(answer).removeprefix("0x"))
    except ValueError as error:
        raise NodeUnavailable(f"the node answers {answer!r:.80} for bytes") from error
