"""The ways in which a Bitcoin script can be satisfied, found by running it on unknown inputs. Pure.

Covers what miniscript compiles to, multisig, time locks and hash locks (BIP 65, 68, 112, 342, 379). A script that uses
anything else is Unreadable: what it allows is then not known, which is not the same as nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import NewType

from tracer.powers.opcodes import RESULTS, SHUFFLES, VERIFIED, BadScript, Op, number_in, operations

MOST_PATHS = 64
MOST_STEPS = 20_000

Input = NewType("Input", int)
"""Something that whoever spends may choose, by its number."""


class Unreadable(Exception):
    """The script does something that these rules do not follow."""


@dataclass(frozen=True, slots=True)
class Need:
    """Signatures by `k` of some keys: hex of a public key, or "hash160:" and hex where only a key's hash is told."""

    k: int
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Way:
    """All that one way of spending asks for.

    after: the lock times (nLockTime: a height below 500,000,000, else seconds since 1970) that must be reached.
    older: relative locks (BIP 68 numbers: blocks, or with bit 22 units of 512 s) since the coin was confirmed.
    hashes: of secrets that must be told.
    """

    needs: tuple[Need, ...] = ()
    after: tuple[int, ...] = ()
    older: tuple[int, ...] = ()
    hashes: tuple[str, ...] = ()

    def covers(self, other: "Way") -> bool:
        """Whether whoever can go the other way can go this one too."""
        parts = ("needs", "after", "older", "hashes")
        return all(set(getattr(self, part)) <= set(getattr(other, part)) for part in parts)


@dataclass(frozen=True, slots=True)
class Sig:
    """Whether a key signed."""

    key: "Value"


@dataclass(frozen=True, slots=True)
class Multi:
    """Whether k of these keys signed."""

    k: int
    keys: tuple["Value", ...]


@dataclass(frozen=True, slots=True)
class Call:
    """Any other result: an operation on values."""

    op: Op
    of: tuple["Value", ...]


Value = bytes | Input | Sig | Multi | Call


@dataclass(frozen=True, slots=True)
class State:
    """A run up to some operation: its stacks, what was demanded so far, and which branches are taken."""

    stack: tuple[Value, ...] = ()
    aside: tuple[Value, ...] = ()
    demanded: tuple[tuple[Value, bool], ...] = ()
    after: tuple[int, ...] = ()
    older: tuple[int, ...] = ()
    branches: tuple[bool, ...] = ()
    inputs: int = 0

    def pop(self, count: int) -> tuple["State", list[Value]]:
        """Take values off the stack, deepest first; below its bottom lie inputs."""
        missing = max(0, count - len(self.stack))
        fresh = [Input(self.inputs + place) for place in range(missing)]
        taken = [*reversed(fresh), *self.stack[len(self.stack) - (count - missing) :]]
        left = self.stack[: len(self.stack) - (count - missing)]
        return replace(self, stack=left, inputs=self.inputs + missing), taken

    def push(self, *values: Value) -> "State":
        """Put values on the stack."""
        return replace(self, stack=(*self.stack, *values))

    def demand(self, value: Value, truth: bool = True) -> "State":
        """Go on only if a value is true (or false)."""
        return replace(self, demanded=(*self.demanded, (value, truth)))


def ways(script: bytes) -> tuple[Way, ...]:
    """Every way to satisfy a script, the easiest kept where one includes another; none: nobody can.

    Raises Unreadable.
    """
    try:
        program = operations(script)
    except BadScript as error:
        raise Unreadable(str(error)) from error
    found: list[Way] = []
    for end in _runs(program):
        if end.branches:
            raise Unreadable("an IF without its ENDIF")
        left, [top] = end.pop(1)
        for way in _meanings(left.demand(top)):
            found = [*(one for one in found if not way.covers(one)), way] if not _has(found, way) else found
            if len(found) > MOST_PATHS:
                raise Unreadable(f"more than {MOST_PATHS} ways to spend")
    return tuple(found)


def _has(found: Sequence[Way], way: Way) -> bool:
    return any(one.covers(way) for one in found)


def _runs(program: Sequence[tuple[Op | None, bytes]]) -> list[State]:
    """Run a program through all its branches; the states in which it ends."""
    states, steps = [State()], 0
    for op, data in program:
        following: list[State] = []
        for state in states:
            steps += 1
            if op in (Op.IF, Op.NOTIF, Op.ELSE, Op.ENDIF):
                following += _branch(state, op)
            elif not all(state.branches):
                following.append(state)
            elif op is None:
                following.append(state.push(data))
            else:
                following += _step(state, op)
        states = following
        if len(states) > MOST_PATHS or steps > MOST_STEPS:
            raise Unreadable("too many branches")
    return states


def _branch(state: State, op: Op) -> list[State]:
    if op is Op.ENDIF or op is Op.ELSE:
        if not state.branches:
            raise Unreadable(f"{op.name} outside an IF")
        *outer, last = state.branches
        return [replace(state, branches=(*outer, not last) if op is Op.ELSE else tuple(outer))]
    if not all(state.branches):
        return [replace(state, branches=(*state.branches, True))]  # counted, never run: an outer branch is not taken
    state, [value] = state.pop(1)
    return [replace(one, branches=(*one.branches, truth == (op is Op.IF))) for one, truth in _either(state, value)]


def _either(state: State, value: Value) -> list[tuple[State, bool]]:
    """Go on with a value as true and as false, as far as it can be either."""
    if isinstance(value, bytes):
        return [(state, _truth(value))]
    return [(state.demand(value, truth), truth) for truth in (True, False)]


def _truth(value: bytes) -> bool:
    return any(value[:-1]) or (value != b"" and value[-1] not in (0, 0x80))


def _step(state: State, op: Op) -> list[State]:
    if op in VERIFIED:
        return [then for one in _step(state, VERIFIED[op]) for then in _step(one, Op.VERIFY)]
    if op in SHUFFLES:
        count, order = SHUFFLES[op]
        state, taken = state.pop(count)
        return [state.push(*(taken[place] for place in order))]
    if op in RESULTS:
        state, taken = state.pop(RESULTS[op])
        kept = [taken[0]] if op is Op.SIZE else []
        return [state.push(*kept, Call(op, tuple(taken)))]
    match op:
        case Op.NOP:
            return [state]
        case Op.VERIFY:
            state, [value] = state.pop(1)
            return [state.demand(value)]
        case Op.IFDUP:
            state, [value] = state.pop(1)
            known = _is_truth(value)
            return [
                one.push(*[(b"\x01" if truth else b"") if known else value] * (2 if truth else 1))
                for one, truth in _either(state, value)
            ]
        case Op.TOALTSTACK:
            state, [value] = state.pop(1)
            return [replace(state, aside=(*state.aside, value))]
        case Op.FROMALTSTACK if state.aside:
            return [replace(state, aside=state.aside[:-1]).push(state.aside[-1])]
        case Op.CHECKLOCKTIMEVERIFY | Op.CHECKSEQUENCEVERIFY:
            return [_locked(state, op)]
        case Op.CHECKSIG | Op.CHECKSIGADD | Op.CHECKMULTISIG:
            return [_signed(state, op)]
        case Op.RETURN:
            return []
    raise Unreadable(f"it uses {op.name}")


def _is_truth(value: Value) -> bool:
    """Whether a value can be 1 and empty only, so that it is known once it is known to be true or false."""
    numbers = (Op.SIZE, Op.ADD, Op.RIPEMD160, Op.SHA1, Op.SHA256, Op.HASH160, Op.HASH256)
    return isinstance(value, Sig | Multi) or (isinstance(value, Call) and value.op not in numbers)


def _locked(state: State, op: Op) -> State:
    """Note a lock; the number stays on the stack. One that the spender chooses locks nothing."""
    state, [value] = state.pop(1)
    if isinstance(value, bytes):
        number = _number(value, 5)
        if number < 0:
            raise Unreadable("a negative lock")
        if op is Op.CHECKLOCKTIMEVERIFY:
            state = replace(state, after=(*state.after, number))
        elif not number & 1 << 31:  # BIP 112: that bit switches the lock off
            state = replace(state, older=(*state.older, number & 0x40FFFF))
    elif not _chosen(value):
        raise Unreadable("a lock that is worked out")
    return state.push(value)


def _chosen(value: Value) -> bool:
    return isinstance(value, int)


def _number(value: Value, longest: int = 4) -> int:
    if not isinstance(value, bytes):
        raise Unreadable("a number that is not written in the script")
    try:
        return number_in(value, longest)
    except BadScript as error:
        raise Unreadable(str(error)) from error


def _signed(state: State, op: Op) -> State:
    if op is Op.CHECKSIG:
        state, [_, key] = state.pop(2)
        return state.push(Sig(key))
    if op is Op.CHECKSIGADD:
        state, [_, so_far, key] = state.pop(3)
        return state.push(Call(Op.ADD, (so_far, Sig(key))))
    state, [count] = state.pop(1)
    among = _number(count)
    if not 0 <= among <= 20:
        raise Unreadable(f"a multisig of {among} keys")
    state, keys = state.pop(among)
    state, [least] = state.pop(1)
    k = _number(least)
    if not 0 <= k <= among:
        raise Unreadable(f"a multisig that asks {k} of {among} keys")
    state, _ = state.pop(k + 1)  # the signatures, and the one value too many that it takes
    return state.push(Multi(k, tuple(keys)))


def _meanings(end: State) -> Iterator[Way]:
    """What a run demands, as ways; none if it demands what cannot be."""
    told: dict[Input, str] = {}
    for value, truth in end.demanded:
        match value:
            case Call(Op.EQUAL, (Call(Op.HASH160, (one,)), bytes(digest))) if truth and isinstance(one, int):
                told[one] = digest.hex()
            case Call(Op.EQUAL, (bytes(digest), Call(Op.HASH160, (one,)))) if truth and isinstance(one, int):
                told[one] = digest.hex()
    base = [Way(after=tuple(sorted(set(end.after))), older=tuple(sorted(set(end.older))))]
    for value, truth in end.demanded:
        base = [_both(way, more) for way in base for more in _asked(value, truth, told)]
        if len(base) > MOST_PATHS:
            raise Unreadable(f"more than {MOST_PATHS} ways to spend")
    keys = {key for way in base for need in way.needs for key in need.keys}
    for way in base:  # the hash of a key is told with the key, it is no secret
        yield replace(way, hashes=tuple(h for h in way.hashes if h not in keys))


def _both(one: Way, other: Way) -> Way:
    def joined(part: str) -> tuple[object, ...]:
        return tuple(dict.fromkeys((*getattr(one, part), *getattr(other, part))))

    return Way(*(joined(part) for part in ("needs", "after", "older", "hashes")))  # type: ignore[arg-type]


def _asked(value: Value, truth: bool, told: Mapping[Input, str]) -> list[Way]:
    """The ways to make a value true (or false)."""
    match value:
        case bytes():
            return [Way()] if _truth(value) is truth else []
        case int():
            return [Way()]
        case Sig() if truth:
            return _signatures(1, (value.key,), told)
        case Multi() if truth:
            return _signatures(value.k, value.keys, told)
        case Sig():
            return [Way()]  # no signature is given
        case Multi():
            return [Way()] if value.k else []
        case Call():
            return _result(value, truth, told)


def _result(value: Call, truth: bool, told: Mapping[Input, str]) -> list[Way]:
    """The ways to make the result of an operation true (or false)."""
    match value:
        case Call(Op.NOT, (of,)):
            return _asked(of, not truth, told)
        case Call(Op.NOTEQUAL0, (of,)):
            return _asked(of, truth, told)
        case Call(Op.BOOLAND | Op.BOOLOR, (one, other)):
            if (value.op is Op.BOOLAND) is truth:
                return [_both(a, b) for a in _asked(one, truth, told) for b in _asked(other, truth, told)]
            return [*_asked(one, truth, told), *_asked(other, truth, told)]
        case Call(Op.SIZE, _):
            return [Way()]
        case Call(Op.EQUAL | Op.NUMEQUAL | Op.GREATERTHANOREQUAL, (one, other)):
            return _compared(value.op, one, other, truth, told)
        case Call(Op.ADD, _) if truth:
            return _counted(_terms(value), 1, told)
    raise Unreadable(f"it demands a result of {value.op.name}")


def _compared(op: Op, one: Value, other: Value, truth: bool, told: Mapping[Input, str]) -> list[Way]:
    if isinstance(one, bytes) and not isinstance(other, bytes) and op is not Op.GREATERTHANOREQUAL:
        one, other = other, one
    match one, other:
        case bytes(), bytes():
            same = one == other if op is Op.EQUAL else _number(one) == _number(other)
            met = _number(one) >= _number(other) if op is Op.GREATERTHANOREQUAL else same
            return [Way()] if met is truth else []
        case Call(Op.HASH160 | Op.HASH256 | Op.SHA256 | Op.SHA1 | Op.RIPEMD160, (of,)), bytes(digest):
            if not truth:
                return [Way()]
            name = f"{one.op.name.lower()}:{digest.hex()}"
            return [Way(hashes=(name,))] if isinstance(of, int) else _unknown()
        case Call(Op.SIZE, (of,)), bytes():
            if isinstance(of, bytes):
                size, wanted = len(of), _number(other)
                return [Way()] if (size >= wanted if op is Op.GREATERTHANOREQUAL else size == wanted) is truth else []
            return [Way()]
        case int(), _:
            return [Way()]
        case _, int():
            return [Way()]
        case ((Call(Op.ADD, _) | Sig() | Multi()), bytes()) if truth:
            return _counted(_terms(one), _number(other), told, exact=op is not Op.GREATERTHANOREQUAL)
    return _unknown()


def _unknown() -> list[Way]:
    raise Unreadable("it compares what is not followed here")


def _terms(value: Value) -> list[Value]:
    """What a sum adds up."""
    if isinstance(value, Call) and value.op is Op.ADD:
        return [term for one in value.of for term in _terms(one)]
    return [value]


def _counted(terms: Sequence[Value], least: int, told: Mapping[Input, str], exact: bool = False) -> list[Way]:
    """The ways in which that many of the terms are true, each of which is 0 or 1; a chosen one may be anything."""
    if any(isinstance(term, int) for term in terms):
        return [Way()]
    numbers = [_number(term) for term in terms if isinstance(term, bytes)]
    open_ones = [term for term in terms if not isinstance(term, bytes)]
    if any(number < 0 for number in numbers) or not all(map(_is_truth, open_ones)):
        raise Unreadable("a sum of other things than truths")
    fixed = sum(numbers)
    if fixed > least and exact:
        return []
    least -= fixed
    if least <= 0:
        return [Way()]
    if all(isinstance(term, Sig) for term in open_ones):
        if least > len(open_ones):
            return []
        return _signatures(least, tuple(term.key for term in open_ones if isinstance(term, Sig)), told)
    found: list[Way] = []
    for chosen in combinations(open_ones, least):
        found += _all([_asked(term, True, told) for term in chosen])
        if len(found) > MOST_PATHS:
            raise Unreadable(f"more than {MOST_PATHS} ways to spend")
    return found


def _all(parts: Sequence[Sequence[Way]]) -> list[Way]:
    ways = [Way()]
    for part in parts:
        ways = [_both(one, other) for one in ways for other in part]
    return ways


def _signatures(k: int, keys: Sequence[Value], told: Mapping[Input, str]) -> list[Way]:
    """Signatures by k keys; a key that whoever spends may choose needs nobody."""
    named: list[str] = []
    for key in keys:
        if isinstance(key, bytes):
            named.append(key.hex())
        elif isinstance(key, int):
            if key in told:
                named.append(f"hash160:{told[key]}")
            else:
                k -= 1
        else:
            raise Unreadable("a key that is worked out")
    return [Way(needs=(Need(k, tuple(named)),))] if k > 0 else [Way()]
