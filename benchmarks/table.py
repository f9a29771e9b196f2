"""How what was measured is written down: tables of what the daemon did and of what it is compared with. Pure."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.daemon import Run
from benchmarks.latency import Latency, quantile
from benchmarks.measure import Part, Result, Variant


@dataclass(frozen=True, slots=True)
class Rate:
    """What one turn took per block."""

    blocks_per_s: float
    cpu_ms: float
    node_cpu_ms: float


def of_run(result: Result, run: Run) -> Rate:
    """Rates of one run, over the dense blocks after its first commit."""
    start, end = run.between(result.played.first)
    blocks = result.played.last - max(start.height, result.played.first - 1)
    return _rate(blocks, end.at_s - start.at_s, end.cpu_s - start.cpu_s, end.node_cpu_s - start.node_cpu_s)


def of_part(part: Part) -> Rate:
    """Rates of one part of the naive loop, or of one turn of the fetcher."""
    return _rate(part.blocks, part.seconds, part.cpu_s, part.node_cpu_s)


def _rate(blocks: int, seconds: float, cpu_s: float, node_cpu_s: float) -> Rate:
    return Rate(blocks / seconds, 1000 * cpu_s / blocks, 1000 * node_cpu_s / blocks)


def times_naive(result: Result, variant: Variant) -> float:
    """How many times the naive loop's blocks per second the daemon makes, by the medians."""
    return _speed(result, variant) / median(of_part(part).blocks_per_s for part in result.naive)


def times_fetched(result: Result, variant: Variant) -> float:
    """How many times the fetcher's blocks per second the daemon makes, by the medians."""
    return _speed(result, variant) / median(of_part(part).blocks_per_s for part in result.fetched)


def _speed(result: Result, variant: Variant) -> float:
    return median(of_run(result, run).blocks_per_s for run in variant.runs)


def times_naive_proven(result: Result, variant: Variant) -> float:
    """The same until the command ends, when the proofs are there that catching up put off."""
    return median(_until_end(result, run) for run in variant.runs) / median(
        of_part(part).blocks_per_s for part in result.naive
    )


def _until_end(result: Result, run: Run) -> float:
    """Blocks per second from the first commit among the dense blocks to the end of the process."""
    start, _ = run.between(result.played.first)
    blocks = result.played.last - max(start.height, result.played.first - 1)
    return blocks / (run.whole_s - start.at_s)


def peak_mb(variant: Variant) -> float:
    """The greatest resident memory of the daemon in all turns and while it followed, in millions of bytes."""
    peaks = [run.peak_rss for run in variant.runs]
    if variant.latency is not None:
        peaks.append(variant.latency.peak_rss)
    return max(peaks) / 1e6


def daemon(results: Sequence[Result]) -> list[str]:
    """What each variant of the daemon did."""
    columns = [(result, variant) for result in results for variant in result.variants]
    rows: list[tuple[str, Callable[[Result, Variant], str]]] = [
        ("dense blocks x transactions", lambda r, _: f"{r.size.blocks:,} x {r.size.txs:,}"),
        ("watched holders", lambda r, _: f"{r.size.watched:,}"),
        ("of them seized", lambda r, _: f"{r.size.seized:,}"),
        ("movements, equal to the naive loop's", lambda r, _: f"{r.hits:,}"),
        ("legs judged SHOWN, as played", lambda r, _: f"{r.played.fulfilled:,}"),
        ("blocks/s", lambda r, v: spread(of_run(r, run).blocks_per_s for run in v.runs)),
        ("blocks/s until `tracerd sync` ends", lambda r, v: spread(_until_end(r, run) for run in v.runs)),
        ("transactions/s", lambda r, v: spread(of_run(r, run).blocks_per_s * r.size.txs for run in v.runs)),
        ("CPU ms/block", lambda r, v: spread(of_run(r, run).cpu_ms for run in v.runs)),
        ("its node's CPU ms/block", lambda r, v: spread(of_run(r, run).node_cpu_ms for run in v.runs)),
        ("peak memory, MB", lambda _, v: spread(run.peak_rss / 1e6 for run in v.runs)),
        ("start to first commit, s", lambda _, v: spread(run.cold_start_s for run in v.runs)),
        ("whole `tracerd sync`, s", lambda _, v: spread(run.whole_s for run in v.runs)),
        ("`tracerd case import`, s", lambda r, _: f"{r.import_s:.1f}"),
        ("live blocks followed", lambda _, v: _live(v, lambda seen: f"{len(seen.push)}")),
        ("push -> committed, ms: p50", lambda _, v: _live(v, lambda seen: short(quantile(seen.push, 0.5)))),
        ("p90", lambda _, v: _live(v, lambda seen: short(quantile(seen.push, 0.9)))),
        ("p99", lambda _, v: _live(v, lambda seen: short(quantile(seen.push, 0.99)))),
        ("greatest", lambda _, v: _live(v, lambda seen: short(max(seen.push)))),
        ("its resolution, ms: p99", lambda _, v: _live(v, lambda seen: short(quantile(seen.unsure, 0.99)))),
        ("handed in -> committed, ms: p50", lambda _, v: _live(v, lambda seen: short(quantile(seen.handed, 0.5)))),
    ]
    head = ["", *(f"{result.played.chain.capitalize()}, {variant.name}" for result, variant in columns)]
    body = [[name, *(show(result, variant) for result, variant in columns)] for name, show in rows]
    return lines([head, *body], "l" + "r" * len(columns))


def _live(variant: Variant, show: Callable[[Latency], str]) -> str:
    return "" if variant.latency is None else show(variant.latency)


def baselines(results: Sequence[Result]) -> list[str]:
    """What the naive loop and the fetcher did on the same chains."""
    columns = [
        (f"{result.played.chain.capitalize()}, {name}", [of_part(part) for part in parts])
        for result in results
        for name, parts in (("naive loop", result.naive), ("fetcher", result.fetched))
    ]
    rows: list[tuple[str, Callable[[Rate], float]]] = [
        ("blocks/s", lambda rate: rate.blocks_per_s),
        ("CPU ms/block", lambda rate: rate.cpu_ms),
        ("its node's CPU ms/block", lambda rate: rate.node_cpu_ms),
    ]
    body = [[name, *(spread(key(rate) for rate in rates) for _, rates in columns)] for name, key in rows]
    return lines([["", *(name for name, _ in columns)], *body], "l" + "r" * len(columns))


def spread(values: Iterable[float]) -> str:
    """The median, the least and the greatest."""
    every = sorted(values)
    return f"{short(median(every))} ({short(every[0])}-{short(every[-1])})"


def short(value: float) -> str:
    """Write a figure with the digits that mean something."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def lines(rows: Sequence[Sequence[str]], sides: str) -> list[str]:
    """Put rows, the head first, into a table in Markdown; `sides` has l or r per column."""
    rules = ["---" if side == "l" else "---:" for side in sides]
    every = [rows[0], rules, *rows[1:]]
    widths = [max(len(row[column]) for row in every) for column in range(len(sides))]
    return ["| " + " | ".join(_cell(*part) for part in zip(row, widths, sides, strict=True)) + " |" for row in every]


def _cell(text: str, width: int, side: str) -> str:
    return text.ljust(width) if side == "l" else text.rjust(width)
