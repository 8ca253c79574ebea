"""Is every leaf of every root where its transfers say.

Shell.
"""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from solders.pubkey import Pubkey
from sqlite_utils import Database

from incentives.ledger.opened import read_identity
from incentives.ledger.rows import payout_id
from incentives.ledger.verifying.finding import Finding
from programs.merkle import LEAVES_MAX

_MOVED: Final = """
    SELECT transfer.epoch, account.wallet, max(cause_seq), sum(amount), count(*) FROM transfer
    JOIN account ON account.id = transfer.credit WHERE code = ? GROUP BY transfer.epoch, account.id"""


class Moved(NamedTuple):
    """What a leaf's transfers of one code moved."""

    cause_seq: int
    amount: int
    times: int


def check_payouts(db: Database) -> Iterator[Finding]:
    """Compare payouts with allocations, leaf by leaf, and their states with roots and payments."""
    mint = Pubkey.from_string(read_identity(db).mint)
    roots, payments = _moved(db, "root"), _moved(db, "payout")
    for (epoch,) in db.conn.execute("SELECT epoch FROM epoch ORDER BY epoch").fetchall():
        found = {
            wallet: tuple(rest)
            for wallet, *rest in db.conn.execute(
                "SELECT wallet, id, part, leaf, amount, state, root_seq, paid_seq FROM payout WHERE epoch = ?",
                [epoch],
            )
        }
        for number, (address, amount) in enumerate(_leaves(db, epoch)):
            wallet = str(address)
            named = (payout_id(epoch, address, mint), *divmod(number, LEAVES_MAX), amount)
            root, payment = roots.pop((epoch, wallet), None), payments.pop((epoch, wallet), None)
            yield from _check_name(epoch, wallet, named, found.get(wallet))
            yield from _check_state(epoch, wallet, found.pop(wallet, None), root, payment)
            yield from _check_moved(epoch, wallet, amount, "root", root)
            yield from _check_moved(epoch, wallet, amount, "payment", payment)
        for wallet in found:
            yield Finding(
                "payouts",
                f"there is a payout of epoch {epoch} to {wallet}, to whom it owes nothing",
            )
    for what, left in (("root", roots), ("payment", payments)):
        for epoch, wallet in left:
            yield Finding(
                "payouts",
                f"a {what} of epoch {epoch} moves MMT of {wallet}, to whom it owes nothing",
            )


def _moved(db: Database, code: str) -> dict[tuple[int, str], Moved]:
    return {
        (epoch, wallet): Moved(*rest) for epoch, wallet, *rest in db.conn.execute(_MOVED, [code])
    }


def _leaves(db: Database, epoch: int) -> list[tuple[Pubkey, int]]:
    rows = db.conn.execute(
        "SELECT wallet, amount FROM epoch_allocation WHERE epoch = ? AND amount > 0", [epoch]
    )
    leaves = [(Pubkey.from_string(wallet), amount) for wallet, amount in rows]
    return sorted(leaves, key=lambda leaf: bytes(leaf[0]))


def _check_name(
    epoch: int, wallet: str, named: tuple[Any, ...], row: tuple[Any, ...] | None
) -> Iterator[Finding]:
    _, part, leaf, amount = named
    if row is None:
        yield Finding(
            "payouts", f"epoch {epoch} owes {wallet} {amount} base units and has no payout for it"
        )
    elif row[:4] != named:
        yield Finding(
            "payouts",
            f"the payout of epoch {epoch} to {wallet} is {row[3]} base units as leaf {row[2]} of part {row[1]}, "
            f"expected {amount} as leaf {leaf} of part {part}, under the id that follows from it",
        )


def _check_state(
    epoch: int,
    wallet: str,
    row: tuple[Any, ...] | None,
    root: Moved | None,
    payment: Moved | None,
) -> Iterator[Finding]:
    if row is None:
        return
    state, root_seq, paid_seq = row[4:]
    due = "posted" if payment else "voided" if state == "voided" else "pending"
    if (state, root_seq, paid_seq) != (
        due,
        root and root.cause_seq,
        payment and payment.cause_seq,
    ):
        yield Finding(
            "payouts",
            f"the payout of epoch {epoch} to {wallet} is {state} by root {root_seq} and payment {paid_seq}, "
            f"its transfers say {due} by {root and root.cause_seq} and {payment and payment.cause_seq}",
        )


def _check_moved(
    epoch: int, wallet: str, amount: int, what: str, moved: Moved | None
) -> Iterator[Finding]:
    if moved is not None and (moved.amount, moved.times) != (amount, 1):
        yield Finding(
            "payouts",
            f"epoch {epoch} owes {wallet} {amount} base units once; its {what} moved {moved.amount} in {moved.times} transfers",
        )
