import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.fees import Bid, FeePolicy, NoBid, choose_bid, recent_floor, wanted_price

POLICY = FeePolicy(cu_price_min=100, cu_price_max=10_000_000, loss_max_lamports=2_000)


def bid(*, floor=5_000, **fields):
    figures = {
        "wanted": wanted_price(POLICY, floor, 10_000),
        "cu_limit": 200_000,
        "value_lamports": 1_000_000,
        "budget_lamports": 1_000_000,
    }
    return choose_bid(POLICY, **(figures | fields))


@pytest.mark.parametrize(
    ("percentile_bps", "price"),
    [(0, 1), (5_000, 5), (7_500, 8), (9_000, 9), (9_001, 10), (10_000, 10)],
)
def test_the_floor_is_the_nearest_rank_upwards(percentile_bps, price):
    assert recent_floor([10, 1, 9, 2, 8, 3, 7, 4, 6, 5], percentile_bps) == price


def test_no_recent_fees_mean_no_floor():
    assert recent_floor([], 7_500) == 0


def test_the_floor_is_bid_where_value_and_budget_allow():
    assert bid() == Bid(cu_price_micro_lamports=5_000, fee_lamports=6_000)


def test_the_policy_bounds_the_price_from_both_sides():
    assert bid(floor=0).cu_price_micro_lamports == 100
    assert (
        bid(floor=10**9, value_lamports=10**9, budget_lamports=10**9).cu_price_micro_lamports
        == 10**7
    )


def test_the_value_caps_the_priority_fee():
    # Half of 2_000 above nothing: 10_000 earned leave 5_000 for priority, so 25_000 per CU of 200_000.
    assert bid(floor=10**9, value_lamports=10_000).fee_lamports == 10_000


def test_the_budget_caps_the_priority_fee():
    assert bid(floor=10**9, budget_lamports=5_100).fee_lamports == 5_100


def test_a_job_that_earns_its_fee_exactly_is_sent_and_one_lamport_less_is_not():
    assert bid(value_lamports=5_000) == Bid(cu_price_micro_lamports=0, fee_lamports=5_000)
    assert "earns 4999" in bid(value_lamports=4_999).reason


def test_critical_work_may_lose_up_to_the_stated_cap():
    assert isinstance(bid(value_lamports=3_000, allowed_loss_lamports=2_000), Bid)
    assert "may lose 2000" in bid(value_lamports=2_999, allowed_loss_lamports=2_000).reason


def test_the_last_lamport_of_the_budget_may_be_spent():
    assert bid(budget_lamports=5_000).fee_lamports == 5_000
    assert isinstance(bid(budget_lamports=4_999), NoBid)


def test_a_fraction_of_a_lamport_is_charged_as_a_whole_one():
    # 5_000 micro-lamports for 200_001 units are 1000.005 lamports.
    assert bid(cu_limit=200_001).fee_lamports == 6_001


def test_an_empty_budget_sends_nothing():
    assert "4999 are left" in bid(budget_lamports=4_999, allowed_loss_lamports=2_000).reason


amounts = st.integers(0, 10**7)


@given(amounts, st.integers(1, 1_400_000), amounts, amounts, st.booleans(), st.integers(1, 3))
def test_no_bid_ever_exceeds_budget_or_value(
    floor, cu_limit, value, budget, is_critical, signatures
):
    found = bid(
        floor=floor,
        cu_limit=cu_limit,
        value_lamports=value,
        budget_lamports=budget,
        allowed_loss_lamports=2_000 if is_critical else 0,
        signatures=signatures,
    )
    if isinstance(found, NoBid):
        assert found.reason
        return
    assert found.cu_price_micro_lamports >= 0
    assert found.fee_lamports <= budget
    assert found.fee_lamports <= value + (2_000 if is_critical else 0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"percentile_bps": 10_001},
        {"value_share_bps": -1},
        {"cu_price_min": 2, "cu_price_max": 1},
        {"loss_max_lamports": -1},
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValueError, match="expected"):
        FeePolicy(**wrong)
