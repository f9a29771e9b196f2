"""What the Bitcoin family offers: its settings, its node and scanner, and how its holders are written."""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, model_validator

from tracer.errors import NodeLacks
from tracer.proof.networks import NETWORKS
from tracer.strict import Table, Unfit, show
from tracer.types import Asset, AssetId, AssetKind, ChainId, Hash, Holder
from watchers.archive import Archive
from watchers.bitcoin import address, quick
from watchers.family import ChainConfig, Family, FilePath, SourceTable, place_of
from watchers.inspector import Inspector
from watchers.node import Node, Scanner
from watchers.pool import Pool
from watchers.rpc import JsonRpc

if TYPE_CHECKING:
    from watchers.bitcoin.aside import Aside
    from watchers.bitcoin.reading import MakeReader, Reader

log = logging.getLogger(__name__)

Network = Literal["main", "test", "testnet4", "signet", "regtest"]


_PUBLISHER = 'a ZMQ address such as "tcp://127.0.0.1:28332", or a list of them'


def _publisher(url: object) -> object:
    try:
        parts = urlsplit(str(url))
        fits = isinstance(url, str) and parts.scheme == "tcp" and bool(parts.hostname) and bool(parts.port)
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"expected {_PUBLISHER}, got {show(url)}")
    return url


def _one_or_more(value: object) -> object:
    return (value,) if isinstance(value, str) else value


class _Login(Table):
    """How to log in to a bitcoind: its cookie file, or a user and a password, or neither."""

    compiled: Literal["auto", "on", "off"] = Field(default="auto", description='"auto", "on" or "off"')
    cookie_file: FilePath | None = Field(default=None, description="the path of bitcoind's cookie file")
    user: str | None = Field(default=None, min_length=1, description="a user name")
    password: SecretStr | None = Field(default=None, description="a password")
    password_file: FilePath | None = Field(default=None, description="the path of a file that holds the password")

    @model_validator(mode="after")
    def _is_one_way(self) -> Self:
        if self.cookie_file is not None and (self.user is not None or self.password is not None):
            raise Unfit("cookie_file", "cannot stand beside `user` and a password", "Keep one way to log in.")
        if (self.user is None) != (self.password is None):
            missing = "password_file" if self.password is None else "user"
            raise Unfit(missing, "missing; a user and a password go together", "Give both, or neither.")
        return self


class BitcoinSource(_Login, SourceTable):
    """A further bitcoind, with its own login."""


class BitcoinChain(_Login, ChainConfig):
    """A bitcoind of one network. Test networks write slip44:0 too: the chain id tells them apart."""

    family: Literal["bitcoin"] = Field(description='"bitcoin"')
    network: Network = Field(description='one of "main", "test", "testnet4", "signet", "regtest"')
    confirmed: int = Field(default=2, ge=1, description="a whole number >= 1")
    final: int = Field(default=6, ge=1, description="a whole number >= 1")
    checkpoint: str | None = Field(
        default=None, pattern=r"^[0-9]{1,9}:[0-9a-f]{64}$", description='"HEIGHT:HASH" of a block, in lower-case hex'
    )
    rest: Literal["auto", "on", "off"] = Field(default="auto", description='"auto", "on" or "off"')
    zmq: Annotated[tuple[Annotated[str, BeforeValidator(_publisher)], ...], BeforeValidator(_one_or_more)] = Field(
        default=(), strict=False, description=_PUBLISHER
    )
    source: tuple[BitcoinSource, ...] = Field(default=(), strict=False, description="a list of tables")

    @property
    def id(self) -> ChainId:
        """``bip122:`` and the first 32 hex digits of the genesis hash."""
        return ChainId(f"bip122:{NETWORKS[self.network].genesis_hash.hex()[:32]}")

    @property
    def native(self) -> Asset:
        """Bitcoin, in satoshi."""
        return Asset(AssetId(f"{self.id}/slip44:0"), "BTC", 8, AssetKind.NATIVE)

    @property
    def headers_from(self) -> tuple[int, Hash] | None:
        """The block that the operator vouches for; None: headers count from the genesis block."""
        if self.checkpoint is None:
            return None
        height, _, block = self.checkpoint.partition(":")
        return int(height), Hash(bytes.fromhex(block))

    @property
    def asked(self) -> str:
        """Blocks, and what their inputs spent."""
        return "blocks, previous outputs"

    def at(self, source: SourceTable) -> Self:
        """The same chain at a further node: REST where that offers it, and no push."""
        rest = "off" if self.rest == "off" else "auto"
        return super().at(source).model_copy(update={"rest": rest, "zmq": ()})

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.final < self.confirmed:
            raise Unfit("final", f"expected a whole number >= confirmed ({self.confirmed}), got {self.final}")
        return self


def _build(chain: BitcoinChain) -> tuple[Node[Any, Any], Scanner[Any, Any]]:
    from tracer.proof.headers import HeaderChain
    from watchers.bitcoin.node import BitcoinNode
    from watchers.bitcoin.scan import BitcoinScanner

    node = BitcoinNode(
        rpc_url=chain.rpc_url,
        network=chain.network,
        user=chain.user,
        password=None if chain.password is None else chain.password.get_secret_value(),
        cookie_file=chain.cookie_file,
        rest={"auto": None, "on": True, "off": False}[chain.rest],
        deadline_s=chain.deadline_s,
        in_flight=chain.in_flight,
        zmq=chain.zmq,
    )
    headers = HeaderChain(NETWORKS[chain.network], chain.headers_from)
    return node, BitcoinScanner(chain.native.id, headers, _readers(chain))


def _readers(chain: BitcoinChain) -> "MakeReader":
    """What makes the readers of a chain's blocks; they share the process that reads ahead."""
    from watchers.bitcoin.aside import Aside

    aside = Aside()
    return lambda: _reader(chain, aside)


def _reader(chain: BitcoinChain, aside: "Aside") -> "Reader":
    """What reads blocks by compiled steps, where that is wanted and installed; else in plain Python."""
    from watchers.bitcoin.reading import PlainReader

    if chain.compiled == "off":
        return PlainReader(aside)
    try:
        from watchers.bitcoin import native
        from watchers.bitcoin.compiled import CompiledReader

        steps = native.MAKER.steps(wait=chain.compiled == "on")
    except ImportError as error:
        if chain.compiled == "on":
            fix = 'Install the extra: pip install "custody-tracer[fast]"; or set `compiled = "auto"`.'
            raise NodeLacks(f"{chain.name}: compiled steps are not installed ({error})", fix) from error
        log.info("chain=%s reads blocks in plain Python: the extra `fast` is not installed", chain.name)
        return PlainReader(aside)
    except native.CannotCompile as error:
        if chain.compiled == "on":
            fix = 'See what was logged above; or set `compiled = "auto"`.'
            raise NodeLacks(f"{chain.name}: compiled steps cannot be made: {error}", fix) from error
        log.warning("chain=%s reads blocks in plain Python: compiled steps cannot be made: %s", chain.name, error)
        return PlainReader(aside)
    if steps is None:
        log.info("chain=%s reads blocks in plain Python: steps are being compiled for the next start", chain.name)
        return PlainReader(aside)
    log.info("chain=%s reads blocks by steps %s", chain.name, native.HOW)
    return CompiledReader(steps)


def _pool(chain: BitcoinChain, scanner: Any) -> Pool:
    from watchers.bitcoin.mempool import BitcoinPool

    rpc = JsonRpc(
        chain.rpc_url,
        user=chain.user,
        password=None if chain.password is None else chain.password.get_secret_value(),
        cookie_file=chain.cookie_file,
        deadline_s=chain.deadline_s,
        max_in_flight=1,
        exact=True,
    )
    return BitcoinPool(rpc, scanner, chain.native.id, f"mempool of {place_of(chain.rpc_url)}")


def _parse_holder(chain: BitcoinChain, text: str) -> Holder:
    return quick.script_of(text, address.NETWORKS[chain.network].hrp) or address.script_of(text, chain.network)


def _show_holder(chain: BitcoinChain, holder: Holder) -> str:
    hrp = address.NETWORKS[chain.network].hrp
    return quick.address_of(holder, hrp) or address.describe(holder, chain.network)


def _parse_script(_: BitcoinChain, text: str) -> Holder:
    if not text.isascii():
        raise ValueError("is not hex")
    script = bytes.fromhex(text)
    if not 1 <= len(script) <= 10_000:
        raise ValueError(f"has {len(script)} bytes, a script has 1 to 10,000")
    return Holder(script)


def _descriptor_scripts(chain: BitcoinChain, text: str, first: int, last: int) -> Sequence[Holder]:
    return address.descriptor_scripts(text, first, last, chain.network)


def _archive(node: Any, scanner: Any) -> Archive:
    from watchers.bitcoin.archive import BitcoinArchive

    return BitcoinArchive(node, scanner)


def _inspector(chain: BitcoinChain) -> Inspector:
    from watchers.bitcoin.node import BitcoinNode
    from watchers.bitcoin.powers import SCAN_S, BitcoinInspector

    patient = {"deadline_s": max(chain.deadline_s, SCAN_S), "compiled": "off", "zmq": ()}
    node, _ = _build(chain.model_copy(update=patient))
    assert isinstance(node, BitcoinNode)
    return BitcoinInspector(node, chain.network)


FAMILY = Family(
    settings=BitcoinChain,
    utxo=True,
    build=_build,
    pool=_pool,
    parse_holder=_parse_holder,
    show_holder=_show_holder,
    parse_script=_parse_script,
    descriptor_scripts=_descriptor_scripts,
    archive=_archive,
    inspector=_inspector,
)
