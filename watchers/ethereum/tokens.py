"""How ERC-20 contracts are held against the operator's list, with web3 for the ABI.

Importing web3 takes about a second: import this module only when a contract is checked. web3 itself checks
neither ids nor deadlines, so its questions go through the same transport as all others.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from web3 import AsyncWeb3, Web3
from web3.exceptions import BadFunctionCallOutput, ContractLogicError, Web3RPCError
from web3.providers.async_base import AsyncBaseProvider
from web3.types import RPCEndpoint, RPCResponse

from tracer.proof.balances import Slot
from tracer.types import Asset, AssetId, Holder
from watchers.ethereum.ask import Question, number_of
from watchers.ethereum.balances import balance_question, contract_of
from watchers.ethereum.logs import TRANSFER
from watchers.node import Lack
from watchers.rpc import JsonRpc, RpcError

ABI: list[dict[str, Any]] = [
    {
        "type": "function",
        "name": "decimals",
        "stateMutability": "view",
        "inputs": [],
        "outputs": [{"name": "", "type": "uint8"}],
    }
]


class CheckedProvider(AsyncBaseProvider):
    """Carries web3's questions over our transport.

    Following a contract's redirection to a web server (EIP-3668) is off: it would let a contract choose
    whom we call.
    """

    global_ccip_read_enabled = False

    def __init__(self, rpc: JsonRpc) -> None:
        super().__init__()
        self._rpc = rpc

    async def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """Ask; a JSON-RPC error is given to web3 in its own form, all else is raised as ours."""
        try:
            return {"jsonrpc": "2.0", "id": 0, "result": await self._rpc.call(method, *params)}
        except RpcError as error:
            return {"jsonrpc": "2.0", "id": 0, "error": {"code": error.code, "message": error.message}}


async def unfit(rpc: JsonRpc, tokens: Sequence[Asset]) -> list[Lack]:
    """Ask each listed token for its decimals now, and name those that are none or differ from the list."""
    node = AsyncWeb3(CheckedProvider(rpc))
    lacks: list[Lack] = []
    for token in tokens:
        contract = Web3.to_checksum_address(str(contract_of(token.id)))
        try:
            decimals = await node.eth.contract(contract, abi=ABI).functions.decimals().call()
        except (BadFunctionCallOutput, ContractLogicError, Web3RPCError):
            what = f"token {token.symbol}: {contract} is not an ERC-20 contract"
            lacks.append(Lack(what, "Correct the token's `contract`."))
            continue
        if decimals != token.decimals:
            lacks.append(
                Lack(
                    f"token {token.symbol}: its contract says {decimals} decimals, the list {token.decimals}",
                    f"Write `decimals = {decimals}`, or correct the token's `contract`.",
                )
            )
    return lacks


LOOKED_BACK = 1_000
"""Blocks below the tip in which a holder of a token is looked for."""

HOLDERS = 20


async def unfit_slots(rpc: JsonRpc, tokens: Sequence[Asset], slots: Mapping[AssetId, Slot]) -> list[Lack]:
    """See that each named slot holds what `balanceOf` says of somebody who has some, and name those that do not."""
    lacks: list[Lack] = []
    for token in tokens:
        slot = slots.get(token.id)
        if slot is None:
            continue
        contract = str(contract_of(token.id))
        compared = await _compare(rpc, contract, slot, await _receivers(rpc, contract))
        what = f"token {token.symbol}: balance_slot {slot.number} ({slot.order})"
        if not compared:
            seen = f"{what} cannot be verified: no holder found in the last {LOOKED_BACK} blocks"
            lacks.append(Lack(seen, "Check again when the token has moved, or take `balance_slot` off."))
        elif not all(said == stored for said, stored in compared):
            said, stored = next(pair for pair in compared if pair[0] != pair[1])
            lacks.append(
                Lack(f"{what} holds {stored} where balanceOf says {said}", "Correct `balance_slot` or `slot_order`.")
            )
    return lacks


async def _receivers(rpc: JsonRpc, contract: str) -> list[Holder]:
    """The newest receivers of a token, by its events."""
    tip = number_of(await rpc.call("eth_blockNumber"))
    asked = {
        "address": contract,
        "topics": [TRANSFER],
        "fromBlock": hex(max(0, tip - LOOKED_BACK)),
        "toBlock": hex(tip),
    }
    (logs,) = await rpc.batch([("eth_getLogs", [asked])])
    if not isinstance(logs, list):
        return []
    parties = [log["topics"][2][-40:] for log in reversed(logs) if len(log["topics"]) == 3]
    return [Holder(bytes.fromhex(party)) for party in dict.fromkeys(parties)][:HOLDERS]


async def _compare(rpc: JsonRpc, contract: str, slot: Slot, holders: Sequence[Holder]) -> list[tuple[int, int]]:
    """What `balanceOf` says and what the slot holds, for those holders who have something."""
    questions: list[Question] = []
    for holder in holders:
        questions.append(("eth_call", [{"to": contract, "data": balance_question(holder)}, "latest"]))
        questions.append(("eth_getStorageAt", [contract, "0x" + slot.of(holder).hex(), "latest"]))
    answers = await rpc.batch(questions) if questions else []
    pairs = [(said, stored) for said, stored in zip(answers[::2], answers[1::2], strict=True)]
    numbers = [
        (number_of(a), number_of(b)) for a, b in pairs if not isinstance(a, RpcError) and not isinstance(b, RpcError)
    ]
    return [pair for pair in numbers if pair[0]]
