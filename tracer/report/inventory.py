"""Lists all that a case seized: exact where a chain is followed, as printed where one is not, and what others say."""

from tracer.custody.claims import agrees, read_printed
from tracer.custody.facts import AssetFacts, CaseFacts
from tracer.custody.records import DeclaredAsset, ExternalClaim
from tracer.report.answer import NOT_SHOWN, Check, Row
from tracer.report.casestatus import light_facts, preset_of
from tracer.store.filed import load_records
from tracer.store.reader import Reader
from tracer.types import Lane
from tracer.units import format_units

FOLLOWED, DECLARED, CLAIMED = "followed", "declared only", "claimed by others"


def inventory(reader: Reader, case_ref: str) -> list[Row]:
    """The assets of a case, then what others claim; nothing is added up.

    amount: base units where the row has decimals, else as it was printed. compared: what a claim is held against.
    """
    case_id, _ = preset_of(reader, case_ref)
    facts, _ = light_facts(reader, case_id)
    facts.put_records(load_records(reader.connection, case_id))
    seized = "SELECT c.name, s.height FROM seizure s JOIN chain c ON c.id = s.chain_id WHERE s.case_id = :c"
    heights = dict(reader.raw(seized, c=case_id))
    rows = [followed(asset, heights[asset.chain]) for asset in facts.assets if asset.seized]
    for _, body in facts.of("declared-asset", DeclaredAsset):
        rows.append(row_of(DECLARED, body.chain, body.symbol, body.amount, body.source, body.lane))
    for _, claim in facts.of("external-claim", ExternalClaim):
        row = row_of(CLAIMED, "", claim.unit, claim.number, claim.who, claim.lane)
        rows.append({**row, "compared": compared(claim, facts)})
    return rows


def followed(asset: AssetFacts, height: int) -> Row:
    """An asset whose chain is followed: what was seized of it, exactly, after the block of the seizure."""
    row = row_of(FOLLOWED, asset.chain, asset.symbol, str(asset.seized), f"{asset.chain} at {height}", Lane.REPORTED)
    return {**row, "decimals": asset.decimals}


def row_of(what: str, chain: str, symbol: str, amount: str, said_by: str, lane: Lane) -> Row:
    """A row as all have it."""
    return {
        "what": what,
        "chain": chain,
        "symbol": symbol,
        "amount": amount,
        "said_by": said_by,
        "lane": lane.name,
        "compared": "",
    }


def compared(claim: ExternalClaim, facts: CaseFacts) -> str:
    """Hold a claim against what was seized of its unit, each asset by itself, and against what is declared of it."""
    printed = read_printed(claim.number)
    said = []
    for asset in facts.assets:
        if asset.symbol == claim.unit and asset.seized:
            exact = f"{format_units(asset.seized, asset.decimals)} {asset.symbol} seized on {asset.chain}"
            fits = printed is not None and agrees(printed, asset.seized, asset.decimals)
            said.append(f"{'agrees with' if fits else UNREAD if printed is None else DIFFERS} {exact}")
    for _, body in facts.of("declared-asset", DeclaredAsset):
        if body.symbol == claim.unit:
            same = printed is not None and read_printed(body.amount) == printed
            said.append(f"{'prints the same as' if same else DIFFERS} {body.amount} {body.symbol} as declared")
    return "; ".join(said) or f"nothing of the case is in {claim.unit}"


DIFFERS, UNREAD = "differs from", "cannot be read, beside"


def doubtful(rows: list[Row]) -> list[Check]:
    """What of an inventory nobody can show: what is declared only, and claims that differ from what is there."""
    checks = []
    for row in rows:
        subject = f"{row['symbol']} {row['what']}"
        if row["what"] == DECLARED:
            text = f"{row['amount']} {row['symbol']} is as {row['said_by']} printed it: its chain is not followed"
            checks.append(Check("INV-1", subject, NOT_SHOWN, text))
        elif row["what"] == CLAIMED and not row["compared"].startswith(("agrees", "prints the same")):
            text = f"{row['said_by']}: {row['amount']} {row['symbol']} {row['compared']}"
            checks.append(Check("INV-1", subject, NOT_SHOWN, text))
    return checks
