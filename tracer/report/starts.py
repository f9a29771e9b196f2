"""Where a reading command begins: the coins or payments that a reference names, chain by chain, and whose they are."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from tracer.report.answer import NOT_SHOWN, Answer, Check, Row
from tracer.report.references import OUTPUT, TXID, holders_named, in_full, movements_of
from tracer.store.reader import Reader
from tracer.store.traceread import among

UTXO = "bitcoin"
"""The family of chains on which value is in coins."""

COUNTED = ("native", "listed")
DETAIL = """SELECT m.movement_id, m.outpoint, m.txid, m.idx, m.kind, m.height, m.amount, m.asset, m.symbol, m.decimals,
    m.source, m.target AS address, m.target_id, m.canonical FROM v_movement_all m WHERE m.movement_id IN ({numbers})"""
TARGETS = "SELECT id, target_id FROM movement WHERE id IN ({numbers})"
WATCHES = "SELECT holder_id AS holder, case_ref, watch_ref, role FROM v_watch WHERE holder_id IN ({numbers})"
HOLDERS = "SELECT holder_id AS holder, address FROM v_holder WHERE holder_id IN ({numbers})"


@dataclass(frozen=True, slots=True)
class Start:
    """What a reference names on one chain: coins, or payments, by movement number; and holders, if it names some."""

    ref: str
    chain_id: int
    chain: str
    family: str
    movements: tuple[int, ...]
    holders: tuple[int, ...] = ()

    @property
    def utxo(self) -> bool:
        """Whether value is in coins there."""
        return self.family == UTXO


@dataclass(frozen=True, slots=True)
class Named:
    """What a reference names: on each chain where it does, and all its movements, those on dead branches included."""

    ref: str
    starts: tuple[Start, ...]
    movements: tuple[Row, ...]

    @property
    def voided(self) -> bool:
        """Whether all that it names left the chain."""
        return bool(self.movements) and not any(row["canonical"] for row in self.movements)


def named(reader: Reader, ref: str) -> Named:
    """Find what a reference names; raises UnknownRef."""
    ref = in_full(reader, ref)
    rows = movements_of(reader, ref)
    bare = ref.removeprefix("0x").lower()
    holders = [] if OUTPUT.fullmatch(bare) or TXID.fullmatch(ref) else holders_named(reader, ref)
    chains = {name: (number, family) for number, name, family in reader.raw("SELECT id, name, family FROM chain")}
    owner = dict(
        reader.raw(
            "SELECT h.id, c.name FROM holder h JOIN chain c ON c.id = h.chain_id"
            f" WHERE h.id IN ({', '.join(str(int(number)) for number in holders) or 'NULL'})"
        )
    )
    starts: list[Start] = []
    for name, (number, family) in chains.items():
        kinds = ("out",) if family == UTXO else ("trace", "log", "withdrawal", "reward")
        moved = tuple(
            sorted(
                row["movement_id"]
                for row in rows
                if row["chain"] == name
                and row["canonical"]
                and row["kind"] in kinds
                and row["asset_class"] in COUNTED
                and row["target"] is not None
            )
        )
        mine = tuple(holder for holder in holders if owner.get(holder) == name)
        if moved or mine or any(row["chain"] == name for row in rows):
            starts.append(Start(ref, number, name, family, moved, mine))
    return Named(ref, tuple(starts), tuple(rows))


def say_voided(answer: Answer, found: Named) -> None:
    """Say in an answer where all that a reference names left the chain."""
    if found.voided:
        answer.checks.append(Check("REORG-1", found.ref, NOT_SHOWN, "voided by reorg: its block left the chain"))


def details(reader: Reader, numbers: Iterable[int], case_ref: str | None = None) -> dict[int, Row]:
    """Movements as people read them, by number, with the watch on who received them, in a case (None: in any)."""
    found: dict[int, Row] = {}
    receivers: dict[int, int] = {}
    listed = sorted(set(numbers))
    targets = dict(map(tuple, among(reader.connection, TARGETS, listed)))
    for row in reader.among(DETAIL, listed):
        found[row["movement_id"]] = {**row, "watch_ref": None, "role": None}
        if targets[row["movement_id"]] is not None:
            receivers[row["movement_id"]] = targets[row["movement_id"]]
    watches = watched(reader, set(receivers.values()), case_ref)
    for number, holder in receivers.items():
        found[number] |= watches.get(holder, {})
    return found


def watched(reader: Reader, holders: Collection[int], case_ref: str | None = None) -> dict[int, Row]:
    """The watch on each of some holders, in a case (None: in any): its name and role."""
    found: dict[int, Row] = {}
    for row in reader.among(WATCHES, sorted(holders)):
        if case_ref in (None, row["case_ref"]):
            found.setdefault(row["holder"], {"watch_ref": row["watch_ref"], "role": row["role"]})
    return found


def accounts(reader: Reader, spots: Collection[tuple[int, int]], case_ref: str | None = None) -> dict[object, Row]:
    """Accounts and assets as people read them, by (holder, asset): who, what, and the watch on it."""
    known = {row["holder"]: row["address"] for row in reader.among(HOLDERS, sorted({holder for holder, _ in spots}))}
    watches = watched(reader, {holder for holder, _ in spots}, case_ref)
    kinds = assets(reader)
    nobody = {"watch_ref": None, "role": None}
    return {
        (holder, asset): {"address": known[holder], **watches.get(holder, nobody), **kinds[asset]}
        for holder, asset in spots
    }


def assets(reader: Reader) -> dict[int, Row]:
    """All assets by number: id, symbol and decimals."""
    return {
        number: {"asset": caip19, "symbol": symbol, "decimals": decimals}
        for number, caip19, symbol, decimals in reader.raw("SELECT id, caip19, symbol, decimals FROM asset")
    }
