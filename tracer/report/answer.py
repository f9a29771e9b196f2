"""The answer envelope: what was asked, as of which blocks, the verdict, and the exit code that goes with it. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tracer import __version__
from tracer.report.spans import said_of, span_fault
from tracer.types import Lane
from tracer.units import format_units

Row = dict[str, Any]

SHOWN, CONTRADICTED, NOT_SHOWN = "SHOWN", "CONTRADICTED", "NOT_SHOWN"
EXIT_CODES = {SHOWN: 0, CONTRADICTED: 3, NOT_SHOWN: 4}
GRAVITY = (CONTRADICTED, NOT_SHOWN, SHOWN)

SINGLE_NODE = "single-node"
"""The anchor of a hash for which nobody vouches but the node that is followed."""

JUST_MINED = 3
"""Blocks that a node may be ahead: they come in bursts, and so few are being connected while somebody asks."""


@dataclass(frozen=True, slots=True)
class Check:
    """A check that ran for this answer: which rule, on what, and what it found."""

    rule: str
    subject: str
    verdict: str
    reason: str

    def row(self) -> Row:
        """As it stands in an answer."""
        return {"rule": self.rule, "subject": self.subject, "verdict": self.verdict, "reason": self.reason}


@dataclass(slots=True)
class Answer:
    """What a command found. data: rows by section; left_out: what is not in it, with amount and reason.

    config_sha256: of the configuration that the daemon last ran with; None if none ever ran.
    """

    asked: str
    as_of: list[Row]
    data: Row
    checks: list[Check] = field(default_factory=list)
    verdicts: list[str] = field(default_factory=list)
    lanes: list[str] = field(default_factory=list)
    left_out: list[Row] = field(default_factory=list)
    config_sha256: str | None = None

    @property
    def verdict(self) -> str:
        """The gravest verdict of its rows and checks."""
        return gravest([*self.verdicts, *(check.verdict for check in self.checks)])

    @property
    def lane(self) -> str:
        """The weakest lane of its rows; REPORTED where they name none, for a node said all that is stored."""
        return weakest(self.lanes)

    @property
    def exit_code(self) -> int:
        """The exit code of its verdict."""
        return EXIT_CODES[self.verdict]

    def envelope(self) -> Row:
        """The answer as JSON readers get it."""
        return {
            "answer": self.asked,
            "as_of": self.as_of,
            "verdict": self.verdict,
            "lane": self.lane,
            "rules": sorted({check.rule for check in self.checks}),
            "checks": [check.row() for check in self.checks],
            "data": self.data,
            "left_out": self.left_out,
            "exit_code": self.exit_code,
            "tool": {"name": "custody-tracer", "version": __version__},
            "config_sha256": self.config_sha256,
        }


def gravest(verdicts: Iterable[str]) -> str:
    """The gravest of some verdicts; SHOWN if there are none.

    >>> gravest(["SHOWN", "NOT_SHOWN"]), gravest(["NOT_SHOWN", "CONTRADICTED"]), gravest([])
    ('NOT_SHOWN', 'CONTRADICTED', 'SHOWN')
    """
    return min(verdicts, key=GRAVITY.index, default=SHOWN)


def weakest(lanes: Iterable[str]) -> str:
    """The weakest of some lanes.

    >>> weakest(["REPORTED", "ATTESTED"])
    'ATTESTED'
    """
    return max((Lane[lane] for lane in lanes), default=Lane.REPORTED).name


def money(amount: int | str, row: Mapping[str, Any]) -> str:
    """Write base units of a row's asset with all decimals and the symbol."""
    return f"{format_units(int(amount), row['decimals'])} {row['symbol']}"


def as_of(chain: Row) -> Row:
    """How far an answer reaches on one chain, from its row of v_chain."""
    return {
        "chain": chain["caip2"],
        "name": chain["chain"],
        "height": chain["tip_height"],
        "block_hash": chain["tip_hash"],
        "time": chain["tip_time_utc"],
        "confirmed_height": chain["confirmed_height"],
        "final_height": chain["final_height"],
        "anchor": chain["anchor"],
        "anchor_height": chain["anchor_height"],
        "node_state": chain["node_state"],
    }


def standing(
    chain: Row,
    spans: Sequence[Row],
    begin: int | None = None,
    gaps: Sequence[str] = (),
    closed: Collection[tuple[int, int]] = (),
) -> Check:
    """Check whether a chain's rows reach from `begin` to the tip, and its node stands behind them.

    spans: what was read for the watches that are followed live, in order. begin: the first height that matters; None:
    wherever following began. gaps: what could not be observed there. closed: (from, to) of spans read by hits that
    proofs of balances at both ends close.
    """
    name, first, last = chain["chain"], chain["covered_from"], chain["covered_to"]
    if chain["tip_height"] is None:
        return Check("COVERAGE", name, NOT_SHOWN, "following has not begun: run `tracerd sync`")
    fault = span_fault(spans, first if begin is None else begin, closed)
    if fault is not None:
        return Check("COVERAGE", name, NOT_SHOWN, fault)
    if (last, chain["covered_hash"]) != (chain["tip_height"], chain["tip_hash"]):
        return Check("COVERAGE", name, NOT_SHOWN, f"scanned to {last}, but the tip is at {chain['tip_height']}")
    if chain["node_state"] is None:
        return Check("COVERAGE", name, NOT_SHOWN, "the daemon has noted nothing of its node yet")
    if chain["node_state"] in ("halted", "refused", "behind", "weaker branch", "unreachable"):
        return Check("COVERAGE", name, NOT_SHOWN, f"{chain['node_state']}: {chain['node_message']}")
    ahead = (chain["node_height"] or 0) - chain["tip_height"]
    if ahead > JUST_MINED:
        return Check("COVERAGE", name, NOT_SHOWN, f"{ahead} blocks not yet followed")
    shut = [
        f"blocks {first} to {last} closed by proofs of all balances in custody, for their net change"
        for first, last in sorted(closed)
    ]
    return Check("COVERAGE", name, SHOWN, "; ".join([said_of(spans), *shut, *gaps]))


def add_anchor(answer: Answer, chain: Row) -> None:
    """Say in an answer who vouches for the hashes of a chain's blocks, and how far.

    Where one node alone does, that claim is REPORTED, and so is what rests on it. Where another node shows another
    block, nothing tells which of the two stays.
    """
    name, anchor, upto, tip = (chain[key] for key in ("chain", "anchor", "anchor_height", "tip_height"))
    if tip is None:
        return
    said = f"{anchor} to block {upto}"
    if anchor == SINGLE_NODE:
        said = "one node alone vouches for the block hashes (REPORTED)"
    elif upto < tip:
        said += "; above it one node alone vouches (REPORTED)"
    if anchor == SINGLE_NODE or upto < tip:
        answer.lanes.append(Lane.REPORTED.name)
    if chain["differs_from"] is not None:
        said = f"another node shows another block at height {chain['differs_from']} (v_disagreement); {said}"
    verdict = SHOWN if chain["differs_from"] is None else NOT_SHOWN
    answer.checks.append(Check("ANCHOR", name, verdict, said))


def overdue(chain: Row, now: int, patience_s: int) -> Check:
    """Check that a chain's node answered the daemon within `patience_s` seconds of the wall clock."""
    name, last = chain["chain"], chain["contacted_at"]
    if last is None:
        return Check("STALE", name, NOT_SHOWN, "the node has never answered")
    if now - last > patience_s:
        return Check("STALE", name, NOT_SHOWN, f"stale: the node last answered {now - last} s ago")
    return Check("STALE", name, SHOWN, f"the node answered {max(0, now - last)} s ago")
