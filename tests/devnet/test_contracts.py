"""The test contracts do on a real node what the scenarios say they do."""

from typing import Any

import pytest
from eth_abi.abi import encode
from eth_utils.abi import function_signature_to_4byte_selector

from fixtures.anvil import Anvil
from fixtures.contracts import artifact, names

TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
NEW = "0x00000000000000000000000000000000000a11ce"
OTHER = "0x0000000000000000000000000000000000000b0b"


def data(signature: str, *arguments: Any) -> str:
    types = [kind for kind in signature.partition("(")[2][:-1].split(",") if kind]
    return "0x" + (function_signature_to_4byte_selector(signature) + encode(types, arguments)).hex()


def send(node: Anvil, to: str | None, data: str, value: int = 0) -> dict[str, Any]:
    """Send from the first account with fixed gas, so that what fails is mined too; returns the receipt."""
    tx = {"from": node.accounts[0], "data": data, "value": hex(value), "gas": hex(3_000_000)}
    return node.transact(tx if to is None else {**tx, "to": to})


def deploy(node: Anvil, name: str, *names: str) -> str:
    code = artifact(name)["bytecode"] + (encode(["string"] * len(names), names).hex() if names else "")
    receipt = send(node, None, code)
    assert receipt["status"] == "0x1"
    return str(receipt["contractAddress"])


def balance(node: Anvil, account: str) -> int:
    return int(node.rpc("eth_getBalance", account, "latest"), 16)


def token_balance(node: Anvil, token: str, account: str) -> int:
    call = {"to": token, "data": data("balanceOf(address)", account)}
    return int(node.rpc("eth_call", call, "latest"), 16)


def test_every_contract_is_there() -> None:
    assert names() == (
        *("Deposit", "Depositor", "Factory", "FakeToken", "FeeToken", "Forwarder", "LoudToken", "Nft"),
        *("PolicedToken", "Proxy", "RebasingToken", "Receipt", "Reverter", "SelfDestructor", "SharedWallet", "Signer"),
        *("SilentToken", "SoftToken", "Swap", "Token", "Yea"),
    )


def test_token_moves_what_its_event_says(shared_anvil: Anvil) -> None:
    token = deploy(shared_anvil, "Token", "Test Dollar", "TUSD")
    send(shared_anvil, token, data("mint(address,uint256)", shared_anvil.accounts[0], 5_000_000))
    receipt = send(shared_anvil, token, data("transfer(address,uint256)", NEW, 1_500_000))
    (log,) = receipt["logs"]
    assert log["topics"][0] == TRANSFER
    assert int(log["data"], 16) == 1_500_000 == token_balance(shared_anvil, token, NEW)
    too_much = send(shared_anvil, token, data("transfer(address,uint256)", NEW, 10**12))
    assert (too_much["status"], too_much["logs"]) == ("0x0", [])


def test_fake_token_announces_and_moves_nothing(shared_anvil: Anvil) -> None:
    fake = deploy(shared_anvil, "FakeToken", "Test Dollar", "TUSD")
    receipt = send(shared_anvil, fake, data("announce(address,address,uint256)", OTHER, NEW, 10**12))
    (log,) = receipt["logs"]
    assert (log["topics"][0], int(log["data"], 16)) == (TRANSFER, 10**12)
    assert token_balance(shared_anvil, fake, NEW) == 0


def test_forwarder_pays_by_an_internal_transfer(anvil: Anvil) -> None:
    forwarder = deploy(anvil, "Forwarder")
    receipt = send(anvil, forwarder, data("forward(address)", NEW), 7)
    assert balance(anvil, NEW) == 7
    outer, inner = anvil.rpc("trace_block", receipt["blockNumber"])
    assert (outer["action"]["to"], inner["action"]["to"], inner["action"]["value"]) == (forwarder, NEW, "0x7")


def test_forwarder_splits(anvil: Anvil) -> None:
    forwarder = deploy(anvil, "Forwarder")
    send(anvil, forwarder, data("split(address[],uint256[])", [NEW, OTHER], [3, 4]), 7)
    assert (balance(anvil, NEW), balance(anvil, OTHER)) == (3, 4)


def test_reverter_shows_value_calls_that_moved_nothing(anvil: Anvil) -> None:
    reverter = deploy(anvil, "Reverter")
    receipt = send(anvil, reverter, data("swallow(address)", NEW), 8)
    assert (receipt["status"], balance(anvil, NEW), balance(anvil, reverter)) == ("0x1", 0, 8)
    deepest = anvil.rpc("trace_block", receipt["blockNumber"])[-1]
    assert (deepest["action"]["to"], deepest["action"]["value"]) == (NEW, "0x8")
    assert "error" not in deepest  # only the frame above it says that it was undone


def test_reverter_undoes_one_payment_and_makes_the_other(anvil: Anvil) -> None:
    reverter = deploy(anvil, "Reverter")
    send(anvil, reverter, data("swallowThenPay(address,address)", NEW, OTHER), 8)
    assert (balance(anvil, NEW), balance(anvil, OTHER), balance(anvil, reverter)) == (0, 4, 4)


def test_reverter_fails_as_a_whole(anvil: Anvil) -> None:
    reverter = deploy(anvil, "Reverter")
    receipt = send(anvil, reverter, data("payThenFail(address)", NEW), 8)
    assert (receipt["status"], balance(anvil, NEW), balance(anvil, reverter)) == ("0x0", 0, 0)


def test_factory_creates_with_value_and_the_created_hands_it_over(anvil: Anvil) -> None:
    factory = deploy(anvil, "Factory")
    (log,) = send(anvil, factory, data("create()"), 9)["logs"]
    created = "0x" + log["data"][-40:]
    assert balance(anvil, created) == 9
    receipt = send(anvil, created, data("destroy(address)", NEW))
    assert (receipt["logs"], balance(anvil, created), balance(anvil, NEW)) == ([], 0, 9)


def test_factory_creates_and_destroys_in_one_transaction(anvil: Anvil) -> None:
    factory = deploy(anvil, "Factory")
    (log,) = send(anvil, factory, data("createAndDestroy(address)", NEW), 9)["logs"]
    assert anvil.rpc("eth_getCode", "0x" + log["data"][-40:], "latest") == "0x"
    assert balance(anvil, NEW) == 9


@pytest.mark.parametrize("token_id", [1, 10**18])
def test_nft_transfer_has_four_topics_and_no_amount(shared_anvil: Anvil, token_id: int) -> None:
    nft = deploy(shared_anvil, "Nft")
    (log,) = send(shared_anvil, nft, data("mint(address,uint256)", NEW, token_id))["logs"]
    assert (log["topics"][0], len(log["topics"]), log["data"]) == (TRANSFER, 4, "0x")
    assert int(log["topics"][3], 16) == token_id
