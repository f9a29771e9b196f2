"""Where presets are found, and how their files are read."""

import hashlib
import tomllib
from collections.abc import Iterator
from pathlib import Path

from tracer.custody.gates import check_conditions
from tracer.custody.preset import Preset, PresetFile
from tracer.errors import BadConfig
from tracer.strict import Unreadable, key_text, read

SHIPPED = Path(__file__).with_name("presets")


def parse_preset(text: str, where: str) -> Preset:
    """Read a preset from its text; raises BadConfig with one line that names the file and the key."""
    try:
        table = tomllib.loads(text)
        file = read(PresetFile, table)
        check_conditions(file)
    except tomllib.TOMLDecodeError as error:
        raise BadConfig(f"{where}: is not TOML: {str(error).splitlines()[0].rstrip('.')}") from error
    except Unreadable as error:
        raise BadConfig(f"{where}: {key_text(error.fault.path, table)}: {error.fault.text}") from error
    return Preset(file, hashlib.sha256(text.encode()).digest(), text)


def find_preset(name: str, folders: tuple[Path, ...] = ()) -> Preset:
    """Find a preset by name: in the operator's folders, then among those shipped; raises BadConfig."""
    for folder in (*folders, SHIPPED):
        file = folder / f"{name}.toml"
        if file.is_file():
            preset = parse_preset(file.read_text(encoding="utf-8"), str(file.name))
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
