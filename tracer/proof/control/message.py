"""The statement that is signed to show control of an address: its one text, written and read back. Pure.

The text is short ASCII, so that a person can read it on a signing device and any wallet signs the same bytes. Instants
are those of RFC 3339 in UTC, in whole seconds.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tracer.errors import ControlRefused
from tracer.types import ChainId, Hash, Holder

TITLE = "Custody Tracer proof of control, version 1"
CLAIM = "I control the key of the address below. This does not claim ownership."
NONCE_BYTES = 16

_ID = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
_LINES = (
    ("Case", _ID),
    ("Watch", _ID),
    ("Chain", r"[-a-z0-9]{3,8}:[-_A-Za-z0-9]{1,32}"),
    ("Address", r"[!-~]{1,100}"),
    ("Holder", r"(?:[0-9a-f]{2}){1,1100}"),
    ("Block", r"(?:0|[1-9][0-9]{0,9}) [0-9a-f]{64}"),
    ("Purpose", r"(?=.{1,120}\Z)[!-~]+(?: [!-~]+)*"),
    ("Nonce", r"[0-9a-f]{32}"),
    ("Expires", r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z"),
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INSTANT = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True)
class Statement:
    """What a holder's key is to sign.

    case, watch: ids of the case and of the watched address in it. address: how people write `holder`, for the signer's
    eyes; the holder is what is verified. height, block: a block that must exist before anybody can sign. nonce: 16
    bytes nobody could foresee. expires_s: Unix seconds; at that instant the statement no longer counts.
    """

    case: str
    watch: str
    chain: ChainId
    address: str
    holder: Holder
    height: int
    block: Hash
    purpose: str
    nonce: bytes
    expires_s: int


def write(statement: Statement) -> str:
    """Write the text to be signed: lines joined by line feeds, none after the last.

    Raises ControlRefused if a field cannot be written so that it is read back the same.
    """
    values = (
        *(statement.case, statement.watch, statement.chain, statement.address, statement.holder.hex()),
        *(f"{statement.height} {statement.block.hex()}", statement.purpose, statement.nonce.hex()),
        instant(statement.expires_s),
    )
    lines = [f"{label}: {value}" for (label, _), value in zip(_LINES, values, strict=True)]
    text = "\n".join([TITLE, CLAIM, *lines])
    if read(text) != statement:
        raise ControlRefused("a field of the statement cannot be written so that it is read back the same")
    return text


def read(text: str) -> Statement:
    """Read exactly what `write` writes; raises ControlRefused that says which line is not as it must be."""
    _refuse_letters(text)
    title, *rest = text.split("\n")
    if title != TITLE:
        raise ControlRefused(f"line 1 of the statement is not {TITLE!r}: {title!r:.80}")
    if len(rest) != len(_LINES) + 1:
        raise ControlRefused(f"the statement has {len(rest) + 1} lines, not {len(_LINES) + 2}")
    claim, *lines = rest
    if claim != CLAIM:
        raise ControlRefused(f"line 2 of the statement is not {CLAIM!r}: {claim!r:.80}")
    values = []
    for number, ((label, pattern), line) in enumerate(zip(_LINES, lines, strict=True), 3):
        prefix = f"{label}: "
        if not line.startswith(prefix):
            raise ControlRefused(f"line {number} of the statement does not begin with {prefix!r}: {line!r:.80}")
        value = line[len(prefix) :]
        if re.fullmatch(pattern, value) is None:
            raise ControlRefused(f"line {number} of the statement has no valid {label.lower()}: {value!r:.80}")
        values.append(value)
    case, watch, chain, address, holder, block, purpose, nonce, expires = values
    height, _, hash_ = block.partition(" ")
    return Statement(
        *(case, watch, ChainId(chain), address, Holder(bytes.fromhex(holder))),
        *(int(height), Hash(bytes.fromhex(hash_)), purpose, bytes.fromhex(nonce), seconds(expires)),
    )


def instant(seconds: int) -> str:
    """Write Unix seconds as RFC 3339 in UTC; raises ControlRefused outside the years 1970 to 9999.

    >>> instant(1764547200)
    '2025-12-01T00:00:00Z'
    """
    try:
        if seconds < 0:
            raise OverflowError
        return (_EPOCH + timedelta(seconds=seconds)).strftime(_INSTANT)
    except OverflowError:
        raise ControlRefused(f"{seconds} seconds since 1970 are not an instant that can be written") from None


def seconds(text: str) -> int:
    """Read what `instant` writes; raises ControlRefused."""
    try:
        found = (datetime.strptime(text, _INSTANT).replace(tzinfo=UTC) - _EPOCH) // timedelta(seconds=1)
    except ValueError as error:
        raise ControlRefused(f"{text!r} is not an instant: {error}") from error
    if found < 0:
        raise ControlRefused(f"{text!r} is not an instant since 1970")
    return found


def _refuse_letters(text: str) -> None:
    for place, letter in enumerate(text, 1):
        if letter == "\r":
            raise ControlRefused("the statement's lines end with a carriage return: only line feeds belong there")
        if letter != "\n" and not " " <= letter <= "~":
            raise ControlRefused(f"character {place} of the statement is U+{ord(letter):04X}, which is not in any")
