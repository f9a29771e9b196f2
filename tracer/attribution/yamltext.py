"""Reads YAML as text, lists and tables alone: every value stays the text that was written. Pure.

No number, date or truth value is guessed (`0x12..` is an address, not a number; there are no floats), and what YAML can
do beyond that is refused: aliases (with which a small file unfolds into a huge one), repeated keys, deep nesting.
"""

from typing import Any

import yaml

Value = str | list[Any] | dict[str, Any]
DEEPEST = 20
_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


class BadYaml(ValueError):
    """The text is not YAML, or more of it than is read here; says where."""


def parse(text: str) -> Value:
    """Read one document; raises BadYaml."""
    try:
        return _document(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise BadYaml(f"{_line(mark)}: {error.problem or 'is not YAML'}") from error
    except yaml.YAMLError as error:
        raise BadYaml(f"is not YAML: {' '.join(str(error).split())}") from error


def _document(text: str) -> Value:
    """Build the value from the parser's events, with a stack of the lists and tables that are open."""
    documents: list[Value] = []
    open_: list[tuple[list[Any] | dict[str, Any], list[str]]] = []  # with the key that waits for its value
    for event in yaml.parse(text, Loader=_LOADER):
        where = _line(event.start_mark)
        match event:
            case yaml.AliasEvent():
                raise BadYaml(f"{where}: has an alias (*{event.anchor}); write the value out")
            case yaml.ScalarEvent():
                nothing = event.style in (None, "") and event.value in ("~", "null")
                _put(documents, open_, "" if nothing else event.value, where)
            case yaml.SequenceStartEvent() | yaml.MappingStartEvent():
                value: list[Any] | dict[str, Any] = [] if isinstance(event, yaml.SequenceStartEvent) else {}
                _put(documents, open_, value, where)
                open_.append((value, []))
                if len(open_) > DEEPEST:
                    raise BadYaml(f"{where}: is nested more than {DEEPEST} deep")
            case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                open_.pop()
    if len(documents) != 1:
        raise BadYaml(f"has {len(documents)} documents, expected one")
    return documents[0]


def _put(documents: list[Value], open_: list[tuple[Any, list[str]]], value: Value, where: str) -> None:
    """Put a value where it belongs: the document, the innermost list, or the table whose key waits for it."""
    if not open_:
        documents.append(value)
        return
    inside, waiting = open_[-1]
    if isinstance(inside, list):
        inside.append(value)
    elif waiting:
        inside[waiting.pop()] = value
    elif not isinstance(value, str):
        raise BadYaml(f"{where}: a key must be text")
    elif value in inside:
        raise BadYaml(f"{where}: the key {value!r} is there twice")
    else:
        inside[value] = ""  # the place is taken: a second one is refused
        waiting.append(value)


def _line(mark: Any) -> str:
    return "the file" if mark is None else f"line {mark.line + 1}"
