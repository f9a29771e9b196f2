"""What the daemon is to reach, and whether it did: one row per target. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.latency import quantile
from benchmarks.measure import Result, Variant
from benchmarks.table import lines, peak_mb, times_fetched, times_naive, times_naive_proven

RATIOS = {
    ("bitcoin", "plain"): ((6.0, 25.0), (0.05, 0.3)),
    ("bitcoin", "compiled"): ((10.0, 25.0), (0.08, 0.3)),
    ("ethereum", "hits"): ((12.0, 20.0), (0.5, 0.9)),
    ("ethereum", "all"): (None, None),
}
"""Per chain and variant, (must, aim) of the daemon's rate over the naive loop's and over the fetcher's."""

PUSH = {"bitcoin": ("ZMQ raw block", (25.0, 200.0), (10.0, 60.0)), "ethereum": ("newHeads", (10.0, 75.0), (4.0, 50.0))}
"""Per chain the push, and p50 and p99 in ms: must, aim."""

VERIFY_MS = (40.0, 10.0)
PEAK_MB = (250.0, 180.0)


@dataclass(frozen=True, slots=True)
class Target:
    """One figure with its limits; must and aim are None where it is only shown. least: it is to be at least that."""

    what: str
    value: float
    must: float | None
    aim: float | None
    unit: str
    least: bool

    def reaches(self, limit: float) -> bool:
        """Whether the figure is on the right side of a limit."""
        return self.value >= limit if self.least else self.value <= limit

    @property
    def verdict(self) -> str:
        """In words: `aim met`, `must met`, `MISSED`, or nothing where there is no target."""
        if self.must is None or self.aim is None:
            return ""
        return "aim met" if self.reaches(self.aim) else "must met" if self.reaches(self.must) else "MISSED"

    def cells(self) -> list[str]:
        """As a row of the table."""
        sign = ">=" if self.least else "<="
        limits = ["" if limit is None else f"{sign} {limit:g}{self.unit}" for limit in (self.must, self.aim)]
        return [self.what, f"{_figure(self.value)}{self.unit}", *limits, self.verdict]


def _figure(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 2 else f"{value:.2f}"


def targets(results: Iterable[Result]) -> list[Target]:
    """All rows, in order."""
    found: list[Target] = []
    for result in results:
        chain = result.played.chain
        for variant in result.variants:
            what = f"{chain.capitalize()} catch-up ({variant.name})"
            naive, fetched = RATIOS.get((chain, variant.name), (None, None))
            found.append(_ratio(f"{what} against the naive loop", times_naive(result, variant), naive))
            if variant.name == "hits":
                found.append(_ratio(f"{what} until hits are proven too", times_naive_proven(result, variant), None))
            found.append(_ratio(f"{what} against fetching and throwing away", times_fetched(result, variant), fetched))
        for variant in result.variants:
            found += _latency(chain, variant)
        found += [
            Target(
                f"full verification of a block of {one.transactions} ({'compiled' if one.compiled else 'plain'}), CPU",
                1000 * one.cpu_s,
                *VERIFY_MS,
                " ms",
                False,
            )
            for one in result.verified
        ]
        found += [
            Target(f"{chain.capitalize()} ({one.name}): resident memory", peak_mb(one), *PEAK_MB, " MB", False)
            for one in result.variants
        ]
    return found


def _ratio(what: str, value: float, limits: tuple[float, float] | None) -> Target:
    must, aim = limits or (None, None)
    return Target(what, value, must, aim, "x", True)


def _latency(chain: str, variant: Variant) -> list[Target]:
    if variant.latency is None:
        return []
    push, must, aim = PUSH[chain]
    return [
        Target(
            f"{push} -> committed ({variant.name}), p{share * 100:.0f}",
            quantile(variant.latency.push, share),
            at_most,
            wanted,
            " ms",
            False,
        )
        for share, at_most, wanted in zip((0.5, 0.99), must, aim, strict=True)
    ]


def table(results: Sequence[Result]) -> list[str]:
    """The targets as a table in Markdown."""
    head = ["measure", "measured", "must", "aim", ""]
    return lines([head, *(target.cells() for target in targets(results))], "lrrrl")


def summary(results: Sequence[Result]) -> list[str]:
    """Say plainly which targets were missed."""
    missed = [target for target in targets(results) if target.verdict == "MISSED"]
    return [f"Missed: {one.what}, {_figure(one.value)}{one.unit}." for one in missed] or ["Every must was met."]
