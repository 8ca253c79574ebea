"""Where the incentives stand, in one object: what a run reports at its end.

Shell. Amounts are MMT base units as text, for they may pass 2**53.
"""

from typing import Any, Final

from sqlite_utils import Database

from incentives.ledger.errors import LedgerError
from incentives.ledger.recorded import read_progress

_EPOCHS: Final = """
    SELECT count(*), coalesce(sum(wallets > 0), 0), coalesce(sum(wallets > 0 AND wallets = roots_known), 0),
        coalesce(sum(wallets > 0 AND wallets = wallets_paid), 0), coalesce(max(epoch), -1),
        coalesce(sum(emitted), 0), coalesce(sum(allocated), 0), coalesce(sum(paid), 0)
    FROM (SELECT *, (SELECT count(*) FROM payout WHERE payout.epoch = epoch_report.epoch AND root_seq IS NOT NULL)
        AS roots_known FROM epoch_report)"""
_COUNTS: Final = """
    SELECT (SELECT count(*) FROM event), (SELECT count(*) FROM transfer), (SELECT count(*) FROM anomaly),
        (SELECT count(*) FROM boosted_trade WHERE is_voided = 0),
        (SELECT count(DISTINCT wallet) FROM payout WHERE state = 'posted'),
        (SELECT max(version) FROM config_version)"""


def standing(db: Database) -> dict[str, Any]:
    """Return what the ledger says of all epochs.

    Raises:
        LedgerError: nothing is in it yet.
    """
    progress = read_progress(db)
    if progress is None:
        raise LedgerError("the ledger is empty: nothing has been read of the chain yet")
    closed, with_rewards, posted, paid, last, emitted, owed, paid_out = db.conn.execute(
        _EPOCHS
    ).fetchone()
    events, transfers, anomalies, boosted, wallets, version = db.conn.execute(_COUNTS).fetchone()
    return {
        "through_slot": progress.through_slot,
        "epochs_closed": closed,
        "last_epoch_closed": last if closed else None,
        "epochs_with_rewards": with_rewards,
        "epochs_posted": posted,
        "epochs_paid": paid,
        "emitted": str(emitted),
        "owed": str(owed),
        "paid": str(paid_out),
        "wallets_paid": wallets,
        "trades_boosted": boosted,
        "events": events,
        "transfers": transfers,
        "anomalies": anomalies,
        "rules_version": version,
        "lines": progress.seq,
        "head": progress.head.hex(),
    }
