"""What a book opens with: the coins or balances of a case's holders after the seizure height B0. Pure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from tracer.book import Book
from tracer.custody.ledger import Entry, Place
from tracer.notices import Notice, Payers
from tracer.types import HELD_ROLES, AssetId, Holder, Lane, Outpoint, Role, outpoint_text


@dataclass(frozen=True, slots=True)
class Interest:
    """One case's watch on a holder; `outpoints`: only these coins are seized (None: all); cold: in cold storage."""

    case_id: int
    role: Role
    outpoints: frozenset[Outpoint] | None = None
    cold: bool = False


@dataclass(frozen=True, slots=True)
class Tracked:
    """An unspent output of interest: its OUT row, who holds it, its amount; order: (height, position, index)."""

    movement_id: int
    holder: Holder
    amount: int
    order: tuple[int, int, int]
    lane: Lane = Lane.REPORTED


InterestOf = Callable[[Holder], tuple[Interest, ...]]


def opening_coins(
    book: Book, others: Iterable[Book], coins: Mapping[Outpoint, Tracked], interest_of: InterestOf, native: AssetId
) -> tuple[list[Entry], list[Outpoint]]:
    """Give a book its holders' coins at B0, in chain order; returns postings and the seized coins among them.

    Of an address whose seized coins are named, only those; of an address that cases share, none that another has.
    """
    entries: list[Entry] = []
    seized: list[Outpoint] = []
    taken = {point for other in others for point in other.coins}
    for point, coin in sorted(coins.items(), key=lambda item: item[1].order):
        interest = next((i for i in interest_of(coin.holder) if i.case_id == book.case_id), None)
        if interest is None or interest.role not in HELD_ROLES:
            continue
        is_seized = interest.role is Role.SEIZED
        named = interest.outpoints is None or point in interest.outpoints
        if not named or (not is_seized and point in taken):
            continue
        place, reason = (Place.SEIZED, "seized") if is_seized else (Place.CREDIT, "there before")
        entries.append(Entry(native, place, reason, coin.amount, coin.movement_id, coin.holder))
        book.coins.add(point)
        seized += [point] if is_seized else []
    book.missing -= book.coins
    return entries, seized


def missing_coins(book: Book) -> list[Notice]:
    """Tell of coins that the case names as seized and that were not there."""
    return [
        Notice("SEIZE-1", "HIGH", f"the named seized coin {outpoint_text(point)} was not there", book.case_id)
        for point in sorted(book.missing)
    ]


def opening_balances(
    book: Book,
    others: Iterable[Book],
    balances: Mapping[tuple[int, Holder, AssetId], int],
    interest_of: InterestOf,
) -> list[Entry]:
    """Give a book its holders' balances at B0; of an account that cases share, what the others do not hold there."""
    entries: list[Entry] = []
    rivals = list(others)
    for (case_id, holder, asset), amount in balances.items():
        if case_id != book.case_id or not amount:
            continue
        role = next(i.role for i in interest_of(holder) if i.case_id == case_id)
        if role is Role.SEIZED:
            entries.append(Entry(asset, Place.SEIZED, "seized", amount, None, holder))
            continue
        free = amount - sum(other.held.get((holder, asset), 0) for other in rivals)
        if free > 0:
            entries.append(Entry(asset, Place.CREDIT, "there before", free, None, holder))
    return entries


def payers_of(case_id: int, interest_of: InterestOf, show: Callable[[Holder], str]) -> Payers:
    """What holders that paid in a transaction are to a case."""

    def payer(holder: Holder) -> tuple[Role | None, bool, str]:
        mine = next((i for i in interest_of(holder) if i.case_id == case_id), None)
        return (None, False, "") if mine is None else (mine.role, mine.cold, show(holder))

    return payer
