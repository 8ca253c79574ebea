"""standing.py, endpoint_choice.py: what is known of endpoints, and who is asked."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from programs.breaker import Breaker, BreakerState
from programs.endpoint_choice import Rank, order_for_read, rank_of, recipients
from programs.standing import MEMORY_S, Hearing, Mark, Standing, newest_mark

MAX_LAG = 25


def heard(standing, slot, newest, *, commitment="confirmed", now_s=0.0):
    mark = None if newest is None else Mark(slot=newest, at_s=now_s)
    return standing.hear(slot, commitment, mark, now_s, MAX_LAG)


def opened(probe_at_s=10.0):
    breaker = Breaker(state=BreakerState.OPEN, probe_at_s=probe_at_s, interval_s=1.0)
    return Standing(breaker=breaker)


def order(*standings, preferred=0, now_s=0.0):
    return order_for_read(standings, preferred=preferred, now_s=now_s, max_lag_slots=MAX_LAG)


@pytest.mark.parametrize(
    ("slot", "hearing"), [(1_000, Hearing.FINE), (975, Hearing.FINE), (974, Hearing.BEHIND)]
)
def test_an_answer_may_be_as_far_behind_as_allowed_and_no_slot_more(slot, hearing):
    standing, found = heard(Standing(), slot, 1_000)
    assert found is hearing
    assert standing.behind_slots == 1_000 - slot


def test_a_slot_too_far_ahead_is_believed_when_it_is_said_twice():
    standing, hearing = heard(Standing(), 10**12, 1_000)
    assert hearing is Hearing.INCREDIBLE
    assert newest_mark([standing], "processed", 0.0) is None
    standing, hearing = heard(standing, 10**12 + 3, 1_000)
    assert hearing is Hearing.FINE
    assert newest_mark([standing], "processed", 0.0).slot == 10**12 + 3


def test_one_slip_between_good_answers_leaves_no_trace():
    standing, _ = heard(Standing(), 10**12, 1_000)
    standing, hearing = heard(standing, 1_001, 1_000)
    assert hearing is Hearing.FINE
    assert heard(standing, 10**12, 1_001)[1] is Hearing.INCREDIBLE


def test_a_stronger_commitment_counts_for_the_weaker_ones_and_not_the_other_way_round():
    standing, _ = heard(Standing(), 900, None, commitment="finalized")
    assert newest_mark([standing], "processed", 0.0).slot == 900
    standing, _ = heard(standing, 940, None, commitment="processed")
    assert newest_mark([standing], "processed", 0.0).slot == 940
    assert newest_mark([standing], "finalized", 0.0).slot == 900


def test_what_an_endpoint_set_aside_said_binds_nobody_and_old_words_bind_for_a_while_only():
    standing, _ = heard(Standing(), 900, None)
    assert newest_mark([replace(standing, aside="other_fork")], "confirmed", 0.0) is None
    assert newest_mark([standing], "confirmed", MEMORY_S).slot == 900
    assert newest_mark([standing], "confirmed", MEMORY_S + 0.1) is None


def test_good_endpoints_come_before_lagging_ones_those_before_probes_and_probes_before_open_ones():
    lagging, due, shut = Standing(behind_slots=26), opened(5.0), opened(10.0)
    assert [rank_of(each, 6.0, MAX_LAG) for each in (Standing(), lagging, due, shut)] == list(Rank)
    assert order(shut, due, lagging, Standing(), now_s=6.0) == (3, 2, 1, 0)


def test_the_one_in_use_is_kept_unless_another_is_clearly_faster():
    slow, little, much = (Standing(latency_s=each) for each in (0.100, 0.080, 0.050))
    assert order(slow, little) == (0, 1)
    assert order(slow, much) == (1, 0)
    assert order(Standing(latency_s=0.004), Standing(latency_s=0.001)) == (0, 1)
    assert order(Standing(), Standing(), Standing(), preferred=1) == (1, 0, 2)


def test_what_trails_is_heard_later_and_counts_as_slow():
    near, far = Standing(latency_s=0.050), Standing(latency_s=0.005)
    assert order(near, far) == (1, 0)
    assert order(near, far.trail(12)) == (0, 1)
    # So little may be the time between two questions.
    assert order(near, far.trail(2)) == (1, 0)
    assert far.trail(12).forget_slots().trail_slots is None


def test_when_all_are_bad_the_least_bad_is_still_asked_but_never_one_that_is_not_believed():
    assert order(opened(9.0), opened(8.0)) == (1, 0)
    assert order(Standing(behind_slots=90), Standing(behind_slots=40)) == (1, 0)
    assert order(Standing(aside="other_cluster")) == ()


def test_a_wish_to_be_left_alone_is_granted_even_when_nobody_else_is_there():
    alone = Standing(left_alone_until_s=5.0)
    assert order(alone, now_s=4.9) == ()
    assert order(alone, now_s=5.0) == (0,)


def test_transactions_go_to_all_whose_breaker_lets_them_and_to_all_when_none_does():
    assert recipients([Standing(), opened(), Standing(behind_slots=99)], 0.0) == (0, 2)
    assert recipients([opened(), opened()], 0.0) == (0, 1)
    assert recipients([Standing(aside="other_fork"), opened()], 0.0) == (1,)


@given(
    st.lists(
        st.builds(
            Standing,
            breaker=st.sampled_from([Breaker(), opened().breaker, opened(0.0).breaker]),
            behind_slots=st.integers(0, 60),
            latency_s=st.none() | st.floats(0.001, 1),
            trail_slots=st.none() | st.floats(0, 60),
            aside=st.none() | st.just("other_fork"),
        ),
        min_size=1,
        max_size=5,
    ),
    st.integers(0, 4),
)
def test_everybody_believed_is_in_the_order_once_and_ranks_never_get_better(standings, preferred):
    found = order(*standings, preferred=preferred % len(standings), now_s=1.0)
    assert sorted(found) == [at for at, each in enumerate(standings) if each.is_believed]
    ranks = [rank_of(standings[at], 1.0, MAX_LAG) for at in found]
    assert ranks == sorted(ranks)


def test_the_average_latency_follows_the_newest_sample_gently():
    standing = Standing().clock(0.1)
    assert standing.latency_s == 0.1
    assert standing.clock(0.2).latency_s == pytest.approx(0.13)
