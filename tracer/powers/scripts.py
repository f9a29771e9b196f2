"""Who can spend from a Bitcoin script, as far as the script and what is known to lie behind it say. Pure.

Sources: BIP 16, 141, 341, 342; the pay-to-anchor script of Bitcoin Core 28. A hash alone says nothing of what is
behind it: that is NOT_SHOWN until a coin is spent or the script is filed.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from Crypto.Hash import RIPEMD160

from tracer.powers.nouns import Finding, Rule, Severity, Subject
from tracer.powers.paths import Need, Unreadable, Way, ways
from tracer.types import Lane

TIMES_FROM = 500_000_000
"""Lock times from here on are seconds since 1970, below it heights (BIP 65)."""

IN_SECONDS = 1 << 22
"""The bit of a relative lock that counts units of 512 s (BIP 68)."""

NOBODY = "50929b74c1a04954b78b4b6035e97a5e078a5a0f28ec96d547bfee9ace803ac0"
"""The point of BIP 341 whose secret nobody knows."""

ANCHOR = bytes.fromhex("51024e73")


@dataclass(frozen=True, slots=True)
class Taproot:
    """What a taproot output commits to, as a descriptor says: its internal key (x only) and its leaf scripts."""

    internal: bytes
    leaves: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Known:
    """What was filed or revealed about what lies behind a script pubkey: redeem and witness scripts, a taproot tree.

    source: who says so, in words; those that do not hash to the script pubkey are not used.
    """

    scripts: tuple[bytes, ...] = ()
    taproot: Taproot | None = None
    source: str = "the descriptor"


@dataclass(frozen=True, slots=True)
class Moment:
    """The chain at a block: its height, hash and median time past (BIP 113)."""

    height: int
    block: str
    time: int

    @property
    def refs(self) -> dict[str, str | int]:
        """The facts that name it."""
        return {"block_height": self.height, "block_hash": self.block}


@dataclass(frozen=True, slots=True)
class Read:
    """What a script pubkey turned out to be.

    ways: None if it is not known; why then says what is missing. exposed: whether its key stands in the script.
    """

    form: str
    ways: tuple[Way, ...] | None
    why: str = ""
    exposed: bool = False
    facts: dict[str, str | int] = field(default_factory=dict)


def hash160(data: bytes) -> bytes:
    """RIPEMD-160 of SHA-256."""
    return RIPEMD160.new(hashlib.sha256(data).digest()).digest()


def p2pk_key(script: bytes) -> bytes | None:
    """The public key of a P2PK script; None if it is another."""
    if len(script) in (35, 67) and script[0] == len(script) - 2 and script[-1] == 0xAC:
        return script[1:-1]
    return None


def witness_program(script: bytes) -> tuple[int, bytes] | None:
    """The version and program of a witness script pubkey (BIP 141); None if it is none."""
    if not 4 <= len(script) <= 42 or script[1] != len(script) - 2:
        return None
    if script[0] == 0 or 0x51 <= script[0] <= 0x60:
        return (script[0] and script[0] - 0x50), script[2:]
    return None


def read_script(script: bytes, known: Known = Known()) -> Read:
    """Find the ways to spend from a script pubkey."""
    if script[:1] == b"\x6a" or len(script) > 10_000:
        return Read("unspendable", ())
    if script == ANCHOR:
        return Read("anchor", (Way(),))
    program = witness_program(script)
    if program is not None:
        return _witness(*program, known)
    if len(script) == 23 and script[:2] == b"\xa9\x14" and script[22:] == b"\x87":
        return _behind("P2SH", script[2:22], known, hash160, "redeem script")
    if len(script) == 25 and script[:3] == b"\x76\xa9\x14" and script[23:] == b"\x88\xac":
        return Read("P2PKH", _one_key(f"hash160:{script[3:23].hex()}"))
    return _plain("P2PK" if p2pk_key(script) else "bare script", script, exposed=True)


def _one_key(key: str) -> tuple[Way, ...]:
    return (Way(needs=(Need(1, (key,)),)),)


def _witness(version: int, program: bytes, known: Known) -> Read:
    match version, len(program):
        case 0, 20:
            return Read("P2WPKH", _one_key(f"hash160:{program.hex()}"))
        case 0, 32:
            return _behind("P2WSH", program, known, lambda script: hashlib.sha256(script).digest(), "witness script")
        case 0, _:
            return Read("witness version 0 of another length", ())
        case 1, 32:
            return _taproot(program, known)
    return Read(f"witness version {version}, not in use", (Way(),))


def _behind(form: str, digest: bytes, known: Known, of: Callable[[bytes], bytes], what: str) -> Read:
    inner = next((script for script in known.scripts if of(script) == digest), None)
    if inner is None:
        return Read(form, None, f"its {what} is not filed, and shows itself only when a coin is spent")
    program = witness_program(inner) if form == "P2SH" else None
    if program is not None and program[0]:
        return Read(f"P2SH-witness version {program[0]}", (Way(),), facts={"redeem": inner.hex()})  # BIP 341: no rules
    if program is not None:
        nested = read_script(inner, known)
        return Read(f"P2SH-{nested.form}", nested.ways, nested.why, facts={**nested.facts, "redeem": inner.hex()})
    read = _plain(form, inner)
    return Read(form, read.ways, read.why, facts={**read.facts, what.split(maxsplit=1)[0]: inner.hex()})


def _taproot(output: bytes, known: Known) -> Read:
    tree = known.taproot
    if tree is None:
        why = "a taproot output may hide a script tree or joint key; file its descriptor"
        return Read("P2TR", None, why, facts={"output_key": output.hex()})
    found: list[Way] = [] if tree.internal.hex() == NOBODY else list(_one_key(tree.internal.hex()))
    facts: dict[str, str | int] = {"internal_key": tree.internal.hex(), "leaves": len(tree.leaves)}
    for leaf in tree.leaves:
        read = _plain("P2TR", leaf)
        if read.ways is None:
            return Read("P2TR", None, f"a leaf of its tree cannot be read: {read.why}", facts=facts)
        found += [way for way in read.ways if way not in found]
    return Read("P2TR", tuple(found), facts=facts)


def _plain(form: str, script: bytes, *, exposed: bool = False) -> Read:
    try:
        return Read(form, ways(script), exposed=exposed)
    except Unreadable as error:
        return Read(form, None, f"its script cannot be read: {error}", facts={"script": script.hex()[:2000]})


def script_powers(
    subject: Subject,
    known: Known = Known(),
    now: Moment | None = None,
    oldest: int | None = None,
) -> list[Finding]:
    """Say who can spend from a seized script pubkey.

    now: the node's best block. oldest: height of its oldest unspent coin, for relative locks.
    """
    read = read_script(subject.holder, known)
    facts: dict[str, str | int] = {"form": read.form, **read.facts}
    if read.facts.keys() & {"redeem", "witness", "leaves"}:
        facts["shown_by"] = known.source
    if read.ways is None:
        text = f"{read.form}: who can spend is not shown: {read.why}"
        rule, lane = Rule.APPROVE, Lane.PROVEN
        return [Finding("script-unknown", Severity.WARN, rule, subject, text, lane, refs=facts, shown=False)]
    lane = Lane.PROVEN  # the script, or one that hashes to it, says so itself
    if known.taproot is not None and read.form == "P2TR":
        lane = Lane.ATTESTED
    if not read.ways:
        text = f"{read.form}: nobody can ever spend this"
        return [Finding("unspendable", Severity.WARN, Rule.APPROVE, subject, text, lane, refs=facts)]
    found = [
        _way(subject, replace(read, facts=facts), way, number, now, oldest, lane)
        for number, way in enumerate(read.ways)
    ]
    if len(found) > 1:
        text = f"{read.form}: there are {len(found)} ways to spend, each is enough alone"
        several = Finding(
            "several-paths", Severity.WARN, Rule.APPROVE, subject, text, lane, refs=facts | {"ways": len(found)}
        )
        found.insert(0, several)
    return found


def _way(
    subject: Subject, read: Read, way: Way, number: int, now: Moment | None, oldest: int | None, lane: Lane
) -> Finding:
    locks = list(_locks(way, now, oldest))
    is_open = all(lock.is_open for lock in locks)
    kind, severity, text, who = _signers(read, way)
    if locks:
        opens = "; ".join(lock.text for lock in locks)
        text = f"{text}, {opens}"
        kind = kind if kind == "anyone-can-spend" else "timelock"
        severity = severity if kind == "anyone-can-spend" else Severity.WARN
        if is_open and len(read.ways or ()) > 1:
            severity = Severity.CRITICAL  # a second way, made for later, is open
    facts: dict[str, str | int] = {"way": number, **read.facts}
    for place, need in enumerate(way.needs):
        facts |= {f"needs_{place}": f"{need.k} of {len(need.keys)}", f"keys_{place}": ",".join(need.keys)}
    facts |= {f"after_{place}": lock for place, lock in enumerate(way.after)}
    facts |= {f"older_{place}": lock for place, lock in enumerate(way.older)}
    facts |= {f"hash_{place}": secret for place, secret in enumerate(way.hashes)}
    if locks:
        unknown = any(lock.is_open is None for lock in locks)
        facts["state"] = "unknown" if unknown else "open" if is_open else "closed"
        facts |= now.refs if now is not None else {}
    return Finding(kind, severity, Rule.APPROVE, subject, f"{read.form}: {text}", lane, who=who, refs=facts)


def _signers(read: Read, way: Way) -> tuple[str, Severity, str, bytes | None]:
    """What a way asks of whom: kind, severity, text, and the one key that is enough."""
    secrets = f" and {len(way.hashes)} secret(s)" if way.hashes else ""
    match way.needs:
        case () if way.hashes:
            return "hash-lock", Severity.CRITICAL, f"whoever knows {len(way.hashes)} secret(s) can spend", None
        case ():
            return "anyone-can-spend", Severity.CRITICAL, "anybody can spend, no key is asked", None
        case (Need(1, (key,)),):
            who = bytes.fromhex(key.removeprefix("hash160:"))
            if read.exposed:
                text = f"one key, which stands in the script itself{secrets}: whoever has it can spend"
                return "exposed-key", Severity.WARN, text, who
            text = f"one key{secrets}: whoever has it, or a copy of it, can spend"
            return "single-key", Severity.INFO, text, who
        case (Need(1, keys),):
            return "multisig", Severity.CRITICAL, f"any one of {len(keys)} keys can spend alone{secrets}", None
        case (Need(k, keys),):
            blocked = len(keys) - k + 1
            text = f"{k} of {len(keys)} keys can spend{secrets}: safe only if custody has {blocked} of them or more"
            return "multisig", Severity.WARN, text, None
    asked = " and ".join(f"{need.k} of {len(need.keys)} keys" for need in way.needs)
    return "multisig", Severity.WARN, f"{asked} can spend together{secrets}", None


@dataclass(frozen=True, slots=True)
class _Lock:
    text: str
    is_open: bool | None


def _locks(way: Way, now: Moment | None, oldest: int | None) -> Sequence[_Lock]:
    """When the locks of a way open; None where that cannot be told."""
    found: list[_Lock] = []
    for lock in way.after:
        if lock < TIMES_FROM:
            reached = None if now is None else now.height + 1 > lock  # the next block's height is what counts
            found.append(_Lock(f"from block {lock + 1} on ({_state(reached)})", reached))
        else:
            when = datetime.fromtimestamp(lock, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            reached = None if now is None else now.time > lock
            found.append(_Lock(f"after {when} by the chain's median time ({_state(reached)})", reached))
    for lock in way.older:
        count = lock & 0xFFFF
        if lock & IN_SECONDS:
            found.append(_Lock(f"{count * 512} s after a coin was confirmed (not told here)", None))
            continue
        reached = None if now is None or oldest is None else now.height + 1 >= oldest + count
        first = "" if oldest is None else f", block {oldest + count} for the oldest coin"
        found.append(_Lock(f"{count} blocks after a coin was confirmed{first} ({_state(reached)})", reached))
    return found


def _state(reached: bool | None) -> str:
    return "not told" if reached is None else "open now" if reached else "not open yet"
