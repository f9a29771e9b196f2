"""How a token is asked what it calls itself: with little gas, so that it cannot answer at length."""

from collections.abc import Sequence
from typing import Any

from tracer.tokentext import SHOWN, TokenText, token_text
from tracer.types import AssetId, BlockRef
from watchers.ethereum.ask import ask_many, at_block
from watchers.rpc import JsonRpc, RpcError

GAS = 100_000
"""Enough for a string from storage; memory for more than 190 KB would cost more."""

REVERTED = 3
"""The code of a call that was carried out and failed."""

SELECTORS = {"name": "0x06fdde03", "symbol": "0x95d89b41"}
"""The first four bytes of keccak("name()") and keccak("symbol()")."""


async def token_texts(rpc: JsonRpc, at_once: int, ref: BlockRef, assets: Sequence[AssetId]) -> list[TokenText]:
    """Ask for name and symbol after a block; a token is missing where the node itself failed to ask it."""
    asked = [(asset, what) for asset in assets for what in SHOWN]
    questions = [
        (
            "eth_call",
            [{"to": _contract(asset), "data": SELECTORS[what], "gas": hex(GAS)}, at_block(ref.hash)],
        )
        for asset, what in asked
    ]
    answers = await ask_many(rpc, questions, at_once)
    told = list(zip(asked, answers, strict=True))
    failed = {asset for (asset, _), answer in told if not (isinstance(answer, str) or silent(answer))}
    return [token_text(asset, what, _bytes(answer)) for (asset, what), answer in told if asset not in failed]


def _contract(asset: AssetId) -> str:
    """The contract of an ERC-20 or ERC-721 asset."""
    return asset.partition("/")[2].partition(":")[2].partition("/")[0]


def silent(answer: Any) -> bool:
    """Whether the contract gave nothing: it reverted, ran out of gas, or is no program."""
    said = str(answer).lower()
    return isinstance(answer, RpcError) and (
        answer.code == REVERTED or any(word in said for word in ("revert", "gas", "opcode", "stack", "evm error"))
    )


def _bytes(answer: Any) -> bytes | None:
    if isinstance(answer, RpcError) or not isinstance(answer, str):
        return None
    try:
        return bytes.fromhex(answer.removeprefix("0x"))
    except ValueError:
        return None
