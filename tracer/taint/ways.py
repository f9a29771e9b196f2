"""The shortest ways through a graph in which value only goes forward. Pure."""

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping
from heapq import heappop, heappush
from typing import TypeVar

Node = TypeVar("Node", bound=Hashable)

MOST_LOOKED_AT = 200_000
"""Beginnings of ways that are looked at before a search gives up: graphs may have more ways than atoms."""


def distances(targets: Iterable[Node], before: Callable[[Node], Iterable[Node]]) -> dict[Node, int]:
    """How many steps it takes at least from each node to one of some targets; others are left out.

    before: the nodes that lead to one in a single step.
    """
    found: dict[Node, int] = dict.fromkeys(targets, 0)
    level = list(found)
    while level:
        further: list[Node] = []
        for node in level:
            for other in before(node):
                if other not in found:
                    found[other] = found[node] + 1
                    further.append(other)
        level = further
    return found


def shortest(
    starts: Iterable[Node],
    targets: Collection[Node],
    after: Callable[[Node], Iterable[Node]],
    far: Mapping[Node, int],
) -> Iterator[tuple[Node, ...]]:
    """The ways from some starts to the first target on each, the shortest first; far: see `distances`.

    >>> graph = {"a": "bc", "b": "c", "c": ""}
    >>> list(shortest("a", "c", graph.__getitem__, {"a": 1, "b": 1, "c": 0}))
    [('a', 'c'), ('a', 'b', 'c')]
    """
    queue: list[tuple[int, int, int, tuple[Node, ...]]] = []  # of equally short ones the most advanced goes first
    count = 0
    for start in starts:
        if start in far:
            heappush(queue, (far[start], 0, count, (start,)))
            count += 1
    for _ in range(MOST_LOOKED_AT):
        if not queue:
            return
        *_, way = heappop(queue)
        if way[-1] in targets:
            yield way
            continue
        for node in after(way[-1]):
            if node in far and node not in way:
                heappush(queue, (len(way) + far[node], -len(way), count, (*way, node)))
                count += 1
