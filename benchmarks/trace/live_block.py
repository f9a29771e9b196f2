"""Measures what the traces of one block cost the daemon: 500 transactions, each of which spends traced coins.

A child of `benchmarks.trace.run`; no numba. Prints JSON: seconds of the processor and of the clock, per part. The
traces' part is: both live runs advance, their rows are written, and the block's transaction commits. Facts and postings
of the block are measured apart, and are in `whole`.
"""

import gc
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tracer.casework import Casework
from tracer.chain import Marks, Policy
from tracer.custody.case import Case, Watch
from tracer.store import load, writer
from tracer.store.cases import import_case
from tracer.store.interest import InterestReader
from tracer.store.writer import Store
from tracer.tracing import LiveRuns
from tracer.types import (
    Asset,
    AssetId,
    AssetKind,
    BlockFacts,
    BlockRef,
    ChainId,
    Hash,
    Holder,
    Kind,
    Movement,
    Outpoint,
    Role,
    TxFacts,
    outpoint,
)

CHAIN = ChainId("bip122:0f9188f13cb7b2c71f2a335e3a4fc328")
BTC = Asset(AssetId(f"{CHAIN}/slip44:0"), "BTC", 8, AssetKind.NATIVE)
SEIZED, OUTSIDE = Holder(b"\x51seized"), Holder(b"\x51outside")
TXS, SOURCES, BLOCKS = 500, 10, 7
Spend = tuple[list[Outpoint], list[tuple[Holder, int]]]


class Chain:
    """A UTXO chain in memory: what is unspent, and the facts of each block."""

    def __init__(self) -> None:
        self.coins: dict[Outpoint, tuple[Holder, int]] = {}
        self.tip = BlockRef(0, Hash(bytes(32)), Hash(bytes(32)))

    def block(self, spends: list[Spend]) -> BlockFacts:
        """The next block with these transactions."""
        height = self.tip.height + 1
        self.tip = BlockRef(height, Hash(height.to_bytes(32, "big")), self.tip.hash)
        txs = []
        for position, (points, outputs) in enumerate(spends):
            txid = Hash((height << 32 | position).to_bytes(32, "big"))
            spent = [self.coins.pop(point) for point in points]
            moves = [
                Movement(Kind.IN, n, BTC.id, amount, holder, None, point)
                for n, (point, (holder, amount)) in enumerate(zip(points, spent, strict=True))
            ]
            moves += [Movement(Kind.OUT, n, BTC.id, amount, None, to) for n, (to, amount) in enumerate(outputs)]
            self.coins |= {outpoint(txid, n): output for n, output in enumerate(outputs)}
            if points:
                fee = sum(amount for _, amount in spent) - sum(amount for _, amount in outputs)
                moves.append(Movement(Kind.FEE, 0, BTC.id, fee, None, None))
            txs.append(TxFacts(position, txid, bytes(250), tuple(moves)))
        return BlockFacts(self.tip, 1_700_000_000 + height, bytes(80), tuple(txs))


class Clock:
    """What parts of the work took: (processor, clock) seconds by name."""

    def __init__(self) -> None:
        self.took: dict[str, list[float]] = {}

    def timed(self, name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """The same work, whose time is added up under a name."""

        def run(*given: Any) -> Any:
            cpu, wall = time.process_time(), time.perf_counter()
            try:
                return work(*given)
            finally:
                sums = self.took.setdefault(name, [0.0, 0.0])
                sums[0] += time.process_time() - cpu
                sums[1] += time.perf_counter() - wall

        return run


def spends(chain: Chain, rng: random.Random) -> list[Spend]:
    """Transactions that spend one coin each, every third one two, into a payment and its change."""
    pool = [point for point, (holder, _) in chain.coins.items() if holder == OUTSIDE]
    rng.shuffle(pool)
    made: list[Spend] = []
    for number in range(TXS):
        points = [pool.pop() for _ in range(2 if number % 3 == 0 and len(pool) > TXS else 1)]
        left = sum(chain.coins[point][1] for point in points) - 500
        paid = rng.randint(1, left // 2)
        made.append((points, [(OUTSIDE, paid), (OUTSIDE, left - paid)]))
    return made


def opened(store: Store) -> tuple[Any, Casework]:
    """A chain with one case on it."""
    chain = store.register_chain(
        CHAIN, "bitcoin", "bitcoin", Hash(b"\1" * 32), Policy(2, 6), [BTC], lambda holder: holder.hex()
    )
    watch = Watch("seized", CHAIN, SEIZED, Role.SEIZED, None, 1)
    case = Case("bench", "bench", "none", {CHAIN: 1}, (), (watch,), (), (), (), bytes(32))
    import_case(store, case, {CHAIN: chain})
    store.start_chain(chain, BlockRef(0, Hash(bytes(32)), Hash(bytes(32))), 0)
    with store.connection.begin():
        return chain, load.load_casework(store, chain, True, BTC, InterestReader(store.connection, chain))


def measure(path: Path) -> dict[str, Any]:
    """Play blocks and take their times."""
    rng, chain, clock, turns = random.Random(7), Chain(), Clock(), []
    LiveRuns.spend = clock.timed("advance", LiveRuns.spend)  # type: ignore[method-assign]
    for name in ("insert_facts", "insert_postings"):
        setattr(writer, name, clock.timed(name, getattr(writer, name)))
    with Store(path) as store:
        handle, work = opened(store)

        def connect(block: BlockFacts) -> int:
            done = work.connect(block, Marks(block.ref.height - 1, block.ref.height - 5), {})
            clock.timed("store", store.connect)(handle, [done], 0)
            return sum(len(edges) for _, _, edges in done.edges)

        connect(chain.block([([], [(SEIZED, rng.randint(10**8, 10**10))]) for _ in range(SOURCES)]))
        per = 3 * TXS // SOURCES
        split: list[Spend] = [([p], [(OUTSIDE, n // (per + 1))] * per) for p, (_, n) in chain.coins.items()]
        connect(chain.block(split))
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 20, 50)  # as the daemon sets it
        for _ in range(BLOCKS):
            block = chain.block(spends(chain, rng))
            clock.took = {}
            began = time.perf_counter()
            edges = connect(block)
            turns.append({"edges": edges, "whole": time.perf_counter() - began, "took": clock.took})
    return summed(turns)


def summed(turns: list[dict[str, Any]]) -> dict[str, Any]:
    """The middle of the turns; the traces' part of writing is what facts and postings leave of it, commit included."""
    return {
        name: statistics.median(
            turn["took"]["advance"][n]
            + turn["took"]["store"][n]
            - turn["took"]["insert_facts"][n]
            - turn["took"]["insert_postings"][n]
            for turn in turns
        )
        for n, name in enumerate(("cpu", "wall"))
    } | {"whole": statistics.median(turn["whole"] for turn in turns), "edges": [turn["edges"] for turn in turns]}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="custody-tracer-bench-") as folder:
        json.dump(measure(Path(folder) / "store.db"), sys.stdout)
