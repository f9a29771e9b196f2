"""Runs a command as a newcomer does, in an empty folder, and looks for what it leaves behind."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil  # type: ignore[import-untyped]

ROOT = Path(__file__).parents[2]


@contextmanager
def short_folder() -> Iterator[Path]:
    """A temporary folder with a short name, for the command's own temporary files: the daemon's socket is in it."""
    folder = Path(tempfile.mkdtemp(prefix="ct-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def start(temporary: Path, folder: Path, command: list[str]) -> subprocess.Popen[str]:
    """Start a command in a folder, its temporary files elsewhere."""
    return subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def left_over(temporary: Path) -> list[str]:
    """Files in the temporary folder, and processes that were started with one of them."""
    processes = []
    for process in psutil.process_iter(["cmdline"]):
        line = " ".join(process.info["cmdline"] or [])
        if str(temporary) in line:
            processes.append(line)
    return [*processes, *(str(path) for path in temporary.rglob("*"))]


def wait_for_nothing(temporary: Path) -> list[str]:
    """Give processes that were told to end a moment; returns what stays."""
    deadline = time.monotonic() + 5
    while (left := left_over(temporary)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left
