"""A Bitcoin transaction is held against its leg, field by field, and a document that lies is caught at it."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from precheck_case import BTC_CHAIN, NOW, bitcoin_leg, bitcoin_text, failing, point, rows, script
from precheck_maker import Psbt, double, out, psbt, transaction

from tracer.custody.case import LegKind
from tracer.custody.judge import Verdict
from tracer.custody.lookalike import LookAlikes
from tracer.precheck.decode import read
from tracer.precheck.facts import KnownCoin
from tracer.precheck.planned import Payment, Planned, Unreadable
from tracer.precheck.rows import gravest
from tracer.types import ChainId, Holder

AGENCY, EXCHANGE, AUTHORITY, THIEF = (script(name) for name in ("agency", "exchange", "authority", "thief"))
DATA = Holder(b"\x6a\x04note")
PAID, CHANGE = (EXCHANGE, 150_000_000), (AGENCY, 49_990_000)
WRONG, OPEN = "CONTRADICTED", "NOT_SHOWN"


def given_as(raw: bytes) -> Planned:
    return read(raw, ChainId(BTC_CHAIN))


def spending_a(*outs: tuple[Holder, int], version: int = 0) -> Psbt:
    return psbt([point("a")], list(outs), [(AGENCY, 200_000_000)], version)


@pytest.mark.parametrize("version", [0, 2])
@pytest.mark.parametrize(
    "form", [lambda p: p.raw, lambda p: p.text, lambda p: p.raw.hex().encode(), lambda p: b"\n " + p.text + b" \n"]
)
def test_a_psbt_that_is_what_the_leg_plans_is_shown_in_every_form(version: int, form: Callable[[Psbt], bytes]) -> None:
    planned = given_as(form(spending_a(PAID, CHANGE, version=version)))
    assert planned.payments == (Payment(*PAID[:1], None, PAID[1], place=0), Payment(AGENCY, None, 49_990_000, place=1))
    assert [(one.point, one.holder, one.amount, one.shown) for one in planned.inputs] == [
        (point("a"), AGENCY, 200_000_000, False)
    ]
    found = rows(planned, bitcoin_leg())
    assert gravest(found) is Verdict.SHOWN and {row.field for row in found} >= {
        *("chain", "destination", "amount", "change", "source", "coins", "fee", "look-alike", "window"),
        *("attestation", "test transfer", "court hold"),
    }


def test_a_transaction_in_hex_is_shown_by_the_coins_that_the_store_knows() -> None:
    raw = transaction([point("a")], [PAID, CHANGE])
    unsigned = given_as(raw.hex().encode())
    assert not unsigned.signed and failing(unsigned, bitcoin_leg()) == {}
    signed = given_as(transaction([point("a")], [PAID, CHANGE], [[b"sig", b"key"]]).hex().encode())
    assert signed.signed and signed.txid == double(raw)[::-1] and failing(signed, bitcoin_leg()) == {}


@pytest.mark.parametrize(
    ("outs", "fields"),
    [
        ([(THIEF, 150_000_000), CHANGE], {"destination": (WRONG, "LEG-1")}),
        ([(EXCHANGE, 150_000_001), (AGENCY, 49_989_999)], {"amount": (WRONG, "LEG-5")}),
        ([(EXCHANGE, 149_999_999), CHANGE], {"amount": (OPEN, "LEG-5"), "fee": (WRONG, "LEG-5")}),
        ([(EXCHANGE, 149_999_999), (AGENCY, 49_990_001)], {"amount": (OPEN, "LEG-5")}),
        ([PAID, (AGENCY, 49_989_999)], {"fee": (WRONG, "LEG-5")}),
        ([PAID, (AGENCY, 49_989_000), (THIEF, 1_000)], {"other output": (WRONG, "LEG-1")}),
        ([PAID, (THIEF, 49_990_000)], {"other output": (WRONG, "LEG-1")}),
        ([PAID, CHANGE, (DATA, 0)], {"other output": (WRONG, "LEG-1")}),
        ([(AGENCY, 199_990_000)], {"destination": (WRONG, "LEG-1")}),
        ([PAID, (AGENCY, 50_000_001)], {"fee": (WRONG, "LEG-5")}),
    ],
)
def test_outputs_that_are_not_as_planned(outs: list[tuple[Holder, int]], fields: dict[str, tuple[str, str]]) -> None:
    assert failing(given_as(spending_a(*outs).text), bitcoin_leg()) == fields


def test_change_may_stay_at_another_address_of_the_case_and_says_so() -> None:
    found = rows(given_as(spending_a(PAID, (AUTHORITY, 49_990_000)).text), bitcoin_leg())
    assert [row.reason for row in found if row.field == "change"] == ["stays at another address of the case"]


def test_the_tolerance_is_kept_to_the_unit() -> None:
    leg = bitcoin_leg(tolerance=10)
    for paid, verdict in ((150_000_010, None), (150_000_011, WRONG), (149_999_990, None), (149_999_989, OPEN)):
        found = failing(given_as(spending_a((EXCHANGE, paid), (AGENCY, 199_990_000 - paid)).text), leg)
        assert found == ({} if verdict is None else {"amount": (verdict, "LEG-5")})


def test_what_came_before_counts_for_amount_and_fee() -> None:
    half = given_as(spending_a((EXCHANGE, 50_000_000), (AGENCY, 149_995_000)).text)
    assert failing(half, bitcoin_leg(arrived=100_000_000, fees=5_000)) == {}
    assert failing(half, bitcoin_leg(arrived=100_000_001, fees=5_001)) == {
        "amount": (WRONG, "LEG-5"),
        "fee": (WRONG, "LEG-5"),
    }


def test_a_destination_that_differs_in_its_middle_is_called_a_look_alike() -> None:
    """The planted script is ground, as a thief does: until both ends of its text match."""
    wanted = bitcoin_text(EXCHANGE)
    planted = next(
        other
        for number in range(1 << 22)
        if (other := Holder(EXCHANGE[:7] + number.to_bytes(3, "big") * 5)) and bitcoin_text(other)[-2:] == wanted[-2:]
    )
    leg = bitcoin_leg(look_alikes=LookAlikes([(wanted, "exchange")], 5, 2))
    planned = given_as(spending_a((planted, 150_000_000), CHANGE).text)
    assert failing(planned, leg) == {"destination": (WRONG, "LEG-1"), "look-alike": (WRONG, "LEG-3")}
    [reason] = [row.reason for row in rows(planned, leg) if row.field == "look-alike"]
    assert "of exchange's address, and other bytes" in reason


def test_a_strangers_input_is_refused_and_one_of_another_leg_too() -> None:
    for coin, holder in (("x", THIEF), ("c", AUTHORITY)):
        both = psbt([point("a"), point(coin)], [PAID, (AGENCY, 149_990_000)], [(AGENCY, 200_000_000), (holder, 10**8)])
        found = failing(given_as(both.text), bitcoin_leg())
        assert found["source"] == (WRONG, "LEG-1")


def test_an_input_that_nobody_knows_leaves_open_what_follows_from_it() -> None:
    bare = psbt([point("a"), point("x")], [PAID, (AGENCY, 49_990_000)])
    assert failing(given_as(bare.text), bitcoin_leg()) == dict.fromkeys(("chain", "coin", "fee"), (OPEN, "LEG-5")) | {
        "source": (OPEN, "LEG-1")
    }
    claimed = psbt([point("x")], [PAID, CHANGE], [(AGENCY, 200_000_000)])
    assert failing(given_as(claimed.text), bitcoin_leg()) == dict.fromkeys(
        ("chain", "coin", "fee"), (OPEN, "LEG-5")
    ) | {"source": (OPEN, "LEG-1")}


@pytest.mark.parametrize(("spent", "verdict"), [(True, WRONG), (None, OPEN)])
def test_a_coin_that_is_spent_or_may_be(spent: bool | None, verdict: str) -> None:
    leg = bitcoin_leg(coins={point("a"): KnownCoin(AGENCY, 200_000_000, spent, "ab" * 32)})
    planned = given_as(spending_a(PAID, CHANGE).text)
    assert failing(planned, leg) == {"coin": (verdict, "LEG-5")}
    assert any("ab" * 32 in row.reason for row in rows(planned, leg))


def test_an_amount_that_the_chain_contradicts_is_a_lie() -> None:
    lie = psbt([point("a")], [PAID, CHANGE], [(AGENCY, 199_000_000)])
    assert failing(given_as(lie.text), bitcoin_leg()) == {"coin": (WRONG, "LEG-5")}


def with_previous(claimed: int | None, actual: int = 200_000_000, index: int = 0) -> Planned:
    """A PSBT with the whole previous transaction, which the store does not know."""
    previous = transaction([point("q")], [(AGENCY, actual)])
    it = psbt([double(previous) + index.to_bytes(4, "little")], [PAID, CHANGE], [None])
    it.ins[0] |= {b"\x00": previous} | ({} if claimed is None else {b"\x01": out(AGENCY, claimed)})
    return given_as(it.text)


def test_a_witness_utxo_that_lies_about_the_previous_transaction_is_caught() -> None:
    assert with_previous(200_000_000).faults == with_previous(None).faults == ()
    assert with_previous(None).inputs[0].shown and with_previous(None).inputs[0].amount == 200_000_000
    liar = with_previous(201_000_000)
    assert liar.inputs[0].amount == 200_000_000
    assert failing(liar, bitcoin_leg())["document"] == (WRONG, "LEG-5")
    assert "claims 201000000 satoshi" in liar.faults[0] and "pays 200000000" in liar.faults[0]


def test_a_previous_transaction_of_another_id_shows_nothing() -> None:
    it = psbt([point("a")], [PAID, CHANGE], [None])
    it.ins[0] |= {b"\x00": transaction([point("q")], [(AGENCY, 200_000_000)])}
    planned = given_as(it.text)
    assert planned.inputs[0].amount is None and "the previous transaction in the PSBT is" in planned.faults[0]
    assert "spends output 1 of a transaction that has 1" in with_previous(None, index=1).faults[0]


def test_signatures_that_leave_the_transaction_open_are_faults() -> None:
    it = spending_a(PAID, CHANGE)
    it.ins[0] |= {b"\x03": b"\x01\x00\x00\x00"}
    assert given_as(it.text).faults == ()
    it.ins[0] |= {b"\x03": b"\x82\x00\x00\x00"}
    assert failing(given_as(it.text), bitcoin_leg()) == {"document": (WRONG, "LEG-5")}


def test_a_coin_spent_twice_in_one_transaction_is_a_fault() -> None:
    it = psbt([point("a"), point("a")], [PAID, (AGENCY, 249_990_000)], [(AGENCY, 200_000_000)] * 2)
    assert "is spent twice" in given_as(it.text).faults[0]


@pytest.mark.parametrize(
    ("changes", "now", "fields"),
    [
        ({"not_before": NOW + 1}, NOW, {"window": (WRONG, "LEG-6")}),
        ({"deadline": NOW - 1}, NOW, {"window": (WRONG, "LEG-6")}),
        ({"not_before": NOW, "deadline": NOW}, NOW, {}),
        ({"deadline": NOW}, None, {"window": (OPEN, "LEG-6"), "attestation": (OPEN, "EXC-2")}),
        ({"test_confirmed": False}, NOW, {"test transfer": (WRONG, "LEG-4")}),
        ({"test_confirmed": None}, NOW, {"test transfer": (OPEN, "LEG-4")}),
        ({"test_confirmed": None, "needs_test": False}, NOW, {}),
        ({"test_confirmed": False, "kind": LegKind.TEST}, NOW, {}),
        ({"on_hold": True}, NOW, {"court hold": (WRONG, "HOLD-1")}),
        ({"on_hold": None}, NOW, {"court hold": (OPEN, "HOLD-1")}),
        ({"attestations": ()}, NOW, {"attestation": (OPEN, "EXC-2")}),
        ({}, NOW + 11, {"attestation": (OPEN, "EXC-2")}),
    ],
)
def test_what_the_leg_asks_beside_the_transaction(
    changes: dict[str, object], now: int | None, fields: dict[str, tuple[str, str]]
) -> None:
    assert failing(given_as(spending_a(PAID, CHANGE).text), bitcoin_leg(**changes), now) == fields


def test_a_leg_that_outsiders_pay_concerns_neither_their_change_nor_their_fee_but_not_the_cases_coins() -> None:
    leg = bitcoin_leg(sources=frozenset(), kind=LegKind.REFUND)
    theirs = psbt([point("x")], [PAID, (THIEF, 1)], [(THIEF, 10**12)])
    assert failing(given_as(theirs.text), leg) == {"chain": (OPEN, "LEG-5"), "source": (OPEN, "LEG-1")}
    assert failing(given_as(spending_a(PAID, CHANGE).text), leg) == {"source": (WRONG, "LEG-1")}


def spoilt(change: Callable[[Psbt], object], version: int = 0) -> bytes:
    it = spending_a(PAID, CHANGE, version=version)
    change(it)
    return it.raw


GOOD = spending_a(PAID, CHANGE)
BAD: list[tuple[bytes, str]] = [
    (b"", "nothing was given"),
    (b"hello world", "neither hex, base64 nor JSON"),
    (b"\xff\xfe\x00", "neither text nor a PSBT"),
    (b"aGVsbG8gd29ybGQ=", "holds no PSBT"),
    (b"00" * 30, "is no transaction"),
    (GOOD.raw[:-1], "maps for"),
    (GOOD.raw[:-5] + b"\x09", "cut short"),
    (GOOD.raw + b"\x00", "maps for"),
    (GOOD.raw + b"\x01", "cut short"),
    (GOOD.text[:-3], "neither hex, base64"),
    (transaction([point("a")], [PAID])[:-1].hex().encode(), "is no transaction"),
    (transaction([point("a")], [PAID]).hex().encode() + b"00", "is no transaction"),
    (transaction([bytes(32) + b"\xff" * 4], [PAID]).hex().encode(), "coinbase"),
    (spoilt(lambda p: p.top.pop(b"\x00")), "it has no transaction"),
    (spoilt(lambda p: p.top.update({b"\xfb": b"\x01\0\0\0"})), "version 1 is not known"),
    (spoilt(lambda p: p.outs[0].update({b"\x03": (1).to_bytes(8, "little")})), "do not belong into its version"),
    (spoilt(lambda p: p.ins[0].update({b"\x0e": bytes(32)})), "do not belong into its version"),
    (spoilt(lambda p: p.outs.pop()), "maps for"),
    (spoilt(lambda p: p.top.update({b"\x04": b"\xfe\xff\xff\xff\x7f"}), 2), "maps for"),
    (spoilt(lambda p: p.ins[0].pop(b"\x0e"), 2), "which coin"),
    (spoilt(lambda p: p.outs[1].pop(b"\x03"), 2), "how much"),
    (spoilt(lambda p: p.ins[0].update({b"\x01": b"\x00" * 8})), "the PSBT cannot be read"),
    (spoilt(lambda p: p.ins[0].update({b"\x00": b"\x00" * 9})), "cannot be read"),
    (spoilt(lambda p: p.top.update({b"\x00": transaction([point("a")], [PAID, CHANGE], [[b"s"]])})), "BIP-174"),
]


@pytest.mark.parametrize(("raw", "said"), BAD, ids=[said + str(place) for place, (_, said) in enumerate(BAD)])
def test_what_cannot_be_read_is_refused_in_one_line(raw: bytes, said: str) -> None:
    with pytest.raises(Unreadable) as caught:
        given_as(raw)
    assert said in caught.value.line() and "\n" not in caught.value.line()


def test_a_transaction_of_the_other_family_is_told_so() -> None:
    with pytest.raises(Unreadable, match="a transaction of Ethereum, and the leg is on Bitcoin"):
        given_as(b'{"to": "0x' + b"11" * 20 + b'", "value": 1}')
    with pytest.raises(Unreadable, match="a transaction of Bitcoin, and the leg is on Ethereum"):
        read(GOOD.text, ChainId("eip155:1"))


@given(st.data())
def test_no_damage_to_a_psbt_makes_anything_but_a_refusal_or_an_answer(data: st.DataObject) -> None:
    raw = bytearray(data.draw(st.sampled_from([GOOD.raw, spending_a(PAID, CHANGE, version=2).raw])))
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(5, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        planned = given_as(bytes(raw))
    except Unreadable:
        return
    found = rows(planned, bitcoin_leg())
    outs = [(one.holder, one.amount) for one in planned.payments]
    if gravest(found) is Verdict.SHOWN:
        assert outs[0] == PAID and outs[1][0] == AGENCY and 0 <= 49_990_000 - outs[1][1] + 10_000 <= 10_000


amounts = st.integers(0, 10) | st.sampled_from([49_990_000, 50_000_000, 99_990_000, 150_000_000, 249_990_000])
holders = st.sampled_from([AGENCY, EXCHANGE, AUTHORITY, THIEF, DATA])


@given(
    st.lists(st.sampled_from(["a", "b", "c", "x"]), min_size=1, max_size=3, unique=True),
    st.lists(st.tuples(holders, amounts), min_size=1, max_size=4),
)
def test_a_transaction_is_shown_exactly_if_it_does_what_is_planned_and_nothing_else(
    coins: list[str], outs: list[tuple[Holder, int]]
) -> None:
    worth = {"a": 200_000_000, "b": 100_000_000}
    right = (
        set(coins) <= worth.keys()
        and {holder for holder, _ in outs} <= {AGENCY, AUTHORITY, EXCHANGE}
        and sum(amount for holder, amount in outs if holder == EXCHANGE) == 150_000_000
        and 0 <= sum(worth[coin] for coin in coins) - sum(amount for _, amount in outs) <= 10_000
    )
    planned = given_as(transaction([point(coin) for coin in coins], outs).hex().encode())
    assert (gravest(rows(planned, bitcoin_leg())) is Verdict.SHOWN) == right
