"""Who can spend from a Bitcoin script; examples from BIP 16, 65, 67, 112, 141, 341, 379 and Bitcoin Core."""

import hashlib

import pytest
from bitcoin.core import CTransaction
from bitcoin.core.script import CScript
from bitcoin.core.scripteval import EvalScript, EvalScriptError
from bitcoin.core.scripteval import _CastToBool as CastToBool
from embit.descriptor.descriptor import Descriptor
from hypothesis import given, settings
from hypothesis import strategies as st

from tracer.powers.nouns import Finding, Severity, Subject, canonical, verdict
from tracer.powers.opcodes import BadScript, Op, number_in, operations
from tracer.powers.paths import Need, Unreadable, Way, ways
from tracer.powers.scripts import NOBODY, Known, Moment, Taproot, hash160, read_script, script_powers
from tracer.types import ChainId, Holder, Lane
from watchers.bitcoin.address import script_of
from watchers.bitcoin.revealed import of_descriptor

CHAIN = ChainId("bip122:0f9188f13cb7b2c71f2a335e3a4fc328")
A = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
B = "02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5"
C = "02f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9"
"""The secp256k1 points 1, 2 and 3 times the generator."""

HASH = "11" * 32
NOW = Moment(700_000, "ab" * 32, 1_700_000_000)


def push(data: bytes) -> bytes:
    return bytes([len(data)]) + data


def hashed(key: str) -> str:
    return "hash160:" + hash160(bytes.fromhex(key)).hex()


def one(*keys: str, k: int = 1) -> Need:
    return Need(k, keys)


NOTHING = Known()


def found(script: bytes, known: Known = NOTHING, now: Moment | None = NOW, oldest: int | None = None) -> list[Finding]:
    return script_powers(Subject(CHAIN, Holder(script)), known, now, oldest)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (f"pk({A})", [Way((one(A),))]),
        (f"pkh({A})", [Way((one(hashed(A)),))]),
        (f"multi(2,{A},{B},{C})", [Way((one(A, B, C, k=2),))]),
        (f"and_v(v:pk({A}),after(700000))", [Way((one(A),), after=(700_000,))]),
        (f"and_b(pk({A}),a:older(4194400))", [Way((one(A),), older=(4_194_400,))]),
        (f"or_d(pk({A}),and_v(v:pkh({B}),older(144)))", [Way((one(A),)), Way((one(hashed(B)),), older=(144,))]),
        (f"or_b(pk({A}),s:pk({B}))", [Way((one(A),)), Way((one(B),))]),
        (f"or_i(pk({A}),and_v(v:older(5),pk({B})))", [Way((one(A),)), Way((one(B),), older=(5,))]),
        (f"t:or_c(pk({A}),v:pkh({B}))", [Way((one(A),)), Way((one(hashed(B)),))]),
        (f"thresh(2,pk({A}),s:pk({B}),s:pk({C}))", [Way((one(A, B, C, k=2),))]),
        (
            f"thresh(2,pk({A}),s:pk({B}),sln:older(100))",
            [Way((one(A, B, k=2),)), Way((one(A),), older=(100,)), Way((one(B),), older=(100,))],
        ),
        (
            f"andor(pk({A}),older(10),and_v(v:pk({B}),sha256({HASH})))",
            [Way((one(A),), older=(10,)), Way((one(B),), hashes=(f"sha256:{HASH}",))],
        ),
        (
            f"and_v(or_c(pk({A}),v:hash160({'22' * 20})),pk({C}))",
            [Way((one(A), one(C))), Way((one(C),), hashes=(f"hash160:{'22' * 20}",))],
        ),
    ],
)
def test_every_way_of_a_miniscript_is_found(policy: str, expected: list[Way]) -> None:
    """The fragments of BIP 379, compiled by embit."""
    script = Descriptor.from_string(f"wsh({policy})").witness_script().data  # type: ignore[no-untyped-call]
    assert list(ways(script)) == expected


def test_the_escrow_with_a_timeout_of_bip_112_has_two_ways() -> None:
    keys = b"".join(push(bytes.fromhex(key)) for key in (A, B, C))
    script = (
        b"\x63\x52" + keys + b"\x53\xae\x67" + push(b"\xe0\x10") + b"\xb2\x75" + push(bytes.fromhex(A)) + b"\xac\x68"
    )
    assert ways(script) == (Way((one(A, B, C, k=2),)), Way((one(A),), older=(4320,)))


def test_frozen_funds_of_bip_65_ask_for_one_key_after_their_time() -> None:
    digest = hash160(bytes.fromhex(A))
    script = push(b"\x00\x35\x0c") + b"\xb1\x75\x76\xa9" + push(digest) + b"\x88\xac"
    assert ways(script) == (Way((one(hashed(A)),), after=(0x0C3500,)),)


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("51", (Way(),)),  # OP_TRUE
        ("00", ()),  # OP_FALSE
        ("0151", (Way(),)),
        ("", (Way(),)),  # whoever spends pushes what it likes
        ("6a", ()),
        ("7551", (Way(),)),
        (f"a820{HASH}87", (Way(hashes=(f"sha256:{HASH}",)),)),
        ("ac", (Way(),)),  # a key that whoever spends may choose
        ("b17551", (Way(),)),  # a lock that whoever spends may choose
        ("050000008000b27551", (Way(),)),  # BIP 112: bit 31 switches the lock off
        ("02f401b17551", (Way(after=(500,)),)),
        ("55735587", (Way(),)),  # 5 IFDUP 5 EQUAL
        ("5501808200a2", (Way(),)),  # 5, -0, SIZE 0 GREATERTHANOREQUAL
        ("735587", (Way(),)),  # IFDUP 5 EQUAL: whoever spends gives 5
    ],
)
def test_scripts_without_keys_are_anybodys(script: str, expected: tuple[Way, ...]) -> None:
    assert ways(bytes.fromhex(script)) == expected


@pytest.mark.parametrize(
    "script",
    [
        "63",
        "68",
        "67",
        "004f93",
        "82777c827793559c",
        "ab51",
        "0102b0",
        "b4",
        "4c",
        "0205",
        "5150a5",
        "06010101010101b1",
    ],
)
def test_what_is_not_followed_is_unreadable_and_never_guessed(script: str) -> None:
    with pytest.raises(Unreadable):
        ways(bytes.fromhex(script))


PLAIN = [bytes([op]) for op in Op if op not in (Op.IF, Op.NOTIF, Op.ELSE, Op.ENDIF) and not 0xAB <= op <= 0xBA]
PUSHES = [b"\x00", b"\x51", b"\x52", b"\x4f", b"\x01\x80", b"\x14" + hash160(b"\x01"), b"\x14" + hash160(b"")]
STEP = st.sampled_from([*PLAIN, *PUSHES])
PART = st.recursive(
    st.lists(STEP, max_size=6).map(b"".join),
    lambda inner: st.tuples(inner, st.sampled_from([b"\x63", b"\x64"]), inner, inner, inner).map(
        lambda parts: parts[0] + parts[1] + parts[2] + b"\x67" + parts[3] + b"\x68" + parts[4]
    ),
    max_leaves=4,
)
GIVEN = st.lists(st.sampled_from([b"", b"\x01", b"\x02", b"\x05", b"\x81", b"\x80", b"\x01\x00"]), max_size=6)


@settings(max_examples=1_000)
@given(PART, GIVEN)
def test_whatever_another_interpreter_can_satisfy_has_a_way(script: bytes, stack: list[bytes]) -> None:
    """python-bitcoinlib runs it on chosen inputs; no key is asked, so a way that asks for none must be there."""
    left = [*([b""] * 4), *stack]
    try:
        EvalScript(left, CScript(script), CTransaction(), 0)
    except (EvalScriptError, ValueError, IndexError):
        return
    if not left or not CastToBool(left[-1]):
        return
    try:
        told = ways(script)
    except Unreadable:
        return
    assert any(not (way.needs or way.after or way.older) for way in told), script.hex()


def test_too_many_branches_are_unreadable() -> None:
    with pytest.raises(Unreadable, match="too many"):
        ways(b"\x63\x51\x67\x51\x68\x75" * 8 + b"\x51")


@given(st.binary(max_size=80))
def test_no_bytes_make_the_reading_of_a_script_fail_otherwise(script: bytes) -> None:
    try:
        found_ways = ways(script)
    except Unreadable:
        return
    assert all(0 < need.k <= len(need.keys) for way in found_ways for need in way.needs)
    assert len(script_powers(Subject(CHAIN, Holder(script)))) > 0


@given(st.integers(min_value=-(2**31) + 1, max_value=2**31 - 1))
def test_script_numbers_are_read_as_bitcoin_writes_them(number: int) -> None:
    size = (abs(number).bit_length() + 8) // 8 if number else 0
    data = bytearray(abs(number).to_bytes(size, "little"))
    if number < 0:
        data[-1] |= 0x80
    assert number_in(bytes(data)) == number


def test_a_cut_off_push_is_no_script() -> None:
    with pytest.raises(BadScript):
        operations(b"\x4d\xff")


def test_a_hash_of_a_script_shows_nothing_until_the_script_is_filed() -> None:
    """The 2-of-2 of BIP 67, first vector, behind its address."""
    redeem = bytes.fromhex(
        "522102fe6f0a5a297eb38c391581c4413e084773ea23954d93f7753db7dc0adc188b2f"
        "2102ff12471208c14bd580709cb2358d98975247d8765f92bc25eab3b2763ed605f852ae"
    )
    script = script_of("39bgKC7RFbpoCRbtD5KEdkYKtNyhpsNa3Z", "main")
    [hidden] = found(script)
    assert (hidden.kind, hidden.shown, verdict([hidden])) == ("script-unknown", False, 4)
    [other] = found(script, Known((b"\x51",)))  # another script proves nothing
    assert not other.shown
    [told] = found(script, Known((redeem,)))
    assert (told.kind, told.severity, told.shown) == ("multisig", Severity.WARN, True)
    assert told.refs["needs_0"] == "2 of 2"
    assert (told.refs["redeem"], told.refs["shown_by"]) == (redeem.hex(), "the descriptor")


def test_nested_witness_scripts_need_both_scripts() -> None:
    witness = bytes.fromhex(f"21{A}ac")
    redeem = b"\x00\x20" + hashlib.sha256(witness).digest()
    script = b"\xa9\x14" + hash160(redeem) + b"\x87"
    assert not found(script, Known((redeem,)))[0].shown
    [told] = found(script, Known((witness, redeem)))
    assert (told.kind, told.who, told.refs["form"]) == ("single-key", bytes.fromhex(A), "P2SH-P2WSH")


def test_a_nested_witness_version_without_rules_is_anybodys() -> None:
    """BIP 341: taproot behind P2SH is not taproot."""
    redeem = b"\x51\x20" + bytes(32)
    [anybody] = found(b"\xa9\x14" + hash160(redeem) + b"\x87", Known((redeem,)))
    assert (anybody.kind, anybody.severity) == ("anyone-can-spend", Severity.CRITICAL)


def test_a_bare_key_is_exposed_and_a_hashed_one_is_not() -> None:
    [bare] = found(bytes.fromhex(f"21{A}ac"))
    assert (bare.kind, bare.severity, bare.who, bare.lane) == (
        "exposed-key", Severity.WARN, bytes.fromhex(A), Lane.PROVEN,
    )  # fmt: skip
    [hashed_one] = found(b"\x00\x14" + hash160(bytes.fromhex(A)))
    assert (hashed_one.kind, hashed_one.severity, hashed_one.who) == (
        "single-key", Severity.INFO, hash160(bytes.fromhex(A)),
    )  # fmt: skip


def test_one_of_many_keys_is_critical() -> None:
    [alone] = found(bytes.fromhex(f"5121{A}21{B}52ae"))
    assert (alone.kind, alone.severity, alone.refs["keys_0"]) == ("multisig", Severity.CRITICAL, f"{A},{B}")
    [both] = found(bytes.fromhex(f"5221{A}21{B}52ae"))
    assert both.severity is Severity.WARN
    assert "custody has 1 of them" in both.detail


@pytest.mark.parametrize("script", ["51", "51024e73", "5220" + "00" * 32, "5102abcd"])
def test_what_anybody_can_spend_is_critical(script: str) -> None:
    """OP_TRUE; pay-to-anchor; witness versions and lengths that have no rules yet (BIP 141, 341)."""
    [anybody] = found(bytes.fromhex(script))
    assert (anybody.kind, anybody.severity) == ("anyone-can-spend", Severity.CRITICAL)


def test_what_nobody_can_spend_is_said() -> None:
    assert [one.kind for one in found(b"\x6a\x04abcd")] == ["unspendable"]
    assert [one.kind for one in found(b"\x00\x10" + bytes(16))] == ["unspendable"]


def test_taproot_is_unknown_without_its_descriptor() -> None:
    """BIP 341, wallet test vectors: a tree with one leaf."""
    script = bytes.fromhex("5120147c9c57132f6e7ecddba9800bb0c4449251c92a1e60371ee77557b6620f3ea3")
    assert not found(script)[0].shown
    internal = "187791b6f712a8ea41c8ecdd0ee77fab3e85263b37e1ec18a3651926b3a6cf27"
    leaf_key = "d85a959b0290bf19bb89ed43c916be835475d013da4b362117393e25a48229b8"
    descriptor = f"tr({internal},pk({leaf_key}))"
    [(derived, behind)] = of_descriptor(descriptor, 0, 0)
    assert derived == script
    assert behind.key is None
    findings = found(script, behind.known)
    assert [one.kind for one in findings] == ["several-paths", "single-key", "single-key"]
    assert [one.who.hex() for one in findings if one.who] == [internal, leaf_key]
    assert {one.lane for one in findings} == {Lane.ATTESTED}


def test_a_taproot_tree_of_two_levels_gives_all_leaves() -> None:
    x, y, z = (key[2:] for key in (A, B, C))
    [(_, behind)] = of_descriptor(
        f"tr({NOBODY},{{pk({x}),{{multi_a(2,{x},{y},{z}),and_v(v:pk({z}),older(9))}}}})", 0, 0
    )
    read = read_script(b"\x51\x20" + bytes(32), behind.known)
    assert read.ways == (Way((one(x),)), Way((one(x, y, z, k=2),)), Way((one(z),), older=(9,)))


def test_an_unreadable_leaf_makes_the_whole_output_unknown() -> None:
    known = Known(taproot=Taproot(bytes.fromhex(A)[1:], (b"\x50",)))
    [unknown] = found(b"\x51\x20" + bytes(32), known)
    assert (unknown.kind, unknown.shown) == ("script-unknown", False)


@pytest.mark.parametrize(
    ("height", "oldest", "state", "severity"),
    [
        (700_000, 699_990, "closed", Severity.WARN),
        (700_000, 699_857, "open", Severity.CRITICAL),  # 144 confirmations, in the next block
        (700_000, 699_858, "closed", Severity.WARN),
        (700_000, None, "unknown", Severity.WARN),
    ],
)
def test_a_second_way_is_critical_once_its_lock_is_open(
    height: int, oldest: int | None, state: str, severity: Severity
) -> None:
    [(script, behind)] = of_descriptor(f"wsh(or_d(pk({A}),and_v(v:pkh({B}),older(144))))", 0, 0)
    several, key, late = found(script, behind.known, Moment(height, "ab" * 32, 0), oldest)
    assert (several.kind, key.kind, late.kind) == ("several-paths", "single-key", "timelock")
    assert (late.refs["state"], late.severity, late.refs["older_0"]) == (state, severity, 144)
    assert late.who == hash160(bytes.fromhex(B))


@pytest.mark.parametrize(
    ("lock", "state", "words"),
    [
        (700_000, "open", "from block 700001 on (open now)"),
        (700_001, "closed", "from block 700002 on (not open yet)"),
        (1_699_999_999, "open", "after 2023-11-14T22:13:19Z by the chain's median time (open now)"),
        (1_700_000_000, "closed", "not open yet"),
    ],
)
def test_absolute_locks_open_by_height_or_median_time(lock: int, state: str, words: str) -> None:
    [(script, behind)] = of_descriptor(f"wsh(and_v(v:pk({A}),after({lock})))", 0, 0)
    [locked] = found(script, behind.known)
    assert (locked.refs["state"], locked.refs["block_height"]) == (state, 700_000)
    assert words in locked.detail
    [untold] = found(script, behind.known, None)
    assert untold.refs["state"] == "unknown"


def test_a_locked_coin_that_needs_no_key_stays_critical() -> None:
    [late] = found(bytes.fromhex("02f401b17551"), now=None)
    assert (late.kind, late.severity) == ("anyone-can-spend", Severity.CRITICAL)


def test_rows_are_canonical_and_hold_text_and_small_numbers_only() -> None:
    [told] = found(bytes.fromhex(f"5121{A}21{B}52ae"))
    row = told.row()
    assert list(row) == sorted(row)
    assert canonical(told).startswith(b'{"asset":"","chain":"bip122:0f91')
    assert row["who"] == ""
    with pytest.raises(ValueError, match="neither text nor a number"):
        Finding("x", Severity.INFO, told.rule, told.subject, "", Lane.PROVEN, refs={"n": 2**53})
    with pytest.raises(ValueError, match="neither text nor a number"):
        Finding("x", Severity.INFO, told.rule, told.subject, "", Lane.PROVEN, refs={"n": True})
