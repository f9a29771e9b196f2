"""Runs tracerd as an operator does: configuration and case files, a process, its log, its exit code."""

import atexit
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from fixtures.process import spawn
from tracer.store.writer import Store

EXECUTABLE = Path(sys.executable).with_name("tracerd")
END_S = 20.0


@cache
def empty_store() -> Path:
    """A store with tables and views and no row, made once."""
    folder = Path(tempfile.mkdtemp(prefix="custody-tracer-empty-"))
    atexit.register(shutil.rmtree, folder)
    with Store(folder / "store.db"):
        pass
    return folder / "store.db"


_started: "weakref.WeakSet[Tracerd]" = weakref.WeakSet()


@contextmanager
def none_left_running() -> Iterator[None]:
    """End what was started meanwhile and still runs: a test that fails does not come to its own stop."""
    before = set(_started)
    yield
    for one in set(_started) - before:
        one.kill()


class Tracerd:
    """One configured store in a folder of its own, and the process that writes it."""

    def __init__(
        self, folder: Path, chains: Sequence[str], cases: Sequence[str] = (), daemon: str = "", *, new: bool = False
    ) -> None:
        """Write the files; nothing runs yet.

        chains: `[chain.NAME]` tables; cases: case files' contents, imported at the first start.
        new: let the daemon make the store; else it finds an empty one, which saves the test half a second.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.store = folder / "store.db"
        self.config = folder / "config.toml"
        self.log_file = folder / "tracerd.log"
        files = [self.write_case(f"case-{place}.toml", text).name for place, text in enumerate(cases)]
        self.config.write_text(
            f'[store]\nurl = "sqlite:///{self.store}"\n[daemon]\n{daemon}\n'
            f"[cases]\nfiles = {files}\n" + "\n".join(chains)
        )
        if not self.store.exists() and not new:
            shutil.copy(empty_store(), self.store)
        self._process: subprocess.Popen[bytes] | None = None
        self.log_file.touch()
        self._seen = 0

    def write_case(self, name: str, text: str) -> Path:
        """Put a case file beside the configuration."""
        path = self.folder / name
        path.write_text(text)
        return path

    @property
    def pid(self) -> int:
        """Process id of the running daemon."""
        assert self._process is not None, "tracerd is not running"
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> str:
        """Everything that was written to stderr since the last start."""
        return self.log_file.read_bytes()[self._seen :].decode()

    def start(self, *command: str) -> None:
        """Start `tracerd run`, or another command; it ends with this process at the latest."""
        assert not self.running, "tracerd is running"
        _started.add(self)
        self._seen = self.log_file.stat().st_size
        with self.log_file.open("ab") as log:
            self._process = spawn([str(EXECUTABLE), "-c", str(self.config), *(command or ("run",))], log.fileno())

    def wait(self, seconds: float = END_S) -> int:
        """Wait for the end; returns the exit code."""
        assert self._process is not None, "tracerd was not started"
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"tracerd did not end within {seconds} s:\n{self.log}") from None

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end; returns the exit code."""
        os.kill(self.pid, how)
        return self.wait()

    def kill(self) -> None:
        """End it at once (SIGKILL)."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def sync(self) -> int:
        """Catch up and end; returns the exit code."""
        self.start("sync")
        return self.wait(60.0)

    def call(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run another command on the same configuration."""
        return subprocess.run(
            [str(EXECUTABLE), "-c", str(self.config), *command], capture_output=True, text=True, timeout=60, check=False
        )

    def until(self, what: Callable[[], object], sentence: str, seconds: float = 40.0, *, alive: bool = True) -> float:
        """Wait until something is so; returns the seconds it took. Fails with the log, at once if tracerd ended."""
        began = time.monotonic()
        while not what():
            ended = alive and not self.running
            if ended or time.monotonic() - began > seconds:
                why = "tracerd ended" if ended else f"not within {seconds} s"
                raise AssertionError(f"{sentence}: {why}\n{self.log[-4000:]}")
            time.sleep(0.03)
        return time.monotonic() - began
