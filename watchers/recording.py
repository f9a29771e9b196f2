"""How records that people write become drafts, and how the daemon files them."""

import hashlib
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol, runtime_checkable

from tracer.custody.filing import Draft, RecordRefused
from tracer.custody.instants import parse_instant
from tracer.custody.records import KINDS, Control
from tracer.proof.control.ethereum import ContractSaid
from tracer.proof.control.shown import Method, contract_question
from tracer.proof.control.typed import text_of
from tracer.store.chains import ChainHandle
from tracer.store.controlled import expected_of
from tracer.store.recording import Filed, case_of, file_records, naming, note_alert
from tracer.store.writer import Store
from tracer.strict import Text, Unreadable, key_text, one_line, read, show
from tracer.types import BlockRef, ChainId, Holder
from watchers.follow import Follower

COMMON = ("by", "second", "at", "document", "id", "supersedes")
"""What every record says beside its own fields; `document` is a SHA-256 in hex or a file."""


def draft_of(table: Mapping[str, Any], base: Path, now: int) -> Draft:
    """Read a record as people write it; raises RecordRefused. base: where paths start from."""
    kind = str(table.get("kind", ""))
    if kind not in KINDS:
        raise RecordRefused(f"there is no kind of records {kind!r}; there is {', '.join(KINDS)}")
    fields = {key: value for key, value in table.items() if key not in (*COMMON, "kind")}
    if "file" in fields and "sha256" in KINDS[kind].model_fields:
        if "sha256" in fields:
            raise RecordRefused(f"{kind}: expected exactly one of sha256, file", "Keep one of them.")
        fields["sha256"] = hashed(base / str(fields.pop("file")))
    if kind == "control":
        fields = control_fields(fields, base)
    try:
        body = read(KINDS[kind], fields)
        at = parse_instant(table["at"]) if table.get("at") is not None else now
    except Unreadable as error:
        where = key_text(error.fault.path, fields)
        raise RecordRefused(f"{kind}: {where}: {error.fault.text}", error.fault.fix) from error
    except ValueError as error:
        raise RecordRefused(f"{kind}: at: {error}") from error
    texts = {key: table.get(key) for key in COMMON if key != "at"}
    for key, value in texts.items():
        if value is not None and not isinstance(value, str):
            raise RecordRefused(f"{kind}: {key}: expected text, got {show(value)}")
    if texts["by"] is None:
        raise RecordRefused(f"{kind}: nobody is named who files it", "Give --by NAME. Nothing was written.")
    assert isinstance(at, int)
    document = texts["document"]
    if document is not None and not is_sha256(document):
        document = hashed(base / document)
    return Draft(kind, body, texts["by"], texts["second"], at, document, texts["id"], texts["supersedes"])


def control_fields(fields: dict[str, Any], base: Path) -> dict[str, Any]:
    """The fields of a proof of control: a `message` that begins with @ names the file that holds it.

    The file's text is signed as it is; the line feed that editors put at its end is not part of it. Typed data stands
    for the text that it is of, which is what is kept.
    """
    if "shown" in fields:
        raise RecordRefused("control: shown: is worked out, not given", "Leave it out. Nothing was written.")
    message = str(fields.get("message", ""))
    if message.startswith("@"):
        try:
            message = (base / message[1:]).read_text(encoding="ascii").removesuffix("\n")
        except (OSError, ValueError) as error:
            raise RecordRefused(f"control: cannot read {message[1:]}: {one_line(error)}") from error
    if message.lstrip().startswith("{"):
        message = text_of(message)
    return {**fields, "message": message}


def is_sha256(text: str) -> bool:
    """Whether a text is a SHA-256 in hex."""
    return len(text) == 64 and all(digit in "0123456789abcdef" for digit in text)


def hashed(path: Path) -> str:
    """The SHA-256 of a file, hex."""
    fix = "Give a file, or 64 hex digits."
    try:
        if not path.expanduser().is_file():
            raise RecordRefused(f"there is no file {path}", fix)
        with path.expanduser().open("rb") as body:
            return hashlib.file_digest(body, "sha256").hexdigest()
    except (OSError, ValueError, RuntimeError) as error:
        raise RecordRefused(f"cannot read {str(path)!r}: {one_line(error)}", fix) from error


def file_into(
    store: Store,
    body: Mapping[str, Any],
    chains: Mapping[ChainId, ChainHandle],
    said: Mapping[int, ContractSaid] = MappingProxyType({}),
) -> list[Filed]:
    """File what a command sent; the followers are paused or do not run. said: as in `file_records`."""
    now = int(time.time())
    drafts = []
    for place, table in enumerate(body["records"]):
        with naming(place, len(body["records"])):
            drafts.append(draft_of(typed(table), Path(str(body["base"])), now))
    return file_records(store, str(body["case"]), drafts, chains, now, said)


async def contracts_say(
    store: Store, body: Mapping[str, Any], followers: Sequence[Follower]
) -> dict[int, ContractSaid]:
    """Ask contracts whether they accept the signatures of control records, after their chain's newest block."""
    said: dict[int, ContractSaid] = {}
    for place, table in enumerate(body["records"]):
        if table.get("kind") != "control" or not str(table.get("method", "")).startswith("eip1271"):
            continue
        draft = draft_of(typed(table), Path(str(body["base"])), 0)
        assert isinstance(draft.body, Control)
        with store.connection.begin():
            case_id, _ = case_of(store, str(body["case"]))
            expected, _ = expected_of(store, (case_id, str(body["case"])), draft.body.watch)
        follower = next((one for one in followers if one.handle.caip2 == expected.chain), None)
        if follower is None or follower.tip is None or not isinstance(follower.node, AsksContracts):
            raise RecordRefused(f"{expected.chain} is not followed, so that its contract cannot be asked")
        call = contract_question(draft.body.message, draft.body.signature, Method(draft.body.method))
        said[place] = await follower.node.contract_signature(follower.tip, expected.holder, call)
    return said


@runtime_checkable
class AsksContracts(Protocol):
    """A node of a family that has contracts."""

    async def contract_signature(self, ref: BlockRef, account: Holder, call: bytes) -> ContractSaid:
        """What a contract answers about a signature after a block."""


def typed(table: Mapping[str, Any]) -> dict[str, Any]:
    """Let texts of a command line take the type of the field that they are for."""
    as_text = bool(table.get("as_text"))
    return {
        key: Text(value) if as_text and isinstance(value, str) and key not in (*COMMON, "kind") else value
        for key, value in table.items()
        if key != "as_text"
    }


def alert_into(store: Store, body: Mapping[str, Any]) -> str:
    """Note what became of an alert."""
    return note_alert(store, int(body["alert"]), body["what"], body["by"], body["reason"], int(time.time()))
