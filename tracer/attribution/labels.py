"""What a label is, where labels contradict each other, and the one hash that stands for all that are in force. Pure."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace

EXCHANGE, SANCTIONS = "exchange", "sanctions"
TAGPACK, OFAC = "tagpack", "ofac"


@dataclass(frozen=True, slots=True)
class Label:
    """What somebody published about an address, as it was published.

    currency: what the pack says, such as BTC. chain, holder: what the address means here: a CAIP-2 id and the
    holder's bytes; None for addresses of no chain that is followed. extra: fields that nothing here reads, as JSON.
    pack: SHA-256 of the file. An empty text was not given.
    """

    address: str
    currency: str
    label: str
    category: str = ""
    abuse: str = ""
    confidence: str = ""
    lastmod: str = ""
    source: str = ""
    extra: str = ""
    chain: str | None = None
    holder: bytes | None = None
    pack: bytes = b""

    @property
    def subject(self) -> tuple[str, str]:
        """What the label is about: a holder on a chain, or an address that means nothing here."""
        if self.chain is None or self.holder is None:
            return self.currency, self.address
        return self.chain, self.holder.hex()

    def line(self) -> str:
        """The label as one line of the canonical listing: a JSON list, without blanks."""
        holder = None if self.holder is None else self.holder.hex()
        said = [self.address, self.currency, self.label, self.category, self.abuse, self.confidence, self.lastmod]
        row = [self.chain, holder, *said, self.source, self.extra, self.pack.hex()]
        return json.dumps(row, ensure_ascii=True, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Pack:
    """A file of labels, whole. kind: tagpack, ofac; notes: what in it was not read, and why."""

    kind: str
    title: str
    creator: str
    sha256: bytes
    labels: tuple[Label, ...]
    notes: tuple[str, ...] = ()


def snapshot(labels: Iterable[Label]) -> bytes:
    """SHA-256 over the canonical listing of labels: their lines in order of bytes, each ended by a line feed.

    The same labels give the same hash, whatever order they come in.

    >>> snapshot([]).hex()[:8]
    'e3b0c442'
    """
    digest = hashlib.sha256()
    for line in sorted(label.line() for label in labels):
        digest.update(line.encode("ascii") + b"\n")
    return digest.digest()


def conflicts(labels: Iterable[Label]) -> tuple[tuple[Label, ...], ...]:
    """The labels of every subject about which they do not all say the same (label or category); all of them stay."""
    about: dict[tuple[str, str], list[Label]] = {}
    for label in labels:
        about.setdefault(label.subject, []).append(label)
    return tuple(tuple(group) for group in about.values() if len({(one.label, one.category) for one in group}) > 1)


def placed(label: Label, chain: str, holder: bytes) -> Label:
    """The label, now that it is known what its address means here."""
    return replace(label, chain=chain, holder=holder)
