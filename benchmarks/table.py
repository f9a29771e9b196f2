"""How what was measured is written down: one table, with the machine, the versions and the command. Pure."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.daemon import Run
from benchmarks.measure import Naive, Result

RATIO = {"bitcoin": 8.0, "ethereum": 10.0}
PEAK_MB, COLD_START_S = 250.0, 4.0


@dataclass(frozen=True, slots=True)
class Rate:
    """What one turn took per block."""

    blocks_per_s: float
    txs_per_s: float
    cpu_ms: float
    node_cpu_ms: float


def of_daemon(result: Result, run: Run) -> Rate:
    """Rates of one run, over the dense blocks after its first commit."""
    start, end = run.between(result.played.first)
    blocks = result.played.last - max(start.height, result.played.first - 1)
    return _rate(
        blocks, result.size.txs, end.at_s - start.at_s, end.cpu_s - start.cpu_s, end.node_cpu_s - start.node_cpu_s
    )


def of_naive(naive: Naive) -> Rate:
    """Rates of one part of the naive loop."""
    return _rate(naive.blocks, naive.txs / naive.blocks, naive.seconds, naive.cpu_s, naive.node_cpu_s)


def _rate(blocks: int, txs: float, seconds: float, cpu_s: float, node_cpu_s: float) -> Rate:
    return Rate(blocks / seconds, blocks * txs / seconds, 1000 * cpu_s / blocks, 1000 * node_cpu_s / blocks)


def ratio(result: Result) -> float:
    """How many times the naive loop's blocks per second the daemon makes, by the medians."""
    fast = median(of_daemon(result, run).blocks_per_s for run in result.runs)
    return fast / median(of_naive(naive).blocks_per_s for naive in result.naive)


def table(results: Sequence[Result]) -> list[str]:
    """The table in Markdown: the median of all turns, and the least and the greatest."""
    rows: list[tuple[str, Callable[[Result], str], str]] = [
        ("dense blocks x transactions", lambda r: f"{r.size.blocks:,} x {r.size.txs:,}", ""),
        ("watched holders", lambda r: f"{r.size.watched:,}", ""),
        ("of them seized", lambda r: f"{r.size.seized:,}", ""),
        ("movements, equal in both", lambda r: f"{r.hits:,}", ""),
        ("legs judged SHOWN, as played", lambda r: f"{r.legs_shown} of {len(r.played.legs)}", ""),
        ("**daemon** blocks/s", lambda r: _fast(r, "blocks_per_s"), ""),
        ("daemon tx/s", lambda r: _fast(r, "txs_per_s"), ""),
        ("daemon CPU ms/block", lambda r: _fast(r, "cpu_ms"), ""),
        ("its node's CPU ms/block", lambda r: _fast(r, "node_cpu_ms"), ""),
        ("**naive loop** blocks/s", lambda r: _slow(r, "blocks_per_s"), ""),
        ("naive tx/s", lambda r: _slow(r, "txs_per_s"), ""),
        ("naive CPU ms/block", lambda r: _slow(r, "cpu_ms"), ""),
        ("its node's CPU ms/block", lambda r: _slow(r, "node_cpu_ms"), ""),
        ("**ratio** of blocks/s", lambda r: f"{ratio(r):.1f}", "Bitcoin >= 8, Ethereum >= 10"),
        ("peak memory of the daemon, MB", lambda r: f"{peak_mb(r):.0f}", f"<= {PEAK_MB:.0f}"),
        ("start to first commit, s", lambda r: _spread(run.cold_start_s for run in r.runs), f"<= {COLD_START_S:.0f}"),
        ("whole `tracerd sync`, s", lambda r: _spread(run.whole_s for run in r.runs), ""),
        ("`tracerd case import`, s", lambda r: f"{r.import_s:.1f}", ""),
    ]
    head = ["", *(result.played.chain.capitalize() for result in results), "target"]
    lines = [head, ["---", *("---:" for _ in results), "---"]]
    lines += [[name, *(show(result) for result in results), target] for name, show, target in rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return [_line(line, widths) for line in lines]


def peak_mb(result: Result) -> float:
    """The greatest resident memory of all runs, in millions of bytes."""
    return max(run.peak_rss for run in result.runs) / 1e6


def missed(results: Iterable[Result]) -> list[str]:
    """The targets that were not met."""
    found = []
    for result in results:
        name, times = result.played.chain.capitalize(), ratio(result)
        cold = median(run.cold_start_s for run in result.runs)
        if times < RATIO[result.played.chain]:
            found.append(f"{name}: {times:.1f} times the naive loop, not {RATIO[result.played.chain]:.0f}")
        if peak_mb(result) > PEAK_MB:
            found.append(f"{name}: {peak_mb(result):.0f} MB resident, more than {PEAK_MB:.0f}")
        if cold > COLD_START_S:
            found.append(f"{name}: {cold:.1f} s to the first commit, more than {COLD_START_S:.0f}")
    return found


def _fast(result: Result, key: str) -> str:
    return _spread(getattr(of_daemon(result, run), key) for run in result.runs)


def _slow(result: Result, key: str) -> str:
    return _spread(getattr(of_naive(naive), key) for naive in result.naive)


def _spread(values: Iterable[float]) -> str:
    every = sorted(values)
    return f"{_short(median(every))} ({_short(every[0])}-{_short(every[-1])})"


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = [
        cell.ljust(width) if at == 0 else cell.rjust(width)
        for at, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "| " + " | ".join([first, *rest]) + " |"
