"""Seized value is followed from account to account on a real anvil, and the independent ledger says the same of it."""

import random
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from harness.ethereum import EthereumNet
from harness.scene import Scene
from harness.stored import Stored
from harness.tracerd import Tracerd

from fixtures.ledger.nouns import Limits

WAIT_S = 60.0
ONE = 10**18
POOR = ("stranger", "stranger2", "mule", "fence")
"""Accounts outside the case that have no ether at first."""


@pytest.fixture
def net(anvil_exe: Path) -> Iterator[EthereumNet]:
    """A chain on which four accounts outside the case have nothing."""
    net = EthereumNet(anvil_exe)
    for one in POOR:
        endow(net, one, 0)
    net.mine()
    yield net
    net.close()


@pytest.fixture(params=["all", "hits"])
def verify(request: pytest.FixtureRequest) -> str:
    """How blocks are verified."""
    return str(request.param)


@pytest.fixture
def scene(net: EthereumNet, tmp_path: Path, verify: str) -> Iterator[Scene]:
    """A daemon that follows the chain live; it watches no account of the poor."""
    scene = Scene(tmp_path, [net])
    scene.configure(verify=verify)
    scene.daemon.start()
    scene.in_step(WAIT_S)
    yield scene
    scene.daemon.kill()


def endow(net: EthereumNet, holder: str, wei: int) -> None:
    """Let an account have so much ether from the next block on."""
    net.node.rpc("anvil_setBalance", net.accounts[holder], hex(wei))


def send(net: EthereumNet, source: str, target: str, wei: int) -> None:
    """Let an account pay ether in the next block."""
    net._send(source, net.accounts.get(target, target), value=wei)


def transfer(net: EthereumNet, source: str, target: str, units: int) -> None:
    """Let an account pay listed tokens in the next block."""
    net._call(source, net.token, "transfer(address,uint256)", net.accounts[target], units)


def mine(net: EthereumNet) -> None:
    """Make a block of what waits, in its order, with payments of what their payers only get in this block."""
    poor = {request["from"] for request in net._waiting} & {net.accounts[one] for one in POOR}
    had = {account: net.node.rpc("eth_getBalance", account, "latest") for account in sorted(poor)}
    for account, wei in had.items():  # the node takes no transaction into its pool that could not be paid now
        net.node.rpc("anvil_setBalance", account, hex(int(wei, 16) + 1000 * ONE))
    for request in net._waiting:
        net.node.rpc("eth_sendTransaction", request)
    net._waiting = []
    for account, wei in had.items():
        net.node.rpc("anvil_setBalance", account, wei)
    net.mine()


def finish(scene: Scene, net: EthereumNet, *, swapped: bool = False) -> None:
    """What every test ends with: the ledger agrees, units add up, and a store that is made in one go says the same.

    swapped: seized ether came back by a swap, and counts again.
    """
    net.mine()
    scene.in_step(WAIT_S)
    scene.check()
    if not swapped:
        conserved(scene.stored)
    scene.daemon.until(lambda: unproven(scene.stored) == 0, "all is proven", WAIT_S)
    scene.end()
    fresh = Tracerd(scene.daemon.folder / "fresh", [scene.daemon.config.read_text().partition("files =")[2]])
    fresh.config.write_text(scene.daemon.config.read_text().replace(str(scene.daemon.store), str(fresh.store)))
    for case in scene.daemon.folder.glob("case-*.toml"):
        fresh.write_case(case.name, case.read_text())
    assert fresh.sync() == 0, fresh.log
    scene.agree(fresh.store)
    followed, once = scene.stored.derived(), Stored(fresh.store).derived()
    for name in once.keys() - {"coverage"}:
        assert followed[name] - once[name] == Counter(), f"{name}: not in a store that was made in one go"
        assert once[name] - followed[name] == Counter(), f"{name}: only in a store that was made in one go"
    assert once["lots"]


def unproven(stored: Stored) -> int:
    """How many transactions on the chain lack their proofs."""
    [(count,)] = stored.rows(
        "SELECT count(*) FROM tx t JOIN block b ON b.id = t.block_id AND b.canonical WHERE t.proof IS NULL"
    )
    return int(count)


def conserved(stored: Stored) -> None:
    """Per label: what was seized is where the frontier says it is, to the unit, by each method."""
    seeds = stored.rows("SELECT case_ref, label, asset, amount FROM v_trace_seed")
    assert seeds
    for method in ("fifo", "haircut"):
        for case, label, asset, amount in seeds:
            ends = stored.rows(
                "SELECT traced FROM v_frontier WHERE case_ref = ? AND method = ? AND label = ? AND asset = ?",
                *(case, method, label, asset),
            )
            assert sum(int(traced) for (traced,) in ends) == int(amount), (method, case, label)


def frontier(scene: Scene, net: EthereumNet, method: str) -> Counter[tuple[str, str | None, str]]:
    """Traced units outside custody: by who has them, why the trace ends, and symbol."""
    names = {account: name for name, account in net.accounts.items()}
    found: Counter[tuple[str, str | None, str]] = Counter()
    for address, why, symbol, traced, role in scene.stored.rows(
        "SELECT address, boundary, symbol, traced, role FROM v_frontier WHERE method = ?", method
    ):
        if role not in ("seized", "authority", "agency"):
            found[names.get(str(address).lower(), str(address).lower()), why, symbol] += int(traced)
    return found


def fees(net: EthereumNet, *holders: str) -> dict[str, int]:
    """What each of some accounts paid for gas, by the node's receipts of all blocks."""
    paid = Counter[str]()
    for number in range(net.height() + 1):
        for txid in net.node.rpc("eth_getBlockByNumber", hex(number), False)["transactions"]:
            told = net.node.rpc("eth_getTransactionReceipt", txid)
            paid[told["from"].lower()] += int(told["gasUsed"], 16) * int(told["effectiveGasPrice"], 16)
    return {holder: paid[net.accounts[holder]] for holder in holders}


def openings(scene: Scene, net: EthereumNet) -> dict[tuple[str, str], int]:
    """What accounts held before the trace reached them first, by name and symbol."""
    names = {bytes.fromhex(account[2:]): name for name, account in net.accounts.items()}
    rows = scene.stored.rows(
        "SELECT h.key, a.symbol, o.balance FROM account_opening o JOIN holder h ON h.id = o.holder_id"
        " JOIN asset a ON a.id = o.asset_id JOIN block b ON b.id = o.block_id AND b.canonical"
    )
    return {(names[bytes(key)], symbol): int(balance) for key, symbol, balance in rows if bytes(key) in names}


def test_value_is_followed_over_several_hops_to_an_exchange(scene: Scene, net: EthereumNet) -> None:
    """All that the poor have is seized value: so they pay their gas from it, too."""
    for source, target, wei in (
        ("seized", "stranger", 10 * ONE),
        ("stranger", "stranger2", 6 * ONE),
        ("stranger2", "mule", 5 * ONE),
        ("mule", "exchange", 4 * ONE),
    ):
        send(net, source, target, wei)
        mine(net)
        scene.in_step(WAIT_S)
    paid = fees(net, "seized", "stranger", "stranger2", "mule")
    for method in ("fifo", "haircut"):
        found = frontier(scene, net, method)
        fee = sum(units for (_, why, _), units in found.items() if why == "fee")
        assert {key: units for key, units in found.items() if key[1] != "fee"} == {
            ("stranger", None, "ETH"): 4 * ONE - paid["stranger"],
            ("stranger2", None, "ETH"): ONE - paid["stranger2"],
            ("mule", None, "ETH"): ONE - paid["mule"],
            ("exchange", "exchange deposit", "ETH"): 4 * ONE,
        }
        assert fee == sum(paid.values())
    finish(scene, net)


def test_value_that_goes_on_in_its_block_is_followed_in_transaction_order(scene: Scene, net: EthereumNet) -> None:
    send(net, "seized", "stranger", 10 * ONE)
    send(net, "stranger", "stranger2", 6 * ONE)
    send(net, "stranger2", "mule", 5 * ONE)
    send(net, "mule", "exchange", 4 * ONE)
    mine(net)
    scene.in_step(WAIT_S)
    for method in ("fifo", "haircut"):
        found = frontier(scene, net, method)
        assert found["exchange", "exchange deposit", "ETH"] == 4 * ONE
        assert found["mule", None, "ETH"] == ONE - fees(net, "mule")["mule"]
    assert set(openings(scene, net).values()) == {0}
    finish(scene, net)


def test_a_block_that_was_pushed_is_followed_like_any_other(net: EthereumNet, tmp_path: Path, verify: str) -> None:
    scene = Scene(tmp_path, [net])
    scene.configure(verify=verify, poll_s=30.0, **net.push)
    scene.daemon.start()
    try:
        scene.in_step(WAIT_S)
        send(net, "seized", "stranger", 10 * ONE)
        send(net, "stranger", "stranger2", 6 * ONE)
        mine(net)
        scene.in_step(WAIT_S)
        send(net, "stranger2", "exchange", 5 * ONE)
        mine(net)
        scene.in_step(WAIT_S)
        for method in ("fifo", "haircut"):
            assert frontier(scene, net, method)["exchange", "exchange deposit", "ETH"] == 5 * ONE
        finish(scene, net)
    finally:
        scene.daemon.kill()


def test_what_went_before_in_the_block_in_the_other_order_carries_nothing(scene: Scene, net: EthereumNet) -> None:
    for holder in ("stranger", "stranger2"):
        send(net, "rich", holder, 8 * ONE)
    mine(net)
    send(net, "stranger2", "mule", 5 * ONE)
    send(net, "stranger", "stranger2", 6 * ONE)
    send(net, "seized", "stranger", 10 * ONE)
    mine(net)
    scene.in_step(WAIT_S)
    found = frontier(scene, net, "fifo")
    assert {key for key in found if key[1] is None} == {("stranger", None, "ETH")}
    assert openings(scene, net) == {("stranger", "ETH"): 8 * ONE}
    finish(scene, net)


def test_clean_ether_that_an_account_had_leaves_first_and_what_it_paid_in_the_block_counts(
    scene: Scene, net: EthereumNet
) -> None:
    """The mule has 5, pays 2 in the block in which 10 seized ones come, and 6 later: 3 clean ones less gas go first."""
    send(net, "rich", "mule", 5 * ONE)
    mine(net)
    send(net, "mule", "rich", 2 * ONE)
    send(net, "seized", "mule", 10 * ONE)
    mine(net)
    scene.in_step(WAIT_S)
    assert openings(scene, net) == {("mule", "ETH"): 5 * ONE}
    send(net, "mule", "fence", 6 * ONE)
    mine(net)
    scene.in_step(WAIT_S)
    gas = fees(net, "mule")["mule"]
    assert frontier(scene, net, "fifo")["fence", None, "ETH"] == 6 * ONE - (3 * ONE - gas)
    first = 3 * ONE - gas // 2  # what was left of the 5 when the 10 came: both payments took as much gas
    assert (
        abs(frontier(scene, net, "haircut")["fence", None, "ETH"] - 6 * ONE * 10 * ONE // (10 * ONE + first))
        < ONE // 1000
    )
    finish(scene, net)


def test_internal_transfers_carry_value_through_a_contract(scene: Scene, net: EthereumNet) -> None:
    net._call("seized", net.forwarder, "forward(address)", net.accounts["stranger"], value=3 * ONE)
    mine(net)
    to = [net.accounts[one] for one in ("stranger2", "mule", "exchange")]
    net._call(*("stranger", net.forwarder, "split(address[],uint256[])", to, [ONE // 2, ONE // 4, ONE // 4]), value=ONE)
    send(net, "mule", "fence", ONE // 8)
    mine(net)
    scene.in_step(WAIT_S)
    for method in ("fifo", "haircut"):
        found = frontier(scene, net, method)
        assert found["stranger2", None, "ETH"] == ONE // 2
        assert found["exchange", "exchange deposit", "ETH"] == ONE // 4
        assert found["fence", None, "ETH"] == ONE // 8
    finish(scene, net)


def test_tokens_and_ether_are_followed_at_once(scene: Scene, net: EthereumNet) -> None:
    """Whoever has tokens needs ether for gas: here it is seized ether as well."""
    for holder in ("stranger", "stranger2"):
        send(net, "loot", holder, ONE)
    transfer(net, "seized", "stranger", 700)
    transfer(net, "stranger", "stranger2", 500)
    mine(net)
    scene.in_step(WAIT_S)
    transfer(net, "rich", "stranger2", 50)
    transfer(net, "stranger2", "mule", 300)
    transfer(net, "stranger2", "exchange", 150)
    send(net, "stranger2", "fence", ONE // 2)
    mine(net)
    scene.in_step(WAIT_S)
    found = frontier(scene, net, "fifo")
    assert found["stranger", None, "USDX"] == 200 and found["mule", None, "USDX"] == 300
    assert found["exchange", "exchange deposit", "USDX"] == 150 and found["stranger2", None, "USDX"] == 50
    assert found["fence", None, "ETH"] == ONE // 2
    spread = frontier(scene, net, "haircut")
    assert spread["mule", None, "USDX"] == 500 * 300 // 550
    assert openings(scene, net)["mule", "USDX"] == 0
    finish(scene, net)


def deployed_swap(net: EthereumNet) -> str:
    """An exchange on the chain that has 50 ether and 1,000,000 units of tokens."""
    swap = net._deploy("Swap")
    net._send("rich", swap, value=50 * ONE)
    net._call("rich", net.token, "transfer(address,uint256)", swap, 1_000_000)
    net.mine()
    return swap


def test_value_goes_on_through_a_swap(scene: Scene, net: EthereumNet) -> None:
    swap = deployed_swap(net)
    send(net, "seized", "stranger", 10 * ONE)
    mine(net)
    net._call("stranger", swap, "buy(address,uint256)", net.token, 9_000, value=9 * ONE)
    mine(net)
    scene.in_step(WAIT_S)
    for method in ("fifo", "haircut"):
        found = frontier(scene, net, method)
        assert found[swap, "swap", "ETH"] == 9 * ONE
        assert found["stranger", None, "USDX"] == 9_000
    conserved(scene.stored)
    transfer(net, "stranger", "exchange", 4_000)
    net._call("stranger", net.token, "approve(address,uint256)", swap, 5_000)
    net._call("stranger", swap, "sell(address,uint256,uint256)", net.token, 5_000, 5 * ONE)
    mine(net)
    scene.in_step(WAIT_S)
    for method in ("fifo", "haircut"):
        found = frontier(scene, net, method)
        assert found["exchange", "exchange deposit", "USDX"] == 4_000
        assert ("stranger", None, "USDX") not in found
        assert found["stranger", None, "ETH"] == 6 * ONE - fees(net, "stranger")["stranger"]
    finish(scene, net, swapped=True)


@pytest.mark.parametrize(
    ("follow", "reason", "holder"),
    [
        ({"max_hops": 1}, "budget: hops", "stranger2"),
        ({"min_amount": 3 * ONE}, "budget: amount", "stranger2"),
        ({"max_live": 9}, "budget: live coins", "stranger2"),
    ],
)
def test_a_trace_that_runs_out_of_its_budget_stops_and_says_so(
    net: EthereumNet, tmp_path: Path, verify: str, follow: dict[str, int], reason: str, holder: str
) -> None:
    scene = Scene(tmp_path, [net])
    scene.configure(verify=verify, follow=follow)
    scene.limits = {net.name: Limits(**({"max_hops": 10_000, "min_amount": 0} | follow))}
    scene.daemon.start()
    scene.in_step(WAIT_S)
    try:
        seeds = len(scene.stored.rows("SELECT 1 FROM v_trace_seed"))
        assert seeds == 4, "a live limit of 9 leaves room for those and what they pay in custody"
        for other in ("authority", "agency"):
            transfer(net, "seized", other, 10)
            send(net, "seized", other, ONE)
        mine(net)
        send(net, "seized", "stranger", 10 * ONE)
        mine(net)
        send(net, "stranger", "stranger2", 2 * ONE)
        mine(net)
        send(net, "stranger2", "mule", ONE)
        mine(net)
        scene.in_step(WAIT_S)
        for method in ("fifo", "haircut"):
            found = frontier(scene, net, method)
            assert found[holder, reason, "ETH"] == 2 * ONE
            assert not any(name == "mule" for name, _, _ in found)
        told = [message for rule, _, message in scene.stored.alerts() if rule == "TRACE-1"]
        assert len(told) == 2 and all(reason in message and str(2 * ONE) in message for message in told)
        assert not scene.stored.rows("SELECT 1 FROM v_movement WHERE target_id IN"
            " (SELECT id FROM holder WHERE lower(hex(key)) = ?)", net.accounts["mule"][2:])  # fmt: skip
        finish(scene, net)
    finally:
        scene.daemon.kill()


def taken(net: EthereumNet, rng: random.Random) -> None:
    """A reorg takes the first payment away, for good."""
    net.node.reorg(3, [])


def returned(net: EthereumNet, rng: random.Random) -> None:
    """The chain leaves the first payment and comes back to it."""
    net.detour(3, rng, 1.0)


def later(net: EthereumNet, rng: random.Random) -> None:
    """The same comes again, after the receiver got clean ether from elsewhere."""
    net.node.reorg(3, [])
    send(net, "rich", "stranger", ONE)
    mine(net)
    send(net, "seized", "stranger", 10 * ONE)
    mine(net)
    send(net, "stranger", "stranger2", 6 * ONE)
    mine(net)


@pytest.mark.parametrize("change", [taken, returned, later])
def test_a_reorg_of_the_block_in_which_an_account_was_reached_first(
    scene: Scene, net: EthereumNet, rng: random.Random, change: Callable[[EthereumNet, random.Random], None]
) -> None:
    send(net, "seized", "stranger", ONE)  # so that something is followed in any case
    send(net, "seized", "rich", ONE)
    mine(net)
    scene.in_step(WAIT_S)
    reached: tuple[tuple[str, str, str, int], ...] = (
        ("seized", "stranger2", "ETH", 10 * ONE),
        ("stranger2", "mule", "ETH", 6 * ONE),
        ("mule", "exchange", "ETH", ONE),
    )
    for source, target, _, wei in reached:
        send(net, source, target, wei)
        mine(net)
        scene.in_step(WAIT_S)
    before = frontier(scene, net, "fifo")
    assert before["exchange", "exchange deposit", "ETH"] == ONE
    change(net, rng)
    scene.in_step(WAIT_S)
    scene.check()
    conserved(scene.stored)
    found: Any = frontier(scene, net, "fifo")
    if change is returned:
        assert found == before
    if change is taken:
        assert ("mule", None, "ETH") not in found and found["stranger", None, "ETH"] == ONE
    if change is later:
        assert openings(scene, net)["stranger2", "ETH"] == 0
    finish(scene, net)


def test_a_restart_takes_up_the_accounts_that_were_followed(scene: Scene, net: EthereumNet) -> None:
    send(net, "seized", "stranger", 10 * ONE)
    mine(net)
    scene.in_step(WAIT_S)
    scene.daemon.kill()
    send(net, "stranger", "stranger2", 6 * ONE)
    mine(net)
    net.mine(6)  # so far that they are caught up with together
    send(net, "stranger2", "mule", 5 * ONE)
    mine(net)
    scene.daemon.start()
    scene.in_step(WAIT_S)
    assert frontier(scene, net, "fifo")["mule", None, "ETH"] == 5 * ONE
    finish(scene, net)


def test_an_account_that_was_emptied_is_proven_after_a_restart(scene: Scene, net: EthereumNet) -> None:
    """It is followed no more then: but what is stored of it must still be found in its blocks."""
    scene.end()
    transfer(net, "seized", "stranger", 5)
    mine(net)
    send(net, "rich", "stranger", ONE)
    mine(net)
    net._call("stranger", net.fake, "announce(address,address,uint256)", net.accounts["stranger"], net.token, 3)
    transfer(net, "stranger", "exchange", 5)
    mine(net)
    net.mine(8)
    assert scene.daemon.sync() == 0
    assert ("stranger", None, "USDX") not in frontier(scene, net, "fifo")
    [(stored,)] = scene.stored.rows(
        "SELECT count(*) FROM v_movement m JOIN v_holder h ON h.holder_id = m.source_id WHERE h.holder = ?"
        " AND m.asset_class = 'unlisted'",
        net.accounts["stranger"][2:],
    )
    assert stored == 1, "what a followed account moves is stored, whatever it is"
    with closing(sqlite3.connect(scene.stored.path)) as connection:  # as if it had ended before it could prove them
        connection.execute("UPDATE tx SET proof = NULL WHERE block_id > 1")
        connection.execute("UPDATE block SET checked = 1 WHERE checked = 2")
        connection.commit()
    scene.daemon.start()
    scene.in_step(WAIT_S)
    finish(scene, net)


def test_what_is_stored_names_only_accounts_of_interest(scene: Scene, net: EthereumNet) -> None:
    """The scanner goes on looking for accounts that are followed no more; nothing of that is stored."""
    transfer(net, "seized", "stranger", 5)
    send(net, "rich", "stranger", ONE)
    send(net, "rich", "mule", ONE)
    mine(net)
    transfer(net, "stranger", "exchange", 5)
    mine(net)
    scene.in_step(WAIT_S)
    send(net, "stranger", "mule", ONE // 8)
    net._call("mule", net.fake, "announce(address,address,uint256)", net.accounts["stranger"], net.accounts["mule"], 5)
    net._call("seized", net.forwarder, "forward(address)", net.accounts["fence"], value=ONE)
    mine(net)
    send(net, "mule", "stranger", 1)
    mine(net)
    scene.in_step(WAIT_S)
    parties = {
        (net.accounts["seized"], None),
        (net.accounts["seized"], net.forwarder),
        (net.forwarder, net.accounts["fence"]),
    }
    rows = scene.stored.rows(
        "SELECT '0x' || s.holder, '0x' || t.holder FROM v_movement m JOIN v_holder s ON s.holder_id = m.source_id"
        " LEFT JOIN v_holder t ON t.holder_id = m.target_id WHERE m.height > ? - 2",
        net.height(),
    )
    assert set(rows) == parties
    finish(scene, net)
