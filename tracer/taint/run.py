"""A trace run as evidence: what was chosen before it, where the value is after it, and the digest of both. Pure.

The digest is SHA-256 over the declaration (canonical JSON), the tip's hash, and one record per end in chain order. A
record names its place on the chain by height, position and index, never by a row of a store, so that two stores and
two engines give the same digest for the same run.
"""

import hashlib
import json
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field

from tracer.taint.boundaries import FEE, Limits
from tracer.taint.rules import Label, Method
from tracer.types import Kind

ROUNDING = "telescoping floors"
SINK, COINBASE = "sink", "coinbase"
FEE_POLICIES = (SINK, COINBASE)
LIVE, LEAF = "live", "leaf"
RULES_VERSION = 2
"""Of the rules in this package: a run names it, and another version makes another digest."""


@dataclass(frozen=True, slots=True)
class Source:
    """What a label begins with: a coin (`place` is txid:index) or an account's balance (address or hex, and asset).

    amount: units of the coin or balance; how many of them the label got is an output of the run.
    """

    label: Label
    place: str
    asset: str
    amount: int


@dataclass(frozen=True, slots=True)
class Declaration:
    """What is chosen before a run is computed, and cannot be altered after.

    sources: in label order. stop_at: further reasons to stop (coinjoin, or categories of labels). labels_sha256: the
    snapshot of address labels that `stop_at` consults, hex. since: the height after which tracing began. whole: spans
    of heights whose blocks were stored with all their transactions; what was stored since does not count. chain: its
    name in the configuration, for people; caip2: what it is.
    """

    case_ref: str
    chain: str
    method: Method
    sources: tuple[Source, ...]
    limits: Limits
    fee_policy: str = SINK
    variant: str = ""
    stop_at: tuple[str, ...] = ()
    labels_sha256: str = ""
    since: int = 0
    whole: tuple[tuple[int, int], ...] = ()
    caip2: str = ""
    rules: int = RULES_VERSION

    @property
    def sources_sha256(self) -> bytes:
        """The hash of the source set in its order."""
        lines = [f"{s.label} {s.place} {s.asset} {s.amount}\n" for s in self.sources]
        return hashlib.sha256("".join(lines).encode()).digest()

    def canonical(self) -> bytes:
        """The declaration as it goes into the digest."""
        fields = {
            "case": self.case_ref,
            "chain": self.caip2,
            "method": self.method.value,
            "variant": self.variant,
            "rounding": ROUNDING,
            "fee_policy": self.fee_policy,
            "limits": asdict(self.limits),
            "sources_sha256": self.sources_sha256.hex(),
            "stop_at": list(self.stop_at),
            "labels_sha256": self.labels_sha256,
            "since": self.since,
            "whole": self.whole,
            "rules": self.rules,
        }
        return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


@dataclass(frozen=True, slots=True)
class Place:
    """Where value is on the chain: a movement by its identity, or an account (`holder` and `asset`) that holds it.

    height, position, kind, index: of the movement; position -1 where no transaction carries it. An account has -1s.
    row: the movement's number in the store at hand, which is no part of its identity.
    """

    height: int
    position: int
    kind: int
    index: int
    holder: bytes = b""
    asset: str = ""
    row: int = field(default=0, compare=False)

    @property
    def order(self) -> tuple[int, int, int, int, bytes, str]:
        """Chain order; accounts come after all movements."""
        unsigned = 0xFFFFFFFF
        numbers = self.height & unsigned, self.position & unsigned, self.kind & 0xFF, self.index & unsigned
        return (*numbers, self.holder, self.asset)


@dataclass(frozen=True, slots=True)
class End:
    """Units of one label at one place, and why they are there.

    offset: under tiling methods the place of the units in the coin or queue, from its front; else 0.
    """

    place: Place
    offset: int
    label: Label
    units: int
    state: str
    reason: str


RECORD = struct.Struct(">IIBI32sI32s32s")
"""Height, position, kind, index, offset, label, units, reason (a longer one by its SHA-256): big-endian, 113 bytes."""


def record(end: End) -> bytes:
    """The bytes of an end in the digest; an account adds its holder and asset."""
    height, position, kind, index, holder, asset = end.place.order
    offset, units = end.offset.to_bytes(32, "big"), end.units.to_bytes(32, "big")
    reason = end.reason.encode()
    if len(reason) > 32:
        reason = hashlib.sha256(reason).digest()
    fixed = RECORD.pack(height, position, kind, index, offset, end.label, units, reason)
    return fixed + holder + asset.encode()


def folded(ends: Iterable[End]) -> list[End]:
    """Put the fees of one block and asset together per label: a large run has more fees than anything else."""
    rest: list[End] = []
    fees: dict[tuple[Place, Label], int] = {}
    for end in ends:
        if end.reason == FEE:
            key = Place(end.place.height, -1, int(Kind.FEE), 0, asset=end.place.asset), end.label
            fees[key] = fees.get(key, 0) + end.units
        else:
            rest.append(end)
    return rest + [End(place, 0, label, units, LEAF, FEE) for (place, label), units in fees.items()]


def sorted_ends(ends: Iterable[End]) -> list[End]:
    """Ends in the order of the digest: chain order, then offset, then label."""
    return sorted(ends, key=lambda end: (end.place.order, end.offset, end.label))


def digest(declared: Declaration, tip: bytes, ends: Iterable[End]) -> bytes:
    """The digest of a run's result at a tip; `ends` in any order."""
    return digest_of(declared, tip, b"".join(record(end) for end in sorted_ends(folded(ends))))


def digest_of(declared: Declaration, tip: bytes, records: bytes) -> bytes:
    """The digest over records that are laid out already."""
    state = hashlib.sha256(declared.canonical())
    state.update(tip)
    state.update(records)
    return state.digest()


@dataclass(frozen=True, slots=True)
class Equation:
    """The conservation equation of one label and asset: seeded + converted == live + boundaries + fees.

    converted: units that came by a swap of another asset; `boundaries` holds what went into one.
    """

    label: Label
    asset: str
    seeded: int
    converted: int
    live: int
    boundaries: int
    fees: int

    @property
    def exact(self) -> bool:
        """Whether no unit was lost or made."""
        return self.seeded + self.converted == self.live + self.boundaries + self.fees


def equations(
    seeded: Mapping[tuple[Label, str], int],
    converted: Mapping[tuple[Label, str], int],
    ends: Sequence[tuple[End, str]],
) -> list[Equation]:
    """The conservation equations of a run; ends come with their asset. They need not hold under poison."""
    live: dict[tuple[Label, str], int] = {}
    leaves: dict[tuple[Label, str], int] = {}
    fees: dict[tuple[Label, str], int] = {}
    for end, asset in ends:
        sums = live if end.state == LIVE else fees if end.reason == FEE else leaves
        sums[end.label, asset] = sums.get((end.label, asset), 0) + end.units
    keys = sorted({*seeded, *converted, *live, *leaves, *fees})
    return [
        Equation(
            label,
            asset,
            *(sums.get((label, asset), 0) for sums in (seeded, converted, live, leaves, fees)),
        )
        for label, asset in keys
    ]
