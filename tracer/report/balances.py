"""What balance checks add to an answer: whether value moved unobserved, and which blocks read by hits they close."""

from collections.abc import Iterable, Sequence

from tracer.proof.balances import shown
from tracer.proof.keccak import keccak
from tracer.proof.trie import BadProof
from tracer.report.answer import CONTRADICTED, NOT_SHOWN, SHOWN, Check, Row, money
from tracer.report.spans import uncovered
from tracer.store.counting import HELD
from tracer.store.reader import Reader
from tracer.types import Lane

KEYS = f"""SELECT DISTINCT w.holder_id, h.key, coalesce(h.address, lower(hex(h.key))) AS address FROM watch w
    JOIN holder h ON h.id = w.holder_id WHERE w.case_id = :case AND h.chain_id = :c AND w.role IN ({HELD})"""
"""The holders whose balances a case counts as held, on one chain."""

NEWEST = """SELECT k.holder_id, b.height, b.hash, b.header, k.balance, k.lane, k.proof FROM (
        SELECT k.*, row_number() OVER (PARTITION BY k.holder_id ORDER BY e.height DESC) AS place FROM balance_check k
        JOIN block e ON e.id = k.block_id AND e.canonical JOIN asset a ON a.id = k.asset_id WHERE a.caip19 = :asset
    ) k JOIN block b ON b.id = k.block_id WHERE k.place = 1"""

DRIFT = """SELECT k.holder_id, k.unobserved FROM balance_check k JOIN block b ON b.id = k.block_id AND b.canonical
    JOIN asset a ON a.id = k.asset_id WHERE a.caip19 = :asset AND k.unobserved != '0' AND b.height > :since"""


def value_check(reader: Reader, case: Row, row: Row, case_id: int, chain_id: int) -> Check:
    """Check that the balances of a case's holders changed by what was observed; row: of v_conservation.

    Proofs are worked out anew under the hashes of their blocks.
    """
    subject = f"{case['case_ref']} {case['chain']} {row['symbol']}"
    keys = {number: (key, address) for number, key, address in holders(reader, case_id, chain_id)}
    drift: dict[int, int] = {}
    for number, amount in reader.raw(DRIFT, asset=row["asset"], since=case["seizure_height"]):
        if number in keys:
            drift[number] = drift.get(number, 0) + int(amount)
    newest = {found[0]: found for found in reader.raw(NEWEST, asset=row["asset"]) if found[0] in keys}
    faults = [f"{keys[n][1]}: {fault}" for n, found in newest.items() if (fault := fault_of(found, keys[n][0], row))]
    if faults:
        return Check("VALUE-1", subject, CONTRADICTED, f"the proof of a balance does not stand: {faults[0]}")
    if lost := -sum(amount for amount in drift.values() if amount < 0):
        return Check("VALUE-1", subject, CONTRADICTED, f"{money(lost, row)} left custody and nobody saw it go")
    if drift:
        said = f"balances changed by {money(sum(drift.values()), row)} that nobody saw move"
        return Check("VALUE-1", subject, NOT_SHOWN, said)
    if missing := len(keys) - len(newest):
        return Check("VALUE-1", subject, NOT_SHOWN, f"{missing} of {len(keys)} balances were never checked")
    proven = sum(found[5] == Lane.PROVEN for found in newest.values())
    heights = [found[1] for found in newest.values()]
    said = f"{proven} of {len(keys)} balances proven, the others reported, at block {min(heights, default=0)} or later"
    return Check("VALUE-1", subject, SHOWN, f"{said}: all changes were observed")


def fault_of(found: Sequence[object], holder: bytes, row: Row) -> str | None:
    """What is wrong with a balance that is called PROVEN; None if nothing is, or a node said it."""
    _, _, block, header, balance, lane, proof = found
    if lane != Lane.PROVEN:
        return None
    if not isinstance(header, bytes) or not isinstance(proof, bytes):
        return "no proof is stored"
    account = holder if "/slip44:" in row["asset"] else bytes.fromhex(row["asset"].rpartition("0x")[2])
    try:
        if keccak(header) != block:
            return "the stored header is not the block's"
        now, _ = shown(proof, header, account, holder)
    except BadProof as error:
        return str(error)
    return None if now.amount == int(str(balance)) else f"{now.amount} is proven where {balance} is stored"


def holders(reader: Reader, case_id: int, chain_id: int) -> list[tuple[int, bytes, str]]:
    """Number, bytes and address of the holders whose balances a case counts as held."""
    return [(int(row[0]), bytes(row[1]), str(row[2])) for row in reader.raw(KEYS, case=case_id, c=chain_id)]


def left_open(
    reader: Reader, case: Row, asset: str, case_id: int, chain_id: int, spans: Iterable[Row]
) -> list[tuple[str, int, int]]:
    """Which blocks above B0 that were read by their hits no proofs close, per holder (address, from, to)."""
    light = [
        (max(int(span["from_height"]), case["seizure_height"] + 1), int(span["to_height"]))
        for span in spans
        if span["checked"] == "header"
    ]
    if not any(first <= last for first, last in light):
        return []
    closed: dict[int, list[tuple[int, int]]] = {}
    for number, first, last in reader.raw(
        "SELECT s.holder_id, s.from_height, s.to_height FROM span_closing s JOIN block b ON b.id = s.block_id"
        " AND b.canonical JOIN asset a ON a.id = s.asset_id WHERE a.caip19 = :asset AND s.closed",
        asset=asset,
    ):
        closed.setdefault(number, []).append((first, last))
    return [
        (address, first, last)
        for number, _, address in holders(reader, case_id, chain_id)
        for first, last in uncovered(light, closed.get(number, []))
    ]


def said_open(left: Sequence[tuple[str, int, int]]) -> list[str]:
    """Write what is left open, at most one holder by name."""
    if not left:
        return []
    address, first, last = left[0]
    more = f" and {len(left) - 1} more" if len(left) > 1 else ""
    return [f"blocks {first} to {last} were read by hits and no proofs close them for {address}{more}"]


def closed_spans(reader: Reader, cases: Iterable[Row], spans: Sequence[Row]) -> set[tuple[int, int]]:
    """The spans read by hits that proofs close for every balance that some cases of one chain hold."""
    light = [span for span in spans if span["checked"] == "header"]
    left: list[tuple[str, int, int]] = []
    asked = list(cases) if light else []
    if not asked:
        return set()  # what nobody proved anything of is not closed
    for case in asked:
        [(case_id,)] = reader.raw("SELECT id FROM cases WHERE ref = :ref", ref=case["case_ref"])
        [(chain_id,)] = reader.raw("SELECT id FROM chain WHERE name = :name", name=case["chain"])
        if not holders(reader, int(case_id), int(chain_id)):
            return set()
        for (asset,) in reader.raw(
            "SELECT caip19 FROM asset WHERE chain_id = :c AND kind IN ('native', 'listed')", c=chain_id
        ):
            left += left_open(reader, case, asset, int(case_id), int(chain_id), light)
    ends = [(int(span["from_height"]), int(span["to_height"])) for span in light]
    return {(a, b) for a, b in ends if not any(first <= b and a <= last for _, first, last in left)}
