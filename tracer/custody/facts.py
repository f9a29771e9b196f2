"""What is known of a case, as its rules read it: legs with their arrivals, records, balances, chains. Pure.

Instants are seconds since 1970; amounts base units. Everything comes from rows of the store, and every fact carries the
reference by which a finding cites it (`leg:ID`, `movement:ID`, `record:ID`, `entry:ID`, `block:ID`).
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from tracer.custody.case import LegKind
from tracer.custody.record import Body, Record, plain_name
from tracer.custody.records import Approval, Quote, QuoteCommitment, Recording

B = TypeVar("B", bound=Body)

SHOWN, CONTRADICTED, NOT_SHOWN = "SHOWN", "CONTRADICTED", "NOT_SHOWN"


@dataclass(frozen=True, slots=True)
class Arrived:
    """A part of a leg that arrived, on the canonical chain."""

    movement_id: int
    amount: int
    time: int
    height: int
    block_id: int


@dataclass(frozen=True, slots=True)
class LegFacts:
    """A planned leg, what arrived for it, and the verdict that stands.

    sources, target: refs of watches; target_key: the receiver's bytes. institution: whose the target is. withdrawn:
    superseded by another leg or given up. planned_at: when it was recorded; None if the case file declared it.
    planned_clock: the latest block time that was known then. first_block: the first block, on the chain or not, that
    ever held one of its payments.
    """

    id: int
    ref: str
    kind: LegKind
    chain: str
    asset: str
    symbol: str
    decimals: int
    sources: tuple[str, ...]
    target: str
    target_key: bytes
    institution: str | None
    amount: int
    tolerance: int
    max_fee: int
    needs_test: bool = False
    not_before: int | None = None
    deadline: int | None = None
    arrivals: tuple[Arrived, ...] = ()
    verdict: str = NOT_SHOWN
    reason: str = ""
    withdrawn: bool = False
    planned_at: int | None = None
    planned_clock: int = 0
    first_block: int | None = None

    @property
    def arrived(self) -> int:
        """Base units so far."""
        return sum(one.amount for one in self.arrivals)

    @property
    def first_at(self) -> int | None:
        """Block time of the first arrival."""
        return min((one.time for one in self.arrivals), default=None)

    @property
    def last_at(self) -> int | None:
        """Block time of the last arrival."""
        return max((one.time for one in self.arrivals), default=None)

    @property
    def tested_at(self) -> int | None:
        """When it became a test that counts for its receiver; None while it is none."""
        counts = self.kind is LegKind.TEST and self.verdict == SHOWN and not self.withdrawn
        return self.last_at if counts else None

    @property
    def refs(self) -> tuple[str, ...]:
        """The leg, and its arrivals, as findings cite them."""
        return (f"leg:{self.id}", *(f"movement:{one.movement_id}" for one in self.arrivals[:20]))


@dataclass(frozen=True, slots=True)
class ChainFacts:
    """A chain's tip and marks; interval_s: mean block time lately; needs: confirmations that confirm and make final.

    needs is None where the node's tags decide.
    """

    name: str
    height: int
    time: int
    confirmed: int
    final: int
    interval_s: int
    needs: tuple[int, int] | None
    tip_id: int


@dataclass(frozen=True, slots=True)
class AssetFacts:
    """The conservation equation of one asset as it stands."""

    chain: str
    asset: str
    symbol: str
    decimals: int
    seized: int
    credits: int
    held: int
    delivered: int
    fees: int
    unexplained: int
    block_id: int


@dataclass(frozen=True, slots=True)
class Outside:
    """A posting by which value moved outside every leg: out of custody, or within it."""

    entry_id: int
    block_id: int
    time: int
    chain: str
    symbol: str
    decimals: int
    amount: int
    reason: str
    left_custody: bool


@dataclass(frozen=True, slots=True)
class Unseen:
    """What balances in custody changed by since B0 that no movement explains, of one asset.

    gone: base units that accounts lost on balance, all such accounts together; came: what the others got.
    """

    chain: str
    asset: str
    gone: int
    came: int


@dataclass(frozen=True, slots=True)
class Attested:
    """An institution's statement that a watched address is its own; bounds are inclusive.

    record_id: the record that filed it; None: the case file declares it.
    """

    id: int
    watch: str
    institution: str
    valid_from: int
    valid_to: int | None
    record_id: int | None = None

    def covers(self, time: int) -> bool:
        """Whether it was valid at an instant."""
        return self.valid_from <= time and (self.valid_to is None or time <= self.valid_to)


@dataclass(frozen=True, slots=True)
class InstitutionFacts:
    """An institution of the case: its ref, name and part, and what else it is called."""

    ref: str
    name: str
    part: str
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Exposure:
    """An address that a case paid, or was paid by, and that somebody put a label on; INFERRED."""

    movement_id: int
    address: str
    category: str
    label: str
    pack: str


@dataclass(frozen=True, slots=True)
class Shared:
    """A watched address in custody that another case watches too."""

    watch: str
    address: str
    other_case: str


@dataclass(slots=True)
class Progress:
    """How far the legs of one kind are; withdrawn ones count only if they were paid.

    first_at, last_at: of all that arrived for them. first_block: the first that ever held a payment of them.
    """

    planned: int = 0
    shown: int = 0
    contradicted: int = 0
    served: int = 0
    first_at: int | None = None
    last_at: int | None = None
    first_block: int | None = None

    def count(self, leg: LegFacts, sign: int) -> None:
        """Add a leg, or take its earlier state back (sign -1); instants only grow: see `CaseFacts.put_leg`."""
        if leg.withdrawn and not leg.arrivals:
            return
        self.planned += sign
        self.shown += sign * (leg.verdict == SHOWN)
        self.contradicted += sign * (leg.verdict == CONTRADICTED)
        self.served += sign * bool(leg.arrivals)
        if sign > 0 and leg.first_at is not None and leg.last_at is not None:
            self.first_at = leg.first_at if self.first_at is None else min(self.first_at, leg.first_at)
            self.last_at = leg.last_at if self.last_at is None else max(self.last_at, leg.last_at)
            blocks = [one for one in (self.first_block, leg.first_block) if one is not None]
            self.first_block = min(blocks, default=None)


@dataclass(slots=True)
class CaseFacts:
    """All that the rules read of one case.

    opened: per chain of the case, the block time of B0, or None while it is not reached. records: in the order in which
    they were filed. tests: the receivers (asset, bytes) of TEST legs that are SHOWN, with when the last part of the
    earliest arrived. documents: the names of those of the case file. paying: the ids of all legs to a receiver.
    named: by kind, the names of all records. offered: by inquiry, the first quote or commitment that was filed,
    superseded or not. approvals, films: those that count, by leg; films of no leg in particular under None. people: by
    kind and plain name, who filed or confirmed records that count, as written and with the first record. paid: at
    which instants parts of legs arrived, and how many. spoken_at: the latest instant of records that count. voided:
    the ids of control records whose block is not on the chain.
    """

    id: int
    ref: str
    title: str
    opened: dict[str, int | None] = field(default_factory=dict)
    chains: dict[str, ChainFacts] = field(default_factory=dict)
    assets: list[AssetFacts] = field(default_factory=list)
    institutions: dict[str, InstitutionFacts] = field(default_factory=dict)
    documents: set[str] = field(default_factory=set)
    legs: dict[int, LegFacts] = field(default_factory=dict)
    by_ref: dict[str, int] = field(default_factory=dict)
    progress: dict[LegKind, Progress] = field(default_factory=dict)
    tests: dict[tuple[str, bytes], int] = field(default_factory=dict)
    paying: dict[tuple[str, bytes], set[int]] = field(default_factory=dict)
    records: list[Record] = field(default_factory=list)
    by_number: dict[int, Record] = field(default_factory=dict)
    current: dict[str, list[Record]] = field(default_factory=dict)
    named: dict[str, set[str]] = field(default_factory=dict)
    offered: dict[str, int] = field(default_factory=dict)
    approvals: dict[str, list[Record]] = field(default_factory=dict)
    films: dict[str | None, list[Recording]] = field(default_factory=dict)
    people: dict[str, dict[str, tuple[str, int]]] = field(default_factory=dict)
    paid: Counter[int] = field(default_factory=Counter)
    spoken_at: int = 0
    attested: dict[str, list[Attested]] = field(default_factory=dict)
    outside: list[Outside] = field(default_factory=list)
    unseen: list[Unseen] = field(default_factory=list)
    exposures: list[Exposure] = field(default_factory=list)
    shared: list[Shared] = field(default_factory=list)
    voided: set[int] = field(default_factory=set)

    def put_leg(self, leg: LegFacts) -> None:
        """Take in a leg, or its new state; what it takes back (a reorg, a withdrawal) is taken back everywhere."""
        before = self.legs.get(leg.id)
        if before is not None:
            self.progress[before.kind].count(before, -1)
        if before is None or before.arrivals != leg.arrivals:
            for sign, one in ((-1, before), (1, leg)):
                for arrival in one.arrivals if one is not None else ():
                    self.paid[arrival.time] += sign
                    if not self.paid[arrival.time]:
                        del self.paid[arrival.time]
        self.legs[leg.id] = leg
        self.by_ref[leg.ref] = leg.id
        self.paying.setdefault((leg.asset, leg.target_key), set()).add(leg.id)
        progress = self.progress.setdefault(leg.kind, Progress())
        progress.count(leg, 1)
        if before is not None and shrank(before, leg, progress):
            self._span(leg.kind)
        if leg.kind is LegKind.TEST and (before is None or before.tested_at != leg.tested_at):
            self._tested((leg.asset, leg.target_key), leg.tested_at, fresh=before is None or before.tested_at is None)

    def _span(self, kind: LegKind) -> None:
        """Work out anew between which instants legs of a kind arrived, and since which block."""
        legs = [leg for leg in self.legs.values() if leg.kind is kind and leg.arrivals]
        self.progress[kind].first_at = min((leg.first_at for leg in legs if leg.first_at is not None), default=None)
        self.progress[kind].last_at = max((leg.last_at for leg in legs if leg.last_at is not None), default=None)
        blocks = (leg.first_block for leg in legs if leg.first_block is not None)
        self.progress[kind].first_block = min(blocks, default=None)

    def _tested(self, receiver: tuple[str, bytes], at: int | None, fresh: bool) -> None:
        """Note since when a receiver is tested; fresh: nothing is taken back."""
        if fresh and at is not None:
            self.tests[receiver] = min(at, self.tests.get(receiver, at))
            return
        legs = (self.legs[number] for number in self.paying[receiver])
        times = [leg.tested_at for leg in legs if leg.tested_at is not None]
        if times:
            self.tests[receiver] = min(times)
        else:
            self.tests.pop(receiver, None)

    def put_records(self, records: list[Record]) -> None:
        """Take in all records; those that were superseded stay in `records` alone."""
        gone = {record.supersedes for record in records}
        self.records, self.current, self.people = list(records), {}, {}
        self.named, self.offered, self.approvals, self.films = {}, {}, {}, {}
        self.by_number = {record.id: record for record in records}
        for record in records:
            self._name(record)
            if record.id not in gone:
                self._count(record)
        self.spoken_at = max((one.at for kept in self.current.values() for one in kept), default=0)

    def put_record(self, record: Record) -> None:
        """Take in a record that was just filed."""
        if record.supersedes is not None:
            self.put_records([*self.records, record])
            return
        self.records.append(record)
        self.by_number[record.id] = record
        self._name(record)
        self._count(record)
        self.spoken_at = max(self.spoken_at, record.at)

    def _name(self, record: Record) -> None:
        self.named.setdefault(record.kind, set()).add(record.ref)
        if isinstance(record.body, Quote | QuoteCommitment):
            self.offered.setdefault(record.body.inquiry, record.id)

    def _count(self, record: Record) -> None:
        self.current.setdefault(record.kind, []).append(record)
        people = self.people.setdefault(record.kind, {})
        for person in (record.actor, record.second):
            if person is not None:
                people.setdefault(plain_name(person), (person, record.id))
        if isinstance(record.body, Approval):
            self.approvals.setdefault(record.body.leg, []).append(record)
        if isinstance(record.body, Recording):
            for leg in record.body.legs or (None,):
                self.films.setdefault(leg, []).append(record.body)

    def of(self, kind: str, body: type[B]) -> Iterator[tuple[Record, B]]:
        """The records of a kind that count, oldest first, with what they say."""
        for record in self.current.get(kind, ()):
            assert isinstance(record.body, body), f"{kind} records are {body.__name__}"
            yield record, record.body

    def lineage(self, record: Record) -> list[Record]:
        """A record and all that it stands for by supersession, the first one last."""
        found = [record]
        while found[-1].supersedes is not None and found[-1].supersedes in self.by_number:
            found.append(self.by_number[found[-1].supersedes])
        return found

    def origin(self, record: Record) -> str:
        """The name of the first of the records that a record stands for: it stays the same."""
        return self.lineage(record)[-1].ref

    def leg(self, ref: str) -> LegFacts | None:
        """A leg by its ref."""
        number = self.by_ref.get(ref)
        return None if number is None else self.legs[number]

    @property
    def clock(self) -> int:
        """The case's clock: the latest of its chains' block times and of the instants that its records speak of.

        A record that was superseded speaks of none: one that was misdated is put right by another.
        """
        return max([self.spoken_at, *(chain.time for chain in self.chains.values())])


def shrank(before: LegFacts, leg: LegFacts, progress: Progress) -> bool:
    """Whether a leg's new state may take back the first or last instant of its kind, or its first block."""
    if before.first_at is None or before.last_at is None:
        return False
    of_leg = (before.first_at, before.last_at, before.first_block)
    of_kind = (progress.first_at, progress.last_at, progress.first_block)
    if leg.first_at is None or leg.last_at is None:
        return any(own == end for own, end in zip(of_leg, of_kind, strict=True))
    shorter = (
        leg.first_at > before.first_at,
        leg.last_at < before.last_at,
        before.first_block is not None and (leg.first_block or 0) > before.first_block,
    )
    return any(own == end and less for own, end, less in zip(of_leg, of_kind, shorter, strict=True))
