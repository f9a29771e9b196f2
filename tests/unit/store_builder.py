"""Builds small stores without nodes, block by block from what a test says happened, as the follower would."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path

from tracer.casework import Casework, Judged
from tracer.chain import Marks, Policy, advance_marks
from tracer.custody.case import Case
from tracer.life import Observation
from tracer.notices import Notice
from tracer.pending import Sighting, observe_pool
from tracer.proof.headers import Context
from tracer.store import load
from tracer.store.cases import import_case
from tracer.store.chains import ChainHandle
from tracer.store.headerchain import save_anchor
from tracer.store.interest import InterestReader
from tracer.store.writer import Served, Store
from tracer.taint.boundaries import Limits
from tracer.types import (
    Asset,
    AssetId,
    BlockFacts,
    BlockRef,
    ChainId,
    Checked,
    Hash,
    Holder,
    Kind,
    Lane,
    Movement,
    Outpoint,
    TxFacts,
    outpoint,
    outpoint_text,
)
from tracer.value import Balance, Key

WALL = 1_760_000_000
"""The wall clock of alerts and of the node's last contact."""


def txid(name: str) -> Hash:
    """A made-up transaction id."""
    return Hash(sha256(b"tx " + name.encode()).digest())


def block_hash(name: str) -> Hash:
    """A made-up block hash."""
    return Hash(sha256(b"block " + name.encode()).digest())


@dataclass(frozen=True)
class Coin:
    """An output of a made-up transaction."""

    holder: Holder
    amount: int


@dataclass
class Play:
    """One chain of a store under construction: mine blocks on it, and disconnect them."""

    store: Store
    handle: ChainHandle
    utxo: bool
    native: Asset
    policy: Policy
    spacing: int
    limits: Limits = field(default_factory=Limits)
    tip: BlockRef = field(init=False)
    marks: Marks = field(init=False)
    casework: Casework = field(init=False)
    coins: dict[Outpoint, Coin] = field(default_factory=dict)
    genesis_time: int = 1_750_000_000
    odd_times: dict[int, int] = field(default_factory=dict)

    def start(self, height: int) -> None:
        """Begin following after a block at `height`."""
        anchor = BlockRef(height, block_hash(f"{self.handle.caip2} {height}"), Hash(bytes(32)))
        self.store.start_chain(self.handle, anchor, self.time(height))
        with self.store.connection.begin():
            self.reload()

    def begin_headers(self) -> None:
        """Note that the headers up to the tip were verified from the genesis block on."""
        bits = 0x1D00FFFF
        context = Context(self.tip.height, self.tip.hash, bits, (self.time(self.tip.height),), 0, bits, bits, 1)
        with self.store.connection.begin():
            save_anchor(self.store.connection, self.handle.id, context, "genesis")

    def reload(self) -> None:
        """Rebuild the state from the store inside a transaction, as after a restart."""
        cursor = load.cursor(self.store, self.handle)
        assert cursor is not None
        self.tip, self.marks = cursor
        interest = InterestReader(self.store.connection, self.handle)
        self.casework = load.load_casework(self.store, self.handle, self.utxo, self.native, interest)

    def time(self, height: int) -> int:
        """The block time of a height."""
        if height in self.odd_times:
            return self.odd_times[height]
        return self.genesis_time + self.spacing * height

    def mine(
        self,
        *txs: TxFacts,
        branch: str = "",
        balances: dict[tuple[int, Holder, AssetId], int] | None = None,
        assets: tuple[Asset, ...] = (),
        checked: Checked = Checked.REPORTED,
        answers: dict[Key, Balance] | None = None,
        before: dict[Key, int] | None = None,
    ) -> BlockRef:
        """Append a block; `branch` tells rival blocks of one height apart.

        answers: balances asked after it; before: after its parent, of accounts that a trace reaches in it.
        """
        height = self.tip.height + 1
        ref = BlockRef(height, block_hash(f"{self.handle.caip2} {height}{branch}"), self.tip.hash)
        placed = tuple(replace(tx, position=place + 1) for place, tx in enumerate(txs))
        facts = BlockFacts(ref, self.time(height), b"header of " + ref.hash, placed, (), assets, checked=checked)
        tags = {"safe": max(0, height - 2), "finalized": max(0, height - 4)}
        self.marks = advance_marks(self.marks, height, self.policy, tags)
        begun = {(holder, asset): Balance(n, Lane.REPORTED) for (_, holder, asset), n in (balances or {}).items()}
        prepared = self.casework.connect(facts, self.marks, balances or {}, begun | (answers or {}), before or {})
        self.store.connect(self.handle, [prepared], WALL)
        self.tip = ref
        self.store.set_status(self.handle, ref, "in step", f"at height {height}", WALL)
        return ref

    def disconnect(self) -> None:
        """Take the tip away, as a reorg does."""
        fork = BlockRef(self.tip.height - 1, self.tip.parent, Hash(bytes(32)))
        self.store.disconnect(self.handle, fork, self.policy, self._rejudge, WALL)

    def reconnect(self, ref: BlockRef) -> None:
        """Put a block back that a reorg had taken away."""
        self.store.reconnect(self.handle, [ref], self.marks, self._rejudge, WALL)

    def _rejudge(self, served: Served, marks: Marks) -> Judged:
        self.reload()
        return self.casework.judge_again(marks, served)

    def sighting(self, tx: TxFacts, *after: str) -> Sighting:
        """A transaction as a mempool has it, behind others that it waits for."""
        spends = tuple(outpoint_text(move.spends) for move in tx.movements if move.spends is not None)
        return Sighting(tx.txid, tx.raw, tx.movements, spends, "mempool of a made-up node", tuple(map(txid, after)))

    def pool(
        self, seen: Sequence[Sighting], fates: Mapping[Hash, Observation] | None = None, now: int = WALL
    ) -> list[Notice]:
        """Let a mempool say that it holds new transactions, and what became of others; returns what is told."""
        held = {one.txid: one for one in seen}
        observed = self.store.note_pending(
            self.handle, seen, lambda kept: observe_pool(self.casework, held, held, fates or {}, kept, now), now
        )
        return [notice for _, notice in observed.notices]

    def pay(self, name: str, ins: Sequence[tuple[str, int]], outs: Sequence[tuple[Holder, int]]) -> TxFacts:
        """A transaction of coins, as a scanner reports it: all of it if it spends a coin of interest."""
        points = [outpoint(txid(made), index) for made, index in ins]
        spent = [self.coins[point] for point in points]
        made = [Coin(holder, amount) for holder, amount in outs]
        self.coins |= {outpoint(txid(name), index): coin for index, coin in enumerate(made)}
        asset = self.native.id
        moves = [
            Movement(Kind.IN, i, asset, coin.amount, coin.holder, None, point)
            for i, (point, coin) in enumerate(zip(points, spent, strict=True))
        ]
        moves += [Movement(Kind.OUT, i, asset, coin.amount, None, coin.holder) for i, coin in enumerate(made)]
        fee = sum(coin.amount for coin in spent) - sum(coin.amount for coin in made)
        if ins:
            moves.append(Movement(Kind.FEE, 0, asset, fee, None, None))
        return TxFacts(0, txid(name), b"raw " + name.encode(), tuple(moves))


def transact(name: str, *moves: Movement) -> TxFacts:
    """A transaction between accounts."""
    return TxFacts(0, txid(name), b"raw " + name.encode(), moves)


def add_case(store: Store, case: Case, plays: Sequence[Play]) -> None:
    """Import a case for the chains of some plays."""
    chains = {ChainId(play.handle.caip2): play.handle for play in plays}
    assert import_case(store, case, chains, {ChainId(play.handle.caip2): play.limits for play in plays})


def open_store(path: Path) -> Store:
    """A new store; use it as a context manager."""
    return Store(path)
