"""How ERC-20 contracts are asked for balances, without the second that importing web3 takes."""

from collections.abc import Sequence
from typing import Any

from tracer.errors import Inconsistent, NodeMissing
from tracer.types import Asset, BlockRef, Holder
from watchers.ethereum.ask import Question, ask_many, at_block
from watchers.rpc import JsonRpc, RpcError

BALANCE_OF = "0x70a08231"
"""The first four bytes of keccak("balanceOf(address)")."""


def contract_of(asset: Asset) -> str:
    """Take the lower-case contract out of an ERC-20's id; raises ValueError for any other asset."""
    namespace, _, contract = asset.id.rpartition("/")[2].partition(":")
    if namespace != "erc20":
        raise ValueError(f"{asset.id} is not an ERC-20 token")
    return contract


def balance_question(holder: Holder) -> str:
    """Encode `balanceOf(holder)` as the data of a call; raises ValueError if it is not 20 bytes.

    >>> balance_question(Holder(bytes(19) + b"\\x01"))
    '0x70a082310000000000000000000000000000000000000000000000000000000000000001'
    """
    if len(holder) != 20:
        raise ValueError(f"an Ethereum account has 20 bytes, not {len(holder)}")
    return BALANCE_OF + holder.hex().rjust(64, "0")


def balance_answer(data: str) -> int:
    """Decode the answer to `balanceOf`; raises ValueError unless it is exactly one word."""
    answer = bytes.fromhex(data[2:])
    if len(answer) != 32:
        raise ValueError(f"balanceOf answered {len(answer)} bytes, not 32")
    return int.from_bytes(answer, "big")


async def token_balances(
    rpc: JsonRpc, ref: BlockRef, token: Asset, holders: Sequence[Holder], at_once: int
) -> dict[Holder, int]:
    """Ask `balanceOf` for many holders after a block; all 0 if the contract did not exist then."""
    contract, at = contract_of(token), at_block(ref.hash)
    calls = [{"to": contract, "data": balance_question(holder)} for holder in holders]
    questions: list[Question] = [("eth_getCode", [contract, at]), *(("eth_call", [call, at]) for call in calls)]
    code, *answers = await ask_many(rpc, questions, at_once)
    if isinstance(code, RpcError):
        raise NodeMissing(f"no state of {contract} at block {ref.height}: {code}")
    if code == "0x":
        return dict.fromkeys(holders, 0)
    try:
        return {holder: _amount(answer) for holder, answer in zip(holders, answers, strict=True)}
    except ValueError as error:
        what = f"token {contract} gives no balance at block {ref.height}: {error}"
        raise Inconsistent(what, "Take the token off the list if it is not an ERC-20.") from error


def _amount(answer: Any) -> int:
    if isinstance(answer, RpcError):
        raise ValueError(str(answer))
    return balance_answer(answer)
