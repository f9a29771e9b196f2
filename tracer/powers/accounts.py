"""Who can move what an Ethereum account holds, from its code, its storage and what it answers. Pure.

Sources: EIP-7702 (delegation), EIP-1967 and EIP-1822 (proxies), EIP-1167 (clones), ERC-173 (owner), and the interface
of Safe accounts. `None` always means: the node or the contract did not answer.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tracer.powers.nouns import Finding, Rule, Severity, Subject
from tracer.proof.keccak import keccak
from tracer.types import Lane

WORD = 32
DESIGNATOR = bytes.fromhex("ef0100")
CLONE = bytes.fromhex("363d3d373d3d3d363d73"), bytes.fromhex("5af43d82803e903d91602b57fd5bf3")
MOST_OWNERS = 200


def _one_less(name: str) -> bytes:
    return (int.from_bytes(keccak(name.encode()), "big") - 1).to_bytes(WORD, "big")


IMPLEMENTATION = _one_less("eip1967.proxy.implementation")
ADMIN = _one_less("eip1967.proxy.admin")
BEACON = _one_less("eip1967.proxy.beacon")
UUPS = keccak(b"PROXIABLE")
OLD_IMPLEMENTATION = keccak(b"org.zeppelinos.proxy.implementation")
OLD_ADMIN = keccak(b"org.zeppelinos.proxy.admin")

SLOTS: Mapping[bytes, str] = {
    IMPLEMENTATION: "EIP-1967 implementation",
    ADMIN: "EIP-1967 admin",
    BEACON: "EIP-1967 beacon",
    UUPS: "EIP-1822 implementation",
    OLD_IMPLEMENTATION: "OpenZeppelin (before EIP-1967) implementation",
    OLD_ADMIN: "OpenZeppelin (before EIP-1967) admin",
}
"""The storage slots in which proxies say whose program they run, and who may change it."""


@dataclass(frozen=True, slots=True)
class Safe:
    """What a contract answers that has the interface of a Safe."""

    threshold: int
    owners: tuple[bytes, ...]
    modules: tuple[bytes, ...] | None


@dataclass(frozen=True, slots=True)
class Seen:
    """What a node told of an account at a block.

    slots: by slot; None where it did not tell. admin_owner: what the admin contract answers to `owner()`.
    """

    code: bytes | None
    slots: Mapping[bytes, bytes | None] = field(default_factory=dict)
    safe: Safe | None = None
    owner: bytes | None = None
    admin_owner: bytes | None = None


def delegate_of(code: bytes) -> bytes | None:
    """The account whose code an EIP-7702 designator names; None if the code is no designator.

    >>> delegate_of(bytes.fromhex("ef0100") + bytes(19) + b"\\x07")[-1]
    7
    """
    return code[3:] if len(code) == 23 and code[:3] == DESIGNATOR else None


def clone_of(code: bytes) -> bytes | None:
    """The contract whose code a minimal proxy runs, for ever (EIP-1167); None if the code is none."""
    head, tail = CLONE
    whole = len(code) == len(head) + 20 + len(tail) and code[:10] == head and code[30:] == tail
    return code[10:30] if whole else None


def address_word(word: bytes | None) -> bytes | None:
    """The address in one word; None if there is none, or something that is no address."""
    if word is None or len(word) != WORD or any(word[:12]) or not any(word):
        return None
    return word[12:]


def bool_word(word: bytes | None) -> bool | None:
    """The truth value in one word; None if it is neither 0 nor 1."""
    if word is None or len(word) != WORD or any(word[:31]) or word[31] > 1:
        return None
    return bool(word[31])


def address_list(answer: bytes | None) -> tuple[bytes, ...] | None:
    """Decode an answer whose first value is `address[]`; None unless it is exactly that."""
    if answer is None or len(answer) < 2 * WORD:
        return None
    start = int.from_bytes(answer[:WORD], "big")
    if start % WORD or start > len(answer) - WORD:
        return None
    count = int.from_bytes(answer[start : start + WORD], "big")
    if count > MOST_OWNERS or len(answer) < start + WORD * (count + 1):
        return None
    words = [answer[start + WORD * place : start + WORD * (place + 1)] for place in range(1, count + 1)]
    found = [address_word(word) for word in words]
    return tuple(one for one in found if one is not None) if None not in found else None


def safe_of(threshold: bytes | None, owners: bytes | None, modules: bytes | None) -> Safe | None:
    """Read the answers to `getThreshold`, `getOwners` and `getModulesPaginated`; None unless they are plausible."""
    people = address_list(owners)
    if threshold is None or len(threshold) != WORD or not people or len(set(people)) != len(people):
        return None
    k = int.from_bytes(threshold, "big")
    return Safe(k, people, address_list(modules)) if 1 <= k <= len(people) else None


def proxy_of(seen: Seen) -> dict[str, bytes]:
    """What the proxy slots of a contract name, by the slot's meaning."""
    return {SLOTS[slot]: one for slot, word in seen.slots.items() if (one := address_word(word)) is not None}


def account_powers(subject: Subject, seen: Seen, refs: Mapping[str, str | int]) -> list[Finding]:
    """Say who can move what a seized account holds; refs: the block at which it was asked."""
    if seen.code is None:
        text = "the node does not tell the account's code"
        return [_found("account-unknown", Severity.WARN, subject, text, refs, shown=False)]
    if not seen.code:
        text = "no code: whoever has the account's key, or a copy of it, can move everything"
        return [_found("single-key", Severity.INFO, subject, text, refs)]
    delegate = delegate_of(seen.code)
    if delegate is not None:
        text = f"EIP-7702: the code of 0x{delegate.hex()} acts as this account, beside its key"
        facts = {**refs, "code": "0x" + seen.code.hex()}
        return [_found("delegation", Severity.CRITICAL, subject, text, facts, who=delegate)]
    found = [*proxy_powers(subject, seen, refs), *_safe(subject, seen, refs)]
    if not any(one.kind == "safe" for one in found):
        found.append(_ruled_by_code(subject, seen, refs))
    return found


def proxy_powers(
    subject: Subject, seen: Seen, refs: Mapping[str, str | int], what: str = "the account"
) -> list[Finding]:
    """Say who can change the program that a contract runs; what: the contract in words."""
    if any(word is None for word in seen.slots.values()):
        text = f"the node does not tell the storage of {what}: whether it can be upgraded is not shown"
        return [_found("upgradeable", Severity.WARN, subject, text, refs, shown=False)]
    named = proxy_of(seen)
    found: list[Finding] = []
    for slot, word in seen.slots.items():
        party = address_word(word)
        if party is None:
            continue
        meaning = SLOTS[slot]
        facts = {**refs, "slot": "0x" + slot.hex(), "value": "0x" + (word or b"").hex()}
        if meaning.endswith("admin"):
            owner = seen.admin_owner
            behind = "" if owner is None else f", which 0x{owner.hex()} owns"
            facts |= {} if owner is None else {"admin_owner": "0x" + owner.hex()}
            text = (
                f"{meaning}: 0x{party.hex()}{behind} can replace the program of {what}, and so move all that it holds"
            )
            found.append(_found("upgrade-admin", Severity.CRITICAL, subject, text, facts, who=party))
        elif meaning.endswith("beacon"):
            text = f"{meaning}: whoever controls 0x{party.hex()} can replace the program of {what}"
            found.append(_found("upgrade-admin", Severity.CRITICAL, subject, text, facts, who=party))
        else:
            alone = "" if any(name.endswith("admin") for name in named) else "; it decides itself who may replace it"
            text = f"{meaning}: {what} runs the program of 0x{party.hex()}{alone}"
            found.append(_found("proxy", Severity.WARN, subject, text, facts, who=party))
    return found


def _safe(subject: Subject, seen: Seen, refs: Mapping[str, str | int]) -> list[Finding]:
    safe = seen.safe
    if safe is None:
        return []
    k, n = safe.threshold, len(safe.owners)
    owners = {f"owner_{place}": "0x" + owner.hex() for place, owner in enumerate(safe.owners)}
    facts = {**refs, "threshold": k, **owners}
    text = f"it answers as a Safe: {k} of {n} owners can move everything"
    found = [_found("safe", Severity.CRITICAL if k == 1 and n > 1 else Severity.WARN, subject, text, facts)]
    if safe.modules is None:
        text = "it does not answer which modules may move everything without its owners"
        found.append(_found("safe-module", Severity.WARN, subject, text, refs, shown=False))
    for module in safe.modules or ():
        text = f"the module 0x{module.hex()} can move everything without the owners"
        found.append(_found("safe-module", Severity.CRITICAL, subject, text, refs, who=module))
    return found


def _ruled_by_code(subject: Subject, seen: Seen, refs: Mapping[str, str | int]) -> Finding:
    assert seen.code is not None, "the caller has seen to it"
    facts = {**refs, "code_hash": "0x" + keccak(seen.code).hex(), "code_bytes": len(seen.code)}
    clone = clone_of(seen.code)
    owner = "" if seen.owner is None else f"; it names 0x{seen.owner.hex()} as its owner"
    of = "" if clone is None else f" (a clone of 0x{clone.hex()}, which cannot be replaced)"
    text = f"a contract{of}: its code decides who can move what it holds, which is not shown{owner}"
    return _found("contract", Severity.WARN, subject, text, facts, who=seen.owner or clone, shown=False)


def _found(
    kind: str,
    severity: Severity,
    subject: Subject,
    text: str,
    refs: Mapping[str, str | int],
    *,
    who: bytes | None = None,
    shown: bool = True,
) -> Finding:
    rule = Rule.APPROVE
    return Finding(kind, severity, rule, subject, text, Lane.REPORTED, who=who, refs=dict(refs), shown=shown)
