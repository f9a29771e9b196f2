"""The walk over raw blocks, against python-bitcoinlib's full parse and a naive loop over its result."""

from collections.abc import Mapping
from typing import Any

import pytest
from bitcoin.core import (
    CBlock,
    CBlockHeader,
    CMutableTransaction,
    COutPoint,
    CTxIn,
    CTxInWitness,
    CTxOut,
    CTxWitness,
)
from bitcoin.core import Hash as Hash256
from bitcoin.core.script import CScript, CScriptWitness
from bitcoin.core.serialize import VarIntSerializer
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tracer.errors import BlockRefused, Inconsistent
from tracer.proof.headers import Context, HeaderChain
from tracer.proof.networks import NETWORKS
from tracer.types import (
    AssetId,
    BlockFacts,
    BlockRef,
    Checked,
    Hash,
    Holder,
    Kind,
    Lane,
    Movement,
    Outpoint,
    outpoint,
)
from watchers.bitcoin.scan import BitcoinScanner, RawBlock
from watchers.node import Coin

BTC = AssetId("bip122:test/slip44:0")
PARENT = bytes(range(32))
WATCHED = Holder(b"\x00\x14" + b"w" * 20)
STRANGER = Holder(b"\x51\x20" + b"s" * 32)
OTHER = Holder(b"\x51")
EDGES = [0, 1, 0xFB, 0xFC, 0xFD, 0xFE, 0xFFFF, 0x10000]


def coin_id(seed: int) -> Outpoint:
    return outpoint(Hash(seed.to_bytes(32, "big")), seed % 7)


def tx(
    spends: list[Outpoint],
    pays: list[tuple[bytes, int]],
    *,
    signature: bytes = b"",
    witness: list[bytes] | None = None,
) -> CMutableTransaction:
    inputs = [
        CTxIn(COutPoint(point[:32], int.from_bytes(point[32:], "little")), CScript(signature)) for point in spends
    ]
    made = CMutableTransaction(inputs, [CTxOut(amount, CScript(script)) for script, amount in pays])
    if witness is not None:
        made.wit = CTxWitness([CTxInWitness(CScriptWitness(witness)) for _ in inputs])
    return made


NOWHERE = Outpoint(bytes(32) + b"\xff" * 4)
COINBASE = tx([NOWHERE], [(OTHER, 50)], signature=b"\x57\x01", witness=[bytes(32)])
BITS = 0x207FFFFF


def point_of(made: CMutableTransaction, index: int) -> Outpoint:
    return Outpoint(made.GetTxid() + index.to_bytes(4, "little"))


def root(ids: list[bytes]) -> bytes:
    while len(ids) > 1:
        ids = ids + ids[-1:] * (len(ids) % 2)
        ids = [Hash256(left + right) for left, right in zip(ids[::2], ids[1::2], strict=True)]
    return ids[0]


def committed(first: CMutableTransaction, others: list[CMutableTransaction]) -> CMutableTransaction:
    """The coinbase with the commitment to the others' witnesses, if there are any."""
    if all(one.wit.is_null() for one in others):
        return first
    commitment = Hash256(root([bytes(32), *(Hash256(one.serialize()) for one in others)]) + bytes(32))
    made = CMutableTransaction.from_tx(first)
    made.vout.append(CTxOut(0, CScript(b"\x6a\x24\xaa\x21\xa9\xed" + commitment)))
    return made


def block(*made: CMutableTransaction, parent: bytes = PARENT) -> RawBlock:
    """A block of height 7 as the rules of regtest want it, the coinbase completed."""
    first, *others = made
    vtx = [committed(first, others), *others]
    tree = root([one.GetTxid() for one in vtx])
    for nonce in range(1000):
        header = CBlockHeader(2, parent, tree, 1_700_000_000, BITS, nonce)
        if header.GetHash()[31] < 0x80:
            break
    data = header.serialize() + VarIntSerializer.serialize(len(vtx)) + b"".join(one.serialize() for one in vtx)
    return RawBlock(BlockRef(7, Hash(header.GetHash()[::-1]), Hash(parent[::-1])), data)


def below(parent: bytes = PARENT) -> HeaderChain:
    """A chain of headers that ends below the block."""
    chain = HeaderChain(NETWORKS["regtest"])
    chain.begin(Context(6, Hash(parent[::-1]), BITS, (1_600_000_000,), 1_600_000_000, BITS, BITS, 12))
    return chain


def scanner(*holders: Holder, coins: Mapping[Outpoint, Coin] | None = None) -> BitcoinScanner:
    made = BitcoinScanner(BTC, below())
    made.watch(holders)
    made.remember(coins or {})
    return made


def facts(found: BitcoinScanner, raw: RawBlock, answers: Mapping[Outpoint, Coin] | None = None) -> BlockFacts:
    return found.complete(found.scan(raw), answers)


def test_a_block_without_hits_leaves_nothing_but_its_place() -> None:
    raw = block(COINBASE, tx([coin_id(1)], [(STRANGER, 5)], witness=[b"x"]))
    assert facts(scanner(WATCHED, coins={coin_id(2): Coin(WATCHED, 9)}), raw) == BlockFacts(
        raw.ref, 1_700_000_000, raw.data[:80], (), checked=Checked.WHOLE
    )


def test_a_credit_shows_the_watched_outputs_only() -> None:
    paying = tx([coin_id(1)], [(STRANGER, 5), (WATCHED, 7), (WATCHED, 0)], witness=[b"x"])
    found = facts(scanner(WATCHED), block(COINBASE, paying))
    assert found.header == block(COINBASE, paying).data[:80]
    assert found.checked is Checked.WHOLE
    [hit] = found.transactions
    assert (hit.position, hit.txid, hit.raw) == (1, paying.GetTxid()[::-1], paying.serialize())
    assert hit.movements == (
        Movement(Kind.OUT, 1, BTC, 7, None, WATCHED, lane=Lane.PROVEN),
        Movement(Kind.OUT, 2, BTC, 0, None, WATCHED, lane=Lane.PROVEN),
    )


def test_a_coinbase_credits_and_spends_nothing() -> None:
    reward = tx([NOWHERE], [(WATCHED, 50), (b"\x6a", 0)], signature=b"\x57\x01")
    [hit] = facts(scanner(WATCHED), block(reward)).transactions
    assert hit.position == 0
    assert hit.movements == (Movement(Kind.OUT, 0, BTC, 50, None, WATCHED, lane=Lane.PROVEN),)


def test_a_spend_shows_every_input_every_output_and_the_fee() -> None:
    spending = tx([coin_id(1), coin_id(2)], [(STRANGER, 5), (b"\x6a\x01x", 0), (OTHER, 3)])
    known = scanner(WATCHED, coins={coin_id(2): Coin(WATCHED, 9)})
    draft = known.scan(block(COINBASE, spending))
    assert [hit.unknown for hit in draft.hits] == [(coin_id(1),)]
    [hit] = known.complete(draft, {coin_id(1): Coin(STRANGER, 1)}).transactions
    assert hit.movements == (
        Movement(Kind.IN, 0, BTC, 1, STRANGER, None, coin_id(1)),
        Movement(Kind.IN, 1, BTC, 9, WATCHED, None, coin_id(2), Lane.PROVEN),
        Movement(Kind.OUT, 0, BTC, 5, None, STRANGER, lane=Lane.PROVEN),
        Movement(Kind.OUT, 1, BTC, 0, None, Holder(b"\x6a\x01x"), lane=Lane.PROVEN),
        Movement(Kind.OUT, 2, BTC, 3, None, OTHER, lane=Lane.PROVEN),
        Movement(Kind.FEE, 0, BTC, 2, None, None),
    )


def test_coins_are_followed_through_one_block() -> None:
    first = tx([coin_id(1)], [(WATCHED, 10)])
    second = tx([point_of(first, 0)], [(STRANGER, 4), (OTHER, 5)], witness=[b"a", b"b"])
    third = tx([point_of(second, 1), point_of(second, 0)], [(OTHER, 9)])
    draft = scanner(WATCHED).scan(block(COINBASE, first, second, third))
    assert [(hit.position, hit.unknown) for hit in draft.hits] == [(1, ()), (2, ()), (3, ())]
    kinds = [[movement.kind for movement in one.movements] for one in scanner().complete(draft, None).transactions]
    assert kinds == [
        [Kind.OUT],
        [Kind.IN, Kind.OUT, Kind.OUT, Kind.FEE],
        [Kind.IN, Kind.IN, Kind.OUT, Kind.FEE],
    ]


def test_an_unwatched_output_of_a_mere_credit_is_not_followed_but_known() -> None:
    credit = tx([coin_id(1)], [(WATCHED, 10), (STRANGER, 20)])
    stranger = tx([point_of(credit, 1)], [(OTHER, 20)])
    found = scanner(WATCHED)
    assert [hit.position for hit in found.scan(block(COINBASE, credit, stranger)).hits] == [1]
    both = tx([point_of(credit, 1), point_of(credit, 0)], [(OTHER, 30)])
    assert [hit.unknown for hit in found.scan(block(COINBASE, credit, both)).hits] == [(), ()]


def test_a_scan_changes_no_interest() -> None:
    spending = tx([coin_id(1)], [(STRANGER, 9)])
    onward = tx([point_of(spending, 0)], [(OTHER, 9)])
    found = scanner(coins={coin_id(1): Coin(WATCHED, 9)})
    assert len(found.scan(block(COINBASE, spending)).hits) == 1
    assert len(found.scan(block(COINBASE, spending)).hits) == 1
    assert not found.scan(block(COINBASE, onward)).hits
    found.forget([coin_id(1), coin_id(5)])
    assert not found.scan(block(COINBASE, spending)).hits
    found.remember({coin_id(1): Coin(WATCHED, 9)})
    found.forget_all()
    assert not found.scan(block(COINBASE, spending)).hits


def test_a_coin_spent_twice_in_a_block_is_refused() -> None:
    once, twice = tx([coin_id(1)], [(STRANGER, 9)]), tx([coin_id(2), coin_id(1)], [(OTHER, 8)])
    with pytest.raises(BlockRefused, match="spent before"):
        scanner(coins={coin_id(1): Coin(WATCHED, 9)}).scan(block(COINBASE, once, twice))


def test_more_out_than_in_is_refused() -> None:
    found = scanner(coins={coin_id(1): Coin(WATCHED, 9)})
    with pytest.raises(Inconsistent, match="1 satoshi more"):
        facts(found, block(COINBASE, tx([coin_id(1)], [(STRANGER, 10)])))


def test_an_amount_that_cannot_exist_is_refused() -> None:
    for amount in (-1, 21_000_000 * 10**8 + 1):
        with pytest.raises(BlockRefused, match="satoshi"):
            scanner(WATCHED).scan(block(COINBASE, tx([coin_id(1)], [(WATCHED, amount)])))


def test_answers_that_do_not_fit_are_refused() -> None:
    spending = tx([coin_id(1), coin_id(2)], [(STRANGER, 5)])
    found = scanner(coins={coin_id(2): Coin(WATCHED, 9)})
    draft = found.scan(block(COINBASE, spending))
    wrong: list[Any] = [
        None,
        {},
        {coin_id(3): Coin(STRANGER, 1)},
        {coin_id(1): Coin(STRANGER, 1), coin_id(2): Coin(WATCHED, 8)},
    ]
    for answers in wrong:
        with pytest.raises(Inconsistent, match="does not fit"):
            found.complete(draft, answers)


def test_another_blocks_header_is_refused() -> None:
    raw = block(COINBASE)
    with pytest.raises(Inconsistent, match="another block"):
        scanner().scan(RawBlock(BlockRef(7, Hash(bytes(32)), raw.ref.parent), raw.data))
    with pytest.raises(Inconsistent, match="does not stand on"):
        scanner().scan(RawBlock(BlockRef(7, raw.ref.hash, Hash(bytes(32))), raw.data))
    with pytest.raises(Inconsistent, match="another block"):
        scanner().scan(RawBlock(raw.ref, b""))


def test_bytes_cut_off_or_added_anywhere_are_refused() -> None:
    last = tx([coin_id(1)], [(WATCHED, 5)], signature=b"y" * 300, witness=[b"x" * 10, b"", b"z" * 300])
    raw = block(COINBASE, last)
    for found in (scanner(), scanner(WATCHED), scanner(coins={coin_id(1): Coin(WATCHED, 6)})):
        for size in range(80, len(raw.data)):
            with pytest.raises(BlockRefused):
                found.scan(RawBlock(raw.ref, raw.data[:size]))
        with pytest.raises(BlockRefused):
            found.scan(RawBlock(raw.ref, raw.data + b"\x00"))


@pytest.mark.parametrize("size", EDGES)
def test_lengths_at_the_edges_of_a_compact_size(size: int) -> None:
    pad = bytes(size)
    for made in (
        tx([coin_id(1)], [(OTHER, 1)], signature=pad),
        tx([coin_id(1)], [(pad, 1)]),
        tx([coin_id(1)], [(OTHER, 1)], witness=[b"", pad]),
        tx([coin_id(1)], [(OTHER, 1)], witness=[b"x"] * size),
        tx([coin_id(9)] * size + [coin_id(1)], [(OTHER, 1)], witness=[b"x"]),
        tx([coin_id(1)], [(OTHER, 1)] * size + [(STRANGER, 1)]),
    ):
        after = tx([coin_id(1)], [(WATCHED, 2)], witness=[b"x", b"y"])
        [hit] = scanner(WATCHED).scan(block(COINBASE, made, after)).hits
        assert (hit.position, hit.raw) == (2, after.serialize())


def test_a_block_of_many_transactions() -> None:
    many = [
        COINBASE,
        *(tx([coin_id(n)], [(OTHER, n)]) for n in range(260)),
        tx([coin_id(999)], [(WATCHED, 2)]),
    ]
    assert [hit.position for hit in scanner(WATCHED).scan(block(*many)).hits] == [261]


SCRIPTS = [
    WATCHED,
    Holder(b"\x21" + b"k" * 33 + b"\xac"),
    STRANGER,
    OTHER,
    Holder(b""),
    Holder(b"\x6a" + b"d" * 300),
]
SIZES = st.one_of(st.integers(0, 80), st.sampled_from([0xFC, 0xFD, 0xFE, 0xFFFF, 0x10000]))


@st.composite
def blocks(draw: st.DrawFn) -> tuple[list[CMutableTransaction], dict[Outpoint, Coin]]:
    """Transactions that spend earlier ones of the block, coins of interest, and coins that nobody here knows."""
    free = {coin_id(n): Coin(draw(st.sampled_from(SCRIPTS)), draw(st.integers(0, 1000))) for n in range(1, 9)}
    interest = {point: coin for point, coin in free.items() if draw(st.booleans())}
    made = [COINBASE]
    for _ in range(draw(st.integers(0, 7))):
        spends = draw(st.lists(st.sampled_from(sorted(free)), min_size=1, max_size=3, unique=True)) if free else []
        if not spends:
            break
        left = sum(free.pop(point).amount for point in spends)
        pays = []
        for script in draw(st.lists(st.sampled_from(SCRIPTS), min_size=1, max_size=4)):
            amount = draw(st.integers(0, left))
            left -= amount
            pays.append((script, amount))
        witness = draw(st.one_of(st.none(), st.lists(SIZES.map(bytes), max_size=4)))
        made.append(tx(spends, pays, signature=bytes(draw(SIZES)), witness=witness))
        assume(len(CMutableTransaction(made[-1].vin, made[-1].vout).serialize()) != 64)
        free |= {point_of(made[-1], n): Coin(script, amount) for n, (script, amount) in enumerate(pays)}
    return made, interest


def naive(raw: bytes, scripts: set[Holder], interest: dict[Outpoint, Coin]) -> dict[int, bytes]:
    """Positions of the hits and their ids, from a full parse: slow, and nothing shared with the code under test."""
    interest, hits = dict(interest), {}
    for position, one in enumerate(CBlock.deserialize(raw).vtx):
        spends = any(spent.prevout.hash + spent.prevout.n.to_bytes(4, "little") in interest for spent in one.vin)
        if spends or any(bytes(out.scriptPubKey) in scripts for out in one.vout):
            hits[position] = one.GetTxid()[::-1]
        for n, out in enumerate(one.vout):
            if spends or bytes(out.scriptPubKey) in scripts:
                interest[Outpoint(one.GetTxid() + n.to_bytes(4, "little"))] = Coin(Holder(b""), 0)
    return hits


@settings(deadline=None)
@given(blocks(), st.sets(st.sampled_from(SCRIPTS)))
def test_the_walk_finds_what_a_full_parse_finds(
    made: tuple[list[CMutableTransaction], dict[Outpoint, Coin]], scripts: set[Holder]
) -> None:
    transactions, interest = made
    raw = block(*transactions)
    found = scanner(*scripts, coins=interest)
    draft = found.scan(raw)
    assert {hit.position: hit.txid for hit in draft.hits} == naive(raw.data, scripts, interest)
    parsed = CBlock.deserialize(raw.data).vtx
    assert [hit.raw for hit in draft.hits] == [parsed[hit.position].serialize() for hit in draft.hits]


@settings(deadline=None)
@given(blocks(), st.sets(st.sampled_from(SCRIPTS)))
def test_in_every_spend_inputs_equal_outputs_plus_fee(
    made: tuple[list[CMutableTransaction], dict[Outpoint, Coin]], scripts: set[Holder]
) -> None:
    transactions, interest = made
    found = scanner(*scripts, coins=interest)
    raw = block(*transactions)
    draft = found.scan(raw)
    parsed = CBlock.deserialize(raw.data).vtx
    told = {point: Coin(STRANGER, 10**6) for hit in draft.hits for point in hit.unknown}
    for hit in found.complete(draft, told).transactions:
        by_kind = {
            kind: [movement for movement in hit.movements if movement.kind is kind]
            for kind in (Kind.IN, Kind.OUT, Kind.FEE)
        }
        if by_kind[Kind.IN]:
            assert len(by_kind[Kind.IN]) == len(parsed[hit.position].vin)
            assert len(by_kind[Kind.OUT]) == len(parsed[hit.position].vout)
            [fee] = by_kind[Kind.FEE]
            paid = sum(movement.amount for movement in by_kind[Kind.OUT])
            assert sum(movement.amount for movement in by_kind[Kind.IN]) == paid + fee.amount
        else:
            assert not by_kind[Kind.FEE]
            assert all(movement.target in scripts for movement in by_kind[Kind.OUT])
