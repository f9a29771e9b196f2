"""The bytes of a header, and its place in the chain."""

import pytest
from eth_utils.crypto import keccak

from tracer.errors import Inconsistent
from watchers.ethereum.header import EMPTY_TRIE, header_rlp, ref_of

ZERO = "0x" + "00" * 32
# block 0 of Ethereum's main network, as published
MAINNET_GENESIS = {
    "hash": "0xd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3",
    "parentHash": ZERO,
    "sha3Uncles": "0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347",
    "miner": "0x" + "00" * 20,
    "stateRoot": "0xd7f8974fb5ac78d9ac099b9ad5018bedc2ce0a72dad1827a1709da30580f0544",
    "transactionsRoot": EMPTY_TRIE,
    "receiptsRoot": EMPTY_TRIE,
    "logsBloom": "0x" + "00" * 256,
    "difficulty": "0x400000000",
    "number": "0x0",
    "gasLimit": "0x1388",
    "gasUsed": "0x0",
    "timestamp": "0x0",
    "extraData": "0x11bbe8db4e347b4e8c937c1c8370e4b5ed33adb3db69cbdb7a38e1e50b1b82fa",
    "mixHash": ZERO,
    "nonce": "0x0000000000000042",
}


def test_the_first_header_of_the_main_network_has_its_published_hash() -> None:
    encoded = header_rlp(MAINNET_GENESIS)
    assert encoded is not None and "0x" + keccak(encoded).hex() == MAINNET_GENESIS["hash"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"gasLimit": "0x1389"},
        {"baseFeePerGas": "0x1"},
        {"extraData": "0x"},
        {"nonce": None},
        {"nonce": "zero"},
        {"difficulty": 17179869184},
    ],
)
def test_bytes_that_do_not_hash_to_the_hash_are_not_given(wrong: dict[str, object]) -> None:
    assert header_rlp({**MAINNET_GENESIS, **wrong}) is None


@pytest.mark.parametrize("name", ["miner", "number", "nonce"])
def test_a_header_with_a_gap_is_not_encoded(name: str) -> None:
    assert header_rlp({field: value for field, value in MAINNET_GENESIS.items() if field != name}) is None


def test_a_header_names_its_block() -> None:
    ref = ref_of({**MAINNET_GENESIS, "number": "0x1b4"})
    assert (ref.height, ref.hash.hex(), ref.parent) == (436, MAINNET_GENESIS["hash"][2:], bytes(32))


@pytest.mark.parametrize("wrong", [{"hash": None}, {"hash": "0x12"}, {"number": "x"}, {"parentHash": "0x"}])
def test_what_has_no_place_in_a_chain_is_no_block(wrong: dict[str, object]) -> None:
    with pytest.raises(Inconsistent):
        ref_of({**MAINNET_GENESIS, **wrong})
