"""`tracerd inspect`: asks the nodes who else can move what a case seized, and prints what they and the scripts say."""

import asyncio
import json
import os
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import click

EPILOG = """\b
Exit codes:
  0    nothing CRITICAL was found, and everything is shown
  2    usage, configuration or node set-up: a person must act
  3    something CRITICAL was found
  4    nothing CRITICAL was found, but something is not shown
"""

TITLES = {"APPROVE-1": "WHO CAN MOVE IT", "TOKEN-1": "THE TOKENS", "INV-1": "THE INVENTORY", "FORK-1": "FORK COINS"}


@click.command("inspect", epilog=EPILOG)
@click.argument("case")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per finding and line.")
@click.option(
    "--case-file",
    "files",
    type=click.Path(path_type=Path),
    multiple=True,
    help="The case's file, for its descriptors, if it is not among `cases.files`. May be repeated.",
)
@click.option(
    "--record", "by", metavar="NAME", help="File what is CRITICAL or WARN as power records of the case, by NAME."
)
@click.pass_obj
def inspect(given: Any, case: str, as_json: bool, files: tuple[Path, ...], by: str | None) -> int:
    """Ask the nodes who else can move what CASE seized, and whether its inventory is complete.

    Script conditions, delegations, proxies, Safe owners, token allowances, what issuers did or can do; gaps of
    descriptors, other scripts of the same key, fork coins. Reads the store, writes nothing without --record, and says
    what is not shown. On Bitcoin the node searches all its unspent coins, which takes minutes on the main network.

    \b
    Example:
      tracerd inspect HD-2025-01
    """
    from tracer.powers.nouns import canonical, verdict
    from watchers.config import load_config, store_path
    from watchers.inspect import inspect as look

    config = load_config(given.config, os.environ, given.overrides)
    found = asyncio.run(look(config, store_path(config), case, files))
    if by is not None:
        _file(given, case, by, [finding.row() for finding in found], _names(config, found))
    if as_json:
        for finding in found:
            click.echo(canonical(finding).decode())
    else:
        click.echo(report(case, [finding.row() for finding in found], _names(config, found)))
    return verdict(found)


def _file(
    given: Any, case: str, by: str, rows: Sequence[Mapping[str, Any]], names: Mapping[tuple[str, str], str]
) -> None:
    """File findings that were not filed before, each named by a hash of what it says, and that others are gone."""
    from tracer.store.reader import snapshot
    from watchers.config import load_config, store_path
    from watchers.recordcommand import send

    tables = {}
    for row in rows:
        if row["shown"] != "SHOWN" or row["severity"] not in ("CRITICAL", "WARN"):
            continue
        address = names.get((row["chain"], row["holder"]), row["holder"])
        refs = row["refs"]
        block = f"{refs['block_height']}:{refs['block_hash']}" if "block_hash" in refs else "-"
        said = f"{row['rule']}|{row['chain']}|{row['holder']}|{row['detail']}|{block}"
        ref = f"{row['kind']}-{sha256(said.encode()).hexdigest()[:12]}"
        fields = {"rule": row["rule"], "severity": row["severity"], "watch": address, "detail": row["detail"][:500]}
        tables[ref] = {"kind": "power", "id": ref, "by": by, "block": block, **fields}
    config = load_config(given.config, os.environ, given.overrides)
    with snapshot(store_path(config)) as reader:
        rows_ = reader.raw("SELECT record_ref, body FROM v_record WHERE case_ref = :c AND kind = 'power'", c=case)
        stored = {str(ref): json.loads(body) for ref, body in rows_}
    found = {(one["rule"], one["watch"], one["detail"]) for one in tables.values()}
    known = {(said["rule"], said["watch"], said["detail"]) for said in stored.values()}
    gone = [
        ended(ref, said, by)
        for ref, said in stored.items()
        if said["severity"] != "INFO"
        and (said["rule"], said["watch"], said["detail"]) not in found
        and looked_at(said, rows, names)
    ]
    fresh = [one for one in tables.values() if (one["rule"], one["watch"], one["detail"]) not in known]
    if fresh or gone:
        send(given, case, [*fresh, *gone])


def looked_at(said: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], names: Mapping[tuple[str, str], str]) -> bool:
    """Whether an inspection could tell all that a rule asks of an address."""
    same = [
        row for row in rows if (row["rule"], names.get((row["chain"], row["holder"]))) == (said["rule"], said["watch"])
    ]
    return bool(same) and all(row["shown"] == "SHOWN" for row in same)


def ended(ref: str, said: Mapping[str, Any], by: str) -> dict[str, Any]:
    """A record that takes the place of one whose finding is no longer there."""
    detail = f"no longer found: {said['detail']}"[:500]
    name = f"gone-{sha256(f'{ref}|{detail}'.encode()).hexdigest()[:12]}"
    about = {"rule": said["rule"], "severity": "INFO", "watch": said["watch"], "detail": detail, "block": "-"}
    return {"kind": "power", "id": name, "supersedes": ref, "by": by, **about}


def _names(config: Any, found: Sequence[Any]) -> dict[tuple[str, str], str]:
    """Addresses of the subjects, by chain and holder in hex."""
    from watchers import families

    chains = {chain.id: chain for chain in config.chain.values()}
    return {
        (one.subject.chain, one.subject.holder.hex()): families.show_holder(
            chains[one.subject.chain], one.subject.holder
        )
        for one in found
        if one.subject.chain in chains
    }


def report(case: str, rows: Sequence[Mapping[str, Any]], names: Mapping[tuple[str, str], str]) -> str:
    """All findings by address as people read them, the gravest first in each part, with a count last."""
    subjects = dict.fromkeys((row["chain"], row["holder"]) for row in rows)
    lines = [f"case {case}"]
    for subject in subjects:
        own = [row for row in rows if (row["chain"], row["holder"]) == subject]
        lines += ["", f"{names.get(subject, subject[1])}  ({subject[0]}){_block(own)}"]
        for rule, title in TITLES.items():
            part = sorted((row for row in own if row["rule"] == rule), key=_gravity)
            lines += [f"  {title}"] if part else []
            lines += [f"    {_mark(row):<9} {row['kind']:<17} {row['detail']}" for row in part]
    critical = sum(row["severity"] == "CRITICAL" for row in rows)
    hidden = sum(row["shown"] == "NOT_SHOWN" for row in rows)
    return "\n".join([*lines, "", f"{len(rows)} findings: {critical} critical, {hidden} not shown"])


def _mark(row: Mapping[str, Any]) -> str:
    return str(row["shown"] if row["shown"] == "NOT_SHOWN" else row["severity"])


def _gravity(row: Mapping[str, Any]) -> int:
    return ("CRITICAL", "NOT_SHOWN", "WARN", "INFO").index(_mark(row))


def _block(rows: Sequence[Mapping[str, Any]]) -> str:
    refs = [row["refs"] for row in rows if "block_hash" in row["refs"]]
    return f" at block {refs[0]['block_height']} {refs[0]['block_hash']}" if refs else ""
