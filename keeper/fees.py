"""The priority fee to bid, and whether a job pays for itself. Integers; every rounding costs us, not the cap."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from programs.units import (
    SIGNATURE_FEE_LAMPORTS,
    Bps,
    ComputeUnits,
    Lamports,
    MicroLamports,
)

_BPS: Final = 10_000
_MICRO: Final = 1_000_000

PERCENTILE: Final = Bps(7_500)
CU_PRICE_MIN: Final = MicroLamports(1_000)
CU_PRICE_MAX: Final = MicroLamports(5_000_000)
VALUE_SHARE: Final = Bps(5_000)
NO_LOSS: Final = Lamports(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeePolicy:
    """How much may be spent on landing."""

    percentile_bps: Bps = PERCENTILE
    """Where in the recent fees to bid."""
    cu_price_min: MicroLamports = CU_PRICE_MIN
    cu_price_max: MicroLamports = CU_PRICE_MAX
    value_share_bps: Bps = VALUE_SHARE
    """Of what a batch earns, at most this much is bid as priority fee."""
    loss_max_lamports: Lamports = NO_LOSS
    """What solvency work may lose per transaction; 0 refuses every loss."""

    def __post_init__(self) -> None:
        """Refuse rates outside 0 to 1 and an empty range."""
        for name in ("percentile_bps", "value_share_bps"):
            if not 0 <= getattr(self, name) <= _BPS:
                raise ValueError(f"{name} is {getattr(self, name)}, expected 0 to {_BPS}")
        if not 0 <= self.cu_price_min <= self.cu_price_max:
            raise ValueError(
                f"cu_price_min is {self.cu_price_min}, "
                f"expected 0 to cu_price_max, {self.cu_price_max}"
            )
        if self.loss_max_lamports < 0:
            raise ValueError(f"loss_max_lamports is {self.loss_max_lamports}, expected 0 or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bid:
    """What to pay."""

    cu_price_micro_lamports: MicroLamports
    fee_lamports: Lamports
    """Signatures and priority, charged on failure too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoBid:
    """Why not to send."""

    reason: str


def recent_floor(recent: Sequence[MicroLamports], percentile_bps: Bps) -> MicroLamports:
    """Read a percentile (nearest rank, upwards) of recent per-slot minimum prices; 0 if there are none.

    `getRecentPrioritizationFees` gives the lowest price that got in over these writable accounts: a floor, not a
    market price. Source: SOLANA.md section 3.
    """
    if not recent:
        return MicroLamports(0)
    ordered = sorted(recent)
    rank = max(1, -(-len(ordered) * percentile_bps // _BPS))
    return ordered[rank - 1]


def choose_bid(
    policy: FeePolicy,
    *,
    floor: MicroLamports,
    cu_limit: ComputeUnits,
    value_lamports: Lamports,
    budget_lamports: Lamports,
    signatures: int = 1,
    is_solvency: bool = False,
) -> Bid | NoBid:
    """Choose a price: the floor within the policy's range, capped by value and by what is left of the budget.

    Args:
        policy: the caps.
        floor: from `recent_floor`.
        cu_limit: what the transaction requests; the priority fee is charged on it, used or not.
        value_lamports: what the batch is expected to earn, landing odds included.
        budget_lamports: what the lane may still spend this hour.
        signatures: how many it carries.
        is_solvency: whether it may lose up to `loss_max_lamports`.
    """
    base = SIGNATURE_FEE_LAMPORTS * signatures
    allowed_loss = policy.loss_max_lamports if is_solvency else 0
    if base > budget_lamports:
        return NoBid(
            reason=f"the fee is at least {base} lamports, {budget_lamports} are left to spend"
        )
    if base > value_lamports + allowed_loss:
        return NoBid(
            reason=f"the fee is at least {base} lamports, the batch earns {value_lamports}"
            + (f" and may lose {allowed_loss}" if allowed_loss else "")
        )
    # Priority is paid from the earnings' share, or from the allowed loss where that is more.
    share = max(value_lamports * policy.value_share_bps // _BPS, allowed_loss)
    priority_max = min(share, value_lamports + allowed_loss - base, budget_lamports - base)
    price_max = priority_max * _MICRO // cu_limit
    price = min(max(floor, policy.cu_price_min), policy.cu_price_max, price_max)
    fee = base + -(-price * cu_limit // _MICRO)
    return Bid(cu_price_micro_lamports=MicroLamports(price), fee_lamports=Lamports(fee))
