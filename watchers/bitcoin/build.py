"""Compiles the steps over blocks to native code and writes it to a file: `python -m watchers.bitcoin.build FILE`.

It is a program of its own because numba, once imported, takes memory as long as a process lives.
"""

import os
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm

from watchers.bitcoin.native import ADDRESS, NUMBER, PREFIX, SIGNATURES, WORD, packed, target


def emit() -> bytes:
    """Compile all functions that others call, with what they call, to one object file."""
    from numba import cfunc, types

    from watchers.bitcoin import kernels, tables

    kinds = {ADDRESS: types.voidptr, NUMBER: types.int64, WORD: types.uint64}
    functions = vars(tables) | vars(kernels)
    whole = llvm.parse_assembly("")
    for name, given in SIGNATURES.items():
        made: Any = cfunc(types.int64(*(kinds[kind] for kind in given)))(functions[name])
        module = llvm.parse_assembly(made.inspect_llvm())
        module.get_function(made.native_name).name = PREFIX + name
        whole.link_in(module)
    for one in (*whole.functions, *whole.global_variables):
        if not one.is_declaration and not one.name.startswith(PREFIX):
            one.linkage = llvm.Linkage.internal
    machine = target()
    tuning = llvm.create_pipeline_tuning_options(speed_level=3)
    builder = llvm.create_pass_builder(machine, tuning)
    builder.getModulePassManager().run(whole, builder)
    missing = [one.name for one in whole.functions if one.is_declaration and not one.name.startswith("llvm.")]
    missing += [one.name for one in whole.global_variables if one.is_declaration]
    if missing:  # whoever loads the code would be ended by LLVM
        raise RuntimeError(f"the code calls what is not in it: {', '.join(missing)}")
    return bytes(machine.emit_object(whole))


def write(path: Path, code: bytes) -> None:
    """Put the code in its place at once: whoever looks there finds all of it, or nothing."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(packed(code))
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _end_with_parent() -> None:
    while os.read(0, 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    write(Path(sys.argv[1]), emit())
