"""Importing history: what a real node says of ancestors and accounts is stored, and nothing that counts changes."""

import random
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from harness.bitcoin import BitcoinNet, Coin
from harness.devnet import ROLES, Devnet, leg
from harness.ethereum import EthereumNet
from harness.families import busy
from harness.relay import Relay
from harness.stored import Stored
from harness.tracerd import Tracerd

from watchers.importing import TURN_S

FACTS = ("block", "tx", "movement", "holder", "coverage", "asset", "token_text")
"""What an import adds rows to; all other tables stay as they are."""

CASEWORK = ("entry", "held", "ledger", "label", "edge", "traced", "cursor")


def case(
    net: Devnet, birth: int, holders: Sequence[str] = tuple(ROLES), ref: str = "disposal", seizure: int | None = None
) -> str:
    """A case that watches holders from a height on, where its seizure lies too unless another height is given."""
    lines = ["[case]", f'id = "{ref}"', 'title = "Case"', 'preset = "observe"', "[case.seizure]"]
    lines.append(f"{net.name} = {birth if seizure is None else seizure}")
    for holder in holders:
        lines += ["[[watch]]", f'id = "{net.name}-{holder}"', f'chain = "{net.name}"', net.watch_key(holder)]
        lines += [f'role = "{ROLES.get(holder, "agency")}"', f"birth = {birth}"]
    legs = [leg(net, "secure", "seized", "authority", "0.02")] if "authority" in holders else []
    return "\n".join([*lines, *legs]) + "\n"


class Import:
    """A daemon that follows a net, and what was stored before and after history was imported."""

    def __init__(self, net: Devnet, folder: Path, cases: Sequence[str], **settings: object) -> None:
        self.net, self.cases, self.folder = net, cases, folder
        self.daemon = Tracerd(folder / "importing", [net.table(**settings)], cases)
        self.stored = Stored(self.daemon.store)

    def in_step(self) -> None:
        height = self.net.height()
        want = (height, self.net.hashes(height, height)[0])
        self.daemon.until(
            lambda: (
                self.stored.tip(self.net.name) == want
                and not self.stored.rows("SELECT 1 FROM backfill WHERE published_height IS NULL")
            ),
            "in step",
        )

    def _idle(self, height: int) -> bool:
        """Whether the daemon has found nothing more to do there: what it checks at the tip is checked."""
        status = self.stored.status(self.net.name)
        return status is not None and (status.state, status.node_height) == ("in step", height)

    def run(self, *command: str, code: int = 0) -> list[str]:
        """Import; returns what it said on stdout, or on stderr where it fails."""
        answer = self.daemon.call("import-history", *command)
        assert answer.returncode == code, answer.stdout + answer.stderr
        return (answer.stderr if code else answer.stdout).splitlines()

    def casework(self, stored: Stored | None = None) -> dict[str, Any]:
        derived = (stored or self.stored).derived()
        return {name: derived[name] for name in CASEWORK} | {"verdict": derived.get("verdict")}

    def report(self) -> list[str]:
        """What an analyst reads of the case: its ledger, legs, proofs and frontier."""
        tracer = [str(Path(sys.executable).with_name("tracer")), "--store", str(self.daemon.store)]
        said = []
        for command in (["report", "--case", "disposal"], ["frontier"]):
            answer = subprocess.run([*tracer, *command], capture_output=True, text=True, timeout=60, check=False)
            assert answer.returncode in (0, 3, 4), answer.stderr
            said += answer.stdout.splitlines()
        return said

    def never_imported(self) -> Stored:
        """A store that follows the same chain for the same cases, and imported nothing."""
        fresh = Tracerd(self.folder / "fresh", [self.net.table()], self.cases)
        assert fresh.sync() == 0, fresh.log
        return Stored(fresh.store)


def stands(before: dict[str, list[tuple[Any, ...]]], after: dict[str, list[tuple[Any, ...]]]) -> None:
    """Nothing but facts was added, and no row that was there is changed."""
    for table, rows in before.items():
        if table == "block":  # one that had no header to keep gets its own, because a proof leads to it
            now = {row[0]: row for row in after[table]}
            assert all(row == (*now[row[0]][:6], row[6] and now[row[0]][6], *now[row[0]][7:]) for row in rows)
        elif table in FACTS:
            assert Counter(rows) - Counter(after[table]) == Counter(), table
        else:
            assert rows == after[table], table


class Peel:
    """Coins that pass through strangers' hands, long before anybody follows, and then reach a seized address."""

    def __init__(self, net: BitcoinNet) -> None:
        self.net = net
        self.txids: list[str] = []
        coin = net.coins("rich")[0]
        self.coin = self.pay(coin, "stranger", [])
        net.mine(3)
        self.coin = self.pay(self.coin, "stranger2", [("loot", net.cents)])  # a watch of later gets a coin here
        self.coin = self.pay(self.coin, "stranger", [], mine=False)
        self.coin = self.pay(self.coin, "stranger2", [])  # two in one block
        net.mine(4)
        self.young = net.height() + 1
        self.coin = self.pay(self.coin, "seized", [])

    def pay(self, coin: Coin, to: str, beside: list[tuple[str, int]], *, mine: bool = True) -> Coin:
        amount = coin.amount - 1_000 - sum(value for _, value in beside)
        raw, txid = self.net.sign([coin], [(to, amount), *beside])
        self.net._waiting.append(raw)
        self.txids.append(txid)
        if mine:
            self.net.mine()
        return Coin(txid, 0, amount, to)

    def spend_loot(self) -> None:
        """Let the coin that the later watch got be spent."""
        self.net.look_again()
        old = next(coin for coin in self.net.coins("loot") if coin.txid in self.txids)
        self.net._waiting.append(self.net.sign([old], [("stranger", old.amount - 1_000)])[0])
        self.net.mine()


def truth(net: BitcoinNet, txid: str) -> Counter[tuple[Any, ...]]:
    """The movements of a transaction by the node's own words: kind, index, amount, script."""
    block = net.node.rpc("getrawtransaction", txid, 1)["blockhash"]
    said = net.node.rpc("getrawtransaction", txid, 2, block)
    sat = lambda value: int(value * 10**8)  # noqa: E731 - exact: the harness reads numbers as Decimal
    ins = [
        (0, index, sat(one["prevout"]["value"]), one["prevout"]["scriptPubKey"]["hex"])
        for index, one in enumerate(said["vin"])
        if "coinbase" not in one
    ]
    outs = [(1, one["n"], sat(one["value"]), one["scriptPubKey"]["hex"]) for one in said["vout"]]
    fee = sum(one[2] for one in ins) - sum(one[2] for one in outs)
    return Counter([*ins, *outs, *([(2, 0, fee, "")] if ins else [])])


def stored_tx(stored: Stored, txid: str) -> Counter[tuple[Any, ...]]:
    rows = stored.rows(
        "SELECT m.kind, m.idx, CAST(m.amount AS INTEGER), lower(hex(coalesce(s.key, t.key, ''))) FROM movement m"
        " JOIN tx x ON x.id = m.tx_id JOIN block b ON b.id = m.block_id AND b.canonical"
        " LEFT JOIN holder s ON s.id = m.source_id LEFT JOIN holder t ON t.id = m.target_id WHERE x.txid = ?",
        bytes.fromhex(txid),
    )
    return Counter(rows)


@pytest.mark.parametrize("running", [True, False], ids=["running", "alone"])
def test_ancestors_are_stored_as_the_node_tells_them_and_nothing_that_counts_changes(
    bitcoin: BitcoinNet, tmp_path: Path, running: bool
) -> None:
    peel = Peel(bitcoin)
    peel.pay(peel.coin, "authority", [])  # so that the case rests on what made the seized coin
    peel.txids.pop()
    late = Import(bitcoin, tmp_path, [case(bitcoin, peel.young)])
    if running:
        late.daemon.start()
        late.in_step()
    else:
        assert late.daemon.sync() == 0
    before, casework, report = late.stored.evidence(), late.casework(), late.report()
    assert any("PROOF-1" in line for line in report)
    said = late.run(f"{peel.txids[-1]}:0", "--depth", "0")
    assert said[-1].startswith("bitcoin: fetched 6 transactions from 5 blocks"), said
    assert said[-1].endswith("headers") and "coinbases reached: 1" in said[-1]
    assert len(said) == 1, "nothing is missing"
    for txid in peel.txids:
        assert stored_tx(late.stored, txid) == truth(bitcoin, txid)
    assert stored_tx(late.stored, peel.coin.txid) == truth(bitcoin, peel.coin.txid)
    stands(before, late.stored.evidence())
    assert late.casework() == casework
    assert late.report() == report
    assert late.stored.faults() == []
    proven = late.stored.rows("SELECT count(*), sum(proof IS NULL) FROM tx WHERE id < 0")
    assert proven == [(5, 0)], "the seized coin's own transaction was there"
    assert late.stored.rows("SELECT count(*) FROM movement WHERE id < 0 AND lane > 0") == [(0,)]
    blocks = late.stored.canonical("bitcoin")
    assert blocks == list(enumerate(bitcoin.hashes(blocks[0][0], bitcoin.height()), blocks[0][0])), "without a gap"
    after = late.stored.evidence()
    again = late.run(f"{peel.txids[-1]}", "--depth", "0")
    assert again[-1].startswith("bitcoin: fetched 0 transactions") and "stored before: 6" in again[-1]
    assert late.stored.evidence() == after
    if running:
        assert late.daemon.stop() == 0


@pytest.mark.parametrize("opens", [0, 5], ids=["opened", "opens later"])
def test_a_coin_of_a_watched_holder_from_before_its_watch_changes_nothing_before_or_after_a_restart(
    bitcoin: BitcoinNet, rng: random.Random, tmp_path: Path, opens: int
) -> None:
    peel = Peel(bitcoin)
    late = Import(bitcoin, tmp_path, [case(bitcoin, peel.young, seizure=peel.young + 4 + opens)])
    late.daemon.start()
    late.in_step()
    late.run(peel.txids[-1], "--depth", "0")
    loot = late.stored.rows(
        "SELECT m.id FROM movement m JOIN holder h ON h.id = m.target_id WHERE h.key = ? AND m.id < 0",
        bitcoin.key("loot"),
    )
    assert loot, "a watched holder's coin was imported"
    busy(bitcoin, rng, 6)
    late.in_step()
    assert late.daemon.stop() == 0
    late.daemon.start()
    late.in_step()
    peel.spend_loot()
    busy(bitcoin, rng, 6)
    bitcoin.reorg(2, rng)
    late.in_step()
    assert late.daemon.stop() == 0
    fresh = late.never_imported()
    assert late.casework() == late.casework(fresh)
    followed = "SELECT hex(t.txid) FROM tx t JOIN block b ON b.id = t.block_id AND b.canonical WHERE t.id > 0"
    assert sorted(late.stored.rows(followed)) == sorted(fresh.rows(followed))
    assert late.stored.faults() == []


def test_a_late_case_counts_coins_that_were_imported_before_it(
    bitcoin: BitcoinNet, rng: random.Random, tmp_path: Path
) -> None:
    peel = Peel(bitcoin)
    first = case(bitcoin, peel.young, ("seized", "authority"))
    late = Import(bitcoin, tmp_path, [first])
    late.daemon.start()
    late.in_step()
    late.run(peel.txids[-1], "--depth", "0")
    second = case(bitcoin, bitcoin.first, ("loot", "agency"), "second")
    answer = late.daemon.call("case", "import", str(late.daemon.write_case("second.toml", second)))
    assert answer.returncode == 0, answer.stderr
    late.in_step()
    assert late.daemon.stop() == 0
    late.daemon.start()
    late.in_step()
    peel.spend_loot()
    busy(bitcoin, rng, 8)
    late.in_step()
    assert late.daemon.stop() == 0
    late.cases = [first, second]
    fresh, found = late.never_imported().derived(), late.stored.derived()
    for name in ("entry", "held", "ledger", "label", "traced"):
        second_only = [
            Counter({row: n for row, n in said[name].items() if row[0] == "second"}) for said in (found, fresh)
        ]
        assert second_only[0] == second_only[1], name
    assert sum(found["entry"].values()) > 0
    assert late.stored.faults() == []


def test_limits_say_what_they_cut_off_and_another_run_goes_on(bitcoin: BitcoinNet, tmp_path: Path) -> None:
    peel = Peel(bitcoin)
    late = Import(bitcoin, tmp_path, [case(bitcoin, peel.young)])
    assert late.daemon.sync() == 0
    last = int(late.stored.rows("SELECT amount FROM movement WHERE kind = 1 ORDER BY id")[0][0])
    said = late.run(peel.txids[-1], "--depth", "1")
    assert said[0] == (
        f"missing: 1 coin of 1 transaction, {(last + 2_000) / 10**8:.8f} BTC: beyond the limit of generations"
    )
    assert said[-1].startswith("bitcoin: fetched 2 transactions from 2 blocks")
    said = late.run(peel.txids[-1], "--depth", "0", "--max-transactions", "2")
    assert said[0].startswith("missing: 1 coin of 1 transaction") and said[0].endswith("limit of transactions")
    assert "stored before: 2" in said[-1]
    said = late.run(peel.txids[-1], "--depth", "0")
    assert len(said) == 1 and "fetched 2 transactions" in said[0], said
    for txid in peel.txids:
        assert stored_tx(late.stored, txid) == truth(bitcoin, txid)


def test_a_transaction_that_is_unknown_or_waits_is_refused_with_the_reason(bitcoin: BitcoinNet, tmp_path: Path) -> None:
    late = Import(bitcoin, tmp_path, [case(bitcoin, bitcoin.height())])
    assert late.daemon.sync() == 0
    assert "the node does not have it" in late.run("ab" * 32, code=2)[-1]
    coin = bitcoin.coins("rich")[0]
    txid = bitcoin.broadcast([coin], [("stranger", coin.amount - 1_000)])
    assert "it is in no block yet" in late.run(txid, code=2)[-1]
    assert "has no output 7" in late.run(f"{coin.txid}:7", code=2)[-1]
    assert "neither TXID nor TXID:INDEX" in late.run("seized", "--chain", "bitcoin", code=2)[-1]
    assert "nor an account of a chain" in late.run("seized", code=2)[-1]


def test_without_an_index_one_transaction_of_a_named_block_is_imported(bitcoind_exe: Path, tmp_path: Path) -> None:
    net = BitcoinNet(bitcoind_exe, ["-txindex=0"])
    try:
        peel = Peel(net)
        late = Import(net, tmp_path, [case(net, peel.young)])
        assert late.daemon.sync() == 0
        said = late.run(peel.txids[-1], code=2)[-1]
        assert "keeps no index of transactions" in said and "-txindex=1" in said and "--block" in said
        said = late.run(peel.txids[-2], "--block", str(peel.young - 5))
        assert "fetched 2 transactions from 1 block" in said[-1], said
        assert "the node's index was not asked" in said[0]
        made = late.stored.rows("SELECT count(*) FROM movement WHERE id < 0 AND kind = 0 AND spends_id IS NOT NULL")
        assert made == [(1,)], "one of the two spends the other's coin"
        assert "is not on the chain" in late.run(peel.txids[-1], "--block", "ab" * 32, code=2)[-1]
    finally:
        net.close()


def test_a_block_that_does_not_stand_up_is_refused_and_nothing_of_it_is_stored(
    bitcoin: BitcoinNet, tmp_path: Path
) -> None:
    peel = Peel(bitcoin)
    block = bitcoin.node.rpc("getrawtransaction", peel.txids[0], 1)["blockhash"]
    with Relay(bitcoin.port, lie=bitcoin.spoils(block)) as relay:
        late = Import(bitcoin, tmp_path, [case(bitcoin, peel.young)], port=relay.port)
        assert late.daemon.sync() == 0
        before = late.stored.evidence()
        said = late.run(peel.txids[-1], "--depth", "0", code=3)
        assert "is refused" in said[-1], said
        after = late.stored.evidence()
        stands(before, after)
        assert after["movement"] == before["movement"] and after["tx"] == before["tx"]
        assert late.daemon.sync() == 0, "the chain does not halt for it"


def test_an_imported_block_that_leaves_the_chain_is_orphaned_like_any_other(
    bitcoin: BitcoinNet, rng: random.Random, tmp_path: Path
) -> None:
    late = Import(bitcoin, tmp_path, [case(bitcoin, bitcoin.height(), ("seized", "authority"))])
    bitcoin.pay("rich", "stranger", 3)
    bitcoin.mine()
    [txid] = bitcoin.node.rpc("getblock", bitcoin.hashes(bitcoin.height(), bitcoin.height())[0])["tx"][1:]
    late.daemon.start()
    late.in_step()
    late.run(txid, "--depth", "1")
    assert stored_tx(late.stored, txid) == truth(bitcoin, txid)
    rows = late.stored.rows("SELECT * FROM movement ORDER BY id")
    bitcoin.reorg(1, rng)
    late.in_step()
    assert stored_tx(late.stored, txid) == Counter()
    kept = late.stored.rows("SELECT * FROM movement ORDER BY id")
    assert Counter(rows) - Counter(kept) == Counter()
    assert late.daemon.stop() == 0
    assert late.stored.faults() == []


def test_a_transaction_of_a_dead_branch_is_not_imported_though_the_node_still_knows_it(
    bitcoin: BitcoinNet, tmp_path: Path
) -> None:
    coin = bitcoin.coins("rich")[0]
    dead = bitcoin.broadcast([coin], [("stranger", coin.amount - 1_000)])
    bitcoin.node.mine()
    bitcoin.shrink(1)
    bitcoin._waiting.append(bitcoin.sign([coin], [("stranger2", coin.amount - 2_000)])[0])
    bitcoin.mine(8)
    assert bitcoin.node.rpc("getrawtransaction", dead, 1)["confirmations"] == 0
    late = Import(bitcoin, tmp_path, [case(bitcoin, bitcoin.height())])
    assert late.daemon.sync() == 0
    before = late.stored.evidence()
    said = late.run(dead, "--depth", "1")
    assert said[0].endswith("its block is not on the chain that is followed here"), said
    assert "fetched 1 transaction from 1 block" in said[-1], "the coin that it would spend is there"
    assert late.stored.rows("SELECT count(*) FROM tx WHERE txid = ?", bytes.fromhex(dead)) == [(0,)]
    stands(before, late.stored.evidence())


def moves_of(net: EthereumNet, stored: Stored, holder: str, last: int) -> Counter[tuple[Any, ...]]:
    """What is stored of an account up to a height, by natural keys."""
    key = net.key(holder)
    facts = stored.facts(net.name)
    return Counter({f: n for f, n in facts.items() if key in (f.source, f.target) and f.height <= last})


@pytest.mark.parametrize("verify", ["all", "hits"])
def test_an_account_that_nobody_watches_is_read_from_its_beginning(
    ethereum: EthereumNet, rng: random.Random, tmp_path: Path, verify: str
) -> None:
    busy(ethereum, rng, 25)
    young = ethereum.height()
    late = Import(ethereum, tmp_path, [case(ethereum, young)], verify=verify)
    busy(ethereum, rng, 10)
    late.daemon.start()
    late.in_step()
    before, casework = late.stored.evidence(), late.casework()
    tip = ethereum.height()
    said = late.run(ethereum.accounts["stranger"], "--from", str(young - 10))
    assert said[0] == f"missing: blocks below {young - 10} were not asked for"
    assert f"read {tip - young + 11} blocks" in said[-1], said
    said = late.run(ethereum.accounts["stranger"][2:])
    assert f"read {young - 11} blocks" in said[-1] and "no case watches it" in said[-1], said
    if verify == "all":
        stands(before, late.stored.evidence())
    assert late.casework() == casework
    spans = late.stored.rows(
        "SELECT min(from_height), max(to_height), sum(to_height - from_height + 1) FROM coverage"
        " WHERE lower(watch_set) = ?",
        f"history:{ethereum.accounts['stranger']}",
    )
    assert spans == [(1, tip, tip)]
    after = late.stored.evidence()
    assert "read 0 blocks" in late.run(ethereum.accounts["stranger"])[-1]
    if verify == "all":
        assert late.stored.evidence() == after
    busy(ethereum, rng, 5)
    late.in_step()
    unproven = "SELECT count(*) FROM tx t JOIN block b ON b.id = t.block_id AND b.canonical WHERE t.proof IS NULL"
    late.daemon.until(lambda: late.stored.rows(unproven) == [(0,)], "every hit proven", 30.0)
    assert late.daemon.stop() == 0
    blocks = late.stored.canonical("ethereum")
    assert blocks == list(enumerate(ethereum.hashes(0, ethereum.height()))), "one chain, without a gap"
    watching = Tracerd(tmp_path / "watching", [ethereum.table()], [case(ethereum, 1, ["stranger"])])
    assert watching.sync() == 0, watching.log
    wanted = moves_of(ethereum, Stored(watching.store), "stranger", tip)
    assert moves_of(ethereum, late.stored, "stranger", tip) == wanted
    assert sum(wanted.values()) > 5
    assert late.casework() == late.casework(late.never_imported())
    assert late.stored.faults() == []


def test_what_is_imported_into_a_block_that_owes_its_proofs_does_not_stand_in_their_way(
    ethereum: EthereumNet, rng: random.Random, tmp_path: Path
) -> None:
    young = ethereum.height()
    late = Import(ethereum, tmp_path, [case(ethereum, young)], verify="hits")
    busy(ethereum, rng, 15)
    for _ in range(3):
        ethereum.pay("stranger", "stranger2", 1)
        ethereum.pay("seized", "stranger", 1)
        ethereum.mine()
    assert late.daemon.sync() == 0
    with closing(sqlite3.connect(late.daemon.store)) as store:  # as a catch-up leaves it that was cut short
        store.execute("UPDATE tx SET proof = NULL")
        store.execute("UPDATE block SET checked = 1 WHERE id IN (SELECT block_id FROM tx)")
        store.commit()
    casework = late.casework()
    late.run(ethereum.accounts["stranger2"])
    assert late.stored.rows("SELECT count(*) FROM movement WHERE id < 0 AND kind = 3")[0][0] >= 1
    late.run(ethereum.accounts["stranger"])
    assert late.daemon.sync() == 0, late.daemon.log
    assert late.stored.rows("SELECT count(*) FROM tx WHERE proof IS NULL") == [(0,)]
    assert late.casework() == casework
    assert not [rule for rule, severity, _ in late.stored.alerts() if rule.startswith("CHAIN")]
    assert late.stored.faults() == []


def test_a_watched_account_is_read_up_to_where_its_watch_begins(
    ethereum: EthereumNet, rng: random.Random, tmp_path: Path
) -> None:
    busy(ethereum, rng, 12)
    young = ethereum.height()
    late = Import(ethereum, tmp_path, [case(ethereum, young)])
    busy(ethereum, rng, 5)
    assert late.daemon.sync() == 0
    before = late.stored.evidence()
    said = late.run(ethereum.accounts["loot"])
    assert f"read {young - 1} blocks" in said[-1] and said[-1].endswith("known from block 1 on")
    stands(before, late.stored.evidence())
    busy(ethereum, rng, 5)
    assert late.daemon.sync() == 0
    assert late.casework() == late.casework(late.never_imported())
    watching = Tracerd(tmp_path / "watching", [ethereum.table()], [case(ethereum, 1, ["loot"])])
    assert watching.sync() == 0, watching.log
    tip = ethereum.height()
    assert moves_of(ethereum, late.stored, "loot", tip) == moves_of(ethereum, Stored(watching.store), "loot", tip)


def test_a_reorg_takes_back_what_was_read_and_another_run_reads_it_again(
    ethereum: EthereumNet, rng: random.Random, tmp_path: Path
) -> None:
    busy(ethereum, rng, 4)
    late = Import(ethereum, tmp_path, [case(ethereum, ethereum.height())])
    busy(ethereum, rng, 8)
    late.daemon.start()
    late.in_step()
    tip = ethereum.height()
    late.run(ethereum.accounts["stranger2"])
    ethereum.reorg(3, rng)
    late.in_step()
    spans = "SELECT from_height, to_height FROM coverage WHERE watch_set LIKE 'history:%' ORDER BY 1"
    assert late.stored.rows(spans) == [(1, tip - 3)]
    assert f"read {ethereum.height() - tip + 3} blocks" in late.run(ethereum.accounts["stranger2"])[-1]
    assert late.stored.rows(spans) == [(1, ethereum.height())]
    assert late.daemon.stop() == 0
    watching = Tracerd(tmp_path / "watching", [ethereum.table()], [case(ethereum, 1, ["stranger2"])])
    assert watching.sync() == 0, watching.log
    tip = ethereum.height()
    wanted = moves_of(ethereum, Stored(watching.store), "stranger2", tip)
    assert wanted and moves_of(ethereum, late.stored, "stranger2", tip) == wanted
    assert late.stored.faults() == []


@pytest.mark.parametrize("running", [True, False], ids=["running", "alone"])
def test_an_import_that_is_killed_goes_on_where_it_stood(
    ethereum: EthereumNet, rng: random.Random, tmp_path: Path, running: bool
) -> None:
    for _ in range(14 if running else 6):
        busy(ethereum, rng, 4)
        ethereum.mine(250)
    young = ethereum.height()
    late = Import(ethereum, tmp_path, [case(ethereum, young)])
    if running:
        late.daemon.start()
        late.in_step()
    else:
        assert late.daemon.sync() == 0
    before, casework = late.stored.evidence(), late.casework()
    helper = Tracerd(tmp_path / "helper", [])
    helper.config, helper.store = late.daemon.config, late.daemon.store
    helper.start("import-history", ethereum.accounts["stranger"])
    helper.until(lambda: "to block" in helper.log, "some blocks read")
    helper.kill()
    read = "SELECT coalesce(max(to_height), 0) FROM coverage WHERE watch_set LIKE 'history:%'"
    assert 0 < late.stored.rows(read)[0][0] < young
    if running:
        time.sleep(2 * TURN_S)  # the daemon ends the turn that it was asked for, then nobody asks on
    stood = late.stored.rows(read)[0][0]
    assert f"read {young - stood:,} block" in late.run(ethereum.accounts["stranger"])[-1]
    assert late.stored.rows(read) == [(young,)]
    if running:
        assert late.daemon.stop() == 0
    stands(before, late.stored.evidence())
    assert late.casework() == casework
    assert late.stored.canonical("ethereum") == list(enumerate(ethereum.hashes(0, young)))
    facts = late.stored.facts("ethereum", orphaned=True)
    assert [fact for fact, times in facts.items() if times > 1] == []
    assert late.stored.faults() == []
    if running:
        return  # anvil does not keep the state of so many blocks
    watching = Tracerd(tmp_path / "watching", [ethereum.table()], [case(ethereum, 1, ["stranger"])])
    assert watching.sync() == 0, watching.log
    wanted = moves_of(ethereum, Stored(watching.store), "stranger", young)
    assert moves_of(ethereum, late.stored, "stranger", young) == wanted
