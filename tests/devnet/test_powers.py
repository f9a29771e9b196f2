"""Who else can move what was seized, and what the inventory lacks, asked of real nodes."""

import json
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from embit.descriptor.descriptor import Descriptor
from eth_abi.abi import encode
from eth_account import Account
from eth_utils.abi import function_signature_to_4byte_selector
from harness.bitcoin import BitcoinNet
from harness.ethereum import EthereumNet
from harness.scene import Scene
from harness.tracerd import Tracerd

from fixtures.anvil import Anvil
from fixtures.bitcoind import Bitcoind
from fixtures.contracts import artifact
from fixtures.keys import ANVIL_FAUCET
from fixtures.process import free_port
from fixtures.wallet import Coin, Form, Owner, pay
from tracer.custody import inventory
from tracer.custody.case import Watch
from tracer.custody.inventory import Fork, siblings
from tracer.errors import NodeMissing, NodeUnavailable, TracerError
from tracer.powers.nouns import Finding, Severity
from tracer.powers.scripts import hash160
from tracer.powers.tokens import PERMIT2
from tracer.types import BlockRef, ChainId, Holder, Role
from watchers import families
from watchers.bitcoin.node import BitcoinNode
from watchers.config import load_config
from watchers.ethereum import approvals
from watchers.ethereum.ask import Question
from watchers.ethereum.node import EthereumNode
from watchers.ethereum.powers import EthereumInspector
from watchers.inspector import Filed, Spend, Task

KEYS = [
    "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
    "02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5",
    "02f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9",
]
XPUB = "tpubD6NzVbkrYhZ4WaWSyoBvQwbpLkojyoTZPRsgXELWz3Popb3qkjcJyJUGLnL4qHHoQvao8ESaAstxYSnhyswJ76uZPStJRJCTKvosUCJZL5B"
WALLET = f"wpkh({XPUB}/0/*)"
FOREVER = 2**256 - 1


async def look(name: str, flags: Sequence[str], task: Task) -> list[Finding]:
    config = load_config(None, {}, [f"chain.{name}.{flag}" for flag in (f"family={name}", *flags)])
    make = families.family(name).inspector
    assert make is not None
    inspector = make(config.chain[name])
    await inspector.open()
    try:
        return await inspector.look(task)
    finally:
        await inspector.close()


def watched(chain: str, *holders: bytes, birth: int = 0) -> Task:
    watches = [
        Watch(f"seized/{place}", ChainId(chain), Holder(holder), Role.SEIZED, None, birth)
        for place, holder in enumerate(holders)
    ]
    return Task(watches, frozenset(watch.holder for watch in watches))


def of(findings: Sequence[Finding], kind: str) -> list[Finding]:
    return [one for one in findings if one.kind == kind]


# Accounts and tokens.


class Chain:
    """An anvil whose first account deploys; `inspect` asks about accounts with these tokens on the list."""

    def __init__(self, node: Anvil) -> None:
        self.node, self.tokens = node, list[str]()
        self.boss = node.accounts[0]

    def deploy(self, name: str, types: Sequence[str] = (), values: Sequence[Any] = ()) -> str:
        code = artifact(name)["bytecode"] + encode(types, values).hex()
        receipt = self.node.transact({"from": self.boss, "data": code, "gas": hex(3_000_000)})
        assert receipt["status"] == "0x1"
        return str(receipt["contractAddress"]).lower()

    def token(self, name: str, types: Sequence[str] = (), values: Sequence[Any] = ()) -> str:
        self.tokens.append(self.deploy(name, types, values))
        return self.tokens[-1]

    def send(self, to: str, signature: str, *values: Any, by: str | None = None) -> dict[str, Any]:
        types = [kind for kind in signature.partition("(")[2][:-1].split(",") if kind]
        data = "0x" + (function_signature_to_4byte_selector(signature) + encode(types, values)).hex()
        receipt = self.node.transact({"from": by or self.boss, "to": to, "data": data, "gas": hex(500_000)})
        assert receipt["status"] == "0x1"
        return receipt

    async def inspect(self, *accounts: str, birth: int = 0) -> list[Finding]:
        listed = ", ".join(
            f"{{symbol='T{place}', contract='{one}', decimals=6}}" for place, one in enumerate(self.tokens)
        )
        flags = ["chain_id=31337", f"rpc_url={self.node.rpc_url}", f"token=[{listed}]"]
        task = watched("eip155:31337", *(bytes.fromhex(one[2:]) for one in accounts), birth=birth)
        return await look("ethereum", flags, task)


@pytest.fixture
def chain(shared_anvil: Anvil) -> Chain:
    return Chain(shared_anvil)


async def test_an_account_without_powers_belongs_to_its_key_alone(chain: Chain) -> None:
    found = await chain.inspect("0x" + "5e" * 20)
    assert [(one.kind, one.severity, one.shown) for one in found] == [
        ("single-key", Severity.INFO, True), ("same-account", Severity.INFO, True), ("fork-coins", Severity.INFO, True),
    ]  # fmt: skip
    tip = chain.node.rpc("eth_getBlockByNumber", "latest", False)
    assert (found[0].refs["block_height"], found[0].refs["block_hash"]) == (chain.node.height(), tip["hash"][2:])


async def test_allowances_are_what_the_token_answers_now(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(approvals, "SPAN", 2)
    owner, spender, former, late = chain.node.accounts[1:5]
    token = chain.token("Token", ["string", "string"], ["Dollar", "USDX"])
    chain.send(token, "mint(address,uint256)", owner, 900)
    chain.send(token, "approve(address,uint256)", spender, 5, by=owner)
    newest = chain.send(token, "approve(address,uint256)", spender, 1_000, by=owner)
    chain.send(token, "approve(address,uint256)", former, 7, by=owner)
    chain.send(token, "approve(address,uint256)", former, 0, by=owner)
    chain.send(token, "approve(address,uint256)", late, FOREVER, by=owner)
    chain.send(token, "approve(address,uint256)", owner, 3, by=spender)  # somebody else's
    chain.node.mine(3)
    found = {one.who: one for one in of(await chain.inspect(owner), "allowance")}
    assert set(found) == {bytes.fromhex(one[2:]) for one in (spender, late)}
    limited, unlimited = found[bytes.fromhex(spender[2:])], found[bytes.fromhex(late[2:])]
    assert (limited.refs["value"], limited.refs["balance"], limited.refs["at_risk"]) == ("1000", "900", "900")
    assert limited.refs["approval_tx"] == newest["transactionHash"]
    assert limited.refs["approval_height"] == int(newest["blockNumber"], 16)
    assert (unlimited.refs["unlimited"], unlimited.severity, unlimited.asset) == (
        "yes", Severity.CRITICAL, f"eip155:31337/erc20:{token}",
    )  # fmt: skip


async def test_a_part_that_was_spent_no_longer_counts(chain: Chain) -> None:
    owner, spender = chain.node.accounts[1:3]
    token = chain.token("Token", ["string", "string"], ["Dollar", "USDX"])
    chain.send(token, "mint(address,uint256)", owner, 900)
    chain.send(token, "approve(address,uint256)", spender, 300, by=owner)
    chain.send(token, "transferFrom(address,address,uint256)", owner, spender, 120, by=spender)
    [left] = of(await chain.inspect(owner), "allowance")
    assert left.refs["value"] == "180"
    chain.send(token, "transferFrom(address,address,uint256)", owner, spender, 180, by=spender)
    assert of(await chain.inspect(owner), "allowance") == []


async def test_an_allowance_to_permit2_says_that_messages_may_move_it(chain: Chain) -> None:
    owner = chain.node.accounts[1]
    token = chain.token("Token", ["string", "string"], ["Dollar", "USDX"])
    chain.send(token, "approve(address,uint256)", "0x" + PERMIT2.hex(), FOREVER, by=owner)
    [permit] = of(await chain.inspect(owner), "permit2")
    assert (permit.severity, "off-chain" in permit.detail) == (Severity.WARN, True)  # it has none now


async def test_a_signed_delegation_is_found_and_its_end_too(chain: Chain) -> None:
    account = Account.from_key(sha256(b"custody tracer, worthless test key: delegating").digest())
    faucet = Account.from_key(ANVIL_FAUCET)
    program = chain.deploy("Forwarder")

    def delegate(target: str, nonce: int) -> None:
        signed = account.sign_authorization({"chainId": 31337, "address": target, "nonce": nonce})
        count = int(chain.node.rpc("eth_getTransactionCount", faucet.address, "latest"), 16)
        sent = {
            "type": 4, "chainId": 31337, "nonce": count, "to": faucet.address, "value": 0, "gas": 200_000,
            "maxFeePerGas": 10**10, "maxPriorityFeePerGas": 10**9, "authorizationList": [signed],
        }  # fmt: skip
        raw = faucet.sign_transaction(sent).raw_transaction.hex().removeprefix("0x")
        assert chain.node.receipt(chain.node.rpc("eth_sendRawTransaction", "0x" + raw))["status"] == "0x1"

    delegate(program, 0)
    [found] = of(await chain.inspect(account.address), "delegation")
    assert (found.severity, found.who, found.refs["code"]) == (
        Severity.CRITICAL, bytes.fromhex(program[2:]), "0xef0100" + program[2:],
    )  # fmt: skip
    delegate("0x" + "00" * 20, 1)
    assert next(iter(await chain.inspect(account.address))).kind == "single-key"


async def test_the_issuer_of_an_upgradeable_token_is_asked_what_it_did(chain: Chain) -> None:
    owner, other, admin = chain.node.accounts[1:4]
    program = chain.deploy("PolicedToken")
    proxy = chain.token("Proxy", ["address", "address"], [program, admin])
    chain.send(proxy, "initialize()")
    for holder in (owner, other):
        chain.send(proxy, "mint(address,uint256)", holder, 50)
    before = {one.kind: one for one in await chain.inspect(owner)}
    assert {"proxy", "upgrade-admin", "token-owner", "permit", "freezable"} <= set(before)
    assert before["upgrade-admin"].who == bytes.fromhex(admin[2:])
    assert before["proxy"].who == bytes.fromhex(program[2:])
    assert before["token-owner"].who == bytes.fromhex(chain.boss[2:])
    assert "paused" not in before and "frozen" not in before and "issuer-silent" not in before
    chain.send(proxy, "bar(address,bool)", owner, True)
    chain.send(proxy, "pause(bool)", True)
    found = await chain.inspect(owner, other)
    assert [one.subject.holder.hex() for one in of(found, "frozen")] == [owner[2:].lower()]
    assert len(of(found, "paused")) == 2
    assert {one.severity for one in found if one.kind in ("frozen", "paused")} == {Severity.CRITICAL}


async def test_a_plain_token_does_not_answer_and_that_is_not_no(chain: Chain) -> None:
    owner = chain.node.accounts[1]
    token = chain.token("Token", ["string", "string"], ["Dollar", "USDX"])
    chain.send(token, "mint(address,uint256)", owner, 50)
    found = await chain.inspect(owner)
    [silent] = of(found, "issuer-silent")
    assert (silent.shown, silent.refs["balance"], of(found, "permit"), of(found, "freezable")) == (False, "50", [], [])
    assert [one.kind for one in await chain.inspect("0x" + "5e" * 20)] == ["single-key", "same-account", "fork-coins"]


async def test_a_contract_that_answers_anything_is_not_believed(chain: Chain) -> None:
    loud = chain.token("Yea")
    found = await chain.inspect("0x" + "5e" * 20, loud)
    assert not [one for one in found if one.kind in ("paused", "frozen", "token-owner", "permit", "safe")]
    assert not any(one.shown for one in of(found, "issuer-silent"))
    assert [one.who for one in of(found, "contract")] == [None]


async def test_a_seized_contract_names_its_owners_modules_and_admin(chain: Chain) -> None:
    people = [one.lower() for one in chain.node.accounts[5:8]]
    program = chain.deploy("SharedWallet", ["address[]", "uint256", "address[]"], [people, 2, people[:1]])
    [safe] = of(await chain.inspect(program), "safe")
    assert [safe.refs[f"owner_{place}"] for place in range(3)] == people
    assert (safe.refs["threshold"], safe.severity) == (2, Severity.WARN)
    [module] = of(await chain.inspect(program), "safe-module")
    assert (module.who, module.severity) == (bytes.fromhex(people[0][2:]), Severity.CRITICAL)
    manager = chain.deploy("Token", ["string", "string"], ["Has", "OWNER"])  # any contract that answers owner()
    proxy = chain.deploy("Proxy", ["address", "address"], [program, manager])
    [admin] = of(await chain.inspect(proxy), "upgrade-admin")
    assert (admin.who, admin.severity) == (bytes.fromhex(manager[2:]), Severity.CRITICAL)
    assert admin.refs["admin_owner"] == chain.boss.lower()


async def test_a_token_that_is_not_there_yet_gives_nothing_to_hold(chain: Chain) -> None:
    chain.tokens.append("0x" + "77" * 20)
    assert {one.kind for one in await chain.inspect("0x" + "5e" * 20)} == {"single-key", "same-account", "fork-coins"}


async def test_every_question_about_state_names_one_block_by_its_hash(
    chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = chain.token("Token", ["string", "string"], ["Dollar", "USDX"])
    chain.send(token, "mint(address,uint256)", chain.node.accounts[1], 50)
    asked, seen = EthereumNode.ask, list[tuple[str, object]]()

    async def listening(self: EthereumNode, questions: Sequence[Question]) -> list[Any]:
        seen.extend((method, params[-1]) for method, params in questions if method != "eth_getLogs")
        return await asked(self, questions)

    monkeypatch.setattr(EthereumNode, "ask", listening)
    await chain.inspect(chain.node.accounts[1], token)
    best = {"blockHash": chain.node.rpc("eth_getBlockByNumber", "latest", False)["hash"]}
    assert {method for method, _ in seen} == {"eth_call", "eth_getCode", "eth_getStorageAt"}
    assert all(where == best for _, where in seen)


async def test_what_a_block_said_that_left_the_chain_is_asked_again(
    chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, spender = chain.node.accounts[1:3]
    token = chain.token("Token", ["string", "string"], ["Dollar", "USDX"])
    chain.send(token, "approve(address,uint256)", spender, 5, by=owner)
    once, looked = EthereumInspector._look, list[list[Finding]]()

    async def overtaken(self: EthereumInspector, task: Task, ref: BlockRef) -> list[Finding]:
        looked.append(await once(self, task, ref))
        if len(looked) == 1:
            chain.node.reorg(1)
        return looked[-1]

    monkeypatch.setattr(EthereumInspector, "_look", overtaken)
    found = await chain.inspect(owner)
    assert (len(looked), len(of(looked[0], "allowance")), of(found, "allowance")) == (2, 1, [])


async def test_what_an_account_held_when_coins_split_off_is_asked_of_that_block(
    chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = "0x" + "6f" * 20
    chain.node.transact({"from": chain.boss, "to": account, "value": hex(11)})
    height = chain.node.height()
    chain.node.transact({"from": chain.boss, "to": account, "value": hex(5)})
    network = ChainId("eip155:31337")
    forks = [
        Fork(name, name, network, at, "2026-01-01", "this test")
        for name, at in (("BEFORE", height - 1), ("AT", height), ("LATER", 10**6))
    ]
    monkeypatch.setattr(inventory, "FORKS", forks)
    found = {one.refs["symbol"]: one for one in of(await chain.inspect(account), "fork-coins")}
    assert set(found) == {"AT", "LATER"}
    assert (found["AT"].refs["held_then"], found["AT"].refs["class"]) == ("11", "DECLARED_ONLY")
    assert not found["LATER"].shown  # the node has no such block


# Scripts and coins.


async def bitcoin_look(node: Bitcoind, task: Task) -> list[Finding]:
    flags = ["network=regtest", f"rpc_url={node.rpc_url}", f"cookie_file={node.cookie_file}"]
    return await look("bitcoin", flags, task)


def bitcoin_task(filed: Sequence[Filed] = (), spends: dict[Holder, Spend] | None = None, *holders: bytes) -> Task:
    task = watched("bip122:0f9188f13cb7b2c71f2a335e3a4fc328", *holders)
    return Task(task.seized, task.watched, filed, spends=spends or {})


def of_wallet(*, last: int) -> Task:
    scripts = [wallet_script(index) for index in range(last + 1)]
    return bitcoin_task([Filed("seized", WALLET, 0, last)], None, *scripts)


def wallet_script(index: int) -> bytes:
    derived = Descriptor.from_string(WALLET).derive(index)  # type: ignore[no-untyped-call]
    return bytes(derived.script_pubkey().data)


async def test_a_multisig_is_unknown_until_its_descriptor_is_filed(bitcoind: Bitcoind) -> None:
    descriptor = f"wsh(multi(2,{','.join(KEYS)}))"
    [address] = bitcoind.rpc("deriveaddresses", bitcoind.rpc("getdescriptorinfo", descriptor)["descriptor"])
    script = bytes.fromhex(bitcoind.rpc("validateaddress", address)["scriptPubKey"])
    bitcoind.mine(1, to=address)
    hidden = await bitcoin_look(bitcoind, bitcoin_task((), None, script))
    assert [(one.kind, one.shown) for one in hidden] == [
        ("script-unknown", False), ("unspent", True), ("fork-coins", True),
    ]  # fmt: skip
    assert (hidden[1].refs["amount"], hidden[1].refs["block_height"]) == ("5000000000", 1)
    filed = [Filed("seized/0", descriptor, 0, 0)]
    [told] = of(await bitcoin_look(bitcoind, bitcoin_task(filed, None, script)), "multisig")
    assert (told.refs["needs_0"], told.refs["keys_0"]) == ("2 of 3", ",".join(KEYS))


async def test_the_second_way_of_a_coin_opens_when_the_node_would_take_it(bitcoind: Bitcoind) -> None:
    descriptor = f"wsh(or_d(pk({KEYS[0]}),and_v(v:pk({KEYS[1]}),older(10))))"
    [address] = bitcoind.rpc("deriveaddresses", bitcoind.rpc("getdescriptorinfo", descriptor)["descriptor"])
    script = bytes.fromhex(bitcoind.rpc("validateaddress", address)["scriptPubKey"])
    bitcoind.mine(5)
    bitcoind.mine(1, to=address)
    task = bitcoin_task([Filed("seized/0", descriptor, 0, 0)], None, script)
    bitcoind.mine(8)
    [late] = of(await bitcoin_look(bitcoind, task), "timelock")
    assert (late.refs["state"], late.severity) == ("closed", Severity.WARN)
    assert "block 16 for the oldest coin" in late.detail
    bitcoind.mine(1)  # height 15: block 16 may spend it
    [late] = of(await bitcoin_look(bitcoind, task), "timelock")
    assert (late.refs["state"], late.severity, late.refs["block_height"]) == ("open", Severity.CRITICAL, 15)
    assert late.refs["block_hash"] == bitcoind.rpc("getbestblockhash")


async def test_coins_of_the_same_key_on_another_script_are_found(bitcoind: Bitcoind) -> None:
    key = bytes.fromhex(KEYS[0])
    forms = {one.form: one.script for one in siblings(key)}
    bitcoind.mine(2, to=forms["P2TR"])
    bitcoind.mine(1, to=forms["P2PKH uncompressed"])
    found = await bitcoin_look(bitcoind, bitcoin_task((), None, forms["P2PK"]))
    coins = {one.refs["form"]: one.refs["amount"] for one in of(found, "sibling-coins")}
    assert coins == {"P2TR": "10000000000", "P2PKH uncompressed": "5000000000"}
    [rest] = of(found, "siblings")
    assert (rest.severity, rest.refs["block_height"], rest.shown) == (Severity.INFO, 3, True)
    assert of(found, "exposed-key")[0].who == key


async def test_a_wallet_is_followed_upward_until_a_whole_gap_is_empty(bitcoind: Bitcoind) -> None:
    for index in (2, 15, 34, 50):
        bitcoind.mine(1, to=wallet_script(index))
    found = await bitcoin_look(bitcoind, of_wallet(last=9))
    assert {one.refs["index"]: one.refs["amount"] for one in of(found, "range-coins")} == {
        15: "5000000000", 34: "5000000000", 50: "5000000000",
    }  # fmt: skip
    [gap] = of(found, "range-gap")
    assert (gap.refs["highest_used"], gap.refs["needed"]) == (50, 70)
    whole = await bitcoin_look(bitcoind, of_wallet(last=70))
    assert of(whole, "range-gap") == of(whole, "range-coins") == []


async def test_a_descriptors_key_is_looked_for_under_other_scripts(bitcoind: Bitcoind) -> None:
    key = bytes(Descriptor.from_string(WALLET).derive(1).key.sec())  # type: ignore[no-untyped-call]
    bitcoind.mine(1, to=b"\x76\xa9\x14" + hash160(key) + b"\x88\xac")
    [found] = of(await bitcoin_look(bitcoind, of_wallet(last=19)), "sibling-coins")
    assert (found.refs["form"], found.subject.holder, found.who) == ("P2PKH", wallet_script(1), key)


@pytest.mark.parametrize(
    ("error", "ended"),
    [(NodeMissing("Scan already in progress"), False), (NodeUnavailable("no complete answer within 900 s"), True)],
)
async def test_a_scan_that_fails_is_not_shown_and_only_our_own_is_ended(
    shared_bitcoind: Bitcoind, monkeypatch: pytest.MonkeyPatch, error: TracerError, ended: bool
) -> None:
    asked, scans = BitcoinNode.ask, list[object]()

    async def busy(self: BitcoinNode, method: str, *params: object) -> Any:
        if method != "scantxoutset":
            return await asked(self, method, *params)
        scans.append(params[0])
        if params[0] == "start":
            raise error
        return await asked(self, method, *params)

    monkeypatch.setattr(BitcoinNode, "ask", busy)
    found = await bitcoin_look(shared_bitcoind, bitcoin_task((), None, bytes.fromhex(f"21{KEYS[0]}ac")))
    assert [(one.kind, one.shown) for one in found] == [
        ("scan", False), ("exposed-key", True), ("siblings", False), ("fork-coins", True),
    ]  # fmt: skip
    assert scans == ["start", *(["abort"] if ended else [])]


async def test_coins_unspent_since_a_fork_are_what_is_known_of_it(
    bitcoind: Bitcoind, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = bytes.fromhex(f"21{KEYS[0]}ac")
    bitcoind.mine(2)
    bitcoind.mine(1, to=script)
    bitcoind.mine(1)
    bitcoind.mine(1, to=script)
    network = ChainId("bip122:0f9188f13cb7b2c71f2a335e3a4fc328")
    forks = [Fork(f"F{at}", "Fork", network, at, "2026-01-01", "this test") for at in (2, 3, 5)]
    monkeypatch.setattr(inventory, "FORKS", forks)
    coins = of(await bitcoin_look(bitcoind, bitcoin_task((), None, script)), "fork-coins")
    found = {one.refs["symbol"]: one for one in coins}
    assert [found[f"F{at}"].shown for at in (2, 3, 5)] == [False, True, True]
    assert [found[f"F{at}"].refs["held_then"] for at in (3, 5)] == ["5000000000", "10000000000"]


# The command.


def row_of(lines: str, kind: str) -> dict[str, Any]:
    [row] = [row for line in lines.splitlines() if (row := json.loads(line))["kind"] == kind]
    return dict(row)


def test_the_command_reads_a_script_that_a_spend_revealed(bitcoind: Bitcoind, tmp_path: Path) -> None:
    seized = Owner("joint", Form.MULTISIG)
    [block] = bitcoind.mine(1, to=seized.address)
    coinbase = bitcoind.rpc("getblock", block, 2)["tx"][0]
    bitcoind.mine(100)
    coin = Coin(coinbase["txid"], 0, 5_000_000_000, seized)
    case = f"""[case]
id = "hidden"
title = "A script behind a hash"
preset = "beijing-2025"
[case.seizure]
bitcoin = 50
[[watch]]
id = "joint"
chain = "bitcoin"
address = "{seized.address}"
role = "seized"
"""
    table = (
        f'[chain.bitcoin]\nfamily = "bitcoin"\nnetwork = "regtest"\nrpc_url = "{bitcoind.rpc_url}"\n'
        f'cookie_file = "{bitcoind.cookie_file}"\n'
    )
    tracerd = Tracerd(tmp_path, [table], [case])
    assert tracerd.sync() == 0, tracerd.log
    before = tracerd.call("inspect", "hidden")
    assert (before.returncode, "NOT_SHOWN script-unknown" in before.stdout) == (4, True), before.stderr
    bitcoind.rpc("sendrawtransaction", pay([coin], [(seized, 4_999_990_000)]).raw)
    bitcoind.mine(1)
    assert tracerd.sync() == 0, tracerd.log
    kept = sha256(tracerd.store.read_bytes()).hexdigest()
    after = tracerd.call("inspect", "hidden", "--json")
    assert after.returncode == 0, after.stdout + after.stderr
    told = row_of(after.stdout, "multisig")
    assert (told["refs"]["needs_0"], told["severity"], told["shown"]) == ("2 of 3", "WARN", "SHOWN")
    assert told["refs"]["shown_by"] == "a spent coin"
    assert sha256(tracerd.store.read_bytes()).hexdigest() == kept


def test_the_command_tells_both_chains_and_its_exit_code_is_the_gravest(
    bitcoin: BitcoinNet, ethereum: EthereumNet, tmp_path: Path
) -> None:
    ethereum._call("seized", ethereum.token, "approve(address,uint256)", ethereum.accounts["mule"], 77)
    ethereum.mine()
    scene = Scene(tmp_path, [bitcoin, ethereum])
    assert scene.daemon.sync() == 0, scene.daemon.log
    done = scene.daemon.call("inspect", "disposal")
    assert done.returncode == 3, done.stdout + done.stderr
    tip = ethereum.hashes(ethereum.height(), ethereum.height())[0]
    assert f"(eip155:31337) at block {ethereum.height()} {tip}" in done.stdout
    spender = ethereum.accounts["mule"]
    assert f"CRITICAL  allowance         {spender} may take up to 77 base units of USDX" in done.stdout
    assert done.stdout.splitlines()[-1].endswith(" not shown")
    assert "WHO CAN MOVE IT" in done.stdout and "NOT_SHOWN script-unknown" in done.stdout


def test_the_command_says_what_it_could_not_ask(bitcoin: BitcoinNet, tmp_path: Path) -> None:
    scene = Scene(tmp_path, [bitcoin])
    assert scene.daemon.sync() == 0, scene.daemon.log
    scene.configure(port=free_port())
    done = scene.daemon.call("inspect", "disposal", "--json")
    assert done.returncode == 4, done.stdout + done.stderr
    assert {json.loads(line)["kind"] for line in done.stdout.splitlines()} == {"unasked"}


def test_the_command_refuses_a_case_that_is_not_there(bitcoin: BitcoinNet, tmp_path: Path) -> None:
    scene = Scene(tmp_path, [bitcoin])
    assert scene.daemon.sync() == 0, scene.daemon.log
    done = scene.daemon.call("inspect", "another")
    assert (done.returncode, done.stdout) == (2, "")
    assert "no case another; there is disposal" in done.stderr


def test_the_command_takes_a_case_file_for_its_descriptors(bitcoind: Bitcoind, tmp_path: Path) -> None:
    bitcoind.mine(1, to=wallet_script(5))
    bitcoind.mine(1, to=wallet_script(12))
    bitcoind.mine(10)
    case = f"""[case]
id = "wallet"
title = "A wallet"
preset = "beijing-2025"
[case.seizure]
bitcoin = 5
[[watch]]
id = "w"
chain = "bitcoin"
descriptor = "{WALLET}"
range = [0, 9]
role = "seized"
"""
    table = (
        f'[chain.bitcoin]\nfamily = "bitcoin"\nnetwork = "regtest"\nrpc_url = "{bitcoind.rpc_url}"\n'
        f'cookie_file = "{bitcoind.cookie_file}"\n'
    )
    tracerd = Tracerd(tmp_path, [table])
    file = tracerd.write_case("wallet.toml", case)
    assert tracerd.call("case", "import", str(file)).returncode == 0
    assert tracerd.sync() == 0, tracerd.log
    blind = tracerd.call("inspect", "wallet", "--json")
    assert blind.returncode == 0, blind.stdout
    done = tracerd.call("inspect", "wallet", "--json", "--case-file", str(file))
    assert done.returncode == 3, done.stdout + done.stderr
    assert row_of(done.stdout, "range-coins")["refs"]["index"] == 12
    assert row_of(done.stdout, "range-gap")["refs"]["needed"] == 32
    wrong = tracerd.call(
        "inspect", "wallet", "--case-file", str(tracerd.write_case("other.toml", case.replace('"wallet"', '"other"')))
    )
    assert (wrong.returncode, "declares the case other, not wallet" in wrong.stderr) == (2, True)
