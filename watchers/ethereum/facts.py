"""What a proven block says about watched accounts: movements, each in the lane that its evidence allows. Pure.

PROVEN are what the roots cover: a transaction's sender, value, fee and outcome, and withdrawals. Calls inside a
transaction have no root: they are as the tracer reports them, and refused where they contradict what is proven. A
token's log is proven to have been written, but not that a balance moved: it stays REPORTED.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tracer.errors import Inconsistent, NodeLacks
from tracer.proof.ethereum import ProvenBlock
from tracer.proof.keccak import keccak
from tracer.proof.transaction import created, read_transaction
from tracer.proof.trie import BadProof
from tracer.types import (
    Asset,
    AssetId,
    AssetKind,
    BlockFacts,
    BlockRef,
    ChainId,
    Checked,
    Hash,
    Holder,
    Kind,
    Lane,
    Movement,
    TxFacts,
)
from watchers.ethereum.frames import Frame, flows
from watchers.ethereum.logs import TRANSFER, Misshapen, TokenTransfer, read
from watchers.ethereum.raw import RawBlock
from watchers.ethereum.told import ToldBlock
from watchers.ethereum.touching import names_watched, rewards, touched_by_frames

GWEI = 10**9

BLOCK_REWARDS_FROM = 1 << 20
"""Where the indexes of block rewards begin; below are priority fees, by their transaction's position."""


@dataclass(frozen=True, slots=True)
class Interest:
    """Whom a chain's scanner looks for: accounts as integers; and which tokens the operator listed."""

    chain: ChainId
    native: AssetId
    listed: frozenset[AssetId]
    watched: set[int]


Block = ProvenBlock | ToldBlock


def told_facts(interest: Interest, ref: BlockRef, raw: RawBlock, told: ToldBlock) -> BlockFacts:
    """Read what a node tells of the transactions of interest: REPORTED, until the block is read whole."""
    skipped: list[str] = []
    logs = [
        (position, [(int(log["logIndex"], 16), log) for log in told.receipts[position]["logs"]])
        for position in told.transactions
    ]
    tokens = _tokens(interest, logs, skipped)
    found: list[TxFacts] = []
    for position in sorted(told.transactions):
        frames = [frame for frame in raw.traces if frame["transactionPosition"] == position] if raw.internal else []
        if frames:
            _agree(position, frames[0], told)
        facts = _transaction(interest, told, position, frames, tokens.get(position, ()))
        if facts is not None:
            found.append(facts)
    if not raw.internal:
        skipped.append("internal transfers unobserved")
    return BlockFacts(
        ref=ref,
        time=told.header.time,
        header=told.encoded if found else None,
        transactions=tuple(found),
        new_assets=_new_assets(interest, tokens),
        skipped=tuple(skipped),
        checked=Checked.HEADER,
    )


def whole_facts(interest: Interest, ref: BlockRef, raw: RawBlock, proven: ProvenBlock) -> BlockFacts:
    """Read all that a block says; raises BadProof where the tracer contradicts what is proven, or Inconsistent."""
    hashes = [told["hash"] for told in proven.transactions]
    starts, touched = touched_by_frames(raw.header["hash"], hashes, raw.traces, interest.watched)
    tops = [raw.traces[start] for start in starts[:-1]]
    if raw.internal:
        for position, frame in enumerate(tops):
            _agree(position, frame, proven)
    if raw.checked is Checked.WHOLE:
        touched.update(
            position
            for position in range(len(tops))
            if int.from_bytes(proven.sender(position), "big") in interest.watched
        )
    skipped: list[str] = []
    tokens = _tokens(interest, _in_order(proven.receipts), skipped)
    found: list[TxFacts] = []
    for position in sorted(touched | tokens.keys()):
        frames = raw.traces[starts[position] : starts[position + 1]] if raw.internal else ()
        facts = _transaction(interest, proven, position, frames, tokens.get(position, ()))
        if facts is not None:
            found.append(facts)
    if tops and not raw.internal:
        skipped.append("internal transfers unobserved")
    loose = (*_rewards(interest, raw, proven), *_withdrawals(interest, raw.header))
    return BlockFacts(
        ref=ref,
        time=proven.header.time,
        header=proven.encoded if found or loose else None,
        transactions=tuple(found),
        loose=loose,
        new_assets=_new_assets(interest, tokens),
        skipped=tuple(skipped),
        checked=raw.checked,
    )


def _agree(position: int, frame: Frame, proven: Block) -> None:
    """Hold a transaction's top frame against its signed bytes and its receipt; raises BadProof."""
    sent, action = proven.transactions[position], frame["action"]
    if not _same(action["from"], sent["from"]) or not _same(action["value"], sent["value"]):
        raise BadProof(f"the traces of transaction {position} name another sender or amount than it has")
    to = sent["to"]
    if (frame["type"] == "create") is not (to is None) or (to is not None and not _same(action["to"], to)):
        raise BadProof(f"the traces of transaction {position} name another receiver than it has")
    status = proven.receipts[position].get("status")
    if status is not None and (status == "0x1") is bool(frame.get("error")):
        raise BadProof(f"traces and receipt of transaction {position} disagree on whether it failed")


def _same(one: str, other: str) -> bool:
    return one == other or int(one, 16) == int(other, 16)


def _in_order(receipts: Sequence[Mapping[str, Any]]) -> Iterator[tuple[int, list[tuple[int, Mapping[str, Any]]]]]:
    """The logs of each transaction with their places in the block."""
    index = 0
    for position, receipt in enumerate(receipts):
        logs = receipt["logs"]
        if logs:
            yield position, list(enumerate(logs, index))
            index += len(logs)


def _tokens(
    interest: Interest, logged: Iterable[tuple[int, list[tuple[int, Mapping[str, Any]]]]], skipped: list[str]
) -> dict[int, Sequence[TokenTransfer]]:
    """Read the logs that name a watched account, and others of the same asset in the same transaction."""
    tokens: dict[int, Sequence[TokenTransfer]] = {}
    for position, numbered in logged:
        logs = [(index, log) for index, log in numbered if log["topics"][:1] == [TRANSFER]]
        assets: set[AssetId] = set()
        for index, log in logs:
            if names_watched(log, interest.watched):
                found = read(interest.chain, log, index)
                if isinstance(found, Misshapen):
                    skipped.append(found.reason)
                else:
                    assets.add(found.asset)
        if assets:
            known = [read(interest.chain, log, at) for at, log in logs]
            tokens[position] = [one for one in known if isinstance(one, TokenTransfer) and one.asset in assets]
    return tokens


def _transaction(
    interest: Interest,
    proven: Block,
    position: int,
    frames: Sequence[Frame],
    tokens: Sequence[TokenTransfer],
) -> TxFacts | None:
    """Join what a transaction moved; None if that concerns nobody who is watched."""
    payer = Holder(proven.sender(position))
    pays = int.from_bytes(payer, "big") in interest.watched
    moved = _ether(interest, proven, position, payer, frames)
    if not pays and not tokens and not any(_concerns(interest, movement) for movement in moved):
        return None
    if pays:
        moved.insert(0, _fee(interest, proven, position, payer))
    moved.extend(
        Movement(Kind.LOG, token.index, token.asset, token.amount, token.source, token.target) for token in tokens
    )
    if not moved:
        return None
    raw = proven.signed[position].raw
    return TxFacts(position, Hash(keccak(raw)), raw, tuple(moved), proven.proof(position))


def _ether(interest: Interest, proven: Block, position: int, payer: Holder, frames: Sequence[Frame]) -> list[Movement]:
    """What moved by the transaction itself, as proven, then by its inner calls, as reported."""
    sent, status = proven.transactions[position], proven.receipts[position].get("status")
    inner = [
        Movement(Kind.TRACE, flow.index, interest.native, flow.amount, _holder(flow.source), _holder(flow.target))
        for flow in flows(frames)
    ]
    if status is None:  # before Byzantium only a tracer tells whether it failed
        if not frames:
            raise NodeLacks(
                f"block {proven.header.height} is older than the Byzantium fork: its receipts do not tell failure",
                'Use a node with the trace or debug API, and write `traces = "auto"`.',
            )
        return inner
    value = int(sent["value"], 16)
    if status != "0x1" or not value:
        return [move for move in inner if move.index]
    to = sent["to"]
    target = _holder(to) if to is not None else Holder(created(payer, int(sent["nonce"], 16)))
    top = Movement(Kind.TRACE, 0, interest.native, value, payer, target, lane=proven.lane)
    return [top, *(move for move in inner if move.index)]


def _fee(interest: Interest, proven: Block, position: int, payer: Holder) -> Movement:
    """What the sender paid for gas, and for blobs: their price hangs on the chain's fork table, so it is reported."""
    sent = read_transaction(proven.signed[position].raw)
    amount, lane = proven.gas_used(position) * sent.price_paid(proven.header.base_fee), proven.lane
    if sent.blobs:
        price = proven.receipts[position].get("blobGasPrice")
        if price is None:
            raise Inconsistent(f"the node does not tell the price of blobs in block {proven.header.height}")
        amount, lane = amount + sent.blobs * BLOB_GAS * int(price, 16), Lane.REPORTED
    return Movement(Kind.FEE, 0, interest.native, amount, payer, None, lane=lane)


BLOB_GAS = 1 << 17
"""Gas of one blob (EIP-4844)."""


def _rewards(interest: Interest, raw: RawBlock, proven: ProvenBlock) -> list[Movement]:
    """Priority fees of each transaction to a watched fee recipient, then block rewards as the tracer reports them."""
    found: list[Movement] = []
    miner = Holder(proven.header.miner)
    if int.from_bytes(miner, "big") in interest.watched:
        for position, signed in enumerate(proven.signed):
            price = read_transaction(signed.raw).price_paid(proven.header.base_fee)
            tip = (price - proven.header.base_fee) * proven.gas_used(position)
            if tip:
                found.append(Movement(Kind.REWARD, position, interest.native, tip, None, miner, lane=Lane.PROVEN))
    for order, frame in enumerate(rewards(raw.header["hash"], raw.traces, interest.watched)):
        action = frame["action"]
        author, amount = _holder(action["author"]), int(action["value"], 16)
        found.append(Movement(Kind.REWARD, BLOCK_REWARDS_FROM + order, interest.native, amount, None, author))
    return found


def _withdrawals(interest: Interest, header: Mapping[str, Any]) -> list[Movement]:
    return [
        Movement(
            *(Kind.WITHDRAWAL, index, interest.native, int(paid["amount"], 16) * GWEI, None, _holder(paid["address"])),
            lane=Lane.PROVEN,
        )
        for index, paid in enumerate(header.get("withdrawals") or ())
        if int(paid["address"], 16) in interest.watched
    ]


def _concerns(interest: Interest, movement: Movement) -> bool:
    return any(
        party is not None and int.from_bytes(party, "big") in interest.watched
        for party in (movement.source, movement.target)
    )


def _new_assets(interest: Interest, tokens: Mapping[int, Sequence[TokenTransfer]]) -> tuple[Asset, ...]:
    """Name the assets that no allow-list knows; what they call themselves is asked later (`watchers.texts`)."""
    met = {token.asset: token.nft for transfers in tokens.values() for token in transfers}
    return tuple(
        Asset(asset, "", 0, AssetKind.NFT if nft else AssetKind.UNLISTED)
        for asset, nft in met.items()
        if asset not in interest.listed
    )


def _holder(address: str) -> Holder:
    account = bytes.fromhex(address[2:])
    if len(account) != 20:
        raise ValueError(f"{address!r} is not an account")
    return Holder(account)
