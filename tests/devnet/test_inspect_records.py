"""What an inspection finds is filed on request, once, and is an alert of the case from then on."""

import json
from pathlib import Path

from fixtures.anvil import Anvil
from fixtures.scenarios.commands import finish, run


def test_a_delegation_that_an_inspection_finds_is_filed_once_and_alarms(tmp_path: Path, anvil_exe: Path) -> None:
    with Anvil() as node:
        node.mine(3)
        seized, delegate = node.accounts[5], node.accounts[6]
        node.rpc("anvil_setCode", seized, "0xef0100" + delegate[2:].lower())
        node.mine(1)
        config, store = tmp_path / "config.toml", tmp_path / "custody.db"
        config.write_text(
            f'[store]\nurl = "sqlite:///{store}"\n[chain.ethereum]\nfamily = "ethereum"\n'
            f'chain_id = {node.chain_id}\nrpc_url = "{node.rpc_url}"\npoll_s = 0.1\nconfirmed = 1\nfinal = 2\n'
        )
        (tmp_path / "case.toml").write_text(
            '[case]\nid = "c-1"\ntitle = "Powers"\npreset = "hold-reserve"\nseizure = { ethereum = 1 }\n'
            f'[[watch]]\nid = "seized"\nchain = "ethereum"\naddress = "{seized}"\nrole = "seized"\n'
        )
        run("tracerd", "-c", str(config), "case", "import", str(tmp_path / "case.toml"))
        run("tracerd", "-c", str(config), "sync")
        inspect = ("tracerd", "-c", str(config), "inspect", "c-1", "--record", "inspector")
        first = finish(*inspect)
        assert first.returncode == 3 and first.stdout.startswith("recorded power "), first.stderr
        assert "recorded" not in finish(*inspect).stdout, "what is filed already is not filed again"
        status = json.loads(run("tracer", "--store", str(store), "case", "status", "c-1", "--json", expect=(3,)))
        node.rpc("anvil_setCode", seized, "0x")
        node.mine(1)
        run("tracerd", "-c", str(config), "sync")
        assert finish(*inspect).stdout.startswith("recorded power gone-")
        assert "recorded" not in finish(*inspect).stdout
        after = json.loads(run("tracer", "--store", str(store), "case", "status", "c-1", "--json", expect=(4,)))
        [told_] = after["data"]["alerts"]["gravest"]
        assert (told_["severity"], after["data"]["sides"]) == ("INFO", []) and "no longer found" in told_["message"]
    told = [(alert["rule"], alert["severity"]) for alert in status["data"]["alerts"]["gravest"]]
    assert told == [("APPROVE-1", "CRITICAL")] and "INCIDENT" in status["data"]["sides"]
    assert delegate[2:].lower() in status["data"]["alerts"]["gravest"][0]["message"].lower()
