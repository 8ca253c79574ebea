"""keeper/odds.py."""

from hypothesis import given
from hypothesis import strategies as st

from keeper.odds import LandingOdds, Odds


def after(**ends):
    odds = LandingOdds()
    for end, count in ends.items():
        for _ in range(count):
            odds.note(1_000, end, 0.0)
    return odds


def test_a_lane_without_history_is_hopeful_but_not_certain():
    assert Odds(included_bps=9_000, landed_bps=8_000) == LandingOdds().at(1_000, 0.0)


def test_what_expires_is_not_included_and_what_fails_is_but_does_no_work():
    assert Odds(included_bps=4_500, landed_bps=4_000) == after(expired=10).at(1_000, 0.0)
    assert Odds(included_bps=9_500, landed_bps=4_000) == after(failed=10).at(1_000, 0.0)
    assert Odds(included_bps=9_900, landed_bps=9_800) == after(landed=90).at(1_000, 0.0)


def test_prices_within_a_doubling_share_their_odds_and_others_do_not():
    odds = after(expired=90)
    assert odds.at(1_000, 0.0) == odds.at(1_023, 0.0) == odds.at(512, 0.0)
    assert LandingOdds().at(1, 0.0) == odds.at(1_024, 0.0) == odds.at(511, 0.0)


def test_half_is_forgotten_every_ten_minutes_and_in_the_end_all():
    odds = after(expired=20)
    assert Odds(included_bps=3_000, landed_bps=2_666) == odds.at(1_000, 599.0)
    assert Odds(included_bps=4_500, landed_bps=4_000) == odds.at(1_000, 600.0)
    assert LandingOdds().at(1_000, 0.0) == odds.at(1_000, 600.0 * 40)


@given(st.lists(st.sampled_from(["landed", "failed", "expired"]), max_size=100))
def test_odds_are_never_none_and_what_lands_is_included(ends):
    odds = LandingOdds()
    for end in ends:
        odds.note(7, end, 0.0)
    found = odds.at(7, 0.0)
    assert 0 < found.landed_bps <= found.included_bps < 10_000
