"""The priority fee to bid, and whether a job pays for itself. Integers; every rounding costs us, not the cap.

Core. The price is a floor raised by feedback, within the policy's range, and never more than value and budget allow.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from keeper.odds import CERTAIN, Odds
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
    """What critical work may be expected to lose per transaction; 0 refuses every loss."""

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
    loss_lamports: Lamports = NO_LOSS
    """What it is expected to lose, once included; 0 for what pays for itself."""


Withholding = Literal[
    "not_worth_sending",
    "loss_budget",
    "hourly_spend_cap",
    "daily_spend_cap",
    "payer_short",
    "already_open",
    "rehearsed",
]


_OF_THE_LANE: Final = frozenset(
    {"hourly_spend_cap", "daily_spend_cap", "loss_budget", "payer_short"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoBid:
    """Why not to send."""

    reason: str
    kind: Withholding = "not_worth_sending"
    """What it is counted as."""

    @property
    def is_of_the_lane(self) -> bool:
        """Whether all of the lane is held up, which was told when it began: no single batch need say it again."""
        return self.kind in _OF_THE_LANE


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


def wanted_price(policy: FeePolicy, floor: MicroLamports, level_bps: Bps) -> MicroLamports:
    """Return what to bid were it not for value and budget: the floor, raised by feedback, within the policy's range."""
    raised = max(floor, policy.cu_price_min) * level_bps // _BPS
    return MicroLamports(min(raised, policy.cu_price_max))


def choose_bid(
    policy: FeePolicy,
    *,
    wanted: MicroLamports,
    cu_limit: ComputeUnits,
    value_lamports: Lamports,
    budget_lamports: Lamports,
    odds: Odds = CERTAIN,
    signatures: int = 1,
    allowed_loss_lamports: Lamports = NO_LOSS,
) -> Bid | NoBid:
    """Choose a price: the wanted one, capped by value and by what is left of the budget.

    A transaction that is never included costs and earns nothing; one that is, earns its value only if it does its work.
    So what is worth paying for inclusion is the value times landed over included.

    Args:
        policy: the caps.
        wanted: from `wanted_price`.
        cu_limit: what the transaction requests; the priority fee is charged on it, used or not.
        value_lamports: what the batch earns if it does its work.
        budget_lamports: what the lane may still spend on its fee.
        odds: of the wanted price.
        signatures: how many it carries.
        allowed_loss_lamports: what it may be expected to lose.
    """
    base = SIGNATURE_FEE_LAMPORTS * signatures
    expected = value_lamports * odds.landed_bps // odds.included_bps
    if base > budget_lamports:
        return NoBid(
            reason=f"the fee is at least {base} lamports, {budget_lamports} are left to spend"
        )
    if base > expected + allowed_loss_lamports:
        return NoBid(
            reason=f"the fee is at least {base} lamports, the batch earns {expected}"
            + (f" (odds of its {value_lamports} counted)" if expected < value_lamports else "")
            + (f" and may lose {allowed_loss_lamports}" if allowed_loss_lamports else "")
        )
    # Priority is paid from the earnings' share, or from the allowed loss where that is more.
    share = max(expected * policy.value_share_bps // _BPS, allowed_loss_lamports)
    priority_max = min(share, expected + allowed_loss_lamports - base, budget_lamports - base)
    price = min(wanted, priority_max * _MICRO // cu_limit)
    fee = base + -(-price * cu_limit // _MICRO)
    return Bid(
        cu_price_micro_lamports=MicroLamports(price),
        fee_lamports=Lamports(fee),
        loss_lamports=Lamports(max(0, fee - expected)),
    )
