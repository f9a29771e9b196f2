"""What lies behind scripts, as descriptors and spent coins tell: inner scripts, trees and public keys. Pure."""

from dataclasses import dataclass
from typing import Any

from bitcoin.core import CTransaction
from bitcoin.core.script import CScript, CScriptInvalidError
from embit.descriptor.descriptor import Descriptor

from tracer.powers.scripts import Known, Taproot, hash160, p2pk_key, witness_program
from tracer.types import Holder
from watchers.bitcoin.address import REFUSALS
from watchers.inspector import Spend


@dataclass(frozen=True, slots=True)
class Behind:
    """What is known to lie behind a script; key: of a script that one key can spend."""

    known: Known = Known()  # noqa: RUF009  (frozen)
    key: bytes | None = None


def of_descriptor(text: str, first: int, last: int) -> list[tuple[Holder, Behind]]:
    """The scripts of some indexes of a descriptor, one per branch, with what lies behind each; `last` included.

    Nothing for what has nothing behind it that embit can tell: raw(), addr(), bare scripts.
    """
    body = text.partition("#")[0]
    if body.startswith(("raw(", "addr(", "pk(", "multi(", "sortedmulti(")):
        return []
    try:
        parsed = Descriptor.from_string(body)  # type: ignore[no-untyped-call]
        derived = [
            parsed.derive(index, branch_index=branch)
            for index in range(first, last + 1 if parsed.is_wildcard else first + 1)
            for branch in range(parsed.num_branches)
        ]
        return [(Holder(bytes(one.script_pubkey().data)), _behind(one)) for one in derived]
    except REFUSALS:
        return []


def _behind(derived: Any) -> Behind:
    if derived.is_taproot:
        leaves = tuple(bytes(leaf.miniscript.compile()) for leaf in _leaves(derived.taptree.tree))
        sec = bytes(derived.key.sec())
        key = None if leaves else (sec if len(sec) == 33 else b"\x02" + sec)
        return Behind(Known(taproot=Taproot(sec[-32:], leaves)), key)
    inner = [script for script in (derived.redeem_script(), derived.witness_script()) if script is not None]
    key = None if derived.miniscript is not None else bytes(derived.key.sec())
    return Behind(Known(tuple(bytes(script.data) for script in inner)), key)


def _leaves(tree: Any) -> list[Any]:
    if tree is None:
        return []
    if isinstance(tree, tuple):
        return [leaf for branch in tree for leaf in _leaves(branch)]
    inner = getattr(tree, "tree", None)
    return _leaves(inner) if inner is not None else [tree]


def of_spend(holder: bytes, spend: Spend) -> Behind:
    """What a spent coin showed: the scripts and keys that hash to what its script pubkey names."""
    transaction = CTransaction.deserialize(spend.raw)  # type: ignore[no-untyped-call]
    try:
        script = CScript(transaction.vin[spend.place].scriptSig)  # type: ignore[no-untyped-call]
        pushes = [bytes(one) for one in script if isinstance(one, bytes)]
    except CScriptInvalidError:
        pushes = []
    witnesses = transaction.wit.vtxinwit
    stack = [bytes(one) for one in witnesses[spend.place].scriptWitness.stack] if spend.place < len(witnesses) else []
    shown = [*pushes[-1:], *stack[-1:]]
    program = witness_program(holder) or next((one for s in shown if (one := witness_program(s))), None)
    wanted = {holder[3:23]} if holder[:3] == b"\x76\xa9\x14" else {program[1]} if program else set()
    key = next((one for one in shown if len(one) in (33, 65) and hash160(one) in wanted), None)
    return Behind(Known(tuple(shown), source="a spent coin"), key)


def of_script(holder: bytes) -> Behind:
    """What a script pubkey itself shows."""
    return Behind(key=p2pk_key(holder))
