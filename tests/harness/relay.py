"""A server in front of a node that passes everything on, takes its time, counts what is asked, and lies on cue."""

import http.client
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

PASSED_ON = ("Authorization", "Content-Type")


Lie = Callable[[str, bytes, bytes], bytes]
"""Given the path, what was asked and what the node answered, what to say instead."""


class Relay:
    """Relays HTTP to a loopback port while the context lasts; `lie` and `delay_s` may be set at any time."""

    def __init__(self, port: int, *, delay_s: float = 0.0, lie: Lie | None = None) -> None:
        """delay_s: how long each answer is held back, as a distant node would."""
        relay = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                relay._serve(self, b"")

            def do_POST(self) -> None:
                relay._serve(self, self.rfile.read(int(self.headers["Content-Length"])))

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._node, self.delay_s, self.lie = port, delay_s, lie
        self._lock = threading.Lock()
        self._now = self.most_at_once = self.requests = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), name="relay", daemon=True)

    def _serve(self, asked: BaseHTTPRequestHandler, body: bytes) -> None:
        with self._lock:
            self.requests += 1
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
        try:
            node = http.client.HTTPConnection("127.0.0.1", self._node, timeout=30)
            headers = {name: asked.headers[name] for name in PASSED_ON if name in asked.headers}
            node.request(asked.command, asked.path, body or None, headers)
            answer = node.getresponse()
            told = answer.read()
            node.close()
            if self.lie is not None:
                told = self.lie(asked.path, body, told)
            time.sleep(self.delay_s)
        finally:
            with self._lock:
                self._now -= 1
        asked.send_response(answer.status)
        asked.send_header("Content-Type", answer.headers.get("Content-Type", "application/octet-stream"))
        asked.send_header("Content-Length", str(len(told)))
        asked.end_headers()
        asked.wfile.write(told)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
