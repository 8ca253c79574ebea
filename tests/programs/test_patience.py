"""patience.py: how long an endpoint is asked alone."""

import pytest

from programs.patience import Patience


def after(*took_s):
    patience = Patience()
    for each in took_s:
        patience.note(each)
    return patience


def test_a_part_of_the_deadline_is_waited_until_enough_is_known():
    assert after(*[0.01] * 7).wait_s(5) == pytest.approx(0.5)
    assert after(*[0.05] * 8).wait_s(5) == pytest.approx(0.2)


def test_the_wait_is_neither_shorter_than_a_busy_loop_nor_longer_than_half_a_deadline():
    assert after(*[0.001] * 8).wait_s(5) == pytest.approx(0.1)
    assert after(*[3] * 8).wait_s(5) == pytest.approx(2.5)


def test_slow_answers_change_nothing_while_they_are_fewer_than_half():
    assert after(*[0.05] * 60, *[4] * 40).wait_s(5) == after(*[0.05] * 100).wait_s(5)


def test_old_answers_are_forgotten():
    assert after(*[4] * 100, *[0.05] * 128).wait_s(5) == pytest.approx(0.2)


def test_where_everything_became_slow_a_tenth_more_is_asked_at_most():
    patience = after(*[0.05] * 100)
    assert sum(patience.spend() for _ in range(1_000)) == 32
    asked_beside = 0
    for _ in range(1_000):
        asked_beside += patience.spend()
        patience.note(3)
    assert 95 <= asked_beside <= 100
