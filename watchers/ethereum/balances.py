"""How a node is asked for balances after a block, and what of its answers the block's state root proves.

Ether is proven by the account's proof (EIP-1186). A token's balance is what `balanceOf` says; where the allow-list
names the storage slot, and that was seen to hold what `balanceOf` says of a holder who has some, the proof of the slot
is taken, as long as both agree.
"""

import asyncio
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tracer.errors import BlockRefused, Inconsistent, NodeMissing
from tracer.proof.account import read_proof
from tracer.proof.balances import Evidence, Path, Proven, Slot, pack
from tracer.proof.header import CannotVerify, encode_header, read_header
from tracer.proof.trie import BadProof
from tracer.types import AssetId, BlockRef, Hash, Holder, Lane
from tracer.value import Balance, Key, Want
from watchers.ethereum.ask import NO_METHOD, Question, ask_many, at_block, by_hash, hex_of, number_of
from watchers.ethereum.header import refused
from watchers.node import Told
from watchers.rpc import JsonRpc, RpcError

_PAUSES_S = (0.02, 0.1, 0.5, None)
"""How long to wait before a proof that does not stand is asked for again; None: it is not."""

BALANCE_OF = "0x70a08231"
"""The first four bytes of keccak("balanceOf(address)")."""

ERC20 = "erc20"
NATIVE = "slip44"


def contract_of(asset: AssetId) -> str | None:
    """Take the lower-case contract out of an ERC-20's id; None for ether; raises ValueError for any other asset."""
    namespace, _, contract = asset.rpartition("/")[2].partition(":")
    if namespace == NATIVE:
        return None
    if namespace != ERC20:
        raise ValueError(f"{asset} is not an ERC-20 token")
    return contract


def balance_question(holder: Holder) -> str:
    """Encode `balanceOf(holder)` as the data of a call; raises ValueError if it is not 20 bytes.

    >>> balance_question(Holder(bytes(19) + b"\\x01"))
    '0x70a082310000000000000000000000000000000000000000000000000000000000000001'
    """
    if len(holder) != 20:
        raise ValueError(f"an Ethereum account has 20 bytes, not {len(holder)}")
    return BALANCE_OF + holder.hex().rjust(64, "0")


def balance_answer(data: str) -> int:
    """Decode the answer to `balanceOf`; raises ValueError unless it is exactly one word."""
    answer = bytes.fromhex(data[2:])
    if len(answer) != 32:
        raise ValueError(f"balanceOf answered {len(answer)} bytes, not 32")
    return int.from_bytes(answer, "big")


@dataclass(frozen=True, slots=True)
class After:
    """A block whose state is asked for; root and header: as far as its header could be verified."""

    block: Hash
    height: int
    header: bytes | None = None

    @property
    def root(self) -> bytes | None:
        """The state root, if the header is verified."""
        return None if self.header is None else read_header(self.header).state_root


@dataclass(frozen=True, slots=True)
class Found:
    """One balance: its amount, nonce of the account, and the path that proves it (None: the node said it)."""

    amount: int
    nonce: int | None = None
    path: Path | None = None

    @property
    def lane(self) -> Lane:
        """How well it is shown."""
        return Lane.REPORTED if self.path is None else Lane.PROVEN


Reading = tuple[Found | None, Proven | None]
"""What the node says, and beside it what a token's slot holds; None: it has no state, nothing was proven."""


@dataclass(slots=True)
class Balances:
    """Asks one node for balances; remembers which slots were seen to hold them.

    headers: of blocks whose headers were verified, by hash; others are asked for.
    """

    rpc: JsonRpc
    slots: Mapping[AssetId, Slot]
    at_once: int
    headers: Mapping[Hash, bytes] = field(default_factory=dict)
    trusted: set[AssetId] = field(default_factory=set)
    proofs: bool = True

    async def told(self, ref: BlockRef, wants: Sequence[Want]) -> Told:
        """Ask for balances after a block, and for some after its parent.

        What the node has no state for is missing from the answer. Raises NodeMissing if it does not know the block,
        BlockRefused if a proof does not lead to the state root, Inconsistent if a token does not answer.
        """
        blocks = [After(ref.hash, ref.height, self.headers.get(ref.hash))]
        if any(want.before for want in wants):
            blocks.append(After(ref.parent, ref.height - 1, self.headers.get(ref.parent)))
        places = [(after, want) for after in blocks for want in wants if after.block == ref.hash or want.before]
        for pause_s in _PAUSES_S:
            answers = await self._ask(blocks, places)
            blocks = [after if after.header else with_header(after, answers["header", after.block]) for after in blocks]
            known = {after.block: after for after in blocks}
            try:
                read = {(known[a.block].block, w): self._read(known[a.block], w, answers) for a, w in places}
                break
            except BlockRefused:  # a node that moves on while it is asked may answer from the block above
                if pause_s is None:
                    raise
                await asyncio.sleep(pause_s)
        skipped = self._trust(read)
        found: dict[Key, Balance] = {}
        for want in wants:
            now = self._settle(want, read[ref.hash, want])
            before = self._settle(want, read[ref.parent, want]) if want.before else None
            if now is None or (want.before and before is None):
                continue
            found[want.holder, want.asset] = balance(now, before, blocks)
        return Told(found, skipped, blocks[0].header)

    async def _ask(self, blocks: Sequence[After], places: Sequence[tuple[After, Want]]) -> dict[Hashable, Any]:
        asked: dict[Hashable, Question] = {
            ("header", after.block): by_hash(after.block) for after in blocks if after.header is None
        }
        for after, want in places:
            asked.update(self._questions(after.block, want))
        answers = await self._answers(asked)
        silent = {  # may be no contract; those that answer are spared the question, which loads the state once more
            ("code", after.block, contract): ("eth_getCode", [contract, at_block(after.block)])
            for after, want in places
            if (contract := contract_of(want.asset)) is not None
            and not _is_word(answers["says", after.block, contract, want.holder])
        }
        answers |= await self._answers(silent)
        if self.proofs and any(isinstance(a, RpcError) and a.code in NO_METHOD for a in answers.values()):
            self.proofs = False
            return await self._ask(blocks, places)
        return answers

    async def _answers(self, asked: Mapping[Any, Question]) -> dict[Hashable, Any]:
        return dict(zip(asked, await ask_many(self.rpc, list(asked.values()), self.at_once), strict=True))

    def _questions(self, block: Hash, want: Want) -> dict[Hashable, Question]:
        at, holder, contract = at_block(block), "0x" + want.holder.hex(), contract_of(want.asset)
        if contract is None:
            if self.proofs:
                return {("proof", block, want.holder, None): ("eth_getProof", [holder, [], at])}
            return {("ether", block, want.holder): ("eth_getBalance", [holder, at])}
        call = {"to": contract, "data": balance_question(want.holder)}
        asked: dict[Hashable, Question] = {
            ("says", block, contract, want.holder): ("eth_call", [call, at]),
        }
        slot = self.slots.get(want.asset)
        if slot is not None and self.proofs:
            key = hex_of(Hash(slot.of(want.holder)))
            asked["proof", block, want.holder, contract] = ("eth_getProof", [contract, [key], at])
        return asked

    def _read(self, after: After, want: Want, answers: Mapping[Hashable, Any]) -> Reading:
        """Read the answers for one balance after one block."""
        contract = contract_of(want.asset)
        proof = answers.get(("proof", after.block, want.holder, contract))
        if contract is None:
            if self.proofs:
                return self._ether(after, want.holder, proof), None
            said = answers["ether", after.block, want.holder]
            return (None if isinstance(said, RpcError) else Found(number_of(said))), None
        code = answers.get(("code", after.block, contract))
        if isinstance(code, RpcError):
            return None, None
        says = 0 if code == "0x" else _says(contract, after, answers["says", after.block, contract, want.holder])
        if proof is None or isinstance(proof, RpcError) or after.root is None:
            return Found(says), None
        path, value = self._proven(after, bytes.fromhex(contract[2:]), want, proof)
        return Found(says, path=path), value

    def _ether(self, after: After, holder: Holder, proof: Any) -> Found | None:
        if isinstance(proof, RpcError):
            return None
        if after.root is None:
            return Found(number_of(proof["balance"]))
        path, value = self._proven(after, holder, None, proof)
        return Found(value.amount, value.nonce, path)

    def _proven(self, after: After, account: bytes, token: Want | None, answer: Any) -> tuple[Path, Proven]:
        """Follow a proof; raises BlockRefused if it does not lead from the state root."""
        assert after.root is not None, "the caller has seen to it"
        try:
            if token is None:
                proven = read_proof(after.root, account, (), answer)
                return Path(proven.account_nodes), Proven(proven.account.balance, proven.account.nonce)
            slot = self.slots[token.asset]
            key = slot.of(token.holder)
            proven = read_proof(after.root, account, (key,), answer)
            return Path(proven.account_nodes, slot, proven.slot_nodes[key]), Proven(proven.slots[key], None)
        except BadProof as error:
            ref = BlockRef(after.height, after.block, Hash(bytes(32)))
            raise refused(ref, f"the node's proof of 0x{account.hex()} does not stand: {error}", answer) from error

    def _trust(self, read: Mapping[tuple[Hash, Want], Reading]) -> tuple[str, ...]:
        """Trust slots that hold what `balanceOf` says of somebody who has some; say which do not agree."""
        skipped: dict[str, None] = {}
        for (_, want), (found, value) in read.items():
            if found is None or value is None:
                continue
            if found.amount == value.amount and value.amount:
                self.trusted.add(want.asset)
            elif found.amount != value.amount:
                contract = contract_of(want.asset)
                skipped[f"token {contract}: balances are not what its `balance_slot` holds; taken as reported"] = None
        return tuple(skipped)

    def _settle(self, want: Want, read: Reading) -> Found | None:
        """Take a token's balance for proven only if its slot is trusted and agrees."""
        found, value = read
        if found is None or value is None:
            return found
        if want.asset in self.trusted and found.amount == value.amount:
            return found
        return Found(found.amount)


def with_header(after: After, answer: Any) -> After:
    """Add a block's header, unless it has fields unknown here, so that nothing can be proven under it.

    Raises NodeMissing if the node lacks the block, BlockRefused if the header does not hash to the block's hash.
    """
    if not isinstance(answer, dict):
        raise NodeMissing(f"the node has no block 0x{after.block.hex()}")
    if answer.get("hash") != hex_of(after.block):
        raise Inconsistent(f"asked for block 0x{after.block.hex()}, the node gave another")
    try:
        return After(after.block, after.height, encode_header(answer))
    except CannotVerify:
        return after
    except BadProof as error:
        raise refused(BlockRef(after.height, after.block, Hash(bytes(32))), error, answer) from error


def balance(now: Found, before: Found | None, blocks: Sequence[After]) -> Balance:
    """Put an answer together, with the bytes that prove it."""
    parent = None if before is None else Balance(before.amount, before.lane, nonce=before.nonce)
    proof = None
    if now.path is not None:
        evidence = Evidence(now.path)
        if before is not None and before.path is not None:
            evidence = Evidence(now.path, blocks[1].header or b"", before.path)
        proof = pack(evidence)
    return Balance(now.amount, now.lane, proof, now.nonce, parent)


def _is_word(answer: Any) -> bool:
    return isinstance(answer, str) and len(answer) == 66


def _says(contract: str, after: After, answer: Any) -> int:
    try:
        if isinstance(answer, RpcError):
            raise ValueError(str(answer))
        return balance_answer(answer)
    except ValueError as error:
        what = f"token {contract} gives no balance at block {after.height}: {error}"
        raise Inconsistent(what, "Take the token off the list if it is not an ERC-20.") from error
