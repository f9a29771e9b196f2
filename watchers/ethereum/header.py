"""What a block's JSON says of its place in the chain, and what is kept of one that does not stand up. Pure."""

from collections.abc import Mapping
from typing import Any

import orjson

from tracer.errors import BlockRefused, Inconsistent
from tracer.proof.trie import EMPTY_ROOT
from tracer.types import BlockRef, Hash

EMPTY_TRIE = "0x" + EMPTY_ROOT.hex()
"""Root of a trie without entries: a block whose `transactionsRoot` is this has no transactions."""


def ref_of(header: Mapping[str, Any]) -> BlockRef:
    """Name the block that the JSON of a header describes; raises Inconsistent if it is not one."""
    try:
        block, parent = bytes.fromhex(header["hash"][2:]), bytes.fromhex(header["parentHash"][2:])
        ref = BlockRef(int(header["number"], 16), Hash(block), Hash(parent))
    except (KeyError, TypeError, ValueError) as error:
        raise Inconsistent("the node calls something a block that has no number, hash or parent") from error
    if len(block) != 32 or len(parent) != 32:
        raise Inconsistent(f"block {ref.height} has a hash that is not 32 bytes")
    return ref


def listing(header: Mapping[str, Any]) -> BlockRef:
    """Name the block that the JSON of a header with its list of transactions describes; raises Inconsistent."""
    ref = ref_of(header)
    if not isinstance(header.get("transactions"), list):
        raise Inconsistent(f"block {ref.height}: the node gives no list of its transactions")
    return ref


def refused(ref: BlockRef, why: object, *told: object) -> BlockRefused:
    """Make the alarm that a block does not stand up; what the node told of it is the evidence."""
    message = f"block {ref.height} 0x{ref.hash.hex()}: {why}"
    return BlockRefused(message, height=ref.height, block=ref.hash, evidence=b"\n".join(map(orjson.dumps, told)))
