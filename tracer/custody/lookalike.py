"""Whether an address looks like a known one to a person who compares its two ends. Pure.

Wallets and explorers shorten addresses to their ends. Whoever plants a look-alike grinds keys until the ends match: in
2023 an address with the first five and last four characters of a marshals' address took a transfer of the DEA. How
likely is a match by chance? Characters are close to uniform, so two random addresses of one kind match with
probability b ** -(head + tail), b = 16 for ``0x``, 32 for bech32, 58 for base58. With the defaults (3 and 4):
4e-9, 3e-11, 5e-13. For one foreign address held against 10,000 known ones that is 4e-5, 3e-7, 5e-9: a match is next to
never chance. It is a lead all the same: only the bytes decide whether two addresses are one.
"""

from collections.abc import Iterable
from dataclasses import dataclass

HEAD, TAIL = 3, 4
"""Characters that must match behind the prefix, and at the end. ``0x`` is no character of the account: five shown
characters of such an address are three of its digits."""


@dataclass(frozen=True, slots=True)
class Resemblance:
    """A known address that another looks like; head, tail: how many characters match, the prefix aside."""

    ref: str
    address: str
    head: int
    tail: int


class LookAlikes:
    """Known addresses by their ends: built once, asked often.

    An address of which less than ``head + tail`` characters stand behind the prefix looks like none.
    """

    def __init__(self, known: Iterable[tuple[str, str]], head: int = HEAD, tail: int = TAIL) -> None:
        """Take known addresses with what the reader calls them, as (address, ref)."""
        if head < 0 or tail < 0 or head + tail == 0:
            raise ValueError("an address looks like another by at least one character at one end")
        self._head, self._tail = head, tail
        self._known: dict[tuple[str, str, str], list[tuple[str, str, str]]] = {}
        for address, ref in known:
            prefix, body = split(address)
            if (key := self._key(prefix, body)) is not None:
                self._known.setdefault(key, []).append((body, address, ref))

    def find(self, address: str) -> Resemblance | None:
        """The known address that this one looks like most, itself aside; None if there is none."""
        prefix, body = split(address)
        key = self._key(prefix, body)
        if key is None:
            return None
        found = [
            Resemblance(ref, known, *matching(body, other))
            for other, known, ref in self._known.get(key, ())
            if other != body
        ]
        return max(found, key=lambda one: (one.head + one.tail, one.ref), default=None)

    def _key(self, prefix: str, body: str) -> tuple[str, str, str] | None:
        if len(body) < self._head + self._tail:
            return None
        return prefix, body[: self._head], body[len(body) - self._tail :]


def split(address: str) -> tuple[str, str]:
    """Split an address into its prefix, which all of its kind share, and the rest; case counts only in base58.

    >>> split("0xABcd"), split("BC1Qxy8"), split("1Boat"), split("bcrt1pzz")
    (('0x', 'abcd'), ('bc1q', 'xy8'), ('1', 'Boat'), ('bcrt1p', 'zz'))
    """
    if address[:2] in ("0x", "0X"):
        return "0x", address[2:].lower()
    lower = address.lower()
    for hrp in ("bc1", "tb1", "bcrt1"):
        if lower.startswith(hrp):
            return lower[: len(hrp) + 1], lower[len(hrp) + 1 :]
    return address[:1], address[1:]


def matching(one: str, other: str) -> tuple[int, int]:
    """How many characters two texts share at their beginning, and at their end; none is counted for both ends.

    >>> matching("abcxyz", "abdxyz"), matching("aaa", "aaaa")
    ((2, 3), (3, 0))
    """
    most = min(len(one), len(other))
    head = next((place for place in range(most) if one[place] != other[place]), most)
    tail = next((back for back in range(most - head) if one[-1 - back] != other[-1 - back]), most - head)
    return head, tail


def nobody_known(case_id: int) -> LookAlikes:
    """No address of any case: nothing looks alike."""
    return LookAlikes(())
