"""What other cases have posted already: a case that comes late takes what they left, or could not explain. Pure.

Cases that are followed together settle shared payments between them (`tracer.sharing`). A late case finds settled ones:
the rows of the others never change because of it, and no unit counts twice, but for what the others call unexplained.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tracer.book import Book, Numbered, Shares, owns
from tracer.types import HELD_ROLES, Holder, Role


@dataclass(frozen=True, slots=True)
class Taken:
    """What of one transaction is other cases': units by movement, and units of a fee that its inputs pay together."""

    credits: Mapping[int, int] = field(default_factory=dict)
    debits: Mapping[int, int] = field(default_factory=dict)
    fee: int = 0


NOTHING = Taken()


class Rivals(Protocol):
    """The cases whose postings stand."""

    def taken(self, tx_id: int) -> Taken:
        """What they took of a transaction."""

    def claimed(self, movement_id: int) -> bool:
        """Whether a movement without a transaction is in one of their books."""

    def books(self, height: int) -> list[Book]:
        """Books with the coins and balances that they held after a height, and nothing else."""


class NoRivals:
    """Nobody has posted anything."""

    def taken(self, tx_id: int) -> Taken:
        """Nothing."""
        return NOTHING

    def claimed(self, movement_id: int) -> bool:
        """Never."""
        return False

    def books(self, height: int) -> list[Book]:
        """None."""
        return []


def left_over(
    moves: Sequence[Numbered],
    roles: Mapping[int, Mapping[Holder, Role]],
    books: Mapping[int, Book],
    shares: Shares,
    taken: Taken,
) -> Shares:
    """Reduce what some cases share of a transaction to what others left; lower case numbers are served first."""
    credits, debits = dict(shares.credits), dict(shares.debits)
    for numbered in moves:
        move = numbered.movement
        left = move.amount - taken.credits.get(numbered.id, 0)
        for case_id in sorted(roles) if numbered.id in taken.credits else ():
            if move.target in roles[case_id]:
                part = min(credits.get((case_id, numbered.id), move.amount), max(0, left))
                credits[case_id, numbered.id] = part
                left -= part
        left = move.amount - taken.debits.get(numbered.id, 0)
        for case_id in sorted(roles) if numbered.id in taken.debits else ():
            if move.source is not None and roles[case_id].get(move.source) in HELD_ROLES:
                whole = move.amount if owns(books[case_id], move, roles[case_id]) else 0
                part = min(debits.get((case_id, numbered.id), whole), max(0, left))
                debits[case_id, numbered.id] = part
                left -= part
    return Shares(debits, credits, shares.ambiguous)
