"""Imports blocks with all their transactions: what fees and strangers did there is stored then, too."""

import time
from collections.abc import AsyncGenerator

from tracer.errors import BlockRefused, Inconsistent, NodeMissing
from tracer.store import load
from tracer.store.graph import WHOLE
from tracer.store.history import put_account, unread
from tracer.store.past import lowest
from tracer.types import BlockFacts
from watchers.archive import Archive
from watchers.history import CannotImport, Place, Request, counted

BATCH_TXS = 500
BATCH_S = 1.0
"""What is written in one commit, so that the follower never waits for long."""


class BlockHistory:
    """One import of whole blocks on a UTXO chain; see `watchers.history.Import`."""

    def __init__(self, place: Place, archive: Archive, request: Request) -> None:
        self._place, self._archive, self._request = place, archive, request
        self._blocks = self._txs = self._movements = 0

    async def steps(self) -> AsyncGenerator[str, None]:
        """See `Import`; raises Inconsistent for a block that does not stand up."""
        assert self._request.span is not None, "an import of blocks names a span"
        low, high = self._request.span
        place, connection = self._place, self._place.store.connection
        tip = place.tip()
        with connection.begin():
            bottom = lowest(connection, place.handle)
            spans = unread(connection, place.handle, WHOLE, low, high)
        if not bottom.height < low <= high <= tip.height:
            within = f"{bottom.height + 1} to {tip.height}"
            raise CannotImport(f"blocks {low} to {high} are not all among those followed: {within}")
        await place.open()
        pending: list[BlockFacts] = []
        held, began = 0, time.monotonic()
        try:
            for height in (height for first, last in spans for height in range(first, last + 1)):
                with connection.begin():
                    ref = load.canonical_ref(place.store, place.handle, height)
                pending.append(await self._archive.take_all(ref))
                held += len(pending[-1].transactions)
                apart = any(height == last for _, last in spans)  # a span of coverage has no gap
                if held >= BATCH_TXS or time.monotonic() - began > BATCH_S or apart:
                    await self._write(pending)
                    pending, held, began = [], 0, time.monotonic()
                    yield f"took {counted(self._txs, 'new transaction')} from blocks up to {height} of {high}"
        except BlockRefused as error:
            raise Inconsistent(str(error)) from error
        except BaseException:
            place.store.rolled_back()
            raise

    async def _write(self, blocks: list[BlockFacts]) -> None:
        place = self._place
        async with place.hold():
            put = put_account(place.store, place.handle, WHOLE, blocks)
        if put is None:
            raise NodeMissing(f"{place.name}: block {blocks[-1].ref.height} left our chain meanwhile: import again")
        self._blocks += len(blocks)
        self._txs += put.txs
        self._movements += put.movements

    def result(self) -> list[str]:
        """See `Import`."""
        return [
            f"{self._place.name}: stored {counted(self._blocks, 'block')} whole,"
            f" {counted(self._txs, 'transaction')} and {counted(self._movements, 'movement')} new"
        ]
