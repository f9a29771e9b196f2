"""How holders that no store has met are written: as an address of their chain, or in hex where they have none. Pure."""

from collections.abc import Callable
from typing import Any

import embit.networks
import embit.script
from embit.base import EmbitError
from eth_utils.address import to_checksum_address

from tracer.proof.networks import NETWORKS
from tracer.types import ChainId, Holder

# embit carries no types.
scripts: Any = embit.script

_EMBIT = {"main": "main", "test": "test", "testnet4": "test", "signet": "signet", "regtest": "regtest"}


def writer(chain: ChainId) -> Callable[[Holder], str]:
    """Say how holders of a chain are written."""
    namespace, _, reference = chain.partition(":")
    if namespace == "eip155":
        return lambda holder: str(to_checksum_address(holder)) if len(holder) == 20 else holder.hex()
    named = {rules.genesis_hash.hex()[:32]: name for name, rules in NETWORKS.items()}
    network: Any = embit.networks.NETWORKS[_EMBIT[named.get(reference, "main")]]

    def write(holder: Holder) -> str:
        if holder[:1] == b"\x6a":
            return f"data {holder[1:].hex()}" if len(holder) < 40 else f"data {holder[1:40].hex()}.."
        try:
            return str(scripts.Script(bytes(holder)).address(network))
        except (EmbitError, ValueError, IndexError):
            return holder.hex()

    return write
