"""Answers how much of the value at one place reached another, by which ways, and how much went along each."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice, pairwise

from tracer.errors import OperatorError
from tracer.report.alone import Alone, trace_alone_from
from tracer.report.answer import CONTRADICTED, NOT_SHOWN, SHOWN, Answer, Check, Row
from tracer.report.places import begin, case_chains
from tracer.report.starts import Start, assets, details, named, say_voided
from tracer.store.making import OPENING, Earlier, Node, making_of
from tracer.store.reader import Reader
from tracer.store.traceread import among
from tracer.taint.backward import origins
from tracer.taint.ledgers import AccountResult
from tracer.taint.rules import Method
from tracer.taint.ways import distances, shortest

MOST = 5
FACTS = "SELECT id, source_id, target_id, asset_id, amount, spends_id FROM movement WHERE id IN ({numbers})"


class NoCommonChain(OperatorError):
    """Two references name nothing on one chain."""

    fix = "Value does not go from one chain to another by itself; name two places on one chain."


def between(reader: Reader, first: str, second: str, most: int = MOST) -> Answer:
    """Answer how much of what one reference names reached the other; raises UnknownRef, NoCommonChain."""
    cases = case_chains(reader, None)
    source, target = named(reader, first), named(reader, second)
    answer = begin(reader, "paths", cases)
    answer.data = {"from": source.ref, "to": target.ref, "routes": []}
    pairs = [(a, b) for a in source.starts for b in target.starts if a.chain_id == b.chain_id]
    if not pairs:
        raise NoCommonChain(f"{first!r} and {second!r} are on different chains")
    for a, b in pairs:
        add_routes(reader, answer, a, b, most)
    for found in (source, target):
        say_voided(answer, found)
    return answer


def add_routes(reader: Reader, answer: Answer, a: Start, b: Start, most: int) -> None:
    """Add what is found on one chain."""
    runs: dict[Method, Alone] = {}
    for method in (Method.FIFO, Method.HAIRCUT):
        found = trace_alone_from(reader, a, method, ends_at=b.movements, stops=False)
        if found is not None:
            runs[method] = found
    if not runs:
        return
    kinds = {row["asset"]: row for row in assets(reader).values()}
    shown = details(reader, [*a.movements, *b.movements])
    facts = facts_of(reader, runs.values(), [*a.movements, *b.movements])
    reached = {method: by_asset(facts, found.reached) for method, found in runs.items()}
    names = {number: row["asset"] for number, row in assets(reader).items()}
    route: Row = {
        "chain": a.chain,
        "starts": [shown[number] for number in a.movements],
        "targets": [shown[number] for number in b.movements],
        "assets": [],
        "paths": [],
    }
    answer.data["routes"].append(route)
    ways = Ways(reader, a, b, runs, facts)
    along = ways.along()
    for asset in sorted({*runs[Method.FIFO].begun, *(names[n] for amounts in reached.values() for n in amounts)}):
        number = next(n for n, name in names.items() if name == asset)
        fifo, haircut = (reached[method].get(number, 0) for method in (Method.FIFO, Method.HAIRCUT))
        begun = runs[Method.FIFO].begun.get(asset, 0)
        route["assets"].append({**kinds[asset], "begun": str(begun), "fifo": str(fifo), "haircut": str(haircut)})
        back = sum(units for way, units in along.items() if facts[_last(way)].asset == number)
        answer.checks.append(both_ways(f"{a.ref} {b.ref} {kinds[asset]['symbol']}", fifo, back, runs[Method.FIFO]))
    for method, found in runs.items():
        answer.checks += [check for check in found.checks(reader) if check.rule != "TRACE-2"]
        answer.checks.append(conserved(found, method))
    told = ways.told(along, most)
    route["paths"] = [ways.row(way, along.get(way, 0)) for way in told]
    left = {way: units for way, units in along.items() if way not in told}
    if left:
        units = dict.fromkeys(names, 0)
        for way, amount in left.items():
            units[facts[_last(way)].asset] += amount
        for number, amount in units.items():
            if amount:
                many = sum(facts[_last(way)].asset == number for way in left)
                what = f"{many} more path{'' if many == 1 else 's'} by fifo"
                answer.left_out.append(
                    {"what": what, "why": f"--most {most}", "amount": str(amount), **assets(reader)[number]}
                )


def conserved(found: Alone, method: Method) -> Check:
    """Check that no unit was lost or made, what reached the end included."""
    wrong: list[str] = []
    for asset, (begun, made, live, left) in found.sums().items():
        over = 0  # coins that were reached are live, payments that were reached went to nobody
        if isinstance(found.done, AccountResult):
            of = found.done.assets
            over = sum(units for row, units in found.reached.items() if str(of[row]) == asset)
        if begun + made != live + left + over:
            wrong.append(asset)
    said = (
        f"units of {wrong[0]} were lost or made" if wrong else "all units that went in are where they ended, or arrived"
    )
    return Check("TRACE-2", f"{found.start.ref} {method}", CONTRADICTED if wrong else SHOWN, said)


def both_ways(subject: str, forward: int, back: int, run: Alone) -> Check:
    """Check that going forward and going back come to the same."""
    if forward == back:
        return Check("TRACE-4", subject, SHOWN, f"{forward} units by fifo, forward as well as back")
    if run.unknown or not run.start.utxo:
        said = f"{forward} units by fifo going forward, {back} going back: not all that accounts held before is stored"
        return Check("TRACE-4", subject, NOT_SHOWN, said)
    return Check("TRACE-4", subject, CONTRADICTED, f"{forward} units by fifo going forward, {back} going back")


@dataclass(frozen=True, slots=True)
class Fact:
    """A movement by numbers."""

    source: int | None
    target: int | None
    asset: int
    amount: int
    coin: int | None


def facts_of(reader: Reader, runs: Iterable[Alone], more: Iterable[int]) -> dict[int, Fact]:
    """The movements that some runs name, and more."""
    numbers = set(more)
    for run in runs:
        numbers |= {number for edge in run.done.edges for number in (edge.to_id, edge.from_id)}
    return {
        row: Fact(source, target, asset, int(amount), coin)
        for row, source, target, asset, amount, coin in among(reader.connection, FACTS, numbers)
    }


def by_asset(facts: dict[int, Fact], reached: dict[int, int]) -> dict[int, int]:
    """Units that arrived, by asset number."""
    found: dict[int, int] = {}
    for row, units in reached.items():
        found[facts[row].asset] = found.get(facts[row].asset, 0) + units
    return found


def _last(way: tuple[Node, ...]) -> int:
    assert isinstance(way[-1], int)
    return way[-1]


@dataclass(slots=True)
class Ways:
    """The ways from one place to another: coins or payments, one after the other."""

    reader: Reader
    a: Start
    b: Start
    runs: dict[Method, Alone]
    facts: dict[int, Fact]
    units: dict[Method, dict[tuple[Node, int], int]] = field(default_factory=dict)
    after: dict[Node, list[Node]] = field(default_factory=dict)
    before: dict[Node, list[Node]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        links: dict[tuple[Node, int], None] = {}
        for method, run in self.runs.items():
            self.units[method] = self._links(run)
            links |= dict.fromkeys(self.units[method])
        for node, number in links:
            self.after.setdefault(node, []).append(number)
            self.before.setdefault(number, []).append(node)

    def _links(self, run: Alone) -> dict[tuple[Node, int], int]:
        """What went from a coin into a coin, or out of an account by a payment after one that came in."""
        found: dict[tuple[Node, int], int] = {}
        if self.a.utxo:
            for edge in run.done.edges:
                coin = self.facts[edge.from_id].coin
                if edge.label is not None and coin is not None and run.done.rows[edge.to_id].boundary is None:
                    key = coin, edge.to_id
                    found[key] = found.get(key, 0) + edge.amount
            return found
        paid: dict[int, int] = {}
        for edge in run.done.edges:
            if edge.label is not None:
                paid[edge.to_id] = paid.get(edge.to_id, 0) + edge.amount
        came: dict[tuple[int | None, int], list[Node]] = {}
        for holder in self.a.holders:
            for number in {fact.asset for fact in self.facts.values()}:
                came[holder, number] = [Earlier(holder, number, OPENING)]
        for row, units in paid.items():
            fact = self.facts[row]
            if row not in self.a.movements:
                for node in came.get((fact.source, fact.asset), ()):
                    found[node, row] = units
            if row not in self.b.movements and run.done.rows[row].boundary is None:
                came.setdefault((fact.target, fact.asset), []).append(row)
        return found

    def along(self) -> dict[tuple[Node, ...], int]:
        """How many units went along each way by FIFO, exactly: gone back from the end."""
        connection = self.reader.connection
        making = making_of(connection, self.a.chain_id, self.a.utxo)
        starts, targets = set(self.a.movements), set(self.b.movements)
        found: dict[tuple[Node, ...], int] = {}
        for row, units in self.runs[Method.FIFO].reached.items():
            if row in starts:
                found[(row,)] = units
                continue
            deposit: Node = row
            for part in origins(
                deposit,
                self.facts[row].amount,
                making.parents,
                ends_at=lambda node, row=row: node != row and (node in starts or node in targets),  # type: ignore[misc]
                step_of=making.step_of,
            ):
                if self._begins(part.node, starts, targets):
                    way = tuple(reversed(part.path))
                    found[way] = found.get(way, 0) + part.units
        return found

    def _begins(self, node: Node, starts: set[int], targets: set[int]) -> bool:
        if isinstance(node, Earlier):
            return node.why == OPENING and node.holder in self.a.holders
        return node in starts

    def told(self, along: dict[tuple[Node, ...], int], most: int) -> list[tuple[Node, ...]]:
        """The shortest ways, of equally short ones first those along which most went by FIFO."""
        targets = [row for row in self.b.movements if row in self.before or row in self.a.movements]
        far: dict[Node, int] = distances(targets, lambda node: self.before.get(node, ()))
        starts: list[Node] = [*self.a.movements, *(node for node in self.after if isinstance(node, Earlier))]
        goals: set[Node] = set(self.b.movements)
        found = dict.fromkeys(islice(shortest(starts, goals, lambda node: self.after.get(node, ()), far), most))
        return sorted(
            [*found, *(way for way in along if way not in found)], key=lambda way: (len(way), -along.get(way, 0))
        )[:most]

    def row(self, way: tuple[Node, ...], fifo: int) -> Row:
        shown = details(self.reader, [node for node in way if isinstance(node, int)])
        steps: list[Row] = []
        most: int | None = None
        for before, node in pairwise(way):
            assert isinstance(node, int)
            of = shown[node]
            amounts = {str(method): str(units.get((before, node), 0)) for method, units in self.units.items()}
            haircut = int(amounts[Method.HAIRCUT])
            most = haircut if most is None else min(most, haircut)
            kept = ("height", "txid", "outpoint", "address", "watch_ref", "role", "asset", "symbol", "decimals")
            steps.append({**{key: of[key] for key in kept}, **amounts})
        last = shown[_last(way)]
        return {
            "transactions": len(steps),
            "fifo": str(fifo),
            "haircut_at_most": str(self.runs[Method.HAIRCUT].reached.get(_last(way), 0) if most is None else most),
            **{key: last[key] for key in ("asset", "symbol", "decimals")},
            "steps": steps,
        }
