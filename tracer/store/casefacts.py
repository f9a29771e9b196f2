"""Reads what the custody rules need of a case: whole at first, later only what a block or a record changed."""

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Any

import orjson
from sqlalchemy import Connection, text

from tracer.custody.case import LegKind
from tracer.custody.facts import (
    Arrived,
    AssetFacts,
    Attested,
    CaseFacts,
    ChainFacts,
    Exposure,
    InstitutionFacts,
    LegFacts,
    Outside,
    Shared,
    Unseen,
)
from tracer.custody.record import Record
from tracer.custody.records import Control, Withdrawal
from tracer.custody.rules.addresses import MIXING, SANCTIONED
from tracer.store.counting import published
from tracer.store.filed import load_records

SOME = 400
"""Legs that are asked for in one question."""

PACE = 20
"""Blocks whose mean time is a chain's pace."""

CUSTODY = "('seized', 'authority', 'agency')"


def load_facts(connection: Connection, case_id: int) -> CaseFacts:
    """Read a case whole."""
    ref, title = connection.execute(text("SELECT ref, title FROM cases WHERE id = :c"), {"c": case_id}).one()
    facts = CaseFacts(case_id, ref, title)
    read_papers(connection, facts)
    for leg in planned(connection, case_id):
        facts.put_leg(leg)
    read_legs(connection, facts, list(facts.legs))
    read_chains(connection, facts)
    read_assets(connection, facts)
    read_outside(connection, facts)
    read_unseen(connection, facts)
    read_exposures(connection, facts)
    return facts


def read_papers(connection: Connection, facts: CaseFacts) -> None:
    """Records, institutions, attestations, and custody addresses that another case has too."""
    keys = {"c": facts.id}
    facts.put_records(load_records(connection, facts.id))
    rows = connection.execute(text("SELECT ref, name, part, aliases FROM institution WHERE case_id = :c"), keys)
    facts.institutions = {
        ref: InstitutionFacts(ref, name, part, tuple(orjson.loads(aliases))) for ref, name, part, aliases in rows
    }
    rows = connection.execute(text("SELECT ref FROM document WHERE case_id = :c AND record_id IS NULL"), keys)
    facts.documents = {ref for (ref,) in rows}
    read_attested(connection, facts)
    rows = connection.execute(
        text(
            "SELECT w.ref, coalesce(h.address, lower(hex(h.key))), k.ref FROM cases k JOIN watch o ON o.case_id = k.id"
            f" JOIN watch w ON w.holder_id = o.holder_id AND w.case_id = :c AND w.role IN {CUSTODY}"
            f" JOIN holder h ON h.id = w.holder_id WHERE k.id != :c AND o.role IN {CUSTODY} ORDER BY w.id, k.id"
        ),
        keys,
    )
    facts.voided = {record.id for record, body in facts.of("control", Control) if not stands(connection, facts, body)}
    others = connection.execute(text("SELECT count(*) FROM cases WHERE id != :c"), keys).scalar_one()
    facts.shared = [Shared(*row) for row in rows] if others else []


def read_attested(connection: Connection, facts: CaseFacts) -> None:
    """The attestations that count, by watch."""
    facts.attested = {}
    for row in connection.execute(
        text(
            "SELECT a.id, w.ref, i.ref, a.valid_from, a.valid_to, a.record_id FROM watch w CROSS JOIN attestation a"
            " ON a.watch_id = w.id JOIN institution i ON i.id = a.institution_id WHERE w.case_id = :c"
            " AND a.watch_id IN (SELECT watch_id FROM attestation)"
            " AND NOT EXISTS (SELECT 1 FROM record n WHERE n.supersedes_id = a.record_id) ORDER BY a.id"
        ),
        {"c": facts.id},
    ):
        facts.attested.setdefault(row[1], []).append(Attested(*row))


def stands(connection: Connection, facts: CaseFacts, proof: Control) -> bool:
    """Whether the block at which control was shown is on its chain."""
    if proof.shown is None:
        return False
    found = connection.execute(
        text(
            "SELECT b.canonical FROM watch w JOIN holder h ON h.id = w.holder_id JOIN block b"
            " ON b.chain_id = h.chain_id AND b.hash = :hash WHERE w.case_id = :c AND w.ref = :watch"
        ),
        {"hash": bytes.fromhex(proof.shown.block), "c": facts.id, "watch": proof.watch},
    ).scalar()
    return bool(found)


def planned(connection: Connection, case_id: int, record_id: int | None = None) -> Iterable[LegFacts]:
    """A case's legs as they were planned; record_id: the one alone that this record planned."""
    sources: dict[int, list[str]] = {}
    keys = {"c": case_id, "r": record_id}
    some = "" if record_id is None else " AND l.record_id = :r"
    for leg_id, ref in connection.execute(
        text(
            "SELECT s.leg_id, w.ref FROM leg l CROSS JOIN leg_source s ON s.leg_id = l.id"
            f" JOIN watch w ON w.id = s.watch_id WHERE l.case_id = :c{some} ORDER BY s.watch_id"
        ),
        keys,
    ):
        sources.setdefault(leg_id, []).append(ref)
    for row in connection.execute(
        text(
            "SELECT l.*, c.name AS chain, a.caip19, a.symbol, a.decimals, w.ref AS target, h.key, i.ref AS body,"
            " r.recorded_at, coalesce(q.time, 0) AS clock FROM leg l JOIN asset a ON a.id = l.asset_id"
            " JOIN chain c ON c.id = a.chain_id"
            " JOIN watch w ON w.id = l.target_id JOIN holder h ON h.id = w.holder_id"
            " LEFT JOIN institution i ON i.id = w.institution_id LEFT JOIN record r ON r.id = l.record_id"
            " LEFT JOIN block q ON q.id = r.tip_id"
            f" WHERE l.case_id = :c{some} ORDER BY l.id"
        ),
        keys,
    ):
        yield LegFacts(
            row.id,
            row.ref,
            LegKind(row.kind),
            row.chain,
            row.caip19,
            row.symbol,
            row.decimals,
            tuple(sources.get(row.id, ())),
            row.target,
            bytes(row.key),
            row.body,
            int(row.amount),
            int(row.tolerance),
            int(row.max_fee),
            bool(row.needs_test),
            row.not_before,
            row.deadline,
            planned_at=row.recorded_at,
            planned_clock=row.clock,
        )


def read_planned(connection: Connection, facts: CaseFacts, record: Record) -> None:
    """Take in the leg that a record planned, and that the one which it supersedes is withdrawn."""
    fresh = list(planned(connection, facts.id, record.id))
    for leg in fresh:
        facts.put_leg(leg)
    old = [one.ref for one in facts.records if one.id == record.supersedes] if record.supersedes is not None else []
    read_legs(connection, facts, [*(leg.id for leg in fresh), *(facts.by_ref[ref] for ref in old)])


def read_legs(connection: Connection, facts: CaseFacts, legs: Collection[int]) -> None:
    """Read anew what arrived for some legs, and the verdicts that stand."""
    gone = withdrawn(facts)
    numbers = list(legs)
    for start in range(0, len(numbers), SOME):
        part = numbers[start : start + SOME]
        marks = ", ".join(map(str, part))
        arrivals: dict[int, list[Arrived]] = {}
        for leg_id, *row in connection.exec_driver_sql(
            "SELECT e.leg_id, coalesce(e.movement_id, 0), e.amount, b.time, b.height, e.block_id FROM entry e"
            f" JOIN block b ON b.id = e.block_id AND b.canonical WHERE e.leg_id IN ({marks})"
            " AND e.place NOT IN ('fee', 'unexplained') ORDER BY e.leg_id, e.id"
        ):
            arrivals.setdefault(leg_id, []).append(arrived(row))
        firsts: dict[int, int] = dict(
            connection.exec_driver_sql(
                "SELECT e.leg_id, min(n.block_id) FROM entry e JOIN tx t ON t.id = e.tx_id JOIN tx n ON n.txid = t.txid"
                f" WHERE e.leg_id IN ({marks}) AND e.place NOT IN ('fee', 'unexplained') GROUP BY e.leg_id"
            ).all()
        )
        verdicts = {
            leg_id: (verdict, reason)
            for leg_id, verdict, reason in connection.exec_driver_sql(
                "SELECT v.leg_id, v.verdict, v.reason FROM leg l CROSS JOIN verdict v ON v.id = (SELECT n.id"
                " FROM verdict n JOIN block nb ON nb.id = n.block_id AND nb.canonical WHERE n.case_id = l.case_id"
                " AND n.leg_id = l.id AND n.asset_id = l.asset_id ORDER BY n.block_id DESC, n.id DESC LIMIT 1)"
                f" WHERE l.id IN ({marks})"
            )
        }
        for number in part:
            verdict, reason = verdicts.get(number, ("NOT_SHOWN", "not judged"))
            leg = facts.legs[number]
            facts.put_leg(
                replace(
                    leg,
                    arrivals=tuple(arrivals.get(number, ())),
                    verdict=verdict,
                    reason=reason,
                    withdrawn=leg.ref in gone,
                    first_block=firsts.get(number),
                )
            )


def arrived(row: list[Any]) -> Arrived:
    """An arrival from its row."""
    movement_id, amount, time, height, block_id = row
    return Arrived(movement_id, int(amount), time, height, block_id)


def withdrawn(facts: CaseFacts) -> set[str]:
    """The legs that were given up, or superseded by another."""
    kept = {record.ref for record in facts.current.get("leg", ())}
    superseded = facts.named.get("leg", set()) - kept
    return superseded | {body.leg for _, body in facts.of("withdrawal", Withdrawal)}


def read_chains(connection: Connection, facts: CaseFacts) -> None:
    """The tips and marks of the case's chains, and when its seizure heights were reached."""
    facts.opened, facts.chains = {}, {}
    for row in connection.execute(
        text(
            "SELECT c.name, s.height, t.height AS tip, t.time, f.confirmed_height, f.final_height, f.tip_id,"
            " p.confirmed, p.final, (SELECT b.time FROM block b WHERE b.chain_id = c.id AND b.height = s.height"
            " AND b.canonical) AS begun, (SELECT b.time FROM block b WHERE b.chain_id = c.id"
            f" AND b.height = t.height - {PACE} AND b.canonical) AS before, {published('s')} AS published"
            " FROM seizure s JOIN chain c ON c.id = s.chain_id LEFT JOIN follower f ON f.chain_id = c.id"
            " LEFT JOIN block t ON t.id = f.tip_id LEFT JOIN policy p ON p.id = (SELECT max(q.id) FROM policy q"
            " WHERE q.chain_id = c.id) WHERE s.case_id = :c ORDER BY c.id"
        ),
        {"c": facts.id},
    ):
        reached = row.tip is not None and row.tip >= row.height and row.published
        facts.opened[row.name] = (row.begun if row.begun is not None else row.time) if reached else None
        if row.tip is None:
            continue
        numbers = (row.confirmed, row.final)
        needs = (int(row.confirmed), int(row.final)) if all(text_.isdigit() for text_ in numbers) else None
        pace = max(1, (row.time - row.before) // PACE) if row.before is not None else 600 if needs else 12
        facts.chains[row.name] = ChainFacts(
            row.name, row.tip, row.time, row.confirmed_height, row.final_height, pace, needs, row.tip_id
        )


def read_assets(connection: Connection, facts: CaseFacts) -> None:
    """The conservation equation of every asset as it stands."""
    rows = connection.execute(
        text(
            "SELECT c.name, a.caip19, a.symbol, a.decimals, l.seized, l.credits, l.held, l.delivered, l.fees,"
            " l.unexplained, l.block_id FROM seizure s JOIN chain c ON c.id = s.chain_id"
            " JOIN asset a ON a.chain_id = s.chain_id AND a.kind IN ('native', 'listed')"
            " JOIN ledger l ON l.case_id = s.case_id AND l.asset_id = a.id AND l.block_id = (SELECT n.block_id"
            " FROM ledger n JOIN block nb ON nb.id = n.block_id AND nb.canonical WHERE n.case_id = s.case_id"
            " AND n.asset_id = a.id ORDER BY n.block_id DESC LIMIT 1) WHERE s.case_id = :c ORDER BY a.id"
        ),
        {"c": facts.id},
    )
    facts.assets = [AssetFacts(*row[:4], *map(int, row[4:])) for row in rows]


def read_outside(connection: Connection, facts: CaseFacts, block_ids: Collection[int] | None = None) -> None:
    """What moved outside every leg; block_ids: take in those blocks' only, None: read all anew."""
    some = "" if block_ids is None else f" AND e.block_id IN ({', '.join(map(str, block_ids))})"
    rows = connection.execute(
        text(
            "SELECT e.id, e.block_id, b.time, c.name, a.symbol, a.decimals, e.amount, e.reason, e.place = 'unexplained'"
            " FROM entry e JOIN block b ON b.id = e.block_id AND b.canonical JOIN chain c ON c.id = b.chain_id"
            " JOIN asset a ON a.id = e.asset_id WHERE e.case_id = :c AND (e.place = 'unexplained'"
            f" OR (e.place = 'internal' AND e.leg_id IS NULL)){some} ORDER BY e.id"
        ),
        {"c": facts.id},
    )
    found = [
        Outside(number, block_id, time, chain, symbol, decimals, int(amount), reason, bool(left))
        for number, block_id, time, chain, symbol, decimals, amount, reason, left in rows
    ]
    facts.outside = found if block_ids is None else [*facts.outside, *found]


def read_unseen(connection: Connection, facts: CaseFacts) -> None:
    """By what balances in custody differ from what was observed since the seizure."""
    changes: dict[tuple[str, str], dict[int, int]] = {}
    for chain, asset, holder, amount, _ in connection.execute(
        text(
            "SELECT DISTINCT c.name, a.caip19, k.holder_id, k.unobserved, k.id FROM balance_check k"
            " JOIN block b ON b.id = k.block_id AND b.canonical"
            f" JOIN watch w ON w.holder_id = k.holder_id AND w.case_id = :c AND w.role IN {CUSTODY}"
            f" AND b.height >= w.birth AND {published('w')}"
            " JOIN seizure s ON s.case_id = :c AND s.chain_id = b.chain_id AND b.height > s.height"
            f" AND {published('s')}"
            " JOIN chain c ON c.id = b.chain_id JOIN asset a ON a.id = k.asset_id"
            " WHERE k.unobserved != '0' ORDER BY a.id"
        ),
        {"c": facts.id},
    ):
        of_holder = changes.setdefault((chain, asset), {})
        of_holder[holder] = of_holder.get(holder, 0) + int(amount)
    facts.unseen = [
        Unseen(*place, -sum(n for n in of.values() if n < 0), sum(n for n in of.values() if n > 0))
        for place, of in changes.items()
    ]


FROM_LABELS = (
    "FROM label l CROSS JOIN label_pack p ON p.id = l.pack_id AND p.superseded_by IS NULL"
    " CROSS JOIN holder h ON h.chain_id = l.chain_id AND h.key = l.holder_key"
    " CROSS JOIN movement m ON m.target_id = h.id OR m.source_id = h.id"
    " CROSS JOIN entry e ON e.case_id = :c AND e.block_id = m.block_id AND e.tx_id = m.tx_id"
    " JOIN block b ON b.id = m.block_id AND b.canonical WHERE true"
)
FROM_BLOCKS = (
    "FROM entry e CROSS JOIN movement m ON m.block_id = e.block_id AND m.tx_id = e.tx_id"
    " CROSS JOIN holder h ON h.id = m.target_id OR h.id = m.source_id"
    " CROSS JOIN label l ON l.chain_id = h.chain_id AND l.holder_key = h.key"
    " CROSS JOIN label_pack p ON p.id = l.pack_id AND p.superseded_by IS NULL WHERE e.case_id = :c"
)
"""Where labels meet the transactions of a case: from all labels, or from some of its blocks."""


def read_exposures(connection: Connection, facts: CaseFacts, block_ids: Collection[int] | None = None) -> None:
    """Counterparties of the case's transactions that a label in force calls sanctioned or a mixer.

    block_ids: take in those blocks' only, None: read all anew.
    """
    names = " OR ".join(f"instr(lower({{0}}category), '{name}')" for name in sorted(SANCTIONED | MIXING))
    there = connection.execute(text(f"SELECT EXISTS (SELECT 1 FROM label WHERE {names.format('')})"))
    if not there.scalar_one():
        facts.exposures = []
        return
    where = FROM_LABELS if block_ids is None else FROM_BLOCKS
    some = "" if block_ids is None else f" AND e.block_id IN ({', '.join(map(str, block_ids))})"
    rows = connection.execute(
        text(
            f"SELECT DISTINCT m.id, coalesce(h.address, lower(hex(h.key))), l.category, l.label, p.title {where}{some}"
            f" AND ({names.format('l.')}) ORDER BY m.id"
        ),
        {"c": facts.id},
    )
    found = [Exposure(*row) for row in rows]
    facts.exposures = found if block_ids is None else [*facts.exposures, *found]
