"""What is asked of the nodes at a seizure: who else can move what a case seized, and is its inventory complete."""

from collections.abc import Sequence
from pathlib import Path

from tracer.custody.case import Watch
from tracer.errors import BadConfig, OperatorError, Retryable
from tracer.powers.nouns import Finding, Rule, Severity, Subject
from tracer.store.imported import stored_watches
from tracer.store.reader import Reader, snapshot
from tracer.types import ChainId, Holder, Lane, Role
from watchers import families
from watchers.casefile import filed
from watchers.config import ChainConfig, Config
from watchers.inspector import Filed, Spend, Task

ONE_SPEND = """
SELECT h.key, t.raw, m.idx FROM watch w
JOIN holder h ON h.id = w.holder_id
JOIN movement m ON m.id = (SELECT min(n.id) FROM movement n WHERE n.source_id = w.holder_id AND n.kind = 0)
JOIN tx t ON t.id = m.tx_id
WHERE w.case_id = :case AND w.role = 'seized'
"""
"""One spent coin of each seized holder, of whatever block: what it showed stays shown when a block leaves the chain."""


async def inspect(config: Config, store: Path | Reader, case: str, files: Sequence[Path] = ()) -> list[Finding]:
    """Ask every chain's node about what a case seized there; findings by chain, in the order of the case's watches.

    store: read only. files: case files beside those configured, for the descriptors that a store does not keep.
    A node that does not answer gives findings that are not shown. Raises BadConfig if there is no such case, and what
    an operator must put right (WrongNetwork, StoreUnusable, CaseRefused).
    """
    if isinstance(store, Path):
        with snapshot(store) as reader:
            tasks = _tasks(config, reader, case, files)
    else:
        tasks = _tasks(config, store, case, files)
    chains = {chain.id: chain for chain in config.chain.values()}
    found: list[Finding] = []
    for chain, task in tasks.items():
        if chain in chains:
            found += await _ask(chains[chain], task)
        else:
            found += [_unasked(Subject(chain, one.holder), "its chain is not configured") for one in task.seized]
    return found


async def _ask(chain: ChainConfig, task: Task) -> list[Finding]:
    make = families.family(chain.family).inspector
    if make is None:
        return [_unasked(Subject(chain.id, one.holder), "its chain family cannot be inspected") for one in task.seized]
    inspector = make(chain)
    try:
        await inspector.open()
        return await inspector.look(task)
    except Retryable as error:
        return [_unasked(Subject(chain.id, one.holder), str(error)) for one in task.seized]
    finally:
        await inspector.close()


def _unasked(subject: Subject, why: str) -> Finding:
    text = f"nothing could be asked: {why}"
    return Finding("unasked", Severity.WARN, Rule.APPROVE, subject, text, Lane.REPORTED, shown=False)


def _case_id(reader: Reader, case: str) -> int:
    for (row,) in reader.raw("SELECT id FROM cases WHERE ref = :case", case=case):
        return int(row)
    known = ", ".join(ref for (ref,) in reader.raw("SELECT ref FROM cases ORDER BY ref LIMIT 8")) or "none"
    raise BadConfig(f"the store has no case {case}; there is {known}", "Name an imported case. Nothing was written.")


def _watches(reader: Reader, case_id: int) -> list[Watch]:
    return list(stored_watches(reader.connection, case_id))


def _tasks(config: Config, reader: Reader, case: str, files: Sequence[Path]) -> dict[ChainId, Task]:
    case_id = _case_id(reader, case)
    watches = _watches(reader, case_id)
    used = frozenset(
        ref
        for (ref,) in reader.raw(
            "SELECT w.ref FROM watch w WHERE w.case_id = :case AND EXISTS (SELECT 1 FROM movement m"
            " WHERE m.target_id = w.holder_id)",
            case=case_id,
        )
    )
    spends = {
        Holder(bytes(key)): Spend(bytes(raw), int(place)) for key, raw, place in reader.raw(ONE_SPEND, case=case_id)
    }
    descriptors = _filed(config, case, files)
    return {
        chain: Task(
            seized=[watch for watch in watches if watch.chain == chain and watch.role is Role.SEIZED],
            watched=frozenset(watch.holder for watch in watches if watch.chain == chain),
            filed=descriptors.get(chain, []),
            used=used,
            spends=spends,
            configured=frozenset(one.id for one in config.chain.values()),
        )
        for chain in dict.fromkeys(watch.chain for watch in watches if watch.role is Role.SEIZED)
    }


def _filed(config: Config, case: str, files: Sequence[Path]) -> dict[ChainId, list[Filed]]:
    """The descriptors of seized watches, from the case files that declare this case."""
    found: dict[ChainId, dict[str, Filed]] = {}
    given = dict.fromkeys(files, True)
    for path in dict.fromkeys([*files, *config.cases.files]):
        file = filed(path)
        if file.case.id != case:
            if path in given:
                raise OperatorError(f"{path} declares the case {file.case.id}, not {case}", "Name this case's file.")
            continue
        for watch in file.watch:
            if watch.descriptor is not None and watch.role == "seized" and watch.chain in config.chain:
                first, last = watch.range or (0, 0)
                one = Filed(watch.id, watch.descriptor, first, last)
                found.setdefault(config.chain[watch.chain].id, {})[watch.id] = one
    return {chain: list(by_ref.values()) for chain, by_ref in found.items()}
