"""Records that contradict what is there, or are malformed: one clear line, exit code 2, and nothing is stored."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tracer.command import exit_code
from watchers import cli

CASE = "c-1"
D = "ab" * 32
A = "bcrt1qeacxyv6873mwds5vpq2f8djyjwml6x9g85hkfc"
B = "bcrt1qqn53jnr0uu7zsgupse76klumkt3lugg4jdjgr7"
CASE_FILE = f"""
[case]
id = "{CASE}"
title = "T"
preset = "beijing-2025"
seizure = {{ bitcoin = 5 }}
[[institution]]
id = "x"
name = "X"
part = "EXCHANGE"
[[watch]]
id = "a"
chain = "bitcoin"
address = "{A}"
role = "seized"
[[watch]]
id = "b"
chain = "bitcoin"
address = "{B}"
role = "authority"
[[leg]]
id = "l"
kind = "SECURE"
asset = "bitcoin:BTC"
from = ["a"]
to = "b"
amount = "1.5"
"""
FILED = f"""
[[record]]
kind = "inquiry"
id = "i"
by = "Officer 1"
at = 2026-06-01T09:00:00Z
asset = "bitcoin:BTC"
amount = "1.5"
closes_at = 2026-06-01T12:00:00Z
[[record]]
kind = "reserve"
by = "Officer 1"
at = 2026-06-01T09:00:00Z
inquiry = "i"
price = "100.00 HKD"
[[record]]
kind = "quote"
id = "q"
by = "Officer 1"
at = 2026-06-01T10:00:00Z
inquiry = "i"
venue = "x"
price = "110.00 HKD"
[[record]]
kind = "bond"
id = "b"
by = "Officer 1"
at = 2026-06-01T08:00:00Z
document = "{D}"
amount = "120.00 HKD"
basis = "valuation"
[[record]]
kind = "bond"
id = "old"
by = "Officer 1"
at = 2026-05-01T08:00:00Z
document = "{D}"
amount = "120.00 HKD"
basis = "valuation"
[[record]]
kind = "bond-release"
by = "Officer 1"
at = 2026-05-02T08:00:00Z
bond = "old"
[[record]]
kind = "approval"
by = "Officer 1"
leg = "l"
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with one case and some records; no node and no daemon."""
    folder = tmp_path_factory.mktemp("refused")
    (folder / "config.toml").write_text(
        f'[store]\nurl = "sqlite:///{folder / "store.db"}"\n'
        '[chain.bitcoin]\nfamily = "bitcoin"\nnetwork = "regtest"\nrpc_url = "http://127.0.0.1:1"\n'
    )
    (folder / "case.toml").write_text(CASE_FILE)
    (folder / "records.toml").write_text(FILED)
    assert tracerd(folder, "case", "import", str(folder / "case.toml")) == 0
    assert tracerd(folder, "record", "file", CASE, str(folder / "records.toml")) == 0
    return folder


def tracerd(folder: Path, *arguments: str) -> int:
    return exit_code(cli.group, "tracerd", ["-c", str(folder / "config.toml"), *arguments])


def stored(folder: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(folder / "store.db")) as connection:
        return [
            row
            for table in ("record", "document", "leg", "attestation", "assessment", "alert")
            for row in connection.execute(f"SELECT '{table}', count(*), max(rowid) FROM {table}")
        ]


def refused(folder: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line on stderr; nothing is on stdout, and the store is as it was."""
    before = stored(folder)
    capsys.readouterr()
    code = tracerd(folder, "record", *arguments)
    said = capsys.readouterr()
    assert (code, said.out, stored(folder)) == (2, "", before)
    assert said.err.startswith("tracerd: ")
    assert said.err.count("\n") == 1
    return said.err.removeprefix("tracerd: ").strip()


BOND = ["bond", CASE, "--amount", "5.00 HKD", "--basis", "x", "--document", D]
QUOTE = ["quote", CASE, "--inquiry", "i", "--venue", "x", "--price", "1.00 HKD", "--by", "Officer 1"]
BY = ["--by", "Officer 1"]
INQUIRY = ["inquiry", CASE, "--asset", "bitcoin:BTC", *BY]
LICENCE = ["licence", CASE, "--institution", "x", "--entity", "X", "--type", "VATP", "--source", "s", *BY]
FILM = ["recording", CASE, "--device", "d", "--start", "2026-06-01T00:00:00Z", "--end", "2026-06-02T00:00:00Z", *BY]
AGAIN = "Correct it and record it again. Nothing was written."


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([*BOND, "--by", " "], "nobody is named who files it. Give --by NAME. Nothing was written."),
        (
            [*BOND, "--by", "Officer 1 ", "--second", "Officer 1"],
            "'Officer 1 ' is no name: one line, without spaces around it or two in a row."
            " Write the name as it was written before. Nothing was written.",
        ),
        (
            [*BOND, "--by", "Officer\n1"],
            "'Officer\\n1' is no name: one line, without spaces around it or two in a row."
            " Write the name as it was written before. Nothing was written.",
        ),
        (
            [*BOND, *BY, "--second", "Officer 1"],
            "Officer 1 cannot confirm what Officer 1 files. Give another name to --second.",
        ),
        (
            [*BOND, *BY, "--id", "b 1"],
            "id: expected an id of at most 64 letters, digits, dots, - and _, beginning with a letter or digit,"
            f" got 'b 1'. {AGAIN}",
        ),
        ([*BOND, *BY, "--id", "b"], "the case has a bond 'b' already. Records never change: give a new id."),
        (
            [*BOND, *BY, "--supersedes", "old"],
            "bond old was released already. File a bond that was posted since anew.",
        ),
        (
            ["bond", CASE, "--amount", "0 HKD", "--basis", "x", "--document", D, *BY],
            f"a bond of nothing is no bond. {AGAIN}",
        ),
        (
            ["bond", CASE, "--amount", "5.001 HKD", "--basis", "x", "--document", D, *BY],
            f"bond: amount: HKD has 2 decimal places; nothing is rounded, write it exactly. {AGAIN}",
        ),
        (
            ["bond", CASE, "--amount", "5.00 HKD", "--basis", "x", *BY],
            "a bond record rests on a document. Give its SHA-256 or the file (--document).",
        ),
        (
            ["bond-release", CASE, "--bond", "b", *BY, "--at", "2026-06-01T07:59:59Z"],
            f"bond b was posted at 2026-06-01T08:00:00Z, after that release. {AGAIN}",
        ),
        (
            ["bond-release", CASE, "--bond", "old", *BY],
            "bond old was released already. Supersede that release if it was wrong.",
        ),
        (["bond-release", CASE, "--bond", "nope", *BY], f"bond: the case has no bond 'nope'; there is b, old. {AGAIN}"),
        ([*QUOTE, "--at", "2026-06-01T10:00:00Z"], "x has quoted for i already. Supersede that quote."),
        (
            [*QUOTE, "--supersedes", "q", "--at", "2026-06-01T08:59:59Z"],
            f"inquiry i began at 2026-06-01T09:00:00Z, after that quote. {AGAIN}",
        ),
        (
            [*QUOTE, "--at", "2026-06-01T10:00:00"],
            "quote: at: expected an instant with its offset, such as 2026-06-01T00:00:00Z, got 2026-06-01T10:00:00."
            f" {AGAIN}",
        ),
        (
            ["award", CASE, "--inquiry", "i", "--quote", "q", *BY],
            "under beijing-2025 two people file records of kind award."
            " Name the one who confirms it (--second NAME). Nothing was written.",
        ),
        (
            ["award", CASE, "--inquiry", "i", "--quote", "q", *BY, "--second", "O2", "--at", "2026-06-01T09:30:00Z"],
            f"quote q came at 2026-06-01T10:00:00Z, after that award. {AGAIN}",
        ),
        (
            ["reserve", CASE, "--inquiry", "i", "--price", "90.00 HKD", *BY],
            "inquiry i has a reserve already. Supersede that reserve.",
        ),
        (
            [*INQUIRY, "--amount", "0.123456789", "--closes-at", "2099-01-01T00:00:00Z"],
            'amount: "0.123456789" has 9 decimal places, BTC has 8. Nothing is rounded: write it exactly.',
        ),
        (
            [*INQUIRY, "--amount", "1", "--closes-at", "2026-01-01T00:00:00Z"],
            f"an inquiry cannot close before it begins. {AGAIN}",
        ),
        (
            ["approval", CASE, "--leg", "l", *BY],
            "Officer 1 approved leg l already. Another person has to approve it.",
        ),
        (["approval", CASE, "--leg", "m", *BY], f"leg: the case has no leg 'm'; there is l. {AGAIN}"),
        (
            [*LICENCE, "--valid-from", "2026-06-02T00:00:00Z", "--valid-to", "2026-06-01T00:00:00Z"],
            f"valid_to lies before valid_from. {AGAIN}",
        ),
        (
            [*FILM, "--sha256", D, "--file", "config.toml"],
            "recording: expected exactly one of sha256, file. Keep one of them.",
        ),
        (
            ["closing", "c-2", "--reason", "r", "--document", D, *BY],
            "there is no case 'c-2'; there is c-1. Import it with tracerd case import.",
        ),
    ],
)
def test_a_record_that_cannot_be_is_refused_with_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], line: str
) -> None:
    assert refused(folder, capsys, *arguments).startswith(line)


VALUED = '[[record]]\nkind = "valuation"\nby = "Officer 1"\nasset = "bitcoin:BTC"\nvalue = "9.00 HKD"\nsource = "s"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("record = [1]\n", "expected [[record]] tables and nothing else"),
        ("", "expected [[record]] tables and nothing else"),
        (VALUED + "[other]\nx = 1\n", "expected [[record]] tables and nothing else"),
        (
            VALUED + VALUED.replace('"9.00 HKD"', "9.00"),
            "record[2]: valuation: value: expected an amount and a currency",
        ),
        (VALUED + VALUED.replace('"Officer 1"', "1"), "record[2]: valuation: by: expected text, got 1"),
        (VALUED + VALUED.replace("source", "sauce"), "record[2]: valuation: sauce: unknown key"),
        (VALUED + VALUED.replace("bitcoin:BTC", "bitcoin:DOGE"), "record[2]: asset: 'bitcoin:DOGE' is no asset"),
        (VALUED + VALUED.replace("valuation", "value"), "record[2]: there is no kind of records 'value'"),
        (VALUED + "at = 2026-06-01\n", "valuation: at: expected an instant with its offset"),
    ],
)
def test_of_a_file_with_one_bad_record_none_is_stored(
    folder: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    (folder / "bad.toml").write_text(text)
    assert said in refused(folder, capsys, "file", CASE, str(folder / "bad.toml"))


def test_a_release_with_a_wrong_date_is_put_right_by_superseding_it(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    right = [
        "bond-release",
        CASE,
        "--bond",
        "old",
        "--supersedes",
        "bond-release-1",
        "--at",
        "2026-05-03T08:00:00Z",
        *BY,
    ]
    assert tracerd(folder, "record", *right) == 0
    assert "recorded bond-release bond-release-2" in capsys.readouterr().out
