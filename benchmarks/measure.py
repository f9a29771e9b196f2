"""Builds each dense chain, lets loops, fetchers and the daemon take turns on it, and compares what they found."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks import daemon, dense_anvil, dense_bitcoin
from benchmarks.latency import Latency, Make, follow
from benchmarks.story import Played, Size, toml_text, write_case
from fixtures.bitcoind import Bitcoind
from watchers.bitcoin.family import BitcoinChain

Say = Callable[[str], None]
Hits = set[tuple[str, str, str, int, int]]


class HitsDiffer(Exception):
    """Daemon and naive loop did not find the same: no number is worth anything."""


@dataclass(frozen=True, slots=True)
class Part:
    """One timed part of the naive loop or of the fetcher."""

    blocks: int
    seconds: float
    cpu_s: float
    node_cpu_s: float


@dataclass(frozen=True, slots=True)
class Variant:
    """The daemon in one configuration: its turns, and how it followed live blocks (None: there were none)."""

    name: str
    runs: tuple[daemon.Run, ...]
    latency: Latency | None


@dataclass(frozen=True, slots=True)
class Verified:
    """What it cost to verify a block once: processor seconds, without and with the compiled extra.

    senders_s: what it costs besides to recover the signer of every transaction, which the daemon does for hits only.
    """

    compiled: bool
    transactions: int
    cpu_s: float
    senders_s: float


@dataclass(frozen=True, slots=True)
class Result:
    """All that was measured on one chain.

    import_s: of the case with all its watches. hits, legs_shown: what every run stored and judged at the end of the
    dense chain; hits_live: also with all live blocks.
    """

    played: Played
    size: Size
    node_version: str
    import_s: float
    naive: tuple[Part, ...]
    fetched: tuple[Part, ...]
    variants: tuple[Variant, ...]
    hits: int
    hits_live: int
    verified: tuple[Verified, ...] = ()


@dataclass(frozen=True, slots=True)
class Bench:
    """A built chain with its case imported.

    configs: of the daemon, by the variant's name. naive, fetch: (first height, last height) -> what came of it.
    order: what the observer hears. live: how the live blocks are made, as many for each variant; settle: makes
    blocks until all of them are final.
    """

    played: Played
    size: Size
    node: int
    node_version: str
    tip: int
    configs: dict[str, Path]
    import_s: float
    naive: Callable[[int, int], dict[str, Any]]
    fetch: Callable[[int, int], dict[str, Any]]
    order: dict[str, Any]
    live: Sequence[Make]
    settle: Callable[[], object]


OLD_TIP = ["-maxtipage=1000000000"]
"""Blocks of a fixed time in the past are no initial download to the node, during which it announces no block."""

COMPILED = "compiled" in BitcoinChain.model_fields and find_spec("numba") is not None
"""Whether this version and this installation have compiled steps for Bitcoin."""

BITCOIN = {"plain": 'compiled = "off"\n', "compiled": 'compiled = "on"\n'} if COMPILED else {"plain": ""}
ETHEREUM = {"hits": 'verify = "hits"\n', "all": 'verify = "all"\n'}
"""The daemon's configurations: what each adds to the chain's table."""


def bitcoin(size: Size, repeats: int, folder: Path, say: Say) -> Result:
    """Measure the Bitcoin chain."""
    tags = dense_bitcoin.holders(size)
    if find_spec("watchers.bitcoin.native") is not None and COMPILED:
        from watchers.bitcoin.native import MAKER

        MAKER.steps(wait=True)  # so that no run is one that compiles
    with Bitcoind(zmq=True, extra_args=OLD_TIP) as node:
        played, live = dense_bitcoin.build(node, size, tags, _every(50, size, say))
        chain = (
            '[chain.bitcoin]\nfamily = "bitcoin"\nnetwork = "regtest"\n'
            f"rpc_url = {toml_text(node.rpc_url)}\ncookie_file = {toml_text(str(node.cookie_file))}\n"
            f"zmq = {toml_text(node.zmq_url)}\n"
        )
        configs = _configs(folder, {name: chain + keys for name, keys in BITCOIN.items()})
        import_s = _declare(folder, configs, played, list(dense_bitcoin.lists(tags)), say)
        order: dict[str, Any] = {"url": node.rpc_url, "cookie": str(node.cookie_file), "node": node.pid}
        order |= {"lists": _lists(folder), "coins": []}

        def naive(first: int, last: int) -> dict[str, Any]:
            order["first"], order["blocks"] = node.rpc("getblockhash", first), last + 1 - first
            answer = _process("naive_bitcoin", order)
            order["coins"] = answer["coins"]
            return answer

        def fetch(first: int, last: int) -> dict[str, Any]:
            given = {"first": node.rpc("getblockhash", first), "blocks": last + 1 - first}
            return _process("fetch_bitcoin", {"url": node.rpc_url, "node": node.pid, **given})

        def make(raw: str) -> Make:
            return (lambda: None), (lambda: node.submit_block(raw))

        bench = Bench(
            played,
            size,
            node.pid,
            str(node.rpc("getnetworkinfo")["subversion"]).strip("/"),
            int(node.rpc("getblockcount")),
            configs,
            import_s,
            naive,
            fetch,
            {"kind": "zmq", "url": node.zmq_url},
            [make(raw) for raw in live],
            lambda: node.mine(dense_bitcoin.FINAL_BLOCKS),
        )
        return _measure(bench, repeats, say)


def ethereum(size: Size, repeats: int, folder: Path, say: Say) -> Result:
    """Measure the Ethereum chain."""
    accounts = dense_anvil.holders(size)
    with dense_anvil.dense_node() as node:
        built = dense_anvil.build(node, size, accounts, _every(200, size, say))
        chain = (
            f'[chain.ethereum]\nfamily = "ethereum"\nchain_id = {node.chain_id}\nrpc_url = {toml_text(node.rpc_url)}\n'
            f"ws_url = {toml_text(node.ws_url)}\n"
        )
        listed = f'[[chain.ethereum.token]]\nsymbol = "BUSD"\ncontract = "{built.token}"\ndecimals = 6\n'
        configs = _configs(folder, {name: chain + keys + listed for name, keys in ETHEREUM.items()})
        import_s = _declare(folder, configs, built.played, list(accounts.items()), say)
        order = {"url": node.rpc_url, "node": node.pid}

        def make(calls: dense_anvil.Calls) -> Make:
            return (lambda: node.batch(calls)), (lambda: node.rpc("anvil_mine", "0x1"))

        bench = Bench(
            built.played,
            size,
            node.pid,
            str(node.rpc("web3_clientVersion")),
            node.height(),
            configs,
            import_s,
            lambda first, last: _process(
                "naive_ethereum", {**order, "lists": _lists(folder), "first": first, "last": last}
            ),
            lambda first, last: _process("fetch_ethereum", {**order, "first": first, "last": last}),
            {"kind": "ws", "url": node.ws_url},
            [make(calls) for calls in built.live],
            lambda: node.mine(dense_anvil.FINAL_BLOCKS),
        )
        verified = [
            Verified(*(answer[key] for key in ("compiled", "transactions", "cpu_s", "senders_s")))
            for compiled in (False, True)
            for answer in [_process("verify_ethereum", {**order, "height": built.large, "compiled": compiled})]
        ]
        return replace(_measure(bench, repeats, say), verified=tuple(verified))


def _configs(folder: Path, chains: dict[str, str]) -> dict[str, Path]:
    folder.mkdir()
    return {name: daemon.write_config(folder, chain, name) for name, chain in chains.items()}


def _declare(
    folder: Path, configs: dict[str, Path], played: Played, lists: list[tuple[str, list[str]]], say: Say
) -> float:
    """Import the case into the store that all variants begin with; returns the seconds that it took."""
    case = write_case(folder, played, lists)
    seconds = daemon.import_case(next(iter(configs.values())), case)
    say(f"{played.chain}: case with {sum(len(lines) for _, lines in lists)} watches imported in {seconds:.1f} s")
    return seconds


def _lists(folder: Path) -> dict[str, str]:
    return {role: str(folder / f"{role}.txt") for role in ("seized", "authority", "exchange")}


def _every(step: int, size: Size, say: Say) -> Callable[[int], None]:
    whole = size.blocks + size.live

    def progress(done: int) -> None:
        if done % step == 0 or done == whole:
            say(f"built {done} of {whole} blocks of {size.txs} transactions")

    return progress


def _process(module: str, order: dict[str, Any]) -> dict[str, Any]:
    """Run a loop in a process of its own, so that nothing else of ours slows it down."""
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{module}"],
        input=json.dumps(order),
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent.parent,
    )
    if done.returncode:
        raise daemon.RunFailed(f"{module} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _measure(bench: Bench, repeats: int, say: Say) -> Result:
    """Let all take turns: the loop walks a part of the chain each time, fetcher and daemon all of it.

    Raises HitsDiffer unless every run of the daemon stored exactly what the loop found in all parts together.
    """
    played = bench.played
    hits = _hits(bench.naive(1, played.first - 1))
    naive, fetched = list[Part](), list[Part]()
    runs: dict[str, list[daemon.Run]] = {name: [] for name in bench.configs}
    stores: dict[str, Path] = {}
    with ExitStack() as files:
        for turn in range(repeats):
            begin = played.first + turn * bench.size.blocks // repeats
            end = played.first + (turn + 1) * bench.size.blocks // repeats - 1
            answer = bench.naive(begin, end)
            hits |= _hits(answer)
            naive.append(_part(answer))
            fetched.append(_part(bench.fetch(played.first, played.last)))
            for name, config in bench.configs.items():
                stores[f"{name}-{turn}"] = store = daemon.copy_store(config, f"{name}-{turn}")
                files.callback(store.unlink)
                runs[name].append(daemon.sync(config, store, bench.node, bench.tip))
            say(f"{played.chain}: turn {turn + 1} of {repeats} done")
        hits |= _hits(bench.naive(played.last + 1, bench.tip))
        for store in stores.values():
            _compare(store, hits, played.chain, played.fulfilled)
        say(f"{played.chain}: every run stored the same {len(hits)} movements as the naive loop found")
        latencies, hits_live = _live(bench, {name: stores[f"{name}-0"] for name in bench.configs}, hits, say)
    variants = tuple(Variant(name, tuple(runs[name]), latencies.get(name)) for name in bench.configs)
    return Result(
        played,
        bench.size,
        bench.node_version,
        bench.import_s,
        tuple(naive),
        tuple(fetched),
        variants,
        len(hits),
        len(hits_live),
    )


def _live(bench: Bench, stores: dict[str, Path], hits: Hits, say: Say) -> tuple[dict[str, Latency], Hits]:
    """Let each variant follow its share of the live blocks; returns also all hits, those of the live blocks too."""
    each, height, found = len(bench.live) // len(bench.configs), bench.tip, dict[str, Latency]()
    if not each:
        return found, hits
    for name, config in bench.configs.items():
        blocks = bench.live[height - bench.tip :][:each]
        found[name] = follow(config, stores[name], height, bench.order, blocks)
        height += each
        say(f"{bench.played.chain}: {name} followed {each} live blocks")
    bench.settle()
    daemon.sync(config, stores[name], bench.node, height)
    hits = hits | _hits(bench.naive(bench.tip + 1, height))
    _compare(stores[name], hits, bench.played.chain, bench.played.fulfilled_live)
    say(f"{bench.played.chain}: and stored the same {len(hits)} movements as the naive loop found")
    return found, hits


def _part(answer: dict[str, Any]) -> Part:
    return Part(*(answer[key] for key in ("blocks", "seconds", "cpu_s", "node_cpu_s")))


def _hits(answer: dict[str, Any]) -> Hits:
    return {(block, txid, kind, index, amount) for block, txid, kind, index, amount in answer["hits"]}


def _compare(store: Path, hits: Hits, chain: str, fulfilled: int) -> None:
    """Compare what a run stored and judged with what it should; raises HitsDiffer."""
    stored = daemon.stored_hits(store)
    if stored != hits:
        examples = [f"only the daemon: {hit}" for hit in sorted(stored - hits)[:3]]
        examples += [f"only the naive loop: {hit}" for hit in sorted(hits - stored)[:3]]
        text = f"{chain}: the daemon stored {len(stored)} movements, the naive loop found {len(hits)}"
        raise HitsDiffer("\n".join([text, *examples]))
    shown = daemon.legs_shown(store)
    if shown != fulfilled:
        raise HitsDiffer(f"{chain}: {fulfilled} legs were fulfilled, the daemon shows {shown}")
