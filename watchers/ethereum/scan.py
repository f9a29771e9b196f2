"""Which transactions of a block concern the watched accounts, and what they moved. Pure.

Observed: ether by top-level and internal calls, creations and self-destructs that really executed; every
ERC-20 and ERC-721 `Transfer` log that names a watched account; fees that a watched account pays;
withdrawals to one. Not observed in this version: ERC-1155, priority fees and block rewards; where a watched
account may have received such income, `Draft.skipped` says so.

Left to verification: that the node dropped no log (only the receipts root shows that), and all other roots.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from eth_utils.crypto import keccak

from tracer.errors import Inconsistent, NodeLacks
from tracer.types import (
    Asset,
    AssetId,
    AssetKind,
    BlockFacts,
    BlockRef,
    ChainId,
    Hash,
    Holder,
    Kind,
    Movement,
    Outpoint,
    TxFacts,
)
from watchers.ethereum.frames import OUT_OF_SHAPE, Frame, flows
from watchers.ethereum.header import EMPTY_TRIE, header_rlp, ref_of
from watchers.ethereum.logs import TRANSFER, Misshapen, TokenTransfer, read, words
from watchers.node import Coin

GWEI = 10**9
ROOT_HEX = 66


@dataclass(frozen=True, slots=True)
class RawBlock:
    """A block as a node tells it, in JSON.

    header: with the hashes of its transactions. logs: those with the `TRANSFER` signature. traces: frames
    in the Parity shape, in block order. internal: whether they hold internal calls, else only top frames.
    """

    header: Mapping[str, Any]
    logs: Sequence[Mapping[str, Any]]
    traces: Sequence[Frame]
    internal: bool = True


@dataclass(frozen=True, slots=True)
class Hit:
    """A transaction of interest before the node has given its bytes and, if `wants_receipt`, its receipt."""

    position: int
    txid: Hash
    payer: Holder
    pays: bool
    failed: bool
    wants_receipt: bool
    movements: tuple[Movement, ...]


@dataclass(frozen=True, slots=True)
class Draft:
    """A scanned block; each hit is a question to the node. skipped: what was seen and not read, and why."""

    ref: BlockRef
    time: int
    header: Mapping[str, Any]
    hits: tuple[Hit, ...]
    loose: tuple[Movement, ...]
    new_assets: tuple[Asset, ...]
    internal: bool
    skipped: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Answers:
    """A node's answers to a draft: raw transactions and receipts, by transaction hash, unchecked."""

    raw: Mapping[Hash, bytes]
    receipts: Mapping[Hash, Mapping[str, Any]]


class EthereumScanner:
    """Holds the watched accounts of one chain and finds what blocks say about them.

    The accounts are kept as integers: 82 MB for a million, and hex becomes one without slicing.
    """

    def __init__(self, chain: ChainId, native: Asset, tokens: Iterable[Asset] = ()) -> None:
        self._chain = chain
        self._native = native.id
        self._listed = {token.id for token in tokens}
        self._watched: set[int] = set()

    def watch(self, holders: Iterable[Holder]) -> None:
        """Be interested in these accounts from now on; raises ValueError if one is not 20 bytes."""
        for holder in holders:
            if len(holder) != 20:
                raise ValueError(f"{holder.hex()} is not an account of 20 bytes")
            self._watched.add(int.from_bytes(holder, "big"))

    def remember(self, coins: Mapping[Outpoint, Coin]) -> None:
        """Accounts have no coins to remember."""

    def forget(self, points: Iterable[Outpoint]) -> None:
        """Accounts have no coins to forget."""

    def forget_all(self) -> None:
        """Accounts have no coins to forget."""

    def scan(self, raw: RawBlock) -> Draft:
        """Find the hits of one block; raises Inconsistent if its parts do not belong together."""
        ref = ref_of(raw.header)
        try:
            return self._scan(ref, raw)
        except OUT_OF_SHAPE as error:
            raise Inconsistent(f"block {ref.height}: the node's answer is out of shape: {error!r}") from error

    def complete(self, draft: Draft, answers: object) -> BlockFacts:
        """Check the node's answers against the draft and join them; raises Inconsistent if unfit."""
        transactions: list[TxFacts] = []
        if draft.hits:
            if not isinstance(answers, Answers):
                raise TypeError("the draft has questions, and nobody answered them")
            try:
                transactions = [found for hit in draft.hits if (found := self._facts(draft, hit, answers))]
            except OUT_OF_SHAPE as error:
                raise Inconsistent(
                    f"block {draft.ref.height}: a receipt or raw transaction is out of shape: {error!r}"
                ) from error
        header = None
        if transactions or draft.loose:
            header = header_rlp(draft.header)
            if header is None:
                draft.skipped.append("header not kept: encoded with the fields known here, its hash is another")
        return BlockFacts(
            ref=draft.ref,
            time=draft.time,
            header=header,
            transactions=tuple(transactions),
            loose=draft.loose,
            new_assets=draft.new_assets,
            skipped=tuple(draft.skipped),
        )

    def _scan(self, ref: BlockRef, raw: RawBlock) -> Draft:
        header, hashes, skipped = raw.header, raw.header["transactions"], list[str]()
        if (header["transactionsRoot"] == EMPTY_TRIE) is bool(hashes):
            raise Inconsistent(f"block {ref.height}: the transactions root and the list of transactions disagree")
        starts, touched = self._touched_by_frames(raw, skipped)
        tokens = self._tokens(raw, skipped)
        hits: list[Hit] = []
        for position in sorted(touched | tokens.keys()):
            frames = raw.traces[starts[position] : starts[position + 1]]
            hit = self._hit(position, frames, tokens.get(position, []), raw.internal)
            if hit is not None:
                hits.append(hit)
        if hashes and not raw.internal:
            skipped.append("internal transfers unobserved")
        if int(header["miner"], 16) in self._watched and int(header["gasUsed"], 16):
            skipped.append(f"priority fees to {header['miner']} unobserved")
        return Draft(
            ref=ref,
            time=int(header["timestamp"], 16),
            header=header,
            hits=tuple(hits),
            loose=self._withdrawals(header),
            new_assets=self._new_assets(tokens),
            internal=raw.internal,
            skipped=skipped,
        )

    def _touched_by_frames(self, raw: RawBlock, skipped: list[str]) -> tuple[list[int], set[int]]:
        """Walk all frames once: where each transaction's frames begin, and which transactions may be hits.

        May be: errors and call types are looked at later, for these few only. This loop is the hot one.
        """
        block, hashes, watched = raw.header["hash"], raw.header["transactions"], self._watched
        starts: list[int] = []
        touched: set[int] = set()
        position, end = -1, _end_of_calls(raw.traces)
        for at, frame in enumerate(raw.traces[:end]):
            if frame["blockHash"] != block:
                raise Inconsistent(f"block {block}: a trace of block {frame['blockHash']}")
            kind, action = frame["type"], frame["action"]
            if not frame["traceAddress"]:
                position += 1
                starts.append(at)
                if frame["transactionHash"] != hashes[position]:
                    raise Inconsistent(f"block {block}: traces of {frame['transactionHash']} out of place")
            elif action.get("value") == "0x0":
                continue
            if frame["transactionPosition"] != position:
                raise Inconsistent(f"block {block}: a frame of transaction {position} is out of place")
            if kind == "call":
                source, target = action["from"], action["to"]
            elif kind == "create":
                source, target = action["from"], (frame.get("result") or action).get("address") or "0x0"
            else:
                source, target = action["address"], action["refundAddress"]
            if int(source, 16) in watched or int(target, 16) in watched:
                touched.add(position)
        if len(starts) != len(hashes):
            raise Inconsistent(f"block {block}: {len(hashes)} transactions, traces of {len(starts)}")
        starts.append(end)
        for frame in raw.traces[end:]:
            skipped.extend(self._unobserved_reward(frame, block))
        return starts, touched

    def _unobserved_reward(self, frame: Frame, block: str) -> list[str]:
        author = frame["action"]["author"]
        if frame["blockHash"] != block:
            raise Inconsistent(f"block {block}: a reward of block {frame['blockHash']}")
        return [f"block reward to {author} unobserved"] if int(author, 16) in self._watched else []

    def _tokens(self, raw: RawBlock, skipped: list[str]) -> dict[int, list[TokenTransfer]]:
        """Read the logs that name a watched account, and others of the same asset in the same transaction."""
        named = self._naming_logs(raw)
        if not named:
            return {}
        assets: dict[str, set[AssetId]] = {}
        for log in named:
            found = read(self._chain, log)
            if isinstance(found, Misshapen):
                skipped.append(found.reason)
            else:
                assets.setdefault(log["transactionIndex"], set()).add(found.asset)
        tokens: dict[int, list[TokenTransfer]] = {}
        for log in raw.logs:
            place = log["transactionIndex"]
            if place not in assets or log["topics"][:1] != [TRANSFER]:
                continue
            position, found = int(place, 16), read(self._chain, log)
            if log["transactionHash"] != raw.header["transactions"][position]:
                raise Inconsistent(f"log {log['logIndex']} of {log['transactionHash']} is out of place")
            if isinstance(found, TokenTransfer) and found.asset in assets[place]:
                tokens.setdefault(position, []).append(found)
        indexes = [transfer.index for transfers in tokens.values() for transfer in transfers]
        if len(set(indexes)) != len(indexes):
            raise Inconsistent(f"block {raw.header['hash']}: two logs with the same index")
        return tokens

    def _naming_logs(self, raw: RawBlock) -> list[Mapping[str, Any]]:
        block, watched = raw.header["hash"], self._watched
        named: list[Mapping[str, Any]] = []
        for log in raw.logs:
            if log["blockHash"] != block or log.get("removed"):
                raise Inconsistent(f"block {block}: a log that is removed, or of block {log['blockHash']}")
            topics = log["topics"]
            if not topics or topics[0] != TRANSFER:
                continue
            if len(topics) in (3, 4):
                if int(topics[1], 16) in watched or int(topics[2], 16) in watched:
                    named.append(log)
            elif not watched.isdisjoint(words(log)):
                named.append(log)
        return named

    def _hit(self, position: int, frames: Sequence[Frame], tokens: list[TokenTransfer], internal: bool) -> Hit | None:
        top = frames[0]
        moved = [
            Movement(Kind.TRACE, flow.index, self._native, flow.amount, _holder(flow.source), _holder(flow.target))
            for flow in flows(frames)
        ]
        payer = _holder(top["action"]["from"])
        pays = int.from_bytes(payer, "big") in self._watched
        if not pays and not tokens and not any(self._concerns(movement) for movement in moved):
            return None
        failed = bool(top.get("error"))
        if failed and tokens:
            raise Inconsistent(f"transaction {top['transactionHash']} failed and has logs")
        moved.extend(
            Movement(Kind.LOG, token.index, token.asset, token.amount, token.source, token.target)
            for token in sorted(tokens, key=lambda token: token.index)
        )
        txid = Hash(bytes.fromhex(top["transactionHash"][2:]))
        return Hit(position, txid, payer, pays, failed, pays or not internal, tuple(moved))

    def _concerns(self, movement: Movement) -> bool:
        return any(
            party is not None and int.from_bytes(party, "big") in self._watched
            for party in (movement.source, movement.target)
        )

    def _withdrawals(self, header: Mapping[str, Any]) -> tuple[Movement, ...]:
        return tuple(
            Movement(
                Kind.WITHDRAWAL,
                index,
                self._native,
                int(paid["amount"], 16) * GWEI,
                None,
                _holder(paid["address"]),
            )
            for index, paid in enumerate(header.get("withdrawals") or ())
            if int(paid["address"], 16) in self._watched
        )

    def _new_assets(self, tokens: Mapping[int, Sequence[TokenTransfer]]) -> tuple[Asset, ...]:
        """Name the assets that no allow-list knows; what they call themselves is not asked."""
        met = {token.asset: token.nft for transfers in tokens.values() for token in transfers}
        return tuple(
            Asset(asset, "", 0, AssetKind.NFT if nft else AssetKind.UNLISTED)
            for asset, nft in met.items()
            if asset not in self._listed
        )

    def _facts(self, draft: Draft, hit: Hit, answers: Answers) -> TxFacts | None:
        """Join a hit with its bytes and fee; None if its receipt shows that it was none."""
        raw, movements = answers.raw[hit.txid], list(hit.movements)
        if keccak(raw) != hit.txid:
            raise Inconsistent(f"the bytes of transaction {hit.txid.hex()} have another hash")
        if hit.wants_receipt:
            receipt = answers.receipts[hit.txid]
            failed = _receipt_failed(receipt, hit, draft.ref)
            if failed is None and not draft.internal:
                raise NodeLacks(
                    f"block {draft.ref.height} is older than the Byzantium fork: its receipts do not tell failure",
                    'Use a node with the trace or debug API, and write `traces = "auto"`.',
                )
            if draft.internal and failed not in (hit.failed, None):
                raise Inconsistent(f"traces and receipt of {hit.txid.hex()} disagree on whether it failed")
            if failed and not draft.internal:
                movements.clear()
            if hit.pays:
                movements.insert(0, Movement(Kind.FEE, 0, self._native, _fee(receipt), hit.payer, None))
        return TxFacts(hit.position, hit.txid, raw, tuple(movements)) if movements else None


def _end_of_calls(traces: Sequence[Frame]) -> int:
    """Where the rewards of a block begin, those of its miner and uncles: they belong to no transaction."""
    end = len(traces)
    while end and traces[end - 1]["type"] == "reward":
        end -= 1
    return end


def _receipt_failed(receipt: Mapping[str, Any], hit: Hit, ref: BlockRef) -> bool | None:
    """Check that a receipt is of this transaction in this block; say whether it reports a failure.

    None: it does not tell. Receipts from before the Byzantium fork carry a state root instead.
    """
    stands = (receipt["transactionHash"], receipt["blockHash"], int(receipt["transactionIndex"], 16))
    if stands != ("0x" + hit.txid.hex(), "0x" + ref.hash.hex(), hit.position):
        raise Inconsistent(f"the receipt of {hit.txid.hex()} is of another transaction or block")
    if _holder(receipt["from"]) != hit.payer:
        raise Inconsistent(f"traces and receipt of {hit.txid.hex()} disagree on who sent it")
    if receipt.get("status") is None and len(receipt["root"]) == ROOT_HEX:
        return None
    return int(receipt["status"], 16) == 0


def _fee(receipt: Mapping[str, Any]) -> int:
    """What the sender paid in wei: execution gas, and blob gas (EIP-4844) if it carried blobs."""
    fee = int(receipt["gasUsed"], 16) * int(receipt["effectiveGasPrice"], 16)
    if receipt.get("blobGasUsed"):
        fee += int(receipt["blobGasUsed"], 16) * int(receipt["blobGasPrice"], 16)
    return fee


def _holder(address: str) -> Holder:
    account = bytes.fromhex(address[2:])
    if len(account) != 20:
        raise ValueError(f"{address!r} is not an account")
    return Holder(account)
