"""What the daemon tells of one chain: its status row, and alerts, each of them a row before it is a line."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tracer.errors import OperatorError
from tracer.notices import Notice
from tracer.store.chains import ChainHandle
from tracer.store.writer import Store
from tracer.types import BlockRef
from watchers.family import ChainConfig

STATUS_S = 5.0
"""How often an unchanged node is noted in the store."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How following ended: `in step`, `behind`, `weaker branch`, `unreachable`, `idle`, `halted` or `refused`, and why.

    refused: only a person can put it right, and `error` says how.
    """

    state: str
    message: str
    error: OperatorError | None = None


class Standing:
    """Tells the store, and whoever listens, how one chain stands."""

    def __init__(
        self, config: ChainConfig, store: Store, handle: ChainHandle, tell: Callable[[str, Notice], None]
    ) -> None:
        self.handle = handle
        self._config, self._store, self._tell = config, store, tell
        self._status: tuple[object, ...] = ()
        self._status_at = 0.0
        self._behind_since: float | None = None
        self._behind_told = False
        self._skipped: set[str] = set()

    def note(self, best: BlockRef | None, outcome: Outcome) -> None:
        """Tell the store what was seen of the node, when that changes and every few seconds."""
        status = (best.hash if best else None, outcome)
        if status != self._status or time.monotonic() - self._status_at > STATUS_S:
            self._status, self._status_at = status, time.monotonic()
            self._store.set_status(self.handle, best, outcome.state, outcome.message, int(time.time()))

    def behind(self, best: BlockRef, tip: BlockRef, state: str = "behind") -> Outcome:
        """Note that the node is behind, or on a `weaker branch`; an alert follows after the deadline."""
        outcome = Outcome(state, f"the node is at {best.height}, the store at {tip.height}")
        self.note(best, outcome)
        self._behind_since = self._behind_since or time.monotonic()
        if not self._behind_told and time.monotonic() - self._behind_since >= self._config.behind_alert_s:
            self._behind_told = True
            self.alert(Notice("NODE-1", "WARN", f"{self._config.name}: {outcome.message}; nothing was disconnected"))
        return outcome

    def not_behind(self) -> None:
        """The node is not behind now."""
        self._behind_since, self._behind_told = None, False

    def end(self, rule: str, outcome: Outcome) -> Outcome:
        """Note and tell that this chain is no longer followed."""
        self.note(None, outcome)
        self.alert(Notice(rule, "CRITICAL", outcome.message))
        return outcome

    def alert(self, notice: Notice) -> None:
        """Store an alert that belongs to no block, and tell it."""
        self._store.alert(self.handle, notice, int(time.time()))
        self._tell(self._config.name, notice)

    def skip(self, reasons: Iterable[str], ref: BlockRef) -> None:
        """Store and tell, once per reason, what could not be read: it is not shown, and nobody may think it was."""
        for reason in reasons:
            if reason in self._skipped:
                continue
            if self._store.note_unobserved(self.handle, ref.height, reason, int(time.time())):
                self.tell([Notice("DATA-1", "WARN", f"from height {ref.height}: {reason}")])
            self._skipped.add(reason)

    def tell(self, notices: Iterable[Notice]) -> None:
        """Tell alerts that are stored, and what the oversight of cases found with them."""
        for notice in [*notices, *self._store.oversight.take_told()]:
            self._tell(self._config.name, notice)
