"""The operator's command line: exit codes, the one line on stderr, and that nothing is written on a mistake."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tracer.command import exit_code
from tracer.errors import FinalityBroken, NodeLacks, NodeUnavailable, StoreLocked, TracerError
from tracer.store.writer import Store
from tracer.types import BlockRef, ChainId, Hash
from watchers import cli, doctor
from watchers.config import Config, load_config

BITCOIN = '[chain.bitcoin]\nfamily = "bitcoin"\nnetwork = "regtest"\nrpc_url = "http://127.0.0.1:1"\n'
TRACERD = Path(sys.executable).with_name("tracerd")


def tracerd(
    folder: Path, *arguments: str, environ: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [TRACERD, *arguments],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder), **(environ or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_help_tells_examples_and_exit_codes(tmp_path: Path) -> None:
    done = tracerd(tmp_path, "--help")
    assert done.returncode == 0
    for words in ("Examples:", "tracerd case import case.toml", "Exit codes:", "130  interrupted", "--set KEY=VALUE"):
        assert words in done.stdout


@pytest.mark.parametrize(
    "command",
    [
        *(["run"], ["sync"], ["check"], ["case"], ["case", "import"], ["labels"], ["labels", "import"]),
        *(["settle"], ["settle", "refusal"], ["settle", "finality"]),
    ],
)
def test_every_command_explains_itself(tmp_path: Path, command: list[str]) -> None:
    done = tracerd(tmp_path, *command, "-h")
    assert done.returncode == 0
    assert f"Usage: tracerd {' '.join(command)}" in done.stdout
    assert command in (["case"], ["labels"], ["settle"]) or "Exit codes:" in done.stdout


def test_help_imports_neither_configuration_nor_nodes() -> None:
    script = (
        "import sys; import watchers.cli; print([m for m in ('pydantic', 'aiohttp', 'sqlmodel') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_version_is_that_of_the_package(tmp_path: Path) -> None:
    assert tracerd(tmp_path, "--version").stdout == "tracerd, version 0.1.0\n"


@pytest.mark.parametrize("arguments", [["fly"], ["run", "--fast"], ["--log-level", "loud", "run"], ["case", "import"]])
def test_a_wrong_usage_is_exit_code_2(tmp_path: Path, arguments: list[str]) -> None:
    done = tracerd(tmp_path, *arguments)
    assert done.returncode == 2
    assert "Usage: tracerd" in done.stderr
    assert "Traceback" not in done.stderr


BY = ["--by", "A. Operator", "--reason", "repaired"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["refusal", "x", *BY], "Invalid value for 'NUMBER': 'x' is not a valid integer"),
        (["refusal", "0", *BY], "Invalid value for 'NUMBER'"),
        (["refusal", "1", "--reason", "repaired"], "Missing option '--by'"),
        (["refusal", "1", "--by", "A. Operator"], "Missing option '--reason'"),
        (["refusal", "1", "--by", " ", "--reason", "repaired"], "--by is empty or does not print"),
        (["finality", "bitcoin", *BY], "Missing option '--to'"),
        (["refusal", "1", *BY], "there is no store at"),
        (["finality", "bitcoin", "--to", "00" * 32, *BY], "there is no store at"),
    ],
)
def test_what_cannot_be_settled_is_exit_code_2_and_nothing_is_written(
    tmp_path: Path, arguments: list[str], said: str
) -> None:
    (tmp_path / "config.toml").write_text(BITCOIN)
    done = tracerd(tmp_path, "settle", *arguments)
    assert done.returncode == 2
    assert said in done.stderr and "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["config.toml"]


@pytest.mark.parametrize(
    "command", [["run"], ["sync"], ["check"], ["case", "import", "case.toml"], ["labels", "import", "x"]]
)
def test_a_bad_configuration_is_one_line_and_nothing_is_written(tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "config.toml").write_text(BITCOIN + 'final = "six"\n')
    done = tracerd(tmp_path, *command)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == (
        'tracerd: chain.bitcoin.final: expected a whole number >= 1, got "six" (in config.toml). '
        "Correct the key named above. Nothing was written.\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["config.toml"]


def test_a_bad_case_is_one_line_and_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(BITCOIN)
    (tmp_path / "case.toml").write_text('[case]\nid = "c"\ntitle = "t"\npreset = "beijing-2025"\nphase = 1\n')
    done = tracerd(tmp_path, "case", "import", "case.toml")
    assert done.returncode == 2
    assert done.stderr == (
        "tracerd: case.toml: case.phase: unknown key. Correct its spelling or remove it. Nothing was written.\n"
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["case.toml", "config.toml"]


def test_the_configuration_is_found_by_flag_then_variable_then_folder(tmp_path: Path) -> None:
    for name, final in (("config.toml", "a"), ("variable.toml", "b"), ("flag.toml", "c")):
        (tmp_path / name).write_text(BITCOIN + f'final = "{final}"\n')
    variable = {"TRACERD_CONFIG": "variable.toml"}
    assert 'got "a"' in tracerd(tmp_path, "check").stderr
    assert 'got "b"' in tracerd(tmp_path, "check", environ=variable).stderr
    assert 'got "c"' in tracerd(tmp_path, "-c", "flag.toml", "check", environ=variable).stderr


def test_without_a_configuration_it_says_where_one_goes(tmp_path: Path) -> None:
    done = tracerd(tmp_path, "run")
    assert done.returncode == 2
    assert done.stderr.startswith("tracerd: chain: no chain is configured. Add a [chain.NAME] table")


def test_flags_reach_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Config] = []

    async def check(config: Config, oldest: Mapping[ChainId, int]) -> list[doctor.Finding]:
        seen.append(config)
        assert oldest == {config.chain["bitcoin"].id: 840000}
        return [doctor.Finding("bitcoin", "tip", True, "block 9")]

    monkeypatch.setattr(doctor, "check", check)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.toml").write_text(BITCOIN)
    flags = ["--store", "x.db", "--log-level", "debug", "--set", "chain.bitcoin.final=9"]
    assert exit_code(cli.group, "tracerd", [*flags, "check", "--oldest", "bitcoin=840000"]) == 0
    assert seen[0].store.path == tmp_path / "x.db"
    assert seen[0].daemon.log_level == "debug"
    assert seen[0].chain["bitcoin"].final == 9


def test_a_failing_check_is_exit_code_2_and_goes_to_stdout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def check(config: Config, oldest: Mapping[ChainId, int]) -> list[doctor.Finding]:
        return [doctor.Finding("bitcoin", "tip", False, "none", "Start it.")]

    monkeypatch.setattr(doctor, "check", check)
    (tmp_path / "c.toml").write_text(BITCOIN)
    assert exit_code(cli.group, "tracerd", ["-c", str(tmp_path / "c.toml"), "check"]) == 2
    assert capsys.readouterr().out == "FAIL bitcoin: tip: none. Start it.\n1 of 1 checks failed\n"


def leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in leaves(inner)]
    return [error]


GONE, LOCKED = NodeUnavailable("gone"), StoreLocked("locked")
BROKEN, LACKS = FinalityBroken("broken"), NodeLacks("lacks")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (LACKS, 2),
        (LOCKED, 2),
        (BROKEN, 3),
        (GONE, 4),
        (TracerError("other"), 1),
        (KeyboardInterrupt(), 130),
        (ExceptionGroup("g", [GONE, ExceptionGroup("h", [BROKEN])]), 3),
        (ExceptionGroup("g", [GONE, LOCKED]), 2),
    ],
)
def test_each_kind_of_error_has_its_exit_code_and_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    code: int,
) -> None:
    async def check(config: Config, oldest: Mapping[ChainId, int]) -> list[doctor.Finding]:
        raise error

    monkeypatch.setattr(doctor, "check", check)
    (tmp_path / "c.toml").write_text(BITCOIN)
    assert exit_code(cli.group, "tracerd", ["-c", str(tmp_path / "c.toml"), "check"]) == code
    said = capsys.readouterr().err
    lines = [f"tracerd: {leaf.line()}" for leaf in leaves(error) if isinstance(leaf, TracerError)]
    assert [line for line in said.splitlines() if line] == lines


def test_an_unexpected_error_shows_where_it_came_from_and_one_line_last(tmp_path: Path) -> None:
    script = (
        "import sys; from watchers import cli, doctor\n"
        "async def check(config, oldest): raise ValueError('two\\nlines')\n"
        "doctor.check = check; sys.argv = ['tracerd', '-c', 'c.toml', 'check']; cli.main()"
    )
    (tmp_path / "c.toml").write_text(BITCOIN)
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback (most recent call last):")
    assert done.stderr.splitlines()[-1] == (
        "tracerd: internal error: ValueError: two. Report this with the command you ran."
    )


def test_a_group_with_an_unexpected_error_is_not_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def check(config: Config, oldest: Mapping[ChainId, int]) -> list[doctor.Finding]:
        raise ExceptionGroup("g", [GONE, ValueError("bug")])

    monkeypatch.setattr(doctor, "check", check)
    (tmp_path / "c.toml").write_text(BITCOIN)
    with pytest.raises(ExceptionGroup):
        exit_code(cli.group, "tracerd", ["-c", str(tmp_path / "c.toml"), "check"])


def test_the_oldest_block_needed_is_the_earliest_birth_declared(tmp_path: Path) -> None:
    watch = '[[watch]]\nid = "{}"\nchain = "bitcoin"\nscript = "{}"\nrole = "agency"\nbirth = {}\n'
    head = '[case]\nid = "c"\ntitle = "t"\npreset = "observe"\n'
    (tmp_path / "case.toml").write_text(head + watch.format("a", "51", 70) + watch.format("b", "52", 60))
    (tmp_path / "config.toml").write_text('[cases]\nfiles = ["case.toml"]\n' + BITCOIN)
    config = load_config(tmp_path / "config.toml", {}, [])
    chain = config.chain["bitcoin"].id
    assert doctor.oldest_needed(config, []) == {chain: 60}
    assert doctor.oldest_needed(config, ["bitcoin=5"]) == {chain: 5}
    for text in ("bitcoin", "bitcoin=x", "litecoin=5"):
        with pytest.raises(TracerError) as error:
            doctor.oldest_needed(config, [text])
        assert error.value.line() == (
            f"--oldest {text}: expected CHAIN=HEIGHT with one of the chains bitcoin. "
            "For example --oldest bitcoin=840000."
        )


def test_a_store_in_use_needs_blocks_from_its_last_final_one(tmp_path: Path) -> None:
    watch = '[[watch]]\nid = "a"\nchain = "bitcoin"\nscript = "51"\nrole = "agency"\nbirth = 70\n'
    (tmp_path / "case.toml").write_text('[case]\nid = "c"\ntitle = "t"\npreset = "observe"\n' + watch)
    (tmp_path / "config.toml").write_text('[store]\nurl = "sqlite:///s.db"\n' + BITCOIN)
    assert tracerd(tmp_path, "-c", "config.toml", "case", "import", "case.toml").returncode == 0
    config = load_config(tmp_path / "config.toml", {}, [])
    bitcoin = config.chain["bitcoin"]
    assert doctor.oldest_needed(config, []) == {bitcoin.id: 70}
    with Store(tmp_path / "s.db") as store:
        handle = store.register_chain(
            bitcoin.id, "bitcoin", "bitcoin", Hash(b""), bitcoin.policy, bitcoin.assets, lambda _: None
        )
        store.start_chain(handle, BlockRef(99, Hash(b"\1" * 32), Hash(bytes(32))), 0)
    assert doctor.oldest_needed(config, []) == {bitcoin.id: 99}
