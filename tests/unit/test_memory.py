"""What is loaded and stays is out of the collector's sight; cycles made afterwards are not."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from watchers.memory import YOUNG, staying


class Knot:
    """Refers to itself."""

    def __init__(self) -> None:
        self.me = self


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


def test_what_stays_is_not_looked_at_again_and_what_comes_later_is() -> None:
    before = gc.get_freeze_count()
    with staying():
        assert not gc.isenabled()
        kept = [[number] for number in range(1000)]
    assert gc.get_freeze_count() >= before + len(kept)
    assert gc.isenabled() and gc.get_threshold()[0] == YOUNG
    later = weakref.ref(Knot())
    gc.collect()
    assert later() is None


def test_cycles_from_before_are_freed_first() -> None:
    lost = weakref.ref(Knot())
    with staying():
        pass
    assert lost() is None
