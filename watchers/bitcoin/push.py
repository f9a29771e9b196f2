"""bitcoind's push over ZMQ: which topics wake whom, and whether a publisher is there.

ZMQ has no authentication, so nothing that it says is believed: it only wakes, and a raw block that it brings is checked
by its hash like one that was asked for. `hashblock` and `rawblock` fire once for
a reorganisation of several blocks and not at all for a chain that gets shorter; `sequence` fires for every block
connected or disconnected and every transaction added to or removed from the mempool.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

import zmq
import zmq.asyncio
from zmq.utils.monitor import recv_monitor_message

from tracer.proof.headers import HEADER_BYTES, hash_of
from tracer.types import BlockRef, Hash
from watchers.bitcoin.named import NamedCalls
from watchers.bitcoin.scan import RawBlock
from watchers.node import Lack
from watchers.wake import Wake, is_loopback

log = logging.getLogger(__name__)

RAW_BLOCK, SEQUENCE = "rawblock", "sequence"
BLOCK_TOPICS = ("hashblock", RAW_BLOCK)
KEPT = {BLOCK_TOPICS: 4, (SEQUENCE,): 1000}
"""Topics heard by one socket, and how many messages wait for us: a raw block has megabytes, and only wakes."""

BLOCKS_KEPT = 2
LONGEST = 32 * 2**20
HEARTBEAT_MS, SILENT_MS, AGAIN_MS, AGAIN_MOST_MS = 5_000, 15_000, 200, 5_000
HANDSHAKE_S = 5.0
CONNECTED, DISCONNECTED = b"C", b"D"
LABEL_AT = 32
"""Where a `sequence` message has its label, after a hash."""


class ZmqPush:
    """The publishers of one bitcoind; see `watchers.node.Push`."""

    def __init__(self, urls: Sequence[str], named: NamedCalls) -> None:
        """named: asks the node what it publishes."""
        self._urls, self._named = tuple(urls), named
        self._blocks: dict[Hash, bytes] = {}

    @property
    def where(self) -> str:
        """The publishers' addresses."""
        return ", ".join(self._urls)

    async def listen(self, wake: Wake) -> None:
        """Ring for every message, for ever; ZMQ connects again by itself, and drops what nobody could take."""
        for url in self._urls:
            if not is_loopback(url):
                log.warning("push=%s is not on this machine, and ZMQ has no authentication: anybody may wake us", url)
        context = zmq.asyncio.Context()
        try:
            async with asyncio.TaskGroup() as group:
                for url in self._urls:
                    for topics, kept in KEPT.items():
                        group.create_task(self._listen(_socket(context, url, topics, kept), wake))
        finally:
            context.destroy(linger=0)

    async def _listen(self, socket: zmq.asyncio.Socket, wake: Wake) -> None:
        while True:
            topic, *rest = await socket.recv_multipart()
            self.hear(wake, topic, rest[0] if rest else b"")

    def header(self, block: Hash) -> bytes | None:
        """The header of a block that was pushed lately; it hashes to that hash."""
        raw = self._blocks.get(block)
        return None if raw is None else raw[:HEADER_BYTES]

    def pushed(self, ref: BlockRef) -> RawBlock | None:
        """Hand out, once, a block that was pushed lately: only its header is sure to be the right one."""
        raw = self._blocks.pop(ref.hash, None)
        return None if raw is None else RawBlock(ref, raw)

    def hear(self, wake: Wake, topic: bytes, body: bytes) -> None:
        """Take one message: keep a raw block for a moment, and ring."""
        if topic == RAW_BLOCK.encode() and len(body) > HEADER_BYTES:
            self._blocks[hash_of(body[:HEADER_BYTES])] = body
            while len(self._blocks) > BLOCKS_KEPT:
                del self._blocks[next(iter(self._blocks))]
        ring(wake, topic, body)

    async def lacks(self) -> list[Lack]:
        """Ask the node what it publishes, and try each publisher."""
        told: list[dict[str, object]] = await self._named.acall("getzmqnotifications", [])
        lacking = [
            Lack(f"{what} is published at none of {self.where}", f"Start bitcoind with -zmqpub{topic}={self._urls[0]}.")
            for what, topic in not_published(self._urls, told)
        ]
        found = await asyncio.gather(*(_answers(url) for url in self._urls))
        silent = [url for url, fine in zip(self._urls, found, strict=True) if not fine]
        return lacking + [Lack(f"no ZMQ publisher answers at {url}", "Correct `zmq`.") for url in silent]


def not_published(urls: Sequence[str], told: Sequence[Mapping[str, object]]) -> list[tuple[str, str]]:
    """What a node's `getzmqnotifications` has at none of our ports: in words, and the topic to publish."""
    ports = {urlsplit(url).port for url in urls}
    heard = {note["type"] for note in told if _port(str(note["address"])) in ports}
    lacking = []
    if not heard.intersection(f"pub{topic}" for topic in BLOCK_TOPICS):
        lacking.append((" or ".join(BLOCK_TOPICS), BLOCK_TOPICS[0]))
    if f"pub{SEQUENCE}" not in heard:
        lacking.append((SEQUENCE, SEQUENCE))
    return lacking


def _port(address: str) -> int | None:
    port = address.rpartition(":")[2]
    return int(port) if port.isdigit() else None


def _socket(context: zmq.asyncio.Context, url: str, topics: Sequence[str], kept: int) -> zmq.asyncio.Socket:
    socket = context.socket(zmq.SUB)
    for option, value in (
        (zmq.RCVHWM, kept),
        (zmq.MAXMSGSIZE, LONGEST),
        (zmq.HEARTBEAT_IVL, HEARTBEAT_MS),  # a frozen node keeps its connections
        (zmq.HEARTBEAT_TIMEOUT, SILENT_MS),
        (zmq.RECONNECT_IVL, AGAIN_MS),
        (zmq.RECONNECT_IVL_MAX, AGAIN_MOST_MS),
    ):
        socket.setsockopt(option, value)
    for topic in topics:
        socket.setsockopt(zmq.SUBSCRIBE, topic.encode())
    socket.connect(url)
    return socket


def ring(wake: Wake, topic: bytes, body: bytes) -> None:
    """Ring for one message: every block changes the mempool too."""
    label = body[LABEL_AT : LABEL_AT + 1]
    if topic != SEQUENCE.encode() or label in (CONNECTED, DISCONNECTED):
        wake.blocks.ring()
    wake.mempool.ring()


async def _answers(url: str) -> bool:
    """Whether a publisher shakes hands."""
    context = zmq.asyncio.Context()
    socket = context.socket(zmq.SUB)
    try:
        monitor = socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED)
        socket.connect(url)
        async with asyncio.timeout(HANDSHAKE_S):
            await recv_monitor_message(monitor)
        return True
    except TimeoutError:
        return False
    finally:
        socket.disable_monitor()
        context.destroy(linger=0)
