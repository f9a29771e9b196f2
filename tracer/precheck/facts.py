"""What must be known of a leg and its case before a transaction can be held against it. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tracer.custody.judge import Attested
from tracer.custody.lookalike import LookAlikes
from tracer.matching import Plan
from tracer.types import Holder, Outpoint
from tracer.units import format_units


@dataclass(frozen=True, slots=True)
class Declared:
    """An address that the case declares: what it calls it, and whether what is there counts as held by the state."""

    ref: str
    held: bool


@dataclass(frozen=True, slots=True)
class KnownCoin:
    """A coin on the chain; spent: None if that cannot be told. by: the transaction that spends it, for people."""

    holder: Holder
    amount: int
    spent: bool | None
    by: str | None = None


@dataclass(frozen=True, slots=True)
class Unit:
    """How amounts of an asset are written."""

    symbol: str
    decimals: int

    def write(self, amount: int) -> str:
        """Write base units."""
        return f"{format_units(amount, self.decimals)} {self.symbol or 'base units'}"


@dataclass(frozen=True, slots=True)
class LegFacts:
    """A leg, and all that comparing needs beside it.

    needs_test: whether a confirmed test transfer to the same destination is asked for; test_confirmed: whether there
    is one, None if it cannot be told. on_hold: whether a court holds what would be debited; None if nobody recorded
    that. declared: the case's addresses on the leg's chain. look_alikes: the same, by their texts.
    coins: of the transaction's inputs those that are known. balances: what the case holds of the leg's asset at its
    accounts, as far as that is known. arrived, fees: what the leg's earlier transactions brought and cost.
    attestations: of the destination. show: writes a holder as an address.
    """

    plan: Plan
    needs_test: bool
    test_confirmed: bool | None
    on_hold: bool | None
    declared: Mapping[Holder, Declared]
    look_alikes: LookAlikes
    coins: Mapping[Outpoint, KnownCoin]
    show: Callable[[Holder], str]
    unit: Unit
    native: Unit
    balances: Mapping[Holder, int] = field(default_factory=dict)
    attestations: tuple[Attested, ...] = ()
    arrived: int = 0
    fees: int = 0

    @property
    def chain(self) -> str:
        """The leg's chain, as CAIP-2."""
        return self.plan.asset.partition("/")[0]

    @property
    def utxo(self) -> bool:
        """Whether value lies in coins there."""
        return self.chain.startswith("bip122:")

    @property
    def token(self) -> bytes | None:
        """The contract of the leg's asset; None if it is the chain's native one."""
        namespace, _, reference = self.plan.asset.partition("/")[2].partition(":")
        return bytes.fromhex(reference.removeprefix("0x")) if namespace == "erc20" else None

    def name(self, holder: Holder) -> str:
        """Write an address, with what the case calls it."""
        known = self.declared.get(holder)
        return f"{self.show(holder)} ({known.ref if known else 'not of the case'})"

    def money(self, token: bytes | None, amount: int) -> str:
        """Write an amount of the leg's asset, the native one, or a token that nobody here knows."""
        if token == self.token:
            return self.unit.write(amount)
        return self.native.write(amount) if token is None else f"{amount} base units of 0x{token.hex()}"
