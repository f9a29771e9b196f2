"""Makes the labelled set: `python -m benchmarks.heuristics.generate`; the same seed makes the same file."""

import json
from pathlib import Path

from benchmarks.heuristics import exchanges, joins, wallets
from benchmarks.heuristics.world import Row, World

SEED = 20_260_601
CASES = Path(__file__).with_name("cases.jsonl")


def generate(seed: int = SEED) -> Row:
    """Play everything."""
    world = World(seed)
    for _ in range(240):
        wallets.pay(world)
    for case, how in (
        ("change to an input", {"reuse": True}),
        ("change of a new type", {"new_type": True}),
        ("round change", {"swapped": True}),
        ("no change", {"exact": True}),
        ("needless input", {"spare": True}),
    ):
        for _ in range(30):
            wallets.pay(world, case, **how)
    for _ in range(30):
        wallets.move_to_self(world)
        wallets.join_payment(world)
    for count in (5, 12, 30, 60, 99, 100, 180, 400):
        wallets.gather(world, count)
    for count in (5, 12, 30, 60, 100):
        wallets.gather(world, count, labelled=True, seen=count != 12)
    for many in (3, 5, 10, 20, 40):
        wallets.pay_out(world, many)
        wallets.pay_out(world, many, ins=many)
        wallets.pay_out(world, many, ins=2 * many, others=many - 2)
    for number in range(24):
        joins.whirlpool(world)
        joins.joinmarket(world, 1 + number % 8, sweep=number % 3 == 0)
    for size in (12, 20, 35, 50, 70):
        joins.wasabi1(world, size, levels=False)
        joins.wasabi1(world, size, levels=True)
    for size in (8, 12, 30, 40, 60, 90):
        joins.wasabi2(world, size)
    for steps in (2, 3, 4, 6, 8, 12, 16, 20):
        wallets.peel_off(world, steps)
        wallets.peel_off(world, steps, relay=True)
    exchanges.deposits_of_coins(world, 40)
    exchanges.deposits_of_accounts(world, 40)
    return world.data()


def text(data: Row) -> str:
    """Write the set, a transaction or payment per line."""
    rows = {key: value for key, value in data.items() if key not in ("txs", "payments")}
    lines = [json.dumps(rows, separators=(",", ":"))]
    lines += [json.dumps(row, separators=(",", ":")) for row in (*data["txs"], *data["payments"])]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    CASES.write_text(text(generate()), encoding="utf-8")
