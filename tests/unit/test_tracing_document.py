"""Every worked example of docs/tracing.md is computed by the code that ships."""

import hashlib
import json
import re
import struct
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tracer.taint.accounts import AccountTrace, Payment
from tracer.taint.boundaries import NO_LIMITS, Limits
from tracer.taint.rules import Method, Parts, flows
from tracer.taint.run import Declaration, End, Place, Source, digest
from tracer.types import AssetId, Holder

TEXT = (Path(__file__).parents[2] / "docs" / "tracing.md").read_text(encoding="utf-8")
BTC = "bip122:000000000019d6689c085ae165831e93/slip44:0"
ETHER = AssetId("eip155:1/slip44:60")
X, SEIZED, CLEAN, SHOP = (Holder(bytes([n]) * 20) for n in range(1, 5))
LABELS = "AB"


def examples() -> Iterator[tuple[str, str, list[list[str]]]]:
    """(what it is, what is given, rows of the table without its head)."""
    for kind, given, table in re.findall(r"<!-- (\w+): (.*?) -->\n((?:\|.*\n)+)", TEXT):
        rows = [[cell.strip() for cell in line.strip("|\n").split("|")] for line in table.splitlines()]
        yield kind, given, rows[:1] + rows[2:]


EXAMPLES = list(examples())


def part(words: str) -> tuple[int | None, int]:
    units, label = words.split()
    return (None if label == "clean" else LABELS.index(label)), int(units)


def written(units: Counter[int]) -> str:
    return ", ".join(f"{LABELS[label]} {n}" for label, n in sorted(units.items()) if n) or "-"


def by_transaction(given: str, method: Method) -> list[str]:
    ins, outs = re.fullmatch(r"inputs (.*); sinks (.*)", given).groups()  # type: ignore[union-attr]
    sinks = [int(word.removeprefix("fee ")) for word in outs.split(", ")]
    inputs: list[Parts] = [(part(words),) for words in ins.split(", ")]
    if not method.tiles:
        inputs = [() if parts[0][0] is None else parts for parts in inputs]
    rest = sum(part(words)[1] for words in ins.split(", ")) - sum(sinks)
    assert rest == 0
    cells = []
    for row in flows(method, inputs, sinks):
        units: Counter[int] = Counter()
        for flow in row:
            if flow.label is not None:
                units[flow.label] += flow.units
        cells.append(written(units))
    return cells


def by_account(given: str, method: Method) -> list[str]:
    run = AccountTrace(method, NO_LIMITS)
    seeded = sum(int(n) for n in re.findall(r"gets (\d+) A", given))
    run.seed((SEIZED, ETHER), seeded)
    cells = []
    for step in given.split(", "):
        word, units, *label = step.split()
        source, target = (X, SHOP) if word == "pays" else (SEIZED if label == ["A"] else CLEAN, X)
        done = run.step(
            [[Payment(1, ETHER, int(units), source, target)]], {(X, ETHER): 0, (SHOP, ETHER): 0}, lambda _: None
        )
        run.apply(done)
        if word == "pays":
            cells.append(
                written(
                    Counter({e.label: 0 for e in done.edges if e.label is not None})
                    + Counter(label for e in done.edges if e.label is not None for label in [e.label] * e.amount)
                )
            )
    return cells


@pytest.mark.parametrize(("kind", "given", "rows"), EXAMPLES, ids=lambda value: value if isinstance(value, str) else "")
def test_the_worked_examples_are_what_the_code_computes(kind: str, given: str, rows: list[list[str]]) -> None:
    head, *table = rows
    wide = len([cell for cell in head[1:] if cell != "rule"])
    for row in table:
        compute = by_account if kind == "account" else by_transaction
        assert row[1 : 1 + wide] == compute(given, Method(row[0]))


def test_the_document_has_an_example_of_every_method_on_coins_and_on_accounts() -> None:
    for kind in ("coins", "account"):
        named = {row[0] for what, _, rows in EXAMPLES if what == kind for row in rows[1:]}
        assert named == {method.value for method in Method}


def test_the_swap_of_the_text_is_what_the_code_computes() -> None:
    run = AccountTrace(Method.HAIRCUT, NO_LIMITS)
    run.seed((X, ETHER), 100)
    dollar = AssetId("eip155:1/erc20:0x01")
    run.apply(run.step([[Payment(1, ETHER, 100, CLEAN, X)]], {}, lambda _: None))
    swap = [Payment(2, ETHER, 200, X, SHOP), Payment(3, dollar, 3_000, SHOP, X)]
    done = run.step([swap], {(X, dollar): 0}, lambda _: None)
    assert "make 1500 A" in TEXT
    assert [edge.amount for edge in done.edges if edge.to_id == 3] == [1_500]


def test_the_worked_digest_is_what_a_reader_of_the_page_computes() -> None:
    """By the words of the page alone: nothing here but hashlib, struct and json."""
    place = "01" * 32 + ":0"
    chosen = {
        "case": "PAPER-1",
        "chain": "bip122:000000000019d6689c085ae165831e93",
        "fee_policy": "sink",
        "labels_sha256": "",
        "limits": {"max_hops": 20, "max_live": 100000, "min_amount": 0},
        "method": "fifo",
        "rounding": "telescoping floors",
        "rules": 2,
        "since": 6,
        "sources_sha256": hashlib.sha256(f"0 {place} {BTC} 100\n".encode()).hexdigest(),
        "stop_at": [],
        "variant": "",
        "whole": [],
    }
    ends = [(7, 0xFFFFFFFF, 2, 0, 5, b"fee"), (7, 2, 1, 0, 95, b"unspent")]
    records = b"".join(
        struct.pack(">IIBI32sI32s32s", height, position, kind, index, bytes(32), 0, units.to_bytes(32, "big"), reason)
        for height, position, kind, index, units, reason in sorted(ends)
    )
    tip = bytes.fromhex("02" * 32)
    paper = hashlib.sha256(
        json.dumps(chosen, sort_keys=True, separators=(",", ":")).encode() + tip + records
    ).hexdigest()
    run = Declaration(
        "PAPER-1",
        "bitcoin",
        Method.FIFO,
        (Source(0, place, BTC, 100),),
        Limits(20, 0, 100_000),
        since=6,
        caip2="bip122:000000000019d6689c085ae165831e93",
    )
    found = [
        End(Place(7, 2, 1, 0), 0, 0, 95, "live", "unspent"),
        End(Place(7, 2, 2, 0), 0, 0, 5, "leaf", "fee"),
    ]
    assert digest(run, tip, found).hex() == paper
    assert paper in TEXT
