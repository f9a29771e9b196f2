"""Answers whether a transaction may be broadcast for a leg: reads what the store knows of both, and compares."""

from collections.abc import Callable, Collection, Iterable, Mapping

from tracer.custody.case import LegKind
from tracer.custody.facts import CaseFacts
from tracer.custody.foresee import foreseen
from tracer.custody.judge import Verdict
from tracer.custody.lookalike import LookAlikes
from tracer.custody.records import Hold
from tracer.matching import LegState
from tracer.precheck.compare import compare
from tracer.precheck.decode import read
from tracer.precheck.facts import Declared, KnownCoin, LegFacts, Unit
from tracer.precheck.planned import Planned
from tracer.precheck.rows import Row as Compared
from tracer.precheck.texts import writer
from tracer.report.answer import Answer, Check, Row
from tracer.report.casestatus import preset_if_any
from tracer.report.custody import numbers_of
from tracer.report.places import NothingThere, begin, case_chains
from tracer.store.casefacts import load_facts
from tracer.store.counting import published
from tracer.store.filed import load_records
from tracer.store.load import load_attestations, load_legs
from tracer.store.reader import Reader
from tracer.types import HELD_ROLES, ChainId, Holder, Kind, Outpoint, Role, outpoint_text

GRAVE = ("CRITICAL", "HIGH")


def precheck(reader: Reader, case_ref: str, leg_ref: str, given: bytes, now: int | None) -> Answer:
    """Answer whether a transaction is what a leg plans, field by field; raises Unreadable or NothingThere.

    given: a PSBT or transaction as a wallet wrote it. now: when it would be broadcast, seconds since 1970.
    """
    cases = case_chains(reader, case_ref)
    leg = the_leg(reader, case_ref, leg_ref)
    [case] = [row for row in cases if row["chain"] == leg["chain"]]
    planned = read(given, ChainId(leg["asset"].partition("/")[0]))
    facts = leg_facts(reader, case, leg, planned, now)
    answer = begin(reader, "precheck", [case])
    rows = compare(planned, facts, now)
    rows += procedure(reader, case, leg, max(0, facts.plan.amount - facts.arrived), now, {row.rule for row in rows})
    answer.data = {
        "case_ref": case_ref,
        "leg": {key: leg[key] for key in ("leg_ref", "kind", "chain", "asset", "symbol", "decimals", "planned")},
        "now": now,
        "transaction": described(planned, facts),
        "fields": [
            {
                "field": row.field,
                "planned": row.planned,
                "found": row.found,
                "verdict": row.verdict.value,
                "rule": row.rule,
                "reason": row.reason,
            }
            for row in rows
        ],
    }
    answer.checks[:0] = [Check(row.rule, row.field, row.verdict.value, row.reason) for row in rows]
    return answer


def the_leg(reader: Reader, case_ref: str, leg_ref: str) -> Row:
    """A leg's row of v_leg; raises NothingThere."""
    legs = reader.rows("SELECT * FROM v_leg WHERE case_ref = :case ORDER BY leg_number", case=case_ref)
    found = [leg for leg in legs if leg["leg_ref"] == leg_ref]
    if not found:
        names = ", ".join(leg["leg_ref"] for leg in legs[:20]) or "no leg"
        raise NothingThere(f"case {case_ref} has no leg {leg_ref!r}", f"It has {names}.")
    return found[0]


def needs_test(reader: Reader, case_ref: str, leg: Row) -> bool:
    """Whether a leg asks for a confirmed test transfer first, by itself or by its case's preset."""
    preset = preset_if_any(reader, case_ref)
    return bool(leg["needs_test"]) or (preset is not None and leg["kind"] in preset.rules.test_kinds)


def procedure(
    reader: Reader, case: Row, leg: Row, amount: int, now: int | None, told: Collection[str]
) -> tuple[Compared, ...]:
    """What the rules of the case's preset would tell if the leg were paid; told: rules that are compared already.

    amount: base units that are still to come.
    """
    preset = preset_if_any(reader, case["case_ref"])
    if preset is None or not amount:
        return ()
    case_id, _ = numbers_of(reader, case)
    facts = load_facts(reader.connection, case_id)
    if leg["chain"] not in facts.chains:
        return ()
    instant = facts.clock if now is None else now
    found = [one for one in foreseen(facts, preset, leg["leg_number"], amount, instant) if one.rule not in told]
    keeps = f"as {preset.name} asks"
    if not found:
        return (Compared("procedure", keeps, keeps, Verdict.SHOWN, "LEG-7", "no rule would tell of it"),)
    return tuple(
        Compared(
            "procedure",
            keeps,
            f"{one.rule} {one.severity}",
            Verdict.CONTRADICTED if one.found.shown and one.severity in GRAVE else Verdict.NOT_SHOWN,
            one.rule,
            f"if it were paid now: {one.found.message}",
        )
        for one in sorted(found, key=lambda one: (one.rule, one.found.subject))
    )


def on_hold(reader: Reader, case: Row, now: int | None) -> bool | None:
    """Whether at an instant a court forbids any movement of the case; None: no instant was given."""
    if now is None:
        return None
    case_id, _ = numbers_of(reader, case)
    facts = CaseFacts(case_id, case["case_ref"], "")
    facts.put_records(load_records(reader.connection, case_id))
    return any(body.start <= now and (body.end is None or now < body.end) for _, body in facts.of("hold", Hold))


def leg_facts(reader: Reader, case: Row, leg: Row, planned: Planned, now: int | None) -> LegFacts:
    """All that comparing needs of a leg and its case."""
    case_id, chain_id = numbers_of(reader, case)
    keys = {"case": case_id, "c": chain_id}
    legs = load_legs(reader.connection, keys)
    state = next((one for one in legs if one.plan.ref == leg["leg_ref"]), None)
    if state is None:
        raise NothingThere(
            f"leg {leg['leg_ref']} does not count yet: the past of its case is being read",
            "Ask again when `tracer status` says that it was back-filled.",
        )
    if state.withdrawn:
        raise NothingThere(f"leg {leg['leg_ref']} was withdrawn", "`tracer case history` says by whom, and why.")
    declared, texts = addresses(reader, keys)
    write = writer(ChainId(leg["asset"].partition("/")[0]))
    [(symbol, decimals)] = reader.raw(
        "SELECT symbol, decimals FROM asset WHERE chain_id = :c AND kind = 'native'", **keys
    )
    return LegFacts(
        plan=state.plan,
        needs_test=needs_test(reader, case["case_ref"], leg),
        test_confirmed=tested(reader, case, legs, state),
        on_hold=on_hold(reader, case, now),
        declared=declared,
        look_alikes=LookAlikes((texts[holder], known.ref) for holder, known in declared.items()),
        coins=dict(coins(reader, keys, [spent.point for spent in planned.inputs], planned.txid)),
        show=shown(texts, write),
        unit=Unit(leg["symbol"], leg["decimals"]),
        native=Unit(symbol, decimals),
        balances=balances(reader, keys, leg["asset"]),
        attestations=load_attestations(reader.connection, keys).get(state.plan.target, ()),
        arrived=state.arrived,
        fees=state.fees,
    )


def shown(texts: Mapping[Holder, str], write: Callable[[Holder], str]) -> Callable[[Holder], str]:
    """Write declared addresses as the store has them, all others as their chain does."""
    return lambda holder: texts[holder] if holder in texts else write(holder)


def addresses(reader: Reader, keys: Mapping[str, int]) -> tuple[dict[Holder, Declared], dict[Holder, str]]:
    """The addresses that a case declares on a chain, and their texts.

    One that is declared in several roles counts as held only if it is held in all of them.
    """
    declared: dict[Holder, Declared] = {}
    texts: dict[Holder, str] = {}
    for key, address, ref, role in reader.raw(
        "SELECT h.key, h.address, w.ref, w.role FROM watch w JOIN holder h ON h.id = w.holder_id"
        " WHERE w.case_id = :case AND h.chain_id = :c ORDER BY w.id",
        **keys,
    ):
        holder, held = Holder(bytes(key)), Role(role) in HELD_ROLES
        known = declared.get(holder)
        declared[holder] = Declared(known.ref if known else ref, held and (known is None or known.held))
        texts[holder] = address or holder.hex()
    return declared, texts


def tested(reader: Reader, case: Row, legs: Iterable[LegState], state: LegState) -> bool | None:
    """Whether a TEST leg to the same holder is confirmed; None if one is there and that is not shown (yet)."""
    refs = [
        one.plan.ref
        for one in legs
        if one.plan.kind is LegKind.TEST
        and not one.withdrawn
        and (one.plan.asset, one.plan.target) == (state.plan.asset, state.plan.target)
        and one.plan.id != state.plan.id
    ]
    verdicts = {
        row["verdict"]
        for row in reader.rows("SELECT leg_ref, verdict FROM v_leg WHERE case_ref = :case", case=case["case_ref"])
        if row["leg_ref"] in refs
    }
    if Verdict.SHOWN.value in verdicts:
        return True
    return None if Verdict.NOT_SHOWN.value in verdicts else False


def coins(
    reader: Reader, keys: Mapping[str, int], points: Iterable[Outpoint], own: bytes | None
) -> Iterable[tuple[Outpoint, KnownCoin]]:
    """The coins among some outpoints that are on the chain, and what is known of their being spent.

    Spends are seen of watched holders alone, from where following or the back-fill of the watch began; of all others
    it is open. own: the transaction itself, by its id.
    """
    pending = waiting(reader, keys)
    for point in points:
        txid, index = point[31::-1], int.from_bytes(point[32:], "little")
        for key, amount, followed, spender in reader.raw(
            "SELECT h.key, m.amount, EXISTS (SELECT 1 FROM watch w WHERE w.holder_id = m.target_id"
            f" AND {published('w')} AND (m.id > 0 OR b.height >= (SELECT f.from_height FROM backfill f"
            " WHERE f.id = w.late_id))), (SELECT lower(hex(st.txid)) FROM movement i JOIN block ib ON ib.id ="
            " i.block_id AND ib.canonical JOIN tx st ON st.id = i.tx_id WHERE i.spends_id = m.id)"
            " FROM movement m JOIN block b ON b.id = m.block_id AND b.canonical JOIN tx t ON t.id = m.tx_id"
            " JOIN holder h ON h.id = m.target_id"
            " WHERE t.txid = :txid AND m.idx = :idx AND m.kind = :out AND b.chain_id = :c",
            txid=txid,
            idx=index,
            out=int(Kind.OUT),
            c=keys["c"],
        ):
            yield (
                point,
                known_coin(
                    Holder(bytes(key)), int(amount), bool(followed), spender, pending.get(outpoint_text(point)), own
                ),
            )


def waiting(reader: Reader, keys: Mapping[str, int]) -> dict[str, str]:
    """The coins that transactions in a mempool would spend, each with the id of one that would."""
    rows = reader.raw(
        "SELECT DISTINCT v.txid, v.spends FROM v_pending v JOIN chain c ON c.name = v.chain WHERE c.id = :c",
        c=keys["c"],
    )
    return {point: str(txid) for txid, spends in rows for point in str(spends).split(", ")}


def known_coin(
    holder: Holder, amount: int, followed: bool, spender: str | None, pending: str | None, own: bytes | None
) -> KnownCoin:
    """Put together what is known of a coin; what waits in a mempool, this very transaction aside, leaves it open."""
    if spender is not None:
        return KnownCoin(holder, amount, True, spender)
    if pending is not None and (own is None or pending != own.hex()):
        return KnownCoin(holder, amount, None, f"{pending} waits to spend it")
    return KnownCoin(holder, amount, False if followed else None)


def balances(reader: Reader, keys: Mapping[str, int], asset: str) -> dict[Holder, int]:
    """What a case holds of an asset, by holder."""
    rows = reader.raw(
        "SELECT key, amount FROM (SELECT h.key, l.amount,"
        " row_number() OVER (PARTITION BY l.holder_id ORDER BY b.height DESC) AS place"
        " FROM held l JOIN block b ON b.id = l.block_id AND b.canonical JOIN holder h ON h.id = l.holder_id"
        " JOIN asset a ON a.id = l.asset_id"
        " WHERE l.case_id = :case AND b.chain_id = :c AND a.caip19 = :asset) q WHERE place = 1",
        asset=asset,
        **keys,
    )
    return {Holder(bytes(key)): int(amount) for key, amount in rows}


def described(planned: Planned, facts: LegFacts) -> Row:
    """What was read of the transaction, as JSON readers get it; amounts in base units."""
    gas = planned.gas
    return {
        "form": planned.form,
        "signed": planned.signed,
        "txid": None if planned.txid is None else planned.txid.hex(),
        "payments": [
            {
                "holder": payment.holder.hex(),
                "address": facts.show(payment.holder),
                "token": None if payment.token is None else f"0x{payment.token.hex()}",
                "amount": str(payment.amount),
            }
            for payment in planned.payments
        ],
        "inputs": [
            {
                "outpoint": outpoint_text(spent.point),
                "holder": None if spent.holder is None else spent.holder.hex(),
                "amount": None if spent.amount is None else str(spent.amount),
                "known": spent.point in facts.coins,
            }
            for spent in planned.inputs
        ],
        "sender": None if planned.sender is None else facts.show(planned.sender),
        "chain_id": planned.chain_number,
        "nonce": planned.nonce,
        "gas_limit": None if gas is None else str(gas.limit),
        "gas_price": None if gas is None else str(gas.price),
    }
