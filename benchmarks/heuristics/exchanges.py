"""Plays deposits at exchanges, on a chain of coins and on one of accounts, and what looks like them."""

from benchmarks.heuristics.world import World


def deposits_of_coins(world: World, count: int) -> None:
    """Customers pay to deposit addresses, each swept alone; some pay the exchange's known address straight away."""
    hot = world.holder(world.person(), "w")
    world.known.append(hot)
    for _ in range(count):
        at, address = world.rng.randint(1, 9_000), world.holder(world.person(), "w")
        got = [world.amount(500_000) for _ in range(world.rng.randint(1, 4))]
        for n in got:
            world.tx("deposit", [(world.holder(world.person(), "w"), n + 3_000)], [(address, n)], at=at)
        fee = world.fee(len(got), 1) // 4
        world.tx("sweep", [(address, n) for n in got], [(hot, sum(got) - fee)], at=at + world.rng.randint(1, 300))
        world.deposits[address] = hot
    for _ in range(count // 4):
        at, me = world.rng.randint(1, 9_000), world.person()
        mine, n = world.holder(me, "w"), world.amount(500_000)
        world.tx("withdrawal", [(world.holder(world.person(), "w"), n + 3_000)], [(mine, n)], at=at)
        world.tx("own address emptied", [(mine, n)], [(hot, n - 2_000)], at=at + world.rng.randint(1, 9_000))
    for _ in range(count // 2):
        me, n = world.person(), world.amount(1_000_000)
        paid, at = n * world.rng.randint(2, 8) // 10, world.rng.randint(1, 9_000)
        back = (world.holder(me, "w"), n - paid - 3_000)
        world.tx("paid in part", [(world.holder(me, "w"), n)], [(hot, paid), back], at=at, change=1)


def deposits_of_accounts(world: World, count: int) -> None:
    """The same on accounts, where a sweep leaves gas behind, and an own wallet may do the same as a deposit address."""
    hot = world.holder(world.person(), "a")
    world.known.append(hot)

    def pays(source: str | None, target: str, amount: int, at: int) -> None:
        world.payments.append([len(world.payments), source, target, amount, at])

    def flow(kind: str) -> None:
        address, at = world.holder(world.person(), "a"), world.rng.randint(1, 90_000)
        if kind not in ("own wallet", "emptied once"):
            world.deposits[address] = hot
        for _ in range(world.rng.randint(1, 3) if kind != "emptied once" else 1):
            n = world.amount(10**15, 10**19)
            pays(world.holder(world.person(), "a"), address, n, at)
            at += world.rng.randint(4_000, 9_000) if kind == "slow" else world.rng.randint(1, 200)
            percent = world.rng.randint(60, 80) if kind == "holds back" else world.rng.randint(95, 99)
            pays(address, hot, n * percent // 100, at)
            if kind == "own wallet":
                pays(address, world.holder(world.person(), "a"), n * (100 - percent) // 200, at + 5)

    for kind, share in (
        ("deposit", count),
        ("slow", 6),
        ("holds back", 6),
        ("own wallet", count // 2),
        ("emptied once", 10),
    ):
        for _ in range(share):
            flow(kind)
