"""What the call data of an Ethereum transaction orders, where it is one of three calls of ERC-20. Pure.

Exactly these three are read, in exactly the form of the ABI; everything else is named by its selector, never guessed.
"""

from tracer.precheck.planned import Grant, Payment
from tracer.types import Holder

TRANSFER, TRANSFER_FROM, APPROVE = (bytes.fromhex(selector) for selector in ("a9059cbb", "23b872dd", "095ea7b3"))
_WORDS = {TRANSFER: 2, TRANSFER_FROM: 3, APPROVE: 2}
_NAMES = {TRANSFER: "transfer", TRANSFER_FROM: "transferFrom", APPROVE: "approve"}


def ordered(contract: Holder, data: bytes) -> Payment | Grant | str | None:
    """Say what a call of a contract orders; text names a call that is not understood, None is no call at all."""
    if not data:
        return None
    selector, words = data[:4], [data[place : place + 32] for place in range(4, len(data), 32)]
    if selector not in _WORDS:
        return f"calls {selector.hex()} of 0x{contract.hex()} with {len(data)} bytes of data"
    name = _NAMES[selector]
    if len(data) != 4 + 32 * _WORDS[selector] or any(any(word[:12]) for word in words[:-1]):
        return f"calls {name} of 0x{contract.hex()} with arguments that are not in the form of the ABI"
    *accounts, amount = words
    holders = [Holder(word[12:]) for word in accounts]
    units = int.from_bytes(amount, "big")
    if selector == APPROVE:
        return Grant("allowance", holders[0], contract, units)
    if selector == TRANSFER_FROM:
        return Payment(holders[1], contract, units, source=holders[0])
    return Payment(holders[0], contract, units)
