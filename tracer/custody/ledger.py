"""The conservation ledger: where every base unit of a case has its place. Pure.

For each case and asset, after every block that touches it:
seized at B0 + credits since B0 == held now + delivered (net of refunds) + fees of matched legs + unexplained.
`unexplained` is what a transaction took out of custody and no leg explains; it is worked out from the transaction's
debits, matched legs and fee, while `held` is kept from the holders' coins and balances, so the equation is a check.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

from tracer.errors import Inconsistent
from tracer.matching import LegState, Match
from tracer.types import AssetId, Holder


class Place(Enum):
    """Where a posting puts value."""

    SEIZED = "seized"
    CREDIT = "credit"
    INTERNAL = "internal"
    CHANGE = "change"
    DELIVERED = "delivered"
    REFUND = "refund"
    FEE = "fee"
    UNEXPLAINED = "unexplained"


KEEPING = (Place.SEIZED, Place.CREDIT, Place.INTERNAL, Place.CHANGE, Place.REFUND)
"""Places whose value is held by the case afterwards."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One posting; `holder` is who holds or received the value, None where nobody did (fees)."""

    asset: AssetId
    place: Place
    reason: str
    amount: int
    movement_id: int | None = None
    holder: Holder | None = None
    leg_id: int | None = None


@dataclass(slots=True)
class Totals:
    """The terms of the equation for one case and asset, in base units."""

    seized: int = 0
    credits: int = 0
    held: int = 0
    delivered: int = 0
    fees: int = 0
    unexplained: int = 0

    def post(self, entry: Entry) -> None:
        """Add a posting to its term; `held` is moved by `hold`."""
        match entry.place:
            case Place.SEIZED:
                self.seized += entry.amount
            case Place.CREDIT:
                self.credits += entry.amount
            case Place.DELIVERED:
                self.delivered += entry.amount
            case Place.REFUND:
                self.delivered -= entry.amount
            case Place.FEE:
                self.fees += entry.amount
            case Place.UNEXPLAINED:
                self.unexplained += entry.amount
            case Place.INTERNAL | Place.CHANGE:
                pass

    def check(self, asset: AssetId) -> None:
        """Raise Inconsistent unless the equation holds to the unit."""
        explained = self.held + self.delivered + self.fees + self.unexplained
        if self.seized + self.credits != explained:
            raise Inconsistent(f"the ledger of {asset} does not close: {self}")


@dataclass(frozen=True, slots=True)
class Loss:
    """Value of a case that a transaction sent to somebody outside custody and no leg explains."""

    movement_id: int
    holder: Holder
    amount: int
    reason: str


def close_transaction(
    asset: AssetId,
    debited: int,
    kept: Sequence[Entry],
    matches: Sequence[Match],
    losses: Sequence[Loss],
    fee: int,
    legs: Sequence[LegState],
    ambiguous: bool,
) -> list[Entry]:
    """Post what a debiting transaction did to one asset of a case.

    debited: what the case's holders paid, the fee included. kept: credits to its own holders (internal, change).
    matches: credits matched to delivering legs. losses: credits to others, unmatched. fee: what the transaction paid
    (0 for other assets than the native one). legs: all legs the transaction serves, in any asset; each bears fees up
    to its maximum. If strangers paid in too, losses cannot be told apart from their payments: they become one sum.
    """
    delivered = [
        Entry(
            asset,
            Place.DELIVERED,
            match.leg.plan.kind.value.lower() + (" excess" if match.excess else ""),
            match.amount,
            match.credit.movement_id,
            match.credit.holder,
            match.leg.plan.id,
        )
        for match in matches
    ]
    gone = debited - sum(entry.amount for entry in kept) - sum(entry.amount for entry in delivered)
    fees = share_fee(asset, max(0, min(fee, gone)), legs)
    entries = [*kept, *delivered, *fees]
    borne = sum(entry.amount for entry in fees)
    unexplained = gone - borne
    if unexplained < 0:
        entries.append(Entry(asset, Place.CREDIT, "paid in by others", -unexplained))
    elif unexplained:
        entries += name_losses(asset, unexplained, losses, fee - borne, legs, ambiguous)
    return entries


def share_fee(asset: AssetId, fee: int, legs: Sequence[LegState]) -> list[Entry]:
    """Let legs bear a fee, in order, each up to what its maximum still allows."""
    entries: list[Entry] = []
    for leg in legs:
        part = min(fee, max(0, leg.plan.max_fee - leg.fees))
        if part:
            entries.append(Entry(asset, Place.FEE, "matched leg", part, leg_id=leg.plan.id))
            fee -= part
    return entries


def name_losses(
    asset: AssetId,
    unexplained: int,
    losses: Sequence[Loss],
    fee: int,
    legs: Sequence[LegState],
    ambiguous: bool,
) -> list[Entry]:
    """Itemise unexplained units by receiver and fee, or post one sum if the items do not add up to it."""
    if ambiguous:
        return [Entry(asset, Place.UNEXPLAINED, "ambiguous: several cases share the payer", unexplained)]
    if sum(loss.amount for loss in losses) + fee != unexplained:
        receivers = {loss.holder for loss in losses}
        if len(receivers) != 1 or unexplained <= fee:
            return [Entry(asset, Place.UNEXPLAINED, "leak, mixed with other payments", unexplained)]
        losses = [replace(losses[0], amount=unexplained - fee)]  # one receiver, who passed on or gave back a part
    entries = [
        Entry(asset, Place.UNEXPLAINED, loss.reason, loss.amount, loss.movement_id, loss.holder)
        for loss in losses
        if loss.amount
    ]
    if fee:
        reason = "fee above the leg's maximum" if legs else "fee outside a leg"
        entries.append(Entry(asset, Place.UNEXPLAINED, reason, fee, leg_id=legs[-1].plan.id if legs else None))
    return entries
