"""Traces what a reference names alone, as one label over all that is stored: a computation, not a registered run."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field

from tracer.report.answer import CONTRADICTED, NOT_SHOWN, SHOWN, Check, Row
from tracer.report.starts import Start, accounts, details
from tracer.store.anywhere import AnyAccounts, AnyCoins, all_roles
from tracer.store.graph import whole_spans
from tracer.store.openings import openings_of
from tracer.store.reader import Reader
from tracer.store.runs import tip_of
from tracer.taint.alone import AloneResult, Begin, trace_alone
from tracer.taint.boundaries import NO_LIMITS, UNSEEN, Limits
from tracer.taint.forward import ALL_THE_WAY, Bounds
from tracer.taint.history import Result, trace_coins
from tracer.taint.rules import Method
from tracer.taint.run import LIVE, Declaration, End
from tracer.types import AssetId, Holder, Role

TRACED_ALONE = "not a registered run: traced alone, as one label, over all that is stored"
MOST_TOLD = 3

Enough = Callable[[], bool]


@dataclass(slots=True)
class Alone:
    """What became of what a reference names, by one method; begun, reached: units by asset id.

    reached: what came to the coins or payments that the trace was told to end at, by their number.
    """

    start: Start
    method: Method
    done: Result
    begun: dict[str, int]
    converted: dict[str, int] = field(default_factory=dict)
    reached: dict[int, int] = field(default_factory=dict)
    unknown: list[tuple[Holder, AssetId]] = field(default_factory=list)
    asset_of: Callable[[End], str] = lambda _: ""

    def ends(self) -> list[tuple[End, str, int]]:
        """Where it is: each place and reason once, with its asset and its units over all that it began with."""
        poison = self.method is Method.POISON
        found: dict[tuple[object, str, str], tuple[End, str, int]] = {}
        for end in self.done.ends:
            at = (end.place, end.state, end.reason)
            _, asset, had = found.get(at, (end, self.asset_of(end), 0))
            found[at] = end, asset, max(had, end.units) if poison else had + end.units
        return list(found.values())

    def sums(self) -> dict[str, tuple[int, int, int, int]]:
        """By asset: begun, converted, live, leaves; what was reached counts as live."""
        sums: dict[str, list[int]] = {asset: [units, 0, 0, 0] for asset, units in self.begun.items()}
        for asset, units in self.converted.items():
            sums.setdefault(asset, [0, 0, 0, 0])[1] += units
        for end, asset, units in self.ends():
            sums.setdefault(asset, [0, 0, 0, 0])[2 if end.state == LIVE else 3] += units
        return {asset: (row[0], row[1], row[2], row[3]) for asset, row in sums.items() if any(row)}

    def row(self, reader: Reader) -> Row:
        """The trace as it stands in an answer."""
        numbers = {*self.start.movements, *(edge.to_id for edge in self.done.edges)}
        numbers |= {edge.from_id for edge in self.done.edges} | {end.place.row for end, _, _ in self.ends()}
        shown = details(reader, numbers - {0})
        known = {
            asset: {"asset": asset, "symbol": symbol, "decimals": decimals}
            for asset, symbol, decimals in reader.raw("SELECT caip19, symbol, decimals FROM asset")
        }
        sums = [] if self.method is Method.POISON else self.sums().items()
        return {
            "case_ref": None,
            "chain": self.start.chain,
            "method": str(self.method),
            "run": TRACED_ALONE,
            "labels": [],
            "starts": [shown[number] for number in self.start.movements],
            "steps": list(self._steps(shown)),
            "ends": end_rows(reader, self, shown, known),
            "sums": [
                {
                    "label": None,
                    **known[asset],
                    "begun": str(begun),
                    "joined": "0",
                    "converted": str(converted),
                    "live": str(live),
                    "leaves": str(leaves),
                    "exact": begun + converted == live + leaves,
                }
                for asset, (begun, converted, live, leaves) in sums
            ],
        }

    def _steps(self, shown: dict[int, Row]) -> Iterator[Row]:
        """What moved, each pair of movements once."""
        units: dict[tuple[int, int], int] = {}
        for edge in self.done.edges:
            if edge.label is not None:
                pair, had = (edge.to_id, edge.from_id), units.get((edge.to_id, edge.from_id), 0)
                units[pair] = max(had, edge.amount) if self.method is Method.POISON else had + edge.amount
        for seq, ((to_id, from_id), amount) in enumerate(units.items()):
            row, traced = shown[to_id], self.done.rows[to_id]
            yield {
                **{key: row[key] for key in ("height", "txid", "kind", "address", "watch_ref", "role")},
                **{key: row[key] for key in ("asset", "symbol", "decimals")},
                "to_id": to_id,
                "seq": seq,
                "from_id": from_id,
                "from_outpoint": None,
                "from_address": shown[from_id]["source"],
                "to_outpoint": row["outpoint"],
                "label": None,
                "amount": str(amount),
                "hop": traced.hop,
                "boundary": traced.boundary,
                "converted": row["asset"] != shown[from_id]["asset"],
            }

    def checks(self, reader: Reader) -> Iterator[Check]:
        """Check that no unit was lost or made, and that all that it rests on is known."""
        subject = f"{self.start.ref} {self.start.chain} {self.method}"
        if self.method is not Method.POISON:
            wrong = [asset for asset, (begun, made, live, left) in self.sums().items() if begun + made != live + left]
            said = (
                f"units of {wrong[0]} were lost or made"
                if wrong
                else "all units that went in are in live places and leaves"
            )
            yield Check("TRACE-2", subject, CONTRADICTED if wrong else SHOWN, said)
        if self.unknown:
            names = [address_of(reader, holder) for holder, _ in self.unknown[:MOST_TOLD]]
            more = f" and {len(self.unknown) - MOST_TOLD} more" if len(self.unknown) > MOST_TOLD else ""
            said = f"what {', '.join(names)}{more} held before is not stored, and counts as nothing"
            yield Check("COVERAGE", subject, NOT_SHOWN, said)
        lost = [end for end, _, _ in self.ends() if end.reason == UNSEEN]
        if lost:
            said = f"{len(lost)} place{'' if len(lost) == 1 else 's'} reached whose later movements nobody watches"
            yield Check("COVERAGE", subject, NOT_SHOWN, said)


def address_of(reader: Reader, holder: Holder) -> str:
    """An account as people write it."""
    return next(
        (str(name) for (name,) in reader.raw("SELECT address FROM v_holder WHERE holder = :h", h=holder.hex())),
        holder.hex(),
    )


def end_rows(reader: Reader, found: Alone, shown: dict[int, Row], known: dict[str, Row]) -> list[Row]:
    """Where a trace alone ended, as rows: movements first, in their order, then accounts."""
    keys = [(end.place.holder, end.place.asset) for end, _, _ in found.ends() if not end.place.row]
    names = spots_of(reader, found.start.chain_id, {bytes(holder) for holder, _ in keys})
    kinds = {caip19: number for number, caip19 in reader.raw("SELECT id, caip19 FROM asset")}
    held = accounts(reader, {(names[bytes(holder)], kinds[asset]) for holder, asset in keys})
    rows: list[Row] = []
    for end, asset, units in found.ends():
        number = end.place.row
        if number:
            of = dict(shown[number])
        else:
            of = dict(held[names[bytes(end.place.holder)], kinds[end.place.asset]])
            of |= {"movement_id": None, "outpoint": None, "txid": None, "height": None, "amount": str(units)}
        traced = found.done.rows.get(number)
        of |= {"state": end.state, "boundary": None if end.state == LIVE else end.reason, "reason": end.reason}
        rows.append(of | known[asset] | {"label": None, "traced": str(units), "hop": traced.hop if traced else None})
    return sorted(rows, key=lambda row: (row["movement_id"] is None, row["movement_id"] or 0, row["address"] or ""))


def spots_of(reader: Reader, chain_id: int, holders: Collection[bytes]) -> dict[bytes, int]:
    """The numbers of some holders on a chain."""
    found: dict[bytes, int] = {}
    for holder in holders:
        for (number,) in reader.raw("SELECT id FROM holder WHERE chain_id = :c AND key = :k", c=chain_id, k=holder):
            found[holder] = number
    return found


def trace_alone_from(
    reader: Reader,
    start: Start,
    method: Method,
    bounds: Bounds = ALL_THE_WAY,
    enough: Enough | None = None,
    ends_at: Collection[int] = (),
    stops: bool = True,
) -> Alone | None:
    """Trace what a reference names alone; None where it names nothing that can be traced.

    ends_at: coins or payments that are not looked beyond. stops: whether exchange deposits and refunds end the way.
    """
    tip = tip_of(reader.connection, start.chain_id)
    if tip is None:
        return None
    roles = all_roles(reader.connection, start.chain_id) if stops else {}
    hops = NO_LIMITS.max_hops if bounds.hops is None else bounds.hops
    limits = Limits(hops, bounds.min_amount, NO_LIMITS.max_live)
    if start.utxo:
        return alone_coins(reader, start, method, limits, roles, tip.height, enough, ends_at)
    return alone_accounts(reader, start, method, limits, roles, tip.height, enough, ends_at)


def alone_coins(
    reader: Reader,
    start: Start,
    method: Method,
    limits: Limits,
    roles: dict[Holder, Role],
    upto: int,
    enough: Enough | None,
    ends_at: Collection[int],
) -> Alone | None:
    """Trace coins alone. Each is a label of its own to begin with: exact methods give their union the sum of them."""
    if not start.movements:
        return None
    connection, targets = reader.connection, frozenset(ends_at)
    history = AnyCoins(connection, start.chain_id, 0, whole_spans(connection, start.chain_id), upto, stops=targets)
    declared = Declaration("", start.chain, method, (), limits)
    sources = {row: label for label, row in enumerate(start.movements)}
    done = trace_coins(declared, sources, history, roles.get, upto, enough=enough)
    [(native,)] = reader.raw("SELECT caip19 FROM asset WHERE chain_id = :c AND kind = 'native'", c=start.chain_id)
    found = Alone(start, method, done, {native: sum(done.seeded.values())}, asset_of=lambda _: str(native))
    for end in done.ends:
        if end.place.row in targets:
            found.reached[end.place.row] = found.reached.get(end.place.row, 0) + end.units
    return found


def alone_accounts(
    reader: Reader,
    start: Start,
    method: Method,
    limits: Limits,
    roles: dict[Holder, Role],
    upto: int,
    enough: Enough | None,
    ends_at: Collection[int],
) -> Alone | None:
    """Trace payments alone, and of accounts also what they held when they were first seen."""
    connection = reader.connection
    opened = openings_of(connection, start.chain_id, start.holders)
    balances = {key: (after, units) for key, (after, units, _) in opened.items() if units}
    heights = [
        height
        for (height,) in reader.raw(
            "SELECT min(b.height) FROM movement m JOIN block b ON b.id = m.block_id"
            f" WHERE m.id IN ({', '.join(map(str, start.movements)) or 'NULL'})"
        )
        if height is not None
    ]
    since = min([*(height - 1 for height in heights), *(after for after, _ in balances.values())], default=None)
    if since is None:
        return None
    done: AloneResult = trace_alone(
        method,
        limits,
        Begin(frozenset(start.movements), balances),
        AnyAccounts(connection, start.chain_id),
        roles.get,
        since,
        upto,
        sinks=ends_at,
        enough=enough,
    )
    converted: dict[str, int] = {}
    for (_, asset), units in done.converted.items():
        converted[asset] = converted.get(asset, 0) + units

    def asset_of(end: End) -> str:
        return end.place.asset or str(done.assets[end.place.row])

    return Alone(start, method, done, dict(done.begun), converted, dict(done.reached), list(done.doubted), asset_of)
