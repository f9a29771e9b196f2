"""What a scan finds in one block, and which blocks it refuses; the blocks are made by hand, with right roots."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from eth_utils.crypto import keccak
from harness.ethereum_blocks import (
    AGENCY,
    CHAIN,
    CONTRACT,
    ETHER,
    FEE,
    GAS,
    LISTED,
    LISTED_ID,
    OTHER,
    SEIZED,
    STRANGER,
    TIP,
    UNLISTED,
    UNLISTED_ID,
    Sent,
    call,
    light,
    log,
    made,
    signed,
    text,
    whole,
    word,
)
from hypothesis import given
from hypothesis import strategies as st

from tracer.errors import BlockRefused, Inconsistent, NodeLacks
from tracer.proof.ethereum import prove_transaction
from tracer.proof.recheck import recheck
from tracer.proof.shown import Shown
from tracer.types import Asset, AssetId, AssetKind, BlockFacts, Checked, Holder, Kind, Lane, Movement
from watchers.ethereum.facts import BLOCK_REWARDS_FROM, GWEI
from watchers.ethereum.header import EMPTY_TRIE
from watchers.ethereum.logs import TRANSFER
from watchers.ethereum.raw import Part, RawBlock
from watchers.ethereum.scan import EthereumScanner
from watchers.ethereum.told import told_block


@pytest.fixture
def scanner() -> EthereumScanner:
    return watching()


def watching() -> EthereumScanner:
    token = Asset(LISTED_ID, "TOK", 6, AssetKind.LISTED)
    scanner = EthereumScanner(CHAIN, Asset(ETHER, "ETH", 18, AssetKind.NATIVE), [token])
    scanner.watch([SEIZED, AGENCY])
    return scanner


def movements(facts: BlockFacts) -> list[list[Movement]]:
    return [list(tx.movements) for tx in facts.transactions]


def ether(index: int, amount: int, source: Holder, target: Holder) -> Movement:
    lane = Lane.REPORTED if index else Lane.PROVEN
    return Movement(Kind.TRACE, index, ETHER, amount, source, target, lane=lane)


def token(index: int, amount: int, source: Holder, target: Holder, asset: AssetId = LISTED_ID) -> Movement:
    return Movement(Kind.LOG, index, asset, amount, source, target)


def fee(payer: Holder) -> Movement:
    return Movement(Kind.FEE, 0, ETHER, FEE, payer, None, lane=Lane.PROVEN)


# --- what is found


def test_a_block_without_watched_accounts_says_nothing(scanner: EthereumScanner) -> None:
    facts = scanner.scan(whole(Sent(STRANGER, OTHER, 5, logs=[log(STRANGER, OTHER, 5)])))
    assert (facts.ref.height, facts.time, facts.header, facts.transactions, facts.loose) == (7, 100, None, (), ())
    assert facts.skipped == () and facts.checked is Checked.WHOLE
    assert scanner.complete(facts, None) is facts


def test_a_debit_has_its_fee_and_a_credit_has_none(scanner: EthereumScanner) -> None:
    facts = scanner.scan(whole(Sent(STRANGER, SEIZED, 5), Sent(SEIZED, STRANGER, 6)))
    assert [tx.position for tx in facts.transactions] == [0, 1]
    assert movements(facts) == [[ether(0, 5, STRANGER, SEIZED)], [fee(SEIZED), ether(0, 6, SEIZED, STRANGER)]]


def test_the_bytes_that_are_kept_prove_the_transaction_again(scanner: EthereumScanner) -> None:
    facts = scanner.scan(whole(*(Sent(SEIZED, STRANGER, amount) for amount in range(1, 20))))
    assert facts.header is not None and keccak(facts.header) == facts.ref.hash
    for tx in facts.transactions:
        assert keccak(tx.raw) == tx.txid and tx.proof is not None
        shown = prove_transaction(facts.header, facts.ref.hash, tx.txid, tx.position, tx.raw, tx.proof)
        assert (shown.sender, shown.transaction.to, shown.transaction.value) == (SEIZED, STRANGER, tx.position + 1)
        assert (shown.gas_used, shown.receipt.succeeded) == (GAS, True)


def test_a_failed_transaction_costs_a_watched_payer_its_fee_only(scanner: EthereumScanner) -> None:
    sent = Sent(SEIZED, AGENCY, 5, inner=[call(AGENCY, OTHER, 1)], fails=True)
    assert movements(scanner.scan(whole(sent))) == [[fee(SEIZED)]]
    assert scanner.scan(whole(Sent(STRANGER, SEIZED, 5, fails=True))).transactions == ()


def test_a_payment_inside_a_reverted_frame_is_no_hit(scanner: EthereumScanner) -> None:
    inner = [call(CONTRACT, CONTRACT, 5, error="Reverted"), call(CONTRACT, SEIZED, 5, [0, 0])]
    assert scanner.scan(whole(Sent(STRANGER, CONTRACT, 5, inner=inner))).transactions == ()


def test_all_value_of_a_hit_transaction_is_kept_so_that_it_can_be_followed(scanner: EthereumScanner) -> None:
    inner = [call(CONTRACT, OTHER, 4), call(OTHER, SEIZED, 3, [0, 0]), call(CONTRACT, OTHER, 0, [1])]
    logs = [
        log(STRANGER, CONTRACT, 50),
        log(CONTRACT, SEIZED, 50),
        log(STRANGER, OTHER, 8, token=UNLISTED),  # another asset, nobody watched
    ]
    quiet = Sent(STRANGER, OTHER, 1, logs=[log(STRANGER, OTHER, 1)])
    assert movements(scanner.scan(whole(quiet, Sent(STRANGER, CONTRACT, 9, inner, logs)))) == [
        [
            ether(0, 9, STRANGER, CONTRACT),
            ether(1, 4, CONTRACT, OTHER),
            ether(2, 3, OTHER, SEIZED),
            token(1, 50, STRANGER, CONTRACT),
            token(2, 50, CONTRACT, SEIZED),
        ]
    ]


def test_a_token_nobody_listed_is_kept_and_named_as_such(scanner: EthereumScanner) -> None:
    facts = scanner.scan(
        whole(Sent(STRANGER, CONTRACT, 0, logs=[log(STRANGER, SEIZED, 10**30, token="0x" + "CD" * 20)]))
    )
    assert facts.new_assets == (Asset(UNLISTED_ID, "", 0, AssetKind.UNLISTED),)
    assert movements(facts) == [[token(0, 10**30, STRANGER, SEIZED, UNLISTED_ID)]]


def test_a_collectible_is_one_piece_of_its_own_asset(scanner: EthereumScanner) -> None:
    number = 2**256 - 1
    topics = [TRANSFER, word(STRANGER), word(SEIZED), hex(number)]
    facts = scanner.scan(whole(Sent(STRANGER, CONTRACT, 0, logs=[log(STRANGER, SEIZED, 0, topics=topics, data="0x")])))
    asset = AssetId(f"{CHAIN}/erc721:{LISTED}/{number}")
    assert movements(facts) == [[token(0, 1, STRANGER, SEIZED, asset)]]
    assert facts.new_assets == (Asset(asset, "", 0, AssetKind.NFT),)


def test_a_transfer_of_nothing_is_kept_and_the_largest_amount_too(scanner: EthereumScanner) -> None:
    logs = [log(STRANGER, SEIZED, 0), log(SEIZED, STRANGER, 2**256 - 1)]
    ((nothing, everything),) = movements(scanner.scan(whole(Sent(STRANGER, CONTRACT, 0, logs=logs))))
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
    logs = [log(OTHER, OTHER, 1), log(STRANGER, SEIZED, 1, **shape)]
    facts = scanner.scan(whole(Sent(STRANGER, CONTRACT, 0, logs=logs)))
    assert facts.transactions == ()
    assert len(facts.skipped) == 1 and reason in facts.skipped[0] and "log 1 of " + LISTED in facts.skipped[0]
    assert scanner.concerns(light(Sent(STRANGER, CONTRACT, 0, logs=logs)))


def test_a_log_of_another_shape_between_strangers_is_not_worth_a_word(scanner: EthereumScanner) -> None:
    odd = log(STRANGER, OTHER, 1, topics=[TRANSFER], data="0x" + "00" * 95)
    foreign = log(SEIZED, AGENCY, 1, topics=["0x" + "11" * 32])
    nothing = log(SEIZED, AGENCY, 1, topics=[])
    sent = Sent(STRANGER, CONTRACT, 0, logs=[odd, foreign, nothing])
    assert scanner.scan(whole(sent)).skipped == () and not scanner.concerns(light(sent))


# --- income without a transaction of the holder's


def test_a_withdrawal_is_loose_proven_and_counted_in_gwei(scanner: EthereumScanner) -> None:
    facts = scanner.scan(whole(withdrawals=[(STRANGER, 32), (SEIZED, 32)]))
    assert facts.loose == (Movement(Kind.WITHDRAWAL, 1, ETHER, 32 * GWEI, None, SEIZED, lane=Lane.PROVEN),)
    assert facts.header is not None


def test_priority_fees_of_a_watched_recipient_are_its_income_by_transaction(scanner: EthereumScanner) -> None:
    facts = scanner.scan(whole(Sent(STRANGER, OTHER, 1), Sent(SEIZED, OTHER, 1), miner=text(AGENCY)))
    assert facts.loose == tuple(
        Movement(Kind.REWARD, position, ETHER, TIP * GAS, None, AGENCY, lane=Lane.PROVEN) for position in (0, 1)
    )


def test_block_rewards_are_income_as_the_tracer_reports_it(scanner: EthereumScanner) -> None:
    facts = scanner.scan(whole(Sent(STRANGER, SEIZED, 5), rewards=[OTHER, SEIZED, AGENCY]))
    assert movements(facts) == [[ether(0, 5, STRANGER, SEIZED)]]
    assert facts.loose == tuple(
        Movement(Kind.REWARD, BLOCK_REWARDS_FROM + order, ETHER, 5, None, whom)
        for order, whom in enumerate((SEIZED, AGENCY))
    )


def test_rewards_come_last_and_are_of_the_same_block(scanner: EthereumScanner) -> None:
    raw = whole(Sent(STRANGER, SEIZED, 5), rewards=[OTHER])
    first, reward = raw.traces
    for frames in ([reward, first], [first, {**reward, "blockHash": "0x" + "b2" * 32}, reward]):
        with pytest.raises(Inconsistent):
            scanner.scan(replace(raw, traces=frames))


# --- what the tracer may not say


@pytest.mark.parametrize("checked", [Checked.WHOLE, Checked.HEADER])
@pytest.mark.parametrize(
    "wrong",
    [
        {"error": "Reverted"},
        {"action": {"from": text(AGENCY), "to": text(SEIZED), "value": "0x1", "callType": "call"}},
        {"action": {"from": text(STRANGER), "to": text(AGENCY), "value": "0x1", "callType": "call"}},
        {"action": {"from": text(STRANGER), "to": text(SEIZED), "value": "0x2", "callType": "call"}},
        {"type": "create", "result": {"address": text(SEIZED)}},
    ],
)
def test_a_tracer_that_contradicts_what_is_proven_is_refused(
    scanner: EthereumScanner, wrong: dict[str, Any], checked: Checked
) -> None:
    raw = whole(Sent(OTHER, OTHER, 1), Sent(STRANGER, SEIZED, 1), checked=checked)
    assert len(scanner.scan(raw).transactions) == 1
    first, second = raw.traces
    with pytest.raises(BlockRefused) as refused:
        scanner.scan(replace(raw, traces=[first, {**second, **wrong}]))
    assert (refused.value.height, "0x" + refused.value.block.hex()) == (7, raw.header["hash"])
    assert refused.value.evidence


def test_a_tracer_that_hides_a_failure_is_refused(scanner: EthereumScanner) -> None:
    raw = whole(Sent(STRANGER, SEIZED, 1, fails=True))
    (frame,) = raw.traces
    with pytest.raises(BlockRefused, match="failed"):
        scanner.scan(replace(raw, traces=[{key: value for key, value in frame.items() if key != "error"}]))


def test_a_sender_that_is_not_the_one_who_signed_is_refused(scanner: EthereumScanner) -> None:
    """Nothing but the signature shows who paid; a debit hidden behind another name would be found by nothing else."""
    hidden = Sent(SEIZED, OTHER, 1, told={"from": text(STRANGER)})
    raw = whole(hidden)
    (frame,) = raw.traces
    lying = replace(raw, traces=[{**frame, "action": {**frame["action"], "from": text(STRANGER)}}])
    with pytest.raises(BlockRefused, match="not signed by"):
        scanner.scan(lying)
    unseen = scanner.scan(replace(lying, checked=Checked.HEADER))
    assert unseen.transactions == () and unseen.checked is Checked.HEADER


SENT = (
    Sent(STRANGER, SEIZED, 1),
    Sent(STRANGER, OTHER, 1, inner=[call(OTHER, AGENCY, 1)], logs=[log(STRANGER, SEIZED, 1)]),
)


def damaged(raw: RawBlock, part: str, at: int, **wrong: Any) -> RawBlock:
    items = [dict(item) for item in getattr(raw, part)]
    items[at].update(wrong)
    return replace(raw, **{part: items})


FRAMES: list[tuple[int, dict[str, Any]]] = [
    (0, {"blockHash": "0x" + "b2" * 32}),
    (2, {"blockHash": "0x" + "b2" * 32}),
    (1, {"transactionHash": "0x" + "11" * 32}),
    (2, {"transactionPosition": 0}),
    (2, {"traceAddress": [0, 0]}),
    (0, {"action": {}}),
    (2, {"action": {"from": text(OTHER), "to": "0x01", "value": "0x1", "callType": "call"}}),
    (2, {"type": "unknown"}),
]


@pytest.mark.parametrize(("at", "wrong"), FRAMES)
def test_frames_that_do_not_belong_together_are_inconsistent(
    scanner: EthereumScanner, at: int, wrong: dict[str, Any]
) -> None:
    scanner.watch([Holder(bytes(19) + b"\x01")])
    with pytest.raises(Inconsistent):
        scanner.scan(damaged(whole(*SENT), "traces", at, **wrong))


@pytest.mark.parametrize("frames", [slice(0, 1), slice(1, 3), slice(0, 0)])
def test_frames_that_are_missing_are_inconsistent(scanner: EthereumScanner, frames: slice) -> None:
    raw, little = whole(*SENT), light(*SENT)
    for call_ in (
        lambda: scanner.scan(replace(raw, traces=raw.traces[frames])),
        lambda: scanner.concerns(replace(little, traces=little.traces[frames])),
    ):
        with pytest.raises(Inconsistent):
            call_()


# --- the policy `hits`


@pytest.mark.parametrize(
    "raw",
    [
        light(Sent(SEIZED, OTHER, 0)),
        light(Sent(STRANGER, SEIZED, 1)),
        light(Sent(STRANGER, SEIZED, 1, fails=True)),  # perhaps: a whole block tells
        light(Sent(STRANGER, OTHER, 1, inner=[call(OTHER, AGENCY, 1)])),
        light(Sent(STRANGER, OTHER, 1, logs=[log(STRANGER, OTHER, 1), log(OTHER, SEIZED, 1)])),
        light(Sent(STRANGER, OTHER, 1), miner=text(SEIZED)),
        light(withdrawals=[(STRANGER, 1), (SEIZED, 1)]),
        light(rewards=[SEIZED]),
    ],
)
def test_a_block_in_which_a_watched_account_has_a_part_is_wanted_whole(scanner: EthereumScanner, raw: RawBlock) -> None:
    assert scanner.concerns(raw)
    assert not EthereumScanner(CHAIN, Asset(ETHER, "ETH", 18, AssetKind.NATIVE)).concerns(raw)


def test_the_part_of_a_block_is_named_by_transaction_and_beside_them(scanner: EthereumScanner) -> None:
    sent = (Sent(STRANGER, OTHER, 1), Sent(STRANGER, SEIZED, 1), Sent(OTHER, OTHER, 1, logs=[log(AGENCY, OTHER, 1)]))
    assert scanner.concerns(light(*sent)) == Part((1, 2), loose=False)
    assert scanner.concerns(light(*sent, rewards=[SEIZED])) == Part((1, 2), loose=True)


def test_what_a_node_tells_of_a_transaction_is_reported_and_the_same_as_what_is_proven(
    scanner: EthereumScanner,
) -> None:
    sent = (
        Sent(OTHER, OTHER, 1, logs=[log(OTHER, OTHER, 4)]),
        Sent(SEIZED, STRANGER, 5, inner=[call(STRANGER, AGENCY, 2)], logs=[log(SEIZED, OTHER, 7)]),
        Sent(SEIZED, OTHER, 6, fails=True),
    )
    proven, raw = scanner.scan(whole(*sent)), told(scanner, *sent)
    facts = scanner.scan(raw)
    assert facts.checked is Checked.HEADER and facts.header == proven.header
    assert [(tx.position, tx.txid, tx.raw, tx.proof) for tx in facts.transactions] == [
        (tx.position, tx.txid, tx.raw, None) for tx in proven.transactions
    ]
    assert {move.lane for tx in facts.transactions for move in tx.movements} == {Lane.REPORTED}
    for tx, other in zip(facts.transactions, proven.transactions, strict=True):
        assert tx.movements == tuple(replace(move, lane=Lane.REPORTED) for move in other.movements)


def told(scanner: EthereumScanner, *sent: Sent) -> RawBlock:
    """A block as the scanner gets it when the node told of the transactions of interest."""
    block, receipts, _ = made(*sent)
    raw = light(*sent)
    part = scanner.concerns(raw)
    assert part is not None
    index, known = 0, {}
    for position, receipt in enumerate(receipts):
        logs = [{**entry, "logIndex": hex(index + place)} for place, entry in enumerate(receipt["logs"])]
        index += len(logs)
        stays = {"transactionHash": block["transactions"][position]["hash"], "transactionIndex": hex(position)}
        known[position] = {**receipt, **stays, "logs": logs, "gasUsed": hex(GAS), "blockHash": block["hash"]}
    raws = {position: signed(sent[position], position)[0] for position in part.positions}
    return replace(raw, told=told_block(raw.header, raws, known))


def test_bytes_or_a_receipt_of_another_transaction_are_not_taken(scanner: EthereumScanner) -> None:
    sent = (Sent(SEIZED, OTHER, 1), Sent(SEIZED, OTHER, 2))
    raw = told(scanner, *sent)
    assert raw.told is not None
    raws = {position: one.raw for position, one in raw.told.signed.items()}
    with pytest.raises(Inconsistent, match="another hash"):
        told_block(raw.header, {0: raws[1]}, raw.told.receipts)
    for wrong in ({"blockHash": "0x" + "b2" * 32}, {"transactionIndex": "0x1"}, {"transactionHash": "0x" + "b2" * 32}):
        with pytest.raises(Inconsistent, match="receipt"):
            told_block(raw.header, {0: raws[0]}, {0: {**raw.told.receipts[0], **wrong}})


def test_a_block_that_concerns_nobody_is_noted_with_what_was_checked(scanner: EthereumScanner) -> None:
    raw = light(Sent(STRANGER, OTHER, 1, logs=[log(STRANGER, OTHER, 1)]))
    assert not scanner.concerns(raw)
    facts = scanner.scan(raw)
    assert (facts.ref.height, facts.time, facts.header, facts.transactions) == (7, 100, None, ())
    assert facts.checked is Checked.HEADER and facts.skipped == ()
    assert scanner.scan(replace(raw, internal=False)).skipped == ("internal transfers unobserved",)


@pytest.mark.parametrize(
    "raw",
    [
        damaged(light(*SENT), "logs", 0, removed=True),
        damaged(light(*SENT), "logs", 0, blockHash="0x" + "b2" * 32),
        damaged(light(*SENT), "logs", 0, topics=[TRANSFER, "0x", "0x"]),
        damaged(light(*SENT), "logs", 0, transactionIndex="0x0"),
        replace(light(*SENT), header={**light(*SENT).header, "transactions": []}),
        replace(light(*SENT), header={**light(*SENT).header, "transactionsRoot": EMPTY_TRIE}),
    ],
)
def test_parts_that_do_not_belong_together_are_inconsistent(scanner: EthereumScanner, raw: RawBlock) -> None:
    assert scanner.concerns(light(*SENT))
    with pytest.raises(Inconsistent):
        scanner.concerns(raw)


# --- without traces, and before Byzantium


def test_without_traces_the_receipt_says_whether_value_moved(scanner: EthereumScanner) -> None:
    sent = (Sent(STRANGER, SEIZED, 5, fails=True), Sent(STRANGER, SEIZED, 6), Sent(SEIZED, OTHER, 7, fails=True))
    facts = scanner.scan(whole(*sent, internal=False))
    assert facts.skipped == ("internal transfers unobserved",)
    assert [(tx.position, [move.kind for move in tx.movements]) for tx in facts.transactions] == [
        (1, [Kind.TRACE]),
        (2, [Kind.FEE]),
    ]


STATE = "0x" + "aa" * 32


def test_where_receipts_do_not_tell_failure_the_traces_report_it(scanner: EthereumScanner) -> None:
    raw = whole(Sent(SEIZED, STRANGER, 5, root=STATE), Sent(SEIZED, STRANGER, 6, root=STATE, fails=True))
    (paid, moved), (failed,) = movements(scanner.scan(raw))
    assert (paid, failed) == (fee(SEIZED), fee(SEIZED))
    assert (moved.kind, moved.amount, moved.lane) == (Kind.TRACE, 5, Lane.REPORTED)


def test_where_neither_receipts_nor_traces_tell_failure_nothing_is_assumed(scanner: EthereumScanner) -> None:
    with pytest.raises(NodeLacks, match="Byzantium"):
        scanner.scan(whole(Sent(STRANGER, SEIZED, 5, root=STATE), internal=False))


def test_only_accounts_can_be_watched(scanner: EthereumScanner) -> None:
    with pytest.raises(ValueError, match="20 bytes"):
        scanner.watch([Holder(b"\x00\x14" + bytes(20))])


senders = st.sampled_from([SEIZED, AGENCY, STRANGER, OTHER])
receivers = st.sampled_from([SEIZED, AGENCY, STRANGER, OTHER, CONTRACT])


@given(st.lists(st.tuples(senders, receivers, st.integers(0, 3), st.booleans()), min_size=1, max_size=3))
def test_a_scan_finds_what_a_naive_reading_finds(sent: Sequence[tuple[Holder, Holder, int, bool]]) -> None:
    scanner = watching()
    expected = []
    for position, (source, target, value, fails) in enumerate(sent):
        moves = value > 0 and not fails
        if source in (SEIZED, AGENCY) or (moves and target in (SEIZED, AGENCY)):
            fees = [fee(source)] if source in (SEIZED, AGENCY) else []
            expected.append((position, fees + ([ether(0, value, source, target)] if moves else [])))
    played = [Sent(source, target, value, fails=fails) for source, target, value, fails in sent]
    raw = whole(*played)
    facts = scanner.scan(raw)
    assert [(tx.position, list(tx.movements)) for tx in facts.transactions] == expected
    assert scanner.scan(raw) == facts  # a scan changes nothing
    assert scanner.concerns(light(*played)) or not expected


def test_stored_movements_are_held_against_the_stored_bytes_again(scanner: EthereumScanner) -> None:
    sent = [Sent(SEIZED, STRANGER, 5, logs=[log(SEIZED, OTHER, 7)]), Sent(SEIZED, AGENCY, 6, fails=True)]
    facts = scanner.scan(whole(Sent(OTHER, STRANGER, 1), *sent))
    assert facts.header is not None
    for tx in facts.transactions:
        assert tx.proof is not None
        place = ("ethereum", facts.header, facts.ref.hash, tx.txid, tx.position, tx.raw, tx.proof)
        moves = [Shown(move.kind, move.index, move.amount, move.source, move.target) for move in tx.movements]
        assert recheck(*place, moves) is None
        for at, move in enumerate(moves):
            for wrong in ({"amount": move.amount + 1}, {"source": OTHER}, {"target": SEIZED}):
                false = replace(move, **wrong)  # type: ignore[arg-type]
                assert "do not show" in str(recheck(*place, [*moves[:at], false, *moves[at + 1 :]]))
        unsent = Shown(Kind.TRACE, 0, 6, SEIZED, AGENCY)  # the one that failed
        assert "do not show trace 0" in str(recheck(*place, [unsent]))
        assert "does not hash" in str(recheck(*place[:2], bytes(32), *place[3:]))
        assert recheck("unheard-of", *place[1:]) is not None
