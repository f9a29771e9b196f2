"""What one account holds of one asset, as a run sees it: lots in the order in which they came, or proportions. Pure.

A *piece* is (label, units, hop) on its way; label None is clean.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

from tracer.taint.rules import Label, Method, split

Piece = tuple[Label | None, int, int]


@dataclass(frozen=True, slots=True)
class Queue:
    """Lots under a tiling method, the oldest first; they tile the balance."""

    lots: tuple[Piece, ...] = ()

    @property
    def balance(self) -> int:
        """Base units that are there."""
        return sum(units for _, units, _ in self.lots)

    def labelled(self) -> tuple[Piece, ...]:
        """The lots that carry a label."""
        return tuple(lot for lot in self.lots if lot[0] is not None)


@dataclass(frozen=True, slots=True)
class Mix:
    """A balance under haircut: what it was after the last credit, its labels then, and what has left since.

    The debits since telescope over `base`, so that many small payments carry away what one large one would.
    left: units per label that are still here, in label order, with the hop of the latest that came.
    """

    base: int = 0
    mass: int = 0
    gone: int = 0
    left: tuple[Piece, ...] = ()

    @property
    def balance(self) -> int:
        """Base units that are there."""
        return self.base - self.gone

    def labelled(self) -> tuple[Piece, ...]:
        """The labels that are here."""
        return self.left


@dataclass(frozen=True, slots=True)
class Pool:
    """A balance under poison: every label that came in lies on all of it, until it is empty. labels: (label, hop)."""

    balance: int = 0
    labels: tuple[tuple[Label, int], ...] = ()

    def labelled(self) -> tuple[Piece, ...]:
        """Every label over the whole balance."""
        return tuple((label, self.balance, hop) for label, hop in self.labels if self.balance)


Holding = Queue | Mix | Pool


def opened(method: Method, balance: int, label: Label | None = None) -> Holding:
    """An account that is met with a balance: one lot, clean or of one label, no transaction away from custody."""
    if method is Method.POISON:
        return Pool(balance, () if label is None or not balance else ((label, 0),))
    lots = ((label, balance, 0),) if balance else ()
    if method is Method.HAIRCUT:
        return Mix(balance, balance if label is not None else 0, 0, lots if label is not None else ())
    return Queue(lots)


def credited(method: Method, holding: Holding, pieces: Sequence[Piece], amount: int) -> Holding:
    """What an account holds after `amount` units came in, made up of these pieces.

    Under haircut and poison the pieces are the labelled ones; the rest of the amount is clean.
    """
    match holding:
        case Queue(lots):
            return Queue(merged([*lots, *pieces]))
        case Mix():
            left = joined([*holding.left, *pieces])
            return Mix(holding.balance + amount, sum(units for _, units, _ in left), 0, left)
        case Pool(balance, labels):
            hops = dict(labels)
            for label, _, hop in pieces:
                if label is not None:
                    hops[label] = max(hop, hops.get(label, 0))
            return Pool(balance + amount, tuple(sorted(hops.items())))


def debited(method: Method, holding: Holding, amount: int) -> tuple[Holding, tuple[Piece, ...], int]:
    """Take `amount` units out: what is left, the pieces that leave, and units that were never seen to come in.

    What leaves beyond the balance is clean: nothing says where it came from.
    """
    unseen = max(0, amount - holding.balance)
    known = amount - unseen
    match holding:
        case Mix():
            if not holding.base:
                return holding, (), unseen
            gone = holding.gone + known
            share = holding.mass * gone // holding.base - holding.mass * holding.gone // holding.base
            units = [piece[1] for piece in holding.left]
            taken = split(share, units)
            pieces = tuple((p[0], t, p[2]) for p, t in zip(holding.left, taken, strict=True) if t)
            left = tuple((p[0], u, p[2]) for p, u in zip(holding.left, units, strict=True) if u)
            return replace(holding, gone=gone, left=left), pieces, unseen
        case Pool(balance, labels):
            pieces = tuple((label, known, hop) for label, hop in labels if known)
            return Pool(balance - known, labels if balance > known else ()), pieces, unseen
        case Queue(lots):
            left, pieces = taken_from(method, lots, known)
            return Queue(left), merged([*pieces, (None, unseen, 0)]) if unseen else pieces, unseen


def taken_from(method: Method, lots: Sequence[Piece], amount: int) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    """Take units from lots in the method's order; returns what stays, in its old order, and what leaves.

    FIFO takes the oldest; LIFO the newest; TIHO and seniority the traced ones first, clean-first the clean ones, each
    the oldest first: a payment has one receiver, so that the two first are one rule on accounts.
    """
    order = list(range(len(lots)))
    if method is Method.LIFO:
        order.reverse()
    elif method in (Method.TIHO, Method.SENIORITY):
        order.sort(key=lambda place: lots[place][0] is None)
    elif method is Method.CLEAN_FIRST:
        order.sort(key=lambda place: lots[place][0] is not None)
    left = [units for _, units, _ in lots]
    pieces: list[Piece] = []
    for place in order:
        if not amount:
            break
        taken = min(amount, left[place])
        left[place] -= taken
        amount -= taken
        pieces.append((lots[place][0], taken, lots[place][2]))
    return merged((lot[0], units, lot[2]) for lot, units in zip(lots, left, strict=True)), merged(pieces)


def merged(pieces: Iterable[Piece]) -> tuple[Piece, ...]:
    """Join neighbours of one label and hop; empty ones vanish.

    >>> merged([(1, 2, 0), (1, 3, 0), (None, 0, 0), (1, 1, 2)])
    ((1, 5, 0), (1, 1, 2))
    """
    rows: deque[Piece] = deque()
    for label, units, hop in pieces:
        if rows and (rows[-1][0], rows[-1][2]) == (label, hop):
            rows[-1] = (label, rows[-1][1] + units, hop)
        elif units:
            rows.append((label, units, hop))
    return tuple(rows)


def joined(pieces: Iterable[Piece]) -> tuple[Piece, ...]:
    """Add up the pieces of each label, in label order; the hop is the largest.

    >>> joined([(1, 2, 3), (0, 1, 1), (1, 2, 1)])
    ((0, 1, 1), (1, 4, 3))
    """
    units: dict[Label, tuple[int, int]] = {}
    for label, amount, hop in pieces:
        if label is not None and amount:
            had, far = units.get(label, (0, 0))
            units[label] = had + amount, max(far, hop)
    return tuple((label, *units[label]) for label in sorted(units))


def rescaled(pieces: Sequence[Piece], amount: int, into: int, tiles: bool) -> tuple[Piece, ...]:
    """Turn the pieces of `amount` units into pieces of `into` units of another asset, in proportion, telescoping.

    tiles: whether the pieces tile the amount; else the clean rest of it comes last and is left out.

    >>> rescaled(((0, 1, 1), (None, 2, 0)), 3, 10, True)
    ((0, 3, 1), (None, 7, 0))
    """
    if not amount:
        return ()
    bounds = [into * upto // amount for upto in accumulate((units for _, units, _ in pieces), initial=0)]
    scaled = [(piece[0], high - low, piece[2]) for piece, (low, high) in zip(pieces, pairwise(bounds), strict=True)]
    return merged(scaled) if tiles else joined(scaled)
