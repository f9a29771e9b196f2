"""Reads GraphSense TagPacks: YAML, a header whose values the tags below inherit unless they have their own. Pure.

Format: https://github.com/graphsense/graphsense-tagpacks
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from tracer.attribution.labels import TAGPACK, Label, Pack
from tracer.attribution.yamltext import BadYaml, parse

HEADER = frozenset({"title", "creator", "tags", "description", "tagpack_uri"})
READ = frozenset(
    {"address", "currency", "network", "label", "category", "concepts", "abuse", "confidence", "lastmod", "source"}
)


class BadTagPack(ValueError):
    """The file is no TagPack; says where it differs from one."""


def read_tagpack(body: bytes) -> Pack:
    """Read a TagPack's bytes; raises BadTagPack. Fields that nothing reads are kept with their label."""
    try:
        top = parse(body.decode("utf-8-sig"))
    except (UnicodeDecodeError, BadYaml) as error:
        raise BadTagPack(str(error) if isinstance(error, BadYaml) else "is not UTF-8 text") from error
    if not isinstance(top, dict):
        raise BadTagPack("is not a table with title, creator and tags")
    title, creator = (_text(top, key, "header") for key in ("title", "creator"))
    tags = top.get("tags")
    if not isinstance(tags, list) or not tags:
        raise BadTagPack("header: `tags` is not a list of tags" if "tags" in top else "header: has no `tags`")
    inherited = {key: value for key, value in top.items() if key not in HEADER}
    sha256 = hashlib.sha256(body).digest()
    labels, notes = [], []
    for place, tag in enumerate(tags, 1):
        if not isinstance(tag, dict):
            raise BadTagPack(f"tags[{place}]: is not a table")
        if "address" not in tag and "tx_hash" in tag:
            notes.append(f"tags[{place}] is about a transaction, not an address: not read")
            continue
        labels.append(_label({**inherited, **tag}, f"tags[{place}]", sha256))
    return Pack(TAGPACK, title, creator, sha256, tuple(labels), tuple(notes))


def _label(tag: Mapping[str, Any], where: str, sha256: bytes) -> Label:
    place = tag.get("network") or tag.get("currency")
    if not place:
        raise BadTagPack(f"{where}: has neither `currency` nor `network`, nor has the header")
    if not isinstance(place, str):
        raise BadTagPack(f"{where}: `currency` is not text")
    extra = {key: value for key, value in tag.items() if key not in READ}
    return Label(
        address=_text(tag, "address", where),
        currency=place.upper(),
        label=_text(tag, "label", where),
        category=_category(tag, where),
        abuse=_optional(tag, "abuse", where),
        confidence=_optional(tag, "confidence", where),
        lastmod=_optional(tag, "lastmod", where),
        source=_optional(tag, "source", where),
        extra=json.dumps(extra, sort_keys=True, separators=(",", ":")) if extra else "",
        pack=sha256,
    )


def _category(tag: Mapping[str, Any], where: str) -> str:
    """The category, or the concepts that newer packs have instead."""
    concepts = tag.get("concepts", [])
    if not isinstance(concepts, list) or not all(isinstance(one, str) for one in concepts):
        raise BadTagPack(f"{where}: `concepts` is not a list of texts")
    return _optional(tag, "category", where) or ", ".join(concepts)


def _text(table: Mapping[str, Any], key: str, where: str) -> str:
    if not (text := _optional(table, key, where)):
        raise BadTagPack(f"{where}: has no `{key}`")
    return text


def _optional(table: Mapping[str, Any], key: str, where: str) -> str:
    value = table.get(key, "")
    if not isinstance(value, str):
        raise BadTagPack(f"{where}: `{key}` is not text")
    return value.strip()
