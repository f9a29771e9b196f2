"""A record waits for a daemon that owns the store and does not listen yet, and for nothing else."""

from typing import Any

import pytest

from tracer.errors import OperatorError, StoreLocked, StoreUnusable
from watchers import recordrun


class Starting:
    """A daemon that answers from the third question on; until then it owns the store, or there is another fault."""

    def __init__(self, cause: Exception) -> None:
        self.cause, self.asked = cause, 0

    async def ask(self, *_: object) -> dict[str, Any] | None:
        self.asked += 1
        return {"filed": []} if self.asked == 3 else None

    def alone(self) -> dict[str, Any]:
        raise OperatorError("it does not answer yet", "Try again.") from self.cause


@pytest.mark.parametrize(
    ("cause", "tries", "asked"), [(StoreLocked("x"), 3, 3), (StoreLocked("x"), 2, 2), (StoreUnusable("x"), 3, 1)]
)
async def test_a_record_waits_for_a_daemon_that_is_starting(
    cause: Exception, tries: int, asked: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon = Starting(cause)
    monkeypatch.setattr(recordrun, "ask", daemon.ask)
    monkeypatch.setattr(recordrun, "TRIES", tries)
    monkeypatch.setattr(recordrun, "WAIT_S", 0.0)
    monkeypatch.setattr(recordrun, "socket_path", lambda *_: None)
    monkeypatch.setattr(recordrun, "store_path", lambda *_: None)
    waiting = recordrun.answered(None, "record", {}, daemon.alone)  # type: ignore[arg-type]
    if asked == 3:
        assert await waiting == {"filed": []}
    else:
        with pytest.raises(OperatorError, match="does not answer yet"):
            await waiting
    assert daemon.asked == asked
