"""How a statement is signed with the key of an Ethereum account, or accepted by a contract's code. Pure.

Sources: EIP-191 (version 0x45, personal messages), EIP-712 (typed data), EIP-2 (low s), EIP-1271 (contracts).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tracer.errors import ControlRefused, SignatureWrong
from tracer.proof.control.curve import recover
from tracer.proof.control.message import Statement, instant
from tracer.proof.keccak import keccak
from tracer.types import ChainId, Hash, Holder

NAME, VERSION = "Custody Tracer", "1"
FIELDS = (
    *(("string", "caseId"), ("string", "watchId"), ("string", "chain"), ("address", "account")),
    *(("uint256", "height"), ("bytes32", "block"), ("string", "purpose"), ("bytes16", "nonce"), ("string", "expires")),
)
_DOMAIN = (("string", "name"), ("string", "version"), ("uint256", "chainId"))

SELECTOR = bytes.fromhex("1626ba7e")
"""Of `isValidSignature(bytes32,bytes)`; also the value that says yes."""

MAX_BYTES = 65_536
"""The longest signature that a contract is asked about."""


@dataclass(frozen=True, slots=True)
class ContractSaid:
    """What a contract answered to `call` after a block, as a node told it.

    returned: the bytes; None if it reverted or ran out of gas. has_code: whether the account has any after that block.
    """

    account: Holder
    call: bytes
    height: int
    block: Hash
    has_code: bool
    returned: bytes | None


def personal_digest(message: bytes) -> bytes:
    """What is signed of a text (`personal_sign`)."""
    return keccak(b"\x19Ethereum Signed Message:\n" + str(len(message)).encode() + message)


def typed_digest(statement: Statement) -> bytes:
    """What is signed of a statement as typed data (`eth_signTypedData_v4`); raises ControlRefused off EVM chains."""
    values = (
        *map(_hashed, (statement.case, statement.watch, statement.chain)),
        account_of(statement.holder).rjust(32, b"\x00"),
        *(statement.height.to_bytes(32, "big"), statement.block),
        *(_hashed(statement.purpose), statement.nonce.ljust(32, b"\x00"), _hashed(instant(statement.expires_s))),
    )
    domain = (_hashed(NAME), _hashed(VERSION), chain_number(statement.chain).to_bytes(32, "big"))
    return joined_digest(
        keccak(_type_hash("EIP712Domain", _DOMAIN) + b"".join(domain)),
        keccak(_type_hash("CustodyControl", FIELDS) + b"".join(values)),
    )


def joined_digest(domain: bytes, struct: bytes) -> bytes:
    """Join the hash of a domain and that of a struct to what is signed (EIP-712)."""
    return keccak(b"\x19\x01" + domain + struct)


def typed_data(statement: Statement) -> dict[str, Any]:
    """The JSON that a wallet is given to sign: `eth_signTypedData_v4`; raises ControlRefused off EVM chains."""
    return {
        "types": {"EIP712Domain": _written(_DOMAIN), "CustodyControl": _written(FIELDS)},
        "primaryType": "CustodyControl",
        "domain": {"name": NAME, "version": VERSION, "chainId": chain_number(statement.chain)},
        "message": {
            "caseId": statement.case,
            "watchId": statement.watch,
            "chain": statement.chain,
            "account": "0x" + account_of(statement.holder).hex(),
            "height": statement.height,
            "block": "0x" + statement.block.hex(),
            "purpose": statement.purpose,
            "nonce": "0x" + statement.nonce.hex(),
            "expires": instant(statement.expires_s),
        },
    }


def verify_account(account: bytes, digest: bytes, signature: str) -> None:
    """See that an account's own key signed a digest; raises SignatureWrong.

    signature: 0x and 130 hex digits: r, s and v, which is 27 or 28; a high s is refused.
    """
    data = decode(signature)
    if len(data) != 65:
        raise SignatureWrong(f"a signature by an account has 65 bytes, not {len(data)}")
    if data[64] not in (27, 28):
        raise SignatureWrong(f"the signature's last byte is {data[64]}, not 27 or 28 (1b or 1c)")
    public = recover(data[:64], data[64] - 27, digest)
    if keccak(public.format(compressed=False)[1:])[12:] != account:
        raise SignatureWrong("the signature is not by this account's key, or not of this text")


def contract_call(digest: bytes, signature: bytes) -> bytes:
    """The call data of `isValidSignature(digest, signature)`."""
    if len(signature) > MAX_BYTES:
        raise SignatureWrong(f"the signature has more than {MAX_BYTES} bytes")
    padded = signature + bytes(-len(signature) % 32)
    return SELECTOR + digest + (64).to_bytes(32, "big") + len(signature).to_bytes(32, "big") + padded


def verify_contract(said: ContractSaid, account: bytes, call: bytes) -> None:
    """See that a contract accepted a signature; raises SignatureWrong, ControlRefused if it was asked another thing."""
    if (said.account, said.call) != (account, call):
        raise ControlRefused("the node was asked about another account, text or signature")
    if not said.has_code:
        raise SignatureWrong(f"the account has no code after block {said.height}: its own key has to sign")
    if said.returned is None:
        raise SignatureWrong(f"the contract does not accept the signature after block {said.height}: it reverted")
    if said.returned != SELECTOR + bytes(28):
        told = said.returned[:32].hex() or "nothing"
        raise SignatureWrong(f"the contract does not accept the signature after block {said.height}: it answers {told}")


def decode(signature: str) -> bytes:
    """Read a signature in hex behind 0x; raises SignatureWrong."""
    digits = signature.removeprefix("0x")
    if digits == signature or len(digits) % 2 or any(letter not in "0123456789abcdefABCDEF" for letter in digits):
        raise SignatureWrong("the signature is not 0x and pairs of hex digits")
    return bytes.fromhex(digits)


def account_of(holder: bytes) -> bytes:
    """The account that a holder is; raises ControlRefused if it is none."""
    if len(holder) != 20:
        raise ControlRefused(f"an account has 20 bytes; this holder has {len(holder)}")
    return holder


def chain_number(chain: ChainId) -> int:
    """The number of an EVM chain; raises ControlRefused for another one."""
    family, _, number = chain.partition(":")
    if family != "eip155" or not number.isdecimal() or str(int(number)) != number or int(number) >= 2**256:
        raise ControlRefused(f"{chain} is no EVM chain")
    return int(number)


def _type_hash(name: str, fields: tuple[tuple[str, str], ...]) -> bytes:
    return keccak(f"{name}({','.join(f'{kind} {field}' for kind, field in fields)})".encode())


def _written(fields: tuple[tuple[str, str], ...]) -> list[Mapping[str, str]]:
    return [{"name": field, "type": kind} for kind, field in fields]


def _hashed(text: str) -> bytes:
    return keccak(text.encode())
