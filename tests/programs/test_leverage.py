"""Fee, coverage, leverage, margin and health against SPEC.md section 4."""

import pytest
from mpmath import exp, mpf

from programs import leverage
from programs.units import I64_MAX

THOUSAND_DOLLARS = 1_000_000_000


@pytest.mark.parametrize(
    ("coverage", "fee_bp"),
    [
        (0, 28),
        (0.1, 21.5205),
        (0.25, 14.8092),
        (0.5, 8.5783),
        (1, 4.2447),
        (1.5, 3.2777),
        (2, 3.0620),
    ],
)
def test_the_fee_is_the_vector_rounded_up(coverage, fee_bp):
    assert leverage.fee_rate_ubp(int(coverage * 10**6)) / 1e6 == pytest.approx(fee_bp, abs=5e-5)


def test_the_fee_is_never_under_the_formula_and_within_two_ubp_of_it():
    for coverage_e6 in (*range(200), *range(200, 9_000_000, 3_001), 10**8, 10**9, 2**64 - 1):
        exact = 3 * 10**6 + 25 * 10**6 * exp(-3 * mpf(coverage_e6) / 10**6)
        assert 0 <= leverage.fee_rate_ubp(coverage_e6) - exact < 2, coverage_e6


def test_the_fee_never_rises_with_coverage(native):
    for start in range(0, 8_010_000, 800_000):
        assert native["fee_is_monotone"](start, start + 60_000) == 0
    assert native["fee_is_monotone"](7_990_000, 8_010_000) == 0


def test_a_fee_is_rounded_up_to_the_base_unit():
    assert leverage.fee_amount(1_000_000, 28_000_000) == 2_800
    assert leverage.fee_amount(1, 3_000_001) == 1
    assert leverage.fee_amount(0, 28_000_000) == 0
    assert leverage.fee_amount(2**64 - 1, 2 * 10**10) is None


def test_coverage_is_zero_without_cash_and_the_cap_without_debt():
    assert leverage.coverage_e6(0, 0) == 0
    assert leverage.coverage_e6(0, 10**20) == 0
    assert leverage.coverage_e6(1, 0) == leverage.COVERAGE_MAX_E6
    assert leverage.coverage_e6(2**64 - 1, 1) == leverage.COVERAGE_MAX_E6


def test_coverage_one_half_in_a_binary_market_is_four_fifths_lent():
    debt = 80 * THOUSAND_DOLLARS
    assert leverage.coverage_e6(20 * THOUSAND_DOLLARS, debt * leverage.tail_loss_e6(2)) == 500_000


def test_coverage_is_rounded_down_also_where_the_debt_needs_more_than_64_bits():
    assert leverage.coverage_e6(2, 3 * 10**6) == 666_666
    for weighted in (2**64 - 1, 2**64, 2**64 + 1, 3 * 2**70 + 12_345, 2**127):
        exact = min(10**19 * 10**12 // weighted, leverage.COVERAGE_MAX_E6)
        assert exact - 1 <= leverage.coverage_e6(10**19, weighted) <= exact


def test_tail_loss_is_rounded_up():
    assert [leverage.tail_loss_e6(n) for n in (1, 2, 3, 16, 17, 0)] == [
        0,
        500_000,
        666_667,
        937_500,
        10**6,
        10**6,
    ]


def test_tier_caps_are_those_of_the_specification():
    expected = {
        1: 100,
        2: 70,
        3: 25,
        4: 25,
        5: 15,
        8: 15,
        9: 12,
        16: 12,
        17: 10,
        64: 10,
        65: 5,
        1_000: 5,
    }
    assert {n: leverage.tier_cap(n) for n in expected} == expected


def test_leverage_is_the_formula_for_a_viable_vault():
    rich = 10 * THOUSAND_DOLLARS
    assert leverage.leverage_max(500_000, 2, rich) == 35  # 50 / 1.414214
    assert leverage.leverage_max(500_000, 4, rich) == 25
    assert leverage.leverage_max(10**9, 2, rich) == 70
    assert leverage.leverage_max(200_000, 4, rich) == 10  # exactly 20 / 2
    assert leverage.leverage_max(199_999, 4, rich) == 9
    assert leverage.leverage_max(0, 2, rich) == 1
    assert leverage.leverage_max(10**9, 17, rich) == leverage.leverage_max(10**9, 0, rich) == 1


def test_a_small_vault_climbs_the_ladder_by_whole_thousands():
    steps = [
        0,
        999_999_999,
        1_000_000_000,
        1_999_999_999,
        2_000_000_000,
        9_999_999_999,
        10_000_000_000,
    ]
    assert [leverage.leverage_max(10**9, 2, equity) for equity in steps] == [1, 1, 1, 1, 2, 9, 70]


def test_required_is_the_larger_of_maintenance_and_the_gap_reserve_each_rounded_up():
    assert leverage.required_margin(100_000_000, 200_000_000, 500) == 5_000_000
    assert leverage.required_margin(100_000_000, 2_000_000_000, 500) == 40_000_000
    assert leverage.required_margin(1, 0, 500) == 1
    assert leverage.required_margin(0, 51, 500) == 2
    assert leverage.required_margin(0, 0, 1_000) == 0


def test_health_is_ten_thousand_where_equity_just_covers_what_is_required():
    # 1_000 shares at .5 on $450 of debt: equity $50.
    assert leverage.health_bps(1_000_000_000, 500_000, 450_000_000, 50_000_000) == 10_000
    assert leverage.health_bps(1_000_000_000, 499_999, 450_000_000, 50_000_000) == 9_999
    assert leverage.health_bps(1_000_000_000, 440_000, 450_000_000, 50_000_000) == -2_000
    assert leverage.health_bps(1_000_000_000, 440_000, 450_000_000, 30_000_000) == -3_334


def test_health_without_debt_or_without_requirement_is_at_the_end_of_its_scale():
    assert leverage.health_bps(0, 0, 0, 0) == I64_MAX
    assert leverage.health_bps(0, 500_000, 1, 0) == -I64_MAX - 1
    assert leverage.health_bps(2, 500_000, 1, 0) == I64_MAX
    assert leverage.position_equity(2**64 - 1, 10**6, 0) == I64_MAX
    assert leverage.position_equity(0, 10**6, 2**64 - 1) == -I64_MAX - 1


def test_a_slot_may_liquidate_between_two_and_eight_percent_of_open_interest():
    assert [leverage.liquidation_cap_e6(s) for s in (0, 13_333, 20_000, 53_334, 10**6)] == [
        20_000,
        20_000,
        30_000,
        80_000,
        80_000,
    ]
    assert leverage.liquidation_cap(1_000_000_049, 0) == 20_000_000


def test_sigma_follows_absolute_moves_by_an_eighth():
    assert leverage.sigma_next_e6(0, 500_000, 420_000) == 10_000
    assert leverage.sigma_next_e6(10_000, 420_000, 420_000) == 8_750
