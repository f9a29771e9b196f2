"""When cases are judged anew although no block came: another case is imported, or a record changes what is found."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from test_casework import BTC, CHAIN, POLICY, case

from tracer.custody.filing import Draft
from tracer.custody.presetfiles import find_preset
from tracer.custody.records import Bond, Valuation
from tracer.store.cases import import_case
from tracer.store.chains import ChainHandle
from tracer.store.recording import file_records
from tracer.store.writer import Store
from tracer.types import Hash, Role

NOW = 1_780_272_000
USMS = find_preset("us-usms")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "store.db") as opened:
        yield opened


@pytest.fixture
def handle(store: Store) -> ChainHandle:
    return store.register_chain(
        CHAIN, "btc", "bitcoin", Hash(b"\1" * 32), POLICY, [BTC], lambda holder: holder.decode()
    )


def alerts(store: Store, ref: str) -> list[tuple[str, str, bool, str]]:
    """All alerts of a case: rule, severity, whether it is shown, state."""
    with store.connection.begin():
        rows = store.connection.exec_driver_sql(
            "SELECT rule, severity, shown, state FROM v_alert WHERE case_ref = ? ORDER BY alert_id", (ref,)
        )
        return [(rule, severity, bool(shown), state) for rule, severity, shown, state in rows]


def test_both_cases_are_told_when_the_later_one_takes_a_custody_script_of_the_earlier(
    store: Store, handle: ChainHandle
) -> None:
    first = case("first", {"s1": Role.SEIZED, "vault": Role.AUTHORITY, "exch": Role.EXCHANGE})
    other = case("other", {"s2": Role.SEIZED, "safe": Role.AUTHORITY, "exch": Role.EXCHANGE})
    second = case("second", {"s3": Role.SEIZED, "vault": Role.AUTHORITY})
    for one in (first, other):
        assert import_case(store, one, {CHAIN: handle}, now=NOW, preset=USMS)
    assert alerts(store, "first") == alerts(store, "other") == []
    assert import_case(store, second, {CHAIN: handle}, now=NOW, preset=USMS)
    told = [("COLD-2", "WARN", True, "open")]
    assert (alerts(store, "first"), alerts(store, "second"), alerts(store, "other")) == (told, told, [])


def test_a_finding_that_was_open_to_doubt_and_is_not_any_more_is_told_again(store: Store, handle: ChainHandle) -> None:
    preset = find_preset("beijing-2025")
    assert import_case(store, case("c", {"s1": Role.SEIZED}), {CHAIN: handle}, now=NOW, preset=preset)

    def file(kind: str, ref: str, supersedes: str | None = None, **says: object) -> None:
        body = {"bond": Bond, "valuation": Valuation}[kind]
        draft = Draft(kind, body.model_validate(says), "A", "B", NOW, "ab" * 32, ref, supersedes)
        file_records(store, "c", [draft], {CHAIN: handle}, NOW)

    def of_bond() -> list[tuple[str, str, bool, str]]:
        return [row for row in alerts(store, "c") if row[0] == "BOND-2"]

    file("bond", "b", amount="100.00 HKD", basis="latest valuation")
    file("valuation", "v1", asset="btc:BTC", value="1000.00 USD", source="index")
    assert of_bond() == [("BOND-2", "WARN", False, "open")]
    file("valuation", "v2", supersedes="v1", asset="btc:BTC", value="1000.00 HKD", source="index")
    assert of_bond() == [("BOND-2", "WARN", False, "resolved"), ("BOND-2", "HIGH", True, "open")]
    file("valuation", "v3", supersedes="v2", asset="btc:BTC", value="1000.00 USD", source="index")
    assert of_bond() == [("BOND-2", "WARN", False, "open"), ("BOND-2", "HIGH", True, "resolved")]
