"""How an Ethereum node is asked who else can move seized accounts and tokens: every question by one block's hash."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tracer.custody.case import Watch
from tracer.custody.inventory import Held, fork_findings, forks_of, other_chains
from tracer.errors import NodeMissing, NodeUnavailable
from tracer.powers.accounts import (
    ADMIN,
    OLD_ADMIN,
    SLOTS,
    Seen,
    account_powers,
    address_word,
    delegate_of,
    safe_of,
)
from tracer.powers.nouns import Finding, Rule, Severity, Subject, at
from tracer.powers.tokens import FROZEN, PAUSED, PERMIT2, Allowance, Issued, allowance_powers, issuer_powers
from tracer.proof.keccak import keccak
from tracer.types import Asset, AssetId, BlockRef, ChainId, Hash, Holder, Lane
from watchers.ethereum.approvals import Approvals, Pair, approvals
from watchers.ethereum.ask import Question, at_block, by_number, header_at, number_of
from watchers.ethereum.balances import contract_of
from watchers.ethereum.node import EthereumNode
from watchers.ethereum.texts import silent
from watchers.inspector import Task
from watchers.rpc import RpcError

GAS = 1_000_000
"""Enough for the list of a Safe's owners behind a proxy; little enough that no answer is long."""

TRIES = 3
WORD = 32
NO_SUCH = "custodyTracerAsksWhetherYouAnswerAnything()"
"""A function that no contract has: one that answers it answers anything."""

MODULES = "getModulesPaginated(address,uint256)"
PERMIT = "DOMAIN_SEPARATOR()"
NONCES = "nonces(address)"


def call(to: bytes, function: str, *words: bytes) -> dict[str, str]:
    """A call of a function by its signature, with arguments of one word each."""
    data = keccak(function.encode())[:4] + b"".join(word.rjust(WORD, b"\x00") for word in words)
    return {"to": "0x" + to.hex(), "data": "0x" + data.hex(), "gas": hex(GAS)}


@dataclass(frozen=True, slots=True)
class State:
    """Asks a node about the state after one block."""

    node: EthereumNode
    ref: BlockRef

    async def calls(self, asked: Sequence[dict[str, str]]) -> list[bytes | None]:
        """Ask contracts; None: the contract gave nothing. Raises NodeUnavailable where the node itself failed."""
        answers = await self.node.ask([("eth_call", [one, at_block(self.ref.hash)]) for one in asked])
        found: list[bytes | None] = []
        for one, answer in zip(asked, answers, strict=True):
            if isinstance(answer, RpcError) and not silent(answer):
                raise NodeUnavailable(f"the node cannot call {one['to']} at block {self.ref.height}: {answer}")
            found.append(_bytes(answer))
        return found

    async def seen(self, accounts: Sequence[bytes]) -> dict[bytes, Seen]:
        """Ask for code, and of contracts for the slots of proxies and who owns their admin."""
        where = at_block(self.ref.hash)
        codes = await self.node.ask([("eth_getCode", ["0x" + one.hex(), where]) for one in accounts])
        found = {one: Seen(_bytes(code)) for one, code in zip(accounts, codes, strict=True)}
        programs = [one for one, seen in found.items() if seen.code and delegate_of(seen.code) is None]
        places = [(one, slot) for one in programs for slot in SLOTS]
        asked: list[Question] = [("eth_getStorageAt", ["0x" + o.hex(), "0x" + s.hex(), where]) for o, s in places]
        words = dict(zip(places, map(_bytes, await self.node.ask(asked)), strict=True))
        owners = await self.calls([call(one, "owner()") for one in programs])
        for one, owner in zip(programs, owners, strict=True):
            slots = {slot: words[one, slot] for slot in SLOTS}
            found[one] = replace(found[one], slots=slots, owner=address_word(owner))
        admins = {
            one: admin
            for one in programs
            for slot in (OLD_ADMIN, ADMIN)
            if (admin := address_word(found[one].slots[slot])) is not None
        }
        for (one, _), owner in zip(
            admins.items(), await self.calls([call(admin, "owner()") for admin in admins.values()]), strict=True
        ):
            found[one] = replace(found[one], admin_owner=address_word(owner))
        return found

    async def with_safes(self, accounts: Mapping[bytes, Seen]) -> dict[bytes, Seen]:
        """Ask contracts whether they answer as a Safe does."""
        programs = [one for one, seen in accounts.items() if seen.slots]
        functions = ("getThreshold()", "getOwners()", NO_SUCH)
        asked = [call(one, name) for one in programs for name in functions]
        asked += [call(one, MODULES, b"\x01", b"\x32") for one in programs]
        answers = await self.calls(asked)
        found = dict(accounts)
        for place, one in enumerate(programs):
            threshold, owners, anything = answers[3 * place : 3 * place + 3]
            modules = answers[3 * len(programs) + place]
            if anything is None or not anything:
                found[one] = replace(found[one], safe=safe_of(threshold, owners, modules))
            else:
                found[one] = replace(found[one], owner=None)
        return found

    async def issued(self, tokens: Sequence[Asset], holders: Sequence[Holder]) -> dict[tuple[AssetId, Holder], Issued]:
        """Ask token contracts about themselves and about each holder."""
        contracts = {token.id: bytes.fromhex(str(contract_of(token.id))[2:]) for token in tokens}
        seen = await self.seen(list(contracts.values()))
        common = (PAUSED, PERMIT, NO_SUCH)
        answers = await self.calls([call(to, name) for to in contracts.values() for name in common])
        own = dict(zip([(one, name) for one in contracts for name in common], answers, strict=True))
        each = ("balanceOf(address)", NONCES, *FROZEN)
        places = [(token, holder, name) for token in contracts for holder in holders for name in each]
        told = dict(zip(places, await self.calls([call(contracts[t], name, h) for t, h, name in places]), strict=True))
        found: dict[tuple[AssetId, Holder], Issued] = {}
        for token in tokens:
            program = seen[contracts[token.id]]
            for holder in holders:
                balance = told[token.id, holder, "balanceOf(address)"]
                permits = [own[token.id, PERMIT], told[token.id, holder, NONCES]]
                found[token.id, holder] = Issued(
                    token,
                    0 if program.code == b"" else _number(balance),
                    program,
                    paused=own[token.id, PAUSED],
                    frozen={name: told[token.id, holder, name] for name in FROZEN},
                    owner=program.owner,
                    permits=all(answer is not None and len(answer) == WORD for answer in permits),
                    fallback=bool(own[token.id, NO_SUCH]),
                )
        return found

    async def allowances(
        self, tokens: Sequence[Asset], holders: Sequence[Holder], logs: Approvals
    ) -> dict[Holder, list[Allowance]]:
        """Ask what every approved spender may take now, and Permit2, which some tokens allow without an event."""
        by_contract = {str(contract_of(token.id)): token for token in tokens}
        pairs: dict[Pair, None] = dict.fromkeys(sorted(logs.newest))
        pairs |= dict.fromkeys((contract, holder, PERMIT2) for contract in by_contract for holder in holders)
        asked = [
            call(bytes.fromhex(contract[2:]), "allowance(address,address)", owner, spender)
            for contract, owner, spender in pairs
        ]
        found: dict[Holder, list[Allowance]] = {holder: [] for holder in holders}
        for pair, answer in zip(pairs, await self.calls(asked), strict=True):
            contract, owner, spender = pair
            value, log = _number(answer), logs.newest.get(pair)
            if value is None and log is None:
                continue  # nobody approved Permit2 there: the token has no allowances to ask for
            found[owner].append(Allowance(by_contract[contract], spender, value, log))
        return found


class EthereumInspector:
    """Inspects accounts on one node; see `watchers.inspector.Inspector`.

    classes: what the operator declares tokens to be, by asset.
    """

    def __init__(
        self,
        node: EthereumNode,
        chain: ChainId,
        tokens: Sequence[Asset],
        at_once: int,
        classes: Mapping[AssetId, str] | None = None,
    ) -> None:
        self._node, self._chain, self._tokens, self._at_once = node, chain, tuple(tokens), at_once
        self._classes = dict(classes or {})
        self._genesis = Hash(bytes(32))

    async def open(self) -> None:
        """Connect and check the network."""
        self._genesis = await self._node.open()

    async def close(self) -> None:
        """Release connections. Idempotent."""
        await self._node.close()

    async def look(self, task: Task) -> list[Finding]:
        """Find all at the node's best block, and once more at a newer one if that block left the chain meanwhile."""
        for _ in range(TRIES):
            ref = (await self._node.view(BlockRef(0, self._genesis, Hash(bytes(32))))).best
            found = await self._look(task, ref)
            if await self._node.ref_at(ref.height) == ref:
                return found
        raise NodeMissing(f"{self._chain}: the best block left the chain {TRIES} times while it was asked about")

    async def _look(self, task: Task, ref: BlockRef) -> list[Finding]:
        state, holders = State(self._node, ref), list(dict.fromkeys(watch.holder for watch in task.seized))
        births = {watch.holder: min(watch.birth, ref.height) for watch in reversed(task.seized)}
        seen = await state.with_safes(await state.seen(holders))
        contracts = [str(contract_of(token.id)) for token in self._tokens]
        logs = await approvals(self._node.ask, contracts, births, ref.height, self._at_once)
        allowed = await state.allowances(self._tokens, holders, logs)
        issued = await state.issued(self._tokens, holders)
        found: list[Finding] = []
        for watch in task.seized:
            subject, facts = Subject(self._chain, watch.holder), at(ref)
            asked = {**facts, "approvals_from": births[watch.holder]}
            held = {token.id: issued[token.id, watch.holder].balance for token in self._tokens}
            found += account_powers(subject, seen[watch.holder], facts)
            found += allowance_powers(subject, allowed[watch.holder], held, asked)
            found += [_missing(subject, span, facts) for span in logs.missing]
            for token in self._tokens:
                if held[token.id] != 0:
                    declared = self._classes.get(token.id)
                    found += issuer_powers(subject, issued[token.id, watch.holder], declared, facts)
            found += other_chains(subject, task.configured)
            found += fork_findings(subject, watch.birth, await self._before_forks(watch))
        return found

    async def _before_forks(self, watch: Watch) -> dict[int, Held]:
        """What an account had when coins split off; None where the node has no such state."""
        heights = [fork.height for fork in forks_of(self._chain) if watch.birth <= fork.height]
        headers = await self._node.ask([by_number(height) for height in heights])
        blocks = [
            ref
            for height, answer in zip(heights, headers, strict=True)
            if not isinstance(answer, RpcError) and (ref := header_at(answer, height)) is not None
        ]
        asked: list[Question] = [("eth_getBalance", ["0x" + watch.holder.hex(), at_block(ref.hash)]) for ref in blocks]
        answers = await self._node.ask(asked)
        return {
            ref.height: Held(None if isinstance(answer, RpcError) else number_of(answer))
            for ref, answer in zip(blocks, answers, strict=True)
        }


def _missing(subject: Subject, span: tuple[int, int], facts: Mapping[str, str | int]) -> Finding:
    text = f"the node refuses the approval events of blocks {span[0]} to {span[1]}"
    more = {**facts, "from_height": span[0], "to_height": span[1]}
    return Finding(
        "approvals-unknown", Severity.WARN, Rule.APPROVE, subject, text, Lane.REPORTED, refs=more, shown=False
    )


def _bytes(answer: Any) -> bytes | None:
    """Read hex; None for an error, or something else than hex."""
    if isinstance(answer, RpcError) or not isinstance(answer, str):
        return None
    try:
        return bytes.fromhex(answer.removeprefix("0x"))
    except ValueError:
        return None


def _number(answer: bytes | None) -> int | None:
    """Read one word as a number; None if it is anything else."""
    return int.from_bytes(answer, "big") if answer is not None and len(answer) == WORD else None
