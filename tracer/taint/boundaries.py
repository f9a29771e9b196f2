"""Where a trace stops, and the reasons it gives. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from tracer.types import HELD_ROLES, Holder, Role

OP_RETURN = b"\x6a"
NOBODY = Holder(bytes(20))
"""The account that tokens are burnt to and minted from (EIP-20)."""

EXCHANGE = "exchange deposit"
REFUND = "refund address"
FEE = "fee"
BURN = "burn"
SWAP = "swap"
HOPS = "budget: hops"
AMOUNT = "budget: amount"
LIVE = "budget: live coins"
UNCLAIMED = "burn: not claimed by the miner"
COINJOIN = "coinjoin"
TIME = "budget: time"

CUSTODY = "custody"
UNSPENT = "unspent"
UNSEEN = "not followed further"
"""Reasons of what is live: held for the case; unspent; in a coin or account that nobody watches from then on."""

BY_ROLE: Mapping[Role, str] = {Role.EXCHANGE: EXCHANGE, Role.REFUND: REFUND}


@dataclass(frozen=True, slots=True)
class Limits:
    """How far value is followed beyond the watched holders: hops, traced units per coin or payment, live coins."""

    max_hops: int = 20
    min_amount: int = 546
    max_live: int = 100_000


NO_LIMITS = Limits(max_hops=1 << 30, min_amount=0, max_live=1 << 30)


def unspendable(script: Holder) -> bool:
    """Whether an output with this script can never be spent, by its first byte."""
    return script[:1] == OP_RETURN


def stops(
    holder: Holder | None, role: Role | None, hop: int, units: int, live: int, limits: Limits, burnt: bool
) -> str | None:
    """Say why a trace cannot go on at a holder (None: the fee), or None if it can.

    hop: of the receiving end; units: traced there; live: coins or accounts that are followed besides. burnt: whether
    nobody can spend what the holder got.
    """
    if holder is None:
        return FEE
    if role is not None:
        return BY_ROLE.get(role)
    if burnt:
        return BURN
    if hop > limits.max_hops:
        return HOPS
    if units < limits.min_amount:
        return AMOUNT
    if live >= limits.max_live:
        return LIVE
    return None


def standing(role: Role | None, seen: bool = True) -> str:
    """The reason of what is live at a holder with a role (None: outside the case)."""
    if role in HELD_ROLES:
        return CUSTODY
    return UNSPENT if seen else UNSEEN
