"""What a scan finds in one block, and which blocks it refuses; blocks are made by hand."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from tracer.errors import Inconsistent, NodeLacks
from tracer.types import Asset, AssetId, AssetKind, BlockFacts, ChainId, Hash, Holder, Kind, Movement
from watchers.ethereum.header import EMPTY_TRIE
from watchers.ethereum.logs import TRANSFER
from watchers.ethereum.scan import GWEI, Answers, Draft, EthereumScanner, RawBlock

CHAIN = ChainId("eip155:31337")
ETHER = AssetId(f"{CHAIN}/slip44:60")
SEIZED, AGENCY, STRANGER, OTHER, CONTRACT = (Holder(bytes([number]) * 20) for number in range(1, 6))
LISTED, UNLISTED = "0x" + "ab" * 20, "0x" + "cd" * 20
LISTED_ID, UNLISTED_ID = AssetId(f"{CHAIN}/erc20:{LISTED}"), AssetId(f"{CHAIN}/erc20:{UNLISTED}")
BLOCK = "0x" + "b1" * 32
RAW = [b"first transaction", b"second transaction", b"third transaction"]
TXIDS = [Hash(keccak(raw)) for raw in RAW]


def text(data: bytes) -> str:
    return "0x" + data.hex()


def call(
    source: Holder, target: Holder, value: int, *, tx: int = 0, place: Sequence[int] = (), **more: Any
) -> dict[str, Any]:
    action = {"from": text(source), "to": text(target), "value": hex(value), "callType": "call"}
    return {
        "type": "call",
        "action": action,
        "traceAddress": list(place),
        "blockHash": BLOCK,
        "transactionHash": text(TXIDS[tx]),
        "transactionPosition": tx,
        **more,
    }


def word(data: bytes) -> str:
    return text(data.rjust(32, b"\0"))


def log(
    source: Holder,
    target: Holder,
    amount: int,
    *,
    tx: int = 0,
    index: int = 0,
    token: str = LISTED,
    **more: Any,
) -> dict[str, Any]:
    return {
        "address": token,
        "topics": [TRANSFER, word(source), word(target)],
        "data": f"0x{amount:064x}",
        "blockHash": BLOCK,
        "transactionHash": text(TXIDS[tx]),
        "transactionIndex": hex(tx),
        "logIndex": hex(index),
        "removed": False,
        **more,
    }


def block(traces: Sequence[Mapping[str, Any]], logs: Sequence[Mapping[str, Any]] = (), **header: Any) -> RawBlock:
    count = 1 + max((frame["transactionPosition"] for frame in traces), default=-1)
    said = {
        "hash": BLOCK,
        "parentHash": text(bytes(32)),
        "number": "0x7",
        "timestamp": "0x64",
        "miner": text(OTHER),
        "gasUsed": hex(21000 * count),
        "transactionsRoot": "0x" + "aa" * 32 if count else EMPTY_TRIE,
        "transactions": [text(txid) for txid in TXIDS[:count]],
        **dict.fromkeys(("sha3Uncles", "stateRoot", "receiptsRoot", "logsBloom", "extraData"), "0x"),
        **dict.fromkeys(("difficulty", "gasLimit"), "0x0"),
        **dict.fromkeys(("mixHash", "nonce"), "0x"),
        **header,
    }
    return RawBlock(said, logs, traces)


def receipt(tx: int, payer: Holder, *, status: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "transactionHash": text(TXIDS[tx]),
        "blockHash": BLOCK,
        "transactionIndex": hex(tx),
        "from": text(payer),
        "status": hex(status),
        "gasUsed": hex(21000),
        "effectiveGasPrice": hex(10),
        **more,
    }


@pytest.fixture
def scanner() -> EthereumScanner:
    token = Asset(LISTED_ID, "TOK", 6, AssetKind.LISTED)
    scanner = EthereumScanner(CHAIN, Asset(ETHER, "ETH", 18, AssetKind.NATIVE), [token])
    scanner.watch([SEIZED, AGENCY])
    return scanner


def facts(scanner: EthereumScanner, draft: Draft, *receipts: Mapping[str, Any]) -> BlockFacts:
    told = {Hash(bytes.fromhex(receipt["transactionHash"][2:])): receipt for receipt in receipts}
    return scanner.complete(draft, Answers(dict(zip(TXIDS, RAW, strict=True)), told))


def movements(draft: Draft) -> list[list[Movement]]:
    return [list(hit.movements) for hit in draft.hits]


def ether(index: int, amount: int, source: Holder, target: Holder) -> Movement:
    return Movement(Kind.TRACE, index, ETHER, amount, source, target)


def test_a_block_without_watched_accounts_has_no_hits_and_asks_nothing(scanner: EthereumScanner) -> None:
    draft = scanner.scan(block([call(STRANGER, OTHER, 5)], [log(STRANGER, OTHER, 5)]))
    assert draft.hits == () and draft.skipped == []
    found = scanner.complete(draft, None)
    assert (found.ref.height, found.time, found.header, found.transactions) == (7, 100, None, ())


def test_a_credit_needs_no_receipt_and_a_debit_does(scanner: EthereumScanner) -> None:
    draft = scanner.scan(block([call(STRANGER, SEIZED, 5), call(SEIZED, STRANGER, 6, tx=1)]))
    assert [hit.wants_receipt for hit in draft.hits] == [False, True]
    found = facts(scanner, draft, receipt(1, SEIZED))
    assert [tx.position for tx in found.transactions] == [0, 1]
    assert found.transactions[0].movements == (ether(0, 5, STRANGER, SEIZED),)
    assert found.transactions[1].movements == (
        Movement(Kind.FEE, 0, ETHER, 210_000, SEIZED, None),
        ether(0, 6, SEIZED, STRANGER),
    )
    assert found.transactions[1].raw == RAW[1]


def test_a_failed_transaction_of_a_watched_payer_costs_its_fee_only(scanner: EthereumScanner) -> None:
    draft = scanner.scan(block([call(SEIZED, AGENCY, 5, error="Reverted")]))
    (tx,) = facts(scanner, draft, receipt(0, SEIZED, status=0)).transactions
    assert tx.movements == (Movement(Kind.FEE, 0, ETHER, 210_000, SEIZED, None),)


def test_a_failed_transaction_of_a_stranger_is_no_hit(scanner: EthereumScanner) -> None:
    assert scanner.scan(block([call(STRANGER, SEIZED, 5, error="Reverted")])).hits == ()


def test_a_payment_inside_a_reverted_frame_is_no_hit(scanner: EthereumScanner) -> None:
    frames = [
        call(STRANGER, CONTRACT, 5),
        call(CONTRACT, CONTRACT, 5, place=[0], error="Reverted"),
        call(CONTRACT, SEIZED, 5, place=[0, 0]),
    ]
    assert scanner.scan(block(frames)).hits == ()


def test_blob_gas_is_part_of_the_fee(scanner: EthereumScanner) -> None:
    draft = scanner.scan(block([call(SEIZED, STRANGER, 0)]))
    told = receipt(0, SEIZED, blobGasUsed=hex(131072), blobGasPrice=hex(3))
    (tx,) = facts(scanner, draft, told).transactions
    assert tx.movements == (Movement(Kind.FEE, 0, ETHER, 210_000 + 393_216, SEIZED, None),)


def test_all_value_of_a_hit_transaction_is_kept_so_that_it_can_be_followed(scanner: EthereumScanner) -> None:
    frames = [
        call(STRANGER, CONTRACT, 9),
        call(CONTRACT, OTHER, 4, place=[0]),
        call(OTHER, SEIZED, 3, place=[0, 0]),
        call(CONTRACT, OTHER, 0, place=[1]),
    ]
    logs = [
        log(STRANGER, CONTRACT, 50, index=0),
        log(CONTRACT, SEIZED, 50, index=1),
        log(STRANGER, OTHER, 8, index=2, token=UNLISTED),  # another asset, nobody watched
    ]
    assert movements(scanner.scan(block(frames, logs))) == [
        [
            ether(0, 9, STRANGER, CONTRACT),
            ether(1, 4, CONTRACT, OTHER),
            ether(2, 3, OTHER, SEIZED),
            Movement(Kind.LOG, 0, LISTED_ID, 50, STRANGER, CONTRACT),
            Movement(Kind.LOG, 1, LISTED_ID, 50, CONTRACT, SEIZED),
        ]
    ]


def test_a_token_nobody_listed_is_kept_and_named_as_such(scanner: EthereumScanner) -> None:
    draft = scanner.scan(block([call(STRANGER, CONTRACT, 0)], [log(STRANGER, SEIZED, 10**30, token="0x" + "CD" * 20)]))
    assert draft.new_assets == (Asset(UNLISTED_ID, "", 0, AssetKind.UNLISTED),)
    assert movements(draft) == [[Movement(Kind.LOG, 0, UNLISTED_ID, 10**30, STRANGER, SEIZED)]]


def test_a_collectible_is_one_piece_of_its_own_asset(scanner: EthereumScanner) -> None:
    number = 2**256 - 1
    nft = log(STRANGER, SEIZED, 0, topics=[TRANSFER, word(STRANGER), word(SEIZED), hex(number)], data="0x")
    draft = scanner.scan(block([call(STRANGER, CONTRACT, 0)], [nft]))
    asset = AssetId(f"{CHAIN}/erc721:{LISTED}/{number}")
    assert movements(draft) == [[Movement(Kind.LOG, 0, asset, 1, STRANGER, SEIZED)]]
    assert draft.new_assets == (Asset(asset, "", 0, AssetKind.NFT),)


def test_a_transfer_of_nothing_is_kept_and_the_largest_amount_too(scanner: EthereumScanner) -> None:
    logs = [log(STRANGER, SEIZED, 0, index=0), log(SEIZED, STRANGER, 2**256 - 1, index=1)]
    ((nothing, everything),) = movements(scanner.scan(block([call(STRANGER, CONTRACT, 0)], logs)))
    assert (nothing.amount, everything.amount) == (0, 2**256 - 1)


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ({"data": "0x"}, "an amount of 0 bytes"),
        ({"data": "0x" + "00" * 64}, "an amount of 64 bytes"),
        ({"topics": [TRANSFER, word(SEIZED)], "data": "0x" + "00" * 64}, "2 topics"),
        ({"topics": [TRANSFER], "data": word(STRANGER) + word(SEIZED)[2:] + "00" * 32}, "1 topics"),
        ({"topics": [TRANSFER, word(SEIZED), word(OTHER), word(b"")]}, "4 topics and 32 bytes"),
        ({"topics": [TRANSFER, word(SEIZED), "0x" + "ff" * 32]}, "longer than an account"),
    ],
)
def test_a_log_of_another_shape_is_skipped_with_its_reason(
    scanner: EthereumScanner, shape: dict[str, Any], reason: str
) -> None:
    draft = scanner.scan(block([call(STRANGER, CONTRACT, 0)], [log(STRANGER, SEIZED, 1, index=9, **shape)]))
    assert draft.hits == ()
    assert len(draft.skipped) == 1 and reason in draft.skipped[0] and "log 9 of " + LISTED in draft.skipped[0]


def test_a_log_of_another_shape_between_strangers_is_not_worth_a_word(scanner: EthereumScanner) -> None:
    odd = log(STRANGER, OTHER, 1, topics=[TRANSFER], data="0x" + "00" * 95)
    foreign = log(SEIZED, AGENCY, 1, topics=["0x" + "11" * 32])
    assert scanner.scan(block([call(STRANGER, CONTRACT, 0)], [odd, foreign])).skipped == []


def test_a_withdrawal_is_loose_and_counted_in_gwei(scanner: EthereumScanner) -> None:
    paid = [
        {"index": "0x63", "validatorIndex": "0x1", "address": text(holder), "amount": hex(32)}
        for holder in (STRANGER, SEIZED)
    ]
    draft = scanner.scan(block([], withdrawals=paid))
    assert draft.loose == (Movement(Kind.WITHDRAWAL, 1, ETHER, 32 * GWEI, None, SEIZED),)


def test_income_that_is_not_observed_is_named(scanner: EthereumScanner) -> None:
    reward = {"type": "reward", "action": {"author": text(AGENCY), "value": "0x5"}, "blockHash": BLOCK}
    raw = block([call(STRANGER, OTHER, 1)], miner=text(SEIZED))
    draft = scanner.scan(replace(raw, traces=[*raw.traces, {**reward, "traceAddress": []}]))
    assert draft.hits == ()
    assert draft.skipped == [
        f"block reward to {text(AGENCY)} unobserved",
        f"priority fees to {text(SEIZED)} unobserved",
    ]


def reward(author: Holder, **more: Any) -> dict[str, Any]:
    """What the node credits at the end of a block, as it stands in `trace_block`."""
    nowhere = {"traceAddress": [], "transactionHash": None, "transactionPosition": None, "result": None}
    action = {"author": text(author), "value": "0x5", "rewardType": "block"}
    return {"type": "reward", "action": action, "blockHash": BLOCK, **nowhere, **more}


def test_rewards_at_the_end_of_a_block_are_no_part_of_its_last_transaction(scanner: EthereumScanner) -> None:
    raw = block([call(STRANGER, OTHER, 1), call(STRANGER, SEIZED, 5, tx=1)])
    draft = scanner.scan(replace(raw, traces=[*raw.traces, reward(OTHER), reward(SEIZED)]))
    assert movements(draft) == [[ether(0, 5, STRANGER, SEIZED)]]
    assert draft.skipped == [f"block reward to {text(SEIZED)} unobserved"]


def test_rewards_come_last_and_are_of_the_same_block(scanner: EthereumScanner) -> None:
    raw = block([call(STRANGER, SEIZED, 5)])
    for frames in (
        [reward(OTHER), *raw.traces],
        [*raw.traces, reward(OTHER, blockHash="0x" + "b2" * 32), reward(OTHER)],
    ):
        with pytest.raises(Inconsistent):
            scanner.scan(replace(raw, traces=frames))


GOOD = block(
    [call(STRANGER, SEIZED, 1), call(STRANGER, OTHER, 1, tx=1), call(OTHER, AGENCY, 1, tx=1, place=[0])],
    [log(STRANGER, SEIZED, 1), log(STRANGER, SEIZED, 1, tx=1, index=1)],
)


def damaged(part: str, at: int, **wrong: Any) -> RawBlock:
    items = [dict(item) for item in getattr(GOOD, part)]
    items[at].update(wrong)
    return replace(GOOD, **{part: items})


@pytest.mark.parametrize(
    "raw",
    [
        damaged("logs", 0, removed=True),
        damaged("logs", 1, blockHash="0x" + "b2" * 32),
        damaged("logs", 1, logIndex="0x0"),
        damaged("logs", 1, transactionHash=text(TXIDS[0])),
        damaged("logs", 1, transactionIndex="0x5"),
        damaged("logs", 0, data="0xzz" + "0" * 62),
        damaged("logs", 0, topics=[TRANSFER, "0x", "0x"]),
        damaged("traces", 0, blockHash="0x" + "b2" * 32),
        damaged("traces", 2, blockHash="0x" + "b2" * 32),
        damaged("traces", 1, transactionHash=text(TXIDS[0])),
        damaged("traces", 2, transactionPosition=0),
        damaged("traces", 2, traceAddress=[0, 0]),
        damaged("traces", 0, action={"from": text(STRANGER), "to": "0x01", "value": "0x1", "callType": "call"}),
        damaged("traces", 0, action={}),
        damaged("traces", 0, error="Reverted"),  # and yet it left a log
        replace(GOOD, traces=GOOD.traces[:1]),
        replace(GOOD, traces=GOOD.traces[1:]),
        replace(GOOD, traces=[]),
        replace(GOOD, header={**GOOD.header, "transactions": []}),
        replace(GOOD, header={**GOOD.header, "transactionsRoot": EMPTY_TRIE}),
        replace(GOOD, header={**GOOD.header, "hash": "0x12"}),
        replace(GOOD, header={**GOOD.header, "miner": None}),
        replace(GOOD, header={}),
    ],
)
def test_parts_that_do_not_belong_together_are_inconsistent(scanner: EthereumScanner, raw: RawBlock) -> None:
    assert len(scanner.scan(GOOD).hits) == 2
    scanner.watch([Holder(bytes(19) + b"\x01")])
    with pytest.raises(Inconsistent):
        scanner.scan(raw)


@pytest.mark.parametrize(
    "wrong",
    [
        {"blockHash": "0x" + "b2" * 32},
        {"transactionHash": text(TXIDS[1])},
        {"transactionIndex": "0x1"},
        {"from": text(STRANGER)},
        {"status": "0x0"},  # the traces say that it succeeded
        {"gasUsed": None},
        {"gasUsed": "lots"},
    ],
)
def test_a_receipt_that_does_not_fit_is_inconsistent(scanner: EthereumScanner, wrong: dict[str, Any]) -> None:
    draft = scanner.scan(block([call(SEIZED, STRANGER, 1)]))
    with pytest.raises(Inconsistent):
        scanner.complete(draft, Answers({TXIDS[0]: RAW[0]}, {TXIDS[0]: {**receipt(0, SEIZED), **wrong}}))


def test_bytes_that_are_not_the_transaction_are_inconsistent(scanner: EthereumScanner) -> None:
    draft = scanner.scan(block([call(STRANGER, SEIZED, 1)]))
    with pytest.raises(Inconsistent, match="another hash"):
        scanner.complete(draft, Answers({TXIDS[0]: RAW[1]}, {}))
    with pytest.raises(Inconsistent):
        scanner.complete(draft, Answers({}, {}))
    with pytest.raises(TypeError):
        scanner.complete(draft, None)


def test_without_traces_the_receipt_says_whether_value_moved(scanner: EthereumScanner) -> None:
    frames = [call(STRANGER, SEIZED, 5), call(STRANGER, SEIZED, 6, tx=1), call(SEIZED, OTHER, 7, tx=2)]
    draft = scanner.scan(replace(block(frames), internal=False))
    assert draft.skipped == ["internal transfers unobserved"]
    told = [receipt(0, STRANGER, status=0), receipt(1, STRANGER), receipt(2, SEIZED, status=0)]
    found = facts(scanner, draft, *told).transactions
    assert [(tx.position, [move.kind for move in tx.movements]) for tx in found] == [
        (1, [Kind.TRACE]),
        (2, [Kind.FEE]),
    ]


def old_receipt(tx: int, payer: Holder) -> dict[str, Any]:
    """One from before the Byzantium fork: the state after the transaction, and no word on its success."""
    told = receipt(tx, payer, root="0x" + "aa" * 32)
    del told["status"]
    return told


def test_where_receipts_do_not_tell_failure_the_traces_do(scanner: EthereumScanner) -> None:
    frames = [call(SEIZED, STRANGER, 5), call(SEIZED, STRANGER, 6, tx=1, error="Out of gas")]
    found = facts(scanner, scanner.scan(block(frames)), old_receipt(0, SEIZED), old_receipt(1, SEIZED)).transactions
    assert [[move.kind for move in tx.movements] for tx in found] == [[Kind.FEE, Kind.TRACE], [Kind.FEE]]


def test_where_neither_receipts_nor_traces_tell_failure_nothing_is_assumed(scanner: EthereumScanner) -> None:
    draft = scanner.scan(replace(block([call(STRANGER, SEIZED, 5)]), internal=False))
    with pytest.raises(NodeLacks, match="Byzantium"):
        facts(scanner, draft, old_receipt(0, STRANGER))


@pytest.mark.parametrize("wrong", [{"root": None}, {"root": "0x"}, {"root": "0x" + "aa" * 32, "status": "0x0"}])
def test_a_receipt_without_status_and_root_is_inconsistent(scanner: EthereumScanner, wrong: dict[str, Any]) -> None:
    draft = scanner.scan(block([call(SEIZED, STRANGER, 5)]))
    with pytest.raises(Inconsistent):
        facts(scanner, draft, {**old_receipt(0, SEIZED), **wrong})


def test_only_accounts_can_be_watched(scanner: EthereumScanner) -> None:
    with pytest.raises(ValueError, match="20 bytes"):
        scanner.watch([Holder(b"\x00\x14" + bytes(20))])


def test_a_header_that_does_not_hash_to_its_hash_is_not_kept(scanner: EthereumScanner) -> None:
    draft = scanner.scan(block([call(STRANGER, SEIZED, 1)]))
    assert facts(scanner, draft).header is None
    assert draft.skipped[-1].startswith("header not kept")


holders = st.sampled_from([SEIZED, AGENCY, STRANGER, OTHER, CONTRACT])


@given(st.lists(st.tuples(holders, holders, st.integers(0, 3), st.booleans()), min_size=1, max_size=3))
def test_a_scan_finds_what_a_naive_reading_finds(sent: list[tuple[Holder, Holder, int, bool]]) -> None:
    scanner = EthereumScanner(CHAIN, Asset(ETHER, "ETH", 18, AssetKind.NATIVE))
    scanner.watch([SEIZED, AGENCY])
    frames = [
        call(source, target, value, tx=tx, **({"error": "Reverted"} if fails else {}))
        for tx, (source, target, value, fails) in enumerate(sent)
    ]
    expected = []
    for tx, (source, target, value, fails) in enumerate(sent):
        moves = value > 0 and not fails
        if source in (SEIZED, AGENCY) or (moves and target in (SEIZED, AGENCY)):
            expected.append((tx, [ether(0, value, source, target)] if moves else []))
    draft = scanner.scan(block(frames))
    assert [(hit.position, list(hit.movements)) for hit in draft.hits] == expected
    assert scanner.scan(block(frames)) == draft  # a scan changes nothing
