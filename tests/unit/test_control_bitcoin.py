"""Signatures of messages with Bitcoin keys: published ones hold, and nothing that differs from them does.

Sources: the vectors of BIP-322; Bitcoin Core's `util_tests.cpp` (message_verify); signatures of Electrum, Mycelium and
Trezor that verifying libraries carry as their vectors. python-bitcoinlib signs what has no published vector.
"""

import json
from base64 import b64decode, b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from bitcoin.core import CMutableTransaction, CMutableTxIn, CMutableTxOut, COutPoint
from bitcoin.core.script import (
    OP_CHECKMULTISIG,
    OP_CHECKSIG,
    SIGHASH_ALL,
    SIGVERSION_BASE,
    SIGVERSION_WITNESS_V0,
    CScript,
    SignatureHash,
)
from coincurve import PrivateKey
from embit.hashes import hash160
from hypothesis import given
from hypothesis import strategies as st

from tracer.errors import ControlUnsupported, SignatureWrong
from tracer.proof.control.bip322 import ToSign, message_hash, to_spend
from tracer.proof.control.bitcoin import Locks, verify_bip137, verify_full, verify_simple
from tracer.proof.control.curve import ORDER
from tracer.proof.transactions import hash256
from watchers.bitcoin.address import script_of

VECTORS = json.loads((Path(__file__).parent / "data" / "control_vectors.json").read_text())
LOCKED = Locks(2016, 2016)

LEGACY = {
    "Bitcoin Core": (
        "15CRxFdyRpGZLW9w8HnHvVduizdL5jKNbs",
        "Trust no one",
        "IPojfrX2dfPnH26UegfbGQQLrdK844DlHq5157/P6h57WyuS/Qsl+h/WSVGDF4MUi4rWSswW38oimDYfNNUBUOk=",
    ),
    "Bitcoin Core, made for its text": (
        "11canuhp9X2NocwCq7xNrQYTmUgZAnLK3",
        "Trust me",
        "IIcaIENoYW5jZWxsb3Igb24gYnJpbmsgb2Ygc2Vjb25kIGJhaWxvdXQgZm9yIGJhbmtzIAaHRtbCeDZINyavx14=",
    ),
    "Electrum, uncompressed": (
        "18J72YSM9pKLvyXX1XAjFXA98zeEvxBYmw",
        "Test123",
        "Gzhfsw0ItSrrTCChykFhPujeTyAcvVxiXwywxpHmkwFiKuUR2ETbaoFcocmcSshrtdIjfm8oXlJoTOLosZp3Yc8=",
    ),
    "Trezor, p2wpkh": (
        "bc1qannfxke2tfd4l7vhepehpvt05y83v3qsf6nfkk",
        "This is an example of a signed message.",
        "KLVddgDZ6afipJFV3fPP2455bCB/qrgzAQ+kH7eCiIm8R89iNIp6qgkjwIMqWJ+rVB6PEutU+3EckOIwfw9msZQ=",
    ),
    "Trezor, p2wpkh, a long text": (
        "bc1qannfxke2tfd4l7vhepehpvt05y83v3qsf6nfkk",
        "VeryLongMessage!" * 64,
        "KMb4biVeqnaMRH1jXZHaAWMaxUryI8LBgtT6NnbP7K5KGZrTOnT+BPtGw5QyrLjYPedNqQ9fARI7O32LwlK8f3E=",
    ),
    "Trezor, p2sh-p2wpkh": (
        "3L6TyTisPBmrDAj6RoKmDzNnj4eQi54gD2",
        "This is an example of a signed message.",
        "I3RN5FFvrFwUCAgBVmRRajL+rZTeiXdc7H4k28JP4TMHWsCTAcTMjhl76ktkgWYdW46b8Z2Le4o4Ls21PC7gdQ0=",
    ),
    "Electrum, p2sh-p2wpkh, with the header of p2pkh": (
        "3LbZqMMHu371r5Fjve9qNhSQzuNi7EzqUR",
        "test123",
        "H2ehXowFWMZohHrJN+1IRdDwqN/UILqVmhIOHpeBdS4BYDCQpfDL1tTH7mNg6eeypno+Is8ApgWinkPnnz1NEq8=",
    ),
    "Mycelium, p2wpkh, with the header of p2pkh": (
        "bc1q58dh2fpwms37g29nw979pa65lsvjkqxq82jzvv",
        "Test message!",
        "ILNax/LC+m3WwzIhnrieNN8DRzWTAgcVStSJmwdabUQII2fIlYUlEgnlNf4j2G4yJQoO4zFqCwaLOX4PDj1XwjA=",
    ),
}
CORE = LEGACY["Bitcoin Core"]
by_type = pytest.mark.parametrize


def script(address: str) -> bytes:
    return script_of(address, "main")


def with_byte(data: bytes, place: int, change: int) -> bytes:
    return data[:place] + bytes((data[place] ^ change,)) + data[place + 1 :]


def text(data: bytes) -> str:
    return b64encode(data).decode()


@by_type("name", LEGACY)
def test_recoverable_signatures_of_many_wallets_hold(name: str) -> None:
    address, message, signature = LEGACY[name]
    verify_bip137(script(address), message.encode(), signature)
    with pytest.raises(SignatureWrong, match=r"not by the key|nobody"):
        verify_bip137(script(address), message.encode() + b" ", signature)


@given(st.integers(0, 64), st.integers(1, 255))
def test_a_recoverable_signature_with_any_other_byte_is_refused(place: int, change: int) -> None:
    address, message, signature = CORE
    with pytest.raises(SignatureWrong):
        verify_bip137(script(address), message.encode(), text(with_byte(b64decode(signature), place, change)))


@given(st.integers(0, len(CORE[1]) - 1), st.integers(1, 255))
def test_a_text_with_any_other_byte_is_refused(place: int, change: int) -> None:
    address, message, signature = CORE
    with pytest.raises(SignatureWrong):
        verify_bip137(script(address), with_byte(message.encode(), place, change), signature)


@given(st.integers(3, 22), st.integers(1, 255))
def test_a_script_with_any_other_byte_of_its_hash_is_refused(place: int, change: int) -> None:
    address, message, signature = CORE
    with pytest.raises(SignatureWrong):
        verify_bip137(with_byte(script(address), place, change), message.encode(), signature)


def test_a_high_s_is_refused_although_the_same_key_would_be_recovered() -> None:
    address, message, signature = CORE
    data = b64decode(signature)
    s = ORDER - int.from_bytes(data[33:], "big")
    other = bytes((31 + (data[0] - 31 ^ 1),)) + data[1:33] + s.to_bytes(32, "big")
    with pytest.raises(SignatureWrong, match="high s"):
        verify_bip137(script(address), message.encode(), text(other))


@by_type(
    ("name", "header"),
    [("Bitcoin Core", 28), ("Bitcoin Core", 36), ("Bitcoin Core", 40), ("Trezor, p2wpkh", 36)],
)
def test_a_header_of_another_kind_of_address_is_refused(name: str, header: int) -> None:
    address, message, signature = LEGACY[name]
    data = b64decode(signature)
    parity = (data[0] - 27) % 4
    with pytest.raises(SignatureWrong, match=r"another kind|not by the key"):
        verify_bip137(script(address), message.encode(), text(bytes((header - 1 + parity,)) + data[1:]))


@by_type("data", [b"", b"\x20" + bytes(64), b"\x1f" + b"\xff" * 64, bytes(65), b"\x20" * 64, b"\x20" * 66])
def test_what_is_no_recoverable_signature_is_refused(data: bytes) -> None:
    with pytest.raises(SignatureWrong):
        verify_bip137(script(CORE[0]), CORE[1].encode(), text(data))
    with pytest.raises(SignatureWrong, match="65 bytes"):
        verify_bip137(script(CORE[0]), CORE[1].encode(), text(b64decode(CORE[2]) + data[:1] + b"\x00"))


@by_type("change", [lambda s: s + "\n", lambda s: " " + s, lambda s: s[:-1], lambda s: s[:-2] + "l=", lambda _: "é"])
def test_base64_is_read_in_one_way_only(change: Any) -> None:
    with pytest.raises(SignatureWrong, match="base64"):
        verify_bip137(script(CORE[0]), CORE[1].encode(), change(CORE[2]))


@by_type("address", [VECTORS["simple"][4]["address"], VECTORS["simple"][5]["address"]])
def test_bip_137_says_nothing_of_scripts_and_taproot_and_that_is_no_wrong_signature(address: str) -> None:
    with pytest.raises(ControlUnsupported, match="not supported"):
        verify_bip137(script(address), b"x", CORE[2])


@by_type("case", VECTORS["hashes"], ids=lambda case: case["message"])
def test_the_hashes_of_bip_322_are_the_published_ones(case: Any) -> None:
    message, target = case["message"].encode(), script(case["address"])
    assert message_hash(message).hex() == case["message_hash"]
    spends = to_spend(target, message)
    assert spends[::-1].hex() == case["to_spend"]
    assert hash256(ToSign(spends, ()).written())[::-1].hex() == case["to_sign"]


@by_type("case", VECTORS["simple"], ids=lambda case: case["type"])
def test_published_simple_signatures_hold_for_their_text_and_script_alone(case: Any) -> None:
    message, target, signature = case["message"].encode(), script(case["address"]), case["signature"]
    verify_simple(target, message, signature)
    with pytest.raises(SignatureWrong):
        verify_simple(target, message + b".", signature)
    others = [script(other["address"]) for other in VECTORS["simple"] if other["address"] != case["address"]]
    for other in others:
        with pytest.raises((SignatureWrong, ControlUnsupported)):
            verify_simple(other, message, signature)


@by_type("case", VECTORS["full"], ids=lambda case: case["type"])
def test_published_full_signatures_hold_and_tell_their_locks(case: Any) -> None:
    message, target, signature = case["message"].encode(), script(case["address"]), case["signature"]
    assert verify_full(target, message, signature) == LOCKED
    assert verify_full(target, message, "ful" + signature) == LOCKED
    with pytest.raises(SignatureWrong, match="another text or for another script"):
        verify_full(target, message + b".", signature)


@by_type("case", VECTORS["unsupported"], ids=lambda case: case["type"])
def test_scripts_that_are_not_run_are_not_supported_rather_than_wrong(case: Any) -> None:
    with pytest.raises(ControlUnsupported, match="not supported"):
        verify_full(script(case["address"]), case["message"].encode(), case["signature"])


CHANGED = [
    *((verify_simple, case) for case in VECTORS["simple"][4:]),
    *((verify_full, case) for case in VECTORS["full"]),
]


@by_type(("verify", "case"), CHANGED, ids=lambda one: one["type"] if isinstance(one, dict) else one.__name__)
def test_a_signature_with_any_other_byte_is_refused(verify: Any, case: Any) -> None:
    data = b64decode(case["signature"].removeprefix("smp"))
    for place in range(len(data)):
        for change in (0x01, 0x80):
            with pytest.raises((SignatureWrong, ControlUnsupported)):
                verify(script(case["address"]), case["message"].encode(), text(with_byte(data, place, change)))


@given(st.binary(max_size=200))
def test_any_bytes_are_judged_without_another_error(data: bytes) -> None:
    for case in (VECTORS["simple"][7], VECTORS["full"][0], VECTORS["full"][3]):
        for verify in (verify_simple, verify_full, verify_bip137):
            with pytest.raises((SignatureWrong, ControlUnsupported)):
                verify(script(case["address"]), b"x", text(data))


@by_type(
    ("signature", "why", "what"),
    [
        ("not-valid-base64!!!", SignatureWrong, "base64"),
        ("", SignatureWrong, "empty"),
        ("smpAA==", SignatureWrong, "no witness stack"),
        ("fooAA==", SignatureWrong, "base64"),
        ("fulAUDZwFXUp+adN+/UZj5dVrGAbB3zKs1Vcalz5fCF9srxS63eSWNGvH1NYbrBkPt1BJDUyWUz9zgUxfc63/QheT6M", None, "full"),
        ("pofAA==", ControlUnsupported, "proof of funds"),
    ],
)
def test_published_errors_are_refused(signature: str, why: type[Exception] | None, what: str) -> None:
    with pytest.raises(why or SignatureWrong, match=what):
        verify_simple(script(VECTORS["simple"][0]["address"]), b"", signature)


# Scripts without published vectors, signed by python-bitcoinlib's own digests.

KEYS = [PrivateKey(bytes((n,)) * 32) for n in (1, 2, 3)]
PUBLIC = [key.public_key.format() for key in KEYS]
TEXT = b"Custody Tracer\nline 2"
MULTISIG = CScript([2, *PUBLIC, 3, OP_CHECKMULTISIG])


def signed(target: bytes, code: bytes, keys: list[PrivateKey], witness: bool, kind: int = SIGHASH_ALL) -> list[bytes]:
    spends = COutPoint(to_spend(target, TEXT), 0)
    transaction = CMutableTransaction([CMutableTxIn(spends, nSequence=0)], [CMutableTxOut(0, CScript(b"\x6a"))], 0, 0)
    version = SIGVERSION_WITNESS_V0 if witness else SIGVERSION_BASE
    digest = SignatureHash(CScript(code), transaction, 0, kind, 0, version)
    return [key.sign(digest, hasher=None) + bytes((kind,)) for key in keys]


def full(target: bytes, script_sig: bytes = b"", witness: list[bytes] | None = None, **more: int) -> str:
    return text(ToSign(to_spend(target, TEXT), tuple(witness or ()), script_sig, **more).written())


def simple(witness: list[bytes]) -> str:
    items = b"".join(bytes((len(item),)) + item for item in witness)
    return "smp" + text(bytes((len(witness),)) + items)


def pushed(*items: bytes) -> bytes:
    return b"".join(bytes(CScript([item])) if item else b"\x00" for item in items)


def test_a_bare_multisig_and_one_under_a_script_hash_hold_with_any_two_keys_in_order() -> None:
    hashed = b"\xa9\x14" + hash160(MULTISIG) + b"\x87"
    for chosen in ([0, 1], [0, 2], [1, 2]):
        keys = [KEYS[n] for n in chosen]
        bare = full(bytes(MULTISIG), pushed(b"", *signed(bytes(MULTISIG), MULTISIG, keys, False)))
        assert verify_full(bytes(MULTISIG), TEXT, bare) == Locks()
        wrapped = full(hashed, pushed(b"", *signed(hashed, MULTISIG, keys, False), bytes(MULTISIG)))
        assert verify_full(hashed, TEXT, wrapped) == Locks()


def test_multisig_under_a_witness_hash_holds_plain_and_wrapped_in_both_variants() -> None:
    program = b"\x00\x20" + sha256(MULTISIG).digest()
    wrapped = b"\xa9\x14" + hash160(program) + b"\x87"
    for target, script_sig in ((program, b""), (wrapped, pushed(program))):
        witness = [b"", *signed(target, MULTISIG, KEYS[1:], True), bytes(MULTISIG)]
        verify_simple(target, TEXT, simple(witness))
        assert verify_full(target, TEXT, full(target, script_sig, witness)) == Locks()


def test_single_keys_hold_bare_and_under_every_hash() -> None:
    code = CScript(b"\x76\xa9\x14" + hash160(PUBLIC[0]) + b"\x88\xac")
    bare, plain = CScript([PUBLIC[0], OP_CHECKSIG]), bytes(code)
    assert verify_full(bytes(bare), TEXT, full(bytes(bare), pushed(*signed(bytes(bare), bare, KEYS[:1], False))))
    assert verify_full(plain, TEXT, full(plain, pushed(*signed(plain, code, KEYS[:1], False), PUBLIC[0])))
    nested = b"\xa9\x14" + hash160(b"\x00\x14" + hash160(PUBLIC[0])) + b"\x87"
    verify_simple(nested, TEXT, simple([*signed(nested, code, KEYS[:1], True), PUBLIC[0]]))


@by_type(
    ("witness", "what"),
    [
        (lambda s: [b"", s[1], s[0], bytes(MULTISIG)], "not by a key"),  # out of order
        (lambda s: [b"", s[0], s[0], bytes(MULTISIG)], "not by a key"),  # one key twice
        (lambda s: [b"", s[0], bytes(MULTISIG)], "asks for 2"),
        (lambda s: [b"", *s, s[1], bytes(MULTISIG)], "asks for 2"),
        (lambda s: [b"\x01", *s, bytes(MULTISIG)], "one empty item"),
        (lambda s: [*s, bytes(MULTISIG)], "one empty item"),
        (lambda s: [b"", s[0], b"", bytes(MULTISIG)], "SIGHASH_ALL"),
        (lambda s: [b"", s[0], s[1][:-1] + b"\x03", bytes(MULTISIG)], "SIGHASH_ALL"),
        (lambda s: [b"", *s, bytes(CScript([1, *PUBLIC, 3, OP_CHECKMULTISIG]))], "does not show the script"),
    ],
)
def test_a_multisig_that_is_not_quite_signed_is_refused(witness: Any, what: str) -> None:
    target = b"\x00\x20" + sha256(MULTISIG).digest()
    with pytest.raises(SignatureWrong, match=what):
        verify_simple(target, TEXT, simple(witness(signed(target, MULTISIG, KEYS[:2], True))))


def test_a_high_s_in_der_is_refused() -> None:
    target = b"\x00\x14" + hash160(PUBLIC[0])
    code = b"\x76\xa9\x14" + hash160(PUBLIC[0]) + b"\x88\xac"
    (good,) = signed(target, code, KEYS[:1], True)
    verify_simple(target, TEXT, simple([good, PUBLIC[0]]))
    size = good[3]
    r, s = good[2 : 4 + size], int.from_bytes(good[6 + size : -1], "big")
    high = (ORDER - s).to_bytes(33, "big")
    body = r + b"\x02\x21" + high
    with pytest.raises(SignatureWrong, match="high s"):
        verify_simple(target, TEXT, simple([b"\x30" + bytes((len(body),)) + body + b"\x01", PUBLIC[0]]))


def test_other_kinds_of_signing_are_refused_as_such() -> None:
    target = b"\x00\x14" + hash160(PUBLIC[0])
    code = b"\x76\xa9\x14" + hash160(PUBLIC[0]) + b"\x88\xac"
    for kind in (2, 3, 0x81):
        with pytest.raises(SignatureWrong, match="SIGHASH_ALL"):
            verify_simple(target, TEXT, simple([*signed(target, code, KEYS[:1], True, kind), PUBLIC[0]]))
    with pytest.raises(ControlUnsupported, match="version 3"):
        verify_full(target, TEXT, full(target, witness=[*signed(target, code, KEYS[:1], True), PUBLIC[0]], version=3))
    with pytest.raises(ControlUnsupported, match="simple variant"):
        verify_simple(code, TEXT, simple([b"", PUBLIC[0]]))


def test_a_push_that_is_longer_than_it_needs_to_be_is_refused() -> None:
    code = CScript(b"\x76\xa9\x14" + hash160(PUBLIC[0]) + b"\x88\xac")
    target = bytes(code)
    (good,) = signed(target, code, KEYS[:1], False)
    with pytest.raises(SignatureWrong, match="shortest"):
        verify_full(target, TEXT, full(target, b"\x4c" + bytes((len(good),)) + good + pushed(PUBLIC[0])))
    with pytest.raises(SignatureWrong, match="more than to push"):
        verify_full(target, TEXT, full(target, pushed(good, PUBLIC[0]) + b"\x61"))


def test_an_uncompressed_key_is_judged_where_it_may_stand() -> None:
    public = KEYS[0].public_key.format(compressed=False)
    code = b"\x76\xa9\x14" + hash160(public) + b"\x88\xac"
    assert verify_full(code, TEXT, full(code, pushed(*signed(code, code, KEYS[:1], False), public))) == Locks()
    target = b"\x00\x14" + hash160(public)
    with pytest.raises(ControlUnsupported, match="ordinary form"):
        verify_simple(target, TEXT, simple([*signed(target, code, KEYS[:1], True), public]))


KEYHASH = b"\x00\x14" + hash160(PUBLIC[0])
CODE = b"\x76\xa9\x14" + hash160(PUBLIC[0]) + b"\x88\xac"


def test_somebody_elses_key_or_script_is_refused_however_well_it_signs() -> None:
    theirs = KEYS[1:2]
    with pytest.raises(SignatureWrong, match="another key"):
        verify_simple(KEYHASH, TEXT, simple([*signed(KEYHASH, CODE, theirs, True), PUBLIC[1]]))
    with pytest.raises(SignatureWrong, match="another key"):
        verify_full(CODE, TEXT, full(CODE, pushed(*signed(CODE, CODE, theirs, False), PUBLIC[1])))
    own = CScript([1, PUBLIC[1], 1, OP_CHECKMULTISIG])
    for target in (b"\xa9\x14" + hash160(MULTISIG) + b"\x87", b"\x00\x20" + sha256(MULTISIG).digest()):
        witness = target[:1] == b"\x00"
        stack = [b"", *signed(target, own, theirs, witness), bytes(own)]
        with pytest.raises(SignatureWrong, match="does not show the script"):
            verify_full(target, TEXT, full(target, witness=stack) if witness else full(target, pushed(*stack)))


def test_nothing_may_stand_where_a_script_asks_for_nothing() -> None:
    stack = [*signed(KEYHASH, CODE, KEYS[:1], True), PUBLIC[0]]
    assert verify_full(KEYHASH, TEXT, full(KEYHASH, witness=stack)) == Locks()
    with pytest.raises(SignatureWrong, match="no script of its own"):
        verify_full(KEYHASH, TEXT, full(KEYHASH, b"\x00", stack))
    with pytest.raises(SignatureWrong, match="no script of its own"):
        verify_full(b"\x51\x20" + bytes(32), TEXT, full(b"\x51\x20" + bytes(32), b"\x00", [bytes(64)]))
    plain = pushed(*signed(CODE, CODE, KEYS[:1], False), PUBLIC[0])
    with pytest.raises(SignatureWrong, match="asks for none"):
        verify_full(CODE, TEXT, full(CODE, plain, [b"x"]))
    wrapped = b"\xa9\x14" + hash160(KEYHASH) + b"\x87"
    stack = [*signed(wrapped, CODE, KEYS[:1], True), PUBLIC[0]]
    assert verify_full(wrapped, TEXT, full(wrapped, pushed(KEYHASH), stack)) == Locks()
    with pytest.raises(SignatureWrong, match="the program alone"):
        verify_full(wrapped, TEXT, full(wrapped, pushed(b"x", KEYHASH), stack))


def test_a_taproot_signature_does_not_name_the_kind_that_goes_without_a_name() -> None:
    case = VECTORS["simple"][7]
    data = b64decode(case["signature"])
    with pytest.raises(SignatureWrong, match="no witness"):
        verify_full(script(case["address"]), TEXT, full(script(case["address"])))
    named = b"\x01\x41" + data[2:] + b"\x00"
    with pytest.raises(SignatureWrong, match="65 that end with 01"):
        verify_simple(script(case["address"]), case["message"].encode(), text(named))


@by_type("der", [b"", b"\x30", b"\x30\x06\x02\x01\x01\x02\x01", b"\x30\x08\x02\x02\x00\x01\x02\x02\x00\x01"])
def test_what_is_not_strict_der_is_refused(der: bytes) -> None:
    with pytest.raises(SignatureWrong, match="strict DER"):
        verify_simple(KEYHASH, TEXT, simple([der + b"\x01", PUBLIC[0]]))
    (good,) = signed(KEYHASH, CODE, KEYS[:1], True)
    padded = b"\x30" + bytes((good[1] + 1,)) + good[2:3] + bytes((good[3] + 1,)) + b"\x00" + good[4:]
    for wrong in (padded, good[:-1] + b"\x00\x01", good[:-2] + b"\x01"):
        with pytest.raises(SignatureWrong, match="strict DER"):
            verify_simple(KEYHASH, TEXT, simple([wrong, PUBLIC[0]]))


def test_a_proof_of_funds_is_not_supported() -> None:
    spends = to_spend(KEYHASH, TEXT)
    inputs = b"".join(txid + bytes(4) + b"\x00" + bytes(4) for txid in (spends, bytes(32)))
    raw = bytes(4) + b"\x02" + inputs + b"\x01" + bytes(8) + b"\x01\x6a" + bytes(4)
    with pytest.raises(ControlUnsupported, match="2 inputs"):
        verify_full(KEYHASH, TEXT, text(raw))


@by_type("target", [b"\x52\x20" + bytes(32), b"\x51\x02\x4e\x73", b"\x00\x02ab", b"\x6a", b"\x51", b""])
def test_witness_versions_to_come_and_odd_scripts_are_not_supported_rather_than_wrong(target: bytes) -> None:
    with pytest.raises(ControlUnsupported, match="not supported"):
        verify_simple(target, TEXT, simple([b"x", b"y"]))
    with pytest.raises(ControlUnsupported, match="not supported"):
        verify_full(target, TEXT, full(target, b"\x00", [b"x"]))
