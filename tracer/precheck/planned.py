"""What a transaction would do if it were broadcast, as far as its bytes say so. Pure."""

from dataclasses import dataclass

from tracer.errors import OperatorError
from tracer.types import Holder, Outpoint


class Unreadable(OperatorError):
    """What was given is not a transaction that can be read, and so nothing can be said of it."""

    fix = (
        "Give a PSBT (base64, hex or the file itself), a transaction in hex, or an Ethereum transaction as JSON."
        " Nothing was checked."
    )


@dataclass(frozen=True, slots=True)
class Payment:
    """Value that would reach somebody.

    token: the contract's 20 bytes; None: the chain's native asset. source: who would pay, where the payment names him
    (a token's transferFrom); None: whoever pays for the transaction. place: the output's index, on UTXO chains.
    """

    holder: Holder
    token: bytes | None
    amount: int
    source: Holder | None = None
    place: int | None = None


@dataclass(frozen=True, slots=True)
class Spent:
    """A coin that would be spent; holder and amount as the document says, None where it does not.

    shown: whether the previous transaction is there, hashes to the outpoint, and says so; else it is a mere claim.
    """

    point: Outpoint
    holder: Holder | None = None
    amount: int | None = None
    shown: bool = False


@dataclass(frozen=True, slots=True)
class Grant:
    """A right over a sender's value that would be given away: an allowance of a token, or an account's code."""

    what: str
    to: Holder
    token: bytes | None = None
    amount: int | None = None


@dataclass(frozen=True, slots=True)
class Gas:
    """What an Ethereum transaction may cost at most: gas limit, and wei for each unit."""

    limit: int
    price: int


@dataclass(frozen=True, slots=True)
class Planned:
    """A transaction that was read.

    form: how it came, for people. inputs: on UTXO chains. txid: of a signed one; a PSBT's may still change.
    sender: on account chains; None where nothing says it. sender_shown: he was recovered from the signature, else he
    is merely named.
    chain_number: the chain id of EIP-155; None where there is none. gas: None where it is not all given.
    unknown: calls that are not understood, in words. faults: what contradicts itself in the document, in words.
    """

    form: str
    payments: tuple[Payment, ...]
    signed: bool
    inputs: tuple[Spent, ...] = ()
    txid: bytes | None = None
    sender: Holder | None = None
    sender_shown: bool = False
    chain_number: int | None = None
    nonce: int | None = None
    gas: Gas | None = None
    grants: tuple[Grant, ...] = ()
    unknown: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
