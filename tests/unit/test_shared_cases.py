"""A case that comes later may concern cases that are there: they are judged with it."""

from dataclasses import replace
from pathlib import Path

from disposal import declared, open_store, plays
from sqlalchemy import text
from store_builder import WALL

from tracer.custody.presetfiles import find_preset
from tracer.store.cases import import_case
from tracer.types import ChainId


def test_both_cases_are_told_at_once_that_they_share_a_custody_script(tmp_path: Path) -> None:
    with open_store(tmp_path / "store.db") as store:
        chains = {ChainId(play.handle.caip2): play.handle for play in plays(store)}
        first = declared()
        second = replace(first, ref="HD-2", source_sha256=bytes(32))
        for case in (first, second):
            assert import_case(store, case, chains, now=WALL, preset=find_preset("beijing-2025"))
        with store.connection.begin():
            sql = text("SELECT DISTINCT k.ref FROM alert a JOIN cases k ON k.id = a.case_id WHERE a.rule = 'COLD-2'")
            told = {ref for (ref,) in store.connection.execute(sql)}
    assert told == {"HD-1", "HD-2"}
