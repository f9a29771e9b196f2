"""What balances say beside movements: observed + unobserved = proven change, for each holder and asset. Pure.

Holders in held roles are checked continuously: every check explains the change since the one before it. Other watched
holders (exchange, refund) are checked block by block, from the parent block on: what they do between is not the case's.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from tracer.types import HELD_ROLES, Asset, AssetId, AssetKind, BlockFacts, Holder, Kind, Lane, Movement, Role, TxFacts

Key = tuple[Holder, AssetId]

COUNTING = (AssetKind.NATIVE, AssetKind.LISTED)


class Confirms(Enum):
    """What a check says of the movements it covers.

    ALL: each of them is proven, and together they are the proven change. INTERNAL: all but internal transfers are
    proven, and the sum is the proven change: the internal ones are confirmed by balance, as a sum. NOTHING: neither.
    """

    NOTHING = ""
    ALL = "all"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True)
class Want:
    """A question to the node: a balance after a block, and `before`: after its parent too."""

    holder: Holder
    asset: AssetId
    before: bool = False


@dataclass(frozen=True, slots=True)
class Balance:
    """What a node answered for a holder and asset after a block; amounts in base units.

    lane: PROVEN by `proof` against the block's state root, else REPORTED. nonce: of the account, where the asset is
    native and it was proven. parent: the balance after the parent block, where that was asked.
    """

    amount: int
    lane: Lane
    proof: bytes | None = None
    nonce: int | None = None
    parent: "Balance | None" = None


@dataclass(frozen=True, slots=True)
class Check:
    """A balance held against what was observed since the check before it.

    since: height of the block after which movements are counted; None: the first, there is nothing to compare with.
    before: the balance there, with its lane. sent: transactions that the holder was seen to send since; nonce_before:
    of that block. held: the holder is in a held role, checked continuously. later: asked when the block was the tip.
    """

    holder: Holder
    asset: AssetId
    balance: int
    lane: Lane
    since: int | None = None
    before: int = 0
    observed: int = 0
    nonce: int | None = None
    nonce_before: int | None = None
    sent: int = 0
    confirms: Confirms = Confirms.NOTHING
    proof: bytes | None = None
    lane_before: Lane = Lane.REPORTED
    held: bool = False
    later: bool = False

    @property
    def unobserved(self) -> int:
        """What changed the balance and was not seen: negative where value is gone."""
        return 0 if self.since is None else self.balance - self.before - self.observed

    @property
    def open_because(self) -> str:
        """Why it does not close the blocks that it covers; empty if it does: what was seen explains the net change.

        What went and came back between, unseen, changes no balance. Of the ether of an account that signs for itself
        the nonce would tell; of tokens, and of accounts that are contracts, nothing does.
        """
        if self.lane is not Lane.PROVEN or self.lane_before is not Lane.PROVEN:
            return "the balance is reported, not proven"
        if self.unobserved:
            return f"{self.unobserved} base units moved unobserved"
        if self.nonce is None or self.nonce_before is None or self.nonce - self.nonce_before == self.sent:
            return ""
        return f"the nonce moved by {self.nonce - self.nonce_before}, transactions observed: {self.sent}"


@dataclass(slots=True)
class Seen:
    """Movements of one holder and asset, added up: their net, what was sent, and which of them nothing proves."""

    observed: int = 0
    sent: int = 0
    moves: int = 0
    internal: int = 0
    weak: int = 0

    def add(self, holder: Holder, move: Movement) -> None:
        """Add a movement in which the holder is source, target or both."""
        self.observed += move.amount * ((move.target == holder) - (move.source == holder))
        self.sent += move.kind is Kind.FEE
        self.moves += 1
        if move.lane is not Lane.PROVEN:
            inner = move.kind is Kind.TRACE and move.index > 0
            self.internal += inner
            self.weak += not inner

    @property
    def confirmed(self) -> Confirms:
        """What a proven balance that agrees makes of them."""
        if self.weak or not self.moves:
            return Confirms.NOTHING
        return Confirms.INTERNAL if self.internal else Confirms.ALL


@dataclass(slots=True)
class Standing:
    """The last check of a holder and asset, and what was observed since."""

    height: int
    balance: int
    lane: Lane
    nonce: int | None = None
    seen: Seen = field(default_factory=Seen)


RolesOf = Callable[[Holder], Iterable[Role]]
"""The roles of a holder in the cases whose books are open."""


@dataclass(slots=True)
class Values:
    """What is known of the balances on one chain; a function of canonical rows, rebuilt after a disconnect."""

    standings: dict[Key, Standing] = field(default_factory=dict)

    def wanted(self, facts: BlockFacts, assets: Mapping[AssetId, Asset], roles_of: RolesOf, live: bool) -> list[Want]:
        """Say which balances after a block its movements make interesting.

        Held holders that are touched; others where a held one pays in the same transaction. Not `live` (in catch-up)
        only those that a leg's lane or doubt rests on, token events: all other movements of held holders wait, added
        up, for the next checkpoint.
        """
        keys: dict[Key, None] = {}
        for moves in (*(tx.movements for tx in facts.transactions), facts.loose):
            paying = any(move.source is not None and is_held(roles_of(move.source)) for move in moves)
            for move in moves:
                asset = assets.get(move.asset)
                if asset is None or asset.kind not in COUNTING or not (live or move.kind is Kind.LOG):
                    continue
                for holder in (move.source, move.target):
                    roles = () if holder is None else tuple(roles_of(holder))
                    if holder is not None and (is_held(roles) or (paying and roles)):
                        keys[holder, move.asset] = None
        return [Want(*key, before=key not in self.standings) for key in keys]

    def due(self, holders: Iterable[Holder], assets: Mapping[AssetId, Asset], height: int) -> list[Want]:
        """Say which balances of held holders a full checkpoint wants: all that were last checked below a height."""
        counting = [asset.id for asset in assets.values() if asset.kind in COUNTING]
        keys = [(holder, asset) for holder in dict.fromkeys(holders) for asset in counting]
        checked = {key for key, standing in self.standings.items() if standing.height >= height}
        return [Want(*key, before=key not in self.standings) for key in keys if key not in checked]

    def touched(self) -> list[Want]:
        """Say which balances of held holders have movements since they were last checked."""
        return [Want(*key) for key, standing in self.standings.items() if standing.seen.moves]

    def observe(self, facts: BlockFacts) -> dict[Key, Seen]:
        """Add a block's movements to what was observed; returns the block's own sums."""
        here: dict[Key, Seen] = {}
        for move in movements(facts):
            for holder in {move.source, move.target}:
                if holder is None:
                    continue
                key = (holder, move.asset)
                here.setdefault(key, Seen()).add(holder, move)
                if key in self.standings:
                    self.standings[key].seen.add(holder, move)
        return here

    def check(
        self,
        height: int,
        answers: Mapping[Key, Balance],
        here: Mapping[Key, Seen],
        roles_of: RolesOf,
        opening: Collection[Holder] = (),
    ) -> list[Check]:
        """Hold answers for a block against what was observed, `here` in that block.

        Held holders, and those of books that open here, stand on their answer from then on.
        """
        checks: list[Check] = []
        for key, answer in answers.items():
            standing = self.standings.get(key)
            if standing is None and answer.parent is not None:
                before = answer.parent
                standing = Standing(height - 1, before.amount, before.lane, before.nonce, here.get(key, Seen()))
            held = key[0] in opening or is_held(roles_of(key[0]))
            checks.append(replace(compare(key, answer, standing), held=held))
            if held:
                self.standings[key] = Standing(height, answer.amount, answer.lane, answer.nonce)
        return checks


def is_held(roles: Iterable[Role]) -> bool:
    """Whether one of some roles is a held one."""
    return not HELD_ROLES.isdisjoint(roles)


def compare(key: Key, answer: Balance, standing: Standing | None) -> Check:
    """Hold a balance against the one before it and what was observed between; without one, it is a first."""
    if standing is None:
        return Check(*key, answer.amount, answer.lane, nonce=answer.nonce, proof=answer.proof)
    check = Check(
        *key,
        answer.amount,
        answer.lane,
        standing.height,
        standing.balance,
        standing.seen.observed,
        answer.nonce,
        standing.nonce,
        standing.seen.sent,
        proof=answer.proof,
        lane_before=standing.lane,
    )
    proven = answer.lane is Lane.PROVEN and standing.lane is Lane.PROVEN
    if proven and not check.unobserved:
        check = replace(check, confirms=standing.seen.confirmed)
    return check


def evident(facts: BlockFacts, listed: Collection[AssetId]) -> BlockFacts:
    """Take the events of listed tokens for PROVEN, as events, where their transaction's proof holds its receipt."""
    return _with_lanes(facts, lambda tx, move: Lane.PROVEN if tx.proof and move.asset in listed else move.lane)


def held_to_balances(facts: BlockFacts, checks: Iterable[Check], listed: Collection[AssetId]) -> BlockFacts:
    """Leave token events PROVEN only where the proven balances agree: a credit is event *and* balance.

    A party of the event must have been checked here, and of every checked party all movements must be proven and add
    up to the proven change of its balance.
    """
    agrees = {(check.holder, check.asset): check.confirms is Confirms.ALL for check in checks}

    def lane(_: TxFacts, move: Movement) -> Lane:
        if move.lane is not Lane.PROVEN or move.asset not in listed:
            return move.lane
        parties = [(party, move.asset) for party in (move.source, move.target) if party is not None]
        said = [agrees[key] for key in parties if key in agrees]
        return Lane.PROVEN if said and all(said) else Lane.REPORTED

    return _with_lanes(facts, lane)


def _with_lanes(facts: BlockFacts, lane: Callable[[TxFacts, Movement], Lane]) -> BlockFacts:
    """Give the token events of a block other lanes."""
    if not any(move.kind is Kind.LOG for tx in facts.transactions for move in tx.movements):
        return facts

    def settled(tx: TxFacts) -> TxFacts:
        moves = (replace(move, lane=lane(tx, move)) if move.kind is Kind.LOG else move for move in tx.movements)
        return replace(tx, movements=tuple(moves))

    return replace(facts, transactions=tuple(map(settled, facts.transactions)))


def movements(facts: BlockFacts) -> Iterable[Movement]:
    """All movements of a block."""
    for tx in facts.transactions:
        yield from tx.movements
    yield from facts.loose
