"""The formulas of the rewards, as integer functions of integers.

Core. A claim is a numerator over CLAIM_DENOMINATOR, in MMT base units: exact, so that a wallet's claims can be added up
and floored once for the epoch. Quote amounts are base units (1e-6), rates MMT per quote unit in ppm: one quote base unit
at one ppm is 1e9 / 1e6 / 1e6 = 1/1000 of an MMT base unit.

    trade      notional * ppm * multiplier / 1_000
    maker      value * bps * ppm * multiplier / (1_000 * 10_000)
    mining     (value-slots + (multiplier - 1) * those of the bootstrap) * ppm / (1_000 * 432_000)

Source: SPEC.md section 7.
"""

from collections.abc import Sequence
from typing import Final

from incentives.parameters import Rules

MINING_SLOTS: Final = 432_000
"""The slots of two days of 400 ms: what the mining rate is per."""
BPS_ONE: Final = 10_000
PPM_PER_BASE_UNIT: Final = 1_000
"""1 quote base unit at 1_000 ppm earns one MMT base unit."""
CLAIM_DENOMINATOR: Final = 2_160_000_000
"""The least common multiple of the three denominators above."""
_TRADE: Final = CLAIM_DENOMINATOR // PPM_PER_BASE_UNIT
_MAKER: Final = CLAIM_DENOMINATOR // (PPM_PER_BASE_UNIT * BPS_ONE)
_MINING: Final = CLAIM_DENOMINATOR // (PPM_PER_BASE_UNIT * MINING_SLOTS)


def part_held(amount: int, held: int, whole: int) -> int:
    """Return the part of an amount that what is still held of a whole stands for, rounded down."""
    return amount if held == whole else amount * held // whole


def counted_notional(notional: int, rules: Rules) -> int:
    """Return what of a notional is rewarded: 0 below the least, capped at the most, quote base units."""
    return 0 if notional < rules.notional_min else min(notional, rules.notional_max)


def trade_claim(counted: int, multiplier: int, rules: Rules) -> int:
    """Return the claim of a trade of that counted notional, over CLAIM_DENOMINATOR."""
    return counted * rules.trade_reward_ppm * multiplier * _TRADE


def maker_claim(value: int, improvement_bps: int, multiplier: int, rules: Rules) -> int:
    """Return the claim of a deposit, over CLAIM_DENOMINATOR: its value times the improvement, at the trade rate."""
    return value * improvement_bps * rules.trade_reward_ppm * multiplier * _MAKER


def mining_claim(value_slots: int, bootstrap_value_slots: int, rules: Rules) -> int:
    """Return the claim of liquidity over CLAIM_DENOMINATOR.

    Args:
        value_slots: sum over slots of the value that was there; up to u128.
        bootstrap_value_slots: the part of it in slots of the bootstrap.
    """
    weighted = value_slots + (rules.mining_multiplier - 1) * bootstrap_value_slots
    return weighted * rules.mining_rate_ppm * _MINING


def share_out(pot: int, claims: Sequence[tuple[bytes, int]]) -> list[int]:
    """Return what of a pot each wallet gets: its claim, or where they exceed the pot its share by largest remainder.

    A share is floor(pot * claim / sum of claims); what flooring leaves goes one base unit each to the largest remainders,
    equal ones by wallet bytes. Claims being whole base units, no share exceeds its claim, and the shares sum to the pot.

    Args:
        pot: base units; less than 0 counts as 0.
        claims: wallets, each once, and their claims in base units.
    """
    owed = sum(claim for _, claim in claims)
    pot = max(pot, 0)
    if owed <= pot:
        return [claim for _, claim in claims]
    split = [divmod(pot * claim, owed) for _, claim in claims]
    shares = [share for share, _ in split]
    ranked = sorted(range(len(claims)), key=lambda i: (-split[i][1], claims[i][0]))
    for i in ranked[: pot - sum(shares)]:
        shares[i] += 1
    return shares
