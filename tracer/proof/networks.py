"""What each Bitcoin network demands of its headers and blocks. Pure.

Sources: chainparams.cpp and pow.cpp of Bitcoin Core; BIP 34 (activation heights), BIP 94 (testnet4).
"""

from dataclasses import dataclass

from tracer.proof.transactions import hash256

_REWARD = "3ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a"
"""Merkle root of the genesis block (wire order) that four of the five networks share."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one network.

    genesis: the first header, 80 bytes. limit: the easiest target. retargets: whether difficulty is adjusted.
    easy: whether a block 20 minutes after its parent may have the easiest target (test networks).
    storm: whether BIP 94 holds: the period's first block keeps the difficulty, and its time may not warp back.
    height_from: the height from which a coinbase names its height (BIP 34).
    whole_from: the height from which a 64-byte transaction is refused in a block; below it old ones are known to be.
    """

    genesis: bytes
    limit: int
    retargets: bool = True
    easy: bool = False
    storm: bool = False
    height_from: int = 1
    whole_from: int = 0

    @property
    def genesis_hash(self) -> bytes:
        """The hash of the first header, in display order."""
        return hash256(self.genesis)[::-1]


def _genesis(time: int, bits: int, nonce: int, root: str = _REWARD) -> bytes:
    numbers = b"".join(number.to_bytes(4, "little") for number in (time, bits, nonce))
    return b"\x01\x00\x00\x00" + bytes(32) + bytes.fromhex(root) + numbers


_LIMIT = 0xFFFF << 208 | (1 << 208) - 1

NETWORKS = {
    "main": Rules(_genesis(1231006505, 0x1D00FFFF, 2083236893), _LIMIT, height_from=227_931, whole_from=500_000),
    "test": Rules(_genesis(1296688602, 0x1D00FFFF, 414098458), _LIMIT, easy=True, height_from=21_111, whole_from=10**9),
    "testnet4": Rules(
        _genesis(
            1714777860,
            0x1D00FFFF,
            393743547,
            "4e7b2b9128fe0291db0693af2ae418b767e657cd407e80cb1434221eaea7a07a",
        ),
        _LIMIT,
        easy=True,
        storm=True,
    ),
    "signet": Rules(_genesis(1598918400, 0x1E0377AE, 52613770), 0x377AE << 216),
    "regtest": Rules(_genesis(1296688602, 0x207FFFFF, 2), (1 << 255) - 1, retargets=False, easy=True),
}
"""64-byte transactions have not been used on main since 2016 (BIP 54); of testnet3 nobody has said so."""
