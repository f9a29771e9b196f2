"""The console that answers are printed on: plain text, 100 columns wide where it goes into a file or a pipe."""

import sys
from collections.abc import Iterable, Sequence
from textwrap import wrap

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

WIDTH = 100
COLOURS = {"SHOWN": "green", "CONTRADICTED": "bold red", "NOT_SHOWN": "yellow"}


class Screen:
    """A console that prints plain text, never markup: what strangers wrote is data."""

    def __init__(self, console: Console | None = None) -> None:
        tty = sys.stdout.isatty()
        self.console = console or Console(
            width=None if tty else WIDTH, highlight=False, markup=False, emoji=False
        )

    def line(self, text: str = "", style: str = "") -> None:
        """Print one line, whole."""
        self.console.print(Text(text, style=style), soft_wrap=True)

    def head(self, text: str) -> None:
        """Print a section's title."""
        self.line()
        self.line(text, "bold")

    def wrapped(self, before: str, text: str) -> None:
        """Print a text in lines below one another, ids kept whole."""
        room = max(40, self.console.width - len(before))
        lines = wrap(text, room, break_long_words=False, break_on_hyphens=False) or [""]
        for place, line in enumerate(lines):
            self.line((" " * len(before) if place else before) + line)

    def verdict(self, before: str, verdict: str, after: str = "") -> None:
        """Print a line with a verdict in its colour."""
        self.console.print(Text.assemble(before, (verdict, COLOURS[verdict.strip()]), after), soft_wrap=True)

    def pairs(self, indent: int, pairs: Iterable[tuple[str, str]]) -> None:
        """Print names and values, the values below one another."""
        for name, value in pairs:
            self.line(f"{' ' * indent}{name:<10}{value}")

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[str] = ()) -> None:
        """Print a table; columns in `right` are aligned to the right."""
        table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
        for name in columns:
            table.add_column(name, justify="right" if name in right else "left", overflow="fold")
        for row in rows:
            table.add_row(*(Text(cell, style=COLOURS.get(cell, "")) for cell in row))
        self.console.print(table)
