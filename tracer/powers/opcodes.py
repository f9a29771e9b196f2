"""The operations of Bitcoin scripts: how they are written, by their bytes. Pure."""

from collections.abc import Mapping
from enum import IntEnum


class BadScript(Exception):
    """The bytes are not a script, or not one that a node would run."""


class Op(IntEnum):
    """Operations by their byte; those that push data have none here."""

    NOP = 0x61
    IF = 0x63
    NOTIF = 0x64
    ELSE = 0x67
    ENDIF = 0x68
    VERIFY = 0x69
    RETURN = 0x6A
    TOALTSTACK = 0x6B
    FROMALTSTACK = 0x6C
    DROP2 = 0x6D
    DUP2 = 0x6E
    DUP3 = 0x6F
    OVER2 = 0x70
    IFDUP = 0x73
    DROP = 0x75
    DUP = 0x76
    NIP = 0x77
    OVER = 0x78
    ROT = 0x7B
    SWAP = 0x7C
    TUCK = 0x7D
    SIZE = 0x82
    EQUAL = 0x87
    EQUALVERIFY = 0x88
    NOT = 0x91
    NOTEQUAL0 = 0x92
    ADD = 0x93
    BOOLAND = 0x9A
    BOOLOR = 0x9B
    NUMEQUAL = 0x9C
    NUMEQUALVERIFY = 0x9D
    GREATERTHANOREQUAL = 0xA2
    RIPEMD160 = 0xA6
    SHA1 = 0xA7
    SHA256 = 0xA8
    HASH160 = 0xA9
    HASH256 = 0xAA
    CODESEPARATOR = 0xAB
    CHECKSIG = 0xAC
    CHECKSIGVERIFY = 0xAD
    CHECKMULTISIG = 0xAE
    CHECKMULTISIGVERIFY = 0xAF
    CHECKLOCKTIMEVERIFY = 0xB1
    CHECKSEQUENCEVERIFY = 0xB2
    CHECKSIGADD = 0xBA


SHUFFLES: Mapping[Op, tuple[int, tuple[int, ...]]] = {
    Op.DROP2: (2, ()),
    Op.DUP2: (2, (0, 1, 0, 1)),
    Op.DUP3: (3, (0, 1, 2, 0, 1, 2)),
    Op.OVER2: (4, (0, 1, 2, 3, 0, 1)),
    Op.DROP: (1, ()),
    Op.DUP: (1, (0, 0)),
    Op.NIP: (2, (1,)),
    Op.OVER: (2, (0, 1, 0)),
    Op.ROT: (3, (1, 2, 0)),
    Op.SWAP: (2, (1, 0)),
    Op.TUCK: (2, (1, 0, 1)),
}
"""Operations that only move values: how many they take, and which of these they leave."""

RESULTS: Mapping[Op, int] = {
    Op.SIZE: 1,
    Op.EQUAL: 2,
    Op.NOT: 1,
    Op.NOTEQUAL0: 1,
    Op.ADD: 2,
    Op.BOOLAND: 2,
    Op.BOOLOR: 2,
    Op.NUMEQUAL: 2,
    Op.GREATERTHANOREQUAL: 2,
    Op.RIPEMD160: 1,
    Op.SHA1: 1,
    Op.SHA256: 1,
    Op.HASH160: 1,
    Op.HASH256: 1,
}
"""Operations with one result that is understood when it is demanded: how many values they take."""

VERIFIED = {
    Op.EQUALVERIFY: Op.EQUAL,
    Op.NUMEQUALVERIFY: Op.NUMEQUAL,
    Op.CHECKSIGVERIFY: Op.CHECKSIG,
    Op.CHECKMULTISIGVERIFY: Op.CHECKMULTISIG,
}


def operations(script: bytes) -> list[tuple[Op | None, bytes]]:
    """Read a script: (None, data) for a push, else (operation, b""). Raises BadScript.

    >>> operations(bytes.fromhex("51ac"))
    [(None, b'\\x01'), (<Op.CHECKSIG: 172>, b'')]
    """
    found: list[tuple[Op | None, bytes]] = []
    at = 0
    while at < len(script):
        byte, at = script[at], at + 1
        if byte <= 0x4E:
            width = {0x4C: 1, 0x4D: 2, 0x4E: 4}.get(byte, 0)
            size = int.from_bytes(script[at : at + width], "little") if width else byte
            at += width
            data = script[at : at + size]
            if len(data) != size or at > len(script):
                raise BadScript("a push is cut off")
            at += size
            found.append((None, data))
        elif byte == 0x4F or 0x51 <= byte <= 0x60:
            found.append((None, b"\x81" if byte == 0x4F else bytes([byte - 0x50])))
        else:
            try:
                found.append((Op(byte), b""))
            except ValueError:
                raise BadScript(f"it uses the operation 0x{byte:02x}") from None
    return found


def number_in(data: bytes, longest: int = 4) -> int:
    """Read a script number: little-endian, the top bit of the last byte is the sign. Raises BadScript if too long.

    >>> number_in(b"\\x90\\x00"), number_in(b"\\x81")
    (144, -1)
    """
    if len(data) > longest:
        raise BadScript(f"a number of {len(data)} bytes")
    if not data:
        return 0
    magnitude = int.from_bytes(data[:-1] + bytes([data[-1] & 0x7F]), "little")
    return -magnitude if data[-1] & 0x80 else magnitude
