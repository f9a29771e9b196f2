"""Reads files of records as people write them, for the command that hands them to the daemon."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tracer.custody.filing import RecordRefused
from tracer.strict import one_line


def read_file(path: Path) -> list[dict[str, Any]]:
    """The `[[record]]` tables of a file, in order; raises RecordRefused."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecordRefused(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:  # also numbers of thousands of digits, and tables in tables
        raise RecordRefused(f"{path}: is not TOML: {one_line(error)}") from error
    records = table.get("record")
    tables = isinstance(records, list) and all(isinstance(one, dict) for one in records)
    if set(table) != {"record"} or not tables:
        raise RecordRefused(f"{path}: expected [[record]] tables and nothing else")
    return [dict(one) for one in records or ()]


def plain(table: Mapping[str, Any]) -> dict[str, Any]:
    """A table as JSON carries it: instants as text."""
    return {key: as_json(value) for key, value in table.items()}


def as_json(value: Any) -> Any:
    """A value of TOML as JSON carries it."""
    if isinstance(value, dict):
        return plain(value)
    if isinstance(value, list):
        return [as_json(one) for one in value]
    return value.isoformat() if hasattr(value, "isoformat") else value
