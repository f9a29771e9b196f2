"""Builds each dense chain, lets the naive loop and the daemon take turns on it, and compares what they found."""

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import daemon, dense_anvil, dense_bitcoin
from benchmarks.story import Played, Size, toml_text, write_case
from fixtures.bitcoind import Bitcoind

Say = Callable[[str], None]
Ask = Callable[[str, dict[str, Any]], dict[str, Any]]


class HitsDiffer(Exception):
    """Daemon and naive loop did not find the same: no number is worth anything."""


@dataclass(frozen=True, slots=True)
class Naive:
    """One timed part of the naive loop."""

    blocks: int
    txs: int
    seconds: float
    cpu_s: float
    node_cpu_s: float


@dataclass(frozen=True, slots=True)
class Result:
    """All that was measured on one chain. import_s: of the case with all its watches."""

    played: Played
    size: Size
    node_version: str
    import_s: float
    naive: tuple[Naive, ...]
    runs: tuple[daemon.Run, ...]
    hits: int
    legs_shown: int


@dataclass(frozen=True, slots=True)
class Bench:
    """A built chain with its case imported: how the naive loop is asked, and where the daemon's configuration is."""

    played: Played
    size: Size
    node: int
    tip: int
    config: Path
    import_s: float
    ask: Callable[[int, int], dict[str, Any]]


def bitcoin(size: Size, repeats: int, folder: Path, say: Say) -> Result:
    """Measure the Bitcoin chain."""
    tags = dense_bitcoin.holders(size)
    with Bitcoind() as node:
        played = dense_bitcoin.build(node, size, tags, _every(50, size, say))
        chain = (
            '[chain.bitcoin]\nfamily = "bitcoin"\nnetwork = "regtest"\n'
            f"rpc_url = {toml_text(node.rpc_url)}\ncookie_file = {toml_text(str(node.cookie_file))}\n"
        )
        config, import_s = _declare(folder, chain, played, list(dense_bitcoin.lists(tags)), say)
        order: dict[str, Any] = {
            "url": node.rpc_url,
            "cookie": str(node.cookie_file),
            "node": node.pid,
            "lists": _lists(folder),
            "coins": [],
        }

        def ask(first: int, last: int) -> dict[str, Any]:
            order["first"], order["blocks"] = node.rpc("getblockhash", first), last + 1 - first
            answer = _naive("naive_bitcoin", order)
            order["coins"] = answer["coins"]
            return answer

        version = str(node.rpc("getnetworkinfo")["subversion"]).strip("/")
        tip = int(node.rpc("getblockcount"))
        return _measure(Bench(played, size, node.pid, tip, config, import_s, ask), repeats, version, say)


def ethereum(size: Size, repeats: int, folder: Path, say: Say) -> Result:
    """Measure the Ethereum chain."""
    accounts = dense_anvil.holders(size)
    with dense_anvil.dense_node() as node:
        played, token = dense_anvil.build(node, size, accounts, _every(200, size, say))
        chain = (
            f'[chain.ethereum]\nfamily = "ethereum"\nchain_id = {node.chain_id}\nrpc_url = {toml_text(node.rpc_url)}\n'
            f'[[chain.ethereum.token]]\nsymbol = "BUSD"\ncontract = "{token}"\ndecimals = 6\n'
        )
        config, import_s = _declare(folder, chain, played, list(accounts.items()), say)
        order = {"url": node.rpc_url, "node": node.pid, "lists": _lists(folder)}

        def ask(first: int, last: int) -> dict[str, Any]:
            return _naive("naive_ethereum", {**order, "first": first, "last": last})

        version = str(node.rpc("web3_clientVersion"))
        return _measure(Bench(played, size, node.pid, node.height(), config, import_s, ask), repeats, version, say)


def _declare(
    folder: Path, chain: str, played: Played, lists: list[tuple[str, list[str]]], say: Say
) -> tuple[Path, float]:
    folder.mkdir()
    case = write_case(folder, played, lists)
    config = daemon.write_config(folder, chain)
    seconds = daemon.import_case(config, case)
    say(f"{played.chain}: case with {sum(len(lines) for _, lines in lists)} watches imported in {seconds:.1f} s")
    return config, seconds


def _lists(folder: Path) -> dict[str, str]:
    return {role: str(folder / f"{role}.txt") for role in ("seized", "authority", "exchange")}


def _every(step: int, size: Size, say: Say) -> Callable[[int], None]:
    def progress(done: int) -> None:
        if done % step == 0 or done == size.blocks:
            say(f"built {done} of {size.blocks} blocks of {size.txs} transactions")

    return progress


def _naive(module: str, order: dict[str, Any]) -> dict[str, Any]:
    """Run a naive loop in a process of its own, so that nothing else of ours slows it down."""
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{module}"],
        input=json.dumps(order),
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent.parent,
    )
    if done.returncode:
        raise daemon.RunFailed(f"the naive loop ended with {done.returncode}:\n{done.stderr[-2000:]}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _measure(bench: Bench, repeats: int, version: str, say: Say) -> Result:
    """Let naive loop and daemon take turns: the loop walks a part of the chain each time, the daemon all of it.

    Raises HitsDiffer unless every run of the daemon stored exactly what the loop found in all parts together.
    """
    played = bench.played
    hits = _hits(bench.ask(1, played.first - 1))
    naive, runs, stores = list[Naive](), list[daemon.Run](), list[Path]()
    with ExitStack() as files:
        for turn in range(repeats):
            begin = played.first + turn * bench.size.blocks // repeats
            end = played.first + (turn + 1) * bench.size.blocks // repeats - 1
            answer = bench.ask(begin, end)
            hits |= _hits(answer)
            naive.append(Naive(*(answer[key] for key in ("blocks", "txs", "seconds", "cpu_s", "node_cpu_s"))))
            store = daemon.copy_store(bench.config, f"run{turn}.db")
            files.callback(store.unlink)
            stores.append(store)
            runs.append(daemon.sync(bench.config, store, bench.node, bench.tip))
            say(f"{played.chain}: turn {turn + 1} of {repeats} done")
        hits |= _hits(bench.ask(played.last + 1, bench.tip))
        shown = {_compared(store, hits, played) for store in stores}
    say(f"{played.chain}: every run stored the same {len(hits)} movements as the naive loop found")
    return Result(played, bench.size, version, bench.import_s, tuple(naive), tuple(runs), len(hits), shown.pop())


def _hits(answer: dict[str, Any]) -> set[tuple[str, str, str, int, int]]:
    return {(block, txid, kind, index, amount) for block, txid, kind, index, amount in answer["hits"]}


def _compared(store: Path, hits: set[tuple[str, str, str, int, int]], played: Played) -> int:
    """Compare what a run stored and judged with what it should; returns how many legs it found SHOWN."""
    stored = daemon.stored_hits(store)
    if stored != hits:
        examples = [f"only the daemon: {hit}" for hit in sorted(stored - hits)[:3]]
        examples += [f"only the naive loop: {hit}" for hit in sorted(hits - stored)[:3]]
        text = f"{played.chain}: the daemon stored {len(stored)} movements, the naive loop found {len(hits)}"
        raise HitsDiffer("\n".join([text, *examples]))
    shown = daemon.legs_shown(store)
    if shown != played.fulfilled:
        raise HitsDiffer(f"{played.chain}: {played.fulfilled} legs were fulfilled, the daemon shows {shown}")
    return shown
