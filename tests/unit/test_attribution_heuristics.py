"""What the heuristics link, and above all what they leave alone; and the measured set, which is what it says it is."""

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.heuristics import generate, score
from tracer.attribution.change import change
from tracer.attribution.coinjoin import DENOMINATIONS, coinjoin, shares_out
from tracer.attribution.cospend import clusters, cospend, union
from tracer.attribution.deposit import deposit, payments_of
from tracer.attribution.nouns import HIGH, LOW, MEDIUM, Coin, Link, Payment, TxShape, script_type
from tracer.attribution.peel import peel
from tracer.attribution.reading import links_of_coins

ROOT = Path(__file__).parents[2]
LEGACY, NESTED, NATIVE, TAPROOT = "p2pkh", "p2sh", "p2wpkh", "p2tr"
FORMS = {
    LEGACY: (b"\x76\xa9\x14", 20, b"\x88\xac"),
    NESTED: (b"\xa9\x14", 20, b"\x87"),
    NATIVE: (b"\x00\x14", 20, b""),
    TAPROOT: (b"\x51\x20", 32, b""),
    "p2wsh": (b"\x00\x20", 32, b""),
}


def holder(name: str, kind: str = NATIVE) -> bytes:
    head, size, tail = FORMS[kind]
    return head + name.encode().ljust(size, b".") + tail


def coin(name: str, amount: int, kind: str = NATIVE) -> Coin:
    return Coin(holder(name, kind), amount)


def tx(ins: list[Coin], outs: list[Coin], number: int = 1, spends: tuple[tuple[bytes, int], ...] = ()) -> TxShape:
    fee = sum(one.amount for one in ins) - sum(one.amount for one in outs)
    return TxShape(bytes([number]) * 32, tuple(ins), tuple(outs), fee, spends)


def facts(link: Link | None) -> dict[str, int | str]:
    assert link is not None
    return dict(link.parameters)


@pytest.mark.parametrize("kind", FORMS)
def test_scripts_are_told_apart(kind: str) -> None:
    assert script_type(holder("x", kind)) == kind
    assert script_type(holder("x", kind) + b"\x00") == "other"


# Coinjoins

POOL = 1_000_000
WHIRLPOOL = tx(
    [coin(f"i{n}", POOL + (2_000 if n < 2 else 0)) for n in range(5)], [coin(f"o{n}", POOL) for n in range(5)]
)


def test_a_whirlpool_round_is_known_by_its_pool() -> None:
    found = coinjoin(WHIRLPOOL)
    assert facts(found)["shape"] == "whirlpool" and facts(found)["pool"] == POOL
    assert found is not None and found.claim == "mixed" and found.txid == WHIRLPOOL.txid and found.confidence == HIGH


@pytest.mark.parametrize(
    "other",
    [
        tx([coin(f"i{n}", POOL + 999) for n in range(4)], [coin(f"o{n}", POOL) for n in range(4)]),
        tx([coin(f"i{n}", POOL + 999) for n in range(9)], [coin(f"o{n}", POOL) for n in range(9)]),
        tx([coin(f"i{n}", POOL + 200_000) for n in range(5)], [coin(f"o{n}", POOL) for n in range(5)]),
        tx([coin("same", POOL + 999)] * 5, [coin(f"o{n}", POOL) for n in range(5)]),
        tx([coin(f"i{n}", 777 + 999) for n in range(5)], [coin(f"o{n}", 777) for n in range(5)]),
    ],
    ids=["four", "nine", "too much above", "one holder", "no pool"],
)
def test_what_only_looks_like_whirlpool_is_not(other: TxShape) -> None:
    found = coinjoin(other)
    assert found is None or facts(found)["shape"] != "whirlpool"


def test_a_wasabi_1_round_needs_ten_equal_outputs_of_about_a_tenth() -> None:
    def round_of(size: int, base: int) -> TxShape:
        ins = [coin(f"i{n}", base + 70_000 + n) for n in range(size)]
        return tx(ins, [coin(f"o{n}", base) for n in range(size)] + [coin(f"c{n}", 60_000 + n) for n in range(size)])

    assert facts(coinjoin(round_of(10, 9_900_000)))["shape"] == "wasabi1"
    assert facts(coinjoin(round_of(9, 9_900_000)))["shape"] == "joinmarket"
    assert facts(coinjoin(round_of(10, 30_000_000)))["shape"] == "joinmarket"


def wasabi2(inputs: int, kind: str = NATIVE, odd: int = 1) -> TxShape:
    standard = sorted(DENOMINATIONS, reverse=True)[30:70]
    amounts = sorted([*standard, *(n + 7 for n in standard[:odd])], reverse=True)
    outs = [coin(f"o{n}", amount, kind) for n, amount in enumerate(amounts)]
    each = sum(amounts) // inputs + 1_000
    return tx([coin(f"i{n}", each + inputs - n) for n in range(inputs)], outs)


def test_a_wasabi_2_round_is_large_in_order_and_standard() -> None:
    assert facts(coinjoin(wasabi2(50)))["shape"] == "wasabi2"
    assert coinjoin(wasabi2(49)) is None
    assert coinjoin(wasabi2(50, LEGACY)) is None
    assert coinjoin(wasabi2(50, odd=30)) is None
    disordered = wasabi2(50)
    assert coinjoin(TxShape(disordered.txid, disordered.inputs[::-1], disordered.outputs, 0)) is None


def test_the_standard_denominations_are_those_of_the_wallets() -> None:
    assert {5_000, 8_192, 6_561, 13_122, 100_000, 2 * 10**8, 5 * 10**9} <= DENOMINATIONS
    assert not {4_096, 7_000, 30_000} & DENOMINATIONS


JOINED = tx(
    [coin("a", 700_000), coin("b", 900_000), coin("c", 400_000), coin("c2", 250_000)],
    [
        coin("x", 500_000),
        coin("y", 500_000),
        coin("z", 500_000),
        coin("a'", 199_000),
        coin("b'", 401_000),
        coin("c'", 149_000),
    ],
)


def test_a_joinmarket_round_can_be_shared_out() -> None:
    found = coinjoin(JOINED)
    assert facts(found)["shape"] == "joinmarket" and found is not None and found.confidence == MEDIUM


def test_equal_pay_outs_are_no_coinjoin_where_no_participant_could_pay_his_share() -> None:
    one_pays = [coin("a", 2_100_000), coin("b", 60_000), coin("c", 90_000)]
    assert coinjoin(tx(one_pays, list(JOINED.outputs))) is None
    assert coinjoin(tx([coin("a", 9_000_000)], [coin(f"o{n}", 500_000) for n in range(10)])) is None


@given(st.lists(st.lists(st.integers(1, 99), min_size=1, max_size=3), min_size=1, max_size=4))
def test_funds_that_were_cut_from_needs_can_be_dealt_out(cut: list[list[int]]) -> None:
    assert shares_out([part for parts in cut for part in parts], [sum(parts) for parts in cut]) is not False


@given(st.lists(st.integers(1, 9), max_size=5), st.lists(st.integers(1, 20), max_size=3))
def test_dealing_out_agrees_with_trying_everything(funds: list[int], needs: list[int]) -> None:
    reachable = {tuple(needs)}
    for fund in funds:
        reachable |= {(*left[:i], left[i] - fund, *left[i + 1 :]) for left in reachable for i in range(len(needs))}
    assert shares_out(funds, needs, 10**6) is any(max(left, default=0) <= 0 for left in reachable)


def test_what_is_not_decided_in_time_counts_as_a_coinjoin_of_low_confidence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracer.attribution.coinjoin.shares_out", lambda *_: None)
    found = coinjoin(JOINED)
    assert found is not None and found.confidence == LOW and "not decided" in found.reason


# Common spending


def spend(names: str, number: int, paid: str = "paid") -> TxShape:
    return tx([coin(name, 100) for name in names], [coin(paid, 50 * len(names))], number)


def test_holders_that_share_a_transaction_become_one_cluster() -> None:
    links = [
        link for names, n in (("ab", 1), ("cd", 2), ("bc", 3), ("xy", 4)) if (link := cospend(spend(names, n), False))
    ]
    first, second = clusters(links)
    assert set(first.holders) == {holder(name) for name in "abcd"} and len(first.txids) == 3
    assert set(second.holders) == {holder(name) for name in "xy"}


def test_coinjoins_merge_nobody() -> None:
    assert cospend(WHIRLPOOL, True) is None
    assert {link.method for link in links_of_coins([WHIRLPOOL])} == {"coinjoin"}
    assert links_of_coins([WHIRLPOOL], methods=["cospend", "change", "peel"]) == []


def test_a_gathering_of_many_holders_is_said_and_not_merged() -> None:
    def of(count: int) -> Link:
        link = cospend(tx([coin(f"i{n}", 1_000) for n in range(count)], [coin("hot", 1_000)]), False)
        assert link is not None
        return link

    assert (of(99).claim, of(100).claim) == ("one owner", "not merged")
    assert len(of(100).holders) == 100 and clusters([of(100)]) == ()


def test_a_sweep_into_a_known_service_is_not_merged() -> None:
    link = cospend(spend("ab", 1, "hot"), False, {holder("hot")})
    assert link is not None and link.claim == "not merged" and "labelled as a service" in link.reason
    mine = tx([coin("a", 100), coin("b", 100)], [coin("hot", 50), coin("back", 100)])
    assert cospend(mine, False, {holder("hot")}).claim == "one owner"  # type: ignore[union-attr]


def test_one_holder_says_nothing() -> None:
    assert cospend(tx([coin("a", 10), coin("a", 20)], [coin("b", 25)]), False) is None


@given(st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=4), max_size=8))
def test_union_joins_exactly_what_hangs_together(groups: list[list[int]]) -> None:
    top = union(tuple(bytes([n]) for n in group) for group in groups)
    together = {n: {n} for n in range(10)}
    for group in groups:
        merged = set().union(*(together[n] for n in group))
        together |= dict.fromkeys(merged, merged)
    for a in range(10):
        for b in range(10):
            assert (top(bytes([a])) == top(bytes([b]))) == (b in together[a])


# Change


@pytest.mark.parametrize(
    ("ins", "outs", "place", "confidence"),
    [
        ([("a", 900)], [("b", 500), ("a", 300)], 1, HIGH),  # back to a payer
        ([("a", 900)], [("a", 500), ("a", 300)], None, None),  # twice: not unique
        ([("a", 90_000_000)], [("b", 50_000_000, TAPROOT), ("c", 39_123_456)], 1, MEDIUM),  # type and roundness
        ([("a", 90_123_457)], [("b", 50_123_456, TAPROOT), ("c", 39_123_456)], 1, LOW),  # type alone
        ([("a", 90_000_000)], [("b", 50_000_000), ("c", 39_123_456)], 1, LOW),  # roundness alone
        ([("a", 600), ("a2", 700)], [("b", 1_111), ("c", 123)], 1, LOW),  # smaller than every input
        ([("a", 90_000_000)], [("b", 50_123_456, TAPROOT), ("c", 39_000_000)], None, None),  # the signs differ
        ([("a", 900)], [("b", 511), ("c", 312)], None, None),  # nothing tells them apart
        ([("a", 900)], [("b", 890)], None, None),  # a single output
        ([("a", 90), ("t", 80, TAPROOT)], [("b", 91, TAPROOT), ("c", 93)], None, None),  # inputs of two types
    ],
)
def test_change_is_the_one_output_that_all_signs_name(
    ins: list[tuple[str, int]], outs: list[tuple[str, int]], place: int | None, confidence: str | None
) -> None:
    found = change(tx([coin(*one) for one in ins], [coin(*one) for one in outs]), False)
    if place is None:
        assert found is None
    else:
        assert facts(found)["output"] == place and found is not None and found.confidence == confidence
        assert holder(*(outs[place][:1] + outs[place][2:])) in found.holders  # type: ignore[misc]


def test_data_outputs_are_nobodys_change() -> None:
    note = Coin(b"\x6a\x04note", 0)
    found = change(tx([coin("a", 900)], [note, coin("b", 500, TAPROOT), coin("c", 311)]), False)
    assert facts(found)["output"] == 2
    assert change(tx([coin("a", 900)], [note, coin("b", 800)]), False) is None


# Peel chains


def chain(steps: int, kinds: tuple[str, ...] = (NATIVE,)) -> list[TxShape]:
    made, rest, spends = [], 10_000, (b"\0" * 32, 0)
    for n in range(1, steps + 1):
        outs = [coin(f"p{n}", 100, TAPROOT), coin(f"r{n}", rest - 110, kinds[n % len(kinds)])]
        one = tx([coin(f"r{n - 1}", rest, kinds[(n - 1) % len(kinds)])], outs, n, (spends,))
        made.append(one)
        rest, spends = rest - 110, (one.txid, 1)
    return made


def test_a_peel_chain_is_followed_step_by_step() -> None:
    links = peel(reversed(chain(5)))
    assert [link.txid[0] for link in links] == [1, 2, 3, 4, 5]
    assert links[2].holders == (holder("r2"), holder("r3")) and links[2].reason.startswith("step 3 of 5")
    assert {link.confidence for link in links} == {MEDIUM}


@pytest.mark.parametrize(
    ("txs", "mixed"),
    [(chain(2), ()), (chain(5, (NATIVE, LEGACY)), ()), (chain(3), (bytes([2]) * 32,))],
    ids=["too short", "changing script types", "broken by a coinjoin"],
)
def test_no_peel_chain_is_seen_where_there_is_none(txs: list[TxShape], mixed: tuple[bytes, ...]) -> None:
    assert peel(txs, mixed) == ()


# Deposits

HOT = b"H" * 20


def flow(*payments: tuple[bytes, bytes, int, int]) -> list[Payment]:
    return [Payment(bytes([n]) * 32, a, b, "ETH", amount, at) for n, (a, b, amount, at) in enumerate(payments)]


IN, MINE, ELSE = b"s" * 20, b"m" * 20, b"e" * 20


@pytest.mark.parametrize(
    ("payments", "seen"),
    [
        (flow((IN, MINE, 100, 1), (MINE, HOT, 90, 2)), True),
        (flow((IN, MINE, 100, 1), (MINE, HOT, 89, 2)), False),  # keeps too much
        (flow((IN, MINE, 100, 1), (MINE, HOT, 95, 3201)), True),
        (flow((IN, MINE, 100, 1), (MINE, HOT, 95, 3202)), False),  # too late
        (flow((IN, MINE, 100, 1), (MINE, HOT, 95, 2), (MINE, ELSE, 1, 3)), False),  # pays others
        (flow((HOT, MINE, 100, 1), (MINE, HOT, 95, 2)), False),  # the exchange paid it first
        (flow((MINE, HOT, 95, 2)), False),  # nothing came in
        (flow((IN, MINE, 100, 1), (MINE, ELSE, 95, 2)), False),  # to nobody known
    ],
)
def test_a_deposit_address_passes_nearly_all_on_to_one_exchange(payments: list[Payment], seen: bool) -> None:
    found = deposit(payments, {HOT})
    assert [link.holders for link in found] == ([(MINE, HOT)] if seen else [])
    assert not found or found[0].txid == payments[1].txid


def test_on_chains_of_coins_a_sweep_pays_nobody_else() -> None:
    hot, got = holder("hot"), tx([coin("s", 500)], [coin("d", 400), coin("back", 90)], 1)
    sweep = tx([coin("d", 400), coin("d2", 300)], [coin("hot", 690)], 2)
    known = {hot}
    found = deposit(payments_of([(got, 1), (sweep, 2)], known, "BTC"), known)
    assert [link.holders for link in found] == [(holder("d"), hot)]  # of d2 it was not seen what came in
    partly = tx([coin("d", 400)], [coin("hot", 300), coin("d3", 90)], 2)
    assert deposit(payments_of([(got, 1), (partly, 2)], known, "BTC"), known) == ()


# The measured set


def test_the_shipped_set_is_what_the_generator_makes() -> None:
    shipped = generate.CASES.read_text(encoding="utf-8")
    assert generate.text(generate.generate()) == shipped
    assert len(shipped) <= 400_000
    assert generate.text(generate.generate(1)) != shipped


def test_the_generator_knows_nothing_of_the_heuristics() -> None:
    for path in (ROOT / "benchmarks" / "heuristics").glob("*.py"):
        names = [getattr(node, "module", "") or "" for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
        assert path.name == "score.py" or not any(name.startswith("tracer") for name in names), path


def test_the_documented_error_rates_are_those_that_are_measured_now() -> None:
    lines = score.table(score.measure(score.load()))
    document = score.DOCS.read_text(encoding="utf-8")
    assert f"{score.BEGIN}\n{score.markdown(lines)}{score.END}" in document


def test_a_wrong_claim_counts_as_wrong_and_as_missed() -> None:
    one = score.Score()
    for said, truth in (("x", "x"), ("y", "x"), (None, "x"), ("x", None), (None, None)):
        one.add("case", said, truth)
    assert one.row("m") == ("m", "5", "1", "2", "2", "1/3", "1/3")
