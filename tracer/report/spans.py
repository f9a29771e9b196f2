"""What spans of coverage can support: where a height is missing or was read too lightly, nothing is shown. Pure."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

MEANING = {
    "reported": "scanned as the node reported it",
    "header": "what was found is checked against the headers, what was left out is not",
    "whole": "checked against all roots of their headers",
}
"""How far the blocks of a span were checked, in words."""

Span = Mapping[str, Any]


def span_fault(spans: Sequence[Span], begin: int, closed: Collection[tuple[int, int]] = ()) -> str | None:
    """Say why spans, in order of height, cannot show that nothing else moved from `begin` on; None if they can.

    closed: (from, to) of spans read with `hits` that proofs at both ends close. The genesis block moves nothing and is
    never read.
    """
    reached = max(begin, 1) - 1
    light: list[Span] = []
    for span in spans:
        first, last = int(span["from_height"]), int(span["to_height"])
        if last <= reached:
            continue
        if first > reached + 1:
            break
        if span["checked"] == "header" and (first, last) not in closed:
            light.append(span)
        reached = last
    end = max((int(span["to_height"]) for span in spans), default=reached)
    if reached < end:
        above = min(int(span["from_height"]) for span in spans if int(span["from_height"]) > reached + 1)
        return f"blocks {reached + 1} to {above - 1} were not scanned"
    if light:
        blocks = ", ".join(f"{span['from_height']} to {span['to_height']}" for span in light)
        return f"blocks {blocks} were read with `hits`: they cannot show that nothing else moved"
    return None


def said_of(spans: Sequence[Span]) -> str:
    """Write which blocks were read, and how far they were checked; empty spans say nothing.

    >>> said_of([{"from_height": 5, "to_height": 9, "checked": "reported"}])
    'blocks 5 to 9: scanned as the node reported it'
    """
    told = [
        f"blocks {span['from_height']} to {span['to_height']}: {MEANING[span['checked']]}"
        for span in spans
        if span["to_height"] >= span["from_height"]
    ]
    return "; ".join(told) or "no block was read yet"


def uncovered(spans: Sequence[tuple[int, int]], closed: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The parts of some spans of heights, ends included, that no closed span covers; empty spans have none.

    >>> uncovered([(5, 9)], [(3, 5), (8, 8)])
    [(6, 7), (9, 9)]
    """
    left: list[tuple[int, int]] = []
    for begin, end in spans:
        reached = begin
        for first, last in sorted(closed):
            if last < reached or first > end:
                continue
            if first > reached:
                left.append((reached, first - 1))
            reached = last + 1
        if reached <= end:
            left.append((reached, end))
    return left
