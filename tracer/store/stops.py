"""Where a run stops because it was told to when it was registered: at coinjoins, and at labelled holders.

Both are INFERRED. They move no unit: they say where following ends, and only in runs that name them.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, text

from tracer.attribution.coinjoin import coinjoin
from tracer.attribution.labels import Label, snapshot
from tracer.attribution.nouns import Coin, TxShape
from tracer.store.labelled import labels_in_force, stored_labels
from tracer.taint.boundaries import COINJOIN
from tracer.taint.coins import StopOf
from tracer.taint.history import CoinTx
from tracer.types import Holder

ASKED_THEN = """p.imported_at <= :at AND (p.superseded_by IS NULL
    OR (SELECT n.imported_at FROM label_pack n WHERE n.id = p.superseded_by) > :at) ORDER BY l.id"""


@dataclass(frozen=True, slots=True)
class Stops:
    """The reasons of a run to stop, by holder and by transaction.

    labels_sha256: of the labels that were consulted, hex; empty if none were.
    """

    by_holder: StopOf | None = None
    by_transaction: Callable[[CoinTx], str | None] | None = None
    labels_sha256: str = ""


def stops(connection: Connection, stop_at: tuple[str, ...], caip2: str, at: int | None = None) -> Stops:
    """The reasons of a run on a chain; at: when it was registered, for labels as they were then."""
    categories = set(stop_at) - {COINJOIN}
    mixed = is_coinjoin if COINJOIN in stop_at else None
    if not categories:
        return Stops(None, mixed)
    labels = list(labels_in_force(connection) if at is None else stored_labels(connection, ASKED_THEN, at=at))
    named = labelled_holders([label for label in labels if label.chain == caip2], categories)
    return Stops(named.get, mixed, snapshot(labels).hex())


def labelled_holders(labels: list[Label], categories: set[str]) -> dict[Holder, str]:
    """The holders that carry one of some categories, with the reason to stop there: the first of them by name."""
    found: dict[Holder, str] = {}
    for label in sorted(labels, key=lambda label: label.category):
        if label.holder is not None and label.category in categories:
            found.setdefault(Holder(label.holder), f"label: {label.category}")
    return found


def categories(connection: Connection) -> list[str]:
    """The categories of the labels in force."""
    rows = connection.execute(
        text(
            "SELECT DISTINCT l.category FROM label l JOIN label_pack p ON p.id = l.pack_id"
            " WHERE p.superseded_by IS NULL AND l.category <> '' ORDER BY 1"
        )
    )
    return [str(category) for (category,) in rows]


def is_coinjoin(tx: CoinTx) -> str | None:
    """The reason to stop at a transaction that has the shape of a coinjoin."""
    shape = TxShape(
        bytes(32),
        tuple(Coin(spent.holder, spent.amount) for spent in tx.inputs),
        tuple(Coin(bytes(made.holder), made.amount) for made in tx.outputs),
        tx.fee,
    )
    return COINJOIN if coinjoin(shape) is not None else None
