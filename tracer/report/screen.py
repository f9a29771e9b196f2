"""The console that answers are printed on: plain text, 100 columns wide where it goes into a file or a pipe."""

import sys
from collections.abc import Iterable, Sequence
from itertools import islice
from textwrap import wrap

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

WIDTH = 100
MOST_ROWS = 1000
"""A table longer than this is cut on the screen, and says so."""

COLOURS = {"SHOWN": "green", "CONTRADICTED": "bold red", "NOT_SHOWN": "yellow"}


class Pipe(Console):
    """A console that leaves a closed pipe to its caller: rich would end the program with exit code 1."""

    def on_broken_pipe(self) -> None:
        """Let the caller end the program."""
        raise BrokenPipeError


class Screen:
    """A console that prints plain text, never markup: what strangers wrote is data."""

    def __init__(self, console: Console | None = None) -> None:
        tty = sys.stdout.isatty()
        self.console = console or Pipe(width=None if tty else WIDTH, highlight=False, markup=False, emoji=False)

    def line(self, text: str = "", style: str = "") -> None:
        """Print one line, whole."""
        self.console.print(Text(text, style=style), soft_wrap=True)

    def head(self, text: str) -> None:
        """Print a section's title."""
        self.line()
        self.line(text, "bold")

    def wrapped(self, before: str, text: str) -> None:
        """Print a text in lines below one another, ids kept whole."""
        for place, line in enumerate(self._lines(text, len(before), len(before))):
            self.line((" " * len(before) if place else before) + line)

    def folded(self, text: str, column: int) -> list[str]:
        """Cut a text at spaces into the lines that it takes from a column on, ids kept whole."""
        return self._lines(text, column, column)

    def verdict(self, before: str, verdict: str, after: str) -> None:
        """Print a verdict in its colour and what goes with it, in lines below one another."""
        rest = len(before) + 2
        first, *more = self._lines(after, len(before) + len(verdict), rest)
        self.console.print(Text.assemble(before, (verdict, COLOURS[verdict.strip()]), first), soft_wrap=True)
        for line in more:
            self.line(" " * rest + line)

    @property
    def width(self) -> int:
        """How many characters a line has."""
        return max(60, self.console.width)

    def _lines(self, text: str, first: int, rest: int) -> list[str]:
        """Cut a text at spaces, to be printed from column `first`, then from column `rest`."""
        lines = wrap(
            " " * first + text,
            self.width,
            subsequent_indent=" " * rest,
            break_long_words=False,
            break_on_hyphens=False,
        )
        return [lines[0][first:], *(line[rest:] for line in lines[1:])] if lines else [""]

    def pairs(self, indent: int, pairs: Iterable[tuple[str, str]]) -> None:
        """Print names and values, the values below one another."""
        for name, value in pairs:
            self.wrapped(f"{' ' * indent}{name:<9} ", value)

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[str] = ()) -> None:
        """Print a table; columns in `right` are aligned to the right."""
        table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
        for name in columns:
            table.add_column(name, justify="right" if name in right else "left", overflow="fold")
        waiting = iter(rows)
        for row in islice(waiting, MOST_ROWS):
            table.add_row(*(Text(cell, style=COLOURS.get(cell, "")) for cell in row))
        self.console.print(table)
        more = sum(1 for _ in waiting)
        if more:
            self.line(f"{more} more rows: `--json` prints them all.")
