"""Control over an account and over a contract, as an officer shows it: a statement, a signature, a record."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from eth_abi.abi import encode
from eth_account import Account
from eth_account.messages import encode_defunct

from fixtures.anvil import Anvil
from fixtures.contracts import artifact
from fixtures.scenarios.commands import Daemon, finish, run

OWNER = Account.from_key(bytes([9]) * 32)


class Office:
    """A case with an exchange's account and a contract wallet of the same owner, followed by a running daemon."""

    def __init__(self, folder: Path, node: Anvil) -> None:
        code = artifact("Signer")["bytecode"] + encode(["address"], [OWNER.address]).hex()
        wallet = node.transact({"from": node.accounts[0], "data": code})["contractAddress"]
        self.folder, self.config = folder, folder / "config.toml"
        self.config.write_text(
            f'[store]\nurl = "sqlite:///{folder}/custody.db"\n[chain.ethereum]\nfamily = "ethereum"\n'
            f'chain_id = {node.chain_id}\nrpc_url = "{node.rpc_url}"\npoll_s = 0.1\nconfirmed = 1\nfinal = 2\n'
        )
        watches = {"exchange-eth": OWNER.address, "exchange-wallet": wallet}
        (folder / "case.toml").write_text(
            '[case]\nid = "c-1"\ntitle = "Control"\npreset = "hold-reserve"\nseizure = { ethereum = 1 }\n'
            + "".join(
                f'[[watch]]\nid = "{ref}"\nchain = "ethereum"\naddress = "{address}"\nrole = "exchange"\n'
                for ref, address in watches.items()
            )
        )
        self.tracerd("case", "import", str(folder / "case.toml"))
        self.tracerd("sync")

    def tracerd(self, *arguments: str) -> str:
        """A command that succeeds."""
        return run("tracerd", "-c", str(self.config), *arguments)

    def statement(self, watch: str) -> Path:
        """The statement for a watch, in a file as an officer would keep it."""
        file = self.folder / f"{watch}.txt"
        file.write_text(self.tracerd("statement", "c-1", watch))
        return file

    def signed(self, file: Path) -> str:
        """The owner's signature of it."""
        message = encode_defunct(text=file.read_text())
        return "0x" + bytes(OWNER.sign_message(message).signature).hex()

    def record(self, watch: str, method: str, file: Path, signature: str) -> list[str]:
        """The command that files it."""
        return [
            *("record", "control", "c-1", "--watch", watch, "--method", method, "--by", "compliance"),
            *("--message", f"@{file}", "--signature", signature),
        ]


@pytest.fixture
def office(tmp_path: Path, anvil_exe: Path) -> Iterator[Office]:
    with Anvil() as node:
        node.mine(3)
        yield Office(tmp_path, node)


def test_an_account_and_a_contract_show_control_once(office: Office) -> None:
    with Daemon(office.config, office.folder / "tracerd.log"):
        account, wallet = office.statement("exchange-eth"), office.statement("exchange-wallet")
        said = office.tracerd(*office.record("exchange-eth", "eip191", account, office.signed(account)))
        assert said.startswith("recorded control control-1  sha256 ")
        again = office.record("exchange-eth", "eip191", account, office.signed(account))
        refused = finish("tracerd", "-c", str(office.config), *again)
        assert (refused.returncode, refused.stderr.count("\n")) == (2, 1) and "was taken before" in refused.stderr
        wrong = office.record("exchange-wallet", "eip191", wallet, office.signed(wallet))
        assert finish("tracerd", "-c", str(office.config), *wrong).returncode == 2
        office.tracerd(*office.record("exchange-wallet", "eip1271", wallet, office.signed(wallet)))
    history = run("tracer", "--store", str(office.folder / "custody.db"), "case", "history", "c-1", "--json")
    assert history.count('"record_lane": "PROVEN"') == 1 and history.count('"record_lane": "REPORTED"') == 1


def test_a_contract_is_asked_by_the_daemon_alone(office: Office) -> None:
    wallet = office.statement("exchange-wallet")
    alone = office.record("exchange-wallet", "eip1271", wallet, office.signed(wallet))
    refused = finish("tracerd", "-c", str(office.config), *alone)
    assert refused.returncode == 2 and refused.stderr.count("\n") == 1 and "contract" in refused.stderr


def test_typed_data_is_filed_as_it_was_printed(office: Office) -> None:
    with Daemon(office.config, office.folder / "tracerd.log"):
        file = office.folder / "typed.json"
        file.write_text(office.tracerd("statement", "c-1", "exchange-eth", "--typed"))
        typed = json.loads(file.read_text())
        signature = "0x" + bytes(OWNER.sign_typed_data(full_message=typed).signature).hex()
        said = office.tracerd(*office.record("exchange-eth", "eip712", file, signature))
        assert said.startswith("recorded control control-1  sha256 ")
        typed["message"]["purpose"] = "something else"
        for changed in (json.dumps(typed), "{", json.dumps({**typed, "more": 1})):
            file.write_text(changed)
            refused = finish(
                "tracerd", "-c", str(office.config), *office.record("exchange-eth", "eip712", file, signature)
            )
            assert refused.returncode == 2 and refused.stderr.count("\n") == 1
    history = run("tracer", "--store", str(office.folder / "custody.db"), "case", "history", "c-1")
    assert "Case: c-1 / Watch: exchange-eth" in " ".join(history.split()) and "{'" not in history
