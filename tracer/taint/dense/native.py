"""The dense engine's loops as native code: made once by another process, kept in a file, and called without numba.

Numba takes a part of a second and tens of megabytes in each process that imports it, and seconds to compile: so only
`build` does. Importing this needs the extra `fast`.
"""

import contextlib
import ctypes
import os
import platform
import stat
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm

DONE, ROOM, FEES = range(3)
"""What a loop returns: all is done; it needs NEEDED more parts in the arena; it needs room for the fees of a block."""

ARRAYS = [
    "heights",
    "in_start",
    "out_start",
    "in_coin",
    "in_amount",
    "out_amount",
    "total",
    "whose",
    "order",
    "state",
    "hops",
    "cells",
    "offset",
    "ranks",
    "units",
    "masks",
    "fee",
    "fee_rows",
    "sums",
    "seen",
]
CONTROL = [
    "NEXT",
    "STOP",
    "LIVE",
    "TRACED",
    "LABELS",
    "WORDS",
    "HEIGHT",
    "FEES_USED",
    "FEES_ROOM",
    "USED",
    "ROOM_AT",
    "NEEDED",
    "HOPS",
    "LEAST",
    "MOST_LIVE",
    "TXS",
    "INS",
    "OUTS",
]
"""Numbers that a loop is given, and changes: the transactions to do, live coins, traced transactions, labels, words per
set of labels (or which tiling), the block whose fees are being added up, fees written and room for them, parts written
and room for them, the limits, and how many transactions, inputs and
outputs there are."""
CELL, COUNT, HOP = 4, 1, 2
"""Numbers in a cell: where a list begins, how long it is, the hop; what lies together is read at once."""
LOOPS = ("poison", "haircut", "tiling")
PREFIX = "tracer_"

SOURCES = ("native", "lent", "kernels", "build", "task")
DIGEST_BYTES = 32
LONGEST_S = 300.0

_CPU, _FEATURES = llvm.get_host_cpu_name(), llvm.get_host_cpu_features()


class CannotCompile(Exception):
    """The loops could not be made, or not be kept; says why in one line."""


def target() -> Any:
    """What native code is made for, and loaded as: this processor."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    triple = llvm.Target.from_default_triple()
    reloc = "static" if triple.name.startswith("x86") else "default"
    return triple.create_target_machine(
        cpu=_CPU, features=_FEATURES.flatten(), opt=3, reloc=reloc, codemodel="jitdefault", jit=True
    )


class Loops:
    """The functions of `kernels`, from the code that `build` made."""

    def __init__(self, code: bytes) -> None:
        self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target())
        self._engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        self._engine.finalize_object()
        kind = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p)
        self.by_name: dict[str, Callable[..., int]] = {
            name: kind(self._engine.get_function_address(PREFIX + name)) for name in LOOPS
        }


def file_name() -> str:
    """The name of the file; another one for all that may lead to other code."""
    key = sha256()
    for source in SOURCES:
        key.update(sha256(Path(__file__).with_name(f"{source}.py").read_bytes()).digest())
    made_with = (version("numba"), version("llvmlite"), version("numpy"), sys.version, platform.machine())
    key.update(repr((made_with, _CPU, _FEATURES.flatten())).encode())
    return f"dense-{key.hexdigest()[:32]}.o"


def folder() -> Path:
    """Where the file is kept: beside the module's own compiled form, or else among the user's cached files."""
    beside = Path(__file__).with_name("__pycache__")
    if beside.is_dir() and os.access(beside, os.W_OK):
        return beside
    cached = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "custody-tracer"
    cached.mkdir(mode=0o700, parents=True, exist_ok=True)
    return cached


def packed(code: bytes) -> bytes:
    """The content of the file: the code behind its digest, which a file that was cut short does not have."""
    return sha256(code).digest() + code


def load(path: Path) -> Loops | None:
    """The loops in a file; None if it is not there, not whole, or if others than its owner and root may change it."""
    with contextlib.suppress(FileNotFoundError, PermissionError), path.open("rb") as file:
        status = os.fstat(file.fileno())
        content = file.read()
        ours = status.st_uid in (0, os.geteuid()) and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        if ours and sha256(content[DIGEST_BYTES:]).digest() == content[:DIGEST_BYTES]:
            return Loops(content[DIGEST_BYTES:])
    return None


@cache
def loops() -> Loops:
    """The loops; has them made, which takes ten seconds or so, where they are missing. Raises CannotCompile."""
    try:
        path = folder() / file_name()
        found = load(path)
        if found is None:
            command = [sys.executable, "-P", "-m", "tracer.taint.dense.build", str(path)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_S, check=False)  # noqa: S603
            found = load(path)
            if found is None:
                raise CannotCompile(f"the process that compiles ended with {done.returncode}: {done.stderr[-300:]!r}")
    except (OSError, RuntimeError, subprocess.TimeoutExpired) as error:
        raise CannotCompile(str(error)) from error
    return found
