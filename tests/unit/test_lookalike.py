"""Look-alike addresses are found by their ends, whoever asks how often."""

import time
from random import Random

import pytest
from eth_utils.address import to_checksum_address
from hypothesis import given
from hypothesis import strategies as st

from tracer.custody.lookalike import LookAlikes, Resemblance, split

KNOWN = "0x52908400098527886e0f7030069857d2e4169ee7"
HEX = "0123456789abcdef"
BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def test_same_first_five_and_last_four_shown_characters_look_alike() -> None:
    planted = "0x529" + "f" * 33 + "9ee7"
    assert LookAlikes([(KNOWN, "marshals")]).find(planted) == Resemblance("marshals", KNOWN, 3, 4)


@pytest.mark.parametrize(
    "other",
    ["0x528" + "f" * 33 + "9ee7", "0x529" + "f" * 33 + "8ee7", "0x5290", "0x", "", "1529" + "f" * 33 + "9ee7"],
)
def test_what_differs_at_an_end_or_is_of_another_kind_looks_like_nothing(other: str) -> None:
    assert LookAlikes([(KNOWN, "marshals")]).find(other) is None


def test_an_address_does_not_look_like_itself_however_it_is_written_but_like_its_twin() -> None:
    twin = KNOWN[:12] + "0" * 20 + KNOWN[32:]
    alone = LookAlikes([(KNOWN, "marshals")])
    assert alone.find(KNOWN) is alone.find(to_checksum_address(KNOWN)) is alone.find(KNOWN.upper()) is None
    both = LookAlikes([(KNOWN, "marshals"), (twin, "planted")])
    found = both.find(KNOWN)
    assert found is not None and (found.ref, found.address) == ("planted", twin)


def test_capitals_do_not_hide_a_hex_or_bech32_twin_but_tell_base58_apart() -> None:
    assert LookAlikes([(KNOWN, "m")]).find("0x529" + "F" * 33 + "9EE7") is not None
    bech = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
    assert LookAlikes([(bech, "b")]).find(("bc1qw50" + "q" * 29 + "f3t4").upper()) is not None
    assert LookAlikes([(bech, "b")]).find("bc1pw50" + "q" * 29 + "f3t4") is None  # another version shows at once
    base = "1BoatSLRHtKNngkdXEeobR76b53LETtpyT"
    assert LookAlikes([(base, "b")]).find("1Boa" + "z" * 26 + "tpyT") is not None
    assert LookAlikes([(base, "b")]).find("1bOA" + "z" * 26 + "tpyT") is None


def test_the_nearest_of_several_is_named() -> None:
    near, far = KNOWN[:22] + "0" * 10 + KNOWN[32:], "0x529" + "1" * 33 + "9ee7"
    found = LookAlikes([(far, "far"), (near, "near")]).find(KNOWN)
    assert found is not None and found.ref == "near"


def test_thresholds_without_a_character_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one character"):
        LookAlikes([], head=0, tail=0)


def naive(address: str, known: list[str], head: int, tail: int) -> set[str]:
    """Every known address that shares so many characters at both ends: compared one by one."""
    prefix, body = split(address)
    return {
        other
        for other in known
        if split(other)[0] == prefix
        and split(other)[1] != body
        and min(len(body), len(split(other)[1])) >= head + tail
        and body[:head] == split(other)[1][:head]
        and body[len(body) - tail :] == split(other)[1][len(split(other)[1]) - tail :]
    }


addresses = st.one_of(
    st.text("ab", min_size=0, max_size=6).map("0x".__add__),
    st.text("qp", min_size=0, max_size=6).map("bc1q".__add__),
    st.text("aA", min_size=0, max_size=6).map("1".__add__),
)


@given(addresses, st.lists(addresses, max_size=12), st.integers(0, 2), st.integers(1, 2))
def test_the_index_finds_what_comparing_one_by_one_finds(address: str, known: list[str], head: int, tail: int) -> None:
    found = LookAlikes(((text, text) for text in known), head, tail).find(address)
    wanted = naive(address, known, head, tail)
    assert (found is not None) == bool(wanted)
    if found is not None:
        assert found.address in wanted
        mine, theirs = split(address)[1], split(found.address)[1]
        assert mine[: found.head] == theirs[: found.head]
        assert found.tail >= 0 and mine[len(mine) - found.tail :] == theirs[len(theirs) - found.tail :]
        assert found.head + found.tail <= min(len(mine), len(theirs))


def test_ten_thousand_known_addresses_are_asked_in_microseconds_and_chance_stays_silent() -> None:
    chance = Random(7)
    known = [("0x" + "".join(chance.choices(HEX, k=40)), str(place)) for place in range(5_000)]
    known += [("bc1q" + "".join(chance.choices(BECH32, k=38)), str(place)) for place in range(5_000)]
    index = LookAlikes(known)
    asked = ["0x" + "".join(chance.choices(HEX, k=40)) for _ in range(5_000)]
    asked += [address[:7] + "0" * 31 + address[-4:] for address, _ in known[:5_000]]
    begun = time.perf_counter()
    found = [index.find(address) for address in asked]
    each = (time.perf_counter() - begun) / len(asked)
    assert each < 100e-6
    assert not any(found[:5_000]), "4e-9 for each of 25 million pairs: 0.1 expected, none for this seed"
    assert [one.ref for one in found[5_000:] if one is not None] == [ref for _, ref in known[:5_000]]
