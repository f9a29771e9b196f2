"""What a case declares: institutions, watched holders, documents, attestations and planned legs. Pure.

Declarations are append-only: an import adds a case or adds to it, and never changes what was imported before.
Instants are whole seconds since 1970 (UTC); amounts are base units of the leg's asset, fees base units of the
chain's native asset.
"""

from dataclasses import dataclass
from enum import Enum

from tracer.errors import CaseRefused
from tracer.types import HELD_ROLES, AssetId, ChainId, Holder, Outpoint, Role


class LegKind(Enum):
    """What a custody leg is for."""

    SECURE = "SECURE"
    TEST = "TEST"
    RECEIVE = "RECEIVE"
    CONSOLIDATE = "CONSOLIDATE"
    TRANSFER = "TRANSFER"
    DEPOSIT = "DEPOSIT"
    REFUND = "REFUND"
    RETURN = "RETURN"
    FORK_CLAIM = "FORK_CLAIM"
    DESTROY = "DESTROY"
    GAS = "GAS"


DELIVERING = frozenset({LegKind.DEPOSIT, LegKind.RETURN, LegKind.DESTROY})
"""Legs by which value leaves custody with a place in the ledger."""

PAID_FROM_OUTSIDE = frozenset({LegKind.GAS, LegKind.REFUND, LegKind.FORK_CLAIM})
"""Legs that somebody outside custody may pay."""


@dataclass(frozen=True, slots=True)
class Institution:
    """A body that plays a part in a case (SEIZE, DISPOSE, CUSTODY, APPROVE, AUDIT, EXCHANGE).

    aliases: further names that documents and registers call it by.
    """

    ref: str
    name: str
    part: str
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Watch:
    """A holder that a case is interested in.

    ref: unique within the case; a descriptor range or a file of scripts gives one watch per script, ``ref/0``, ...
    birth: the height of the first block that can name the holder; following starts no later.
    outpoints: if not None, only these coins are seized; other coins of the holder count as opening balance.
    storage: hot, cold or multisig; None: not said.
    """

    ref: str
    chain: ChainId
    holder: Holder
    role: Role
    institution: str | None
    birth: int
    outpoints: tuple[Outpoint, ...] | None = None
    storage: str | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """A document that somebody filed, by its SHA-256."""

    ref: str
    title: str
    sha256: bytes


@dataclass(frozen=True, slots=True)
class Attestation:
    """An institution's statement, on a document, that a watched address is its own; bounds are inclusive instants."""

    watch: str
    institution: str
    document: str
    valid_from: int
    valid_to: int | None


@dataclass(frozen=True, slots=True)
class Leg:
    """A planned transfer: who sends what to whom, how much, by when.

    sources: refs of the watches that may be debited; empty means a payer outside the case (gas top-ups, refunds).
    amount, tolerance: base units of ``asset``; max_fee: base units of the native asset, for all its transactions.
    not_before, deadline: inclusive block-time bounds; None leaves the side open.
    needs_test: a confirmed TEST leg to the same script has to come first.
    """

    ref: str
    kind: LegKind
    asset: AssetId
    sources: tuple[str, ...]
    target: str
    amount: int
    tolerance: int
    max_fee: int
    not_before: int | None
    deadline: int | None
    needs_test: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """A case file's declarations, checked and normalised.

    seizures: per chain, the height B0 after which seized balances are counted.
    source_sha256: of the case file's bytes.
    """

    ref: str
    title: str
    preset: str
    seizures: dict[ChainId, int]
    institutions: tuple[Institution, ...]
    watches: tuple[Watch, ...]
    documents: tuple[Document, ...]
    attestations: tuple[Attestation, ...]
    legs: tuple[Leg, ...]
    source_sha256: bytes


def check_case(case: Case) -> None:
    """Raise CaseRefused if a leg goes where its kind cannot, or a seizure height is missing or is the genesis block.

    Legs that deliver (DEPOSIT, RETURN, DESTROY) leave custody; all others stay within it.
    """
    for chain, height in case.seizures.items():
        if height < 1:
            raise CaseRefused(
                f"the seizure height on {chain} is {height}, but following begins above the genesis block",
                "Give the height after which balances count, 1 or more. Nothing was written.",
            )
    watches = {watch.ref: watch for watch in case.watches}
    for leg in case.legs:
        target = watches[leg.target]
        held = target.role in HELD_ROLES
        if leg.kind is not LegKind.TEST and (leg.kind in DELIVERING) == held:
            wanted = "an exchange or refund address" if held else "a seized, authority or agency address"
            raise CaseRefused(
                f"leg {leg.ref}: a {leg.kind.value} leg goes to {wanted}, but {leg.target} is {target.role.value}",
                "Correct the leg's `kind` or `to`, or the watch's `role`. Nothing was written.",
            )
        payers = [watches[ref].role for ref in leg.sources]
        if leg.kind not in PAID_FROM_OUTSIDE and (not payers or not HELD_ROLES.issuperset(payers)):
            raise CaseRefused(
                f"leg {leg.ref}: a {leg.kind.value} leg is paid by seized, authority or agency addresses",
                "Name them in the leg's `from`. Nothing was written.",
            )
        if target.chain not in case.seizures:
            raise CaseRefused(
                f"leg {leg.ref}: the case names no seizure height on {target.chain}",
                "Add the chain to [case.seizure]. Nothing was written.",
            )
