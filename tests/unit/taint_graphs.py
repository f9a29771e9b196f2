"""Small coin graphs for tracing tests: built in memory, with their own bookkeeping, and traced at once or by block."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from hypothesis import strategies as st

from tracer.taint.boundaries import NO_LIMITS, Limits
from tracer.taint.history import LAST, Coinbase, CoinTx, Made, Order, Result, Spent, trace_coins
from tracer.taint.rules import Method
from tracer.taint.run import SINK, Declaration
from tracer.types import Holder, Role

SUBSIDY = 50
NOBODY_KNOWN = Holder(b"\x51")


@dataclass
class Graph:
    """Blocks of transactions {id, inputs, outputs[, holders]}; the first one of a block without inputs is its coinbase.

    Implements what a trace asks of a store; rows are numbered as they come, coins are named txid:index.
    """

    blocks: Sequence[Sequence[dict]]
    rows: dict[str, int] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    fee_of: dict[int, str] = field(default_factory=dict)
    coins: dict[int, tuple[Order, Made]] = field(default_factory=dict)
    spenders: dict[int, CoinTx] = field(default_factory=dict)
    transactions: dict[int, list[CoinTx]] = field(default_factory=lambda: defaultdict(list))
    unseen: set[int] = field(default_factory=set)
    next: int = 1

    def __post_init__(self) -> None:
        for height, block in enumerate(self.blocks):
            later = []
            for position, tx in enumerate(block):
                if not position and not tx["inputs"]:
                    later.append((position, tx))
                else:
                    self._add(height, position, tx)
            for position, tx in later:
                self._add(height, LAST if position == 0 else position, tx)

    def _row(self) -> int:
        self.next += 1
        return self.next

    def _add(self, height: int, position: int, tx: dict) -> None:
        spent = tuple(Spent(self._row(), self.rows[n], self.coins[self.rows[n]][1].amount) for n in tx["inputs"])
        holders = tx.get("holders") or [NOBODY_KNOWN] * len(tx["outputs"])
        made = tuple(Made(self._row(), n, holders[n], v) for n, v in enumerate(tx["outputs"]))
        fee = self._row()
        done = CoinTx((height, position), spent, made, fee)
        self.fee_of[fee] = tx["id"]
        for one in made:
            self.rows[f"{tx['id']}:{one.index}"] = one.row
            self.names[one.row] = f"{tx['id']}:{one.index}"
            self.coins[one.row] = (height, position), one
        for one in spent:
            self.spenders[one.coin] = done
        self.transactions[height].append(done)

    def coin(self, row: int) -> tuple[Order, Made]:
        return self.coins[row]

    def spender(self, coin: int) -> CoinTx | None:
        return self.spenders.get(coin)

    def seen(self, coins: Sequence[int]) -> set[int]:
        return set(coins) - self.unseen

    def coinbase(self, height: int) -> Coinbase | None:
        block = self.transactions[height]
        reward = next((tx for tx in block if tx.order[1] == LAST), None)
        if reward is None:
            return None
        fees = tuple((tx.fee_row, tx.fee) for tx in block if tx is not reward and tx.inputs)
        claimed = sum(made.amount for made in reward.outputs)
        return Coinbase(reward.outputs, max(SUBSIDY, claimed - sum(fee for _, fee in fees)), fees)


def declared(
    method: Method, *, fee_policy: str = SINK, limits: Limits = NO_LIMITS, case_ref: str = "T", **more: object
) -> Declaration:
    return Declaration(case_ref, "bitcoin", method, (), limits, fee_policy=fee_policy, **more)  # type: ignore[arg-type]


def trace(
    graph: Graph,
    method: Method,
    seized: Sequence[str],
    *,
    roles: dict[Holder, Role] | None = None,
    declaration: Declaration | None = None,
    upto: int = 10**6,
) -> Result:
    """Trace a graph from coins by name; labels in the order given."""
    sources = {graph.rows[name]: label for label, name in enumerate(seized)}
    return trace_coins(declaration or declared(method), sources, graph, (roles or {}).get, upto)


def live_by_name(graph: Graph, done: Result) -> dict[str, Counter[int]]:
    """Units per label of every coin that is left."""
    found: dict[str, Counter[int]] = defaultdict(Counter)
    for end in done.ends:
        if end.state == "live":
            found[graph.names[end.place.row]][end.label] += end.units
    return dict(found)


@st.composite
def graphs(draw: st.DrawFn, most: int = 14, values: int = 10_000) -> tuple[list[list[dict]], list[str]]:
    """Blocks in which coins appear, some of them seized, and are spent, also within their block."""
    coins: dict[str, int] = {}
    blocks: list[list[dict]] = []
    seized: list[str] = []
    number = 0
    for _ in range(draw(st.integers(1, 5))):
        number += 1
        reward = {"id": f"r{number}", "inputs": [], "outputs": [draw(st.integers(1, values))]}
        block = [reward]
        for _ in range(draw(st.integers(0, most // 4))):
            if not coins:
                break
            number += 1
            name = f"t{number}"
            spend = draw(st.lists(st.sampled_from(sorted(coins)), unique=True, min_size=1, max_size=3))
            left = sum(coins.pop(coin) for coin in spend)
            outputs = []
            for _ in range(draw(st.integers(1, 3))):
                outputs.append(draw(st.integers(0, left)))
                left -= outputs[-1]
            block.append({"id": name, "inputs": spend, "outputs": outputs})
            coins.update({f"{name}:{n}": value for n, value in enumerate(outputs)})
        coins[f"{reward['id']}:0"] = reward["outputs"][0]
        if draw(st.booleans()):
            seized.append(f"{reward['id']}:0")
        blocks.append(block)
    return blocks, seized
