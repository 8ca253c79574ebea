"""[lanes]: who pays for each kind of work, how much, and how many transactions at once."""

from dataclasses import dataclass, field
from typing import Final

from keeper.fees import FeePolicy
from keeper.keypair import KeyFile
from keeper.purse import Purse
from keeper.spend import Spend
from programs.units import I64_MAX, SIGNATURE_FEE_LAMPORTS, Lamports

_CONCURRENCY_MAX: Final = 1_000
"""Sockets, not a design limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneConfig:
    """How one kind of work is sent."""

    key: KeyFile | None = None
    """Keypair file of who pays for it; without one `keys.keeper` pays."""
    concurrency: int = 4
    """Transactions in flight at once; a liquidation makes room as soon as a block is seen to hold it."""
    hourly_spend_max_lamports: int = 100_000_000
    """Fees and rent of any hour, failed transactions included."""
    daily_spend_max_lamports: int = 1_000_000_000
    """The same of any day: ten hours at the hourly cap."""
    hourly_loss_max_lamports: int | None = None
    """What critical work may be expected to lose in any hour; None: as much as may be spent. Posts, payouts and tables earn
    nothing: all they pay is loss."""
    fees: FeePolicy = field(default_factory=lambda: FeePolicy(loss_max_lamports=Lamports(100_000)))
    """What is bid. Posts earn nothing and liquidations little: what each may lose is `loss_max_lamports`."""

    def __post_init__(self) -> None:
        """Refuse a lane that could never send."""
        if not 1 <= self.concurrency <= _CONCURRENCY_MAX:
            raise ValueError(f"concurrency is {self.concurrency}, expected 1 to {_CONCURRENCY_MAX}")
        if self.hourly_spend_max_lamports < SIGNATURE_FEE_LAMPORTS:
            raise ValueError(
                f"hourly_spend_max_lamports is {self.hourly_spend_max_lamports}, expected at least one "
                f"signature's fee, {SIGNATURE_FEE_LAMPORTS}"
            )
        if not self.hourly_spend_max_lamports <= self.daily_spend_max_lamports <= I64_MAX:
            raise ValueError(
                f"daily_spend_max_lamports is {self.daily_spend_max_lamports}, expected at least "
                f"hourly_spend_max_lamports, {self.hourly_spend_max_lamports}, and at most {I64_MAX}"
            )
        if not 0 <= (self.hourly_loss_max_lamports or 0) <= I64_MAX:
            raise ValueError(
                f"hourly_loss_max_lamports is {self.hourly_loss_max_lamports}, expected 0 to {I64_MAX}"
            )

    def purse(self) -> Purse:
        """Open what the lane pays with."""
        loss = self.hourly_loss_max_lamports
        return Purse(
            policy=self.fees,
            spend=Spend(
                Lamports(self.hourly_spend_max_lamports), Lamports(self.daily_spend_max_lamports)
            ),
            losses=Spend(Lamports(self.hourly_spend_max_lamports if loss is None else loss)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LanesConfig:
    """The lanes: a flood in one never starves another."""

    prices: LaneConfig = field(default_factory=lambda: LaneConfig(concurrency=16))
    liquidations: LaneConfig = field(default_factory=lambda: LaneConfig(concurrency=64))
    """Ten thousand positions within seconds (`keeper stress run great-cascade`); with 4 it takes five times as long."""
    chains: LaneConfig = field(default_factory=lambda: LaneConfig(concurrency=32))
    payouts: LaneConfig = field(default_factory=lambda: LaneConfig(concurrency=64))
    """Ten thousand wallets in half a minute (`python -m bench.payouts`)."""
    tables: LaneConfig = field(default_factory=LaneConfig)
    """Address lookup tables."""
    tables_rent_max_lamports: int = 500_000_000
    """What all lookup tables together may lock; it returns when they are closed. 0: none are made."""
    balance_low_lamports: int = 50_000_000
    """Operators are warned when a payer has less."""
    lamports_per_quote_unit: int = 5_000_000
    """What one unit of the quote token is worth in lamports: compares bounties with fees. $200 a SOL makes 5_000_000."""

    def __post_init__(self) -> None:
        """Refuse a rate that makes every bounty worthless, and amounts below nothing."""
        for name, least in (
            ("lamports_per_quote_unit", 1),
            ("balance_low_lamports", 0),
            ("tables_rent_max_lamports", 0),
        ):
            if not least <= getattr(self, name) <= I64_MAX:
                raise ValueError(f"{name} is {getattr(self, name)}, expected {least} to {I64_MAX}")
