"""How a command of `tracer` puts its question to one moment of the store, and prints the answer."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from tracer.errors import StoreUnusable

CUT = 141
"""128 + SIGPIPE, as other programs end when their reader has seen enough."""


def as_json(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `--json`."""
    return click.option("--json", "json_", is_flag=True, help="Print the answer as JSON, with every id in full.")(
        command
    )


def answered(store: str, json_: bool, ask: Callable[[Any], Any]) -> int:
    """Put a question to one moment of the store, print the answer, and return its exit code."""
    from tracer.store.reader import snapshot, store_path

    path: Path = store_path(store)
    if not path.is_file():
        raise StoreUnusable(f"there is no store at {path}", "Name it with --store; `tracerd sync` creates one.")
    with snapshot(path) as reader:
        answer = ask(reader)
    try:
        if json_:
            import orjson

            click.echo(orjson.dumps(answer.envelope(), option=orjson.OPT_INDENT_2).decode())
        else:
            from tracer.report.screen import Screen
            from tracer.report.show import show

            show(answer, Screen())
        sys.stdout.flush()
    except BrokenPipeError:  # the reader closed the pipe: it has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CUT
    return int(answer.exit_code)


def as_instant(_ctx: click.Context, _param: click.Parameter, text: str | None) -> int | None:
    """Read an instant that an option gives; None where it is not given."""
    from tracer.report.life import instant

    try:
        return None if text is None else instant(text)
    except (ValueError, OverflowError) as error:
        raise click.BadParameter(str(error)) from error
