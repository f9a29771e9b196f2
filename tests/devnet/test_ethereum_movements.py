"""Every way in which ether and tokens move on a real node, against the balances that the node itself reports."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_utils.abi import function_signature_to_4byte_selector
from eth_utils.crypto import keccak
from ethereum_liar import lying, without

from fixtures.anvil import Anvil
from fixtures.contracts import artifact
from tracer.types import Asset, AssetId, AssetKind, BlockFacts, ChainId, Holder, Kind, Lane, Movement, TxFacts
from watchers.ethereum.node import EthereumNode
from watchers.ethereum.scan import EthereumScanner

CHAIN = ChainId("eip155:31337")
ETHER = Asset(AssetId(f"{CHAIN}/slip44:60"), "ETH", 18, AssetKind.NATIVE)
EXCHANGE, STRANGER = Holder(bytes([0xA3]) * 20), Holder(bytes([0xA4]) * 20)


def text(holder: Holder) -> str:
    return "0x" + holder.hex()


def account(address: str) -> Holder:
    return Holder(bytes.fromhex(address[2:]))


# two of the accounts whose keys the node has: a transaction of an impersonated account has bytes of another hash
SEIZED = account("0x70997970c51812dc3a010c7d01b50e0d17dc79c8")
AGENCY = account("0x3c44cdddb6a900fa2b585dd299e03d12fa4293bc")


class Play:
    """Sends transactions on a real node as anyone, and asks it for balances; knows nothing of the code under test."""

    def __init__(self, anvil: Anvil) -> None:
        self.anvil = anvil
        self.rich, seized, agency = (account(address) for address in anvil.accounts[:3])
        assert (seized, agency) == (SEIZED, AGENCY)

    def send(self, sender: Holder, to: Holder | None, data: bytes = b"", value: int = 0) -> dict[str, Any]:
        """One transaction in a block of its own; its gas is named, so that one that fails is mined as well."""
        request = {
            "from": text(sender),
            "data": "0x" + data.hex(),
            "value": hex(value),
            "gas": hex(2_000_000),
        }
        return self.anvil.transact(request if to is None else {**request, "to": text(to)})

    def deploy(self, name: str, types: Sequence[str] = (), args: Sequence[Any] = ()) -> Holder:
        code = bytes.fromhex(artifact(name)["bytecode"][2:]) + encode(list(types), list(args))
        return account(self.send(self.rich, None, code)["contractAddress"])

    def call(self, sender: Holder, to: Holder, signature: str, *args: Any, value: int = 0) -> dict[str, Any]:
        return self.send(sender, to, data_of(signature, *args), value)

    def ether(self, holder: Holder, height: int) -> int:
        return int(self.anvil.rpc("eth_getBalance", text(holder), hex(height)), 16)

    def tokens(self, token: Holder, holder: Holder, height: int) -> int:
        call = {"to": text(token), "data": "0x" + data_of("balanceOf(address)", text(holder)).hex()}
        answer = self.anvil.rpc("eth_call", call, hex(height))
        return int(answer, 16) if answer != "0x" else 0


def data_of(signature: str, *args: Any) -> bytes:
    types = signature[signature.index("(") + 1 : -1].split(",") if "()" not in signature else []
    return function_signature_to_4byte_selector(signature) + encode(types, args)


@pytest.fixture(scope="module")
def play(shared_anvil: Anvil) -> Play:
    return Play(shared_anvil)


@pytest.fixture(params=[(), ("trace_block",)], ids=["trace_block", "callTracer"])
async def node(play: Play, request: pytest.FixtureRequest) -> AsyncIterator[EthereumNode]:
    """A node as it is, and one that has only geth's tracer."""
    async with lying(play.anvil.rpc_url, without(*request.param)) as url, opened(url) as node:
        yield node


@asynccontextmanager
async def opened(url: str, **options: Any) -> AsyncIterator[EthereumNode]:
    node = EthereumNode(rpc_url=url, chain_id=31337, **options)
    try:
        await node.open()
        yield node
    finally:
        await node.close()


def scanner_for(*listed: Holder) -> EthereumScanner:
    tokens = [Asset(token_id(token), "TOK", 6, AssetKind.LISTED) for token in listed]
    scanner = EthereumScanner(CHAIN, ETHER, tokens)
    scanner.watch([SEIZED, AGENCY])
    return scanner


def token_id(token: Holder) -> AssetId:
    return AssetId(f"{CHAIN}/erc20:{text(token)}")


async def read(node: EthereumNode, told: dict[str, Any], *listed: Holder) -> BlockFacts:
    """Read the block of a receipt."""
    ref = await node.ref_at(int(told["blockNumber"], 16))
    assert ref is not None and "0x" + ref.hash.hex() == told["blockHash"]
    scanner = scanner_for(*listed)
    draft = scanner.scan(await node.block(ref))
    found = scanner.complete(draft, await node.answer(draft))
    assert draft.skipped == ()
    return found


async def explained(node: EthereumNode, play: Play, told: dict[str, Any], *listed: Holder) -> list[Movement]:
    """Read the block of a receipt with one hit, and hold it against the balances before and after."""
    facts = await read(node, told, *listed)
    height = facts.ref.height
    for holder in (SEIZED, AGENCY):
        change = play.ether(holder, height) - play.ether(holder, height - 1)
        assert net(facts, ETHER.id, holder) == change
        for token in listed:
            change = play.tokens(token, holder, height) - play.tokens(token, holder, height - 1)
            assert net(facts, token_id(token), holder) == change
    assert facts.header is not None and keccak(facts.header) == facts.ref.hash
    (tx,) = facts.transactions
    assert keccak(tx.raw) == tx.txid and "0x" + tx.txid.hex() == told["transactionHash"]
    return list(tx.movements)


def net(facts: BlockFacts, asset: AssetId, holder: Holder) -> int:
    moves = [move for tx in facts.transactions for move in tx.movements if move.asset == asset]
    return sum(m.amount for m in moves if m.target == holder) - sum(m.amount for m in moves if m.source == holder)


def fee(told: dict[str, Any], payer: Holder) -> Movement:
    amount = int(told["gasUsed"], 16) * int(told["effectiveGasPrice"], 16)
    return Movement(Kind.FEE, 0, ETHER.id, amount, payer, None, lane=Lane.PROVEN)


def ether(index: int, amount: int, source: Holder, target: Holder) -> Movement:
    """Value of a transaction itself (index 0) is proven, that of its inner calls reported."""
    lane = Lane.REPORTED if index else Lane.PROVEN
    return Movement(Kind.TRACE, index, ETHER.id, amount, source, target, lane=lane)


async def test_a_plain_payment(node: EthereumNode, play: Play) -> None:
    told = play.send(play.rich, SEIZED, value=7)
    assert await explained(node, play, told) == [ether(0, 7, play.rich, SEIZED)]
    told = play.send(SEIZED, AGENCY, value=5)
    assert await explained(node, play, told) == [fee(told, SEIZED), ether(0, 5, SEIZED, AGENCY)]


async def test_a_payment_to_itself_costs_the_fee(node: EthereumNode, play: Play) -> None:
    told = play.send(SEIZED, SEIZED, value=5)
    assert await explained(node, play, told) == [fee(told, SEIZED), ether(0, 5, SEIZED, SEIZED)]


async def test_a_payment_through_a_contract(node: EthereumNode, play: Play) -> None:
    forwarder = play.deploy("Forwarder")
    told = play.call(SEIZED, forwarder, "forward(address)", text(AGENCY), value=9)
    assert await explained(node, play, told) == [
        fee(told, SEIZED),
        ether(0, 9, SEIZED, forwarder),
        ether(1, 9, forwarder, AGENCY),
    ]


async def test_several_watched_and_strange_accounts_in_one_transaction(node: EthereumNode, play: Play) -> None:
    forwarder = play.deploy("Forwarder")
    paid = [text(holder) for holder in (AGENCY, STRANGER, SEIZED, EXCHANGE)]
    told = play.call(play.rich, forwarder, "split(address[],uint256[])", paid, [1, 2, 3, 0], value=6)
    assert await explained(node, play, told) == [
        ether(0, 6, play.rich, forwarder),
        ether(1, 1, forwarder, AGENCY),
        ether(2, 2, forwarder, STRANGER),
        ether(3, 3, forwarder, SEIZED),
    ]


async def test_a_reverted_frame_moves_nothing_although_the_transaction_succeeds(node: EthereumNode, play: Play) -> None:
    reverter = play.deploy("Reverter")
    told = play.call(play.rich, reverter, "swallow(address)", text(SEIZED), value=4)
    assert told["status"] == "0x1"
    assert (await read(node, told)).transactions == ()
    told = play.call(SEIZED, reverter, "swallowThenPay(address,address)", text(AGENCY), text(AGENCY), value=8)
    moves = await explained(node, play, told)
    assert [(move.kind, move.amount, move.target) for move in moves] == [
        (Kind.FEE, fee(told, SEIZED).amount, None),
        (Kind.TRACE, 8, reverter),
        (Kind.TRACE, 4, AGENCY),
    ]


async def test_a_failed_transaction_costs_its_fee_only(node: EthereumNode, play: Play) -> None:
    reverter = play.deploy("Reverter")
    told = play.call(SEIZED, reverter, "payThenFail(address)", text(AGENCY), value=4)
    assert told["status"] == "0x0"
    assert await explained(node, play, told) == [fee(told, SEIZED)]
    told = play.send(SEIZED, None, bytes.fromhex("5f5ffd"), value=3)  # a creation that reverts
    assert told["status"] == "0x0"
    assert await explained(node, play, told) == [fee(told, SEIZED)]
    told = play.call(play.rich, reverter, "payThenFail(address)", text(AGENCY), value=4)
    assert (await read(node, told)).transactions == ()


async def test_a_creation_with_value(node: EthereumNode, play: Play) -> None:
    code = bytes.fromhex(artifact("SelfDestructor")["bytecode"][2:])
    told = play.send(SEIZED, None, code, value=6)
    created = account(told["contractAddress"])
    assert await explained(node, play, told) == [fee(told, SEIZED), ether(0, 6, SEIZED, created)]

    factory = play.deploy("Factory")
    told = play.call(SEIZED, factory, "create()", value=6)
    inner = account("0x" + told["logs"][0]["data"][-40:])
    assert await explained(node, play, told) == [
        fee(told, SEIZED),
        ether(0, 6, SEIZED, factory),
        ether(1, 6, factory, inner),
    ]
    assert play.ether(inner, int(told["blockNumber"], 16)) == 6


async def test_a_self_destruct_pays_without_call_or_log(node: EthereumNode, play: Play) -> None:
    code = bytes.fromhex(artifact("SelfDestructor")["bytecode"][2:])
    bomb = account(play.send(play.rich, None, code, value=6)["contractAddress"])
    told = play.call(play.rich, bomb, "destroy(address)", text(SEIZED), value=0)
    assert told["logs"] == []
    assert await explained(node, play, told) == [ether(1, 6, bomb, SEIZED)]


async def test_a_contract_that_lives_for_one_transaction(node: EthereumNode, play: Play) -> None:
    factory = play.deploy("Factory")
    told = play.call(play.rich, factory, "createAndDestroy(address)", text(SEIZED), value=6)
    inner = account("0x" + told["logs"][0]["data"][-40:])
    assert await explained(node, play, told) == [
        ether(0, 6, play.rich, factory),
        ether(1, 6, factory, inner),
        ether(3, 6, inner, SEIZED),
    ]


async def test_a_listed_token(node: EthereumNode, play: Play) -> None:
    token = play.deploy("Token", ["string", "string"], ["Dollar", "USD"])
    nobody = Holder(bytes(20))
    told = play.call(play.rich, token, "mint(address,uint256)", text(SEIZED), 10**30)
    index = int(told["logs"][0]["logIndex"], 16)
    minted = Movement(Kind.LOG, index, token_id(token), 10**30, nobody, SEIZED)
    assert await explained(node, play, told, token) == [minted]
    told = play.call(SEIZED, token, "transfer(address,uint256)", text(AGENCY), 250)
    paid = Movement(Kind.LOG, index, token_id(token), 250, SEIZED, AGENCY)
    assert await explained(node, play, told, token) == [fee(told, SEIZED), paid]
    assert (await read(node, told, token)).new_assets == ()


async def test_a_token_taken_by_a_third_party_is_seen_without_a_transaction_of_its_owner(
    node: EthereumNode, play: Play
) -> None:
    token = play.deploy("Token", ["string", "string"], ["Dollar", "USD"])
    play.call(play.rich, token, "mint(address,uint256)", text(SEIZED), 100)
    play.call(SEIZED, token, "approve(address,uint256)", text(play.rich), 100)
    told = play.call(play.rich, token, "transferFrom(address,address,uint256)", text(SEIZED), text(STRANGER), 60)
    (move,) = await explained(node, play, told, token)
    assert (move.source, move.target, move.amount) == (SEIZED, STRANGER, 60)


async def test_a_transfer_of_nothing_is_kept(node: EthereumNode, play: Play) -> None:
    token = play.deploy("Token", ["string", "string"], ["Dollar", "USD"])
    told = play.call(play.rich, token, "transferFrom(address,address,uint256)", text(SEIZED), text(STRANGER), 0)
    (move,) = await explained(node, play, told, token)
    assert (move.kind, move.amount, move.source, move.target) == (Kind.LOG, 0, SEIZED, STRANGER)


async def test_a_fake_token_is_kept_as_unlisted(node: EthereumNode, play: Play) -> None:
    fake = play.deploy("FakeToken", ["string", "string"], ["Dollar", "USD"])
    told = play.call(play.rich, fake, "announce(address,address,uint256)", text(SEIZED), text(AGENCY), 2**256 - 1)
    facts = await read(node, told)
    assert [move.amount for tx in facts.transactions for move in tx.movements] == [2**256 - 1]
    assert facts.new_assets == (Asset(token_id(fake), "", 0, AssetKind.UNLISTED),)
    assert play.tokens(fake, AGENCY, facts.ref.height) == 0


async def test_a_collectible_is_not_an_amount(node: EthereumNode, play: Play) -> None:
    nft = play.deploy("Nft")
    told = play.call(play.rich, nft, "mint(address,uint256)", text(SEIZED), 10**40)
    asset = AssetId(f"{CHAIN}/erc721:{text(nft)}/{10**40}")
    (move,) = await explained(node, play, told)
    assert (move.asset, move.amount, move.target) == (asset, 1, SEIZED)
    assert (await read(node, told)).new_assets == (Asset(asset, "", 0, AssetKind.NFT),)


async def test_many_transactions_in_one_block(node: EthereumNode, play: Play) -> None:
    anvil = play.anvil
    token = play.deploy("Token", ["string", "string"], ["Dollar", "USD"])
    play.call(play.rich, token, "mint(address,uint256)", text(SEIZED), 1000)
    anvil.rpc("evm_setAutomine", False)
    nonces = {
        sender: int(anvil.rpc("eth_getTransactionCount", text(sender), "latest"), 16) for sender in (SEIZED, AGENCY)
    }
    gas = {"gas": hex(200_000)}
    sent: list[str] = []
    for step in range(20):
        for sender, to in ((SEIZED, AGENCY), (AGENCY, SEIZED)):
            request = {"from": text(sender), "nonce": hex(nonces[sender] + step), **gas}
            if step % 2:
                data = data_of("transfer(address,uint256)", text(to), step if sender is SEIZED else 1)
                request |= {"to": text(token), "data": "0x" + data.hex()}
            else:
                request |= {"to": text(to), "value": hex(1000 + step)}
            sent.append(anvil.rpc("eth_sendTransaction", request))
    (mined,) = anvil.mine()
    anvil.rpc("evm_setAutomine", True)
    facts = await read(node, anvil.receipt(sent[0]), token)
    height = facts.ref.height
    assert "0x" + facts.ref.hash.hex() == mined and len(facts.transactions) == 40
    assert {tx.txid.hex() for tx in facts.transactions} == {tx[2:] for tx in sent}
    assert [tx.position for tx in facts.transactions] == list(range(40))
    for holder in (SEIZED, AGENCY):
        assert net(facts, ETHER.id, holder) == play.ether(holder, height) - play.ether(holder, height - 1)
        change = play.tokens(token, holder, height) - play.tokens(token, holder, height - 1)
        assert net(facts, token_id(token), holder) == change
    for tx in facts.transactions:
        _check_fee(tx, anvil.receipt("0x" + tx.txid.hex()))


def _check_fee(tx: TxFacts, told: dict[str, Any]) -> None:
    paid = [move for move in tx.movements if move.kind is Kind.FEE]
    assert paid == [fee(told, account(told["from"]))]


@pytest.mark.parametrize("verify", ["all", "hits"])
async def test_priority_fees_to_a_watched_miner_are_income_of_each_transaction(play: Play, verify: str) -> None:
    anvil = play.anvil
    anvil.rpc("anvil_setCoinbase", text(SEIZED))
    anvil.rpc("evm_setAutomine", False)
    nonce = int(anvil.rpc("eth_getTransactionCount", text(play.rich), "latest"), 16)
    base = {"from": text(play.rich), "to": text(STRANGER), "value": "0x1", "gas": hex(21_000)}
    tips = [{"maxFeePerGas": hex(10**11), "maxPriorityFeePerGas": hex(tip)} for tip in (3 * 10**9, 0, 7)]
    prices = [*tips, {"gasPrice": hex(10**11)}]
    for step, price in enumerate(prices):
        anvil.rpc("eth_sendTransaction", {**base, **price, "nonce": hex(nonce + step)})
    anvil.mine()
    anvil.rpc("evm_setAutomine", True)
    anvil.rpc("anvil_setCoinbase", "0x" + "00" * 20)
    height = anvil.height()
    scanner = scanner_for()
    async with opened(anvil.rpc_url, verify=verify, concerns=scanner.concerns) as node:
        before = await node.ref_at(height - 1)
        assert before is not None
        ((_, raw),) = [pair async for pair in node.blocks(before, height)]
        facts = scanner.scan(raw)
    assert facts.transactions == () and facts.skipped == () and facts.header is not None
    assert {(move.kind, move.lane, move.source, move.target) for move in facts.loose} == {
        (Kind.REWARD, Lane.PROVEN, None, SEIZED)
    }
    assert [move.index for move in facts.loose] == [0, 2, 3]
    change = play.ether(SEIZED, height) - play.ether(SEIZED, height - 1)
    assert sum(move.amount for move in facts.loose) == change > 0


async def test_without_a_tracer_top_level_payments_are_found_and_internal_ones_named_as_unobserved(
    play: Play,
) -> None:
    forwarder, reverter = play.deploy("Forwarder"), play.deploy("Reverter")
    plain = play.send(SEIZED, AGENCY, value=5)
    inner = play.call(play.rich, forwarder, "forward(address)", text(AGENCY), value=9)
    failed = play.call(SEIZED, reverter, "payThenFail(address)", text(AGENCY), value=4)
    lie = without("trace_block", "debug_traceBlockByHash")
    async with lying(play.anvil.rpc_url, lie) as url, opened(url, traces="off") as node:
        found = []
        for told in (plain, inner, failed):
            ref = await node.ref_at(int(told["blockNumber"], 16))
            assert ref is not None
            scanner = scanner_for()
            draft = scanner.scan(await node.block(ref))
            assert draft.skipped == ("internal transfers unobserved",)
            facts = scanner.complete(draft, await node.answer(draft))
            found.append([list(tx.movements) for tx in facts.transactions])
    assert found == [[[fee(plain, SEIZED), ether(0, 5, SEIZED, AGENCY)]], [], [[fee(failed, SEIZED)]]]
