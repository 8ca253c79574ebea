"""keeper/sandbox/venue/content.py."""

import pytest

from keeper.sandbox.venue.content import Touch


def test_a_touch_states_sides_midpoint_and_spread_as_the_venue_does():
    touch = Touch("0.063", "0.068")

    assert ("0.063", "0.068") == (touch.side("buy"), touch.side("SELL"))
    assert "0.0655" == touch.midpoint()
    assert "0.005" == touch.spread()


@pytest.mark.parametrize("touch", [Touch(None, "0.5"), Touch("0.5", None), Touch(None, None)])
def test_a_one_sided_touch_has_no_midpoint_and_no_spread(touch):
    assert touch.midpoint() is None
    assert touch.spread() is None
