"""Which cases watch a holder, by the store's rows."""

from collections.abc import Iterable

from sqlalchemy import Connection

from tracer.opening import Interest
from tracer.store.chains import ChainHandle
from tracer.store.counting import published
from tracer.types import Holder, Outpoint, Role

REMEMBERED = 100_000
"""How many answers are kept at most."""

TOGETHER = 500


class InterestReader:
    """Looks up which cases watch a holder, one by one or many together, and remembers the answers."""

    def __init__(self, connection: Connection, chain: ChainHandle, where: str = "") -> None:
        """where: which rows of `watch w` count; those of published cases if it is empty."""
        driver = connection.connection.driver_connection
        assert driver is not None
        self._driver, self._chain_id = driver, chain.id
        self._known: dict[Holder, tuple[Interest, ...]] = {}
        self._question = (
            "SELECT h.key, w.case_id, w.role, w.outpoints, w.storage FROM watch w JOIN holder h ON h.id = w.holder_id"
            f" WHERE h.chain_id = ? AND h.key IN (%s) AND {where or published('w')} ORDER BY w.case_id"
        )

    def __call__(self, holder: Holder) -> tuple[Interest, ...]:
        """The cases that watch a holder, by case."""
        known = self._known.get(holder)
        if known is None:
            self.look_up([holder])
            known = self._known[holder]
        return known

    def look_up(self, holders: Iterable[Holder]) -> None:
        """Ask for many holders together, which takes a third of the time."""
        unknown = list({holder for holder in holders if holder not in self._known})
        if len(self._known) > REMEMBERED:
            self._known.clear()
        for start in range(0, len(unknown), TOGETHER):
            part = unknown[start : start + TOGETHER]
            found: dict[Holder, tuple[Interest, ...]] = dict.fromkeys(part, ())
            marks = ", ".join("?" * len(part))
            for key, case_id, role, points, storage in self._driver.execute(
                self._question % marks, (self._chain_id, *part)
            ):
                named = None if points is None else split_outpoints(points)
                interest = Interest(case_id, Role(role), named, storage == "cold")
                found[key] += (interest,)
            self._known.update(found)


def split_outpoints(joined: bytes) -> frozenset[Outpoint]:
    """Cut joined 36-byte outpoints apart."""
    return frozenset(Outpoint(joined[start : start + 36]) for start in range(0, len(joined), 36))
