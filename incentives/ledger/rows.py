"""Lines as rows of tables, and the statements that insert them.

Core.
"""

import hashlib
from typing import Any, Final

from solders.pubkey import Pubkey

from incentives.ledger.encoding import event_id
from incentives.lines import EpochClose
from incentives.roots import parts_of
from incentives.sourced import SourcedEvent
from programs.event_layout import HEAD

Row = tuple[Any, ...]

STATEMENTS: Final = {
    "config_version": "INSERT INTO config_version (seq, version, parameters) VALUES (?, ?, ?)",
    "event": "INSERT INTO event (seq, slot, tx_index, instruction, inner, signature, id, kind, series, sequence, "
    "payload, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "account": "INSERT INTO account (id, wallet, role) VALUES (?, ?, ?)",
    "epoch": "INSERT INTO epoch (seq, epoch, start_slot, end_slot, rolled_over, emitted, allocated, "
    "claim_denominator, is_scaled, rules_version, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "epoch_allocation": "INSERT INTO epoch_allocation (epoch, wallet, claim_numerator, amount) VALUES (?, ?, ?, ?)",
    "payout": "INSERT INTO payout (id, epoch, wallet, part, leaf, amount) VALUES (?, ?, ?, ?, ?, ?)",
    "transfer": "INSERT INTO transfer (seq, cause_seq, leg, code, slot, debit, credit, amount, epoch, "
    "rules_version, inputs) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "boosted_trade": "INSERT INTO boosted_trade (seq, trade_number, cause_seq, wallet, slot, is_voided) "
    "VALUES (?, ?, ?, ?, ?, ?)",
    "anomaly": "INSERT INTO anomaly (seq, kind, cause, slot, reason) VALUES (?, ?, ?, ?, ?)",
    "root_posted": "UPDATE payout SET root_seq = ? WHERE epoch = ? AND wallet = ?",
    "paid": "UPDATE payout SET state = 'posted', paid_seq = ? WHERE epoch = ? AND wallet = ?",
}
"""In the order in which rows may refer to each other."""


def event_row(seq: int, event: SourcedEvent, head: bytes) -> Row:
    """Return the row of an event; what its bytes begin with is in columns of its own."""
    place = event.place
    _version, kind, _, series, sequence, _slot = HEAD.unpack_from(event.payload)
    return (
        seq,
        place.slot,
        place.tx_index,
        place.instruction,
        place.inner,
        event.signature,
        event_id(event),
        kind,
        series,
        sequence,
        event.payload,
        head,
    )


def epoch_row(seq: int, close: EpochClose, rules_version: int, head: bytes) -> Row:
    """Return the row of a close."""
    return (
        seq,
        close.epoch,
        close.start_slot,
        close.end_slot,
        close.rolled_over,
        close.emitted,
        sum(each.amount for each in close.allocations),
        str(close.claim_denominator),
        close.is_scaled,
        rules_version,
        head,
    )


def allocation_rows(close: EpochClose) -> list[Row]:
    """Return what a close owes each wallet."""
    return [
        (close.epoch, each.wallet, str(each.claim_numerator), each.amount)
        for each in close.allocations
    ]


def payout_rows(close: EpochClose, mint: str) -> list[Row]:
    """Return the leaves of a close's roots, each with its part and its number in it."""
    mint_address = Pubkey.from_string(mint)
    return [
        (
            payout_id(close.epoch, Pubkey.from_string(each.wallet), mint_address),
            close.epoch,
            each.wallet,
            part,
            leaf,
            each.amount,
        )
        for part, leaves in enumerate(parts_of(close.allocations))
        for leaf, each in enumerate(leaves)
    ]


def snapshot_row(seq: int, through_slot: int, body: str) -> Row:
    """Return the rules' memory after a line; its hash is not part of the chain of hashes, for a snapshot is no history."""
    text = f"{seq}|{through_slot}|{body}"
    return seq, through_slot, body, hashlib.sha256(text.encode()).digest()


def payout_id(epoch: int, wallet: Pubkey, mint: Pubkey) -> bytes:
    """Return what identifies a payout: one per epoch, wallet and mint."""
    return hashlib.sha256(epoch.to_bytes(8, "little") + bytes(wallet) + bytes(mint)).digest()


def account_key(path: str) -> tuple[str | None, str]:
    """Return the wallet, if it is one's, and the role of the account that a path names."""
    wallet, _, role = path.removeprefix("wallet/").rpartition("/")
    return wallet or None, role
