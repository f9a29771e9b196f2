"""Whose payment it is when cases share holders: explicit legs decide, else it is ambiguous and never guessed. Pure."""

from collections.abc import Mapping
from dataclasses import replace

from tracer.book import Book, Flow, serves
from tracer.types import AssetId, Holder


def share_out(flows: Mapping[int, Flow], books: Mapping[int, Book], time: int, utxo: bool) -> dict[int, Flow]:
    """Settle one transaction that several cases see.

    A coin has one owner, so on UTXO chains only transactions that spend coins of several cases are in doubt; an account
    that several cases share is debited for the one case whose leg the payment serves. A receiver that cases share is
    credited to the case that paid, or whose leg it serves. What stays in doubt is marked ambiguous for all of them.
    """
    serving = {case for case, flow in flows.items() if serves(books[case], flow, time)}
    paying = {case for case, flow in flows.items() if flow.debits}
    doubtful = paying if utxo else contested(flows, paying)
    ambiguous: set[int] = set()
    if len(doubtful) > 1:
        if not utxo and len(doubtful & serving) == 1:
            paying -= doubtful - serving
        else:
            ambiguous |= doubtful
    claims = paying or serving
    result: dict[int, Flow] = {}
    for case, seen in flows.items():
        flow = seen if case in paying else without_debits(seen)
        rivals = {
            c.holder
            for other in flows
            if other != case and (other in claims or not claims)
            for c in flows[other].credits
        }
        shared = {credit.holder for credit in flow.credits} & rivals
        if case in ambiguous or (not claims and shared) or (case in serving and not paying and len(serving) > 1):
            flow = replace(flow, ambiguous=True)
        if shared and claims and case not in serving and (case not in claims or case in ambiguous):
            flow = replace(flow, credits=tuple(c for c in flow.credits if c.holder not in shared))
        result[case] = flow
    return result


def contested(flows: Mapping[int, Flow], paying: set[int]) -> set[int]:
    """The cases that see one and the same account debited in one asset."""
    seen: dict[tuple[AssetId, Holder], set[int]] = {}
    for case in paying:
        for asset, paid in flows[case].debits.items():
            for holder in paid:
                seen.setdefault((asset, holder), set()).add(case)
    return {case for cases in seen.values() if len(cases) > 1 for case in cases}


def without_debits(flow: Flow) -> Flow:
    """The flow of a case for which nobody paid here: another case did, from an address that both watch."""
    dropped = {holder for paid in flow.debits.values() for holder in paid}
    return replace(flow, debits={}, payers={asset: who - dropped for asset, who in flow.payers.items()})
