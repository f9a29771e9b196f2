"""Watches that come late: what was followed without them is read again, and says what an early import would say."""

import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from harness.devnet import ROLES, Devnet, leg
from harness.families import busy
from harness.stored import Stored
from harness.tracerd import Tracerd

FIRST = ("seized", "authority")
SECOND = ("loot", "agency", "exchange")


def case(net: Devnet, ref: str, holders: Sequence[str], birth: int, seizure: int, legs: Sequence[str] = ()) -> str:
    """A case that watches some holders of a net."""
    lines = ["[case]", f'id = "{ref}"', 'title = "Case"', 'preset = "observe"', "[case.seizure]"]
    lines.append(f"{net.name} = {seizure}")
    for holder in holders:
        lines += ["[[watch]]", f'id = "{net.name}-{holder}"', f'chain = "{net.name}"', net.watch_key(holder)]
        lines += [f'role = "{ROLES[holder]}"', f"birth = {birth}"]
    return "\n".join([*lines, *legs]) + "\n"


def first_case(net: Devnet, birth: int, seizure: int) -> str:
    return case(net, "first", FIRST, birth, seizure, [leg(net, "secure", "seized", "authority", "0.02")])


def second_case(net: Devnet, birth: int, seizure: int) -> str:
    legs = [
        leg(net, "take", "loot", "agency", "0.02"),
        leg(net, "deposit", "agency", "exchange", "0.03", kind="DEPOSIT"),
        leg(net, "refund", None, "loot", "0.2", kind="REFUND"),
    ]
    return case(net, "second", SECOND, birth, seizure, legs)


class Late:
    """A daemon that gets cases after it has followed, and a fresh store that had them from the start."""

    def __init__(self, net: Devnet, folder: Path, early: Sequence[str]) -> None:
        self.net, self.folder, self.cases = net, folder, [*early]
        self.daemon = Tracerd(folder / "late", [net.table()], early)
        self.stored = Stored(self.daemon.store)

    def add(self, text: str) -> None:
        """Import a case now."""
        self.cases.append(text)
        file = self.daemon.write_case(f"added-{len(self.cases)}.toml", text)
        answer = self.daemon.call("case", "import", str(file))
        assert (answer.returncode, answer.stdout.splitlines()[-1]) == (0, "imported"), answer.stderr

    def stands(self) -> bool:
        """Whether the store is in step and nothing is left to be read."""
        height = self.net.height()
        pending = self.stored.rows("SELECT count(*) FROM backfill WHERE published_height IS NULL")
        return self.stored.tip(self.net.name) == (height, self.net.hashes(height, height)[0]) and pending == [(0,)]

    def in_step(self) -> None:
        self.daemon.until(self.stands, "in step, and every case published", 60.0)

    def early(self) -> Stored:
        """A store that had all cases before its first block."""
        fresh = Tracerd(self.folder / "early", [self.net.table()], self.cases)
        assert fresh.sync() == 0, fresh.log
        return Stored(fresh.store)

    def check(self) -> None:
        """Both stores say the same of everything that follows from the chain and the cases."""
        assert self.stored.faults() == []
        late, early = said(self.stored), said(self.early())
        for name in early:
            if name != "opening":  # what was asked for a run that a later one superseded stays: it is a fact
                assert late[name] - early[name] == Counter(), f"{name}: only in the store that got it late"
            assert early[name] - late[name] == Counter(), f"{name}: only in the store that had it early"
        facts = self.stored.facts(self.net.name, orphaned=True)
        assert [fact for fact, times in facts.items() if times > 1] == []
        assert sum(early["entry"].values()) > 10


def said(stored: Stored) -> Mapping[str, Counter[tuple[Any, ...]]]:
    """What two stores must agree on; coverage says in how many passes it was read, and is checked elsewhere."""
    return {name: rows for name, rows in stored.derived().items() if name != "coverage"}


def test_a_late_case_says_what_it_would_have_said_from_the_start(
    net: Devnet, rng: random.Random, tmp_path: Path
) -> None:
    birth, seizure = net.first, net.height()
    busy(net, rng, 40)
    late = Late(net, tmp_path, [first_case(net, birth, seizure)])
    late.daemon.start()
    late.in_step()
    late.add(second_case(net, birth, seizure + 10))
    late.in_step()
    busy(net, rng, 5)
    late.in_step()
    assert late.daemon.stop() == 0
    late.check()


OF_A_CASE = {
    "v_posting": "case_ref, chain, asset, place, reason, amount, leg_ref, address, txid, outpoint, height, block_hash",
    "v_ledger": "case_ref, chain, asset, seized, credits, held, delivered, fees, unexplained, height, block_hash",
    "v_balance_history": "case_ref, chain, address, asset, amount, height",
    "v_leg": "case_ref, leg_ref, arrived, arrivals, fees, verdict, reason, claims, judged_height",
    "v_verdict_all": "case_ref, leg_ref, asset, verdict, reason, claims, height, block_hash",
    "v_transfer": "case_ref, watch_ref, direction, height, txid, kind, idx, amount, source, target, spends",
    "v_trace_edge": "case_ref, method, txid, seq, from_outpoint, to_outpoint, label, amount, hop, boundary",
    "v_frontier": "case_ref, method, state, boundary, label, outpoint, traced, amount, address, watch_ref, role, hop",
    "v_alert": "case_ref, rule, severity, leg_ref, txid, height, message",
    "v_watch": "case_ref, watch_ref, role, address, birth, backfill_id",
}
"""What the views say of a case, by natural keys."""


def digest(stored: Stored, ref: str) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that the views say of one case."""
    return {
        view: sorted(stored.rows(f"SELECT {columns} FROM {view} WHERE case_ref = ?", ref), key=repr)
        for view, columns in OF_A_CASE.items()
    }


def said_of_case(stored: Stored, ref: str) -> dict[str, list[tuple[Any, ...]]]:
    """What two stores must say alike of one case, whenever it was imported; the first may know less of other cases."""
    found = digest(stored, ref)
    del found["v_verdict_all"], found["v_alert"], found["v_watch"]
    found["v_leg"] = [row[:6] for row in found["v_leg"]]
    clean = lambda row: (*row[:4], None, *row[5:]) if row[6] is None else row  # noqa: E731 - whose coin clean units were
    found["v_trace_edge"] = sorted(map(clean, found["v_trace_edge"]), key=repr)
    found["v_verdict"] = sorted(
        stored.rows("SELECT leg_ref, asset, verdict, reason FROM v_verdict WHERE case_ref = ?", ref), key=repr
    )
    return found


def test_blocks_below_the_first_that_was_followed_are_read_too(net: Devnet, rng: random.Random, tmp_path: Path) -> None:
    birth, seizure = net.first, net.height()
    busy(net, rng, 30)
    young = net.height()
    late = Late(net, tmp_path, [first_case(net, young, young)])
    late.daemon.start()
    late.in_step()
    began = late.stored.canonical(net.name)[0][0]
    assert began > birth
    late.add(second_case(net, birth, seizure + 10))
    late.in_step()
    busy(net, rng, 3)
    late.in_step()
    assert late.daemon.stop() == 0
    blocks = late.stored.canonical(net.name)
    assert blocks == list(enumerate(net.hashes(birth - 1, net.height()), birth - 1)), "one chain, without a gap"
    ids = [number for (number,) in late.stored.rows("SELECT block_id FROM v_block ORDER BY height")]
    assert ids == sorted(ids)
    assert late.stored.faults() == []
    found, early = said_of_case(late.stored, "second"), said_of_case(late.early(), "second")
    assert found["v_posting"] and found["v_transfer"]
    for view in early:
        assert found[view] == early[view], view


def test_several_late_cases_leave_the_rows_of_the_first_as_they_were(
    net: Devnet, rng: random.Random, tmp_path: Path
) -> None:
    birth, seizure = net.first, net.height()
    busy(net, rng, 30)
    late = Late(net, tmp_path, [first_case(net, birth, seizure)])
    late.daemon.start()
    late.in_step()
    before = digest(late.stored, "first")
    assert before["v_posting"] and before["v_ledger"] and before["v_verdict_all"]
    late.add(second_case(net, birth, seizure + 10))
    shared = [leg(net, "again", "loot", "agency", "0.02")]
    late.add(case(net, "third", [*SECOND, "seized"], birth, seizure + 12, shared))
    late.in_step()
    assert late.daemon.stop() == 0
    after = digest(late.stored, "first")
    shares = [row for row in after["v_alert"] if "COLD-2" in row]
    assert shares, "that another case has an address too is told, and no more than that"
    after["v_alert"] = [row for row in after["v_alert"] if row not in shares]
    assert after == before
    assert late.stored.faults() == []
    states = late.stored.rows("SELECT case_ref, state FROM v_backfill ORDER BY backfill_id")
    assert states == [("second", "published"), ("third", "published")]
    assert digest(late.stored, "third")["v_ledger"]


def test_a_case_that_grows_by_late_watches_says_what_it_would_have_said(
    net: Devnet, rng: random.Random, tmp_path: Path
) -> None:
    birth, seizure = net.first, net.height()
    busy(net, rng, 30)
    small = case(net, "grown", FIRST, birth, seizure)
    late = Late(net, tmp_path, [small])
    late.daemon.start()
    late.in_step()
    said_before = late.stored.rows("SELECT * FROM v_verdict_all ORDER BY verdict_id")
    facts = late.stored.facts(net.name)
    legs = [leg(net, "secure", "seized", "authority", "0.02"), leg(net, "take", "loot", "agency", "0.02")]
    late.add(case(net, "grown", [*FIRST, *SECOND], birth, seizure, legs))
    late.cases = late.cases[1:]  # the file that has everything is what an early store gets
    late.in_step()
    busy(net, rng, 3)
    late.in_step()
    assert late.daemon.stop() == 0
    now = late.stored.rows("SELECT * FROM v_verdict_all ORDER BY verdict_id")
    assert [row[:9] for row in now[: len(said_before)]] == [row[:9] for row in said_before], "verdicts stay rows"
    assert len(now) > len(said_before)
    assert facts - late.stored.facts(net.name) == Counter()
    assert late.stored.rows("SELECT count(*) FROM v_superseded WHERE kind = 'posting'")[0][0] > 0
    late.check()


def test_a_late_case_is_not_shown_while_it_is_read_and_a_kill_loses_nothing(
    net: Devnet, rng: random.Random, tmp_path: Path
) -> None:
    birth, seizure = net.first, net.height()
    busy(net, rng, 60)
    late = Late(net, tmp_path, [first_case(net, birth, seizure)])
    late.daemon.start()
    late.in_step()
    late.daemon.kill()
    late.add(second_case(net, birth, seizure + 10))  # into the store itself: no daemon runs
    answer = tracer(late, "report", "--case", "second")
    assert answer.returncode == 4, answer.stderr
    assert "back-filling: no block was read yet" in " ".join(answer.stdout.split())
    assert "back-filling" in " ".join(tracer(late, "status").stdout.split())
    for _ in range(6):
        late.daemon.start()
        late.daemon.until(lambda: " opened" in late.daemon.log, "opened")
        time.sleep(rng.uniform(0.05, 0.6))
        late.daemon.kill()
        if rng.random() < 0.5:
            net.reorg(rng.randint(1, net.final_depth - 2), rng)
    late.daemon.start()
    busy(net, rng, 1)
    late.in_step()
    assert late.daemon.stop() == 0
    status = tracer(late, "status", "--json")
    assert "back-filled blocks" in status.stdout
    late.check()


def tracer(late: Late, *command: str) -> subprocess.CompletedProcess[str]:
    """Ask the store as an analyst does."""
    executable = Path(sys.executable).with_name("tracer")
    return subprocess.run(
        [str(executable), "--store", str(late.daemon.store), *command],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("net", ["ethereum"], indirect=True)
def test_a_late_case_under_hits_is_read_and_then_proven(net: Devnet, rng: random.Random, tmp_path: Path) -> None:
    birth, seizure = net.first, net.height()
    busy(net, rng, 30)
    late = Late(net, tmp_path, [first_case(net, birth, seizure)])
    late.daemon = Tracerd(tmp_path / "late", [net.table(verify="hits")], late.cases)
    late.daemon.start()
    late.in_step()
    late.add(second_case(net, birth, seizure + 10))
    late.in_step()
    unproven = "SELECT count(*) FROM tx t JOIN block b ON b.id = t.block_id AND b.canonical WHERE t.proof IS NULL"
    late.daemon.until(lambda: late.stored.rows(unproven) == [(0,)], "every hit proven", 60.0)
    assert late.daemon.stop() == 0
    assert [rule for rule, severity, _ in late.stored.alerts() if rule.startswith("CHAIN")] == []
    late.check()
