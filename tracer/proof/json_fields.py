"""How the fields of JSON-RPC's blocks, transactions and receipts are written as RLP. Pure.

Fields that repeat within a block (addresses, topics, small numbers) are kept encoded: most of the work of verifying
a block would go into them.
"""

from functools import lru_cache

from tracer.proof import rlp

_KEPT = 1 << 14


def text(value: str) -> bytes:
    """Encode hex data (`0x...`); raises ValueError or TypeError."""
    return rlp.text(_data(value))


def _data(value: str) -> bytes:
    if value[:2] != "0x":
        raise ValueError(f"{value!r:.40} is not hex")
    return bytes.fromhex(value[2:])


@lru_cache(maxsize=_KEPT)
def number(value: str) -> bytes:
    """Encode a quantity, `0x0` upwards; raises ValueError or TypeError."""
    return wide(value)


def wide(value: str) -> bytes:
    """Encode a quantity that hardly ever repeats."""
    if not isinstance(value, str) or value[:2] != "0x":
        raise ValueError(f"{value!r:.40} is not a quantity")
    return rlp.number(int(value[2:], 16))


@lru_cache(maxsize=_KEPT)
def address(value: str) -> bytes:
    """Encode an account of 20 bytes; raises ValueError."""
    return _sized(value, 20)


@lru_cache(maxsize=_KEPT)
def target(value: str | None) -> bytes:
    """Encode a receiver: none creates a contract."""
    return b"\x80" if value is None else _sized(value, 20)


@lru_cache(maxsize=_KEPT)
def topic(value: str) -> bytes:
    """Encode 32 bytes that are likely to come again."""
    return _sized(value, 32)


def digest(value: str) -> bytes:
    """Encode 32 bytes; raises ValueError."""
    return _sized(value, 32)


def _sized(value: str, size: int) -> bytes:
    data = _data(value)
    if len(data) != size:
        raise ValueError(f"{len(data)} bytes where {size} are wanted")
    return bytes((0x80 + size,)) + data
