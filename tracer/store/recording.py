"""Files a record about a case: checked against all that is there, stored with what it adds, and judged at once."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import MappingProxyType

from sqlalchemy import text

from tracer.custody.case import Case, Leg, LegKind, Watch, check_case
from tracer.custody.facts import CaseFacts
from tracer.custody.filing import Draft, RecordRefused, check_draft, check_name, ref_of, superseded_id
from tracer.custody.judge import WITHDRAWN, Judgement, Verdict
from tracer.custody.record import Record
from tracer.custody.records import Control, Inquiry, PlannedLeg, Power, Sale, Statement, Valuation, Withdrawal
from tracer.errors import CaseRefused
from tracer.proof.control.ethereum import ContractSaid
from tracer.store.appended import insert_record
from tracer.store.blockrows import insert_judged
from tracer.store.cases import insert_legs, next_id
from tracer.store.chains import ChainHandle
from tracer.store.controlled import shown_control
from tracer.store.declared import AttestationRow, DocumentRow
from tracer.store.findings import JUDGE
from tracer.store.imported import stored_refs
from tracer.store.rows import insert_many
from tracer.store.writer import Store
from tracer.strict import Unfit
from tracer.types import Asset, AssetId, AssetKind, ChainId, Holder, Role
from tracer.units import base_units

OUT_OF_TOUCH_S = 600
"""Seconds after which a node that has not answered tells nothing of what is known."""

OUT_OF_TOUCH = ("behind", "weaker branch", "unreachable", "halted", "refused")


@dataclass(frozen=True, slots=True)
class Filed:
    """A record that was filed: its kind, name, and digest in hex."""

    kind: str
    ref: str
    digest: str


def file_records(
    store: Store,
    case_ref: str,
    drafts: Sequence[Draft],
    chains: Mapping[ChainId, ChainHandle],
    now: int,
    said: Mapping[int, ContractSaid] = MappingProxyType({}),
) -> list[Filed]:
    """File records in one transaction, in order; raises RecordRefused, and then none is stored.

    said: what contracts answered, by the place of the control record that it is for.
    """
    try:
        with store.connection.begin():
            filed, known = [], newest_known(store, case_of(store, case_ref)[0], now)
            for place, draft in enumerate(drafts):
                with naming(place, len(drafts)):
                    filed.append(file_record(store, case_ref, draft, chains, now, known, said.get(place)))
            store.oversight.recorded(case_of(store, case_ref)[0], now)
            return filed
    except BaseException:
        store.oversight.forget()
        raise


@dataclass(frozen=True, slots=True)
class Known:
    """The newest block of a case's chains that the store has met, and its time; None: nothing tells what was known."""

    block_id: int | None
    time: int | None


def newest_known(store: Store, case_id: int, now: int) -> Known:
    """What is known of a case's chains, whether or not it is on the chain; nothing where one of them is not followed.

    A chain is followed if its node answered lately and is neither behind nor refused: else a payment may be in blocks
    that this store has not met, and that others have.
    """
    rows = store.connection.execute(
        text(
            "SELECT s.chain_id, f.tip_id, n.state, n.contacted_at FROM seizure s LEFT JOIN follower f ON f.chain_id ="
            " s.chain_id LEFT JOIN follower_status n ON n.chain_id = s.chain_id WHERE s.case_id = :c"
        ),
        {"c": case_id},
    ).all()
    for row in rows:
        silent = row.contacted_at is not None and now - row.contacted_at > OUT_OF_TOUCH_S
        if row.tip_id is None or silent or row.state in OUT_OF_TOUCH:
            return Known(None, None)
    newest = [
        store.connection.execute(
            text("SELECT id, time FROM block WHERE chain_id = :c AND id > 0 ORDER BY id DESC LIMIT 1"), {"c": chain_id}
        ).one()
        for chain_id, *_ in rows
    ]
    found = max(newest, default=None)
    return Known(None, None) if found is None else Known(int(found[0]), int(found[1]))


@contextmanager
def naming(place: int, many: int) -> Iterator[None]:
    """Let what is refused say which of many records it is; place: from 0, people count from 1."""
    try:
        yield
    except RecordRefused as error:
        if many == 1:
            raise
        raise RecordRefused(f"record[{place + 1}]: {error}", error.remedy) from error


def file_record(
    store: Store,
    case_ref: str,
    draft: Draft,
    chains: Mapping[ChainId, ChainHandle],
    now: int,
    known: Known,
    said: ContractSaid | None = None,
) -> Filed:
    """File a record inside the caller's transaction; said: what a contract answered about it."""
    case_id, preset_id = case_of(store, case_ref)
    if preset_id is None:
        raise RecordRefused(f"case {case_ref} has no preset: it was imported by an older version", "Import it anew.")
    facts = store.oversight.facts(case_id)
    preset = store.oversight.cases[case_id].assessor.preset
    check_draft(draft, facts, preset, lambda name: has_watch(store, case_id, name), now)
    check_amounts(store, draft)
    if isinstance(draft.body, Power):
        check_power(store, case_id, draft.body)
    if isinstance(draft.body, Control):
        draft = replace(draft, body=shown_control(store, (case_id, case_ref), draft.body, facts, now, said))
    ref = ref_of(draft, facts)
    superseded = superseded_id(draft, facts)
    number = insert_record(store.connection, (case_id, case_ref), draft, ref, superseded, now, known.block_id)
    match draft.body:
        case PlannedLeg() as body:
            leg = planned_leg(store, ref, body)
            check_leg(store, case_id, leg)
            insert_legs(store, [leg], case_id, stored_refs(store.connection, case_id).watches, chains, {}, number)
        case Statement() as body:
            attest(store, case_id, ref, draft, body, number)
        case _:
            pass
    judge_withdrawn(store, facts, draft, chains, now)
    if draft.kind == "document":
        keep_document(store, case_id, ref, str(getattr(draft.body, "title", ref)), draft, number)
    who = (draft.actor, draft.second, draft.at, now)
    filed = Record(number, draft.kind, ref, *who, draft.document, draft.body, superseded, known.block_id, known.time)
    store.oversight.filed(case_id, filed)
    digest = store.connection.execute(text("SELECT digest FROM record WHERE id = :r"), {"r": number}).scalar_one()
    return Filed(draft.kind, ref, bytes(digest).hex())


def case_of(store: Store, case_ref: str) -> tuple[int, int | None]:
    """The number of a case and of its preset."""
    row = store.connection.execute(text("SELECT id, preset_id FROM cases WHERE ref = :r"), {"r": case_ref}).first()
    if row is None:
        names = store.connection.execute(text("SELECT ref FROM cases ORDER BY ref LIMIT 5"))
        there = ", ".join(name for (name,) in names) or "none"
        raise RecordRefused(f"there is no case {case_ref!r}; there is {there}", "Import it with tracerd case import.")
    return int(row[0]), None if row[1] is None else int(row[1])


def has_watch(store: Store, case_id: int, name: str) -> bool:
    """Whether a case has a watch of a name."""
    find = text("SELECT EXISTS (SELECT 1 FROM watch WHERE case_id = :c AND ref = :r)")
    return bool(store.connection.execute(find, {"c": case_id, "r": name}).scalar_one())


def check_power(store: Store, case_id: int, body: Power) -> None:
    """What is said to be in others' power is an address of the case, by name or text; raises RecordRefused."""
    find = text(
        "SELECT EXISTS (SELECT 1 FROM watch w JOIN holder h ON h.id = w.holder_id WHERE w.case_id = :c"
        " AND (w.ref = :r OR h.address = :r OR lower(hex(h.key)) = lower(:r)))"
    )
    if not store.connection.execute(find, {"c": case_id, "r": body.watch}).scalar_one():
        raise RecordRefused(f"the case has no watch {body.watch!r}", "Name a watch of the case, or its address.")


def asset_of(store: Store, name: str) -> Asset:
    """The asset that ``CHAIN:SYMBOL`` names; raises RecordRefused."""
    chain, _, symbol = name.partition(":")
    row = store.connection.execute(
        text(
            "SELECT a.caip19, a.symbol, a.decimals, a.kind FROM asset a JOIN chain c ON c.id = a.chain_id"
            " WHERE c.name = :chain AND a.symbol = :symbol AND a.kind IN ('native', 'listed')"
        ),
        {"chain": chain, "symbol": symbol},
    ).first()
    if row is None:
        raise RecordRefused(
            f"asset: {name!r} is no asset that counts", "Write it as CHAIN:SYMBOL, such as bitcoin:BTC."
        )
    return Asset(AssetId(row[0]), row[1], row[2], AssetKind(row[3]))


def check_amounts(store: Store, draft: Draft) -> None:
    """Assets that a record names are there, and its amounts have no more places than they."""
    name = getattr(draft.body, "asset", None)
    if isinstance(name, str):
        asset = asset_of(store, name)
        if isinstance(draft.body, Sale | Inquiry):
            units(draft.body.amount, asset, "amount")
    elif isinstance(draft.body, Valuation):
        raise RecordRefused("a valuation names an asset")


def units(amount: str, asset: Asset, key: str) -> int:
    """Base units of an amount; raises RecordRefused."""
    try:
        return base_units(amount, asset)
    except Unfit as error:
        raise RecordRefused(f"{key}: {error}", error.fix) from error


def planned_leg(store: Store, ref: str, body: PlannedLeg) -> Leg:
    """A recorded leg as a case declares it."""
    asset = asset_of(store, body.asset)
    native = asset_of(store, f"{body.asset.partition(':')[0]}:{native_symbol(store, body.asset)}")
    amount, tolerance = units(body.amount, asset, "amount"), units(body.tolerance, asset, "tolerance")
    if not amount or tolerance >= amount:
        raise RecordRefused("a leg moves something, and its tolerance is smaller than its amount")
    return Leg(
        ref,
        LegKind(body.what),
        asset.id,
        body.sources,
        body.to,
        amount,
        tolerance,
        units(body.max_fee, native, "max_fee"),
        body.not_before,
        body.deadline,
        body.needs_test,
    )


def native_symbol(store: Store, name: str) -> str:
    """The symbol of the coin that pays fees on an asset's chain."""
    return str(
        store.connection.execute(
            text(
                "SELECT a.symbol FROM asset a JOIN chain c ON c.id = a.chain_id WHERE c.name = :c AND a.kind = 'native'"
            ),
            {"c": name.partition(":")[0]},
        ).scalar_one()
    )


def check_leg(store: Store, case_id: int, leg: Leg) -> None:
    """Hold a leg against the watches that it names, as the import of a case does; raises RecordRefused."""
    named = ", ".join(f":w{place}" for place in range(len(leg.sources) + 1))
    refs = {f"w{place}": ref for place, ref in enumerate((leg.target, *leg.sources))}
    rows = store.connection.execute(
        text(
            "SELECT w.ref, k.caip2, h.key, w.role FROM watch w JOIN holder h ON h.id = w.holder_id"
            f" JOIN chain k ON k.id = h.chain_id WHERE w.case_id = :c AND w.ref IN ({named})"
        ),
        {"c": case_id, **refs},
    )
    watches = tuple(
        Watch(ref, ChainId(caip2), Holder(bytes(key)), Role(role), None, 0) for ref, caip2, key, role in rows
    )
    heights = store.connection.execute(
        text("SELECT k.caip2, s.height FROM seizure s JOIN chain k ON k.id = s.chain_id WHERE s.case_id = :c"),
        {"c": case_id},
    )
    seizures = {ChainId(chain): int(height) for chain, height in heights}
    chains = {watch.chain for watch in watches}
    if len(chains) != 1 or not str(leg.asset).startswith(f"{next(iter(chains))}/"):
        raise RecordRefused(f"leg {leg.ref} joins watches and an asset of several chains")
    if leg.target in leg.sources:
        raise RecordRefused(f"{leg.target} is also a source of leg {leg.ref}", "A leg goes to somebody else.")
    try:
        check_case(Case("", "", "", seizures, (), watches, (), (), (leg,), b""))
    except CaseRefused as error:
        raise RecordRefused(str(error), error.remedy) from error


def attest(store: Store, case_id: int, ref: str, draft: Draft, body: Statement, number: int) -> None:
    """Keep a statement that an address is an institution's, where legs are judged by it."""
    known = stored_refs(store.connection, case_id)
    own = store.connection.execute(
        text(
            "SELECT i.ref FROM watch w JOIN institution i ON i.id = w.institution_id"
            " WHERE w.case_id = :c AND w.ref = :w"
        ),
        {"c": case_id, "w": body.watch},
    ).scalar()
    if own is not None and own != body.institution:
        raise RecordRefused(f"{body.watch} is an address of {own}: {body.institution} cannot attest it")
    document = keep_document(store, case_id, f"attestation/{ref}", f"attestation {ref}", draft, number)
    row = (known.watches[body.watch], known.institutions[body.institution], document, body.valid_from, body.valid_to)
    columns = "watch_id institution_id document_id valid_from valid_to record_id"
    insert_many(store.connection, AttestationRow, columns, [(*row, number)])


def judge_withdrawn(
    store: Store, facts: CaseFacts, draft: Draft, chains: Mapping[ChainId, ChainHandle], now: int
) -> None:
    """Give the verdicts of legs for which nothing is to arrive any more, or is again, with the record that says so."""
    gone = {draft.body.leg} if isinstance(draft.body, Withdrawal) else set[str]()
    if draft.kind == "leg" and draft.supersedes is not None:
        gone.add(draft.supersedes)
    old = next((one for one in facts.current.get("withdrawal", ()) if one.ref == draft.supersedes), None)
    back = {old.body.leg} - gone if old is not None and isinstance(old.body, Withdrawal) else set[str]()
    for ref in sorted(gone | back):
        leg = facts.leg(ref)
        if leg is None or leg.arrivals or leg.chain not in facts.chains:
            continue
        said = Judgement(Verdict.NOT_SHOWN, WITHDRAWN if ref in gone else "nothing arrived yet", ())
        asset = AssetId(leg.asset)
        chain = chains[ChainId(asset.partition("/")[0])]
        insert_judged(store, chain, facts.chains[leg.chain].tip_id, [(facts.id, leg.id, asset, said)], [], now)


def keep_document(store: Store, case_id: int, ref: str, title: str, draft: Draft, number: int) -> int:
    """Keep a document that a record rests on."""
    assert draft.document is not None, "what rests on a document was checked to name it"
    document = next_id(store, "document")
    row = (document, case_id, ref, title, bytes.fromhex(draft.document), number)
    insert_many(store.connection, DocumentRow, "id case_id ref title sha256 record_id", [row])
    return document


def note_alert(store: Store, alert_id: int, what: str, actor: str, reason: str, now: int) -> str:
    """Acknowledge, close or reopen an alert, on record; returns its rule and message. Raises RecordRefused."""
    check_name(actor)
    if actor == JUDGE or not reason.strip() or not reason.isprintable():
        raise RecordRefused("somebody has to be named, with a reason in one line", "Give --by NAME --reason TEXT.")
    with store.connection.begin():
        row = store.connection.execute(
            text(
                "SELECT a.rule, a.message, (SELECT e.what FROM alert_event e WHERE e.alert_id = a.id"
                " ORDER BY e.id DESC LIMIT 1),"
                " coalesce((SELECT f.tip_id FROM follower f WHERE f.chain_id = a.chain_id),"
                " (SELECT f.tip_id FROM leg l JOIN asset s ON s.id = l.asset_id JOIN follower f"
                " ON f.chain_id = s.chain_id WHERE l.id = a.leg_id),"
                " (SELECT f.tip_id FROM seizure s JOIN follower f ON f.chain_id = s.chain_id JOIN block b"
                " ON b.id = f.tip_id WHERE s.case_id = a.case_id ORDER BY b.time DESC LIMIT 1))"
                " FROM alert a WHERE a.id = :a"
            ),
            {"a": alert_id},
        ).first()
        if row is None:
            raise RecordRefused(f"there is no alert {alert_id}", "`tracer case alerts` lists them.")
        if what == "reopened" and row[2] != "closed":
            raise RecordRefused(f"alert {alert_id} is not closed")
        if what != "reopened" and row[2] in ("closed", "resolved"):
            raise RecordRefused(f"alert {alert_id} is {row[2]} already")
        if row[2] == what:
            raise RecordRefused(f"alert {alert_id} was acknowledged already")
        store.oversight.note_event(alert_id, now, what, actor, reason, row[3])
    return f"{row[0]}: {row[1]}"
