"""Writes docs/schema.md from the comments in views.sql: `python -m tracer.store.describe > docs/schema.md`."""

import re
import sys
from dataclasses import dataclass
from textwrap import fill

from sqlalchemy import create_engine, text

from tracer.store.tables import METADATA
from tracer.store.views import SOURCE, view_statements

COLUMN = re.compile(r"^(\w+) {2,}(\S.*)$")

INTRODUCTION = """# The store, for analysts

Made from `tracer/store/views.sql` by `python -m tracer.store.describe`; a test keeps it true.

Open the SQLite file read-only with anything that speaks SQLite 3.25 or newer, for example

```python
import sqlite3

store = sqlite3.connect("file:custody.db?mode=ro", uri=True)
```

The views are the contract; the tables behind them are private and may change. Worked examples are in
[queries.md](queries.md).
"""


@dataclass(frozen=True, slots=True)
class View:
    """A view, what it is for, and what its columns mean, in order."""

    name: str
    purpose: str
    columns: dict[str, str]


def documented() -> tuple[str, list[View]]:
    """The preface of views.sql and every view; raises KeyError for a column that nobody explains."""
    preface = SOURCE.read_text(encoding="utf-8").split("\n\n", 1)[0]
    prose, _, block = preface.partition("-- Shared columns:\n")
    shared, actual = columns_of(plain(block)), actual_columns()
    about = plain(prose)
    return fill(" ".join(about[about.index("") :]).strip(), 120), [
        view_of(one, shared, actual) for one in view_statements()
    ]


def view_of(statement: str, shared: dict[str, str], actual: dict[str, list[str]]) -> View:
    """Read one statement with the comment block above it."""
    above, _, body = statement.rpartition("CREATE VIEW ")
    name = body.split(" ", 1)[0]
    lines = plain(above.strip().split("\n\n")[-1])
    cut = lines.index("") if "" in lines else len(lines)
    own = columns_of(lines[cut:])
    unused = own.keys() - set(actual[name])
    if unused:
        raise KeyError(f"{name} has no column {', '.join(sorted(unused))}")
    return View(name, " ".join(lines[:cut]), {column: {**shared, **own}[column] for column in actual[name]})


def plain(block: str) -> list[str]:
    """The lines of a comment block, without their dashes."""
    return [line.removeprefix("--").removeprefix(" ").rstrip() for line in block.strip().split("\n")]


def columns_of(lines: list[str]) -> dict[str, str]:
    """Column names and meanings, from lines of `name  meaning`."""
    return {match[1]: match[2] for line in lines if (match := COLUMN.match(line))}


def actual_columns() -> dict[str, list[str]]:
    """The columns that every view really has, in order."""
    engine = create_engine("sqlite://")
    METADATA.create_all(engine)
    with engine.begin() as connection:
        for statement in view_statements():
            connection.execute(text(statement))
        rows = connection.execute(
            text("SELECT v.name, c.name FROM sqlite_master v, pragma_table_info(v.name) c WHERE v.type = 'view'")
        ).all()
    engine.dispose()
    found: dict[str, list[str]] = {}
    for view, column in rows:
        found.setdefault(view, []).append(column)
    return found


def schema() -> str:
    """The whole document."""
    prose, views = documented()
    parts = [INTRODUCTION, prose + "\n"]
    parts.append("\n".join(["| view | what it shows |", "|---|---|", *(contents(view) for view in views)]) + "\n")
    for view in views:
        rows = [f"| `{column}` | {meaning.replace('|', chr(92) + '|')} |" for column, meaning in view.columns.items()]
        parts.append(
            "\n".join([f"## {view.name}", "", view.purpose, "", "| column | meaning |", "|---|---|", *rows, ""])
        )
    return "\n".join(parts)


def contents(view: View) -> str:
    """A view's line in the list of views."""
    return f"| [{view.name}](#{view.name}) | {view.purpose} |"


if __name__ == "__main__":
    sys.stdout.write(schema())
