"""Lays raw blocks out in a process of its own, so that hashing them takes another core than following them.

The process gets bytes and gives back what follows from them alone; it has no watched script, no store and no network.
"""

import asyncio
import contextlib
import gc
import logging
import marshal
import signal
import socket
import subprocess
import sys
import threading
from array import array
from collections.abc import Iterable, Sequence
from itertools import chain
from queue import SimpleQueue

from tracer.proof.blocks import Laid, Tree, lay, wtxids_of
from tracer.proof.merkle import Joined, levels
from watchers.bitcoin.walk import Spans, Walked, walk

log = logging.getLogger(__name__)

SIZE_BYTES = 4
BUFFER_BYTES = 8_000_000
ENDS_S, IDLE_S, ANSWERS_S = 5.0, 60.0, 30.0


class Aside:
    """The process, started when it is first needed; it answers in the order in which it is asked."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._opening, self._answering = asyncio.Lock(), asyncio.Lock()
        self._failed = False
        self._tasks: set[asyncio.Task[bytes]] = set()
        self._resting: asyncio.TimerHandle | None = None

    @property
    def pid(self) -> int | None:
        """The process's number; None while there is none."""
        return None if self._process is None else self._process.pid

    async def read(self, data: bytes) -> tuple[Laid, Walked] | None:
        """Lay a block out; None where its bytes are malformed, or the process cannot be used."""
        if self._failed or not data:
            return None
        task = asyncio.create_task(self._answer(data))
        self._tasks.add(task)  # it goes on when its caller does not: its answer would be taken for the next one's
        task.add_done_callback(self._tasks.discard)
        answer = await asyncio.shield(task)
        return unpack(data, answer) if answer else None

    async def _answer(self, data: bytes) -> bytes:
        streams = None
        try:
            async with self._opening:
                streams = reader, writer = self._streams or await self._open()
            writer.write(len(data).to_bytes(SIZE_BYTES, "little") + data)
            self._stir()
            # first come, first served: answers come in the order of the questions
            async with asyncio.timeout(ANSWERS_S), self._answering:
                size = int.from_bytes(await reader.readexactly(SIZE_BYTES), "little")
                answer = await reader.readexactly(size)
        except (OSError, asyncio.IncompleteReadError) as error:  # TimeoutError is one of the first
            if self._streams is streams:  # else it was closed on purpose
                log.warning("the process that lays blocks out ended (%r): it is done here", error)
                self._failed = True
                self.close()
            return b""
        self._rest()
        return answer

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        self._process, link = _start()
        self._streams = await asyncio.open_connection(sock=link, limit=BUFFER_BYTES)
        return self._streams

    def _stir(self) -> None:
        """Forget that the process was to end: it is asked again."""
        if self._resting is not None:
            self._resting.cancel()
            self._resting = None

    def _rest(self) -> None:
        """End the process once nobody has asked for a while."""
        self._stir()
        self._resting = asyncio.get_running_loop().call_later(IDLE_S, self.close)

    def close(self) -> None:
        """End the process. Idempotent; it is started again when it is needed."""
        self._stir()
        streams, process = self._streams, self._process
        self._streams = self._process = None
        if streams is not None:
            with contextlib.suppress(RuntimeError):  # its loop may be over
                streams[1].close()
        if process is not None:
            process.kill()
            process.wait(ENDS_S)


def _start() -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Start the process; returns it, and our end of the link to it."""
    ours, theirs = socket.socketpair()
    with theirs:
        command = [sys.executable, "-P", "-m", __name__, str(theirs.fileno())]
        process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)  # noqa: S603
    ours.setblocking(False)
    return process, ours


def pack(data: bytes) -> bytes:
    """Lay a block out and write down what was found; nothing for bytes that are malformed."""
    try:
        walked = walk(data)
        laid = lay(data, walked.spans)
    except (IndexError, ValueError):
        return b""
    try:
        witnesses = _joined(levels(wtxids_of(data, walked.spans, laid.tree[0])))
    except ValueError:
        witnesses = None  # whoever needs it works it out again, and says why it will not do
    found = (
        _numbers(chain.from_iterable(walked.spans)),
        _joined(laid.tree),
        laid.ambiguous,
        witnesses,
        (walked.points, _numbers(walked.point_ends), walked.scripts, _numbers(walked.script_ends)),
    )
    return marshal.dumps(found)


def unpack(data: bytes, answer: bytes) -> tuple[Laid, Walked]:
    """Read what `pack` wrote down of the block."""
    places, tree, ambiguous, witnesses, found = marshal.loads(answer)  # noqa: S302 - from our own process
    spans = Spans(array("I", places))
    points, point_ends, scripts, script_ends = found
    txids = _levels(tree)

    def witness_tree() -> Tree:
        return levels(wtxids_of(data, spans, txids[0])) if witnesses is None else _levels(witnesses)

    return Laid(spans, txids, ambiguous, witness_tree), Walked(
        spans, points, array("I", point_ends), scripts, array("I", script_ends)
    )


def _numbers(numbers: Iterable[int]) -> bytes:
    return array("I", numbers).tobytes()


def _joined(tree: Tree) -> list[bytes]:
    return [b"".join(level) for level in tree]


def _levels(tree: Sequence[bytes]) -> Tree:
    return [Joined(level) for level in tree]


def serve(link: socket.socket) -> None:
    """Answer until the other side is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it ends with its daemon, not before
    gc.disable()  # nothing here refers to itself
    questions, answers = SimpleQueue[bytes](), SimpleQueue[bytes]()
    for work, queue in ((_receive, questions), (_send, answers)):  # so that no block waits for a busy other side
        threading.Thread(target=work, args=(link, queue), daemon=True).start()
    while data := questions.get():
        answers.put(pack(data))


def _receive(link: socket.socket, questions: "SimpleQueue[bytes]") -> None:
    with link.makefile("rb") as stream:
        while len(size := stream.read(SIZE_BYTES)) == SIZE_BYTES:
            questions.put(stream.read(int.from_bytes(size, "little")))
    questions.put(b"")


def _send(link: socket.socket, answers: "SimpleQueue[bytes]") -> None:
    with contextlib.suppress(OSError):  # the other side is gone: the receiver ends the process
        while True:
            answer = answers.get()
            link.sendall(len(answer).to_bytes(SIZE_BYTES, "little") + answer)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
