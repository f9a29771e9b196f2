"""The chain families by name; nothing else names them. A new one is a folder and a line here."""

from collections.abc import Callable
from typing import Any

from tracer.types import Holder
from watchers.family import ChainConfig, Family
from watchers.node import Node, Scanner
from watchers.pool import Pool

# Each is imported only when a configuration names it.


def _bitcoin() -> Family[Any]:
    from watchers.bitcoin.family import FAMILY

    return FAMILY


def _ethereum() -> Family[Any]:
    from watchers.ethereum.family import FAMILY

    return FAMILY


_LOADERS: dict[str, Callable[[], Family[Any]]] = {"bitcoin": _bitcoin, "ethereum": _ethereum}


def names() -> list[str]:
    """The names that `family` may have."""
    return list(_LOADERS)


def family(name: str) -> Family[Any]:
    """The family of this name; raises KeyError if there is none."""
    return _LOADERS[name]()


def build(chain: ChainConfig) -> tuple[Node[Any, Any], Scanner[Any, Any]]:
    """Make the node (not yet opened) and the scanner (interested in nothing yet) of a configured chain."""
    return family(chain.family).build(chain)


def further(chain: ChainConfig) -> list[Node[Any, Any]]:
    """Make the further nodes (not yet opened) of a configured chain, in the configuration's order."""
    return [family(chain.family).build(chain.at(source))[0] for source in chain.source]


def pool(chain: ChainConfig, scanner: Scanner[Any, Any]) -> Pool | None:
    """Make the mempool of a configured chain, None if it is not watched; `scanner`: of the chain's follower."""
    return None if chain.mempool == "off" else family(chain.family).pool(chain, scanner)


def parse_holder(chain: ChainConfig, text: str) -> Holder:
    """Read an address of this chain; raises ValueError or BadConfig with the reason."""
    return family(chain.family).parse_holder(chain, text)


def show_holder(chain: ChainConfig, holder: Holder) -> str:
    """Write a holder as people do: its address, or what kind of script it is if it has none."""
    return family(chain.family).show_holder(chain, holder)
