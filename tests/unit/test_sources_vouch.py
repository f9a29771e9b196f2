"""A node vouches for what it was seen to show, and for nothing that merely stands in our chain."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from disposal import open_store, plays
from store_builder import Play, block_hash

from tracer.errors import NodeUnavailable, OperatorError
from tracer.store import vouching
from tracer.store.writer import Store
from tracer.types import BlockRef, Hash
from watchers.node import NodeView
from watchers.sources import Source, Sources


class Node:
    """Shows our chain up to a height, or what `view` makes of it."""

    push = None

    def __init__(self, play: Play, top: int, seen: Callable[[], None] = lambda: None) -> None:
        self.play, self.top, self.seen = play, top, seen
        self.fails: Exception | None = None

    def at(self, height: int) -> BlockRef:
        name = f"{self.play.handle.caip2} "
        return BlockRef(height, block_hash(f"{name}{height}"), block_hash(f"{name}{height - 1}"))

    async def open(self) -> Hash:
        return Hash(bytes(32))

    async def ref_at(self, height: int) -> BlockRef | None:
        return self.at(height) if height <= self.top else None

    async def view(self, tip: BlockRef) -> NodeView:
        if self.fails is not None:
            raise self.fails
        shown = tip.hash if self.top >= tip.height else None
        self.seen()
        return NodeView(best=self.at(self.top), hash_at_tip=shown, above=None)


@pytest.fixture
def play(tmp_path: Path) -> Iterator[Play]:
    """Ten blocks, 101 to 110."""
    with open_store(tmp_path / "store.db") as store:
        play, _ = plays(store)
        play.start(100)
        for _ in range(10):
            play.mine()
        yield play


def sources(play: Play, *nodes: Node, pinned: dict[int, Hash] | None = None, agree: int = 2) -> Sources:
    config: Any = SimpleNamespace(
        pinned=tuple((pinned or {}).items()), agreeing=agree, name="bitcoin", poll_s=1, behind_alert_s=9, source=()
    )
    named: list[Any] = [Source(f"node {place}", f"place {place}", node) for place, node in enumerate(nodes)]  # type: ignore[arg-type]
    return Sources(config, named, play.store, play.handle, lambda _: None)


def rows(store: Store) -> list[tuple[str, int]]:
    """Who was stored to have shown which height, in order."""
    with store.connection.begin():
        found = store.connection.exec_driver_sql(
            "SELECT s.name, v.height FROM vouch v JOIN source s ON s.id = v.source_id ORDER BY v.id"
        ).all()
    return [(str(name), int(height)) for name, height in found]


def test_the_feeding_node_vouches_for_what_it_showed_only(play: Play) -> None:
    made = sources(play, Node(play, 103), Node(play, 110))
    made.feed_shows(103)  # the rest came from the other node, which fed before
    asyncio.run(made.look(made.all[1]))
    assert rows(play.store) == [("node 1", 110), ("node 0", 103)]
    assert made.vouched(110) == 103
    made.feed_shows(110)
    assert made.vouched(110) == 110


def test_a_look_during_which_our_chain_changed_is_not_noted(play: Play) -> None:
    def reorg() -> None:
        play.disconnect()
        play.mine(branch="b")

    made = sources(play, Node(play, 110), Node(play, 110, reorg))
    assert asyncio.run(made.look(made.all[1])) is False
    assert rows(play.store) == [], "it showed the block that has left our chain"
    assert made.all[1].height == -1


def test_a_node_that_last_showed_a_lost_branch_vouches_below_the_fork(play: Play) -> None:
    made = sources(play, Node(play, 110), Node(play, 110))
    source = made.all[1].id
    lost = play.tip
    with play.store.connection.begin():
        vouching.note_vouch(play.store.connection, source, 110, lost.hash, 1)
    play.disconnect()
    other = play.mine(branch="b")
    with play.store.connection.begin():
        assert vouching.vouched_height(play.store.connection, source) == 109
        vouching.note_vouch(play.store.connection, source, 110, other.hash, 2)
    play.disconnect()
    play.reconnect(lost)
    with play.store.connection.begin():
        assert vouching.vouched_height(play.store.connection, source) == 109, "it showed the other branch last"


@pytest.mark.parametrize("error", [OperatorError("not let in"), NodeUnavailable("away")])
def test_a_node_beside_the_one_that_feeds_stops_nobody(error: Exception, play: Play) -> None:
    made = sources(play, Node(play, 110), Node(play, 110))
    node: Any = made.all[1].node
    node.fails = error
    assert asyncio.run(made.look(made.all[1])) is False
    assert made.refused is None and made.all[1].failures == 1


def test_a_pin_vouches_beside_nodes_that_do_not_agree(play: Play) -> None:
    made = sources(play, Node(play, 110), Node(play, 90), pinned={105: block_hash(f"{play.handle.caip2} 105")})
    made.feed_shows(110)
    asyncio.run(made.look(made.all[1]))
    assert made.vouched(110) == 105 and made.vouched(104) < 104
    made.rolled_back(105)
    assert made.all[0].height == 104
