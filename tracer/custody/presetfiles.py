"""Where presets are found, and how their files are read."""

import hashlib
import tomllib
from collections.abc import Iterator
from pathlib import Path

from tracer.custody.case import LegKind
from tracer.custody.gates import check_conditions, parts, record_fault
from tracer.custody.preset import Preset, PresetFile
from tracer.custody.records import KINDS
from tracer.custody.rules import BY_ID, ON_CASE, ON_LEG
from tracer.errors import BadConfig
from tracer.strict import Fault, Unreadable, key_text, one_line, read

SHIPPED = Path(__file__).with_name("presets")
WEIGHED = frozenset(rule.id for rule in (*ON_CASE, *ON_LEG))
"""Rules that a gate can wait for; others are told by blocks and mempools, or by where the case stands."""


def parse_preset(text: str, where: str) -> Preset:
    """Read a preset from its text; raises BadConfig with one line that names the file and the key."""
    try:
        table = tomllib.loads(text)
        file = read(PresetFile, table)
        check_conditions(file)
        check_names(file)
    except Unreadable as error:
        raise BadConfig(f"{where}: {key_text(error.fault.path, table)}: {error.fault.text}") from error
    except (ValueError, RecursionError) as error:  # also numbers of thousands of digits, and tables in tables
        raise BadConfig(f"{where}: is not TOML: {one_line(error)}") from error
    return Preset(file, hashlib.sha256(text.encode()).digest(), text)


def check_names(file: PresetFile) -> None:
    """Raise Unreadable for the first name in a preset that nothing has: of a kind, a rule, a stage."""
    for fault in (*stage_faults(file), *kind_faults(file), *rule_faults(file)):
        raise Unreadable(fault)


def stage_faults(file: PresetFile) -> Iterator[Fault]:
    """Stages of one name, and a stage that is named and not there."""
    stages = [stage.name for stage in file.stage]
    for place, name in enumerate(stages):
        if name in stages[:place]:
            yield Fault(("stage", place, "name"), f"there is a stage {name!r} already")
    readings = [(clock.name, reading.name) for clock in file.clock for reading in clock.reading]
    for place, clock in enumerate(file.clock):
        if any(readings.count((clock.name, reading.name)) > 1 for reading in clock.reading):
            yield Fault(("clock", place, "name"), f"a clock {clock.name!r} has one reading twice")
    if file.rules.bond_until and file.rules.bond_until not in stages:
        yield Fault(("rules", "bond_until"), f"there is no stage {file.rules.bond_until!r}")


def kind_faults(file: PresetFile) -> Iterator[Fault]:
    """Kinds of legs and of records that nothing is of."""
    for key in ("approved_kinds", "test_kinds", "licensed_kinds", "recorded_kinds"):
        for place, kind in enumerate(getattr(file.rules, key)):
            if kind not in LegKind.__members__:
                yield Fault(("rules", key, place), f"there is no kind of legs {kind!r}")
    for place, wanted in enumerate(file.rules.documents):
        if text := record_fault(wanted):
            yield Fault(("rules", "documents", place), text)
    for place, need in enumerate(file.needs):
        if text := record_fault(need.record):
            yield Fault(("needs", place, "record"), text)
    for place, kind in enumerate(file.two_people):
        if kind not in KINDS:
            yield Fault(("two_people", place), f"there is no kind of records {kind!r}")


def rule_faults(file: PresetFile) -> Iterator[Fault]:
    """Rules that are not there, and rules that no gate can wait for."""
    for key in ("off", "normal"):
        for place, rule in enumerate(getattr(file, key)):
            if rule not in BY_ID:
                yield Fault((key, place), f"there is no rule {rule!r}")
    for number, stage in enumerate(file.stage):
        for key, conditions in (("gate", stage.gate), ("unless", stage.unless)):
            for place, condition in enumerate(conditions):
                waits = [rest for verb, rest in parts(condition) if verb == "quiet" and rest not in WEIGHED]
                if waits:
                    text = f"{condition!r}: no rule {waits[0]!r} is weighed before the stages are"
                    yield Fault(("stage", number, key, place), text)


def find_preset(name: str, folders: tuple[Path, ...] = ()) -> Preset:
    """Find a preset by name: in the operator's folders, then among those shipped; raises BadConfig."""
    for folder in (*folders, SHIPPED):
        file = folder / f"{name}.toml"
        if file.is_file():
            try:
                text = file.read_text(encoding="utf-8")
            except (OSError, ValueError) as error:
                raise BadConfig(f"{file}: cannot be read as UTF-8 text: {one_line(error)}") from error
            preset = parse_preset(text, str(file.name))
            if preset.name != name:
                raise BadConfig(f"{file.name}: name: expected {name!r}, the name of the file, got {preset.name!r}")
            return preset
    there = ", ".join(sorted(known(folders)))
    raise BadConfig(
        f"there is no preset {name!r}; there is {there}",
        "Correct `preset`, or put NAME.toml into a folder of `cases.presets`. Nothing was written.",
    )


def known(folders: tuple[Path, ...] = ()) -> Iterator[str]:
    """The names of the presets that can be used."""
    seen = {file.stem for folder in (*folders, SHIPPED) if folder.is_dir() for file in folder.glob("*.toml")}
    yield from seen
