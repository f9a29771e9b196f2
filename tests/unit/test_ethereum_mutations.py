"""Damages blocks of a real node in thousands of seeded ways: whatever a root covers is refused when it is changed.

The blocks are those of `fixtures.capture` (forks Berlin, London and Osaka; transactions of types 0 to 4, failed ones,
logs, inner calls), and one made by hand that has withdrawals, which the node never has. Each mutation changes, omits or
reorders one thing. A block that is taken must say exactly what the true one says, except for what is only REPORTED.
"""

import copy
import json
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from harness.ethereum_blocks import AGENCY, OTHER, SEIZED, STRANGER, Sent, block_hash, call, made, root
from rlp import decode, encode

from tracer.errors import TracerError
from tracer.proof.account import ProvenAccount, read_proof
from tracer.proof.ethereum import prove_block
from tracer.proof.keccak import keccak
from tracer.proof.recheck import recheck
from tracer.proof.transaction import encode_transaction
from tracer.proof.trie import BadProof
from tracer.types import Asset, AssetId, AssetKind, BlockFacts, BlockRef, ChainId, Checked, Holder, Lane
from watchers.ethereum.header import ref_of
from watchers.ethereum.raw import RawBlock
from watchers.ethereum.scan import EthereumScanner

CHAIN = ChainId("eip155:31337")
ETHER = Asset(AssetId(f"{CHAIN}/slip44:60"), "ETH", 18, AssetKind.NATIVE)
DATA = Path(__file__).parent / "data" / "ethereum_blocks.json"
SEED = "believe blocks, not nodes"

Path_ = tuple[Any, ...]

HEADER = {
    *("parentHash", "sha3Uncles", "miner", "stateRoot", "transactionsRoot", "receiptsRoot", "logsBloom", "difficulty"),
    *(
        "number",
        "gasLimit",
        "gasUsed",
        "timestamp",
        "extraData",
        "mixHash",
        "nonce",
        "baseFeePerGas",
        "withdrawalsRoot",
    ),
    *("blobGasUsed", "excessBlobGas", "parentBeaconBlockRoot", "requestsHash", "hash", "withdrawals"),
}
TRANSACTION = {
    *("nonce", "gas", "to", "value", "input", "r", "s", "hash", "from", "maxFeePerGas", "maxPriorityFeePerGas"),
    *("accessList", "address", "storageKeys", "maxFeePerBlobGas", "blobVersionedHashes", "authorizationList"),
}
RECEIPT = {"status", "cumulativeGasUsed", "logs"}
LOG = {"address", "topics", "data"}


@dataclass(frozen=True)
class Case:
    """A true block, what it says, and what its state says of two accounts."""

    block: Any
    receipts: Any
    traces: Any
    proofs: Any
    ref: BlockRef
    facts: BlockFacts


@cache
def scanner() -> EthereumScanner:
    """Watches two of the three senders, a miner and the receivers of withdrawals."""
    scanner = EthereumScanner(CHAIN, ETHER)
    parties = ("70997970c51812dc3a010c7d01b50e0d17dc79c8", "3c44cdddb6a900fa2b585dd299e03d12fa4293bc", "00" * 20)
    scanner.watch([Holder(bytes.fromhex(party)) for party in parties] + [SEIZED, AGENCY])
    return scanner


def taken(ref: BlockRef, block: Any, receipts: Any, traces: Any) -> BlockFacts:
    """Take a block as it is taken on the way in, under the hash that an anchor vouches for."""
    if ref_of(block) != ref:
        raise BadProof("another block")
    return scanner().scan(RawBlock(block, (), traces, True, prove_block(block, receipts), Checked.WHOLE))


@cache
def cases() -> tuple[Case, ...]:
    told = json.loads(DATA.read_text())
    sent = [Sent(SEIZED, STRANGER, 5, inner=[call(STRANGER, AGENCY, 2)]), Sent(OTHER, SEIZED, 3)]
    paid = [(SEIZED, 7), (OTHER, 1), (AGENCY, 2)]
    block, receipts, traces = made(*sent, withdrawals=paid, miner="0x" + SEIZED.hex())
    told.append({"block": block, "receipts": receipts, "traces": traces, "proofs": []})
    found = []
    for one in told:
        if any(sent["type"] == "0x3" for sent in one["block"]["transactions"]):
            one["block"], one["traces"] = without_blobs(one["block"], one["traces"])
        ref, parts = ref_of(one["block"]), (one["block"], one["receipts"], one["traces"])
        found.append(Case(*parts, one["proofs"], ref, taken(ref, *copy.deepcopy(parts))))
    return tuple(found)


def without_blobs(block: Any, traces: Any) -> tuple[Any, Any]:
    """Give a block the root that EIP-4844 wants: anvil's is of transactions together with their blobs."""
    with pytest.raises(BadProof, match="transactions do not have the root"):
        prove_block(block, [{} for _ in block["transactions"]])
    raws = [encode_transaction(sent).raw for sent in block["transactions"]]
    assert ["0x" + keccak(raw).hex() for raw in raws] == [sent["hash"] for sent in block["transactions"]]
    beside = {
        name: block[name] for name in ("hash", "transactions", "withdrawals", "uncles", "size", "totalDifficulty")
    }
    header = {name: value for name, value in block.items() if name not in beside} | {"transactionsRoot": root(raws)}
    beside["hash"] = block_hash(header)
    return header | beside, [{**frame, "blockHash": beside["hash"]} for frame in traces]


def test_the_captured_blocks_have_all_that_is_to_be_damaged() -> None:
    transactions = [sent for case in cases() for sent in case.block["transactions"]]
    assert {sent["type"] for sent in transactions} == {"0x0", "0x1", "0x2", "0x3", "0x4"}
    assert {receipt["status"] for case in cases() for receipt in case.receipts} == {"0x0", "0x1"}
    facts = [case.facts for case in cases()]
    lanes = Counter(
        (move.kind.name, move.lane.name) for one in facts for tx in one.transactions for move in tx.movements
    )
    assert {("TRACE", "PROVEN"), ("TRACE", "REPORTED"), ("FEE", "PROVEN"), ("FEE", "REPORTED")} <= lanes.keys()
    assert ("LOG", "REPORTED") in lanes and len(cases()[-1].facts.loose) == 4


# --- one mutation


def nodes(value: Any, path: Path_ = ()) -> Iterator[tuple[Path_, Any]]:
    yield path, value
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in items:
        yield from nodes(below, (*path, key))


def at(value: Any, path: Path_) -> Any:
    for key in path:
        value = value[key]
    return value


def changed(rng: random.Random, value: Any) -> Any:
    """Another value of the same shape."""
    if isinstance(value, str) and len(value) > 2 and value.startswith("0x"):
        place = rng.randrange(2, len(value))
        return (
            value[:place]
            + rng.choice([d for d in "0123456789abcdef" if d != value[place].lower()])
            + value[place + 1 :]
        )
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + rng.choice([-1, 1])
    return "0x" + "11" * rng.choice([1, 20, 32])


def mutated(rng: random.Random, true: Any) -> tuple[str, Path_, Any]:
    """Change, omit or reorder one thing in a JSON value; returns what was done, where, and the new value."""
    while True:
        copied, how = copy.deepcopy(true), rng.choice(["changed", "changed", "omitted", "reordered"])
        places = [(path, value) for path, value in nodes(copied) if path]
        path, value = rng.choice(places)
        above = at(copied, path[:-1])
        if how == "changed" and not isinstance(value, dict | list):
            above[path[-1]] = changed(rng, value)
        elif how == "omitted":
            del above[path[-1]]
        elif how == "reordered":
            keys = list(above) if isinstance(above, dict) else list(range(len(above)))
            other = rng.choice([key for key in keys if type(above[key]) is type(value)])
            above[path[-1]], above[other] = above[other], value
        if copied != true:
            return how, path, copied


def proven_part(facts: BlockFacts) -> Any:
    """What a block says without what is only REPORTED."""
    moves = [
        (tx.txid, tx.position, tx.raw, tx.proof, kept)
        for tx in facts.transactions
        if (kept := tuple(move for move in tx.movements if move.lane is Lane.PROVEN))
    ]
    return facts.ref, facts.time, moves, [move for move in facts.loose if move.lane is Lane.PROVEN]


def outcome(case: Case, **wrong: Any) -> str:
    """What becomes of a block with a false part: refused, the same, other only where REPORTED, or ACCEPTED."""
    parts = {"block": case.block, "receipts": case.receipts, "traces": case.traces} | wrong
    try:
        facts = taken(case.ref, **copy.deepcopy(parts))
    except (BadProof, TracerError):
        return "refused"
    if facts == case.facts:
        return "the same"
    return "other, REPORTED" if proven_part(facts) == proven_part(case.facts) else "ACCEPTED"


def run(capsys: pytest.CaptureFixture[str], what: str, count: int, play: Any) -> Counter[str]:
    """Play some mutations and print exactly what became of them."""
    rng, counts = random.Random(f"{SEED}/{what}"), Counter[str]()
    for _ in range(count):
        counts[play(rng)] += 1
    with capsys.disabled():
        print(f"\n{count} mutations of {what}: " + ", ".join(f"{n} {name}" for name, n in sorted(counts.items())))
    assert counts["ACCEPTED"] == 0 and counts.total() == count
    return counts


# --- what is mutated


def test_headers(capsys: pytest.CaptureFixture[str]) -> None:
    def play(rng: random.Random) -> str:
        case = rng.choice(cases())
        header = {name: value for name, value in case.block.items() if name not in ("transactions", "withdrawals")}
        how, path, false = mutated(rng, header)
        covered = {name for name in header if header[name] != false.get(name)} & HEADER
        result = outcome(case, block={**case.block, **{name: None for name in header if name not in false}, **false})
        assert not covered or result == "refused", (how, path)
        return result

    assert run(capsys, "headers", 1200, play)["refused"] > 1000


def test_transactions(capsys: pytest.CaptureFixture[str]) -> None:
    def play(rng: random.Random) -> str:
        case = rng.choice([case for case in cases() if case.block["transactions"]])
        how, path, false = mutated(rng, case.block["transactions"])
        result = outcome(case, block={**case.block, "transactions": false})
        covered = len(path) == 1 or path[1] in TRANSACTION
        assert result == "refused" or (not covered and result == "the same"), (how, path)
        return result

    assert run(capsys, "transactions", 1200, play)["refused"] > 800


def test_receipts(capsys: pytest.CaptureFixture[str]) -> None:
    def play(rng: random.Random) -> str:
        case = rng.choice([case for case in cases() if case.receipts])
        how, path, false = mutated(rng, case.receipts)
        result = outcome(case, receipts=false)
        in_log = len(path) > 3 and path[1] == "logs"
        covered = path[3] in LOG if in_log else len(path) == 1 or path[1] in RECEIPT
        assert result == "refused" or not covered, (how, path)
        assert result != "other, REPORTED" or path[1:] == ("blobGasPrice",), (how, path)
        return result

    assert run(capsys, "receipts", 1000, play)["refused"] > 200


def test_withdrawals(capsys: pytest.CaptureFixture[str]) -> None:
    def play(rng: random.Random) -> str:
        case = cases()[-1]
        _, _, false = mutated(rng, case.block["withdrawals"])
        return outcome(case, block={**case.block, "withdrawals": false})

    assert run(capsys, "withdrawals", 300, play) == {"refused": 300}


def test_traces(capsys: pytest.CaptureFixture[str]) -> None:
    """No root covers them: what contradicts a root is refused, the rest is REPORTED and nothing else."""

    def play(rng: random.Random) -> str:
        case = rng.choice([case for case in cases() if case.traces])
        _, _, false = mutated(rng, case.traces)
        return outcome(case, traces=false)

    counts = run(capsys, "traces", 500, play)
    assert counts["refused"] > 100 and counts["other, REPORTED"] > 0


def test_stored_proofs(capsys: pytest.CaptureFixture[str]) -> None:
    kept = [(case, tx) for case in cases() for tx in case.facts.transactions]

    def play(rng: random.Random) -> str:
        case, tx = rng.choice(kept)
        assert case.facts.header is not None and tx.proof is not None
        true: list[Any] = [case.facts.header, bytes(case.ref.hash), bytes(tx.txid), tx.position, tx.raw, tx.proof]
        false = list(true)
        place = rng.choice([0, 1, 2, 3, 4, 5, 5, 5])
        if place == 3:
            false[3] = rng.choice([position for position in range(9) if position != tx.position])
        elif place == 5 and rng.random() < 0.7:
            false[5] = encode(mutated_bytes(rng, decode(tx.proof)))
        else:
            false[place] = mutated_bytes(rng, true[place])
        assert recheck("ethereum", *true) is None
        return "refused" if recheck("ethereum", *false) is not None else "ACCEPTED"

    assert run(capsys, "stored proofs", 500, play) == {"refused": 500}


def mutated_bytes(rng: random.Random, true: Any) -> Any:
    """Change, omit or reorder one thing in nested bytes."""
    while True:
        false = copy.deepcopy(true)
        if isinstance(false, bytes):
            place = rng.randrange(len(false) + 1)
            tail = bytes([false[place] ^ 1 << rng.randrange(8)]) if place < len(false) else b"\0"
            ways = [false[:place] + tail + false[place + 1 :], false[:place] + false[place + 1 :], false[::-1]]
            false = rng.choice(ways)
        elif rng.random() < 0.4 and false:
            one, other = rng.randrange(len(false)), rng.randrange(len(false))
            false[one], false[other] = false[other], false[one]
        elif false:
            place = rng.randrange(len(false))
            if rng.random() < 0.3:
                del false[place]
            else:
                false[place] = mutated_bytes(rng, false[place]) if false[place] else b"\1"
        else:
            false = [b"\1"]
        if false != true:
            return false


def test_account_proofs(capsys: pytest.CaptureFixture[str]) -> None:
    def proven(case: Case, which: int, answer: Any) -> ProvenAccount:
        true = case.proofs[which]
        slots = [int(item["key"], 16).to_bytes(32, "big") for item in true["storageProof"]]
        root = bytes.fromhex(case.block["stateRoot"][2:])
        return read_proof(root, bytes.fromhex(true["address"][2:]), slots, answer)

    def play(rng: random.Random) -> str:
        case = rng.choice([case for case in cases() if case.proofs])
        which = rng.randrange(len(case.proofs))
        true = proven(case, which, case.proofs[which])
        _, _, false = mutated(rng, case.proofs[which])
        try:
            found = proven(case, which, false)
        except BadProof:
            return "refused"
        same = (found.account, found.slots) == (true.account, true.slots)
        return "the same" if same else "ACCEPTED"

    assert run(capsys, "account proofs", 300, play)["refused"] > 290
