"""Proofs of control as records: what they are held against in the store, and what is kept of them."""

from sqlalchemy import text

from tracer.custody.facts import CaseFacts
from tracer.custody.records import Control, Shown
from tracer.errors import ControlRefused
from tracer.proof.control.ethereum import ContractSaid
from tracer.proof.control.shown import Expected, Method, check_control, heights_asked
from tracer.store.writer import Store
from tracer.types import ChainId, Hash, Holder


def shown_control(
    store: Store, case: tuple[int, str], body: Control, facts: CaseFacts, now: int, said: ContractSaid | None
) -> Control:
    """Verify a proof of control for a case (id, ref), and add to it what it shows; raises ControlRefused."""
    expected, chain_id = expected_of(store, case, body.watch)
    used = {
        bytes.fromhex(digest)
        for record in facts.records
        if isinstance(record.body, Control) and record.body.shown is not None
        for digest in (record.body.shown.message_sha256, record.body.shown.sha256)
    }
    canonical: dict[int, Hash] = {}
    for height in heights_asked(body.message, said):
        found = store.connection.execute(
            text("SELECT hash FROM block WHERE chain_id = :c AND height = :h AND canonical"),
            {"c": chain_id, "h": height},
        ).scalar()
        if found is not None:
            canonical[height] = Hash(bytes(found))
    shown = check_control(
        body.message,
        body.signature,
        Method(body.method),
        expected,
        now_s=now,
        canonical=canonical,
        used=used,
        said=said,
    )
    digests = (shown.message_digest.hex(), shown.digest.hex())
    kept = Shown(
        height=shown.height,
        block=shown.block.hex(),
        expires_at=shown.expires_s,
        message_sha256=digests[0],
        sha256=digests[1],
        lane=shown.lane.name,
    )
    return body.model_copy(update={"shown": kept})


def expected_of(store: Store, case: tuple[int, str], watch: str) -> tuple[Expected, int]:
    """What a proof has to be for, and the number of its chain; raises ControlRefused for a watch that is not there."""
    row = store.connection.execute(
        text(
            "SELECT k.caip2, h.key, coalesce(h.address, lower(hex(h.key))), k.id FROM watch w"
            " JOIN holder h ON h.id = w.holder_id JOIN chain k ON k.id = h.chain_id"
            " WHERE w.case_id = :c AND w.ref = :w"
        ),
        {"c": case[0], "w": watch},
    ).first()
    if row is None:
        raise ControlRefused(f"the case has no watch {watch!r}", "Name a watch of the case file.")
    return Expected(case[1], watch, ChainId(row[0]), Holder(bytes(row[1])), row[2]), int(row[3])
