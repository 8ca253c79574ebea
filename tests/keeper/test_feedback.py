"""keeper/feedback.py."""

from hypothesis import given
from hypothesis import strategies as st

from keeper.feedback import LEVEL_MAX, LEVEL_MIN, PROMPT_SLOTS, SLOW_SLOTS, Feedback


def at(level_bps):
    return Feedback(level_bps=level_bps)


def lands(feedback, slots=2, times=1):
    for _ in range(times):
        feedback.note_landed(feedback.generation, slots)
    return feedback.level_bps


def test_what_expires_doubles_the_level_and_what_lands_late_raises_it_by_half():
    feedback = Feedback()
    feedback.note_expired(0)
    assert 20_000 == feedback.level_bps
    assert 30_000 == lands(feedback, SLOW_SLOTS + 1)


def test_eight_prompt_landings_take_an_eighth_of_what_is_above_the_floor():
    assert 50_000 == lands(at(50_000), times=7)
    assert 45_000 == lands(at(50_000), times=8)


def test_what_lands_neither_promptly_nor_late_keeps_the_level():
    feedback = at(50_000)
    lands(feedback, times=7)
    assert 50_000 == lands(feedback, PROMPT_SLOTS + 1, times=20)
    assert 50_000 == lands(feedback, times=7)


def test_a_level_comes_all_the_way_down_to_the_floor():
    feedback = at(LEVEL_MAX)
    lands(feedback, times=8 * 200)
    assert LEVEL_MIN == feedback.level_bps


def test_a_tip_counter_that_resets_at_its_peak():
    # A bug of other keepers: one step past the peak begins anew at the bottom, when landing is hardest.
    feedback = Feedback()
    for _ in range(100):
        before = feedback.level_bps
        feedback.note_expired(feedback.generation)
        assert before <= feedback.level_bps
    assert LEVEL_MAX == feedback.level_bps
    assert LEVEL_MAX == lands(feedback, SLOW_SLOTS + 1, times=10)
    # One good moment at the peak is no reason to leave it, and eight are a reason for one step.
    assert LEVEL_MAX == lands(feedback)
    assert LEVEL_MAX * 8 // 10 < lands(feedback, times=7) < LEVEL_MAX


def test_a_hundred_transactions_that_expire_together_are_one_piece_of_news():
    feedback = Feedback()
    for _ in range(100):
        feedback.note_expired(0)
    assert 20_000 == feedback.level_bps


def test_a_hundred_prompt_landings_of_one_level_lower_it_once():
    feedback = at(50_000)
    for _ in range(100):
        feedback.note_landed(0, 1)
    assert 45_000 == feedback.level_bps


news = st.lists(st.tuples(st.booleans(), st.integers(0, 40), st.integers(0, 3)), max_size=200)


@given(news)
def test_the_level_stays_in_its_range_and_the_same_news_lead_to_the_same_level(each):
    first, second = Feedback(), Feedback()
    for feedback in (first, second):
        for has_expired, slots, age in each:
            generation = max(0, feedback.generation - age)
            if has_expired:
                feedback.note_expired(generation)
            else:
                feedback.note_landed(generation, slots)
            assert LEVEL_MIN <= feedback.level_bps <= LEVEL_MAX
    assert first == second
