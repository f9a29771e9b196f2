"""A statement shows control only for its own case, address, chain and time, once, with a signature that holds."""

import dataclasses
from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import Any

import pytest
from bitcoin.core import CMutableTransaction, CMutableTxIn, CMutableTxOut, COutPoint
from bitcoin.core.script import SIGHASH_ALL, SIGVERSION_WITNESS_V0, CScript, SignatureHash
from coincurve import PrivateKey
from embit.hashes import hash160
from eth_account import Account
from eth_account.messages import encode_defunct, encode_typed_data
from hypothesis import given
from hypothesis import strategies as st
from test_control_message import EXAMPLE

from tracer.errors import ControlRefused, ControlUnsupported, OperatorError, SignatureWrong
from tracer.proof.control.bip322 import ToSign, to_spend
from tracer.proof.control.bitcoin import magic_hash
from tracer.proof.control.ethereum import ContractSaid, typed_data
from tracer.proof.control.message import Statement, write
from tracer.proof.control.shown import (
    CONTRACT,
    ControlShown,
    Expected,
    Method,
    check_control,
    contract_question,
    heights_asked,
)
from tracer.types import ChainId, Hash, Holder, Lane

NOW = EXAMPLE.expires_s - 3600
KEY = PrivateKey(bytes([5]) * 32)
SIGNER = Account.from_key(bytes([7]) * 32)
PROGRAM = Holder(b"\x00\x14" + hash160(KEY.public_key.format()))
COINS = dataclasses.replace(EXAMPLE, holder=PROGRAM)
ACCOUNT = dataclasses.replace(
    EXAMPLE, chain=ChainId("eip155:1"), holder=Holder(bytes.fromhex(SIGNER.address[2:])), address=SIGNER.address
)
LATER = Hash(b"\x05" * 32)
YES = bytes.fromhex("1626ba7e") + bytes(28)


def bip137(statement: Statement) -> str:
    signed = KEY.sign_recoverable(magic_hash(write(statement).encode()), hasher=None)
    return b64encode(bytes((39 + signed[64],)) + signed[:64]).decode()


def witness(statement: Statement, **more: int) -> ToSign:
    """Signed by python-bitcoinlib's digest."""
    spends = to_spend(statement.holder, write(statement).encode())
    spending = CMutableTxIn(COutPoint(spends, 0), nSequence=more.get("sequence", 0))
    output = CMutableTxOut(0, CScript(b"\x6a"))
    transaction = CMutableTransaction([spending], [output], more.get("locktime", 0), more.get("version", 0))
    code = CScript(b"\x76\xa9\x14" + PROGRAM[2:] + b"\x88\xac")
    digest = SignatureHash(code, transaction, 0, SIGHASH_ALL, 0, SIGVERSION_WITNESS_V0)
    return ToSign(spends, (KEY.sign(digest, hasher=None) + b"\x01", KEY.public_key.format()), **more)


def simple(statement: Statement) -> str:
    items = witness(statement).witness
    return "smp" + b64encode(b"\x02" + b"".join(bytes((len(item),)) + item for item in items)).decode()


def full(statement: Statement, **more: int) -> str:
    return "ful" + b64encode(witness(statement, **more).written()).decode()


def personal(statement: Statement) -> str:
    return "0x" + str(SIGNER.sign_message(encode_defunct(text=write(statement))).signature.hex())


def typed(statement: Statement) -> str:
    return "0x" + str(SIGNER.sign_message(encode_typed_data(full_message=typed_data(statement))).signature.hex())


SIGNING: dict[Method, tuple[Statement, Callable[[Statement], str]]] = {
    Method.BIP137: (COINS, bip137),
    Method.BIP322_SIMPLE: (COINS, simple),
    Method.BIP322_FULL: (COINS, full),
    Method.EIP191: (ACCOUNT, personal),
    Method.EIP712: (ACCOUNT, typed),
    Method.EIP1271: (ACCOUNT, lambda _: "0x0badc0de"),
    Method.EIP1271_TYPED: (ACCOUNT, lambda _: "0x"),
}
every_method = pytest.mark.parametrize("method", Method, ids=lambda method: method.value)


def meant(statement: Statement) -> Expected:
    return Expected(statement.case, statement.watch, statement.chain, statement.holder, statement.address)


def answer(text: str, signature: str, method: Method, **fields: Any) -> ContractSaid:
    call = contract_question(text, signature, method)
    return dataclasses.replace(ContractSaid(ACCOUNT.holder, call, 125, LATER, True, YES), **fields)


def shown(method: Method, statement: Statement | None = None, **more: Any) -> ControlShown:
    """Check a statement that is signed as it must be, but for what is given."""
    plain, sign = SIGNING[method]
    text = write(statement or plain)
    signature = more.pop("signature", None) or sign(statement or plain)
    said = answer(text, signature, method) if method in CONTRACT else None
    given: dict[str, Any] = {
        "expected": meant(plain),
        "now_s": NOW,
        "canonical": {EXAMPLE.height: EXAMPLE.block, 125: LATER},
        "used": frozenset(),
        "said": said,
    }
    return check_control(text, signature, method, **(given | more))


@every_method
def test_control_is_shown_at_a_block_and_nothing_more_is_said(method: Method) -> None:
    found = shown(method)
    statement = SIGNING[method][0]
    height, block = (125, LATER) if method in CONTRACT else (EXAMPLE.height, EXAMPLE.block)
    assert (found.height, found.block, found.method, found.holder) == (height, block, method, statement.holder)
    assert found.line() == f"control shown at block {height}"
    assert found.expires_s == EXAMPLE.expires_s
    assert found.lane is (Lane.REPORTED if method in CONTRACT else Lane.PROVEN)
    assert len(found.digest) == len(found.message_digest) == 32


@every_method
@pytest.mark.parametrize("which", ["message_digest", "digest"])
def test_a_statement_counts_once(method: Method, which: str) -> None:
    first = shown(method)
    with pytest.raises(ControlRefused, match="taken before"):
        shown(method, used={getattr(first, which)})


def test_a_second_signature_of_one_text_is_refused_too() -> None:
    first, second = shown(Method.BIP137), shown(Method.BIP322_SIMPLE)
    assert first.digest != second.digest
    with pytest.raises(ControlRefused, match="taken before"):
        shown(Method.BIP322_SIMPLE, used={first.digest, first.message_digest})


def test_digests_do_not_depend_on_how_a_signature_is_written() -> None:
    plain, prefixed = simple(COINS)[3:], simple(COINS)
    digests = {shown(Method.BIP322_SIMPLE, signature=one).digest for one in (plain, prefixed)}
    upper = "0x" + personal(ACCOUNT)[2:].upper()
    digests |= {shown(Method.EIP191, signature=one).digest for one in (personal(ACCOUNT), upper)}
    assert len(digests) == 2


@every_method
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("case", "another"),
        ("watch", "another"),
        ("chain", ChainId("eip155:10")),
        ("chain", ChainId("bip122:000000000019d6689c085ae165831e93")),
        ("address", "another"),
        ("holder", Holder(bytes(20))),
    ],
)
def test_a_statement_for_something_else_is_refused(method: Method, field: str, value: Any) -> None:
    expected = dataclasses.replace(meant(SIGNING[method][0]), **{field: value})
    with pytest.raises(ControlRefused, match=f"the statement is for {field}"):
        shown(method, expected=expected)


@pytest.mark.parametrize(
    ("method", "statement"), [(Method.BIP137, ACCOUNT), (Method.EIP191, COINS), (Method.EIP712, COINS)]
)
def test_a_method_of_another_family_is_refused(method: Method, statement: Statement) -> None:
    with pytest.raises(ControlRefused, match="is no method of"):
        shown(method, statement, expected=meant(statement), signature="0x")


@every_method
def test_a_statement_counts_until_its_last_second(method: Method) -> None:
    shown(method, now_s=EXAMPLE.expires_s - 1)
    for late in (0, 1, 10**6):
        with pytest.raises(ControlRefused, match="expired at 2025-12-01T00:00:00Z"):
            shown(method, now_s=EXAMPLE.expires_s + late)


@every_method
def test_a_statement_that_lives_too_long_is_refused(method: Method) -> None:
    shown(method, max_life_s=3600)
    with pytest.raises(ControlRefused, match="more than 3599 s after"):
        shown(method, max_life_s=3599)


@every_method
def test_its_block_must_be_the_one_on_the_stored_chain(method: Method) -> None:
    with pytest.raises(ControlRefused, match="not in the store") as caught:
        shown(method, canonical={})
    assert "Wait until that block is followed" in caught.value.line()
    with pytest.raises(ControlRefused, match="but on the chain is"):
        shown(method, canonical={EXAMPLE.height: Hash(bytes(32)), 125: LATER})


@pytest.mark.parametrize("method", sorted(CONTRACT, key=str), ids=lambda method: method.value)
def test_a_contracts_answer_must_be_to_this_question_after_a_block_of_the_chain(method: Method) -> None:
    text, signature = write(ACCOUNT), "0x0badc0de"

    def given(**fields: Any) -> ControlShown:
        return shown(method, signature=signature, said=answer(text, signature, method, **fields))

    assert given().height == 125
    with pytest.raises(ControlRefused, match="before the statement's"):
        given(height=119)
    with pytest.raises(ControlRefused, match="on the chain is"):
        given(block=Hash(bytes(32)))
    with pytest.raises(ControlRefused, match="answer names block 126, which is not in the store"):
        given(height=126)
    with pytest.raises(ControlRefused, match="another account, text or signature"):
        given(call=contract_question(text, "0x00", method))
    with pytest.raises(SignatureWrong, match="reverted"):
        given(returned=None)
    with pytest.raises(ControlRefused, match="goes with a contract's answer"):
        shown(method, said=None)


def test_an_accounts_own_signature_takes_no_answer_of_a_contract() -> None:
    with pytest.raises(ControlRefused, match="goes without"):
        shown(Method.EIP191, said=answer(write(ACCOUNT), "0x", Method.EIP1271))
    with pytest.raises(ControlRefused, match="asks no contract"):
        contract_question(write(ACCOUNT), "0x", Method.EIP191)


def test_one_method_is_not_taken_for_another() -> None:
    signatures = {method: sign(statement) for method, (statement, sign) in SIGNING.items() if method not in CONTRACT}
    for method in signatures:
        for other, signature in signatures.items():
            if other is not method and SIGNING[other][0] is SIGNING[method][0]:
                with pytest.raises(ControlRefused):
                    shown(method, signature=signature)


def test_a_signature_under_a_time_lock_shows_no_control_now() -> None:
    for locks in ({"locktime": 1}, {"sequence": 1, "version": 2}):
        with pytest.raises(ControlUnsupported, match="time lock"):
            shown(Method.BIP322_FULL, signature=full(COINS, **locks))


def test_wrong_and_not_supported_are_told_apart_and_each_says_what_to_do() -> None:
    other = dataclasses.replace(COINS, purpose="another purpose")
    with pytest.raises(SignatureWrong) as wrong:
        shown(Method.BIP137, signature=bip137(other))
    taproot = dataclasses.replace(COINS, holder=Holder(b"\x51\x20" + bytes(32)))
    with pytest.raises(ControlUnsupported, match=r"^not supported") as unsupported:
        shown(Method.BIP137, taproot, expected=meant(taproot), signature=bip137(COINS))
    assert isinstance(wrong.value, OperatorError)
    assert not isinstance(unsupported.value, SignatureWrong)
    assert wrong.value.line().endswith("Nothing was recorded.")
    assert wrong.value.line() != unsupported.value.line()


@given(st.sampled_from([method for method in Method if method not in CONTRACT]), st.data())
def test_any_other_byte_of_the_text_is_refused(method: Method, data: st.DataObject) -> None:
    statement, sign = SIGNING[method]
    text, signature = write(statement), sign(statement)
    place = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.characters(max_codepoint=0x17F).filter(lambda one: one != text[place]))
    with pytest.raises(ControlRefused):
        check_control(
            *(text[:place] + letter + text[place + 1 :], signature, method, meant(statement)),
            now_s=NOW,
            canonical={EXAMPLE.height: EXAMPLE.block},
            used=frozenset(),
        )


@given(st.sampled_from([Method.BIP322_SIMPLE, Method.BIP322_FULL, Method.EIP191, Method.EIP712]), st.data())
def test_any_other_byte_of_the_signature_is_refused(method: Method, data: st.DataObject) -> None:
    statement, sign = SIGNING[method]
    signature = sign(statement)
    coins = statement is COINS
    held = bytearray(b64decode(signature[3:]) if coins else bytes.fromhex(signature[2:]))
    held[data.draw(st.integers(0, len(held) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(ControlRefused):
        shown(method, signature=b64encode(held).decode() if coins else "0x" + held.hex())


def test_the_heights_that_must_be_looked_up_are_named() -> None:
    assert heights_asked(write(COINS)) == {120}
    text = write(ACCOUNT)
    assert heights_asked(text, answer(text, "0x", Method.EIP1271)) == {120, 125}
