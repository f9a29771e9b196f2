"""`tracerd labels import`, `tracer labels` and `tracer links` as people run them, over stores built without nodes."""

import json
import os
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from disposal import (
    BTC_CHAIN,
    E_AGENCY,
    E_EXCHANGE,
    E_SEIZED,
    ETH,
    ETH_CHAIN,
    EXCHANGE,
    FENCE,
    FENCE2,
    MULE,
    MULE2,
    SEIZED1,
    THIEF,
    USDT,
    add_case,
    declared,
    name_of,
    open_store,
    play_all,
    plays,
)
from store_builder import WALL, transact

from tracer import cli
from tracer.attribution.labels import Label, Pack, placed
from tracer.attribution.nouns import METHODS
from tracer.attribution.tagpack import read_tagpack
from tracer.command import exit_code
from tracer.errors import LabelsRefused
from tracer.store.labelled import import_pack, labels_in_force
from tracer.store.writer import Store
from tracer.types import Holder, Kind, Movement
from watchers import daemon
from watchers.config import load_config
from watchers.control import serve, socket_path

TRACERD = Path(sys.executable).with_name("tracerd")
BITCOIN = '[chain.bitcoin]\nfamily = "bitcoin"\nnetwork = "regtest"\nrpc_url = "http://127.0.0.1:1"\n'
ADDRESS = "bcrt1qtda56shwdu2rl2psgehdlnzlwyyd07z3hwqxch"
PACK = f"""title: Exchanges
creator: Analyst
currency: BTC
label: Harbour
category: exchange
tags:
- address: {ADDRESS}
- address: bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4
- address: "0xFA8E3920daF271daB92Be9B87d9998DDd94FEF08"
  currency: ETH
"""
SDN = f"""<sdnList><publshInformation><Publish_Date>07/30/2025</Publish_Date></publshInformation>
<sdnEntry><uid>7</uid><lastName>HARBOUR LLC</lastName><idList><id><uid>8</uid>
<idType>Digital Currency Address - XBT</idType><idNumber>{ADDRESS.upper()}</idNumber></id></idList></sdnEntry>
</sdnList>"""


def tracerd(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [TRACERD, *arguments],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def asked(capsys: pytest.CaptureFixture[str], store: Path, *arguments: str) -> tuple[int, Any]:
    """Run `tracer --json` in this process."""
    code = exit_code(cli.group, "tracer", ["--store", str(store), *arguments, "--json"])
    printed = capsys.readouterr()
    assert printed.err == ""
    return code, json.loads(printed.out)


def printed(capsys: pytest.CaptureFixture[str], store: Path, *arguments: str) -> str:
    assert exit_code(cli.group, "tracer", ["--store", str(store), *arguments]) == 0
    return capsys.readouterr().out


def printed_any(capsys: pytest.CaptureFixture[str], store: Path, *arguments: str) -> str:
    exit_code(cli.group, "tracer", ["--store", str(store), *arguments])
    return capsys.readouterr().out


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a configuration and two files of labels that contradict each other."""
    (tmp_path / "config.toml").write_text(BITCOIN)
    (tmp_path / "pack.yaml").write_text(PACK)
    (tmp_path / "sdn.xml").write_text(SDN)
    return tmp_path


def test_files_are_told_apart_and_the_labels_tied_to_holders(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = (tracerd(folder, "labels", "import", name) for name in ("pack.yaml", "sdn.xml"))
    assert (first.returncode, second.returncode) == (0, 0)
    assert "labels    3: 1 of bitcoin, 2 of no chain here" in first.stdout and first.stdout.endswith("imported\n")
    assert second.stdout.startswith("ofac Specially Designated Nationals, by OFAC\n")
    assert asked(capsys, folder / "custody.db", "labels", ADDRESS.upper())[1]["data"]["conflicts"]
    code, answer = asked(capsys, folder / "custody.db", "labels", ADDRESS)
    assert (code, answer["verdict"], answer["lane"]) == (0, "SHOWN", "INFERRED")
    rows = answer["data"]["labels"]
    assert [(row["label"], row["category"], row["chain"]) for row in rows] == [
        ("Harbour", "exchange", "bitcoin"),
        ("HARBOUR LLC", "sanctions", "bitcoin"),
    ]
    assert rows[0]["holder"].startswith("0014") and rows[0]["in_force"] == 1
    [conflict] = answer["data"]["conflicts"]
    assert (conflict["label"], conflict["other_label"]) == ("Harbour", "HARBOUR LLC")
    assert answer["data"]["labels_in_force"] == 4 and len(answer["data"]["label_snapshot"]) == 64


def test_the_same_file_again_changes_nothing(folder: Path) -> None:
    tracerd(folder, "labels", "import", "pack.yaml")
    before = dump(folder / "custody.db")
    again = tracerd(folder, "labels", "import", "pack.yaml")
    assert again.returncode == 0 and again.stdout.endswith("was imported before; nothing changed\n")
    assert dump(folder / "custody.db") == before


def test_a_newer_pack_replaces_the_older_one_which_stays_on_record(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tracerd(folder, "labels", "import", "pack.yaml")
    _, first = asked(capsys, folder / "custody.db", "labels")
    (folder / "newer.yaml").write_text(PACK.replace("label: Harbour", "label: Pier"))
    assert "replaces 3 labels of an earlier pack" in tracerd(folder, "labels", "import", "newer.yaml").stdout
    _, answer = asked(capsys, folder / "custody.db", "labels", ADDRESS)
    assert [(row["label"], row["in_force"]) for row in answer["data"]["labels"]] == [("Harbour", 0), ("Pier", 1)]
    assert answer["data"]["conflicts"] == [] and answer["data"]["labels_in_force"] == 3
    assert answer["data"]["label_snapshot"] != first["data"]["label_snapshot"]
    assert "no longer in force" in printed(capsys, folder / "custody.db", "labels", ADDRESS)


@pytest.mark.parametrize(
    ("name", "body", "said"),
    [
        ("x.yaml", PACK.replace("tags:", "tags: 5\nx:"), "x.yaml: header: `tags` is not a list of tags. Correct"),
        ("x.yaml", PACK + "- label: no address\n", "x.yaml: tags[4]: has no `address`. Correct"),
        ("x.xml", '<!DOCTYPE a [<!ENTITY b "c">]>' + SDN, "x.xml: has a document type or entities"),
        ("x.xml", SDN[:-5], "x.xml: is not XML"),
    ],
)
def test_a_bad_file_is_one_line_and_nothing_is_written(folder: Path, name: str, body: str, said: str) -> None:
    (folder / name).write_text(body)
    done = tracerd(folder, "labels", "import", name)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith(f"tracerd: {said}") and done.stderr.endswith("Nothing was written.\n")
    assert done.stderr.count("\n") == 1 and not (folder / "custody.db").exists()


def test_a_kind_that_is_named_is_believed(folder: Path) -> None:
    done = tracerd(folder, "labels", "import", "sdn.xml", "--kind", "tagpack")
    assert done.returncode == 2 and not (folder / "custody.db").exists()


def test_a_file_that_is_not_there_is_one_line(folder: Path) -> None:
    done = tracerd(folder, "labels", "import", "gone.yaml")
    assert done.returncode == 2 and "gone.yaml: cannot be read: No such file" in done.stderr


async def test_the_running_daemon_imports(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = load_config(folder / "config.toml", {}, (f"store.url=sqlite:///{folder / 'custody.db'}",))
    with Store(folder / "custody.db") as store:
        followers = [daemon.make_follower(chain, store, daemon.Alerts("")) for chain in config.chain.values()]
        handlers = {"labels": lambda body: daemon._labels_running(body, config, store, followers)}
        async with serve(socket_path(folder / "custody.db", os.environ), handlers):
            assert await daemon.import_labels(config, folder / "pack.yaml", None) == 0
            with pytest.raises(LabelsRefused):
                await daemon.import_labels(config, folder / "config.toml", None)
        assert [label.label for label in labels_in_force(store.connection)] == ["Harbour"] * 3
    assert capsys.readouterr().out.endswith("imported\n")


def test_nothing_that_works_out_amounts_or_verdicts_knows_of_attribution() -> None:
    root = Path(cli.__file__).parents[1]
    files = [path for package in ("tracer", "watchers") for path in (root / package).rglob("*.py")]
    users = {
        str(path.relative_to(root))
        for path in files
        if "attribution" not in path.relative_to(root).parts
        and "from tracer.attribution" in path.read_text(encoding="utf-8")
    }
    assert users == {
        *(f"tracer/report/{name}.py" for name in ("labelled", "links")),
        *(f"tracer/store/{name}.py" for name in ("labelled", "shapes", "stops")),
        *(f"watchers/{name}.py" for name in ("daemon", "labels")),
    }


# Reading, over the whole disposal


def pack(title: str, label: str, category: str) -> Pack:
    body = f"title: {title}\ncreator: C\ncurrency: BTC\nlabel: {label}\ncategory: {category}\n"
    read = read_tagpack((body + "tags: [{address: bc1qfence}, {address: bc1qexchange}]\n").encode())
    holders = {"bc1qfence": FENCE, "bc1qexchange": EXCHANGE}
    return replace(read, labels=tuple(placed(one, BTC_CHAIN, holders[one.address]) for one in read.labels))


def label_it(store: Store, *packs: Pack) -> None:
    with store.connection.begin():
        for one in packs:
            assert import_pack(store.connection, one, {BTC_CHAIN: 1, ETH_CHAIN: 2}, WALL).new


def dump(path: Path, *, labels: bool = True) -> list[str]:
    with sqlite3.connect(path) as db:
        return [line for line in db.iterdump() if labels or not line.startswith('INSERT INTO "label')]


@pytest.fixture(scope="module")
def disposal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The disposal, with two packs that contradict each other."""
    path = play_all(tmp_path_factory.mktemp("labelled") / "store.db")
    before = dump(path, labels=False)
    with open_store(path) as store:
        label_it(store, pack("A", "Fence Ltd", "exchange"), pack("B", "Mixer", "mixing_service"))
    assert dump(path, labels=False) == before, "labels touch nothing else"
    return path


def test_without_labels_there_is_a_remedy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with open_store(tmp_path / "store.db"):
        pass
    assert exit_code(cli.group, "tracer", ["--store", str(tmp_path / "store.db"), "labels"]) == 2
    assert "the store has no labels. Import one with `tracerd labels import FILE`." in capsys.readouterr().err


@pytest.mark.parametrize("ref", ["bc1qexchange", EXCHANGE.hex(), "exchange"])
def test_labels_are_found_by_address_script_and_watch(
    disposal: Path, capsys: pytest.CaptureFixture[str], ref: str
) -> None:
    _, answer = asked(capsys, disposal, "labels", ref)
    assert [row["label"] for row in answer["data"]["labels"]] == ["Fence Ltd", "Mixer"]


def test_both_sides_of_a_contradiction_are_printed(disposal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(capsys, disposal, "labels")
    assert "Contradictions: both labels stay" in out
    assert "bc1qfence  Fence Ltd (exchange), says A; Mixer (mixing_service), says B" in out
    assert "No pack says anything about bc1qnobody." in printed(capsys, disposal, "labels", "bc1qnobody")


def test_labels_that_were_changed_in_the_store_are_contradicted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "store.db"
    with open_store(path) as store:
        label_it(store, replace(pack("A", "X", ""), labels=(Label("a", "LTC", "X", pack=pack("A", "X", "").sha256),)))
    with sqlite3.connect(path) as db:
        db.execute("UPDATE label SET label = 'Y'")
    code, answer = asked(capsys, path, "labels")
    assert (code, answer["verdict"], answer["checks"][0]["rule"]) == (3, "CONTRADICTED", "LABEL-1")


def found(answer: Any) -> set[tuple[str, str]]:
    return {(link["method"], link["txid"]) for link in answer["data"]["links"]}


def test_the_links_of_a_case_name_method_transaction_and_reason(
    disposal: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, answer = asked(capsys, disposal, "links", "HD-1")
    assert (code, answer["lane"]) == (0, "INFERRED")
    assert found(answer) == {
        ("cospend", name_of("secure")),
        ("cospend", name_of("hop2")),
        *(("change", name_of(name)) for name in ("test", "deposit", "leak", "hop2")),
    }
    for link in answer["data"]["links"]:
        assert link["lane"] == "INFERRED" and link["reason"] and link["parameters"] and link["version"] == "1"
        assert link["confidence"] in ("low", "medium", "high") and len(link["txid"]) == 64
        assert "amount" not in link
    [deposit] = [link for link in answer["data"]["links"] if link["txid"] == name_of("deposit")]
    assert deposit["height"] == 106, "where the reorg left it"
    assert answer["data"]["labels_in_force"] == 4 and len(answer["data"]["label_snapshot"]) == 64


@pytest.mark.parametrize("off", METHODS)
def test_a_method_that_is_off_says_nothing_and_the_others_the_same(
    disposal: Path, capsys: pytest.CaptureFixture[str], off: str
) -> None:
    (_, every), (_, rest) = (
        asked(capsys, disposal, "links", "HD-1"),
        asked(capsys, disposal, "links", "HD-1", "--off", off),
    )
    assert found(rest) == {link for link in found(every) if link[0] != off}
    assert rest["data"]["off"] == [off]


@pytest.mark.parametrize("ref", ["bc1qfence", f"{name_of('hop2')}:0", name_of("hop2"), "HD-1"])
def test_links_are_found_by_any_reference(disposal: Path, capsys: pytest.CaptureFixture[str], ref: str) -> None:
    _, answer = asked(capsys, disposal, "links", ref)
    assert {("cospend", name_of("hop2")), ("change", name_of("hop2"))} <= found(answer)
    clusters = [{one["address"] for one in cluster["holders"]} for cluster in answer["data"]["clusters"]]
    assert {"bc1qmule", "bc1qstranger", "bc1qfence2"} in clusters


def test_what_is_stored_in_part_is_left_out_and_said(disposal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, answer = asked(capsys, disposal, "links", "HD-1")
    assert {"what": "2 transactions around it", "why": "stored in part: their inputs are not"} in answer["left_out"]


def test_an_unknown_reference_is_one_line(disposal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(cli.group, "tracer", ["--store", str(disposal), "links", "bc1qnobody"]) == 2
    assert "'bc1qnobody' is not in the store" in capsys.readouterr().err


def test_links_are_printed_as_leads_within_the_width(disposal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(capsys, disposal, "links", "HD-1")
    assert out.startswith("INFERRED: leads, not facts.")
    assert "2 holders are spent together: seized-1, seized-2 seem to have one owner" in out
    assert "4 labels in force, snapshot" in out
    assert all(len(line) <= 100 for line in out.splitlines())


def test_peel_chains_and_deposit_addresses_are_seen_in_the_store(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def token(source: Holder, target: Holder, amount: int) -> Movement:
        return Movement(Kind.LOG, 0, USDT.id, amount, source, target)

    with open_store(tmp_path / "store.db") as store:
        bitcoin, ethereum = plays(store)
        add_case(store, declared(), (bitcoin, ethereum))
        bitcoin.start(100)
        bitcoin.mine(bitcoin.pay("f1", [], [(SEIZED1, 200_000_000)]))
        bitcoin.mine(bitcoin.pay("p1", [("f1", 0)], [(MULE, 1_000_000), (THIEF, 198_000_000)]))
        bitcoin.mine(bitcoin.pay("p2", [("p1", 1)], [(FENCE, 196_000_000), (MULE2, 1_000_000)]))
        bitcoin.mine(bitcoin.pay("p3", [("p2", 0)], [(MULE, 1_000_000), (FENCE2, 194_000_000)]))
        ethereum.start(50)
        held = {(1, who, what.id): 0 for who in (E_SEIZED, E_AGENCY) for what in (ETH, USDT)}
        ethereum.mine(balances=held | {(1, E_SEIZED, USDT.id): 5_000_000_000})
        ethereum.mine(transact("in", token(E_SEIZED, E_AGENCY, 5_000_000_000)))
        ethereum.mine(transact("out", token(E_AGENCY, E_EXCHANGE, 4_900_000_000)))
    _, answer = asked(capsys, tmp_path / "store.db", "links", "HD-1")
    peels = [link for link in answer["data"]["links"] if link["method"] == "peel"]
    assert [(link["txid"], link["height"]) for link in peels] == [(name_of(f"p{n}"), 101 + n) for n in (1, 2, 3)]
    assert [one["address"] for one in peels[1]["holders"]] == ["bc1qthief", "bc1qfence"]
    [link] = [link for link in answer["data"]["links"] if link["method"] == "deposit"]
    assert (link["chain"], link["txid"], link["claim"]) == ("ethereum", name_of("out"), "deposit address")
    assert [one["watch_ref"] for one in link["holders"]] == ["eth-agency", "eth-exchange"]
    out = printed_any(capsys, tmp_path / "store.db", "links", "HD-1")
    assert "eth-agency seems to be a deposit address of eth-exchange" in " ".join(out.split())
    _, answer = asked(capsys, tmp_path / "store.db", "links", name_of("p3"))
    assert ("peel", name_of("p1")) not in found(answer) and ("peel", name_of("p3")) in found(answer)
