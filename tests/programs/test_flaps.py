"""programs/flaps.py: which outages of an endpoint are told."""

from programs.flaps import Flaps


def outage(flaps, at_s, *, openings=1):
    """Open so many times in a row and close; return what was told: openings, untold ones before, whether the end."""
    told = [flaps.tells_opening(number, at_s) for number in range(1, openings + 1)]
    return sum(told), flaps.take_untold() if any(told) else None, flaps.tells_closing()


def test_an_endpoint_that_comes_and_goes_is_told_once_a_minute_with_a_count():
    flaps = Flaps()
    assert (1, 0, True) == outage(flaps, 0.0)
    for at_s in range(1, 60):
        assert (0, None, False) == outage(flaps, float(at_s))
    assert (1, 59, True) == outage(flaps, 60.0)


def test_an_outage_that_lasts_is_told_ever_more_rarely_however_it_began():
    flaps = Flaps()
    outage(flaps, 0.0)
    assert (4, 0, True) == outage(flaps, 1.0, openings=16)
