"""`tracerd record` and `tracerd alert`: what people file about a case, and what they do about alerts."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args, get_origin

import click

from tracer.custody.record import Body
from tracer.custody.records import KINDS

# Everything else is imported by the command that needs it, so that help and usage errors come at once.


def options_of(body: type[Body]) -> list[click.Option]:
    """One option per field of a kind."""
    found = []
    for name, field in body.model_fields.items():
        if name == "shown":
            continue  # worked out from the signature
        key = field.alias or name
        listed = tuple in [get_origin(kind) for kind in (field.annotation, *get_args(field.annotation))]
        found.append(
            click.Option(
                [f"--{key.replace('_', '-')}", f"field_{key}"],
                multiple=listed,
                is_flag=field.annotation is bool,
                help=helped(str(field.description), listed=listed, flag=field.annotation is bool),
                required=field.is_required() and key != "sha256",
            )
        )
        if key == "sha256":
            found.append(click.Option(["--file", "field_file"], help="instead of --sha256: the file to hash"))
    return found


def helped(said: str, *, listed: bool, flag: bool) -> str:
    """The help of an option: how several values are given, and that a flag takes none."""
    if flag:
        return "say that it is so; takes no value"
    return f"{said}; give the option once for each" if listed else said


def command_of(kind: str, body: type[Body]) -> click.Command:
    """The command that files records of a kind."""

    @click.pass_obj
    def run(given: Any, /, case: str, **asked: Any) -> int:
        table: dict[str, Any] = {"kind": kind, "as_text": True}
        for key, value in asked.items():
            name = key.removeprefix("field_")
            if value is not None and value != () and value is not False:
                table[name] = list(value) if isinstance(value, tuple) else value
        return send(given, case, [table])

    common = [
        click.Option(["--by"], required=True, metavar="NAME", help="Who files it."),
        click.Option(["--second"], metavar="NAME", help="Who confirms it, where two people are needed."),
        click.Option(["--at"], metavar="INSTANT", help="The instant that it speaks of. [default: now]"),
        click.Option(["--document"], metavar="FILE|SHA256", help="The document that it rests on."),
        click.Option(["--id", "id"], metavar="ID", help="Its name. [default: the kind and a number]"),
        click.Option(["--supersedes"], metavar="ID", help="The record of this kind that it replaces; both stay."),
    ]
    params: list[click.Parameter] = [click.Argument(["case"]), *options_of(body), *common]
    first = (body.__doc__ or "").strip().splitlines()[0]
    settings = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
    return click.Command(
        kind, params=params, callback=run, help=body.__doc__, short_help=first, context_settings=settings
    )


def send(given: Any, case: str, tables: Sequence[Mapping[str, Any]], base: Path | None = None) -> int:
    """File tables through the daemon or directly."""
    from watchers.config import load_config
    from watchers.recordrun import record

    config = load_config(given.config, os.environ, given.overrides)
    if not case.isprintable():  # also bytes that are no text
        raise click.BadParameter("is no name of a case", param_hint="CASE")
    body = {"case": case, "records": [dict(table) for table in tables], "base": str((base or Path()).absolute())}
    return asyncio.run(record(config, body))


@click.group("record")
def record_group() -> None:
    """File what people did and decided about a case: legs, approvals, quotes, bonds, recordings, settlements, ...

    Records are never changed: a later one may supersede it, and both stay, with who filed it, when, and the hash of the
    document it rests on. One that contradicts what is there is refused with one line, and nothing is stored.

    \b
    Examples:
      tracerd record bond HD-2025-01 --amount "5000000.00 HKD" --basis "latest valuation" --by CO1 --document bond.pdf
      tracerd record approval HD-2025-01 --leg deposit-1 --by CO2
      tracerd record file HD-2025-01 records.toml
    """


@record_group.command("file")
@click.argument("case")
@click.argument("file", type=click.Path(path_type=Path))
@click.pass_obj
def record_file(given: Any, case: str, file: Path) -> int:
    """File all [[record]] tables of a TOML FILE in order, or none: `kind`, `by`, `at`, and the kind's fields."""
    from watchers.recordfile import plain, read_file

    return send(given, case, [plain(table) for table in read_file(file)], file.absolute().parent)


for _kind, _body in KINDS.items():
    record_group.add_command(command_of(_kind, _body))


@click.group("alert")
def alert_group() -> None:
    """Say on record what is done about an alert; `tracer case alerts` lists them with their numbers."""


def _alert(given: Any, what: str, number: int, by: str, reason: str) -> int:
    from watchers.config import load_config
    from watchers.recordrun import alert

    config = load_config(given.config, os.environ, given.overrides)
    return asyncio.run(alert(config, {"what": what, "alert": number, "by": by, "reason": reason}))


NUMBER = click.argument("number", type=click.IntRange(1, 2**62))
BY = click.option("--by", required=True, metavar="NAME", help="Who.")


@alert_group.command("ack")
@NUMBER
@BY
@click.option("--reason", default="seen", metavar="TEXT", help="What is being done.")
@click.pass_obj
def acknowledge(given: Any, number: int, by: str, reason: str) -> int:
    """Acknowledge alert NUMBER: somebody has seen it and works on it."""
    return _alert(given, "acknowledged", number, by, reason)


@alert_group.command("close")
@NUMBER
@BY
@click.option("--reason", required=True, metavar="TEXT", help="Why it is settled.")
@click.pass_obj
def close(given: Any, number: int, by: str, reason: str) -> int:
    """Close alert NUMBER with a reason. A reorg of the blocks that it was closed upon opens it again."""
    return _alert(given, "closed", number, by, reason)


@alert_group.command("reopen")
@NUMBER
@BY
@click.option("--reason", required=True, metavar="TEXT", help="Why it is not settled.")
@click.pass_obj
def reopen(given: Any, number: int, by: str, reason: str) -> int:
    """Reopen alert NUMBER, which somebody closed: on record, as everything else."""
    return _alert(given, "reopened", number, by, reason)
