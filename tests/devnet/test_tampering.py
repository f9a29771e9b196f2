"""Whoever changes what a daemon stored is found out by `tracer report`: the stored proofs are worked out anew."""

import json
import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from harness.devnet import Devnet, leg
from harness.families import busy
from harness.scene import Scene

from tracer import cli
from tracer.command import exit_code

RULES = ("PROOF-1", "PROOF-2", "VALUE-1")
OF_CASE = "SELECT e.tx_id FROM entry e JOIN tx t ON t.id = e.tx_id WHERE t.proof IS NOT NULL"
OF_BLOCK = f"SELECT t.block_id FROM tx t WHERE t.id IN ({OF_CASE})"

TARGETS = {
    "the bytes of a transaction": ("tx", "raw", f"id = (SELECT max(tx_id) FROM ({OF_CASE}))"),
    "the proof of a transaction": ("tx", "proof", f"id = (SELECT max(tx_id) FROM ({OF_CASE}))"),
    "the id of a transaction": ("tx", "txid", f"id = (SELECT max(tx_id) FROM ({OF_CASE}))"),
    "the header of a block": ("block", "header", f"id = (SELECT max(block_id) FROM ({OF_BLOCK}))"),
    "the hash of a block": ("block", "hash", f"id = (SELECT max(block_id) FROM ({OF_BLOCK}))"),
}
OF_ACCOUNTS = {
    "the proof of a balance": (
        "balance_check",
        "proof",
        "id = (SELECT max(id) FROM balance_check WHERE proof IS NOT NULL AND lane = 0)",
    ),
}
CHANGES: dict[str, Callable[[bytes], object]] = {
    "one bit": lambda data: data[:-5] + bytes([data[-5] ^ 1]) + data[-4:],
    "cut short": lambda data: data[:-1],
    "longer": lambda data: data + b"\0",
    "empty": lambda _: b"",
    "text": lambda data: data.hex(),
    "a number": lambda _: 7,
}


def report(store: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[dict[str, str]]]:
    """Exit code and checks of `tracer report --json`; lets errors through that nobody expected."""
    code = exit_code(cli.group, "tracer", ["--store", str(store), "report", "--case", "disposal", "--json"])
    said = capsys.readouterr().out
    return code, json.loads(said)["checks"] if said else []


def test_no_changed_byte_of_a_proof_goes_unnoticed(
    net: Devnet, rng: random.Random, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scene = Scene(tmp_path, [net], legs=[leg(net, "secure", "seized", "authority", "0.5")])
    scene.daemon.start()
    scene.in_step()
    net.pay("seized", "authority", 50)
    net.mine()
    busy(net, rng, 8)
    net.mine(8)
    scene.in_step()
    scene.end()
    with closing(sqlite3.connect(scene.stored.path)) as store:
        store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    _, sound = report(scene.stored.path, capsys)
    assert [one["verdict"] for one in sound if one["rule"].startswith("PROOF")] == ["SHOWN"] * (
        2 if net.name == "bitcoin" else 1
    )
    copy = tmp_path / "changed.db"
    targets = TARGETS if net.name == "bitcoin" else TARGETS | OF_ACCOUNTS
    for target, (table, column, where) in targets.items():
        for change, change_to in CHANGES.items():
            shutil.copyfile(scene.stored.path, copy)
            with closing(sqlite3.connect(copy)) as store, store:
                [(row, data)] = store.execute(f"SELECT id, {column} FROM {table} WHERE {where}").fetchall()
                store.execute(f"UPDATE {table} SET {column} = ? WHERE id = ?", (change_to(data), row))
            code, checks = report(copy, capsys)
            found = [one for one in checks if one["verdict"] == "CONTRADICTED" and one["rule"] in RULES]
            assert code and found, f"{target}, {change}: exit code {code}, {checks}"
