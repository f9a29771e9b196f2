"""What the Ethereum node adapter asks a real node, and what it makes of answers that are late, other or false."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_utils.abi import function_signature_to_4byte_selector
from eth_utils.crypto import keccak
from ethereum_liar import Answer, Lie, lying, without
from harness.relay import Relay

from fixtures.anvil import Anvil
from fixtures.contracts import artifact
from tracer.errors import Inconsistent, NodeLacks, NodeMissing, NodeUnavailable, WrongNetwork
from tracer.types import Asset, AssetId, AssetKind, BlockRef, ChainId, Checked, Hash, Holder
from tracer.value import Want
from watchers.ethereum.node import EthereumNode
from watchers.ethereum.raw import RawBlock
from watchers.ethereum.scan import EthereumScanner

CHAIN = ChainId("eip155:31337")
ETHER = Asset(AssetId(f"{CHAIN}/slip44:60"), "ETH", 18, AssetKind.NATIVE)
NOBODY = Hash(bytes(32))


@asynccontextmanager
async def opened(url: str, **options: Any) -> AsyncIterator[EthereumNode]:
    node = EthereumNode(rpc_url=url, chain_id=31337, **options)
    try:
        await node.open()
        yield node
    finally:
        await node.close()


@asynccontextmanager
async def through(anvil: Anvil, lie: Lie, **options: Any) -> AsyncIterator[EthereumNode]:
    async with lying(anvil.rpc_url, lie) as url, opened(url, **options) as node:
        yield node


def pay(anvil: Anvil, value: int = 1, **more: str) -> dict[str, Any]:
    sender, receiver = anvil.accounts[:2]
    return anvil.transact({"from": sender, "to": receiver, "value": hex(value), **more})


def holder(address: str) -> Holder:
    return Holder(bytes.fromhex(address[2:]))


def token_asset(contract: str, decimals: int = 6) -> Asset:
    return Asset(AssetId(f"{CHAIN}/erc20:{contract}"), "USD", decimals, AssetKind.LISTED)


def deploy_token(anvil: Anvil) -> str:
    code = artifact("Token")["bytecode"] + encode(["string", "string"], ["Dollar", "USD"]).hex()
    contract: str = anvil.transact({"from": anvil.accounts[0], "data": code})["contractAddress"]
    return contract


def mint(anvil: Anvil, contract: str, to: str, amount: int) -> None:
    data = function_signature_to_4byte_selector("mint(address,uint256)") + encode(["address", "uint256"], [to, amount])
    anvil.transact({"from": anvil.accounts[0], "to": contract, "data": "0x" + data.hex()})


async def at(node: EthereumNode, height: int) -> BlockRef:
    ref = await node.ref_at(height)
    assert ref is not None
    return ref


async def streamed(node: EthereumNode, after: BlockRef, upto: int) -> list[tuple[BlockRef, RawBlock]]:
    return [pair async for pair in node.blocks(after, upto)]


# --- the right network


async def test_a_node_tells_its_genesis(anvil: Anvil) -> None:
    (genesis,) = anvil.hashes(0, 0)
    async with opened(anvil.rpc_url) as node:
        assert (await node.open()).hex() == genesis[2:]
        assert await at(node, 0) == BlockRef(0, Hash(bytes.fromhex(genesis[2:])), NOBODY)
        assert await node.ref_at(1) is None


async def test_a_node_of_another_network_is_refused(anvil: Anvil) -> None:
    for options in ({"chain_id": 1}, {"chain_id": 31337, "genesis": NOBODY}):
        node = EthereumNode(rpc_url=anvil.rpc_url, **options)
        with pytest.raises(WrongNetwork):
            await node.open()
        await node.close()
    await node.close()


# --- the node's view


async def test_the_view_names_best_block_tags_and_the_neighbours_of_our_tip(anvil: Anvil) -> None:
    async with opened(anvil.rpc_url) as node:
        first = await at(node, 0)
        view = await node.view(first)
        assert (view.best, view.hash_at_tip, view.above) == (first, first.hash, None)
        anvil.mine(7)
        view = await node.view(await at(node, 3))
        assert view.best == await at(node, 7)
        assert view.hash_at_tip == (await at(node, 3)).hash
        assert view.above == await at(node, 4)
        assert (view.safe, view.finalized) == (5, 3)
        assert view.tip_invalid is False


async def test_a_shorter_chain_has_no_block_at_our_tip(anvil: Anvil) -> None:
    async with opened(anvil.rpc_url) as node:
        anvil.mine(5)
        tip = await at(node, 5)
        anvil.rollback(3)
        view = await node.view(tip)
        assert (view.best.height, view.hash_at_tip, view.above) == (2, None, None)


async def test_a_replaced_block_at_our_height_is_seen(anvil: Anvil) -> None:
    async with opened(anvil.rpc_url) as node:
        anvil.mine(5)
        tip = await at(node, 5)
        (replaced,) = anvil.reorg(1)
        view = await node.view(tip)
        assert view.hash_at_tip is not None and view.hash_at_tip != tip.hash
        assert "0x" + view.hash_at_tip.hex() == replaced


@pytest.mark.parametrize("said", [{"result": None}, {"error": {"code": -39001, "message": "unknown block"}}])
async def test_tags_that_the_node_does_not_have_are_unknown(anvil: Anvil, said: dict[str, Any]) -> None:
    def lie(method: str, params: Sequence[Any], answer: Answer) -> Answer:
        return {"jsonrpc": "2.0", "id": answer["id"], **said} if params[:1] in (["safe"], ["finalized"]) else answer

    async with through(anvil, lie) as node:
        view = await node.view(await at(node, 0))
        assert (view.best.height, view.safe, view.finalized) == (0, None, None)


async def test_a_node_that_contradicts_itself_about_its_tip_is_asked_again_later(anvil: Anvil) -> None:
    def lie(method: str, params: Sequence[Any], answer: Answer) -> Answer:
        return {**answer, "result": None} if params[:1] == ["0x2"] else answer

    anvil.mine(3)
    async with through(anvil, lie) as node:
        with pytest.raises(NodeUnavailable):
            await node.view(BlockRef(2, NOBODY, NOBODY))


# --- blocks


async def test_catching_up_delivers_what_asking_one_by_one_delivers(anvil: Anvil) -> None:
    contract = deploy_token(anvil)
    for value in range(1, 80):
        if value % 3:
            pay(anvil, value)
        else:
            mint(anvil, contract, anvil.accounts[1], value)
        if value % 5 == 0:
            anvil.mine(2)
    tip = anvil.height()
    scanner = EthereumScanner(CHAIN, ETHER)
    scanner.watch([holder(anvil.accounts[1])])
    async with opened(anvil.rpc_url) as node:
        found = await streamed(node, await at(node, 0), tip)
        assert [ref.height for ref, _ in found] == list(range(1, tip + 1))
        for ref, raw in found:
            assert ref == await at(node, ref.height)
            one = await node.block(ref)
            assert (raw.header, raw.traces) == (one.header, one.traces)
            assert scanner.scan(raw) == scanner.scan(one)
        assert [ref.height for ref, _ in await streamed(node, found[49][0], 53)] == [51, 52, 53]
        assert await streamed(node, found[-1][0], tip) == []
        assert [ref.height for ref, _ in await streamed(node, found[-2][0], tip + 100)] == [tip]


async def test_a_stream_ends_where_the_node_no_longer_continues_it(anvil: Anvil) -> None:
    anvil.mine(150)
    async with opened(anvil.rpc_url, in_flight=1) as node:
        seen: list[BlockRef] = []
        async for ref, _raw in node.blocks(await at(node, 0), 150):
            seen.append(ref)
            if ref.height == 5:
                anvil.reorg(120)
        assert seen == [ref for ref in seen if ref.height <= 64] and len(seen) < 150
        for earlier, later in pairwise(seen):
            assert later.parent == earlier.hash
        orphan = BlockRef(149, Hash(b"\x01" * 32), NOBODY)
        assert await streamed(node, orphan, 150) == []


async def test_a_reorg_while_streaming_never_mixes_branches(anvil: Anvil) -> None:
    """Blocks with payments are reorganised while they are read; whatever comes out is whole and linked."""
    sender, receiver = anvil.accounts[:2]
    for value in range(60):
        pay(anvil, value)
    scanner = EthereumScanner(CHAIN, ETHER)
    scanner.watch([holder(receiver)])
    ended_early = 0

    def reorganise() -> None:
        for turn in range(25):
            requests = [{"from": sender, "to": receiver, "value": hex(turn + place)} for place in range(30)]
            anvil.reorg(50, [(request, place) for place, request in enumerate(requests)])

    async with opened(anvil.rpc_url) as node:
        background = asyncio.create_task(asyncio.to_thread(reorganise))
        while not background.done():
            tip = await at(node, 0)
            async for ref, raw in node.blocks(tip, 60):
                assert ref.parent == tip.hash
                scanner.scan(raw)
                tip = ref
            ended_early += tip.height < 60
        await background
        found = await streamed(node, await at(node, 0), 60)
        assert found[-1][0] == await at(node, 60)
    assert ended_early > 0


async def test_a_reorg_between_headers_and_their_blocks_ends_the_stream(anvil: Anvil) -> None:
    for value in range(30):
        pay(anvil, value)
    done: list[str] = []

    def lie(method: str, params: Sequence[Any], answer: Answer) -> Answer:
        if method == "eth_getBlockByNumber" and params[0] == hex(30) and not done:
            done.extend(anvil.reorg(20))
        return answer

    async with through(anvil, lie) as node:
        first = await at(node, 0)
        before = [ref.height for ref, _ in await streamed(node, first, 30)]
        assert before == list(range(1, len(before) + 1)) and 10 <= len(before) < 30
        assert done
        assert [ref.height for ref, _ in await streamed(node, first, 30)] == list(range(1, 31))


async def test_a_stream_ends_at_the_first_block_that_is_gone_even_if_later_ones_are_there(
    anvil: Anvil,
) -> None:
    hashes = anvil.mine(20)

    def lie(_method: str, params: Sequence[Any], answer: Answer) -> Answer:
        about = params[0].get("blockHash") if params and isinstance(params[0], dict) else params[:1]
        return {**answer, "result": None} if about in (hashes[9], hashes[9:10]) else answer

    async with through(anvil, lie) as node:
        assert [ref.height for ref, _ in await streamed(node, await at(node, 0), 20)] == list(range(1, 10))


async def test_traces_of_a_new_branch_mean_that_the_block_was_left(anvil: Anvil) -> None:
    pay(anvil)
    done: list[str] = []

    def lie(method: str, _params: Sequence[Any], answer: Answer) -> Answer:
        if method == "trace_block" and answer["result"]:
            done.extend(anvil.reorg(1))
            return {**answer, "result": [{**frame, "blockHash": done[0]} for frame in answer["result"]]}
        return answer

    async with through(anvil, lie) as node:
        with pytest.raises(NodeMissing, match="left block 1"):
            await node.block(await at(node, 1))
    assert done


async def test_a_transaction_that_the_node_gave_up_tracing_is_asked_for_again(anvil: Anvil) -> None:
    told = pay(anvil)
    given_up = {"txHash": told["transactionHash"], "error": "execution timeout"}
    gives_up = True

    def lie(method: str, params: Sequence[Any], answer: Answer) -> Answer:
        if method == "debug_traceBlockByHash" and gives_up:
            return {**answer, "result": [given_up]}
        return without("trace_block")(method, params, answer)

    async with through(anvil, lie) as node:
        ref = await at(node, 1)
        with pytest.raises(NodeUnavailable, match=f"{told['transactionHash']}: execution timeout"):
            await node.block(ref)
        with pytest.raises(NodeUnavailable, match="execution timeout"):
            await streamed(node, await at(node, 0), 1)
        gives_up = False
        assert len((await node.block(ref)).traces) == 1


@pytest.mark.parametrize("traced", [[{}], [{"txHash": "0x01", "result": {}}], [None], ["0x"], 5, {"a": 1}, None])
async def test_traces_in_no_known_shape_are_refused(anvil: Anvil, traced: Any) -> None:
    pay(anvil)

    def lie(method: str, params: Sequence[Any], answer: Answer) -> Answer:
        if method == "debug_traceBlockByHash":
            return {**answer, "result": traced}
        return without("trace_block")(method, params, answer)

    async with through(anvil, lie) as node:
        with pytest.raises((Inconsistent, NodeUnavailable)):
            await node.block(await at(node, 1))


async def test_a_block_with_nothing_but_a_reward_is_empty(anvil: Anvil) -> None:
    names = [*anvil.hashes(0, 0), *anvil.mine(2)]

    def lie(method: str, params: Sequence[Any], answer: Answer) -> Answer:
        if method != "trace_block":
            return answer
        action = {"author": "0x" + "0c" * 20, "value": "0x5", "rewardType": "block"}
        return {**answer, "result": [{"type": "reward", "action": action, "blockHash": names[int(params[0], 16)]}]}

    scanner = EthereumScanner(CHAIN, ETHER)
    async with through(anvil, lie) as node:
        assert scanner.scan(await node.block(await at(node, 1))).transactions == ()
        [(_, raw)] = await streamed(node, await at(node, 1), 2)
        assert scanner.scan(raw).transactions == ()


async def test_a_stream_that_is_left_ends_its_requests(anvil: Anvil) -> None:
    anvil.mine(200)
    async with opened(anvil.rpc_url) as node:
        before = len(asyncio.all_tasks())
        async with aclosing(node.blocks(await at(node, 0), 200)) as blocks:
            async for ref, _raw in blocks:
                if ref.height == 3:
                    break
        assert len(asyncio.all_tasks()) == before
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01), aclosing(node.blocks(await at(node, 0), 200)) as blocks:
                async for _ in blocks:
                    await asyncio.sleep(0.01)
        assert len(asyncio.all_tasks()) == before


async def test_a_block_the_node_has_left_is_missing(anvil: Anvil) -> None:
    pay(anvil)
    anvil.mine(2)
    async with opened(anvil.rpc_url) as node:
        orphan = await at(node, 1)
        anvil.reorg(3)
        with pytest.raises(NodeMissing):
            await node.block(orphan)
        with pytest.raises(NodeMissing):
            await node.block(BlockRef(2, Hash(b"\x07" * 32), NOBODY))


@pytest.mark.parametrize("method", ["eth_getLogs", "eth_getBlockReceipts"])
async def test_a_block_that_is_reorganised_away_while_it_is_asked_for_is_missing(anvil: Anvil, method: str) -> None:
    told = pay(anvil)
    raw = anvil.rpc("eth_getRawTransactionByHash", told["transactionHash"])
    anvil.mine()
    done: list[str] = []

    def lie(asked: str, _params: Sequence[Any], answer: Answer) -> Answer:
        if asked == "eth_getLogs" and method != asked:
            return {**answer, "result": None}  # then receipts are asked for
        if asked == method and not done:
            done.extend(anvil.reorg(2, [(raw, 1)]))
            return {"jsonrpc": "2.0", "id": answer["id"], "error": {"code": -32000, "message": "unknown block"}}
        return answer

    async with through(anvil, lie) as node:
        with pytest.raises(NodeMissing, match="left block 1"):
            await node.block(await at(node, 1))
    assert anvil.receipt(told["transactionHash"])["blockHash"] == done[1]


# --- balances


async def balances(
    node: EthereumNode, ref: BlockRef, holders: Sequence[Holder], assets: Sequence[Asset]
) -> dict[tuple[Holder, AssetId], int]:
    """The amounts, all of which the node must have."""
    wants = [Want(holder, asset.id) for holder in holders for asset in assets]
    told = await node.balances(ref, wants)
    assert len(told.found) == len(wants)
    return {key: balance.amount for key, balance in told.found.items()}


async def test_balances_are_those_after_the_block_that_is_named(anvil: Anvil) -> None:
    contract = deploy_token(anvil)
    token, many = token_asset(contract), [Holder(bytes([number]) * 20) for number in range(1, 220)]
    accounts = [holder(address) for address in anvil.accounts[:2]]
    mint(anvil, contract, anvil.accounts[1], 10**40)
    pay(anvil, 12345)
    async with opened(anvil.rpc_url) as node:
        minted = await at(node, 2)
        found = await balances(node, minted, [*accounts, *many], [ETHER, token])
        assert len(found) == 2 * 221
        for account in accounts:
            said = int(anvil.rpc("eth_getBalance", "0x" + account.hex(), "0x2"), 16)
            assert found[account, ETHER.id] == said
        assert found[accounts[1], token.id] == 10**40
        assert {found[account, token.id] for account in many} == {0}
        before = await balances(node, await at(node, 0), accounts, [token])
        assert set(before.values()) == {0}  # the contract did not exist


@pytest.mark.parametrize("in_flight", [1, 3])
async def test_many_balances_are_asked_for_in_several_requests_at_once(anvil: Anvil, in_flight: int) -> None:
    token = token_asset(deploy_token(anvil))
    many = [Holder(number.to_bytes(20, "big")) for number in range(0x10000, 0x10000 + 1500)]
    for place in (0, 199, 200, 1499):
        mint(anvil, token.id.rpartition(":")[2], "0x" + many[place].hex(), place + 1)
        anvil.rpc("anvil_setBalance", "0x" + many[place].hex(), hex(place + 7))
    anvil.mine()
    with Relay(anvil.port, delay_s=0.05) as relay:
        async with opened(f"http://127.0.0.1:{relay.port}", in_flight=in_flight) as node:
            found = await balances(node, await at(node, anvil.height()), many, [ETHER, token])
            assert len(asyncio.all_tasks()) == 1, "no request is left over"
    assert relay.most_at_once == in_flight
    assert {place: found[many[place], token.id] for place in range(1500) if found[many[place], token.id]} == {
        place: place + 1 for place in (0, 199, 200, 1499)
    }
    assert [found[many[place], ETHER.id] for place in (0, 199, 200, 1499)] == [7, 206, 207, 1506]


async def test_balances_of_a_block_the_node_has_left_are_missing(anvil: Anvil) -> None:
    contract = deploy_token(anvil)
    account = holder(anvil.accounts[0])
    async with opened(anvil.rpc_url) as node:
        orphan = await at(node, 1)
        anvil.reorg(1)
        for asset in (ETHER, token_asset(contract)):
            with pytest.raises(NodeMissing):
                await balances(node, orphan, [account], [asset])


async def test_a_contract_that_is_no_token_has_no_balances(anvil: Anvil) -> None:
    code = artifact("Reverter")["bytecode"]
    contract = anvil.transact({"from": anvil.accounts[0], "data": code})["contractAddress"]
    async with opened(anvil.rpc_url) as node:
        with pytest.raises(Inconsistent, match=contract):
            await balances(node, await at(node, 1), [holder(contract)], [token_asset(contract)])
        nft = Asset(AssetId(f"{CHAIN}/erc721:{contract}/1"), "", 0, AssetKind.NFT)
        with pytest.raises(ValueError, match="not an ERC-20"):
            await balances(node, await at(node, 1), [holder(contract)], [nft])


# --- what a node lacks


async def test_a_node_that_can_answer_lacks_nothing(anvil: Anvil) -> None:
    contract = deploy_token(anvil)
    async with opened(anvil.rpc_url, tokens=[token_asset(contract)]) as node:
        assert await node.lacks(0) == []
        assert await node.lacks(1) == []


async def test_a_node_that_ends_below_the_oldest_height_lacks_it(anvil: Anvil) -> None:
    async with opened(anvil.rpc_url) as node:
        assert await node.lacks(0) == []
        (lack,) = await node.lacks(5)
        assert "block 5" in lack.what and "synchronise" in lack.remedy


async def test_each_thing_a_node_lacks_is_named_with_its_remedy(anvil: Anvil) -> None:
    anvil.mine(3)
    gone = {"code": -32000, "message": "missing trie node"}

    def pruned(method: str, params: Sequence[Any], answer: Answer) -> Answer:
        if method in ("eth_getBalance", "trace_block"):
            return {"jsonrpc": "2.0", "id": answer["id"], "error": gone}
        return answer

    async with through(anvil, pruned) as node:
        state, traces = await node.lacks(1)
        assert "balances at block 1" in state.what and "archive" in state.remedy
        assert "traces of block 1" in traces.what and "archive" in traces.remedy
    async with through(anvil, without("eth_getBlockReceipts")) as node:
        (lack,) = await node.lacks(1)
        assert "eth_getBlockReceipts" in lack.what
    async with through(anvil, without("trace_block")) as node:
        assert await node.lacks(1) == []
    async with through(anvil, without("trace_block", "debug_traceBlockByHash"), traces="off") as node:
        assert await node.lacks(1) == []


async def test_a_node_without_any_tracer_is_refused_unless_the_operator_says_so(anvil: Anvil) -> None:
    anvil.mine(3)
    async with through(anvil, without("trace_block", "debug_traceBlockByHash")) as node:
        (lack,) = await node.lacks(1)
        assert "trace_block" in lack.what and 'traces = "off"' in lack.remedy
        with pytest.raises(NodeLacks):
            await node.block(await at(node, 1))
        with pytest.raises(NodeLacks):
            await streamed(node, await at(node, 0), 3)


async def test_a_listed_token_must_be_what_the_list_says(anvil: Anvil) -> None:
    contract = deploy_token(anvil)
    nothing = "0x" + "ee" * 20
    tokens = [token_asset(contract, decimals=18), token_asset(nothing), token_asset(contract)]
    async with opened(anvil.rpc_url, tokens=tokens) as node:
        decimals, absent = await node.lacks(0)
        assert "6 decimals, the list 18" in decimals.what and "decimals = 6" in decimals.remedy
        assert "not an ERC-20 contract" in absent.what


# --- false answers


def changed(method: str, **wrong: Any) -> Lie:
    """Change fields of each item of one method's answer."""

    def lie(asked: str, _params: Sequence[Any], answer: Answer) -> Answer:
        if asked != method or not answer.get("result"):
            return answer
        told = answer["result"]
        told = [{**item, **wrong} for item in told] if isinstance(told, list) else {**told, **wrong}
        return {**answer, "result": told}

    return lie


def replaced(method: str, result: Any) -> Lie:
    def lie(asked: str, _params: Sequence[Any], answer: Answer) -> Answer:
        return {**answer, "result": result} if asked == method else answer

    return lie


OTHER = "0x" + "0b" * 32
FALSE: list[tuple[Lie, type[Exception]]] = [
    (changed("eth_getBlockByHash", hash=OTHER), Inconsistent),
    (changed("eth_getBlockByHash", number="0x9"), Inconsistent),
    (changed("eth_getBlockByHash", number="nine"), Inconsistent),
    (changed("trace_block", blockHash=OTHER), NodeUnavailable),
    (replaced("eth_getBlockByHash", None), NodeMissing),
    (replaced("trace_block", []), NodeUnavailable),
    (replaced("trace_block", None), NodeUnavailable),
    (replaced("trace_block", 5), NodeUnavailable),
    (replaced("eth_getBlockByHash", 5), Inconsistent),
    (lambda _m, _p, answer: {**answer, "id": 4711}, NodeUnavailable),
    (lambda _m, _p, answer: {**answer, "id": str(answer["id"])}, NodeUnavailable),
]


@pytest.mark.parametrize("number", range(len(FALSE)))
async def test_a_false_answer_is_never_taken_for_a_fact(shared_anvil: Anvil, number: int) -> None:
    lie, expected = FALSE[number]
    anvil = shared_anvil
    mint(anvil, deploy_token(anvil), anvil.accounts[0], 5)
    scanner = EthereumScanner(CHAIN, ETHER)
    scanner.watch([holder(anvil.accounts[0])])
    lies = False

    def say(method: str, params: Sequence[Any], answer: Answer) -> Answer:
        return lie(method, params, answer) if lies else answer

    async with through(anvil, say) as node:
        ref = await at(node, anvil.height())

        async def read() -> int:
            draft = scanner.scan(await node.block(ref))
            return len(scanner.complete(draft, await node.answer(draft)).transactions)

        assert await read() == 1
        lies = True
        with pytest.raises(expected):
            await read()


@pytest.mark.parametrize("fork", ["berlin", "london", "paris", "shanghai", "cancun", "prague", "osaka"])
async def test_the_header_of_every_fork_is_kept_with_its_hash(anvil_exe: Path, fork: str) -> None:
    with Anvil(anvil_exe, extra_args=["--hardfork", fork]) as anvil:
        pay(anvil, gasPrice=hex(2 * 10**9))
        scanner = EthereumScanner(CHAIN, ETHER)
        scanner.watch([holder(anvil.accounts[0])])
        async with opened(anvil.rpc_url) as node:
            ref = await at(node, 1)
            draft = scanner.scan(await node.block(ref))
            facts = scanner.complete(draft, await node.answer(draft))
    assert facts.header is not None and keccak(facts.header) == ref.hash
    assert draft.skipped == () and draft.checked is Checked.WHOLE


async def test_web3_is_given_no_answer_to_another_question(anvil: Anvil) -> None:
    def lie(method: str, _params: Sequence[Any], answer: Answer) -> Answer:
        return {**answer, "id": 4711} if method == "eth_call" else answer

    async with through(anvil, lie, tokens=[token_asset(deploy_token(anvil))]) as node:
        with pytest.raises(NodeUnavailable, match="id"):
            await node.lacks(0)


async def test_web3_does_not_wait_longer_than_the_deadline(anvil: Anvil) -> None:
    contract = deploy_token(anvil)
    async with opened(anvil.rpc_url, tokens=[token_asset(contract)], deadline_s=0.5) as node:
        await node.lacks(0)
        anvil.rpc("anvil_mine", "0x1")
        anvil.pause()
        try:
            async with asyncio.timeout(5):
                with pytest.raises(NodeUnavailable, match=r"0\.5 s"):
                    await node.lacks(0)
        finally:
            anvil.resume()
        assert await node.lacks(0) == []


async def test_a_node_that_is_gone_is_unavailable_and_comes_back(anvil: Anvil) -> None:
    anvil.mine(3)
    async with opened(anvil.rpc_url) as node:
        tip = await at(node, 3)
        anvil.stop()
        with pytest.raises(NodeUnavailable):
            await node.view(tip)
        with pytest.raises(NodeUnavailable):
            await streamed(node, BlockRef(0, tip.hash, NOBODY), 3)
        anvil.restart()
        assert (await node.view(tip)).hash_at_tip == tip.hash
