"""One case's book on one chain: what it holds, what its legs received, and where every unit went. Pure.

A book opens at the seizure height B0. It is a function of the store's canonical rows: a reorg reloads it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tracer.custody.case import LegKind
from tracer.custody.judge import Attested, Judgement
from tracer.custody.ledger import KEEPING, Entry, Loss, Place, Totals, close_transaction
from tracer.matching import Arrival, Credit, LegState, Match, match_credit
from tracer.types import HELD_ROLES, AssetId, Holder, Kind, Movement, Outpoint, Role

DUST = 546
"""Satoshi; Bitcoin Core's default dust limit for P2PKH outputs."""


@dataclass(frozen=True, slots=True)
class Numbered:
    """A movement with its id in the store; spends_id: the OUT row it consumes, if that is stored."""

    id: int
    movement: Movement
    spends_id: int | None = None


@dataclass(frozen=True, slots=True)
class Moment:
    """The block that is being connected, as postings need it."""

    block_id: int
    height: int
    time: int


@dataclass(frozen=True, slots=True)
class Flow:
    """One transaction as one case sees it.

    debits: units its own holders (or own coins) paid, per asset and holder, fees included. payers: per asset every
    holder it watches that paid. credits: to holders it watches. losses: to others. fee: native units its holders paid.
    """

    debits: Mapping[AssetId, Mapping[Holder, int]]
    payers: Mapping[AssetId, frozenset[Holder]]
    credits: tuple[Credit, ...]
    losses: Mapping[AssetId, tuple[Loss, ...]]
    fee: int
    native: AssetId
    ambiguous: bool = False

    @property
    def assets(self) -> list[AssetId]:
        """The assets it touches, in a fixed order."""
        return sorted({*self.debits, *(credit.asset for credit in self.credits)})


@dataclass(slots=True)
class Book:
    """The running state; see the module."""

    case_id: int
    ref: str
    seizure: int
    legs: list[LegState]
    attestations: Mapping[Holder, tuple[Attested, ...]]
    opened: bool = False
    coins: set[Outpoint] = field(default_factory=set)
    held: dict[tuple[Holder, AssetId], int] = field(default_factory=dict)
    totals: dict[AssetId, Totals] = field(default_factory=dict)
    judged: dict[tuple[int | None, AssetId], tuple[str, str]] = field(default_factory=dict)
    unsettled: set[int] = field(default_factory=set)
    legs_to: dict[Holder, list[LegState]] = field(default_factory=dict)
    by_id: dict[int, LegState] = field(default_factory=dict)
    deadlines: list[tuple[int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for leg in self.legs:
            self.legs_to.setdefault(leg.plan.target, []).append(leg)
            self.by_id[leg.plan.id] = leg
            if leg.arrivals:
                self.unsettled.add(leg.plan.id)
        self.deadlines = sorted((leg.plan.deadline, leg.plan.id) for leg in self.legs if leg.plan.deadline is not None)

    def total(self, asset: AssetId) -> Totals:
        """The running totals of an asset."""
        return self.totals.setdefault(asset, Totals())

    def hold(self, holder: Holder, asset: AssetId, change: int) -> None:
        """Move what a holder holds for the case."""
        self.held[holder, asset] = self.held.get((holder, asset), 0) + change
        self.total(asset).held += change


def flow_of(
    book: Book,
    moves: Sequence[Numbered],
    roles: Mapping[Holder, Role],
    native: AssetId,
    followed: frozenset[AssetId],
) -> Flow:
    """Read one transaction with the eyes of one case.

    roles: the role of each holder of the transaction that the case watches. followed: assets that count.
    """
    debits: dict[AssetId, dict[Holder, int]] = {}
    payers: dict[AssetId, set[Holder]] = {}
    credits: list[Credit] = []
    losses: dict[AssetId, list[Loss]] = {}
    fee = 0
    for numbered in moves:
        move = numbered.movement
        source, target = move.source, move.target
        if move.asset not in followed or source == target:
            if move.kind is Kind.FEE and source is None:
                fee = move.amount
            continue
        own = owns(book, move, roles)
        if own and source is not None and move.amount:
            paid = debits.setdefault(move.asset, {})
            paid[source] = paid.get(source, 0) + move.amount
        if source is not None and source in roles and move.kind is not Kind.FEE and move.amount:
            theirs = roles[source] in HELD_ROLES and not own  # another case's coin on an address that both watch
            if not theirs:
                payers.setdefault(move.asset, set()).add(source)
        if move.kind is Kind.FEE:
            fee += move.amount if own else 0
        elif target is None:
            continue
        elif target in roles:
            credits.append(Credit(numbered.id, target, roles[target], move.asset, move.amount))
        elif own or move.kind is Kind.OUT:
            losses.setdefault(move.asset, []).append(Loss(numbered.id, target, move.amount, "leak"))
    return Flow(
        debits,
        {asset: frozenset(who) for asset, who in payers.items()},
        tuple(credits),
        {asset: tuple(items) for asset, items in losses.items()},
        fee,
        native,
    )


def owns(book: Book, move: Movement, roles: Mapping[Holder, Role]) -> bool:
    """Whether a movement takes value that the case holds: its own coin, or an account it holds value in."""
    if move.spends is not None:
        return move.spends in book.coins
    return move.source is not None and roles.get(move.source) in HELD_ROLES


def serves(book: Book, flow: Flow, time: int) -> bool:
    """Whether any credit of a flow would fulfil a leg of the case."""
    return any(
        match_credit(
            credit,
            flow.payers.get(credit.asset, frozenset()),
            book.legs_to.get(credit.holder, ()),
            time,
            exact=True,
        )[0]
        for credit in flow.credits
    )


def post(book: Book, flow: Flow, moment: Moment) -> tuple[list[Entry], list[Match]]:
    """Match a flow's credits to legs, post it, and move the book's totals; returns postings and matches."""
    matches: list[Match] = []
    kept: dict[AssetId, list[Entry]] = {}
    leaving: dict[AssetId, list[Match]] = {}
    losses = {asset: list(items) for asset, items in flow.losses.items()}
    for credit in flow.credits:
        found = serve(book, credit, flow, moment)
        matches += found
        rest = credit.amount - sum(match.amount for match in found)
        if credit.role in HELD_ROLES:
            kept.setdefault(credit.asset, []).extend(keep(credit, flow, found, rest))
        elif flow.debits.get(credit.asset):
            leaving.setdefault(credit.asset, []).extend(found)
            if rest:
                losses.setdefault(credit.asset, []).append(
                    Loss(credit.movement_id, credit.holder, rest, "wrong destination: no leg to it is open")
                )
    legs = list({match.leg.plan.id: match.leg for match in matches}.values())
    entries: list[Entry] = []
    for asset in flow.assets:
        debited = sum(flow.debits.get(asset, {}).values())
        if debited:
            entries += close_transaction(
                asset,
                debited,
                kept.get(asset, []),
                leaving.get(asset, []),
                losses.get(asset, []),
                flow.fee if asset == flow.native else 0,
                legs,
                flow.ambiguous,
            )
        else:
            entries += kept.get(asset, [])
    settle(book, flow, entries)
    return entries, matches


def serve(book: Book, credit: Credit, flow: Flow, moment: Moment) -> list[Match]:
    """Match one credit and note its arrival with the legs it serves; change serves none."""
    payers = flow.payers.get(credit.asset, frozenset())
    if credit.holder in payers or not credit.amount:
        return []
    found, _ = match_credit(credit, payers, book.legs_to.get(credit.holder, ()), moment.time, exact=flow.ambiguous)
    for match in found:
        match.leg.arrivals.append(
            Arrival(match.amount, credit.movement_id, moment.height, moment.time, moment.block_id)
        )
        match.leg.voided = False
        book.unsettled.add(match.leg.plan.id)
    return found


def keep(credit: Credit, flow: Flow, found: Sequence[Match], rest: int) -> list[Entry]:
    """Post a credit to a holder of the case itself."""
    own = bool(flow.debits.get(credit.asset))
    entries: list[Entry] = []
    for match in found:
        kind = match.leg.plan.kind
        place = Place.INTERNAL if own else Place.REFUND if kind is LegKind.REFUND else Place.CREDIT
        reason = "gas top-up" if kind is LegKind.GAS else kind.value.lower()
        entries.append(
            Entry(
                credit.asset,
                place,
                reason + (" excess" if match.excess else ""),
                match.amount,
                credit.movement_id,
                credit.holder,
                match.leg.plan.id,
            )
        )
    if rest:
        if own:
            change = credit.holder in flow.payers.get(credit.asset, frozenset())
            place, reason = (Place.CHANGE, "change") if change else (Place.INTERNAL, "outside a leg")
        else:
            place, reason = Place.CREDIT, credit_class(credit, flow)
        entries.append(Entry(credit.asset, place, reason, rest, credit.movement_id, credit.holder))
    return entries


def credit_class(credit: Credit, flow: Flow) -> str:
    """Name a credit that no leg explains."""
    if flow.ambiguous:
        return "ambiguous: several cases share the receiver"
    if credit.amount <= DUST:
        return "dust"
    return "late arrival" if credit.role is Role.SEIZED else "outside a leg"


def settle(book: Book, flow: Flow, entries: Sequence[Entry]) -> None:
    """Move totals and holdings by a flow's postings, and check the equation."""
    for asset, paid in flow.debits.items():
        for holder, amount in paid.items():
            book.hold(holder, asset, -amount)
    for entry in entries:
        book.total(entry.asset).post(entry)
        if entry.place in KEEPING and entry.holder is not None:
            book.hold(entry.holder, entry.asset, entry.amount)
        if entry.leg_id is not None and entry.place in (Place.FEE, Place.UNEXPLAINED):
            book.by_id[entry.leg_id].fees += entry.amount
    for asset in flow.assets:
        book.total(asset).check(asset)


def open_with(book: Book, entries: Sequence[Entry]) -> None:
    """Open the book with the balances found at B0."""
    book.opened = True
    for entry in entries:
        book.total(entry.asset).post(entry)
        if entry.holder is not None:
            book.hold(entry.holder, entry.asset, entry.amount)


def newly_judged(book: Book, leg_id: int | None, asset: AssetId, judgement: Judgement) -> bool:
    """Note a judgement; False if it says what the last one said."""
    said = (judgement.verdict.value, judgement.reason)
    if book.judged.get((leg_id, asset)) == said:
        return False
    book.judged[leg_id, asset] = said
    return True
