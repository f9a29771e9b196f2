"""Whose payment it is when cases share holders: explicit legs decide, else it is ambiguous and never guessed. Pure.

A unit is a debit, or a credit, of one case at most; only what nobody can tell counts against every case that holds
value there, at most what it holds. A coin has one owner, or none.
"""

from collections.abc import Iterable, Mapping, Sequence

from tracer.book import Book, Flow, Numbered, Shares, flow_of
from tracer.matching import Credit, LegState, fits, in_window, meant
from tracer.types import HELD_ROLES, AssetId, Holder, Kind, Role

Roles = Mapping[int, Mapping[Holder, Role]]


def share_out(
    moves: Sequence[Numbered],
    roles: Roles,
    books: Mapping[int, Book],
    time: int,
    native: AssetId,
    followed: frozenset[AssetId],
) -> Shares:
    """Settle one transaction that several open cases see; movements that only one of them sees stay as they are."""
    views = {case: flow_of(books[case], moves, roles[case], native, followed) for case in roles}
    credits, served = share_credits(moves, roles, books, views, time)
    counting = [n for n in moves if n.movement.asset in followed]
    debits, ambiguous = share_debits(counting, roles, books, credits, served)
    return Shares(debits, credits, ambiguous)


def share_credits(
    moves: Sequence[Numbered], roles: Roles, books: Mapping[int, Book], views: Mapping[int, Flow], time: int
) -> tuple[dict[tuple[int, int], int], set[int]]:
    """Give each credit that several cases see to one of them, or to none; also returns the cases whose legs it serves.

    views: the transaction as each case sees it alone.
    """
    credits: dict[tuple[int, int], int] = {}
    served: set[int] = set()
    offers = {case: {credit.movement_id: credit for credit in flow.credits} for case, flow in views.items()}
    for numbered in moves:
        move = numbered.movement
        seeing = [case for case in roles if numbered.id in offers[case]]
        able = [case for case in seeing if views[case].debits] or seeing
        able = [case for case in able if can_pay(books[case], move.source, move.asset, move.amount, roles[case])]
        wanting = {case: wanted_by(books[case], offers[case][numbered.id], time) for case in able}
        if len(seeing) < 2:
            served |= {case for case, legs in wanting.items() if legs}
            continue
        taken = allot(wanting, move.amount)
        served |= taken.keys()
        if not taken and len(able) == 1:
            taken = {able[0]: move.amount}
        credits |= {(case, numbered.id): taken.get(case, 0) for case in seeing}
    return credits, served


def share_debits(
    moves: Sequence[Numbered],
    roles: Roles,
    books: Mapping[int, Book],
    credits: Mapping[tuple[int, int], int],
    served: set[int],
) -> tuple[dict[tuple[int, int], int], frozenset[int]]:
    """Charge each debit of an account that several cases hold value at; also returns the cases left in doubt."""
    debits: dict[tuple[int, int], int] = {}
    ambiguous: set[int] = set()
    for numbered in moves:
        move = numbered.movement
        if move.spends is not None or move.source is None:
            continue
        holding = [case for case in roles if roles[case].get(move.source) in HELD_ROLES]
        if len(holding) < 2:
            continue
        told = payer_of(numbered, holding, credits, served, books)
        if not told:
            ambiguous |= set(holding)
            held = {case: books[case].held.get((move.source, move.asset), 0) for case in holding}
            told = {case: min(move.amount, max(0, units)) for case, units in held.items()}
        debits |= {(case, numbered.id): told.get(case, 0) for case in holding}
    return debits, frozenset(ambiguous)


def wanted_by(book: Book, credit: Credit, time: int) -> list[LegState]:
    """The legs of a case that a credit could serve now."""
    if credit.change:
        return []
    legs = book.legs_to.get(credit.holder, ())
    return [leg for leg in legs if leg.wanted and fits(leg.plan, credit, time) and in_window(leg.plan, time)]


def can_pay(book: Book, source: Holder | None, asset: AssetId, amount: int, roles: Mapping[Holder, Role]) -> bool:
    """Whether a case can have paid an amount from an account: it must hold that much there."""
    if source is None or roles.get(source) not in HELD_ROLES:
        return True
    return book.held.get((source, asset), 0) >= amount


def allot(wanting: Mapping[int, Sequence[LegState]], amount: int) -> dict[int, int]:
    """Allot a credit to the cases whose legs it serves; empty if that cannot be told.

    It can be told if it is just what all these legs want together, or if the rules of one case alone would serve legs
    of a single case with it.
    """
    owner = {leg.plan.id: case for case, legs in wanting.items() for leg in legs}
    legs = [leg for case_legs in wanting.values() for leg in case_legs]
    result: dict[int, int] = {}
    if legs and sum(leg.wanted for leg in legs) == amount:
        for leg in legs:
            result[owner[leg.plan.id]] = result.get(owner[leg.plan.id], 0) + leg.wanted
        return result
    cases = {owner[leg.plan.id] for leg in meant(legs, amount)}
    return {cases.pop(): amount} if len(cases) == 1 else {}


def payer_of(
    numbered: Numbered,
    holding: Iterable[int],
    credits: Mapping[tuple[int, int], int],
    served: set[int],
    books: Mapping[int, Book],
) -> dict[int, int]:
    """Say which of the cases that hold value at an account a debit is of; empty if it cannot be told.

    In this order: the cases that took the credit of the same movement; the one case whose leg the transaction serves;
    the one case that holds anything there.
    """
    move = numbered.movement
    took = {case: credits.get((case, numbered.id), 0) for case in holding}
    if sum(took.values()) == move.amount and move.kind is not Kind.FEE:
        return took
    serving = [case for case in holding if case in served]
    if len(serving) == 1:
        return {serving[0]: move.amount}
    having = [
        case for case in holding if move.source is not None and books[case].held.get((move.source, move.asset), 0) > 0
    ]
    return {having[0]: move.amount} if len(having) == 1 else {}
