"""Chains, policies and assets in the store: what is noted once and referred to by every row."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import orjson
from sqlalchemy import Connection, text

from tracer.chain import Policy, Tier
from tracer.errors import WrongNetwork
from tracer.store.rows import insert_many
from tracer.store.tables import AssetRow, PolicyRow
from tracer.types import Asset, AssetId, AssetKind, Hash, Holder


@dataclass(frozen=True, slots=True)
class ChainHandle:
    """A chain's surrogates in the store; `show` writes a holder's address."""

    id: int
    caip2: str
    policy_id: int
    policy: Policy
    show: Callable[[Holder], str | None]
    assets: dict[AssetId, int]


def register_chain(
    connection: Connection,
    caip2: str,
    name: str,
    family: str,
    genesis: Hash,
    policy: Policy,
    assets: Iterable[Asset],
    show: Callable[[Holder], str | None],
) -> ChainHandle:
    """Note a chain inside the caller's transaction; raises WrongNetwork if it is stored with another genesis."""
    find = text("SELECT id, genesis FROM chain WHERE caip2 = :caip2")
    row = connection.execute(find, {"caip2": caip2}).first()
    if row is None:
        other = connection.execute(text("SELECT caip2 FROM chain WHERE name = :name"), {"name": name}).scalar()
        if other is not None:
            raise WrongNetwork(
                f"the store holds {name} as {other}, the configuration says {caip2}",
                f"Correct the configuration, or give [chain.{name}] another name there. Nothing was written.",
            )
        connection.execute(
            text("INSERT INTO chain (caip2, name, family, genesis) VALUES (:caip2, :name, :family, :genesis)"),
            {"caip2": caip2, "name": name, "family": family, "genesis": genesis},
        )
        row = connection.execute(find, {"caip2": caip2}).one()
    chain_id, known = int(row[0]), bytes(row[1])
    if genesis and known and known != genesis:
        raise WrongNetwork(f"the store holds {name} with genesis {known.hex()}, the node shows {genesis.hex()}")
    if genesis and not known:
        connection.execute(
            text("UPDATE chain SET genesis = :genesis WHERE id = :id"), {"genesis": genesis, "id": chain_id}
        )
    handle = ChainHandle(chain_id, caip2, policy_row(connection, chain_id, policy), policy, show, {})
    for asset in assets:
        add_asset(connection, handle, asset)
    rows = connection.execute(text("SELECT caip19, id FROM asset WHERE chain_id = :c"), {"c": chain_id})
    handle.assets.update({AssetId(caip19): int(asset_id) for caip19, asset_id in rows})
    return handle


def policy_row(connection: Connection, chain_id: int, policy: Policy) -> int:
    """Find or insert a policy by its content."""
    wanted = {
        "chain": chain_id,
        "confirmed": str(policy.confirmed),
        "final": str(policy.final),
        "tiers": tiers_text(policy.tiers),
    }
    find = text(
        "SELECT id FROM policy WHERE chain_id = :chain AND confirmed = :confirmed AND final = :final AND tiers = :tiers"
    )
    found = connection.execute(find, wanted).scalar()
    if found is None:
        insert_many(connection, PolicyRow, "chain_id confirmed final tiers", [tuple(wanted.values())])
        found = connection.execute(find, wanted).scalar_one()
    return int(found)


def tiers_text(tiers: Iterable[Tier]) -> str:
    """Write tiers as canonical JSON: in order of asset and minimum, amounts as decimal text."""
    ordered = sorted(tiers, key=lambda tier: (tier.asset, tier.min_amount))
    rows = [
        {"asset": t.asset, "min_amount": str(t.min_amount), "confirmed": t.confirmed, "final": t.final} for t in ordered
    ]
    return orjson.dumps(rows, option=orjson.OPT_SORT_KEYS).decode()


def stored_policy(connection: Connection, policy_id: int) -> Policy:
    """Read a policy back."""
    confirmed, final, tiers = connection.execute(
        text("SELECT confirmed, final, tiers FROM policy WHERE id = :id"), {"id": policy_id}
    ).one()

    def rule(said: str) -> int | str:
        return int(said) if said.isdigit() else said

    return Policy(
        rule(confirmed),
        rule(final),
        tuple(Tier(AssetId(t["asset"]), int(t["min_amount"]), t["confirmed"], t["final"]) for t in orjson.loads(tiers)),
    )


def add_asset(connection: Connection, chain: ChainHandle, asset: Asset) -> None:
    """Insert an asset, or take over what the operator's allow-list now says of it."""
    find = text("SELECT id FROM asset WHERE caip19 = :caip19")
    known = connection.execute(find, {"caip19": asset.id}).scalar()
    if known is None:
        insert_many(
            connection,
            AssetRow,
            "chain_id caip19 symbol decimals kind",
            [(chain.id, asset.id, asset.symbol, asset.decimals, asset.kind.value)],
        )
        known = connection.execute(find, {"caip19": asset.id}).scalar_one()
    elif asset.kind in (AssetKind.LISTED, AssetKind.NATIVE):
        connection.execute(
            text("UPDATE asset SET symbol = :symbol, decimals = :decimals, kind = :kind WHERE id = :id"),
            {"symbol": asset.symbol, "decimals": asset.decimals, "kind": asset.kind.value, "id": known},
        )
    chain.assets[asset.id] = int(known)
