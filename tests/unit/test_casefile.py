"""The case file: what it is read as, and the one line that each mistake is answered with."""

import hashlib
import re
import tomllib
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from tracer.custody.case import Attestation, Case, LegKind
from tracer.errors import CaseRefused
from tracer.types import Role, outpoint_text
from tracer.units import format_units
from watchers import families
from watchers.bitcoin import quick
from watchers.bitcoin.address import NETWORKS, address_of, descriptor_scripts, script_of
from watchers.casefile import load_case
from watchers.casekeys import CaseFile
from watchers.casesummary import describe_case
from watchers.config import Config, load_config
from watchers.ethereum.address import account_of

ROOT = Path(__file__).parents[2]
CONFIG = load_config(ROOT / "config.example.toml", {}, [])
EXAMPLE = re.search(r"```toml\n(.*?)```", (ROOT / "docs/case-file.md").read_text(), re.DOTALL)[1]  # type: ignore[index]

A = "bcrt1qeacxyv6873mwds5vpq2f8djyjwml6x9g85hkfc"
B = "bcrt1qqn53jnr0uu7zsgupse76klumkt3lugg4jdjgr7"
C = "0x022697Ed9647B130B9365a46F16fE94f23788FbE"
WPKH = tomllib.loads(EXAMPLE)["watch"][2]["descriptor"]
HEAD = '[case]\nid = "c-1"\ntitle = "T"\npreset = "beijing-2025"\nseizure = { bitcoin = 5, ethereum = 6 }\n'
WATCHES = (
    f'[[watch]]\nid = "a"\nchain = "bitcoin"\naddress = "{A}"\nrole = "seized"\n'
    f'[[watch]]\nid = "b"\nchain = "bitcoin"\naddress = "{B}"\nrole = "agency"\n'
    f'[[watch]]\nid = "e"\nchain = "ethereum"\naddress = "{C}"\nrole = "seized"\n'
)
LEG = '[[leg]]\nid = "l"\nkind = "SECURE"\nasset = "bitcoin:BTC"\nfrom = ["a"]\nto = "b"\namount = "1.5"\n'
BASE = HEAD + WATCHES + LEG
PARTS = (
    '[[institution]]\nid = "x"\nname = "X"\npart = "EXCHANGE"\n'
    f'[[document]]\nid = "d"\ntitle = "D"\nsha256 = "{"ab" * 32}"\n'
    '[[attestation]]\nwatch = "b"\ninstitution = "x"\ndocument = "d"\nvalid_from = 2026-01-01T00:00:00Z\n'
)


def load(folder: Path, text: str, config: Config = CONFIG) -> Case:
    file = folder / "case.toml"
    file.write_text(text)
    return load_case(file, config)


def complaint(folder: Path, text: str) -> str:
    """The whole line, with the file's name in place of its path."""
    with pytest.raises(CaseRefused) as error:
        load(folder, text)
    line = error.value.line()
    assert "\n" not in line
    assert line.endswith("Nothing was written.")
    return line.replace(str(folder / "case.toml"), "FILE").replace(str(folder), "FOLDER")


def test_the_documented_example_is_read_as_it_says(tmp_path: Path) -> None:
    case = load(tmp_path, EXAMPLE)
    chain = CONFIG.chain["bitcoin"].id
    assert case.source_sha256 == hashlib.sha256(EXAMPLE.encode()).digest()
    assert case.seizures == {chain: 120, CONFIG.chain["ethereum"].id: 40}
    watches = {watch.ref: watch for watch in case.watches}
    assert watches["seized-1"].holder == script_of(A, "regtest")
    assert watches["seized-1"].birth == 100
    assert [outpoint_text(point)[-2:] for point in watches["seized-1"].outpoints or ()] == [":0"]
    assert watches["seized-multisig"].holder[-1:] == b"\xae"
    assert [watches[f"seized-wallet/{n}"].holder for n in range(20)] == descriptor_scripts(WPKH, 0, 19, "regtest")
    assert watches["seized-eth"].holder == account_of(C)
    assert watches["exchange-btc"].role is Role.EXCHANGE
    assert case.attestations == (Attestation("exchange-btc", "exchange", "deposit-addresses", 1767225600, 1798675200),)
    legs = {leg.ref: leg for leg in case.legs}
    secure = legs["secure-btc"]
    assert secure.kind is LegKind.SECURE
    assert secure.sources == ("seized-1", *(f"seized-wallet/{n}" for n in range(20)))
    assert (secure.amount, secure.tolerance, secure.max_fee) == (150_000_000, 0, 10_000)
    assert (secure.not_before, secure.deadline) == (1780272000, 1780358400)
    assert legs["gas-1"].sources == ()
    assert legs["gas-1"].amount == 5 * 10**16
    assert legs["secure-usdt"].amount == 250_000_000_001
    assert legs["secure-usdt"].max_fee == 10**16


def test_the_document_names_every_key_there_is() -> None:
    tables: list[type[BaseModel]] = [CaseFile]
    for field in CaseFile.model_fields.values():
        inner = next(iter(get_args(field.annotation)), field.annotation)
        assert isinstance(inner, type)
        assert issubclass(inner, BaseModel)
        tables.append(inner)
    assert len(tables) == 7
    for table in tables:
        for name, field in table.model_fields.items():
            key = field.alias or name
            assert re.search(rf"^(# )?(\[\[?(case\.)?)?{key}(\]| =)", EXAMPLE, re.MULTILINE), f"{key} is undocumented"


def test_a_file_gives_one_watch_per_line(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text(f"# a list\n{A}\r\n\n  {script_of(B, 'regtest').hex()}\n51\n")
    text = HEAD + '[[watch]]\nid = "w"\nchain = "bitcoin"\nfile = "list.txt"\nrole = "agency"\n'
    case = load(tmp_path, text)
    assert [(watch.ref, watch.holder) for watch in case.watches] == [
        ("w/0", script_of(A, "regtest")),
        ("w/1", script_of(B, "regtest")),
        ("w/2", b"\x51"),
    ]
    leg = LEG.replace('["a"]', '["w/0", "w/2"]').replace('to = "b"', 'to = "w/1"')
    assert load(tmp_path, text + leg).legs[0].sources == ("w/0", "w/2")


def test_an_attestation_of_a_range_covers_each_of_its_scripts(tmp_path: Path) -> None:
    text = f'[[watch]]\nid = "w"\nchain = "bitcoin"\ndescriptor = "{WPKH}"\nrange = [3, 4]\nrole = "agency"\n'
    case = load(tmp_path, HEAD + text + PARTS.replace('"b"', '"w"'))
    assert [one.watch for one in case.attestations] == ["w/0", "w/1"]


def test_a_document_may_be_given_as_a_file(tmp_path: Path) -> None:
    (tmp_path / "letter.pdf").write_bytes(b"letter")
    case = load(tmp_path, BASE + PARTS.replace(f'sha256 = "{"ab" * 32}"', 'file = "letter.pdf"'))
    assert case.documents[0].sha256 == hashlib.sha256(b"letter").digest()


def test_the_same_account_may_be_watched_on_two_chains(tmp_path: Path) -> None:
    flags = ["chain.other.family=ethereum", "chain.other.chain_id=5", "chain.other.rpc_url=http://127.0.0.1:1"]
    config = load_config(ROOT / "config.example.toml", {}, flags)
    text = BASE + f'[[watch]]\nid = "o"\nchain = "other"\naddress = "{C}"\nrole = "agency"\n'
    assert len(load(tmp_path, text, config).watches) == 4


CORRECT = "Correct the case file and import it again. Nothing was written."
COPY = "Copy it again from its source, and compare every character. Nothing was written."


def edited(old: str, new: str, text: str = BASE) -> str:
    assert old in text
    return text.replace(old, new, 1)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (edited('"1.5"', "1.5"), 'expected decimal text in quotes, such as "1.5", got 1.5 without quotes'),
        (edited('"1.5"', "2"), 'expected decimal text in quotes, such as "1.5", got 2 without quotes'),
        (edited("1.5", "-1.5"), 'may not be negative, got "-1.5"'),
        (edited("1.5", "+1.5"), 'expected plain decimal text such as "1.5", got "+1.5"'),
        (edited("1.5", "1,5"), 'expected plain decimal text such as "1.5", got "1,5"'),
        (edited("1.5", "1e3"), 'expected plain decimal text such as "1.5", got "1e3"'),
        (edited("1.5", "1_000"), 'expected plain decimal text such as "1.5", got "1_000"'),
        (edited("1.5", ".5"), 'expected plain decimal text such as "1.5", got ".5"'),
        (edited("1.5", "01"), 'expected plain decimal text such as "1.5", got "01"'),
        (edited("1.5", "1.5\\n"), 'expected plain decimal text such as "1.5", got "1.5\\n"'),
        (edited("1.5", "\u0661"), 'expected plain decimal text such as "1.5", got "\u0661"'),
        (edited("1.5", ""), 'expected plain decimal text such as "1.5", got ""'),
        (edited("1.5", "0.000"), "is zero; a leg moves something"),
        (
            edited("1.5", "9" * 71),
            f'"{"9" * 71}" is more than 2^256-1 base units, the most that can exist',
        ),
    ],
)
def test_an_amount_is_exact_decimal_text(tmp_path: Path, text: str, line: str) -> None:
    assert complaint(tmp_path, text) == f'FILE: leg[1] "l".amount: {line}. {CORRECT}'


def test_an_amount_is_never_rounded(tmp_path: Path) -> None:
    assert complaint(tmp_path, edited("1.5", "1.500000000")) == (
        'FILE: leg[1] "l".amount: "1.500000000" has 9 decimal places, BTC has 8. '
        "Nothing is rounded: write it exactly. Nothing was written."
    )


def test_the_largest_amount_is_read_exactly(tmp_path: Path) -> None:
    most = str(2**256 - 1)
    leg = edited("bitcoin:BTC", "ethereum:ETH", LEG).replace('["a"]', "[]").replace('to = "b"', 'to = "e"')
    text = HEAD + WATCHES + leg
    assert load(tmp_path, edited("1.5", f"{most[:-18]}.{most[-18:]}", text)).legs[0].amount == 2**256 - 1
    more = str(2**256)
    assert "more than 2^256-1" in complaint(tmp_path, edited("1.5", f"{more[:-18]}.{more[-18:]}", text))


def watch(value: str, *, chain: str = "bitcoin") -> str:
    return HEAD + f'[[watch]]\nid = "w"\nchain = "{chain}"\n{value}\nrole = "agency"\n'


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (watch(f'address = "{A[:-1]}d"'), "checksum"),
        (watch(f'address = "{A[:-3]}HKFC"'), "mixes upper and lower case"),
        (watch(f'address = "{address_of(script_of(A, "regtest"), "main")}"'), "mainnet"),
        (watch(f'address = "{A[:-1]}\u0430"'), "CYRILLIC SMALL LETTER A (U+0430)"),
        (watch(f'address = "{A}\u200b"'), "ZERO WIDTH SPACE (U+200B)"),
        (watch(f'address = "{A} "'), "SPACE (U+0020)"),
        (watch('address = ""'), "the address is empty"),
        (watch(f'address = "{C}"'), "0x022697"),
        (watch(f'address = "{C[:-1]}e"', chain="ethereum"), "wrong EIP-55 checksum"),
        (watch(f'address = "{C[:-1]}\u0415"', chain="ethereum"), "U+0415, not a hex digit: it may only look like one"),
        (watch(f'address = "{C[:-1]}"', chain="ethereum"), "has 39 hex digits, an Ethereum address has 40"),
        (watch(f'address = "{C[2:]}"', chain="ethereum"), "does not begin with 0x"),
        (watch(f'address = "{A}"', chain="ethereum"), "does not begin with 0x"),
    ],
)
def test_a_bad_address_is_answered_with_its_key_and_reason(tmp_path: Path, text: str, line: str) -> None:
    said = complaint(tmp_path, text)
    assert said.startswith('FILE: watch[1] "w".address: ')
    assert line in said
    assert said.endswith(COPY)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (watch('script = "xyz"'), 'watch[1] "w".script: expected hex digits in pairs, got "xyz". ' + COPY),
        (watch('script = ""'), 'watch[1] "w".script: expected hex digits in pairs, got "". ' + COPY),
        (
            watch('script = "51"', chain="ethereum"),
            'watch[1] "w".script: chain "ethereum" holds value by account. Give its `address`. Nothing was written.',
        ),
        (
            watch(""),
            'watch[1] "w": expected exactly one of address, script, descriptor, file, got none. '
            "Keep one of them. Nothing was written.",
        ),
        (
            watch(f'address = "{A}"\nscript = "51"'),
            'watch[1] "w": expected exactly one of address, script, descriptor, file, got address, script. '
            "Keep one of them. Nothing was written.",
        ),
        (
            watch(f'address = "{A}"\nrange = [0, 1]'),
            'watch[1] "w".range: belongs to a descriptor only. Remove it. Nothing was written.',
        ),
        (
            watch(f'descriptor = "{WPKH}"'),
            'watch[1] "w".range: missing; the descriptor has a *. '
            "Add first and last index, such as [0, 19]. Nothing was written.",
        ),
        (
            watch(f'descriptor = "addr({A})"\nrange = [0, 1]'),
            'watch[1] "w".range: the descriptor has no * to count. Remove it. Nothing was written.',
        ),
        (
            watch(f'descriptor = "{WPKH}"\nrange = [2, 1]'),
            f'watch[1] "w".range: expected 0 <= first <= last < 2147483648, got [2, 1]. {CORRECT}',
        ),
        (
            watch(f'descriptor = "{WPKH}"\nrange = [0, 100000]'),
            'watch[1] "w".range: has 100001 indexes, at most 100000 are derived. Split it. Nothing was written.',
        ),
        (
            watch(f'descriptor = "{WPKH}"\nrange = [0]'),
            'watch[1] "w".range[2]: missing; expected two whole numbers, first and last index, such as [0, 19]. '
            "Add this key. Nothing was written.",
        ),
        (
            watch(f'descriptor = "{WPKH}#aaaaaaaa"\nrange = [0, 1]'),
            f'watch[1] "w".descriptor: the descriptor cannot be used: the descriptor\'s checksum is wrong. {CORRECT}',
        ),
        (
            watch('file = "no.txt"'),
            'watch[1] "w".file: cannot read FOLDER/no.txt: No such file or directory. '
            "Name an existing file. Nothing was written.",
        ),
        (
            watch(f'address = "{A}"\noutpoints = []'),
            'watch[1] "w".outpoints: is empty: nothing would be seized. '
            "Name the coins, or remove the key to mean all. Nothing was written.",
        ),
        (
            watch(f'address = "{A}"\noutpoints = ["{"g" * 64}:0"]'),
            f'watch[1] "w".outpoints[1]: expected "txid:index", 64 hex digits and a number, '
            f'got "{"g" * 64}:0". {CORRECT}',
        ),
        (
            watch(f'address = "{A}"\noutpoints = ["{"a" * 64}:0", "{"a" * 64}:0"]'),
            'watch[1] "w".outpoints[2]: the same coin as outpoints[1]. Remove it. Nothing was written.',
        ),
        (
            watch(f'descriptor = "addr({A})"\noutpoints = ["{"a" * 64}:0"]'),
            'watch[1] "w".outpoints: belongs to a single address or script. '
            "Remove it, or declare that address alone. Nothing was written.",
        ),
        (
            watch(f'address = "{C}"\noutpoints = ["{"a" * 64}:0"]', chain="ethereum"),
            'watch[1] "w".outpoints: chain "ethereum" holds value by account and has no coins. '
            "Remove it. Nothing was written.",
        ),
        (
            watch(f'address = "{A}"', chain="litecoin"),
            f'watch[1] "w".chain: no [chain.NAME] table has the name "litecoin"; '
            f'there is "bitcoin", "ethereum". {CORRECT}',
        ),
        (
            watch(f'address = "{A}"\ninstitution = "psb"'),
            f'watch[1] "w".institution: there is no [[institution]]. {CORRECT}',
        ),
        (
            watch(f'address = "{A}"\nbirth = -1'),
            f'watch[1] "w".birth: expected a block height >= 0, got -1. {CORRECT}',
        ),
        (
            watch(f'address = "{A}"').replace('"agency"', '"thief"'),
            'watch[1] "w".role: expected one of "seized", "authority", "agency", "exchange", "refund", '
            f'got "thief". {CORRECT}',
        ),
        (
            watch(f'address = "{A}"').replace('"w"', '"w/0"'),
            'watch[1] "w/0".id: expected an id of at most 64 letters, digits, dots, - and _, '
            f'beginning with a letter or digit, got "w/0". {CORRECT}',
        ),
        (
            watch(f'adress = "{A}"'),
            'watch[1] "w".adress: unknown key; perhaps "address" is meant. '
            "Correct its spelling or remove it. Nothing was written.",
        ),
    ],
)
def test_a_bad_watch_is_answered_with_its_key(tmp_path: Path, text: str, line: str) -> None:
    assert complaint(tmp_path, text) == f"FILE: {line}"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (f"{A}\n{A[:-1]}d\n", "FOLDER/list.txt line 2: "),
        (f"{A}\n# x\nabc\n", "FOLDER/list.txt line 3: "),
        ("# nothing\n", "names no address"),
    ],
)
def test_a_bad_line_of_a_list_is_named(tmp_path: Path, lines: str, said: str) -> None:
    (tmp_path / "list.txt").write_text(lines)
    assert complaint(tmp_path, watch('file = "list.txt"')).startswith(f'FILE: watch[1] "w".file: {said}')


def test_a_list_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_bytes(b"\xff\xfe\n")
    assert "list.txt is not UTF-8 text after line 0. Save it as UTF-8." in complaint(
        tmp_path, watch('file = "list.txt"')
    )


def test_a_holder_is_declared_once(tmp_path: Path) -> None:
    fix = "Declare each holder once. Nothing was written."
    again = f'[[watch]]\nid = "again"\nchain = "bitcoin"\naddress = "{A.upper()}"\nrole = "seized"\n'
    assert complaint(tmp_path, BASE + again) == f'FILE: watch[4] "again": {A} is already watched as "a". {fix}'
    assert complaint(tmp_path, BASE + again.replace('"seized"', '"agency"')) == (
        f'FILE: watch[4] "again": {A} is already watched as "a" with another role (seized, here agency). {fix}'
    )
    (tmp_path / "list.txt").write_text(f"{A}\n{A}\n")
    assert f'{A} is already watched as "w/0"' in complaint(tmp_path, watch('file = "list.txt"'))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (edited('to = "b"', 'to = "z"'), 'leg[1] "l".to: no [[watch]] has the name "z"; there is "a", "b", "e"'),
        (edited('["a"]', '["a", "z"]'), 'leg[1] "l".from: no [[watch]] has the name "z"; there is "a", "b", "e"'),
        (edited('["a"]', '["a/0"]'), 'leg[1] "l".from: "a" has no script number "0"; it has 1, from 0'),
        (edited('["a"]', '["e"]'), 'leg[1] "l".from: "e" is on chain "ethereum", the asset is on "bitcoin"'),
        (edited('to = "b"', 'to = "e"'), 'leg[1] "l".to: "e" is on chain "ethereum", the asset is on "bitcoin"'),
        (edited('["a"]', '"a"'), 'leg[1] "l".from: expected a list of ids, got "a"'),
        (edited("bitcoin:BTC", "BTC"), 'leg[1] "l".asset: expected CHAIN:SYMBOL, such as "bitcoin:BTC", got "BTC"'),
        (
            edited("bitcoin:BTC", "btc:BTC"),
            'leg[1] "l".asset: no [chain.NAME] table has the name "btc"; there is "bitcoin", "ethereum"',
        ),
        (edited('"1.5"', '"1.5"\ntolerance = "1.5"'), 'leg[1] "l".tolerance: is not smaller than the amount'),
        (
            edited('"1.5"', '"1.5"\nmax_fee = 0.1'),
            'leg[1] "l".max_fee: expected decimal text in quotes, such as "1.5", got 0.1 without quotes',
        ),
        (
            edited('"1.5"', '"1.5"\ndeadline = 2026-01-01T00:00:00Z\nnot_before = 2026-01-01T00:00:01Z'),
            'leg[1] "l".deadline: is before not_before',
        ),
        (
            edited('"1.5"', '"1.5"\ndeadline = 2026-01-01'),
            'leg[1] "l".deadline: expected an instant with its offset, such as 2026-06-01T00:00:00Z (no quotes), '
            "got 2026-01-01",
        ),
        (
            edited('"1.5"', '"1.5"\ndeadline = 2026-01-01T00:00:00'),
            'leg[1] "l".deadline: expected an instant with its offset, such as 2026-06-01T00:00:00Z (no quotes), '
            "got 2026-01-01T00:00:00",
        ),
        (
            edited('"1.5"', '"1.5"\ndeadline = 2026-01-01T00:00:00.5Z'),
            'leg[1] "l".deadline: expected a whole second since 1970, got 2026-01-01T00:00:00.500000+00:00',
        ),
        (
            edited("SECURE", "STEAL"),
            'leg[1] "l".kind: expected one of SECURE, TEST, RECEIVE, CONSOLIDATE, TRANSFER, DEPOSIT, REFUND, RETURN, '
            'FORK_CLAIM, DESTROY, GAS (in quotes), got "STEAL"',
        ),
        (
            BASE + PARTS.replace('watch = "b"', 'watch = "z"'),
            'attestation[1].watch: no [[watch]] has the name "z"; there is "a", "b", "e"',
        ),
        (
            BASE + PARTS.replace('document = "d"', 'document = "z"'),
            'attestation[1].document: no [[document]] has the name "z"; there is "d"',
        ),
        (
            BASE + PARTS.replace('institution = "x"', 'institution = "z"'),
            'attestation[1].institution: no [[institution]] has the name "z"; there is "x"',
        ),
        (BASE + PARTS + "valid_to = 2025-01-01T00:00:00Z", "attestation[1].valid_to: is before valid_from"),
        (
            BASE + PARTS.replace("ab" * 32, "ab"),
            'document[1] "d".sha256: expected 64 hex digits, got "ab"',
        ),
        (
            edited("ethereum = 6", "litecoin = 6"),
            'case.seizure.litecoin: no [chain.NAME] table has the name "litecoin"; there is "bitcoin", "ethereum"',
        ),
        (
            edited("bitcoin = 5", 'bitcoin = "5"'),
            'case.seizure.bitcoin: expected a block height >= 0 per name of a chain, got "5"',
        ),
    ],
)
def test_a_bad_reference_or_value_is_answered_with_its_key(tmp_path: Path, text: str, line: str) -> None:
    assert complaint(tmp_path, text) == f"FILE: {line}. {CORRECT}"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            edited('to = "b"', 'to = "a"'),
            'leg[1] "l".to: "a" is also a source of this leg. A leg goes to somebody else.',
        ),
        (
            edited("SECURE", "DEPOSIT"),
            'leg[1] "l".to: "b" is held by the state (role agency); DEPOSIT leaves custody. '
            "Name an exchange or refund watch, or use another kind.",
        ),
        (
            edited("bitcoin:BTC", "bitcoin:USDT"),
            'leg[1] "l".asset: chain "bitcoin" has no asset "USDT"; there is "bitcoin:BTC". '
            "Correct it, or list the token in the configuration.",
        ),
        (
            edited("bitcoin = 5, ", ""),
            'case.seizure.bitcoin: missing; "a" is seized on this chain. '
            "Add the height after which its balance is the seized balance.",
        ),
        (BASE + LEG, 'leg[2] "l".id: the same id as leg[1]. Give each its own id.'),
        (
            BASE + f'[[watch]]\nid = "a"\nchain = "bitcoin"\nscript = "51"\nrole = "agency"\n',  # noqa: F541
            'watch[4] "a".id: the same id as watch[1]. Give each its own id.',
        ),
        (
            BASE + PARTS.replace("sha256", "# sha256"),
            'document[1] "d": expected exactly one of sha256, file. Keep one of them.',
        ),
        (
            BASE + PARTS.replace(f'sha256 = "{"ab" * 32}"', 'file = "no.pdf"'),
            'document[1] "d".file: cannot read FOLDER/no.pdf: No such file or directory. Name an existing file.',
        ),
        (
            edited('to = "b"', 'to = "w"') + f'[[watch]]\nid = "w"\nchain = "bitcoin"\ndescriptor = "{WPKH}"\n'
            'range = [0, 2]\nrole = "agency"\n',
            'leg[1] "l".to: "w" stands for 3 scripts. Name one of them, such as "w/0".',
        ),
        (
            edited('id = "c-1"\n', ""),
            "case.id: missing; expected an id of at most 64 letters, digits, dots, - and _, beginning with a letter "
            "or digit. Add this key.",
        ),
        (WATCHES, "case: missing; expected a [case] table. Add this key."),
        (
            edited("amount", "amout"),
            'leg[1] "l".amout: unknown key; perhaps "amount" is meant. Correct its spelling or remove it.',
        ),
        (BASE + "[[legs]]\n", 'legs: unknown key; perhaps "leg" is meant. Correct its spelling or remove it.'),
    ],
)
def test_what_else_may_be_wrong_is_answered_with_what_to_do(tmp_path: Path, text: str, line: str) -> None:
    assert complaint(tmp_path, text) == f"FILE: {line} Nothing was written."


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(CaseRefused) as missing:
        load_case(tmp_path / "no.toml", CONFIG)
    assert missing.value.line() == (
        f"{tmp_path}/no.toml: cannot be read: No such file or directory. "
        "Name an existing case file. Nothing was written."
    )
    assert complaint(tmp_path, "x = ") == (
        "FILE: is not TOML: Invalid value (at end of document). Correct that line. Nothing was written."
    )


def test_the_summary_fits_one_screen_and_counts_what_it_leaves_out(tmp_path: Path) -> None:
    lines = describe_case(load(tmp_path, EXAMPLE), CONFIG).splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 160
    text = "\n".join(lines)
    assert "Case example-2026-001: One disposal, two chains" in text
    assert "seized    after block 120 of bitcoin, block 40 of ethereum" in text
    assert "3 institutions, 1 document, 1 attestation, 27 watches, 5 legs" in text
    assert re.search(rf"seized-1 +seized +bitcoin +{A}, 1 coin, from block 100", text)
    assert re.search(r"seized-wallet +seized +bitcoin +bcrt1\w+ and 19 more", text)
    assert re.search(
        r"secure-btc +SECURE +1\.50000000 BTC  seized-1 \+1 -> authority-btc, by 2026-06-02 00:00:00?Z", text
    )
    assert re.search(r"secure-usdt +SECURE +250000\.000001 USDT  seized-eth -> authority-eth$", text, re.MULTILINE)
    assert re.search(r"gas-1 +GAS +0\.050000000000000000 ETH  outside -> seized-eth", text)


def test_a_long_case_is_cut_with_its_counts(tmp_path: Path) -> None:
    watches = "".join(
        f'[[watch]]\nid = "w{n}"\nchain = "bitcoin"\nscript = "51{n:02x}"\nrole = "agency"\n' for n in range(30)
    )
    legs = "".join(LEG.replace('"l"', f'"l{n}"') for n in range(20))
    text = describe_case(load(tmp_path, HEAD + WATCHES + watches + legs), CONFIG)
    assert "... and 23 more watches (in all 2 seized, 31 agency)" in text
    assert "... and 8 more legs" in text
    assert len(text.splitlines()) <= 40


def test_the_summary_names_legs_that_can_never_close(tmp_path: Path) -> None:
    text = describe_case(load(tmp_path, EXAMPLE), CONFIG)
    assert "are not SHOWN before" not in text
    attestation = re.search(r"\[\[attestation\]\]\n(?:.+\n)+", EXAMPLE)
    assert attestation
    lines = describe_case(load(tmp_path, EXAMPLE.replace(attestation[0], "")), CONFIG).splitlines()
    assert lines[-2].startswith("Note: these legs are not SHOWN before their target is attested, here or by")
    assert re.fullmatch(r"  deposit-btc +DEPOSIT: nobody attested whose address exchange-btc is", lines[-1])
    assert len(lines) <= 40
    legs = "".join(LEG.replace('"l"', f'"l{n}"').replace("SECURE", "RETURN").replace('"b"', '"x"') for n in range(5))
    outside = '[[watch]]\nid = "x"\nchain = "bitcoin"\nscript = "51"\nrole = "refund"\n'
    lines = describe_case(load(tmp_path, HEAD + WATCHES + outside + legs), CONFIG).splitlines()
    assert lines[-1] == "  ... and 2 more legs" and lines[-4].startswith("  l0 ")


@given(st.integers(0, 2**256 - 1), st.integers(0, 77))
def test_amounts_are_shown_exactly(amount: int, decimals: int) -> None:
    whole, _, fraction = format_units(amount, decimals).partition(".")
    assert (int(whole + fraction), len(fraction)) == (amount, decimals)


SCRIPTS = st.tuples(st.sampled_from([b"\x00\x14", b"\x00\x20", b"\x51\x20"]), st.binary(min_size=32, max_size=32)).map(
    lambda parts: parts[0] + parts[1][: parts[0][1]]
)


@given(SCRIPTS, st.sampled_from(sorted(NETWORKS)))
def test_the_quick_way_reads_what_the_ordinary_way_reads(script: bytes, network: str) -> None:
    address = address_of(script, network)
    assert address is not None
    assert quick.script_of(address, NETWORKS[network].hrp) == script == script_of(address, network)


@settings(max_examples=300)
@given(SCRIPTS, st.integers(0, 70), st.sampled_from("qpzry9x8gf2tvdw0s3jn54khce6mua7l1bioQA \u0430"))
def test_the_quick_way_reads_nothing_mistyped(script: bytes, place: int, letter: str) -> None:
    address = address_of(script, "regtest")
    assert address is not None
    mistyped = address[:place] + letter + address[place + 1 :]
    if mistyped != address:
        assert quick.script_of(mistyped, "bcrt") is None
    assert quick.script_of(address, "bc") is None


def test_the_quick_way_refuses_padding_that_is_not_zero() -> None:
    """The address of BIP-350 with a right checksum over 4 spare bits that are set."""
    padded = "tb1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vpggkg4j"
    assert quick.script_of(padded, "tb") is None
    with pytest.raises(ValueError, match=r"tb1p0xlx|padding"):
        script_of(padded, "test")


def test_the_quick_way_leaves_unusual_addresses_to_the_ordinary_way() -> None:
    for script in (b"\x51\x14" + bytes(20), b"\x52\x20" + bytes(32), b"\x60\x02ab"):
        address = address_of(script, "main")
        assert address is not None
        assert quick.script_of(address, "bc") is None
        assert families.parse_holder(load_config(None, MAIN, []).chain["b"], address) == script


MAIN = {
    "TRACERD_CHAIN__B__FAMILY": "bitcoin",
    "TRACERD_CHAIN__B__NETWORK": "main",
    "TRACERD_CHAIN__B__RPC_URL": "http://127.0.0.1:1",
}
