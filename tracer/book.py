"""One case's book on one chain: what it holds, what its legs received, and where every unit went. Pure.

A book opens at the seizure height B0. It is a function of the store's canonical rows: a reorg reloads it.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from tracer.custody.case import LegKind
from tracer.custody.judge import Attested, Judgement
from tracer.custody.ledger import KEEPING, Entry, Loss, Place, Totals, close_transaction
from tracer.matching import Arrival, Credit, Found, LegState, Match, match_credit
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
    """The block that is being connected, as postings need it.

    doubted: holders and assets whose balances changed in it by another amount than was observed.
    """

    block_id: int
    height: int
    time: int
    doubted: frozenset[tuple[Holder, AssetId]] = frozenset()


@dataclass(frozen=True, slots=True)
class Shares:
    """What of a movement is a case's, where that is not all or nothing by the rules of one case alone.

    debits, credits: units by (case, movement). ambiguous: cases for which it cannot be told.
    """

    debits: Mapping[tuple[int, int], int] = field(default_factory=dict)
    credits: Mapping[tuple[int, int], int] = field(default_factory=dict)
    ambiguous: frozenset[int] = frozenset()


NOT_SHARED = Shares()


@dataclass(frozen=True, slots=True)
class Flow:
    """One transaction as one case sees it.

    debits: units its own holders (or own coins) paid, per asset and holder, fees included. credits: to holders it
    watches. losses: to others. fee: native units that the transaction cost.
    """

    debits: Mapping[AssetId, Mapping[Holder, int]]
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
    """The running state; see the module.

    missing: outpoints named as seized that were not unspent at B0. drift: what changed the balances of held holders
    since B0 and was not observed, where anything did.
    """

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
    securing: list[LegState] = field(default_factory=list)
    missing: frozenset[Outpoint] = frozenset()
    drift: dict[tuple[Holder, AssetId], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for leg in self.legs:
            if not leg.withdrawn:
                self.legs_to.setdefault(leg.plan.target, []).append(leg)
            self.by_id[leg.plan.id] = leg
            if leg.arrivals:
                self.unsettled.add(leg.plan.id)
        self.securing = [leg for leg in self.legs if leg.plan.kind is LegKind.SECURE and not leg.withdrawn]
        self.deadlines = sorted(
            (leg.plan.deadline, leg.plan.id) for leg in self.legs if leg.plan.deadline and not leg.withdrawn
        )

    def total(self, asset: AssetId) -> Totals:
        """The running totals of an asset."""
        return self.totals.setdefault(asset, Totals())

    def doubts(self, asset: AssetId, native: AssetId) -> list[str]:
        """Why the ledger of an asset may not be whole although it closes."""
        found = []
        if any(amount < 0 for (_, held), amount in self.held.items() if held == asset):
            found.append("an address paid more than it was seen to hold: something was not observed")
        if self.missing and asset == native:
            found.append(f"{len(self.missing)} named seized coins were not there at the seizure height")
        if any(held == asset for _, held in self.drift):
            found.append("balances changed by what was not observed")
        return found

    def lost(self, asset: AssetId) -> int:
        """Base units that left holders in custody and that nobody saw go."""
        return -sum(change for (_, held), change in self.drift.items() if held == asset and change < 0)

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
    shares: Shares = NOT_SHARED,
) -> Flow:
    """Read one transaction with the eyes of one case.

    roles: the role of each holder of the transaction that the case watches. followed: assets that count.
    """
    debits: dict[AssetId, dict[Holder, int]] = {}
    fee = 0
    counting = [n for n in moves if n.movement.asset in followed]
    for numbered in counting:
        move = numbered.movement
        paid = shares.debits.get((book.case_id, numbered.id), move.amount if owns(book, move, roles) else 0)
        if paid and move.source is not None and move.source != move.target:
            holders = debits.setdefault(move.asset, {})
            holders[move.source] = holders.get(move.source, 0) + paid
        if move.kind is Kind.FEE:
            fee += move.amount if move.source is None else paid
    others = frozenset(
        holder
        for holder in (n.movement.source for n in counting if n.movement.spends is not None)
        if holder is not None and holder in roles and roles[holder] not in HELD_ROLES
    )
    credits: list[Credit] = []
    losses: dict[AssetId, list[Loss]] = {}
    for numbered in counting:
        move = numbered.movement
        if move.target is None or move.source == move.target:
            continue
        if move.target in roles:
            share = shares.credits.get((book.case_id, numbered.id), move.amount)
            credits += [credit_of(numbered, share, roles, debits, others)] if share else []
        elif move.kind is Kind.OUT or owns(book, move, roles):
            losses.setdefault(move.asset, []).append(Loss(numbered.id, move.target, move.amount, "leak"))
    return Flow(
        debits,
        tuple(credits),
        {asset: tuple(items) for asset, items in losses.items()},
        fee,
        native,
        book.case_id in shares.ambiguous,
    )


def credit_of(
    numbered: Numbered,
    share: int,
    roles: Mapping[Holder, Role],
    debits: Mapping[AssetId, Mapping[Holder, int]],
    others: frozenset[Holder],
) -> Credit:
    """Read a credit: who paid it, and whether it only went back.

    On account chains the sender paid; if nobody watches it, it is a contract that passes on what the case's holders
    paid in the same transaction. On UTXO chains the case's own inputs pay every output; without any, `others`, its
    exchange and refund addresses among the inputs.
    """
    move = numbered.movement
    assert move.target is not None, "a credit has a receiver"
    paid = frozenset(debits.get(move.asset, ())) or others
    payers = frozenset({move.source}) if move.source is not None and move.source in roles else paid
    return Credit(
        numbered.id, move.target, roles[move.target], move.asset, share, payers, move.target in payers, move.lane
    )


def owns(book: Book, move: Movement, roles: Mapping[Holder, Role]) -> bool:
    """Whether a movement takes value that the case holds: its own coin, or an account it holds value in."""
    if move.spends is not None:
        return move.spends in book.coins
    return move.source is not None and roles.get(move.source) in HELD_ROLES


def post(book: Book, flow: Flow, moment: Moment) -> tuple[list[Entry], list[Match]]:
    """Match a flow's credits to legs, post it, and move the book's totals; returns postings and matches."""
    matches: list[Match] = []
    kept: dict[AssetId, list[Entry]] = {}
    delivered: dict[AssetId, list[Match]] = {}
    losses = {asset: list(items) for asset, items in flow.losses.items()}
    budget = {asset: sum(paid.values()) for asset, paid in flow.debits.items()}
    for credit in sorted(flow.credits, key=lambda credit: credit.role not in HELD_ROLES):
        own = budget.get(credit.asset)
        if credit.role in HELD_ROLES:
            found = serve(book, credit, credit.amount if own is None else min(credit.amount, own), moment)
            kept.setdefault(credit.asset, []).extend(keep(credit, own is not None, found))
            if own is not None:
                budget[credit.asset] = max(0, own - credit.amount)
        elif own:
            found = serve(book, credit, min(credit.amount, own), moment)
            served = sum(match.amount for match in found.matches)
            budget[credit.asset] = own - served
            delivered.setdefault(credit.asset, []).extend(found.matches)
            if rest := min(credit.amount, own) - served:
                reason = "ambiguous: several legs fit" if found.tied else "wrong destination: no leg to it is open"
                losses.setdefault(credit.asset, []).append(Loss(credit.movement_id, credit.holder, rest, reason))
        else:
            continue
        matches += found.matches
    legs = list({match.leg.plan.id: match.leg for match in matches}.values())
    entries: list[Entry] = []
    for asset in flow.assets:
        if asset in flow.debits:
            fee = flow.fee if asset == flow.native else 0
            entries += close_transaction(
                asset,
                sum(flow.debits[asset].values()),
                kept.get(asset, []),
                delivered.get(asset, []),
                losses.get(asset, []),
                fee,
                legs,
                flow.ambiguous,
            )
        else:
            entries += kept.get(asset, [])
    settle(book, flow, entries)
    return entries, matches


def serve(book: Book, credit: Credit, amount: int, moment: Moment) -> Found:
    """Match a credit, as far as the case itself paid it, and note its arrival with the legs; change serves none."""
    if credit.change or not amount:
        return Found((), amount)
    found = match_credit(replace(credit, amount=amount), book.legs_to.get(credit.holder, ()), moment.time)
    for match in found.matches:
        match.leg.arrivals.append(
            Arrival(
                match.amount,
                credit.movement_id,
                moment.height,
                moment.time,
                moment.block_id,
                credit.lane,
                (credit.holder, credit.asset) in moment.doubted,
            )
        )
        match.leg.voided = False
        book.unsettled.add(match.leg.plan.id)
    return found


def keep(credit: Credit, own: bool, found: Found) -> list[Entry]:
    """Post a credit to a holder of the case itself; own: the case paid in the transaction."""
    entries: list[Entry] = []
    for match in found.matches:
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
    rest = credit.amount - sum(match.amount for match in found.matches)
    if rest:
        if own and credit.change:
            place, reason = Place.CHANGE, "change"
        elif own:
            place, reason = Place.INTERNAL, "ambiguous: several legs fit" if found.tied else "outside a leg"
        else:
            place, reason = Place.CREDIT, credit_class(credit, found)
        entries.append(Entry(credit.asset, place, reason, rest, credit.movement_id, credit.holder))
    return entries


def credit_class(credit: Credit, found: Found) -> str:
    """Name a credit that no leg explains."""
    if credit.amount <= DUST:
        return "dust"
    if found.tied:
        return "ambiguous: several legs fit"
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


def fee_posted(entries: Sequence[Entry]) -> int:
    """The units of a transaction's fee that some postings account for."""
    return sum(e.amount for e in entries if e.place is Place.FEE or (e.holder is None and e.reason.startswith("fee")))


def newly_judged(book: Book, leg_id: int | None, asset: AssetId, judgement: Judgement) -> bool:
    """Note a judgement; False if it says what the last one said."""
    said = (judgement.verdict.value, judgement.reason)
    if book.judged.get((leg_id, asset)) == said:
        return False
    book.judged[leg_id, asset] = said
    return True


def overdue_between(book: Book, before: int, now: int) -> set[int]:
    """The legs whose deadline passed after instant `before` and before or at `now`."""
    first = bisect_left(book.deadlines, (before, -1))
    last = bisect_left(book.deadlines, (now, -1))
    return {leg_id for _, leg_id in book.deadlines[first:last]}
