"""A real contract says for whom it answers, after the block that was named, and a node's silence is never its no."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_account import Account
from eth_account.messages import encode_defunct, encode_typed_data
from eth_utils.abi import function_signature_to_4byte_selector
from ethereum_liar import Answer, lying

from fixtures.anvil import Anvil
from fixtures.contracts import artifact
from tracer.errors import NodeMissing, NodeUnavailable, SignatureWrong
from tracer.proof.control.ethereum import ContractSaid, contract_call, typed_data
from tracer.proof.control.message import Statement, write
from tracer.proof.control.shown import (
    ControlShown,
    Expected,
    Method,
    check_control,
    contract_question,
    heights_asked,
)
from tracer.types import BlockRef, ChainId, Hash, Holder, Lane
from watchers.ethereum.address import address_of
from watchers.ethereum.node import EthereumNode

NOW = 1_780_000_000
OWNER, NEXT = (Account.from_key(bytes([n]) * 32) for n in (8, 9))


class Wallet:
    """The contract, a statement for it, and what is signed of that."""

    def __init__(self, anvil: Anvil) -> None:
        self.anvil = anvil
        code = artifact("Signer")["bytecode"] + encode(["address"], [OWNER.address]).hex()
        made = anvil.transact({"from": anvil.accounts[0], "data": code})
        self.account = Holder(bytes.fromhex(made["contractAddress"][2:]))
        self.first = int(made["blockNumber"], 16)
        block = Hash(bytes.fromhex(made["blockHash"][2:]))
        self.statement = Statement(
            *("case-1", "treasury", ChainId("eip155:31337"), address_of(self.account), self.account, self.first, block),
            *("cold wallet of the agency", bytes(range(16)), NOW + 3600),
        )
        self.text = write(self.statement)

    def signed(self, method: Method, signer: object = OWNER) -> str:
        typed = encode_typed_data(full_message=typed_data(self.statement))
        message = typed if method is Method.EIP1271_TYPED else encode_defunct(text=self.text)
        return "0x" + str(signer.sign_message(message).signature.hex())  # type: ignore[attr-defined]

    def set(self, signature: str, kind: str, value: object) -> None:
        data = function_signature_to_4byte_selector(f"{signature}({kind})") + encode([kind], [value])
        to = "0x" + self.account.hex()
        self.anvil.transact({"from": self.anvil.accounts[0], "to": to, "data": "0x" + data.hex()})

    def check(self, signature: str, method: Method, said: ContractSaid) -> ControlShown:
        heights = heights_asked(self.text, said)
        canonical = {height: Hash(bytes.fromhex(self.anvil.hashes(height, height)[0][2:])) for height in heights}
        who = self.statement
        expected = Expected(who.case, who.watch, who.chain, who.holder, who.address)
        return check_control(
            *(self.text, signature, method, expected), now_s=NOW, canonical=canonical, used=frozenset(), said=said
        )


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[EthereumNode]:
    node = EthereumNode(rpc_url=url, chain_id=31337)
    try:
        await node.open()
        yield node
    finally:
        await node.close()


async def tip(node: EthereumNode, anvil: Anvil) -> BlockRef:
    found = await node.ref_at(anvil.height())
    assert found is not None
    return found


@pytest.mark.parametrize("method", [Method.EIP1271, Method.EIP1271_TYPED], ids=lambda method: method.value)
async def test_a_contract_accepts_its_owners_signature_after_the_block_that_was_named(
    anvil: Anvil, method: Method
) -> None:
    wallet = Wallet(anvil)
    signature, other = wallet.signed(method), wallet.signed(method, NEXT)
    async with opened(anvil.rpc_url) as node:
        before = await tip(node, anvil)
        call = contract_question(wallet.text, signature, method)
        shown = wallet.check(signature, method, await node.contract_signature(before, wallet.account, call))
        assert (shown.height, shown.block, shown.lane) == (before.height, before.hash, Lane.REPORTED)
        with pytest.raises(SignatureWrong, match="it answers ffffffff0"):
            question = contract_question(wallet.text, other, method)
            wallet.check(other, method, await node.contract_signature(before, wallet.account, question))

        wallet.set("hand", "address", NEXT.address)
        after = await tip(node, anvil)
        assert after.height > before.height
        with pytest.raises(SignatureWrong, match=f"after block {after.height}"):
            wallet.check(signature, method, await node.contract_signature(after, wallet.account, call))
        again = await node.contract_signature(before, wallet.account, call)  # the state is asked for by the hash
        assert wallet.check(signature, method, again) == shown


@pytest.mark.parametrize(("mood", "what"), [(1, "it reverted"), (2, "it reverted"), (3, "it answers nothing")])
async def test_a_contract_that_fails_or_says_nothing_does_not_accept(anvil: Anvil, mood: int, what: str) -> None:
    wallet = Wallet(anvil)
    signature = wallet.signed(Method.EIP1271)
    call = contract_question(wallet.text, signature, Method.EIP1271)
    wallet.set("feel", "uint256", mood)
    async with opened(anvil.rpc_url) as node:
        said = await node.contract_signature(await tip(node, anvil), wallet.account, call)
    with pytest.raises(SignatureWrong, match=what):
        wallet.check(signature, Method.EIP1271, said)


async def test_an_account_without_code_accepts_nothing(anvil: Anvil) -> None:
    wallet = Wallet(anvil)
    call = contract_question(wallet.text, "0x", Method.EIP1271)
    async with opened(anvil.rpc_url) as node:
        said = await node.contract_signature(await tip(node, anvil), Holder(bytes(19) + b"\x77"), call)
    assert (said.has_code, said.returned) == (False, b"")


async def test_a_block_that_the_node_has_left_is_missing_and_not_a_refusal(anvil: Anvil) -> None:
    wallet = Wallet(anvil)
    call = contract_call(bytes(32), b"")
    async with opened(anvil.rpc_url) as node:
        anvil.mine(2)
        left = await tip(node, anvil)
        anvil.reorg(1)
        with pytest.raises((NodeMissing, NodeUnavailable)):
            await node.contract_signature(left, wallet.account, call)


async def test_a_block_that_leaves_while_the_contract_is_asked_is_missing(anvil: Anvil) -> None:
    wallet = Wallet(anvil)
    anvil.mine(2)
    async with opened(anvil.rpc_url) as node:
        ref = await tip(node, anvil)

    def lie(asked: str, params: Sequence[Any], honest: Answer) -> Answer:
        if asked != "eth_getBlockByNumber" or params[0] != hex(ref.height):
            return honest
        return honest | {"result": honest["result"] | {"hash": "0x" + "11" * 32}}

    async with lying(anvil.rpc_url, lie) as url, opened(url) as node:
        with pytest.raises(NodeMissing, match="left block"):
            await node.contract_signature(ref, wallet.account, contract_call(bytes(32), b""))


FAILURES = (
    ({"error": {"code": -32000, "message": "missing trie node"}}, r"cannot answer for the state.*missing trie node"),
    ({"result": "0xzz"}, "'0xzz' for bytes"),
    ({"result": None}, "None for bytes"),
)


@pytest.mark.parametrize("method", ["eth_call", "eth_getCode"])
async def test_a_node_that_fails_is_unavailable_and_that_is_no_answer_of_the_contract(
    anvil: Anvil, method: str
) -> None:
    wallet = Wallet(anvil)
    call = contract_call(bytes(32), b"")
    async with opened(anvil.rpc_url) as node:
        ref = await tip(node, anvil)
    for answer, what in FAILURES:

        def lie(asked: str, _params: Sequence[Any], honest: Answer, said: Any = answer) -> Answer:
            return {"jsonrpc": "2.0", "id": honest["id"], **said} if asked == method else honest

        async with lying(anvil.rpc_url, lie) as url, opened(url) as node:
            with pytest.raises(NodeUnavailable, match=what):
                await asyncio.wait_for(node.contract_signature(ref, wallet.account, call), 10)
