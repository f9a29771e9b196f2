"""Measures a case of 10,000 legs and 100,000 transfers: `make bench-custody`, `python -m benchmarks.custody`.

The case is overseen by beijing-2025, with two approvals a leg and recordings. Transfers are token payments on a
pretended account chain; from the casework on everything is the daemon's own code, and the store a real file. Measured
are: a block with transfers judged (legs, ledger, rules, stage, clocks, with their rows, apart from facts and postings),
`tracer case status` in-process and as a whole command, and reading the case anew after a reorg.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tracer.casework import Casework
from tracer.chain import Marks, Policy
from tracer.custody.case import Attestation, Case, Document, Institution, Leg, LegKind, Watch
from tracer.custody.filing import Draft
from tracer.custody.presetfiles import find_preset
from tracer.custody.records import Approval, Bond, Licence, Mandate, Recording, Seizure
from tracer.report.casestatus import case_status
from tracer.store import load
from tracer.store.cases import import_case
from tracer.store.interest import InterestReader
from tracer.store.oversight import Oversight
from tracer.store.reader import snapshot
from tracer.store.recording import file_records
from tracer.store.writer import Store
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
    Role,
    TxFacts,
)

CHAIN = ChainId("eip155:31337")
ETH = Asset(AssetId(f"{CHAIN}/slip44:60"), "ETH", 18, AssetKind.NATIVE)
USDT = Asset(AssetId(f"{CHAIN}/erc20:0x{'d' * 40}"), "USDT", 6, AssetKind.LISTED)
AGENCY = Holder(b"\xaa" * 20)
LEGS, PARTS, PER_BLOCK, LIVE = int(os.environ.get("LEGS", "10000")), 10, 1000, 46
LIVE_TRANSFERS = 100
FINAL = 6
"""Blocks after which one is final: in so many live blocks the legs of blocks of PER_BLOCK transfers change as well."""

START = 1_780_000_000
FILMED_S = 10**6
CASE = "bench-custody"


def target(number: int) -> Holder:
    """The receiver of a leg."""
    return Holder((number + 1).to_bytes(20, "big"))


def declared(legs: int) -> Case:
    """The case: one agency account pays each leg to an account of its own, in ten parts."""
    watches = [Watch("agency", CHAIN, AGENCY, Role.AGENCY, None, 1)]
    watches += [Watch(f"exchange/{n}", CHAIN, target(n), Role.EXCHANGE, "exchange", 1) for n in range(legs)]
    bodies = (Institution("exchange", "Licensed exchange", "EXCHANGE"),)
    letter = Document("letter", "Deposit addresses", bytes(32))
    attested = tuple(Attestation(f"exchange/{n}", "exchange", "letter", START - 1, None) for n in range(legs))
    plans = [
        Leg(f"deposit-{n}", LegKind.DEPOSIT, USDT.id, ("agency",), f"exchange/{n}", PARTS * 1000, 0, 10**18, None, None)
        for n in range(legs)
    ]
    return Case(
        ref=CASE,
        title="Ten thousand legs",
        preset="beijing-2025",
        seizures={CHAIN: 1},
        institutions=bodies,
        watches=tuple(watches),
        documents=(letter,),
        attestations=attested,
        legs=tuple(plans),
        source_sha256=bytes(32),
    )


def records(legs: int) -> list[Draft]:
    """Two approvals a leg, and a recording for every hundred."""
    sha, then = "ab" * 32, START
    drafts = [
        Draft("mandate", Mandate(what="warrant", scope="all"), "CO1", None, then, sha),
        Draft("seizure", Seizure(method="keys handed over"), "CO1", None, then, sha),
        Draft(
            "licence",
            Licence(
                institution="exchange", entity="Licensed exchange", type="VATP", valid_from=START - 1, source="register"
            ),
            "CO1",
            None,
            then,
            sha,
        ),
        Draft("bond", Bond(amount="110.00 HKD", basis="latest valuation"), "AG1", None, then, sha),
    ]
    for number in range(legs):
        for actor in ("AP1", "AP2"):
            drafts.append(Draft("approval", Approval(leg=f"deposit-{number}"), actor, None, then))
    for number in range(0, legs, 100):
        names = tuple(f"deposit-{n}" for n in range(number, min(legs, number + 100)))
        film = Recording(sha256=sha, start=then, end=then + FILMED_S, device="camera 1", legs=names)
        drafts.append(Draft("recording", film, "AG1", None, then + FILMED_S))
    return drafts


class Chain:
    """The pretended chain: blocks with token payments by the agency."""

    def __init__(self) -> None:
        self.tip = BlockRef(0, Hash(bytes(32)), Hash(bytes(32)))
        self.next = 0

    def block(self, receivers: list[Holder]) -> BlockFacts:
        """The next block."""
        height = self.tip.height + 1
        self.tip = BlockRef(height, Hash(height.to_bytes(32, "big")), self.tip.hash)
        txs = tuple(
            TxFacts(
                position,
                Hash((height << 32 | position).to_bytes(32, "big")),
                bytes(110),
                (
                    Movement(Kind.FEE, 0, ETH.id, 21_000, AGENCY, None),
                    Movement(Kind.LOG, position, USDT.id, 1000, AGENCY, receiver),
                ),
            )
            for position, receiver in enumerate(receivers)
        )
        return BlockFacts(self.tip, START + 12 * height, bytes(500) if txs else None, txs)


def timed(took: dict[str, list[float]], name: str, work: Callable[..., Any]) -> Callable[..., Any]:
    """The same work, whose times are kept."""

    def run(*given: Any, **named: Any) -> Any:
        began = time.perf_counter()
        try:
            return work(*given, **named)
        finally:
            took.setdefault(name, []).append(time.perf_counter() - began)

    return run


def play(path: Path, legs: int, live: int) -> dict[str, Any]:
    """Build the store, then take the times of live blocks."""
    chain = Chain()
    took: dict[str, list[float]] = {}
    found: dict[str, float] = {}
    transfers = legs * PARTS
    with Store(path) as store:
        handle = store.register_chain(
            CHAIN,
            "ethereum",
            "ethereum",
            Hash(b"\1" * 32),
            Policy(2, FINAL),
            [ETH, USDT],
            lambda holder: f"0x{holder.hex()}",
        )
        import_case(store, declared(legs), {CHAIN: handle}, preset=find_preset("beijing-2025"))
        store.start_chain(handle, BlockRef(0, Hash(bytes(32)), Hash(bytes(32))), START)
        with store.connection.begin():
            work: Casework = load.load_casework(store, handle, False, ETH, InterestReader(store.connection, handle))
        balances = {(1, AGENCY, ETH.id): 10**24, (1, AGENCY, USDT.id): transfers * 1000 + 10**9}

        def connect(block: BlockFacts, opening: dict[Any, int]) -> None:
            height = block.ref.height
            store.connect(handle, [work.connect(block, Marks(height - 1, height - FINAL + 1), opening)], START)

        connect(chain.block([]), balances)
        began = time.perf_counter()
        file_records(store, CASE, records(legs), {CHAIN: handle}, START + FILMED_S)
        found["records filed"], found["filing s"] = legs * 2 + legs // 100 + 4, time.perf_counter() - began
        order = [target(n) for n in range(legs) for _ in range(PARTS)]
        spare = live * LIVE_TRANSFERS
        for at in range(0, transfers - spare, PER_BLOCK):
            connect(chain.block(order[at : min(at + PER_BLOCK, transfers - spare)]), {})
        Oversight.connected = timed(took, "oversee", Oversight.connected)  # type: ignore[method-assign]
        Casework._judge = timed(took, "judge", Casework._judge)  # type: ignore[method-assign]
        for number in range(live):
            at = transfers - spare + number * LIVE_TRANSFERS
            connect(chain.block(order[at : at + LIVE_TRANSFERS]), {})
        judged = [a + b for a, b in zip(took["oversee"], took["judge"], strict=True)]
        bulk, judged = judged[:FINAL], judged[FINAL:]
        idle: list[float] = []
        for _ in range(live):
            before = len(took["oversee"])
            connect(chain.block([]), {})
            idle.append(sum(took["oversee"][before:]) + sum(took["judge"][before:]))
        store.oversight.forget()
        began = time.perf_counter()
        with store.connection.begin():
            store.oversight.recorded(1, START)
        found["read anew s"] = time.perf_counter() - began
    return found | {
        "transfers": transfers,
        "judged p50 ms": statistics.median(judged) * 1000,
        "judged worst ms": max(judged) * 1000,
        "judged worst after bulk ms": max(bulk) * 1000,
        "idle p50 ms": statistics.median(idle) * 1000,
    }


def ask(path: Path) -> dict[str, Any]:
    """Time `case status`, in-process and as a command."""
    inside, whole = [], []
    for _ in range(9):
        began = time.perf_counter()
        with snapshot(path) as reader:
            answer = case_status(reader, CASE)
        inside.append(time.perf_counter() - began)
    assert sum(row["planned"] for row in answer.data["legs"]) == LEGS
    command = [str(Path(sys.executable).with_name("tracer")), "--store", str(path), "case", "status", CASE, "--json"]
    for _ in range(5):
        began = time.perf_counter()
        done = subprocess.run(command, capture_output=True, check=False)
        whole.append(time.perf_counter() - began)
    assert json.loads(done.stdout)["data"]["legs"], done.stderr
    return {"status ms": statistics.median(inside) * 1000, "status command s": statistics.median(whole)}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(os.environ.get("KEEP", Path(folder) / "custody.db"))
        found = play(path, LEGS, LIVE)
        found |= ask(path)
        found["store MB"] = path.stat().st_size / 1e6
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
