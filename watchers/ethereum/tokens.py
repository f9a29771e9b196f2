"""How ERC-20 contracts are held against the operator's list, with web3 for the ABI.

Importing web3 takes about a second: import this module only when a contract is checked. web3 itself checks
neither ids nor deadlines, so its questions go through the same transport as all others.
"""

from collections.abc import Sequence
from typing import Any

from web3 import AsyncWeb3, Web3
from web3.exceptions import BadFunctionCallOutput, ContractLogicError, Web3RPCError
from web3.providers.async_base import AsyncBaseProvider
from web3.types import RPCEndpoint, RPCResponse

from tracer.types import Asset
from watchers.ethereum.balances import contract_of
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
        contract = Web3.to_checksum_address(contract_of(token))
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
