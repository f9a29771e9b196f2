"""The Bitcoin devnet: a regtest bitcoind whose coins need no keys, so that every block's content is chosen."""

import copy
import random
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from fixtures.bitcoind import Bitcoind
from fixtures.ledger.bitcoin import BitcoinReader, satoshi
from harness.devnet import HELD, ROLES, active
from harness.relay import Lie

ASSET = "bip122:0f9188f13cb7b2c71f2a335e3a4fc328/slip44:0"
FEE_SAT = 1_000
MATURE = 100


@dataclass(frozen=True, slots=True)
class Coin:
    """An output that can be spent."""

    txid: str
    index: int
    amount: int
    holder: str

    @property
    def point(self) -> bytes:
        return bytes.fromhex(self.txid)[::-1] + self.index.to_bytes(4, "little")


def witness_script(holder: str) -> bytes:
    """A script that anybody may satisfy, different for each name: PUSH8 tag SIZE NIP.

    Every mempool takes it: some refuse data that is dropped.
    """
    return b"\x08" + sha256(holder.encode()).digest()[:8] + b"\x82\x77"


class BitcoinNet:
    """Plays on a regtest node; see `Devnet`."""

    name = "bitcoin"
    native = "bitcoin:BTC"
    asset = ASSET
    final_depth = 6
    cents = 10**6

    def __init__(self, executable: Path, extra_args: Sequence[str] = ()) -> None:
        self.node = Bitcoind(executable, zmq=True, extra_args=extra_args)
        self.node.start()
        self.reader = BitcoinReader(self.node.batch)
        self.scripts = {name: self._script(name) for name in (*ROLES, "rich", "stranger", "stranger2")}
        self._waiting: list[str] = []
        self._purse: dict[str, list[Coin]] | None = None
        self._kept = 0
        self.node.mine(MATURE + 6, self.scripts["rich"])
        self.first = self.height() + 1
        for _ in range(3):
            for holder in ("seized", "loot", "agency", "rich", "rich", "rich"):
                self.pay("rich", holder, 200)
            self.mine()

    @staticmethod
    def _script(holder: str) -> bytes:
        return b"\x00\x20" + sha256(witness_script(holder)).digest()

    @property
    def port(self) -> int:
        return self.node.rpc_port

    @property
    def push(self) -> dict[str, object]:
        return {"zmq": [self.node.zmq_url]}

    def table(self, *, port: int | None = None, **settings: object) -> str:
        url = f"http://127.0.0.1:{port or self.node.rpc_port}"
        given: dict[str, object] = {"family": "bitcoin", "network": "regtest", "rpc_url": url, "poll_s": 0.05}
        given |= {"cookie_file": str(self.node.cookie_file), "confirmed": 2, "final": 6, "deadline_s": 5.0, **settings}
        keys = "\n".join(f"{key} = {toml(value)}" for key, value in given.items())
        return f"[chain.{self.name}]\n{keys}\n[chain.{self.name}.follow]\nmax_hops = 10000\nmin_amount = 0\n"

    def wrong_table(self) -> str:
        return self.table(network="testnet4")

    def watch_key(self, holder: str) -> str:
        return f'script = "{self.key(holder).hex()}"'

    def key(self, holder: str) -> bytes:
        return self.scripts[holder]

    # Playing.

    def pay(self, source: str, target: str, cents: int) -> None:
        """The change goes back to the source."""
        self._pay(source, [(target, cents * self.cents)])

    def act(self, rng: random.Random) -> None:
        for _ in range(rng.randint(0, 2)):
            self._pay("rich", [(rng.choice([*ROLES]), rng.randint(1, 10) * self.cents)])
        if rng.random() < 0.7:
            source = rng.choice([name for name in HELD if self._coins(name)])
            targets = rng.choices([*HELD, "exchange", "stranger", "stranger2"], k=rng.randint(1, 3))
            self._pay(source, [(target, rng.randint(1, 5) * self.cents // 4 + 777) for target in targets])
        if rng.random() < 0.4 and self._coins("stranger"):  # coins that leaked move on, two hops in one block at times
            self._pay("stranger", [("stranger2", rng.randint(1, 4) * self.cents // 8)])
            if rng.random() < 0.5:
                self._pay("stranger2", [("stranger", self.cents // 16), ("seized", self.cents // 32)])

    def coins(self, holder: str) -> list[Coin]:
        """A holder's coins that nothing which waits for a block has spent."""
        return list(self._coins(holder))

    def sign(self, coins: Sequence[Coin], outputs: Sequence[tuple[str, int]]) -> tuple[str, str]:
        """A transaction that nobody has yet: raw in hex, and id; what the outputs leave is its fee."""
        raw, txid = self._sign(coins, outputs)
        return raw.hex(), txid

    def broadcast(self, coins: Sequence[Coin], outputs: Sequence[tuple[str, int]]) -> str:
        """Hand a transaction to the node's mempool; returns its id."""
        raw, txid = self.sign(coins, outputs)
        assert self.node.rpc("sendrawtransaction", raw, 0) == txid
        return txid

    def mine(self, blocks: int = 1) -> None:
        for _ in range(blocks):
            self.node.generate_block(
                txs=self._waiting
            )  # to a new script each: else an invalidated block may come again
            self._waiting, self._purse = [], None

    def grow(self, blocks: int, rng: random.Random) -> None:
        empty: list[tuple[str, list[object]]] = []
        for place in range(blocks):
            if place not in active(blocks):
                script = b"\x08" + rng.randbytes(8) + b"\x75\x51"  # anybody's, another each time
                empty.append(("generateblock", [f"raw({script.hex()})", []]))
                continue
            self.node.batch(empty)
            empty = []
            self._purse = None
            self.act(rng)
            self.mine()

    def reorg(self, depth: int, rng: random.Random, *, longer: int = 1, quiet: bool = False) -> None:
        self.shrink(depth)
        if quiet:
            self.grow(depth + longer, rng)
            return
        for _ in range(depth + longer):
            self.act(rng)
            self.mine()

    def detour(self, depth: int, rng: random.Random, seconds: float) -> None:
        tip = self.height()
        [left] = self.hashes(tip - depth + 1, tip - depth + 1)
        self.reorg(depth, rng, longer=-1)
        [taken] = self.hashes(tip - depth + 1, tip - depth + 1)
        time.sleep(seconds)
        self.node.reconsider(left)
        self.node.rpc("invalidateblock", taken)  # else a later `shrink` might fall back to this branch
        self._purse = None
        assert self.height() == tip

    def shrink(self, depth: int) -> None:
        tip = self.height()
        self.node.rpc("invalidateblock", self.node.rpc("getblockhash", tip - depth + 1))
        self.look_again()

    def _pay(self, source: str, targets: Sequence[tuple[str, int]]) -> None:
        """Spend as many of a holder's coins as it takes; too poor a holder pays nothing."""
        coins, total = [], 0
        wanted = sum(amount for _, amount in targets) + FEE_SAT
        for coin in self._coins(source):
            coins.append(coin)
            total += coin.amount
            if total >= wanted:
                break
        if total < wanted:
            return
        outputs = [*targets, *([(source, total - wanted)] if total - wanted > 1_000 else [])]
        raw, txid = self._sign(coins, outputs)
        self._waiting.append(raw.hex())
        assert self._purse is not None
        for coin in coins:
            self._purse[source].remove(coin)
        for index, (target, amount) in enumerate(outputs):
            self._purse.setdefault(target, []).append(Coin(txid, index, amount, target))

    def _sign(self, coins: Sequence[Coin], outputs: Sequence[tuple[str, int]]) -> tuple[bytes, str]:
        ins = bytes([len(coins)]) + b"".join(coin.point + b"\x00" + b"\xff" * 4 for coin in coins)
        outs = bytes([len(outputs)]) + b"".join(
            amount.to_bytes(8, "little") + bytes([34]) + self.scripts[target] for target, amount in outputs
        )
        witness = b"".join(b"\x01" + bytes([11]) + witness_script(coin.holder) for coin in coins)
        version, lock = (2).to_bytes(4, "little"), bytes(4)
        txid = sha256(sha256(version + ins + outs + lock).digest()).digest()[::-1].hex()
        return version + b"\x00\x01" + ins + outs + witness + lock, txid

    def _coins(self, holder: str) -> list[Coin]:
        """Coins of a holder that the next block may spend, by the node's own UTXO set and what waits."""
        if self._purse is None:
            names = {script.hex(): name for name, script in self.scripts.items()}
            found = self.node.rpc("scantxoutset", "start", [f"raw({script})" for script in names])
            self._purse = {}
            for one in sorted(found["unspents"], key=lambda one: (one["height"], one["txid"], one["vout"])):
                if not one["coinbase"] or found["height"] + 1 - one["height"] >= MATURE:
                    name = names[one["scriptPubKey"]]
                    coin = Coin(one["txid"], one["vout"], satoshi(one["amount"]), name)
                    self._purse.setdefault(name, []).append(coin)
        return self._purse.get(holder, [])

    # What the node says.

    def height(self) -> int:
        return int(self.node.rpc("getblockcount"))

    def hashes(self, first: int, last: int) -> list[str]:
        return [str(one) for one in self.node.batch([("getblockhash", [height]) for height in range(first, last + 1)])]

    # The node's life.

    def save(self) -> Path:
        self.node.stop()
        self._kept += 1
        kept = self.node.directory / f"kept-{self._kept}"
        shutil.copytree(self.node.datadir / "regtest", kept)
        self.node.start()
        return kept

    def restore(self, saved: Path) -> None:
        self.node.stop()
        shutil.rmtree(self.node.datadir / "regtest")
        shutil.copytree(saved, self.node.datadir / "regtest")
        self.node.start()
        self.look_again()

    def wipe(self) -> None:
        self.node.stop()
        shutil.rmtree(self.node.datadir / "regtest")
        self.node.start()
        self.look_again()

    def look_again(self) -> None:
        """Take the coins from the node anew: its chain was changed by other means."""
        self._waiting, self._purse = [], None

    def twin(self) -> "BitcoinNet":
        kept = self.save()
        twin = copy.copy(self)
        twin.node = Bitcoind(self.node.executable, listen=True)
        shutil.copytree(kept, twin.node.datadir / "regtest")
        twin.node.start()
        twin.reader = BitcoinReader(twin.node.batch)
        twin._waiting, twin._purse = [], None
        return twin

    def take_over(self, other: "BitcoinNet") -> None:
        """Its blocks are offered one by one; the longer chain wins, whatever this node rejected before."""
        for branch in self.node.rpc("getchaintips"):
            if branch["status"] == "invalid":
                self.node.reconsider(branch["hash"])
        for name in other.hashes(self.first, other.height()):
            self.node.rpc("submitblock", other.node.rpc("getblock", name, 0))
        assert self.hashes(self.height(), self.height()) == other.hashes(other.height(), other.height())
        self._waiting, self._purse = [], None

    def source(self, name: str, *, port: int | None = None) -> str:
        url = f"http://127.0.0.1:{port or self.node.rpc_port}"
        login = f'cookie_file = "{self.node.cookie_file}"'
        return f'[[chain.{self.name}.source]]\nname = "{name}"\nrpc_url = "{url}"\n{login}\n'

    def spoils(self, block: str) -> Lie:
        """Cut the last byte off the block."""

        def lie(path: str, _asked: bytes, told: bytes) -> bytes:
            return told[:-1] if path == f"/rest/block/{block}.bin" else told

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


def toml(value: object) -> str:
    """Write a value of a configuration key."""
    return f'"{value}"' if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
