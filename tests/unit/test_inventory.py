"""Whether an inventory is complete; vectors from BIP 49, 84 and 86, heights of forks as their clients print them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.custody.inventory import (
    BITCOIN_MAIN,
    ETHEREUM_MAIN,
    FORKS,
    Gap,
    Held,
    descriptor_gap,
    fork_findings,
    gap_findings,
    other_chains,
    sibling_findings,
    siblings,
)
from tracer.powers.nouns import Rule, Severity, Subject, verdict
from tracer.proof.networks import NETWORKS
from tracer.types import ChainId, Holder, Lane
from watchers.bitcoin.address import script_of

REGTEST = ChainId("bip122:0f9188f13cb7b2c71f2a335e3a4fc328")
SUBJECT = Subject(REGTEST, Holder(b"\x00\x14" + bytes(20)))
KEY = bytes.fromhex("0330d54fd0dd420a6e5f8d3624f5f3482cae350f79d5f0753bf5beef9c2d91af3c")
"""BIP 84: the first receiving key."""


def test_the_witness_script_of_a_key_is_that_of_bip_84() -> None:
    forms = {one.form: one.script for one in siblings(KEY)}
    assert forms["P2WPKH"] == script_of("bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu", "main")


def test_the_nested_script_of_a_key_is_that_of_bip_49() -> None:
    key = bytes.fromhex("03a1af804ac108a8a51782198c2d034b28bf90c8803f5a53f76276fa69a4eae77f")
    forms = {one.form: one.script for one in siblings(key)}
    assert forms["P2SH-P2WPKH"].hex() == "a914336caa13e08b96080a32b5d818d59b4ab3b3674287"


def test_the_taproot_script_of_a_key_is_that_of_bip_86() -> None:
    internal = bytes.fromhex("02cc8a4bc64d897bddc5fbc2f670f7a8ba0b386779106cf1223c6fc5d7cd6fc115")
    forms = {one.form: one.script for one in siblings(internal)}
    assert forms["P2TR"].hex() == "5120a60869f0dbcf1dc659c9cecbaf8050135ea9e8cdc487053f1dc6880949dc684c"


def test_both_forms_of_a_key_give_the_same_scripts() -> None:
    """The generator of secp256k1, whose addresses many texts print."""
    forms = {
        one.form: one.script
        for one in siblings(bytes.fromhex("02" + "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"))
    }
    assert forms["P2PKH"] == script_of("1BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAMH", "main")
    assert forms["P2PKH uncompressed"] == script_of("1EHNa6Q4Jz2uvNExL497mE43ikXhwF6kZm", "main")
    long = forms["P2PK uncompressed"][1:-1]
    assert {one.form: one.script for one in siblings(long)} == forms


def test_what_is_no_key_has_no_scripts() -> None:
    with pytest.raises(ValueError, match="public key"):
        siblings(b"\x02" + b"\xff" * 32)


def test_coins_on_a_script_that_is_not_watched_are_critical() -> None:
    scripts = {one.form: one.script for one in siblings(KEY)}
    watched = {scripts["P2WPKH"], scripts["P2PKH"]}
    found = sibling_findings(SUBJECT, KEY, watched, {scripts["P2TR"]: 7, scripts["P2PKH"]: 9}, {"block_height": 3})
    assert [(one.kind, one.severity, one.rule) for one in found] == [
        ("sibling-coins", Severity.CRITICAL, Rule.INVENTORY),
        ("siblings", Severity.INFO, Rule.INVENTORY),
    ]
    assert (found[0].refs["form"], found[0].refs["amount"], found[0].refs["script"]) == (
        "P2TR", "7", scripts["P2TR"].hex(),
    )  # fmt: skip
    assert "P2PKH uncompressed" in found[1].detail
    assert "P2TR" not in found[1].detail


def test_scripts_that_nobody_looked_at_are_not_shown() -> None:
    [found] = sibling_findings(SUBJECT, KEY, set(), None, {})
    assert (found.severity, found.shown, verdict([found])) == (Severity.WARN, False, 4)


def test_a_key_all_of_whose_scripts_are_watched_lacks_nothing() -> None:
    assert sibling_findings(SUBJECT, KEY, {one.script for one in siblings(KEY)}, None, {}) == []


@pytest.mark.parametrize(
    ("used", "declared", "needed", "complete"),
    [
        ([], (0, 19), 19, True),
        ([], (0, 9), 19, False),
        ([0], (0, 19), 20, False),
        ([0, 7, 3], (0, 27), 27, True),
        ([30], (20, 49), 50, False),
    ],
)
def test_a_range_must_reach_a_whole_gap_beyond_the_last_use(
    used: list[int], declared: tuple[int, int], needed: int, complete: bool
) -> None:
    gap = descriptor_gap(used, *declared)
    assert (gap.needed, gap.complete) == (needed, complete)
    found = gap_findings(SUBJECT, "wallet", gap, {}, {})
    assert [one.kind for one in found] == ([] if complete else ["range-gap"])
    assert all(f"watch [{declared[0]}, {needed}]" in one.detail for one in found)


@given(st.sets(st.integers(0, 200)), st.integers(0, 300))
def test_the_needed_range_satisfies_itself(used: set[int], last: int) -> None:
    needed = descriptor_gap(used, 0, last).needed
    assert descriptor_gap(used, 0, needed).complete
    assert not descriptor_gap(used, 0, needed - 1).complete


def test_coins_above_the_range_are_critical() -> None:
    found = gap_findings(SUBJECT, "wallet", Gap(25, 0, 19, 45), {25: 11}, {"block_height": 3})
    assert [(one.kind, one.severity) for one in found] == [
        ("range-coins", Severity.CRITICAL), ("range-gap", Severity.WARN),
    ]  # fmt: skip
    assert (found[0].refs["index"], found[0].refs["amount"], found[1].refs["highest_used"]) == (25, "11", 25)


def test_no_fork_coins_apply_on_test_networks_and_that_is_said() -> None:
    [found] = fork_findings(SUBJECT, 0, {})
    assert (found.kind, found.rule, found.refs["class"], found.shown) == ("fork-coins", Rule.FORK, "NONE_APPLIES", True)


def test_forks_name_a_main_network_and_their_source() -> None:
    assert "bip122:" + NETWORKS["main"].genesis_hash.hex()[:32] == BITCOIN_MAIN
    assert {fork.chain for fork in FORKS} == {BITCOIN_MAIN, ETHEREUM_MAIN}
    assert all(fork.source and len(fork.date) == 10 for fork in FORKS)


def test_fork_coins_are_declared_only_for_who_held_something_then() -> None:
    subject = Subject(ETHEREUM_MAIN, Holder(bytes(20)))
    found = fork_findings(subject, 0, {1_919_999: Held(5), 15_537_393: Held(0)})
    assert [
        (one.refs["symbol"], one.refs["class"], one.refs["held_then"], one.severity, one.lane) for one in found
    ] == [("ETC", "DECLARED_ONLY", "5", Severity.WARN, Lane.ATTESTED)]
    assert "not counted" in found[0].detail


def test_what_was_held_then_is_not_shown_where_nobody_can_say() -> None:
    subject = Subject(ETHEREUM_MAIN, Holder(bytes(20)))
    assert [(one.refs["symbol"], one.shown) for one in fork_findings(subject, 0, {1_919_999: Held(None)})] == [
        ("ETC", False), ("ETHW", False),
    ]  # fmt: skip


def test_coins_unspent_since_a_fork_are_a_lower_bound_and_none_are_no_proof() -> None:
    subject = Subject(BITCOIN_MAIN, SUBJECT.holder)
    had = {478_558: Held(9, at_least=True), 491_406: Held(0, at_least=True)}
    found = {one.refs["symbol"]: one for one in fork_findings(subject, 0, had)}
    assert ("at least 9" in found["BCH"].detail, found["BCH"].shown) == (True, True)
    assert found["BTG"].shown is False


def test_a_holder_born_after_a_fork_has_no_coins_of_it() -> None:
    subject = Subject(ETHEREUM_MAIN, Holder(bytes(20)))
    assert [one.refs["symbol"] for one in fork_findings(subject, 2_000_000, {})] == ["ETHW"]
    assert fork_findings(subject, 15_537_394, {}) == []


def test_other_chains_are_declared_only_and_the_followed_ones_left_out() -> None:
    subject = Subject(ETHEREUM_MAIN, Holder(bytes(20)))
    [found] = other_chains(subject, {ETHEREUM_MAIN, ChainId("eip155:8453")})
    numbers = str(found.refs["chain_ids"]).split(",")
    assert (found.refs["class"], "1" in numbers, "8453" in numbers, "137" in numbers) == (
        "DECLARED_ONLY", False, False, True,
    )  # fmt: skip
    [test] = other_chains(Subject(ChainId("eip155:31337"), Holder(bytes(20))), set())
    assert test.refs["class"] == "NONE_APPLIES"
