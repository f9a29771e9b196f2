"""What `tracerd check` says about real nodes: fit, of another network, too young, or not there."""

import subprocess
import sys
from pathlib import Path

from fixtures.anvil import Anvil
from fixtures.bitcoind import Bitcoind
from fixtures.process import free_port
from watchers.config import Config, load_config
from watchers.doctor import check, report


def config_of(bitcoind: Bitcoind, anvil: Anvil, *flags: str) -> Config:
    return load_config(None, {}, [*(f"chain.{flag}" for flag in settings(bitcoind, anvil)), *flags])


def settings(bitcoind: Bitcoind, anvil: Anvil) -> list[str]:
    return [
        "bitcoin.family=bitcoin",
        "bitcoin.network=regtest",
        f"bitcoin.rpc_url={bitcoind.rpc_url}",
        f"bitcoin.cookie_file={bitcoind.cookie_file}",
        "ethereum.family=ethereum",
        f"ethereum.chain_id={anvil.chain_id}",
        f"ethereum.rpc_url={anvil.rpc_url}",
    ]


async def test_fit_nodes_pass_every_check(shared_bitcoind: Bitcoind, shared_anvil: Anvil) -> None:
    config = config_of(shared_bitcoind, shared_anvil)
    findings = await check(config, {})
    text = report(findings)
    assert all(finding.fine for finding in findings), text
    assert [finding.chain for finding in findings] == ["bitcoin"] * 3 + ["ethereum"] * 3
    best = shared_bitcoind.rpc("getbestblockhash")
    assert f"ok   bitcoin: tip: block {shared_bitcoind.rpc('getblockcount')} {best}" in text
    assert f"genesis {shared_bitcoind.rpc('getblockhash', 0)}" in text
    assert "ok   bitcoin: answers from block 0 on: blocks, previous outputs\n" in text
    assert "ok   ethereum: answers from block 0 on: blocks, state, traces\n" in text
    assert text.endswith("all 6 checks passed")


async def test_every_source_is_checked_as_the_first_node_is(shared_bitcoind: Bitcoind, shared_anvil: Anvil) -> None:
    login = f"cookie_file='{shared_bitcoind.cookie_file}'"
    sources = ", ".join(
        f"{{name='{name}', rpc_url='http://127.0.0.1:{port}', {login}}}"
        for name, port in (("second", shared_bitcoind.rpc_port), ("third", free_port()))
    )
    config = config_of(shared_bitcoind, shared_anvil, f"chain.bitcoin.source=[{sources}]")
    findings = await check(config, {})
    fine = {name: {one.fine for one in findings if one.chain == name} for name in {one.chain for one in findings}}
    assert fine == {
        "bitcoin": {True},
        "bitcoin source second": {True},
        "bitcoin source third": {False},
        "ethereum": {True},
    }


async def test_a_source_of_another_chain_fails(shared_anvil: Anvil, bitcoind: Bitcoind, anvil_exe: Path) -> None:
    with Anvil(anvil_exe, timestamp=1_700_000_000) as other:
        source = f"chain.ethereum.source=[{{name='second', rpc_url='{other.rpc_url}'}}]"
        findings = await check(config_of(bitcoind, shared_anvil, source), {})
    [wrong] = [finding for finding in findings if not finding.fine]
    assert (wrong.chain, wrong.what) == ("ethereum source second", "same chain as the first node")


async def test_what_a_node_is_not_asked_for_is_not_said_to_be_there(
    shared_bitcoind: Bitcoind, shared_anvil: Anvil
) -> None:
    config = config_of(shared_bitcoind, shared_anvil, "chain.ethereum.traces=off")
    assert report(await check(config, {})).splitlines()[-2] == (
        "ok   ethereum: answers from block 0 on: blocks, state; traces not asked: configured off"
    )


async def test_a_node_of_another_network_fails_and_the_other_chain_is_still_checked(
    shared_bitcoind: Bitcoind, shared_anvil: Anvil
) -> None:
    wrong = config_of(shared_bitcoind, shared_anvil, "chain.bitcoin.network=signet", "chain.ethereum.chain_id=1")
    findings = await check(wrong, {})
    assert [(finding.chain, finding.fine) for finding in findings] == [("bitcoin", False), ("ethereum", False)]
    assert all("rpc_url" in finding.remedy for finding in findings)
    half = config_of(shared_bitcoind, shared_anvil, "chain.bitcoin.network=signet")
    assert [finding.fine for finding in await check(half, {})] == [False, True, True, True]


async def test_a_node_that_is_not_there_fails_with_a_remedy(shared_bitcoind: Bitcoind, shared_anvil: Anvil) -> None:
    gone = f"http://127.0.0.1:{free_port()}"
    config = config_of(shared_bitcoind, shared_anvil, f"chain.bitcoin.rpc_url={gone}", f"chain.ethereum.rpc_url={gone}")
    findings = await check(config, {})
    assert [finding.fine for finding in findings] == [False, False]
    assert all(finding.what.startswith("reachable") and finding.remedy for finding in findings)


async def test_a_node_that_has_not_reached_the_oldest_block_fails(
    shared_bitcoind: Bitcoind, shared_anvil: Anvil
) -> None:
    config = config_of(shared_bitcoind, shared_anvil)
    findings = await check(config, {config.chain["bitcoin"].id: 10_000})
    tip = shared_bitcoind.rpc("getblockcount")
    assert next(finding.line() for finding in findings if not finding.fine) == (
        f"FAIL bitcoin: answers from block 10000 on: its tip is block {tip}. Wait until the node has caught up."
    )


def test_the_command_prints_the_findings(shared_bitcoind: Bitcoind, shared_anvil: Anvil, tmp_path: Path) -> None:
    flags = [word for flag in settings(shared_bitcoind, shared_anvil) for word in ("--set", f"chain.{flag}")]
    tracerd = Path(sys.executable).with_name("tracerd")
    done = subprocess.run([tracerd, *flags, "check"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "all 6 checks passed"
    assert list(tmp_path.iterdir()) == []
