"""Holds what live runs wrote against a computation at once, for tests that play blocks into a store."""

from dataclasses import replace

from tracer.store.livestate import live_ends
from tracer.store.runs import compute, stored_run, tip_of
from tracer.store.writer import Store
from tracer.taint.rules import Method
from tracer.taint.run import digest


def hold_to_account(store: Store, case_ref: str | None = None) -> int:
    """Compare the rows of every live run with the plain reference at the tip; returns how many ends there are."""
    ends = 0
    with store.connection.begin():
        for (number,) in store.connection.exec_driver_sql("SELECT id FROM trace_run WHERE superseded_by IS NULL").all():
            run = stored_run(store.connection, number)
            assert run is not None
            tip = tip_of(store.connection, run.chain_id)
            if tip is None or not run.declared.sources or case_ref not in (None, run.declared.case_ref):
                continue
            again = compute(store.connection, run, tip)
            found = [end for end, _ in live_ends(store.connection, run)]
            assert digest(run.declared, tip.hash, found) == again.digest, (run.declared, found, again.result)
            assert all(equation.exact for equation in again.equations)
            ends += len(found)
    return ends


def digests(store: Store, case_ref: str) -> dict[tuple[str, str], str]:
    """The digest of every method for a case at the tip, by chain: those that are not live are computed."""
    said: dict[tuple[str, str], str] = {}
    with store.connection.begin():
        for (number,) in store.connection.exec_driver_sql("SELECT id FROM trace_run WHERE superseded_by IS NULL").all():
            run = stored_run(store.connection, number)
            assert run is not None
            tip = tip_of(store.connection, run.chain_id)
            if run.declared.case_ref != case_ref or run.declared.method is not Method.FIFO or tip is None:
                continue
            for method in Method:
                other = replace(run, declared=replace(run.declared, method=method))
                said[run.declared.chain, method] = compute(store.connection, other, tip).digest.hex()
    return said
