"""The quick ways of writing addresses and asking for balances say what the libraries say."""

import pytest
from eth_abi.abi import encode
from eth_utils.abi import function_signature_to_4byte_selector
from hypothesis import given
from hypothesis import strategies as st

from tracer.types import Holder
from watchers.bitcoin import address, quick
from watchers.ethereum.balances import balance_answer, balance_question

NETWORKS = st.sampled_from(sorted(address.NETWORKS))
PROGRAMS = st.one_of(
    st.binary(min_size=20, max_size=20).map(lambda program: b"\x00\x14" + program),
    st.binary(min_size=32, max_size=32).map(lambda program: b"\x00\x20" + program),
    st.binary(min_size=32, max_size=32).map(lambda program: b"\x51\x20" + program),
)


@given(PROGRAMS, NETWORKS)
def test_an_address_is_written_as_the_ordinary_way_writes_it(script: bytes, network: str) -> None:
    assert quick.address_of(script, address.NETWORKS[network].hrp) == address.address_of(script, network)


@pytest.mark.parametrize("script", ["", "0014" + "00" * 19, "0020" + "00" * 20, "5220" + "00" * 32, "51024e73", "6a00"])
def test_every_other_script_is_left_to_the_ordinary_way(script: str) -> None:
    assert quick.address_of(bytes.fromhex(script), "bc") is None


@given(st.binary(min_size=20, max_size=20), st.integers(min_value=0, max_value=2**256 - 1))
def test_a_balance_is_asked_and_read_as_the_abi_says(account: bytes, amount: int) -> None:
    assert balance_question(Holder(account))[10:] == encode(["address"], [account]).hex()
    assert balance_answer("0x" + encode(["uint256"], [amount]).hex()) == amount


def test_the_selector_is_that_of_balance_of() -> None:
    assert balance_question(Holder(bytes(20)))[2:10] == function_signature_to_4byte_selector("balanceOf(address)").hex()


@pytest.mark.parametrize("data", ["0x", "0x00", "0x" + "00" * 31, "0x" + "00" * 64])
def test_a_balance_that_is_not_one_word_is_refused(data: str) -> None:
    with pytest.raises(ValueError, match="balanceOf answered"):
        balance_answer(data)
