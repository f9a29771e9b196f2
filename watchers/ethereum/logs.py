"""What a `Transfer` log says: which token, from whom, to whom, how much. Pure.

ERC-20 has three topics and one word of data, ERC-721 four topics and no data. ERC-1155 uses other events
and is not covered. Every other shape is a `Misshapen`, with its reason.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tracer.types import AssetId, ChainId, Holder

TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
"""keccak256 of `Transfer(address,address,uint256)`, the same for ERC-20 and ERC-721."""

_WORD_HEX = 64
_NO_ACCOUNT = 1 << 160


@dataclass(frozen=True, slots=True)
class TokenTransfer:
    """A transfer as its contract tells it; index is the log's place in its block. An NFT's amount is 1."""

    index: int
    asset: AssetId
    nft: bool
    source: Holder
    target: Holder
    amount: int


@dataclass(frozen=True, slots=True)
class Misshapen:
    """A log that carries the Transfer signature and is not one that can be read."""

    reason: str


def read(chain: ChainId, log: Mapping[str, Any], index: int) -> TokenTransfer | Misshapen:
    """Read a log whose first topic is `TRANSFER` and that is number `index` of its block.

    Raises KeyError or ValueError if a field is not hex.
    """
    topics, contract = log["topics"], log["address"].lower()
    data = log["data"][2:]
    where = f"log {index} of {contract}"
    if len(topics) not in (3, 4):
        return Misshapen(f"{where}: {len(topics)} topics, so not of ERC-20 or ERC-721")
    parties = [int(topic, 16) for topic in topics[1:3]]
    if max(parties) >= _NO_ACCOUNT:
        return Misshapen(f"{where}: a party that is longer than an account")
    source, target = (Holder(party.to_bytes(20, "big")) for party in parties)
    if len(topics) == 4:
        if data:
            return Misshapen(f"{where}: 4 topics and {len(data) // 2} bytes of data")
        asset = AssetId(f"{chain}/erc721:{contract}/{int(topics[3], 16)}")
        return TokenTransfer(index, asset, True, source, target, 1)
    if len(data) != _WORD_HEX:
        return Misshapen(f"{where}: an amount of {len(data) // 2} bytes")
    return TokenTransfer(index, AssetId(f"{chain}/erc20:{contract}"), False, source, target, int(data, 16))


def words(log: Mapping[str, Any]) -> Iterator[int]:
    """Yield every whole word a log carries after its signature, for logs whose parties may be anywhere."""
    for topic in log["topics"][1:]:
        yield int(topic, 16)
    data = log["data"][2:]
    for start in range(0, len(data) - _WORD_HEX + 1, _WORD_HEX):
        yield int(data[start : start + _WORD_HEX], 16)
