"""Writes and reads who vouched for which hash, what was refused, and how it was settled."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text

from tracer.store.chains import ChainHandle
from tracer.store.rows import insert_many
from tracer.store.vouched import (
    AgreementRow,
    FinalityViolationRow,
    RefusedBlockRow,
    SettlementRow,
    SourceDisagreementRow,
    VouchRow,
)
from tracer.types import Hash
from tracer.vouching import Differs

OTHER_SOURCE, RETRY, FOLLOW, KEEP = "other source", "retry", "follow", "keep"
"""How something is settled; see `SettlementRow`."""

NODE, PIN = "node", "pin"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refused block; hash: empty where none was named. settled: somehow; retried: the node counts as repaired."""

    id: int
    source: str
    height: int
    hash: bytes
    reason: str
    settled: bool
    retried: bool


@dataclass(frozen=True, slots=True)
class Violation:
    """Another block where ours is final; fork_height: the last height that both share, None if none here."""

    id: int
    source: str
    fork_height: int | None
    ours: Hash
    theirs: Hash
    final_height: int
    settled: bool


def register_sources(
    connection: Connection,
    chain: ChainHandle,
    nodes: Sequence[tuple[str, str]],
    pins: Sequence[tuple[int, Hash]],
    agree: int,
    now: int,
) -> dict[str, int]:
    """Note the configured nodes (name, place) and pinned hashes, and how many must agree; returns row ids by name.

    What was configured before stays, as not active; its disagreements are over.
    """
    wanted = [(name, NODE, place) for name, place in nodes]
    wanted += [(pin_name(height, pinned), PIN, "") for height, pinned in pins]
    connection.execute(text("UPDATE source SET active = 0 WHERE chain_id = :c"), {"c": chain.id})
    for name, kind, place in wanted:
        connection.execute(
            text(
                "INSERT INTO source (chain_id, name, kind, place, active) VALUES (:c, :name, :kind, :place, 1)"
                " ON CONFLICT (chain_id, name) DO UPDATE SET place = excluded.place, active = 1"
            ),
            {"c": chain.id, "name": name, "kind": kind, "place": place},
        )
    connection.execute(
        text(
            "UPDATE source_disagreement SET ended_at = :now WHERE ended_at IS NULL AND source_id IN"
            " (SELECT id FROM source WHERE chain_id = :c AND NOT active)"
        ),
        {"c": chain.id, "now": now},
    )
    rows = connection.execute(text("SELECT name, id FROM source WHERE chain_id = :c"), {"c": chain.id})
    ids = {str(name): int(source_id) for name, source_id in rows}
    for height, pinned in pins:
        if newest_vouch(connection, ids[pin_name(height, pinned)]) is None:
            note_vouch(connection, ids[pin_name(height, pinned)], height, pinned, now)
    last = connection.execute(
        text("SELECT agree, nodes FROM agreement WHERE chain_id = :c ORDER BY id DESC LIMIT 1"), {"c": chain.id}
    ).first()
    if last is None or tuple(last) != (agree, len(nodes)):
        row = (chain.id, agree, len(nodes), now)
        insert_many(connection, AgreementRow, "chain_id agree nodes since", [row])
    return ids


def pin_name(height: int, pinned: Hash) -> str:
    """How a pinned hash is named among the sources."""
    return f"pin {height}:0x{pinned.hex()}"


def note_vouch(connection: Connection, source_id: int, height: int, shown: Hash, now: int) -> None:
    """Append that a source showed a hash at a height."""
    insert_many(connection, VouchRow, "source_id height hash at", [(source_id, height, shown, now)])


def newest_vouch(connection: Connection, source_id: int) -> tuple[int, Hash] | None:
    """What a source showed last."""
    row = connection.execute(
        text("SELECT height, hash FROM vouch WHERE source_id = :s ORDER BY id DESC LIMIT 1"), {"s": source_id}
    ).first()
    return None if row is None else (int(row[0]), Hash(bytes(row[1])))


def vouched_height(connection: Connection, source_id: int) -> int:
    """The height of the newest of our canonical blocks at or below what a source showed last; -1 if there is none."""
    found = connection.execute(
        text(
            "WITH RECURSIVE back (chain_id, height, parent, canonical) AS ("
            " SELECT b.chain_id, b.height, b.parent, b.canonical FROM vouch v JOIN source s ON s.id = v.source_id"
            " JOIN block b ON b.chain_id = s.chain_id AND b.hash = v.hash"
            " WHERE v.id = (SELECT max(id) FROM vouch WHERE source_id = :s)"
            " UNION ALL SELECT b.chain_id, b.height, b.parent, b.canonical FROM back JOIN block b"
            " ON b.chain_id = back.chain_id AND b.hash = back.parent WHERE NOT back.canonical)"
            " SELECT height FROM back WHERE canonical"
        ),
        {"s": source_id},
    ).scalar()
    return -1 if found is None else int(found)


def open_disagreement(connection: Connection, source_id: int) -> Differs | None:
    """The disagreement with a source that has not ended."""
    row = connection.execute(
        text("SELECT height, ours, theirs FROM source_disagreement WHERE source_id = :s AND ended_at IS NULL"),
        {"s": source_id},
    ).first()
    return None if row is None else Differs(int(row[0]), Hash(bytes(row[1])), Hash(bytes(row[2])))


def begin_disagreement(connection: Connection, source_id: int, found: Differs, now: int) -> None:
    """Append that a source shows another block than ours."""
    row = (source_id, found.height, found.ours, found.theirs, now)
    insert_many(connection, SourceDisagreementRow, "source_id height ours theirs seen_at", [row])


def end_disagreement(connection: Connection, source_id: int, now: int) -> None:
    """Note that the disagreement with a source is over."""
    connection.execute(
        text("UPDATE source_disagreement SET ended_at = :now WHERE source_id = :s AND ended_at IS NULL"),
        {"now": now, "s": source_id},
    )


def refuse(
    connection: Connection,
    chain: ChainHandle,
    source_id: int,
    block: tuple[int, bytes],
    reason: str,
    evidence: bytes,
    now: int,
) -> bool:
    """Keep a refused block (height, hash); False if it stands there already, from the same source and unsettled."""
    height, block_hash = block
    known = connection.execute(
        text(
            "SELECT 1 FROM refused_block r WHERE r.source_id = :s AND r.height = :h AND r.hash = :hash AND r.reason ="
            " :reason AND NOT EXISTS (SELECT 1 FROM settlement t WHERE t.refused_id = r.id)"
        ),
        {"s": source_id, "h": height, "hash": block_hash, "reason": reason},
    ).first()
    if known is None:
        row = (chain.id, source_id, height, block_hash, reason, evidence, now)
        insert_many(connection, RefusedBlockRow, "chain_id source_id height hash reason evidence at", [row])
    return known is None


def refusals(connection: Connection, chain_id: int | None = None, refused_id: int | None = None) -> list[Refusal]:
    """The blocks refused on a chain, or the one of a number, oldest first."""
    rows = connection.execute(
        text(
            "SELECT r.id, s.name, r.height, r.hash, r.reason, count(t.id), coalesce(sum(t.how = :retry), 0)"
            " FROM refused_block r JOIN source s ON s.id = r.source_id LEFT JOIN settlement t ON t.refused_id = r.id"
            " WHERE (:c IS NULL OR r.chain_id = :c) AND (:id IS NULL OR r.id = :id)"
            " GROUP BY r.id, s.name, r.height, r.hash, r.reason ORDER BY r.id"
        ),
        {"c": chain_id, "id": refused_id, "retry": RETRY},
    )
    return [
        Refusal(int(row[0]), row[1], int(row[2]), bytes(row[3]), row[4], bool(row[5]), bool(row[6])) for row in rows
    ]


def settle_refusal(connection: Connection, refused_id: int, how: str, actor: str, reason: str, now: int) -> None:
    """Append how a refused block was settled."""
    insert_many(connection, SettlementRow, "refused_id how actor reason at", [(refused_id, how, actor, reason, now)])


def note_violation(
    connection: Connection, chain: ChainHandle, source_id: int, fork_height: int | None, found: Differs, now: int
) -> None:
    """Append that a source showed another block where ours is final."""
    [final] = connection.execute(text("SELECT final_height FROM follower WHERE chain_id = :c"), {"c": chain.id}).one()
    row = (chain.id, source_id, fork_height, found.ours, found.theirs, final, now)
    columns = "chain_id source_id fork_height ours theirs final_height at"
    insert_many(connection, FinalityViolationRow, columns, [row])


def newest_violation(connection: Connection, chain_id: int) -> Violation | None:
    """The last broken finality of a chain, settled or not."""
    row = connection.execute(
        text(
            "SELECT v.id, s.name, v.fork_height, v.ours, v.theirs, v.final_height, EXISTS (SELECT 1 FROM settlement t"
            " WHERE t.violation_id = v.id) FROM finality_violation v JOIN source s ON s.id = v.source_id"
            " WHERE v.chain_id = :c ORDER BY v.id DESC LIMIT 1"
        ),
        {"c": chain_id},
    ).first()
    if row is None:
        return None
    return Violation(int(row[0]), row[1], row[2], Hash(bytes(row[3])), Hash(bytes(row[4])), int(row[5]), bool(row[6]))


def keep_ours(connection: Connection, found: Violation, actor: str, reason: str, now: int) -> None:
    """Append that a broken finality was settled by staying with our blocks: the node was wrong."""
    insert_many(connection, SettlementRow, "violation_id how actor reason at", [(found.id, KEEP, actor, reason, now)])


def settle_violation(
    connection: Connection, chain_id: int, found: Violation, actor: str, reason: str, now: int
) -> None:
    """Append that a broken finality was settled by following the other branch, and lower the marks to the fork.

    This is the one place where a final mark moves back; it is the recorded exception.
    """
    row = (found.id, FOLLOW, actor, reason, now)
    insert_many(connection, SettlementRow, "violation_id how actor reason at", [row])
    connection.execute(
        text(
            "UPDATE follower SET final_height = :fork, confirmed_height = min(confirmed_height, :fork),"
            " peak_height = :fork, final_id ="
            " (SELECT id FROM block WHERE chain_id = :c AND height = :fork AND canonical) WHERE chain_id = :c"
        ),
        {"fork": found.fork_height, "c": chain_id},
    )
