"""What a real node's account proofs show, and that nothing else passes."""

import copy
from collections.abc import Sequence
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_utils.abi import function_signature_to_4byte_selector
from ethereum_liar import Answer, lying

from fixtures.anvil import Anvil
from fixtures.contracts import artifact
from tracer.errors import BlockRefused
from tracer.proof.account import EMPTY_CODE, ProvenAccount, read_proof
from tracer.proof.keccak import keccak
from tracer.proof.trie import EMPTY_ROOT, BadProof
from tracer.types import AssetId, Holder
from tracer.value import Want
from watchers.ethereum.node import EthereumNode

NOBODY = "0x" + "ab" * 20


def asked(anvil: Anvil, address: str, slots: list[bytes], height: int) -> tuple[bytes, Any]:
    """The state root of a block, and the node's proof under it."""
    header = anvil.rpc("eth_getBlockByNumber", hex(height), False)
    keys = ["0x" + slot.hex() for slot in slots]
    return bytes.fromhex(header["stateRoot"][2:]), anvil.rpc("eth_getProof", address, keys, hex(height))


def proven(anvil: Anvil, address: str, slots: list[bytes], height: int) -> ProvenAccount:
    root, answer = asked(anvil, address, slots, height)
    return read_proof(root, bytes.fromhex(address[2:]), slots, answer)


def balance_slot(holder: str, base: int) -> bytes:
    """Where Solidity keeps `mapping(address => uint256)` number `base`."""
    return keccak(bytes(12) + bytes.fromhex(holder[2:]) + base.to_bytes(32, "big"))


def test_balances_nonces_and_absence_are_proven_now_and_at_older_blocks(anvil: Anvil) -> None:
    sender, receiver = anvil.accounts[:2]
    anvil.mine()  # the genesis block of anvil names an empty state
    anvil.transact({"from": sender, "to": NOBODY, "value": hex(5)})
    anvil.transact({"from": sender, "to": NOBODY, "value": hex(7)})
    assert not proven(anvil, NOBODY, [], 1).account.exists
    assert [proven(anvil, NOBODY, [], height).account.balance for height in (1, 2, 3)] == [0, 5, 12]
    for address in (sender, receiver, NOBODY):
        found = proven(anvil, address, [bytes(32)], 3)
        assert found.account.balance == int(anvil.rpc("eth_getBalance", address, "0x3"), 16)
        assert found.account.nonce == int(anvil.rpc("eth_getTransactionCount", address, "0x3"), 16)
        assert (found.account.storage_root, found.account.code_hash) == (EMPTY_ROOT, EMPTY_CODE)
        assert found.slots == {bytes(32): 0}


def test_token_balances_are_proven_by_their_slots(anvil: Anvil) -> None:
    sender, receiver = (address.lower() for address in anvil.accounts[:2])
    code = artifact("Token")["bytecode"] + encode(["string", "string"], ["Dollar", "USD"]).hex()
    token = anvil.transact({"from": sender, "data": code})["contractAddress"]
    for holder, amount in ((sender, 10**12), (receiver, 3)):
        call = function_signature_to_4byte_selector("mint(address,uint256)")
        call += encode(["address", "uint256"], [holder, amount])
        anvil.transact({"from": sender, "to": token, "data": "0x" + call.hex()})
    slots = [balance_slot(holder, 3) for holder in (sender, receiver, NOBODY)]
    found = proven(anvil, token, slots, 3)
    assert [found.slots[slot] for slot in slots] == [10**12, 3, 0]
    assert found.account.code_hash == keccak(bytes.fromhex(anvil.rpc("eth_getCode", token, "0x3")[2:]))
    assert [proven(anvil, token, slots, 2).slots[slot] for slot in slots] == [10**12, 0, 0]


def test_no_changed_proof_passes(anvil: Anvil) -> None:
    sender, receiver = anvil.accounts[:2]
    anvil.transact({"from": sender, "to": NOBODY, "value": hex(5)})
    root, answer = asked(anvil, sender, [bytes(32)], 1)
    whom = bytes.fromhex(sender[2:])
    read_proof(root, whom, [bytes(32)], answer)
    wrong: dict[str, Any] = {
        "address": receiver,
        "balance": "0x0",
        "nonce": "0x7",
        "codeHash": "0x" + "00" * 32,
        "storageHash": "0x" + "11" * 32,
        "accountProof": [],
        "storageProof": [],
    }
    for name, value in wrong.items():
        with pytest.raises(BadProof):
            read_proof(root, whom, [bytes(32)], {**answer, name: value})
        with pytest.raises(BadProof):
            read_proof(root, whom, [bytes(32)], {key: value for key, value in answer.items() if key != name})
    stored = copy.deepcopy(answer)
    stored["storageProof"][0]["value"] = "0x1"
    for bad in (
        stored,
        asked(anvil, sender, [bytes(32)], 0)[1],
        {**answer, "accountProof": answer["accountProof"][:-1]},
    ):
        with pytest.raises(BadProof):
            read_proof(root, whom, [bytes(32)], bad)
    with pytest.raises(BadProof):
        read_proof(root, bytes.fromhex(receiver[2:]), [bytes(32)], answer)
    with pytest.raises(BadProof):
        read_proof(bytes(32), whom, [bytes(32)], answer)


async def test_a_proof_from_the_block_above_is_asked_for_again(anvil: Anvil) -> None:
    """anvil may answer so about its tip while it mines the next block; a node that stays with it is refused."""
    sender = anvil.accounts[0]
    for value in (5, 7):
        anvil.transact({"from": sender, "to": NOBODY, "value": hex(value)})
    later = anvil.rpc("eth_getProof", NOBODY, [], "0x2")
    lies = [1]

    def lie(method: str, _params: Sequence[Any], answer: Answer) -> Answer:
        if method != "eth_getProof" or not lies[0]:
            return answer
        lies[0] -= 1
        return {**answer, "result": later}

    async with lying(anvil.rpc_url, lie) as url:
        node = EthereumNode(rpc_url=url, chain_id=31337)
        try:
            await node.open()
            ref = await node.ref_at(1)
            assert ref is not None
            want = Want(Holder(bytes.fromhex(NOBODY[2:])), AssetId("eip155:31337/slip44:60"))
            told = await node.balances(ref, [want])
            assert told.found[want.holder, want.asset].amount == 5
            lies[0] = 100
            with pytest.raises(BlockRefused, match="does not stand"):
                await node.balances(ref, [want])
        finally:
            await node.close()
