"""How a message is signed with the key of a Bitcoin script: BIP-137, and BIP-322 in its simple and full variants. Pure.

The target is always a script pubkey. Signatures come in base64, as wallets show them.
"""

import binascii
from base64 import b64decode, b64encode
from dataclasses import dataclass

from embit.hashes import hash160

from tracer.errors import ControlUnsupported, SignatureWrong
from tracer.proof.control.bip322 import MAX_BYTES, PREFIXES, read_full, read_simple
from tracer.proof.control.curve import recover
from tracer.proof.control.spending import satisfy
from tracer.proof.transactions import hash256

_MAGIC = b"\x18Bitcoin Signed Message:\n"


@dataclass(frozen=True, slots=True)
class Locks:
    """When a full BIP-322 signature holds: from nLockTime `time`, for coins as old as nSequence `age`; 0 is at once."""

    time: int = 0
    age: int = 0


def verify_bip137(script: bytes, message: bytes, signature: str) -> None:
    """See that a recoverable signature is by the key of a script; raises SignatureWrong, ControlUnsupported.

    The header byte names the kind of script. Headers 31 to 34 are taken for the two single-key witness scripts as well:
    Electrum and others write them so, the script says which kind is meant, and both have one compressed key.
    """
    kind = _kind(script)
    data = decode(signature)
    if len(data) != 65 or not 27 <= data[0] <= 42:
        raise SignatureWrong("a signature of this kind has 65 bytes, the first of them 27 to 42")
    allowed = {"p2pkh": (27, 31), "p2sh": (35, 31), "p2wpkh": (39, 31)}[kind]
    base = 27 + (data[0] - 27) // 4 * 4
    if base not in allowed:
        raise SignatureWrong(f"the signature's first byte, {data[0]}, says that it is for another kind of address")
    public = recover(data[1:], data[0] - base, magic_hash(message))
    if _script_of(kind, public.format(compressed=base != 27)) != script:
        raise SignatureWrong("the signature is not by the key of this address, or not of this text")


def verify_simple(script: bytes, message: bytes, signature: str) -> None:
    """See that a simple BIP-322 signature satisfies a script; raises SignatureWrong, ControlUnsupported."""
    if script[:1] == b"\x76" or _is_bare(script):
        raise ControlUnsupported("not supported: the simple variant for a script without a witness; use the full one")
    satisfy(script, read_simple(script, message, decode(signature, "smp")))


def verify_full(script: bytes, message: bytes, signature: str) -> Locks:
    """See that a full BIP-322 signature satisfies a script, and say when; raises SignatureWrong, ControlUnsupported."""
    signing = read_full(script, message, decode(signature, "ful"))
    satisfy(script, signing)
    return Locks(signing.locktime, signing.sequence)


def magic_hash(message: bytes) -> bytes:
    """What is signed of a message under BIP-137, as `signmessage` of Bitcoin Core does."""
    size = len(message)
    if size < 0xFD:
        return hash256(_MAGIC + bytes((size,)) + message)
    if size >= 2**16:
        raise ControlUnsupported("not supported: a text of 65,536 bytes or more")
    return hash256(_MAGIC + b"\xfd" + size.to_bytes(2, "little") + message)


def decode(signature: str, prefix: str | None = None) -> bytes:
    """Read base64 in the one way it can be written, behind the prefix of its variant or without one."""
    body = signature
    if prefix is not None and signature[:3] in PREFIXES:
        if signature[:3] == "pof":
            raise ControlUnsupported("not supported: a proof of funds")
        if signature[:3] != prefix:
            said, asked = PREFIXES[signature[:3]], PREFIXES[prefix]
            raise SignatureWrong(f"the signature says that it is of the {said} variant, not of the {asked} one")
        body = signature[3:]
    if len(body) > MAX_BYTES:
        raise SignatureWrong(f"the signature has more than {MAX_BYTES} characters")
    try:
        data = b64decode(body, validate=True)
    except (binascii.Error, ValueError) as error:
        raise SignatureWrong("the signature is not base64 (no spaces, no line ends)") from error
    if not data or b64encode(data).decode() != body:
        raise SignatureWrong("the signature is empty, or its base64 is not written in the one way it can be")
    return data


def _kind(script: bytes) -> str:
    if len(script) == 25 and script[:3] == b"\x76\xa9\x14" and script[23:] == b"\x88\xac":
        return "p2pkh"
    if len(script) == 23 and script[:2] == b"\xa9\x14" and script[22] == 0x87:
        return "p2sh"
    if len(script) == 22 and script[:2] == b"\x00\x14":
        return "p2wpkh"
    raise ControlUnsupported("not supported: BIP-137 for a script that is not the hash of one key; use BIP-322")


def _script_of(kind: str, public: bytes) -> bytes:
    digest = hash160(public)
    if kind == "p2pkh":
        return bytes(b"\x76\xa9\x14" + digest + b"\x88\xac")
    program = b"\x00\x14" + digest
    return bytes(b"\xa9\x14" + hash160(program) + b"\x87" if kind == "p2sh" else program)


def _is_bare(script: bytes) -> bool:
    return len(script) >= 35 and script[-1] in (0xAC, 0xAE)
