"""The throw-away nodes do what every other test relies on."""

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import pytest

from fixtures.anvil import Anvil
from fixtures.bitcoind import Bitcoind
from fixtures.jsonrpc import RpcError
from fixtures.process import NodeFailed, NodeProcess


def alive(pid: int) -> bool:
    """Say whether `pid` runs; a zombie does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def gone_within(pid: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not alive(pid)


def test_bitcoind_mines_and_pays_the_reward_in_exact_decimals(bitcoind: Bitcoind) -> None:
    hashes = bitcoind.mine(3)
    assert bitcoind.rpc("getbestblockhash") == hashes[-1]
    reward = bitcoind.rpc("getblock", hashes[0], 2)["tx"][0]["vout"][0]["value"]
    assert reward == Decimal(50)
    assert isinstance(reward, Decimal)


@pytest.mark.parametrize("depth", [1, 5])
def test_bitcoind_reorg_replaces_exactly_depth_blocks(bitcoind: Bitcoind, depth: int) -> None:
    old = bitcoind.mine(6)
    new = bitcoind.reorg(depth)
    assert len(new) == depth + 1
    chain = [bitcoind.rpc("getblockhash", height) for height in range(1, 6 + 2)]
    assert chain == old[: 6 - depth] + new
    assert bitcoind.rpc("getblockheader", old[-1])["confirmations"] == -1


def test_bitcoind_chain_gets_shorter_then_grows_differently_then_the_old_branch_returns(
    bitcoind: Bitcoind,
) -> None:
    old = bitcoind.mine(4)
    assert bitcoind.reorg(3, new_length=0) == []
    assert bitcoind.rpc("getblockcount") == 1
    bitcoind.mine(1)
    bitcoind.reconsider(old[1])
    assert bitcoind.rpc("getbestblockhash") == old[-1]


def test_bitcoind_reorg_puts_a_payment_back_into_the_mempool_unless_it_is_named(bitcoind: Bitcoind) -> None:
    bitcoind.rpc("createwallet", "payer")
    bitcoind.mine(1, bitcoind.rpc("getnewaddress", "", "bech32", wallet="payer"))
    bitcoind.mine(100)
    to = bitcoind.rpc("getnewaddress", "", "bech32m", wallet="payer")
    txid = bitcoind.rpc("sendtoaddress", to, Decimal("0.12345678"), wallet="payer")
    bitcoind.mine(1)
    bitcoind.reorg(1)
    assert bitcoind.rpc("getrawmempool") == [txid]
    named = bitcoind.reorg(2, txs=[[txid]])
    assert txid in bitcoind.rpc("getblock", named[0])["tx"]
    assert bitcoind.rpc("getrawmempool") == []


def test_bitcoind_keeps_its_chain_and_ports_over_restart_and_answers_after_kill(bitcoind: Bitcoind) -> None:
    tip, url = bitcoind.mine(5)[-1], bitcoind.rpc_url
    bitcoind.restart()
    assert (bitcoind.rpc("getbestblockhash"), bitcoind.rpc_url) == (tip, url)
    bitcoind.kill()
    assert not bitcoind.running
    bitcoind.start()
    assert bitcoind.rpc("getblockcount") <= 5


def test_bitcoind_says_why_it_refuses_a_block(bitcoind: Bitcoind) -> None:
    block = bitcoind.mine(1)[0]
    with pytest.raises(RpcError, match="duplicate"):
        bitcoind.submit_block(bitcoind.rpc("getblock", block, 0))


def test_two_bitcoinds_agree_once_connected(bitcoind_exe: Path) -> None:
    with Bitcoind(bitcoind_exe, listen=True) as one, Bitcoind(bitcoind_exe) as two:
        tip = one.mine(2)[-1]
        two.mine(1)
        two.rpc("addnode", one.p2p_address, "onetry")
        deadline = time.monotonic() + 20
        while two.rpc("getbestblockhash") != tip and time.monotonic() < deadline:
            time.sleep(0.05)
        assert two.rpc("getbestblockhash") == tip


def test_anvil_finality_follows_the_tip(anvil: Anvil) -> None:
    anvil.mine(10)
    safe, finalized = anvil.batch(
        [("eth_getBlockByNumber", (tag, False)) for tag in ("safe", "finalized")],
    )
    assert (int(safe["number"], 16), int(finalized["number"], 16)) == (8, 6)


def test_anvil_reorg_keeps_the_height_and_drops_the_payment(anvil: Anvil) -> None:
    payer, payee = anvil.accounts[:2]
    before = anvil.rpc("eth_getBalance", payee, "latest")
    old = anvil.mine(2)
    anvil.transact({"from": payer, "to": payee, "value": "0x10"})
    new = anvil.reorg(2)
    assert anvil.height() == 3
    assert anvil.hashes(1, 1) == old[:1]
    assert set(new).isdisjoint(old)
    assert anvil.rpc("eth_getBalance", payee, "latest") == before


def test_anvil_without_automatic_mining_waits(anvil_exe: Path) -> None:
    with Anvil(anvil_exe, no_mining=True) as node:
        payer, payee = node.accounts[:2]
        tx = node.rpc("eth_sendTransaction", {"from": payer, "to": payee, "value": "0x10"})
        assert node.height() == 0
        node.mine()
        assert node.rpc("eth_getTransactionReceipt", tx)["status"] == "0x1"


def test_anvil_snapshot_and_rollback_take_blocks_away(anvil: Anvil) -> None:
    anvil.mine(2)
    snapshot = anvil.snapshot()
    anvil.mine(3)
    anvil.revert(snapshot)
    assert anvil.height() == 2
    anvil.rollback(1)
    assert anvil.height() == 1


def test_anvil_keeps_blocks_traces_and_old_balances_over_restart(anvil: Anvil) -> None:
    payer, payee = anvil.accounts[:2]
    tx = anvil.transact({"from": payer, "to": payee, "value": "0x10"})["transactionHash"]
    hashes = anvil.mine(3)
    questions = [
        ("trace_block", ("0x1",)),
        ("eth_getTransactionReceipt", (tx,)),
        ("eth_getBalance", (payee, "0x0")),
        ("eth_getBalance", (payee, "0x1")),
        ("eth_getProof", (payee, [], "0x1")),
    ]
    before = anvil.batch(questions)
    anvil.restart()
    assert anvil.hashes(2, 4) == hashes
    assert anvil.batch(questions) == before
    assert int(before[3], 16) - int(before[2], 16) == 0x10


def test_a_paused_node_is_silent_until_it_resumes(anvil: Anvil) -> None:
    anvil.pause()
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(anvil.height)
        with pytest.raises(TimeoutError):
            answer.result(0.3)
        anvil.resume()
        assert answer.result(10) == 0


@pytest.mark.parametrize("kind", [Bitcoind, Anvil])
def test_nothing_is_left_behind(kind: type[NodeProcess], bitcoind_exe: Path, anvil_exe: Path) -> None:
    node = Bitcoind(bitcoind_exe) if kind is Bitcoind else Anvil(anvil_exe)
    with node:
        pid, directory = node.pid, node.directory
        assert alive(pid)
        assert directory.is_dir()
    assert not alive(pid)
    assert not directory.exists()


def test_a_node_that_cannot_start_says_why(bitcoind_exe: Path) -> None:
    with (
        pytest.raises(NodeFailed, match="nosuchoption"),
        Bitcoind(bitcoind_exe, extra_args=["-nosuchoption"]),
    ):
        pass


def test_a_node_started_in_a_worker_thread_outlives_the_thread(anvil_exe: Path) -> None:
    node = Anvil(anvil_exe)
    thread = threading.Thread(target=node.start)
    thread.start()
    thread.join()
    try:
        time.sleep(0.2)
        assert node.height() == 0
    finally:
        node.close()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_nodes_die_with_their_parent(bitcoind_exe: Path, anvil_exe: Path, how: signal.Signals) -> None:
    program = (
        "import sys, time; from pathlib import Path\n"
        "from fixtures.anvil import Anvil; from fixtures.bitcoind import Bitcoind\n"
        "b, a = Bitcoind(Path(sys.argv[1])), Anvil(Path(sys.argv[2]))\n"
        "b.start(); a.start(); print(b.pid, a.pid, b.directory, a.directory, flush=True); time.sleep(60)"
    )
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", program, str(bitcoind_exe), str(anvil_exe)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as parent:
        assert parent.stdout is not None
        first, second, *directories = parent.stdout.readline().split()
        assert alive(int(first))
        assert alive(int(second))
        os.kill(parent.pid, how)
    try:
        assert gone_within(int(first), 5)
        assert gone_within(int(second), 5)
    finally:
        for directory in directories:
            subprocess.run(["rm", "-rf", directory], check=True)
