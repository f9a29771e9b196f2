"""The operator's command line, `tracerd`: every command that follows a chain, writes the store or asks a node."""

import asyncio
import os
import signal
import sys
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

import click

from tracer.command import Later, exit_code, show_unexpected

# Everything else is imported by the command that needs it, so that help and usage errors come at once.

T = TypeVar("T")

EPILOG = """\b
Exit codes:
  0    done
  1    internal error
  2    usage, configuration, case file or node set-up: a person must act
  3    a node contradicts what is stored: that chain halted, nothing changed
  4    not possible now: a node does not answer
  130  interrupted
"""


@dataclass(frozen=True, slots=True)
class Given:
    """What was given before the command: the configuration file, and keys set by flags."""

    config: Path | None
    overrides: tuple[str, ...]


@click.group(
    cls=Later,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="custody-tracer", prog_name="tracerd")
@click.option(
    "-c",
    "--config",
    type=click.Path(path_type=Path),
    envvar="TRACERD_CONFIG",
    help="The configuration file. [default: $TRACERD_CONFIG, else ./config.toml if there is one]",
)
@click.option("--store", metavar="PATH|URL", help="The store: an SQLite file, or the URL of a database.")
@click.option(
    "--set",
    "settings",
    metavar="KEY=VALUE",
    multiple=True,
    help="Set one key of the configuration, such as chain.bitcoin.final=6. May be repeated.",
)
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]), help="How much is logged.")
@click.pass_context
def group(
    ctx: click.Context, config: Path | None, store: str | None, settings: tuple[str, ...], log_level: str | None
) -> None:
    """Follow the configured chains and keep the store of custody facts.

    tracerd is the one writer of the store; analysts read it with `tracer`. A setting is taken from the
    first of: flag, environment (TRACERD_CHAIN__BITCOIN__FINAL=6), file, default. Logs go to stderr.

    \b
    Examples:
      tracerd check                            are the nodes fit for the work?
      tracerd case import case.toml            declare a case
      tracerd sync                             catch up with the nodes, then exit
      tracerd run                              follow for ever
      tracerd -c prod.toml --store prod.db run
    """
    overrides = list(settings)
    if store is not None:
        overrides.append(f"store.url={store if '://' in store else f'sqlite:///{store}'}")
    if log_level is not None:
        overrides.append(f"daemon.log_level={log_level}")
    if config is None and Path("config.toml").is_file():
        config = Path("config.toml")
    ctx.obj = Given(config, tuple(overrides))


@group.command(epilog=EPILOG)
@click.pass_obj
def run(given: Given) -> int:
    """Follow the chains until stopped (SIGTERM, SIGINT).

    Continues exactly where the store ends. Missing cases of `cases.files` are imported first. A second
    tracerd on the same store is refused.
    """
    return _until_done(given, until_tip=False)


@group.command(epilog=EPILOG)
@click.pass_obj
def sync(given: Given) -> int:
    """Catch up to the nodes' present tips, then exit."""
    return _until_done(given, until_tip=True)


def _until_done(given: Given, *, until_tip: bool) -> int:
    for which in (signal.SIGTERM, signal.SIGINT):
        signal.signal(which, _stop_early)  # the daemon listens itself once it runs
    from watchers.config import load_config

    config = load_config(given.config, os.environ, given.overrides)
    from watchers import daemon

    return _finish(daemon.run(config, until_tip=until_tip))


def _stop_early(number: int, _frame: FrameType | None) -> None:
    """End at once: what is raised here is lost where Python calls it between others, and a store bears being killed."""
    sys.stderr.flush()
    os._exit(130 if number == signal.SIGINT else 0)


@group.command(epilog=EPILOG)
@click.option(
    "--oldest",
    metavar="CHAIN=HEIGHT",
    multiple=True,
    help="The oldest block that a node must answer for. [default: what the store and `cases.files` need]",
)
@click.pass_obj
def check(given: Given, oldest: tuple[str, ...]) -> int:
    """Ask every node whether it is fit for the work.

    Is it reachable, on the right network, and able to answer from the oldest block needed?

    Prints one line per check, and what to do about each that fails. Writes nothing; exit code 2 if any fails.

    \b
    Example:
      tracerd check --oldest bitcoin=840000
    """
    from watchers import doctor
    from watchers.config import load_config

    config = load_config(given.config, os.environ, given.overrides)
    findings = _finish(doctor.check(config, doctor.oldest_needed(config, oldest)))
    click.echo(doctor.report(findings))
    return 0 if all(finding.fine for finding in findings) else 2


@group.group()
def case() -> None:
    """Declare cases."""


@case.command("import", epilog=EPILOG)
@click.argument("file", type=click.Path(path_type=Path))
@click.pass_obj
def import_(given: Given, file: Path) -> int:
    """Check a case FILE and add it to the store.

    Append-only: what was imported before is never changed. Goes to the running tracerd of the store, or
    writes itself if none runs. A file with any fault is refused as a whole, with one line that names the key.

    \b
    Example:
      tracerd case import case.toml
    """
    from watchers.config import load_config

    config = load_config(given.config, os.environ, given.overrides)
    from watchers import daemon

    return _finish(daemon.import_case(config, file))


METHODS = ("fifo", "haircut", "poison", "lifo", "tiho", "seniority", "clean-first")


@group.command(epilog=EPILOG)
@click.argument("case")
@click.option("--method", required=True, type=click.Choice(METHODS), help="How mixed money is told apart.")
@click.option("--chain", default="", metavar="NAME", help="Only this chain. [default: all on which the case begins]")
@click.option(
    "--source",
    "sources",
    multiple=True,
    metavar="TXID:N",
    help="Begin with these coins, in label order. [default: what was seized]",
)
@click.option(
    "--fee-policy",
    type=click.Choice(["sink", "coinbase"]),
    default="sink",
    show_default=True,
    help="Whether traced fees end there, or go on to the miner where blocks are stored whole.",
)
@click.option("--hops", type=click.IntRange(0, 1 << 30), help="Transactions since custody at most. [default: no limit]")
@click.option(
    "--min-amount",
    type=click.IntRange(0, (1 << 256) - 1),
    default=0,
    metavar="UNITS",
    help="Leave coins and payments outside custody with fewer traced units: base units of each asset. [default: 0]",
)
@click.option(
    "--stop-at",
    multiple=True,
    metavar="REASON",
    help="Go no further than there: coinjoin (by its shape), or a category of imported labels. May be repeated.",
)
@click.pass_obj
def trace(given: Given, /, case: str, method: str, **asked: Any) -> int:
    """Register a trace run of CASE, compute it, and keep its result with a digest.

    What is chosen here is on record before anything is computed, and cannot be altered after. fifo and haircut of
    what was seized are computed by the daemon block by block anyway; `tracer runs` lists all, `tracer audit` computes
    any of them again. Goes to the running tracerd of the store, or writes itself if none runs.

    \b
    Examples:
      tracerd trace HD-2025-01 --method lifo
      tracerd trace HD-2025-01 --method fifo --source TXID:0 --hops 5
    """
    from watchers.config import load_config

    config = load_config(given.config, os.environ, given.overrides)
    from watchers import daemon

    return _finish(daemon.trace(config, {"case": case, "method": method, **asked}))


@group.group()
def labels() -> None:
    """Import what others published about addresses."""


@labels.command("import", epilog=EPILOG)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--kind", type=click.Choice(["tagpack", "ofac"]), help="What the file is. [default: found out]")
@click.pass_obj
def import_labels(given: Given, file: Path, kind: str | None) -> int:
    """Add a FILE of labels to the store: a GraphSense TagPack (YAML), or the SDN list of OFAC (XML).

    All of it or nothing. A file that was imported before changes nothing. A newer pack of the same title and creator
    replaces the older one, whose labels stay on record; packs that contradict each other both stay in force. Labels
    are INFERRED: no amount and no verdict ever rests on one. Goes to the running tracerd of the store, or writes
    itself if none runs.

    \b
    Examples:
      tracerd labels import exchanges.yaml
      tracerd labels import sdn.xml
    """
    from watchers.config import load_config

    config = load_config(given.config, os.environ, given.overrides)
    from watchers import daemon

    return _finish(daemon.import_labels(config, file, kind))


@group.command("import-history", epilog=EPILOG)
@click.argument("ref")
@click.option("--chain", default="", metavar="NAME", help="The chain. [default: the one that REF can be of]")
@click.option(
    "--depth",
    type=click.IntRange(min=0),
    default=3,
    show_default=True,
    help="Generations of ancestors above the transaction; 0: all, until coinbases.",
)
@click.option(
    "--max-transactions",
    type=click.IntRange(min=1),
    default=10_000,
    show_default=True,
    help="Fetch no more transactions than this.",
)
@click.option("--block", default="", metavar="HASH|HEIGHT", help="The block of the transaction: needs no txindex.")
@click.option("--from", "first", type=click.IntRange(min=0), default=0, help="Read an account from this height on.")
@click.pass_obj
def import_history(
    given: Given, ref: str, chain: str, depth: int, max_transactions: int, block: str, first: int
) -> int:
    """Fetch what happened before: the missing ancestors of a coin, or the earlier movements of an account.

    REF is TXID or TXID:INDEX on Bitcoin, which needs a node with txindex=1, and an account's address on Ethereum,
    which is read from --from up to where a case watches it (or to the newest block, if none does). On Bitcoin it may
    also be a span of followed blocks, FROM-TO, whose every transaction is stored then. Blocks are
    verified whole, like those that are followed, and must lead to our chain; facts are added, and nothing that
    follows from cases changes. Stopped or limited, it goes on where it stood when it is run again. Goes to the
    running tracerd of the store, or writes itself if none runs. Progress goes to stderr; what was fetched, and what
    is missing and why, to stdout.

    \b
    Examples:
      tracerd import-history 4a5e...a33b:0 --depth 5
      tracerd import-history 4a5e...a33b --block 840000
      tracerd import-history 840000-840010
      tracerd import-history 0x52908400098527886e0f7030069857d2e4169ee7 --from 19000000
    """
    from watchers.config import load_config

    config = load_config(given.config, os.environ, given.overrides)
    from watchers import historycommand

    body = {"ref": ref, "chain": chain, "depth": depth, "most": max_transactions, "block": block, "first": first}
    return _finish(historycommand.import_history(config, body))


@group.group("settle")
def settle_group() -> None:
    """Let a halted chain go on, on record."""


BY = click.option("--by", required=True, metavar="NAME", help="Who settles it.")
REASON = click.option("--reason", required=True, metavar="TEXT", help="Why, in words.")


@settle_group.command("refusal", epilog=EPILOG)
@click.argument("number", type=click.IntRange(min=1))
@BY
@REASON
@click.pass_obj
def settle_refusal(given: Given, number: int, by: str, reason: str) -> int:
    """Say that the node whose block NUMBER was refused is repaired, so that it is asked again.

    The block itself is never accepted: it is verified anew. v_refused_block lists the numbers. Goes to the running
    tracerd of the store, or writes itself if none runs.

    \b
    Example:
      tracerd settle refusal 3 --by "A. Operator" --reason "disk replaced, reindexed"
    """
    return _settle(
        given, {"what": "refusal", "subject": str(number), "by": by, "reason": reason, "to": "", "yes": True}
    )


@settle_group.command("finality", epilog=EPILOG)
@click.argument("chain")
@click.option("--to", required=True, metavar="HASH", help="The block above the fork that counts: the node's, or ours.")
@BY
@REASON
@click.option("--yes", is_flag=True, help="Do it; without it, only what would happen is printed (exit code 2).")
@click.pass_obj
def settle_finality(given: Given, chain: str, to: str, by: str, reason: str, yes: bool) -> int:
    """Follow a node past blocks of CHAIN that were final here, or stay with them.

    Prints what leaves the chain: blocks, movements, and the verdicts that rest on them. With --yes the final mark
    is lowered to the fork, on record, and the chain is followed again. If HASH is our own block, nothing leaves the
    chain: the node was wrong, and is to be repaired first. Nothing is deleted.

    \b
    Example:
      tracerd settle finality bitcoin --to HASH --by "A. Operator" --reason "second node agrees" --yes
    """
    return _settle(given, {"what": "finality", "subject": chain, "by": by, "reason": reason, "to": to, "yes": yes})


def _settle(given: Given, body: dict[str, Any]) -> int:
    from watchers.config import load_config

    config = load_config(given.config, os.environ, given.overrides)
    from watchers import daemon

    return _finish(daemon.settle_halt(config, body))


group.later["inspect"] = "watchers.inspectcommand:inspect"
group.later["record"] = "watchers.recordcommand:record_group"
group.later["statement"] = "watchers.statementcommand:statement"
group.later["alert"] = "watchers.recordcommand:alert_group"


def main() -> None:
    """Run a command and exit with its code."""
    show_unexpected("tracerd")
    sys.exit(exit_code(group, "tracerd", sys.argv[1:]))


def _finish(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)
