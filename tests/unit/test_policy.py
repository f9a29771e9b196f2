"""The finality policy by asset and amount: tiers ask for more than the chain, and verdicts keep their policy."""

import re
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from disposal import BTC, add_case, declared, open_store, play_bitcoin, plays
from store_builder import Play
from test_config import BITCOIN, ETHEREUM, complaint, load

from tracer.chain import Marks, Policy, Tier, advance_marks, marks_for
from tracer.report import custody
from tracer.store.reader import snapshot
from tracer.types import AssetId, Hash

COIN, TOKEN = AssetId("a/slip44:0"), AssetId("a/erc20:0x1")


def marks_at(tip: int, policy: Policy, asset: AssetId, amount: int, *, peak: int = 0) -> tuple[int, int]:
    """The marks of an amount at a tip of a chain that once was at `peak`."""
    old = advance_marks(Marks(-1, -1), peak, policy, {}) if peak else Marks(-1, -1)
    found = marks_for(advance_marks(old, tip, policy, {}), policy, asset, amount)
    return found.confirmed, found.final


@pytest.mark.parametrize(
    ("asset", "amount", "expected"),
    [
        (COIN, 99, (99, 95)),  # below every tier: two and six confirmations, as the chain's own
        (COIN, 100, (97, 91)),  # four and ten
        (COIN, 999, (97, 91)),
        (COIN, 1000, (95, 81)),  # six and twenty
        (TOKEN, 1000, (99, 95)),  # no tier of this asset
    ],
)
def test_the_tier_with_the_highest_minimum_that_an_amount_reaches_counts(
    asset: AssetId, amount: int, expected: tuple[int, int]
) -> None:
    policy = Policy(2, 6, (Tier(COIN, 100, 4, 10), Tier(COIN, 1000, 6, 20)))
    assert marks_at(100, policy, asset, amount) == expected


def test_a_tier_never_asks_for_less_than_the_chain() -> None:
    assert marks_at(100, Policy(2, 6, (Tier(COIN, 0, 1, 1),)), COIN, 5) == (99, 95)
    assert marks_at(100, Policy(2, 6, (Tier(COIN, 0, final=9),)), COIN, 5) == (99, 92), "what it does not name stays"


def test_what_is_final_by_a_tier_stays_so_when_the_tip_steps_back() -> None:
    policy = Policy(2, 6, (Tier(COIN, 0, 6, 20),))
    assert marks_at(97, policy, COIN, 5, peak=100) == (92, 81)


def test_a_tier_may_wait_for_the_tag_that_the_chain_calls_final() -> None:
    policy = Policy("safe", "finalized", (Tier(COIN, 100, "finalized", 50),))
    marks = advance_marks(Marks(-1, -1), 100, policy, {"safe": 90, "finalized": 80})
    assert marks_for(marks, policy, COIN, 5) == Marks(90, 80)
    assert marks_for(marks, policy, COIN, 100) == Marks(80, 51)


def test_amounts_of_tiers_are_exact_and_in_display_units(tmp_path: Path) -> None:
    tier = '[[chain.bitcoin.policy]]\nasset = "BTC"\nmin_amount = "0.00000001"\nfinal = 12\n'
    chain = load(tmp_path, BITCOIN + tier).chain["bitcoin"]
    assert chain.policy == Policy(2, 6, (Tier(chain.native.id, 1, None, 12),))
    [fits] = (
        load(
            tmp_path,
            ETHEREUM + '[[chain.ethereum.policy]]\nasset = "ETH"\nmin_amount = "32"\nconfirmed = "finalized"\n',
        )
        .chain["ethereum"]
        .policy.tiers
    )
    assert (fits.min_amount, fits.confirmed) == (32 * 10**18, "finalized")


@pytest.mark.parametrize(
    ("tier", "said"),
    [
        ('asset = "BTC"\nmin_amount = "1"', "asks for nothing"),
        ('asset = "ETH"\nmin_amount = "1"\nfinal = 9', 'this chain has no asset "ETH"; there is "BTC"'),
        ('asset = "BTC"\nmin_amount = "1.000000001"\nfinal = 9', "9 decimal places, BTC has 8"),
        ('asset = "BTC"\nmin_amount = 1\nfinal = 9', "expected decimal text in quotes"),
        ('asset = "BTC"\nmin_amount = "1"\nfinal = 0', "expected a whole number >= 1, got 0"),
        (
            'asset = "BTC"\nmin_amount = "1"\nconfirmed = 9\nfinal = 8',
            "expected a whole number >= confirmed (9), got 8",
        ),
        ('asset = "BTC"\nmin_amount = "1"\nfinal = "finalized"', 'the tag "finalized" is neither'),
    ],
)
def test_a_tier_that_cannot_be_meant_is_refused(tmp_path: Path, tier: str, said: str) -> None:
    assert said in complaint(tmp_path, f"{BITCOIN}[[chain.bitcoin.policy]]\n{tier}\n")


def test_two_tiers_of_one_amount_are_refused(tmp_path: Path) -> None:
    tier = '[[chain.bitcoin.policy]]\nasset = "BTC"\nmin_amount = "{}"\nfinal = 9\n'
    assert "BTC has two tiers" in complaint(tmp_path, BITCOIN + tier.format("1") + tier.format("1.0"))


def test_the_example_shows_how_to_write_a_tier() -> None:
    text = (Path(__file__).parents[2] / "config.example.toml").read_text()
    for key in ("asset", "min_amount", "confirmed", "final"):
        assert re.search(rf"^# {key} = ", text.partition("# [[chain.bitcoin.policy]]")[2], re.MULTILINE)


def under(play: Play, policy: Policy) -> Play:
    """The same chain under another policy, as after a restart with another configuration."""
    store, handle = play.store, play.handle
    handle = store.register_chain(handle.caip2, "bitcoin", "bitcoin", Hash(b""), policy, [BTC], handle.show)
    found = replace(play, handle=handle, policy=policy)
    with store.connection.begin():
        found.reload()
    return found


def test_a_change_of_policy_judges_anew_and_leaves_what_was_said(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    stricter = Policy(2, 6, (Tier(BTC.id, 200_000_000, 8, 30),))
    with open_store(path) as writer:
        bitcoin, ethereum = plays(writer)
        add_case(writer, declared(), (bitcoin, ethereum))
        play_bitcoin(bitcoin, 115)
        changed = under(bitcoin, stricter)
        assert changed.handle.policy_id != bitcoin.handle.policy_id
        assert changed.casework.unjudged
        writer.note(changed.handle, changed.casework.judge_again(changed.marks, ()), changed.marks, changed.tip, 1)
        assert not changed.casework.unjudged
    with sqlite3.connect(path) as store:
        said = store.execute(
            "SELECT leg_ref, reason, policy_id, current FROM v_verdict_all WHERE leg_ref IN ('secure', 'test')"
            " AND reason LIKE 'arrived as planned%' ORDER BY verdict_id"
        ).fetchall()
        policies = store.execute(
            "SELECT policy_id, confirmed, final, tiers FROM v_policy ORDER BY policy_id"
        ).fetchall()
    store.close()
    old, new = bitcoin.handle.policy_id, changed.handle.policy_id
    assert [row for row in said if row[3]] == [
        ("secure", "arrived as planned, confirmed", new, 1),  # 3 BTC in block 102, 14 confirmations of 30
        ("test", "arrived as planned, final", new, 1),  # 0.01 BTC: the chain's own rule
    ]
    assert ("secure", "arrived as planned, final", old, 0) in said, "what was said before stays as it was said"
    tier = f'[{{"asset":"{BTC.id}","confirmed":8,"final":30,"min_amount":"200000000"}}]'
    assert [row[1:] for row in policies if row[0] in (old, new)] == [("2", "6", "[]"), ("2", "6", tier)]
    with snapshot(path) as reader:
        found = custody.legs(reader, "HD-1")
    assert [check.verdict for check in found.checks if check.rule == "JUDGE-1"] == ["SHOWN"]
