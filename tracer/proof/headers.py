"""The rules of Bitcoin's header chain: links, proof of work, difficulty, times, and the work behind a block. Pure.

What the rules need of a block's ancestors is summarised in a `Context`, which is carried from header to header. Not
checked here: whether a header's time lies ahead of our clock (rules read no clock), version numbers, and signet's
signature.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from struct import Struct

from tracer.proof.networks import Rules
from tracer.proof.transactions import hash256
from tracer.types import Hash

HEADER_BYTES = 80
PERIOD = 2016
SPACING_S = 600
TIMESPAN_S = PERIOD * SPACING_S
WARP_S = 600
MEDIAN_OF = 11
KEPT = 4032
"""Contexts kept in memory: deeper than any reorg that is followed."""

_NUMBERS = Struct("<68xIII")


@dataclass(frozen=True, slots=True)
class Context:
    """A block as the rules for the next header see it.

    times: of the last eleven blocks, this one last. first_time, first_bits: of the first block of this difficulty
    period. usual_bits: what a test network falls back to after its easy blocks. work: hashes expected for the chain
    up to here, from the genesis block or the checkpoint on.
    """

    height: int
    hash: Hash
    bits: int
    times: tuple[int, ...]
    first_time: int
    first_bits: int
    usual_bits: int
    work: int


def hash_of(header: bytes) -> Hash:
    """The hash of a header, in display order."""
    return Hash(hash256(header)[::-1])


def parent_of(header: bytes) -> Hash:
    """The hash of the block that a header stands on."""
    return Hash(header[35:3:-1])


@lru_cache(maxsize=1024)
def target_of(bits: int) -> int:
    """The target that `nBits` writes; raises ValueError where it is negative, zero or too large (arith_uint256).

    >>> hex(target_of(0x1D00FFFF) >> 208)
    '0xffff'
    """
    size, mantissa = bits >> 24, bits & 0x7FFFFF
    target = mantissa >> 8 * (3 - size) if size <= 3 else mantissa << 8 * (size - 3)
    if not target or bits & 0x800000 or target >> 256:
        raise ValueError(f"nBits {bits:08x} is no target")
    return target


@lru_cache(maxsize=1024)
def bits_of(target: int) -> int:
    """Write a target as `nBits`, cut to its first three bytes.

    >>> hex(bits_of(0xFFFF << 208))
    '0x1d00ffff'
    """
    size = (target.bit_length() + 7) // 8
    mantissa = target << 8 * (3 - size) if size <= 3 else target >> 8 * (size - 3)
    if mantissa & 0x800000:
        mantissa, size = mantissa >> 8, size + 1
    return size << 24 | mantissa


def work_of(bits: int) -> int:
    """The hashes that a block of this difficulty takes on average."""
    return (1 << 256) // (target_of(bits) + 1)


def first_context(rules: Rules) -> Context:
    """The context of the genesis block."""
    _, bits, _ = numbers = _NUMBERS.unpack(rules.genesis)
    return Context(0, hash_of(rules.genesis), bits, numbers[:1], numbers[0], bits, bits, work_of(bits))


def lowest_needed(height: int) -> int:
    """The height of the first header that the context of a checkpoint is made from."""
    return max(0, min(height - height % PERIOD, height - MEDIAN_OF + 1))


def pinned_context(rules: Rules, height: int, block: Hash, headers: Sequence[bytes]) -> Context:
    """The context of a block whose hash is pinned, from the headers at and below it; its work counts as none.

    headers: from `lowest_needed(height)` to the block, in order. They are what the pinned hash commits to, link by
    link; each must meet its own target. Raises ValueError with the reason.
    """
    low = lowest_needed(height)
    if len(headers) != height - low + 1:
        raise ValueError(f"{len(headers)} headers do not reach from {low} to {height}")
    for lower, upper in pairwise(headers):
        if parent_of(upper) != hash_of(lower):
            raise ValueError(f"the headers below the checkpoint {height} do not link")
    if hash_of(headers[-1]) != block:
        raise ValueError(f"block {height} is not the checkpoint {block.hex()}")
    fields = [_proven_fields(rules, header) for header in headers]
    times = tuple(time for time, _ in fields[-MEDIAN_OF:])
    first = height - height % PERIOD
    first_time, first_bits = fields[first - low]
    usual = first_bits
    for _, bits in fields[first - low + 1 :]:
        usual = usual if bits == bits_of(rules.limit) else bits
    return Context(height, block, fields[-1][1], times, first_time, first_bits, usual, 0)


def next_context(rules: Rules, last: Context, header: bytes) -> Context:
    """Check the header above `last` and return its context; raises ValueError with the reason."""
    if len(header) != HEADER_BYTES:
        raise ValueError(f"a header of {len(header)} bytes")
    if parent_of(header) != last.hash:
        raise ValueError(f"its header does not stand on {last.hash.hex()}")
    height = last.height + 1
    time, bits, _ = _NUMBERS.unpack(header)
    wanted = next_bits(rules, last, time)
    if bits != wanted:
        raise ValueError(f"its nBits are {bits:08x}, the rules of the network demand {wanted:08x}")
    block = hash256(header)
    if int.from_bytes(block, "little") > target_of(bits):
        raise ValueError(f"its hash does not meet the target {bits:08x}")
    median = sorted(last.times)[len(last.times) // 2]
    if time <= median:
        raise ValueError(f"its time {time} is not after the median time past {median}")
    begins = height % PERIOD == 0
    if begins and rules.storm and time < last.times[-1] - WARP_S:
        raise ValueError(f"its time {time} warps back from {last.times[-1]} at the start of a period")
    times = (*last.times[-MEDIAN_OF + 1 :], time)
    work = last.work + work_of(bits)
    if begins:
        return Context(height, Hash(block[::-1]), bits, times, time, bits, bits, work)
    usual = last.usual_bits if bits == bits_of(rules.limit) else bits
    return Context(height, Hash(block[::-1]), bits, times, last.first_time, last.first_bits, usual, work)


def next_bits(rules: Rules, last: Context, time: int) -> int:
    """Work out the `nBits` that the block above `last` must have; `time`: its own, for the 20-minute rule."""
    if (last.height + 1) % PERIOD == 0:
        return _retarget(rules, last)
    if not rules.easy:
        return last.bits
    if time > last.times[-1] + 2 * SPACING_S:
        return bits_of(rules.limit)
    return last.usual_bits


def _retarget(rules: Rules, last: Context) -> int:
    if not rules.retargets:
        return last.bits
    taken = min(max(last.times[-1] - last.first_time, TIMESPAN_S // 4), TIMESPAN_S * 4)
    before = target_of(last.first_bits if rules.storm else last.bits)
    return bits_of(min(before * taken // TIMESPAN_S, rules.limit))


def _proven_fields(rules: Rules, header: bytes) -> tuple[int, int]:
    """Time and `nBits` of a header that meets its own target, which is one of the network's."""
    time, bits, _ = _NUMBERS.unpack(header)
    if int.from_bytes(hash_of(header), "big") > target_of(bits) or target_of(bits) > rules.limit:
        raise ValueError(f"the header of {hash_of(header).hex()} does not meet a target of the network")
    return time, bits


class HeaderChain:
    """The contexts of the newest headers of one network, of all branches, by block hash; it grows header by header.

    checkpoint: the height and hash from which the chain counts, instead of the genesis block.
    """

    def __init__(self, rules: Rules, checkpoint: tuple[int, Hash] | None = None) -> None:
        self.rules = rules
        self.checkpoint = checkpoint
        self._contexts: dict[Hash, Context] = {}

    @property
    def origin(self) -> str:
        """Where the chain counts from, in words."""
        return "genesis" if self.checkpoint is None else f"checkpoint {self.checkpoint[0]}"

    def begin(self, context: Context) -> None:
        """Forget everything, and stand on this block, which was verified."""
        self._contexts = {context.hash: context}

    def at(self, block: Hash) -> Context | None:
        """The context of a block; None if it was not verified, or is too old to be kept."""
        return self._contexts.get(block)

    def extend(self, header: bytes) -> Context:
        """Verify a header that stands on a known one; raises KeyError if its parent is not known, ValueError."""
        known = self._contexts.get(hash_of(header))
        if known is not None:
            return known
        context = next_context(self.rules, self._contexts[parent_of(header)], header)
        self._contexts[context.hash] = context
        if len(self._contexts) > KEPT:
            del self._contexts[next(iter(self._contexts))]
        return context

    def extend_all(self, headers: Iterable[bytes]) -> Context | None:
        """Verify headers in order; returns the last one's context, None if there was none."""
        context = None
        for header in headers:
            context = self.extend(header)
        return context
