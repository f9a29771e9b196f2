"""The independent ledger's traces over accounts: figures worked out by hand, and the same as the product's."""

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.ledger.following import NOBODY, Following, Share
from fixtures.ledger.lots import Line, Mixture, scaled
from fixtures.ledger.nouns import AccountTx, Fact, Limits
from fixtures.ledger.tracing import FIFO, HAIRCUT, METHODS
from tracer.taint import boundaries
from tracer.taint.accounts import AccountTrace, Payment
from tracer.taint.rules import Method
from tracer.types import AssetId, Holder, Role

FREE = Limits(max_hops=10_000, min_amount=0)
A, B, C, D, SHOP = ("6a" * 20, "b0" * 20, "c0" * 20, "d0" * 20, "e0" * 20)
ROLES = {A: "seized", SHOP: "exchange"}


def fact(
    source: str | None, target: str | None, amount: int, asset: str = "eth", kind: str = "trace", index: int = 0
) -> Fact:
    return Fact("b", "t", kind, index, asset, amount, source, target)


def run(method: str, limits: Limits = FREE, **had: int) -> Following:
    made = Following(method, ROLES, frozenset({"eth", "usd"}), limits)
    for label, (asset, amount) in enumerate(had.items()):
        made.seed((A, asset), amount, label)
    return made


def take(
    made: Following, *txs: Sequence[Fact], before: Mapping[tuple[str, str], int | None] | None = None
) -> frozenset[str]:
    """Play a block; transactions are numbered."""
    known = [
        AccountTx("b", 1, f"t{n}", tuple(Fact("b", f"t{n}", *one_but_ids(one)) for one in tx))
        for n, tx in enumerate(txs)
    ]
    return made.take(known, lambda holder, asset: (before or {}).get((holder, asset), 0))


def one_but_ids(one: Fact) -> tuple[str, int, str, int, str | None, str | None]:
    return one.kind, one.index, one.asset, one.amount, one.source, one.target


def held(made: Following, holder: str, asset: str = "eth") -> dict[tuple[int, int], int]:
    purse = made.purses.get((holder, asset))
    return {} if purse is None else purse.traced()


def test_what_an_account_had_leaves_before_what_came() -> None:
    made = run(FIFO, eth=10)
    assert take(made, [fact(A, B, 10)], [fact(B, C, 7)], before={(B, "eth"): 5}) == {A, B, C}
    assert (held(made, B), held(made, C)) == ({(0, 1): 8}, {(0, 2): 2})
    made = run(HAIRCUT, eth=10)
    take(made, [fact(A, B, 10)], [fact(B, C, 6)], before={(B, "eth"): 5})
    assert held(made, C) == {(0, 2): 4}  # 10 of 15 are traced: of 6, 4


def test_what_an_account_paid_in_the_block_before_it_was_reached_it_had_no_more() -> None:
    made = run(FIFO, eth=10)
    take(made, [fact(B, D, 4)], [fact(A, B, 10)], [fact(B, C, 7)], before={(B, "eth"): 5})
    assert held(made, C) == {(0, 2): 6}


def test_many_small_payments_carry_away_what_one_would() -> None:
    made = run(HAIRCUT, eth=1)
    take(made, [fact(A, B, 1)], *([fact(B, C, 1)] for _ in range(700)), before={(B, "eth"): 699})
    assert held(made, B) == {} and held(made, C) == {(0, 2): 1}


def test_gas_leaves_before_what_the_transaction_moves() -> None:
    made = run(FIFO, eth=10)
    take(made, [fact(A, B, 10)], before={(B, "eth"): 3})
    take(made, [fact(B, C, 5), fact(B, None, 4, kind="fee")])
    assert made.shares["t0", "fee", 0] == Share(((0, 1),), 2, "fee")
    assert held(made, C) == {(0, 2): 5} and held(made, B) == {(0, 1): 4}


@pytest.mark.parametrize(
    ("target", "limits", "end"),
    [
        (NOBODY, FREE, "burn"),
        (SHOP, FREE, "exchange deposit"),
        (B, Limits(max_hops=0, min_amount=0), "budget: hops"),
        (B, Limits(min_amount=11), "budget: amount"),
        (B, Limits(min_amount=0, max_live=1), "budget: live coins"),
    ],
)
def test_a_trace_ends_and_says_why(target: str, limits: Limits, end: str) -> None:
    made = run(FIFO, limits, eth=20)
    take(made, [fact(A, target, 10)])
    assert made.shares["t0", "trace", 0].end == end and held(made, target) == {}


def test_a_swap_goes_on_in_what_was_got_in_proportion() -> None:
    for method in METHODS:
        made = run(method, eth=20)
        take(made, [fact(A, B, 20), fact(B, None, 0, kind="fee")], before={(B, "usd"): 3})
        take(made, [fact(B, D, 10), fact(D, B, 500, "usd", "log")], before={(B, "usd"): 3})
        assert held(made, B) == {(0, 1): 10} and held(made, B, "usd") == {(0, 2): 500}
        assert made.shares["t0", "trace", 0].end == "swap"


def test_bounds_move_in_proportion() -> None:
    assert scaled([(None, 1, 0), (7, 2, 1)], 3, [10, 5], mixed=False) == [[(None, 5, 0), (7, 5, 1)], [(7, 5, 1)]]


def test_an_account_whose_state_is_lost_is_not_known() -> None:
    made = run(FIFO, eth=10)
    take(made, [fact(A, B, 10)], before={(B, "eth"): None})
    assert made.unknown == {(B, "eth")}


def test_purses_give_no_more_traced_units_than_came() -> None:
    line, units = Line(5, 0, ((2, 4, 0, 1),)).give(9)
    assert units == [(None, 2, 0), (0, 2, 1), (None, 5, 0)] and line.traced() == {}
    mixture, some = Mixture(5, 2, 0, ((0, 2, 1),)).give(9)
    assert some == [(0, 2, 1)] and mixture.traced() == {}


PARTIES = st.sampled_from([A, B, C, D, SHOP, NOBODY])
PAYMENTS = st.builds(
    lambda source, target, amount, asset: fact(source, target, amount, asset, "trace" if asset == "eth" else "log"),
    PARTIES,
    PARTIES,
    st.integers(0, 60),
    st.sampled_from(["eth", "usd"]),
)
FEES = st.builds(
    lambda source, amount: fact(source, None, amount, kind="fee"), st.sampled_from([A, B, C, D]), st.integers(0, 3)
)
TXS = st.tuples(st.lists(FEES, max_size=1), st.lists(PAYMENTS, min_size=1, max_size=4)).map(
    lambda parts: parts[0] + parts[1]
)
BLOCKS = st.lists(st.lists(TXS, min_size=1, max_size=4), min_size=1, max_size=4)
LIMITS = st.builds(Limits, st.integers(0, 5), st.sampled_from([0, 0, 7]), st.sampled_from([100, 3]))


@settings(max_examples=300)
@given(BLOCKS, LIMITS, st.sampled_from(METHODS))
def test_the_ledger_and_the_product_come_to_the_same(
    blocks: list[list[list[Fact]]], limits: Limits, method: str
) -> None:
    ours = run(method, limits, eth=50, usd=40)
    given_limits = boundaries.Limits(limits.max_hops, limits.min_amount, limits.max_live)
    theirs = AccountTrace(Method(method), given_limits)
    theirs.seed(key(A, "eth"), 50)
    theirs.seed(key(A, "usd"), 40)
    had = {(holder, asset): 11 for holder in (A, B, C, D, SHOP) for asset in ("eth", "usd")}
    role_of = lambda holder: Role(ROLES[holder.hex()]) if holder.hex() in ROLES else None  # noqa: E731
    for number, block in enumerate(blocks):
        txs = []
        for place, tx in enumerate(block):
            txid = f"{number}.{place}"
            numbered = [Fact("b", txid, one.kind, n, *one_but_ids(one)[2:]) for n, one in enumerate(tx)]
            txs.append(AccountTx("b", number, txid, tuple(numbered)))
        rows = {(tx.txid, one.kind, one.index): n for n, (tx, one) in enumerate((t, f) for t in txs for f in t.facts)}
        seen = set(ours.shares)
        met = ours.take(txs, lambda holder, asset: had[holder, asset])
        step = theirs.step(
            [
                [
                    Payment(
                        rows[tx.txid, f.kind, f.index],
                        AssetId(f.asset),
                        f.amount,
                        holder_of(f.source),
                        holder_of(f.target),
                    )
                    for f in tx.facts
                ]
                for tx in txs
            ],
            {key(*pair): units for pair, units in had.items()},
            role_of,
        )
        before = {holder.hex() for holder, _ in theirs.accounts}
        theirs.apply(step)
        traced: dict[tuple[int, int | None], int] = {}
        for edge in step.edges:
            if edge.label is not None:
                traced[edge.to_id, edge.label] = traced.get((edge.to_id, edge.label), 0) + edge.amount
        fresh = {place: share for place, share in ours.shares.items() if place not in seen}
        assert {(rows[p], label): units for p, share in fresh.items() for label, units in share.units} == traced
        ends = {row.row: (row.hop, row.boundary) for row in step.rows}
        assert {rows[place]: (share.hop, share.end) for place, share in fresh.items()} == ends
        if before:
            assert met == before | {holder.hex() for holder, _ in step.opened}
        assert purses(ours) == {
            (holder.hex(), asset): sums(holding.labelled()) for (holder, asset), holding in theirs.accounts.items()
        }


def key(holder: str, asset: str) -> tuple[Holder, AssetId]:
    return Holder(bytes.fromhex(holder)), AssetId(asset)


def holder_of(account: str | None) -> Holder | None:
    return None if account is None else Holder(bytes.fromhex(account))


def purses(made: Following) -> dict[tuple[str, str], dict[tuple[int, int], int]]:
    return {key: purse.traced() for key, purse in made.purses.items()}


def sums(pieces: Sequence[tuple[int | None, int, int]]) -> dict[tuple[int | None, int], int]:
    found: dict[tuple[int | None, int], int] = {}
    for label, units, hop in pieces:
        found[label, hop] = found.get((label, hop), 0) + units
    return found


def test_an_account_may_begin_with_any_byte() -> None:
    """0x6a begins scripts that nobody can spend; it may begin an account as well."""
    theirs = AccountTrace(Method.FIFO, boundaries.NO_LIMITS)
    theirs.seed(key(B, "eth"), 5)
    odd = key("6a" * 20, "eth")
    theirs.apply(theirs.step([[Payment(1, odd[1], 5, holder_of(B), odd[0])]], {odd: 0}, lambda _: None))
    assert theirs.accounts[odd].balance == 5
