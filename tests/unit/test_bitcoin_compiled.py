"""The compiled steps over blocks give what plain Python gives: drafts, proofs and refusals, to the letter."""

import random
from hashlib import sha256

import pytest
from test_bitcoin_mutations import (
    BTC,
    OTHER,
    WATCHED,
    block_of,
    chain,
    change_field,
    change_list,
    flipped,
    hops,
    made_block,
    mutated,
)

from tracer.errors import BlockRefused, Inconsistent
from tracer.types import Outpoint
from watchers.bitcoin.reading import PlainReader, Reader
from watchers.bitcoin.scan import BitcoinScanner, Draft, RawBlock
from watchers.node import Coin

pytest.importorskip("numba")


def made() -> Reader:
    """A reader with the steps as a daemon loads them."""
    from watchers.bitcoin.compiled import CompiledReader
    from watchers.bitcoin.native import MAKER

    steps = MAKER.steps(wait=True)
    assert steps is not None
    return CompiledReader(steps)


def read(raw: RawBlock, coins: list[Outpoint], *, compiled: bool) -> Draft | tuple[type, str]:
    """Scan a block, by compiled steps or in plain Python; returns the draft, or how it was refused."""
    scanner = BitcoinScanner(BTC, chain(), made if compiled else PlainReader)
    scanner.watch([WATCHED])
    scanner.remember({point: Coin(OTHER, 10**9) for point in coins})
    try:
        return scanner.scan(raw)
    except (BlockRefused, Inconsistent) as error:
        return type(error), str(error)


def assert_same(raw: RawBlock, coins: list[Outpoint]) -> Draft | tuple[type, str]:
    plain = read(raw, coins, compiled=False)
    assert read(raw, coins, compiled=True) == plain
    return plain


@pytest.mark.parametrize("size", [0, 1, 2, 5, 40, 253, 300])
def test_the_same_hits_with_the_same_proofs(size: int) -> None:
    rng = random.Random(size)
    txs = hops(rng, size)
    points = [one.prevout for tx in txs[1:] for one in tx.vin]
    coins = [Outpoint(p.hash + p.n.to_bytes(4, "little")) for p in rng.sample(points, min(len(points), 4))]
    draft = assert_same(block_of(txs), coins)
    assert isinstance(draft, Draft)
    assert size < 5 or draft.hits


def test_the_same_refusals_of_changed_blocks() -> None:
    rng = random.Random(17)
    refused = 0
    for change in (change_field, change_list):
        for _, bad in mutated(rng, 200, (1, 2, 7, 12), change):
            refused += not isinstance(assert_same(bad, []), Draft)
    assert refused == 400


def test_the_same_refusals_of_bytes_that_are_no_block() -> None:
    rng = random.Random(23)
    for _ in range(25):
        raw, _ = made_block(rng, rng.choice([1, 3, 7]))
        for _ in range(20):
            data = raw.data[:80] + flipped(rng, flipped(rng, raw.data[80:]))
            assert_same(RawBlock(raw.ref, data), [])
            assert_same(RawBlock(raw.ref, raw.data[: rng.randint(80, len(raw.data))]), [])
            huge = rng.choice([b"\xff" * 9, b"\xfe" + b"\xff" * 4, b"\xfd\xff\xff", b"\xff" + bytes(7) + b"\x80"])
            place = rng.randint(80, len(raw.data))
            assert_same(RawBlock(raw.ref, raw.data[:place] + huge + raw.data[place:]), [])


def test_interest_in_coins_is_forgotten_and_comes_back() -> None:
    rng = random.Random(3)
    txs = hops(rng, 30)
    raw, point = block_of(txs), Outpoint(txs[20].vin[0].prevout.hash + bytes(4))
    scanners = [BitcoinScanner(BTC, chain(), make) for make in (made, PlainReader)]
    found = []
    for scanner in scanners:
        scanner.watch([OTHER[:-1] + b"x"])  # type: ignore[list-item]
        for number in range(60_000):
            scanner.remember({Outpoint(number.to_bytes(36, "big")): Coin(OTHER, 1)}) if number % 1000 == 0 else None
            scanner.forget([Outpoint(number.to_bytes(36, "big"))])
        steps = [len(scanner.scan(raw).hits)]
        scanner.remember({point: Coin(OTHER, 10**9)})
        steps.append(len(scanner.scan(raw).hits))
        scanner.forget([point])
        steps.append(len(scanner.scan(raw).hits))
        scanner.remember({point: Coin(OTHER, 10**9)})
        scanner.forget_all()
        steps.append(len(scanner.scan(raw).hits))
        found.append(steps)
    assert found[0] == found[1]
    assert found[0][0] == found[0][2] == found[0][3] == 0 < found[0][1]


@pytest.mark.parametrize("how", ["compress_plain", "compress_quick"])
def test_sha256_is_that_of_the_standard_library(how: str) -> None:
    import numpy as np
    from numba import njit

    from watchers.bitcoin import native, sha

    if how == "compress_quick" and not native.HAS_INSTRUCTIONS:
        pytest.skip("this processor has no instructions for SHA-256")
    compress = getattr(sha, how)

    @njit
    def run(state, data):  # type: ignore[no-untyped-def]
        for place in range(0, len(data), 64):
            compress(state, data, place)

    rng = random.Random(1)
    for size in (0, 1, 55, 56, 63, 64, 65, 119, 120, 1000):
        message = rng.randbytes(size)
        padded = message + b"\x80" + bytes(-(size + 9) % 64) + (8 * size).to_bytes(8, "big")
        state = np.zeros(native.STATE_BYTES // 4, np.uint32)
        state[:8] = sha.START
        run(state, np.frombuffer(padded, np.uint8))
        assert state[:8].byteswap().tobytes() == sha256(message).digest()
