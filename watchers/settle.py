"""How an operator settles what stopped a chain: a refused block, or finality that was broken."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from tracer.errors import OperatorError
from tracer.store import vouching
from tracer.store.chains import ChainHandle
from tracer.store.liferows import contradicted, insert_changes
from tracer.store.vouching import Violation
from tracer.store.writer import Store
from watchers.halts import how_to_follow

REFUSAL, FINALITY = "refusal", "finality"


class CannotSettle(OperatorError):
    """There is nothing to settle under that name, or it was settled already."""

    fix = (
        "`tracer status` and the views v_refused_block and v_settlement tell what stopped a chain. Nothing was written."
    )


@dataclass(frozen=True, slots=True)
class Request:
    """What an operator wants settled.

    what: `refusal` or `finality`; subject: the refusal's number, or the chain's name. to: the block that the operator
    acknowledges at the fork, theirs or ours (finality). yes: do it; else only say what would happen.
    """

    what: str
    subject: str
    by: str
    reason: str
    to: str
    yes: bool

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> "Request":
        """Take a request from the words it was sent in; raises CannotSettle if a person or a reason is missing."""
        what, subject, by, reason, to = (str(body[key]).strip() for key in ("what", "subject", "by", "reason", "to"))
        asked = cls(what, subject, by, reason, to, bool(body["yes"]))
        for key, value in (("--by", asked.by), ("--reason", asked.reason)):
            if not value or not value.isprintable():
                raise CannotSettle(f"{key} is empty or does not print", f"Give {key} with words. Nothing was written.")
        return asked


@dataclass(frozen=True, slots=True)
class Settled:
    """What came of a request: lines for the operator, and whether anything was written."""

    lines: tuple[str, ...]
    done: bool


def chain_of(store: Store, asked: Request) -> str:
    """The name of the chain that a request is about; raises CannotSettle if there is none."""
    with store.connection.begin():
        rows = store.connection.execute(text("SELECT id, name FROM chain ORDER BY name")).all()
        names = {int(chain_id): str(name) for chain_id, name in rows}
        if asked.what == FINALITY:
            if asked.subject in names.values():
                return asked.subject
            raise CannotSettle(f"the store has no chain {asked.subject!r}; it has {', '.join(names.values())}")
        if not asked.subject.isascii() or not asked.subject.isdigit():
            raise CannotSettle(f"{asked.subject!r} is not the number of a refused block")
        for chain_id, name in names.items():
            if any(one.id == int(asked.subject) for one in vouching.refusals(store.connection, chain_id)):
                return name
    raise CannotSettle(f"no refused block has the number {asked.subject}")


def settle(store: Store, chain: ChainHandle, name: str, asked: Request) -> Settled:
    """Settle what a request names, in one transaction, while the chain's follower stands; raises CannotSettle."""
    with store.connection.begin():
        if asked.what == REFUSAL:
            return _retry(store.connection, chain, asked)
        return _follow(store.connection, chain, name, asked)


def _retry(connection: Connection, chain: ChainHandle, asked: Request) -> Settled:
    """Let a node whose block was refused try again: an operator says that it was repaired."""
    [found] = [one for one in vouching.refusals(connection, chain.id) if one.id == int(asked.subject)]
    if found.retried:
        raise CannotSettle(f"refused block {found.id} was settled already")
    vouching.settle_refusal(connection, found.id, vouching.RETRY, asked.by, asked.reason, int(time.time()))
    return Settled((f"refused block {found.id}: source {found.source} will be asked again for {found.height}",), True)


def _follow(connection: Connection, chain: ChainHandle, name: str, asked: Request) -> Settled:
    """Lower the final mark to the fork, so that the other branch is followed; without `yes`, say what that means."""
    found = vouching.newest_violation(connection, chain.id)
    if found is None or found.settled:
        why = "was settled already" if found is not None else "is not broken"
        raise CannotSettle(f"the finality of {name} {why}")
    to, now = asked.to.lower().removeprefix("0x"), int(time.time())
    if to == found.ours.hex():
        if not asked.yes:
            stays = f"{name}: all blocks stay; {found.source} is taken to be wrong about block {found.ours.hex()}"
            return Settled((stays, "Nothing was written. Give --yes to do it."), False)
        vouching.keep_ours(connection, found, asked.by, asked.reason, now)
        return Settled((f"settled by {asked.by}; {name} goes on with its own blocks",), True)
    if to != found.theirs.hex():
        raise CannotSettle(
            f"{asked.to} is neither our block {found.ours.hex()} nor {found.theirs.hex()}, which source"
            f" {found.source} shows in its place"
        )
    if found.fork_height is None:
        raise CannotSettle(f"{name} shares no stored block with source {found.source}", how_to_follow(name, found))
    lines = consequences(connection, chain.id, name, found)
    if not asked.yes:
        return Settled((*lines, "Nothing was written. Give --yes to do it."), False)
    insert_changes(connection, chain, contradicted(connection, chain, found.fork_height + 1, found.theirs), now)
    vouching.settle_violation(connection, chain.id, found, asked.by, asked.reason, now)
    return Settled((*lines, f"settled by {asked.by}; {name} is followed again from block {found.fork_height} on"), True)


def consequences(connection: Connection, chain_id: int, name: str, found: Violation) -> tuple[str, ...]:
    """Say what following the other branch takes off the chain: blocks, movements, and verdicts that rest on them."""
    keys = {"c": chain_id, "fork": found.fork_height, "name": name}
    above = "b.chain_id = :c AND b.height > :fork AND b.canonical"
    top, blocks = connection.execute(text(f"SELECT max(b.height), count(*) FROM block b WHERE {above}"), keys).one()
    moves = connection.execute(
        text(f"SELECT count(*) FROM movement m JOIN block b ON b.id = m.block_id WHERE {above}"), keys
    ).scalar_one()
    legs = connection.execute(
        text(
            "SELECT v.case_ref, v.leg_ref, v.verdict, v.reason FROM v_leg v WHERE v.chain = :name AND EXISTS (SELECT 1"
            " FROM entry e JOIN leg l ON l.id = e.leg_id JOIN cases k ON k.id = l.case_id"
            f" JOIN block b ON b.id = e.block_id WHERE k.ref = v.case_ref AND l.ref = v.leg_ref AND {above})"
            " ORDER BY v.case_ref, v.leg_ref"
        ),
        keys,
    ).all()
    first = (found.fork_height or 0) + 1
    lines = [
        f"{name}: {blocks} blocks, {first} to {top}, final up to {found.final_height}, leave the chain",
        f"  block {first} is {found.ours.hex()} here and {found.theirs.hex()} at source {found.source}",
        f"  {moves} movements in them will be orphaned; they stay stored",
    ]
    lines += [f"  verdict given anew: {case} {leg}, now {verdict} ({reason})" for case, leg, verdict, reason in legs]
    return tuple(lines)
