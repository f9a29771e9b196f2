"""Answers what the heuristics link around a transaction, an address or a case: INFERRED, and never an amount."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from tracer.attribution.cospend import clusters
from tracer.attribution.deposit import payments_of
from tracer.attribution.labels import Label
from tracer.attribution.nouns import METHODS, Link, Payment
from tracer.attribution.reading import VERSIONS, links_of_coins, links_of_payments
from tracer.report.answer import Answer, Row
from tracer.report.labelled import in_force, is_exchange
from tracer.report.places import begin, case_chains
from tracer.report.references import in_full, movements_of
from tracer.store.labelled import labels_in_force
from tracer.store.reader import Reader
from tracer.store.shapes import Stored, around, coins_of, numbers, payments_among
from tracer.types import Lane

HOPS = 6
"""How far from what was asked for transactions are read, so that chains of them are seen whole."""

MOST = 2_000
"""Transactions that are read at most."""

OF_CASE = """SELECT e.tx_id FROM entry e JOIN block b ON b.id = e.block_id AND b.canonical
    WHERE e.case_id = :case AND e.tx_id IS NOT NULL
    UNION SELECT m.tx_id FROM trace_edge d JOIN trace_run r ON r.id = d.run_id AND r.case_id = :case
    JOIN movement m ON m.id = d.to_id JOIN block b ON b.id = m.block_id AND b.canonical WHERE m.tx_id IS NOT NULL"""
PARTIES = """SELECT m.source_id FROM movement m WHERE m.id IN ({numbers}) AND m.source_id IS NOT NULL
    UNION SELECT m.target_id FROM movement m WHERE m.id IN ({numbers}) AND m.target_id IS NOT NULL"""
MOVED = """SELECT m.id FROM tx t JOIN movement m ON m.block_id = t.block_id AND m.kind IN (3, 4)
    AND coalesce(m.tx_id, 0) = t.id WHERE t.id IN ({numbers})"""


@dataclass(frozen=True, slots=True)
class Around:
    """What was read around a reference. core: the ids of the transactions that it names."""

    core: frozenset[bytes]
    stored: list[Stored]
    payments: dict[str, list[Payment]]
    cut: bool


def links(reader: Reader, ref: str, off: Collection[str] = ()) -> Answer:
    """Answer what the methods that are not `off` link around a reference; raises UnknownRef."""
    cases = case_chains(reader, None)
    whole = [row for row in cases if row["case_ref"] == ref]
    answer = begin(reader, "links", whole or cases)
    ref = ref if whole else in_full(reader, ref)
    seen = read_around(reader, _of_case(reader, ref) if whole else _named(reader, ref))
    used = list(labels_in_force(reader.connection))
    known = frozenset(one.holder for one in used if one.holder is not None and is_exchange(one))
    known |= {bytes.fromhex(h) for (h,) in reader.raw("SELECT holder FROM v_watch WHERE role = 'exchange'")}
    methods = [method for method in METHODS if method not in off]
    found = [link for link in infer(seen, known, methods) if _concerns(link, seen)]
    people = _People.read(reader, used)
    where = {one.shape.txid: (one.chain, one.height) for one in seen.stored}
    where |= {one.txid: (chain, one.at) for chain, payments in seen.payments.items() for one in payments}
    answer.data = {
        "ref": ref,
        "methods": [{"method": method, "version": VERSIONS[method]} for method in methods],
        "off": [method for method in METHODS if method in off],
        "links": [_row(link, where, people) for link in found],
        "clusters": [
            {
                "holders": [people.row(holder) for holder in sorted(cluster.holders)],
                "txids": [txid.hex() for txid in cluster.txids],
                "lane": Lane.INFERRED.name,
            }
            for cluster in clusters(found)
            if len(cluster.holders) > 1
        ],
        "counts": dict(Counter(link.method for link in found)),
        **in_force(used),
    }
    answer.lanes.append(Lane.INFERRED.name)
    parts = sum(not one.whole for one in seen.stored)
    if parts:
        answer.left_out.append(
            {"what": f"{parts} transactions around it", "why": "stored in part: their inputs are not"}
        )
    if seen.cut:
        answer.left_out.append({"what": "transactions further away", "why": f"at most {MOST} are read"})
    return answer


def infer(seen: Around, known: Collection[bytes], methods: Collection[str]) -> list[Link]:
    """Run the methods over what was read. known: addresses of exchanges."""
    found = links_of_coins([one.shape for one in seen.stored if one.whole], known, methods)
    for chain in dict.fromkeys(one.chain for one in seen.stored):
        here = [(one.shape, one.height) for one in seen.stored if one.chain == chain]
        found += links_of_payments(payments_of(here, known, chain), known, methods)
    for payments in seen.payments.values():
        found += links_of_payments(payments, known, methods)
    return found


def read_around(reader: Reader, core: Collection[int]) -> Around:
    """Read what is around some transactions (row numbers)."""
    near, cut = around(reader, core, HOPS, MOST)
    moved = numbers(reader, MOVED, near)
    holders = numbers(reader, PARTIES, moved)
    txids = reader.among("SELECT lower(hex(txid)) AS txid FROM tx WHERE id IN ({numbers})", sorted(core))
    named = frozenset(bytes.fromhex(row["txid"]) for row in txids)
    return Around(named, coins_of(reader, near), payments_among(reader, holders), cut)


def _of_case(reader: Reader, ref: str) -> set[int]:
    [(case,)] = reader.raw("SELECT id FROM cases WHERE ref = :ref", ref=ref)
    return {int(number) for (number,) in reader.raw(OF_CASE, case=case)}


def _named(reader: Reader, ref: str) -> set[int]:
    moved = [row["movement_id"] for row in movements_of(reader, ref) if row["canonical"]]
    sql = "SELECT tx_id FROM movement WHERE id IN ({numbers}) AND tx_id IS NOT NULL"
    core = numbers(reader, sql, moved)
    spent = "SELECT tx_id FROM movement WHERE spends_id IN ({numbers}) AND tx_id IS NOT NULL"
    return core if ":" in ref or _is_txid(ref) else core | numbers(reader, spent, moved)


def _is_txid(ref: str) -> bool:
    return len(ref.removeprefix("0x")) == 64


def _concerns(link: Link, seen: Around) -> bool:
    """Whether a link is about what was asked for: one of its transactions caused it, or made a holder of it."""
    if link.txid in seen.core:
        return True
    paid = {coin.holder for one in seen.stored if one.shape.txid in seen.core for coin in one.shape.outputs}
    paid |= {one.target or b"" for payments in seen.payments.values() for one in payments if one.txid in seen.core}
    return not paid.isdisjoint(link.holders)


def _row(link: Link, where: dict[bytes, tuple[str, int]], people: "_People") -> Row:
    chain, height = where[link.txid]
    return {
        "method": link.method,
        "version": link.version,
        "claim": link.claim,
        "txid": link.txid.hex(),
        "chain": chain,
        "height": height,
        "holders": [people.row(holder) for holder in link.holders],
        "parameters": dict(link.parameters),
        "confidence": link.confidence,
        "reason": link.reason,
        "lane": Lane.INFERRED.name,
    }


@dataclass(frozen=True, slots=True)
class _People:
    """What is known about holders by others: labels, watches, and how their addresses are written."""

    addresses: dict[bytes, str]
    watches: dict[bytes, str]
    labels: dict[bytes, list[Label]]

    @classmethod
    def read(cls, reader: Reader, used: list[Label]) -> "_People":
        told: dict[bytes, list[Label]] = {}
        for label in used:
            if label.holder is not None:
                told.setdefault(label.holder, []).append(label)
        pairs = reader.raw("SELECT holder, address FROM v_holder")
        watched = reader.raw("SELECT holder, watch_ref FROM v_watch")
        return cls(
            {bytes.fromhex(holder): address for holder, address in pairs},
            {bytes.fromhex(holder): ref for holder, ref in watched},
            told,
        )

    def row(self, holder: bytes) -> Row:
        said = [
            {"label": one.label, "category": one.category, "pack_sha256": one.pack.hex()}
            for one in self.labels.get(holder, ())
        ]
        address = self.addresses.get(holder, holder.hex())
        return {"holder": holder.hex(), "address": address, "watch_ref": self.watches.get(holder), "labels": said}
