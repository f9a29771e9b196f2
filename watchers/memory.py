"""Keeps the search for reference cycles away from what is loaded and stays.

A million watched holders are one set: Python's collector walks all of it at every full collection, a third of a second
in which no block is looked at, to find that it refers to nothing. What a block leaves behind is freed by counting.
"""

import contextlib
import gc
from collections.abc import Iterator

YOUNG, MIDDLE, OLD = 20_000, 20, 50
"""After how many allocations, collections of the young, and of the middle generation a collection comes."""


@contextlib.contextmanager
def staying() -> Iterator[None]:
    """Let no collection look at what is made in this context, neither now nor later."""
    gc.collect()  # what is frozen is never looked at again: so no cycle may be among it
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
        gc.set_threshold(YOUNG, MIDDLE, OLD)
