"""An Ethereum transaction is held against its leg as another library writes and signs it, and as wallets' JSON."""

import contextlib
import json
from dataclasses import replace
from typing import Any

import pytest
import rlp
from eth_account import Account
from eth_account._utils.legacy_transactions import UnsignedTransaction, encode_transaction
from eth_account._utils.signing import sign_transaction_hash
from eth_account.datastructures import SignedTransaction
from eth_account.typed_transactions import TypedTransaction
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st
from precheck_case import ETH_CHAIN, TOKEN, account, account_text, ethereum_leg, failing, rows

from tracer.custody.judge import Verdict
from tracer.custody.lookalike import LookAlikes
from tracer.precheck.decode import read
from tracer.precheck.ethereum import HALF_ORDER
from tracer.precheck.planned import Gas, Payment, Planned, Unreadable
from tracer.precheck.rows import gravest
from tracer.types import ChainId, Holder

KEY = bytes([0x17]) * 32
SENDER = Holder(bytes.fromhex(Account.from_key(KEY).address[2:]))
EXCHANGE, THIEF, FAKE = account("exchange"), account("thief"), bytes([0xFA]) * 20
ORDER = 2 * HALF_ORDER + 1
WRONG, OPEN = "CONTRADICTED", "NOT_SHOWN"
LEG = ethereum_leg(SENDER)


def call(selector: str, *words: bytes | int) -> str:
    """Call data by the ABI."""
    packed = [word.to_bytes(32, "big") if isinstance(word, int) else word.rjust(32, b"\0") for word in words]
    return "0x" + selector + b"".join(packed).hex()


def transfer(to: bytes = EXCHANGE, amount: int = 4_500_000_000) -> str:
    return call("a9059cbb", to, amount)


def order(**changes: Any) -> dict[str, Any]:
    """A token transfer of type 2 as the leg plans it; a field that is None is left out."""
    fields = {
        "type": 2,
        "chainId": 31337,
        "nonce": 7,
        "maxFeePerGas": 10**10,
        "maxPriorityFeePerGas": 10**9,
        "gas": 100_000,
        "to": "0x" + TOKEN.hex(),
        "value": 0,
        "data": transfer(),
    } | changes
    return {name: value for name, value in fields.items() if value is not None}


PRICED = {"maxFeePerGas": None, "maxPriorityFeePerGas": None, "gasPrice": 10**10}
DELEGATION = Account.from_key(KEY).sign_authorization({"chainId": 31337, "address": "0x" + THIEF.hex(), "nonce": 8})


def signed(**changes: Any) -> SignedTransaction:
    fields = order(**changes)
    if "to" in fields:
        fields["to"] = to_checksum_address(fields["to"])
    made: SignedTransaction = Account.sign_transaction(fields, KEY)
    return made


def given_as(raw: bytes | str) -> Planned:
    return read(raw.encode() if isinstance(raw, str) else raw, ChainId(ETH_CHAIN))


def of(**changes: Any) -> Planned:
    """A signed transaction, read from its bytes."""
    return given_as("0x" + signed(**changes).raw_transaction.hex().removeprefix("0x"))


FORMS = [{}, {"type": None} | PRICED, {"type": 1, "accessList": []} | PRICED]


@pytest.mark.parametrize("form", FORMS, ids=["1559", "155", "2930"])
def test_a_signed_transfer_that_is_what_the_leg_plans_is_shown_and_its_sender_recovered(form: dict[str, Any]) -> None:
    made = signed(**form)
    planned = given_as(made.raw_transaction.hex())
    assert planned.sender == SENDER and planned.sender_shown and planned.signed
    assert planned.txid == bytes(made.hash) and (planned.chain_number, planned.nonce) == (31337, 7)
    assert planned.payments == (Payment(EXCHANGE, TOKEN, 4_500_000_000),)
    assert planned.gas == Gas(100_000, 10**10)
    found = rows(planned, LEG)
    assert gravest(found) is Verdict.SHOWN and {row.field for row in found} == {
        *("chain", "destination", "asset", "amount", "source", "balance", "fee", "look-alike", "window"),
        *("attestation", "test transfer", "court hold"),
    }


@pytest.mark.parametrize("form", FORMS, ids=["1559", "155", "2930"])
def test_chain_and_sender_are_recovered_whatever_the_parity_of_the_signature(form: dict[str, Any]) -> None:
    parities = set()
    for nonce in range(8):
        made = signed(nonce=nonce, **form)
        parities.add(made.v % 2)
        planned = given_as(made.raw_transaction.hex())
        assert (planned.sender, planned.chain_number, planned.nonce) == (SENDER, 31337, nonce)
    assert parities == {0, 1}


def test_native_value_is_a_payment_too() -> None:
    leg = ethereum_leg(SENDER, token=False)
    assert failing(of(to="0x" + EXCHANGE.hex(), value=4_500_000_000, data=None), leg) == {}
    assert failing(of(to="0x" + EXCHANGE.hex(), value=4_501_000_001, data=None), leg) == {"amount": (WRONG, "LEG-5")}


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"data": transfer(THIEF)}, {"destination": (WRONG, "LEG-1")}),
        ({"data": transfer(amount=4_501_000_000)}, {}),
        ({"data": transfer(amount=4_501_000_001)}, {"amount": (WRONG, "LEG-5")}),
        ({"data": transfer(amount=4_499_000_000)}, {}),
        ({"data": transfer(amount=4_498_999_999)}, {"amount": (OPEN, "LEG-5")}),
        ({"gas": 100_001}, {"fee": (WRONG, "LEG-5")}),
        ({"chainId": 1}, {"chain": (WRONG, "LEG-5")}),
        ({"to": "0x" + FAKE.hex()}, {"asset": (WRONG, "LEG-5"), "amount": (WRONG, "LEG-5")}),
        ({"value": 1}, {"other output": (WRONG, "LEG-1")}),
        (
            {"to": "0x" + EXCHANGE.hex(), "value": 4_500_000_000, "data": None},
            {"asset": (WRONG, "LEG-5"), "amount": (WRONG, "LEG-5")},
        ),
        (
            {"data": call("095ea7b3", EXCHANGE, 4_500_000_000)},
            {"destination": (WRONG, "LEG-1"), "call": (WRONG, "APPROVE-1")},
        ),
        (
            {"data": call("39509351", EXCHANGE, 4_500_000_000)},
            {"destination": (OPEN, "LEG-1"), "call": (OPEN, "LEG-5")},
        ),
        ({"data": transfer()[:-2]}, {"destination": (OPEN, "LEG-1"), "call": (OPEN, "LEG-5")}),
        ({"data": transfer() + "00"}, {"destination": (OPEN, "LEG-1"), "call": (OPEN, "LEG-5")}),
        ({"data": call("a9059cbb", b"\1" + EXCHANGE, 1)}, {"destination": (OPEN, "LEG-1"), "call": (OPEN, "LEG-5")}),
        ({"to": None}, {"destination": (OPEN, "LEG-1"), "call": (OPEN, "LEG-5")}),
        ({"data": call("23b872dd", SENDER, EXCHANGE, 4_500_000_000)}, {}),
        ({"data": call("23b872dd", THIEF, EXCHANGE, 4_500_000_000)}, {"source": (WRONG, "LEG-1")}),
        ({"type": 4, "authorizationList": [DELEGATION]}, {"call": (WRONG, "APPROVE-1")}),
    ],
)
def test_orders_that_are_not_as_planned(changes: dict[str, Any], fields: dict[str, tuple[str, str]]) -> None:
    assert failing(of(**changes), LEG) == fields


def test_a_planted_account_with_the_same_ends_is_called_a_look_alike() -> None:
    planted = EXCHANGE[:2] + b"\x00" * 16 + EXCHANGE[-2:]
    planned = of(data=transfer(planted))
    assert failing(planned, LEG) == {"destination": (WRONG, "LEG-1"), "look-alike": (WRONG, "LEG-3")}
    assert failing(of(data=call("095ea7b3", planted, 1)), LEG)["look-alike"] == (WRONG, "LEG-3")


def test_two_addresses_of_the_case_that_look_alike_have_to_be_settled_first() -> None:
    twin = account_text(EXCHANGE)[:8] + "0" * 28 + account_text(EXCHANGE)[-6:]
    leg = replace(LEG, look_alikes=LookAlikes([(account_text(EXCHANGE), "exchange"), (twin, "twin")]))
    assert failing(of(), leg) == {"look-alike": (OPEN, "LEG-3")}


def test_who_signs_must_be_a_source_of_the_leg_and_hold_enough() -> None:
    assert failing(of(), ethereum_leg(account("agency"))) == {"source": (WRONG, "LEG-1")}
    assert failing(of(), ethereum_leg(SENDER, balances={SENDER: 4_499_999_999})) == {"balance": (WRONG, "LEG-5")}
    assert failing(of(), ethereum_leg(SENDER, balances={})) == {"balance": (OPEN, "LEG-5")}
    native, paid = of(to="0x" + EXCHANGE.hex(), value=4_500_000_000, data=None), 4_500_000_000 + 10**15
    for held, wrong in ((paid, {}), (paid - 1, {"balance": (WRONG, "LEG-5")})):
        assert failing(native, ethereum_leg(SENDER, token=False, balances={SENDER: held})) == wrong


def test_a_signature_for_every_chain_is_refused_and_an_unsigned_one_left_open() -> None:
    fields = [7, 10**10, 100_000, TOKEN, 0, bytes.fromhex(transfer()[2:])]
    unsigned = given_as(rlp.encode(fields).hex())
    assert failing(unsigned, LEG) == {"chain": (OPEN, "LEG-5"), "source": (OPEN, "LEG-1")}
    bound = given_as(rlp.encode([*fields, 31337, b"", b""]).hex())
    assert failing(bound, LEG) == {"source": (OPEN, "LEG-1")} and not bound.signed
    old = UnsignedTransaction(*fields)
    vrs = sign_transaction_hash(Account._keys.PrivateKey(KEY), old.hash(), None)
    everywhere = given_as(encode_transaction(old, vrs).hex())
    assert everywhere.sender == SENDER and failing(everywhere, LEG) == {"chain": (WRONG, "LEG-5")}


def test_an_unsigned_typed_transaction_is_read_and_its_sender_left_open() -> None:
    for changes in ({}, {"type": 1, "accessList": []} | PRICED):
        fields = order(**changes)
        typed = TypedTransaction.from_dict(fields | {"to": to_checksum_address(TOKEN)})
        raw = bytes(signed(**changes).raw_transaction)
        unsigned = raw[:1] + rlp.encode(rlp.decode(raw[1:])[:-3])
        assert keccak(unsigned) == bytes(typed.hash())
        assert failing(given_as(unsigned.hex()), LEG) == {"source": (OPEN, "LEG-1")}


def test_a_wallets_json_is_read_like_the_bytes() -> None:
    sender = to_checksum_address(SENDER)
    plain = json.dumps(order() | {"from": sender})
    hexed = json.dumps(
        {k: hex(v) if isinstance(v, int) else v for k, v in order(gas=None).items()}
        | {"gasLimit": "100000", "from": sender.lower(), "input": transfer()}
    )
    raw = json.dumps({"raw": "0x" + bytes(signed().raw_transaction).hex(), "tx": {}})
    for text in (plain, hexed, raw):
        planned = given_as(text)
        assert planned.sender == SENDER and failing(planned, LEG) == {}, text
    assert not given_as(plain).signed and given_as(raw).signed


@pytest.mark.parametrize("form", [*FORMS, {"type": 4, "authorizationList": [DELEGATION]}])
def test_signed_json_is_put_into_bytes_and_its_signature_checked(form: dict[str, Any]) -> None:
    made = signed(**form)
    fields = order(**form) | {"v": made.v, "r": hex(made.r), "s": hex(made.s), "from": to_checksum_address(SENDER)}
    if "authorizationList" in fields:
        fields["authorizationList"] = [
            {"chainId": 31337, "address": "0x" + THIEF.hex(), "nonce": 8, "yParity": DELEGATION.y_parity}
            | {"r": hex(DELEGATION.r), "s": hex(DELEGATION.s)}
        ]
    planned = given_as(json.dumps(fields))
    assert planned.txid == bytes(made.hash) and planned.sender == SENDER and planned.faults == ()
    liar = given_as(json.dumps(fields | {"from": "0x" + THIEF.hex()}))
    assert failing(liar, LEG)["document"] == (WRONG, "LEG-5") and liar.sender == SENDER
    forged = given_as(json.dumps(fields | {"nonce": 8}))
    assert forged.sender != SENDER and failing(forged, LEG)["source"] == (WRONG, "LEG-1")


def test_what_a_wallet_has_not_filled_in_is_not_shown() -> None:
    bare = order(chainId=None, gas=None, nonce=None) | {"from": "0x" + SENDER.hex()}
    assert failing(given_as(json.dumps(bare)), LEG) == {"chain": (OPEN, "LEG-5"), "fee": (OPEN, "LEG-5")}


def test_what_no_node_takes_is_a_fault() -> None:
    steep = order(maxPriorityFeePerGas=10**10 + 1) | {"from": "0x" + SENDER.hex()}
    assert failing(given_as(json.dumps(steep)), LEG) == {"document": (WRONG, "LEG-5")}
    made = signed()
    items = rlp.decode(bytes(made.raw_transaction)[1:])
    flipped = b"\x02" + rlp.encode([*items[:-3], 1 - made.v, items[-2], ORDER - made.s])
    planned = given_as(flipped.hex())
    assert planned.sender == SENDER and failing(planned, LEG) == {"document": (WRONG, "LEG-5")}


JSON = order() | {"from": "0x" + SENDER.hex()}
RAW = bytes(signed().raw_transaction)
BAD: list[tuple[str, str]] = [
    (json.dumps(JSON | {"blobVersionedHashes": []}), "carries blobs"),
    (json.dumps(JSON | {"type": 3}), "carries blobs"),
    ("03" + rlp.encode([]).hex(), "carries blobs"),
    ("05" + rlp.encode([]).hex(), "type 5 is not known"),
    (json.dumps(JSON | {"type": 9}), "type 9 is not known"),
    (json.dumps(JSON | {"gasPrice": 1}), "both `gasPrice` and `maxFeePerGas`"),
    (json.dumps(JSON | {"amount": 1}), "a field 'amount'"),
    (json.dumps(JSON | {"input": "0x"}), "gives 'data' twice, and differently"),
    (json.dumps(JSON | {"value": 1.5}), "1.5 is not a whole number"),
    (json.dumps(JSON | {"value": "1e18"}), "`value` is '1e18'"),
    (json.dumps(JSON | {"value": -1}), "`value` is -1"),
    (json.dumps(JSON | {"value": True}), "`value` is True"),
    (json.dumps(JSON | {"value": 2**256}), "not a whole number of 256 bits"),
    (json.dumps(JSON | {"to": "0x" + "1" * 39}), "not an address"),
    (json.dumps(JSON | {"to": to_checksum_address(SENDER).swapcase().replace("X", "x")}), "EIP-55"),
    (json.dumps(JSON | {"data": "0x1"}), "not 0x and bytes in hex"),
    (json.dumps(JSON | {"r": "0x1", "s": "0x1"}), "does not give `yParity`"),
    ('{"to": "0x00", "to": "0x01"}', "a name stands twice"),
    ("{" * 10, "the JSON cannot be read"),
    ('{"a":' * 100_000, "the JSON cannot be read"),
    ((RAW + b"\0").hex(), "is no Ethereum transaction"),
    (RAW[:-1].hex(), "is no Ethereum transaction"),
    ("02" + rlp.encode(rlp.decode(RAW[1:])[:-2]).hex(), "has 9 fields, signed 12; this has 10"),
    (rlp.encode([1, 2, 3]).hex(), "a list of 3 fields"),
]


@pytest.mark.parametrize(("text", "said"), BAD, ids=[said + str(place) for place, (_, said) in enumerate(BAD)])
def test_what_cannot_be_read_is_refused_in_one_line(text: str, said: str) -> None:
    with pytest.raises(Unreadable) as caught:
        given_as(text)
    assert said in caught.value.line() and "\n" not in caught.value.line()


@given(st.data())
def test_no_damage_to_a_signed_transaction_leaves_it_shown(data: st.DataObject) -> None:
    raw = bytearray(RAW)
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        planned = given_as(bytes(raw).hex())
    except Unreadable:
        return
    assert bytes(raw) == RAW or gravest(rows(planned, LEG)) is Verdict.CONTRADICTED


leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["0x", "0x01", "27"])
values = st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5)
NAMES = [*JSON, "v", "r", "s", "yParity", "accessList", "authorizationList", "raw", "gasPrice", "hash"]


def test_a_raw_transaction_of_no_byte_is_refused() -> None:
    with pytest.raises(Unreadable, match="no byte"):
        given_as('{"raw": ""}')


@given(st.dictionaries(st.sampled_from(NAMES), values))
def test_no_json_makes_anything_but_a_refusal_or_an_answer(changes: dict[str, Any]) -> None:
    text = json.dumps(JSON | changes)
    with contextlib.suppress(Unreadable):
        rows(given_as(text), LEG)
