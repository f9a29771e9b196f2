"""The kinds of records that people file about a case beyond its case file, and what each says. Pure.

A record is never changed. A later one may supersede it: both stay, and the later one counts from when it was filed.
"""

from typing import Literal, get_args

from pydantic import Field

from tracer.custody.money import Money, read_money
from tracer.custody.record import (
    AMOUNT_SAID,
    ASSET_SAID,
    INSTANT_SAID,
    LINE_SAID,
    MONEY_SAID,
    SHA_SAID,
    Amount,
    Body,
    Id,
    Ids,
    Instant,
    LegKindText,
    Line,
    Lines,
    MoneyText,
    RateText,
    Sha256,
)
from tracer.strict import Table
from tracer.types import Lane


class Mandate(Body):
    """A warrant, an entrustment, an agreement or a court order that somebody acts under."""

    needs_document = True
    what: Literal["warrant", "entrustment", "agreement", "court-order", "destruction-order"] = Field(
        description='one of "warrant", "entrustment", "agreement", "court-order", "destruction-order"'
    )
    scope: Line = Field(description=LINE_SAID)
    valid_from: Instant | None = Field(default=None, description=INSTANT_SAID)
    valid_to: Instant | None = Field(default=None, description=INSTANT_SAID)


class Seizure(Body):
    """How the coins were seized, who saw it, and who may still know a key."""

    method: Line = Field(description=LINE_SAID)
    witnesses: Lines = Field(default=(), strict=False, description="a list of names")
    may_know_key: Lines = Field(default=(), strict=False, description="a list of names")


class Inspection(Body):
    """The agency's technical inspection before it receives anything."""

    result: Literal["passed", "failed"] = Field(description='one of "passed", "failed"')
    what: Line = Field(description=LINE_SAID)


class Approval(Body):
    """Somebody approves a planned leg."""

    leg: Id = Field(description="the id of a leg")


class Withdrawal(Body):
    """A planned leg is given up; nothing counts for it any more."""

    leg: Id = Field(description="the id of a leg")
    reason: Line = Field(description=LINE_SAID)


class Bond(Body):
    """The performance bond that the agency posted, and of what it is a percentage."""

    needs_document = True
    amount: MoneyText = Field(description=MONEY_SAID)
    basis: Line = Field(description=LINE_SAID)

    @property
    def sum(self) -> Money:
        """The amount, exactly."""
        return read_money(self.amount)


class BondRelease(Body):
    """The bond was given back."""

    bond: Id = Field(description="the id of a bond record")


class Valuation(Body):
    """What all that was seized of an asset was worth, by a named source."""

    asset: str = Field(description=ASSET_SAID)
    value: MoneyText = Field(description=MONEY_SAID)
    source: Line = Field(description=LINE_SAID)

    @property
    def sum(self) -> Money:
        """The value, exactly."""
        return read_money(self.value)


class Inquiry(Body):
    """Offers are asked for, until an instant."""

    asset: str = Field(description=ASSET_SAID)
    amount: Amount = Field(description=AMOUNT_SAID)
    closes_at: Instant = Field(description=INSTANT_SAID)


class Reserve(Body):
    """The lowest price for what an inquiry offers."""

    inquiry: Id = Field(description="the id of an inquiry record")
    price: MoneyText = Field(description=MONEY_SAID)

    @property
    def sum(self) -> Money:
        """The price, exactly."""
        return read_money(self.price)


class QuoteCommitment(Body):
    """The hash of a quote, filed before quotes are opened: SHA-256 of INQUIRY|VENUE|PRICE|NONCE in UTF-8."""

    inquiry: Id = Field(description="the id of an inquiry record")
    venue: Id = Field(description="the id of an institution")
    sha256: Sha256 = Field(description=SHA_SAID)


class Quote(Body):
    """A venue's price for all that an inquiry offers; `at` of the record is when it arrived."""

    inquiry: Id = Field(description="the id of an inquiry record")
    venue: Id = Field(description="the id of an institution")
    price: MoneyText = Field(description=MONEY_SAID)
    nonce: Line | None = Field(default=None, description="the nonce of its commitment")

    @property
    def sum(self) -> Money:
        """The price, exactly."""
        return read_money(self.price)


class Award(Body):
    """The quote that won."""

    inquiry: Id = Field(description="the id of an inquiry record")
    quote: Id = Field(description="the id of a quote record")


class Licence(Body):
    """A licence of an institution, as a register says it; what nobody said stays empty."""

    institution: Id = Field(description="the id of an institution")
    entity: Line = Field(description="the legal entity, one line of text")
    type: Line = Field(description=LINE_SAID)
    number: Line | None = Field(default=None, description=LINE_SAID)
    valid_from: Instant | None = Field(default=None, description=INSTANT_SAID)
    valid_to: Instant | None = Field(default=None, description=INSTANT_SAID)
    source: Line = Field(description=LINE_SAID)


class Recording(Body):
    """A segment of the video record, by the hash of its file."""

    sha256: Sha256 = Field(description=SHA_SAID)
    start: Instant = Field(description=INSTANT_SAID)
    end: Instant = Field(description=INSTANT_SAID)
    device: Line = Field(description=LINE_SAID)
    legs: Ids = Field(default=(), strict=False, description="a list of leg ids")


class RecordingCheck(Body):
    """Somebody hashed the file of a recording again."""

    recording: Id = Field(description="the id of a recording record")
    sha256: Sha256 = Field(description=SHA_SAID)


class Hold(Body):
    """A court forbids any movement for a time; open-ended until it is superseded by one with an end."""

    needs_document = True
    start: Instant = Field(description=INSTANT_SAID)
    end: Instant | None = Field(default=None, description=INSTANT_SAID)
    court: Line = Field(description=LINE_SAID)


class Suspension(Body):
    """The procedure rests for a time."""

    start: Instant = Field(description=INSTANT_SAID)
    end: Instant | None = Field(default=None, description=INSTANT_SAID)
    reason: Line = Field(description=LINE_SAID)


class Sale(Body):
    """What was sold, where, and what it brought."""

    asset: str = Field(description=ASSET_SAID)
    amount: Amount = Field(description=AMOUNT_SAID)
    venue: Id = Field(description="the id of an institution")
    proceeds: MoneyText = Field(description=MONEY_SAID)

    @property
    def sum(self) -> Money:
        """The proceeds, exactly."""
        return read_money(self.proceeds)


class FxApproval(Body):
    """The foreign-exchange authority's approval."""

    needs_document = True
    number: Line = Field(description=LINE_SAID)


class Settlement(Body):
    """Proceeds became money of another currency: proceeds x rate - fees = credited, to the minor unit."""

    proceeds: MoneyText = Field(description=MONEY_SAID)
    rate: RateText = Field(description='decimal text, such as "0.9213"')
    fees: MoneyText = Field(description=MONEY_SAID)
    credited: MoneyText = Field(description=MONEY_SAID)


class Credit(Body):
    """Money arrived on the special account, as the bank says."""

    amount: MoneyText = Field(description=MONEY_SAID)
    account: Line = Field(description=LINE_SAID)

    @property
    def sum(self) -> Money:
        """The amount, exactly."""
        return read_money(self.amount)


class Remittance(Body):
    """Money left the special account: to the treasury, back to its owner, or as fees."""

    amount: MoneyText = Field(description=MONEY_SAID)
    to: Literal["treasury", "owner", "fees"] = Field(description='one of "treasury", "owner", "fees"')

    @property
    def sum(self) -> Money:
        """The amount, exactly."""
        return read_money(self.amount)


class Recovery(Body):
    """An agreement that a buyer gives back what was sold below a share of the reference price."""

    needs_document = True
    buyer: Id = Field(description="the id of an institution")
    terms: Line = Field(description=LINE_SAID)


class ExpectedLoss(Body):
    """How much value an asset is expected to lose, in percent: what an emergency sale rests on."""

    needs_document = True
    asset: str = Field(description=ASSET_SAID)
    percent: int = Field(ge=0, le=100, description="a whole number from 0 to 100")
    source: Line = Field(description=LINE_SAID)


class HoldingProof(Body):
    """A custodian states what is still there, as of a block."""

    statement: Line = Field(description=LINE_SAID)


class ExternalClaim(Body):
    """A number that somebody published; compared, never added. `number` as printed."""

    lane = Lane.INFERRED
    who: Line = Field(description=LINE_SAID)
    number: Line = Field(description="a number as it is printed")
    unit: Line = Field(description=LINE_SAID)
    as_of: Instant | None = Field(default=None, description=INSTANT_SAID)


class DeclaredAsset(Body):
    """An asset on a chain that is not watched: a claim as it is printed, never added to anything exact."""

    chain: Line = Field(description=LINE_SAID)
    symbol: Line = Field(description=LINE_SAID)
    amount: Line = Field(description="a number as it is printed")
    source: Line = Field(description=LINE_SAID)


class ForkClaim(Body):
    """What was decided about coins of a fork: claimed, left, or none there."""

    coin: Line = Field(description=LINE_SAID)
    decision: Literal["claimed", "left", "none"] = Field(description='one of "claimed", "left", "none"')


class Power(Body):
    """Somebody else can move, freeze or change what was seized; as nodes answered at a block."""

    lane = Lane.REPORTED
    rule: Literal["APPROVE-1", "TOKEN-1", "FORK-1", "INV-1"] = Field(
        description='one of "APPROVE-1", "TOKEN-1", "FORK-1", "INV-1"'
    )
    severity: Literal["INFO", "WARN", "CRITICAL"] = Field(description='one of "INFO", "WARN", "CRITICAL"')
    watch: Line = Field(description="the id of a watch, or its address")
    detail: Line = Field(description=LINE_SAID)
    block: Line = Field(description="HEIGHT:HASH, or - where no node was asked")


class Shown(Table):
    """What a verified signature shows."""

    height: int
    block: str
    expires_at: int
    message_sha256: str
    sha256: str
    lane: str


class Control(Body):
    """Control over an address was shown at a block, by a signed message: not ownership.

    What is not given is worked out when the signature has been verified: the block at which control was shown, when the
    statement expires, and the digests by which neither text nor signature counts twice.
    """

    lane = Lane.PROVEN
    watch: Id = Field(description="the id of a watch")
    method: Literal["bip137", "bip322-simple", "bip322-full", "eip191", "eip712", "eip1271", "eip1271-typed"] = Field(
        description="one of bip137, bip322-simple, bip322-full, eip191, eip712, eip1271, eip1271-typed"
    )
    message: str = Field(max_length=4000, description="the signed text or typed data, or @FILE that has it")
    signature: str = Field(max_length=100_000, description="the signature, as its method writes it")
    shown: Shown | None = Field(default=None, description="nothing: it is worked out")


class Closing(Body):
    """The case is closed; its addresses stay watched."""

    needs_document = True
    reason: Line = Field(description=LINE_SAID)


class PlannedLeg(Body):
    """A leg that was planned after the case file; it counts for blocks that come after it was recorded."""

    what: LegKindText = Field(description=", ".join(get_args(LegKindText)))
    asset: str = Field(description=ASSET_SAID)
    sources: Ids = Field(default=(), alias="from", strict=False, description="a list of watch ids")
    to: Id = Field(description="the id of a watch")
    amount: Amount = Field(description=AMOUNT_SAID)
    tolerance: Amount = Field(default="0", description=AMOUNT_SAID)
    max_fee: Amount = Field(default="0", description=AMOUNT_SAID)
    not_before: Instant | None = Field(default=None, description=INSTANT_SAID)
    deadline: Instant | None = Field(default=None, description=INSTANT_SAID)
    needs_test: bool = Field(default=False, description="true or false")


class Statement(Body):
    """An institution states, on a document, that a watched address is its own."""

    needs_document = True
    watch: Id = Field(description="the id of a watch")
    institution: Id = Field(description="the id of an institution")
    valid_from: Instant = Field(description=INSTANT_SAID)
    valid_to: Instant | None = Field(default=None, description=INSTANT_SAID)


class Filing(Body):
    """A document was filed, by its hash."""

    needs_document = True
    title: Line = Field(description=LINE_SAID)
    valid_to: Instant | None = Field(default=None, description=INSTANT_SAID)


KINDS: dict[str, type[Body]] = {
    "leg": PlannedLeg,
    "attestation": Statement,
    "document": Filing,
    "mandate": Mandate,
    "seizure": Seizure,
    "inspection": Inspection,
    "approval": Approval,
    "withdrawal": Withdrawal,
    "bond": Bond,
    "bond-release": BondRelease,
    "valuation": Valuation,
    "inquiry": Inquiry,
    "reserve": Reserve,
    "quote-commitment": QuoteCommitment,
    "quote": Quote,
    "award": Award,
    "licence": Licence,
    "recording": Recording,
    "recording-check": RecordingCheck,
    "hold": Hold,
    "suspension": Suspension,
    "sale": Sale,
    "fx-approval": FxApproval,
    "settlement": Settlement,
    "credit": Credit,
    "remittance": Remittance,
    "recovery": Recovery,
    "expected-loss": ExpectedLoss,
    "holding-proof": HoldingProof,
    "external-claim": ExternalClaim,
    "declared-asset": DeclaredAsset,
    "fork-claim": ForkClaim,
    "power": Power,
    "control": Control,
    "closing": Closing,
}
"""The kinds of records. Legs, attestations and documents enter the case's own tables besides."""
