"""What a token calls itself, made fit to be shown: bytes that a stranger chose. Pure."""

import re
import unicodedata
from dataclasses import dataclass
from hashlib import sha256

from tracer.types import AssetId

SHOWN = {"name": 48, "symbol": 16}
"""What is asked of a token, and how many characters of the answer are shown at most."""

_BLANK = {
    *"\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0\U0001d159",
    *(chr(code) for first, last in ((0xFE00, 0xFE0F), (0xE0100, 0xE01EF)) for code in range(first, last + 1)),
}
"""Letters and marks that show nothing: fillers, the empty braille pattern, joiners, variation selectors."""

_TURNING = frozenset({"R", "AL", "AN"})
"""Bidirectional classes of letters and digits that are written from right to left: they reorder what stands beside."""


@dataclass(frozen=True, slots=True)
class TokenText:
    """An answer to one question: its bytes as they came are kept by size and SHA-256, and shown cleaned and cut.

    size, digest: None if the contract did not answer within its bounds.
    """

    asset: AssetId
    what: str
    shown: str
    size: int | None = None
    digest: bytes | None = None


def token_text(asset: AssetId, what: str, answer: bytes | None) -> TokenText:
    """Read the answer to `name()` or `symbol()`; None: there was none."""
    if answer is None:
        return TokenText(asset, what, "")
    return TokenText(asset, what, fit(string_in(answer), SHOWN[what]), len(answer), sha256(answer).digest())


def string_in(answer: bytes) -> bytes:
    """The string in an ABI answer, as old tokens give it too: 32 bytes filled up with zeros. Cut short: what is there.

    >>> string_in(b"MKR".ljust(32, bytes(1)))
    b'MKR'
    >>> string_in((32).to_bytes(32, "big") + (4).to_bytes(32, "big") + b"USDT".ljust(32, bytes(1)))
    b'USDT'
    """
    if len(answer) == 32:
        return answer.rstrip(b"\0")
    place = int.from_bytes(answer[:32], "big")
    if len(answer) < 64 or place > len(answer) - 32:
        return b""
    size = int.from_bytes(answer[place : place + 32], "big")
    return answer[place + 32 : place + 32 + min(size, len(answer))]


def fit(text: bytes, most: int) -> str:
    """Clean a text and cut it: no control, bidirectional, zero-width or blank characters, one mark on a letter.

    Letters that are written from right to left become U+FFFD each: the bytes are kept beside.

    >>> fit(b"US\\x1b[31m  DT", 16), fit(b"a" * 9, 4)
    ('US[31m DT', 'aaa…')
    """
    told = unicodedata.normalize("NFC", text[: 16 * most].decode("utf-8", "replace"))
    kept: list[str] = []
    for char in told:
        mark = unicodedata.category(char) in ("Mn", "Me", "Mc")
        if char in _BLANK or (mark and (not kept or unicodedata.category(kept[-1]).startswith("M"))):
            continue
        if char.isprintable():
            kept.append("\ufffd" if unicodedata.bidirectional(char) in _TURNING else char)
        elif char.isspace():
            kept.append(" ")
    clean = re.sub(r" +", " ", "".join(kept)).strip()
    return clean if len(clean) <= most else clean[: most - 1] + "…"
