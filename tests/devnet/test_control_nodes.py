"""What real nodes sign shows control: `signmessage`, transactions that never exist, `personal_sign`, typed data."""

import dataclasses
import json
from base64 import b64encode

import pytest
from embit.ec import PrivateKey
from embit.networks import NETWORKS

from fixtures.anvil import Anvil
from fixtures.bitcoind import Bitcoind
from fixtures.jsonrpc import RpcError
from tracer.errors import ControlRefused, SignatureWrong
from tracer.proof.control.bip322 import to_spend
from tracer.proof.control.bitcoin import Locks, verify_full, verify_simple
from tracer.proof.control.ethereum import typed_data
from tracer.proof.control.message import Statement, write
from tracer.proof.control.shown import Expected, Method, check_control
from tracer.types import ChainId, Hash, Holder, Lane
from watchers.bitcoin.address import script_of
from watchers.ethereum.address import account_of

NOW = 1_780_000_000
TEXT = "Custody Tracer\nline 2"
KINDS = ("legacy", "p2sh-segwit", "bech32", "bech32m")
KEYS = [PrivateKey(bytes([n]) * 32) for n in (1, 2, 3)]


def wallet(node: Bitcoind) -> str:
    if "control" not in node.rpc("listwallets"):
        node.rpc("createwallet", "control")
    return "control"


def statement(chain: str, address: str, holder: Holder, height: int, block: str) -> Statement:
    return Statement(
        *("case-1", "deposit", ChainId(chain), address, holder, height, Hash(bytes.fromhex(block))),
        *("deposit address of the exchange", bytes(range(16)), NOW + 3600),
    )


def meant(said: Statement) -> Expected:
    return Expected(said.case, said.watch, said.chain, said.holder, said.address)


def test_signmessage_of_a_real_node_shows_control_of_a_legacy_address(shared_bitcoind: Bitcoind) -> None:
    node, name = shared_bitcoind, wallet(shared_bitcoind)
    node.mine(3)
    genesis, block = node.rpc("getblockhash", 0), node.rpc("getblockhash", 2)
    address = str(node.rpc("getnewaddress", "", "legacy", wallet=name))
    said = statement(f"bip122:{genesis[:32]}", address, script_of(address, "regtest"), 2, block)
    text = write(said)
    signature = str(node.rpc("signmessage", address, text, wallet=name))
    assert node.rpc("verifymessage", address, signature, text) is True
    canonical = {2: said.block}
    shown = check_control(text, signature, Method.BIP137, meant(said), now_s=NOW, canonical=canonical, used=frozenset())
    assert (shown.line(), shown.block.hex(), shown.lane) == ("control shown at block 2", block, Lane.PROVEN)
    other = dataclasses.replace(said, nonce=bytes(16))
    assert node.rpc("verifymessage", address, signature, write(other)) is False
    with pytest.raises(SignatureWrong):
        check_control(
            *(write(other), signature, Method.BIP137, meant(other)), now_s=NOW, canonical=canonical, used=frozenset()
        )


@pytest.mark.parametrize("kind", KINDS[1:])
def test_what_a_node_signs_by_bip_322_holds_where_it_can(shared_bitcoind: Bitcoind, kind: str) -> None:
    node, name = shared_bitcoind, wallet(shared_bitcoind)
    address = str(node.rpc("getnewaddress", "", kind, wallet=name))
    try:
        signature = str(node.rpc("signmessage", address, TEXT, wallet=name))
    except RpcError as error:
        pytest.skip(f"this node signs for legacy addresses only: {error}")
    target, verify = script_of(address, "regtest"), verify_full if kind == "p2sh-segwit" else verify_simple
    verify(target, TEXT.encode(), signature)
    with pytest.raises(SignatureWrong):
        verify(target, TEXT.encode() + b".", signature)


def unsigned(target: bytes) -> tuple[str, str]:
    """The transaction to be signed, and the txid that it spends."""
    spends = to_spend(target, TEXT.encode())
    raw = bytes(4) + b"\x01" + spends + bytes(4) + b"\x00" + bytes(4) + b"\x01" + bytes(8) + b"\x01\x6a" + bytes(4)
    return raw.hex(), spends[::-1].hex()


def told(signed: dict[str, object]) -> str:
    assert signed["complete"] is True
    return "ful" + b64encode(bytes.fromhex(str(signed["hex"]))).decode()


@pytest.mark.parametrize("kind", KINDS)
def test_the_transaction_that_never_exists_holds_as_a_real_wallet_signs_it(
    shared_bitcoind: Bitcoind, kind: str
) -> None:
    node, name = shared_bitcoind, wallet(shared_bitcoind)
    target = script_of(str(node.rpc("getnewaddress", "", kind, wallet=name)), "regtest")
    raw, txid = unsigned(target)
    spent = [{"txid": txid, "vout": 0, "scriptPubKey": target.hex(), "amount": 0}]
    signature = told(node.rpc("signrawtransactionwithwallet", raw, spent, wallet=name))
    assert verify_full(target, TEXT.encode(), signature) == Locks()
    with pytest.raises(SignatureWrong):
        verify_full(target, TEXT.encode() + b".", signature)


@pytest.mark.parametrize("kind", KINDS[:3])
def test_multisig_holds_as_a_real_node_signs_it(shared_bitcoind: Bitcoind, kind: str) -> None:
    node = shared_bitcoind
    made = node.rpc("createmultisig", 2, [key.get_public_key().sec().hex() for key in KEYS], kind)
    target, code = script_of(made["address"], "regtest"), str(made["redeemScript"])
    raw, txid = unsigned(target)
    spent: dict[str, object] = {"txid": txid, "vout": 0, "scriptPubKey": target.hex(), "amount": 0}
    spent["redeemScript" if kind == "legacy" else "witnessScript"] = code
    if kind == "p2sh-segwit":
        program = node.rpc("decodescript", code)["segwit"]["hex"]
        spent["redeemScript"] = program
    wifs = [key.wif(NETWORKS["regtest"]) for key in KEYS]
    for chosen in (wifs[:2], wifs[1:]):
        signature = told(node.rpc("signrawtransactionwithkey", raw, chosen, [spent]))
        assert verify_full(target, TEXT.encode(), signature) == Locks()
    half = node.rpc("signrawtransactionwithkey", raw, wifs[:1], [spent])
    with pytest.raises(SignatureWrong):
        verify_full(target, TEXT.encode(), b64encode(bytes.fromhex(half["hex"])).decode())


def test_personal_and_typed_signatures_of_a_real_node_show_control(shared_anvil: Anvil) -> None:
    node = shared_anvil
    node.mine(2)
    address, stranger = node.accounts[1:3]
    said = statement("eip155:31337", address, account_of(address), 1, node.hashes(1, 1)[0][2:])
    text = write(said)

    def check(signature: str, method: Method, holder: Holder = said.holder) -> str:
        expected = dataclasses.replace(meant(said), holder=holder)
        return check_control(
            *(text, signature, method, expected), now_s=NOW, canonical={1: said.block}, used=frozenset()
        ).line()

    data = "0x" + text.encode().hex()
    typed = typed_data(said)
    for account in (address, stranger):
        personal = node.rpc("personal_sign", data, account)
        structured = node.rpc("eth_signTypedData_v4", account, json.loads(json.dumps(typed)))
        for method, signature in ((Method.EIP191, personal), (Method.EIP712, structured)):
            if account == address:
                assert check(signature, method) == "control shown at block 1"
            else:
                with pytest.raises(SignatureWrong, match="not by this account's key"):
                    check(signature, method)
    with pytest.raises(ControlRefused, match="the statement is for holder"):
        check(personal, Method.EIP191, account_of(stranger))
