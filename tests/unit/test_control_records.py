"""A signed statement becomes a record: verified against the store's blocks, once, for the watch that it names."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from disposal import ETH_CHAIN, declared, open_store, plays
from eth_account import Account
from eth_account.messages import encode_defunct

from tracer.custody.case import Case
from tracer.custody.filing import Draft
from tracer.custody.presetfiles import find_preset
from tracer.custody.records import Control
from tracer.errors import ControlRefused, SignatureWrong
from tracer.proof.control.message import Statement, write
from tracer.store.cases import import_case
from tracer.store.recording import Filed, file_records
from tracer.store.writer import Store
from tracer.types import ChainId, Hash, Holder

NOW = 1_780_000_000
KEY = Account.from_key(bytes([7]) * 32)
OTHER = Account.from_key(bytes([8]) * 32)
HOLDER = Holder(bytes.fromhex(KEY.address[2:]))


class Desk:
    """A case with one account whose key the test has, and one block on its chain."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.bitcoin, self.play = plays(store)
        self.handles = {ChainId(one.handle.caip2): one.handle for one in (self.bitcoin, self.play)}
        import_case(store, one_account(declared()), self.handles, now=NOW, preset=find_preset("hold-reserve"))
        self.play.start(50)
        self.play.mine(balances={})

    def statement(self, **changes: Any) -> str:
        """The text to be signed at the newest block."""
        tip = self.play.tip
        said = Statement(
            "HD-1",
            "eth-exchange",
            ETH_CHAIN,
            KEY.address.lower(),
            HOLDER,
            tip.height,
            tip.hash,
            "deposits of this case",
            bytes(range(16)),
            NOW + 86_400,
        )
        return write(replace(said, **changes))

    def file(self, message: str, signature: str, watch: str = "eth-exchange", now: int = NOW) -> list[Filed]:
        """File a signed statement."""
        body = Control(watch=watch, method="eip191", message=message, signature=signature)
        return file_records(self.store, "HD-1", [Draft("control", body, "EX1", None, now)], self.handles, now)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of the store."""
        with self.store.connection.begin():
            return [tuple(row) for row in self.store.connection.exec_driver_sql(sql)]


def one_account(case: Case) -> Case:
    """The part of a case on Ethereum, its exchange being an account whose key the test has."""
    watches = [watch for watch in case.watches if watch.chain == ETH_CHAIN]
    mine = tuple(replace(watch, holder=HOLDER) if watch.ref == "eth-exchange" else watch for watch in watches)
    return replace(case, seizures={ETH_CHAIN: case.seizures[ETH_CHAIN]}, watches=mine, attestations=(), legs=())


def signed(message: str, account: Any = KEY) -> str:
    """The signature of another library than the one that judges it."""
    return "0x" + bytes(account.sign_message(encode_defunct(text=message)).signature).hex()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with open_store(tmp_path / "store.db") as store:
        yield Desk(store)


def test_a_proof_of_control_is_kept_with_what_it_shows_and_its_lane(desk: Desk) -> None:
    message = desk.statement()
    [filed] = desk.file(message, signed(message))
    assert (filed.kind, filed.ref) == ("control", "control-1")
    [(lane, height, block)] = desk.rows(
        "SELECT record_lane, json_extract(body, '$.shown.height'), json_extract(body, '$.shown.block') FROM v_record"
    )
    assert (lane, height, block) == ("PROVEN", 51, desk.play.tip.hash.hex())


def test_a_statement_counts_once_also_after_it_was_superseded(desk: Desk) -> None:
    message = desk.statement()
    desk.file(message, signed(message))
    for again in (message, desk.statement(purpose="another purpose", nonce=bytes(16))):
        if again == message:
            with pytest.raises(ControlRefused, match="was taken before"):
                desk.file(again, signed(again))
        else:
            assert [one.ref for one in desk.file(again, signed(again))] == ["control-2"]
    assert len(desk.rows("SELECT 1 FROM v_record")) == 2


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"case": "HD-2"}, "case"),
        ({"watch": "eth-agency"}, "watch"),
        ({"block": Hash(bytes(32))}, "block"),
        ({"height": 999}, "999"),
        ({"expires_s": NOW}, "expire"),
        ({"expires_s": NOW + 400 * 86_400}, "expire"),
    ],
)
def test_a_statement_for_something_else_is_refused_and_nothing_is_stored(
    desk: Desk, changes: dict[str, Any], said: str
) -> None:
    message = desk.statement(**changes)
    with pytest.raises(ControlRefused, match=said):
        desk.file(message, signed(message))
    assert desk.rows("SELECT 1 FROM v_record") == []


def test_a_signature_of_another_key_is_wrong_and_of_another_watch_refused(desk: Desk) -> None:
    message = desk.statement()
    with pytest.raises(SignatureWrong):
        desk.file(message, signed(message, OTHER))
    with pytest.raises(ControlRefused):
        desk.file(message, signed(message), watch="eth-agency")
    assert desk.rows("SELECT 1 FROM v_record") == []


def test_a_block_that_leaves_the_chain_takes_the_proof_with_it_and_brings_it_back(desk: Desk) -> None:
    desk.play.mine(branch="-lost")
    lost = desk.play.tip
    message = desk.statement()
    desk.file(message, signed(message))
    open_ = "SELECT rule, shown, state FROM v_alert WHERE rule = 'CTRL-1'"
    assert desk.rows(open_) == []
    desk.play.disconnect()
    assert desk.rows(open_) == [("CTRL-1", 0, "open")]
    desk.play.reconnect(lost)
    assert desk.rows(open_) == [("CTRL-1", 0, "resolved")]
