"""The configuration: its keys, and its layers (flag > environment > file > default).

Relative paths of the file start from its folder, those of flags and environment from the working directory.
"""

import hashlib
import json
import re
import tomllib
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import quote, urlsplit

from pydantic import BeforeValidator, Field, ValidationInfo

from tracer.errors import BadConfig, StoreUnusable
from tracer.strict import (
    Fault,
    Table,
    Text,
    Unfit,
    Unreadable,
    key_text,
    keys,
    keys_inside,
    one_line,
    read,
    show,
)
from watchers import families
from watchers.family import ChainConfig, FilePath, Follow, anchored, place_of

__all__ = [
    "CasesConfig",
    "ChainConfig",
    "Config",
    "DaemonConfig",
    "Follow",
    "StoreConfig",
    "config_hash",
    "load_config",
]

PREFIX = "TRACERD_"
_ALIASES = {"TRACERD_STORE_URL": ("store", "url")}
_NOT_KEYS = {"TRACERD_CONFIG"}
_URL = 'a URL such as "sqlite:///custody.db" or "postgresql://user@host/custody"'
_NO_ANSWER = {"user", "password", "password_file", "cookie_file", "zmq", "ws_url"}
"""Keys that no answer depends on: logins, and what only wakes."""

_URLS = ("rpc_url", "ws_url")


def _store_url(value: object, info: ValidationInfo) -> object:
    if not isinstance(value, str):
        return value
    scheme, separator, rest = value.partition("://")
    if scheme.partition("+")[0] == "postgresql" and separator and urlsplit(value).hostname:
        return value
    place = rest.removeprefix("/")
    if scheme != "sqlite" or not place or place in (rest, ":memory:") or "?" in place:
        raise ValueError(f"expected {_URL}, got {show(value)}")
    base = Path.cwd() if isinstance(value, Text) else (info.context or {})["base"]
    return f"sqlite:///{base / Path(place).expanduser()}"


class StoreConfig(Table):
    """Where the store is. `url` may carry a password once read; it is never printed."""

    url: Annotated[str, BeforeValidator(_store_url)] = Field(
        default="sqlite:///custody.db", repr=False, validate_default=True, description=_URL
    )
    password_file: FilePath | None = Field(default=None, description="the path of a file that holds the password")

    @property
    def path(self) -> Path | None:
        """The SQLite file; None for a database server."""
        return Path(self.url.removeprefix("sqlite:///")) if self.url.startswith("sqlite:///") else None


class DaemonConfig(Table):
    """How the daemon reports."""

    alert_command: str = Field(default="", description='a command line, or "" for none')
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description='one of "debug", "info", "warning", "error"'
    )


class CasesConfig(Table):
    """Case files imported at start when their case is not in the store yet."""

    files: tuple[FilePath, ...] = Field(default=(), strict=False, description="a list of file paths")
    presets: tuple[FilePath, ...] = Field(default=(), strict=False, description="a list of folders")


class Config(Table):
    """Everything an operator configures; `chain` by the NAME of its table, in the file's order."""

    store: StoreConfig = Field(description="a table")
    daemon: DaemonConfig = Field(default=DaemonConfig(), description="a table")
    cases: CasesConfig = Field(default=CasesConfig(), description="a table")
    chain: dict[str, ChainConfig] = Field(description="tables named [chain.NAME]")


def config_hash(config: Config) -> bytes:
    """SHA-256 over what answers depend on: the chain tables as canonical JSON, without logins.

    Where the store lies and how the daemon logs in change no answer; of `rpc_url` only scheme, host and port
    count, because a hosted node's path may be a key.
    """
    chains: dict[str, object] = {}
    for name, chain in config.chain.items():
        chains[name] = {
            **chain.model_dump(mode="json", exclude={*_NO_ANSWER, "source"}),
            "rpc_url": place_of(chain.rpc_url),
            "source": [{"name": source.name, "rpc_url": place_of(source.rpc_url)} for source in chain.source],
        }
    text = json.dumps({"chain": chains}, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).digest()


def load_config(path: Path | None, environ: Mapping[str, str], overrides: Sequence[str]) -> Config:
    """Read the configuration; raises BadConfig with one line that names the full key.

    path: the file; None for none.
    environ: variables such as `TRACERD_CHAIN__BITCOIN__RPC_URL`; others are ignored.
    overrides: texts such as `chain.bitcoin.rpc_url=http://...`.
    """
    base = Path.cwd() if path is None else path.absolute().parent
    layers = _Layers(_read_toml(path) if path else {}, path)
    try:
        layers.refuse_passwords()
        layers.add_environment(environ)
        layers.add_flags(overrides)
        return _assemble(layers.table, base)
    except Unreadable as error:
        raise layers.bad(error.fault) from error


def _read_toml(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise BadConfig(
            f"{path}: cannot be read: {error.strerror}",
            "Name an existing file with `--config`. Nothing was written.",
        ) from error
    except UnicodeDecodeError as error:
        raise BadConfig(f"{path}: is not UTF-8 text", "Save it as UTF-8. Nothing was written.") from error
    except tomllib.TOMLDecodeError as error:
        raise BadConfig(f"{path}: is not TOML: {one_line(error)}", "Correct that line. Nothing was written.") from error


@dataclass(slots=True)
class _Layers:
    """The layers laid over each other so far, and which key came from elsewhere than the file."""

    table: dict[str, object]
    path: Path | None
    origins: dict[tuple[str | int, ...], str] = field(default_factory=dict)

    def add_environment(self, environ: Mapping[str, str]) -> None:
        for variable in sorted(environ):
            if not variable.startswith(PREFIX) or variable in _NOT_KEYS:
                continue
            parts = _ALIASES.get(variable) or tuple(variable.removeprefix(PREFIX).lower().split("__"))
            self._set(parts, environ[variable], variable)

    def add_flags(self, overrides: Sequence[str]) -> None:
        for override in overrides:
            key, equals, value = override.partition("=")
            if not equals or not key.strip():
                raise BadConfig(
                    f"--set {override}: expected KEY=VALUE",
                    "For example --set chain.bitcoin.final=6. Nothing was written.",
                )
            parts = tuple(key.strip().split("."))
            where = f"--set {key.strip()}"
            secret = parts[-1] == "password" or (parts[-1] == "source" and "password" in value.replace("password_", ""))
            if secret or (parts[-1] in ("url", "source", *_URLS) and _carries_password(value)):
                raise BadConfig(
                    f"{'.'.join(parts)}: a password may not stand on the command line, for all to read",
                    "Give it by the environment or a `password_file`. Nothing was written.",
                )
            self._set(parts, value, where)

    def _set(self, parts: tuple[str, ...], value: str, origin: str) -> None:
        chains = self.table.get("chain", {})
        if parts[0] == "chain" and len(parts) > 1 and isinstance(chains, Mapping):
            alike = [name for name in chains if _plain(name) == _plain(parts[1])]
            parts = (parts[0], alike[0] if alike else parts[1], *parts[2:])
        self.origins[parts] = origin
        table: MutableMapping[str, object] = self.table
        for depth, part in enumerate(parts[:-1]):
            inner = table.setdefault(part, {})
            if not isinstance(inner, MutableMapping):
                raise Unreadable(Fault(parts, f"{'.'.join(parts[: depth + 1])} is not a table"))
            table = inner
        table[parts[-1]] = Text(value)

    def refuse_passwords(self) -> None:
        """Refuse a password written in the file: it would be copied, committed and shown with it."""
        chains, store = self.table.get("chain"), self.table.get("store")
        for name, chain in chains.items() if isinstance(chains, Mapping) else ():
            for at, table in _nodes(chain):
                for key in ("password", *_URLS):
                    value = table.get(key)
                    if value is not None and (key == "password" or _carries_password(value)):
                        raise _password_in_file(("chain", name, *at, key))
        if isinstance(store, Mapping) and _carries_password(store.get("url")):
            raise _password_in_file(("store", "url"))

    def bad(self, fault: Fault) -> BadConfig:
        origin = next((text for path, text in self.origins.items() if fault.path[: len(path)] == path), None)
        if origin is None and self.path is not None:
            origin = f"in {self.path}"
        elif origin is not None:
            origin = f"from {origin}"
        key = key_text(fault.path, self.table)
        line = f"{key}: {fault.text}" + (f" ({origin})" if origin else "")
        return BadConfig(line, None if fault.fix is None else f"{fault.fix} Nothing was written.")


def _assemble(table: Mapping[str, object], base: Path) -> Config:
    store = table.get("store", {})
    config = read(Config, {**table, "store": store, "chain": {}}, base=base)
    tables = table.get("chain", {})
    if not isinstance(tables, Mapping) or not tables:
        text = f"expected tables named [chain.NAME], got {show(tables)}" if tables else "no chain is configured"
        fix = "Add a [chain.NAME] table as in config.example.toml, or name a file with `--config`."
        raise Unreadable(Fault(("chain",), text, fix))
    chains: dict[str, ChainConfig] = {}
    for name, chain in tables.items():
        chains[name] = _chain(name, chain, base)
    _refuse_twins(chains)
    return config.model_copy(update={"chain": chains, "store": _with_password(config.store)})


def _chain(name: str, table: object, base: Path) -> ChainConfig:
    at = ("chain", name)
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9]*([_-][A-Za-z0-9]+)*", name):
        raise Unreadable(
            Fault(at, "the name of a chain is made of letters and digits, joined by single - or _", "Rename it.")
        )
    if not isinstance(table, Mapping):
        raise Unreadable(Fault(at, f"expected a table, got {show(table)}"))
    known = families.names()
    given = table.get("family")
    if not isinstance(given, str) or given not in known:
        expected = "expected " + " or ".join(show(one) for one in known)
        got = "missing" if given is None else None
        text = f"{got}; {expected}" if got else f"{expected}, got {show(given)}"
        raise Unreadable(Fault((*at, "family"), text, "Add this key." if got else None))
    settings: type[ChainConfig] = families.family(given).settings
    try:
        return read(settings, _with_secrets(table, settings, base), base=base).named(name)
    except Unreadable as error:
        raise Unreadable(Fault((*at, *error.fault.path), error.fault.text, error.fault.fix)) from error


def _nodes(chain: object) -> Iterator[tuple[tuple[str | int, ...], Mapping[str, object]]]:
    """The tables of a chain that name a node: its own, and its sources, each with where it stands."""
    if not isinstance(chain, Mapping):
        return
    yield (), chain
    sources = chain.get("source")
    for place, source in enumerate(sources if isinstance(sources, Sequence) else ()):
        if isinstance(source, Mapping):
            yield ("source", place), source


def _with_secrets(table: Mapping[str, object], settings: type[ChainConfig], base: Path) -> Mapping[str, object]:
    """Read the `password_file` of a chain and of each of its sources."""
    table = _with_secret(table, keys(settings), base)
    sources = table.get("source")
    if not isinstance(sources, list):
        return table
    known = keys_inside(settings, "source")
    whole: list[object] = []
    for place, source in enumerate(sources):
        try:
            whole.append(_with_secret(source, known, base) if isinstance(source, Mapping) else source)
        except Unreadable as error:
            fault = error.fault
            raise Unreadable(Fault(("source", place, *fault.path), fault.text, fault.fix)) from error
    return {**table, "source": whole}


def _with_secret(table: Mapping[str, object], known: Sequence[str], base: Path) -> Mapping[str, object]:
    """Read `password_file` unless the environment gives the password itself."""
    file = table.get("password_file")
    if "password_file" not in known or not isinstance(file, str) or not file or "password" in table:
        return table
    try:
        return {**table, "password": _secret(anchored(file, base))}
    except Unfit as error:
        raise Unreadable(Fault((error.key,), str(error), error.fix)) from error


def _secret(path: Path) -> str:
    try:
        secret = path.read_text().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise Unfit("password_file", f"cannot read {path}: {reason}") from error
    if not secret or "\n" in secret:
        raise Unfit("password_file", f"expected one line in {path}, the password")
    return secret


def _with_password(store: StoreConfig) -> StoreConfig:
    if store.password_file is None:
        return store
    parts = urlsplit(store.url)
    try:
        if parts.scheme == "sqlite" or not parts.username or parts.password:
            raise Unfit("password_file", "needs a `url` of a database server with a user and no password")
        login = f"{parts.username}:{quote(_secret(store.password_file), safe='')}"
    except Unfit as error:
        raise Unreadable(Fault(("store", error.key), str(error), error.fix)) from error
    netloc = f"{login}@{parts.netloc.rpartition('@')[2]}"
    return store.model_copy(update={"url": parts._replace(netloc=netloc).geturl()})


def _refuse_twins(chains: Mapping[str, ChainConfig]) -> None:
    names: dict[str, str] = {}
    for name, chain in chains.items():
        for same in (_plain(name), chain.id):
            if same in names:
                raise Unreadable(
                    Fault(
                        ("chain", name),
                        f"is the same chain as chain.{names[same]} ({chain.id})",
                        "Keep one of them.",
                    )
                )
            names[same] = name


def _plain(name: str) -> str:
    return name.lower().replace("-", "_")


def _carries_password(url: object) -> bool:
    try:
        return isinstance(url, str) and urlsplit(url).password is not None
    except ValueError:
        return False


def _password_in_file(key: tuple[str | int, ...]) -> Unreadable:
    fix = "Take it out; give `password_file`"
    if "source" not in key:
        fix += f", or the environment variable {PREFIX}{'__'.join(_plain(str(part)).upper() for part in key)}"
    fix += "."
    return Unreadable(Fault(key, "a password may not stand in the file", fix))


def store_path(config: Config) -> Path:
    """The file of the configured store."""
    path = config.store.path
    if path is None:
        raise StoreUnusable("the daemon writes SQLite stores only", "Set store.url to sqlite:///FILE.")
    return path
