"""Thousands of seeded changes to Bitcoin blocks, headers and proofs: none passes where the block's hash covers it."""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import bitcoin_maker as maker
import pytest
from bitcoin.core import CMutableTransaction, COutPoint, CTransaction, CTxIn, CTxInWitness, CTxOut, CTxWitness
from bitcoin.core.script import CScript, CScriptWitness

from tracer.errors import BlockRefused, Inconsistent
from tracer.proof.headers import Context, HeaderChain, hash_of
from tracer.proof.networks import NETWORKS
from tracer.proof.recheck import recheck
from tracer.types import AssetId, BlockFacts, BlockRef, Hash, Holder
from watchers.bitcoin.scan import BitcoinScanner, RawBlock

BTC = AssetId("bip122:test/slip44:0")
WATCHED = Holder(b"\x00\x14" + b"w" * 20)
OTHER = Holder(b"\x51\x20" + b"s" * 32)
SIZES = (1, 2, 3, 7, 12, 33)
"""Transactions in the blocks that are changed: full trees, odd levels, one leaf."""

Txs = list[CMutableTransaction]
Mutation = Callable[[random.Random, Txs], Txs]
BLOCKS, LISTS, HEADERS, WITNESSES, PROOFS, CHAINS = 1800, 600, 700, 500, 1200, 200
"""How many changes of each kind: 5,000."""


def some_point(rng: random.Random) -> bytes:
    return rng.randbytes(32) + rng.randrange(3).to_bytes(4, "little")


def made_block(rng: random.Random, size: int, *, stored_witness: bool = True) -> tuple[RawBlock, Txs]:
    """A block in which every third transaction pays the watched script, and two thirds have witnesses."""
    others = []
    for number in range(1, size):
        credits = number % 3 == 1
        witness = [rng.randbytes(rng.choice([1, 30, 72])) for _ in range(rng.randint(1, 3))]
        has_witness = number % 3 != 0 and (stored_witness or not credits)
        pays = [(WATCHED if credits else OTHER, rng.randint(1, 10**8)), (OTHER, rng.randint(0, 10**8))]
        spends = [some_point(rng) for _ in range(rng.randint(1, 3))]
        others.append(maker.transaction(spends, pays, witness=witness if has_witness else None))
    txs = [maker.coinbase(maker.HEIGHT, others), *others]
    return raw_block(maker.header(maker.PARENT, txs), txs), txs


def raw_block(header: bytes, txs: Sequence[CTransaction]) -> RawBlock:
    return RawBlock(BlockRef(maker.HEIGHT, hash_of(header), Hash(maker.PARENT[::-1])), header + maker.body(txs))


def chain() -> HeaderChain:
    made = HeaderChain(NETWORKS["regtest"])
    bits = maker.BITS
    made.begin(Context(maker.HEIGHT - 1, Hash(maker.PARENT[::-1]), bits, (1_600_000_000,), 0, bits, bits, 0))
    return made


def facts(raw: RawBlock) -> BlockFacts:
    """All that is believed of a block; raises what refuses it."""
    scanner = BitcoinScanner(BTC, chain())
    scanner.watch([WATCHED])
    scanner.remember({})
    return scanner.complete(scanner.scan(raw), {})


def refused(raw: RawBlock) -> bool:
    try:
        facts(raw)
    except (BlockRefused, Inconsistent):
        return True
    return False


def flipped(rng: random.Random, data: bytes) -> bytes:
    """Change one bit, or add or take away a byte."""
    kind = rng.randrange(4) if data else 1
    if kind == 1:
        place = rng.randint(0, len(data))
        return data[:place] + rng.randbytes(1) + data[place:]
    place = rng.randrange(len(data))
    if kind == 2:
        return data[:place] + data[place + 1 :]
    return data[:place] + bytes((data[place] ^ 1 << rng.randrange(8),)) + data[place + 1 :]


def copied(tx: CTransaction) -> CMutableTransaction:
    return CMutableTransaction.from_tx(CTransaction.deserialize(tx.serialize()))


def change_field(rng: random.Random, txs: Txs) -> Txs:
    """Change, omit or reorder one field of one transaction, outside its witness."""
    at = rng.randrange(len(txs))
    tx = copied(txs[at])
    vin, vout = rng.randrange(len(tx.vin)), rng.randrange(len(tx.vout))
    match rng.randrange(10):
        case 0:
            tx.nVersion ^= 1 << rng.randrange(30)
        case 1:
            tx.nLockTime ^= 1 << rng.randrange(32)
        case 2:
            point = tx.vin[vin].prevout
            moved = bytes((point.hash[0] ^ 1 << rng.randrange(8),)) + point.hash[1:]
            tx.vin[vin] = CTxIn(COutPoint(moved, point.n), tx.vin[vin].scriptSig, tx.vin[vin].nSequence)
        case 3:
            point = COutPoint(tx.vin[vin].prevout.hash, tx.vin[vin].prevout.n ^ 1 << rng.randrange(8))
            tx.vin[vin] = CTxIn(point, tx.vin[vin].scriptSig, tx.vin[vin].nSequence)
        case 4:
            script = CScript(flipped(rng, bytes(tx.vin[vin].scriptSig)))
            tx.vin[vin] = CTxIn(tx.vin[vin].prevout, script, tx.vin[vin].nSequence)
        case 5:
            tx.vin[vin] = CTxIn(
                tx.vin[vin].prevout, tx.vin[vin].scriptSig, tx.vin[vin].nSequence ^ 1 << rng.randrange(32)
            )
        case 6:
            tx.vout[vout] = CTxOut(tx.vout[vout].nValue ^ 1 << rng.randrange(48), tx.vout[vout].scriptPubKey)
        case 7:
            tx.vout[vout] = CTxOut(tx.vout[vout].nValue, CScript(flipped(rng, bytes(tx.vout[vout].scriptPubKey))))
        case 8:
            del tx.vout[vout]
        case 9:
            tx.vout.reverse()
    return [*txs[:at], tx, *txs[at + 1 :]]


def change_list(rng: random.Random, txs: Txs) -> Txs:
    """Omit, repeat or exchange whole transactions, also in the way that keeps the merkle root (CVE-2012-2459)."""
    at, other = rng.randrange(len(txs)), rng.randrange(len(txs))
    match rng.randrange(4):
        case 0:
            return txs[:at] + txs[at + 1 :]
        case 1:
            return txs[: at + 1] + txs[at:]
        case 2:
            swapped = list(txs)
            swapped[at], swapped[other] = swapped[other], swapped[at]
            return swapped
        case _:
            tail = next((n for n in (1, 2, 4, 8, 16) if len(txs) // n % 2 and len(txs) % n == 0), 1)
            return txs + txs[-tail:]


def change_witness(rng: random.Random, txs: Txs, among: Sequence[int]) -> Txs:
    """Change, omit, add or reorder something in the witness of one of some transactions."""
    at = rng.choice(among)
    tx = copied(txs[at])
    stacks = [list(one.scriptWitness.stack) for one in tx.wit.vtxinwit]
    stack = stacks[rng.randrange(len(stacks))]
    match rng.randrange(4):
        case 0:
            item = rng.randrange(len(stack))
            stack[item] = flipped(rng, stack[item])
        case 1:
            del stack[rng.randrange(len(stack))]
        case 2:
            stack.append(rng.randbytes(rng.randrange(3)))
        case _:
            stack.reverse()
    tx.wit = CTxWitness([CTxInWitness(CScriptWitness(items)) for items in stacks])
    return [*txs[:at], tx, *txs[at + 1 :]]


def mutated(
    rng: random.Random, count: int, sizes: Sequence[int], change: Mutation, **how: bool
) -> Iterator[tuple[RawBlock, RawBlock]]:
    """Pairs of a block and a changed one under the same header; changes that change nothing are left out."""
    while count:
        raw, txs = made_block(rng, rng.choice(sizes), **how)
        for _ in range(min(count, 25)):
            data = raw.data[:80] + maker.body(change(rng, txs))
            if data != raw.data:
                count -= 1
                yield raw, RawBlock(raw.ref, data)


def with_witness(txs: Sequence[CTransaction], *, coinbase: bool = False) -> list[int]:
    return [at for at, tx in enumerate(txs) if not tx.wit.is_null() and (at or coinbase)]


def mutated_headers(rng: random.Random, count: int) -> Iterator[RawBlock]:
    for _ in range(count):
        raw, _ = made_block(rng, rng.choice(SIZES))
        header = bytearray(raw.data[:80])
        begin, end = rng.choice([(0, 4), (4, 36), (36, 68), (68, 72), (72, 76), (76, 80)])
        match rng.randrange(3):
            case 0:
                header[rng.randrange(begin, end)] ^= 1 << rng.randrange(8)
            case 1:
                del header[begin:end]
            case 2:
                part = header[begin:end]
                header[begin:end] = part[::-1] if part[::-1] != part else bytes(b ^ 0xFF for b in part)
        yield RawBlock(raw.ref, bytes(header) + raw.data[80:])


def mutated_proofs(rng: random.Random, count: int) -> Iterator[bool]:
    """Change one part of what is stored of a transaction; yields whether the re-check finds it."""
    while count:
        raw, _ = made_block(rng, rng.choice(SIZES[2:]))
        found = facts(raw)
        for tx in found.transactions:
            assert found.header is not None and tx.proof is not None
            whole = [found.header, raw.ref.hash, tx.txid, tx.position, tx.raw, tx.proof]
            assert recheck("bitcoin", *whole) is None  # type: ignore[arg-type]
            part = rng.choice([0, 1, 2, 3, 4, 4, 5, 5, 5])
            parts: list[object] = list(whole)
            value = whole[part]
            if isinstance(value, int):
                parts[part] = value ^ 1 << rng.randrange(8)
            elif part == 5 and rng.random() < 0.5:
                parts[part] = other_steps(rng, tx.proof)
            else:
                assert isinstance(value, bytes)
                parts[part] = flipped(rng, value)
            if parts != whole and count:
                count -= 1
                yield recheck("bitcoin", *parts) is not None  # type: ignore[arg-type]


def other_steps(rng: random.Random, proof: bytes) -> bytes:
    """Omit, repeat or exchange steps of a stored branch."""
    height = proof[1]
    steps = [proof[2 + 32 * n : 34 + 32 * n] for n in range((len(proof) - 2) // 32)]
    rest = proof[2 + 32 * len(steps) :]
    at = rng.randrange(len(steps))
    match rng.randrange(3):
        case 0:
            del steps[at]
        case 1:
            steps.insert(at, steps[at])
        case _:
            beside = (at + 1) % len(steps)
            steps[at], steps[beside] = steps[beside], steps[at]
    head = bytes((1, height + rng.choice([-1, 0, 0, 1])))
    return head + b"".join(steps) + rest


def mutated_chains(rng: random.Random, count: int) -> Iterator[bool]:
    """Change a chain of headers that must lead to a known hash; yields whether it does not any more."""
    headers = []
    parent = maker.PARENT
    for number in range(40):
        headers.append(maker.header(parent, [maker.coinbase(maker.HEIGHT + number, [])], 1_700_000_000 + 60 * number))
        parent = hash_of(headers[-1])[::-1]
    for _ in range(count):
        changed, at = list(headers), rng.randrange(len(headers))
        match rng.randrange(3):
            case 0:
                place = rng.randrange(80)
                one = changed[at]
                changed[at] = one[:place] + bytes((one[place] ^ 1 << rng.randrange(8),)) + one[place + 1 :]
            case 1:
                del changed[at]
            case _:
                beside = (at + 1) % len(changed)
                changed[at], changed[beside] = changed[beside], changed[at]
        reached = chain()
        try:
            last = reached.extend_all(changed)
        except (KeyError, ValueError):
            yield True
        else:
            yield last is None or last.hash != hash_of(headers[-1])


def hops(rng: random.Random, size: int) -> Txs:
    """Transactions that spend each other's outputs, some of which are watched, in blocks of awkward sizes."""
    txs: list[CMutableTransaction] = []
    unspent: list[bytes] = []
    for number in range(size):
        spends = [rng.randbytes(32) + bytes(4)]
        if unspent and rng.random() < 0.4:
            spends.append(unspent.pop(rng.randrange(len(unspent))))
        script = WATCHED if rng.random() < 0.1 else rng.randbytes(rng.choice([0, 1, 22, 34, 252, 253, 300]))
        witness = [rng.randbytes(rng.choice([0, 1, 252, 253]))] * rng.choice([1, 2, 253]) if number % 2 else None
        signature = rng.randbytes(rng.choice([0, 5, 252, 253, 700]))
        txs.append(maker.transaction(spends, [(script, 5), (OTHER, number)], signature=signature, witness=witness))
        unspent += [txs[-1].GetTxid() + index.to_bytes(4, "little") for index in range(2)]
    return [maker.coinbase(maker.HEIGHT, txs), *txs]


def block_of(txs: Txs) -> RawBlock:
    header = maker.header(maker.PARENT, txs)
    return RawBlock(BlockRef(maker.HEIGHT, hash_of(header), Hash(maker.PARENT[::-1])), header + maker.body(txs))


def test_5000_changes_that_a_block_hash_covers_are_all_refused(record_property: Callable[[str, object], None]) -> None:
    rng = random.Random(20_121_129)
    caught: Counter[str] = Counter()

    def note(kind: str, results: Iterator[bool]) -> None:
        for result in results:
            caught[kind, result] += 1  # type: ignore[index]

    for size in SIZES:
        for _ in range(5):
            assert not refused(made_block(rng, size)[0])
    note("transaction", (refused(bad) for _, bad in mutated(rng, BLOCKS, SIZES, change_field)))
    note("list", (refused(bad) for _, bad in mutated(rng, LISTS, SIZES[1:], change_list)))
    note("header", (refused(bad) for bad in mutated_headers(rng, HEADERS)))
    every = lambda r, txs: change_witness(r, txs, with_witness(txs))  # noqa: E731
    note("witness", (refused(bad) for _, bad in mutated(rng, WITNESSES, SIZES[1:], every)))
    note("proof", mutated_proofs(rng, PROOFS))
    note("header chain", mutated_chains(rng, CHAINS))
    print("changes and whether they were refused:", dict(caught))
    record_property("changes", sum(caught.values()))
    assert caught == {
        ("transaction", True): BLOCKS,
        ("list", True): LISTS,
        ("header", True): HEADERS,
        ("witness", True): WITNESSES,
        ("proof", True): PROOFS,
        ("header chain", True): CHAINS,
    }
    assert sum(caught.values()) == 5000


def test_witnesses_that_nothing_stored_rests_on_are_not_covered_and_change_no_fact() -> None:
    rng = random.Random(5)
    strangers = lambda r, txs: change_witness(r, txs, with_witness(txs))  # noqa: E731
    accepted = 0
    for good, bad in mutated(rng, 300, SIZES[2:], strangers, stored_witness=False):
        assert facts(bad) == facts(good)
        accepted += 1
    print(f"{accepted} changes of witnesses beside transactions without one were accepted, and changed no fact")
    assert accepted == 300


@pytest.mark.parametrize("size", [2, 6, 12])
def test_a_block_that_repeats_its_tail_under_the_same_root_is_called_mutated(size: int) -> None:
    raw, txs = made_block(random.Random(1), size + 1 if size == 2 else size)
    tail = 1 if size == 2 else {6: 2, 12: 4}[size]
    longer = [*txs, *txs[-tail:]]
    assert maker.root([one.GetTxid() for one in longer]) == raw.data[36:68]
    with pytest.raises(BlockRefused, match="CVE-2012-2459"):
        facts(RawBlock(raw.ref, raw.data[:80] + maker.body(longer)))


def test_a_transaction_that_passes_for_two_hashes_of_a_tree_is_refused() -> None:
    script = b"\x51\x51\x51"
    short = CMutableTransaction([CTxIn(COutPoint(bytes(32), 0), CScript(b""))], [CTxOut(1, CScript(script + b"\x51"))])
    assert len(short.serialize()) == 64
    others = [short]
    txs = [maker.coinbase(maker.HEIGHT, others), *others]
    with pytest.raises(BlockRefused, match="64 bytes"):
        facts(raw_block(maker.header(maker.PARENT, txs), txs))


def spend_a_coin(first: CMutableTransaction) -> None:
    first.vin[0] = CTxIn(COutPoint(b"\x01" * 32, 0), first.vin[0].scriptSig)


def name_another_height(first: CMutableTransaction) -> None:
    first.vin[0] = CTxIn(first.vin[0].prevout, CScript(b"\x02\xe9\x03\x01x"))


def commit_to_nothing(first: CMutableTransaction) -> None:
    first.vout.pop()


def keep_no_reserved_value(first: CMutableTransaction) -> None:
    first.wit = CTxWitness()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (spend_a_coin, "no coinbase"),
        (name_another_height, "height 1000"),
        (commit_to_nothing, "commits to none"),
        (keep_no_reserved_value, "reserved value"),
    ],
)
def test_a_coinbase_must_be_one_and_name_height_and_witnesses(
    change: Callable[[CMutableTransaction], None], reason: str
) -> None:
    _, txs = made_block(random.Random(1), 3)
    change(txs[0])
    with pytest.raises(BlockRefused, match=reason):
        facts(raw_block(maker.header(maker.PARENT, txs), txs))
