"""The follow rule and the marks, as tables and laws."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.chain import (
    NO_MARKS,
    Behind,
    Broken,
    Connect,
    Disconnect,
    Marks,
    Policy,
    Seen,
    Step,
    Wait,
    advance_marks,
    anchor_height,
    next_step,
)
from tracer.types import BlockRef, Hash


def name(text: str) -> Hash:
    return Hash(text.encode().rjust(32, b"\0"))


def ref(height: int, branch: str = "a", parent: str | None = None) -> BlockRef:
    return BlockRef(height, name(f"{branch}{height}"), name(f"{parent or branch}{height - 1}"))


def says(
    *,
    best: BlockRef,
    at_tip: str | None = None,
    above: BlockRef | None = None,
    ours_at_best: str | None = None,
    invalid: bool = False,
) -> Seen:
    return Seen(best, name(ours_at_best) if ours_at_best else None, name(at_tip) if at_tip else None, above, invalid)


TIP = ref(5)


@pytest.mark.parametrize(
    ("seen", "step"),
    [
        (says(best=ref(5), at_tip="a5"), Wait()),
        (says(best=ref(6), at_tip="a5", above=ref(6)), Connect(ref(6))),
        (says(best=ref(9), at_tip="a5", above=ref(6)), Connect(ref(6))),
        (says(best=ref(6, "b"), at_tip="b5", above=ref(6, "b")), Disconnect(TIP)),
        (says(best=ref(5, "b"), at_tip="b5"), Disconnect(TIP)),
        (says(best=ref(3), ours_at_best="a3"), Behind(ref(3))),
        (says(best=ref(3, "b"), ours_at_best="a3"), Disconnect(TIP)),
        (says(best=ref(1), ours_at_best=None), Behind(ref(1))),
        (says(best=ref(3), ours_at_best="a3", invalid=True), Disconnect(TIP)),
        (says(best=ref(6, "b"), at_tip="a5", above=ref(6, "b")), Wait()),
    ],
    ids=[
        "in step",
        "the chain grew",
        "the chain grew by several",
        "a rival branch won",
        "replaced at the same height",
        "the node restarted from an older block",
        "shorter but different below our tip",
        "older than our first block",
        "our tip was invalidated",
        "the node switched between our questions",
    ],
)
def test_next_step(seen: Seen, step: Step) -> None:
    assert next_step(TIP, seen, final=2) == step


def test_a_final_block_is_never_disconnected() -> None:
    rival = says(best=ref(6, "b"), at_tip="b5", above=ref(6, "b"))
    assert next_step(TIP, rival, final=4) == Disconnect(TIP)
    assert next_step(TIP, rival, final=5) == Broken(TIP)


@given(st.lists(st.integers(1, 3), min_size=1, max_size=30), st.integers(0, 4), st.data())
def test_following_reaches_any_chain_that_forks_above_finality(
    growth: list[int], depth: int, data: st.DataObject
) -> None:
    """Drive the rule against a simulated node that grows and reorgs; the followed chain must end equal to its."""
    node = [ref(0)]
    ours = list(node)
    for turn, count in enumerate(growth):
        cut = data.draw(st.integers(0, min(depth, len(node) - 1)))
        kept = node[: len(node) - cut]
        for _ in range(count):
            last = kept[-1]
            kept.append(BlockRef(last.height + 1, name(f"{turn}-{last.height + 1}-{len(kept)}"), last.hash))
        node = kept
        final = max(0, len(ours) - 1 - 100)
        for _ in range(200):
            tip = ours[-1]
            best = node[-1]
            at_tip = node[tip.height].hash if tip.height < len(node) else None
            above = node[tip.height + 1] if tip.height + 1 < len(node) else None
            at_best = ours[best.height].hash if best.height < tip.height else None
            match next_step(tip, Seen(best, at_best, at_tip, above), final):
                case Connect(block):
                    assert block.parent == ours[-1].hash
                    ours.append(block)
                case Disconnect(block):
                    assert ours.pop() == block
                case Wait():
                    break
                case step:
                    assert isinstance(step, Behind)
                    break
        if ours[-1].height <= node[-1].height:
            assert ours == node


POLICY = Policy(confirmed=2, final=6)
TAGS = Policy(confirmed="safe", final="finalized")


def test_marks_follow_the_tip_by_the_policy() -> None:
    assert advance_marks(NO_MARKS, 10, POLICY, {}) == Marks(confirmed=9, final=5)
    assert advance_marks(NO_MARKS, 3, POLICY, {}) == Marks(confirmed=2, final=-1)


def test_marks_take_the_nodes_tags_up_to_our_tip() -> None:
    assert advance_marks(NO_MARKS, 10, TAGS, {"safe": 20, "finalized": 8}) == Marks(confirmed=10, final=8)
    assert advance_marks(Marks(9, 3), 10, TAGS, {"safe": 7, "finalized": 3}) == Marks(confirmed=7, final=3)


def test_a_tag_that_the_node_does_not_give_leaves_the_mark_where_it_was() -> None:
    for tags in ({"safe": None, "finalized": None}, {}):
        assert advance_marks(Marks(90, 60), 100, TAGS, tags) == Marks(confirmed=90, final=60)
        assert advance_marks(NO_MARKS, 100, TAGS, tags) == NO_MARKS
    assert advance_marks(Marks(4, 3), 10, TAGS, {"safe": None, "finalized": 5}) == Marks(confirmed=5, final=5)
    assert advance_marks(Marks(90, 60), 80, TAGS, {}) == Marks(confirmed=80, final=60), "never above the tip"


def test_nothing_becomes_final_above_what_enough_sources_vouch_for() -> None:
    assert advance_marks(NO_MARKS, 10, POLICY, {}, vouched=3) == Marks(confirmed=9, final=3)
    assert advance_marks(NO_MARKS, 10, POLICY, {}, vouched=9) == Marks(confirmed=9, final=5)
    assert advance_marks(Marks(8, 4), 10, POLICY, {}, vouched=2) == Marks(confirmed=9, final=4), "it never moves back"
    assert advance_marks(NO_MARKS, 10, TAGS, {"safe": 9, "finalized": 8}, vouched=-1) == Marks(confirmed=9, final=-1)


@pytest.mark.parametrize(
    ("first", "policy", "tags", "anchor"),
    [
        (50, POLICY, {}, 49),
        (95, POLICY, {}, 94),
        (96, POLICY, {}, 94),
        (101, POLICY, {}, 94),
        (0, POLICY, {}, 0),
        (101, Policy(2, 200), {}, 0),
        (50, TAGS, {"safe": 90, "finalized": 80}, 49),
        (101, TAGS, {"safe": 90, "finalized": 80}, 80),
        (101, TAGS, {"safe": 90, "finalized": None}, 36),
        (101, TAGS, {}, 36),
        (101, TAGS, {"finalized": 120}, 100),
        (101, Policy("safe", "safe"), {"safe": 90, "finalized": 80}, 80),
        (101, Policy(2, 6), {"safe": 90, "finalized": 80}, 94),
    ],
)
def test_a_chain_begins_below_all_that_is_not_settled(
    first: int, policy: Policy, tags: dict[str, int | None], anchor: int
) -> None:
    assert anchor_height(first, 100, policy, tags) == anchor


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 60), st.integers(0, 60)), max_size=20),
    st.sampled_from([POLICY, TAGS]),
)
def test_final_never_moves_back_and_never_passes_confirmed(turns: list[tuple[int, int, int]], policy: Policy) -> None:
    marks = NO_MARKS
    for tip, safe, finalized in turns:
        new = advance_marks(marks, tip, policy, {"safe": safe, "finalized": finalized})
        assert new.final >= marks.final
        assert new.confirmed >= new.final
        marks = new
