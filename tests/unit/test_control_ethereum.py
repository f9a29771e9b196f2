"""Signatures by Ethereum accounts, against eth_account and the vectors of EIP-712, and what a contract may answer."""

import dataclasses
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_account import Account
from eth_account.messages import encode_defunct, encode_typed_data
from hypothesis import given
from hypothesis import strategies as st
from test_control_message import EXAMPLE

from tracer.errors import ControlRefused, SignatureWrong
from tracer.proof.control import ethereum
from tracer.proof.control.curve import ORDER
from tracer.proof.control.ethereum import ContractSaid
from tracer.proof.control.message import Statement, write
from tracer.types import ChainId, Hash, Holder

SIGNER = Account.from_key(bytes([7]) * 32)
ACCOUNT = Holder(bytes.fromhex(SIGNER.address[2:]))
STATEMENT = dataclasses.replace(EXAMPLE, chain=ChainId("eip155:1"), holder=ACCOUNT, address=SIGNER.address)
TEXT = write(STATEMENT)
DIGEST = ethereum.personal_digest(TEXT.encode())
SIGNED = "0x" + SIGNER.sign_message(encode_defunct(text=TEXT)).signature.hex()

OTHERS: dict[str, Any] = {
    "case": "other",
    "watch": "other",
    "chain": ChainId("eip155:10"),
    "holder": Holder(bytes(20)),
    "height": 121,
    "block": Hash(bytes(32)),
    "purpose": "other",
    "nonce": bytes(16),
    "expires_s": 1,
}


def changed(place: int, change: int, text: str = SIGNED) -> str:
    data = bytearray.fromhex(text[2:])
    data[place] ^= change
    return "0x" + data.hex()


def test_a_personal_signature_of_the_documentation_of_web3_js_holds() -> None:
    """Source: web3.js, `eth.accounts.sign`, with its published key."""
    digest = ethereum.personal_digest(b"Some data")
    assert digest.hex() == "1da44b586eb0729ff70a73c326926f6ed5a25f5b056e7f47fbc6e58d86871655"
    ethereum.verify_account(
        bytes.fromhex("2c7536e3605d9c16a7a3d7b1898e529396a65c23"),
        digest,
        "0xb91467e570a6466aa9e9876cbcd013baba02900b8979d43fe208a4a4f339f5fd"
        "6007e74cd82e037b800186422fc2da167c747ef045e5d18a5f5d4300f8e1a0291c",
    )


def test_the_example_of_eip_712_holds() -> None:
    """Source: EIP-712, Example.js: its hashes, its signature, the key keccak256("cow")."""
    digest = ethereum.joined_digest(
        bytes.fromhex("f2cee375fa42b42143804025fc449deafd50cc031ca257e0b194a650a912090f"),
        bytes.fromhex("c52c0ee5d84264471806290a3f2c4cecfc5490626bf912d01f240d7a274b371e"),
    )
    assert digest.hex() == "be609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2"
    ethereum.verify_account(
        bytes.fromhex("cd2a3d9f938e13cd947ec05abc7fe734df8dd826"),
        digest,
        "0x4355c47d63924e8a72e509b65029052eb6c299d53a04e167c5775fd466751c9d"
        "07299936d304c153f6443dfa05f40ff007d72911b6f72307f996231605b915621c",
    )


def test_a_personal_signature_by_another_program_holds() -> None:
    ethereum.verify_account(ACCOUNT, DIGEST, SIGNED)


def test_typed_data_is_what_another_program_signs_and_binds_every_field() -> None:
    data = ethereum.typed_data(STATEMENT)
    signed = SIGNER.sign_message(encode_typed_data(full_message=data))
    digest = ethereum.typed_digest(STATEMENT)
    assert signed.message_hash == digest
    signature = "0x" + signed.signature.hex()
    ethereum.verify_account(ACCOUNT, digest, signature)
    for field, value in OTHERS.items():
        other = dataclasses.replace(STATEMENT, **{field: value})
        with pytest.raises(SignatureWrong):
            ethereum.verify_account(ACCOUNT, ethereum.typed_digest(other), signature)


def test_typed_data_covers_all_of_a_statement_but_the_way_its_holder_is_written() -> None:
    assert set(OTHERS) | {"address"} == {field.name for field in dataclasses.fields(Statement)}


@given(st.integers(0, 64), st.integers(1, 255))
def test_a_signature_with_any_other_byte_is_refused(place: int, change: int) -> None:
    with pytest.raises(SignatureWrong):
        ethereum.verify_account(ACCOUNT, DIGEST, changed(place, change))


@given(st.integers(0, len(TEXT) - 1), st.integers(1, 127))
def test_a_text_with_any_other_byte_is_refused(place: int, change: int) -> None:
    other = bytearray(TEXT.encode())
    other[place] ^= change
    with pytest.raises(SignatureWrong):
        ethereum.verify_account(ACCOUNT, ethereum.personal_digest(bytes(other)), SIGNED)


@given(st.integers(0, 19), st.integers(1, 255))
def test_another_account_is_refused(place: int, change: int) -> None:
    other = bytearray(ACCOUNT)
    other[place] ^= change
    with pytest.raises(SignatureWrong):
        ethereum.verify_account(bytes(other), DIGEST, SIGNED)


def test_the_altered_copy_with_a_high_s_is_refused() -> None:
    data = bytes.fromhex(SIGNED[2:])
    s = ORDER - int.from_bytes(data[32:64], "big")
    other = "0x" + data[:32].hex() + s.to_bytes(32, "big").hex() + f"{55 - data[64]:02x}"
    assert Account.recover_message(encode_defunct(text=TEXT), signature=other) == SIGNER.address
    with pytest.raises(SignatureWrong, match="high s"):
        ethereum.verify_account(ACCOUNT, DIGEST, other)


@pytest.mark.parametrize(
    ("signature", "what"),
    [
        (SIGNED[2:], "0x"),
        (SIGNED[:-1], "0x"),
        (SIGNED + "\n", "0x"),
        (SIGNED[:-2], "65 bytes, not 64"),
        (SIGNED + "00", "65 bytes, not 66"),
        ("0x", "65 bytes, not 0"),
        (SIGNED[:-2] + "00", "27 or 28"),
        ("0x" + "00" * 64 + "1b", "order"),
        ("0x" + "ff" * 64 + "1b", "order"),
    ],
)
def test_what_is_no_signature_is_refused(signature: str, what: str) -> None:
    with pytest.raises(SignatureWrong, match=what):
        ethereum.verify_account(ACCOUNT, DIGEST, signature)


@pytest.mark.parametrize("chain", ["eip155:01", "eip155:", "eip155:x", "bip122:1", "eip155:\u0661"])
def test_a_chain_that_is_no_evm_chain_has_no_typed_data(chain: str) -> None:
    with pytest.raises(ControlRefused, match="no EVM chain"):
        ethereum.typed_data(dataclasses.replace(STATEMENT, chain=ChainId(chain)))


@given(st.binary(max_size=200))
def test_the_question_to_a_contract_is_what_another_encoder_writes(signature: bytes) -> None:
    expected = bytes.fromhex("1626ba7e") + encode(["bytes32", "bytes"], [DIGEST, signature])
    assert ethereum.contract_call(DIGEST, signature) == expected


YES = bytes.fromhex("1626ba7e") + bytes(28)


@pytest.mark.parametrize(
    ("returned", "code", "what"),
    [
        (None, True, "reverted"),
        (b"", True, "answers nothing"),
        (YES[:4], True, "does not accept"),
        (YES + bytes(32), True, "does not accept"),
        (bytes(28) + YES[:4], True, "does not accept"),
        (b"\xff\xff\xff\xff" + bytes(28), True, "does not accept"),
        (YES[:-1] + b"\x01", True, "does not accept"),
        (YES, False, "no code"),
    ],
)
def test_only_the_one_word_says_yes(returned: bytes | None, code: bool, what: str) -> None:
    call = ethereum.contract_call(DIGEST, b"")
    ethereum.verify_contract(ContractSaid(ACCOUNT, call, 5, EXAMPLE.block, True, YES), ACCOUNT, call)
    with pytest.raises(SignatureWrong, match=what):
        ethereum.verify_contract(ContractSaid(ACCOUNT, call, 5, EXAMPLE.block, code, returned), ACCOUNT, call)


def test_an_answer_to_another_question_is_refused() -> None:
    call = ethereum.contract_call(DIGEST, b"")
    for account, asked in ((bytes(20), call), (ACCOUNT, ethereum.contract_call(bytes(32), b""))):
        with pytest.raises(ControlRefused, match="another account, text or signature"):
            said = ContractSaid(Holder(account), asked, 5, EXAMPLE.block, True, YES)
            ethereum.verify_contract(said, ACCOUNT, call)
