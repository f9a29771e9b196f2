"""A preset: how one jurisdiction's procedure is overseen, as data: stages with gates, clocks, rules, licences. Pure.

A preset is a TOML file; adding one is writing a file. What it says is kept in the store with its hash when a case is
imported, so that a newer file of the same name changes no old case.
"""

from dataclasses import dataclass

from pydantic import Field, model_validator

from tracer.custody.record import Id, Instant, LegKindText, Line
from tracer.custody.records import KINDS
from tracer.strict import Table, Unfit

EVENTS = ("stage", "record", "leg", "last-leg", "seizure")


MOST = 10**12
"""The largest number that a preset may have."""


class GateTable(Table):
    """A stage and the conditions that have to hold before a case stands in it; see `tracer.custody.gates`."""

    name: Line = Field(description="the name of a stage")
    gate: tuple[str, ...] = Field(strict=False, description="a list of conditions")
    within_s: int | None = Field(default=None, gt=0, le=MOST, description="seconds since the stage before")
    unless: tuple[str, ...] = Field(
        default=(), strict=False, description="a list of conditions: while all hold, the stage is left out"
    )


class ReadingTable(Table):
    """One way to read when a clock starts and stops."""

    name: Line = Field(description="one line of text")
    start: str = Field(description="an event, such as `stage SEIZED` or `leg RECEIVE`")
    stop: str = Field(description="an event, such as `record remittance`")

    @model_validator(mode="after")
    def _known(self) -> "ReadingTable":
        for key in ("start", "stop"):
            if getattr(self, key).split(" ")[0] not in EVENTS:
                raise Unfit(key, f"expected an event that begins with one of {', '.join(EVENTS)}")
        return self


class ClockTable(Table):
    """A span of time that the procedure is to keep, shown under each reading."""

    name: Line = Field(description="one line of text")
    limit_s: int = Field(gt=0, le=MOST, description="seconds")
    warn_percent: int = Field(default=80, ge=1, le=100, description="a whole number from 1 to 100")
    reading: tuple[ReadingTable, ...] = Field(strict=False, min_length=1, description="[[clock.reading]] tables")


class SeparateTable(Table):
    """Two kinds of records of a case that one person may not both file (or confirm)."""

    one: str = Field(description="a kind of record")
    other: str = Field(description="a kind of record")

    @model_validator(mode="after")
    def _known(self) -> "SeparateTable":
        for key in ("one", "other"):
            if getattr(self, key) not in KINDS:
                raise Unfit(key, f"expected a kind of record, got {getattr(self, key)!r}")
        if self.one == self.other:
            raise Unfit("other", f"expected another kind of record than {self.one!r}")
        return self


class NeedsTable(Table):
    """A record without which no leg of a kind may be paid."""

    legs: LegKindText = Field(description="a kind of legs, such as DESTROY")
    record: str = Field(description="a kind of record, with FIELD=VALUE where needed")


class LicenceTable(Table):
    """A line of the licence register; dates that nobody gave stay out, and what rests on them is NOT_SHOWN."""

    entity: Line = Field(description="the legal entity")
    names: tuple[Line, ...] = Field(default=(), strict=False, description="further names it goes by")
    type: Line = Field(description="one line of text")
    number: Line | None = Field(default=None, description="one line of text")
    valid_from: Instant | None = Field(default=None, description="an instant")
    valid_to: Instant | None = Field(default=None, description="an instant")
    source: Line = Field(description="one line of text")
    as_of: Instant | None = Field(default=None, description="an instant")


class Parameters(Table):
    """What the rules take from a preset."""

    approvals: int = Field(default=0, ge=0, le=5, description="how many people approve a leg before it is paid")
    approved_kinds: tuple[str, ...] = Field(default=(), strict=False, description="kinds of legs that need approval")
    test_kinds: tuple[str, ...] = Field(default=(), strict=False, description="kinds of legs that need a test transfer")
    bond_percent: int = Field(
        default=0, ge=0, le=1000, description="the bond in percent of the latest valuations; 0: none"
    )
    bond_until: str = Field(default="", description="the stage before which the bond may not be released")
    reserve_percent: int = Field(default=100, ge=0, le=1000, description="the lowest price in percent of the reserve")
    reserve_needed: bool = Field(default=False, description="true or false")
    min_quotes: int = Field(default=0, ge=0, le=MOST, description="how many quotes an award needs")
    valuation_max_age_s: int = Field(default=0, ge=0, le=MOST, description="seconds; 0: a valuation does not age")
    licensed_kinds: tuple[str, ...] = Field(
        default=(), strict=False, description="kinds of legs whose receiver is licensed"
    )
    recorded_kinds: tuple[str, ...] = Field(default=(), strict=False, description="kinds of legs that are filmed")
    recording_within_s: int = Field(
        default=0,
        ge=0,
        le=MOST,
        description="seconds after a payment in which its recording is to be filed; 0: at once",
    )
    holding_proof_every_s: int = Field(
        default=0, ge=0, le=MOST, description="seconds between proofs of holding; 0: none needed"
    )
    loss_percent: int = Field(
        default=0, ge=0, le=100, description="expected loss that an emergency sale needs; 0: none"
    )
    recovery_needed: bool = Field(default=False, description="whether a sale below the reference needs an agreement")
    documents: tuple[str, ...] = Field(default=(), strict=False, description="kinds of records that must be there")


class PresetFile(Table):
    """A whole preset file."""

    name: Id = Field(description="the name of the preset")
    title: Line = Field(description="one line of text")
    sources: tuple[Line, ...] = Field(strict=False, min_length=1, description="where its rules are from")
    stage: tuple[GateTable, ...] = Field(strict=False, min_length=1, description="[[stage]] tables")
    clock: tuple[ClockTable, ...] = Field(default=(), strict=False, description="[[clock]] tables")
    rules: Parameters = Field(default=Parameters(), description="a [rules] table")
    off: tuple[str, ...] = Field(default=(), strict=False, description="ids of rules that do not apply")
    normal: tuple[str, ...] = Field(
        default=(),
        strict=False,
        description="ids of rules that find something in every such case: it is told, as NOT_SHOWN",
    )
    two_people: tuple[str, ...] = Field(default=(), strict=False, description="kinds of records that two people file")
    needs: tuple[NeedsTable, ...] = Field(default=(), strict=False, description="[[needs]] tables")
    separate: tuple[SeparateTable, ...] = Field(default=(), strict=False, description="[[separate]] tables")
    licence: tuple[LicenceTable, ...] = Field(default=(), strict=False, description="[[licence]] tables")


@dataclass(frozen=True, slots=True)
class Preset:
    """A preset as it is applied. sha256: of the file's bytes; text: the file."""

    file: PresetFile
    sha256: bytes
    text: str

    @property
    def name(self) -> str:
        """Its name."""
        return self.file.name

    @property
    def rules(self) -> Parameters:
        """What the rules take from it."""
        return self.file.rules

    @property
    def stages(self) -> tuple[str, ...]:
        """The names of its stages, in order."""
        return tuple(stage.name for stage in self.file.stage)
