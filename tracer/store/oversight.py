"""Keeps every case assessed: what a block, a reorg or a record changes is judged in the transaction that stores it.

Facts of open cases stay in memory between; they are a function of the store's rows, and read anew whenever in doubt.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

import orjson
from sqlalchemy import Connection, text

from tracer.custody.assess import Assessment, Assessor
from tracer.custody.facts import CaseFacts
from tracer.custody.findings import Finding
from tracer.custody.presetfiles import parse_preset
from tracer.custody.record import Record
from tracer.custody.records import PlannedLeg, Statement, Withdrawal
from tracer.notices import Notice
from tracer.store.casefacts import (
    load_facts,
    read_assets,
    read_attested,
    read_chains,
    read_exposures,
    read_legs,
    read_outside,
    read_planned,
    read_unseen,
)
from tracer.store.findings import JUDGE, Key, key_of, stored_findings
from tracer.store.overseen import AlertEventRow, AssessmentRow
from tracer.store.rows import insert_many
from tracer.store.tables import AlertRow


@dataclass(slots=True)
class Watched:
    """A case that is overseen. alerts: the open findings, with the numbers of their alerts. said: its last row.

    assessed: whether its assessor has seen every leg since it was read.
    """

    preset_id: int
    facts: CaseFacts
    assessor: Assessor
    alerts: dict[Key, int]
    resolved: dict[Key, int]
    said: tuple[str, ...]
    assessed: bool = False


@dataclass(slots=True)
class Oversight:
    """The cases of a store that have a preset; `connection` is the store's one writing connection."""

    connection: Connection
    cases: dict[int, Watched] = field(default_factory=dict)
    known: set[int] | None = None
    told: list[Notice] = field(default_factory=list)

    def forget(self) -> None:
        """Read everything anew at the next occasion."""
        self.cases.clear()
        self.known = None

    def take_told(self) -> list[Notice]:
        """The alerts since last time, for whoever passes them on; call it once they are committed."""
        told, self.told = self.told, []
        return told

    def connected(
        self, chain_id: int, block_id: int, legs: Mapping[int, set[int]], blocks: Collection[int], now: int
    ) -> None:
        """Judge the cases of a chain after blocks connected; legs: by case, those that they served or judged anew.

        block_id: the tip. blocks: those that have postings.
        """
        for case_id in self._cases_of(chain_id):
            fresh = case_id not in self.cases or not self.cases[case_id].assessed
            if fresh:
                self.cases.pop(case_id, None)
            watched = self._watched(case_id)
            touched = legs.get(case_id, set())
            if not fresh:
                read_chains(self.connection, watched.facts)
                read_legs(self.connection, watched.facts, touched)
                read_unseen(self.connection, watched.facts)
                if blocks:
                    read_assets(self.connection, watched.facts)
                    read_outside(self.connection, watched.facts, blocks)
                    read_exposures(self.connection, watched.facts, blocks)
            self._assess(watched, None if fresh else touched, (chain_id, block_id), now)

    def moved(self, chain_id: int, block_id: int, gone: Collection[int], now: int) -> None:
        """Judge the cases of a chain anew after a reorg: blocks left it, or came back.

        Alerts that somebody closed while blocks stood which are gone now are open again.
        """
        for case_id in self._cases_of(chain_id):
            self.cases.pop(case_id, None)
            watched = self._watched(case_id)
            self._reopen(case_id, gone, block_id, now)
            self._assess(watched, None, (chain_id, block_id), now)

    def recorded(self, case_id: int, now: int) -> None:
        """Judge a case after something was filed."""
        if self._preset_of(case_id) is None:
            return
        self.cases.pop(case_id, None)
        self._assess(self._watched(case_id), None, None, now)

    def labelled(self, now: int) -> None:
        """Judge every case anew: labels came, or took the place of others."""
        self.forget()
        for (case_id,) in self.connection.execute(text("SELECT id FROM cases ORDER BY id")).all():
            self.recorded(int(case_id), now)

    def filed(self, case_id: int, record: Record) -> None:
        """Take in what was just filed, before the next record is checked; `recorded` judges it."""
        watched = self._watched(case_id)
        watched.facts.put_record(record)
        match record.body:
            case PlannedLeg():
                read_planned(self.connection, watched.facts, record)
            case Withdrawal():
                of = (one.body for one in watched.facts.lineage(record))
                refs = [body.leg for body in of if isinstance(body, Withdrawal)]
                read_legs(self.connection, watched.facts, [watched.facts.by_ref[ref] for ref in refs])
            case Statement():
                read_attested(self.connection, watched.facts)

    def facts(self, case_id: int) -> CaseFacts:
        """The facts of a case as they stand."""
        return self._watched(case_id).facts

    def _cases_of(self, chain_id: int) -> list[int]:
        if self.known is None:
            rows = self.connection.execute(text("SELECT id FROM cases WHERE preset_id IS NOT NULL"))
            self.known = {int(case_id) for (case_id,) in rows}
        if not self.known:
            return []
        rows = self.connection.execute(text("SELECT case_id FROM seizure WHERE chain_id = :c"), {"c": chain_id})
        return [int(case_id) for (case_id,) in rows if case_id in self.known]

    def _preset_of(self, case_id: int) -> int | None:
        value = self.connection.execute(text("SELECT preset_id FROM cases WHERE id = :c"), {"c": case_id}).scalar()
        return None if value is None else int(value)

    def _watched(self, case_id: int) -> Watched:
        """The case in memory, read if it is not there."""
        found = self.cases.get(case_id)
        if found is None:
            preset_id = self._preset_of(case_id)
            name, body = self.connection.execute(
                text("SELECT name, text FROM preset WHERE id = :p"), {"p": preset_id}
            ).one()
            assert preset_id is not None
            alerts, resolved = stored_findings(self.connection, case_id)
            facts = load_facts(self.connection, case_id)
            assessor = Assessor(parse_preset(body, f"preset {name}"))
            found = Watched(preset_id, facts, assessor, alerts, resolved, last_said(self.connection, case_id))
            self.cases[case_id] = found
        return found

    def _assess(self, watched: Watched, legs: Collection[int] | None, tip: tuple[int, int] | None, now: int) -> None:
        done = watched.assessor.assess(watched.facts, legs)
        watched.assessed = True
        self._tell(watched, done, tip, now)
        self._note(watched, done, tip, now)

    def _tell(self, watched: Watched, done: Assessment, tip: tuple[int, int] | None, now: int) -> None:
        """Open alerts for what is found now and was not before, and resolve those of what is found no more."""
        block_id = None if tip is None else tip[1]
        found = {key_of(finding): finding for finding in done.findings.values()}
        for key, finding in found.items():
            if key in watched.alerts:
                continue
            number = watched.resolved.pop(key, None)
            if number is None:
                number = self._open(watched, finding, tip, now)
            else:
                self.note_event(number, now, "reopened", JUDGE, finding.found.message, block_id)
            watched.alerts[key] = number
        for key in [key for key in watched.alerts if key not in found]:
            number = watched.alerts.pop(key)
            watched.resolved[key] = number
            self.note_event(number, now, "resolved", JUDGE, "the facts no longer say so", block_id)

    def _open(self, watched: Watched, finding: Finding, tip: tuple[int, int] | None, now: int) -> int:
        number = int(self.connection.execute(text("SELECT coalesce(max(id), 0) + 1 FROM alert")).scalar_one())
        found = finding.found
        columns = "id at rule severity chain_id block_id case_id leg_id message subject refs lane shown rule_version"
        row = (
            number,
            now,
            finding.rule,
            finding.severity,
            None if tip is None else tip[0],
            None if tip is None else tip[1],
            watched.facts.id,
            found.leg,
            found.message,
            found.subject,
            orjson.dumps(found.refs).decode(),
            finding.lane.name,
            found.shown,
            finding.version,
            watched.preset_id,
        )
        insert_many(self.connection, AlertRow, f"{columns} preset_id", [row])
        self.told.append(Notice(finding.rule, finding.severity, found.message, watched.facts.id, found.leg))
        return number

    def note_event(self, alert_id: int, now: int, what: str, actor: str, reason: str, block_id: int | None) -> None:
        """Append what became of an alert."""
        row = (alert_id, now, what, actor, reason, block_id)
        insert_many(self.connection, AlertEventRow, "alert_id at what actor reason block_id", [row])

    def _note(self, watched: Watched, done: Assessment, tip: tuple[int, int] | None, now: int) -> None:
        """Append where the case stands, if that changed."""
        said = said_of(done)
        if said == watched.said:
            return
        stages = watched.assessor.preset.stages
        rank = stages.index(done.standing.stage) if done.standing.stage in stages else -1
        row = (
            watched.facts.id,
            watched.preset_id,
            None if tip is None else tip[0],
            None if tip is None else tip[1],
            now,
            done.clock,
            done.standing.stage,
            rank,
            *said[1:],
        )
        columns = "case_id preset_id chain_id block_id at clock stage rank sides gates clocks"
        insert_many(self.connection, AssessmentRow, columns, [row])
        watched.said = said

    def _reopen(self, case_id: int, gone: Collection[int], tip_id: int, now: int) -> None:
        """Open alerts again that a person closed while a block stood that has left the chain."""
        if not gone:
            return
        marks = ", ".join(map(str, gone))
        rows = self.connection.execute(
            text(
                "SELECT a.id FROM alert a JOIN alert_event e ON e.id = (SELECT max(n.id) FROM alert_event n"
                " WHERE n.alert_id = a.id) WHERE a.case_id = :c AND e.what = 'closed'"
                f" AND (e.block_id IN ({marks}) OR a.block_id IN ({marks}))"
            ),
            {"c": case_id},
        ).all()
        for (number,) in rows:
            self.note_event(number, now, "reopened", JUDGE, "a block that it was closed upon left the chain", tip_id)


def last_said(connection: Connection, case_id: int) -> tuple[str, ...]:
    """What the last assessment of a case said."""
    row = connection.execute(
        text("SELECT stage, sides, gates, clocks FROM assessment WHERE case_id = :c ORDER BY id DESC LIMIT 1"),
        {"c": case_id},
    ).first()
    return () if row is None else tuple(row)


def said_of(done: Assessment) -> tuple[str, str, str, str]:
    """What an assessment says, as it is stored: stage, side states, gates up to the next, clocks without hands."""
    gates = [
        {
            "stage": gate.stage,
            "open": gate.open,
            "left_out": gate.left_out,
            "since": done.standing.since.get(gate.stage),
            "missing": gate.missing,
            "refs": [ref for met in gate.conditions for ref in met.refs][:50],
        }
        for gate in done.standing.gates
        if gate.stage in done.standing.since or gate.left_out or gate is done.standing.next
    ]
    clocks = [
        {
            "clock": c.clock,
            "reading": c.reading,
            "limit_s": c.limit_s,
            "start": c.start,
            "stop": c.stop,
            "state": c.state,
        }
        for c in done.clocks
    ]
    texts = (orjson.dumps(part).decode() for part in (done.standing.sides, gates, clocks))
    sides, gates_text, clocks_text = texts
    return done.standing.stage, sides, gates_text, clocks_text


def legs_of(rows: Iterable[tuple[int, int | None]]) -> dict[int, set[int]]:
    """Group pairs of case and leg by case."""
    found: dict[int, set[int]] = {}
    for case_id, leg_id in rows:
        if leg_id is not None:
            found.setdefault(case_id, set()).add(leg_id)
    return found
