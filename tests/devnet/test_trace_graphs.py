"""Graphs of raw transactions on a real bitcoind, inputs and outputs in chosen order, give the numbers of the rules."""

import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from harness.bitcoin import BitcoinNet, Coin
from harness.scene import Scene

from tests.unit.taint_graphs import Graph, declared, trace
from tracer.report import audits
from tracer.store.reader import Reader, snapshot
from tracer.store.runs import compute, stored_run, tip_of
from tracer.taint.boundaries import Limits
from tracer.taint.rules import Method
from tracer.types import Holder, Role

CASES = json.loads((Path(__file__).parents[1] / "unit" / "data" / "taint_cases.json").read_text(encoding="utf-8"))
PLAYED = [case for case in CASES["coins"] if len(case["blocks"]) > 1]
SCALE = 100_000
"""A satoshi of the small cases becomes so many, that no output is refused; the large ones are as published."""

ROLES = {"seized": Role.SEIZED, "agency": Role.AGENCY, "exchange": Role.EXCHANGE}
FAR = Limits(max_hops=10_000, min_amount=0, max_live=10**5)


class Play:
    """One graph: blocks of transactions by name, as `Graph` takes them, and the same on a node."""

    def __init__(self, net: BitcoinNet) -> None:
        self.net = net
        self.blocks: list[list[dict]] = []
        self.coins: dict[str, Coin] = {}
        self.seized: list[str] = []

    def fund(self, coins: Sequence[tuple[str, int, bool]]) -> None:
        """Make coins by name, each of a transaction of its own: (name, amount, whether it is seized)."""
        raws, block = [], []
        purse = self.net.coins("rich")
        for name, amount, seized in coins:
            spent = [purse.pop(0)]
            while sum(coin.amount for coin in spent) < amount + 1_000:
                spent.append(purse.pop(0))
            change = sum(coin.amount for coin in spent) - amount - 1_000
            holder = "seized" if seized else "stranger"
            raw, txid = self.net.sign(spent, [(holder, amount), ("rich", change)])
            purse.append(Coin(txid, 1, change, "rich"))
            raws.append(raw)
            self.coins[f"{name}:0"] = Coin(txid, 0, amount, holder)
            block.append({"id": name, "inputs": [], "outputs": [amount], "holders": [holder]})
            self.seized += [f"{name}:0"] if seized else []
        self.net._waiting += raws
        self.net.mine()
        self.blocks += [[one] for one in block]

    def block(self, txs: Sequence[tuple[str, Sequence[str], Sequence[tuple[str, int]]]]) -> None:
        """Mine transactions: (name, inputs in order, outputs in order as holder and amount)."""
        mined = [{"id": f"m{len(self.blocks)}", "inputs": [], "outputs": [1]}]
        for name, inputs, outputs in txs:
            raw, txid = self.net.sign([self.coins[one] for one in inputs], outputs)
            self.net._waiting.append(raw)
            for index, (holder, amount) in enumerate(outputs):
                self.coins[f"{name}:{index}"] = Coin(txid, index, amount, holder)
            holders = [holder for holder, _ in outputs]
            mined.append({"id": name, "inputs": list(inputs), "outputs": [n for _, n in outputs], "holders": holders})
        self.net.mine()
        self.blocks.append(mined)

    def expected(self, method: Method) -> Counter[tuple[str, str, str, int]]:
        """Where the pure rules put every label: (outpoint or fee, source's outpoint, reason, units)."""
        named = [
            [{**tx, "holders": [Holder(h.encode()) for h in tx.get("holders", ["nobody"])]} for tx in block]
            for block in self.blocks
        ]
        graph = Graph(named)
        roles = {Holder(name.encode()): role for name, role in ROLES.items()}
        done = trace(graph, method, self.seized, roles=roles, declaration=declared(method, limits=FAR))
        found: Counter[tuple[str, str, str, int]] = Counter()
        for end in done.ends:
            where = self.place(graph.names[end.place.row]) if end.reason != "fee" else "fee"
            found[where, self.place(self.seized[end.label]), end.reason, 0] += end.units
        return found

    def place(self, name: str) -> str:
        coin = self.coins[name]
        return f"{coin.txid}:{coin.index}"


@pytest.fixture(scope="module")
def net(bitcoind_exe: Path) -> Iterator[BitcoinNet]:
    net = BitcoinNet(bitcoind_exe)
    try:
        yield net
    finally:
        net.close()


def stored(reader: Reader, play: Play, method: Method) -> Counter[tuple[str, str, str, int]]:
    """Where the store's movements put every label of the play, computed by the store's own history."""
    runs = [stored_run(reader.connection, number) for (number,) in reader.raw("SELECT id FROM trace_run WHERE live")]
    run = next(one for one in runs if one is not None)
    tip = tip_of(reader.connection, run.chain_id)
    assert tip is not None
    done = compute(reader.connection, replace(run, declared=replace(run.declared, method=method)), tip)
    names = {source.label: source.place for source in run.declared.sources}
    mine = {play.place(name) for name in play.seized}
    points = {
        number: f"{txid}:{index}"
        for number, txid, index in reader.raw(
            "SELECT m.id, lower(hex(t.txid)), m.idx FROM movement m JOIN tx t ON t.id = m.tx_id WHERE m.kind = 1"
        )
    }
    found: Counter[tuple[str, str, str, int]] = Counter()
    assert done.result is not None
    for end in done.result.ends:
        if names[end.label] in mine:
            where = "fee" if end.reason == "fee" else points[end.place.row]
            found[where, names[end.label], end.reason, 0] += end.units
    return found


def hold(net: BitcoinNet, play: Play, scene: Scene) -> None:
    """Let the daemon follow, and compare every method; the live runs pass their audit."""
    assert scene.daemon.sync() == 0, scene.daemon.log
    with snapshot(scene.daemon.store) as reader:
        for method in Method:
            assert stored(reader, play, method) == play.expected(method), method
        for (number,) in list(reader.raw("SELECT id FROM trace_run WHERE live")):
            assert [row["same"] for row in audits.audit(reader, number).data["audits"]] == [True]
    scene.agree()


@pytest.mark.parametrize("case", PLAYED, ids=lambda case: case["name"])
def test_a_reference_case_on_a_real_chain(net: BitcoinNet, tmp_path: Path, case: dict) -> None:
    play = Play(net)
    large = max(v for block in case["blocks"] for tx in block for v in tx["outputs"]) > 10_000
    scale = 1 if large else SCALE
    made = [tx for block in case["blocks"] for tx in block if not tx["inputs"]]
    used = {name for block in case["blocks"] for tx in block for name in tx["inputs"]}
    wanted = [tx for tx in made if f"{tx['id']}:0" in used]
    play.fund([(tx["id"], tx["outputs"][0] * scale, f"{tx['id']}:0" in case["seized"]) for tx in wanted])
    scene = Scene(tmp_path, [net])
    for block in case["blocks"]:
        spends = [tx for tx in block if tx["inputs"]]
        if spends:
            play.block([(tx["id"], tx["inputs"], [("stranger2", v * scale) for v in tx["outputs"]]) for tx in spends])
    hold(net, play, scene)


@pytest.mark.parametrize("seed", range(3))
def test_a_random_graph_on_a_real_chain(net: BitcoinNet, tmp_path: Path, seed: int) -> None:
    rng, play = random.Random(seed), Play(net)
    play.fund([(f"f{n}", rng.randint(10_000, 99_999_999), n < 3) for n in range(6)])
    scene = Scene(tmp_path, [net])
    purse = sorted(play.coins)
    for height in range(6):
        txs = []
        for number in range(rng.randint(1, 4)):
            spend = rng.sample(purse, min(len(purse), rng.randint(1, 3)))
            left = sum(amounts(play, txs)[one] for one in spend)
            outputs = []
            for _ in range(rng.randint(1, 3)):
                holder = rng.choice(["stranger", "stranger2", "stranger", "agency", "exchange"])
                outputs.append((holder, rng.choice([0, rng.randint(0, left)])))
                left -= outputs[-1][1]
            name = f"t{height}-{number}"
            txs.append((name, spend, outputs))
            purse = [one for one in purse if one not in spend]
            purse += [f"{name}:{n}" for n, (holder, _) in enumerate(outputs) if holder != "exchange"]
            if not purse:
                break
        play.block(txs)
        if not purse:
            break
    hold(net, play, scene)


def amounts(play: Play, txs: Sequence[tuple[str, Sequence[str], Sequence[tuple[str, int]]]]) -> dict[str, int]:
    """The amount of every coin that there is, those of a block under way too."""
    made = {f"{name}:{n}": amount for name, _, outputs in txs for n, (_, amount) in enumerate(outputs)}
    return {name: coin.amount for name, coin in play.coins.items()} | made


def test_fees_go_on_to_the_miner_where_the_blocks_are_stored_whole(net: BitcoinNet, tmp_path: Path) -> None:
    play = Play(net)
    play.fund([("a", 1_000_000, True), ("c", 500_000, False)])
    scene = Scene(tmp_path, [net])
    net.broadcast([play.coins["c:0"], play.coins["a:0"]], [("stranger2", 1_200_000), ("stranger", 250_000)])
    net.node.mine(1, net.scripts["rich"])  # from the mempool: a block of given transactions claims no fees
    net.look_again()
    assert scene.daemon.sync() == 0, scene.daemon.log
    height = net.height()
    asked = ("trace", "disposal", "--method", "fifo", "--fee-policy", "coinbase", "--source", play.place("a:0"))
    before = scene.daemon.call(*asked)
    assert "fees 0.00050000" in before.stdout, before
    done = scene.daemon.call("import-history", f"{height}-{height}")
    assert "stored 1 block whole" in done.stdout, done
    after = scene.daemon.call(*asked)
    assert "live 0.01000000, boundaries 0.00000000, fees 0.00000000" in after.stdout, after
    with snapshot(scene.daemon.store) as reader:
        runs = [run for run in audits.runs(reader, None).data["runs"] if not run["live"]]
        answers = [audits.audit(reader, run["run"]) for run in runs]
        pages = list(reader.raw("SELECT ends FROM trace_page ORDER BY result_id DESC LIMIT 1"))
    assert [answer.verdict for answer in answers] == ["SHOWN", "SHOWN"]
    ends = {(end[1], end[3]): int(end[7]) for end in json.loads(pages[0][0])}
    assert ends == {(1, 0): 700_000, (1, 1): 250_000, (0, 0): 50_000}
    again = scene.daemon.call("import-history", f"{height}-{height}")
    assert "stored 0 blocks whole" in again.stdout, again
    refused = scene.daemon.call("import-history", f"{height}-{height + 1}")
    assert refused.returncode == 2 and "not all among those followed" in refused.stderr, refused
