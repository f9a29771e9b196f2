"""The configuration: what its layers add up to, and the one line that each mistake is answered with."""

import hashlib
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel

from tracer.chain import Policy
from tracer.errors import BadConfig
from tracer.types import Asset, AssetKind
from watchers.bitcoin.family import BitcoinChain
from watchers.bitcoin.node import GENESIS
from watchers.config import CasesConfig, Config, DaemonConfig, config_hash, load_config

EXAMPLE = Path(__file__).parents[2] / "config.example.toml"
USDT = "0xdAC17F958D2ee523a2206206994597C13D831ec7"
BITCOIN = '[chain.bitcoin]\nfamily = "bitcoin"\nnetwork = "regtest"\nrpc_url = "http://127.0.0.1:1"\n'
ETHEREUM = '[chain.ethereum]\nfamily = "ethereum"\nchain_id = 1\nrpc_url = "http://127.0.0.1:2"\n'
TOKEN = f'[[chain.ethereum.token]]\nsymbol = "USDT"\ncontract = "{USDT}"\ndecimals = 6\n'


def load(folder: Path, text: str, environ: dict[str, str] | None = None, *flags: str) -> Config:
    file = folder / "config.toml"
    file.write_text(text)
    return load_config(file, environ or {}, flags)


def complaint(folder: Path, text: str, environ: dict[str, str] | None = None, *flags: str) -> str:
    """The whole line, with the file's name in place of its path."""
    with pytest.raises(BadConfig) as error:
        load(folder, text, environ, *flags)
    line = error.value.line()
    assert "\n" not in line
    assert line.endswith("Nothing was written.")
    return line.replace(str(folder / "config.toml"), "FILE").replace(str(folder), "FOLDER")


@pytest.mark.parametrize("kept", ["bitcoin", "ethereum"])
def test_the_example_without_the_tables_of_one_chain_is_a_configuration(tmp_path: Path, kept: str) -> None:
    tables = re.split(r"^(?=\[)", EXAMPLE.read_text(), flags=re.MULTILINE)
    others = [table for table in tables if not re.match(rf"\[+chain\.(?!{kept}\b)", table)]
    assert len(others) < len(tables)
    assert list(load(tmp_path, "".join(others)).chain) == [kept]


def test_the_example_holds_the_defaults(tmp_path: Path) -> None:
    config = load_config(EXAMPLE, {}, [])
    written = tomllib.loads(EXAMPLE.read_text())["chain"]
    for name, chain in config.chain.items():
        kept = {key for key, field in type(chain).model_fields.items() if field.is_required()} | {
            "token",
            "cookie_file",
        }
        bare = {key: value for key, value in written[name].items() if key in kept}
        assert type(chain).model_validate(bare, context={"base": tmp_path}).named(name) == chain
    assert config.daemon == DaemonConfig()
    assert config.cases == CasesConfig()
    assert config.store.path == EXAMPLE.parent / "custody.db"


def test_the_example_names_every_key_there_is() -> None:
    text = EXAMPLE.read_text()
    config = load_config(EXAMPLE, {}, [])
    for part in [*every_part(config), *(deep for chain in config.chain.values() for deep in every_part(chain))]:
        for key in type(part).model_fields:
            if key not in ("password", "chain", "store", "daemon", "cases", "follow", "token", "tiers", "source"):
                assert re.search(rf"^(# )?{key} = ", text, re.MULTILINE), f"{key} is not in config.example.toml"


def every_part(part: BaseModel) -> list[BaseModel]:
    values = [one for value in part.__dict__.values() for one in (value if isinstance(value, tuple) else (value,))]
    inner = [value for value in values if isinstance(value, BaseModel)]
    return [part, *(deep for one in inner for deep in every_part(one))]


def test_flag_beats_environment_beats_file_beats_default(tmp_path: Path) -> None:
    environ = {"TRACERD_CHAIN__BITCOIN__FINAL": "8"}
    assert load(tmp_path, BITCOIN).chain["bitcoin"].final == 6
    assert load(tmp_path, BITCOIN + "final = 7\n").chain["bitcoin"].final == 7
    assert load(tmp_path, BITCOIN + "final = 7\n", environ).chain["bitcoin"].final == 8
    assert load(tmp_path, BITCOIN + "final = 7\n", environ, "chain.bitcoin.final=9").chain["bitcoin"].final == 9


def test_text_from_outside_takes_the_type_of_its_key(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        BITCOIN + ETHEREUM,
        {
            "TRACERD_CHAIN__BITCOIN__POLL_S": "0.25",
            "TRACERD_CHAIN__BITCOIN__FOLLOW__MAX_HOPS": "3",
            "TRACERD_CHAIN__ETHEREUM__CONFIRMED": "12",
            "TRACERD_CASES__FILES": "/a.toml, /b.toml",
            "PATH": "ignored",
        },
        "chain.ethereum.token=[{symbol='USDT', contract='" + USDT + "', decimals=6}]",
    )
    assert config.chain["bitcoin"].poll_s == 0.25
    assert config.chain["bitcoin"].follow.max_hops == 3
    assert config.chain["ethereum"].policy == Policy(12, "finalized")
    assert config.cases.files == (Path("/a.toml"), Path("/b.toml"))
    assert [asset.symbol for asset in config.chain["ethereum"].assets] == ["ETH", "USDT"]


def test_chain_names_match_whatever_their_case_and_dashes(tmp_path: Path) -> None:
    text = BITCOIN.replace("chain.bitcoin", "chain.BTC-test")
    config = load(tmp_path, text, {"TRACERD_CHAIN__BTC_TEST__FINAL": "9"}, "chain.btc_test.confirmed=3")
    assert config.chain["BTC-test"].policy == Policy(3, 9)
    assert config.chain["BTC-test"].name == "BTC-test"


def test_the_environment_alone_can_configure_a_chain() -> None:
    environ = {
        "TRACERD_CHAIN__BITCOIN__FAMILY": "bitcoin",
        "TRACERD_CHAIN__BITCOIN__NETWORK": "main",
        "TRACERD_CHAIN__BITCOIN__RPC_URL": "http://user:secret@127.0.0.1:8332",
    }
    chain = load_config(None, environ, []).chain["bitcoin"]
    assert chain.id == "bip122:000000000019d6689c085ae165831e93"
    assert "secret" not in repr(chain)


def test_relative_paths_start_from_the_file_or_from_where_the_shell_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stands = tmp_path / "here"
    stands.mkdir()
    monkeypatch.chdir(stands)
    text = '[store]\nurl = "sqlite:///a.db"\n[cases]\nfiles = ["c.toml"]\n' + BITCOIN + 'cookie_file = "k"\n'
    config = load(tmp_path, text)
    assert config.store.path == tmp_path / "a.db"
    assert config.cases.files == (tmp_path / "c.toml",)
    assert config.chain["bitcoin"].model_dump()["cookie_file"] == tmp_path / "k"
    assert load(tmp_path, text, {"TRACERD_STORE_URL": "sqlite:///b.db"}).store.path == stands / "b.db"
    assert load(tmp_path, text, {}, "cases.files=d.toml").cases.files == (stands / "d.toml",)
    assert load(tmp_path, BITCOIN).store.path == tmp_path / "custody.db"


@pytest.mark.parametrize("network", GENESIS)
def test_a_bitcoin_chain_is_named_by_its_genesis_hash(tmp_path: Path, network: str) -> None:
    chain = load(tmp_path, BITCOIN.replace("regtest", network)).chain["bitcoin"]
    genesis = GENESIS[network]
    assert chain.id == "bip122:" + (genesis if isinstance(genesis, str) else genesis.hex())[:32]
    assert chain.native == Asset(f"{chain.id}/slip44:0", "BTC", 8, AssetKind.NATIVE)  # type: ignore[arg-type]


def test_an_ethereum_chain_lists_its_tokens_in_lower_case(tmp_path: Path) -> None:
    chain = load(tmp_path, ETHEREUM + TOKEN).chain["ethereum"]
    assert chain.id == "eip155:1"
    assert chain.native.id == "eip155:1/slip44:60"
    assert chain.assets[1] == Asset(f"eip155:1/erc20:{USDT.lower()}", "USDT", 6, AssetKind.LISTED)  # type: ignore[arg-type]


def test_a_bitcoin_configuration_does_not_import_the_ethereum_family(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(BITCOIN)
    script = (
        "import sys; from pathlib import Path; from watchers.config import load_config; from watchers import families;"
        "c = load_config(Path(sys.argv[1]), {}, []); families.build(c.chain['bitcoin']);"
        "print([m for m in sys.modules if m.startswith(('watchers.ethereum', 'web3', 'eth_'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "c.toml")], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (BITCOIN + 'confirmed = "two"', 'chain.bitcoin.confirmed: expected a whole number >= 1, got "two"'),
        (BITCOIN + "confirmed = 0", "chain.bitcoin.confirmed: expected a whole number >= 1, got 0"),
        (BITCOIN + "confirmed = true", "chain.bitcoin.confirmed: expected a whole number >= 1, got true"),
        (BITCOIN + "final = 1.5", "chain.bitcoin.final: expected a whole number >= 1, got 1.5"),
        (BITCOIN + "final = 1", "chain.bitcoin.final: expected a whole number >= confirmed (2), got 1"),
        (BITCOIN + "poll_s = nan", "chain.bitcoin.poll_s: expected seconds > 0, at most 3600, got nan"),
        (BITCOIN + "rest = true", 'chain.bitcoin.rest: expected "auto", "on" or "off", got true'),
        (BITCOIN + 'follow = "far"', 'chain.bitcoin.follow: expected a table, got "far"'),
        (
            BITCOIN + "[chain.bitcoin.follow]\nmax_hops = -1",
            "chain.bitcoin.follow.max_hops: expected a whole number >= 0, got -1",
        ),
        (
            BITCOIN.replace("regtest", "mainnet"),
            'chain.bitcoin.network: expected one of "main", "test", "testnet4", "signet", "regtest", got "mainnet"',
        ),
        (
            BITCOIN.replace("http://127.0.0.1:1", "127.0.0.1:1"),
            'chain.bitcoin.rpc_url: expected a URL such as "http://127.0.0.1:8332", got "127.0.0.1:1"',
        ),
        (
            BITCOIN.replace(":1", ":99999"),
            'chain.bitcoin.rpc_url: expected a URL such as "http://127.0.0.1:8332", got "http://127.0.0.1:99999"',
        ),
        (
            BITCOIN + 'zmq = ["tcp://127.0.0.1:1", "tcp://127.0.0.1"]',
            'chain.bitcoin.zmq[2]: expected a ZMQ address such as "tcp://127.0.0.1:28332", or a list of them, '
            'got "tcp://127.0.0.1"',
        ),
        (
            ETHEREUM + 'ws_url = "http://127.0.0.1:2"',
            'chain.ethereum.ws_url: expected a URL such as "ws://127.0.0.1:8545", got "http://127.0.0.1:2"',
        ),
        (BITCOIN + 'cookie_file = ""', 'chain.bitcoin.cookie_file: expected the path of a file, got ""'),
        (BITCOIN + "cookie_file = 3", "chain.bitcoin.cookie_file: expected the path of bitcoind's cookie file, got 3"),
        (
            BITCOIN + 'password_file = "nope"',
            "chain.bitcoin.password_file: cannot read FOLDER/nope: No such file or directory",
        ),
        (
            ETHEREUM + "chain_id = 0".replace("chain_id", "confirmed"),
            'chain.ethereum.confirmed: expected "safe", "finalized" or a whole number >= 1, got 0',
        ),
        (
            ETHEREUM + 'final = "latest"',
            'chain.ethereum.final: expected "safe", "finalized" or a whole number >= 1, got "latest"',
        ),
        (
            ETHEREUM + "final = 12",
            'chain.ethereum.final: may not be shallower than confirmed ("safe"), got 12',
        ),
        (
            ETHEREUM + 'confirmed = "finalized"\nfinal = "safe"',
            'chain.ethereum.final: may not be shallower than confirmed ("finalized"), got "safe"',
        ),
        (
            ETHEREUM + "confirmed = 12\nfinal = 3",
            "chain.ethereum.final: expected a whole number >= confirmed (12), got 3",
        ),
        (
            ETHEREUM + 'genesis = "0x12"',
            'chain.ethereum.genesis: expected a block hash, 0x and 64 hex digits, got "0x12"',
        ),
        (
            ETHEREUM + "[chain.ethereum.follow]\nmax_hops = -1",
            "chain.ethereum.follow.max_hops: expected a whole number >= 0, got -1",
        ),
        (
            ETHEREUM + TOKEN.replace("= 6", '= "6"'),
            'chain.ethereum.token[1] "USDT".decimals: expected a whole number from 0 to 77, got "6"',
        ),
        (
            ETHEREUM + TOKEN.replace("ec7", "eC7"),
            f"chain.ethereum.token[1] \"USDT\".contract: '{USDT[:-3]}eC7' has a wrong EIP-55 checksum: "
            "copy it again from its source, character by character",
        ),
        (
            ETHEREUM + TOKEN.replace("0xd", "0x\u0501"),
            'chain.ethereum.token[1] "USDT".contract: character 3 is U+0501, not a hex digit: '
            "it may only look like one",
        ),
        (ETHEREUM + TOKEN + TOKEN, 'chain.ethereum.token: the symbol "USDT" is used twice on this chain'),
        (ETHEREUM + TOKEN + TOKEN.replace("USDT", "X"), f"chain.ethereum.token: the contract {USDT} is listed twice"),
        (ETHEREUM + TOKEN.replace("USDT", "ETH"), 'chain.ethereum.token: the symbol "ETH" is used twice on this chain'),
        ('[chain.x]\nfamily = "solana"', 'chain.x.family: expected "bitcoin" or "ethereum", got "solana"'),
        ("[chain]\nx = 1", "chain.x: expected a table, got 1"),
        ("store = 3", "store: expected a table, got 3"),
        (
            '[daemon]\nlog_level = "loud"',
            'daemon.log_level: expected one of "debug", "info", "warning", "error", got "loud"',
        ),
        ("[cases]\nfiles = [1]", "cases.files[1]: expected a list of file paths, got 1"),
        ('[cases]\nfiles = "a.toml"', 'cases.files: expected a list of file paths, got "a.toml"'),
        (
            '[store]\nurl = "mysql://h/x"',
            'store.url: expected a URL such as "sqlite:///custody.db" or "postgresql://user@host/custody", '
            'got "mysql://h/x"',
        ),
        (
            '[store]\nurl = "sqlite:///:memory:"',
            'store.url: expected a URL such as "sqlite:///custody.db" or "postgresql://user@host/custody", '
            'got "sqlite:///:memory:"',
        ),
        (
            '[store]\npassword_file = "x"\n' + BITCOIN,
            "store.password_file: needs a `url` of a database server with a user and no password",
        ),
    ],
)
def test_a_bad_value_is_answered_with_its_key_and_what_was_expected(tmp_path: Path, text: str, line: str) -> None:
    assert complaint(tmp_path, text) == f"{line} (in FILE). Correct the key named above. Nothing was written."


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[chian.bitcoin]", 'chian: unknown key; perhaps "chain" is meant'),
        (BITCOIN + "confirmd = 2", 'chain.bitcoin.confirmd: unknown key; perhaps "confirmed" is meant'),
        (BITCOIN.replace("rpc_url", "rpcurl"), 'chain.bitcoin.rpcurl: unknown key; perhaps "rpc_url" is meant'),
        (BITCOIN + 'name = "x"', "chain.bitcoin.name: unknown key"),
        (
            BITCOIN + "[chain.bitcoin.follow]\nhops = 1",
            'chain.bitcoin.follow.hops: unknown key; perhaps "max_hops" is meant',
        ),
        (
            ETHEREUM + TOKEN + "decimal = 6",
            'chain.ethereum.token[1] "USDT".decimal: unknown key; perhaps "decimals" is meant',
        ),
        ("[daemon]\nalert = 1\n", "daemon.alert: unknown key"),
    ],
)
def test_an_unknown_key_is_refused_with_its_nearest_neighbour(tmp_path: Path, text: str, line: str) -> None:
    said = complaint(tmp_path, text)
    assert said == f"{line} (in FILE). Correct its spelling or remove it. Nothing was written."


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            BITCOIN.replace("rpc_url", "# rpc_url"),
            "chain.bitcoin.rpc_url: missing; expected the URL of the node, "
            'such as "http://127.0.0.1:8332" (in FILE). Add this key. Nothing was written.',
        ),
        (
            BITCOIN.replace("family", "# family"),
            'chain.bitcoin.family: missing; expected "bitcoin" or "ethereum" (in FILE). '
            "Add this key. Nothing was written.",
        ),
        (
            BITCOIN + 'user = "x"',
            "chain.bitcoin.password_file: missing; a user and a password go together (in FILE). "
            "Give both, or neither. Nothing was written.",
        ),
        (
            "",
            "chain: no chain is configured (in FILE). Add a [chain.NAME] table as in config.example.toml, "
            "or name a file with `--config`. Nothing was written.",
        ),
        (
            BITCOIN + BITCOIN.replace("chain.bitcoin", "chain.twin"),
            "chain.twin: is the same chain as chain.bitcoin (bip122:0f9188f13cb7b2c71f2a335e3a4fc328) (in FILE). "
            "Keep one of them. Nothing was written.",
        ),
        (
            BITCOIN.replace("chain.bitcoin", "chain.a__b"),
            "chain.a__b: the name of a chain is made of letters and digits, joined by single - or _ (in FILE). "
            "Rename it. Nothing was written.",
        ),
        (
            BITCOIN + 'password = "hunter2"',
            "chain.bitcoin.password: a password may not stand in the file (in FILE). Take it out; "
            "give `password_file`, or the environment variable TRACERD_CHAIN__BITCOIN__PASSWORD. Nothing was written.",
        ),
        (
            BITCOIN.replace("http://", "http://u:hunter2@"),
            "chain.bitcoin.rpc_url: a password may not stand in the file (in FILE). Take it out; give `password_file`, "
            "or the environment variable TRACERD_CHAIN__BITCOIN__RPC_URL. Nothing was written.",
        ),
        (
            '[store]\nurl = "postgresql://u:hunter2@h/d"\n' + BITCOIN,
            "store.url: a password may not stand in the file (in FILE). Take it out; give `password_file`, "
            "or the environment variable TRACERD_STORE__URL. Nothing was written.",
        ),
        (
            "chain = 1",
            "chain: expected tables named [chain.NAME], got 1 (in FILE). Add a [chain.NAME] table as in "
            "config.example.toml, or name a file with `--config`. Nothing was written.",
        ),
        ("a = \n", "FILE: is not TOML: Invalid value (at line 1, column 5). Correct that line. Nothing was written."),
    ],
)
def test_what_else_may_be_wrong_is_answered_with_what_to_do(tmp_path: Path, text: str, line: str) -> None:
    said = complaint(tmp_path, text)
    assert said == line
    assert "hunter2" not in said


def test_a_mistake_in_a_variable_or_flag_names_that(tmp_path: Path) -> None:
    fix = "Correct the key named above. Nothing was written."
    spelling = "Correct its spelling or remove it. Nothing was written."
    assert complaint(tmp_path, BITCOIN, {"TRACERD_CHAIN__BITCOIN__FINAL": "x"}) == (
        f'chain.bitcoin.final: expected a whole number >= 1, got "x" (from TRACERD_CHAIN__BITCOIN__FINAL). {fix}'
    )
    assert complaint(tmp_path, BITCOIN, {}, "chain.bitcoin.final=") == (
        f'chain.bitcoin.final: expected a whole number >= 1, got "" (from --set chain.bitcoin.final). {fix}'
    )
    assert complaint(tmp_path, BITCOIN, {"TRACERD_STOER": "x"}) == (
        f'stoer: unknown key; perhaps "store" is meant (from TRACERD_STOER). {spelling}'
    )
    assert complaint(tmp_path, BITCOIN, {}, "chain.bitcoin.rpc_url.x=1") == (
        f"chain.bitcoin.rpc_url.x: chain.bitcoin.rpc_url is not a table (from --set chain.bitcoin.rpc_url.x). {fix}"
    )
    assert complaint(tmp_path, BITCOIN, {}, "final") == (
        "--set final: expected KEY=VALUE. For example --set chain.bitcoin.final=6. Nothing was written."
    )


@pytest.mark.parametrize(
    ("flag", "key"),
    [
        ("chain.bitcoin.password=hunter2", "chain.bitcoin.password"),
        ("chain.bitcoin.rpc_url=http://u:hunter2@h:1", "chain.bitcoin.rpc_url"),
        ("chain.ethereum.ws_url=ws://u:hunter2@h:1", "chain.ethereum.ws_url"),
        ("store.url=postgresql://u:hunter2@h/d", "store.url"),
    ],
)
def test_a_password_on_the_command_line_is_refused(tmp_path: Path, flag: str, key: str) -> None:
    assert complaint(tmp_path, BITCOIN, {}, flag) == (
        f"{key}: a password may not stand on the command line, for all to read. "
        "Give it by the environment or a `password_file`. Nothing was written."
    )


def test_a_password_comes_from_a_file_or_the_environment_and_is_never_shown(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hunter2\n")
    text = BITCOIN + 'user = "tracer"\npassword_file = "secret"\n'
    chain = load(tmp_path, text).chain["bitcoin"]
    assert isinstance(chain, BitcoinChain)
    assert chain.password is not None
    assert chain.password.get_secret_value() == "hunter2"
    assert "hunter2" not in repr(load(tmp_path, text))
    other = load(tmp_path, text, {"TRACERD_CHAIN__BITCOIN__PASSWORD": "correct horse"}).chain["bitcoin"]
    assert isinstance(other, BitcoinChain)
    assert other.password is not None
    assert other.password.get_secret_value() == "correct horse"


def test_a_database_password_is_put_into_the_url_but_not_shown(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("p@ss/word\n")
    config = load(tmp_path, '[store]\nurl = "postgresql://u@h:5/d"\npassword_file = "secret"\n' + BITCOIN)
    assert config.store.url == "postgresql://u:p%40ss%2Fword@h:5/d"
    assert config.store.path is None
    assert "p%40ss" not in repr(config)


@pytest.mark.parametrize(("content", "said"), [("", "expected one line in"), ("a\nb\n", "expected one line in")])
def test_a_password_file_holds_one_line(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "secret").write_text(content)
    line = complaint(tmp_path, BITCOIN + 'user = "u"\npassword_file = "secret"\n')
    assert line.startswith(f"chain.bitcoin.password_file: {said} FOLDER/secret, the password")


def test_a_cookie_file_and_a_password_exclude_each_other(tmp_path: Path) -> None:
    text = BITCOIN + 'user = "u"\ncookie_file = "c"\n'
    assert complaint(tmp_path, text, {"TRACERD_CHAIN__BITCOIN__PASSWORD": "p"}) == (
        "chain.bitcoin.cookie_file: cannot stand beside `user` and a password (in FILE). "
        "Keep one way to log in. Nothing was written."
    )


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    fix = "Name an existing file with `--config`. Nothing was written."
    with pytest.raises(BadConfig) as missing:
        load_config(tmp_path / "no.toml", {}, [])
    assert missing.value.line() == f"{tmp_path}/no.toml: cannot be read: No such file or directory. {fix}"
    (tmp_path / "latin.toml").write_bytes(b'a = "\xe9"')
    with pytest.raises(BadConfig) as latin:
        load_config(tmp_path / "latin.toml", {}, [])
    assert latin.value.line() == f"{tmp_path}/latin.toml: is not UTF-8 text. Save it as UTF-8. Nothing was written."


def test_one_publisher_may_stand_without_a_list(tmp_path: Path) -> None:
    for text in ('"tcp://127.0.0.1:1"', '["tcp://127.0.0.1:1"]'):
        chain = load(tmp_path, f"{BITCOIN}zmq = {text}").chain["bitcoin"]
        assert isinstance(chain, BitcoinChain) and chain.zmq == ("tcp://127.0.0.1:1",)
    chain = load(tmp_path, BITCOIN, {"TRACERD_CHAIN__BITCOIN__ZMQ": "tcp://127.0.0.1:1,tcp://[::1]:2"}).chain["bitcoin"]
    assert isinstance(chain, BitcoinChain) and chain.zmq == ("tcp://127.0.0.1:1", "tcp://[::1]:2")


def test_the_hash_covers_policy_and_no_secret(tmp_path: Path) -> None:
    plain = config_hash(load(tmp_path, BITCOIN + ETHEREUM))
    login = {"TRACERD_CHAIN__BITCOIN__PASSWORD": "p", "TRACERD_CHAIN__BITCOIN__USER": "u"}
    assert config_hash(load(tmp_path, BITCOIN + ETHEREUM, login)) == plain
    assert config_hash(load(tmp_path, BITCOIN + ETHEREUM, {}, "store.url=sqlite:///x.db")) == plain
    assert (
        config_hash(load(tmp_path, BITCOIN + ETHEREUM, {}, "chain.ethereum.rpc_url=http://127.0.0.1:2/v3/KEY")) == plain
    )
    assert config_hash(load(tmp_path, BITCOIN + ETHEREUM, {}, "chain.ethereum.ws_url=ws://127.0.0.1/v3/KEY")) == plain
    assert config_hash(load(tmp_path, BITCOIN + ETHEREUM, {}, "chain.bitcoin.final=7")) != plain
    assert config_hash(load(tmp_path, BITCOIN + ETHEREUM + TOKEN)) != plain
    assert len(plain) == hashlib.sha256().digest_size


def test_the_hash_does_not_depend_on_the_order_of_chains(tmp_path: Path) -> None:
    assert config_hash(load(tmp_path, BITCOIN + ETHEREUM)) == config_hash(load(tmp_path, ETHEREUM + BITCOIN))


def test_the_hash_is_the_same_in_another_process(tmp_path: Path) -> None:
    here = config_hash(load(tmp_path, BITCOIN)).hex()
    script = (
        "import sys, json; from pathlib import Path; from watchers.config import *;"
        "print(json.dumps(config_hash(load_config(Path(sys.argv[1]), {}, [])).hex()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "config.toml")],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "7"},
    )
    assert json.loads(done.stdout) == here


SECOND = '[[chain.bitcoin.source]]\nname = "second"\nrpc_url = "http://127.0.0.1:3/key"\n'
PINS = 'pins = ["{}:0x{}"]\n'.format


def test_a_chain_may_have_further_nodes_with_logins_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hunter2\n")
    head = BITCOIN + 'cookie_file = "cookie"\nzmq = "tcp://127.0.0.1:5"\nrest = "on"\n'
    third = SECOND.replace("second", "third") + 'user = "u"\npassword_file = "secret"\n'
    chain = load(tmp_path, head + SECOND + third).chain["bitcoin"]
    assert isinstance(chain, BitcoinChain)
    assert [source.name for source in chain.source] == ["second", "third"]
    assert chain.agreeing == 3
    second, other = (chain.at(source) for source in chain.source)
    assert (second.rpc_url, second.cookie_file, second.zmq, second.rest) == ("http://127.0.0.1:3/key", None, (), "auto")
    assert other.password is not None and other.password.get_secret_value() == "hunter2"
    assert (other.id, other.name) == (chain.id, chain.name)
    assert "hunter2" not in repr(chain) and "key" not in repr(chain.source)
    assert load(tmp_path, BITCOIN + "agree = 1\n" + SECOND).chain["bitcoin"].agreeing == 1
    assert load(tmp_path, BITCOIN).chain["bitcoin"].agreeing == 1


def test_the_hash_covers_sources_and_pins_without_their_secrets(tmp_path: Path) -> None:
    def hashed(text: str) -> str:
        return config_hash(load(tmp_path, text)).hex()

    base = hashed(BITCOIN + SECOND)
    assert base != hashed(BITCOIN)
    assert base != hashed(BITCOIN + "agree = 1\n" + SECOND)
    assert base != hashed(BITCOIN + SECOND.replace("second", "third"))
    assert base != hashed(BITCOIN + SECOND.replace(":3/", ":4/"))
    assert base == hashed(BITCOIN + SECOND.replace("/key", "/other") + 'cookie_file = "c"\n')
    assert hashed(ETHEREUM) != hashed(ETHEREUM + PINS(7, "ab" * 32))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BITCOIN + SECOND + SECOND, 'chain.bitcoin.source: the name "second" is used twice'),
        (BITCOIN + SECOND.replace("second", "primary"), 'chain.bitcoin.source: the name "primary" is the node of'),
        (BITCOIN + SECOND.replace("second", "a b"), "chain.bitcoin.source[1].name: expected a name"),
        (BITCOIN + SECOND.replace("http", "ftp"), "chain.bitcoin.source[1].rpc_url: expected a URL"),
        (BITCOIN + SECOND + "poll_s = 1\n", "chain.bitcoin.source[1].poll_s: unknown key"),
        (BITCOIN + SECOND + 'user = "u"\n', "chain.bitcoin.source[1].password_file: missing"),
        (BITCOIN + SECOND + 'password = "x"\n', "chain.bitcoin.source[1].password: a password may not stand"),
        (BITCOIN + SECOND.replace("//", "//u:x@"), "chain.bitcoin.source[1].rpc_url: a password may not stand"),
        (BITCOIN + SECOND + 'user = "u"\npassword_file = "nope"\n', "chain.bitcoin.source[1].password_file: cannot"),
        (BITCOIN + "agree = 2\n", "chain.bitcoin.agree: expected a whole number from 1 to 1"),
        (BITCOIN + "agree = 0\n" + SECOND, "chain.bitcoin.agree: expected a whole number >= 1, got 0"),
        (BITCOIN + 'source = "x"\n', "chain.bitcoin.source: expected a list of tables"),
        (ETHEREUM + PINS(7, "ab"), "chain.ethereum.pins: expected block hashes"),
        (
            ETHEREUM + f'pins = ["7:0x{"ab" * 32}", "7:0x{"cd" * 32}"]\n',
            "chain.ethereum.pins: height 7 is pinned twice",
        ),
        (ETHEREUM + PINS("07", "ab" * 32), "chain.ethereum.pins: expected block hashes"),
        (BITCOIN + PINS(7, "ab" * 32), "chain.bitcoin.pins: unknown key"),
    ],
)
def test_what_is_wrong_with_a_source_or_a_pin_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    line = complaint(tmp_path, text)
    assert line.startswith(said), line
    assert "hunter2" not in line


def test_a_password_of_a_source_may_not_stand_on_the_command_line(tmp_path: Path) -> None:
    flag = "chain.bitcoin.source=[{name='b', rpc_url='http://127.0.0.1:3', user='u', password='hunter2'}]"
    assert "may not stand on the command line" in complaint(tmp_path, BITCOIN, None, flag)
