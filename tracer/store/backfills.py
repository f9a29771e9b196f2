"""The tables of late watches: what is read again for them, how far that has come, and what it replaced."""

from collections.abc import Sequence

from sqlalchemy import BigInteger, Connection, Index, text
from sqlmodel import Field, SQLModel

from tracer.store.spans import late_set


class BackfillRow(SQLModel, table=True):
    """The reading of blocks that were followed before a case named its watches, for one case on one chain.

    done_height, done_hash: the last block read; null hash: not begun. join_height: where blocks below the first that
    was followed are read, the height at which they must meet it; null once they do, or where there are none.
    published_*: the block at which it met the cursor, when all that follows from it was committed.
    """

    __tablename__ = "backfill"
    __table_args__ = (Index("ix_backfill_chain_id", "chain_id", "published_height"),)
    id: int | None = Field(default=None, primary_key=True)
    case_id: int = Field(foreign_key="cases.id")
    chain_id: int = Field(foreign_key="chain.id")
    from_height: int = Field(sa_type=BigInteger)
    done_height: int = Field(sa_type=BigInteger)
    done_hash: bytes | None = None
    join_height: int | None = Field(default=None, sa_type=BigInteger)
    published_at: int | None = Field(default=None, sa_type=BigInteger)
    published_height: int | None = Field(default=None, sa_type=BigInteger)
    published_hash: bytes | None = None


class UnfilledRow(SQLModel, table=True):
    """A block off the chain when a back-fill was published: should the chain return to it, it must be read again."""

    __tablename__ = "unfilled"
    backfill_id: int = Field(primary_key=True, foreign_key="backfill.id")
    block_id: int = Field(primary_key=True, foreign_key="block.id")


class SupersededRow(SQLModel, table=True):
    """A posting, holding, ledger row or trace that a back-fill of its case replaced, as JSON; verdicts stay rows."""

    __tablename__ = "superseded"
    __table_args__ = (Index("ix_superseded_backfill_id", "backfill_id", "kind"),)
    id: int | None = Field(default=None, primary_key=True)
    backfill_id: int = Field(foreign_key="backfill.id")
    kind: str
    body: str


def reopen(connection: Connection, chain_id: int, blocks: Sequence[int]) -> None:
    """Let cases be back-filled on, whose past was read while blocks were off the chain that come back now.

    They do not count until then; their reading goes on where it met the cursor, or where a reorg has cut it since.
    """
    marks = ", ".join(str(block) for block in blocks)
    old = connection.execute(
        text(
            "SELECT DISTINCT f.id FROM unfilled u JOIN backfill f ON f.id = u.backfill_id"
            f" WHERE u.block_id IN ({marks}) AND f.published_height IS NOT NULL ORDER BY f.id"
        )
    ).all()
    for (number,) in old:
        new = int(connection.execute(text("SELECT max(id) + 1 FROM backfill")).scalar_one())
        keys = {"new": new, "old": int(number), "from": late_set(int(number)), "to": late_set(new), "c": chain_id}
        connection.execute(
            text(
                "INSERT INTO backfill (id, case_id, chain_id, from_height, done_height, done_hash)"
                " SELECT :new, f.case_id, f.chain_id, f.from_height, v.to_height, v.end_hash FROM backfill f"
                " JOIN coverage v ON v.chain_id = f.chain_id AND v.watch_set = :from WHERE f.id = :old"
                " ORDER BY v.to_height DESC LIMIT 1"
            ),
            keys,
        )
        for table in ("watch", "seizure", "leg"):
            connection.execute(text(f"UPDATE {table} SET late_id = :new WHERE late_id = :old"), keys)
        connection.execute(text("DELETE FROM unfilled WHERE backfill_id = :old"), keys)
        connection.execute(text("UPDATE coverage SET watch_set = :to WHERE chain_id = :c AND watch_set = :from"), keys)
