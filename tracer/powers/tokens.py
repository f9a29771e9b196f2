"""Who can move a seized account's tokens without its key: spenders that it allowed, and the token's issuer. Pure.

Sources: ERC-20, EIP-2612 (permit), Permit2 of Uniswap. What a contract does not answer is "not answered", never "no".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from tracer.powers.accounts import Seen, bool_word, proxy_powers
from tracer.powers.nouns import Finding, Rule, Severity, Subject
from tracer.types import Asset, AssetId, Lane

PERMIT2 = bytes.fromhex("000000000022d473030f116ddee9f6b43ac78ba3")
"""The same address on every chain that has it."""

UNLIMITED = frozenset({2**256 - 1, 2**160 - 1, 2**96 - 1})
"""The greatest amounts of contracts that keep allowances in 256, 160 or 96 bits; most never count them down."""

FROZEN = ("isBlacklisted(address)", "isBlackListed(address)", "isFrozen(address)", "blacklisted(address)")
PAUSED = "paused()"


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a spender may take, as the token answers; None: it gives no answer.

    log: block height and transaction of the newest approval event; None where none was found.
    """

    token: Asset
    spender: bytes
    value: int | None
    log: tuple[int, str] | None = None


@dataclass(frozen=True, slots=True)
class Issued:
    """What a token contract answers about itself and a holder, at one block.

    balance: None if it gives none. frozen: by function, those alone that answered. fallback: whether it answers
    functions that do not exist, so that no answer of its tells anything.
    """

    token: Asset
    balance: int | None
    contract: Seen
    paused: bytes | None = None
    frozen: Mapping[str, bytes | None] = field(default_factory=dict)
    owner: bytes | None = None
    permits: bool = False
    fallback: bool = False


def allowance_powers(
    subject: Subject,
    allowed: Sequence[Allowance],
    balances: Mapping[AssetId, int | None],
    refs: Mapping[str, str | int],
) -> list[Finding]:
    """Say which spenders can take which tokens now; refs: the block at which allowances were asked."""
    found: list[Finding] = []
    for one in allowed:
        if one.value == 0:
            continue
        facts = {**refs, "spender": "0x" + one.spender.hex()}
        if one.log is not None:
            facts |= {"approval_height": one.log[0], "approval_tx": one.log[1]}
        if one.value is None:
            text = f"{one.token.symbol} does not answer what 0x{one.spender.hex()} may take"
            found.append(
                _found("allowance", Severity.WARN, subject, one.token, text, facts, who=one.spender, shown=False)
            )
            continue
        found.append(_allowed(subject, one, one.value, balances.get(one.token.id), facts))
    return found


def _allowed(
    subject: Subject, one: Allowance, value: int, balance: int | None, facts: Mapping[str, str | int]
) -> Finding:
    much = "any amount (unlimited)" if value in UNLIMITED else f"up to {value} base units"
    text = f"0x{one.spender.hex()} may take {much} of {one.token.symbol}"
    facts = {**facts, "value": str(value), "unlimited": "yes" if value in UNLIMITED else "no"}
    if balance is not None:
        facts["balance"] = str(balance)
        facts["at_risk"] = str(min(value, balance))
        text += f", of {balance} that are there"
    if one.spender == PERMIT2:
        text += "; it is Permit2: a message that was signed off-chain, once, may move them with no further transaction"
    severity = Severity.WARN if balance == 0 else Severity.CRITICAL
    return _found("permit2" if one.spender == PERMIT2 else "allowance", severity, subject, one.token, text, facts,
                  who=one.spender, rule=Rule.APPROVE)  # fmt: skip


def issuer_powers(
    subject: Subject, issued: Issued, declared: str | None, refs: Mapping[str, str | int]
) -> list[Finding]:
    """Say what a token's issuer did or can do to a holder; declared: the class that the operator gives the token."""
    token = issued.token
    facts = {**refs, "contract": token.id.rpartition(":")[2]}
    facts |= {} if issued.balance is None else {"balance": str(issued.balance)}
    found: list[Finding] = []
    if issued.balance is None:
        found.append(
            _found("balance", Severity.WARN, subject, token, f"{token.symbol} gives no balance", facts, shown=False)
        )
    silent = [] if not issued.fallback else ["anything: it answers functions that do not exist"]
    paused = None if issued.fallback else bool_word(issued.paused)
    frozen = {} if issued.fallback else {name: truth for name, word in issued.frozen.items()
                                         if (truth := bool_word(word)) is not None}  # fmt: skip
    if paused:
        text = f"{token.symbol} is paused: nobody can move it until its issuer lifts that"
        found.append(_found("paused", Severity.CRITICAL, subject, token, text, facts | {"call": PAUSED}))
    if any(frozen.values()):
        name = next(name for name, truth in frozen.items() if truth)
        text = f"the issuer of {token.symbol} has frozen this account: {name} says so"
        found.append(_found("frozen", Severity.CRITICAL, subject, token, text, facts | {"call": name}))
    if not silent:
        silent = [PAUSED] * (paused is None) + ["/".join(FROZEN)] * (not frozen)
    if silent:
        text = f"{token.symbol} does not answer {', '.join(silent)}: whether it is paused or frozen is not shown"
        found.append(_found("issuer-silent", Severity.INFO, subject, token, text, facts, shown=False))
    if frozen and not any(frozen.values()):
        text = f"the issuer of {token.symbol} can freeze this account, and has not: {', '.join(frozen)}"
        found.append(_found("freezable", Severity.WARN, subject, token, text, facts))
    if issued.owner is not None and not issued.fallback:
        text = f"{token.symbol} names 0x{issued.owner.hex()} as its owner, who may have powers over all balances"
        found.append(_found("token-owner", Severity.WARN, subject, token, text, facts, who=issued.owner))
    for one in proxy_powers(subject, issued.contract, facts, f"the token {token.symbol}"):
        severity = Severity.WARN  # an issuer's power over all holders, not a hold on this one
        found.append(replace(one, rule=Rule.ISSUER, asset=token.id, severity=severity))
    if issued.permits and not issued.fallback:
        text = f"{token.symbol} takes permits (EIP-2612): a message signed off-chain lets a spender take it"
        found.append(_found("permit", Severity.WARN, subject, token, text, facts, rule=Rule.APPROVE))
    found.append(_declared(subject, token, declared, facts))
    return found


def _declared(subject: Subject, token: Asset, declared: str | None, facts: Mapping[str, str | int]) -> Finding:
    if declared is None:
        text = f"whether balances of {token.symbol} change without a transfer no call can show; no class is declared"
        return _found("token-class", Severity.INFO, subject, token, text, facts, shown=False)
    text = f"{token.symbol} is declared {declared} by the operator"
    severity = Severity.INFO
    if declared == "rebasing":
        text += ": its balances change without transfers"
        severity = Severity.WARN
    found = _found("token-class", severity, subject, token, text, {**facts, "class": declared})
    return replace(found, lane=Lane.ATTESTED)


def _found(
    kind: str,
    severity: Severity,
    subject: Subject,
    token: Asset,
    text: str,
    refs: Mapping[str, str | int],
    *,
    who: bytes | None = None,
    shown: bool = True,
    rule: Rule | None = None,
) -> Finding:
    rule = rule or (Rule.APPROVE if kind == "allowance" else Rule.ISSUER)
    return Finding(
        kind, severity, rule, subject, text, Lane.REPORTED, asset=token.id, who=who, refs=dict(refs), shown=shown
    )
