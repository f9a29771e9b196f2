"""How the daemon ends when its chains do: none ends for another, and the gravest reason is the exit code."""

import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from tracer.command import say
from tracer.errors import NodeLacks, OperatorError, WrongNetwork
from watchers.daemon import _follow
from watchers.follow import Outcome


@dataclass
class Ends:
    """Stands in for a follower that ends after a while."""

    state: str
    after_s: float = 0.0
    error: OperatorError | None = None
    config: Any = field(default_factory=lambda: SimpleNamespace(name="chain", mempool="off"))
    scanner: None = None
    halts: Any = field(default_factory=lambda: SimpleNamespace(settled=asyncio.Event()))
    ended: bool = False

    async def run(self, until_tip: bool) -> Outcome:
        await asyncio.sleep(self.after_s)
        self.ended = True
        return Outcome(self.state, "", self.error)


def end(*followers: Ends) -> int:
    """The exit code, as the command line makes it."""
    try:
        return asyncio.run(_follow(followers, False))  # type: ignore[arg-type]
    except OperatorError as error:
        return say("tracerd", [error])
    except ExceptionGroup as group:
        return say("tracerd", list(group.exceptions))  # type: ignore[arg-type]
    finally:
        assert all(follower.ended for follower in followers)


def refused(error: OperatorError) -> Ends:
    return Ends("refused", error=error)


@pytest.mark.parametrize(
    ("followers", "code", "lines"),
    [
        ([Ends("in step"), Ends("idle")], 0, []),
        ([refused(WrongNetwork("w", "x")), Ends("in step", 0.1)], 2, ["w. x"]),
        ([refused(WrongNetwork("w", "x")), Ends("behind", 0.1)], 2, ["w. x"]),
        ([refused(WrongNetwork("w", "x")), refused(NodeLacks("l", "y"))], 2, ["w. x", "l. y"]),
        ([refused(WrongNetwork("w", "x")), Ends("halted", 0.1)], 3, []),
        ([Ends("unreachable"), Ends("in step")], 4, []),
    ],
)
def test_the_gravest_reason_is_the_exit_code(
    followers: list[Ends], code: int, lines: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert end(*followers) == code
    assert capsys.readouterr().err.splitlines() == [f"tracerd: {line}" for line in lines]
