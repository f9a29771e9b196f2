"""Which scripts a BIP-322 signature can satisfy here, keys and plain multisig, and whether it does. Pure.

Rules that BIP-322 asks for: all of it signed (SIGHASH_ALL), strict DER, low s, minimal pushes, a clean stack, and no
signature that is there without being right. There is no script interpreter: a script of another form is not supported.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from coincurve import PublicKeyXOnly
from embit.hashes import hash160

from tracer.errors import ControlUnsupported, SignatureWrong
from tracer.proof.control.bip322 import ToSign
from tracer.proof.control.curve import is_signed

_CHECKSIG, _CHECKMULTISIG = 0xAC, 0xAE
_ALL = 1
_MAX_REDEEM = 520

Digest = Callable[[bytes], bytes]
"""What is signed, for the script that is run."""


@dataclass(frozen=True, slots=True)
class Program:
    """A script that is run: `needed` signatures by `keys`, in their order. hashed: the key itself is on the stack."""

    needed: int
    keys: tuple[bytes, ...] = ()
    hashed: bytes | None = None


def satisfy(script: bytes, signing: ToSign) -> None:
    """See that a transaction satisfies a script pubkey; raises SignatureWrong, ControlUnsupported."""
    if len(script) == 34 and script[:2] == b"\x51\x20":
        _refuse_script_sig(signing)
        _taproot(script, signing)
    elif len(script) == 23 and script[:2] == b"\xa9\x14" and script[22] == 0x87:
        _by_script_hash(script[2:22], signing)
    elif (len(script), script[:2]) in ((22, b"\x00\x14"), (34, b"\x00\x20")):
        _refuse_script_sig(signing)
        _by_witness(script, signing)
    else:
        _known(script)
        if signing.witness:
            raise SignatureWrong("the signature has a witness, and the script asks for none")
        _run(script, pushes(signing.script_sig), signing.legacy, compressed=False)


def _taproot(script: bytes, signing: ToSign) -> None:
    if not signing.witness:
        raise SignatureWrong("the signature has no witness, and a taproot script asks for one")
    if len(signing.witness) != 1:
        raise ControlUnsupported("not supported: a taproot spend by script, or with an annex; the key path is judged")
    (given,) = signing.witness
    kind = given[64] if len(given) == 65 else 0
    if len(given) not in (64, 65) or (len(given) == 65 and kind != _ALL):
        raise SignatureWrong("a taproot signature has 64 bytes, or 65 that end with 01: all of it signed")
    try:
        fits = PublicKeyXOnly(script[2:]).verify(given[:64], signing.taproot(script, kind))
    except ValueError:
        fits = False  # no point of the curve: nobody can sign for it
    if not fits:
        raise SignatureWrong("the signature is not by this taproot key, or not of this text")


def _by_script_hash(digest: bytes, signing: ToSign) -> None:
    stack = pushes(signing.script_sig)
    if not stack or hash160(stack[-1]) != digest:
        raise SignatureWrong("the signature does not show the script that the address is the hash of")
    *rest, inner = stack
    if signing.witness:
        if rest:
            raise SignatureWrong("beside a witness the input's script holds the program alone")
        if (len(inner), inner[:2]) not in ((22, b"\x00\x14"), (34, b"\x00\x20")):
            raise ControlUnsupported("not supported: under the script hash is no witness program of version 0")
        _by_witness(inner, signing)
        return
    if len(inner) > _MAX_REDEEM:
        raise SignatureWrong(f"no script under a script hash has more than {_MAX_REDEEM} bytes")
    _run(inner, rest, signing.legacy, compressed=False)


def _by_witness(program: bytes, signing: ToSign) -> None:
    if len(program) == 22:
        _run(b"\x76\xa9\x14" + program[2:] + b"\x88\xac", signing.witness, signing.segwit, compressed=True)
        return
    if not signing.witness or sha256(signing.witness[-1]).digest() != program[2:]:
        raise SignatureWrong("the signature does not show the script that the address is the hash of")
    *rest, inner = signing.witness
    _run(inner, rest, signing.segwit, compressed=True)


def _refuse_script_sig(signing: ToSign) -> None:
    if signing.script_sig:
        raise SignatureWrong("the input of a native witness script has no script of its own")


def _run(code: bytes, stack: Sequence[bytes], digest: Digest, *, compressed: bool) -> None:
    """Judge a stack by the form of the script; compressed: other keys are not standard here (BIP 143)."""
    program = _known(code)
    items, keys = list(stack), program.keys
    if program.hashed is not None:
        key = items.pop() if items else b""
        if hash160(key) != program.hashed:
            raise SignatureWrong("the signature shows another key than the one that the address is the hash of")
        keys = (key,)
    elif code[-1] == _CHECKMULTISIG and (not items or items.pop(0)):
        raise SignatureWrong("before the signatures of a multisig stands one empty item")
    for key in keys:
        if not _is_plain(key, compressed):
            raise ControlUnsupported("not supported: a public key that is not in the ordinary form for this script")
    if len(items) != program.needed:
        raise SignatureWrong(f"{len(items)} signatures or other items are there, the script asks for {program.needed}")
    _all_signed(items, keys, digest(code))


def _known(code: bytes) -> Program:
    program = program_of(code)
    if program is None:
        raise ControlUnsupported("not supported: a script that is neither one key nor plain multisig")
    return program


def _all_signed(signatures: Sequence[bytes], keys: Sequence[bytes], digest: bytes) -> None:
    """Each signature must belong to a later key than the one before it."""
    left = iter(keys)
    for signature in signatures:
        if signature[-1:] != bytes((_ALL,)):
            raise SignatureWrong("a signature is not of the whole transaction (SIGHASH_ALL)")
        if not any(is_signed(key, signature[:-1], digest) for key in left):
            raise SignatureWrong("a signature is not by a key of this script, or not of this text")


def program_of(code: bytes) -> Program | None:
    """Read a script of a known form: one key, the hash of one, or plain multisig of at most 16; None for another."""
    if len(code) == 25 and code[:3] == b"\x76\xa9\x14" and code[23:] == b"\x88\xac":
        return Program(1, hashed=code[3:23])
    if len(code) in (35, 67) and code[0] == len(code) - 2 and code[-1] == _CHECKSIG:
        return Program(1, (code[1:-1],))
    if len(code) < 3 or code[-1] != _CHECKMULTISIG:
        return None
    needed, total = code[0] - 0x50, code[-2] - 0x50
    try:
        keys = tuple(pushes(code[1:-2]))
    except SignatureWrong:
        return None
    if not 1 <= needed <= total <= 16 or len(keys) != total or any(len(key) not in (33, 65) for key in keys):
        return None
    return Program(needed, keys)


def pushes(script: bytes) -> list[bytes]:
    """Read a script that only pushes data, each in the shortest way; raises SignatureWrong."""
    found, place = [], 0
    while place < len(script):
        width = {0x4C: 1, 0x4D: 2}.get(script[place], 0)
        if not width and script[place] > 0x4B:
            raise SignatureWrong("the input's script does more than to push signatures, keys and a script")
        start = place + 1 + width
        length = int.from_bytes(script[place + 1 : start], "little") if width else script[place]
        place = start + length
        if place > len(script) or (width and length < (0x4C, 0x100)[width - 1]):
            raise SignatureWrong("a push in the input's script is cut short, or not written in the shortest way")
        found.append(script[start:place])
    return found


def _is_plain(key: bytes, compressed: bool) -> bool:
    return (len(key) == 33 and key[0] in (2, 3)) or (not compressed and len(key) == 65 and key[0] == 4)
