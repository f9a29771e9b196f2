"""What the Ethereum family offers: its settings, its node and scanner, and how its holders are written."""

import re
from collections.abc import Sequence
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from tracer.proof.balances import Slot
from tracer.strict import Table, Unfit, show
from tracer.types import Asset, AssetId, AssetKind, ChainId, Hash, Holder
from watchers.ethereum.address import account_of, address_of
from watchers.family import ChainConfig, Family, Follow, SourceTable, is_url, place_of
from watchers.inspector import Inspector
from watchers.node import Node, Scanner
from watchers.pool import Pool
from watchers.rpc import JsonRpc

_PLAIN = re.compile("0x[0-9a-f]{40}").fullmatch
_PIN = re.compile("(0|[1-9][0-9]{0,17}):0x[0-9a-fA-F]{64}").fullmatch
_TAGS = ("safe", "finalized")


class AccountFollow(Follow):
    """On account chains amounts are of assets with unlike units, so that none is too small unless that is said.

    A contract that many draw from hands a part of what it once received to every one of them by haircut: fewer hops
    and accounts keep a leak that goes through one from becoming the whole chain.
    """

    max_hops: int = Field(default=5, ge=0, description="a whole number >= 0")
    min_amount: int = Field(default=0, ge=0, description="a whole number of base units >= 0")
    max_live: int = Field(default=2_000, ge=0, description="a whole number >= 0")


class Token(Table):
    """An ERC-20 contract on the operator's allow-list."""

    symbol: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9.$+-]{0,31}$",
        description='a symbol such as "USDT" (letters, digits, . $ + -)',
    )
    contract: str = Field(description="a contract address, 0x and 40 hex digits")
    decimals: int = Field(ge=0, le=77, description="a whole number from 0 to 77")
    balance_slot: int | None = Field(None, ge=0, lt=2**256, description="a whole number >= 0")
    slot_order: Literal["solidity", "vyper"] = Field(default="solidity", description='"solidity" or "vyper"')
    kind: Literal["plain", "rebasing", "receipt"] | None = Field(
        default=None, description='"plain", "rebasing" or "receipt"'
    )

    @field_validator("contract")
    @classmethod
    def _is_address(cls, text: str) -> str:
        return address_of(account_of(text))


class EthereumChain(ChainConfig):
    """An execution node of one EVM chain."""

    family: Literal["ethereum"] = Field(description='"ethereum"')
    chain_id: int = Field(ge=1, lt=2**63, description="a whole number >= 1")
    genesis: str | None = Field(None, description="a block hash, 0x and 64 hex digits", pattern=r"^0x[0-9a-fA-F]{64}$")
    confirmed: int | str = Field(default="safe", description='"safe", "finalized" or a whole number >= 1')
    final: int | str = Field(default="finalized", description='"safe", "finalized" or a whole number >= 1')
    traces: Literal["auto", "off"] = Field(default="auto", description='"auto" or "off"')
    verify: Literal["all", "hits"] = Field(default="all", description='"all" or "hits"')
    ws_url: str | None = Field(default=None, repr=False, description='a URL such as "ws://127.0.0.1:8545"')
    checkpoint_every: int = Field(default=1000, ge=0, description="a whole number of blocks, 0 for none")
    follow: AccountFollow = Field(default=AccountFollow(), description="a table")
    pins: tuple[str, ...] = Field(
        default=(), strict=False, description='a list of block hashes as "HEIGHT:0xHASH", one per height'
    )
    token: tuple[Token, ...] = Field(default=(), strict=False, description="a list of tables")

    @property
    def id(self) -> ChainId:
        """``eip155:`` and the chain id."""
        return ChainId(f"eip155:{self.chain_id}")

    @property
    def native(self) -> Asset:
        """Ether, in wei."""
        return Asset(AssetId(f"{self.id}/slip44:60"), "ETH", 18, AssetKind.NATIVE)

    @property
    def asked(self) -> str:
        """Blocks and balances, and traces unless they are configured off."""
        return "blocks, state, traces" if self.traces == "auto" else "blocks, state; traces not asked: configured off"

    @property
    def checkpoints(self) -> int:
        """As configured."""
        return self.checkpoint_every

    @property
    def tokens(self) -> list[Asset]:
        """The allow-list."""
        return [
            Asset(
                AssetId(f"{self.id}/erc20:{token.contract.lower()}"),
                token.symbol,
                token.decimals,
                AssetKind.LISTED,
            )
            for token in self.token
        ]

    @property
    def pinned(self) -> Sequence[tuple[int, Hash]]:
        """Heights and hashes for which the operator vouches, lowest first."""
        parts = [pin.partition(":0x") for pin in self.pins]
        return sorted((int(height), Hash(bytes.fromhex(pinned))) for height, _, pinned in parts)

    def at(self, source: SourceTable) -> Self:
        """The same chain at a further node, without push."""
        return super().at(source).model_copy(update={"ws_url": None})

    @property
    def slots(self) -> dict[AssetId, Slot]:
        """Where listed tokens keep their balances, as far as the list says so."""
        listed = zip(self.tokens, self.token, strict=True)
        return {a.id: Slot(t.balance_slot, t.slot_order) for a, t in listed if t.balance_slot is not None}

    @property
    def classes(self) -> dict[AssetId, str]:
        """What the operator declares listed tokens to be, as far as the list says so."""
        listed = zip(self.tokens, self.token, strict=True)
        return {asset.id: token.kind for asset, token in listed if token.kind is not None}

    @property
    def assets(self) -> list[Asset]:
        """Ether, then the listed tokens."""
        return [self.native, *self.tokens]

    @field_validator("ws_url")
    @classmethod
    def _is_websocket(cls, url: str | None) -> str | None:
        if url is not None and not is_url(url, ("ws", "wss")):
            raise ValueError(f'expected a URL such as "ws://127.0.0.1:8545", got {show(url)}')
        return url

    @field_validator("confirmed", "final", mode="before")
    @classmethod
    def _is_rule(cls, rule: object) -> object:
        number = isinstance(rule, int) and not isinstance(rule, bool) and rule >= 1
        if not number and rule not in _TAGS:
            raise ValueError(f'expected "safe", "finalized" or a whole number >= 1, got {show(rule)}')
        return rule

    @field_validator("pins")
    @classmethod
    def _are_pins(cls, pins: tuple[str, ...]) -> tuple[str, ...]:
        heights = set[str]()
        for pin in pins:
            match = _PIN(pin)
            if match is None:
                raise ValueError(f'expected block hashes as "HEIGHT:0xHASH", got {show(pin)}')
            if match[1] in heights:
                raise ValueError(f"height {match[1]} is pinned twice")
            heights.add(match[1])
        return pins

    @model_validator(mode="after")
    def _is_ordered(self) -> Self:
        confirmed, final = self.confirmed, self.final
        if isinstance(confirmed, int) and isinstance(final, int):
            if final < confirmed:
                raise Unfit("final", f"expected a whole number >= confirmed ({confirmed}), got {final}")
        elif isinstance(final, int) or (confirmed, final) == ("finalized", "safe"):
            raise Unfit("final", f"may not be shallower than confirmed ({show(confirmed)}), got {show(final)}")
        return self

    @model_validator(mode="after")
    def _tokens_differ(self) -> Self:
        symbols, contracts = {self.native.symbol}, set[str]()
        for token in self.token:
            if token.symbol in symbols:
                raise Unfit("token", f"the symbol {show(token.symbol)} is used twice on this chain")
            if token.contract in contracts:
                raise Unfit("token", f"the contract {token.contract} is listed twice")
            symbols.add(token.symbol)
            contracts.add(token.contract)
        return self


def _pool(chain: EthereumChain, scanner: Any) -> Pool:
    from watchers.ethereum.mempool import EthereumPool

    rpc = JsonRpc(chain.rpc_url, deadline_s=chain.deadline_s, max_in_flight=chain.in_flight)
    return EthereumPool(rpc, scanner.interest, chain.in_flight, f"mempool of {place_of(chain.rpc_url)}")


def _parse_holder(_: EthereumChain, text: str) -> Holder:
    if _PLAIN(text):  # long lists are in lower case, without a checksum to verify
        return Holder(bytes.fromhex(text[2:]))
    return account_of(text)


def _build(chain: EthereumChain) -> tuple[Node[Any, Any], Scanner[Any, Any]]:
    from watchers.ethereum.node import EthereumNode
    from watchers.ethereum.scan import EthereumScanner

    scanner = EthereumScanner(chain.id, chain.native, chain.tokens)
    node = EthereumNode(
        rpc_url=chain.rpc_url,
        chain_id=chain.chain_id,
        genesis=None if chain.genesis is None else Hash(bytes.fromhex(chain.genesis[2:])),
        tokens=chain.tokens,
        slots=chain.slots,
        deadline_s=chain.deadline_s,
        in_flight=chain.in_flight,
        traces=chain.traces,
        verify=chain.verify,
        concerns=scanner.concerns,
        watching=scanner.watching,
        ws_url=chain.ws_url,
    )
    return node, scanner


def _inspector(chain: EthereumChain) -> Inspector:
    from watchers.ethereum.node import EthereumNode
    from watchers.ethereum.powers import EthereumInspector

    node, _ = _build(chain.model_copy(update={"ws_url": None}))
    assert isinstance(node, EthereumNode)
    return EthereumInspector(node, chain.id, chain.tokens, chain.in_flight, classes=chain.classes)


FAMILY = Family(
    settings=EthereumChain,
    utxo=False,
    build=_build,
    pool=_pool,
    parse_holder=_parse_holder,
    show_holder=lambda _, holder: address_of(holder),
    parse_script=None,
    descriptor_scripts=None,
    inspector=_inspector,
)
