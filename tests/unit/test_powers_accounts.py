"""Who can move an Ethereum account's coins and tokens; constants from EIP 1167, 1822, 1967, 2612 and 7702."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from eth_abi.abi import encode

from tracer.powers.accounts import (
    ADMIN,
    BEACON,
    IMPLEMENTATION,
    OLD_ADMIN,
    SLOTS,
    UUPS,
    Safe,
    Seen,
    account_powers,
    address_list,
    address_word,
    bool_word,
    clone_of,
    delegate_of,
    safe_of,
)
from tracer.powers.nouns import Rule, Severity, Subject, verdict
from tracer.powers.tokens import (
    FROZEN,
    PERMIT2,
    Allowance,
    Issued,
    allowance_powers,
    issuer_powers,
)
from tracer.types import Asset, AssetId, AssetKind, ChainId, Holder, Lane

SUBJECT = Subject(ChainId("eip155:1"), Holder(b"\x0a" * 20))
ALICE, BOB, CAROL = (bytes([letter]) * 20 for letter in b"abc")
REFS: Mapping[str, str | int] = {"block_height": 7, "block_hash": "ab" * 32}
EMPTY = dict.fromkeys(SLOTS, bytes(32))
TOKEN = Asset(AssetId("eip155:1/erc20:0x" + "dd" * 20), "USDX", 6, AssetKind.LISTED)
PLAIN = Seen(b"\x60", EMPTY)
YES, NO = bytes(31) + b"\x01", bytes(32)


def word(account: bytes) -> bytes:
    return account.rjust(32, b"\x00")


def test_slots_are_those_that_the_standards_print() -> None:
    assert IMPLEMENTATION.hex() == "360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc"
    assert ADMIN.hex() == "b53127684a568b3173ae13b9f8a6016e243e63b6e8ee1178d6a717850b5d6103"
    assert BEACON.hex() == "a3f0ad74e5423aebfd80d3ef4346578335a9a72aeaee59ff6cb3582b35133d50"
    assert UUPS.hex() == "c5f16f0fcc639fa48a6947836d9850f504798523bf8c9a3a87d5876cf622bcf7"
    assert OLD_ADMIN.hex() == "10d6a54a4754c8869d6886b5f5d7fbfa5b4522237ea5c60d11bc4e7a1ff9390b"


def test_an_account_without_code_belongs_to_its_key() -> None:
    [found] = account_powers(SUBJECT, Seen(b""), REFS)
    assert (found.kind, found.severity, found.shown, found.refs) == ("single-key", Severity.INFO, True, REFS)


def test_a_delegation_is_critical_and_names_whose_code_acts() -> None:
    code = bytes.fromhex("ef0100") + BOB
    assert delegate_of(code) == BOB
    assert delegate_of(code + b"\x00") is None
    assert delegate_of(b"\xef\x01\x01" + BOB) is None
    [found] = account_powers(SUBJECT, Seen(code), REFS)
    assert (found.kind, found.severity, found.rule, found.who) == (
        "delegation", Severity.CRITICAL, Rule.APPROVE, BOB,
    )  # fmt: skip


def test_code_that_the_node_does_not_tell_is_not_shown() -> None:
    [found] = account_powers(SUBJECT, Seen(None), REFS)
    assert (found.kind, found.shown) == ("account-unknown", False)


def test_a_contract_whose_rules_are_unknown_is_not_shown() -> None:
    [found] = account_powers(SUBJECT, replace(PLAIN, owner=BOB), REFS)
    assert (found.kind, found.shown, found.who) == ("contract", False, BOB)


def test_a_clone_names_the_program_that_it_runs_for_ever() -> None:
    code = bytes.fromhex("363d3d373d3d3d363d73") + BOB + bytes.fromhex("5af43d82803e903d91602b57fd5bf3")
    assert clone_of(code) == BOB
    assert clone_of(code[:-1]) is None
    [found] = account_powers(SUBJECT, replace(PLAIN, code=code), REFS)
    assert f"clone of 0x{BOB.hex()}" in found.detail


@pytest.mark.parametrize("slot", [ADMIN, OLD_ADMIN])
def test_a_proxys_admin_is_critical_and_its_owner_is_named(slot: bytes) -> None:
    seen = replace(PLAIN, slots={**EMPTY, IMPLEMENTATION: word(ALICE), slot: word(BOB)}, admin_owner=CAROL)
    found = {one.kind: one for one in account_powers(SUBJECT, seen, REFS)}
    assert set(found) == {"proxy", "upgrade-admin", "contract"}
    assert (found["upgrade-admin"].severity, found["upgrade-admin"].who) == (Severity.CRITICAL, BOB)
    assert found["upgrade-admin"].refs["slot"] == "0x" + slot.hex()
    assert found["upgrade-admin"].refs["value"] == "0x" + word(BOB).hex()
    assert found["upgrade-admin"].refs["admin_owner"] == "0x" + CAROL.hex()
    assert (found["proxy"].who, "decides itself" in found["proxy"].detail) == (ALICE, False)


def test_a_proxy_without_an_admin_decides_itself() -> None:
    proxy, *_ = account_powers(SUBJECT, replace(PLAIN, slots={**EMPTY, UUPS: word(ALICE)}), REFS)
    assert (proxy.kind, "decides itself" in proxy.detail) == ("proxy", True)


def test_storage_that_the_node_does_not_tell_is_not_an_absent_admin() -> None:
    found = account_powers(SUBJECT, replace(PLAIN, slots={**EMPTY, ADMIN: None}), REFS)
    assert [(one.kind, one.shown) for one in found] == [("upgradeable", False), ("contract", False)]


def test_a_slot_that_holds_no_address_names_nobody() -> None:
    assert address_word(b"\x01" * 32) is None
    assert [
        one.kind for one in account_powers(SUBJECT, replace(PLAIN, slots={**EMPTY, ADMIN: b"\x01" * 32}), REFS)
    ] == ["contract"]


def test_safe_owners_and_modules_are_read() -> None:
    owners = encode(["address[]"], [[ALICE, BOB, CAROL]])
    modules = encode(["address[]", "address"], [[CAROL], b"\x01".rjust(20, b"\x00")])
    safe = safe_of((2).to_bytes(32, "big"), owners, modules)
    assert safe == Safe(2, (ALICE, BOB, CAROL), (CAROL,))
    found = account_powers(SUBJECT, replace(PLAIN, safe=safe), REFS)
    assert [(one.kind, one.severity) for one in found] == [
        ("safe", Severity.WARN), ("safe-module", Severity.CRITICAL),
    ]  # fmt: skip
    assert (found[0].refs["threshold"], found[0].refs["owner_1"]) == (2, "0x" + BOB.hex())
    assert found[1].who == CAROL


def test_a_safe_that_one_owner_opens_is_critical_and_silence_about_modules_is_not_shown() -> None:
    found = account_powers(SUBJECT, replace(PLAIN, safe=Safe(1, (ALICE, BOB), None)), REFS)
    assert [(one.kind, one.severity, one.shown) for one in found] == [
        ("safe", Severity.CRITICAL, True), ("safe-module", Severity.WARN, False),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("threshold", "owners"),
    [
        (0, [ALICE]),
        (3, [ALICE, BOB]),
        (1, []),
        (1, [ALICE, ALICE]),
        (1, [bytes(20)]),
    ],
)
def test_implausible_answers_make_no_safe(threshold: int, owners: list[bytes]) -> None:
    assert safe_of(threshold.to_bytes(32, "big"), encode(["address[]"], [owners]), None) is None
    assert safe_of(None, None, None) is None


@pytest.mark.parametrize("answer", [b"", YES, b"\xff" * 64, encode(["address[]"], [[ALICE]])[:-1], YES * 3])
def test_damaged_lists_are_no_lists(answer: bytes) -> None:
    assert address_list(answer) is None


def test_a_truth_value_is_exactly_nought_or_one() -> None:
    assert [bool_word(one) for one in (YES, NO, b"\x02".rjust(32, b"\x00"), b"", YES + NO, None)] == [
        True, False, None, None, None, None,
    ]  # fmt: skip


def test_only_allowances_above_nought_count() -> None:
    allowed = [Allowance(TOKEN, ALICE, 0, (3, "0x01")), Allowance(TOKEN, BOB, 500, (4, "0x02"))]
    [found] = allowance_powers(SUBJECT, allowed, {TOKEN.id: 300}, REFS)
    assert (found.kind, found.severity, found.rule, found.who) == (
        "allowance", Severity.CRITICAL, Rule.APPROVE, BOB,
    )  # fmt: skip
    assert found.refs == {
        **REFS, "spender": "0x" + BOB.hex(), "approval_height": 4, "approval_tx": "0x02",
        "value": "500", "unlimited": "no", "balance": "300", "at_risk": "300",
    }  # fmt: skip


def test_an_allowance_over_nothing_warns_because_more_may_arrive() -> None:
    [found] = allowance_powers(SUBJECT, [Allowance(TOKEN, BOB, 5)], {TOKEN.id: 0}, REFS)
    assert (found.severity, found.refs["at_risk"]) == (Severity.WARN, "0")
    [unknown] = allowance_powers(SUBJECT, [Allowance(TOKEN, BOB, 5)], {TOKEN.id: None}, REFS)
    assert (unknown.severity, "at_risk" in unknown.refs) == (Severity.CRITICAL, False)


@pytest.mark.parametrize(("value", "unlimited"), [(2**256 - 1, "yes"), (2**96 - 1, "yes"), (2**256 - 2, "no")])
def test_unlimited_allowances_are_named(value: int, unlimited: str) -> None:
    [found] = allowance_powers(SUBJECT, [Allowance(TOKEN, BOB, value)], {TOKEN.id: 9}, REFS)
    assert (found.refs["unlimited"], found.refs["value"], found.refs["at_risk"]) == (unlimited, str(value), "9")
    assert ("unlimited" in found.detail) == (unlimited == "yes")


def test_permit2_is_named_with_what_it_means() -> None:
    [found] = allowance_powers(SUBJECT, [Allowance(TOKEN, PERMIT2, 2**160 - 1)], {TOKEN.id: 9}, REFS)
    assert (found.kind, found.severity, "signed off-chain" in found.detail) == ("permit2", Severity.CRITICAL, True)


def test_an_allowance_that_is_not_answered_is_not_shown() -> None:
    [found] = allowance_powers(SUBJECT, [Allowance(TOKEN, BOB, None, (1, "0x03"))], {}, REFS)
    assert (found.kind, found.shown, verdict([found])) == ("allowance", False, 4)


def issued(**more: object) -> Issued:
    quiet: dict[str, bytes | None] = dict.fromkeys(FROZEN)
    return replace(Issued(TOKEN, 5, PLAIN, paused=NO, frozen=quiet | {FROZEN[0]: NO}), **more)  # type: ignore[arg-type]


def kinds(one: Issued, declared: str | None = "plain") -> dict[str, tuple[Severity, bool]]:
    found = issuer_powers(SUBJECT, one, declared, REFS)
    assert all(finding.asset == TOKEN.id for finding in found)
    return {finding.kind: (finding.severity, finding.shown) for finding in found}


def test_a_paused_token_and_a_frozen_account_are_critical() -> None:
    assert kinds(issued(paused=YES))["paused"] == (Severity.CRITICAL, True)
    frozen = issued(frozen=dict.fromkeys(FROZEN) | {FROZEN[2]: YES})
    assert kinds(frozen)["frozen"] == (Severity.CRITICAL, True)
    assert "paused" not in kinds(frozen)


def test_what_is_answered_with_no_is_a_power_that_was_not_used() -> None:
    assert kinds(issued()) == {"freezable": (Severity.WARN, True), "token-class": (Severity.INFO, True)}


def test_what_is_not_answered_is_not_shown_and_not_no() -> None:
    silent = issued(paused=None, frozen=dict.fromkeys(FROZEN))
    [found] = [one for one in issuer_powers(SUBJECT, silent, "plain", REFS) if one.kind == "issuer-silent"]
    assert not found.shown
    assert "paused()" in found.detail
    assert "isFrozen(address)" in found.detail
    assert kinds(issued(paused=b"\x07".rjust(32, b"\x00")))["issuer-silent"] == (Severity.INFO, False)


def test_a_contract_that_answers_anything_tells_nothing() -> None:
    loud = issued(paused=YES, frozen=dict.fromkeys(FROZEN, YES), owner=BOB, permits=True, fallback=True)
    assert kinds(loud) == {"issuer-silent": (Severity.INFO, False), "token-class": (Severity.INFO, True)}


def test_owner_upgrades_and_permits_are_powers_over_the_token() -> None:
    seen = replace(PLAIN, slots={**EMPTY, IMPLEMENTATION: word(ALICE), ADMIN: word(BOB)})
    found = issuer_powers(SUBJECT, issued(contract=seen, owner=CAROL, permits=True), "plain", REFS)
    by_kind = {one.kind: one for one in found}
    assert (by_kind["token-owner"].who, by_kind["token-owner"].rule) == (CAROL, Rule.ISSUER)
    assert (by_kind["upgrade-admin"].who, by_kind["upgrade-admin"].rule) == (BOB, Rule.ISSUER)
    assert by_kind["upgrade-admin"].severity is Severity.WARN
    assert by_kind["permit"].rule is Rule.APPROVE


def test_the_class_of_a_token_is_only_ever_declared() -> None:
    assert kinds(issued(), None)["token-class"] == (Severity.INFO, False)
    [rebasing] = [one for one in issuer_powers(SUBJECT, issued(), "rebasing", REFS) if one.kind == "token-class"]
    assert (rebasing.severity, rebasing.lane, rebasing.refs["class"]) == (Severity.WARN, Lane.ATTESTED, "rebasing")


def test_a_token_without_a_balance_answer_is_not_shown() -> None:
    assert kinds(issued(balance=None))["balance"] == (Severity.WARN, False)
