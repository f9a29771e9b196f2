"""Rows of what tokens call themselves: who was not asked yet, and what came."""

from collections.abc import Iterable

from sqlalchemy import Connection, text

from tracer.store.chains import ChainHandle
from tracer.store.rows import insert_many
from tracer.store.tables import TokenTextRow
from tracer.tokentext import TokenText
from tracer.types import AssetId, AssetKind


def unasked(connection: Connection, chain: ChainHandle, count: int) -> list[AssetId]:
    """Tokens that are not listed and were not asked what they call themselves, at most so many.

    Of a contract with many NFTs the first alone: it calls itself the same for all.
    """
    rows = connection.execute(
        text(
            "SELECT a.caip19 FROM asset a JOIN (SELECT min(id) AS id FROM asset WHERE chain_id = :c"
            " AND kind IN (:unlisted, :nft)"
            " GROUP BY CASE kind WHEN :nft THEN rtrim(caip19, '0123456789') ELSE caip19 END) o ON o.id = a.id"
            " WHERE NOT EXISTS (SELECT 1 FROM token_text x WHERE x.asset_id = a.id) ORDER BY a.id LIMIT :n"
        ),
        {"c": chain.id, "unlisted": AssetKind.UNLISTED.value, "nft": AssetKind.NFT.value, "n": count},
    )
    return [AssetId(caip19) for (caip19,) in rows]


def note_texts(connection: Connection, chain: ChainHandle, texts: Iterable[TokenText]) -> None:
    """Keep answers, given after the chain's tip."""
    ((tip,),) = connection.execute(text("SELECT tip_id FROM follower WHERE chain_id = :c"), {"c": chain.id})
    rows = [(chain.assets[one.asset], one.what, one.shown, one.size, one.digest, tip) for one in texts]
    insert_many(connection, TokenTextRow, "asset_id what shown size digest block_id", rows)
