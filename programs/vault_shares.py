"""Vault shares: what a stake costs, what leaving pays and when; the same integers as betting_platform/vault.h.

The head of vault.h says why gains vest and losses do not. Amounts are base units, times are slots. Everything is
rounded against whoever stakes or leaves.
"""

from dataclasses import dataclass
from typing import Final

from programs.accounts import Stake, Vault
from programs.fixed import ceil_div

VEST_SLOTS: Final = 9_000
"""A gain is shared with those who leave as it vests: linearly over so long, when nothing else touches the vault."""
UNSTAKE_SLOTS: Final = 150
"""From a request to its payment; the period of the leaky bucket too. Source: SPEC.md section 4."""
WITHDRAWAL_DIVISOR: Final = 5
"""The bucket holds a fifth of cash and loans. Source: SPEC.md section 4."""
VIRTUAL_SHARES: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """What unstake pays now, and the shares that cease for it."""

    amount: int
    shares: int


def melted(amount: int, slots: int, period: int) -> int:
    """Return the part of an amount that has melted after so many slots of a period, rounded down."""
    return amount * min(slots, period) // period


def unvested(vault: Vault, slot: int) -> int:
    """Return the part of the vault's cash that those who leave at a slot do not share."""
    return vault.unvested - melted(vault.unvested, slot - vault.vest_slot, VEST_SLOTS)


def stake_shares(vault: Vault, amount: int) -> int:
    """Return the shares that a stake of this amount gets, rounded down; gains yet to vest are paid for."""
    return amount * (vault.share_supply + VIRTUAL_SHARES) // (vault.value + 1)


def stake_value(vault: Vault, shares: int, slot: int) -> int:
    """Return what shares are worth to who leaves at a slot, rounded down: gains yet to vest stay behind."""
    worth = max(vault.value - unvested(vault, slot), 0)
    return shares * (worth + 1) // (vault.share_supply + VIRTUAL_SHARES)


def withdrawable(vault: Vault, slot: int) -> int:
    """Return what the vault pays out at most at a slot: its cash, or what is left in the leaky bucket."""
    cap = vault.equity // WITHDRAWAL_DIVISOR
    gone = melted(cap, slot - vault.withdraw_slot, UNSTAKE_SLOTS)
    return min(max(cap - max(vault.withdrawn - gone, 0), 0), vault.cash)


def payment(vault: Vault, stake: Stake, slot: int) -> Payment | None:
    """Return what unstake pays at a slot, at the lower of the prices then and now; None when it is refused."""
    if not stake.requested_shares or slot - stake.request_slot < UNSTAKE_SLOTS:
        return None
    value = stake_value(vault, stake.requested_shares, slot)
    if not (stake.request_value if value else vault.value > unvested(vault, slot)):
        return None
    value = min(value, stake.request_value)
    amount = withdrawable(vault, slot)
    if value and not amount:
        return None
    if amount >= value:
        return Payment(amount=value, shares=stake.requested_shares)
    return Payment(amount=amount, shares=ceil_div(stake.requested_shares * amount, value))
