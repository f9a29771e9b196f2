"""The Ethereum devnet: an anvil that mines when told, with an honest token, a fake one and a forwarding contract."""

import copy
import json
import random
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eth_abi.abi import encode
from eth_utils.abi import function_signature_to_4byte_selector

from fixtures.anvil import Anvil
from fixtures.contracts import artifact
from fixtures.ledger.ethereum import EthereumReader
from harness.bitcoin import toml
from harness.devnet import HELD, ROLES, active
from harness.relay import Lie

CHAIN = "eip155:31337"
ETHER = f"{CHAIN}/slip44:60"
SLOTS = 3
GAS = hex(500_000)

Request = dict[str, Any]


class EthereumNet:
    """Plays on anvil; see `Devnet`."""

    name = "ethereum"
    native = "ethereum:ETH"
    asset = ETHER
    final_depth = 2 * SLOTS + 1
    cents = 10**16

    def __init__(self, executable: Path) -> None:
        # A restarted anvil shows a new genesis block at times, unless its time is given.
        self._made = int(time.time())
        self.node = self._anvil(executable)
        self.node.start()
        self.reader = EthereumReader(self.node.batch, CHAIN)
        names = ("rich", *ROLES, "stranger", "stranger2", "mule", "fence")
        self.accounts = dict(zip(names, (one.lower() for one in self.node.accounts), strict=False))
        self._kept = 0
        self._waiting: list[Request] = []
        self.token = self._deploy("Token", ("string", "string"), ("Dollar", "USDX"))
        self.fake = self._deploy("FakeToken", ("string", "string"), ("Dollar", "USDX"))
        self.forwarder = self._deploy("Forwarder")
        self.first = self.height() + 1
        for holder in (*HELD, "rich"):
            self._call("rich", self.token, "mint(address,uint256)", self.accounts[holder], 10**12)
        self.mine(8)

    def _anvil(self, executable: Path) -> Anvil:
        return Anvil(executable, slots_in_an_epoch=SLOTS, order="fifo", no_mining=True, timestamp=self._made)

    def _deploy(self, name: str, types: Sequence[str] = (), values: Sequence[object] = ()) -> str:
        data = artifact(name)["bytecode"] + encode(list(types), list(values)).hex()
        sent = self.node.rpc("eth_sendTransaction", {"from": self.accounts["rich"], "data": data})
        self.node.mine()
        return str(self.node.receipt(sent)["contractAddress"]).lower()

    @property
    def port(self) -> int:
        return self.node.port

    @property
    def push(self) -> dict[str, object]:
        return {"ws_url": self.node.ws_url}

    def table(self, *, port: int | None = None, **settings: object) -> str:
        url = f"http://127.0.0.1:{port or self.node.port}"
        given: dict[str, object] = {"family": "ethereum", "chain_id": 31337, "rpc_url": url, "poll_s": 0.05}
        given |= {"deadline_s": 5.0, **settings}
        follow = {"max_hops": 10_000, "min_amount": 0} | dict(given.pop("follow", {}))  # type: ignore[call-overload]
        limits = f"[chain.{self.name}.follow]\n" + "".join(f"{key} = {value}\n" for key, value in follow.items())
        token = f'[[chain.{self.name}.token]]\nsymbol = "USDX"\ncontract = "{self.token}"\ndecimals = 6\n'
        keys = "\n".join(f"{key} = {toml(value)}" for key, value in given.items())
        return f"[chain.{self.name}]\n{keys}\n{token}{limits}"

    def wrong_table(self) -> str:
        return self.table(chain_id=1)

    def watch_key(self, holder: str) -> str:
        return f'address = "{self.accounts[holder]}"'

    def key(self, holder: str) -> bytes:
        return bytes.fromhex(self.accounts[holder][2:])

    # Playing.

    def pay(self, source: str, target: str, cents: int) -> None:
        self._send(source, self.accounts[target], value=cents * self.cents)

    def act(self, rng: random.Random) -> None:
        """Calls from outside, through a contract, tokens real and fake, payments that fail, leaks."""
        if rng.random() < 0.5:
            self._send("rich", self.accounts[rng.choice([*ROLES])], value=rng.randint(1, 10**17))
        if rng.random() < 0.5:
            target = self.accounts[rng.choice([*ROLES])]
            self._call("rich", self.forwarder, "forward(address)", target, value=rng.randint(1, 10**17))
        source = rng.choice(HELD)
        if rng.random() < 0.5:
            target = rng.choice([*ROLES, "stranger"])
            self._send(source, self.accounts[target], value=rng.randint(1, 10**16))
        if rng.random() < 0.5:
            target = self.accounts[rng.choice([*ROLES, "stranger"])]
            amount = rng.choice([rng.randint(0, 10**6), 10**15])  # the latter is more than it has: fails, costs gas
            self._call(source, self.token, "transfer(address,uint256)", target, amount)
        if rng.random() < 0.2:
            parties = self.accounts["rich"], self.accounts[rng.choice(HELD)]
            self._call("stranger", self.fake, "announce(address,address,uint256)", *parties, rng.randint(0, 10**6))
        if rng.random() < 0.3:
            self._send("stranger", self.accounts["stranger2"], value=rng.randint(1, 10**9))

    def mine(self, blocks: int = 1) -> None:
        for request in self._waiting:
            self.node.rpc("eth_sendTransaction", request)
        self._waiting = []
        self.node.mine(blocks)

    def grow(self, blocks: int, rng: random.Random) -> None:
        places = sorted(active(blocks))
        for place, after in zip(places, [*places[1:], blocks], strict=True):
            self.act(rng)
            self.mine(after - place)

    def reorg(self, depth: int, rng: random.Random, *, longer: int = 1, quiet: bool = False) -> None:
        self._waiting = []
        contents: list[tuple[Request | str, int]] = []
        for place in sorted(active(depth)) if quiet else range(depth):
            self._send("rich", self.accounts["stranger"], value=rng.randint(1, 10**12))  # never the block it replaces
            self.act(rng)
            contents += [(request, place) for request in self._waiting]
            self._waiting = []
        self.node.reorg(depth, contents)
        for _ in range(longer):
            self.act(rng)
            self.mine()

    def detour(self, depth: int, rng: random.Random, seconds: float) -> None:
        height = self.height()
        left = [self._whole_block(number) for number in range(height - depth + 1, height + 1)]
        self.node.rollback(depth)
        for _ in range(depth - 1):
            self._send("rich", self.accounts["stranger"], value=rng.randint(1, 10**12))
            self.act(rng)
            self.mine()
        time.sleep(seconds)
        self.node.rollback(depth - 1)
        for block, transactions in left:  # the same contents, time and base fee make the same block
            self.node.rpc("evm_setNextBlockTimestamp", int(block["timestamp"], 16))
            self.node.rpc("anvil_setNextBlockBaseFeePerGas", block["baseFeePerGas"])
            for transaction in transactions:
                self.node.rpc("eth_sendRawTransaction", transaction)
            assert self.node.mine() == [block["hash"]]

    def _whole_block(self, number: int) -> tuple[Any, list[str]]:
        block = self.node.rpc("eth_getBlockByNumber", hex(number), False)
        return block, [self.node.rpc("eth_getRawTransactionByHash", txid) for txid in block["transactions"]]

    def shrink(self, depth: int) -> None:
        self._waiting = []
        self.node.rollback(depth)

    def _send(self, source: str, to: str, data: bytes = b"", value: int = 0) -> None:
        """Gas is named, so that a payment that fails is mined as well."""
        self._waiting.append(
            {"from": self.accounts[source], "to": to, "data": "0x" + data.hex(), "value": hex(value), "gas": GAS}
        )

    def _call(self, source: str, to: str, signature: str, *values: object, value: int = 0) -> None:
        types = signature[signature.index("(") + 1 : -1].split(",")
        data = function_signature_to_4byte_selector(signature) + encode(types, list(values))
        self._send(source, to, data, value)

    # What the node says.

    def height(self) -> int:
        return self.node.height()

    def hashes(self, first: int, last: int) -> list[str]:
        return [one[2:] for one in self.node.hashes(first, last)]

    # The node's life.

    def save(self) -> Path:
        self.node.stop()
        self._kept += 1
        kept = self.node.directory / f"kept-{self._kept}.json"
        shutil.copy(self.node.state_file, kept)
        self.node.start()
        return kept

    def restore(self, saved: Path) -> None:
        self.node.stop()
        shutil.copy(saved, self.node.state_file)
        self.node.start()
        self._waiting = []

    def wipe(self) -> None:
        self.node.rpc("anvil_reset")
        self._waiting = []

    def twin(self) -> "EthereumNet":
        kept = self.save()
        twin = copy.copy(self)
        twin.node = self._anvil(self.node.executable)
        shutil.copy(kept, twin.node.state_file)
        twin.node.start()
        twin.reader = EthereumReader(twin.node.batch, CHAIN)
        twin._waiting = []
        return twin

    def take_over(self, other: "EthereumNet") -> None:
        self.restore(other.save())

    def source(self, name: str, *, port: int | None = None) -> str:
        url = f"http://127.0.0.1:{port or self.node.port}"
        return f'[[chain.{self.name}.source]]\nname = "{name}"\nrpc_url = "{url}"\n'

    def spoils(self, block: str) -> Lie:
        """Change the nonce of every transaction of the block that the node describes."""

        def lie(_path: str, _asked: bytes, told: bytes) -> bytes:
            if block.encode() not in told:
                return told
            answers = json.loads(told)
            for answer in answers if isinstance(answers, list) else [answers]:
                result = answer.get("result")
                for one in result["transactions"] if isinstance(result, dict) and "transactions" in result else ():
                    if isinstance(one, dict) and one["blockHash"] == "0x" + block:
                        one["nonce"] = hex(int(one["nonce"], 16) + 1)
            return json.dumps(answers).encode()

        return lie

    def pause(self) -> None:
        self.node.pause()

    def resume(self) -> None:
        self.node.resume()

    def stop(self) -> None:
        self.node.stop()

    def start(self) -> None:
        self.node.start()

    def close(self) -> None:
        self.node.close()
