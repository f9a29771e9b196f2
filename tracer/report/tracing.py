"""Answers where the value behind a reference went: by the case's runs, or traced alone as far as is stored."""

import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from tracer.report.alone import Alone, trace_alone_from
from tracer.report.answer import CONTRADICTED, SHOWN, Answer, Check, Row
from tracer.report.places import begin, case_chains
from tracer.report.starts import Named, Start, accounts, assets, details, named, say_voided
from tracer.store.reader import Reader
from tracer.store.traceread import (
    Moved,
    computed,
    live_run,
    moves_of,
    registered,
    seeds_of,
    stored_accounts,
    stored_coins,
)
from tracer.taint.boundaries import standing
from tracer.taint.forward import ALL_THE_WAY, Bounds, Forward, Label, Spot, Stop, only
from tracer.taint.rules import Method
from tracer.tracing import LIVE_METHODS
from tracer.types import Role

FIRST_HOP = "first-hop"
NOT_REGISTERED = "not a registered run"
REACH = "poison says what may be reached: its amounts count a unit at every place, and are not added up"


@dataclass(frozen=True, slots=True)
class Asked:
    """How a trace is wanted: by which method, how far, and for how many seconds at most."""

    method: Method = Method.FIFO
    bounds: Bounds = ALL_THE_WAY
    seconds: int | None = None

    def timer(self) -> Callable[[], bool] | None:
        """Say when the seconds are over, counted from now; None: never."""
        if self.seconds is None:
            return None
        until = time.monotonic() + self.seconds
        return lambda: time.monotonic() >= until


BY_DEFAULT = Asked()


@dataclass(frozen=True, slots=True)
class CaseChain:
    """A case on a chain, by names and by numbers."""

    case_ref: str
    case_id: int
    start: Start


def trace(reader: Reader, ref: str, asked: Asked = BY_DEFAULT) -> Answer:
    """Answer where the value behind a reference went; raises UnknownRef."""
    cases = case_chains(reader, None)
    whole = [row for row in cases if row["case_ref"] == ref]
    found = Named(ref, tuple(case_starts(reader, whole)), ()) if whole else named(reader, ref)
    answer = begin(reader, "trace", whole or cases)
    answer.data = {"ref": found.ref, "traces": [], "postings": []}
    for row in whole or cases:
        for start in found.starts:
            if row["chain"] == start.chain:
                add_case_trace(reader, answer, CaseChain(row["case_ref"], number_of(reader, row), start), asked, whole)
    say_voided(answer, found)
    if not answer.data["traces"]:
        add_postings(reader, answer, found)
        for start in found.starts if not whole else ():
            add_alone(reader, answer, start, asked)
    return answer


def number_of(reader: Reader, case: Row) -> int:
    """The store's number of a case."""
    [(number,)] = reader.raw("SELECT id FROM cases WHERE ref = :ref", ref=case["case_ref"])
    return int(number)


def case_starts(reader: Reader, cases: list[Row]) -> list[Start]:
    """All of a case, on each of its chains."""
    chains = {name: (number, family) for number, name, family in reader.raw("SELECT id, name, family FROM chain")}
    return [
        Start(row["case_ref"], chains[row["chain"]][0], row["chain"], chains[row["chain"]][1], ())
        for row in cases
        if row["chain"] is not None
    ]


def add_case_trace(reader: Reader, answer: Answer, of: CaseChain, asked: Asked, whole: Collection[Row]) -> None:
    """Add the trace of what carries a case's labels among the starts, if any does."""
    found = forward(reader, of, asked, bool(whole))
    if found is None:
        return
    went, moved = found
    row = trace_row(reader, of, asked.method, went, moved)
    answer.data["traces"].append(row)
    subject = f"{of.case_ref} {of.start.chain} {asked.method}"
    if asked.method is Method.POISON:
        answer.left_out.append({"what": f"{subject}: sums", "why": REACH})
    else:
        answer.checks.append(whole_check(subject, went, moved))


def whole_check(subject: str, went: Forward, moved: Moved) -> Check:
    """Check that no unit was lost or made on the way, and that accounts hold what moves left there."""
    fault = went.fault
    if fault is None and moved.held is not None:
        fault = unlike(went, moved.held)
    said = "all units that went in are in live places and leaves"
    return Check("TRACE-2", subject, CONTRADICTED if fault else SHOWN, fault or said)


def unlike(went: Forward, held: dict[Spot, dict[Label, int]]) -> str | None:
    """Say where an account's stored lots are not what its moves left there."""
    wanted = {label for spot in went.inside for label, _ in went.held.get(spot, {})}
    for spot in went.inside:
        mine = {label: units for (label, _), (units, _, _) in went.held.get(spot, {}).items() if units}
        kept = {label: units for label, units in held.get(spot, {}).items() if label in wanted and units}
        for label in sorted({*mine, *kept}):
            if mine.get(label, 0) != kept.get(label, 0):
                return (
                    f"label {label}: {mine.get(label, 0)} units were left in an account by what moved,"
                    f" {kept.get(label, 0)} are stored as held"
                )
    return None


def forward(reader: Reader, of: CaseChain, asked: Asked, whole: bool = False) -> tuple[Forward, Moved] | None:
    """Follow a case's traced value from some starts (whole: from all its sources); None if none of them carries any.

    Whatever the method, the run is the case's own: its labels, from its sources. Only first in, first out and haircut
    are kept; others are computed.
    """
    connection, start = reader.connection, of.start
    seeds = seeds_of(connection, of.case_id, start.chain_id)
    spots = {spot for spot in seeds if whole or _names(start, spot)}
    rows = set(start.movements) | ({spot for spot in spots if isinstance(spot, int)} if start.utxo else set())
    run_id = live_run(connection, of.case_id, start.chain_id, asked.method)
    run = registered(connection, of.case_id, start.chain_id)
    if run is None or not (rows or spots or start.holders):
        return None
    moved: Moved | None
    if asked.method not in LIVE_METHODS:
        done = computed(connection, run, asked.method, asked.timer())
        if done is None or done.result is None:
            return None
        moved = moves_of(connection, done.result)
    elif run_id is None:
        return None
    elif start.utxo:
        into = stored_coins(connection, run_id, rows, frozenset())
        labels = _labels(into, rows, spots, seeds)
        if not labels:
            return None
        moved = stored_coins(connection, run_id, rows, None if whole else labels, asked.timer())
    else:
        moved = stored_accounts(connection, run_id)
    labels = _labels(moved, rows, spots, seeds)
    if not labels:
        return None
    chosen = None if whole else labels
    kept = {spot: [mark for mark in marks if chosen is None or mark[0] in chosen] for spot, marks in seeds.items()}
    if start.utxo:
        reached = {move.to_id for move in moved.moves} | rows
        kept = {spot: marks for spot, marks in kept.items() if spot in reached}
    went = Forward(
        frozenset(rows),
        frozenset(spots),
        only(moved.moves, chosen),
        kept,
        asked.method is not Method.POISON,
        asked.bounds,
        frozenset(moved.over),
        moved.cut,
    )
    if asked.method is Method.POISON and moved.held is not None:
        went.ends = [end for end in went.ends if end.state != "live"] + list(poisoned(went, moved.held))
    return went, moved


def poisoned(went: Forward, held: dict[Spot, dict[Label, int]]) -> Iterator[Stop]:
    """What poison reaches of what accounts hold: there, what came and what left do not add up to it."""
    for spot in went.inside:
        for label, units in sorted(held.get(spot, {}).items()):
            asset = next((asset for (mark, asset) in went.held[spot] if mark == label), None)
            if asset is not None:
                hop = went.held[spot][label, asset][1]
                yield Stop(spot, None, label, asset, units, hop, "live", None)


def _names(start: Start, spot: Spot) -> bool:
    """Whether a source is among the starts."""
    if isinstance(spot, tuple):
        return spot[0] in start.holders
    return spot in start.movements


def _labels(
    moved: Moved, rows: set[int], spots: set[Spot], seeds: dict[Spot, list[tuple[Label, int, int]]]
) -> frozenset[Label]:
    """The labels that are at some starts."""
    marks = {label for spot in spots for label, _, _ in seeds[spot]}
    return frozenset(marks | {move.label for move in moved.moves if move.to_id in rows})


def trace_row(reader: Reader, of: CaseChain, method: Method, went: Forward, moved: Moved) -> Row:
    """A forward trace as it stands in an answer."""
    case_ref, chain = of.case_ref, of.start.chain
    numbers = {
        *went.starts,
        *(n for m in went.steps for n in (m.to_id, m.from_id)),
        *(e.row for e in went.ends if e.row),
    }
    numbers |= {end.spot for end in went.ends if isinstance(end.spot, int)}
    shown = details(reader, numbers, case_ref)
    spots = {end.spot for end in went.ends if isinstance(end.spot, tuple)}
    held = accounts(reader, spots | {spot for spot in went.spots if isinstance(spot, tuple)}, case_ref)
    kinds = assets(reader)
    outpoints = {number: row["outpoint"] for number, row in shown.items()}
    steps = [
        {
            **{key: shown[move.to_id][key] for key in ("height", "txid", "kind", "address", "watch_ref", "role")},
            "to_id": move.to_id,
            "seq": move.seq,
            "from_id": move.from_id,
            "from_outpoint": outpoints.get(move.source) if isinstance(move.source, int) else None,
            "from_address": shown[move.from_id]["source"],
            "to_outpoint": shown[move.to_id]["outpoint"],
            "label": move.label,
            "amount": str(move.units),
            **kinds[move.asset],
            "hop": move.hop,
            "boundary": move.boundary,
            "converted": move.converted,
        }
        for move in sorted(went.steps, key=lambda move: (shown[move.to_id]["height"], move.to_id, move.seq))
    ]
    starts = [shown[number] for number in sorted(went.starts) if number in shown]
    labels = {s.label for s in went.sums} | {end.label for end in went.ends}
    return {
        "case_ref": case_ref,
        "chain": chain,
        "method": str(method),
        "run": "live run" if method in LIVE_METHODS else NOT_REGISTERED,
        "labels": legend(reader, case_ref, chain, labels),
        "starts": starts + [held[spot] | {"movement_id": None} for spot in went.spots if spot in held],
        "steps": steps,
        "ends": end_rows(went, moved, shown, held, kinds),
        "sums": [
            {
                "label": s.label,
                **kinds[s.asset],
                **{name: str(getattr(s, name)) for name in ("begun", "joined", "converted", "live", "leaves")},
                "exact": s.exact,
            }
            for s in went.sums
        ],
    }


def end_rows(
    went: Forward, moved: Moved, shown: dict[int, Row], held: dict[object, Row], kinds: dict[int, Row]
) -> list[Row]:
    """Where a forward trace ended, as rows: movements first, in their order, then accounts."""
    rows: list[Row] = []
    for end in went.ends:
        account = end.state == "live" and isinstance(end.spot, tuple)
        number = end.row if end.row is not None else end.spot
        of = dict(held[end.spot]) if account else dict(shown[number])  # type: ignore[index]
        if account:
            of |= {"movement_id": None, "outpoint": None, "txid": None, "height": None, "amount": str(end.units)}
        role = None if of["role"] is None else Role(of["role"])
        reason = end.reason or moved.reasons.get(end.spot) or standing(role)
        rows.append(
            {
                **of,
                "state": end.state,
                "boundary": end.reason,
                "reason": reason,
                "label": end.label,
                "traced": str(end.units),
                "hop": end.hop,
            }
        )
    return sorted(
        rows, key=lambda row: (row["movement_id"] is None, row["movement_id"] or 0, row["address"] or "", row["label"])
    )


def add_alone(reader: Reader, answer: Answer, start: Start, asked: Asked) -> None:
    """Trace what a reference names alone, as one label, over all that is stored."""
    found: Alone | None = trace_alone_from(reader, start, asked.method, asked.bounds, asked.timer())
    if found is None:
        return
    answer.data["traces"].append(found.row(reader))
    if asked.method is Method.POISON:
        answer.left_out.append({"what": f"{start.ref} {asked.method}: sums", "why": REACH})
    answer.checks += found.checks(reader)


def add_postings(reader: Reader, answer: Answer, found: Named) -> None:
    """Where nothing seized is traced to a reference, say how a case posted it."""
    numbers = [row["movement_id"] for row in found.movements if row["canonical"]]
    answer.data["postings"] = reader.among(
        "SELECT * FROM v_posting WHERE movement_id IN ({numbers}) ORDER BY posting_id", numbers
    )


def legend(reader: Reader, case_ref: str, chain: str, labels: Collection[int | None]) -> list[Row]:
    """Say what some labels are: the watch, and the seized coin or balance."""
    watches: dict[str, str] = {}
    for address, ref in reader.raw(
        "SELECT address, watch_ref FROM v_watch WHERE case_ref = :case_ref AND chain = :chain ORDER BY watch_ref",
        case_ref=case_ref,
        chain=chain,
    ):
        watches.setdefault(address, ref)
    rows = reader.rows(
        "SELECT label, outpoint, address, amount, asset, symbol, decimals FROM v_trace_seed"
        " WHERE case_ref = :case_ref AND chain = :chain ORDER BY label",
        case_ref=case_ref,
        chain=chain,
    )
    return [
        {"case_ref": case_ref, "chain": chain, **row, "watch_ref": watches.get(row["address"])}
        for row in rows
        if row["label"] in labels
    ]


def first_hops(reader: Reader, case_ref: str, chain: str) -> list[Row]:
    """Where value that no leg explains went first, on an account chain."""
    return reader.rows(
        f"SELECT * FROM v_frontier WHERE method = '{FIRST_HOP}' AND case_ref = :case_ref AND chain = :chain"
        " ORDER BY height, movement_id",
        case_ref=case_ref,
        chain=chain,
    )
