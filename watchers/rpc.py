"""The one checked JSON-RPC transport, used under web3, bitcoinrpc and the followers."""

import asyncio
import itertools
import json
from base64 import b64encode
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import unquote, urlsplit, urlunsplit

import aiohttp
import orjson

from tracer.errors import BadConfig, NodeMissing, NodeUnavailable, OperatorError

WARMING_UP = -28
CHUNK = 2**18


class RpcError(Exception):
    """The node understood the question and answered it with a JSON-RPC error."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{message} ({code})")
        self.code = code
        self.message = message


class NotAuthorised(OperatorError):
    """The node refuses the credentials."""

    fix = "Correct `cookie_file`, or user and password. (bitcoind writes a new cookie at each start.)"


class JsonRpc:
    """One node's HTTP endpoint: every answer is checked before anybody sees it.

    deadline_s covers a request from the connection to the last byte of the body; waiting for one of the
    `max_in_flight` places is not counted. exact: read JSON numbers with a fraction as Decimal, not as float.
    The cookie file is preferred to user and password, those to a login written in the URL.
    """

    def __init__(
        self,
        url: str,
        *,
        user: str | None = None,
        password: str | None = None,
        cookie_file: Path | None = None,
        deadline_s: float = 30.0,
        max_in_flight: int = 4,
        max_bytes: int = 256 * 2**20,
        exact: bool = False,
    ) -> None:
        self._url, self.origin, in_url = _split(url)
        self._login: str | None = None
        if cookie_file is None:
            self._login = in_url if user is None else f"{user}:{password or ''}"
        self._cookie_file = cookie_file
        self._deadline_s = deadline_s
        self._max_bytes = max_bytes
        self._load: Callable[[bytes], Any] = _load_exact if exact else orjson.loads
        self._places = asyncio.Semaphore(max_in_flight)
        self._ids = itertools.count(1)
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Make the connection pool; nothing is sent. Idempotent."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),  # the semaphore is the limit
                timeout=aiohttp.ClientTimeout(total=None),  # the deadline is ours
                auto_decompress=False,  # a small body must not become a large one
                cookie_jar=aiohttp.DummyCookieJar(),
            )

    async def close(self) -> None:
        """Close all connections. Idempotent."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def call(self, method: str, *params: object) -> Any:
        """Ask one question and return its result; raises RpcError, NodeUnavailable or NotAuthorised."""
        number = next(self._ids)
        answer = self._read(await self._post(orjson.dumps(_question(number, method, params))))
        result = self._result(answer, number)
        if isinstance(result, RpcError):
            raise result
        return result

    async def batch(self, calls: Sequence[tuple[str, Sequence[object]]]) -> list[Any]:
        """Ask several questions in one request; results in order, a failed item is an RpcError."""
        if not calls:
            return []
        questions = [_question(next(self._ids), method, params) for method, params in calls]
        answers = self._read(await self._post(orjson.dumps(questions)))
        if isinstance(answers, dict):  # the node refused the batch as a whole
            error = answers.get("error")
            raise _rpc_error(error) if error is not None else self._strange("one answer to a batch")
        by_id = self._by_id(answers, [question["id"] for question in questions])
        return [self._result(by_id[question["id"]], question["id"]) for question in questions]

    async def get(self, path: str) -> bytes:
        """GET a path beside the RPC endpoint (bitcoind's REST); raises NodeMissing on 404."""
        status, body = await self._request("GET", self.origin + path, None)
        if status == 404:
            raise NodeMissing(f"{self.origin} has no {path}")
        if status != 200:
            raise self._strange(f"HTTP {status} for {path}: {_first_line(body)}")
        return body

    async def _post(self, body: bytes) -> bytes:
        status, answer = await self._request("POST", self._url, body)
        # bitcoind before version 28 answers an error with 404 or 500, others with 400: JSON all the same
        if status != 200 and (status in (429, 502, 503, 504) or answer[:1] not in (b"{", b"[")):
            raise self._strange(f"HTTP {status}: {_first_line(answer)}")
        return answer

    async def _request(self, verb: str, url: str, body: bytes | None) -> tuple[int, bytes]:
        """Send once; on 401 read the cookie file again and send once more."""
        async with self._places:
            if self._cookie_file is not None and self._login is None:
                self._read_cookie()
            status, answer = await self._send(verb, url, body)
            if status == 401 and self._cookie_file is not None:
                self._read_cookie()
                status, answer = await self._send(verb, url, body)
        if status in (401, 403):
            raise NotAuthorised(f"{self.origin} refuses the credentials (HTTP {status})")
        return status, answer

    def _read_cookie(self) -> None:
        assert self._cookie_file is not None
        try:
            self._login = self._cookie_file.read_text("utf-8").strip()
        except PermissionError as error:
            raise NotAuthorised(f"{self._cookie_file} may not be read by this user") from error
        except (OSError, UnicodeDecodeError) as error:  # bitcoind removes it when it stops
            raise NodeUnavailable(
                f"{self.origin}: no cookie in {self._cookie_file}",
                "Start the node, or correct `cookie_file`.",
            ) from error

    async def _send(self, verb: str, url: str, body: bytes | None) -> tuple[int, bytes]:
        await self.open()
        headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
        if self._login is not None:
            headers["Authorization"] = "Basic " + b64encode(self._login.encode()).decode()
        try:
            async with asyncio.timeout(self._deadline_s):
                try:
                    return await self._exchange(verb, url, body, headers)
                except aiohttp.ServerDisconnectedError:
                    # a kept connection that a restarted node no longer knows; all questions are mere reads
                    return await self._exchange(verb, url, body, headers)
        except TimeoutError as error:
            raise self._strange(f"no complete answer within {self._deadline_s:g} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise self._strange(_first_line(str(error).encode()) or type(error).__name__) from error

    async def _exchange(self, verb: str, url: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, bytes]:
        assert self._session is not None
        async with self._session.request(verb, url, data=body, headers=headers, allow_redirects=False) as response:
            return response.status, await self._body(response)

    async def _body(self, response: aiohttp.ClientResponse) -> bytes:
        """Read the whole body, but never more than the cap."""
        parts, left = [], self._max_bytes
        async for part in response.content.iter_chunked(CHUNK):
            left -= len(part)
            if left < 0:
                response.close()
                raise self._strange(f"the answer is longer than {self._max_bytes} bytes")
            parts.append(part)
        return b"".join(parts)

    def _read(self, body: bytes) -> Any:
        try:
            answer = self._load(body)
        except (ValueError, RecursionError) as error:
            raise self._strange(f"the answer is not JSON: {_first_line(body)}") from error
        if not isinstance(answer, dict | list):
            raise self._strange("the answer is neither an object nor a list")
        return answer

    def _by_id(self, answers: Any, asked: list[Any]) -> dict[Any, Any]:
        by_id = {item.get("id"): item for item in answers if isinstance(item, dict) and _is_id(item.get("id"))}
        if len(answers) != len(asked) or by_id.keys() != set(asked):
            raise self._strange(f"a batch of {len(asked)} questions got {len(answers)} answers with other ids")
        return by_id

    def _result(self, answer: Any, asked: Any) -> Any:
        """Take the result, or the RpcError, out of one answer whose id must be the one we asked with."""
        if not isinstance(answer, dict):
            raise self._strange("a list for an answer")
        number, error = answer.get("id"), answer.get("error")
        if error is not None:
            found = _rpc_error(error)
            if found.code == WARMING_UP:
                raise self._strange(f"warming up: {found.message}")
            if number is None or number == asked:
                return found
        if not _is_id(number) or number != asked:
            raise self._strange("the answer carries another question's id")
        if "result" not in answer:
            raise self._strange("the answer has neither result nor error")
        return answer["result"]

    def _strange(self, what: str) -> NodeUnavailable:
        return NodeUnavailable(f"{self.origin}: {what}")


def _question(number: int, method: str, params: Sequence[object]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": list(params)}


def _is_id(number: object) -> bool:
    """True and 1 are equal in Python but not the same id; so are 1.0 and 1."""
    return type(number) in (int, str)


def _rpc_error(error: Any) -> RpcError:
    if not isinstance(error, dict) or type(error.get("code")) is not int:
        return RpcError(0, _first_line(repr(error).encode()))
    return RpcError(error["code"], str(error.get("message", "")))


def _first_line(body: bytes) -> str:
    """Show what a person needs of an unexpected body: one short printable line."""
    text = body[:200].decode("utf-8", "replace").strip().partition("\n")[0]
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _load_exact(body: bytes) -> Any:
    """Parse with fractions as Decimal.

    orjson looks first: it refuses deep nesting, on which `json` overflows the stack where a library raised the limit.
    """
    orjson.loads(body)
    return json.loads(body, parse_float=Decimal, parse_constant=_refuse)


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _split(url: str) -> tuple[str, str, str | None]:
    """Split off the login, so that no message shows it: (URL without it, scheme and host, login or None)."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise BadConfig("rpc_url is not a URL", "Write it like http://127.0.0.1:8332.") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadConfig("rpc_url is not an http or https URL", "Write it like http://127.0.0.1:8332.")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    place = host if port is None else f"{host}:{port}"
    login = None
    if parts.username is not None:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    bare = urlunsplit((parts.scheme, place, parts.path or "/", parts.query, ""))
    return bare, f"{parts.scheme}://{place}", login
