"""How a bitcoind is asked for what a seizure's inventory may lack: coins of sibling scripts and of further indexes."""

import asyncio
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tracer.custody.inventory import (
    GAP,
    Held,
    descriptor_gap,
    fork_findings,
    forks_of,
    gap_findings,
    sibling_findings,
    siblings,
)
from tracer.errors import NodeLacks, NodeUnavailable, Retryable, TracerError
from tracer.powers.nouns import Finding, Rule, Severity, Subject
from tracer.powers.scripts import Known, Moment, script_powers
from tracer.proof.networks import NETWORKS
from tracer.types import ChainId, Holder, Lane
from watchers.bitcoin.address import descriptor_scripts
from watchers.bitcoin.node import BitcoinNode
from watchers.bitcoin.revealed import Behind, of_descriptor, of_script, of_spend
from watchers.inspector import Filed, Task

SCAN_S = 900.0
"""How long a scan of all unspent coins may take: minutes on the main network."""

MOST_SCRIPTS = 200_000
"""So many descriptors fit into one request to bitcoind."""

ROUNDS = 8
"""Scans at most that follow a wallet's indexes upward."""


@dataclass(frozen=True, slots=True)
class Unspent:
    """What scripts hold unspent after the node's best block: (height, satoshi) of each coin, by script."""

    now: Moment
    coins: Mapping[Holder, tuple[tuple[int, int], ...]]

    def amounts(self) -> dict[Holder, int]:
        """Satoshi by script."""
        return {script: sum(amount for _, amount in coins) for script, coins in self.coins.items()}


class BitcoinInspector:
    """Inspects scripts on one node; see `watchers.inspector.Inspector`."""

    def __init__(self, node: BitcoinNode, network: str) -> None:
        self._node, self._network = node, network
        self._chain = ChainId(f"bip122:{NETWORKS[network].genesis_hash.hex()[:32]}")

    async def open(self) -> None:
        """Connect and check the network."""
        await self._node.open()

    async def close(self) -> None:
        """Release connections. Idempotent."""
        await self._node.close()

    async def look(self, task: Task) -> list[Finding]:
        """Find all at the node's best block; scripts are judged also where the node cannot scan its coins."""
        behind = _behind(task)
        scripts = {watch.holder for watch in task.seized}
        keys = {watch.holder: behind[watch.holder].key for watch in task.seized}
        for public in filter(None, keys.values()):
            scripts |= {one.script for one in siblings(public)}
        found: list[Finding] = []
        unspent: Unspent | None = None
        try:
            unspent = await self._scan(scripts)
        except (Retryable, NodeLacks) as error:
            found += [_unasked(Subject(self._chain, watch.holder), error) for watch in task.seized]
        held = None if unspent is None else unspent.amounts()
        facts = {} if unspent is None else unspent.now.refs
        done = set[tuple[bytes, Holder]]()
        for watch in task.seized:
            subject = Subject(self._chain, watch.holder)
            coins = () if unspent is None else unspent.coins.get(watch.holder, ())
            oldest = min((height for height, _ in coins), default=None)
            now = None if unspent is None else unspent.now
            found += script_powers(subject, behind[watch.holder].known, now, oldest)
            if unspent is not None:
                found.append(_unspent(subject, coins, unspent.now))
            key = keys[watch.holder]
            if key is not None and (key, watch.holder) not in done:
                done.add((key, watch.holder))
                found += sibling_findings(subject, key, task.watched, held, facts)
            had = {
                fork.height: Held(sum(amount for height, amount in coins if height <= fork.height), at_least=True)
                for fork in forks_of(self._chain)
            }
            found += fork_findings(subject, watch.birth, had)
        return found + await self._gaps(task, held)

    async def _gaps(self, task: Task, held: Mapping[Holder, int] | None) -> list[Finding]:
        found: list[Finding] = []
        seized = {watch.ref: watch.holder for watch in task.seized}
        for one in task.filed:
            if "*" not in one.text or one.watch(one.first) not in seized:
                continue
            used = {
                index
                for index in range(one.first, one.last + 1)
                if one.watch(index) in task.used or (held or {}).get(seized.get(one.watch(index), Holder(b"")), 0)
            }
            subject = Subject(self._chain, seized[one.watch(one.first)])
            try:
                beyond, facts = await self._beyond(one, used, task.watched)
            except (Retryable, NodeLacks) as error:
                beyond, facts = {}, {}
                if held is not None:
                    found.append(_unasked(subject, error))
            gap = descriptor_gap({*used, *beyond}, one.first, one.last)
            found += gap_findings(subject, one.ref, gap, beyond, facts)
        return found

    async def _beyond(
        self, one: Filed, used: Collection[int], watched: Collection[Holder]
    ) -> tuple[dict[int, int], dict[str, str | int]]:
        """Follow a descriptor upward until a whole gap holds nothing: amounts by index that are not watched."""
        found: dict[int, int] = {}
        facts: dict[str, str | int] = {}
        low, high = one.last + 1, max(used, default=one.first - 1) + GAP
        for _ in range(ROUNDS):
            high = max(high, one.last + GAP)
            if low > high:
                break
            places: dict[Holder, int] = {}
            for index in range(low, high + 1):
                places |= dict.fromkeys(descriptor_scripts(one.text, index, index, self._network), index)
            unspent = await self._scan(places)
            facts = unspent.now.refs
            for script, amount in unspent.amounts().items():
                if script not in watched:
                    found[places[script]] = found.get(places[script], 0) + amount
            low, high = high + 1, max(found, default=one.last) + GAP
        return found, facts

    async def _scan(self, scripts: Collection[Holder]) -> Unspent:
        """Look for scripts among all unspent coins; raises NodeUnavailable, NodeLacks or what it means."""
        wanted = sorted(set(scripts))
        if len(wanted) > MOST_SCRIPTS:
            raise NodeLacks(f"{len(wanted)} scripts are too many for one scan, which takes {MOST_SCRIPTS}")
        try:
            answer = await self._node.ask("scantxoutset", "start", [f"raw({script.hex()})" for script in wanted])
        except (NodeUnavailable, asyncio.CancelledError):
            with suppress(TracerError, asyncio.CancelledError):  # else the node goes on, and refuses the next scan
                await self._node.ask("scantxoutset", "abort")
            raise
        try:
            if answer["success"] is not True:
                raise NodeUnavailable("the node gave up its scan of unspent coins")
            header = await self._node.ask("getblockheader", answer["bestblock"], True)
            now = Moment(int(answer["height"]), str(answer["bestblock"]), int(header["mediantime"]))
            coins: dict[Holder, tuple[tuple[int, int], ...]] = {}
            for one in answer["unspents"]:
                script = Holder(bytes.fromhex(one["scriptPubKey"]))
                coins[script] = (*coins.get(script, ()), (int(one["height"]), _satoshi(one["amount"])))
        except (KeyError, TypeError, ValueError) as error:
            raise NodeUnavailable("the node tells of unspent coins in a shape unknown here") from error
        if not set(wanted).issuperset(coins):
            raise NodeUnavailable("the node tells of coins that were not asked for")
        return Unspent(now, coins)


def _behind(task: Task) -> dict[Holder, Behind]:
    """What is known to lie behind each seized script: of its descriptor, else of a spent coin, else of itself."""
    filed: dict[Holder, Behind] = {}
    for one in task.filed:
        filed |= dict(of_descriptor(one.text, one.first, one.last))
    found: dict[Holder, Behind] = {}
    for watch in task.seized:
        spend = task.spends.get(watch.holder)
        spent = of_script(watch.holder) if spend is None else of_spend(watch.holder, spend)
        said = filed.get(watch.holder, spent)
        known = Known((*said.known.scripts, *spent.known.scripts), said.known.taproot, said.known.source)
        found[watch.holder] = Behind(known, said.key or spent.key or of_script(watch.holder).key)
    return found


def _satoshi(amount: Any) -> int:
    """Satoshi of an amount in bitcoin; raises ValueError if it has fractions of one."""
    units = Decimal(amount).scaleb(8)
    if units != int(units):
        raise ValueError(f"{amount} has fractions of a satoshi")
    return int(units)


def _unspent(subject: Subject, coins: Collection[tuple[int, int]], now: Moment) -> Finding:
    amount = sum(units for _, units in coins)
    text = f"{len(coins)} coins, {amount} satoshi, unspent after block {now.height}"
    facts = {**now.refs, "coins": len(coins), "amount": str(amount)}
    return Finding("unspent", Severity.INFO, Rule.INVENTORY, subject, text, Lane.REPORTED, refs=facts)


def _unasked(subject: Subject, error: Exception) -> Finding:
    text = f"the node's unspent coins could not be searched: {error}"
    return Finding("scan", Severity.WARN, Rule.INVENTORY, subject, text, Lane.REPORTED, shown=False)
