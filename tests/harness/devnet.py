"""What a test asks of a chain family's devnet: play on it, change its mind, and tell the truth about it."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from fixtures.ledger.node import Reader
from harness.relay import Lie

ROLES = {"seized": "seized", "loot": "seized", "authority": "authority", "agency": "agency", "exchange": "exchange"}
"""The watched holders of every devnet and their roles; "rich" and "stranger" are nobody's."""

HELD = ("seized", "loot", "authority", "agency")


class Devnet(Protocol):
    """One chain family on a real node. Ground truth comes from the node's own answers, never from the product.

    name: the NAME of its `[chain.NAME]` table. native, asset: its native asset as NAME:SYMBOL and by CAIP-19.
    final_depth: the number of blocks that a reorg must replace to reach a block that is final.
    cents: base units in a hundredth of a native coin. first: height from which on watched holders have anything.
    reader: the independent ledger's own way to the node.
    """

    name: str
    native: str
    asset: str
    final_depth: int
    cents: int
    first: int
    reader: Reader

    @property
    def port(self) -> int:
        """Where the node serves."""
        ...

    @property
    def push(self) -> dict[str, object]:
        """The settings that let the daemon hear what the node announces."""
        ...

    def table(self, *, port: int | None = None, **settings: object) -> str:
        """The `[chain.NAME]` table; `port` of a server in front of the node, `settings` instead of the defaults."""
        ...

    def wrong_table(self) -> str:
        """A table that names another network than the node's."""
        ...

    def watch_key(self, holder: str) -> str:
        """How a case file names a holder, such as `address = "0x..."`."""
        ...

    def key(self, holder: str) -> bytes:
        """The holder's bytes."""
        ...

    def pay(self, source: str, target: str, cents: int) -> None:
        """Let a holder pay another in the next block."""
        ...

    def act(self, rng: random.Random) -> None:
        """Put random credits, debits, leaks and noise of the family's own kinds into the next block."""
        ...

    def mine(self, blocks: int = 1) -> None:
        """Make blocks; what waits goes into the first."""
        ...

    def grow(self, blocks: int, rng: random.Random) -> None:
        """Make blocks of which the first, the middle and the last have activity."""
        ...

    def reorg(self, depth: int, rng: random.Random, *, longer: int = 1, quiet: bool = False) -> None:
        """Replace the last blocks by others with other contents, and `longer` more; quiet: a few have activity."""
        ...

    def detour(self, depth: int, rng: random.Random, seconds: float) -> None:
        """Leave the last blocks for a shorter branch of other blocks, stay there, and return to them."""
        ...

    def shrink(self, depth: int) -> None:
        """Take the last blocks away; the chain is shorter then."""
        ...

    def height(self) -> int:
        """Height of the node's best block."""
        ...

    def hashes(self, first: int, last: int) -> list[str]:
        """Hashes of a span of the active chain (hex without 0x), both ends included."""
        ...

    def save(self) -> Path:
        """Keep a copy of the node's files; the node is restarted for it."""
        ...

    def restore(self, saved: Path) -> None:
        """Restart the node on a kept copy, as one that was restored from a backup."""
        ...

    def wipe(self) -> None:
        """Let the node lose everything: it begins anew at its genesis block."""
        ...

    def twin(self) -> "Devnet":
        """A second node with a copy of this one's chain; from then on both go their own ways."""
        ...

    def take_over(self, other: "Devnet") -> None:
        """Hear of the chain of a twin that went its own way, as of the better one."""
        ...

    def source(self, name: str, *, port: int | None = None) -> str:
        """The `[[chain.NAME.source]]` table that names this node as a further one."""
        ...

    def spoils(self, block: str) -> Lie:
        """A lie about the contents of a block (hash without 0x) that has a payment of a watched holder."""
        ...

    def pause(self) -> None:
        """Freeze the node: it answers nothing."""
        ...

    def resume(self) -> None:
        """Let it go on."""
        ...

    def stop(self) -> None:
        """End the node in order."""
        ...

    def start(self) -> None:
        """Start the node again."""
        ...

    def close(self) -> None:
        """End the node and remove its files."""
        ...


def active(blocks: int) -> set[int]:
    """The places of the blocks that have activity where most are empty."""
    return {0, blocks // 2, blocks - 1}


def case_file(
    nets: Sequence[Devnet],
    births: Sequence[int],
    seizures: Sequence[int],
    *,
    ref: str = "disposal",
    legs: Sequence[str] = (),
) -> str:
    """Write a case that watches all holders on every net from given heights on."""
    lines = ["[case]", f'id = "{ref}"', 'title = "Disposal"', 'preset = "observe"', "[case.seizure]"]
    lines += [f"{net.name} = {height}" for net, height in zip(nets, seizures, strict=True)]
    for net, birth in zip(nets, births, strict=True):
        for holder, role in ROLES.items():
            lines += [
                "[[watch]]",
                f'id = "{net.name}-{holder}"',
                f'chain = "{net.name}"',
                net.watch_key(holder),
                f'role = "{role}"',
                f"birth = {birth}",
            ]
    return "\n".join([*lines, *legs]) + "\n"


def leg(net: Devnet, ref: str, source: str | None, target: str, amount: str, *, kind: str = "SECURE") -> str:
    """Write one planned transfer of the native asset; without a source somebody outside the case pays."""
    return "\n".join(
        [
            "[[leg]]",
            f'id = "{ref}"',
            f'kind = "{kind}"',
            f'asset = "{net.native}"',
            f"from = {[f'{net.name}-{source}'] if source else []}",
            f'to = "{net.name}-{target}"',
            f'amount = "{amount}"',
            'max_fee = "0.01"',
        ]
    )
