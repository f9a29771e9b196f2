"""What bitcoind's answers hold: bytes and hashes written in hex. Pure."""

from typing import Any

from tracer.errors import NodeUnavailable
from tracer.types import Hash


def bytes_in(text: Any) -> bytes:
    """Read hex; raises NodeUnavailable if it is something else."""
    try:
        return bytes.fromhex(text)
    except (TypeError, ValueError) as error:
        raise NodeUnavailable("the node sent something else than hex") from error


def hash_in(text: Any) -> Hash:
    """Read a hash in hex; raises NodeUnavailable unless it has 32 bytes."""
    found = bytes_in(text)
    if len(found) != 32:
        raise NodeUnavailable(f"the node sent {len(found)} bytes for a hash")
    return Hash(found)
