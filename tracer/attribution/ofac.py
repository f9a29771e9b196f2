"""Reads the digital currency addresses in the SDN list of OFAC: sdn.xml, or sdn_advanced.xml. Pure.

Format: https://ofac.treasury.gov/sanctions-list-service. The two are told apart by their elements, in any
namespace. The list is read in one stream; a document type, which could define entities, is refused unread.
"""

import hashlib
import io
import re
from collections.abc import Iterator
from datetime import datetime
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from tracer.attribution.labels import OFAC, SANCTIONS, Label, Pack

CREATOR = "OFAC"
TITLE = "Specially Designated Nationals"
PREFIX = re.compile(r"Digital Currency Address\s*-\s*(\S+)")


class BadList(ValueError):
    """The file is no SDN list; says why."""


def read_ofac(body: bytes) -> Pack:
    """Read an SDN list's bytes; raises BadList."""
    if b"\0" in body or re.search(b"<!(DOCTYPE|ENTITY)", body, re.IGNORECASE):
        raise BadList("has a document type or entities, or is not UTF-8 text; an SDN list is without them")
    sha256 = hashlib.sha256(body).digest()
    try:
        labels = tuple(_labels(body, sha256))
    except UnicodeDecodeError as error:
        raise BadList("is not UTF-8 text") from error
    except ElementTree.ParseError as error:
        raise BadList(f"is not XML: {error}") from error
    if not labels:
        raise BadList("names no digital currency address")
    return Pack(OFAC, TITLE, CREATOR, sha256, labels)


def _labels(body: bytes, sha256: bytes) -> Iterator[Label]:
    lastmod = ""
    kinds: dict[str, str] = {}  # of features in the advanced list, by their number
    text = io.TextIOWrapper(io.BytesIO(body), encoding="utf-8-sig")  # whatever encoding the file itself may name
    stream = ElementTree.iterparse(text, events=("start", "end"))  # noqa: S314 - what makes it unsafe is refused above
    _, root = next(stream)
    if _name(root) not in ("sdnList", "Sanctions"):
        raise BadList(f"begins with <{_name(root)}>, expected <sdnList> or <Sanctions>")
    for event, element in stream:
        if event == "start":
            continue
        match _name(element):
            case "Publish_Date":
                lastmod = _date(element.text or "")
            case "DateOfIssue":
                lastmod = lastmod or "-".join(f"{int(_text(element, n)):02}" for n in ("Year", "Month", "Day"))
            case "FeatureType":
                if match := PREFIX.match((element.text or "").strip()):
                    kinds[element.get("ID", "")] = match[1]
            case "sdnEntry":
                yield from _entry(element, lastmod, sha256)
                element.clear()
            case "DistinctParty":
                yield from _party(element, kinds, lastmod, sha256)
                element.clear()


def _entry(entry: Element, lastmod: str, sha256: bytes) -> Iterator[Label]:
    """The addresses of one entry of sdn.xml."""
    uid = _text(entry, "uid")
    name = ", ".join(part for part in (_text(entry, "lastName"), _text(entry, "firstName")) if part)
    for one in _all(entry, "id"):
        if match := PREFIX.match(_text(one, "idType")):
            yield _label(_text(one, "idNumber"), match[1], name, uid, lastmod, sha256)


def _party(party: Element, kinds: dict[str, str], lastmod: str, sha256: bytes) -> Iterator[Label]:
    """The addresses of one party of sdn_advanced.xml."""
    uid = party.get("FixedRef", "")
    for feature in _all(party, "Feature"):
        if (currency := kinds.get(feature.get("FeatureTypeID", ""))) is not None:
            yield _label(_text(feature, "VersionDetail"), currency, _party_name(party), uid, lastmod, sha256)


def _party_name(party: Element) -> str:
    aliases = list(_all(party, "Alias"))
    first = next((one for one in aliases if one.get("Primary") == "true"), aliases[0] if aliases else party)
    named = next(_all(first, "DocumentedName"), first)
    return " ".join((part.text or "").strip() for part in _all(named, "NamePartValue"))


def _label(address: str, currency: str, name: str, uid: str, lastmod: str, sha256: bytes) -> Label:
    if not address or not name:
        raise BadList(f"entry {uid or '?'}: has a digital currency address without {'name' if address else 'number'}")
    source = f"OFAC SDN {uid}"
    return Label(address, currency.upper(), name, SANCTIONS, "", "", lastmod, source, pack=sha256)


def _name(element: Element) -> str:
    """The name of an element without its namespace."""
    return element.tag.rpartition("}")[2]


def _all(element: Element, name: str) -> Iterator[Element]:
    return (one for one in element.iter() if _name(one) == name)


def _text(element: Element, name: str) -> str:
    """The text of a child, else of the first that lies deeper; empty if there is none."""
    child = next((one for one in element if _name(one) == name), None)
    child = next(_all(element, name), None) if child is None else child
    return "" if child is None else (child.text or "").strip()


def _date(text: str) -> str:
    """Write month/day/year as year-month-day; other texts stay."""
    try:
        return datetime.strptime(text.strip(), "%m/%d/%Y").date().isoformat()
    except ValueError:
        return text.strip()
