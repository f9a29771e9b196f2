"""What accounts held when they were first seen: seized balances, balances in custody at an opening, nodes' answers."""

from collections.abc import Collection

from sqlalchemy import Connection

from tracer.store.traceread import among, rows
from tracer.types import AssetId, Holder

SEEDS = """SELECT h.key, a.caip19, b.height, l.amount, l.ordinal, l.case_id FROM trace_label l
    JOIN block b ON b.id = l.block_id AND b.canonical AND b.chain_id = ? JOIN holder h ON h.id = l.holder_id
    JOIN asset a ON a.id = l.asset_id WHERE l.movement_id IS NULL AND l.holder_id IN ({numbers})"""
HELD = """SELECT h.key, a.caip19, b.height, d.amount, d.holder_id, d.asset_id, d.block_id FROM held d
    JOIN block b ON b.id = d.block_id AND b.canonical AND b.chain_id = ? JOIN holder h ON h.id = d.holder_id
    JOIN asset a ON a.id = d.asset_id WHERE d.holder_id IN ({numbers}) ORDER BY b.height DESC"""
MOVED = "SELECT source_id, target_id, amount FROM movement WHERE block_id = ? AND asset_id = ?"
ASKED = """SELECT h.key, a.caip19, b.height, o.balance FROM account_opening o JOIN block b ON b.id = o.block_id
    AND b.canonical AND b.chain_id = ? JOIN holder h ON h.id = o.holder_id JOIN asset a ON a.id = o.asset_id
    WHERE o.holder_id IN ({numbers}) ORDER BY b.height DESC"""


def openings_of(
    connection: Connection, chain_id: int, holders: Collection[int], since: int = 0
) -> dict[tuple[Holder, AssetId], tuple[int, int, tuple[int, int] | None]]:
    """The earliest balance that is known of some accounts, per asset: after which block, units, and its seed.

    since: no earlier than so, of what nodes were asked for: between two times of following, movements are not stored.
    The seed is (case, label) where the balance is a source of a case's traces; it goes before what else is known.
    """
    found: dict[tuple[Holder, AssetId], tuple[int, int, tuple[int, int] | None]] = {}
    first = {(row[0], row[1]): row for row in among(connection, HELD, holders, (chain_id,))}
    for key, asset, height, amount, holder, asset_id, block_id in first.values():
        units = int(amount)
        for source, target, moved in rows(connection, MOVED, (block_id, asset_id)):
            units += int(moved) * ((source == holder) - (target == holder))
        found[Holder(bytes(key)), AssetId(asset)] = int(height) - 1, units, None
    for key, asset, height, amount in among(connection, ASKED, holders, (chain_id,)):
        at = Holder(bytes(key)), AssetId(asset)
        if height >= since and (at not in found or height - 1 < found[at][0]):
            found[at] = int(height) - 1, int(amount), None
    for key, asset, height, amount, label, case_id in among(connection, SEEDS, holders, (chain_id,)):
        at = Holder(bytes(key)), AssetId(asset)
        if at not in found or found[at][2] is None or height < found[at][0]:
            found[at] = int(height), int(amount), (int(case_id), int(label))
    return found
