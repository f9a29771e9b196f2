"""What a token calls itself cannot steer a terminal, hide, pretend or fill a page; its bytes stay recomputable."""

import unicodedata
from hashlib import sha256

import pytest
from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st

from tracer.tokentext import SHOWN, fit, string_in, token_text
from tracer.types import AssetId

ASSET = AssetId("eip155:1/erc20:0x" + "11" * 20)


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ("USDT", "USDT"),
        ("US\u202eDT", "USDT"),  # right-to-left override
        ("U\u2066S\u2069DT", "USDT"),  # isolates
        ("\u200fU\u200eS\u061cDT", "USDT"),  # marks
        ("U\u200bS\u200c\u200d\u2060\ufeffDT", "USDT"),  # zero-width
        ("\x1b[31mUSDT\x07", "[31mUSDT"),
        ("US\x00DT\x7f\x9b", "USDT"),
        ("U\nS\r\n\tDT", "U S DT"),
        ("U\u2028S\u2029DT", "U S DT"),
        ("  USDT  ", "USDT"),
        ("US\u00a0\u3000DT", "US DT"),
        ("\u3164\u2800\uffa0", ""),  # fillers that print as nothing
        ("U" + "\u0301" * 50, "\u00da\u0301"),  # a mark, not a tower of them
        ("T\ufe0f\U000e0041ether", "Tether"),
        ("\U000e0055\U000e0053", ""),  # tags
        ("US\U000e0100D\u180bT", "USDT"),  # variation selectors
        ("US\u05d0\u0660D", "US\ufffd\ufffdD"),  # from right to left
        ("\ue000\udfff"[:1] + "X", "X"),  # private use
        ("a" * 17, "a" * 15 + "…"),
    ],
)
def test_known_tricks_are_gone(told: str, shown: str) -> None:
    assert fit(told.encode("utf-8", "surrogatepass"), 16) == shown


@given(st.binary(max_size=400), st.integers(1, 64))
def test_whatever_comes_is_short_and_printable(told: bytes, most: int) -> None:
    shown = fit(told, most)
    assert len(shown) <= most and shown.isprintable() and shown == shown.strip()
    for char in shown:
        assert unicodedata.bidirectional(char) not in {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
        assert unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


@given(st.text(max_size=60))
def test_a_string_is_read_as_its_encoder_wrote_it(told: str) -> None:
    data = told.encode("utf-8", "surrogatepass")
    assert string_in(encode(["bytes"], [data])) == data


@given(st.binary(max_size=200))
def test_any_answer_is_read_or_nothing_is(answer: bytes) -> None:
    one = token_text(ASSET, "symbol", answer)
    assert (one.size, one.digest) == (len(answer), sha256(answer).digest())
    assert len(one.shown) <= SHOWN["symbol"]


def test_lengths_and_places_that_lie_do_no_harm() -> None:
    huge = (2**256 - 1).to_bytes(32, "big")
    assert string_in(huge + huge) == b""
    assert string_in((32).to_bytes(32, "big") + huge + b"USDT".ljust(32, b"\0")) == b"USDT".ljust(32, b"\0")
    assert string_in(b"") == string_in(bytes(31)) == string_in(bytes(32)) == b""


def test_no_answer_is_kept_as_none() -> None:
    one = token_text(ASSET, "name", None)
    assert (one.shown, one.size, one.digest) == ("", None, None)
