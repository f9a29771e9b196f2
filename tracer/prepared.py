"""What one block becomes before it is written: numbered rows, postings, judgements, and changes of interest. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tracer.book import Numbered
from tracer.chain import Marks
from tracer.custody.judge import Judgement
from tracer.custody.ledger import Entry, Totals
from tracer.life import Change
from tracer.notices import Notice
from tracer.opening import Tracked
from tracer.taint.accounts import Key
from tracer.taint.coins import Edge, TracedRow
from tracer.taint.lots import Holding
from tracer.taint.rules import Method
from tracer.types import AssetId, BlockFacts, Hash, Holder, Kind, Lane, Movement, Outpoint
from tracer.value import Check

Labelled = tuple[int, int, int | None, Holder | None, AssetId | None, int]
"""(case, label, the coin's OUT row or None, account and asset or None, amount)."""


@dataclass(frozen=True, slots=True)
class KeptTx:
    """A transaction to be stored."""

    id: int
    position: int
    txid: bytes
    raw: bytes
    proof: bytes | None
    moves: tuple[Numbered, ...]


@dataclass(slots=True)
class Prepared:
    """All rows of one block, and what it does to the scanner's interest.

    openings: what accounts that a trace reached first here held before the block.
    """

    block_id: int
    facts: BlockFacts
    marks: Marks
    txs: list[KeptTx] = field(default_factory=list)
    loose: list[Numbered] = field(default_factory=list)
    entries: list[tuple[int, int | None, Entry]] = field(default_factory=list)
    held: dict[tuple[int, Holder, AssetId], int] = field(default_factory=dict)
    ledger: dict[tuple[int, AssetId], Totals] = field(default_factory=dict)
    verdicts: list[tuple[int, int | None, AssetId, Judgement]] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    labels: list[Labelled] = field(default_factory=list)
    edges: list[tuple[int, Method, Sequence[Edge]]] = field(default_factory=list)
    traced: list[tuple[int, Method, Sequence[TracedRow]]] = field(default_factory=list)
    lots: list[tuple[int, Method, Key, Holding]] = field(default_factory=list)
    openings: list[tuple[Key, int]] = field(default_factory=list)
    added: dict[Outpoint, Tracked] = field(default_factory=dict)
    removed: list[Outpoint] = field(default_factory=list)
    transfers: list[tuple[int, Hash]] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Judged:
    """New judgements (case, leg or None, asset, judgement), alerts that go with them, transfers' states, checks."""

    verdicts: list[tuple[int, int | None, AssetId, Judgement]]
    notices: list[Notice]
    changes: list[Change] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)


@dataclass(slots=True)
class Ids:
    """Surrogates of the rows to come; the single writer hands them out in memory."""

    block: Iterator[int]
    tx: Iterator[int]
    movement: Iterator[int]

    def of_block(self) -> int:
        """The number of the block that comes now."""
        return next(self.block)

    def of_tx(self, position: int) -> int:
        """The number of a transaction of that block."""
        return next(self.tx)

    def of_movement(self, position: int | None, move: Movement) -> int:
        """The number of a movement of that block; position: of its transaction, None where none carries it."""
        return next(self.movement)


def as_stored(moves: Sequence[Movement], coins: Mapping[Outpoint, Tracked], before: Sequence[KeptTx]) -> list[Movement]:
    """Call what an input was worth PROVEN only where the transaction that made its coin is stored with its proof.

    before: the transactions of the same block that are stored. A fee is as strong as the weakest input.
    """
    made = {bytes(tx.txid[::-1]) for tx in before if tx.proof is not None} if before else frozenset[bytes]()
    settled, weakest = [], Lane.PROVEN
    for move in moves:
        lane = move.lane
        if move.spends is not None:
            coin = coins.get(move.spends)
            known = coin.lane if coin is not None else Lane.PROVEN if move.spends[:32] in made else Lane.REPORTED
            weakest = max(weakest, lane := max(lane, known))
        elif move.kind is Kind.FEE:
            lane = max(lane, weakest)
        settled.append(move if lane is move.lane else replace(move, lane=lane))
    return settled
