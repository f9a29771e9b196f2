"""Records are read from tables whose common keys no kind may use for something of its own."""

from pathlib import Path

import pytest

from tracer.custody.records import KINDS, PlannedLeg
from watchers.recording import COMMON, draft_of


@pytest.mark.parametrize("kind", KINDS)
def test_no_field_of_a_kind_hides_what_every_record_says(kind: str) -> None:
    keys = {field.alias or name for name, field in KINDS[kind].model_fields.items()}
    assert keys.isdisjoint({*COMMON, "kind"})


def test_a_leg_record_says_what_the_leg_is_for() -> None:
    table = {"kind": "leg", "by": "officer", "id": "test-1", "what": "TEST", "asset": "bitcoin:BTC"}
    draft = draft_of({**table, "from": ["authority"], "to": "agency", "amount": "0.01"}, Path(), 0)
    assert isinstance(draft.body, PlannedLeg)
    assert (draft.kind, draft.body.what, draft.body.sources) == ("leg", "TEST", ("authority",))
