"""How ERC-20 contracts are asked, with web3 for the ABI.

Importing web3 takes about a second: import this module only when a contract is asked. web3 itself checks
neither ids nor deadlines, so its questions go through the same transport as all others.
"""

from collections.abc import Sequence
from typing import Any

from web3 import AsyncWeb3, Web3
from web3.exceptions import BadFunctionCallOutput, ContractLogicError, Web3RPCError
from web3.providers.async_base import AsyncBaseProvider
from web3.types import RPCEndpoint, RPCResponse

from tracer.errors import Inconsistent, NodeMissing
from tracer.types import Asset, BlockRef, Holder
from watchers.ethereum.address import address_of
from watchers.ethereum.ask import ask_many, at_block
from watchers.node import Lack
from watchers.rpc import JsonRpc, RpcError

_VIEWS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("balanceOf", ("address",), "uint256"),
    ("decimals", (), "uint8"),
)
ABI: list[dict[str, Any]] = [
    {
        "type": "function",
        "name": name,
        "stateMutability": "view",
        "inputs": [{"name": "", "type": kind} for kind in inputs],
        "outputs": [{"name": "", "type": output}],
    }
    for name, inputs, output in _VIEWS
]

_OFFLINE = Web3()
_ERC20 = _OFFLINE.eth.contract(abi=ABI)


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


def contract_of(asset: Asset) -> str:
    """Take the lower-case contract out of an ERC-20's id; raises ValueError for any other asset."""
    namespace, _, contract = asset.id.rpartition("/")[2].partition(":")
    if namespace != "erc20":
        raise ValueError(f"{asset.id} is not an ERC-20 token")
    return contract


def balance_question(holder: Holder) -> str:
    """Encode `balanceOf(holder)` as the data of a call."""
    return str(_ERC20.encode_abi("balanceOf", args=[address_of(holder)]))


def balance_answer(data: str) -> int:
    """Decode the answer to `balanceOf`; raises ValueError unless it is exactly one word."""
    answer = bytes.fromhex(data[2:])
    if len(answer) != 32:
        raise ValueError(f"balanceOf answered {len(answer)} bytes, not 32")
    (amount,) = _OFFLINE.codec.decode(["uint256"], answer)
    return int(amount)


async def balances(rpc: JsonRpc, ref: BlockRef, token: Asset, holders: Sequence[Holder]) -> dict[Holder, int]:
    """Ask `balanceOf` for many holders after a block; all 0 if the contract did not exist then."""
    contract, at = contract_of(token), at_block(ref.hash)
    calls = [{"to": contract, "data": balance_question(holder)} for holder in holders]
    code, *answers = await ask_many(
        rpc, [("eth_getCode", [contract, at]), *(("eth_call", [call, at]) for call in calls)]
    )
    if isinstance(code, RpcError):
        raise NodeMissing(f"no state of {contract} at block {ref.height}: {code}")
    if code == "0x":
        return dict.fromkeys(holders, 0)
    try:
        return {holder: _amount(answer) for holder, answer in zip(holders, answers, strict=True)}
    except ValueError as error:
        what = f"token {contract} gives no balance at block {ref.height}: {error}"
        raise Inconsistent(what, "Take the token off the list if it is not an ERC-20.") from error


def _amount(answer: Any) -> int:
    if isinstance(answer, RpcError):
        raise ValueError(str(answer))
    return balance_answer(answer)


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
