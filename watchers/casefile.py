"""How a case file becomes a case: references resolved, addresses and amounts read exactly."""

import hashlib
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tracer.custody.case import DELIVERING, Attestation, Case, Document, Institution, Leg, LegKind, Watch
from tracer.errors import CaseRefused, TracerError
from tracer.strict import Fault, Step, Unfit, Unreadable, key_text, one_line, read, show
from tracer.types import HELD_ROLES, Asset, ChainId, Holder, Outpoint, Role, parse_outpoint
from tracer.units import base_units
from watchers import families
from watchers.casekeys import CaseFile, LegTable, WatchTable
from watchers.config import ChainConfig, Config
from watchers.family import Family

_ONE_OF = ("address", "script", "descriptor", "file")
_WIDEST_RANGE = 100_000


def load_case(path: Path, config: Config) -> Case:
    """Read and check a case file; raises CaseRefused with one line that names the file and the key.

    Relative paths in the file start from its folder. `leg[2] "deposit-1".amount` is the key `amount` of the second
    `[[leg]]`, whose id is deposit-1.
    """
    table, sha256 = _read_toml(path)
    try:
        return _build(read(CaseFile, table), config, path.absolute().parent, sha256)
    except Unreadable as error:
        fault = error.fault
        fix = None if fault.fix is None else f"{fault.fix} Nothing was written."
        raise CaseRefused(f"{path}: {key_text(fault.path, table)}: {fault.text}", fix) from error


def filed(path: Path) -> CaseFile:
    """Read a case file as it is written, its references not resolved; raises CaseRefused as `load_case` does."""
    table, _ = _read_toml(path)
    try:
        return read(CaseFile, table)
    except Unreadable as error:
        raise CaseRefused(
            f"{path}: {key_text(error.fault.path, table)}: {error.fault.text}", error.fault.fix
        ) from error


def _read_toml(path: Path) -> tuple[dict[str, Any], bytes]:
    try:
        body = path.read_bytes()
        return tomllib.loads(body.decode("utf-8-sig")), hashlib.sha256(body).digest()
    except OSError as error:
        reason, fix = f"cannot be read: {error.strerror}", "Name an existing case file. Nothing was written."
    except UnicodeDecodeError:
        reason, fix = "is not UTF-8 text", "Save it as UTF-8. Nothing was written."
    except tomllib.TOMLDecodeError as error:
        reason, fix = f"is not TOML: {one_line(error)}", "Correct that line. Nothing was written."
    raise CaseRefused(f"{path}: {reason}", fix)


def _build(file: CaseFile, config: Config, base: Path, sha256: bytes) -> Case:
    for kind in ("institution", "document", "watch", "leg"):
        _refuse_same_ids(kind, [item.id for item in getattr(file, kind)])
    watched = _Watched(config, base, _institutions(file))
    for place, watch in enumerate(file.watch):
        watched.add(place, watch)
    return Case(
        ref=file.case.id,
        title=file.case.title,
        preset=file.case.preset,
        seizures=_seizures(file, config),
        institutions=tuple(Institution(one.id, one.name, one.part, one.aliases) for one in file.institution),
        watches=tuple(watched.watches),
        documents=_documents(file, base),
        attestations=tuple(_attestations(file, watched)),
        legs=tuple(_leg(place, leg, watched) for place, leg in enumerate(file.leg)),
        source_sha256=sha256,
    )


def _bad(path: Sequence[Step], text: str, fix: str | None = None) -> Unreadable:
    return Unreadable(Fault(tuple(path), text, fix))


def _known(path: Sequence[Step], name: str, known: Mapping[str, Any] | set[str], what: str) -> None:
    if name not in known:
        there = ", ".join(show(one) for one in list(known)[:8]) + (", ..." if len(known) > 8 else "")
        raise _bad(path, f"no {what} has the name {show(name)}; there is {there}" if known else f"there is no {what}")


def _refuse_same_ids(kind: str, ids: Sequence[str]) -> None:
    first: dict[str, int] = {}
    for place, ref in enumerate(ids):
        if ref in first:
            raise _bad((kind, place, "id"), f"the same id as {kind}[{first[ref] + 1}]", "Give each its own id.")
        first[ref] = place


def _institutions(file: CaseFile) -> set[str]:
    return {one.id for one in file.institution}


def _seizures(file: CaseFile, config: Config) -> dict[ChainId, int]:
    at = ("case", "seizure")
    for name in file.case.seizure:
        _known((*at, name), name, config.chain, "[chain.NAME] table")
    for watch in file.watch:
        if watch.role == "seized" and watch.chain not in file.case.seizure:
            text = f"missing; {show(watch.id)} is seized on this chain"
            fix = "Add the height after which its balance is the seized balance."
            raise _bad((*at, watch.chain), text, fix)
    return {config.chain[name].id: height for name, height in file.case.seizure.items()}


def _documents(file: CaseFile, base: Path) -> tuple[Document, ...]:
    documents = []
    for place, one in enumerate(file.document):
        if (one.sha256 is None) == (one.file is None):
            raise _bad(("document", place), "expected exactly one of sha256, file", "Keep one of them.")
        if one.file is not None:
            sha256 = _file_sha256(base / Path(one.file).expanduser(), ("document", place, "file"))
        else:
            sha256 = bytes.fromhex(one.sha256 or "")
        documents.append(Document(one.id, one.title, sha256))
    return tuple(documents)


def _file_sha256(path: Path, key: Sequence[Step]) -> bytes:
    try:
        with path.open("rb") as body:
            return hashlib.file_digest(body, "sha256").digest()
    except OSError as error:
        raise _bad(key, f"cannot read {path}: {error.strerror}", "Name an existing file.") from error


@dataclass(slots=True)
class _Watched:
    """The watches read so far, and what later tables may refer to."""

    config: Config
    base: Path
    institutions: set[str]
    watches: list[Watch] = field(default_factory=list)
    spans: dict[str, tuple[int, int]] = field(default_factory=dict)  # id -> first and end place in `watches`
    chains: dict[str, str] = field(default_factory=dict)  # id -> name of its chain
    holders: dict[str, set[Holder]] = field(default_factory=dict)  # name of chain -> what is watched there

    def add(self, place: int, table: WatchTable) -> None:
        """Read one `[[watch]]`, which may stand for many scripts."""
        at = ("watch", place)
        _known((*at, "chain"), table.chain, self.config.chain, "[chain.NAME] table")
        if table.institution is not None:
            _known((*at, "institution"), table.institution, self.institutions, "[[institution]]")
        chain = self.config.chain[table.chain]
        outpoints = _outpoints(at, table, families.family(chain.family))
        role, first = Role(table.role), len(self.watches)
        seen = self.holders.setdefault(table.chain, set())
        many = table.descriptor is not None or table.file is not None
        ref, birth, institution = table.id, table.birth, table.institution
        for number, holder in enumerate(_holders(at, table, chain, self.base)):
            if holder in seen:
                raise self._twice(at, chain, holder, role)
            seen.add(holder)
            one = f"{ref}/{number}" if many else ref
            self.watches.append(Watch(one, chain.id, holder, role, institution, birth, outpoints, table.storage))
        if first == len(self.watches):
            raise _bad((*at, "file"), "names no address", "Remove the watch, or fill the file.")
        self.spans[ref], self.chains[ref] = (first, len(self.watches)), table.chain

    def refs(self, path: Sequence[Step], name: str) -> list[str]:
        """The watches that an id means: one, all of a range or file, or one of those by `id/number`."""
        ref, slash, number = name.partition("/")
        _known(path, ref, self.spans, "[[watch]]")
        first, end = self.spans[ref]
        if not slash:
            return [watch.ref for watch in self.watches[first:end]]
        place = first + int(number) if re.fullmatch("0|[1-9][0-9]{0,9}", number) else end
        if place >= end or self.watches[place].ref != name:
            raise _bad(path, f"{show(ref)} has no script number {show(number)}; it has {end - first}, from 0")
        return [name]

    def one(self, path: Sequence[Step], name: str) -> Watch:
        """The single watch that an id means."""
        refs = self.refs(path, name)
        if len(refs) != 1:
            raise _bad(
                path,
                f"{show(name)} stands for {len(refs)} scripts",
                f'Name one of them, such as "{refs[0]}".',
            )
        ref, _, number = name.partition("/")
        return self.watches[self.spans[ref][0] + int(number or 0)]

    def _twice(self, at: Sequence[Step], chain: ChainConfig, holder: Holder, role: Role) -> Unreadable:
        other = next(one for one in self.watches if (one.holder, one.chain) == (holder, chain.id))
        roles = "" if other.role is role else f" with another role ({other.role.value}, here {role.value})"
        shown = families.show_holder(chain, holder)
        return _bad(at, f"{shown} is already watched as {show(other.ref)}{roles}", "Declare each holder once.")


def _holders(at: Sequence[Step], table: WatchTable, chain: ChainConfig, base: Path) -> Iterator[Holder]:
    given = [key for key in _ONE_OF if getattr(table, key) is not None]
    if len(given) != 1:
        got = ", ".join(given) or "none"
        raise _bad(at, f"expected exactly one of {', '.join(_ONE_OF)}, got {got}", "Keep one of them.")
    if table.range is not None and given != ["descriptor"]:
        raise _bad((*at, "range"), "belongs to a descriptor only", "Remove it.")
    family, key = families.family(chain.family), (*at, given[0])
    if table.address is not None:
        yield _reading(key, lambda text: family.parse_holder(chain, text), table.address)
    elif table.file is not None:
        yield from _file_holders(key, base / Path(table.file).expanduser(), chain, family)
    elif family.parse_script is None or family.descriptor_scripts is None:
        raise _bad(key, f"chain {show(table.chain)} holds value by account", "Give its `address`.")
    elif table.script is not None:
        yield _reading(key, lambda text: _script(family, chain, text), table.script)
    elif table.descriptor is not None:
        first, last = _range(at, table)
        expand, text = family.descriptor_scripts, table.descriptor
        try:
            yield from expand(chain, text, first, last)
        except (ValueError, TracerError) as error:
            raise _bad(key, one_line(error)) from error


def _reading(key: Sequence[Step], parse: Any, text: str) -> Holder:
    try:
        holder: Holder = parse(text)
    except (ValueError, TracerError) as error:
        raise _bad(key, one_line(error), "Copy it again from its source, and compare every character.") from error
    return holder


def _script(family: Family[Any], chain: ChainConfig, text: str) -> Holder:
    if family.parse_script is None or not re.fullmatch("([0-9a-fA-F]{2})+", text):
        raise ValueError(f"expected hex digits in pairs, got {show(text)}")
    return family.parse_script(chain, text)


def _range(at: Sequence[Step], table: WatchTable) -> tuple[int, int]:
    key, many = (*at, "range"), "*" in (table.descriptor or "")
    if not many:
        if table.range is not None:
            raise _bad(key, "the descriptor has no * to count", "Remove it.")
        return 0, 0
    if table.range is None:
        raise _bad(key, "missing; the descriptor has a *", "Add first and last index, such as [0, 19].")
    first, last = table.range
    if not 0 <= first <= last < 2**31:
        raise _bad(key, f"expected 0 <= first <= last < 2147483648, got [{first}, {last}]")
    if last - first >= _WIDEST_RANGE:
        raise _bad(key, f"has {last - first + 1} indexes, at most {_WIDEST_RANGE} are derived", "Split it.")
    return first, last


def _file_holders(key: Sequence[Step], path: Path, chain: ChainConfig, family: Family[Any]) -> Iterator[Holder]:
    """Read one address or script in hex per line; empty lines and lines that begin with # are skipped."""
    parse, number = family.parse_holder, 0
    hexed = re.compile("(?:[0-9a-fA-F]{2})+").fullmatch if family.parse_script else None
    try:
        with path.open(encoding="utf-8-sig") as lines:
            for line in lines:
                number += 1
                text = line.strip(" \t\r\n")
                if not text or text[0] == "#":
                    continue
                yield Holder(bytes.fromhex(text)) if hexed and hexed(text) else parse(chain, text)
    except OSError as error:
        raise _bad(key, f"cannot read {path}: {error.strerror}", "Name an existing file.") from error
    except UnicodeDecodeError as error:
        raise _bad(key, f"{path} is not UTF-8 text after line {number}", "Save it as UTF-8.") from error
    except (ValueError, TracerError) as error:
        raise _bad(key, f"{path} line {number}: {one_line(error)}", "Correct that line.") from error


def _outpoints(at: Sequence[Step], table: WatchTable, family: Family[Any]) -> tuple[Outpoint, ...] | None:
    if table.outpoints is None:
        return None
    key = (*at, "outpoints")
    if family.parse_script is None:
        raise _bad(key, f"chain {show(table.chain)} holds value by account and has no coins", "Remove it.")
    if table.address is None and table.script is None:
        raise _bad(key, "belongs to a single address or script", "Remove it, or declare that address alone.")
    if not table.outpoints:
        raise _bad(key, "is empty: nothing would be seized", "Name the coins, or remove the key to mean all.")
    points: dict[Outpoint, int] = {}
    for place, text in enumerate(table.outpoints):
        try:
            point = parse_outpoint(text)
        except ValueError as error:
            expected = 'expected "txid:index", 64 hex digits and a number'
            raise _bad((*key, place), f"{expected}, got {show(text)}") from error
        if point in points:
            raise _bad((*key, place), f"the same coin as outpoints[{points[point] + 1}]", "Remove it.")
        points[point] = place
    return tuple(points)


def _attestations(file: CaseFile, watched: _Watched) -> Iterator[Attestation]:
    documents = {one.id for one in file.document}
    for place, one in enumerate(file.attestation):
        at = ("attestation", place)
        _known((*at, "institution"), one.institution, watched.institutions, "[[institution]]")
        _known((*at, "document"), one.document, documents, "[[document]]")
        if one.valid_to is not None and one.valid_to < one.valid_from:
            raise _bad((*at, "valid_to"), "is before valid_from")
        for ref in watched.refs((*at, "watch"), one.watch):
            yield Attestation(ref, one.institution, one.document, one.valid_from, one.valid_to)


def _leg(place: int, table: LegTable, watched: _Watched) -> Leg:
    at = ("leg", place)
    chain, asset = _asset((*at, "asset"), table.asset, watched.config)
    for key, name in (("to", table.to), *(("from", name) for name in table.sources)):
        ref = name.partition("/")[0]
        if watched.chains.get(ref, chain.name) != chain.name:
            text = f"{show(name)} is on chain {show(watched.chains[ref])}, the asset is on {show(chain.name)}"
            raise _bad((*at, key), text)
    target = watched.one((*at, "to"), table.to)
    sources: dict[str, None] = {}
    for name in table.sources:
        sources.update(dict.fromkeys(watched.refs((*at, "from"), name)))
    if target.ref in sources:
        raise _bad((*at, "to"), f"{show(target.ref)} is also a source of this leg", "A leg goes to somebody else.")
    kind = LegKind(table.kind)
    if kind in DELIVERING and target.role in HELD_ROLES:
        text = f"{show(target.ref)} is held by the state (role {target.role.value}); {kind.value} leaves custody"
        raise _bad((*at, "to"), text, "Name an exchange or refund watch, or use another kind.")
    if None not in (table.not_before, table.deadline) and (table.deadline or 0) < (table.not_before or 0):
        raise _bad((*at, "deadline"), "is before not_before")
    amount = _base_units((*at, "amount"), table.amount, asset)
    tolerance = _base_units((*at, "tolerance"), table.tolerance, asset)
    if amount == 0:
        raise _bad((*at, "amount"), "is zero; a leg moves something")
    if tolerance >= amount:
        raise _bad((*at, "tolerance"), "is not smaller than the amount")
    max_fee = _base_units((*at, "max_fee"), table.max_fee, chain.native)
    return Leg(
        table.id,
        kind,
        asset.id,
        tuple(sources),
        target.ref,
        amount,
        tolerance,
        max_fee,
        table.not_before,
        table.deadline,
        table.needs_test,
    )


def _asset(key: Sequence[Step], text: str, config: Config) -> tuple[ChainConfig, Asset]:
    name, colon, symbol = text.partition(":")
    if not colon:
        raise _bad(key, f'expected CHAIN:SYMBOL, such as "bitcoin:BTC", got {show(text)}')
    _known(key, name, config.chain, "[chain.NAME] table")
    chain = config.chain[name]
    assets = {asset.symbol: asset for asset in chain.assets}
    if symbol not in assets:
        known = ", ".join(show(f"{name}:{one}") for one in assets)
        text = f"chain {show(name)} has no asset {show(symbol)}; there is {known}"
        raise _bad(key, text, "Correct it, or list the token in the configuration.")
    return chain, assets[symbol]


def _base_units(key: Sequence[Step], text: str, asset: Asset) -> int:
    try:
        return base_units(text, asset)
    except Unfit as error:
        raise _bad(key, str(error), error.fix) from error
