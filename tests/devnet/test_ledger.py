"""The independent ledger agrees with what the daemon stored, and sees each kind of thing that may be wrong in it."""

import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from harness.devnet import Devnet, leg
from harness.families import FAMILIES
from harness.scene import Scene

from fixtures.ledger.agree import compare
from fixtures.ledger.nouns import Limits

LAST = "(SELECT max(id) FROM movement WHERE block_id IN (SELECT id FROM block WHERE canonical) AND amount > 0)"
LOST = "(SELECT max(m.id) FROM movement m JOIN block b ON b.id = m.block_id AND NOT b.canonical WHERE amount > 0)"
BUSY = (
    "(SELECT max(b.id) FROM follower f JOIN block b ON b.id < f.tip_id AND b.canonical"
    " WHERE EXISTS (SELECT 1 FROM movement m WHERE m.block_id = b.id))"
)


def other(column: str) -> str:
    """SQL: another last digit, as text: wei are more than SQLite's integers."""
    return f"{column} = substr({column}, 1, length({column}) - 1) || ((substr({column}, -1) + 1) % 10)"


TAMPERED: dict[str, tuple[str, str]] = {
    "an amount": ("movements", f"UPDATE movement SET {other('amount')} WHERE id = {LAST}"),
    "a receiver": (
        "movements",
        "UPDATE movement SET target_id = (SELECT min(id) FROM holder WHERE id <> target_id)"
        " WHERE id = (SELECT max(id) FROM movement WHERE target_id IS NOT NULL)",
    ),
    "a movement that is gone": ("movements", f"DELETE FROM movement WHERE id = {LAST}"),
    "a movement that never was": (
        "movements",
        "INSERT INTO movement (block_id, kind, tx_id, idx, asset_id, amount, target_id) SELECT block_id, kind, tx_id,"
        f" idx + 1000, asset_id, amount, target_id FROM movement WHERE id = {LAST}",
    ),
    "an orphan's amount": (
        "movements that reorgs took, kept",
        f"UPDATE movement SET {other('amount')} WHERE id = {LOST}",
    ),
    "a missing block": ("blocks of the chain", f"UPDATE block SET canonical = 0 WHERE id = {BUSY}"),
    "another block": ("blocks of the chain", f"UPDATE block SET hash = randomblob(32) WHERE id = {BUSY}"),
    "an older tip": (
        "blocks of the chain",
        "UPDATE follower SET tip_id = (SELECT p.id FROM block t JOIN block p ON p.hash = t.parent WHERE t.id = tip_id)",
    ),
    "a balance": (
        "balances",
        f"UPDATE held SET {other('amount')} WHERE block_id = (SELECT max(block_id) FROM held)",
    ),
    "the sum held": (
        "conservation now",
        f"UPDATE ledger SET {other('held')} WHERE block_id = (SELECT max(block_id) FROM ledger)",
    ),
    "what is unexplained": (
        "conservation after each block",
        "UPDATE ledger SET unexplained = '0' WHERE block_id = (SELECT max(block_id) FROM ledger)",
    ),
    "what was not observed": (
        "balances held against movements",
        "UPDATE balance_check SET unobserved = unobserved + 1 WHERE id ="
        " (SELECT max(k.id) FROM balance_check k JOIN block b ON b.id = k.block_id AND b.canonical WHERE since > 0)",
    ),
    "a traced share": (
        "where seized value is",
        f"UPDATE trace_edge SET {other('amount')}"
        " WHERE ordinal IS NOT NULL AND to_id = (SELECT max(e.to_id) FROM trace_edge e JOIN movement m"
        " ON m.id = e.to_id JOIN block b ON b.id = m.block_id AND b.canonical WHERE e.ordinal IS NOT NULL"
        " AND m.kind = 2)",
    ),
    "a label": ("seized coins", "UPDATE trace_label SET ordinal = ordinal + 1"),
    "a balance's label": ("seized balances", "UPDATE trace_label SET ordinal = ordinal + 1"),
    "a payment's traced share": (
        "payments of seized value",
        f"UPDATE trace_edge SET {other('amount')}"
        " WHERE ordinal IS NOT NULL AND to_id = (SELECT max(e.to_id) FROM trace_edge e JOIN movement m"
        " ON m.id = e.to_id JOIN block b ON b.id = m.block_id AND b.canonical WHERE e.ordinal IS NOT NULL)",
    ),
    "what is left in an account": (
        "where seized value is",
        "DELETE FROM trace_lots WHERE block_id = (SELECT max(block_id) FROM trace_lots)",
    ),
}

ONLY = {"a traced share": "bitcoin", "a label": "bitcoin", "what was not observed": "ethereum"} | dict.fromkeys(
    ("a balance's label", "a payment's traced share", "what is left in an account"), "ethereum"
)


@pytest.fixture(params=FAMILIES)
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    """A store that followed a chain with activity of every kind, and a reorg."""
    executable, make = FAMILIES[request.param]
    net = make(request.getfixturevalue(executable))
    rng = random.Random(7)
    scene = Scene(tmp_path, [net], legs=[leg(net, "secure", "seized", "authority", "0.5")])
    try:
        busy(net, rng, 25)
        assert scene.daemon.sync() == 0
        scene.check()
        net.reorg(3, rng)
        busy(net, rng, 3)
        assert scene.daemon.sync() == 0
        yield scene
    finally:
        net.close()


def busy(net: Devnet, rng: random.Random, blocks: int) -> None:
    """Make blocks with activity, and in each a leak of a seized holder."""
    for _ in range(blocks):
        net.act(rng)
        net.pay("seized", "stranger", 1)
        net.mine()


def ledger(scene: Scene, *flags: str) -> subprocess.CompletedProcess[str]:
    """Run the ledger as an auditor does."""
    command = [sys.executable, "-m", "fixtures.ledger", "--store", str(scene.stored.path), *flags]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_sees_whatever_is_wrong_in_a_store(scene: Scene, tmp_path: Path) -> None:
    scene.check()
    [net] = scene.nets
    readers, limits = {net.name: net.reader}, {net.name: Limits(10_000, 0)}
    for what, (group, sql) in TAMPERED.items():
        if ONLY.get(what, net.name) != net.name:
            continue
        copy = tmp_path / "tampered.db"
        with closing(sqlite3.connect(scene.stored.path)) as connection:
            connection.execute("VACUUM INTO ?", (str(copy),))
        with closing(sqlite3.connect(copy)) as connection:
            assert connection.execute(sql).rowcount > 0, what  # table by table: what else fails with it is no matter
            connection.commit()
        wrong = {check.name for check in compare(copy, readers, limits) if check.differences}
        assert f"{net.name}: {group}" in wrong, what
        copy.unlink()


def test_says_on_the_command_line_whether_a_store_agrees(scene: Scene) -> None:
    config = ("--config", str(scene.daemon.config))
    said = ledger(scene, *config)
    assert (said.returncode, said.stdout.splitlines()[-1]) == (0, "The store agrees with the nodes."), said
    [net] = scene.nets
    alone = ledger(scene, "--node", f"{net.name}=http://127.0.0.1:1")
    assert (alone.returncode, alone.stdout) == (2, "") and "127.0.0.1:1" in alone.stderr
    nobody = ledger(scene)
    assert nobody.returncode == 2 and f"--node {net.name}=" in nobody.stderr
    kept = scene.stored.path.with_suffix(".kept")
    shutil.copy(scene.stored.path, kept)
    with closing(sqlite3.connect(scene.stored.path)) as connection:
        connection.execute(TAMPERED["an amount"][1])
        connection.commit()
    wrong = ledger(scene, *config)
    assert wrong.returncode == 3 and wrong.stdout.splitlines()[-1].endswith("DIFFERENCES.")
    net.pay("rich", "seized", 1)
    net.mine()
    shutil.copy(kept, scene.stored.path)
    assert ledger(scene, *config).returncode == 0, "a node that is ahead is held against the store at the store's tip"
    net.shrink(2)
    net.pay("rich", "stranger", 1)
    net.mine(3)
    assert ledger(scene, *config).returncode == 3, "a store that did not follow a reorg does not agree"
