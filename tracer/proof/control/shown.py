"""Whether a signed statement shows control of an address at a block: never whose the address is. Pure."""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from enum import Enum
from hashlib import sha256

from tracer.errors import ControlRefused, ControlUnsupported
from tracer.proof.control import bitcoin, ethereum
from tracer.proof.control.message import Statement, instant, read
from tracer.types import ChainId, Hash, Holder, Lane

MAX_LIFE_S = 30 * 24 * 3600
"""How far ahead a statement may expire, unless another limit is given."""


class Method(Enum):
    """How the statement was signed."""

    BIP137 = "bip137"
    BIP322_SIMPLE = "bip322-simple"
    BIP322_FULL = "bip322-full"
    EIP191 = "eip191"
    EIP712 = "eip712"
    EIP1271 = "eip1271"
    EIP1271_TYPED = "eip1271-typed"


CONTRACT = frozenset({Method.EIP1271, Method.EIP1271_TYPED})
"""Methods in which a contract's code says yes, over the digest of EIP-191 or that of EIP-712."""

_FAMILY = {method: "bip122" if method.value.startswith("bip") else "eip155" for method in Method}


@dataclass(frozen=True, slots=True)
class Expected:
    """What the record is for: a watched holder of a case; address: how the holder is written on its chain."""

    case: str
    watch: str
    chain: ChainId
    holder: Holder
    address: str


@dataclass(frozen=True, slots=True)
class ControlShown:
    """Control was shown, at a block.

    height, block: of the block that the statement names: the key signed after it was known. Where a contract was asked,
    the block after which it said yes. lane: PROVEN if the stored statement and signature show it, REPORTED if a node
    told what a contract answers. message_digest: SHA-256 of the text; digest: SHA-256 of that and the signature's
    SHA-256. Neither may be taken a second time.
    """

    statement: Statement
    method: Method
    holder: Holder
    height: int
    block: Hash
    expires_s: int
    lane: Lane
    message_digest: bytes
    digest: bytes

    def line(self) -> str:
        """The sentence that people read."""
        return f"control shown at block {self.height}"


def check_control(
    text: str,
    signature: str,
    method: Method,
    expected: Expected,
    *,
    now_s: int,
    canonical: Mapping[int, Hash],
    used: Set[bytes],
    said: ethereum.ContractSaid | None = None,
    max_life_s: int = MAX_LIFE_S,
) -> ControlShown:
    """See that a statement is for this holder, in time, signed, and not taken before; raises ControlRefused.

    canonical: the hashes that the store has on its chain, by height, for `heights_asked`; one that is missing is
    unknown. used: both digests of every proof that was taken. said: a contract's answer, for its two methods.
    Of the refusals SignatureWrong says that the signature is false, ControlUnsupported that it cannot be judged.
    """
    statement = read(text)
    _same(statement, expected)
    if expected.chain.partition(":")[0] != _FAMILY[method]:
        raise ControlRefused(f"{method.value} is no method of {expected.chain}")
    if (said is not None) != (method in CONTRACT):
        raise ControlRefused(f"{method.value} goes {'with' if method in CONTRACT else 'without'} a contract's answer")
    _in_time(statement, now_s, max_life_s)
    _on_chain(statement.height, statement.block, canonical, "statement")
    height, block = statement.height, statement.block
    if said is not None:
        if said.height < height:
            raise ControlRefused(f"the contract was asked after block {said.height}, before the statement's {height}")
        _on_chain(said.height, said.block, canonical, "contract's answer")
        height, block = said.height, said.block
    message = text.encode("ascii")
    _verify(statement, message, signature, method, said)
    message_digest, digest = digests(message, signature, method)
    if message_digest in used or digest in used:
        raise ControlRefused("this statement was taken before: one text counts once")
    lane = Lane.PROVEN if said is None else Lane.REPORTED
    return ControlShown(
        *(statement, method, expected.holder, height, block, statement.expires_s, lane, message_digest, digest)
    )


def heights_asked(text: str, said: ethereum.ContractSaid | None = None) -> frozenset[int]:
    """The heights whose canonical hashes `check_control` has to be given; raises ControlRefused."""
    return frozenset({read(text).height, *([] if said is None else [said.height])})


def contract_question(text: str, signature: str, method: Method) -> bytes:
    """The call data to ask a contract with; raises ControlRefused."""
    return _question(read(text), text.encode("ascii"), signature, method)


def digests(message: bytes, signature: str, method: Method) -> tuple[bytes, bytes]:
    """What must not be used twice: the digest of the text, and that of text and signature, however it is written."""
    match method:
        case Method.BIP137:
            data = bitcoin.decode(signature)
        case Method.BIP322_SIMPLE | Method.BIP322_FULL:
            data = bitcoin.decode(signature, "smp" if method is Method.BIP322_SIMPLE else "ful")
        case _:
            data = ethereum.decode(signature)
    first = sha256(message).digest()
    return first, sha256(first + sha256(data).digest()).digest()


def _same(statement: Statement, expected: Expected) -> None:
    for what in ("case", "watch", "chain", "address"):
        said, meant = getattr(statement, what), getattr(expected, what)
        if said != meant:
            raise ControlRefused(f"the statement is for {what} {said}, not for {meant}")
    if statement.holder != expected.holder:
        raise ControlRefused(f"the statement is for holder {statement.holder.hex()}, not for {expected.holder.hex()}")


def _in_time(statement: Statement, now_s: int, max_life_s: int) -> None:
    if statement.expires_s <= now_s:
        raise ControlRefused(f"the statement expired at {instant(statement.expires_s)}; it is {instant(now_s)}")
    if statement.expires_s - now_s > max_life_s:
        raise ControlRefused(
            f"the statement expires at {instant(statement.expires_s)}, more than {max_life_s} s after {instant(now_s)}"
        )


def _on_chain(height: int, block: Hash, canonical: Mapping[int, Hash], whose: str) -> None:
    known = canonical.get(height)
    if known is None:
        raise ControlRefused(
            f"the {whose} names block {height}, which is not in the store",
            "Wait until that block is followed, or have a statement signed that names a followed one.",
        )
    if known != block:
        raise ControlRefused(f"the {whose} names block {height} {block.hex()}, but on the chain is {known.hex()}")


def _verify(
    statement: Statement, message: bytes, signature: str, method: Method, said: ethereum.ContractSaid | None
) -> None:
    holder = statement.holder
    match method:
        case Method.BIP137:
            bitcoin.verify_bip137(holder, message, signature)
        case Method.BIP322_SIMPLE:
            bitcoin.verify_simple(holder, message, signature)
        case Method.BIP322_FULL:
            locks = bitcoin.verify_full(holder, message, signature)
            if locks != bitcoin.Locks():
                raise ControlUnsupported(
                    "not supported: a signature under a time lock"
                    f" (nLockTime {locks.time}, nSequence {locks.age}) shows no control now"
                )
        case Method.EIP191:
            digest = ethereum.personal_digest(message)
            ethereum.verify_account(ethereum.account_of(holder), digest, signature)
        case Method.EIP712:
            ethereum.verify_account(ethereum.account_of(holder), ethereum.typed_digest(statement), signature)
        case Method.EIP1271 | Method.EIP1271_TYPED if said is not None:
            question = _question(statement, message, signature, method)
            ethereum.verify_contract(said, ethereum.account_of(holder), question)


def _question(statement: Statement, message: bytes, signature: str, method: Method) -> bytes:
    if method not in CONTRACT:
        raise ControlRefused(f"{method.value} asks no contract")
    typed = method is Method.EIP1271_TYPED
    digest = ethereum.typed_digest(statement) if typed else ethereum.personal_digest(message)
    return ethereum.contract_call(digest, ethereum.decode(signature))
