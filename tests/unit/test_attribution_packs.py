"""Files of labels: what is read of TagPacks and SDN lists, what is refused, and the hash of what is in force."""

import json
from dataclasses import replace

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tracer.attribution.labels import Label, snapshot
from tracer.attribution.ofac import BadList, read_ofac
from tracer.attribution.tagpack import BadTagPack, read_tagpack

PACK = """title: Exchanges
creator: Analyst
currency: BTC
category: exchange
lastmod: 2025-01-01
confidence: service_data
actor: harbour
tags:
- address: bc1qone
  label: Harbour
- address: 0x00000000000000000000000000000000000000aa
  label: Harbour hot
  network: eth
  currency: USDT
  lastmod: 2025-02-02
  concepts: [exchange, hosted_wallet]
  category:
  context: no
"""


def test_tags_inherit_from_the_header_and_override_it() -> None:
    one, two = read_tagpack(PACK.encode()).labels
    assert (one.address, one.currency, one.label, one.category) == ("bc1qone", "BTC", "Harbour", "exchange")
    assert (one.lastmod, one.confidence, json.loads(one.extra)) == ("2025-01-01", "service_data", {"actor": "harbour"})
    assert (two.currency, two.lastmod, two.category) == ("ETH", "2025-02-02", "exchange, hosted_wallet")


def test_no_value_is_taken_for_a_number_or_a_truth() -> None:
    _, two = read_tagpack(PACK.encode()).labels
    assert two.address == "0x00000000000000000000000000000000000000aa"
    assert json.loads(two.extra)["context"] == "no"


def test_what_is_null_was_not_given() -> None:
    one, _ = read_tagpack(
        PACK.replace("  label: Harbour\n", "  label: 'null'\n  category: ~\n  source: null\n").encode()
    ).labels
    assert (one.label, one.category, one.source) == ("null", "", "")


BOMB = "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\ntitle: T\ncreator: C\ntags: *c\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[1, 2]", "is not a table with title, creator and tags"),
        ("title: T\ncreator: C\n", "header: has no `tags`"),
        ("title: T\ncreator: C\ntags: 5\n", "header: `tags` is not a list of tags"),
        ("title: T\ncreator: C\ntags: []\n", "header: `tags` is not a list of tags"),
        ("creator: C\ntags: [{}]\n", "header: has no `title`"),
        ("title: [T]\ncreator: C\ntags: [{}]\n", "header: `title` is not text"),
        ("title: T\ncreator: C\ntags: [x]\n", "tags[1]: is not a table"),
        ("title: T\ncreator: C\ncurrency: BTC\ntags: [{label: L}]\n", "tags[1]: has no `address`"),
        ("title: T\ncreator: C\ncurrency: BTC\ntags: [{address: a}]\n", "tags[1]: has no `label`"),
        ("title: T\ncreator: C\ntags: [{address: a, label: L}]\n", "tags[1]: has neither `currency` nor `network`"),
        ("title: T\ncreator: C\ntitle: U\ntags: [{}]\n", "line 3: the key 'title' is there twice"),
        ("title: T\n? [a]\n: b\n", "line 2: a key must be text"),
        ("title: 'T\n", "line 2: found unexpected end of stream"),
        ("title: T\n--- \ntitle: U\n", "has 2 documents, expected one"),
        ("", "has 0 documents, expected one"),
        (BOMB, "line 2: has an alias (*a)"),
        ("[" * 5000, "is nested more than 20 deep"),
        ("a: \x07", "is not YAML"),
    ],
)
def test_what_is_no_tagpack_is_refused_and_the_place_named(text: str, said: str) -> None:
    with pytest.raises(BadTagPack) as error:
        read_tagpack(text.encode())
    assert said in str(error.value)


def test_bytes_that_are_not_text_are_refused() -> None:
    with pytest.raises(BadTagPack, match="not UTF-8"):
        read_tagpack(b"\xff\xfe\x00")


def test_tags_about_transactions_are_noted_and_not_read() -> None:
    pack = read_tagpack((PACK + "- tx_hash: abab\n  label: T\n").encode())
    assert len(pack.labels) == 2 and pack.notes == ("tags[3] is about a transaction, not an address: not read",)


words = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=12)


@given(st.lists(st.tuples(words, words), min_size=1, max_size=8), words)
def test_whatever_a_proper_writer_wrote_is_read_back(tags: list[tuple[str, str]], title: str) -> None:
    rows = [{"address": address, "label": label} for address, label in tags]
    body = yaml.safe_dump({"title": title, "creator": "C", "currency": "BTC", "tags": rows}, allow_unicode=True)
    pack = read_tagpack(body.encode())
    assert pack.title == title
    assert [(one.address, one.label) for one in pack.labels] == tags


SDN = """<?xml version="1.0" standalone="yes"?>
<sdnList xmlns="http://tempuri.org/sdnList.xsd">
  <publshInformation><Publish_Date>07/30/2025</Publish_Date></publshInformation>
  <sdnEntry><uid>11</uid><lastName>HARBOUR MIXER</lastName><programList><program>CYBER2</program></programList>
    <idList>
      <id><uid>1</uid><idType>Passport</idType><idNumber>X</idNumber></id>
      <id><uid>2</uid><idType>Digital Currency Address - XBT</idType><idNumber> bc1qone </idNumber></id>
      <id><uid>3</uid><idType>Digital Currency Address - USDT</idType><idNumber>0xaa</idNumber></id>
    </idList></sdnEntry>
  <sdnEntry><uid>12</uid><lastName>NOBODY</lastName></sdnEntry>
</sdnList>"""
ADVANCED = """<Sanctions xmlns="https://example.org/ADVANCED_XML">
  <DateOfIssue><Year>2025</Year><Month>7</Month><Day>3</Day></DateOfIssue>
  <ReferenceValueSets><FeatureTypeValues>
    <FeatureType ID="344">Digital Currency Address - XBT</FeatureType><FeatureType ID="9">Gender</FeatureType>
  </FeatureTypeValues></ReferenceValueSets>
  <DistinctParties><DistinctParty FixedRef="77"><Profile ID="77"><Identity>
    <Alias Primary="false"><DocumentedName><NamePartValue>OTHER</NamePartValue></DocumentedName></Alias>
    <Alias Primary="true"><DocumentedName><NamePartValue>HARBOUR</NamePartValue>
      <NamePartValue>MIXER</NamePartValue></DocumentedName></Alias></Identity>
    <Feature FeatureTypeID="9"><FeatureVersion><VersionDetail>x</VersionDetail></FeatureVersion></Feature>
    <Feature FeatureTypeID="344"><FeatureVersion><VersionDetail>bc1qone</VersionDetail></FeatureVersion></Feature>
  </Profile></DistinctParty></DistinctParties></Sanctions>"""


@pytest.mark.parametrize("namespace", ["http://tempuri.org/sdnList.xsd", "https://example.org/XML"])
def test_the_sdn_list_is_read_in_any_namespace(namespace: str) -> None:
    pack = read_ofac(SDN.replace("http://tempuri.org/sdnList.xsd", namespace).encode())
    assert [(one.address, one.currency) for one in pack.labels] == [("bc1qone", "XBT"), ("0xaa", "USDT")]
    assert {(one.label, one.category, one.source, one.lastmod) for one in pack.labels} == {
        ("HARBOUR MIXER", "sanctions", "OFAC SDN 11", "2025-07-30")
    }


def test_the_advanced_list_is_read_too() -> None:
    [label] = read_ofac(ADVANCED.encode()).labels
    assert (label.address, label.currency, label.label) == ("bc1qone", "XBT", "HARBOUR MIXER")
    assert (label.source, label.lastmod) == ("OFAC SDN 77", "2025-07-03")


DTD = '<!DOCTYPE sdnList [<!ENTITY a "x"><!ENTITY b "&a;&a;&a;">]>'


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (SDN.replace("<sdnList", DTD + "<sdnList").encode(), "has a document type or entities"),
        (SDN.replace("<sdnList", "<!doctype sdnList SYSTEM 'file:///etc/passwd'><sdnList").encode(), "document type"),
        (SDN.replace('version="1.0"', 'version="1.0" encoding="UTF-16"').encode("utf-16"), "not UTF-8"),
        (SDN.replace("HARBOUR", "HÄFEN").encode("latin-1"), "is not UTF-8 text"),
        (SDN.encode("utf-16-le"), "has a document type or entities"),  # the NULs of another encoding
        (SDN.replace("bc1qone", "&gone;").encode(), "is not XML: undefined entity"),
        (SDN[:-12].encode(), "is not XML"),
        (b"<html></html>", "begins with <html>"),
        (b"<sdnList/>", "names no digital currency address"),
        (SDN.replace(" bc1qone ", " ").encode(), "entry 11: has a digital currency address without number"),
        (b"", "is not XML"),
    ],
)
def test_what_is_no_sdn_list_is_refused(body: bytes, said: str) -> None:
    with pytest.raises(BadList) as error:
        read_ofac(body)
    assert said in str(error.value)


def label(address: str = "a", name: str = "N", category: str = "", pack: bytes = b"p") -> Label:
    return Label(address, "BTC", name, category, pack=pack)


labels = st.builds(label, words, words, words, st.binary(min_size=1, max_size=3))


@given(st.lists(labels, max_size=6), st.randoms())
def test_the_snapshot_does_not_depend_on_the_order(found: list[Label], shuffler: object) -> None:
    other = list(found)
    shuffler.shuffle(other)  # type: ignore[attr-defined]
    assert snapshot(other) == snapshot(found)


@given(st.lists(labels, max_size=6), labels)
def test_one_more_label_changes_the_snapshot(found: list[Label], more: Label) -> None:
    assert snapshot([*found, more]) != snapshot(found)


def test_every_field_is_in_the_snapshot() -> None:
    base = Label("a", "BTC", "n", "c", "u", "f", "l", "s", "e", "k", b"h", b"p")
    for name in Label.__slots__:
        other = b"other" if name in ("holder", "pack") else "other"
        assert snapshot([replace(base, **{name: other})]) != snapshot([base]), name
