"""Works out the conservation equation anew from single postings and compares it with what is stored. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tracer.custody.ledger import Place
from tracer.errors import Inconsistent
from tracer.report.answer import CONTRADICTED, SHOWN, Check

TERMS = ("seized", "credits", "held", "delivered", "fees", "unexplained")
SIGNED: Mapping[Place, tuple[str, int]] = {
    Place.SEIZED: ("seized", 1),
    Place.CREDIT: ("credits", 1),
    Place.DELIVERED: ("delivered", 1),
    Place.REFUND: ("delivered", -1),
    Place.FEE: ("fees", 1),
    Place.UNEXPLAINED: ("unexplained", 1),
}
"""The term that a place counts in; value that stays in custody counts in none."""


@dataclass(slots=True)
class Recount:
    """One asset's equation, built up block by block, and what did not fit on the way."""

    terms: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TERMS, 0))
    holdings: dict[int, int] = field(default_factory=dict)
    compared: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def closes(self) -> bool:
        """Whether both sides of the equation are equal."""
        terms = self.terms
        explained = terms["held"] + terms["delivered"] + terms["fees"] + terms["unexplained"]
        return terms["seized"] + terms["credits"] == explained

    def compare(self, height: int, stored: Mapping[str, int]) -> None:
        """Hold the stored terms at a block against those worked out so far."""
        self.compared += 1
        if not self.closes:
            self.faults.append(f"at height {height} the postings and holdings do not add up")
        for term in TERMS:
            if self.terms[term] != stored[term]:
                self.faults.append(f"at height {height} {term} is stored as {stored[term]}, found {self.terms[term]}")

    def check(self, subject: str, coins: int | None) -> Check:
        """Say what came of it; coins: units in the case's unspent coins, None on account chains."""
        if coins is not None and coins != self.terms["held"]:
            self.faults.append(f"held is {self.terms['held']}, but the unspent coins hold {coins}")
        if self.faults:
            return Check("RECON-3", subject, CONTRADICTED, self.faults[0])
        beside = "" if coins is None else "; the unspent coins hold as much"
        return Check("RECON-3", subject, SHOWN, f"worked out anew at {self.compared} blocks, as stored{beside}")


def recount(
    postings: Iterable[tuple[int, str, str, str]],
    holdings: Iterable[tuple[int, str, int, str]],
    stored: Iterable[tuple[int, int, str, Mapping[str, int]]],
) -> dict[str, Recount]:
    """Work out every asset's equation of one case on one chain at every block with a stored row.

    All three in block order. postings: (block, asset, place, amount); holdings: (block, asset, holder, amount after
    the block); stored: (block, height, asset, terms). Amounts are decimal text. Raises Inconsistent for postings
    that no stored row follows.
    """
    counts: dict[str, Recount] = {}
    posted, held = iter(postings), iter(holdings)
    posting, holding = next(posted, None), next(held, None)
    for block, height, asset, terms in stored:
        while posting is not None and posting[0] <= block:
            _, where, place, amount = posting
            count = counts.setdefault(where, Recount())
            if Place(place) in SIGNED:
                term, sign = SIGNED[Place(place)]
                count.terms[term] += sign * int(amount)
            posting = next(posted, None)
        while holding is not None and holding[0] <= block:
            _, where, holder, amount = holding
            count = counts.setdefault(where, Recount())
            count.terms["held"] += int(amount) - count.holdings.get(holder, 0)
            count.holdings[holder] = int(amount)
            holding = next(held, None)
        counts.setdefault(asset, Recount()).compare(height, terms)
    if posting is not None or holding is not None:
        raise Inconsistent("the store has postings after the last row of the ledger")
    return counts
