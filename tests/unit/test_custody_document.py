"""docs/custody.md says of records, rules, conditions and presets what the code says, and its examples work."""

import re
from collections.abc import Iterator
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest

from tests.unit.custody_facts import HOUR, T0, assess, asset, facts, leg, record
from tracer.custody.clocks import run_clocks
from tracer.custody.gates import VERBS, fault_of
from tracer.custody.preset import EVENTS, Parameters, PresetFile
from tracer.custody.presetfiles import SHIPPED, find_preset, parse_preset
from tracer.custody.records import KINDS
from tracer.custody.rules import RULES, told
from tracer.strict import Table
from tracer.types import Lane

TEXT = (Path(__file__).parents[2] / "docs" / "custody.md").read_text(encoding="utf-8")


def table_under(title: str) -> list[list[str]]:
    """The rows, without the head, of the first table under a heading."""
    part = TEXT[TEXT.index(f"\n## {title}\n") :]
    lines = re.search(r"(?:^\|.*\n)+", part, re.MULTILINE)
    assert lines is not None, f"no table under {title}"
    return [
        [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in lines[0].splitlines()[2:]
    ]


def code(text: str) -> str:
    return f"`{text}`"


def fields(model: Any) -> Iterator[str]:
    """The fields of a kind of record as people write them; `?` follows one that may be left out."""
    for name, field in model.model_fields.items():
        one_of = f" ({', '.join(get_args(field.annotation))})" if get_origin(field.annotation) is Literal else ""
        yield code(field.alias or name) + ("" if field.is_required() else "?") + one_of


def record_rows() -> list[list[str]]:
    """Kind, what it is, fields, lane, whether it rests on a document."""
    return [
        [
            code(kind),
            " ".join((body.__doc__ or "").split("\n\n")[0].split()),
            ", ".join(fields(body)),
            body.lane.name,
            "yes" if body.needs_document else "",
        ]
        for kind, body in KINDS.items()
    ]


def rule_rows() -> list[list[str]]:
    """Id, severity, lane, version, what it is evaluated on, what it says."""
    return [[rule.id, rule.severity, rule.lane.name, str(rule.version), evaluated(rule), rule.says] for rule in RULES]


def evaluated(rule: Any) -> str:
    """When a rule is evaluated."""
    if rule in told.RULES:
        return "as it happens"
    on = [word for word, there in (("case", rule.on_case), ("leg", rule.on_leg)) if there is not None]
    return ", ".join(on) or "clocks"


def parameter_rows() -> list[list[str]]:
    """Key, default, what it is."""
    return [
        [code(name), code(plain(field.default)), field.description or ""]
        for name, field in Parameters.model_fields.items()
    ]


def plain(value: object) -> str:
    """A default as TOML writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    return {str: f'"{value}"', tuple: "[]"}.get(type(value), str(value))


def preset_rows() -> list[list[str]]:
    """Name, title, stages, clocks."""
    rows = []
    for name in sorted(file.stem for file in SHIPPED.glob("*.toml")):
        preset = find_preset(name)
        clocks = [f"{clock.name} ({clock.limit_s} s)" for clock in preset.file.clock]
        rows.append([code(name), preset.file.title, " > ".join(preset.stages), ", ".join(clocks)])
    return rows


@pytest.mark.parametrize(
    ("title", "rows"),
    [
        ("Records", record_rows()),
        ("Rules", rule_rows()),
        ("Parameters", parameter_rows()),
        ("Presets that are shipped", preset_rows()),
    ],
)
def test_a_table_of_the_document_is_what_the_code_says(title: str, rows: list[list[str]]) -> None:
    assert table_under(title) == rows


def test_the_document_explains_every_kind_of_condition_and_event() -> None:
    conditions = [row[0].strip("`") for row in table_under("Gates")]
    assert {condition.split(" ")[0] for condition in conditions} == set(VERBS)
    events = [row[0].strip("`") for row in table_under("Clocks")]
    assert {event.split(" ")[0] for event in events} == set(EVENTS)


def test_every_condition_in_the_examples_of_the_document_is_well_formed() -> None:
    shown = [row[2].strip("`") for row in table_under("Gates")]
    assert len(shown) == len(VERBS)
    assert [fault_of(condition) for condition in shown] == [None] * len(shown)


def test_the_worked_arithmetic_of_the_forecast_is_what_the_code_does() -> None:
    """The example under Clocks: the times of three stages, the limit, and the instant that comes out."""
    found = re.search(r"after (\d+), (\d+) and (\d+) hours.*?now is hour (\d+).*?\*\*hour (\d+)\*\*", TEXT, re.DOTALL)
    assert found is not None
    first, second, third, now, expected = (int(number) * HOUR for number in found.groups())
    stages = "".join(
        f'[[stage]]\nname = "{name}"\ngate = ["record {kind}"]\n'
        for name, kind in (
            ("START", "inspection"),
            ("A", "fx-approval"),
            ("B", "fork-claim"),
            ("C", "holding-proof"),
            ("D", "external-claim"),
            ("E", "closing"),
        )
    )
    clock = f'[[clock]]\nname = "c"\nlimit_s = {24 * HOUR}\n[[clock.reading]]\nname = "r"\n'
    events = 'start = "record inspection"\nstop = "record closing"\n'
    preset = parse_preset(f'name = "x"\ntitle = "X"\nsources = ["s"]\n{stages}{clock}{events}', "x")
    case = facts(
        record(1, "inspection", T0, result="passed", what="w"),
        record(2, "fx-approval", T0 + first, number="1"),
        record(3, "fork-claim", T0 + second, coin="BCH", decision="none"),
        record(4, "holding-proof", T0 + third, statement="s"),
        now=T0 + now,
    )
    (state,) = run_clocks(case, preset, assess(case, preset).standing)
    assert (state.expected, state.state) == (T0 + expected, "forecast")


def test_the_example_of_a_preset_can_be_used() -> None:
    """The worked example stands in OPENED, SECURED, RETURNED as its text says."""
    (text,) = re.findall(r"```toml\n(name = \"my-return\".*?)```", TEXT, re.DOTALL)
    preset = parse_preset(text, "my-return.toml")
    assert preset.stages == ("OPENED", "SECURED", "RETURNED", "CLOSED")
    order = record(1, "mandate", what="court-order", scope="s")
    closing = record(2, "closing", reason="r")
    assert assess(facts(), preset).standing.stage == "OPENED"
    secured = facts(leg(1, "SECURE", T0), leg(2, "RETURN"))
    assert assess(secured, preset).standing.stage == "SECURED"
    assert not assess(secured, preset).findings
    back = facts(leg(1, "SECURE", T0), leg(2, "RETURN", T0 + HOUR))
    keys = {one.key for one in assess(back, preset).findings.values()}
    needed = ("DOC-1", "needs:RETURN:mandate what=court-order")
    assert keys == {needed, ("EXC-2", "leg:return-2"), ("LEG-7", "leg:return-2")}
    assert assess(back, preset).standing.stage == "SECURED"
    done = facts(leg(1, "SECURE", T0), leg(2, "RETURN", T0 + HOUR), order, closing, asset())
    assert assess(done, preset).standing.stage == "CLOSED"


def test_the_document_names_every_key_of_a_preset() -> None:
    part = TEXT[TEXT.index("\n## Presets\n") :]
    named = set(re.findall(r"`([a-z_]+)`", part)) | set(re.findall(r"\[\[([a-z.]+)\]\]", part))
    missing = [name for name in PresetFile.model_fields if name not in named]
    assert not missing


def test_types_of_fields_that_people_write_are_known() -> None:
    """A field of a type that the document does not explain is a fault of the document."""
    explained = {str, int, bool, NoneType}
    for body in KINDS.values():
        for name, field in body.model_fields.items():
            assert set(simple(field.annotation)) <= explained, f"{body.__name__}.{name}"
    assert [lane.name for lane in Lane if f"{lane.name} " not in TEXT] == []


def simple(annotation: Any) -> Iterator[Any]:
    """The plain types of an annotation; a list gives the type of its items."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from simple(get_args(annotation)[0])
    elif origin is Literal:
        yield from (type(value) for value in get_args(annotation))
    elif origin is Union or (origin is not None and origin.__name__ == "UnionType"):
        for one in get_args(annotation):
            yield from simple(one)
    elif origin is tuple:
        yield from simple(get_args(annotation)[0])
    elif isinstance(annotation, type) and issubclass(annotation, Table):
        for field in annotation.model_fields.values():
            yield from simple(field.annotation)
    else:
        yield annotation


def escaped(table: list[list[str]]) -> list[list[str]]:
    """A table's cells as Markdown has them."""
    return [[cell.replace("|", "\\|") for cell in row] for row in table]


HEADS = {
    "Records": ["kind", "what it is", "fields", "lane", "rests on a document"],
    "Rules": ["rule", "severity", "lane", "version", "evaluated on", "fires when"],
    "Parameters": ["key", "default", "what it is"],
    "Presets that are shipped": ["preset", "title", "stages", "clocks"],
}


def renewed(text: str) -> str:
    """The document with its tables as the code says them: `python -m tests.unit.test_custody_document` writes it."""
    made = (record_rows(), rule_rows(), parameter_rows(), preset_rows())
    for (title, head), rows in zip(HEADS.items(), made, strict=True):
        lines = "".join(f"| {' | '.join(cells)} |\n" for cells in (head, ["---"] * len(head), *escaped(rows)))
        start = text.index(f"\n## {title}\n")
        table = re.compile(r"(?:^\|.*\n)+", re.MULTILINE).search(text, start)
        assert table is not None
        text = text[: table.start()] + lines + text[table.end() :]
    return text


def test_the_tables_of_the_document_are_as_they_are_written_anew() -> None:
    assert renewed(TEXT) == TEXT


if __name__ == "__main__":
    (Path(__file__).parents[2] / "docs" / "custody.md").write_text(renewed(TEXT), encoding="utf-8")
