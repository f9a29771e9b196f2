"""How a file of labels becomes a pack: which kind it is, and what its addresses mean on the configured chains."""

from dataclasses import replace
from pathlib import Path

from tracer.attribution.labels import OFAC, TAGPACK, Label, Pack, placed, snapshot
from tracer.attribution.ofac import BadList, read_ofac
from tracer.attribution.tagpack import BadTagPack, read_tagpack
from tracer.errors import LabelsRefused, TracerError
from tracer.store.labelled import Imported
from tracer.strict import one_line
from tracer.types import ChainId
from watchers import families
from watchers.config import ChainConfig, Config

READERS = {TAGPACK: read_tagpack, OFAC: read_ofac}
OTHER_NAMES = {"XBT": "BTC"}
"""What packs call an asset otherwise than we do."""

_MOST_NOTES = 5


def load_pack(path: Path, kind: str | None, config: Config) -> Pack:
    """Read and check a file of labels; raises LabelsRefused with one line. kind: None to find it out."""
    try:
        body = path.read_bytes()
    except OSError as error:
        raise LabelsRefused(f"{path}: cannot be read: {error.strerror}", "Name an existing file.") from error
    try:
        pack = READERS[kind or kind_of(body)](body)
    except (BadTagPack, BadList) as error:
        raise LabelsRefused(f"{path}: {one_line(error)}") from error
    chains = list(config.chain.values())
    return replace(pack, labels=tuple(place(label, chains) for label in pack.labels))


def kind_of(body: bytes) -> str:
    """What a file is by its first character: XML begins with <, a TagPack never does."""
    return OFAC if body.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"<" else TAGPACK


def place(label: Label, chains: list[ChainConfig]) -> Label:
    """Find the holder that a label's address means: on the first chain that has its currency and reads the address.

    A label of another chain stays as it is. An address that such a chain cannot read is kept, and means nothing.
    """
    currency = OTHER_NAMES.get(label.currency, label.currency)
    for chain in chains:
        if currency in {asset.symbol.upper() for asset in chain.assets}:
            try:
                return placed(label, chain.id, families.parse_holder(chain, label.address))
            except (ValueError, TracerError):
                continue
    return label


def describe_pack(pack: Pack, config: Config, imported: Imported) -> str:
    """Write what a pack is and what became of it, on one screen."""
    names = {chain.id: name for name, chain in config.chain.items()}
    counts = dict.fromkeys((*names.values(), "no chain here"), 0)
    for label in pack.labels:
        counts["no chain here" if label.chain is None else names[ChainId(label.chain)]] += 1
    lines = [
        f"{pack.kind} {pack.title}, by {pack.creator}",
        f"  labels    {len(pack.labels)}: {', '.join(f'{count} of {name}' for name, count in counts.items() if count)}",
        f"  SHA-256   {pack.sha256.hex()}",
        f"  listing   {snapshot(pack.labels).hex()}",
        *(f"  note      {note}" for note in pack.notes[:_MOST_NOTES]),
    ]
    if len(pack.notes) > _MOST_NOTES:
        lines.append(f"  note      and {len(pack.notes) - _MOST_NOTES} more that were not read")
    if imported.replaced:
        lines.append(f"replaces {imported.replaced} labels of an earlier pack of this title and creator")
    lines.append("imported" if imported.new else "was imported before; nothing changed")
    return "\n".join("".join(char if char.isprintable() else "?" for char in line) for line in lines)
