"""The statement's text is read back as it was written, and nothing else is read."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.errors import ControlRefused
from tracer.proof.control.message import CLAIM, TITLE, Statement, instant, read, write
from tracer.types import ChainId, Hash, Holder

EXAMPLE = Statement(
    case="bj-2025-17",
    watch="exchange-deposit",
    chain=ChainId("bip122:0f9188f13cb7b2c71f2a335e3a4fc328"),
    address="bcrt1qcr8te4kr609gcawutmrza0j4xv80jy8zeqchgx",
    holder=Holder(bytes.fromhex("0014c0cebcd6c3d3ca8c75dc5ec62ebe55330ef910e2")),
    height=120,
    block=Hash(bytes(range(32))),
    purpose="deposit address of the exchange",
    nonce=bytes(range(16)),
    expires_s=1_764_547_200,
)
TEXT = f"""{TITLE}
{CLAIM}
Case: bj-2025-17
Watch: exchange-deposit
Chain: bip122:0f9188f13cb7b2c71f2a335e3a4fc328
Address: bcrt1qcr8te4kr609gcawutmrza0j4xv80jy8zeqchgx
Holder: 0014c0cebcd6c3d3ca8c75dc5ec62ebe55330ef910e2
Block: 120 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f
Purpose: deposit address of the exchange
Nonce: 000102030405060708090a0b0c0d0e0f
Expires: 2025-12-01T00:00:00Z"""

ids = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True)
words = st.from_regex(r"[!-~]{1,30}( [!-~]{1,30}){0,2}", fullmatch=True)
statements = st.builds(
    Statement,
    case=ids,
    watch=ids,
    chain=st.sampled_from([EXAMPLE.chain, ChainId("eip155:1"), ChainId("eip155:31337")]),
    address=st.from_regex(r"[!-~]{1,100}", fullmatch=True),
    holder=st.binary(min_size=1, max_size=1100).map(Holder),
    height=st.integers(0, 2**31),
    block=st.binary(min_size=32, max_size=32).map(Hash),
    purpose=words,
    nonce=st.binary(min_size=16, max_size=16),
    expires_s=st.integers(0, 253_402_300_799),
)


def changed(**fields: Any) -> Statement:
    values: dict[str, Any] = {name: getattr(EXAMPLE, name) for name in Statement.__slots__}
    return Statement(**(values | fields))


def test_the_text_is_short_and_says_what_it_claims() -> None:
    assert write(EXAMPLE) == TEXT
    assert read(TEXT) == EXAMPLE


@given(statements)
def test_every_statement_is_read_back_as_it_was_written(statement: Statement) -> None:
    text = write(statement)
    assert text.isascii()
    assert read(text) == statement


@given(st.integers(0, len(TEXT) - 1), st.characters(max_codepoint=0x2FF))
def test_a_changed_letter_makes_another_statement_or_none(place: int, letter: str) -> None:
    text = TEXT[:place] + letter + TEXT[place + 1 :]
    try:
        statement = read(text)
    except ControlRefused:
        return
    assert (statement == EXAMPLE) == (text == TEXT)
    assert write(statement) == text


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("\n", "\r\n", "carriage return"),
        (TITLE, TITLE.replace("1", "2"), "line 1"),
        ("does not claim", "does claim", "line 2"),
        ("Watch: exchange-deposit\n", "", "has 10 lines, not 11"),
        ("00Z", "00Z\n", "has 12 lines, not 11"),
        ("Case: ", "case: ", "line 3.*does not begin with 'Case: '"),
        ("bj-2025-17", "bj 2025", "no valid case"),
        ("bip122:", "bip122", "no valid chain"),
        ("0014c0", "0014C0", "no valid holder"),
        ("0014c0", "014c0", "no valid holder"),
        ("120 00", "0120 00", "no valid block"),
        ("120 00", "120  00", "no valid block"),
        ("deposit address", "deposit  address", "no valid purpose"),
        ("deposit address", "deposit\u00a0address", "U\\+00A0"),
        ("of the exchange", "of the exchange ", "no valid purpose"),
        ("deposit address", "d" * 120, "no valid purpose"),
        ("0e0f\nEx", "0e0\nEx", "no valid nonce"),
        ("T00:00:00Z", "T00:00:00+00:00", "no valid expires"),
        ("T00:00:00Z", "T24:00:00Z", "not an instant"),
        ("2025-12-01", "2025-02-29", "not an instant"),
        ("2025-12-01", "1969-12-01", "since 1970"),
        (":00Z", ":60Z", "instant"),
    ],
)
def test_any_other_text_is_refused_with_its_line(old: str, new: str, what: str) -> None:
    assert old in TEXT
    with pytest.raises(ControlRefused, match=what):
        read(TEXT.replace(old, new))


@pytest.mark.parametrize(
    "fields",
    [
        {"case": "a\nWatch: b"},
        {"purpose": "pays\nNonce: 00"},
        {"purpose": ""},
        {"purpose": "größe"},
        {"address": "two words"},
        {"holder": Holder(b"")},
        {"block": Hash(bytes(31))},
        {"nonce": bytes(15)},
        {"height": -1},
        {"expires_s": -1},
        {"expires_s": 2**60},
    ],
)
def test_a_field_that_would_be_read_otherwise_is_not_written(fields: dict[str, Any]) -> None:
    with pytest.raises(ControlRefused):
        write(changed(**fields))


def test_instants_are_written_in_utc() -> None:
    assert instant(0) == "1970-01-01T00:00:00Z"
    assert instant(253_402_300_799) == "9999-12-31T23:59:59Z"
