"""What an inspection finds: a power over a seized holder, or a gap in the inventory, as a row of exact facts. Pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from tracer.types import AssetId, BlockRef, ChainId, Holder, Lane

SAFE_INTEGER = 2**53
"""Integers from here on lose digits in many readers of JSON: they are written as decimal text."""

JSON = str | int | Mapping[str, str | int]


class Severity(Enum):
    """How grave a finding is."""

    INFO = "INFO"
    WARN = "WARN"
    CRITICAL = "CRITICAL"


class Rule(Enum):
    """The rule that a finding is filed under."""

    APPROVE = "APPROVE-1"
    ISSUER = "TOKEN-1"
    FORK = "FORK-1"
    INVENTORY = "INV-1"


@dataclass(frozen=True, slots=True)
class Subject:
    """A seized holder on its chain."""

    chain: ChainId
    holder: Holder


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found out about a seized holder.

    kind: what it is, in one word or two joined by a hyphen. who: the key, account or contract that has the power; None
    where it is nobody in particular. refs: exact facts by name: numbers below 2**53, all else as text, amounts in
    base units as decimal text. shown: False where it could not be found out; detail then says what is missing.
    Raises ValueError for a fact that is neither text nor such a number.
    """

    kind: str
    severity: Severity
    rule: Rule
    subject: Subject
    detail: str
    lane: Lane
    asset: AssetId | None = None
    who: bytes | None = None
    refs: Mapping[str, str | int] = field(default_factory=dict)
    shown: bool = True

    def __post_init__(self) -> None:
        for name, fact in self.refs.items():
            number = isinstance(fact, int) and not isinstance(fact, bool) and abs(fact) < SAFE_INTEGER
            if not (number or isinstance(fact, str)):
                raise ValueError(f"{self.kind}: the fact {name} is {fact!r}, neither text nor a number below 2**53")

    def row(self) -> dict[str, JSON]:
        """The finding as it is filed: text and numbers only; "" where there is nothing."""
        return {
            "asset": self.asset or "",
            "chain": self.subject.chain,
            "detail": self.detail,
            "holder": self.subject.holder.hex(),
            "kind": self.kind,
            "lane": self.lane.name,
            "refs": dict(sorted(self.refs.items())),
            "rule": self.rule.value,
            "severity": self.severity.value,
            "shown": "SHOWN" if self.shown else "NOT_SHOWN",
            "who": "" if self.who is None else self.who.hex(),
        }


def canonical(finding: Finding) -> bytes:
    """The one way to write a finding's row: JSON in ASCII, keys in order, no spaces."""
    return json.dumps(finding.row(), sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def at(ref: BlockRef) -> dict[str, str | int]:
    """The facts that name a block."""
    return {"block_height": ref.height, "block_hash": ref.hash.hex()}


def verdict(findings: Sequence[Finding]) -> int:
    """The exit code: 3 if anything is CRITICAL, else 4 if anything is not shown, else 0."""
    if any(finding.severity is Severity.CRITICAL for finding in findings):
        return 3
    return 0 if all(finding.shown for finding in findings) else 4
