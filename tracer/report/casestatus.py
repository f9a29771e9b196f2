"""Answers where a case stands: its stage, what is missing, late or unexplained, its alerts, and what comes next."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from tracer.custody.assess import Assessor
from tracer.custody.clocks import ClockState, still_missing, with_hands
from tracer.custody.facts import AssetFacts, CaseFacts, Unseen
from tracer.custody.instants import instant_text
from tracer.custody.judge import UNOBSERVED_LOSS, WITHDRAWN
from tracer.custody.preset import Preset
from tracer.custody.presetfiles import parse_preset
from tracer.report.answer import CONTRADICTED, NOT_SHOWN, SHOWN, Answer, Check, Row
from tracer.report.places import NothingThere, begin, case_chains
from tracer.store.casefacts import load_facts, read_assets, read_chains, read_unseen
from tracer.store.filed import broken_at
from tracer.store.findings import key_of, stored_findings
from tracer.store.reader import Reader

OPEN = ("open", "acknowledged")
SHOWN_ALERTS = 12
LATEST = 200
"""Records whose digests are worked out again for a status."""

SEVERITIES = ("CRITICAL", "HIGH", "WARN", "INFO")


class NoPreset(NothingThere):
    """A case that nothing oversees."""

    fix = "Cases that were imported before presets were kept have none; import it under another id."


def case_status(reader: Reader, case_ref: str) -> Answer:
    """Answer where a case stands, from what was judged when its last block or record came."""
    chains = case_chains(reader, case_ref)
    answer = begin(reader, "case status", chains)
    case_id, preset = preset_of(reader, case_ref)
    row = last_assessment(reader, case_ref)
    facts, records = light_facts(reader, case_id)
    alerts = open_alerts(reader, case_ref)
    legs = read_legs(reader, case_id)
    gates = json.loads(row["gates"])
    waiting = next((gate for gate in gates if not gate["open"] and not gate["left_out"]), None)
    clocks = [clock_row(state) for state in clocks_now(facts, preset, gates, json.loads(row["clocks"]))]
    answer.data = {
        "case_ref": case_ref,
        "title": facts.title,
        "preset": preset.name,
        "preset_sha256": preset.sha256.hex(),
        "stage": row["stage"],
        "stage_since_utc": since_of(gates, row["stage"]),
        "stages": list(preset.stages),
        "sides": json.loads(row["sides"]),
        "regressed": regressed(reader, case_ref),
        "next": None if waiting is None else waiting["stage"],
        "missing": [] if waiting is None else waiting["missing"],
        "clocks": clocks,
        "clock_utc": instant_text(facts.clock) if facts.clock else None,
        "instants": instants(facts),
        "legs": legs.counts,
        "late": legs.late,
        "awaiting": awaited(reader, legs.arrived, facts),
        "assets": [asset_row(asset, facts.unseen) for asset in facts.assets],
        "alerts": alerts,
        "records": records,
    }
    answer.data["action"] = action(answer.data)
    add_checks(reader, answer, case_id, case_ref)
    return answer


def preset_of(reader: Reader, case_ref: str) -> tuple[int, Preset]:
    """A case's number and its preset; raises NoPreset."""
    for case_id, name, text in reader.raw(
        "SELECT k.id, p.name, p.text FROM cases k JOIN preset p ON p.id = k.preset_id WHERE k.ref = :ref", ref=case_ref
    ):
        return int(case_id), parse_preset(text, f"preset {name}")
    raise NoPreset(f"case {case_ref} has no preset")


def preset_if_any(reader: Reader, case_ref: str) -> Preset | None:
    """A case's preset; None if nothing oversees it."""
    try:
        return preset_of(reader, case_ref)[1]
    except NoPreset:
        return None


def last_assessment(reader: Reader, case_ref: str) -> Row:
    """The last row of where a case stood."""
    rows = reader.rows("SELECT * FROM v_stage WHERE case_ref = :ref", ref=case_ref)
    if not rows:
        raise NothingThere(f"case {case_ref} was not judged yet", "Run `tracerd sync`.")
    return rows[0]


def light_facts(reader: Reader, case_id: int) -> tuple[CaseFacts, int]:
    """A case's facts without its legs and records, which were judged when they came; and how many records count."""
    ref, title = next(reader.raw("SELECT ref, title FROM cases WHERE id = :c", c=case_id))
    facts = CaseFacts(case_id, ref, title)
    read_chains(reader.connection, facts)
    read_assets(reader.connection, facts)
    read_unseen(reader.connection, facts)
    [(records, latest)] = reader.raw(
        "SELECT count(*), coalesce(max(r.at), 0) FROM record r WHERE r.case_id = :c"
        " AND r.id NOT IN (SELECT n.supersedes_id FROM record n WHERE n.case_id = :c AND n.supersedes_id IS NOT NULL)",
        c=case_id,
    )
    facts.spoken_at = int(latest)
    return facts, int(records)


def instants(facts: CaseFacts) -> Row:
    """What the case's clock is the latest of: block times, and what records speak of; and how far they are apart."""
    times = {chain.name: chain.time for chain in facts.chains.values()}
    if facts.spoken_at:
        times["records"] = facts.spoken_at
    apart = max(times.values()) - min(times.values()) if times else 0
    return {"latest_utc": {name: instant_text(time) for name, time in times.items()}, "apart_s": apart}


def clocks_now(facts: CaseFacts, preset: Preset, gates: list[Row], stored: list[Row]) -> list[ClockState]:
    """The clocks, their hands moved to the case's clock; when they started and stopped is as it was judged."""
    since = {gate["stage"]: gate["since"] for gate in gates if gate["open"] and not gate["left_out"]}
    left_out = [gate["stage"] for gate in gates if gate["left_out"]]
    events = {(row["clock"], row["reading"]): (row["start"], row["stop"]) for row in stored}
    return [
        with_hands(clock, reading, events[clock.name, reading.name], facts.clock, preset, since, left_out)
        for clock in preset.file.clock
        for reading in clock.reading
    ]


def clock_row(state: ClockState) -> Row:
    """A clock as it stands in the answer."""
    return {
        "clock": state.clock,
        "reading": state.reading,
        "state": state.state,
        "start_utc": None if state.start is None else instant_text(state.start),
        "stop_utc": None if state.stop is None else instant_text(state.stop),
        "elapsed_s": state.elapsed_s,
        "limit_s": state.limit_s,
        "percent": state.percent,
        "expected_utc": None if state.expected is None else instant_text(state.expected),
    }


def since_of(gates: list[Row], stage: str) -> str | None:
    """Since when a stage stands."""
    at = next((gate["since"] for gate in gates if gate["stage"] == stage), None)
    return None if at is None else instant_text(at)


def regressed(reader: Reader, case_ref: str) -> Row | None:
    """The last time that the case fell back to an earlier stage."""
    rows = reader.rows(
        "SELECT at_utc, stage, chain, height FROM v_stage_all WHERE case_ref = :ref AND regressed"
        " ORDER BY assessment_id DESC LIMIT 1",
        ref=case_ref,
    )
    return rows[0] if rows else None


def open_alerts(reader: Reader, case_ref: str) -> Row:
    """The alerts that nobody settled: how many of each severity, and the gravest with their numbers."""
    rows = reader.rows(
        "SELECT alert_id, rule, severity, shown, leg_ref, message, state, at_utc FROM v_alert WHERE case_ref = :ref"
        " AND state IN ('open', 'acknowledged') ORDER BY alert_id",
        ref=case_ref,
    )
    rows.sort(key=lambda row: (SEVERITIES.index(row["severity"]), row["alert_id"]))
    counts = {severity: sum(row["severity"] == severity for row in rows) for severity in SEVERITIES}
    return {"counts": counts, "gravest": rows[:SHOWN_ALERTS], "more": max(0, len(rows) - SHOWN_ALERTS)}


STANDING = (
    "SELECT l.id, l.ref, l.kind, coalesce(v.verdict, 'NOT_SHOWN'), coalesce(v.reason, '') FROM leg l"
    " LEFT JOIN verdict v ON v.id = (SELECT n.id FROM verdict n JOIN block nb ON nb.id = n.block_id AND nb.canonical"
    " WHERE n.case_id = l.case_id AND n.leg_id = l.id AND n.asset_id = l.asset_id ORDER BY n.block_id DESC, n.id DESC"
    " LIMIT 1) WHERE l.case_id = :c ORDER BY l.id"
)
"""The legs of a case with the verdicts that stand; what v_leg adds up is not needed here, and would take long."""

MOST = 20
"""Legs of one sort that are listed at most."""


@dataclass(frozen=True, slots=True)
class Legs:
    """The legs of a case as status tells of them: counts by kind, those that are contradicted, those that arrived."""

    counts: list[Row]
    late: list[Row]
    arrived: list[tuple[int, str]]


def read_legs(reader: Reader, case_id: int) -> Legs:
    """Read a case's legs once, as they stand."""
    counts: dict[str, Row] = {}
    late: list[Row] = []
    arrived: list[tuple[int, str]] = []
    for number, ref, kind, verdict, reason in reader.raw(STANDING, c=case_id):
        row = counts.get(kind)
        if row is None:
            none = {"kind": kind, "planned": 0, SHOWN: 0, NOT_SHOWN: 0, CONTRADICTED: 0, "withdrawn": 0}
            row = counts.setdefault(kind, none)
        gone = reason == WITHDRAWN
        row["withdrawn" if gone else verdict] += 1
        row["planned"] += not gone
        if verdict == CONTRADICTED and len(late) < MOST:
            late.append({"leg_ref": ref, "kind": kind, "reason": reason})
        elif verdict == NOT_SHOWN and reason.startswith("arrived, not yet") and len(arrived) < MOST:
            arrived.append((number, ref))
    return Legs(list(counts.values()), late, arrived)


def awaited(reader: Reader, legs: list[tuple[int, str]], facts: CaseFacts) -> list[Row]:
    """Legs that have arrived and wait for confirmations: how many more, and when they may be there."""
    rows = reader.among(
        "SELECT l.ref AS leg_ref, c.name AS chain, max(b.height) AS height FROM leg l JOIN entry e ON e.leg_id = l.id"
        " AND e.place NOT IN ('fee', 'unexplained') JOIN block b ON b.id = e.block_id AND b.canonical"
        " JOIN chain c ON c.id = b.chain_id WHERE l.id IN ({numbers}) GROUP BY l.id ORDER BY l.id",
        [number for number, _ in legs],
    )
    for row in rows:
        counted = still_missing(facts.chains[row["chain"]], row["height"])
        row["confirmations_needed"], expected = counted or (None, None)
        row["expected_utc"] = None if expected is None else instant_text(expected)
    return rows


def asset_row(asset: AssetFacts, unseen: Sequence[Unseen]) -> Row:
    """An asset's equation, amounts as text; unobserved: by what balances changed besides, which nobody saw move."""
    terms = ("seized", "credits", "held", "delivered", "fees", "unexplained")
    beside = sum(one.came - one.gone for one in unseen if one.asset == asset.asset)
    return {
        "chain": asset.chain,
        "symbol": asset.symbol,
        "decimals": asset.decimals,
        **{term: str(getattr(asset, term)) for term in terms},
        "unobserved": str(beside),
    }


def action(data: Row) -> str:
    """What somebody has to do next."""
    gravest = data["alerts"]["gravest"]
    if gravest and gravest[0]["severity"] == "CRITICAL":
        return f"look into alert {gravest[0]['alert_id']}: {gravest[0]['message']}"
    if "HOLD" in data["sides"]:
        return "move nothing: a court forbids it"
    if data["awaiting"]:
        first = data["awaiting"][0]
        more = first["confirmations_needed"]
        return f"wait for {f'{more} more confirmations' if more else 'confirmation'} of leg {first['leg_ref']}"
    if data["next"] is not None:
        return f"for {data['next']}: {data['missing'][0] if data['missing'] else 'its gate'}"
    return "nothing: the case is at its last stage; its addresses stay watched"


def add_checks(reader: Reader, answer: Answer, case_id: int, case_ref: str) -> None:
    """Hold the answer's verdict against what it shows, and the records against their digests."""
    data = answer.data
    for asset in data["assets"]:
        subject = f"{case_ref} {asset['symbol']} on {asset['chain']}"
        clean = asset["unexplained"] == "0" and not asset["unobserved"].startswith("-")
        answer.checks.append(Check("RECON-1", subject, SHOWN if clean else CONTRADICTED, said_unexplained(asset)))
    broken = broken_at(reader.connection, case_id, case_ref, latest=LATEST)
    text = f"the latest records (at most {LATEST}) have the digests that their columns give; `case history` checks all"
    text = text if broken is None else f"{broken} was altered, or one before it"
    answer.checks.append(Check("RECORD-1", case_ref, SHOWN if broken is None else CONTRADICTED, text))
    for alert in data["alerts"]["gravest"]:
        if alert["severity"] in ("CRITICAL", "HIGH"):
            verdict = CONTRADICTED if alert["shown"] else NOT_SHOWN
            answer.checks.append(Check(alert["rule"], alert["leg_ref"] or case_ref, verdict, alert["message"]))
    if "INCIDENT" in data["sides"]:
        text = "something CRITICAL holds, whether or not its alert was closed: see `case alerts --all`"
        answer.checks.append(Check("INCIDENT", case_ref, CONTRADICTED, text))
    if data["next"] is not None:
        missing = "; ".join(data["missing"])
        answer.checks.append(Check("STAGE", case_ref, NOT_SHOWN, f"{data['next']} waits for {missing}"))
    answer.lanes.append("ATTESTED" if data["records"] else "REPORTED")


def said_unexplained(asset: Row) -> str:
    """What the ledger says of an asset."""
    if asset["unexplained"] != "0":
        return "some value has no place in the ledger"
    return UNOBSERVED_LOSS if asset["unobserved"].startswith("-") else "every base unit is explained"


def judged_anew(reader: Reader, case_ref: str) -> Check:
    """Read a case whole, assess it anew, and hold what is found against what is stored as found (JUDGE-2)."""
    case_id, preset = preset_of(reader, case_ref)
    fresh = Assessor(preset).assess(load_facts(reader.connection, case_id))
    stored, _ = stored_findings(reader.connection, case_id)
    differing = sorted({key_of(finding) for finding in fresh.findings.values()} ^ set(stored))
    stage, anew = last_assessment(reader, case_ref)["stage"], fresh.standing.stage
    if stage != anew:
        return Check("JUDGE-2", case_ref, CONTRADICTED, f"stage {stage} is stored, and {anew} comes out anew")
    if differing:
        named = ", ".join(f"{rule} of {subject}" for rule, subject, *_ in differing[:3])
        return Check("JUDGE-2", case_ref, CONTRADICTED, f"what is stored and what is found anew differ: {named}")
    text = f"stage and {len(stored)} findings are what comes out when the case is assessed anew"
    return Check("JUDGE-2", case_ref, SHOWN, text)
