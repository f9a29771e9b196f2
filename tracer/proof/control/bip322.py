"""BIP-322: the two transactions that never exist, whose signature is the signature of a message. Pure.

Variants `simple` (a witness stack) and `full` (a whole transaction), with the prefixes `smp` and `ful` that the final
text asks for or, as older signers write them, without.
"""

from dataclasses import dataclass
from hashlib import sha256

from embit.hashes import hash160, tagged_hash
from embit.script import Script
from embit.transaction import Transaction, TransactionInput, TransactionOutput

from tracer.errors import ControlUnsupported, SignatureWrong
from tracer.proof.transactions import NOWHERE, compact_size, hash256, parse

PREFIXES = {"smp": "simple", "ful": "full", "pof": "proof of funds"}
"""None of the three can begin the bare base64 of a signature that is judged here: it would be a stack of more than a
hundred items, or a version that is neither 0 nor 2."""

MAX_BYTES = 100_000
_OUTPUT = bytes(8) + b"\x01\x6a"


@dataclass(frozen=True, slots=True)
class ToSign:
    """The second transaction: it spends the only output of the first, `spends` (txid in wire order)."""

    spends: bytes
    witness: tuple[bytes, ...]
    script_sig: bytes = b""
    version: int = 0
    sequence: int = 0
    locktime: int = 0

    def written(self) -> bytes:
        """Its bytes, in the one way they can be written (BIP 144)."""
        marker = b"\x00\x01" if self.witness else b""
        items = b"".join([_sized(item) for item in self.witness])
        stack = _size(len(self.witness)) + items if self.witness else b""
        spending = b"\x01" + self.spends + bytes(4) + _sized(self.script_sig) + _word(self.sequence)
        return _word(self.version) + marker + spending + b"\x01" + _OUTPUT + stack + _word(self.locktime)

    def legacy(self, code: bytes) -> bytes:
        """What is signed for all of it, under the rules before witnesses."""
        return bytes(self._embit().sighash_legacy(0, Script(code)))  # type: ignore[no-untyped-call]

    def segwit(self, code: bytes) -> bytes:
        """What is signed for all of it under a witness of version 0 (BIP 143)."""
        return bytes(self._embit().sighash_segwit(0, Script(code), 0))  # type: ignore[no-untyped-call]

    def taproot(self, script: bytes, kind: int) -> bytes:
        """What is signed for all of it under a taproot key; kind: 0 (default) or 1 (all) (BIP 341)."""
        spent = [Script(script)]  # type: ignore[no-untyped-call]
        return bytes(self._embit().sighash_taproot(0, spent, [0], kind))  # type: ignore[no-untyped-call]

    def _embit(self) -> Transaction:
        script_sig = Script(self.script_sig)  # type: ignore[no-untyped-call]
        spending = TransactionInput(self.spends[::-1], 0, script_sig, self.sequence)  # type: ignore[no-untyped-call]
        output = TransactionOutput(0, Script(b"\x6a"))  # type: ignore[no-untyped-call]
        return Transaction(self.version, [spending], [output], self.locktime)  # type: ignore[no-untyped-call]


def message_hash(message: bytes) -> bytes:
    """The tagged hash of a message."""
    return bytes(tagged_hash("BIP0322-signed-message", message))


def to_spend(script: bytes, message: bytes) -> bytes:
    """The txid, in wire order, of the first transaction: it pays nothing to the script, and names the message."""
    spending = b"\x01" + NOWHERE + _sized(b"\x00\x20" + message_hash(message)) + _word(0)
    return hash256(_word(0) + spending + b"\x01" + bytes(8) + _sized(script) + _word(0))


def read_simple(script: bytes, message: bytes, data: bytes) -> ToSign:
    """Read a witness stack and put it where it belongs; raises SignatureWrong unless the bytes are exactly one."""
    try:
        count, place = compact_size(data, 0)
        stack = []
        for _ in range(count):
            length, start = compact_size(data, place)
            stack.append(data[start : start + length])
            place = start + length
    except IndexError as error:
        raise SignatureWrong("the signature is no witness stack: its bytes are cut short") from error
    witness = tuple(stack)
    if not witness or _size(len(witness)) + b"".join([_sized(item) for item in witness]) != data:
        raise SignatureWrong("the signature is no witness stack")
    return ToSign(to_spend(script, message), witness, _nesting(script, witness))


def read_full(script: bytes, message: bytes, data: bytes) -> ToSign:
    """Read the second transaction, which must spend the first; raises SignatureWrong or ControlUnsupported."""
    try:
        found = parse(data)
    except ValueError as error:
        raise SignatureWrong(f"the signature is no transaction: {error}") from error
    if len(found.inputs) != 1:
        raise ControlUnsupported(f"not supported: a proof of funds ({len(found.inputs)} inputs); one input is judged")
    version = int.from_bytes(data[:4], "little")
    if version not in (0, 2):
        raise ControlUnsupported(f"not supported: a signing transaction of version {version}; known are 0 and 2")
    ((point, script_sig),) = found.inputs
    witness = found.witnesses[0] if found.witnesses else ()
    spends = to_spend(script, message)
    if point != spends + bytes(4):
        raise SignatureWrong("the signature is for another text or for another script")
    behind = (6 if found.span.segwit else 4) + 1 + 36 + len(_sized(script_sig))
    sequence = int.from_bytes(data[behind : behind + 4], "little")
    read = ToSign(spends, witness, script_sig, version, sequence, int.from_bytes(data[-4:], "little"))
    if read.written() != data:
        raise SignatureWrong("the signing transaction is not as BIP-322 has it: one output of 0 to OP_RETURN")
    return read


def _nesting(script: bytes, witness: tuple[bytes, ...]) -> bytes:
    """What the input's script must be for this witness: under P2SH the program, which the witness gives away.

    The final text of BIP-322 keeps the simple variant to native witness scripts; earlier ones did not.
    """
    if len(script) != 23 or script[0] != 0xA9:
        return b""
    last = witness[-1]
    program = b"\x00\x14" + hash160(last) if len(last) == 33 else b"\x00\x20" + sha256(last).digest()
    return _sized(program)


def _word(number: int) -> bytes:
    return number.to_bytes(4, "little")


def _size(number: int) -> bytes:
    """CompactSize, in the shortest way."""
    if number < 0xFD:
        return bytes((number,))
    return b"\xfd" + number.to_bytes(2, "little") if number < 2**16 else b"\xfe" + number.to_bytes(4, "little")


def _sized(data: bytes) -> bytes:
    return _size(len(data)) + data
