"""Watches that come late: what was followed without them is read again, and says what an early import would say."""

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from harness.devnet import ROLES, Devnet, leg
from harness.stored import Stored
from harness.tracerd import Tracerd
from test_conformance import FAMILIES, busy

FIRST = ("seized", "authority")
SECOND = ("loot", "agency", "exchange")


@pytest.fixture(params=FAMILIES)
def net(request: pytest.FixtureRequest) -> Iterator[Devnet]:
    """A fresh devnet of each family."""
    executable, make = FAMILIES[request.param]
    net = make(request.getfixturevalue(executable))
    yield net
    net.close()


@pytest.fixture
def rng() -> random.Random:
    """The same activity at each run."""
    return random.Random(20250605)


def case(net: Devnet, ref: str, holders: Sequence[str], birth: int, seizure: int, legs: Sequence[str] = ()) -> str:
    """A case that watches some holders of a net."""
    lines = ["[case]", f'id = "{ref}"', 'title = "Case"', 'preset = "beijing-2025"', "[case.seizure]"]
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
