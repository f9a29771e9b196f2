"""What every chain family offers: its settings, its node and scanner, and how its holders are written."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, PrivateAttr, ValidationInfo, model_validator

from tracer.chain import Policy, Tier
from tracer.strict import Table, Text, Unfit, show
from tracer.types import Asset, ChainId, Hash, Holder
from tracer.units import base_units
from watchers.archive import Archive
from watchers.inspector import Inspector
from watchers.node import Node, Scanner
from watchers.pool import Pool

PRIMARY = "primary"
"""How the node of the `[chain.NAME]` table itself is named among its sources."""


def anchored(text: str, base: Path) -> Path:
    """Let relative paths of a file start from its folder `base`, those of the shell from where it stands."""
    return (Path.cwd() if isinstance(text, Text) else base) / Path(text).expanduser()


def _file_path(value: object, info: ValidationInfo) -> object:
    if value == "":
        raise ValueError('expected the path of a file, got ""')
    return anchored(value, info.context["base"]) if isinstance(value, str) and info.context else value


FilePath = Annotated[Path, BeforeValidator(_file_path)]


class Follow(Table):
    """How far seized value is followed beyond the watched holders; what is cut becomes a `budget` leaf."""

    max_hops: int = Field(default=20, ge=0, description="a whole number >= 0")
    min_amount: int = Field(default=546, ge=0, description="a whole number of base units >= 0")
    max_live: int = Field(default=100_000, ge=0, description="a whole number >= 0")


class PolicyTier(Table):
    """One `[[chain.NAME.policy]]` table: what legs of an asset need from some amount on, beyond the chain's own."""

    asset: str = Field(description='the symbol of an asset of this chain, such as "BTC"')
    min_amount: str = Field(description='decimal text in quotes, such as "10"')
    confirmed: int | str | None = Field(default=None, description="a whole number >= 1, or a tag that the chain uses")
    final: int | str | None = Field(default=None, description="a whole number >= 1, or a tag that the chain uses")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.confirmed is None and self.final is None:
            raise Unfit("", "asks for nothing", "Give `confirmed`, `final`, or both.")
        for key, rule in (("confirmed", self.confirmed), ("final", self.final)):
            if isinstance(rule, int) and rule < 1:
                raise Unfit(key, f"expected a whole number >= 1, got {rule}")
        if isinstance(self.confirmed, int) and isinstance(self.final, int) and self.final < self.confirmed:
            raise Unfit("final", f"expected a whole number >= confirmed ({self.confirmed}), got {self.final}")
        return self


def _node_url(url: object) -> object:
    if not isinstance(url, str):
        return url
    if not is_url(url, ("http", "https")):
        raise ValueError(f'expected a URL such as "http://127.0.0.1:8332", got {show(url)}')
    return url


NodeUrl = Annotated[str, BeforeValidator(_node_url)]


def place_of(rpc_url: str) -> str:
    """Where a node is: scheme, host and port alone, because a hosted node's path may be a key."""
    url = urlsplit(rpc_url)
    return f"{url.scheme}://{url.hostname}:{url.port or ''}"


class SourceTable(Table):
    """One `[[chain.NAME.source]]` table: a further node of the chain, asked which hashes it shows."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$", description='a name such as "second" (letters, digits, . _ -)'
    )
    rpc_url: NodeUrl = Field(repr=False, description='the URL of the node, such as "http://127.0.0.1:8332"')


class ChainConfig(Table, ABC):
    """One `[chain.NAME]` table: a node of one network, and what is asked of it.

    source: further nodes. agree: how many of all must show a hash before it is final; None: all.
    confirmed, final: a number of confirmations (1 = in the tip) or a tag of the node. tiers: more for some amounts.
    mempool: whether unconfirmed transactions are watched; mempool_poll_s: how often, where nothing announces them.
    deadline_s: for one answer of the node; behind_alert_s: how long a node may lag before an alert.
    """

    family: str = Field(description="the name of a chain family")
    rpc_url: NodeUrl = Field(repr=False, description='the URL of the node, such as "http://127.0.0.1:8332"')
    source: tuple[SourceTable, ...] = Field(default=(), strict=False, description="a list of tables")
    agree: int | None = Field(default=None, ge=1, description="a whole number >= 1")
    confirmed: int | str
    final: int | str
    tiers: tuple[PolicyTier, ...] = Field(default=(), alias="policy", strict=False, description="a list of tables")
    follow: Follow = Field(default=Follow(), description="a table")
    poll_s: float = Field(default=1.0, gt=0, le=3600, description="seconds > 0, at most 3600")
    deadline_s: float = Field(default=30.0, gt=0, le=3600, description="seconds > 0, at most 3600")
    behind_alert_s: float = Field(default=300.0, gt=0, description="seconds > 0")
    in_flight: int = Field(default=4, ge=1, le=64, description="a whole number from 1 to 64")
    mempool: Literal["auto", "off"] = Field(default="auto", description='"auto" or "off"')
    mempool_poll_s: float = Field(default=5.0, gt=0, le=3600, description="seconds > 0, at most 3600")
    _name: str = PrivateAttr("")

    @property
    def name(self) -> str:
        """The NAME of the table `[chain.NAME]`."""
        return self._name

    def named(self, name: str) -> Self:
        """Take the name of the table that this was read from."""
        self._name = name
        return self

    @property
    @abstractmethod
    def id(self) -> ChainId:
        """The chain's CAIP-2 id."""

    @property
    @abstractmethod
    def native(self) -> Asset:
        """The asset that fees are paid in."""

    @property
    @abstractmethod
    def asked(self) -> str:
        """What is asked of a node of this chain, in words."""

    @property
    def assets(self) -> list[Asset]:
        """The native asset, then the listed tokens."""
        return [self.native]

    @property
    def checkpoints(self) -> int:
        """Blocks between checkpoints of balances; 0: none, a balance is the sum of coins here."""
        return 0

    @property
    def policy(self) -> Policy:
        """When a block is confirmed and when it is final; amounts in base units."""
        assets = {asset.symbol: asset for asset in self.assets}
        tiers = [
            Tier(assets[t.asset].id, base_units(t.min_amount, assets[t.asset]), t.confirmed, t.final)
            for t in self.tiers
        ]
        return Policy(self.confirmed, self.final, tuple(sorted(tiers, key=lambda t: (t.asset, t.min_amount))))

    @model_validator(mode="after")
    def _tiers_fit(self) -> Self:
        assets, seen = {asset.symbol: asset for asset in self.assets}, set[tuple[str, int]]()
        for tier in self.tiers:
            if tier.asset not in assets:
                known = ", ".join(map(show, assets))
                raise Unfit("policy", f"this chain has no asset {show(tier.asset)}; there is {known}")
            try:
                amount = base_units(tier.min_amount, assets[tier.asset])
            except Unfit as error:
                raise Unfit("policy", f"min_amount of {tier.asset}: {error}", error.fix) from error
            if (tier.asset, amount) in seen:
                raise Unfit("policy", f"{tier.asset} has two tiers from {show(tier.min_amount)} on")
            seen.add((tier.asset, amount))
            for rule in (tier.confirmed, tier.final):
                if isinstance(rule, str) and rule not in (self.confirmed, self.final):
                    raise Unfit("policy", f"the tag {show(rule)} is neither `confirmed` nor `final` of this chain")
            if isinstance(tier.final, str) and tier.final != self.final:
                raise Unfit("policy", f"a tier's `final` may be a number or {show(self.final)}, got {show(tier.final)}")
        return self

    @property
    def agreeing(self) -> int:
        """How many of the nodes must show a block's hash before it is final; 1: the one that is followed is enough."""
        return len(self.source) + 1 if self.agree is None else self.agree

    @property
    def pinned(self) -> Sequence[tuple[int, Hash]]:
        """Heights and hashes for which the operator vouches."""
        return ()

    def at(self, source: SourceTable) -> Self:
        """The same chain at a further node."""
        return self.model_copy(update=source.model_dump(exclude={"name"}))

    @model_validator(mode="after")
    def _sources_differ(self) -> Self:
        names = [PRIMARY, *(source.name for source in self.source)]
        twice = next((name for place, name in enumerate(names) if name in names[:place]), None)
        if twice is not None:
            why = "is the node of the chain's own table" if twice == PRIMARY else "is used twice"
            raise Unfit("source", f"the name {show(twice)} {why}", "Give each source a name of its own.")
        if self.agree is not None and self.agree > len(names):
            most = f"expected a whole number from 1 to {len(names)}, the nodes there are, got {self.agree}"
            raise Unfit("agree", most)
        return self


def is_url(url: str, schemes: Collection[str]) -> bool:
    """Whether a text is a URL of one of these schemes, with a host."""
    try:
        parts = urlsplit(url)
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


C = TypeVar("C", bound=ChainConfig)


@dataclass(frozen=True, slots=True)
class Family(Generic[C]):
    """One chain family. The functions that read text raise ValueError (or a TracerError) with the reason.

    utxo: whether value lives in coins, which are spent, or in accounts.
    pool: makes the mempool of a configured chain, with the scanner's interest.
    parse_script: reads a script in hex; None on chains whose holders are accounts.
    descriptor_scripts: (chain, text, first, last) -> holders, `last` included; None: no descriptors.
    archive: with a node and scanner of its own, finds old transactions; None on chains whose history goes by account.
    inspector: asks who else can move what was seized, with a node of its own.
    """

    settings: type[C]
    utxo: bool
    build: Callable[[C], tuple[Node[Any, Any], Scanner[Any, Any]]]
    pool: Callable[[C, Any], Pool]
    parse_holder: Callable[[C, str], Holder]
    show_holder: Callable[[C, Holder], str]
    parse_script: Callable[[C, str], Holder] | None
    descriptor_scripts: Callable[[C, str, int, int], Sequence[Holder]] | None
    archive: Callable[[Any, Any], Archive] | None = None
    inspector: Callable[[C], Inspector] | None = None
