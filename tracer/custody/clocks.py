"""The clocks of a preset: spans of time under each reading, warnings, and a forecast from the present pace. Pure.

On-chain instants are block times, filed ones what their records say; `now` is the case's clock, the latest of both.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from tracer.custody.facts import CaseFacts, ChainFacts
from tracer.custody.gates import event_at, parts
from tracer.custody.preset import ClockTable, Preset, ReadingTable
from tracer.custody.stages import Standing

WAITING, RUNNING, WARNED, FORECAST, KEPT, BREACHED = "waiting", "running", "warned", "forecast", "kept", "breached"


@dataclass(frozen=True, slots=True)
class ClockState:
    """A clock under one reading.

    state: waiting (not started) | running | warned (past the warning share) | forecast (the pace will miss it) | kept |
    breached. expected: the instant at which it would stop at the present pace; None where nothing tells.
    """

    clock: str
    reading: str
    limit_s: int
    start: int | None
    stop: int | None
    elapsed_s: int
    state: str
    expected: int | None

    @property
    def percent(self) -> int:
        """The share of the limit that is used, in whole percent."""
        return self.elapsed_s * 100 // self.limit_s


def run_clocks(facts: CaseFacts, preset: Preset, standing: Standing) -> list[ClockState]:
    """Every clock under each of its readings."""
    return [
        run_clock(clock, reading, facts, preset, standing) for clock in preset.file.clock for reading in clock.reading
    ]


def run_clock(
    clock: ClockTable, reading: ReadingTable, facts: CaseFacts, preset: Preset, standing: Standing
) -> ClockState:
    """One clock under one reading."""
    start = event_at(reading.start, facts, dict(standing.since), starts=True)
    stop = event_at(reading.stop, facts, dict(standing.since))
    return with_hands(clock, reading, (start, stop), facts.clock, preset, standing.since, standing.left_out)


def with_hands(
    clock: ClockTable,
    reading: ReadingTable,
    events: tuple[int | None, int | None],
    now: int,
    preset: Preset,
    since: Mapping[str, int | None],
    left_out: Collection[str] = (),
) -> ClockState:
    """A clock at an instant; events: when it started and stopped. since: when each stage was reached.

    left_out: the stages that the case does not go through.
    """
    start, stop = events
    if start is None:
        return ClockState(clock.name, reading.name, clock.limit_s, None, stop, 0, WAITING, None)
    elapsed = max(0, (stop if stop is not None else now) - start)
    expected = None if stop is not None else forecast(start, now, reading.stop, preset, since, left_out)
    if elapsed > clock.limit_s:
        state = BREACHED
    elif stop is not None:
        state = KEPT
    elif elapsed * 100 >= clock.limit_s * clock.warn_percent:
        state = WARNED
    elif expected is not None and expected - start > clock.limit_s:
        state = FORECAST
    else:
        state = RUNNING
    return ClockState(clock.name, reading.name, clock.limit_s, start, stop, elapsed, state, expected)


def forecast(
    start: int, now: int, stop: str, preset: Preset, since: Mapping[str, int | None], left_out: Collection[str] = ()
) -> int | None:
    """When a clock would stop if the stages still to come took as long, each, as those since its start took on average.

    The one that is under way ends now at the earliest. None where no stage was reached since, or the event that stops
    it belongs to no stage.
    """
    end = stage_of(stop, preset)
    if end is None:
        return None
    stages = preset.stages
    done = sum(1 for at in since.values() if at is not None and at > start)
    left = len([name for name in stages[: stages.index(end) + 1] if name not in since and name not in left_out])
    if not done or not left:
        return None
    latest = max(at for at in since.values() if at is not None)
    pace = (latest - start) // done
    return max(now, latest + pace) + pace * (left - 1)


def stage_of(event: str, preset: Preset) -> str | None:
    """The stage that an event belongs to: its own, or the first whose gate names it."""
    verb, _, rest = event.partition(" ")
    if verb == "stage":
        return rest
    named = (
        stage.name for stage in preset.file.stage if any(names(event, one) for c in stage.gate for one in parts(c))
    )
    return next(named, None)


def names(event: str, condition: tuple[str, str]) -> bool:
    """Whether a condition is about what an event is about; an event that names no FIELD=VALUE takes any."""
    (verb, _, rest), (wanted, of) = event.partition(" "), condition
    match verb:
        case "record":
            return wanted == "record" and rest in (of, of.partition(" ")[0])
        case "leg" | "last-leg":
            return wanted in ("legs", "legs-if-any") and rest == of
    return verb == "seizure" and wanted == "seized"


def still_missing(chain: ChainFacts, height: int) -> tuple[int, int] | None:
    """How many confirmations an unconfirmed block still needs and the second they may be there; None: the node's tags
    decide, so nothing can be counted.
    """
    if chain.needs is None:
        return None
    missing = max(1, height + chain.needs[0] - 1 - chain.height)
    return missing, chain.time + missing * chain.interval_s
