"""Raw blocks laid out, and which of their transactions touch scripts and coins of interest."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import compress, count, islice
from typing import Protocol

from tracer.proof.blocks import Laid, lay
from tracer.types import Outpoint
from watchers.bitcoin.aside import Aside
from watchers.bitcoin.walk import Walked, walk


class Reading(Protocol):
    """A block laid out."""

    @property
    def laid(self) -> Laid:
        """Where its transactions lie, and the tree over them."""

    def candidates(self, coins: Mapping[Outpoint, object], fresh: Collection[Outpoint]) -> Iterator[int]:
        """The positions of its transactions that may be of interest, in chain order.

        coins: those of interest. fresh: such as this block made, in its order; it grows between two candidates.
        """


class Members(Protocol):
    """A set of byte strings that grows."""

    def update(self, members: Iterable[bytes], /) -> None:
        """Add byte strings."""

    def intersection(self, members: Iterable[bytes], /) -> set[bytes]:
        """Those of some byte strings that are in it."""

    def __contains__(self, member: object, /) -> bool: ...


class Reader(Protocol):
    """Reads blocks, for the scripts and coins that it is told of."""

    @property
    def scripts(self) -> Members:
        """The watched script pubkeys."""

    def remember(self, new: Iterable[Outpoint], coins: Collection[Outpoint]) -> None:
        """Be ready for new coins of interest; `coins` are all there are now."""

    def read(self, data: bytes) -> Reading:
        """Lay a block out here and now; raises IndexError or ValueError where it is malformed."""

    async def ahead(self, data: bytes) -> Reading | None:
        """Lay it out on another core, before it is its turn; None where `read` has to do, or to say what is wrong."""

    def close(self) -> None:
        """Let go of the other core. Idempotent."""


MakeReader = Callable[[], Reader]


@dataclass(frozen=True, slots=True)
class PlainReading:
    """See `Reading`; looks up every script and coin when asked for candidates."""

    laid: Laid
    walked: Walked
    watched: Members

    def candidates(self, coins: Mapping[Outpoint, object], fresh: Collection[Outpoint]) -> Iterator[int]:
        """See `Reading`."""
        walked = self.walked
        paid = self.watched.intersection(walked.scripts)
        spent = coins.keys() & walked.points
        if not paid and not spent:
            return
        inputs = dict(zip(walked.points, count()))
        if len(inputs) < len(walked.points):  # a coin is spent twice: whoever goes through all of it meets that
            yield from range(len(walked.spans))
            return
        found = {walked.payer(at) for at in compress(count(), map(paid.__contains__, walked.scripts))}
        found |= {walked.spender(inputs[point]) for point in spent}
        coming, known = sorted(found), 0
        while coming:
            position = heappop(coming)
            yield position
            for point in islice(fresh, known, None):
                later = walked.spender(inputs[point]) if point in inputs else position
                if later > position and later not in found:
                    found.add(later)
                    heappush(coming, later)
            known = len(fresh)


_SHORT = (1 << 60) - 1
_short = _SHORT.__and__


class Hashes:
    """A set of byte strings that keeps 60 bits of each one's hash, which Python keys anew in each process.

    It takes half the memory of the byte strings themselves. One string in 10^12 is wrongly thought to be in a set of a
    million: whoever goes by it asks the store, which knows.
    """

    def __init__(self) -> None:
        self._hashes: set[int] = set()

    def update(self, members: Iterable[bytes]) -> None:
        """Add byte strings."""
        self._hashes.update(map(_short, map(hash, members)))

    def intersection(self, members: Iterable[bytes]) -> set[bytes]:
        """Those of some byte strings that are in it."""
        members = list(members)
        found = self._hashes.intersection(map(_short, map(hash, members)))
        return {member for member in members if hash(member) & _SHORT in found} if found else set()

    def __contains__(self, member: object) -> bool:
        return hash(member) & _SHORT in self._hashes


def read(data: bytes, watched: Members) -> PlainReading:
    """Lay a block out in plain Python; raises IndexError or ValueError where it is malformed."""
    walked = walk(data)
    return PlainReading(lay(data, walked.spans), walked, watched)


class PlainReader:
    """Reads blocks in plain Python; ahead of their turn in another process."""

    def __init__(self, aside: Aside | None = None) -> None:
        """aside: that process, which others may use too; None: no block is read ahead."""
        self.scripts = Hashes()
        self._aside = aside

    def remember(self, new: Iterable[Outpoint], coins: Collection[Outpoint]) -> None:
        """See `Reader`; all coins are at hand when a block is gone through."""

    def read(self, data: bytes) -> PlainReading:
        """See `Reader`."""
        return read(data, self.scripts)

    async def ahead(self, data: bytes) -> PlainReading | None:
        """See `Reader`."""
        found = None if self._aside is None else await self._aside.read(data)
        return None if found is None else PlainReading(*found, self.scripts)

    def close(self) -> None:
        """See `Reader`."""
        if self._aside is not None:
            self._aside.close()
