"""agreement.py, completeness.py: whose word is believed, and whether a list is all of it."""

import numpy as np
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from programs.agreement import judge
from programs.completeness import Census
from programs.errands import open_errands
from programs.rpc_replies import has_twins


def test_who_is_outvoted_and_who_did_not_answer():
    verdict = judge({0: "a", 1: "b", 2: "a", 3: None}, voters=[0, 1, 2, 3])
    assert (verdict.believed, verdict.outvoted, verdict.is_tie) == ({0, 2}, {1}, False)


def test_one_against_one_is_a_tie_and_nobody_is_outvoted():
    verdict = judge({0: "a", 1: "b"}, voters=[0, 1])
    assert (verdict.believed, verdict.outvoted, verdict.is_tie) == (frozenset(), frozenset(), True)
    assert judge({0: "a", 1: "b", 2: "a", 3: "b"}, voters=range(4)).is_tie


def test_one_that_is_set_aside_does_not_vote_and_may_be_found_right_again():
    assert judge({0: "a", 1: "b"}, voters=[0]).outvoted == {1}
    assert judge({0: "a", 1: "a"}, voters=[0]).believed == {0, 1}
    assert judge({0: None, 1: "b"}, voters=[0]) == judge({}, voters=[])


@given(st.dictionaries(st.integers(0, 6), st.sampled_from(["a", "b", "c", None]), max_size=7))
def test_only_more_than_half_of_the_answers_outvotes(words):
    verdict = judge(words, voters=words)
    said = [word for word in words.values() if word is not None]
    assert not (verdict.believed & verdict.outvoted)
    if verdict.outvoted:
        assert 2 * len(verdict.believed) > len(said)
    assert verdict.is_tie == (bool(said) and max(map(said.count, said)) * 2 <= len(said))


def taken(census, *replies):
    reasons = []
    for count, endpoint in replies:
        census, reason = census.take(count, endpoint)
        reasons.append(reason)
    return reasons


def test_a_list_that_shrank_by_more_than_a_quarter_is_believed_when_another_endpoint_agrees():
    first, second, third = taken(Census(), (1_000, 0), (700, 0), (690, 1))
    assert (first, third) == (None, None)
    assert second == "700 accounts where there were 1000"


def test_one_endpoint_alone_has_to_say_it_three_times_in_a_row():
    reasons = taken(Census(), (1_000, 0), (500, 0), (500, 0), (500, 0))
    assert [reason is None for reason in reasons] == [True, False, False, True]
    # A good reply in between begins anew.
    reasons = taken(Census(), (1_000, 0), (500, 0), (500, 0), (1_000, 0), (500, 0), (500, 0))
    assert [reason is None for reason in reasons] == [True, False, False, True, False, False]


def test_another_endpoint_that_sees_even_less_convinces_nobody():
    reasons = taken(Census(), (1_000, 0), (700, 0), (100, 1))
    assert [reason is None for reason in reasons] == [True, False, False]


@pytest.mark.parametrize(("before", "count"), [(19, 0), (1_000, 750), (1_000, 5_000), (0, 0)])
def test_small_lists_small_falls_and_growth_are_believed(before, count):
    assert taken(Census(), (before, 0), (count, 0)) == [None, None]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([], False),
        ([bytes(32)], False),
        ([bytes(32), bytes([1] * 32), bytes(32)], True),
        ([bytes([1] * 31 + [0]), bytes([1] * 32)], False),  # begin alike
    ],
)
def test_twins_are_found_and_those_that_begin_alike_are_none(rows, expected):
    assert has_twins(np.frombuffer(b"".join(rows), "V32")) == expected


async def test_errands_end_with_their_owner_whose_error_comes_out_as_it_is(autojump_clock):
    async def break_down():
        async with open_errands() as errands:
            errands.start_soon(trio.sleep_forever)
            raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        await break_down()
    async with open_errands() as errands:
        errands.start_soon(trio.sleep, 3_600)
    assert trio.current_time() < 3_600
