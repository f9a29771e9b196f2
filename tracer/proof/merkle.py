"""Merkle trees of Bitcoin blocks: roots, branches, and the trees that two lists of transactions share. Pure.

All ids are in wire order. Source: Bitcoin Core's consensus/merkle.cpp.
"""

from collections.abc import Sequence
from hashlib import sha256
from operator import eq
from typing import Any

from tracer.proof.transactions import hash256

MUTATED = "its merkle tree is mutated: it repeats transactions (CVE-2012-2459)"


def levels(ids: Sequence[bytes]) -> list[list[bytes]]:
    """All levels of a tree, the ids first and the root last.

    Raises ValueError for a tree in which two neighbours are equal: the same root then stands for a shorter list too
    (CVE-2012-2459), and for no ids at all.
    """
    if not ids:
        raise ValueError("a block without transactions")
    tree = [list(ids)]
    while len(tree[-1]) > 1:
        lefts, rights = tree[-1][::2], tree[-1][1::2]
        if any(map(eq, lefts, rights)):
            raise ValueError(MUTATED)
        if len(rights) < len(lefts):
            rights.append(lefts[-1])
        tree.append([sha256(sha256(a + b).digest()).digest() for a, b in zip(lefts, rights, strict=True)])
    return tree


class Joined(Sequence[bytes]):
    """A level of a tree whose nodes stand joined in one byte string, from the node `begin` on."""

    __slots__ = ("_begin", "_count", "_nodes")

    def __init__(self, nodes: bytes, begin: int = 0, count: int | None = None) -> None:
        self._nodes, self._begin = nodes, begin
        self._count = len(nodes) // 32 if count is None else count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, at: Any) -> Any:
        if not 0 <= at < self._count:
            raise IndexError(at)
        place = 32 * (self._begin + at)
        return self._nodes[place : place + 32]


def root(ids: Sequence[bytes]) -> bytes:
    """The root over a list of ids; raises ValueError as `levels` does."""
    return levels(ids)[-1][0]


def branch(tree: Sequence[Sequence[bytes]], position: int) -> list[bytes]:
    """The neighbours from a leaf up to below the root.

    >>> tree = levels([bytes([n]) * 32 for n in range(5)])
    >>> [climb(leaf, at, branch(tree, at)) == tree[-1][0] for at, leaf in enumerate(tree[0])]
    [True, True, True, True, True]
    """
    steps = []
    for level in tree[:-1]:
        beside = position ^ 1
        steps.append(level[beside] if beside < len(level) else level[position])
        position >>= 1
    return steps


def climb(leaf: bytes, position: int, steps: Sequence[bytes]) -> bytes:
    """The root that a branch leads to from a leaf.

    Raises ValueError where the position does not fit the branch, or a node repeats its left neighbour: then it is the
    copy that fills up an odd level, and not in the list (CVE-2012-2459).
    """
    if position >> len(steps):
        raise ValueError(f"position {position} has no branch of {len(steps)} steps")
    for step in steps:
        if position & 1 and step == leaf:
            raise ValueError("its merkle branch is mutated (CVE-2012-2459)")
        pair = step + leaf if position & 1 else leaf + step
        leaf = hash256(pair)
        position >>= 1
    return leaf
