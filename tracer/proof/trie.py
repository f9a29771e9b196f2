"""Merkle Patricia tries (Yellow Paper, appendix D): the root of a list, and what a path of nodes proves. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from tracer.proof import rlp
from tracer.proof.keccak import keccak

EMPTY_ROOT = keccak(b"\x80")
"""Root of a trie without entries."""

_NOTHING = b"\x80"
_HASHED = b"\xa0"
"""What stands before the 32 bytes of a hash."""


class BadProof(ValueError):
    """The bytes do not show what they should: another root, a gap in a path, a claim that differs."""


def index_key(index: int) -> bytes:
    """The key of a list's item in its trie."""
    return rlp.number(index)


def look_up(root: bytes, key: bytes, nodes: Sequence[bytes]) -> bytes | None:
    """Follow `key` from the root through `nodes`, which are in this order, and none of them superfluous.

    Returns the value; None if the nodes prove that the key is not in the trie. Raises BadProof.
    """
    if not nodes:
        if root != EMPTY_ROOT:
            raise BadProof("there are no nodes, and the trie is not empty")
        return None
    try:
        value, used = _follow(root, nibbles(key), nodes)
    except rlp.BadRlp as error:
        raise BadProof(f"a node of the path is out of shape: {error}") from error
    if used != len(nodes):
        raise BadProof(f"{len(nodes) - used} nodes that do not belong to the path")
    return value


def nibbles(key: bytes) -> bytes:
    """Split bytes into half bytes, the high one first.

    >>> nibbles(b"\\xa1")
    b'\\n\\x01'
    """
    return bytes([half for byte in key for half in (byte >> 4, byte & 15)])


def _follow(root: bytes, path: bytes, nodes: Sequence[bytes]) -> tuple[bytes | None, int]:
    """Return the value at the end of the path, and how many nodes it took."""
    below: rlp.Item = root
    used = 0
    while True:
        if isinstance(below, bytes):
            if used == len(nodes):
                raise BadProof("the nodes end before the path does")
            if len(below) != 32 or keccak(nodes[used]) != below:
                raise BadProof(f"node {used} of the path is not the one that is named above it")
            below, used = rlp.decode(nodes[used]), used + 1
            if not below:
                return None, used  # the one node of an empty trie
        node = rlp.as_list(below)
        if len(node) == 17:
            if not path:
                return rlp.as_bytes(node[16]) or None, used
            below, path = node[path[0]], path[1:]
            if below == b"":
                return None, used
        elif len(node) == 2:
            part, leaf = _unpack(rlp.as_bytes(node[0]))
            if leaf:
                return rlp.as_bytes(node[1]) if part == path else None, used
            if not path.startswith(part):
                return None, used
            below, path = node[1], path[len(part) :]
        else:
            raise BadProof(f"a node with {len(node)} items")


def _unpack(compact: bytes) -> tuple[bytes, bool]:
    """Read a compact path: its half bytes, and whether it ends in a leaf."""
    halves = nibbles(compact)
    if not halves or halves[0] > 3 or (halves[0] in (0, 2) and halves[1]):
        raise BadProof("a path that is not written in compact form")
    return halves[1 if halves[0] & 1 else 2 :], halves[0] >= 2


def _pack(halves: bytes, leaf: bool) -> bytes:
    flag = (2 if leaf else 0) + len(halves) % 2
    whole = bytes((flag,)) + (b"" if len(halves) % 2 else b"\0") + halves
    return bytes([high << 4 | low for high, low in zip(whole[::2], whole[1::2], strict=True)])


@dataclass(frozen=True, slots=True)
class _Shape:
    """How the trie of a list of some length branches; it depends on the length alone.

    heads: each leaf's encoded path. inner: nodes above the leaves, children first: an encoded path and one child, or
    b"" and 16 children. Nodes are numbered: leaves by their index, then the inner ones; -1 is none.
    paths: for each index, the nodes from the root to its leaf.
    """

    heads: tuple[bytes, ...]
    inner: tuple[tuple[bytes, tuple[int, ...]], ...]
    paths: tuple[tuple[int, ...], ...]


class IndexTrie:
    """The trie of a list, keyed by index, as blocks keep transactions, receipts and withdrawals."""

    def __init__(self, values: Sequence[bytes]) -> None:
        """Build it; no value may be empty."""
        self._shape = _shape(len(values))
        self._nodes: list[bytes] = []
        if values:
            self._build(values)
        self.root = keccak(self._nodes[-1]) if values else EMPTY_ROOT

    def _build(self, values: Sequence[bytes]) -> None:
        shape, nodes = self._shape, self._nodes
        refs = [_NOTHING] * (len(values) + len(shape.inner) + 1)  # the last stays: it is child -1
        text, wrap = rlp.text, rlp.wrap
        for number, (head, value) in enumerate(zip(shape.heads, values, strict=True)):
            node = wrap(head + text(value))
            nodes.append(node)
            refs[number] = _HASHED + keccak(node) if len(node) >= 32 else node
        for number, (head, children) in enumerate(shape.inner, start=len(values)):
            if head:
                node = wrap(head + refs[children[0]])
            else:
                node = wrap(b"".join([refs[child] for child in children]) + _NOTHING)
            nodes.append(node)
            refs[number] = _HASHED + keccak(node) if len(node) >= 32 else node

    def path(self, index: int) -> tuple[bytes, ...]:
        """The nodes from the root to the item, as `look_up` wants them; nodes inside others are left out."""
        nodes = [self._nodes[number] for number in self._shape.paths[index]]
        return (nodes[0], *(node for node in nodes[1:] if len(node) >= 32))


@lru_cache(maxsize=64)
def _shape(length: int) -> _Shape:
    keys = sorted((nibbles(index_key(index)), index) for index in range(length))
    heads = [b""] * length
    inner: list[tuple[bytes, tuple[int, ...]]] = []
    above: dict[int, int] = {}

    def add(head: bytes, children: tuple[int, ...]) -> int:
        number = length + len(inner)
        inner.append((head, children))
        above.update((child, number) for child in children if child >= 0)
        return number

    def build(first: int, last: int, depth: int) -> int:
        """Place the keys from `first` up to `last`, which agree in their first `depth` half bytes."""
        key, index = keys[first]
        if last - first == 1:
            heads[index] = rlp.text(_pack(key[depth:], leaf=True))
            return index
        other, fork = keys[last - 1][0], depth
        while key[fork] == other[fork]:
            fork += 1
        children, start = [-1] * 16, first
        while start < last:
            half = keys[start][0][fork]
            stop = next((at for at in range(start, last) if keys[at][0][fork] != half), last)
            children[half] = build(start, stop, fork + 1)
            start = stop
        branch = add(b"", tuple(children))
        return branch if fork == depth else add(rlp.text(_pack(key[depth:fork], leaf=False)), (branch,))

    if length:
        build(0, length, 0)
    return _Shape(tuple(heads), tuple(inner), tuple(_way(index, above) for index in range(length)))


def _way(number: int, above: dict[int, int]) -> tuple[int, ...]:
    way = [number]
    while way[-1] in above:
        way.append(above[way[-1]])
    return tuple(reversed(way))
