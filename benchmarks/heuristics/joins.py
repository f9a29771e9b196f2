"""Plays coinjoins as the published descriptions of their protocols say, participant by participant."""

from benchmarks.heuristics.wallets import split
from benchmarks.heuristics.world import World


def whirlpool(world: World) -> None:
    """Five to eight take part: two newcomers bring a little more, the others exactly the pool's amount."""
    pool, size = world.rng.choice((100_000, 1_000_000, 5_000_000, 50_000_000)), world.rng.choice((5, 5, 5, 6, 7, 8))
    extra = world.rng.randint(300, 9_000)
    people = [world.person() for _ in range(size)]
    brought = [pool + extra, pool + extra, *[pool] * (size - 2)]
    world.rng.shuffle(brought)
    ins = [(world.holder(one, "w"), n) for one, n in zip(people, brought, strict=True)]
    outs = [(world.holder(one, "w"), pool) for one in people]
    world.rng.shuffle(outs)
    world.tx("whirlpool", ins, outs, mixed="whirlpool")


def wasabi1(world: World, size: int, *, levels: bool) -> None:
    """Everybody gets about 0.1 BTC, with `levels` the rich also twice that and four times, and change; one the fee."""
    base = world.rng.randint(9_200_000, 10_800_000)
    coordinator, ins, outs, fees = world.person(), [], [], 0
    for _ in range(size):
        me, rich = world.person(), levels and world.rng.random() < 0.4
        got = [base, base * 2, base * 4][: world.rng.choice((2, 3)) if rich else 1]
        fee, back = base * 3 * len(got) // 1000, world.amount(10_000, 30_000_000)
        ins += [
            (world.holder(me, "w"), n)
            for n in split(world, sum(got) + back + fee + 4_000, world.rng.choice((1, 1, 2, 3)))
        ]
        outs += [(world.holder(me, "w"), n) for n in (*got, back)]
        fees += fee
    outs.append((world.holder(coordinator, "w"), fees))
    world.rng.shuffle(ins)
    world.rng.shuffle(outs)
    world.tx("wasabi 1.1" if levels else "wasabi 1.0", ins, outs, mixed="wasabi1")


def wasabi2(world: World, size: int) -> None:
    """Everybody's coins are cut into standard amounts, greedily from some largest one; dust goes to the miner."""
    standard = sorted(
        {2**i for i in range(13, 37)}
        | {3**i * m for i in range(8, 23) for m in (1, 2)}
        | {10**i * m for i in range(4, 11) for m in (1, 2, 5)},
        reverse=True,
    )
    ins, outs = [], []
    for _ in range(size):
        me = world.person()
        coins = [world.amount(20_000, 300_000_000) for _ in range(world.rng.randint(1, 4))]
        ins += [(world.holder(me, world.rng.choice("wwt")), n) for n in coins]
        left, ceiling = sum(coins) - 150 * len(coins), world.rng.choice(standard[20:40])
        got: list[int] = []
        while left > 10_000 and len(got) < 9:
            part = next((one for one in standard if one <= min(left - 60, max(ceiling, left // 4))), 0)
            if part < 5_000:
                break
            got.append(part)
            left -= part + 60
        if left > 10_000:
            got.append(left)  # change that is no standard amount
        outs += [(world.holder(me, world.rng.choice("wt")), n) for n in got]
    ins.sort(key=lambda coin: -coin[1])
    outs.sort(key=lambda coin: -coin[1])
    world.tx("wasabi 2.0" if len(ins) >= 50 else "wasabi 2.0, small", ins, outs, mixed="wasabi2")


def joinmarket(world: World, makers: int, *, sweep: bool) -> None:
    """A taker and makers get the same amount; makers change with a little gain, the taker unless it is a sweep."""
    value, taker = world.amount(2_000_000), world.person()
    ins, outs, gains = [], [], 0
    for _ in range(makers):
        me, back, gain = world.person(), world.amount(100_000, value * 3), world.rng.randint(200, 4_000)
        ins += [(world.holder(me, "w"), n) for n in split(world, value + back - gain, world.rng.choice((1, 1, 2)))]
        outs += [(world.holder(me, "w"), value), (world.holder(me, "w"), back)]
        gains += gain
    back = 0 if sweep else world.amount(100_000, value)
    due = value + back + gains + world.fee(len(ins) + 1, len(outs) + 2)
    ins += [(world.holder(taker, "w"), n) for n in split(world, due, world.rng.choice((1, 2)))]
    outs += [(world.holder(taker, "w"), n) for n in (value, back) if n]
    world.rng.shuffle(ins)
    world.rng.shuffle(outs)
    world.tx(f"joinmarket, {'two' if makers == 1 else 'three or more'}", ins, outs, mixed="joinmarket")
