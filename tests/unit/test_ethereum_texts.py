"""A node that cannot ask a token is not taken for a token that says nothing."""

from collections.abc import Sequence
from typing import Any

import pytest

from tracer.types import AssetId, BlockRef, Hash
from watchers.ethereum.texts import token_texts
from watchers.rpc import RpcError

TOKENS = [AssetId(f"eip155:1/erc20:0x{n:040x}") for n in range(3)]
REF = BlockRef(7, Hash(b"\x01" * 32), Hash(bytes(32)))


class Told:
    """Answers every call for the second token as given."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.gas: set[str] = set()

    async def batch(self, questions: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        self.gas |= {params[0]["gas"] for _, params in questions}
        return [self.answer if params[0]["to"].endswith("1") else "0x" + "41" * 32 for _, params in questions]


@pytest.mark.parametrize(
    "answer",
    [RpcError(3, "execution reverted"), RpcError(-32003, "Out of gas: gas required exceeds allowance: 100000"), "0x"],
)
async def test_a_contract_that_gives_nothing_is_noted_as_silent(answer: Any) -> None:
    node: Any = Told(answer)
    texts = await token_texts(node, 1, REF, TOKENS)
    assert [one.asset for one in texts] == [token for token in TOKENS for _ in range(2)]
    assert {one.shown for one in texts if one.asset == TOKENS[1]} == {""}
    assert node.gas == {"0x186a0"}


@pytest.mark.parametrize("answer", [RpcError(-32005, "limit exceeded"), RpcError(-32000, "missing trie node"), None, 7])
async def test_a_node_that_fails_leaves_the_token_unasked(answer: Any) -> None:
    node: Any = Told(answer)
    assert {one.asset for one in await token_texts(node, 1, REF, TOKENS)} == {TOKENS[0], TOKENS[2]}
