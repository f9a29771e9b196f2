"""One disposal, played into a store by hand, and every figure of it worked out on paper.

Bitcoin, in satoshi. Seized: coin A = f1:0 (200000000) and B = f2:0 (100000000), after block 101.

    102  secure   A + B            -> authority 299990000                       fee 10000
    103  test     secure:0         -> agency 1000000, authority 298980000       fee 10000
    104  receive  test:1           -> agency 298970000                          fee 10000
    105  deposit  receive:0        -> exchange 150000000, agency 148960000      fee 10000   (orphaned once)
    107  leak     deposit:1        -> thief 40000000, agency 108950000          fee 10000
    108  hop1     leak:0           -> mule 25000000, mule2 14990000             fee 10000
    109  hop2     hop1:0 + stranger 10000000 -> fence 30000000, fence2 4990000  fee 10000

Ethereum: 10 ether and 5000 USDT seized after block 51; see `play_ethereum`.
"""

from pathlib import Path

from store_builder import WALL, Play, add_case, block_hash, open_store, transact, txid

from tracer.chain import Policy
from tracer.custody.case import Attestation, Case, Document, Institution, Leg, LegKind, Watch
from tracer.life import Replaced
from tracer.store.writer import Store
from tracer.types import Asset, AssetId, AssetKind, ChainId, Hash, Holder, Kind, Movement, Role

BTC_CHAIN = ChainId("bip122:000000000933ea01ad0ee984209779ba")
ETH_CHAIN = ChainId("eip155:31337")
BTC = Asset(AssetId(f"{BTC_CHAIN}/slip44:0"), "BTC", 8, AssetKind.NATIVE)
ETH = Asset(AssetId(f"{ETH_CHAIN}/slip44:60"), "ETH", 18, AssetKind.NATIVE)
USDT = Asset(AssetId(f"{ETH_CHAIN}/erc20:0x{'d5' * 20}"), "USDT", 6, AssetKind.LISTED)
FAKE = Asset(AssetId(f"{ETH_CHAIN}/erc20:0x{'fa' * 20}"), "USDT", 6, AssetKind.UNLISTED)

CONFIG_SHA256 = b"c" * 32
SEIZED1, SEIZED2, AUTHORITY, AGENCY, EXCHANGE = (
    Holder(b"\x00\x14" + name.ljust(20, b"."))
    for name in (b"seized1", b"seized2", b"authority", b"agency", b"exchange")
)
THIEF, MULE, MULE2, FENCE, FENCE2, STRANGER = (
    Holder(b"\x00\x14" + name.ljust(20, b"."))
    for name in (b"thief", b"mule", b"mule2", b"fence", b"fence2", b"stranger")
)
E_SEIZED, E_AGENCY, E_EXCHANGE, E_STRANGER, E_THIEF = (
    Holder(bytes([number]) * 20) for number in (0x51, 0xA6, 0xE8, 0x99, 0x7F)
)
UNREADABLE = f"log 2 of 0x{'fa' * 20}: 2 topics, so not of ERC-20 or ERC-721"
E_LEAK = 4 * 10**17
E_LEAK_FEE = 42 * 10**12
E_DEADLINE = 1_750_000_000 + 12 * 55
"""The time of block 55."""


def show_bitcoin(holder: Holder) -> str | None:
    """A made-up address."""
    return "bc1q" + holder[2:].rstrip(b".").decode()


def show_ethereum(holder: Holder) -> str | None:
    """An account as text."""
    return "0x" + holder.hex()


def declared() -> Case:
    """The case file's content."""
    papers = [Document("letter", "Letter of the exchange", bytes([0xD0]) * 32)]
    bodies = [
        Institution("psb", "Public security bureau", "SEIZE"),
        Institution("ex", "Harbour Exchange", "EXCHANGE"),
    ]

    def watch(ref: str, holder: Holder, role: Role) -> Watch:
        chain, birth = (ETH_CHAIN, 51) if len(holder) == 20 else (BTC_CHAIN, 101)
        return Watch(ref, chain, holder, role, "ex" if role is Role.EXCHANGE else "psb", birth)

    def leg(
        ref: str,
        kind: LegKind,
        asset: Asset,
        sources: tuple[str, ...],
        target: str,
        amount: int,
        max_fee: int,
        deadline: int | None = None,
    ) -> Leg:
        return Leg(ref, kind, asset.id, sources, target, amount, 0, max_fee, None, deadline)

    return Case(
        "HD-1",
        "Haidian disposal",
        "beijing-2025",
        {BTC_CHAIN: 101, ETH_CHAIN: 51},
        tuple(bodies),
        (
            watch("seized-1", SEIZED1, Role.SEIZED),
            watch("seized-2", SEIZED2, Role.SEIZED),
            watch("authority", AUTHORITY, Role.AUTHORITY),
            watch("agency", AGENCY, Role.AGENCY),
            watch("exchange", EXCHANGE, Role.EXCHANGE),
            watch("eth-seized", E_SEIZED, Role.SEIZED),
            watch("eth-agency", E_AGENCY, Role.AGENCY),
            watch("eth-exchange", E_EXCHANGE, Role.EXCHANGE),
        ),
        tuple(papers),
        (
            Attestation("exchange", "ex", "letter", 1_700_000_000, None),
            Attestation("eth-exchange", "ex", "letter", 1_700_000_000, None),
        ),
        (
            leg("secure", LegKind.SECURE, BTC, ("seized-1", "seized-2"), "authority", 299_990_000, 10_000),
            leg(
                "test",
                LegKind.TEST,
                BTC,
                ("authority",),
                "agency",
                1_000_000,
                10_000,
                1_750_000_000 + 600 * 103,
            ),
            leg("receive", LegKind.RECEIVE, BTC, ("authority",), "agency", 298_970_000, 10_000),
            leg("deposit", LegKind.DEPOSIT, BTC, ("agency",), "exchange", 150_000_000, 10_000),
            leg("gas", LegKind.GAS, ETH, (), "eth-agency", 10**16, 0),
            leg("secure-usdt", LegKind.SECURE, USDT, ("eth-seized",), "eth-agency", 5_000_000_000, 10**15),
            leg(
                "deposit-usdt",
                LegKind.DEPOSIT,
                USDT,
                ("eth-agency",),
                "eth-exchange",
                4_500_000_000,
                10**15,
                E_DEADLINE,
            ),
        ),
        bytes(range(32)),
    )


def plays(store: Store) -> tuple[Play, Play]:
    """Both chains, registered and empty."""
    two_six, tags = Policy(2, 6), Policy("safe", "finalized")
    genesis = Hash(bytes([7]) * 32)
    bitcoin = store.register_chain(BTC_CHAIN, "bitcoin", "bitcoin", genesis, two_six, [BTC], show_bitcoin)
    ethereum = store.register_chain(ETH_CHAIN, "ethereum", "ethereum", genesis, tags, [ETH, USDT], show_ethereum)
    return Play(store, bitcoin, True, BTC, two_six, 600), Play(store, ethereum, False, ETH, tags, 12)


def play_bitcoin(play: Play, blocks: int = 115, *, leak: bool = True) -> None:
    """Mine the Bitcoin side up to height `blocks`."""
    play.start(100)
    play.begin_headers()
    script = {
        101: lambda: (
            play.pay("f1", [], [(SEIZED1, 200_000_000)]),
            play.pay("f2", [], [(SEIZED2, 100_000_000)]),
            play.pay("stranger", [], [(STRANGER, 10_000_000)]),
        ),
        102: lambda: (play.pay("secure", [("f1", 0), ("f2", 0)], [(AUTHORITY, 299_990_000)]),),
        103: lambda: (play.pay("test", [("secure", 0)], [(AGENCY, 1_000_000), (AUTHORITY, 298_980_000)]),),
        104: lambda: (play.pay("receive", [("test", 1)], [(AGENCY, 298_970_000)]),),
        105: lambda: (play.pay("deposit", [("receive", 0)], [(EXCHANGE, 150_000_000), (AGENCY, 148_960_000)]),),
        107: lambda: (play.pay("leak", [("deposit", 1)], [(THIEF, 40_000_000), (AGENCY, 108_950_000)]),),
        108: lambda: (play.pay("hop1", [("leak", 0)], [(MULE, 25_000_000), (MULE2, 14_990_000)]),),
        109: lambda: (play.pay("hop2", [("hop1", 0), ("stranger", 0)], [(FENCE, 30_000_000), (FENCE2, 4_990_000)]),),
    }
    while play.tip.height < blocks:
        height = play.tip.height + 1
        made = script.get(height, tuple)
        if height == 105 and play.tip.hash == block_hash(f"{BTC_CHAIN} 104"):
            play.mine(*made(), branch="-lost")
            play.disconnect()
            play.mine(branch="")  # the branch that won has the deposit one block later
            play.mine(*made())
        elif height < 107 or leak:
            play.mine(*made())
        else:
            play.mine()


def play_ethereum(play: Play, blocks: int = 60, *, leak: bool = True) -> None:
    """Mine the Ethereum side: gas and USDT to the agency, a short deposit, a fake token, and a leak of 0.4 ether."""
    play.start(50)
    ether = lambda index, source, target, amount: Movement(Kind.TRACE, index, ETH.id, amount, source, target)  # noqa: E731
    fee = lambda payer, amount: Movement(Kind.FEE, 0, ETH.id, amount, payer, None)  # noqa: E731
    token = lambda asset, source, target, amount: Movement(Kind.LOG, 0, asset.id, amount, source, target)  # noqa: E731
    case_id = 1
    play.mine(
        balances={
            (case_id, E_SEIZED, ETH.id): 10 * 10**18,
            (case_id, E_SEIZED, USDT.id): 5_000_000_000,
            (case_id, E_AGENCY, ETH.id): 0,
            (case_id, E_AGENCY, USDT.id): 0,
        }
    )
    play.mine(transact("gas", ether(0, E_STRANGER, E_AGENCY, 10**16)))
    play.mine(transact("usdt", fee(E_SEIZED, 5 * 10**13), token(USDT, E_SEIZED, E_AGENCY, 5_000_000_000)))
    play.mine(
        transact("usdt-short", fee(E_AGENCY, 6 * 10**13), token(USDT, E_AGENCY, E_EXCHANGE, 4_000_000_000)),
        transact("fake", Movement(Kind.LOG, 1, FAKE.id, 999_000_000, E_STRANGER, E_AGENCY)),
        assets=(FAKE,),
    )
    play.store.note_unobserved(play.handle, 54, UNREADABLE, WALL)
    if leak:
        play.mine(transact("eth-leak", fee(E_SEIZED, E_LEAK_FEE), ether(0, E_SEIZED, E_THIEF, E_LEAK)))
    while play.tip.height < blocks:
        play.mine()


def play_pool(play: Play) -> None:
    """The mempool at the end: the agency would pay a stranger, and a first try of that was replaced."""
    seen = [
        play.sighting(play.pay(name, [("leak", 1)], [(STRANGER, amount)]))
        for name, amount in (("try", 7), ("theft", 8))
    ]
    play.pool(seen[:1])
    play.pool(seen[1:], {txid("try"): Replaced(txid("theft"), f"{name_of('leak')}:1")})


def play_all(path: Path, *, leak: bool = True) -> Path:
    """The whole disposal in a store at `path`; without the leak, Bitcoin only."""
    with open_store(path) as store:
        store.note_run("0.0.1", bytes(32), 1)
        store.note_run("0.1.0", CONFIG_SHA256, 2)
        bitcoin, ethereum = plays(store)
        add_case(store, declared(), (bitcoin, ethereum))
        play_bitcoin(bitcoin, leak=leak)
        if leak:
            play_pool(bitcoin)
            play_ethereum(ethereum)
    return path


def name_of(name: str) -> str:
    """The id of a made-up transaction, as people read it."""
    return txid(name).hex()
