"""Which frames of a transaction moved value."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.errors import Inconsistent
from watchers.ethereum.frames import flows, from_call_tracer, from_transactions

A, B, C = ("0x" + letter * 40 for letter in "abc")


def frame(place: list[int], value: int, **more: Any) -> dict[str, Any]:
    """One call from A to B."""
    call_type = more.pop("call_type", "call")
    action = {"from": A, "to": B, "value": hex(value), "callType": call_type}
    return {"type": "call", "traceAddress": place, "transactionHash": "0x01", "action": action, **more}


def moved(*frames: dict[str, Any]) -> list[tuple[int, int]]:
    return [(flow.index, flow.amount) for flow in flows(frames)]


def test_a_frame_keeps_its_order_although_others_move_nothing() -> None:
    assert moved(frame([], 0), frame([0], 5), frame([0, 0], 0), frame([1], 7)) == [(1, 5), (3, 7)]


def test_everything_below_a_reverted_frame_is_undone_and_nothing_beside_it() -> None:
    assert moved(
        frame([], 9),
        frame([0], 1, error="Reverted"),
        frame([0, 0], 2),
        frame([0, 0, 0], 3),
        frame([1], 4),
        frame([10], 5),
    ) == [(0, 9), (4, 4), (5, 5)]


def test_a_failed_transaction_moves_nothing() -> None:
    assert moved(frame([], 9, error="Reverted"), frame([0], 1), frame([0, 0], 1)) == []


@pytest.mark.parametrize("call_type", ["delegatecall", "staticcall", "callcode"])
def test_a_call_that_runs_foreign_code_in_place_moves_nothing_itself(call_type: str) -> None:
    assert moved(frame([], 0), frame([0], 5, call_type=call_type), frame([0, 0], 6)) == [(2, 6)]


def test_a_creation_pays_the_created_contract() -> None:
    made = {
        "type": "create",
        "traceAddress": [],
        "transactionHash": "0x01",
        "action": {"from": A, "value": "0x7", "init": "0x"},
        "result": {"address": C},
    }
    (flow,) = flows([made])
    assert (flow.source, flow.target, flow.amount) == (A, C, 7)


def suicide(heir: str, balance: str) -> dict[str, Any]:
    action = {"address": B, "refundAddress": heir, "balance": balance}
    return {
        "type": "suicide",
        "traceAddress": [0],
        "transactionHash": "0x01",
        "action": action,
        "result": None,
    }


def test_a_self_destruct_pays_its_heir() -> None:
    (flow,) = flows([frame([], 0), suicide(C, "0x8")])
    assert (flow.index, flow.source, flow.target, flow.amount) == (1, B, C, 8)


def test_a_self_destruct_of_nothing_or_to_itself_pays_nobody() -> None:
    assert list(flows([frame([], 0), suicide(C, "0x0")])) == []
    assert list(flows([frame([], 0), suicide(B, "0x8")])) == []


@pytest.mark.parametrize(
    "frames",
    [
        [frame([0], 1)],
        [frame([], 1), frame([0, 0], 1)],
        [frame([], 1), frame([], 1)],
        [frame([], 1), frame([0], 1), frame([0], 1)],
    ],
)
def test_a_frame_that_is_lost_or_doubled_is_inconsistent(frames: list[dict[str, Any]]) -> None:
    with pytest.raises(Inconsistent, match="without its parent"):
        list(flows(frames))


def test_an_unknown_frame_is_inconsistent() -> None:
    with pytest.raises(Inconsistent, match="teleport"):
        list(flows([{**frame([], 1), "type": "teleport"}]))
    with pytest.raises(Inconsistent, match="TELEPORT"):
        from_call_tracer([{"txHash": "0x01", "result": {"type": "TELEPORT"}}], "0x02")


calls = st.recursive(
    st.fixed_dictionaries({"value": st.integers(0, 9), "dies": st.booleans(), "calls": st.just([])}),
    lambda deeper: st.fixed_dictionaries(
        {"value": st.integers(0, 9), "dies": st.booleans(), "calls": st.lists(deeper, max_size=4)}
    ),
    max_leaves=20,
)


def executed(call: dict[str, Any]) -> list[int]:
    """What a naive interpreter would have moved: a call that dies takes all that it did with it."""
    inside = [call["value"]] if call["value"] else []
    for child in call["calls"]:
        inside += executed(child)
    return [] if call["dies"] else inside


def as_call_tracer(call: dict[str, Any]) -> dict[str, Any]:
    told = {"type": "CALL", "from": A, "to": B, "value": hex(call["value"])}
    if call["dies"]:
        told["error"] = "execution reverted"
    return {**told, "calls": [as_call_tracer(child) for child in call["calls"]]}


@given(calls)
def test_only_what_was_not_undone_moved(call: dict[str, Any]) -> None:
    frames = from_call_tracer([{"txHash": "0x01", "result": as_call_tracer(call)}], "0x02")
    assert [flow.amount for flow in flows(frames)] == executed(call)


def test_a_deep_and_wide_transaction_is_read_quickly() -> None:
    place: list[int] = []
    frames = [frame([], 1)]
    for _ in range(1000):
        place = [*place, 0]
        frames.append(frame(place, 1, error="Reverted"))
    frames += [frame([order], 1) for order in range(1, 20_000)]
    assert len(moved(*frames)) == 20_000


def test_a_contract_made_by_a_transaction_has_the_address_of_sender_and_nonce() -> None:
    # the first contract of anvil's first account, nonce 0
    sent = {
        "hash": "0x01",
        "from": "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266",
        "to": None,
        "value": "0x5",
        "nonce": "0x0",
    }
    (flow,) = flows(from_transactions([sent], "0x02"))
    assert flow.target == "0x5fbdb2315678afecb367f032d93f642f64180aa3"
    (flow,) = flows(from_transactions([{**sent, "nonce": "0x1"}], "0x02"))
    assert flow.target == "0xe7f1725e7734ce288f8367e1bb143e90bb3f0512"
