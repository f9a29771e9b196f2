"""Large amounts wait longer on real nodes, and a changed policy judges anew what was final."""

from pathlib import Path

from harness.devnet import Devnet, leg
from harness.scene import Scene


def tier(net: Devnet, min_amount: str, final: int) -> str:
    """More confirmations for large amounts of the native asset."""
    symbol = net.native.partition(":")[2]
    return f'[[chain.{net.name}.policy]]\nasset = "{symbol}"\nmin_amount = "{min_amount}"\nfinal = {final}\n'


def reason(scene: Scene, net: Devnet, name: str) -> str:
    return scene.stored.verdicts()["disposal", name, net.asset][1]


def test_a_large_amount_becomes_final_later_and_a_changed_policy_shows(net: Devnet, tmp_path: Path) -> None:
    legs = [leg(net, "small", "seized", "authority", "0.5"), leg(net, "large", "loot", "agency", "1")]
    scene = Scene(tmp_path, [net], legs=legs)
    scene.configure(table=net.table() + tier(net, "1", 25))
    net.mine(2)
    scene.daemon.start()
    scene.in_step()
    net.pay("seized", "authority", 50)
    net.pay("loot", "agency", 100)
    net.mine(15)
    scene.in_step()
    assert reason(scene, net, "small") == "arrived as planned, final"
    assert reason(scene, net, "large") == "arrived as planned, confirmed"
    net.mine(12)
    scene.in_step()
    assert reason(scene, net, "large") == "arrived as planned, final"
    scene.end()
    said = scene.stored.rows("SELECT verdict_id, reason, policy_id FROM v_verdict_all ORDER BY verdict_id")

    scene.configure(table=net.table() + tier(net, "1", 60))
    scene.daemon.start()
    scene.in_step()
    scene.daemon.until(
        lambda: reason(scene, net, "large") == "arrived as planned, confirmed", "judged under the new policy"
    )
    assert reason(scene, net, "small") == "arrived as planned, final"
    now = scene.stored.rows("SELECT verdict_id, reason, policy_id FROM v_verdict_all ORDER BY verdict_id")
    assert now[: len(said)] == said, "what was said stays, under the policy that it was given under"
    assert {policy for *_, policy in now[len(said) :]}.isdisjoint(policy for *_, policy in said)
    assert scene.stored.rows("SELECT count(*) FROM v_policy WHERE tiers <> '[]'") == [(2,)]
    scene.check()
    scene.end()
