"""Plays what wallets and services do with coins, the misleading things included."""

from benchmarks.heuristics.world import World


def pay(world: World, case: str = "payment", *, round_share: float = 0.5, **how: bool) -> None:
    """Pay somebody from a wallet. how: `reuse` (change to an own input), `new_type` (change of another script type),
    `swapped` (the change is the round one), `exact` (no change), `spare` (more inputs than needed)."""
    rng, me, you = world.rng, world.person(), world.person()
    kind = rng.choice(("w", "w", "t", "s", "k"))
    value = world.amount()
    if rng.random() < round_share:
        digits = len(str(value)) - rng.choice((1, 2))
        value = max(10**digits, value // 10**digits * 10**digits)
    count = rng.choice((1, 1, 1, 2, 2, 3)) + how.get("spare", False)
    fee = world.fee(count, 2)
    # A wallet takes no input that it does not need, so with several the change is smaller than each.
    most = value if count == 1 or how.get("spare") else value // (8 * count)
    rest = 0 if how.get("exact") else world.amount(2_000, max(4_000, most))
    if how.get("swapped"):
        rest, value = max(100_000, rest // 100_000 * 100_000), value | 1
    parts = split(world, value + rest + fee, count)
    ins = [(world.holder(me, kind), part) for part in parts]
    outs = [(world.holder(you), value)]
    if rest:
        other = rng.choice([one for one in ("w", "t", "s", "h") if one != kind])
        back = ins[0][0] if how.get("reuse") else world.holder(me, other if how.get("new_type") else kind)
        outs.insert(rng.randint(0, 1), (back, rest))
        world.tx(case, ins, outs, change=next(i for i, out in enumerate(outs) if out[0] == back))
    else:
        world.tx(case, ins, outs)


def split(world: World, total: int, count: int) -> list[int]:
    """Cut an amount into parts, none tiny."""
    weights = [world.rng.randint(20, 100) for _ in range(count)]
    parts = [total * weight // sum(weights) for weight in weights]
    return [*parts[:-1], total - sum(parts[:-1])]


def move_to_self(world: World) -> None:
    """Move own coins to two own addresses: neither is a payment, neither the change."""
    me, kind = world.person(), world.rng.choice(("w", "t"))
    amounts = [world.amount() for _ in range(world.rng.randint(1, 3))]
    half = sum(amounts) * world.rng.randint(2, 8) // 10
    rest = sum(amounts) - half - world.fee(len(amounts), 2)
    if rest > 0:
        kinds = (kind, world.rng.choice(("w", "t", "s")))
        outs = [(world.holder(me, one), n) for one, n in zip(kinds, (half, rest), strict=True)]
        world.tx("self-transfer", [(world.holder(me, kind), n) for n in amounts], outs)


def join_payment(world: World) -> None:
    """Pay in a payjoin: whom one pays adds an input of his own."""
    me, you = world.person(), world.person()
    mine, yours = world.amount(1_000_000), world.amount(200_000, 50_000_000)
    value = mine * world.rng.randint(2, 8) // 10
    back = mine - value - world.fee(2, 2)
    ins = [(world.holder(me, "w"), mine), (world.holder(you, "w"), yours)]
    outs = [(world.holder(you, "w"), value + yours), (world.holder(me, "w"), back)]
    world.tx("payjoin", ins, outs, change=1)


def gather(world: World, count: int, *, labelled: bool = False, seen: bool = True) -> None:
    """Gather deposits of so many customers of a service into one address of it, known to be its or not.

    seen: where it is known, the payments of the customers are in the set too.
    """
    hot, at = world.holder(world.person(), "w"), world.rng.randint(1, 9_000)
    ins = [(world.holder(world.person(), "w"), world.amount()) for _ in range(count)]
    if labelled:
        world.known.append(hot)
        world.deposits |= {holder: hot for holder, _ in ins}
        for holder, n in ins if seen else ():
            world.tx("deposit", [(world.holder(world.person(), "w"), n + 3_000)], [(holder, n)], at=at)
    total = sum(n for _, n in ins)
    world.tx("custodial gathering", ins, [(hot, total - world.fee(count, 1) // 40)], at=at + 100)


def pay_out(world: World, many: int, *, ins: int = 1, others: int = 0) -> None:
    """Pay so many people the same from one service, and some `others` other amounts."""
    me, each = world.person(), world.rng.choice((100_000, 1_000_000, 10_000_000, 250_000))
    outs = [(world.holder(world.person()), each) for _ in range(many)]
    outs += [(world.holder(world.person()), world.amount(10_000, each * 2)) for _ in range(others)]
    back = world.amount(100_000)
    outs.append((world.holder(me, "w"), back))
    total = sum(n for _, n in outs) + world.fee(ins, len(outs))
    parts = split(world, total, ins)
    world.tx("equal pay-out", [(world.holder(me, "w"), n) for n in parts], outs, change=len(outs) - 1)


def peel_off(world: World, steps: int, *, relay: bool = False) -> None:
    """Pay small amounts out of a large coin, step by step; `relay`: most goes to somebody new each time instead."""
    rng, me = world.rng, world.person()
    kind = rng.choice(("w", "k", "s"))
    coin = (world.holder(me, kind), world.amount(500_000_000, 20_000_000_000))
    spends = None
    for step in range(steps):
        fee, peeled = world.fee(1, 2), coin[1] * rng.randint(1, 12) // 100
        larger_paid = not relay and steps > 5 and rng.random() < 0.04
        if larger_paid:
            peeled = coin[1] * rng.randint(55, 70) // 100
        me = world.person() if relay else me
        payer = world.owner[coin[0]]
        going_on = (world.holder(me, None if relay else kind), coin[1] - peeled - fee)
        outs = [(world.holder(payer, coin[0][0]) if relay else world.holder(world.person()), peeled), going_on]
        if rng.random() < 0.5:
            outs.reverse()
        place = outs.index(going_on)
        truth = {"spends": spends} if spends else {"spends": [0, step]}
        change = 1 - place if relay else place
        number = world.tx("relay" if relay else "peel chain", [coin], outs, change=change, peel=not relay, **truth)
        coin, spends = going_on, [number, place]
