import trio
from hearing import Notes

from keeper.newest import Newest
from keeper.prices.errors import HeldBackError, TimedOutError
from keeper.prices.polling import poll_for_ever


async def rounds_of(poll, followed, duration_s, tokens_per_call=2):
    notes = Notes()
    with trio.move_on_after(duration_s):
        await poll_for_ever(notes, followed, "source", tokens_per_call, 10.0, poll)
    return notes


def following(*tokens):
    followed = Newest()
    followed.publish(tokens)
    return followed


async def test_what_is_followed_is_read_anew_each_round(autojump_clock):
    followed, asked = following("1", "2", "3"), []

    async def poll(tokens):
        asked.append(tuple(tokens))
        followed.publish(("3", "4"))

    await rounds_of(poll, followed, 15)
    assert sorted(asked) == [("1", "2"), ("3",), ("3", "4")]


async def test_rounds_wait_for_something_to_follow_and_go_on_without_anything(autojump_clock):
    asked = []

    async def poll(tokens):
        asked.append(tuple(tokens))

    assert (await rounds_of(poll, Newest(), 100)).said == []
    assert (await rounds_of(poll, following(), 100)).said == []
    assert asked == []


async def test_after_a_round_without_an_answer_one_call_goes_ahead_of_the_rest(autojump_clock):
    in_flight, most = 0, []

    async def poll(_):
        nonlocal in_flight
        in_flight += 1
        most.append(in_flight)
        await trio.sleep(1)
        in_flight -= 1
        raise TimedOutError("slow")

    notes = await rounds_of(poll, following(*"123456"), 18)
    assert most == [1, 2, 3, 1, 1, 2]
    assert notes.of("miss") == [("miss", "source")] * 2
    assert len(notes.of("fail")) == 6


async def test_a_round_that_was_held_back_is_told_once_and_is_no_miss(autojump_clock):
    async def poll(_):
        raise HeldBackError("open")

    notes = await rounds_of(poll, following(*"123456"), 25)
    assert notes.said == [("fail", "source", "held_back")] * 3


async def test_one_answer_in_a_round_is_no_miss(autojump_clock):
    async def poll(tokens):
        if tokens != ("1", "2"):
            raise TimedOutError("slow")

    notes = await rounds_of(poll, following(*"1234"), 5)
    assert sorted(notes.said) == [("fail", "source", "timeout"), ("succeed", "source")]


async def test_a_round_that_overruns_starts_the_next_at_once_and_none_is_made_up_for(
    autojump_clock,
):
    begun_s = []

    async def poll(_):
        begun_s.append(trio.current_time())
        await trio.sleep(25 if len(begun_s) == 1 else 1)

    await rounds_of(poll, following("1"), 50)
    assert [at_s - begun_s[0] for at_s in begun_s] == [0, 25, 35, 45]
