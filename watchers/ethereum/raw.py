"""A block as its parts were fetched and verified: what the scanner is given. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tracer.proof.ethereum import ProvenBlock
from tracer.types import BlockRef, Checked
from watchers.ethereum.frames import Frame
from watchers.ethereum.told import ToldBlock


@dataclass(frozen=True, slots=True)
class Part:
    """What part watched accounts have in a block: in which transactions, and whether beside them."""

    positions: tuple[int, ...]
    loose: bool


Concerns = Callable[["RawBlock"], Part | None]
"""Says what part a scanner's watched accounts have in a block."""


@dataclass(frozen=True, slots=True)
class Unread:
    """A block that concerns a scanner, and was not read for it: it is to be fetched whole."""

    ref: BlockRef


@dataclass(frozen=True, slots=True)
class RawBlock:
    """A block in JSON whose header hashes to its hash.

    header: with the hashes of its transactions, or with whole ones if `proven`. logs: of a block that is not proven,
    those with the `TRANSFER` signature, as the node tells them. traces: frames in the Parity shape, in block order.
    internal: whether they hold internal calls, else only top frames.
    proven: its transactions and receipts, held against all roots; None: only its header was (policy `hits`).
    told: without `proven`, the transactions of interest and their receipts, by position, as the node tells them.
    by: whose interest decided that, by a scanner's `concerns`, when `size` accounts were watched; another's must look
    again, and the same one's after it grew.
    checked: WHOLE if all senders are to be recovered as well, so that nothing of the interest can be missing.
    """

    header: Mapping[str, Any]
    logs: Sequence[Mapping[str, Any]]
    traces: Sequence[Frame]
    internal: bool = True
    proven: ProvenBlock | None = None
    checked: Checked = Checked.HEADER
    told: ToldBlock | None = None
    by: Concerns | None = field(default=None, compare=False)
    size: int = field(default=0, compare=False)
