"""The bytes of each line that the hash chain runs over, and the chain itself.

Core. A line's hash is sha256(hash before ‖ its text). Texts are fields joined by `|`; no field but the last can contain one,
so no two lines have the same text. The first hash before is that of the ledger's identity: cluster, program and mint.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from incentives.lines import Anomaly, BoostedTrade, EpochClose, EventLine, Line, Transfer


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Which season of which platform a ledger is of."""

    genesis_hash: str
    """Of the cluster, base58."""
    program: str
    mint: str
    """Of MMT."""

    @property
    def seed(self) -> bytes:
        """The hash before the first line."""
        text = f"identity|{self.genesis_hash}|{self.program}|{self.mint}"
        return hashlib.sha256(text.encode()).digest()


def chained(before: bytes, text: str) -> bytes:
    """Return the hash of a line after another."""
    return hashlib.sha256(before + text.encode()).digest()


def canonical(value: object) -> str:
    """Return JSON that is the same wherever it is written."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def rules_text(version: int, parameters: str) -> str:
    """Return the text of a config version, which comes before the first line computed under it."""
    return f"rules|{version}|{parameters}"


def inputs_text(inputs: Mapping[str, int | str] | None) -> str | None:
    """Return a transfer's inputs as they are stored and hashed."""
    return None if inputs is None else canonical(dict(inputs))


def transfer_text(
    cause: str,
    leg: int,
    code: str,
    slot: int,
    debit: str,
    credit: str,
    amount: int,
    epoch: int,
    rules_version: int,
    inputs: str | None,
) -> str:
    """Return the text of a transfer."""
    return (
        f"transfer|{cause}|{leg}|{code}|{slot}|{debit}|{credit}|{amount}|{epoch}|{rules_version}|"
        f"{inputs or ''}"
    )


def event_text(source_id: str, slot: int, tx_index: int, payload: bytes) -> str:
    """Return the text of an event."""
    return f"event|{source_id}|{slot}|{tx_index}|{payload.hex()}"


def text_of(line: Line) -> str:
    """Return the text of any line."""
    match line:
        case Transfer():
            return transfer_text(
                line.cause,
                line.leg,
                line.code.value,
                line.slot,
                line.debit,
                line.credit,
                line.amount,
                line.epoch,
                line.rules_version,
                inputs_text(line.inputs),
            )
        case EventLine(event):
            place = event.place
            return event_text(event.source_id, place.slot, place.tx_index, event.payload)
        case EpochClose():
            allocations = "|".join(
                f"{each.wallet},{each.claim_numerator},{each.amount}" for each in line.allocations
            )
            return (
                f"close|{line.epoch}|{line.start_slot}|{line.end_slot}|{line.rolled_over}|"
                f"{line.emitted}|{line.claim_denominator}|{int(line.is_scaled)}|{allocations}"
            )
        case BoostedTrade():
            return (
                f"boosted|{line.trade_number}|{line.cause}|{line.wallet}|{line.slot}|"
                f"{int(line.is_voided)}"
            )
        case Anomaly():
            return f"anomaly|{line.kind}|{line.cause}|{line.slot}|{line.reason}"
