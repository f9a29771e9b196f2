"""A block as its parts were fetched and verified: what the scanner is given. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tracer.proof.ethereum import ProvenBlock
from tracer.types import Checked
from watchers.ethereum.frames import Frame
from watchers.ethereum.told import ToldBlock


@dataclass(frozen=True, slots=True)
class RawBlock:
    """A block in JSON whose header hashes to its hash.

    header: with the hashes of its transactions, or with whole ones if `proven`. logs: of a block that is not proven,
    those with the `TRANSFER` signature, as the node tells them. traces: frames in the Parity shape, in block order.
    internal: whether they hold internal calls, else only top frames.
    proven: its transactions and receipts, held against all roots; None: only its header was (policy `hits`).
    told: without `proven`, the transactions of interest and their receipts, by position, as the node tells them.
    checked: WHOLE if all senders are to be recovered as well, so that nothing of the interest can be missing.
    """

    header: Mapping[str, Any]
    logs: Sequence[Mapping[str, Any]]
    traces: Sequence[Frame]
    internal: bool = True
    proven: ProvenBlock | None = None
    checked: Checked = Checked.HEADER
    told: ToldBlock | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """What part watched accounts have in a block: in which transactions, and whether beside them."""

    positions: tuple[int, ...]
    loose: bool
