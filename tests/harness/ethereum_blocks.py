"""Makes Ethereum blocks whose signatures and roots are right, so that a test can damage one thing at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from coincurve import PrivateKey
from eth_utils.crypto import keccak
from rlp import encode
from trie import HexaryTrie

from tracer.proof.ethereum import prove_block
from tracer.types import AssetId, ChainId, Checked, Holder
from watchers.ethereum.logs import TRANSFER
from watchers.ethereum.raw import RawBlock

CHAIN = ChainId("eip155:31337")
ETHER = AssetId(f"{CHAIN}/slip44:60")
BASE_FEE, TIP, GAS = 7, 3, 21_000
FEE = GAS * (BASE_FEE + TIP)
ZERO = "0x" + "00" * 32
BLOB_GAS = ("blobGasUsed", "excessBlobGas")


def text(data: bytes) -> str:
    return "0x" + data.hex()


def word(data: bytes) -> str:
    return text(data.rjust(32, b"\0"))


_KEYS = [PrivateKey(bytes([number]) * 32) for number in range(1, 5)]
_BY_HOLDER = {Holder(keccak(key.public_key.format(compressed=False)[1:])[12:]): key for key in _KEYS}
SEIZED, AGENCY, STRANGER, OTHER = _BY_HOLDER
CONTRACT, MINER = Holder(b"\5" * 20), Holder(b"\6" * 20)
LISTED, UNLISTED = "0x" + "ab" * 20, "0x" + "cd" * 20
LISTED_ID, UNLISTED_ID = AssetId(f"{CHAIN}/erc20:{LISTED}"), AssetId(f"{CHAIN}/erc20:{UNLISTED}")


@dataclass
class Sent:
    """A transaction: what it pays, what it calls and announces. told: what the node says of it that is not so."""

    source: Holder
    target: Holder | None
    value: int
    inner: Sequence[Mapping[str, Any]] = ()
    logs: Sequence[Mapping[str, Any]] = ()
    fails: bool = False
    root: str | None = None
    told: Mapping[str, Any] = field(default_factory=dict)


def call(source: Holder, target: Holder, value: int, place: Sequence[int] = (0,), **more: Any) -> dict[str, Any]:
    """A frame."""
    action = {"from": text(source), "to": text(target), "value": hex(value), "callType": "call"}
    return {"type": "call", "action": action, "traceAddress": list(place), **more}


def log(source: Holder, target: Holder, amount: int, *, token: str = LISTED, **more: Any) -> dict[str, Any]:
    topics = [TRANSFER, word(source), word(target)]
    return {"address": token, "topics": topics, "data": f"0x{amount:064x}", **more}


def number(value: int) -> bytes:
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def signed(sent: Sent, nonce: int) -> tuple[bytes, dict[str, Any]]:
    """A legacy transaction with EIP-155: its bytes and its JSON."""
    body = [number(nonce), number(BASE_FEE + TIP), number(50_000), sent.target or b"", number(sent.value), b""]
    digest = keccak(encode([*body, number(31337), b"", b""]))
    signature = _BY_HOLDER[sent.source].sign_recoverable(digest, hasher=None)
    r, s = (int.from_bytes(signature[start : start + 32], "big") for start in (0, 32))
    v = 31337 * 2 + 35 + signature[64]
    raw: bytes = encode([*body, number(v), number(r), number(s)])
    told = {
        **{"type": "0x0", "nonce": hex(nonce), "gasPrice": hex(BASE_FEE + TIP), "gas": hex(50_000)},
        **{"to": sent.target and text(sent.target), "value": hex(sent.value), "input": "0x"},
        **{"v": hex(v), "r": hex(r), "s": hex(s), "hash": text(keccak(raw)), "from": text(sent.source), **sent.told},
    }
    return raw, told


def bloom(logs: Sequence[Mapping[str, Any]]) -> bytes:
    bits = 0
    for entry in logs:
        for item in (entry["address"], *entry["topics"]):
            hashed = keccak(bytes.fromhex(item[2:]))
            for at in (0, 2, 4):
                bits |= 1 << (int.from_bytes(hashed[at : at + 2], "big") & 2047)
    return bits.to_bytes(256, "big")


def root(values: Sequence[bytes]) -> str:
    trie = HexaryTrie({})
    for index, value in enumerate(values):
        trie[encode(index)] = value
    return text(trie.root_hash)


def made(
    *sent: Sent, withdrawals: Sequence[tuple[Holder, int]] = (), rewards: Sequence[Holder] = (), **header: Any
) -> tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]:
    """A block: its JSON, its receipts, its traces."""
    transactions, raws, receipts, raw_receipts = [], [], [], []
    for nonce, one in enumerate(sent):
        raw, told = signed(one, nonce)
        raws.append(raw)
        transactions.append(told)
        logs = [dict(entry) for entry in one.logs]
        total = number(GAS * (nonce + 1))
        outcome = bytes.fromhex(one.root[2:]) if one.root else b"" if one.fails else b"\1"
        written = [
            [bytes.fromhex(item[2:]) if isinstance(item, str) else item for item in (e["address"], None, e["data"])]
            for e in logs
        ]
        for entry, parts in zip(logs, written, strict=True):
            parts[1] = [bytes.fromhex(topic[2:]) for topic in entry["topics"]]
        raw_receipts.append(encode([outcome, total, bloom(logs), written]))
        receipt = {"type": "0x0", "cumulativeGasUsed": hex(GAS * (nonce + 1)), "logs": logs}
        receipts.append(receipt | ({"root": one.root} if one.root else {"status": "0x0" if one.fails else "0x1"}))
    paid = [
        {"index": hex(index), "validatorIndex": "0x1", "address": text(whom), "amount": hex(gwei)}
        for index, (whom, gwei) in enumerate(withdrawals)
    ]
    raw_paid = [encode([number(index), b"\1", whom, number(gwei)]) for index, (whom, gwei) in enumerate(withdrawals)]
    block = {
        **{"parentHash": ZERO, "sha3Uncles": ZERO, "miner": text(MINER), "stateRoot": ZERO},
        **{"transactionsRoot": root(raws), "receiptsRoot": root(raw_receipts)},
        **{"logsBloom": text(bloom([entry for one in sent for entry in one.logs])), "difficulty": "0x0"},
        **{"number": "0x7", "gasLimit": hex(10**7), "gasUsed": hex(GAS * len(sent)), "timestamp": "0x64"},
        **{"extraData": "0x", "mixHash": ZERO, "nonce": "0x0000000000000000", "baseFeePerGas": hex(BASE_FEE)},
        **{"withdrawalsRoot": root(raw_paid), **header},
    }
    block["hash"] = block_hash(block)
    block |= {"transactions": transactions, "withdrawals": paid, "uncles": [], "size": "0x1"}
    return block, receipts, frames(block, sent, transactions, rewards)


def block_hash(block: Mapping[str, Any]) -> str:
    """The hash of a header's JSON in the order in which `made` writes it."""
    items = []
    for name, value in block.items():
        data = bytes.fromhex(value[2:]) if len(value) % 2 == 0 else b""
        numbers = {"difficulty", "number", "gasLimit", "gasUsed", "timestamp", "baseFeePerGas", *BLOB_GAS}
        items.append(number(int(value, 16)) if name in numbers else data)
    return text(keccak(encode(items)))


def frames(
    block: Mapping[str, Any], sent: Sequence[Sent], transactions: Sequence[Mapping[str, Any]], rewards: Sequence[Holder]
) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for position, (one, told) in enumerate(zip(sent, transactions, strict=True)):
        top = call(one.source, one.target or CONTRACT, one.value, ())
        if one.target is None:
            top |= {"type": "create", "result": {"address": told.get("creates")}}
        if one.fails:
            top["error"] = "Reverted"
        stays = {"blockHash": block["hash"], "transactionHash": told["hash"], "transactionPosition": position}
        found += [{**frame, **stays} for frame in (top, *one.inner)]
    for whom in rewards:
        nowhere = {"traceAddress": [], "transactionHash": None, "transactionPosition": None}
        action = {"author": text(whom), "value": "0x5", "rewardType": "block"}
        found.append({"type": "reward", "action": action, "blockHash": block["hash"], **nowhere})
    return found


def whole(*sent: Sent, internal: bool = True, checked: Checked = Checked.WHOLE, **more: Any) -> RawBlock:
    """A block as the scanner gets it when it was proven."""
    block, receipts, traces = made(*sent, **more)
    return RawBlock(block, (), traces, internal, prove_block(block, receipts), checked)


def light(*sent: Sent, **more: Any) -> RawBlock:
    """A block as the scanner gets it under policy `hits` before anything but its header is proven."""
    block, receipts, traces = made(*sent, **more)
    logs = []
    for position, receipt in enumerate(receipts):
        for entry in receipt["logs"]:
            stays = {"blockHash": block["hash"], "transactionIndex": hex(position), "removed": False}
            stays["transactionHash"] = block["transactions"][position]["hash"]
            logs.append({**entry, **stays})
    header = {**block, "transactions": [told["hash"] for told in block["transactions"]]}
    return RawBlock(header, logs, traces)
