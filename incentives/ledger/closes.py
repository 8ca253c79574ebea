"""A closed epoch out of the ledger, as far as its roots and manifests are made from it.

Shell.
"""

import json

from solders.pubkey import Pubkey
from sqlite_utils import Database

from incentives.ledger.errors import LedgerError
from incentives.ledger.opened import read_identity
from incentives.lines import Allocation, EpochClose
from incentives.manifests import Anchor


def load_close(db: Database, epoch: int) -> tuple[EpochClose, Anchor]:
    """Return what an epoch pays, in the order of its leaves, and what its manifests name of the ledger.

    Raises:
        LedgerError: it is not closed.
    """
    row = db.conn.execute(
        "SELECT start_slot, end_slot, rolled_over, emitted, claim_denominator, is_scaled, lower(hex(hash)), "
        "rules_version, parameters FROM epoch JOIN config_version ON version = rules_version WHERE epoch = ?",
        [epoch],
    ).fetchone()
    if row is None:
        raise LedgerError(f"epoch {epoch} is not closed in this ledger")
    identity, parameters = read_identity(db), json.loads(row[8])
    leaves = db.conn.execute(
        "SELECT payout.wallet, claim_numerator, payout.amount FROM payout JOIN epoch_allocation USING (epoch, wallet) "
        "WHERE epoch = ? ORDER BY part, leaf",
        [epoch],
    )
    close = EpochClose(
        epoch=epoch,
        start_slot=row[0],
        end_slot=row[1],
        rolled_over=row[2],
        emitted=row[3],
        claim_denominator=int(row[4]),
        is_scaled=bool(row[5]),
        allocations=tuple(
            Allocation(wallet=wallet, claim_numerator=int(numerator), amount=amount)
            for wallet, numerator, amount in leaves
        ),
    )
    anchor = Anchor(
        genesis_hash=identity.genesis_hash,
        program=Pubkey.from_string(identity.program),
        head=row[6],
        formula_version=parameters["formula_version"],
        rules_version=row[7],
    )
    return close, anchor


def unpaid_epochs(db: Database) -> list[int]:
    """Return the closed epochs that still owe something, in order."""
    found = db.conn.execute("SELECT DISTINCT epoch FROM payout WHERE state = 'pending' ORDER BY 1")
    return [row[0] for row in found]
