"""How a table of settings is read strictly, and how one line says what is wrong with it. Pure.

Every field of a `Table` carries a `description` that finishes the sentence "expected ...", so that a wrong
value is answered in the field's own words.
"""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time
from difflib import get_close_matches
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

Step = str | int
T = TypeVar("T", bound="Table")


class Table(BaseModel):
    """A table with known keys only, values of the right type only, unchangeable once read."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class Text(str):
    """A value that came as text (environment, command line) and takes the type of the key that it is for."""

    __slots__ = ()


class Unfit(ValueError):
    """A value that a table cannot have; raised by its own checks, `key` being relative to it."""

    def __init__(self, key: str, text: str, fix: str | None = None) -> None:
        super().__init__(text)
        self.key, self.fix = key, fix


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, where (keys, and positions in lists from 0), and what to do (None: correct that key)."""

    path: tuple[Step, ...]
    text: str
    fix: str | None = None


class Unreadable(ValueError):
    """A table cannot be read; carries the first fault."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.text)
        self.fault = fault


def read(model: type[T], table: Mapping[str, object], *, base: Path = Path()) -> T:
    """Read a table, or raise Unreadable with the fault to mend first: an unknown key, else in order.

    base: the folder that relative paths in the table start from.
    """
    try:
        return model.model_validate(_typed(model, table), context={"base": base})
    except ValidationError as error:
        faults = error.errors(include_url=False)
    unknown = [fault for fault in faults if fault["type"] == "extra_forbidden"]
    raise Unreadable(_fault(model, (unknown or faults)[0]))


def unknown_key(key: str, known: Sequence[str]) -> str:
    """Say that a key is unknown, and which one was probably meant."""
    near = get_close_matches(key, known, n=1)
    return f"unknown key; perhaps {show(near[0])} is meant" if near else "unknown key"


def show(value: object) -> str:
    """Write a value as it stands in TOML, short, and without a password that a URL may carry."""
    match value:
        case str():
            return _short(json.dumps(re.sub(r"(?<=://)[^/@\s]*@", "***@", value), ensure_ascii=False))
        case None:
            return "nothing"
        case int() | float():
            return str(value).lower()
        case date() | time():
            return value.isoformat()
        case Mapping():
            return "a table"
        case _:
            return "a list"


def key_text(path: Sequence[Step], table: Mapping[str, object]) -> str:
    """Write a key in full; items of lists are counted from 1 and named by their `id` or `symbol`.

    >>> key_text(("leg", 1, "amount"), {"leg": [{}, {"id": "deposit-1"}]})
    'leg[2] "deposit-1".amount'
    """
    text = ""
    at: object = table
    for step in path:
        if isinstance(step, int):
            at = at[step] if isinstance(at, Sequence) and step < len(at) else None
            name = (at.get("id") or at.get("symbol")) if isinstance(at, Mapping) else None
            text += f"[{step + 1}]" + (f" {show(name)}" if isinstance(name, str) else "")
        else:
            at = at.get(step) if isinstance(at, Mapping) else None
            text += f".{step}" if text else step
    return text


def one_line(error: BaseException) -> str:
    """The first line of an error's own words, without a full stop; a full one is added where it is shown."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def _short(text: str, limit: int = 100) -> str:
    return text if len(text) <= limit else text[: limit - 4] + '..."'


def _fault(model: type[BaseModel], error: ErrorDetails) -> Fault:
    path, kind = tuple(error["loc"]), error["type"]
    if kind == "value_error":
        cause = error["ctx"]["error"]
        if isinstance(cause, Unfit):
            return Fault((*path, cause.key) if cause.key else path, str(cause), cause.fix)
        return Fault(path, str(cause))
    if kind == "extra_forbidden":
        inside = _model_at(model, path[:-1]) or model
        return Fault(path, unknown_key(str(path[-1]), keys(inside)), "Correct its spelling or remove it.")
    expected = _expected(model, path) or error["msg"]
    if kind == "missing":
        return Fault(path, f"missing; expected {expected}", "Add this key.")
    return Fault(path, f"expected {expected}, got {show(error['input'])}")


def keys(model: type[BaseModel]) -> list[str]:
    """The keys of a table as they are written."""
    return [field.alias or name for name, field in model.model_fields.items()]


def keys_inside(model: type[BaseModel], key: str) -> list[str]:
    """The keys of the table, or of each table of a list, that stands under a key; none if no table does."""
    inner = _model_at(model, (key,))
    return [] if inner is None else keys(inner)


def _field(model: type[BaseModel], key: Step) -> FieldInfo | None:
    for name, field in model.model_fields.items():
        if (field.alias or name) == key:
            return field
    return None


def _model_at(model: type[BaseModel], path: Sequence[Step]) -> type[BaseModel] | None:
    """The table at a path, positions in lists left out."""
    at: type[BaseModel] | None = model
    for key in path:
        if isinstance(key, int) or at is None:
            continue
        field = _field(at, key)
        at = None if field is None else _inner_model(field.annotation)
    return at


def _inner_model(annotation: object) -> type[BaseModel] | None:
    for kind in _kinds(annotation):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
    return None


def _expected(model: type[BaseModel], path: Sequence[Step]) -> str | None:
    named = [index for index, key in enumerate(path) if isinstance(key, str)]
    for index in reversed(named):
        inside = _model_at(model, path[:index])
        field = None if inside is None else _field(inside, path[index])
        if field is not None and field.description is not None:
            return field.description
    return None


def _kinds(annotation: object) -> Iterator[object]:
    """The plain types that an annotation allows, containers before what they contain."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _kinds(get_args(annotation)[0])
    elif origin in (Union, UnionType):
        for part in get_args(annotation):
            yield from _kinds(part)
    elif origin is Literal:
        yield str
    elif origin is not None:
        yield origin
        for part in get_args(annotation):
            yield from _kinds(part)
    elif annotation is not NoneType and annotation is not Ellipsis:
        yield annotation


def _typed(model: type[BaseModel], table: Mapping[str, object]) -> dict[str, object]:
    """Give every `Text` in a table the type that its key asks for, where its spelling allows."""
    typed: dict[str, object] = {}
    for key, value in table.items():
        field = _field(model, key)
        inner = None if field is None else _inner_model(field.annotation)
        if isinstance(value, Mapping) and inner is not None:
            typed[key] = _typed(inner, value)
        elif isinstance(value, Text) and field is not None:
            typed[key] = _from_text(list(_kinds(field.annotation)), value)
        else:
            typed[key] = value
    return typed


def _from_text(kinds: Sequence[object], text: Text) -> object:
    if tuple in kinds:
        return _list_from_text(text)
    if bool in kinds and text in ("true", "false"):
        return text == "true"
    if int in kinds and re.fullmatch(r"[+-]?[0-9]{1,80}", text):
        return int(text)
    if float in kinds and re.fullmatch(r"[+-]?[0-9]+(\.[0-9]+)?", text):
        return float(text)
    return text


def _list_from_text(text: Text) -> object:
    """Read a TOML list, or plain words with commas between."""
    if not text.startswith("["):
        return [Text(part.strip()) for part in text.split(",") if part.strip()]
    try:
        value: object = tomllib.loads(f"v = {text}")["v"]
    except tomllib.TOMLDecodeError:
        return text
    return [Text(part) if isinstance(part, str) else part for part in value] if isinstance(value, list) else text
