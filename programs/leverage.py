"""Fee, coverage, leverage, margin and health: the same integers as betting_platform/risk.h.

Coverage and sigma are at e6, fee rates in millionths of a basis point (ubp), amounts and shares in base units.
Every rounding is against the caller.

Source: SPEC.md section 4.
"""

from typing import Final

from programs.fixed import ceil_div, mul_div, mul_fraction
from programs.tables import EXP_BEND, HALVINGS_PER_E6, SQRT_E6, TAIL_LOSS_E6
from programs.units import I64_MAX, U64_MAX

COVERAGE_MAX_E6: Final = 1_000_000_000
FEE_BASE_UBP: Final = 3_000_000
FEE_SLOPE_UBP: Final = 25_000_000
FEE_WHOLE_UBP: Final = 10**10
"""A rate of 100 %."""
FEE_FLAT_COVERAGE_E6: Final = 8_000_000
"""From here on 25e6 * exp(-3 * coverage) lies between 0 and 1."""
OUTCOMES_MAX: Final = 16
LADDER_STEP: Final = 1_000_000_000
"""$1_000 of vault equity: one multiple of leverage."""
LADDER_END: Final = 10_000_000_000
"""$10_000, the minimum viable vault: from here on the formula alone."""
LIQUIDATION_CAP_MIN_E6: Final = 20_000
LIQUIDATION_CAP_MAX_E6: Final = 80_000
TIER_CAPS: Final = ((1, 100), (2, 70), (4, 25), (8, 15), (16, 12), (64, 10))
"""(largest N, cap on leverage); beyond the last, TIER_CAP_LAST."""
TIER_CAP_LAST: Final = 5
_GAP_RESERVE_DIVISOR: Final = 50
_I64_MIN: Final = -I64_MAX - 1


def fee_rate_ubp(coverage_e6: int) -> int:
    """Return 3 + 25 exp(-3 coverage) bp in ubp, rounded up, within 2 ubp; never rises with coverage."""
    if coverage_e6 == 0:
        return FEE_BASE_UBP + FEE_SLOPE_UBP
    if coverage_e6 >= FEE_FLAT_COVERAGE_E6:
        return FEE_BASE_UBP + 1
    halvings = coverage_e6 * HALVINGS_PER_E6
    fraction = (halvings << 6) & U64_MAX
    power = 0
    for coefficient in reversed(EXP_BEND):
        power = coefficient + mul_fraction(fraction, power)
    return FEE_BASE_UBP + mul_fraction(FEE_SLOPE_UBP << 2, power >> (halvings >> 58)) + 1


def fee_amount(notional: int, rate_ubp: int) -> int | None:
    """Return the fee on a notional, rounded up; None when it needs more than 64 bits."""
    return mul_div(notional, rate_ubp, FEE_WHOLE_UBP, round_up=True)


def tail_loss_e6(outcomes: int) -> int:
    """Return 1 - 1/N at e6, rounded up; 1.0 for an N that no market has."""
    return TAIL_LOSS_E6[outcomes] if 1 <= outcomes <= OUTCOMES_MAX else 1_000_000


def coverage_e6(cash: int, weighted_debt_e6: int) -> int:
    """Return unlent cash over debt weighted by tail loss, rounded down, at most COVERAGE_MAX_E6.

    Args:
        cash: unlent vault cash, base units.
        weighted_debt_e6: sum over markets of debt * tail_loss_e6, a u128.
    """
    if cash == 0:
        return 0
    if weighted_debt_e6 == 0:
        return COVERAGE_MAX_E6
    scaled = cash * 10**12
    while weighted_debt_e6 > U64_MAX:
        weighted_debt_e6 = (weighted_debt_e6 + 1) >> 1
        scaled >>= 1
    return min(scaled // weighted_debt_e6, COVERAGE_MAX_E6)


def tier_cap(outcomes: int) -> int:
    """Return the cap on leverage in a market of N outcomes."""
    for most, cap in TIER_CAPS:
        if outcomes <= most:
            return cap
    return TIER_CAP_LAST


def leverage_max(coverage_e6: int, outcomes: int, vault_equity: int) -> int:
    """Return the largest leverage in whole multiples: the formula, the tier's cap and the ladder, at least 1.

    The ladder: below $1k of vault equity 1, then one multiple per whole $1k, and from $10k on none. 1 for an N that no
    market has.
    """
    if not 1 <= outcomes <= OUTCOMES_MAX:
        return 1
    leverage = min(coverage_e6, COVERAGE_MAX_E6) * 100 // SQRT_E6[outcomes]
    leverage = min(leverage, tier_cap(outcomes))
    if vault_equity < LADDER_END:
        leverage = min(leverage, vault_equity // LADDER_STEP)
    return max(leverage, 1)


def required_margin(margin: int, shares: int, mm_bps: int) -> int:
    """Return max(mm * margin, 0.02 * shares), each rounded up: maintenance, or the reserve for a two-point gap."""
    return max(ceil_div(mm_bps * margin, 10_000), ceil_div(shares, _GAP_RESERVE_DIVISOR))


def position_equity(shares: int, price_e6: int, debt: int) -> int:
    """Return floor(shares * price) - debt, clamped to an i64."""
    equity = shares * price_e6 // 1_000_000 - debt
    return max(min(equity, I64_MAX), _I64_MIN)


def health_bps(shares: int, price_e6: int, debt: int, required: int) -> int:
    """Return floor(10_000 * equity / required), clamped to an i64; below 10_000 is liquidatable.

    Without debt I64_MAX: never liquidatable. With debt and nothing required, I64_MIN below zero equity, else I64_MAX.
    """
    if debt == 0:
        return I64_MAX
    equity = position_equity(shares, price_e6, debt)
    size = mul_div(abs(equity), 10_000, required, round_up=equity < 0)
    if size is None or size > I64_MAX:
        return _I64_MIN if equity < 0 else I64_MAX
    return -size if equity < 0 else size


def liquidation_cap_e6(sigma_e6: int) -> int:
    """Return clamp(2 %, 1.5 sigma, 8 %) at e6: the part of open interest one slot may liquidate."""
    return max(LIQUIDATION_CAP_MIN_E6, min(sigma_e6 * 3 // 2, LIQUIDATION_CAP_MAX_E6))


def liquidation_cap(open_interest: int, sigma_e6: int) -> int:
    """Return that part of the open interest, base units, rounded down."""
    return open_interest * liquidation_cap_e6(sigma_e6) // 1_000_000


def sigma_next_e6(sigma_e6: int, price_before_e6: int, price_after_e6: int) -> int:
    """Return the EWMA (alpha 1/8) of absolute oracle moves after one more, rounded down."""
    return (7 * sigma_e6 + abs(price_after_e6 - price_before_e6)) // 8
