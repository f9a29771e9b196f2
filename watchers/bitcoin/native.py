"""The compiled steps as native code: made once by another process, kept in a file, and called without numba.

Numba takes 100 MB of memory in each process that imports it, and ten seconds to compile: so the daemon never does.
Importing this needs the extra `fast`.
"""

import atexit
import contextlib
import ctypes
import os
import platform
import stat
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm

AMBIGUOUS, WITNESSES = 1, 2
"""What `read` returns: a transaction has 64 bytes; the tree over the wtxids was worked out."""
ROOM_BYTES, STATE_BYTES, BLOCKS_BYTES, MADE_BYTES = 128, 288, 128, 65_536
"""Room to work in: beyond a block's own bytes; for a state of SHA-256 with its schedule; two of its blocks; `made`."""

ADDRESS, NUMBER, WORD = ctypes.c_void_p, ctypes.c_int64, ctypes.c_uint64
_BYTES, _SPANS, _TABLE, _DESK = (ADDRESS, NUMBER), (ADDRESS, NUMBER), (ADDRESS, NUMBER, WORD), (ADDRESS,) * 3
SIGNATURES = {
    "holds": (*_BYTES, *_TABLE),
    "insert": (*_BYTES, ADDRESS, NUMBER, *_TABLE),
    "move": (ADDRESS, NUMBER, ADDRESS, NUMBER),
    "read": (*_BYTES, NUMBER, *_SPANS, ADDRESS, ADDRESS, ADDRESS, *_DESK, *_TABLE, NUMBER),
    "witness_tree": (*_BYTES, *_SPANS, ADDRESS, ADDRESS, *_DESK),
    "chase": (*_BYTES, *_SPANS, ADDRESS, ADDRESS, ADDRESS, *_TABLE),
}
"""What each function of `tables` and `kernels` is given; all return a NUMBER. A table: its address, slots and key."""
PREFIX = "tracer_"

_CPU, _FEATURES = llvm.get_host_cpu_name(), llvm.get_host_cpu_features()
HAS_INSTRUCTIONS = bool(_FEATURES.get("sha", False))
"""Whether this processor has instructions for SHA-256."""
HOW = "compiled, SHA-256 by the processor's instructions" if HAS_INSTRUCTIONS else "compiled"

SOURCES = ("native", "sha", "tables", "kernels", "build")
DIGEST_BYTES = 32
LONGEST_S, ENDS_S = 300.0, 5.0


class CannotCompile(Exception):
    """The steps could not be made, or not be kept; says why in one line."""


def tree_bytes(total: int) -> int:
    """The room that a tree over so many leaves takes."""
    return 32 * (2 * total + 64)


def target() -> Any:
    """What native code is made for, and loaded as: this processor."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    triple = llvm.Target.from_default_triple()
    reloc = "static" if triple.name.startswith("x86") else "default"
    features = _FEATURES.flatten()
    return triple.create_target_machine(
        cpu=_CPU, features=features, opt=3, reloc=reloc, codemodel="jitdefault", jit=True
    )


class Steps:
    """The functions of `tables` and `kernels`; loading the code again gives others."""

    holds: Callable[..., int]
    insert: Callable[..., int]
    move: Callable[..., int]
    read: Callable[..., int]
    witness_tree: Callable[..., int]
    chase: Callable[..., int]

    def __init__(self, code: bytes) -> None:
        self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target())
        self._engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        self._engine.finalize_object()
        for name, kinds in SIGNATURES.items():
            # a look-up takes less time than to let go of the interpreter's lock and to get it back
            kind = ctypes.PYFUNCTYPE if name == "holds" else ctypes.CFUNCTYPE
            setattr(self, name, kind(NUMBER, *kinds)(self._engine.get_function_address(PREFIX + name)))


def file_name() -> str:
    """The name of the file; another one for all that may lead to other code."""
    key = sha256()
    for source in SOURCES:
        key.update(sha256(Path(__file__).with_name(f"{source}.py").read_bytes()).digest())
    made_with = (version("numba"), version("llvmlite"), version("numpy"), sys.version, platform.machine())
    key.update(repr((made_with, _CPU, _FEATURES.flatten())).encode())
    return f"kernels-{key.hexdigest()[:32]}.o"


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


def load(path: Path) -> Steps | None:
    """The steps in a file; None if it is not there, not whole, or if others than its owner and root may change it."""
    with contextlib.suppress(FileNotFoundError, PermissionError), path.open("rb") as file:
        status = os.fstat(file.fileno())
        content = file.read()
        ours = status.st_uid in (0, os.geteuid()) and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        if ours and sha256(content[DIGEST_BYTES:]).digest() == content[:DIGEST_BYTES]:
            return Steps(content[DIGEST_BYTES:])
    return None


class Maker:
    """Gives the steps, and has them made where they are missing; a process needs one."""

    def __init__(self) -> None:
        self._steps: Steps | None = None
        self._child: subprocess.Popen[bytes] | None = None

    def steps(self, *, wait: bool) -> Steps | None:
        """The steps; None while they are being made: unless it is to wait for them, ten seconds or so.

        Raises CannotCompile.
        """
        try:
            if self._steps is None:
                self._steps = self._found(wait)
        except (OSError, RuntimeError, subprocess.TimeoutExpired) as error:
            raise CannotCompile(str(error)) from error
        return self._steps

    def _found(self, wait: bool) -> Steps | None:
        path = folder() / file_name()
        steps = load(path)
        if steps is not None:
            return steps
        if self._child is None:
            self._child = _compile(path)
            atexit.register(self.close)
        if wait:
            self._child.wait(LONGEST_S)
        if self._child.poll() is None:
            return None
        steps = load(path)
        if steps is None:
            raise CannotCompile("the process that compiles them ended without them")
        return steps

    def close(self) -> None:
        """End the process that compiles. Idempotent."""
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.communicate(timeout=ENDS_S)


MAKER = Maker()


def _compile(path: Path) -> "subprocess.Popen[bytes]":
    """Start the process that compiles; it ends when nothing holds the other side of its input any more."""
    command = [sys.executable, "-P", "-m", "watchers.bitcoin.build", str(path)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)  # noqa: S603
