"""SHA-256 as numba compiles it: with the processor's own instructions where it has them, else in plain arithmetic.

Importing this takes numba; only the process that compiles does (`build`). A state has room behind its eight words for
the 64 that plain arithmetic works with, so that nothing allocates. Source: FIPS 180-4; the order of the instructions
follows from their definition in Intel's manual (SHA256RNDS2, SHA256MSG1, SHA256MSG2).
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from watchers.bitcoin.native import HAS_INSTRUCTIONS

START = (0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19)


def step(function: Any) -> Any:
    """Compile for the types it is called with; without the interpreter's lock, and an allocation is refused."""
    options: Any = {"nogil": True, "_nrt": False}
    return njit(function, **options)


def inlined(function: Any) -> Any:
    """Compile into each caller."""
    options: Any = {"nogil": True, "_nrt": False, "inline": "always"}
    return njit(function, **options)


def _cube_roots() -> tuple[int, ...]:
    """The first 32 bits of the fractions of the cube roots of the first 64 primes."""
    primes = [n for n in range(2, 312) if all(n % d for d in range(2, int(n**0.5) + 1))]
    roots = []
    for prime in primes[:64]:
        low, high = 0, 8 << 32
        while low + 1 < high:
            middle = (low + high) // 2
            low, high = (middle, high) if middle**3 <= prime << 96 else (low, middle)
        roots.append(low & 0xFFFFFFFF)
    return tuple(roots)


ROUNDS = _cube_roots()
_FOUR = ir.VectorType(ir.IntType(32), 4)
_BYTE = ir.PointerType(ir.IntType(8))


class _Vectors:
    """Emits operations on vectors of four words."""

    def __init__(self, builder: Any) -> None:
        self.builder = builder

    def load(self, base: Any, place: int) -> Any:
        at = self.builder.gep(base, [ir.Constant(ir.IntType(64), place)])
        return self.builder.load(self.builder.bitcast(at, ir.PointerType(_FOUR)), align=1)

    def store(self, value: Any, base: Any, place: int) -> None:
        at = self.builder.gep(base, [ir.Constant(ir.IntType(64), place)])
        self.builder.store(value, self.builder.bitcast(at, ir.PointerType(_FOUR)), align=1)

    def pick(self, low: Any, high: Any, *lanes: int) -> Any:
        return self.builder.shuffle_vector(low, high, ir.Constant(_FOUR, list(lanes)))

    def call(self, name: str, *values: Any) -> Any:
        kind = ir.FunctionType(_FOUR, [_FOUR] * len(values))
        known: Any = cgutils.get_or_insert_function(self.builder.module, kind, name)
        return self.builder.call(known, values)

    def compress(self, state: Any, data: Any) -> None:
        """Take one block of 64 bytes into a state of eight words."""
        low, high = self.load(state, 0), self.load(state, 16)
        first, second = self.pick(low, high, 5, 4, 1, 0), self.pick(low, high, 7, 6, 3, 2)
        words = [self.call("llvm.bswap.v4i32", self.load(data, 16 * n)) for n in range(4)]
        left, right = first, second
        for n in range(16):
            turn = self.builder.add(words[n], ir.Constant(_FOUR, list(ROUNDS[4 * n : 4 * n + 4])))
            right = self.call("llvm.x86.sha256rnds2", right, left, turn)
            left = self.call("llvm.x86.sha256rnds2", left, right, self.pick(turn, turn, 2, 3, 0, 0))
            if n < 12:
                partly = self.call("llvm.x86.sha256msg1", words[n], words[n + 1])
                partly = self.builder.add(partly, self.pick(words[n + 2], words[n + 3], 1, 2, 3, 4))
                words.append(self.call("llvm.x86.sha256msg2", partly, words[n + 3]))
        left, right = self.builder.add(left, first), self.builder.add(right, second)
        self.store(self.pick(left, right, 3, 2, 7, 6), state, 0)
        self.store(self.pick(left, right, 1, 0, 5, 4), state, 16)


def _by_instructions(_: Any, state: Any, data: Any, place: Any) -> Any:
    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        words = context.make_array(signature.args[0])(context, builder, args[0])
        block = context.make_array(signature.args[1])(context, builder, args[1])
        begin = builder.gep(builder.bitcast(block.data, _BYTE), [args[2]])
        _Vectors(builder).compress(builder.bitcast(words.data, _BYTE), begin)
        return context.get_dummy_value()

    return types.void(state, data, place), emit


compress_quick: Any = intrinsic(_by_instructions)
_ROUNDS = np.array(ROUNDS, np.uint32)


def _turn(word: Any, by: Any) -> Any:
    return np.uint32((word >> np.uint32(by)) | (word << np.uint32(32 - by)))


turn: Any = inlined(_turn)


def _plainly(state: Any, data: Any, place: Any) -> None:
    w = state[8:]
    for n in range(16):
        at = place + 4 * n
        w[n] = (
            np.uint32(data[at]) << np.uint32(24)
            | np.uint32(data[at + 1]) << np.uint32(16)
            | np.uint32(data[at + 2]) << np.uint32(8)
            | np.uint32(data[at + 3])
        )
    for n in range(16, 64):
        low = turn(w[n - 15], 7) ^ turn(w[n - 15], 18) ^ (w[n - 15] >> np.uint32(3))
        high = turn(w[n - 2], 17) ^ turn(w[n - 2], 19) ^ (w[n - 2] >> np.uint32(10))
        w[n] = np.uint32(w[n - 16] + low + w[n - 7] + high)
    a, b, c, d, e, f, g, h = state[0], state[1], state[2], state[3], state[4], state[5], state[6], state[7]
    for n in range(64):
        up = turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)
        one = np.uint32(h + up + ((e & f) ^ (~e & g)) + _ROUNDS[n] + w[n])
        down = turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)
        two = np.uint32(down + ((a & b) ^ (a & c) ^ (b & c)))
        h, g, f, e, d, c, b, a = g, f, e, np.uint32(d + one), c, b, a, np.uint32(one + two)
    for n, value in enumerate((a, b, c, d, e, f, g, h)):
        state[n] = np.uint32(state[n] + value)


compress_plain: Any = step(_plainly)
compress: Any = compress_quick if HAS_INSTRUCTIONS else compress_plain
