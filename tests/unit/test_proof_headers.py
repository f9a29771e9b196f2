"""The rules of header chains, against known retargets and against a second, naive reading of them over made chains."""

import random
from functools import cache
from hashlib import sha256

import pytest

from tracer.proof.headers import (
    PERIOD,
    Context,
    HeaderChain,
    bits_of,
    first_context,
    hash_of,
    lowest_needed,
    next_bits,
    pinned_context,
    target_of,
    work_of,
)
from tracer.proof.networks import NETWORKS, Rules
from tracer.types import Hash

LIMIT = (1 << 255) - 1
EASIEST = 0x207FFFFF
HASHES = {
    "main": "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f",
    "test": "000000000933ea01ad0ee984209779baaec3ced90fa3f408719526f8d77f4943",
    "testnet4": "00000000da84f2bafbbc53dee25a72ae507ff4914b867c565be350b0da8bf043",
    "signet": "00000008819873e925422c1ff0f99f7cc9bbb232af63a077a480a3633bee1ef6",
    "regtest": "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206",
}
KINDS = {
    "main": {"retargets": True, "easy": False, "storm": False},
    "test": {"retargets": True, "easy": True, "storm": False},
    "testnet4": {"retargets": True, "easy": True, "storm": True},
    "regtest": {"retargets": False, "easy": True, "storm": False},
}
"""The rules of each network; the chains made here have them at an easier limit, so that they can be mined."""


def header(parent: bytes, time: int, bits: int, *, meets: bool = True) -> bytes:
    """Make a header that meets its target, or just does not."""
    fixed = b"\x00\x00\x00\x20" + parent[::-1] + bytes(32) + time.to_bytes(4, "little") + bits.to_bytes(4, "little")
    target = (bits & 0xFFFFFF) << 8 * ((bits >> 24) - 3)
    for nonce in range(1 << 20):
        made = fixed + nonce.to_bytes(4, "little")
        if (int.from_bytes(sha256(sha256(made).digest()).digest(), "little") <= target) is meets:
            return made
    raise AssertionError("not mined")


def rules_like(name: str) -> Rules:
    return Rules(header(bytes(32), 1_300_000_000, EASIEST), LIMIT, **KINDS[name])


class Naive:
    """The rules read over the whole list of headers, as their sources tell them; nothing is summarised."""

    def __init__(self, rules: Rules) -> None:
        self.rules, self.headers = rules, [rules.genesis]

    def time(self, height: int) -> int:
        return int.from_bytes(self.headers[height][68:72], "little")

    def bits(self, height: int) -> int:
        return int.from_bytes(self.headers[height][72:76], "little")

    def wanted(self, time: int) -> int:
        height, last = len(self.headers), len(self.headers) - 1
        if height % 2016:
            if not self.rules.easy:
                return self.bits(last)
            if time > self.time(last) + 1200:
                return EASIEST
            while last and last % 2016 and self.bits(last) == EASIEST:
                last -= 1
            return self.bits(last)
        if not self.rules.retargets:
            return self.bits(last)
        first = height - 2016
        span = min(max(self.time(last) - self.time(first), 302_400), 4_838_400)
        old = self.bits(first) if self.rules.storm else self.bits(last)
        target = min((old & 0xFFFFFF) << 8 * ((old >> 24) - 3), LIMIT) * span // 1_209_600
        return compact(min(target, LIMIT))

    def median(self) -> int:
        last = len(self.headers)
        times = sorted(self.time(height) for height in range(max(0, last - 11), last))
        return times[len(times) // 2]


def compact(target: int) -> int:
    size = len(f"{target:x}".zfill(2)) // 2 + len(f"{target:x}") % 2
    digits = target.to_bytes(size + 1, "big")
    if digits[1] >= 0x80:
        return size + 1 << 24 | int.from_bytes(digits[:3], "big")
    return size << 24 | int.from_bytes(digits[1:4], "big")


@cache
def made_chain(name: str, blocks: int, seed: int) -> Naive:
    """A chain with slow and fast stretches, easy blocks where the rules allow them, and times that step back."""
    rng, naive = random.Random(seed), Naive(rules_like(name))
    pace = 150
    while len(naive.headers) <= blocks:
        if len(naive.headers) % 500 == 0:
            pace = rng.choice([150, 200, 600, 900])
        last = naive.time(len(naive.headers) - 1)
        time = max(
            naive.median() + 1, last + rng.choice([pace, pace, pace // 2, -300, 1201 if rng.random() < 0.2 else pace])
        )
        naive.headers.append(header(hash_of(naive.headers[-1]), time, naive.wanted(time)))
    return naive


def followed(naive: Naive) -> HeaderChain:
    chain = HeaderChain(naive.rules)
    chain.begin(first_context(naive.rules))
    return chain


@pytest.mark.parametrize("name", NETWORKS)
def test_the_genesis_blocks_are_those_of_the_networks(name: str) -> None:
    rules = NETWORKS[name]
    assert (first_context(rules).hash.hex(), rules.genesis_hash.hex()) == (HASHES[name], HASHES[name])
    assert first_context(rules).bits == bits_of(rules.limit)
    assert int.from_bytes(first_context(rules).hash, "big") <= target_of(first_context(rules).bits)


@pytest.mark.parametrize(
    ("first_time", "height", "time", "bits", "wanted"),
    [  # main's own history, as Bitcoin Core's src/test/pow_tests.cpp has it
        (1261130161, 32255, 1262152739, 0x1D00FFFF, 0x1D00D86A),
        (1231006505, 2015, 1233061996, 0x1D00FFFF, 0x1D00FFFF),
        (1279008237, 68543, 1279297671, 0x1C05A3F4, 0x1C0168FD),
        (1263163443, 46367, 1269211443, 0x1C387F6F, 0x1D00E1FD),
    ],
)
def test_retargets_of_mains_history(first_time: int, height: int, time: int, bits: int, wanted: int) -> None:
    last = Context(height, Hash(bytes(32)), bits, (time,), first_time, bits, bits, 0)
    assert next_bits(NETWORKS["main"], last, time + 600) == wanted


def test_targets_that_are_none_are_refused() -> None:
    for bits in (0, 0x01003456, 0x04923456, 0x1D800000, 0x23000100, 0xFF123456):
        with pytest.raises(ValueError, match="no target"):
            target_of(bits)
    assert (target_of(0x04123456), bits_of(0x12345600)) == (0x12345600, 0x04123456)
    assert (target_of(0x02008000), bits_of(0x80)) == (0x80, 0x02008000)
    assert work_of(0x1D00FFFF) == 0x100010001


@pytest.mark.parametrize("name", KINDS)
def test_a_chain_by_the_rules_is_followed_and_any_other_target_refused(name: str) -> None:
    naive = made_chain(name, 3 * PERIOD + 40, seed=7)
    chain, seen, work = followed(naive), set[int](), 0
    rng = random.Random(1)
    for height, one in enumerate(naive.headers[1:], 1):
        bits = int.from_bytes(one[72:76], "little")
        parent, time = naive.headers[height - 1], int.from_bytes(one[68:72], "little")
        if height % PERIOD in (0, 1, PERIOD - 1) or rng.random() < 0.02:
            for wrong in {EASIEST, bits - 1, bits + 1, 0x1F7FFFFF, *seen} - {bits}:
                if not wrong & 0x800000 and target_of(wrong) >> 240:
                    with pytest.raises(ValueError, match="the rules of the network demand"):
                        chain.extend(header(hash_of(parent), time, wrong))
        seen.add(bits)
        context = chain.extend(one)
        work += (1 << 256) // (target_of(bits) + 1)
        assert (context.height, context.hash) == (height, hash_of(one))
    assert context.work == work + 2
    assert len(seen) > (1 if KINDS[name]["retargets"] else 0)


def test_work_times_and_links_are_held_to_the_rules() -> None:
    naive = made_chain("main", 30, seed=3)
    chain = followed(naive)
    chain.extend_all(naive.headers[1:])
    parent, bits = hash_of(naive.headers[-1]), naive.wanted(0)
    with pytest.raises(ValueError, match="does not meet the target"):
        chain.extend(header(parent, naive.median() + 1, bits, meets=False))
    with pytest.raises(ValueError, match="not after the median time past"):
        chain.extend(header(parent, naive.median(), bits))
    assert chain.extend(header(parent, naive.median() + 1, bits)).height == 31
    with pytest.raises(KeyError):
        chain.extend(header(bytes(32), naive.median() + 1, bits))
    with pytest.raises(ValueError, match="79 bytes"):
        HeaderChain.extend(chain, naive.headers[-1][:36] + naive.headers[-1][37:])


def test_testnet4_refuses_to_warp_back_at_the_start_of_a_period() -> None:
    naive = made_chain("testnet4", PERIOD - 1, seed=5)
    chain = followed(naive)
    chain.extend_all(naive.headers[1:])
    last = naive.time(PERIOD - 1)
    context = chain.extend(header(hash_of(naive.headers[-2]), last + 5000, EASIEST))
    bits = next_bits(naive.rules, context, 0)
    with pytest.raises(ValueError, match="warps back"):
        chain.extend(header(context.hash, last + 4399, bits))
    assert chain.extend(header(context.hash, last + 4400, bits)).height == PERIOD


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("height", [9, PERIOD - 1, PERIOD + 4, PERIOD + 700])
def test_from_a_checkpoint_the_rules_go_on_as_from_genesis(name: str, height: int) -> None:
    naive = made_chain(name, 2 * PERIOD + 20, seed=11)
    whole, pinned = followed(naive), HeaderChain(naive.rules, (height, hash_of(naive.headers[height])))
    headers = naive.headers[lowest_needed(height) : height + 1]
    pinned.begin(pinned_context(naive.rules, height, hash_of(naive.headers[height]), headers))
    base = whole.extend_all(naive.headers[1 : height + 1])
    assert base is not None
    for one in naive.headers[height + 1 :]:
        by_genesis, by_checkpoint = whole.extend(one), pinned.extend(one)
        assert by_genesis.work == by_checkpoint.work + base.work
        assert next_bits(naive.rules, by_genesis, 0) == next_bits(naive.rules, by_checkpoint, 0)
        assert by_genesis.times[-1] == by_checkpoint.times[-1]
    assert (whole.origin, pinned.origin) == ("genesis", f"checkpoint {height}")


def test_a_checkpoint_is_what_its_hash_says_or_nothing() -> None:
    naive = made_chain("main", 40, seed=2)
    good, block = naive.headers[: 30 + 1], hash_of(naive.headers[30])
    assert pinned_context(naive.rules, 30, block, good).height == 30
    other = header(hash_of(good[28]), naive.time(29) + 1, naive.bits(29))
    for headers, reason in (
        (good[1:], "do not reach"),
        ([*good[:29], other, good[30]], "do not link"),
        ([*good[:30], header(hash_of(good[29]), naive.time(30) + 1, naive.bits(30))], "is not the checkpoint"),
    ):
        with pytest.raises(ValueError, match=reason):
            pinned_context(naive.rules, 30, block, headers)


def test_an_easy_chain_on_mains_genesis_is_refused_at_its_first_block() -> None:
    main = NETWORKS["main"]
    chain = HeaderChain(main)
    chain.begin(first_context(main))
    parent, time = hash_of(main.genesis), 1_231_006_600
    with pytest.raises(ValueError, match="nBits are 207fffff, the rules of the network demand 1d00ffff"):
        chain.extend(header(parent, time, EASIEST))
    with pytest.raises(ValueError, match="does not meet the target 1d00ffff"):
        chain.extend(header(parent, time, 0x1D00FFFF, meets=False))
