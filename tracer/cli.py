"""The analyst's command line, `tracer`: reads the store, never writes it, never asks a node."""

import sys
import time
from collections.abc import Callable
from typing import Any

import click

from tracer.asking import answered, as_instant, as_json
from tracer.command import Later, exit_code, show_unexpected

# Everything else is imported by the command that needs it, so that help and usage errors come at once.

EPILOG = """\b
Exit codes:
  0    shown
  1    internal error
  2    usage, or no such store, case or reference
  3    contradicted: a mismatch or a leak
  4    not shown: not confirmed, node behind or halted, store stale, coverage missing
  130  interrupted
  141  the reader closed the pipe (tracer ... | head): the answer was cut
"""

LINKING = ("cospend", "change", "peel", "coinjoin", "deposit")
METHODS = ("fifo", "haircut", "first-hop")
ALL_METHODS = ("fifo", "haircut", "poison", "lifo", "tiho", "seniority", "clean-first")


@click.group(
    cls=Later,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="custody-tracer", prog_name="tracer")
@click.option(
    "--store",
    metavar="PATH|URL",
    envvar="TRACER_STORE",
    help="The store: an SQLite file, or its URL. [default: $TRACER_STORE, else ./custody.db]",
)
@click.pass_context
def group(ctx: click.Context, store: str | None) -> None:
    """Read what the store shows about the custody of seized coins.

    Answers come with the blocks they hold for, and exit with the verdict. `--json` prints everything that
    the tables shorten. Nothing is written and no node is asked; `tracerd` does that.

    \b
    Examples:
      tracer status --now              is the store up to date?
      tracer report --case HD-2025-01  the whole case
      tracer trace TXID:0              where did this coin go?
      tracer --store demo.db legs --json
    """
    ctx.obj = store or "custody.db"


def of_case(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `--case`."""
    return click.option("--case", "case_ref", metavar="ID", help="Only this case. [default: all]")(command)


@group.command(epilog=EPILOG)
@click.option("--now", is_flag=True, help="Compare with the wall clock: is the store stale?")
@click.option(
    "--patience",
    "patience_s",
    type=click.IntRange(1),
    default=60,
    show_default=True,
    metavar="SECONDS",
    help="How long ago the node may have answered last.",
)
@as_json
@click.pass_obj
def status(store: str, now: bool, patience_s: int, json_: bool) -> int:
    """Say where every chain stands, and whether its node and the daemon keep up.

    \b
    Example:
      tracer status --now
    """
    from tracer.report import custody

    clock = int(time.time()) if now else None
    return answered(store, json_, lambda reader: custody.status(reader, clock, patience_s))


@group.command(epilog=EPILOG)
@of_case
@click.option(
    "--role",
    type=click.Choice(["seized", "authority", "agency", "exchange", "refund"]),
    help="Only such addresses.",
)
@click.option("--watch", metavar="REF", help="Only this watched address, as the case file names it.")
@click.option("--direction", type=click.Choice(["in", "out"]), help="Only credits, or only debits.")
@click.option("--chain", metavar="NAME", help="Only this chain.")
@click.option("--asset", metavar="SYMBOL", help="Only assets with this symbol.")
@click.option("--orphaned", is_flag=True, help="What a reorg took off the chain, instead.")
@click.option("--limit", type=click.IntRange(0), default=1000, show_default=True, help="At most so many; 0: all.")
@as_json
@click.pass_obj
def transfers(store: str, /, orphaned: bool, limit: int, json_: bool, **given: str | None) -> int:
    """List what moved in and out of the watched addresses, by transaction, and where each put the case's value.

    \b
    Example:
      tracer transfers --case HD-2025-01 --role exchange
    """
    from tracer.report.transfers import transfers as moved

    columns = {"case_ref": "case_ref", "role": "role", "watch": "watch_ref", "direction": "direction"}
    columns |= {"chain": "chain", "asset": "symbol"}
    filters = {columns[name]: value for name, value in given.items() if value is not None}
    return answered(store, json_, lambda reader: moved(reader, filters, orphaned, limit or None))


@group.command(epilog=EPILOG)
@click.argument("txid", required=False)
@of_case
@click.option("--at", metavar="TIME", callback=as_instant, help="As known then, by the daemon's clock. [default: now]")
@as_json
@click.pass_obj
def life(store: str, txid: str | None, case_ref: str | None, at: int | None, json_: bool) -> int:
    """Tell what was observed of transfers, and when: seen, included, confirmed, final; replaced, dropped, orphaned.

    With TXID its whole life, else the last state of every transfer.

    \b
    Examples:
      tracer life --case HD-2025-01
      tracer life 3f9c21..0a77e1 --at 2025-06-05T08:00:00Z
    """
    from tracer.report.life import life as lived

    return answered(store, json_, lambda reader: lived(reader, txid, case_ref, at))


@group.command(epilog=EPILOG)
@of_case
@as_json
@click.pass_obj
def legs(store: str, case_ref: str | None, json_: bool) -> int:
    """List the planned legs: what arrived, and the verdict. Every leg is judged anew and compared.

    \b
    Example:
      tracer legs --case HD-2025-01
    """
    from tracer.report import custody

    return answered(store, json_, lambda reader: custody.legs(reader, case_ref))


@group.command(epilog=EPILOG)
@click.argument("ref")
@click.option(
    "--method",
    type=click.Choice(ALL_METHODS),
    default=METHODS[0],
    show_default=True,
    help="How mixed money is told apart.",
)
@click.option(
    "--hops", type=click.IntRange(0), metavar="N", help="At most so many transactions from REF. [default: all]"
)
@click.option("--min-amount", type=click.IntRange(0), default=0, metavar="UNITS", help="Follow no less than this.")
@click.option("--seconds", type=click.IntRange(1), metavar="S", help="Follow for so long at most.")
@as_json
@click.pass_obj
def trace(
    store: str, ref: str, method: str, hops: int | None, min_amount: int, seconds: int | None, json_: bool
) -> int:
    """Follow value forward from REF, hop by hop, to where it is now.

    REF is an output (txid:n), a transaction, a payment (txid:log index), an address, a script or account in hex, a
    watch, or a case. Ids may be shortened as tables print them. What carries a case's labels is followed by the case's
    run; anything else is traced alone, over all that is stored. What a limit cuts is listed with its amount.

    \b
    Examples:
      tracer trace 3f9c21..0a77e1:0
      tracer trace exchange-btc --hops 3
      tracer trace HD-2025-01 --method haircut
    """
    from tracer.report import tracing
    from tracer.taint.forward import Bounds
    from tracer.taint.rules import Method

    asked = tracing.Asked(Method(method), Bounds(hops, min_amount), seconds)
    return answered(store, json_, lambda reader: tracing.trace(reader, ref, asked))


@group.command(epilog=EPILOG)
@click.argument("ref")
@click.option("--hops", type=click.IntRange(0), metavar="N", help="At most so many transactions back. [default: all]")
@as_json
@click.pass_obj
def origins(store: str, ref: str, hops: int | None, json_: bool) -> int:
    """Go back from a deposit: for every unit of it, which seized coin or other source it came from.

    REF is an output (txid:n), a payment (a transaction, or txid:log index), or an address or watch: all its deposits.
    FIFO goes back unit by unit, and the ranges add up to the deposit; haircut shares are those of the case's run.

    \b
    Example:
      tracer origins 3f9c21..0a77e1:0
    """
    from tracer.report import origins as behind

    return answered(store, json_, lambda reader: behind.trace_back(reader, ref, hops))


@group.command(epilog=EPILOG)
@click.argument("source", metavar="A")
@click.argument("target", metavar="B")
@click.option(
    "--most", type=click.IntRange(0), default=5, show_default=True, metavar="N", help="So many paths at most."
)
@as_json
@click.pass_obj
def paths(store: str, source: str, target: str, most: int, json_: bool) -> int:
    """Say how much of the value at A reached B, by FIFO and by haircut, and the shortest ways that it went.

    A and B are outputs, transactions, payments, addresses, accounts or watches, as `tracer trace` takes them. A is
    traced alone, as one label, over all that is stored.

    \b
    Example:
      tracer paths 3f9c21..0a77e1:0 exchange-btc
    """
    from tracer.report import paths as ways

    return answered(store, json_, lambda reader: ways.between(reader, source, target, most))


@group.command(epilog=EPILOG)
@click.argument("ref")
@as_json
@click.pass_obj
def divergence(store: str, ref: str, json_: bool) -> int:
    """Say where the tracing methods differ, and by how much: every place side by side, nothing averaged.

    REF is a case, or anything that `tracer trace` takes, which is then traced alone.

    \b
    Example:
      tracer divergence HD-2025-01
    """
    from tracer.report import divergence as methods

    return answered(store, json_, lambda reader: methods.diverge(reader, ref))


@group.command(epilog=EPILOG)
@of_case
@click.option("--method", type=click.Choice(METHODS), help="Only this method. [default: all, side by side]")
@click.option("--all", "everything", is_flag=True, help="Also coins in custody, and fees of planned legs.")
@as_json
@click.pass_obj
def frontier(store: str, case_ref: str | None, method: str | None, everything: bool, json_: bool) -> int:
    """List where followed value is outside custody: unspent coins, and ends with their reasons. The sums are checked.

    \b
    Example:
      tracer frontier --case HD-2025-01 --method fifo
    """
    from tracer.report.frontier import frontier as reached

    return answered(store, json_, lambda reader: reached(reader, case_ref, method, everything))


@group.command(epilog=EPILOG)
@of_case
@as_json
@click.pass_obj
def runs(store: str, case_ref: str | None, json_: bool) -> int:
    """List the trace runs: what was chosen before each was computed, and the digest of what it came to.

    \b
    Example:
      tracer runs --case HD-2025-01
    """
    from tracer.report import audits

    return answered(store, json_, lambda reader: audits.runs(reader, case_ref))


@group.command(epilog=EPILOG)
@click.argument("run", type=click.IntRange(1, (1 << 63) - 1))
@as_json
@click.pass_obj
def audit(store: str, run: int, json_: bool) -> int:
    """Compute RUN again with the plain reference, compare the digests, and print every label's conservation.

    \b
    Example:
      tracer audit 3
    """
    from tracer.report import audits

    return answered(store, json_, lambda reader: audits.audit(reader, run))


@group.command(epilog=EPILOG)
@of_case
@as_json
@click.pass_obj
def reconcile(store: str, case_ref: str | None, json_: bool) -> int:
    """Check that every base unit is explained: work the ledger out anew at every block and compare.

    \b
    Example:
      tracer reconcile --case HD-2025-01
    """
    from tracer.report import custody

    return answered(store, json_, lambda reader: custody.reconcile(reader, case_ref))


@group.command(epilog=EPILOG)
@click.option("--case", "case_ref", metavar="ID", required=True, help="The case.")
@as_json
@click.pass_obj
def report(store: str, case_ref: str, json_: bool) -> int:
    """Print the whole case: legs, conservation, leaks and where they are, reorgs, alerts, what was left out.

    \b
    Example:
      tracer report --case HD-2025-01
    """
    from tracer.report import casereport

    return answered(store, json_, lambda reader: casereport.report(reader, case_ref))


@group.command(epilog=EPILOG)
@click.argument("address", required=False)
@as_json
@click.pass_obj
def labels(store: str, address: str | None, json_: bool) -> int:
    """List what imported packs say is behind addresses, what of it contradicts, and the hash of all labels in force.

    ADDRESS is an address, a script or account in hex, or a watch. Labels are INFERRED.

    \b
    Example:
      tracer labels exchange-btc
    """
    from tracer.report import labelled

    return answered(store, json_, lambda reader: labelled.labels(reader, address))


@group.command(epilog=EPILOG)
@click.argument("ref")
@click.option("--off", type=click.Choice(LINKING), multiple=True, help="Leave this method out. May be repeated.")
@as_json
@click.pass_obj
def links(store: str, ref: str, off: tuple[str, ...], json_: bool) -> int:
    """Say what heuristics link around REF: change, common spending, coinjoins, peel chains, deposit addresses.

    REF is as for `tracer trace`. Every link names its transaction, method, version, parameters, confidence and reason.
    All of it is INFERRED: leads for a person. No amount and no verdict changes by them, whatever is switched off.

    \b
    Examples:
      tracer links 3f9c21..0a77e1
      tracer links HD-2025-01 --off change --off peel
    """
    from tracer.report import links as linking

    return answered(store, json_, lambda reader: linking.links(reader, ref, off))


group.later["case"] = "tracer.casecommand:group"
group.later["answer"] = "tracer.casecommand:answer_command"
group.later["precheck"] = "tracer.precheckcommand:precheck"


def main() -> None:
    """Run a command and exit with its code."""
    show_unexpected("tracer")
    sys.exit(exit_code(group, "tracer", sys.argv[1:]))
