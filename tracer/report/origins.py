"""Answers where the units of a deposit came from: exact ranges by FIFO, shares by haircut, and the ways they took."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tracer.report.answer import CONTRADICTED, NOT_SHOWN, SHOWN, Answer, Check, Row, money
from tracer.report.lines import short
from tracer.report.places import begin, case_chains
from tracer.report.starts import Start, accounts, details, named, say_voided
from tracer.report.tracing import legend
from tracer.store.carried import carried, segments, shares
from tracer.store.making import (
    COINBASE,
    MINTED,
    NO_BOOK,
    NO_COIN,
    NO_INPUTS,
    NO_OPENING,
    OPENING,
    OVERDRAWN,
    SWAP,
    CoinMaking,
    Earlier,
    Node,
    PaymentMaking,
    making_of,
)
from tracer.store.reader import Reader
from tracer.store.traceread import live_run, seeds_of
from tracer.taint.backward import Origin, origins
from tracer.taint.rules import Method

LABEL, HOPS = "seized", "limit of hops"
UNKNOWN = (NO_COIN, NO_INPUTS, NO_BOOK, NO_OPENING, OVERDRAWN)
AGREES = "the ranges have the labels that the case's fifo run gave it"

SAID = {
    COINBASE: "mined as {coin}",
    MINTED: "minted in {coin}",
    NO_COIN: "of coin {coin}, whose making is not stored: `tracerd import-history {txid}`",
    NO_INPUTS: "of coin {coin}; what made it is not stored: `tracerd import-history {txid}`",
    NO_BOOK: "what {who} had received then is not stored: `tracerd import-history {who}`",
    NO_OPENING: "what {who} held before is not known",
    OPENING: "held by {who} after block {height}",
    OVERDRAWN: "{who} paid more than it was seen to receive",
    SWAP: "came by a swap in this transaction",
}


@dataclass(frozen=True, slots=True)
class Seen:
    """How one case sees the origins on a chain: its labels by node. case_ref None: no case is asked."""

    case_ref: str | None
    case_id: int
    labels: dict[Node, int]


def trace_back(reader: Reader, ref: str, hops: int | None = None) -> Answer:
    """Answer where the deposits that a reference names came from; raises UnknownRef."""
    cases = case_chains(reader, None)
    found = named(reader, ref)
    answer = begin(reader, "origins", cases)
    answer.data = {"ref": found.ref, "deposits": [], "labels": []}
    for start in found.starts:
        views = list(views_of(reader, cases, start))
        making = making_of(reader.connection, start.chain_id, start.utxo)
        shown = details(reader, start.movements)
        for number in start.movements:
            add_deposit(reader, answer, start, making, views, shown[number], hops)
    say_voided(answer, found)
    return answer


def views_of(reader: Reader, cases: list[Row], start: Start) -> Iterator[Seen]:
    """The cases with sources on a chain; labels of balances are found on the way."""
    for case in cases:
        if case["chain"] == start.chain:
            [(case_id,)] = reader.raw("SELECT id FROM cases WHERE ref = :ref", ref=case["case_ref"])
            seeds = seeds_of(reader.connection, case_id, start.chain_id)
            coins: dict[Node, int] = {spot: marks[0][0] for spot, marks in seeds.items() if isinstance(spot, int)}
            yield Seen(case["case_ref"], case_id, coins)


def add_deposit(
    reader: Reader,
    answer: Answer,
    start: Start,
    making: CoinMaking | PaymentMaking,
    views: list[Seen],
    deposit: Row,
    hops: int | None,
) -> None:
    """Add one deposit: as each case sees it whose labels are in it, or else as nobody's."""
    row = deposit | {"chain": start.chain, "views": []}
    answer.data["deposits"].append(row)
    for view in views:
        parts = ranges(making, deposit, view, hops)
        labels = label_of(making, view, parts)
        carries = shares_of(reader, view, start, deposit)
        if not labels and not carries:
            continue
        row["views"].append(view_row(reader, answer, start, making, view, deposit, parts, carries))
        if hops is None:
            answer.checks.append(agreement(reader, view, start, making, deposit, parts))
    if not row["views"]:
        nobody = Seen(None, 0, {})
        parts = ranges(making, deposit, nobody, hops)
        row["views"].append(view_row(reader, answer, start, making, nobody, deposit, parts, []))


def ranges(making: CoinMaking | PaymentMaking, deposit: Row, view: Seen, hops: int | None) -> list[Origin[Node]]:
    """The ranges of a deposit, back to a case's labels."""
    return origins(
        deposit["movement_id"],
        int(deposit["amount"]),
        making.parents,
        ends_at=view.labels.__contains__,
        step_of=making.step_of,
        hops=hops,
    )


def label_of(making: CoinMaking | PaymentMaking, view: Seen, parts: Iterable[Origin[Node]]) -> dict[Node, int]:
    """The labels that a case gives to where some ranges ended."""
    found: dict[Node, int] = {}
    for part in parts:
        if part.node in view.labels:
            found[part.node] = view.labels[part.node]
        elif isinstance(making, PaymentMaking) and part.node in making.seeds:
            case_id, label = making.seeds[part.node]
            if case_id == view.case_id:
                found[part.node] = label
    return found


def view_row(
    reader: Reader,
    answer: Answer,
    start: Start,
    making: CoinMaking | PaymentMaking,
    view: Seen,
    deposit: Row,
    parts: list[Origin[Node]],
    carries: list[Row],
) -> Row:
    """How a case sees a deposit, as it stands in an answer, with the check that its ranges tile it."""
    labels = label_of(making, view, parts)
    total = sum(part.units for part in parts)
    subject = f"{deposit['outpoint'] or deposit['txid']}"
    right = total == int(deposit["amount"])
    said = f"the lengths of {len(parts)} range{'' if len(parts) == 1 else 's'} add up to {total} units"
    answer.checks.append(Check("TRACE-4", subject, SHOWN if right else CONTRADICTED, said))
    if view.case_ref is not None:
        known = {(row["case_ref"], row["chain"], row["label"]) for row in answer.data["labels"]}
        wanted = {*labels.values(), *(row["label"] for row in carries)}
        answer.data["labels"] += [
            row
            for row in legend(reader, view.case_ref, start.chain, wanted)
            if (row["case_ref"], row["chain"], row["label"]) not in known
        ]
    tell_unknown(answer, subject, making, parts, labels, deposit)
    fifo: dict[int, int] = {}
    for part in parts:
        if part.node in labels:
            fifo[labels[part.node]] = fifo.get(labels[part.node], 0) + part.units
    return {
        "case_ref": view.case_ref,
        "ranges": range_rows(reader, making, parts, labels),
        "fifo": [{"label": label, "units": str(units)} for label, units in sorted(fifo.items())],
        "haircut": carries,
        "tiled": right,
    }


def tell_unknown(
    answer: Answer,
    subject: str,
    making: CoinMaking | PaymentMaking,
    parts: list[Origin[Node]],
    labels: dict[Node, int],
    deposit: Row,
) -> None:
    """Say how much of a deposit came from where nothing stored tells, and what a limit left out."""
    unknown = sum(part.units for part in parts if part.node not in labels and making.reasons.get(part.node) in UNKNOWN)
    if unknown:
        said = f"{money(unknown, deposit)} of {money(deposit['amount'], deposit)} came from where nothing stored tells"
        answer.checks.append(Check("COVERAGE", subject, NOT_SHOWN, said))
    cut = sum(part.units for part in parts if part.cut)
    if cut:
        kind = {key: deposit[key] for key in ("asset", "symbol", "decimals")}
        answer.left_out.append({"what": f"origins of {subject}", "why": "--hops", "amount": str(cut), **kind})


def range_rows(
    reader: Reader, making: CoinMaking | PaymentMaking, parts: list[Origin[Node]], labels: dict[Node, int]
) -> list[Row]:
    """The ranges as rows: how many units, from where, and by which transactions."""
    numbers = {abs(node) for part in parts for node in part.path if isinstance(node, int)}
    shown = details(reader, numbers)
    spots = {(node.holder, node.asset) for part in parts for node in part.path if isinstance(node, Earlier)}
    held = accounts(reader, spots)
    spends: dict[int, str] = {}
    for spent in reader.among(
        "SELECT movement_id, spends FROM v_movement WHERE kind = 'in' AND movement_id IN ({numbers})",
        sorted(-node for node in making.reasons if isinstance(node, int) and node < 0),
    ):
        spends[spent["movement_id"]] = spent["spends"]
    found: list[Row] = []
    for part in parts:
        node = part.node
        row: Row = {"start": str(part.start), "end": str(part.end), "units": str(part.units), "begin": str(part.begin)}
        way = [shown[abs(one)]["txid"] for one in part.path if isinstance(one, int) and one > 0]
        why = making.reasons.get(node, HOPS if part.cut else "")
        row |= {"label": labels.get(node), "why": LABEL if node in labels else HOPS if part.cut else why}
        if isinstance(node, Earlier):
            height = making.since.get(node) if isinstance(making, PaymentMaking) else None
            row |= {
                "outpoint": None,
                "txid": None,
                "address": held[node.holder, node.asset]["address"],
                "height": height,
            }
        elif node < 0:
            row |= {
                "outpoint": spends[-node],
                "txid": spends[-node].partition(":")[0],
                "address": shown[-node]["source"],
            }
            row["height"] = None
        else:
            source = shown[node]
            row |= {"outpoint": source["outpoint"], "txid": source["txid"], "height": source["height"]}
            row["address"] = source["source"] if why == NO_BOOK and node not in labels else source["address"]
        row["path"] = [txid for place, txid in enumerate(way) if not place or way[place - 1] != txid]
        row["said"] = said(row)
        found.append(row)
    return found


def said(row: Row) -> str:
    """Write where a range ended, and why there."""
    coin = short(row["outpoint"] or row["txid"])
    if row["label"] is not None:
        return f"label {row['label']}" + ("" if row["outpoint"] is None else f", seized as {coin}")
    if row["why"] == HOPS:
        return f"from {coin}, not followed further back (--hops)"
    text = SAID.get(row["why"]) or str(row["why"])
    return text.format(coin=coin, txid=row["txid"], who=row["address"], height=row["height"])


def shares_of(reader: Reader, view: Seen, start: Start, deposit: Row) -> list[Row]:
    """What of a deposit is whose by the case's haircut run, and the way that carried most of it."""
    run = live_run(reader.connection, view.case_id, start.chain_id, Method.HAIRCUT)
    if run is None:
        return []
    found: list[Row] = []
    for label, units in shares(reader.connection, run, deposit["movement_id"]).items():
        way = carried(reader.connection, run, deposit["movement_id"], label, start.utxo)
        shown = details(reader, [number for number, _ in way])
        path = [{"txid": shown[number]["txid"], "units": str(amount)} for number, amount in way]
        found.append({"label": label, "units": str(units), "path": path})
    return found


def agreement(
    reader: Reader,
    view: Seen,
    start: Start,
    making: CoinMaking | PaymentMaking,
    deposit: Row,
    parts: list[Origin[Node]],
) -> Check:
    """Check that whatever the case's FIFO run gave a deposit is found again, unit by unit, on the way back.

    Going back may find more: it also passes where a run stops, at an exchange or at a limit.
    """
    labels = label_of(making, view, parts)
    run = live_run(reader.connection, view.case_id, start.chain_id, Method.FIFO)
    subject = f"{view.case_ref} {deposit['outpoint'] or deposit['txid']}"
    back = [(part.start, part.end, labels[part.node]) for part in parts if part.node in labels]
    for begun, end, label in segments(reader.connection, run, deposit["movement_id"]) if run is not None else ():
        covered = sum(max(0, min(end, high) - max(begun, low)) for low, high, mark in back if mark == label)
        if covered != end - begun:
            wrong = f"of units {begun} to {end} the fifo run gave label {label}, {covered} are found going back"
            return Check("TRACE-4", subject, CONTRADICTED, wrong)
    return Check("TRACE-4", subject, SHOWN, AGREES)
