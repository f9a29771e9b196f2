"""Announced transactions: kept if they are what they say, and put into the block that names them."""

from typing import Any

import pytest
from harness.ethereum_blocks import SEIZED, STRANGER, Sent, whole

from watchers.ethereum import pending
from watchers.ethereum.pending import Pending


@pytest.fixture
def block() -> dict[str, Any]:
    """A block with whole transactions."""
    made = whole(Sent(STRANGER, SEIZED, 5), Sent(SEIZED, STRANGER, 3), Sent(STRANGER, SEIZED, 1))
    return dict(made.header)


def named(block: dict[str, Any]) -> dict[str, Any]:
    """The block as it names its transactions by their hashes."""
    return {**block, "transactions": [sent["hash"] for sent in block["transactions"]]}


def test_a_block_is_filled_when_all_its_transactions_were_announced(block: dict[str, Any]) -> None:
    known = Pending()
    first, *rest = block["transactions"]
    for sent in rest:
        known.take({**sent, "blockHash": None, "transactionIndex": None})
    assert known.filled(named(block)) is None
    known.take(first)
    filled = known.filled(named(block))
    assert filled is not None
    assert [sent["hash"] for sent in filled["transactions"]] == named(block)["transactions"]
    assert {**filled, "transactions": ()} == {**block, "transactions": ()}


@pytest.mark.parametrize("lie", [{"value": "0x9"}, {"from": "0x" + "11" * 20}, {"hash": "0x" + "11" * 32}, {"r": "x"}])
def test_a_transaction_that_is_not_what_it_says_is_not_kept(block: dict[str, Any], lie: dict[str, Any]) -> None:
    known = Pending()
    for sent in block["transactions"]:
        known.take({**sent, **lie})
    assert known.filled(named(block)) is None


@pytest.mark.parametrize("shape", [{}, {"hash": 5}, {"type": "0x77", "hash": "0x00"}])
def test_what_is_no_transaction_is_no_matter(shape: dict[str, Any]) -> None:
    Pending().take(shape)


def test_only_the_newest_are_kept(block: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending, "KEPT", 2)
    known = Pending()
    for sent in block["transactions"]:
        known.take(sent)
    assert known.filled(named(block)) is None
    assert known.filled({"transactions": [sent["hash"] for sent in block["transactions"][1:]]}) is not None
