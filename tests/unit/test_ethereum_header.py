"""The bytes of a header, and its place in the chain."""

import pytest
from eth_utils.crypto import keccak

from tracer.errors import Inconsistent
from tracer.proof.header import CannotVerify, encode_header, read_header
from tracer.proof.rlp import wrap
from tracer.proof.trie import BadProof
from watchers.ethereum.header import EMPTY_TRIE, ref_of

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
    encoded = encode_header({**MAINNET_GENESIS, "totalDifficulty": "0x400000000", "size": "0x21c", "uncles": []})
    assert "0x" + keccak(encoded).hex() == MAINNET_GENESIS["hash"]
    header = read_header(encoded)
    assert (header.height, header.base_fee, header.withdrawals_root) == (0, 0, None)
    assert header.state_root.hex() == MAINNET_GENESIS["stateRoot"][2:]


@pytest.mark.parametrize(
    "wrong",
    [
        {"gasLimit": "0x1389"},
        {"baseFeePerGas": "0x1"},
        {"requestsHash": ZERO},
        {"extraData": "0x"},
        {"nonce": None},
        {"nonce": "zero"},
        {"difficulty": 17179869184},
        {"hash": None},
        {"hash": ZERO},
    ],
)
def test_a_header_that_does_not_hash_to_its_hash_is_false(wrong: dict[str, object]) -> None:
    with pytest.raises(BadProof):
        encode_header({**MAINNET_GENESIS, **wrong})


@pytest.mark.parametrize("name", ["miner", "number", "nonce", "hash"])
def test_a_header_with_a_gap_is_false(name: str) -> None:
    with pytest.raises(BadProof):
        encode_header({field: value for field, value in MAINNET_GENESIS.items() if field != name})


@pytest.mark.parametrize("value", ["0x1", None])
def test_a_field_that_is_unknown_means_cannot_verify_never_ok(value: str | None) -> None:
    with pytest.raises(CannotVerify, match=r"cannot verify: .* \(blockAccessListHash\)"):
        encode_header({**MAINNET_GENESIS, "blockAccessListHash": value})


def test_bytes_with_more_fields_than_are_known_cannot_be_verified() -> None:
    encoded = encode_header(MAINNET_GENESIS)
    with pytest.raises(CannotVerify):
        read_header(wrap(encoded[3:] + b"\x80" * 7))
    for bad in (b"", b"\xc0", encoded[:-1], encoded + b"\0", b"\x80"):
        with pytest.raises(BadProof):
            read_header(bad)


def test_a_header_names_its_block() -> None:
    ref = ref_of({**MAINNET_GENESIS, "number": "0x1b4"})
    assert (ref.height, ref.hash.hex(), ref.parent) == (436, MAINNET_GENESIS["hash"][2:], bytes(32))


@pytest.mark.parametrize("wrong", [{"hash": None}, {"hash": "0x12"}, {"number": "x"}, {"parentHash": "0x"}])
def test_what_has_no_place_in_a_chain_is_no_block(wrong: dict[str, object]) -> None:
    with pytest.raises(Inconsistent):
        ref_of({**MAINNET_GENESIS, **wrong})
