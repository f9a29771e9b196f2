"""What an unconfirmed transaction would do to the cases of its chain, by the rules that blocks are judged by. Pure.

Nothing is changed: the rules run on copies of what a few transactions touch.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count

from tracer.book import Book
from tracer.casework import Casework, Ids
from tracer.chain import NO_MARKS
from tracer.life import Change, Conflicted, Dropped, Life, Lives, Observation, Promise, Replaced, Seen
from tracer.matching import LegState
from tracer.notices import Notice
from tracer.tracing import LiveRuns
from tracer.types import BlockFacts, BlockRef, Hash, Holder, Movement, Outpoint, TxFacts
from tracer.value import Values

NO_BLOCK = BlockRef(-1, Hash(bytes(32)), Hash(bytes(32)))


STUCK_S = 3_600
"""Seconds of block time after which what was sent for a leg, and no block holds, is stuck."""

AT_ONCE = frozenset({"LEG-1", "KEY-1", "COLD-1", "LEG-3"})
"""Rules that are told of before a block holds what set them off."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """An unconfirmed transaction as a mempool has it: its bytes, and what it would move.

    spends: in words, what no other transaction can spend beside it. source: who said so. after: other unconfirmed
    transactions that must be mined before it.
    """

    txid: Hash
    raw: bytes
    moves: tuple[Movement, ...]
    spends: tuple[str, ...]
    source: str
    after: tuple[Hash, ...] = ()

    @property
    def facts(self) -> TxFacts:
        """The transaction as a block would show it, its place aside."""
        return TxFacts(0, self.txid, self.raw, self.moves)


@dataclass(frozen=True, slots=True)
class Observed:
    """What a look at a mempool changes: events, and alerts with the row of the transaction that they are about."""

    changes: list[Change]
    notices: list[tuple[int, Notice]]


@dataclass(frozen=True, slots=True)
class Kept:
    """What the store has of a mempool's transactions: the rows of new ones, and the number of our newest block.

    told: whether a debit outside a leg was told of a transaction before.
    """

    rows: Mapping[Hash, int]
    told: Callable[[Hash], bool]
    tip: int


def observe_pool(
    casework: Casework,
    held: Mapping[Hash, Sighting],
    new: Iterable[Hash],
    fates: Mapping[Hash, Observation],
    kept: Kept,
    now: int,
) -> Observed:
    """Take in what a mempool says: which transactions it holds, which of them are new, what became of others.

    A debit outside every leg is told of once per transaction.
    """
    observed = Observed([], stuck(casework, held))
    for txid in new:
        life = casework.lives.open.get(txid) or Life(txid)
        life.pending_id = kept.rows[txid]
        changes = casework.lives.observe(life, Seen(kept.tip))
        observed.changes.extend(changes)
        if changes:
            line = [one.facts for one in line_of(held[txid], held)]
            told, legs = judge_pending(casework, line, now)
            casework.lives.promised[txid] = Promise(kept.rows[txid], legs, casework.clock)
            observed.notices.extend((kept.rows[txid], notice) for notice in told if not kept.told(txid))
    for txid, what in fates.items():
        if txid in casework.lives.open:
            changes = casework.lives.observe(casework.lives.open[txid], what)
            observed.changes.extend(changes)
            observed.notices.extend(broken(casework.lives.promised.pop(txid, None), txid, what) if changes else ())
    return observed


def any_stuck(casework: Casework) -> bool:
    """Whether something that was sent for a leg is stuck, and nobody was told."""
    waiting = casework.lives.promised.values()
    return any(one.legs and not one.told and casework.clock - one.clock >= STUCK_S for one in waiting)


def stuck(casework: Casework, held: Mapping[Hash, Sighting]) -> list[tuple[int, Notice]]:
    """LEG-6: what was sent for a leg has waited in the mempool for an hour of block time; told once."""
    notices: list[tuple[int, Notice]] = []
    for txid in [txid for txid in casework.lives.promised if txid not in held]:
        if txid not in casework.lives.open:
            del casework.lives.promised[txid]
    for txid, promise in casework.lives.promised.items():
        if txid in held and not promise.told and casework.clock - promise.clock >= STUCK_S:
            promise.told = True
            notices += [
                (promise.row, Notice("LEG-6", "WARN", f"stuck: {txid.hex()} has waited for an hour", case_id, leg_id))
                for case_id, leg_id in promise.legs
            ]
    return notices


def broken(promise: Promise | None, txid: Hash, what: Observation) -> list[tuple[int, Notice]]:
    """LEG-6: what was sent for a leg was replaced, lost a conflict, or was dropped by the mempool."""
    match what:
        case Replaced(by) | Conflicted(by):
            said = f"replaced: {txid.hex()} gave way to {by.hex()}"
        case Dropped():
            said = f"dropped: the mempool lost {txid.hex()}"
        case _:
            return []
    legs = () if promise is None else promise.legs
    return [(promise.row, Notice("LEG-6", "WARN", said, case, leg)) for case, leg in legs if promise is not None]


def line_of(one: Sighting, held: Mapping[Hash, Sighting]) -> list[Sighting]:
    """A transaction behind all that must be mined before it, as far as the mempool holds them."""
    line: dict[Hash, Sighting] = {}
    todo = [one]
    while todo:
        here = todo[-1]
        before = [held[txid] for txid in here.after if txid in held and txid not in line and held[txid] not in todo]
        todo += before
        if not before:
            line.setdefault(todo.pop().txid, here)
    return list(line.values())


def judge_pending(
    casework: Casework, txs: Sequence[TxFacts], time: int
) -> tuple[list[Notice], tuple[tuple[int, int], ...]]:
    """Say which debits of the last of some unconfirmed transactions lie outside every leg: one alert per case and rule.

    Returns also the legs (case, leg) that it would serve.

    txs: the transactions that go before it (its unconfirmed ancestors), then itself. time: taken for that of the next
    block, if that is not before the newest block.
    """
    shadow = dry(casework, txs)
    facts = BlockFacts(NO_BLOCK, max(time, casework.clock), None, tuple(txs))
    done = shadow.connect(facts, NO_MARKS, {})
    [number] = [kept.id for kept in done.txs if kept.txid == txs[-1].txid] or [0]
    told: dict[tuple[int | None, str], list[Notice]] = {}
    for notice in done.notices:
        if notice.rule in AT_ONCE and notice.tx_id == number:
            told.setdefault((notice.case_id, notice.rule), []).append(notice)
    legs = {(case_id, e.leg_id): None for case_id, tx_id, e in done.entries if tx_id == number and e.leg_id is not None}
    return [
        replace(notices[0], message=f"unconfirmed: {'; '.join(one.message for one in notices)}", tx_id=None)
        for notices in told.values()
    ], tuple((case_id, leg_id) for case_id, leg_id in legs if leg_id is not None)


def dry(casework: Casework, txs: Iterable[TxFacts]) -> Casework:
    """Copy as much of the casework as some transactions can change; traces and other transfers are left out."""
    moves = [move for tx in txs for move in tx.movements]
    points = {move.spends for move in moves if move.spends is not None}
    targets = {move.target for move in moves if move.target is not None}
    return replace(
        casework,
        ids=Ids(count(1), count(1), count(1)),
        books={case_id: dry_book(book, points, targets) for case_id, book in casework.books.items()},
        runs=LiveRuns(),
        coins={point: casework.coins[point] for point in points if point in casework.coins},
        lives=Lives(),
        values=Values(),
    )


def dry_book(book: Book, points: set[Outpoint], targets: set[Holder]) -> Book:
    """Copy a book with the coins that may be spent and the legs that may be served."""
    legs = [
        LegState(leg.plan, list(leg.arrivals), leg.fees, leg.voided)
        for target in targets
        for leg in book.legs_to.get(target, ())
    ]
    shadow = Book(
        book.case_id,
        book.ref,
        book.seizure,
        legs,
        book.attestations,
        book.opened,
        {point for point in points if point in book.coins},
        dict(book.held),
        {asset: replace(total) for asset, total in book.totals.items()},
        dict(book.judged),
        missing=book.missing,
    )
    shadow.securing = book.securing
    return shadow
