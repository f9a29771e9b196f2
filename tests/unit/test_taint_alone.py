"""Payments traced alone: what becomes of them is what going back finds, whoever paid whom in between."""

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.taint.accounts import Payment
from tracer.taint.alone import SINK, AloneResult, Begin, trace_alone
from tracer.taint.backward import Credits, origins
from tracer.taint.boundaries import NO_LIMITS, TIME, UNSEEN
from tracer.taint.ledgers import LedgerBlock
from tracer.taint.rules import Method
from tracer.taint.run import Place
from tracer.types import AssetId, Holder

ETHER = AssetId("eip155:1/slip44:60")
HOLDERS = [Holder(bytes([n]) * 20) for n in range(1, 5)]
CONSERVING = [method for method in Method if method is not Method.POISON]
Paid = tuple[int, int, int]


class Books:
    """Blocks of payments between four accounts; balances are what they held before, unless `forgets`."""

    def __init__(self, blocks: Sequence[Sequence[Paid]], forgets: bool = False, hides: int | None = None) -> None:
        self.forgets, self.hides = forgets, hides
        self.made: list[LedgerBlock] = []
        self.before: dict[int, list[int]] = {}
        balance, row = [1_000] * 4, 0
        for height, block in enumerate(blocks, 1):
            self.before[height] = list(balance)
            paid: list[list[Payment]] = []
            places: dict[int, Place] = {}
            for position, (source, target, amount) in enumerate(block):
                row += 1
                paid.append([Payment(row, ETHER, amount, HOLDERS[source], HOLDERS[target])])
                places[row] = Place(height, position, 3, 0, row=row)
                balance[source] -= amount
                balance[target] += amount
            self.made.append(LedgerBlock(height, paid, {}, places))

    def blocks(self, after: int, upto: int) -> list[LedgerBlock]:
        return [block for block in self.made if after < block.height <= upto]

    def seen(self, holder: Holder, height: int) -> bool:
        return self.hides is None or holder != HOLDERS[self.hides]

    def seen_until(self, height: int) -> list[Holder]:
        return []

    def balance(self, key: tuple[Holder, AssetId], height: int) -> int | None:
        return None if self.forgets else self.before[height][HOLDERS.index(key[0])]


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[list[Paid]], set[int]]:
    """Blocks of payments, and some of their rows."""
    balance, count = [1_000] * 4, 0
    blocks: list[list[Paid]] = []
    for _ in range(draw(st.integers(1, 5))):
        block: list[Paid] = []
        for _ in range(draw(st.integers(0, 4))):
            source, target = draw(st.integers(0, 3)), draw(st.integers(0, 3))
            amount = draw(st.integers(0, balance[source]))
            balance[source] -= amount
            balance[target] += amount
            block.append((source, target, amount))
            count += 1
        blocks.append(block)
    chosen = draw(st.sets(st.integers(1, count), max_size=3)) if count else set()
    return blocks, chosen


def alone(method: Method, books: Books, rows: set[int], **more: object) -> AloneResult:
    return trace_alone(method, NO_LIMITS, Begin(rows), books, lambda _: None, 0, 99, **more)  # type: ignore[arg-type]


@given(made=histories())
def test_what_accounts_hold_of_it_is_what_going_back_finds(made: tuple[list[list[Paid]], set[int]]) -> None:
    blocks, chosen = made
    done = alone(Method.FIFO, Books(blocks), chosen)
    books = [Credits(unknown=-9) for _ in HOLDERS]
    for place, book in enumerate(books):
        book.credit(-1 - place, 1_000)
    payer: dict[int, int] = {}
    for row, (source, target, amount) in enumerate((paid for block in blocks for paid in block), 1):
        books[source].debit(row, amount)
        books[target].credit(row, amount)
        payer[row] = source

    def parents(node: int, start: int, end: int) -> list[tuple[int, int, int]]:
        return books[payer[node]].paid[node].part(start, end) if node > 0 else []

    found: Counter[Holder] = Counter()
    for place, book in enumerate(books):
        for node, begin, units in book.held():
            for part in origins(node, begin + units, parents, ends_at=chosen.__contains__):
                if part.node in chosen:
                    found[HOLDERS[place]] += max(0, part.end - max(begin, part.start))
    said: Counter[Holder] = Counter()
    for end in done.ends:
        said[Holder(end.place.holder)] += end.units
    assert +said == +found


@pytest.mark.parametrize("method", CONSERVING)
@given(made=histories(), last=st.integers(1, 20))
def test_no_unit_is_lost_and_none_counts_twice(
    method: Method, made: tuple[list[list[Paid]], set[int]], last: int
) -> None:
    blocks, chosen = made
    books = Books(blocks)
    amounts = {p.row: p.amount for block in books.made for paid in block.payments for p in paid}
    done = alone(method, books, chosen)
    begun = sum(done.begun.values())
    assert begun == sum(end.units for end in done.ends) <= sum(amounts[row] for row in chosen)
    assert not done.unknown
    ended = alone(method, books, chosen, sinks={last})
    came = ended.reached.get(last, 0)
    assert sum(ended.begun.values()) == came + sum(end.units for end in ended.ends)
    assert came <= amounts.get(last, 0)
    assert all(end.place.holder != SINK for end in ended.ends)


def test_a_balance_that_nobody_knows_matters_only_once_the_account_pays() -> None:
    kept = alone(Method.FIFO, Books([[(0, 1, 10)]], forgets=True), {1})
    assert list(kept.unknown) == [(HOLDERS[1], ETHER)] and not kept.doubted
    paid = alone(Method.FIFO, Books([[(0, 1, 10), (1, 2, 4)]], forgets=True), {1})
    assert list(paid.doubted) == [(HOLDERS[1], ETHER)]


def test_it_stops_where_nobody_watches_and_when_time_is_up() -> None:
    blocks = [[(0, 1, 10)], [(1, 2, 1_005)]]
    hidden = alone(Method.FIFO, Books(blocks, hides=2), {1})
    assert {(end.reason, end.units) for end in hidden.ends} == {(UNSEEN, 5), ("unspent", 5)}
    asked: list[int] = []
    late = alone(Method.FIFO, Books(blocks), {1}, enough=lambda: bool(asked) or asked.append(1))
    assert [(end.reason, end.state, end.units) for end in late.ends] == [(TIME, "leaf", 10)]


def test_a_balance_may_be_what_it_begins_with() -> None:
    begin = Begin(set(), {(HOLDERS[0], ETHER): (0, 1_000)})
    done = trace_alone(Method.FIFO, NO_LIMITS, begin, Books([[(0, 1, 300)]]), lambda _: None, 0, 99)
    assert done.begun == {ETHER: 1_000}
    assert sorted(end.units for end in done.ends) == [300, 700]
