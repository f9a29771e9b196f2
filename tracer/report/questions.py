"""The questions that people ask of a case or a store, and the command or view that answers each."""

from collections.abc import Callable
from dataclasses import dataclass

from tracer.custody.case import LegKind
from tracer.errors import OperatorError
from tracer.report import casehistory, casestatus, custody, inventory
from tracer.report import licensed as receivers
from tracer.report.answer import CONTRADICTED, NOT_SHOWN, SHOWN, Answer, Check, Row
from tracer.report.places import begin, case_chains
from tracer.store.reader import Reader

OFFICER, CUSTODIAN, EXCHANGE, AUDITOR = (
    "Case officer",
    "Custody officer",
    "Exchange compliance",
    "Auditor, court expert",
)
ANALYST, OPERATOR = "Analyst", "Operator"


class NoQuestion(OperatorError):
    """A question that nobody has prepared, or one that lacks its case."""

    fix = "`tracer answer` lists the questions."


@dataclass(frozen=True, slots=True)
class Question:
    """A question: who asks it, in words, and what answers it.

    ask: an answer for a case. rows: rows instead, or sql: rows of documented views; `:ref` is the case. None of them:
    another command answers it, which `by` names. judge: the checks that the rows give.
    """

    id: str
    who: str
    asks: str
    by: str
    ask: Callable[[Reader, str], Answer] | None = None
    rows: Callable[[Reader, str], list[Row]] | None = None
    sql: str = ""
    of_case: bool = True
    judge: Callable[[list[Row]], list[Check]] | None = None


def touched(rows: list[Row]) -> list[Check]:
    """Nobody touched it if no alert says so."""
    return [Check(row["rule"], row["leg_ref"] or "-", CONTRADICTED, row["message"]) for row in rows]


def attested(rows: list[Row]) -> list[Check]:
    """Every receiver of a deposit or of the agency is attested."""
    bare = [row for row in rows if row["document_sha256"] is None]
    return [Check("EXC-2", row["watch_ref"], NOT_SHOWN, "nobody attested this address") for row in bare]


def legs_shown(rows: list[Row]) -> list[Check]:
    """The legs are as their verdicts say."""
    return [Check("LEG-5", row["leg_ref"], row["verdict"], row["reason"]) for row in rows]


def balances_agree(rows: list[Row]) -> list[Check]:
    """The last balance checks found what was observed."""
    odd = [row for row in rows if row["unobserved"] not in (None, "0")]
    return [Check("VALUE-1", row["address"], CONTRADICTED, "a balance is not what was observed") for row in odd]


def nodes_agree(rows: list[Row]) -> list[Check]:
    """No node shows another block than ours."""
    odd = [row for row in rows if row["differs_from"] is not None]
    words = "another block than ours at height"
    return [Check("RECON-2", row["source"], CONTRADICTED, f"{words} {row['differs_from']}") for row in odd]


def equations(rows: list[Row]) -> list[Check]:
    """Seized and credited is held, delivered, paid as fees or unexplained, in every row."""
    signs = {"seized": 1, "credits": 1, "held": -1, "delivered": -1, "fees": -1, "unexplained": -1}
    odd = [row for row in rows if sum(sign * int(row[term]) for term, sign in signs.items())]
    return [
        Check("RECON-3", f"{row['chain']} {row['symbol']}", CONTRADICTED, f"does not close at block {row['height']}")
        for row in odd
    ]


def leg_sql(*kinds: LegKind) -> str:
    """The legs of some kinds, as v_leg has them."""
    names = ", ".join(f"'{kind.value}'" for kind in kinds)
    columns = "leg_ref, kind, target, target_address, planned, arrived, decimals, symbol, verdict, reason, lane"
    return f"SELECT {columns} FROM v_leg WHERE case_ref = :ref AND kind IN ({names}) ORDER BY leg_number"


QUESTIONS = (
    Question("where-does-it-stand", OFFICER, "Where does the case stand?", "case status", casestatus.case_status),
    Question("what-is-missing", OFFICER, "What is missing for the next stage?", "case status", casestatus.case_status),
    Question(
        "what-was-seized",
        OFFICER,
        "What was seized, what of it is declared only, and what do others say? Compared, never added",
        "v_ledger, v_record",
        rows=inventory.inventory,
        judge=inventory.doubtful,
    ),
    Question("was-everything-moved", OFFICER, "Was everything moved as planned?", "legs", custody.legs),
    Question(
        "did-anyone-touch-it",
        OFFICER,
        "Did anybody move something outside a leg, or in a hold?",
        "v_alert",
        sql="SELECT alert_id, at_utc, rule, severity, leg_ref, message, state FROM v_alert WHERE case_ref = :ref AND"
        " rule IN ('LEG-1', 'KEY-1', 'COLD-1', 'HOLD-1', 'VALUE-1') AND state NOT IN ('mined', 'voided')"
        " ORDER BY alert_id",
        judge=touched,
    ),
    Question("is-unexplained-zero", OFFICER, "Has every base unit its place?", "reconcile", custody.reconcile),
    Question(
        "is-it-attested",
        CUSTODIAN,
        "Which addresses of the plan are attested, by whom, until when?",
        "v_leg, v_attestation",
        sql="SELECT DISTINCT l.target AS watch_ref, l.target_address AS address, a.institution, a.document_sha256,"
        " strftime('%Y-%m-%dT%H:%M:%SZ', a.valid_from, 'unixepoch') AS valid_from_utc,"
        " strftime('%Y-%m-%dT%H:%M:%SZ', a.valid_to, 'unixepoch') AS valid_to_utc, 'ATTESTED' AS lane"
        " FROM v_leg l LEFT JOIN v_attestation a ON a.case_ref = l.case_ref AND a.watch_ref = l.target"
        " WHERE l.case_ref = :ref AND l.kind IN ('RECEIVE', 'DEPOSIT', 'RETURN') ORDER BY 1, 5",
        judge=attested,
    ),
    Question(
        "has-my-test-arrived",
        CUSTODIAN,
        "Have the test transfers arrived, and are they confirmed?",
        "v_leg",
        sql=leg_sql(LegKind.TEST),
        judge=legs_shown,
    ),
    Question("may-i-broadcast", CUSTODIAN, "Is this transaction as the leg asks?", "tracer precheck CASE LEG FILE"),
    Question(
        "whose-deposit",
        EXCHANGE,
        "Which deposit is which case's and leg's, and is it final?",
        "v_leg_arrival",
        sql="SELECT a.leg_ref, a.address, a.amount, a.decimals, a.symbol, a.outpoint, a.txid, a.height,"
        " a.confirmations, a.final FROM v_leg_arrival a JOIN v_leg l ON l.case_ref = a.case_ref"
        " AND l.leg_ref = a.leg_ref WHERE a.case_ref = :ref AND l.kind IN ('DEPOSIT', 'RETURN') ORDER BY a.movement_id",
    ),
    Question("from-the-seizure", EXCHANGE, "Do these coins come from the seizure?", "tracer origins TXID:N"),
    Question(
        "was-it-licensed",
        EXCHANGE,
        "Was the exchange licensed when the deposit arrived?",
        "v_leg, v_record",
        rows=receivers.deposits,
        judge=receivers.licensed,
    ),
    Question(
        "balance-at-a-block",
        AUDITOR,
        "What did the case hold after each block? `tracer reconcile` works the last one out anew",
        "v_ledger",
        sql="SELECT chain, height, time_utc, symbol, seized, credits, held, delivered, fees, unexplained, decimals"
        " FROM v_ledger WHERE case_ref = :ref ORDER BY chain, symbol, height",
        judge=equations,
    ),
    Question("every-edit", AUDITOR, "What was filed, and what changed?", "case history", casehistory.case_history),
    Question(
        "what-is-only-attested",
        AUDITOR,
        "Which facts rest on what somebody filed?",
        "v_record, v_verdict",
        sql="SELECT 'record' AS what, kind || ' ' || record_ref AS subject, record_lane AS lane, document_sha256"
        " FROM v_record WHERE case_ref = :ref AND record_lane = 'ATTESTED' UNION ALL SELECT 'verdict', leg_ref, lane,"
        " NULL FROM v_verdict WHERE case_ref = :ref AND lane = 'ATTESTED'",
    ),
    Question(
        "what-rests-on-heuristics",
        AUDITOR,
        "Which alerts rest on labels or heuristics?",
        "v_alert",
        sql="SELECT alert_id, rule, message, alert_lane AS lane, state FROM v_alert WHERE case_ref = :ref"
        " AND alert_lane = 'INFERRED' ORDER BY alert_id",
    ),
    Question("forward", ANALYST, "Where did this coin go?", "tracer trace REF"),
    Question("backward", ANALYST, "Where did this deposit come from?", "tracer origins TXID:N"),
    Question("boundaries", ANALYST, "Where do traces stop, with which amounts?", "tracer frontier"),
    Question("differences", ANALYST, "Where do the methods differ?", "tracer divergence CASE"),
    Question("in-sync", OPERATOR, "Is the store in step with its nodes?", "tracer status --now"),
    Question(
        "nodes-agree",
        OPERATOR,
        "Do the nodes show the same blocks?",
        "v_source",
        sql="SELECT chain, source, kind, active, vouched_height, differs_from FROM v_source ORDER BY chain, source",
        of_case=False,
        judge=nodes_agree,
    ),
    Question(
        "reorgs",
        OPERATOR,
        "Which blocks left the chain?",
        "v_block_all",
        sql="SELECT chain, height, block_hash, time_utc FROM v_block_all WHERE NOT canonical ORDER BY chain, height",
        of_case=False,
    ),
    Question(
        "last-reconciliation",
        OPERATOR,
        "When were balances last held against what was observed?",
        "v_balance_check",
        sql="SELECT chain, address, symbol, height, unobserved FROM v_balance_check ORDER BY height DESC LIMIT 50",
        of_case=False,
        judge=balances_agree,
    ),
    Question(
        "what-would-be-rescanned",
        OPERATOR,
        "What is read again for late watches?",
        "v_backfill",
        sql="SELECT case_ref, chain, from_height, done_height, to_go, state FROM v_backfill ORDER BY backfill_id",
        of_case=False,
    ),
)
BY_ID = {question.id: question for question in QUESTIONS}


def answer(reader: Reader, question: str | None, case_ref: str | None) -> Answer:
    """Answer a question about a case, or list all questions; raises NoQuestion."""
    if question is None:
        listed = begin(reader, "questions", case_chains(reader, None))
        listed.data = {"questions": [said(one) for one in QUESTIONS]}
        listed.checks.clear()
        return listed
    found = BY_ID.get(question)
    if found is None:
        raise NoQuestion(f"nobody prepared the question {question!r}")
    if found.ask is None and found.rows is None and not found.sql:
        raise NoQuestion(f"{found.asks} Another command answers that", f"Run `{found.by}`.")
    if found.of_case and case_ref is None:
        raise NoQuestion(f"the question {question} is about a case", f"Write `tracer answer {question} CASE`.")
    if found.ask is not None:
        return found.ask(reader, case_ref or "")
    done = begin(reader, "answer", case_chains(reader, case_ref))
    if found.rows is not None:
        rows = found.rows(reader, case_ref or "")
    else:
        rows = reader.rows(found.sql, **({"ref": case_ref} if found.of_case else {}))
    done.data = {"question": said(found), "rows": rows}
    if found.judge is not None:
        done.checks += found.judge(rows) or [Check("ANSWER", question, SHOWN, "nothing speaks against it")]
    done.lanes += [row["lane"] for row in rows if row.get("lane")]
    return done


def said(question: Question) -> Row:
    """A question as it is listed."""
    return {"question": question.id, "who": question.who, "asks": question.asks, "by": question.by}


def document() -> str:
    """The questions as docs/questions.md has them; a test holds the file against this."""
    lines = [
        "# Questions",
        "",
        "What people ask of a case or a store, and the command or view that answers it. `tracer answer` lists them;",
        "`tracer answer QUESTION CASE` answers those that name no other command.",
    ]
    who = ""
    for one in QUESTIONS:
        if one.who != who:
            who = one.who
            lines += ["", f"## {who}", "", "| question | asks | answered by |", "| --- | --- | --- |"]
        lines.append(f"| `{one.id}` | {one.asks} | {one.by} |")
    return "\n".join(lines) + "\n"
