"""The keys of a case file: its tables as they are written, before their references are resolved. Pure."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, StringConstraints

from tracer.strict import Table, show

_ID = "an id of at most 64 letters, digits, dots, - and _, beginning with a letter or digit"
_TEXT = "one line of text that is not empty"
_IDS = "a list of ids"
_INSTANT = "an instant with its offset, such as 2026-06-01T00:00:00Z (no quotes)"
_HEX = "64 hex digits"

Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Line = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]+$", max_length=500)]
Height = Annotated[int, Field(ge=0, lt=2**31)]


def _instant(value: object) -> object:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise ValueError(f"expected {_INSTANT}, got {show(value)}")
    if value.microsecond or value.year < 1970:
        raise ValueError(f"expected a whole second since 1970, got {show(value)}")
    return (value - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)


def _decimal(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError(f'expected decimal text in quotes, such as "1.5", got {show(value)} without quotes')
    return value


Instant = Annotated[int, BeforeValidator(_instant)]
Decimal = Annotated[str, BeforeValidator(_decimal)]


class CaseTable(Table):
    """The one `[case]` table."""

    id: Id = Field(description=_ID)
    title: Line = Field(description=_TEXT)
    preset: Id = Field(description='the name of a preset, such as "beijing-2025"')
    seizure: dict[str, Height] = Field(default={}, description="a block height >= 0 per name of a chain")


class InstitutionTable(Table):
    """A body that plays a part in the case."""

    id: Id = Field(description=_ID)
    name: Line = Field(description=_TEXT)
    aliases: tuple[Line, ...] = Field(default=(), strict=False, description="a list of names")
    part: Literal["SEIZE", "DISPOSE", "CUSTODY", "APPROVE", "AUDIT", "EXCHANGE"] = Field(
        description='one of "SEIZE", "DISPOSE", "CUSTODY", "APPROVE", "AUDIT", "EXCHANGE"'
    )


class DocumentTable(Table):
    """A filed document: its SHA-256, or the file to take it from."""

    id: Id = Field(description=_ID)
    title: Line = Field(description=_TEXT)
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-fA-F]{64}$", description=_HEX)
    file: str | None = Field(default=None, min_length=1, description="the path of the document")


class WatchTable(Table):
    """A holder, or many, that the case is interested in."""

    id: Id = Field(description=_ID)
    chain: str = Field(description="the NAME of a [chain.NAME] table")
    address: str | None = Field(default=None, description="an address")
    script: str | None = Field(default=None, description="a script pubkey in hex")
    descriptor: str | None = Field(default=None, description="an output descriptor")
    range: tuple[int, int] | None = Field(
        default=None, strict=False, description="two whole numbers, first and last index, such as [0, 19]"
    )
    file: str | None = Field(default=None, min_length=1, description="the path of a list of addresses")
    role: Literal["seized", "authority", "agency", "exchange", "refund"] = Field(
        description='one of "seized", "authority", "agency", "exchange", "refund"'
    )
    institution: Id | None = Field(default=None, description="the id of an [[institution]]")
    birth: Height = Field(default=0, description="a block height >= 0")
    storage: Literal["hot", "cold", "multisig"] | None = Field(
        default=None, description='one of "hot", "cold", "multisig"'
    )
    outpoints: tuple[str, ...] | None = Field(
        default=None, strict=False, description='a list of coins, each "txid:index"'
    )


class AttestationTable(Table):
    """An institution's statement that a watched address is its own."""

    watch: str = Field(description="the id of a [[watch]]")
    institution: Id = Field(description="the id of an [[institution]]")
    document: Id = Field(description="the id of a [[document]]")
    valid_from: Instant = Field(description=_INSTANT)
    valid_to: Instant | None = Field(default=None, description=_INSTANT)


class LegTable(Table):
    """A planned transfer."""

    id: Id = Field(description=_ID)
    kind: Literal[
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
    ] = Field(
        description="one of SECURE, TEST, RECEIVE, CONSOLIDATE, TRANSFER, DEPOSIT, REFUND, RETURN, FORK_CLAIM, "
        "DESTROY, GAS (in quotes)"
    )
    asset: str = Field(description='CHAIN:SYMBOL, such as "bitcoin:BTC"')
    sources: tuple[str, ...] = Field(default=(), alias="from", strict=False, description=_IDS)
    to: str = Field(description="the id of a [[watch]]")
    amount: Decimal = Field(description='decimal text, such as "1.5"')
    tolerance: Decimal = Field(default="0", description='decimal text, such as "0.001"')
    max_fee: Decimal = Field(default="0", description='decimal text, such as "0.0001"')
    not_before: Instant | None = Field(default=None, description=_INSTANT)
    deadline: Instant | None = Field(default=None, description=_INSTANT)
    needs_test: bool = Field(default=False, description="true or false")


class CaseFile(Table):
    """A whole case file."""

    case: CaseTable = Field(description="a [case] table")
    institution: tuple[InstitutionTable, ...] = Field(default=(), strict=False, description="[[institution]] tables")
    document: tuple[DocumentTable, ...] = Field(default=(), strict=False, description="[[document]] tables")
    watch: tuple[WatchTable, ...] = Field(default=(), strict=False, description="[[watch]] tables")
    attestation: tuple[AttestationTable, ...] = Field(default=(), strict=False, description="[[attestation]] tables")
    leg: tuple[LegTable, ...] = Field(default=(), strict=False, description="[[leg]] tables")
