"""What a test reads of the lives of transfers."""

from harness.scene import Scene

WAIT_S = 60.0


def life(scene: Scene, txid: str) -> list[tuple[str, int | None, str | None, str | None]]:
    """The events of a transaction: state, height of the block, other transaction, what both spend."""
    return scene.stored.rows(
        "SELECT state, height, other, shared FROM v_transfer_event WHERE txid = ? ORDER BY event_id", txid
    )


def states(scene: Scene, txid: str) -> list[str]:
    """The states of a transaction, oldest first."""
    return [row[0] for row in life(scene, txid)]


def until(scene: Scene, txid: str, *wanted: str) -> None:
    """Wait until a transaction has had exactly these states."""
    scene.daemon.until(lambda: states(scene, txid) == list(wanted), f"{wanted} of {txid}", WAIT_S)


def told(scene: Scene, txid: str) -> list[tuple[str, str]]:
    """Rule and message of the alerts about a transaction."""
    return scene.stored.rows("SELECT rule, message FROM v_alert WHERE txid = ? ORDER BY alert_id", txid)
