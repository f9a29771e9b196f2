"""Answers where the methods differ: every place side by side, with the spread; results are never blended into one."""

from collections.abc import Iterator

from tracer.report.alone import Alone, end_rows, trace_alone_from
from tracer.report.answer import CONTRADICTED, SHOWN, Answer, Check, Row
from tracer.report.places import begin, case_chains
from tracer.report.starts import Start, details, named, say_voided
from tracer.report.tracing import REACH, case_starts, number_of
from tracer.store.reader import Reader
from tracer.store.traceread import computed, registered
from tracer.taint.boundaries import FEE
from tracer.taint.ledgers import AccountResult
from tracer.taint.rules import Method
from tracer.taint.run import End

ALL = (
    Method.FIFO,
    Method.HAIRCUT,
    Method.LIFO,
    Method.TIHO,
    Method.SENIORITY,
    Method.CLEAN_FIRST,
    Method.POISON,
)
EXACT = ALL[:-1]
STRONGEST = "all methods agree to the unit at every place: the strongest result, no method had to be chosen"


def diverge(reader: Reader, ref: str) -> Answer:
    """Answer where the methods differ for a case, or for what a reference names, traced alone; raises UnknownRef."""
    cases = case_chains(reader, None)
    whole = [row for row in cases if row["case_ref"] == ref]
    answer = begin(reader, "divergence", whole or cases)
    answer.data = {"ref": ref, "traces": []}
    if whole:
        for case, start in zip(
            (row for row in whole if row["chain"] is not None), case_starts(reader, whole), strict=True
        ):
            add(reader, answer, start, case["case_ref"], list(case_runs(reader, start, number_of(reader, case))))
        return answer
    found = named(reader, ref)
    answer.data["ref"] = found.ref
    for start in found.starts:
        runs = [trace_alone_from(reader, start, method) for method in ALL]
        add(reader, answer, start, None, [run for run in runs if run is not None])
    say_voided(answer, found)
    return answer


def case_runs(reader: Reader, start: Start, case_id: int) -> Iterator[Alone]:
    """A case's sources on a chain, by every method at the tip."""
    run = registered(reader.connection, case_id, start.chain_id)
    if run is None or not run.declared.sources:
        return
    native = run.declared.sources[0].asset
    for method in ALL:
        done = computed(reader.connection, run, method)
        if done is None or done.result is None:
            return
        result = done.result
        begun: dict[str, int] = {}
        for source in run.declared.sources:
            begun[source.asset] = begun.get(source.asset, 0) + done.seeded.get(source.label, 0)
        converted: dict[str, int] = {}
        if isinstance(result, AccountResult):
            for (_, asset), units in result.converted.items():
                converted[asset] = converted.get(asset, 0) + units

        def asset_of(end: End, result: object = result) -> str:
            if end.place.asset or not isinstance(result, AccountResult):
                return end.place.asset or native
            return str(result.assets[end.place.row])

        yield Alone(start, method, result, begun, converted, asset_of=asset_of)


def add(reader: Reader, answer: Answer, start: Start, case_ref: str | None, runs: list[Alone]) -> None:
    """Add the places of one chain, and what the methods say of each."""
    if not runs:
        return
    places = side_by_side(reader, runs)
    differing = [place for place in places if place["spread"] != "0"]
    wider = [place for place in places if place["only_poison"]]
    answer.data["traces"].append(
        {
            "case_ref": case_ref,
            "chain": start.chain,
            "places": places,
            "agree": not differing and not wider,
        }
    )
    subject = f"{case_ref or start.ref} {start.chain}"
    for run in runs:
        if run.method is not Method.POISON:
            wrong = [a for a, (begun, made, live, left) in run.sums().items() if begun + made != live + left]
            said = (
                f"units of {wrong[0]} were lost or made"
                if wrong
                else "all units that went in are in live places and leaves"
            )
            answer.checks.append(Check("TRACE-2", f"{subject} {run.method}", CONTRADICTED if wrong else SHOWN, said))
        if case_ref is None and run.method is Method.FIFO:
            answer.checks += [check for check in run.checks(reader) if check.rule != "TRACE-2"]
    answer.left_out.append({"what": f"{subject}: a sum of what poison reaches", "why": REACH})
    if not differing:
        said = STRONGEST if not wider else f"all methods but poison agree; poison reaches {len(wider)} places more"
    else:
        said = f"methods differ at {len(differing)} of {len(places)} places: each is exact by its own rule"
    answer.checks.append(Check("TRACE-6", subject, SHOWN, said))


def side_by_side(reader: Reader, runs: list[Alone]) -> list[Row]:
    """Every place that a method reaches, with the units that each leaves there; the widest spread first.

    Fees are one place per asset.
    """
    known = {
        asset: {"asset": asset, "symbol": symbol, "decimals": decimals}
        for asset, symbol, decimals in reader.raw("SELECT caip19, symbol, decimals FROM asset")
    }
    found: dict[tuple[object, ...], Row] = {}
    for run in runs:
        shown = details(reader, {end.place.row for end, _, _ in run.ends() if end.place.row})
        for end in end_rows(reader, run, shown, known):
            fee = end["boundary"] == FEE
            key = (FEE, end["asset"]) if fee else (end["movement_id"] or end["address"], end["asset"])
            kept = (
                "outpoint",
                "txid",
                "height",
                "address",
                "watch_ref",
                "role",
                "asset",
                "symbol",
                "decimals",
                "movement_id",
            )
            place = found.setdefault(
                key, {name: None if fee and name not in ("asset", "symbol", "decimals") else end[name] for name in kept}
            )
            place["place"] = (
                "fees" if fee else "coin" if end["outpoint"] else "account" if end["movement_id"] is None else "payment"
            )
            amounts = place.setdefault("amounts", {str(method): 0 for method in EXACT})
            if run.method is Method.POISON:
                place["poison"] = True
            else:
                amounts[str(run.method)] += int(end["traced"])
                place.setdefault("reasons", {})[str(run.method)] = end["reason"]
    for place in found.values():
        amounts = place["amounts"]
        place["poison"] = place.get("poison", False)
        place["only_poison"] = place["poison"] and not any(amounts.values())
        place["spread"] = str(max(amounts.values()) - min(amounts.values()))
        place["amounts"] = {name: str(units) for name, units in amounts.items()}
        place.setdefault("reasons", {})
    return sorted(found.values(), key=lambda place: (place["asset"], -int(place["spread"])))
