"""PSBTs that a real bitcoind's wallet makes, signs and finalises are held against a leg, on a store of its chain."""

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from harness.tracerd import Tracerd

from fixtures.bitcoind import Bitcoind
from tracer import cli
from tracer.precheck.decode import read
from tracer.types import ChainId, outpoint_text

REGTEST = ChainId("bip122:0f9188f13cb7b2c71f2a335e3a4fc328")
SEIZED_AT = 110
FORMS = ("bech32", "p2sh-segwit", "legacy", "bech32m")


class Desk:
    """The agency's wallet on a real node, the case that plans a deposit of 2.5 BTC from it, and the store of both."""

    def __init__(self, node: Bitcoind, folder: Path) -> None:
        self.node, self.folder = node, folder
        for wallet in ("rich", "agency", "exchange"):
            node.rpc("createwallet", wallet)
        node.mine(1, self.fresh("rich"))
        node.mine(101)
        self.sources = [self.fresh("agency", form) for form in FORMS]
        self.change, self.exchange = self.fresh("agency"), self.fresh("exchange", "bech32m")
        node.mine(SEIZED_AT - int(node.rpc("getblockcount")))
        for address in self.sources:
            node.rpc("sendtoaddress", address, 1, wallet="rich")
        node.mine(3)
        table = (
            f'[chain.bitcoin]\nfamily = "bitcoin"\nnetwork = "regtest"\nrpc_url = "{node.rpc_url}"\n'
            f'cookie_file = "{node.cookie_file}"\nconfirmed = 2\nfinal = 6\n'
        )
        self.daemon = Tracerd(folder, [table], [self._case()])
        assert self.daemon.sync() == 0, self.daemon.log

    def fresh(self, wallet: str, form: str = "bech32") -> str:
        return str(self.node.rpc("getnewaddress", "", form, wallet=wallet))

    def _case(self) -> str:
        watches = [(f"agency-{form}", address, "agency") for form, address in zip(FORMS, self.sources, strict=True)]
        watches += [("agency-change", self.change, "agency"), ("exchange", self.exchange, "exchange")]
        lines = [
            '[case]\nid = "desk"\ntitle = "A desk"\npreset = "beijing-2025"',
            f"[case.seizure]\nbitcoin = {SEIZED_AT}",
        ]
        lines += [
            f'[[watch]]\nid = "{ref}"\nchain = "bitcoin"\naddress = "{address}"\nrole = "{role}"'
            for ref, address, role in watches
        ]
        sources = json.dumps([ref for ref, _, role in watches if role == "agency"])
        lines.append(
            f'[[leg]]\nid = "deposit"\nkind = "DEPOSIT"\nasset = "bitcoin:BTC"\nfrom = {sources}\nto = "exchange"\n'
            'amount = "2.5"\ntolerance = "0"\nmax_fee = "0.001"'
        )
        return "\n".join(lines) + "\n"

    def funded(self, amount: str = "2.5", to: str | None = None, change: str | None = None) -> str:
        """A PSBT that the node's wallet funds."""
        outputs = [{to or self.exchange: amount}]
        options = {"changeAddress": change or self.change, "fee_rate": 10}
        made = self.node.rpc("walletcreatefundedpsbt", [], outputs, 0, options, wallet="agency")
        return str(made["psbt"])

    def signed(self, psbt: str, *, finalize: bool) -> str:
        options = (True, "ALL", True, finalize)
        return str(self.node.rpc("walletprocesspsbt", psbt, *options, wallet="agency")["psbt"])

    def ask(self, given: str) -> dict[str, tuple[str, str]]:
        """What `tracer precheck` does not show, by field; the papers, of which nobody keeps records, aside."""
        arguments = ["--store", str(self.daemon.store), "precheck", "desk", "deposit", "-", "--json"]
        result = CliRunner().invoke(cli.group, arguments, input=given, standalone_mode=False)
        assert result.exception is None, result.output
        fields = json.loads(result.output)["data"]["fields"]
        return {
            row["field"]: (row["verdict"], row["reason"])
            for row in fields
            if row["verdict"] != "SHOWN" and row["field"] not in ("court hold", "attestation", "procedure")
        }


@pytest.fixture
def desk(bitcoind: Bitcoind, tmp_path: Path) -> Desk:
    return Desk(bitcoind, tmp_path)


def satoshi(amount: Decimal) -> int:
    return int(amount * 10**8)


def test_what_is_read_of_a_psbt_is_what_the_node_reads_of_it(desk: Desk) -> None:
    """Before and after signing, every kind of script among the inputs: Core's own decoder is the judge."""
    unsigned = desk.funded("3.9")
    for psbt in (unsigned, desk.signed(unsigned, finalize=False), desk.signed(unsigned, finalize=True)):
        theirs: dict[str, Any] = desk.node.rpc("decodepsbt", psbt)
        mine = read(psbt.encode(), REGTEST)
        assert mine.faults == () and len(mine.inputs) == len(FORMS)
        assert [(p.holder.hex(), p.amount) for p in mine.payments] == [
            (out["scriptPubKey"]["hex"], satoshi(out["value"])) for out in theirs["tx"]["vout"]
        ]
        assert [outpoint_text(one.point) for one in mine.inputs] == [
            f"{one['txid']}:{one['vout']}" for one in theirs["tx"]["vin"]
        ]
        spent = sum(one.amount or 0 for one in mine.inputs)
        assert spent - sum(payment.amount for payment in mine.payments) == satoshi(theirs["fee"])


def test_a_deposit_as_planned_is_shown_at_every_step_until_it_is_spent(desk: Desk) -> None:
    unsigned = desk.funded()
    final = desk.signed(unsigned, finalize=True)
    raw = str(desk.node.rpc("finalizepsbt", final)["hex"])
    bare = str(desk.node.rpc("createpsbt", *inputs_and_outputs(desk, unsigned)))
    for given in (unsigned, desk.signed(unsigned, finalize=False), final, raw, bare):
        assert desk.ask(given) == {}
    txid = desk.node.rpc("sendrawtransaction", raw)
    desk.node.mine(3)
    assert desk.daemon.sync() == 0, desk.daemon.log
    again = desk.ask(raw)
    assert again["coin"] == ("CONTRADICTED", f"it is spent already by {txid}")
    assert again["amount"] == ("CONTRADICTED", "2.50000000 BTC more than the leg allows")


def inputs_and_outputs(desk: Desk, psbt: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    tx = desk.node.rpc("decodepsbt", psbt)["tx"]
    outs = [{out["scriptPubKey"]["address"]: out["value"]} for out in tx["vout"]]
    return [{"txid": one["txid"], "vout": one["vout"]} for one in tx["vin"]], outs


WRONG: list[tuple[Callable[[Desk], str], str, str]] = [
    (lambda desk: desk.funded(change=desk.fresh("agency")), "other output", "declares no such address"),
    (lambda desk: desk.funded(to=desk.fresh("exchange")), "destination", "other bytes"),
    (lambda desk: desk.funded("2.50000001"), "amount", "0.00000001 BTC more"),
]


@pytest.mark.parametrize(("make", "field", "said"), WRONG, ids=[field for _, field, _ in WRONG])
def test_what_the_wallet_makes_otherwise_is_contradicted(
    desk: Desk, make: Callable[[Desk], str], field: str, said: str
) -> None:
    found = desk.ask(make(desk))
    assert list(found) == [field] and found[field][0] == "CONTRADICTED" and said in found[field][1]


def test_somebody_elses_coin_among_the_inputs_is_contradicted(desk: Desk) -> None:
    ins, outs = inputs_and_outputs(desk, desk.funded())
    coin = desk.node.rpc("listunspent", wallet="rich")[0]
    ins.append({"txid": coin["txid"], "vout": coin["vout"]})
    bare = desk.node.rpc("createpsbt", ins, outs)
    found = desk.ask(str(desk.node.rpc("utxoupdatepsbt", bare)))
    assert found["source"] == ("CONTRADICTED", "a stranger's: not of the case") and "fee" in found
