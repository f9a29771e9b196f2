"""Ethereum addresses: what is read, and why the rest is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchers.ethereum.address import account_of, address_of

# the examples of EIP-55
EIP55 = [
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
    "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
    "0x52908400098527886E0F7030069857D2E4169EE7",
    "0xde709f2102306220921060314715629080e2fb77",
]


@pytest.mark.parametrize("text", EIP55)
def test_the_checksums_of_the_standard_are_read_and_written(text: str) -> None:
    assert address_of(account_of(text)) == text
    assert account_of(text.lower()) == account_of(text)


@given(st.binary(min_size=20, max_size=20))
def test_what_is_written_reads_back(account: bytes) -> None:
    assert account_of(address_of(account)) == account
    assert account_of("0x" + account.hex()) == account


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1Beaed", "checksum"),  # one letter in the other case
        ("0x5AAEB6053F3E94C9B9A09F33669435E7EF1BEAED", "checksum"),
        ("5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "does not begin with 0x"),
        ("0X5aaeb6053f3e94c9b9a09f33669435e7ef1beaed", "does not begin with 0x"),
        ("0x5aaeb6053f3e94c9b9a09f33669435e7ef1beae", "39 hex digits"),
        ("0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed0", "41 hex digits"),
        ("0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaeg", "character 42 .* is 'g'"),
        ("0x5\u0430aeb6053f3e94c9b9a09f33669435e7ef1beaed", r"character 4 is U\+0430"),  # Cyrillic a
        ("0x5aaeb6053f3e94c9b9a09f33669435e7ef1beae\u0661", r"character 42 is U\+0661"),  # Arabic 1
        ("0x5aaeb6053f3e94c9b9a09f33669435e7ef1be\u200bae", r"U\+200B"),  # zero width
        (" 0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed", "does not begin with 0x"),
        ("0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed\n", r"U\+000A"),
        ("vitalik.eth", "does not begin with 0x"),
        ("", "does not begin with 0x"),
    ],
)
def test_a_damaged_address_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        account_of(text)


@given(st.text(max_size=60))
def test_any_other_text_is_a_value_error(text: str) -> None:
    try:
        assert len(account_of(text)) == 20
    except ValueError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize("size", [0, 19, 21, 32])
def test_bytes_of_another_length_are_not_written(size: int) -> None:
    with pytest.raises(ValueError, match="20 bytes"):
        address_of(bytes(size))
