"""How a token is asked what it calls itself: with little gas, so that it cannot answer at length."""

from collections.abc import Sequence
from typing import Any

from tracer.tokentext import SHOWN, TokenText, token_text
from tracer.types import AssetId, BlockRef
from watchers.ethereum.ask import ask_many, at_block
from watchers.rpc import JsonRpc, RpcError

GAS = 100_000
"""Enough for a string from storage; memory for more than 190 KB would cost more."""

SELECTORS = {"name": "0x06fdde03", "symbol": "0x95d89b41"}
"""The first four bytes of keccak("name()") and keccak("symbol()")."""


async def token_texts(rpc: JsonRpc, at_once: int, ref: BlockRef, assets: Sequence[AssetId]) -> list[TokenText]:
    """Ask for name and symbol after a block."""
    asked = [(asset, what) for asset in assets for what in SHOWN]
    questions = [
        (
            "eth_call",
            [{"to": _contract(asset), "data": SELECTORS[what], "gas": hex(GAS)}, at_block(ref.hash)],
        )
        for asset, what in asked
    ]
    answers = await ask_many(rpc, questions, at_once)
    return [token_text(asset, what, _bytes(answer)) for (asset, what), answer in zip(asked, answers, strict=True)]


def _contract(asset: AssetId) -> str:
    """The contract of an ERC-20 or ERC-721 asset."""
    return asset.partition("/")[2].partition(":")[2].partition("/")[0]


def _bytes(answer: Any) -> bytes | None:
    if isinstance(answer, RpcError) or not isinstance(answer, str):
        return None
    try:
        return bytes.fromhex(answer.removeprefix("0x"))
    except ValueError:
        return None
