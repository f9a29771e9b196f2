"""A daemon at work on devnets, and the one check that every test ends with: the store says what the nodes say."""

import signal
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from fixtures.ledger.agree import compare
from fixtures.ledger.check import Check, failures
from fixtures.ledger.nouns import Limits
from harness.devnet import Devnet, case_file
from harness.stored import Fact, Stored
from harness.tracerd import Tracerd


class Scene:
    """Devnets, one case that watches them with what they hold now as seized, and a daemon with its store."""

    def __init__(
        self,
        folder: Path,
        nets: Sequence[Devnet],
        *,
        legs: Sequence[str] = (),
        daemon: str = "",
        births: Sequence[int] | None = None,
    ) -> None:
        """Prepare; the daemon is not started.

        births: the heights from which on the holders are watched; default is from when they have anything.
        """
        self.nets = tuple(nets)
        self.legs = tuple(legs)
        births = [net.first for net in nets] if births is None else births
        self.cases = [case_file(nets, births, [net.height() for net in nets], legs=legs)]
        self._folder, self._daemon = folder, daemon
        self.limits = {net.name: Limits(max_hops=10_000, min_amount=0) for net in nets}
        self.configure()
        self._ever: dict[str, Counter[Fact]] = {net.name: Counter() for net in nets}

    def configure(
        self, *, table: str | None = None, port: int | None = None, sources: Sequence[str] = (), **settings: object
    ) -> None:
        """Write the configuration anew: with this chain table, or with settings other than the defaults.

        sources: tables of further nodes.
        """
        chains = [net.table(port=port, **settings) if table is None else table for net in self.nets]
        chains += sources
        self.daemon = Tracerd(self._folder, chains, self.cases, self._daemon)
        self.stored = Stored(self.daemon.store)

    def stands(self, net: Devnet) -> bool:
        """Whether the store's cursor is the node's tip, and the daemon says so."""
        if " opened" not in self.daemon.log:
            return False  # what the store says is from before the last start
        height = net.height()
        status = self.stored.status(net.name)
        return (
            self.stored.tip(net.name) == (height, net.hashes(height, height)[0])
            and status is not None
            and (status.state, status.node_height) == ("in step", height)
        )

    def in_step(self, seconds: float = 40.0) -> float:
        """Wait until the store stands where every node stands; returns the seconds it took."""
        return sum(
            self.daemon.until(lambda net=net: self.stands(net), f"{net.name} in step", seconds)  # type: ignore[misc]
            for net in self.nets
        )

    def state(self, net: Devnet, state: str, seconds: float = 40.0) -> None:
        """Wait until the daemon says this of a node."""
        self.daemon.until(lambda: (self.stored.status(net.name) or ("",))[0] == state, f"{net.name} {state}", seconds)

    def check(self) -> None:
        """Hold the store against the independent ledger, and see that no fact was ever lost or doubled."""
        self.agree()
        for net in self.nets:
            every = self.stored.facts(net.name, orphaned=True)
            assert [fact for fact, times in every.items() if times > 1] == [], f"{net.name}: stored twice"
            assert self._ever[net.name] - every == Counter(), f"{net.name}: lost by a reorg"
            self._ever[net.name] |= every
        assert self.stored.faults() == []

    def agree(self, store: Path | None = None) -> list[Check]:
        """Compare this store, or another of the same chains, with the nodes by the ledger's own rules."""
        checks = compare(store or self.stored.path, {net.name: net.reader for net in self.nets}, self.limits)
        found = failures(checks)
        assert not found, "\n".join(["the ledger and the store differ:", *found[:20]])
        return checks

    def end(self) -> None:
        """Stop the daemon; it ends cleanly."""
        assert self.daemon.stop(signal.SIGTERM) == 0, self.daemon.log
        assert "Traceback" not in self.daemon.log
