"""The command `make bench-heuristics`: counts how often each heuristic is right on the shipped set, as exact ratios.

With --write-docs the table in docs/attribution.md is written anew.
"""

import argparse
import hashlib
import json
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.heuristics.generate import CASES
from benchmarks.heuristics.world import Row
from tracer.attribution.deposit import payments_of
from tracer.attribution.nouns import CHANGE, COINJOIN, COSPEND, DEPOSIT, METHODS, PEEL, Coin, Link, Payment, TxShape
from tracer.attribution.reading import links_of_coins, links_of_payments

DOCS = Path(__file__).parents[2] / "docs" / "attribution.md"
ONE = "one owner"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
SCRIPTS = {"w": ("0014", 20, ""), "t": ("5120", 32, ""), "s": ("a914", 20, "87"), "k": ("76a914", 20, "88ac"),
           "h": ("0020", 32, ""), "a": ("", 20, "")}  # fmt: skip


@dataclass
class Score:
    """Counts of one method, over all cases and by kind of case. right, wrong: said so; missed: true, and not said.

    A claim about a case where something else is true counts as wrong and as missed.
    """

    cases: Counter[str] = field(default_factory=Counter)
    right: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)

    def add(self, case: str, said: object, truth: object) -> None:
        """Count one case. said, truth: None for nothing."""
        self.cases[case] += 1
        self.right[case] += said is not None and said == truth
        self.wrong[case] += said is not None and said != truth
        self.missed[case] += truth is not None and said != truth

    def row(self, name: str, case: str | None = None) -> tuple[str, ...]:
        """The counts of a kind of case, or of all, with precision and recall as ratios."""
        cases, right, wrong, missed = (
            counts.total() if case is None else counts[case]
            for counts in (self.cases, self.right, self.wrong, self.missed)
        )
        return (name, *map(str, (cases, right, wrong, missed)), ratio(right, wrong), ratio(right, missed))


def ratio(right: int, others: int) -> str:
    """Write right of all as a ratio, never rounded to one; a dash where there is nothing."""
    return f"{right}/{right + others}" if right + others else "-"


def load() -> Row:
    """Read the shipped set."""
    first, *rows = (json.loads(line) for line in CASES.read_text(encoding="utf-8").splitlines())
    data: Row = first
    data["txs"] = [row for row in rows if isinstance(row, dict)]
    data["payments"] = [row for row in rows if isinstance(row, list)]
    return data


def key(name: str) -> bytes:
    """The script or account that a made-up name stands for."""
    head, size, tail = SCRIPTS[name[0]]
    return bytes.fromhex(head) + hashlib.sha256(name.encode()).digest()[:size] + bytes.fromhex(tail)


def txid(number: int) -> bytes:
    """The id that a made-up transaction has."""
    return hashlib.sha256(b"tx %d" % number).digest()


def shape(row: Row) -> TxShape:
    """A transaction as the heuristics read it."""
    ins, outs = (tuple(Coin(key(name), amount) for name, amount in row[side]) for side in ("in", "out"))
    fee = sum(coin.amount for coin in ins) - sum(coin.amount for coin in outs)
    spends = ((txid(row["spends"][0]), row["spends"][1]),) if "spends" in row else ()
    return TxShape(txid(row["n"]), ins, outs, fee, spends)


def measure(data: Row) -> dict[str, Score]:
    """Run every method over the whole set and count."""
    scores = {method: Score() for method in METHODS}
    shapes = [shape(row) for row in data["txs"]]
    known = {key(name) for name in data["known"]}
    links = links_of_coins(shapes, known)
    said = {(link.method, link.txid): link for link in links}
    owner = {key(name): person for name, person in data["owner"].items()}
    for row, tx in zip(data["txs"], shapes, strict=True):
        case, mixed = row["case"], row.get("mixed")
        found = {method: said.get((method, tx.txid)) for method in METHODS}
        scores[COINJOIN].add(case, parameter(found[COINJOIN], "shape"), mixed)
        payers = {owner[coin.holder] for coin in tx.inputs}
        back = {owner[coin.holder] for coin in tx.outputs} & payers
        scores[CHANGE].add(case, claimed(found[CHANGE], owner), ONE if len(payers) == 1 and back else None)
        if len({coin.holder for coin in tx.inputs}) > 1:
            scores[COSPEND].add(case, claimed(found[COSPEND], owner), ONE if len(payers) == 1 else None)
        if "peel" in row:
            scores[PEEL].add(case, claimed(found[PEEL], owner), ONE if row["peel"] else None)
    for case, said_of, truth in deposits(data, shapes, known):
        scores[DEPOSIT].add(case, said_of, truth)
    return scores


def claimed(link: Link | None, owner: dict[bytes, int]) -> str | None:
    """Whether a link claims one owner, and rightly so: of all holders that it names."""
    if link is None or link.claim != ONE:
        return None
    return ONE if len({owner[holder] for holder in link.holders}) == 1 else "several owners"


def parameter(link: Link | None, name: str) -> Any:
    """A parameter of a link; None without a link."""
    return None if link is None else dict(link.parameters)[name]


def deposits(data: Row, shapes: list[TxShape], known: set[bytes]) -> Iterator[tuple[str, bytes | None, bytes | None]]:
    """Every holder that paid, with what is said of it and what is true: whose deposits it takes."""
    coins = [(tx, row.get("at", 0)) for row, tx in zip(data["txs"], shapes, strict=True)]
    paid = [
        Payment(txid(number), key(source), key(target), "ETH", amount, at)
        for number, source, target, amount, at in data["payments"]
    ]
    flows = {"coins": list(payments_of(coins, known, "BTC")), "accounts": paid}
    truth = {key(name): key(hot) for name, hot in data["deposits"].items()}
    for case, payments in flows.items():
        said = {link.holders[0]: link.holders[1] for link in links_of_payments(payments, known)}
        for holder in {one.source for one in payments if one.source is not None} - known:
            yield case, said.get(holder), truth.get(holder)


def table(scores: dict[str, Score]) -> list[tuple[str, ...]]:
    """The lines of the table: each method over all, then by kind of case, where there is something to say."""
    lines = []
    for method, score in scores.items():
        lines.append(score.row(method))
        kinds = [c for c in score.cases if score.right[c] + score.wrong[c] + score.missed[c]]
        lines += [score.row(f"  {case}", case) for case in kinds]
    return lines


HEAD = ("method, kind of case", "cases", "right", "wrong", "missed", "precision", "recall")


def markdown(lines: list[tuple[str, ...]]) -> str:
    """The table as Markdown; lines of methods are bold."""
    rows = [(f"**{name}**" if name[0] != " " else name.strip(), *cells) for name, *cells in lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in (HEAD, ("---", *["---:"] * 6), *rows)) + "\n"


def main() -> int:
    """Print the table, and write it into the documentation where that is asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.heuristics.score", description=__doc__)
    parser.add_argument("--write-docs", action="store_true", help=f"write the table into docs/{DOCS.name}")
    given = parser.parse_args()
    lines = table(measure(load()))
    width = max(len(line[0]) for line in lines)
    for name, *cells in (HEAD, *lines):
        sys.stdout.write(f"{name:<{width}}" + "".join(f"{cell:>11}" for cell in cells) + "\n")
    if given.write_docs:
        text = DOCS.read_text(encoding="utf-8")
        before, after = text.split(BEGIN)[0], text.split(END)[1]
        DOCS.write_text(f"{before}{BEGIN}\n{markdown(lines)}{END}{after}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
