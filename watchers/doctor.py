"""What `tracerd check` asks each node: is it there, on the right network, and able to answer for what is needed."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tracer.errors import BadConfig, TracerError
from tracer.store.reader import snapshot
from tracer.types import BlockRef, ChainId, Hash
from watchers import families
from watchers.casefile import load_case
from watchers.config import ChainConfig, Config


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found out about a chain's node; remedy is empty where all is well."""

    chain: str
    what: str
    fine: bool
    detail: str
    remedy: str = ""

    def line(self) -> str:
        """The finding as people read it."""
        mark = "ok  " if self.fine else "FAIL"
        return f"{mark} {self.chain}: {self.what}: {self.detail}" + (f". {self.remedy}" if self.remedy else "")


async def check(config: Config, oldest: Mapping[ChainId, int]) -> list[Finding]:
    """Ask every configured node; findings in the configuration's order, none missing because another node fails.

    oldest: per chain the height of the oldest block that must be answered for; without an entry, the genesis block.
    """
    found = await asyncio.gather(*(_check_all(chain, oldest.get(chain.id, 0)) for chain in config.chain.values()))
    return [finding for findings in found for finding in findings]


async def _check_all(chain: ChainConfig, oldest: int) -> list[Finding]:
    """Ask a chain's node and its sources; each may have to feed the follower, so each must be able to."""
    nodes = [(chain.name, chain), *((f"{chain.name} source {one.name}", chain.at(one)) for one in chain.source)]
    seen: dict[str, Hash] = {}
    found = await asyncio.gather(*(_check(name, at, oldest, seen) for name, at in nodes))
    findings = [finding for findings in found for finding in findings]
    for name, genesis in seen.items():
        if genesis != seen.get(chain.name, genesis):
            remedy = "Point `rpc_url` at a node of the same network."
            findings.append(Finding(name, "same chain as the first node", False, f"genesis {genesis.hex()}", remedy))
    return findings


def oldest_needed(config: Config, given: Sequence[str]) -> dict[ChainId, int]:
    """Per chain, the height from which a node must answer.

    That is `NAME=HEIGHT` as given; else, where the store follows the chain already, the last final block; else the
    earliest birth or seizure height of the cases imported and of the case files configured.

    Raises BadConfig for a text that is neither, CaseRefused for a case file that cannot be read.
    """
    oldest: dict[ChainId, int] = {}
    for path in config.cases.files:
        for watch in load_case(path, config).watches:
            oldest[watch.chain] = min(watch.birth, oldest.get(watch.chain, watch.birth))
    oldest.update(oldest_stored(config, oldest))
    for text in given:
        name, _, height = text.partition("=")
        if name not in config.chain or not height.isascii() or not height.isdigit():
            known = ", ".join(config.chain)
            raise BadConfig(
                f"--oldest {text}: expected CHAIN=HEIGHT with one of the chains {known}",
                "For example --oldest bitcoin=840000.",
            )
        oldest[config.chain[name].id] = int(height)
    return oldest


def oldest_stored(config: Config, declared: Mapping[ChainId, int]) -> dict[ChainId, int]:
    """What the store, if there is one, says of its chains; declared: the earliest birth in case files per chain."""
    path = config.store.path
    if path is None or not path.is_file():
        return {}
    with snapshot(path) as reader:
        final = dict(reader.raw("SELECT caip2, final_height FROM v_chain WHERE final_height IS NOT NULL"))
        born = dict(
            reader.raw(
                "SELECT caip2, min(height) FROM (SELECT chain, min(birth) AS height FROM v_watch GROUP BY chain"
                " UNION ALL SELECT chain, seizure_height FROM v_case WHERE chain IS NOT NULL)"
                " JOIN v_chain USING (chain) GROUP BY caip2"
            )
        )
    earliest = {ChainId(caip2): min(height, declared.get(ChainId(caip2), height)) for caip2, height in born.items()}
    return earliest | {ChainId(caip2): height for caip2, height in final.items()}


def report(findings: Sequence[Finding]) -> str:
    """All findings, one per line, with a verdict last."""
    failing = sum(not finding.fine for finding in findings)
    verdict = f"{failing} of {len(findings)} checks failed" if failing else f"all {len(findings)} checks passed"
    return "\n".join([*(finding.line() for finding in findings), verdict])


async def _check(name: str, chain: ChainConfig, oldest: int, seen: dict[str, Hash]) -> list[Finding]:
    node, _ = families.build(chain)
    findings: list[Finding] = []
    step = f"reachable and on network {chain.id}"
    try:
        genesis = seen[name] = await node.open()
        findings.append(Finding(name, step, True, f"{_host(chain)}, genesis {genesis.hex()}"))
        step = "tip"
        best = (await node.view(BlockRef(0, genesis, Hash(bytes(32))))).best
        findings.append(Finding(name, step, True, f"block {best.height} {best.hash.hex()}"))
        step = f"answers from block {oldest} on"
        if oldest > best.height:
            behind = f"its tip is block {best.height}"
            findings.append(Finding(name, step, False, behind, "Wait until the node has caught up."))
        lacks = await node.lacks(oldest)
        findings += [Finding(name, step, False, lack.what, lack.remedy) for lack in lacks]
        if not lacks and oldest <= best.height:
            findings.append(Finding(name, step, True, chain.asked))
        if node.push is not None:
            step = "announces blocks"
            lacks = await node.push.lacks()
            findings += [Finding(name, step, False, lack.what, lack.remedy) for lack in lacks]
            if not lacks:
                findings.append(Finding(name, step, True, node.push.where))
    except TracerError as error:
        findings.append(Finding(name, step, False, str(error), error.remedy))
    finally:
        await node.close()
    return findings


def _host(chain: ChainConfig) -> str:
    return chain.rpc_url.partition("://")[2].partition("/")[0].rpartition("@")[2]
