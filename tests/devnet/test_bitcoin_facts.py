"""What is read from a real bitcoind equals what that bitcoind says in its own words (`getblock 3`)."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from bitcoin.core import CMutableTransaction, COutPoint, CTxIn, CTxOut
from bitcoin.core.script import CScript
from embit.ec import PrivateKey
from embit.networks import NETWORKS

from fixtures.bitcoind import Bitcoind
from tracer.proof import networks
from tracer.proof.headers import HeaderChain, first_context
from tracer.proof.recheck import recheck
from tracer.types import AssetId, BlockFacts, BlockRef, Hash, Holder, Kind, Lane, Movement, Outpoint, parse_outpoint
from watchers.bitcoin.address import address_of, descriptor_scripts, script_of
from watchers.bitcoin.node import BitcoinNode
from watchers.bitcoin.scan import BitcoinScanner
from watchers.node import Coin

BTC = AssetId("bip122:0f9188f13cb7b2c71f2a335e3a4fc328/slip44:0")
SECRET = PrivateKey(bytes(31) + b"\x07")
LONG_SECRET = PrivateKey(bytes(31) + b"\x07", compressed=False)
WIFS = [secret.wif(NETWORKS["regtest"]) for secret in (SECRET, LONG_SECRET)]
KEY = SECRET.get_public_key().serialize().hex()
LONG_KEY = LONG_SECRET.get_public_key().serialize().hex()
XONLY = KEY[2:]
REWARD = 50 * 10**8

TYPES = {
    "p2pk": f"pk({KEY})",
    "p2pk-uncompressed": f"pk({LONG_KEY})",
    "p2pkh": f"pkh({KEY})",
    "p2sh-p2wpkh": f"sh(wpkh({KEY}))",
    "p2wpkh": f"wpkh({KEY})",
    "p2sh-multisig": f"sh(multi(1,{KEY},{KEY}))",
    "p2wsh-multisig": f"wsh(multi(1,{KEY},{KEY}))",
    "bare-multisig": f"multi(1,{KEY},{KEY})",
    "p2tr": f"rawtr({XONLY})",
    "op_true": "raw(51)",
    "non-standard": "raw(08010203040506070875010075)",
    "op_return": "raw(6a0401020304)",
}
UNSPENDABLE = ("op_return", "non-standard")
STRANGER = Holder(b"\x01\x63\x75\x51")  # PUSH1 c DROP TRUE: anyone may spend it, nobody watches it


@asynccontextmanager
async def opened(bitcoind: Bitcoind, **options: Any) -> AsyncIterator[BitcoinNode]:
    node = BitcoinNode(rpc_url=bitcoind.rpc_url, network="regtest", cookie_file=bitcoind.cookie_file, **options)
    try:
        await node.open()
        yield node
    finally:
        await node.close()


@dataclass
class Player:
    """Mines and spends on one node; knows the coins it made."""

    node: Bitcoind
    scripts: dict[str, Holder] = field(default_factory=dict)
    coins: dict[str, Outpoint] = field(default_factory=dict)
    stranger: list[Outpoint] = field(default_factory=list)

    def reward(self, to: str) -> tuple[Holder, Outpoint]:
        """Mine a block to a descriptor; the script is the node's own reading of the descriptor."""
        [block] = self.node.mine(1, to)
        coinbase = self.node.rpc("getblock", block, 2)["tx"][0]
        script = coinbase["vout"][0]["scriptPubKey"]["hex"]
        return Holder(bytes.fromhex(script)), parse_outpoint(f"{coinbase['txid']}:0")

    def fund(self) -> None:
        """Give one matured reward to each type of output, and three to a stranger."""
        for name, descriptor in TYPES.items():
            self.scripts[name], self.coins[name] = self.reward(descriptor)
        self.stranger = [self.reward(f"raw({STRANGER.hex()})")[1] for _ in range(3)]
        self.node.mine(101)

    def signed(self, name: str, raw: str) -> str:
        """Sign the spending of the reward of one type with the one key of this story."""
        signed = self.node.rpc("signrawtransactionwithkey", raw, WIFS, self.unlocking(name))
        assert signed["complete"], signed
        return str(signed["hex"])

    def unlocking(self, name: str) -> list[dict[str, Any]]:
        """What the node needs to sign for a hashed script."""
        coin, script = self.coins[name], self.scripts[name]
        multisig = f"5121{KEY}21{KEY}52ae"
        key_hash = self.scripts["p2wpkh"].hex()
        extra: dict[str, dict[str, Any]] = {
            "p2sh-p2wpkh": {"redeemScript": key_hash},
            "p2sh-multisig": {"redeemScript": multisig},
            "p2wsh-multisig": {"witnessScript": multisig},
        }
        if name not in extra:
            return []
        place = {"txid": coin[31::-1].hex(), "vout": 0, "scriptPubKey": script.hex(), "amount": "50"}
        return [place | extra[name]]


def from_genesis() -> HeaderChain:
    chain = HeaderChain(networks.NETWORKS["regtest"])
    chain.begin(first_context(chain.rules))
    return chain


def spend(points: list[Outpoint], pays: list[tuple[Holder, int]]) -> str:
    """An unsigned transaction in hex; finished if its coins are anyone's."""
    inputs = [CTxIn(COutPoint(point[:32], int.from_bytes(point[32:], "little"))) for point in points]
    outputs = [CTxOut(amount, CScript(script)) for script, amount in pays]
    return str(CMutableTransaction(inputs, outputs).serialize().hex())


def point_of(raw: str, index: int) -> Outpoint:
    txid = CMutableTransaction.deserialize(bytes.fromhex(raw)).GetTxid()
    return Outpoint(txid + index.to_bytes(4, "little"))


def satoshi(value: Decimal) -> int:
    assert isinstance(value, Decimal)
    return int(value.scaleb(8))


def truth(bitcoind: Bitcoind, block: str, scripts: set[Holder], coins: set[Outpoint]) -> dict[int, list[Movement]]:
    """The movements of a block as the node's own decoding tells them; adds what is followed to `coins`."""
    told: dict[int, list[Movement]] = {}
    for position, tx in enumerate(bitcoind.rpc("getblock", block, 3)["tx"]):
        outs = [
            Movement(
                Kind.OUT,
                one["n"],
                BTC,
                satoshi(one["value"]),
                None,
                Holder(bytes.fromhex(one["scriptPubKey"]["hex"])),
            )
            for one in tx["vout"]
        ]
        spent = [one for one in tx["vin"] if "txid" in one]
        ins = [
            Movement(
                Kind.IN,
                index,
                BTC,
                satoshi(one["prevout"]["value"]),
                Holder(bytes.fromhex(one["prevout"]["scriptPubKey"]["hex"])),
                None,
                parse_outpoint(f"{one['txid']}:{one['vout']}"),
            )
            for index, one in enumerate(spent)
        ]
        if any(one.spends in coins for one in ins):
            told[position] = [*ins, *outs, Movement(Kind.FEE, 0, BTC, satoshi(tx["fee"]), None, None)]
        elif any(one.target in scripts for one in outs):
            told[position] = [one for one in outs if one.target in scripts]
        followed = [one for one in told.get(position, []) if one.kind is Kind.OUT]
        coins.update(parse_outpoint(f"{tx['txid']}:{one.index}") for one in followed)
    return told


async def read_all(node: BitcoinNode, scanner: BitcoinScanner) -> AsyncIterator[tuple[BlockRef, BlockFacts]]:
    """Follow the chain from its start, remembering every output of every hit."""
    start = await node.ref_at(0)
    assert start is not None
    async for ref, raw in node.blocks(start, 10_000):
        draft = scanner.scan(raw)
        facts = scanner.complete(draft, await node.answer(draft))
        for hit in draft.hits:
            scanner.remember({_point(hit.txid, index): coin for index, coin in hit.outputs})
            scanner.forget(point for point, _ in hit.inputs)
        yield ref, facts


def _point(txid: Hash, index: int) -> Outpoint:
    return parse_outpoint(f"{txid.hex()}:{index}")


@pytest.fixture(scope="module")
def played(bitcoind_exe: Path) -> Iterator[Player]:
    """Every type of output received as a reward, spent, received from a spend, and spent in the same block."""
    with Bitcoind(bitcoind_exe) as bitcoind:
        player = Player(bitcoind)
        player.fund()
        names = [name for name in TYPES if name not in UNSPENDABLE]
        targets = list(player.scripts.values())
        for turn, name in enumerate(names):
            pays = [(targets[turn], REWARD // 3), (STRANGER, 12_345), (player.scripts["op_return"], 0)]
            raw = player.signed(name, spend([player.coins[name]], pays))
            hop = spend([point_of(raw, 1), player.stranger[0]], [(STRANGER, REWARD)])
            player.stranger[0] = point_of(hop, 0)
            bitcoind.generate_block(txs=[raw, hop])  # the hop spends a coin of this block and one nobody knows
        first = spend([player.stranger[1]], [(player.scripts["op_true"], REWARD - 7)])
        second = spend([point_of(first, 0)], [(player.scripts["op_true"], REWARD - 8)])
        third = spend([point_of(second, 0), player.stranger[2]], [(STRANGER, 2 * REWARD - 9)])
        bitcoind.generate_block(txs=[first, second, third], to=f"raw({player.scripts['p2tr'].hex()})")
        yield player


@pytest.mark.parametrize("rest", [None, False])
async def test_every_output_type_is_read_as_the_node_reads_it(played: Player, rest: bool | None) -> None:
    scripts = set(played.scripts.values())
    scanner = BitcoinScanner(BTC, from_genesis())
    scanner.watch(scripts)
    coins: set[Outpoint] = set()
    spends = 0
    async with opened(played.node, rest=rest) as node:
        assert node.rest is (rest is None)
        async for ref, facts in read_all(node, scanner):
            block = ref.hash.hex()
            told = truth(played.node, block, scripts, coins)
            found = {
                one.position: [replace(m, lane=Lane.REPORTED) for m in one.movements] for one in facts.transactions
            }
            assert found == told
            answer = played.node.rpc("getblock", block, 2)
            for one in facts.transactions:
                assert one.txid.hex() == answer["tx"][one.position]["txid"]
                assert one.raw.hex() == answer["tx"][one.position]["hex"]
                spends += one.movements[0].kind is Kind.IN
            header = bytes.fromhex(played.node.rpc("getblockheader", block, False))
            assert facts.header == header
            for one in facts.transactions:
                assert one.proof is not None
                assert recheck("bitcoin", header, ref.hash, one.txid, one.position, one.raw, one.proof) is None
            assert facts.time == answer["time"]
        assert ref.hash.hex() == played.node.rpc("getbestblockhash")
    assert spends == 2 * (len(TYPES) - len(UNSPENDABLE)) + 2


async def test_spent_coins_are_the_same_from_undo_data_and_from_transactions(played: Player) -> None:
    scanner = BitcoinScanner(BTC, from_genesis())
    scanner.watch(played.scripts.values())
    scanner.remember({played.coins["p2wpkh"]: Coin(played.scripts["p2wpkh"], REWARD)})
    asked = 0
    async with opened(played.node) as by_rest, opened(played.node, rest=False) as by_rpc:
        assert (by_rest.undo, by_rpc.undo) == (True, False)
        start = await by_rest.ref_at(0)
        assert start is not None
        async for _, raw in by_rest.blocks(start, 10_000):
            draft = scanner.scan(raw)
            first, second = await by_rest.answer(draft), await by_rpc.answer(draft)
            assert first == second
            asked += first is not None
    assert asked


@pytest.mark.parametrize("name", TYPES)
def test_scripts_and_addresses_agree_with_the_node(played: Player, name: str) -> None:
    script = played.scripts[name]
    if not TYPES[name].startswith("rawtr"):
        assert descriptor_scripts(TYPES[name], 0, 0, "regtest") == [script]
    decoded = played.node.rpc("decodescript", script.hex())
    [shown] = [
        one["scriptPubKey"].get("address")
        for block in [played.node.rpc("getblockhash", list(TYPES).index(name) + 1)]
        for one in played.node.rpc("getblock", block, 2)["tx"][0]["vout"][:1]
    ]
    assert address_of(script, "regtest") == shown
    if shown is not None:
        assert decoded["address"] == shown
        assert script_of(shown, "regtest") == script


def test_a_ranged_descriptor_agrees_with_the_node(played: Player) -> None:
    key = (
        "tpubD6NzVbkrYhZ4WaWSyoBvQwbpLkojyoTZPRsgXELWz3Popb3qkjcJyJUG"
        "LnL4qHHoQvao8ESaAstxYSnhyswJ76uZPStJRJCTKvosUCJZL5B"
    )
    for form in ("wpkh({})", "pkh({})", "sh(wpkh({}))", "tr({})", "wsh(multi(1,{}))"):
        descriptor = form.format(f"{key}/1/*")
        checked = played.node.rpc("getdescriptorinfo", descriptor)["descriptor"]
        told = played.node.rpc("deriveaddresses", checked, [3, 6])
        found = descriptor_scripts(checked, 3, 6, "regtest")
        assert [address_of(script, "regtest") for script in found] == told
