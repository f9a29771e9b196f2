"""One bitcoind's mempool: which transactions there concern scripts and coins of interest, and what became of others.

Transactions are read from their bytes, whose hash must be their id. What their inputs hold is the node's word.
"""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from tracer.errors import Inconsistent, NodeUnavailable
from tracer.life import Conflicted, Included, Observation, Replaced
from tracer.pending import Sighting
from tracer.proof.transactions import Transaction, hash256, parse, stripped
from tracer.types import AssetId, Hash, Holder, Kind, Movement, Outpoint, outpoint, outpoint_text
from watchers.bitcoin.answers import bytes_in, hash_in
from watchers.bitcoin.spent import satoshi
from watchers.bitcoin.walk import walk
from watchers.node import Coin
from watchers.pool import Gone, Look
from watchers.rpc import JsonRpc, RpcError

AT_ONCE = 200
"""Transactions in one request."""

POINTS_AT_ONCE = 1_000
POINTS_A_LOOK = 5_000
"""Coins of interest that the node is asked about in one question, and at one look: others have their turn later."""

Question = tuple[str, Sequence[object]]


class Interest(Protocol):
    """What a scanner is interested in."""

    @property
    def coins(self) -> Mapping[Outpoint, Coin]:
        """The unspent coins of interest."""
        ...

    def watches(self, holder: Holder) -> bool:
        """Whether a script pubkey is watched."""
        ...


class BitcoinPool:
    """See `watchers.pool.Pool`."""

    def __init__(self, rpc: JsonRpc, interest: Interest, asset: AssetId, source: str) -> None:
        """rpc: reads numbers exactly. source: what it is called where it is named as a witness."""
        self._rpc, self._interest, self._asset, self._source = rpc, interest, asset, source
        self._known: set[Hash] = set()
        self._held: dict[Hash, Sighting] = {}
        self._fresh: dict[Outpoint, Coin] = {}
        self._asked_up_to = 0
        self._searched: dict[Hash, set[int]] = {}

    async def close(self) -> None:
        """Close the connections. Idempotent."""
        await self._rpc.close()

    def forget(self) -> None:
        """Read every transaction anew at the next look."""
        self._known.clear()

    async def look(self, tip: Callable[[], Hash | None], custody: Sequence[Holder]) -> Look | None:
        """Read what is new in the mempool; None while the node loads it, or if our tip is not its best block.

        custody: not needed, the whole mempool is read.
        """
        best, info, ids, again = await self._batch(
            [("getbestblockhash", ()), ("getmempoolinfo", ()), ("getrawmempool", (False,)), ("getbestblockhash", ())]
        )
        if not info.get("loaded", True) or best != again or tip() != hash_in(best):
            return None
        there = {hash_in(one) for one in ids}
        new = await self._transactions(there - self._known)
        new |= await self._transactions(await self._spenders() - new.keys())
        if tip() != hash_in(best):
            return None
        found = self._of_interest(new)
        told = await self._told(found.values())
        self._held = {txid: one for txid, one in self._held.items() if txid in there}
        for txid, parts in found.items():
            sighting = self._sighting(txid, new[txid], parts, told)
            if sighting is not None:
                self._held[txid] = sighting
        unread = {txid for txid, (tx, spends) in found.items() if spends and not told.keys() >= _points(tx)}
        self._known = (self._known & there | new.keys()) - unread
        self._fresh = {point: coin for point, coin in self._fresh.items() if Hash(point[31::-1]) in self._held}
        return Look(hash_in(best), dict(self._held))

    async def fates(self, best: Hash, gone: Sequence[Gone]) -> dict[Hash, Observation | None]:
        """Find who spends the same: another transaction of the mempool, or one of our blocks."""
        found: dict[Hash, Observation | None] = {}
        missing: list[tuple[Gone, set[Outpoint]]] = []
        for one in gone:
            points = _points(_parsed(one.raw))
            spending = dict(await self._spending(points))
            if one.txid in spending.values():
                continue  # it is back
            replaced = await self._replacement(spending)
            spent = set() if replaced else await self._spent_in_chain(points)
            found[one.txid] = replaced
            if spent:
                missing.append((one, spent))
        self._searched = {one.txid: self._searched.get(one.txid, set()) for one, _ in missing}
        found |= await self._conflicts(missing)
        [now] = await self._batch([("getbestblockhash", ())])
        return found if hash_in(now) == best else {}

    # What is there.

    async def _transactions(self, wanted: Iterable[Hash]) -> dict[Hash, bytes]:
        """Fetch transactions of the mempool; those that have left it meanwhile are missing."""
        found: dict[Hash, bytes] = {}
        todo = list(wanted)
        for start in range(0, len(todo), AT_ONCE):
            part = todo[start : start + AT_ONCE]
            answers = await self._rpc.batch([("getrawtransaction", (txid.hex(), 0)) for txid in part])
            for txid, answer in zip(part, answers, strict=True):
                if not isinstance(answer, RpcError):
                    found[txid] = _checked(txid, answer)
        return found

    async def _spenders(self) -> set[Hash]:
        """Ask who in the mempool spends the coins of interest: of very many, some at each look."""
        points = list(self._interest.coins)
        if len(points) > POINTS_A_LOOK:
            start = self._asked_up_to % len(points)
            self._asked_up_to = start + POINTS_A_LOOK
            points = (points[start:] + points[:start])[:POINTS_A_LOOK]
        spenders: set[Hash] = set()
        for start in range(0, len(points), POINTS_AT_ONCE):
            spenders |= {txid for _, txid in await self._spending(points[start : start + POINTS_AT_ONCE])}
        return spenders - self._held.keys()

    async def _spending(self, points: Iterable[Outpoint]) -> list[tuple[Outpoint, Hash]]:
        """Ask which outpoints the mempool spends, and by which transaction."""
        asked = list(points)
        [answer] = await self._batch([("gettxspendingprevout", ([_named(point) for point in asked],))])
        return [
            (point, hash_in(one["spendingtxid"]))
            for point, one in zip(asked, answer, strict=True)
            if "spendingtxid" in one
        ]

    def _of_interest(self, new: Mapping[Hash, bytes]) -> dict[Hash, tuple[Transaction, bool]]:
        """Keep the transactions that credit a watched script, or spend a coin of interest (True), mined or not."""
        parsed = {txid: _parsed(raw) for txid, raw in new.items()}
        watches, coins = self._interest.watches, self._interest.coins
        credited = set()
        for txid, tx in parsed.items():
            for index, (amount, script) in enumerate(tx.outputs):
                if watches(Holder(script)):
                    credited.add(txid)
                    self._fresh[outpoint(txid, index)] = Coin(Holder(script), amount)
        spending = {
            txid: any(point in coins or point in self._fresh for point in _points(tx)) for txid, tx in parsed.items()
        }
        return {txid: (tx, spending[txid]) for txid, tx in parsed.items() if txid in credited or spending[txid]}

    async def _told(self, found: Iterable[tuple[Transaction, bool]]) -> dict[Outpoint, Coin]:
        """Collect the coins that debits spend; unknown ones are the node's word, or outputs that the mempool makes."""
        told: dict[Outpoint, Coin] = {}
        unknown: list[Outpoint] = []
        for point in {point for tx, spends in found if spends for point in _points(tx)}:
            coin = self._interest.coins.get(point) or self._fresh.get(point)
            if coin is None:
                unknown.append(point)
            else:
                told[point] = coin
        for start in range(0, len(unknown), AT_ONCE):
            part = unknown[start : start + AT_ONCE]
            outputs = await self._batch([("gettxout", (*_named(point).values(), False)) for point in part])
            told |= {point: _coin(out) for point, out in zip(part, outputs, strict=True) if out is not None}
        made = await self._transactions({Hash(point[31::-1]) for point in unknown if point not in told})
        parents = {txid: _parsed(raw) for txid, raw in made.items()}
        for point in unknown:
            if point not in told and (parent := parents.get(Hash(point[31::-1]))) is not None:
                amount, script = parent.outputs[int.from_bytes(point[32:], "little")]
                told[point] = Coin(Holder(script), amount)
        return told

    def _sighting(
        self, txid: Hash, raw: bytes, parts: tuple[Transaction, bool], told: Mapping[Outpoint, Coin]
    ) -> Sighting | None:
        """Say what a transaction would move; None if it concerns no watched script, or a coin it spends is unknown."""
        tx, spends = parts
        if spends and not told.keys() >= _points(tx):
            return None
        moves = tuple(self._movements(txid, tx, spends, told))
        if not any(self._interest.watches(h) for m in moves for h in (m.source, m.target) if h is not None):
            return None
        points = [Outpoint(point) for point, _ in tx.inputs]
        after = tuple(dict.fromkeys(Hash(point[31::-1]) for point in points if point in self._fresh))
        return Sighting(txid, raw, moves, tuple(map(outpoint_text, points)), self._source, after)

    def _movements(
        self, txid: Hash, tx: Transaction, spends: bool, told: Mapping[Outpoint, Coin]
    ) -> Iterator[Movement]:
        fee = 0
        for index, (point, _) in enumerate(tx.inputs if spends else ()):
            coin = told[Outpoint(point)]
            fee += coin.amount
            yield Movement(Kind.IN, index, self._asset, coin.amount, coin.holder, None, Outpoint(point))
        for index, (amount, script) in enumerate(tx.outputs):
            fee -= amount
            if spends or self._interest.watches(Holder(script)):
                yield Movement(Kind.OUT, index, self._asset, amount, None, Holder(script))
        if spends:
            if fee < 0:
                raise Inconsistent(f"the mempool's {txid.hex()} pays {-fee} satoshi more than it spends")
            yield Movement(Kind.FEE, 0, self._asset, fee, None, None)

    # What became of others.

    async def _replacement(self, spending: Mapping[Outpoint, Hash]) -> Replaced | None:
        """Take a transaction of the mempool that spends the same; it is read, and must really do so."""
        found = await self._transactions(spending.values())
        for point, by in spending.items():
            if by in found and point in _points(_parsed(found[by])):
                return Replaced(by, outpoint_text(point))
        return None

    async def _spent_in_chain(self, points: set[Outpoint]) -> set[Outpoint]:
        """The outpoints that the chain does not hold unspent."""
        asked = list(points)
        outputs = await self._batch([("gettxout", (*_named(point).values(), False)) for point in asked])
        return {point for point, out in zip(asked, outputs, strict=True) if out is None}

    async def _conflicts(self, missing: Sequence[tuple[Gone, set[Outpoint]]]) -> dict[Hash, Observation]:
        """Search our blocks, each once, for who spends the same as transactions that are gone, or for these."""
        found: dict[Hash, Observation] = {}
        blocks = dict(sorted({block for one, _ in missing for block in one.blocks}))
        for block_id, block in blocks.items():
            wanted = {
                point: one.txid
                for one, points in missing
                if block_id not in self._searched[one.txid] and (block_id, block) in one.blocks
                for point in points
            }
            if not wanted:
                continue
            for point, by in await self._spent_by(block, wanted):
                mine = by == wanted[point]
                what = Included(block_id) if mine else Conflicted(by, outpoint_text(point), block_id)
                found.setdefault(wanted[point], what)
            for txid in wanted.values():
                self._searched[txid].add(block_id)
        return found

    async def _spent_by(self, block: Hash, wanted: Mapping[Outpoint, Hash]) -> list[tuple[Outpoint, Hash]]:
        """Read a block for the transactions that spend some outpoints."""
        [answer] = await self._batch([("getblock", (block.hex(), 0))])
        raw = bytes_in(answer)
        if hash256(raw[:80])[::-1] != block:
            raise Inconsistent(f"asked for block {block.hex()}, got another")
        return list(spenders_in(raw, wanted))

    async def _batch(self, questions: Sequence[Question]) -> list[Any]:
        """Ask; any refusal is a failure."""
        answers = await self._rpc.batch(questions)
        for (method, _), answer in zip(questions, answers, strict=True):
            if isinstance(answer, RpcError):
                raise NodeUnavailable(f"{self._rpc.origin}: {method}: {answer}")
        return answers


def spenders_in(block: bytes, wanted: Container[bytes]) -> Iterator[tuple[Outpoint, Hash]]:
    """Find in a raw block which of some outpoints are spent, and by which transaction."""
    walked = walk(block)
    for position in sorted({walked.spender(at) for at, point in enumerate(walked.points) if point in wanted}):
        span = walked.spans[position]
        tx = _parsed(block[span[0] : span[2]])
        txid = Hash(hash256(stripped(block, span))[::-1])
        yield from ((point, txid) for point in _points(tx) if point in wanted)


def _parsed(raw: bytes) -> Transaction:
    try:
        return parse(raw)
    except ValueError as error:
        raise Inconsistent(f"the node sent what is no transaction: {error}") from error


def _checked(txid: Hash, answer: object) -> bytes:
    """The bytes of a transaction, which must hash to its id."""
    raw = bytes_in(answer)
    if hash256(stripped(raw, _parsed(raw).span))[::-1] != txid:
        raise Inconsistent(f"the bytes of the mempool's {txid.hex()} have another hash")
    return raw


def _coin(output: Any) -> Coin:
    """Read the answer to `gettxout`."""
    try:
        return Coin(Holder(bytes.fromhex(output["scriptPubKey"]["hex"])), satoshi(output["value"]))
    except (KeyError, TypeError, ValueError) as error:
        raise NodeUnavailable(f"the node describes an output in a shape unknown here: {error!r}") from error


def _points(tx: Transaction) -> set[Outpoint]:
    return {Outpoint(point) for point, _ in tx.inputs}


def _named(point: Outpoint) -> dict[str, object]:
    return {"txid": point[31::-1].hex(), "vout": int.from_bytes(point[32:], "little")}
