"""Rows as another package would hand them over: only the attributes count."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class JobRow:
    job_id: str = "liquidate:A"
    kind: str = "liquidate"
    target: str = "A"
    effect: str = "shares=100"


@dataclass(frozen=True)
class AttemptRow:
    signature_text: str = "s" * 88
    jobs: tuple[JobRow, ...] = field(default=(JobRow(),))
    lane: str = "liquidations"
    wire: bytes = b"\x01" * 200
    blockhash_text: str = "b" * 44
    last_valid_block_height: int = 150
    created_slot: int = 1
    cu_limit: int = 200_000
    cu_price_micro_lamports: int = 1_000
    fee_bid_lamports: int = 5_200
    signed_minute: int | None = 29_000_000
    rent_lamports: int = 0


@dataclass(frozen=True)
class EndRow:
    state: str = "landed"
    slot: int | None = 7
    err: str | None = None
    cu_used: int | None = 150_000
    fee_lamports: int | None = 5_200
    is_finalized: bool = False
    signature_text: str = "s" * 88


@dataclass(frozen=True)
class FactsRow:
    signature_text: str = "s" * 88
    slot: int = 7
    cu_used: int | None = 150_000
    fee_lamports: int = 5_200
