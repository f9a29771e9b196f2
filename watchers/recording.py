"""How records that people write become drafts, and how the daemon files them."""

import hashlib
import time
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tracer.custody.filing import Draft, RecordRefused
from tracer.custody.instants import parse_instant
from tracer.custody.records import KINDS
from tracer.store.chains import ChainHandle
from tracer.store.recording import Filed, file_records, naming, note_alert
from tracer.store.writer import Store
from tracer.strict import Text, Unreadable, key_text, one_line, read, show
from tracer.types import ChainId

COMMON = ("by", "second", "at", "document", "id", "supersedes")
"""What every record says beside its own fields; `document` is a SHA-256 in hex or a file."""


def draft_of(table: Mapping[str, Any], base: Path, now: int) -> Draft:
    """Read a record as people write it; raises RecordRefused. base: where paths start from."""
    kind = str(table.get("kind", ""))
    if kind not in KINDS:
        raise RecordRefused(f"there is no kind of records {kind!r}; there is {', '.join(KINDS)}")
    fields = {key: value for key, value in table.items() if key not in (*COMMON, "kind")}
    if "file" in fields and "sha256" in KINDS[kind].model_fields:
        if "sha256" in fields:
            raise RecordRefused(f"{kind}: expected exactly one of sha256, file", "Keep one of them.")
        fields["sha256"] = hashed(base / str(fields.pop("file")))
    try:
        body = read(KINDS[kind], fields)
        at = parse_instant(table["at"]) if table.get("at") is not None else now
    except Unreadable as error:
        where = key_text(error.fault.path, fields)
        raise RecordRefused(f"{kind}: {where}: {error.fault.text}", error.fault.fix) from error
    except ValueError as error:
        raise RecordRefused(f"{kind}: at: {error}") from error
    texts = {key: table.get(key) for key in COMMON if key != "at"}
    for key, value in texts.items():
        if value is not None and not isinstance(value, str):
            raise RecordRefused(f"{kind}: {key}: expected text, got {show(value)}")
    if texts["by"] is None:
        raise RecordRefused(f"{kind}: nobody is named who files it", "Give --by NAME. Nothing was written.")
    assert isinstance(at, int)
    document = texts["document"]
    if document is not None and not is_sha256(document):
        document = hashed(base / document)
    return Draft(kind, body, texts["by"], texts["second"], at, document, texts["id"], texts["supersedes"])


def is_sha256(text: str) -> bool:
    """Whether a text is a SHA-256 in hex."""
    return len(text) == 64 and all(digit in "0123456789abcdef" for digit in text)


def hashed(path: Path) -> str:
    """The SHA-256 of a file, hex."""
    try:
        with path.expanduser().open("rb") as body:
            return hashlib.file_digest(body, "sha256").hexdigest()
    except OSError as error:
        raise RecordRefused(f"cannot read {path}: {error.strerror}", "Give a file, or 64 hex digits.") from error


def read_file(path: Path) -> list[dict[str, Any]]:
    """The `[[record]]` tables of a file, in order; raises RecordRefused."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecordRefused(f"{path}: cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RecordRefused(f"{path}: is not TOML: {one_line(error)}") from error
    records = table.get("record")
    tables = isinstance(records, list) and all(isinstance(one, dict) for one in records)
    if set(table) != {"record"} or not tables:
        raise RecordRefused(f"{path}: expected [[record]] tables and nothing else")
    return [dict(one) for one in records or ()]


def plain(table: Mapping[str, Any]) -> dict[str, Any]:
    """A table as JSON carries it: instants as text."""
    return {key: value.isoformat() if hasattr(value, "isoformat") else value for key, value in table.items()}


def file_into(store: Store, body: Mapping[str, Any], chains: Mapping[ChainId, ChainHandle]) -> list[Filed]:
    """File what a command sent; the followers are paused or do not run."""
    now = int(time.time())
    drafts = []
    for place, table in enumerate(body["records"], 1):
        with naming(place, len(body["records"])):
            drafts.append(draft_of(typed(table), Path(str(body["base"])), now))
    return file_records(store, str(body["case"]), drafts, chains, now)


def typed(table: Mapping[str, Any]) -> dict[str, Any]:
    """Let texts of a command line take the type of the field that they are for."""
    as_text = bool(table.get("as_text"))
    return {
        key: Text(value) if as_text and isinstance(value, str) and key not in (*COMMON, "kind") else value
        for key, value in table.items()
        if key != "as_text"
    }


def alert_into(store: Store, body: Mapping[str, Any]) -> str:
    """Note what became of an alert."""
    return note_alert(store, int(body["alert"]), body["what"], body["by"], body["reason"], int(time.time()))
