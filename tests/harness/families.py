"""The devnets of all chain families, and activity on any of them."""

import random
from collections.abc import Callable
from pathlib import Path

from harness.bitcoin import BitcoinNet
from harness.devnet import Devnet
from harness.ethereum import EthereumNet

FAMILIES: dict[str, tuple[str, Callable[[Path], Devnet]]] = {
    "bitcoin": ("bitcoind_exe", BitcoinNet),
    "ethereum": ("anvil_exe", EthereumNet),
}
"""By the name of the family: the fixture that knows the node's executable, and what makes a devnet of it."""


def busy(net: Devnet, rng: random.Random, blocks: int) -> None:
    """Make blocks with activity."""
    for _ in range(blocks):
        net.act(rng)
        net.mine()
