"""Tries and their encoding, against the libraries of the field as oracle."""

import random
from collections.abc import Sequence

import pytest
import rlp as oracle_rlp
from hypothesis import given
from hypothesis import strategies as st
from trie import HexaryTrie

from tracer.proof import rlp
from tracer.proof.account import EMPTY_CODE, prove_account, prove_slot
from tracer.proof.keccak import keccak
from tracer.proof.trie import EMPTY_ROOT, BadProof, IndexTrie, index_key, look_up

nested = st.recursive(st.binary(max_size=70), lambda inner: st.lists(inner, max_size=5), max_leaves=20)


def built(values: Sequence[bytes]) -> HexaryTrie:
    trie = HexaryTrie({})
    for index, value in enumerate(values):
        trie[index_key(index)] = value
    return trie


def test_keccak_is_the_original_one() -> None:
    assert keccak(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"


@given(nested)
def test_what_is_encoded_is_what_the_oracle_encodes_and_is_read_back(item: rlp.Item) -> None:
    encoded = rlp.encode(item)
    assert encoded == oracle_rlp.encode(item)
    assert rlp.decode(encoded) == item


@given(st.binary(max_size=80))
def test_bytes_are_read_as_the_oracle_reads_them_or_refused(data: bytes) -> None:
    try:
        expected = oracle_rlp.decode(data)
    except oracle_rlp.DecodingError:
        expected = None
    try:
        found = rlp.decode(data)
    except rlp.BadRlp:
        found = None
    assert found == expected
    if found is not None:
        assert rlp.encode(found) == data


@pytest.mark.parametrize("bad", ["", "8100", "b800", "b90000", "c1", "f800", "8261", "00ff", "bfffffffffffffffff"])
def test_what_is_not_the_one_encoding_is_refused(bad: str) -> None:
    with pytest.raises(rlp.BadRlp):
        rlp.decode(bytes.fromhex(bad))
    with pytest.raises(rlp.BadRlp):
        rlp.decode(b"\xc1" * 5000 + b"\xc0")


@pytest.mark.parametrize("length", [0, 1, 2, 16, 17, 100, 127, 128, 129, 255, 256, 257, 700])
@pytest.mark.parametrize("longest", [4, 300])
def test_the_root_of_a_list_is_the_oracles_and_every_item_is_proven(length: int, longest: int) -> None:
    source = random.Random(length)
    values = [source.randbytes(source.randint(1, longest)) for _ in range(length)]
    trie, oracle = IndexTrie(values), built(values)
    assert trie.root == oracle.root_hash
    for index in {0, length // 2, length - 1} if length else set():
        assert look_up(trie.root, index_key(index), trie.path(index)) == values[index]


@given(st.dictionaries(st.binary(min_size=1, max_size=3), st.binary(min_size=1, max_size=40), max_size=40), st.data())
def test_paths_of_the_oracle_prove_presence_and_absence(entries: dict[bytes, bytes], data: st.DataObject) -> None:
    trie = HexaryTrie({})
    for key, value in entries.items():
        trie[key] = value
    key = data.draw(st.sampled_from(sorted(entries)) | st.binary(min_size=1, max_size=3) if entries else st.binary())
    path = [oracle_rlp.encode(node) for node in trie.get_proof(key)]
    nodes = [node for at, node in enumerate(path) if at == 0 or len(node) >= 32]  # the oracle lists inner nodes too
    assert look_up(trie.root_hash, key, nodes) == entries.get(key)


def test_a_path_that_is_changed_anywhere_is_refused() -> None:
    source = random.Random(5)
    values = [source.randbytes(120) for _ in range(300)]
    trie = IndexTrie(values)
    path = trie.path(130)
    assert len(path) == 5
    for at, node in enumerate(path):
        for wrong in (bytes([node[0] ^ 1]) + node[1:], node + b"\0", node[:-1], b"", b"\x80"):
            with pytest.raises(BadProof):
                look_up(trie.root, index_key(130), (*path[:at], wrong, *path[at + 1 :]))
    for wrong_path in (path[1:], path[:-1], path[::-1], (*path, path[-1]), ()):
        with pytest.raises(BadProof):
            look_up(trie.root, index_key(130), wrong_path)
    with pytest.raises(BadProof):
        look_up(bytes(32), index_key(130), path)


def test_a_leaf_in_a_path_of_another_key_shows_absence_never_its_value() -> None:
    values = [bytes([number]) * 40 for number in range(1, 4)]
    trie = IndexTrie(values)
    assert look_up(trie.root, index_key(16), (trie.path(1)[0],)) is None  # the path of 1 forks off at once: no child 1
    assert look_up(IndexTrie(values[:1]).root, index_key(1), IndexTrie(values[:1]).path(0)) is None


def test_an_account_that_is_not_there_is_empty() -> None:
    gone = prove_account(EMPTY_ROOT, b"\1" * 20, ())
    assert (gone.exists, gone.balance, gone.nonce, gone.code_hash, gone.storage_root) == (
        *(False, 0, 0),
        EMPTY_CODE,
        EMPTY_ROOT,
    )
    assert prove_slot(EMPTY_ROOT, bytes(32), ()) == 0
    with pytest.raises(BadProof):
        prove_account(b"\1" * 32, b"\1" * 20, ())
    with pytest.raises(BadProof):
        prove_slot(EMPTY_ROOT, b"\0", ())
