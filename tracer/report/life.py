"""Answers what was observed of transfers, and when: each one's state, or the whole life of one, as of any instant."""

from datetime import datetime

from tracer.report.answer import Answer, Row
from tracer.report.places import begin, case_chains
from tracer.report.references import SHORTENED, TXID, UnknownRef
from tracer.store.reader import Reader

OF_ONE = """SELECT e.*, p.confirmed AS policy_confirmed, p.final AS policy_final FROM v_transfer_event e
    LEFT JOIN v_policy p ON p.policy_id = e.policy_id
    WHERE e.txid_bytes = :txid AND e.at <= :at ORDER BY e.event_id"""
OF_ALL = """SELECT e.*, p.confirmed AS policy_confirmed, p.final AS policy_final FROM v_transfer_event e
    LEFT JOIN v_policy p ON p.policy_id = e.policy_id WHERE e.at <= :at AND e.txid_bytes IN (
        SELECT txid_bytes FROM v_transfer_all WHERE :case_ref IN (case_ref, '')
        UNION SELECT txid_bytes FROM v_pending_all WHERE :case_ref IN (case_ref, '')
    ) AND NOT EXISTS (
        SELECT 1 FROM v_transfer_event n
        WHERE n.txid_bytes = e.txid_bytes AND n.chain = e.chain AND n.event_id > e.event_id AND n.at <= :at
    ) ORDER BY e.event_id"""
INTENDED = "SELECT * FROM v_pending_all WHERE txid_bytes = :txid ORDER BY case_ref, kind, idx, direction"
NAMED = """SELECT lower(hex(txid)) FROM tx WHERE hex(txid) LIKE :l
    UNION SELECT lower(hex(txid)) FROM pending_tx WHERE hex(txid) LIKE :l"""
FOREVER = 2**62


def life(reader: Reader, ref: str | None, case_ref: str | None, at: int | None) -> Answer:
    """Answer from events alone what was known: of one transaction everything, else the last state of every transfer.

    at: an instant, seconds since 1970 by the daemon's wall clock; None: now. Raises UnknownRef.
    """
    answer = begin(reader, "life", case_chains(reader, case_ref))
    until = FOREVER if at is None else at
    if ref is None:
        events = reader.rows(OF_ALL, at=until, case_ref=case_ref or "")
        txid, intended = None, list[Row]()
    else:
        txid = bytes.fromhex(named(reader, ref))
        events = reader.rows(OF_ONE, at=until, txid=txid)
        intended = [row for row in reader.rows(INTENDED, txid=txid) if row["first_seen"] <= until]
    answer.data = {"at": at, "txid": None if txid is None else txid.hex(), "events": events, "intended": intended}
    return answer


def named(reader: Reader, ref: str) -> str:
    """The transaction id that a reference names, in full; raises UnknownRef."""
    match = TXID.fullmatch(ref)
    if match is not None:
        return match[1].lower()
    parts = SHORTENED.fullmatch(ref)
    names = [] if parts is None else [row[0] for row in reader.raw(NAMED, l=f"{parts[1]}%{parts[2]}")]
    if len(names) != 1:
        raise UnknownRef(
            f"{ref!r} is not the id of one transaction", "Give it in full; `tracer life` without one lists all."
        )
    return str(names[0])


def instant(text: str) -> int:
    """Read an instant: ISO 8601 with its offset from UTC, such as 2026-06-01T08:00:00Z; raises ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} does not say its offset from UTC; write it like 2026-06-01T08:00:00Z")
    return int(moment.timestamp())
