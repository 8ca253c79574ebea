"""Closed epochs as they are published, read from the ledger.

Shell. The trees are hashed from the ledger's own allocations, and so is the root that strangers compare with the chain's.
"""

import json
from collections.abc import Iterator

from solders.pubkey import Pubkey
from sqlite_utils import Database

from incentives.ledger.opened import read_identity
from incentives.lines import Allocation, EpochClose
from incentives.manifests import Anchor
from incentives.publish.published import PublishedEpoch, PublishedRoot
from incentives.roots import roots_of
from programs.addresses import epoch_address


def published_epochs(db: Database) -> Iterator[PublishedEpoch]:
    """Yield every closed epoch, in order; one is in memory at a time.

    Raises:
        UnpayableError: an epoch's allocations make no roots.
    """
    identity = read_identity(db)
    program = Pubkey.from_string(identity.program)
    for row in db.query("SELECT * FROM epoch_report ORDER BY epoch"):
        parameters = _parameters(db, row["rules_version"])
        anchor = Anchor(
            genesis_hash=identity.genesis_hash,
            program=program,
            head=row["head"],
            formula_version=parameters["formula_version"],
            rules_version=row["rules_version"],
        )
        close = EpochClose(
            epoch=row["epoch"],
            start_slot=row["start_slot"],
            end_slot=row["end_slot"],
            rolled_over=row["rolled_over"],
            emitted=row["emitted"],
            claim_denominator=1,
            is_scaled=bool(row["is_scaled"]),
            allocations=_leaves(db, row["epoch"]),
        )
        yield PublishedEpoch(
            number=close.epoch,
            start_slot=close.start_slot,
            end_slot=close.end_slot,
            emitted=close.emitted,
            rolled_over=close.rolled_over,
            allocated=row["allocated"],
            is_scaled=close.is_scaled,
            anchor=anchor,
            roots=_roots(db, close, program, parameters["epoch_slots"]),
        )


def _parameters(db: Database, version: int) -> dict[str, int]:
    row = db.conn.execute(
        "SELECT parameters FROM config_version WHERE version = ?", [version]
    ).fetchone()
    found: dict[str, int] = json.loads(row[0])
    return found


def _leaves(db: Database, epoch: int) -> tuple[Allocation, ...]:
    """Read what an epoch pays, in the order of its leaves."""
    rows = db.conn.execute(
        "SELECT wallet, amount FROM payout WHERE epoch = ? ORDER BY part, leaf", [epoch]
    )
    return tuple(
        Allocation(wallet=wallet, claim_numerator=amount, amount=amount) for wallet, amount in rows
    )


def _roots(
    db: Database, close: EpochClose, program: Pubkey, epoch_slots: int
) -> tuple[PublishedRoot, ...]:
    standings = {
        part: (signature, paid)
        for part, signature, paid in db.conn.execute(
            "SELECT part, max(root_signature), sum(state = 'posted') FROM payout_report WHERE epoch = ? GROUP BY part",
            [close.epoch],
        )
    }
    return tuple(
        PublishedRoot(
            account=str(epoch_address(program, tree.epoch, tree.index)[0]),
            tree=tree,
            posted=standings[part][0],
            paid_leaves=standings[part][1],
        )
        for part, tree in enumerate(roots_of(close, epoch_slots))
    )
