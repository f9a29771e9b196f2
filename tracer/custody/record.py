"""A record: something that somebody filed about a case, and the types of its fields. Pure.

Texts of money and rates are exact decimals (`tracer.custody.money`); amounts of assets are display units as text.
"""

import unicodedata
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, StringConstraints

from tracer.custody.instants import parse_instant
from tracer.custody.money import read_money, read_rate
from tracer.strict import Table
from tracer.types import Lane

ID_SAID = "an id of at most 64 letters, digits, dots, - and _, beginning with a letter or digit"
LINE_SAID = "one line of text, of 1 to 500 characters"
INSTANT_SAID = "an instant with its offset, such as 2026-06-01T00:00:00Z"
MONEY_SAID = 'an amount and a currency, such as "1234.56 CNY"'
AMOUNT_SAID = 'decimal text in display units, such as "1.5"'
ASSET_SAID = 'CHAIN:SYMBOL, such as "bitcoin:BTC"'
SHA_SAID = "64 hex digits"


def _money(text: str) -> str:
    return str(read_money(text))


def _rate(text: str) -> str:
    read_rate(text)
    return text


ID = r"[A-Za-z0-9][A-Za-z0-9._/-]{0,63}"
Id = Annotated[str, StringConstraints(pattern=f"^{ID}$")]
Line = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]+$", max_length=500)]
Instant = Annotated[int, BeforeValidator(parse_instant)]
MoneyText = Annotated[str, AfterValidator(_money)]
RateText = Annotated[str, AfterValidator(_rate)]
Amount = Annotated[str, StringConstraints(pattern=r"^(0|[1-9][0-9]{0,77})(\.[0-9]+)?$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Lines = tuple[Line, ...]
Ids = tuple[Id, ...]


LegKindText = Literal[
    "SECURE",
    "TEST",
    "RECEIVE",
    "CONSOLIDATE",
    "TRANSFER",
    "DEPOSIT",
    "REFUND",
    "RETURN",
    "FORK_CLAIM",
    "DESTROY",
    "GAS",
]


class Body(Table):
    """What a record of one kind says.

    lane: how strongly such a record is supported. needs_document: whether it rests on a filed document always.
    """

    lane: ClassVar[Lane] = Lane.ATTESTED
    needs_document: ClassVar[bool] = False


@dataclass(frozen=True, slots=True)
class Record:
    """A record as it was filed.

    id: number in the store. actor, second: who filed it, and who confirmed it. at: the instant that it speaks of;
    recorded_at: the daemon's wall clock. document: SHA-256, hex. supersedes: the id of an earlier one.
    tip_id: the newest block of the case's chains that was known when it was filed; higher numbers were not. known_at:
    the time of that block. Both None: a chain was not followed then, and nothing tells what was known.
    """

    id: int
    kind: str
    ref: str
    actor: str
    second: str | None
    at: int
    recorded_at: int
    document: str | None
    body: Body
    supersedes: int | None = None
    tip_id: int | None = None
    known_at: int | None = None

    def may_have_known(self, block_id: int | None) -> bool:
        """Whether a block was known when it was filed, whatever instant the record speaks of, or nothing tells."""
        return block_id is not None and (self.tip_id is None or block_id <= self.tip_id)

    @property
    def filed_when(self) -> str:
        """Words for how it was filed, where it may have known too much."""
        return "was filed when that was known" if self.tip_id is not None else "was filed while no chain was followed"


def plain_name(name: str) -> str:
    """A person's name as it is compared: capitals, and ways to compose or space letters, make no other person."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())
