"""What a person must be told about a transaction of a case: the alerts of the custody rules. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tracer.book import Book, Flow, Numbered
from tracer.custody.case import LegKind
from tracer.custody.ledger import Entry, Place
from tracer.custody.lookalike import LookAlikes
from tracer.matching import Match, Plan
from tracer.types import Asset, AssetId, AssetKind, Holder, Kind, Role
from tracer.units import format_units

Payers = Callable[[Holder], tuple[Role | None, bool, str]]
"""What a holder is to a case: its role, whether it is in cold storage, and its address."""


@dataclass(frozen=True, slots=True)
class Notice:
    """An alert to be stored with the block that caused it."""

    rule: str
    severity: str
    message: str
    case_id: int | None = None
    leg_id: int | None = None
    tx_id: int | None = None


def about_leg(case_id: int, plan: Plan, reason: str, before: str) -> list[Notice]:
    """LEG-5, LEG-6: what goes against a leg's plan, as far as it was not told; reason, before: of its verdicts."""
    new = [said for said in reason.split("; ") if said not in before.split("; ")]
    rules = ["LEG-6" if said.startswith("late") else "LEG-5" for said in new]
    return [
        Notice(rule, "HIGH", f"leg {plan.ref}: {said}", case_id, plan.id) for rule, said in zip(rules, new, strict=True)
    ]


def about_postings(
    case_id: int,
    tx_id: int,
    entries: Sequence[Entry],
    assets: Mapping[AssetId, Asset],
    show: Callable[[Holder], str],
) -> list[Notice]:
    """LEG-1: a debit outside an approved leg. LEG-2: a credit outside a leg. LEG-5: excess."""

    def money(entry: Entry) -> str:
        asset = assets[entry.asset]
        return f"{format_units(entry.amount, asset.decimals)} {asset.symbol}"

    notices: list[Notice] = []
    for entry in entries:
        where = f" to {show(entry.holder)}" if entry.holder is not None else ""
        if entry.place is Place.UNEXPLAINED:
            notices.append(
                Notice(
                    "LEG-1",
                    "CRITICAL",
                    f"{money(entry)} left custody{where}: {entry.reason}",
                    case_id,
                    entry.leg_id,
                    tx_id,
                )
            )
        elif entry.place is Place.INTERNAL and entry.leg_id is None:
            notices.append(
                Notice(
                    "LEG-1",
                    "CRITICAL",
                    f"{money(entry)} moved within custody{where} outside a leg",
                    case_id,
                    None,
                    tx_id,
                )
            )
        elif entry.place is Place.CREDIT and entry.leg_id is None:
            notices.append(
                Notice("LEG-2", "INFO", f"{money(entry)} arrived{where}: {entry.reason}", case_id, None, tx_id)
            )
    return notices


def about_debits(
    book: Book, tx_id: int, flow: Flow, entries: Sequence[Entry], matches: Sequence[Match], payers: Payers
) -> list[Notice]:
    """COLD-1: cold storage was debited outside a leg. KEY-1: a seized address paid otherwise than to be secured.

    Fees alone set off neither. KEY-1 holds until all SECURE legs of the chain are served; while none is planned, it is
    about what no leg explains alone. A TEST leg to where coins are secured is part of securing them.
    """
    outside = any(
        entry.holder is not None
        and (entry.place is Place.UNEXPLAINED or (entry.place is Place.INTERNAL and entry.leg_id is None))
        for entry in entries
    )
    safe = {leg.plan.target for leg in book.securing}
    otherwise = bool(safe) and any(
        match.leg.plan.kind is not LegKind.SECURE
        and not (match.leg.plan.kind is LegKind.TEST and match.leg.plan.target in safe)
        for match in matches
    )
    secured = bool(book.securing) and all(leg.complete for leg in book.securing)
    notices: list[Notice] = []
    for holder in dict.fromkeys(holder for paid in flow.debits.values() for holder in paid):
        role, cold, address = payers(holder)
        if cold and outside:
            text = f"cold storage {address} was debited outside a leg"
            notices.append(Notice("COLD-1", "CRITICAL", text, book.case_id, None, tx_id))
        if role is Role.SEIZED and (outside or otherwise) and not secured:
            text = f"seized address {address} paid other than by a SECURE leg, before all was secured"
            notices.append(Notice("KEY-1", "CRITICAL", text, book.case_id, None, tx_id))
    return notices


def about_deception(
    tx_id: int,
    moves: Sequence[Numbered],
    roles: Mapping[int, Mapping[Holder, Role]],
    assets: Mapping[AssetId, Asset],
    alike: Callable[[int], LookAlikes],
    show: Callable[[Holder], str],
) -> list[Notice]:
    """LEG-3, both ways: events that move nothing, and addresses that look like a case's own."""
    decoys = about_decoys(tx_id, moves, roles, assets, show)
    return [*decoys, *about_look_alikes(tx_id, moves, roles, alike, show)]


def about_decoys(
    tx_id: int,
    moves: Sequence[Numbered],
    roles: Mapping[int, Mapping[Holder, Role]],
    assets: Mapping[AssetId, Asset],
    show: Callable[[Holder], str],
) -> list[Notice]:
    """LEG-3: a token event names a watched holder without moving anything that counts."""
    notices: list[Notice] = []
    for move in (numbered.movement for numbered in moves):
        if move.kind is not Kind.LOG:
            continue
        kind = assets[move.asset].kind
        if kind is AssetKind.LISTED and move.amount:
            continue
        what = "zero-value transfer" if kind is AssetKind.LISTED else f"event of {kind.value} token {move.asset}"
        for case_id, case_roles in roles.items():
            named = dict.fromkeys(h for h in (move.source, move.target) if h is not None and h in case_roles)
            notices += [
                Notice(
                    "LEG-3",
                    "HIGH",
                    f"{what} names {show(holder)}; nothing that counts moved",
                    case_id,
                    None,
                    tx_id,
                )
                for holder in named
            ]
    return notices


def about_look_alikes(
    tx_id: int,
    moves: Sequence[Numbered],
    roles: Mapping[int, Mapping[Holder, Role]],
    alike: Callable[[int], LookAlikes],
    show: Callable[[Holder], str],
) -> list[Notice]:
    """LEG-3: somebody in a transaction of a case has an address that people would take for one of the case's."""
    parties = {holder for n in moves for holder in (n.movement.source, n.movement.target) if holder is not None}
    notices: list[Notice] = []
    for case_id, own in roles.items():
        for holder in sorted(parties - own.keys()):
            address = show(holder)
            like = alike(case_id).find(address)
            if like is not None:
                text = f"{address} looks like {like.ref} ({like.address}) and is another address"
                notices.append(Notice("LEG-3", "HIGH", text, case_id, None, tx_id))
    return notices


def shared_credit(books: Sequence[Book], what: str) -> list[Notice]:
    """Tell every case that shares a receiver that nobody can say whose a credit is: it is in none of their books."""
    if len(books) < 2:
        return []
    return [Notice("LEG-2", "INFO", f"{what}: ambiguous, several cases share the address", b.case_id) for b in books]
