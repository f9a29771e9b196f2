"""What both dense chains have in common: their size, and the case whose holders appear on them. Pure."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

HIT_SHARE = 100
"""One transaction in so many concerns a watched holder or a followed coin."""

DEBIT_SHARE = 10
"""One hit in so many takes value from a seized holder."""

AUTHORITIES = 100


@dataclass(frozen=True, slots=True)
class Size:
    """How long and dense a chain is, and how many holders the case watches; `least_seized` of them are seized.

    blocks: there when the daemon catches up. live: made afterwards, one by one, while it follows.
    """

    blocks: int
    txs: int
    watched: int
    seed: str
    least_seized: int = 1000
    live: int = 0

    def hits_in(self, block: int) -> int:
        """How many transactions of the dense block of this number (from 0) are hits."""
        return (block + 1) * self.txs // HIT_SHARE - block * self.txs // HIT_SHARE

    def debits_in(self, block: int) -> int:
        """How many of them take value from a seized holder."""
        every = HIT_SHARE * DEBIT_SHARE
        return (block + 1) * self.txs // every - block * self.txs // every

    @property
    def seized(self) -> int:
        """How many seized holders there are: more than asked for if there are more debits."""
        return max(self.least_seized, (self.blocks + self.live) * self.txs // (HIT_SHARE * DEBIT_SHARE) + 8)

    @property
    def exchanges(self) -> int:
        """How many watched deposit addresses there are: all that is not seized or an authority's."""
        return self.watched - self.seized - AUTHORITIES


@dataclass(frozen=True, slots=True)
class PlannedLeg:
    """A leg of the case: from a seized holder to one of the authority's, by number; amount as decimal text."""

    seized: int
    authority: int
    asset: str
    amount: str
    max_fee: str


@dataclass(frozen=True, slots=True)
class Played:
    """A chain as it was built: what the case file says, and what must come out.

    first, last: heights of the dense blocks. fulfilled: how many legs arrived in full; with the live blocks
    fulfilled_live. legs: of both.
    """

    chain: str
    first: int
    last: int
    seizure: int
    legs: tuple[PlannedLeg, ...]
    fulfilled: int
    fulfilled_live: int


def write_case(folder: Path, played: Played, lists: Sequence[tuple[str, Sequence[str]]]) -> Path:
    """Write the lists of watched holders (role, lines) and the case file; returns the latter's path."""
    chain = played.chain
    text = [
        f'[case]\nid = "bench-{chain}"\ntitle = "Dense chain"\npreset = "observe"\n',
        f"[case.seizure]\n{chain} = {played.seizure}\n",
        '[[institution]]\nid = "psb"\nname = "Public Security Bureau"\npart = "SEIZE"\n',
    ]
    for role, lines in lists:
        (folder / f"{role}.txt").write_text("\n".join(lines) + "\n")
        text.append(f'[[watch]]\nid = "{role}"\nchain = "{chain}"\nfile = "{role}.txt"\nrole = "{role}"\n')
    for number, leg in enumerate(played.legs):
        text.append(
            f'[[leg]]\nid = "leg-{number}"\nkind = "SECURE"\nasset = "{leg.asset}"\nfrom = ["seized/{leg.seized}"]\n'
            f'to = "authority/{leg.authority}"\namount = "{leg.amount}"\nmax_fee = "{leg.max_fee}"\n'
        )
    path = folder / "case.toml"
    path.write_text("\n".join(text))
    return path


def decimal(amount: int, places: int) -> str:
    """Write base units as decimal text, exactly."""
    whole, fraction = divmod(amount, 10**places)
    return f"{whole}.{fraction:0{places}}"


def toml_text(value: str) -> str:
    """Write a TOML string."""
    return json.dumps(value)
