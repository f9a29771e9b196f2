"""Works the stored proofs out anew for an answer: of transactions that it rests on, of headers above the anchor."""

from collections.abc import Iterator
from itertools import groupby

from tracer.proof.headers import HeaderChain
from tracer.proof.networks import NETWORKS
from tracer.proof.recheck import recheck
from tracer.proof.shown import Shown
from tracer.report.answer import CONTRADICTED, SHOWN, Check, Row
from tracer.store.headerchain import load_anchor
from tracer.store.reader import Reader
from tracer.types import Hash, Kind, Lane, outpoint

RESTS_ON = """SELECT e.tx_id FROM entry e WHERE e.case_id = :case AND e.tx_id IS NOT NULL
    UNION SELECT m.tx_id FROM trace_run r JOIN trace_edge t ON t.run_id = r.id JOIN movement m ON m.id = t.to_id
    WHERE r.case_id = :case AND r.chain_id = :c"""
"""Transactions that a case's ledger or traces name."""

MADE_BY = f"""WITH named AS ({RESTS_ON}) SELECT tx_id FROM named UNION SELECT o.tx_id FROM named
    JOIN movement i ON i.tx_id = named.tx_id JOIN movement o ON o.id = i.spends_id"""
"""With those that made the coins they spend."""

STORED = f"""SELECT t.id, f.family, b.header, b.hash, t.txid, t.position, t.raw, t.proof, m.kind, m.idx, m.amount,
    m.lane, s.key, g.key, coalesce(ot.txid, m.spent_txid), coalesce(o.idx, m.spent_idx), o.amount,
    o.target_id = m.source_id
    FROM ({MADE_BY}) n JOIN tx t ON t.id = n.tx_id JOIN block b ON b.id = t.block_id AND b.canonical
    JOIN chain f ON f.id = b.chain_id JOIN movement m ON m.tx_id = t.id
    LEFT JOIN holder s ON s.id = m.source_id LEFT JOIN holder g ON g.id = m.target_id
    LEFT JOIN movement o ON o.id = m.spends_id LEFT JOIN tx ot ON ot.id = o.tx_id
    WHERE b.chain_id = :c ORDER BY t.id, m.id"""


def proven_anew(reader: Reader, case: Row) -> Iterator[Check]:
    """Check the proofs of all transactions that a case rests on, on one chain; none where none has a proof."""
    if case["chain"] is None:
        return
    [(case_id,)] = reader.raw("SELECT id FROM cases WHERE ref = :ref", ref=case["case_ref"])
    [(chain_id,)] = reader.raw("SELECT id FROM chain WHERE name = :name", name=case["chain"])
    faults, proven, told = list[str](), 0, 0
    for _, rows in groupby(reader.raw(STORED, case=case_id, c=chain_id), key=lambda row: row[0]):
        moves = list(rows)
        claimed = any(row[11] == Lane.PROVEN for row in moves)
        if moves[0][7] is None and not claimed:
            told += 1
            continue
        fault = _fault(moves)
        proven += fault is None
        faults += [] if fault is None else [f"transaction {_named(moves[0][4])}: {fault}"]
    subject = f"{case['case_ref']} {case['chain']}"
    if faults:
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        yield Check("PROOF-1", subject, CONTRADICTED, faults[0] + more)
    elif proven:
        beside = f"; {told} rest on what a node said" if told else ""
        yield Check("PROOF-1", subject, SHOWN, f"{proven} transactions proven anew under their blocks' hashes{beside}")


def _fault(moves: list[tuple[object, ...]]) -> str | None:
    """What is wrong with a stored transaction and the movements that are called proven; None if nothing is."""
    _, family, header, block, txid, position, raw, proof = moves[0][:8]
    if header is None or proof is None:
        return "it is called PROVEN, and no proof is stored"
    if not (isinstance(header, bytes) and isinstance(proof, bytes) and isinstance(raw, bytes)):
        return "its header, bytes or proof are stored as text"
    if not (isinstance(block, bytes) and isinstance(txid, bytes) and isinstance(position, int)):
        return "its block, id or position are stored as text"
    try:
        shown = [_shown(row) for row in moves if row[11] == Lane.PROVEN]
    except ValueError as error:
        return f"a movement has no number: {error}"
    return recheck(str(family), header, block, txid, position, raw, proof, shown)


def _named(key: object) -> str:
    return key.hex() if isinstance(key, bytes) else repr(key)


def _shown(row: tuple[object, ...]) -> Shown:
    kind, index, amount, _, source, target, spent, spent_index, made, same = row[8:]
    spends = None
    if isinstance(spent, bytes) and isinstance(spent_index, int):
        spends = outpoint(Hash(spent), spent_index)
    fits = kind != Kind.IN or (made == amount and bool(same))
    return Shown(Kind(int(str(kind))), int(str(index)), int(str(amount)), _bytes(source), _bytes(target), spends, fits)


def _bytes(value: object) -> bytes | None:
    return value if isinstance(value, bytes) else None


def headers_anew(reader: Reader, chain: str) -> Iterator[Check]:
    """Check that the stored headers lead from the anchor to the tip by the rules; none where none are kept."""
    [(chain_id, family, genesis)] = reader.raw("SELECT id, family, genesis FROM chain WHERE name = :n", n=chain)
    anchor = load_anchor(reader.connection, chain_id) if family == "bitcoin" else None
    rules = {sha: rules for rules in NETWORKS.values() for sha in [rules.genesis_hash]}.get(bytes(genesis))
    if anchor is None or rules is None:
        return
    headers = HeaderChain(rules)
    headers.begin(anchor[0])
    last = anchor[0]
    for height, block, header in reader.raw(
        "SELECT height, hash, header FROM block WHERE chain_id = :c AND canonical AND height > :h ORDER BY height",
        c=chain_id,
        h=last.height,
    ):
        try:
            last = headers.extend(header if isinstance(header, bytes) else b"")
        except (KeyError, ValueError) as error:
            reason = "does not link" if isinstance(error, KeyError) else str(error)
            yield Check(
                "PROOF-2", chain, CONTRADICTED, f"the stored header of block {height} {_named(block)}: {reason}"
            )
            return
        if (last.height, last.hash) != (height, block):
            yield Check("PROOF-2", chain, CONTRADICTED, f"block {height} is stored with the header of another")
            return
    reason = f"headers verified anew from block {anchor[0].height} to {last.height}, before that from {anchor[1]}"
    yield Check("PROOF-2", chain, SHOWN, reason)
