"""Follows traced value forward from some coins, hop by hop, and adds up where it ended. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tracer.report.answer import CONTRADICTED, SHOWN, Check, Row

Label = int
Units = dict[Label, int]


@dataclass(frozen=True, slots=True)
class Sum:
    """One seized coin's units on the way: what was here and what joined, and where both ended."""

    label: Label
    begun: int
    joined: int
    live: int
    leaves: int

    @property
    def exact(self) -> bool:
        """Whether no unit was lost or made."""
        return self.begun + self.joined == self.live + self.leaves


@dataclass(slots=True)
class Forward:
    """Value followed from `starts`, by one method.

    coins: rows of v_movement by their number. edges: rows of v_trace_edge into or out of them. seeds: label and
    amount of seized coins by number. unspent: those that nothing spends.
    """

    starts: frozenset[int]
    coins: Mapping[int, Row]
    edges: Iterable[Row]
    seeds: Mapping[int, tuple[Label, int]]
    unspent: frozenset[int]
    from_coin: Mapping[int, int]
    labels: frozenset[Label] | None = None
    steps: list[Row] = field(default_factory=list)
    ends: list[Row] = field(default_factory=list)
    sums: list[Sum] = field(default_factory=list)

    def __post_init__(self) -> None:
        begun, joined, units = self._walk()
        live: Units = {}
        leaves: Units = {}
        for number, held in sorted(units.items()):
            coin = self.coins[number]
            if coin["boundary"] is not None:
                self._end(coin, "leaf", held, leaves)
            elif number in self.unspent:
                self._end(coin, "live", held, live)
        self.sums = [
            Sum(label, begun.get(label, 0), joined.get(label, 0), live.get(label, 0), leaves.get(label, 0))
            for label in sorted({*begun, *joined, *live, *leaves})
        ]

    def _walk(self) -> tuple[Units, Units, dict[int, Units]]:
        """Sort the edges by where they come from; returns units begun with, joined, and held per coin."""
        begun: Units = {}
        joined: Units = {}
        units: dict[int, Units] = {}
        for number, (label, amount) in self.seeds.items():
            if self._counts(label):
                _add(begun if number in self.starts else joined, label, amount)
                _add(units.setdefault(number, {}), label, amount)
        for edge in self.edges:
            label, to_id, amount = edge["label"], edge["to_id"], int(edge["amount"])
            if not self._counts(label) or to_id not in self.coins:
                continue
            _add(units.setdefault(to_id, {}), label, amount)
            if self.from_coin.get(edge["from_id"]) in self.coins:
                self.steps.append(edge)
            else:
                _add(begun if to_id in self.starts else joined, label, amount)
        self.steps.sort(key=lambda edge: (edge["to_id"], edge["seq"]))
        return begun, joined, units

    def _counts(self, label: Label | None) -> bool:
        return label is not None and (self.labels is None or label in self.labels)

    def _end(self, coin: Row, state: str, held: Units, sums: Units) -> None:
        for label, amount in sorted(held.items()):
            _add(sums, label, amount)
            self.ends.append({**coin, "state": state, "label": label, "traced": str(amount)})

    def check(self, subject: str) -> Check:
        """Check that every label's units are all accounted for."""
        wrong = [s for s in self.sums if not s.exact]
        if wrong:
            s = wrong[0]
            return Check(
                "TRACE-2",
                subject,
                CONTRADICTED,
                f"label {s.label}: {s.begun + s.joined} units went in, {s.live + s.leaves} came out",
            )
        return Check("TRACE-2", subject, SHOWN, "all units that went in are in live coins and leaves")


def _add(units: Units, label: Label, amount: int) -> None:
    units[label] = units.get(label, 0) + amount
