"""Compiles the dense engine's loops and writes them to a file: `python -m tracer.taint.dense.build FILE`."""

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm

from tracer.taint.dense.native import LOOPS, PREFIX, packed, target


def emit() -> bytes:
    """Compile the loops, with what they call, to one object file."""
    from numba import cfunc, types

    from tracer.taint.dense import kernels

    signature = types.int64(types.voidptr, types.voidptr)
    whole = llvm.parse_assembly("")
    for name in LOOPS:
        made: Any = cfunc(signature, error_model="numpy")(getattr(kernels, name))
        module = llvm.parse_assembly(made.inspect_llvm())
        module.get_function(made.native_name).name = PREFIX + name
        whole.link_in(module)
    for one in (*whole.functions, *whole.global_variables):
        if not one.is_declaration and not one.name.startswith(PREFIX):
            one.linkage = llvm.Linkage.internal
    machine = target()
    builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=3))
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


if __name__ == "__main__":
    write(Path(sys.argv[1]), emit())
