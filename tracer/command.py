"""How both command lines end: one line per error on stderr, and the exit code that goes with it."""

import sys
import traceback
from collections.abc import Iterator, Sequence
from importlib import import_module
from types import TracebackType
from typing import Any

import click

from tracer.errors import Alarm, OperatorError, Retryable, TracerError


class Later(click.Group):
    """A group some of whose commands are imported when they are named: ``later`` maps names to ``module:object``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.later: dict[str, str] = {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in order."""
        return sorted([*super().list_commands(ctx), *self.later])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name; None if there is none."""
        if cmd_name in self.later:
            module, _, name = self.later[cmd_name].partition(":")
            found: click.Command = getattr(import_module(module), name)
            return found
        return super().get_command(ctx, cmd_name)


def exit_code(group: click.Group, name: str, arguments: Sequence[str]) -> int:
    """Run a command and return its exit code; lets errors through that nobody expected."""
    try:
        return int(group.main(list(arguments), prog_name=name, standalone_mode=False) or 0)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return 130
    except TracerError as error:
        return say(name, [error])
    except BaseExceptionGroup as group_error:
        leaves = list(leaves_of(group_error))
        known = [leaf for leaf in leaves if isinstance(leaf, TracerError)]
        if len(known) < len(leaves):
            raise
        return say(name, known)


def say(name: str, errors: Sequence[TracerError]) -> int:
    """Print one line per error and return the exit code of the gravest."""
    for line in dict.fromkeys(error.line() for error in errors):
        click.echo(f"{name}: {line}", err=True)
    for kind, code in ((Alarm, 3), (OperatorError, 2), (Retryable, 4)):
        if any(isinstance(error, kind) for error in errors):
            return code
    return 1


def leaves_of(error: BaseException) -> Iterator[BaseException]:
    """The errors of a group, whatever groups they stand in."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from leaves_of(inner)
    else:
        yield error


def show_unexpected(name: str) -> None:
    """Show where an unexpected error came from, and one line last that says so; the exit code is then 1."""

    def last_words(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        traceback.print_exception(kind, error, trace)
        said = str(error).strip().splitlines()
        line = f"{kind.__name__}{': ' + said[0] if said else ''}"
        click.echo(f"{name}: internal error: {line}. {TracerError.fix}", err=True)

    sys.excepthook = last_words
