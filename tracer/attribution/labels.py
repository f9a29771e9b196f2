"""What a label is, and the one hash that stands for all that are in force; those that differ all stay. Pure."""

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


def placed(label: Label, chain: str, holder: bytes) -> Label:
    """The label, now that it is known what its address means here."""
    return replace(label, chain=chain, holder=holder)
