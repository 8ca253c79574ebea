import pytest
import trio

from keeper.sandbox.venue.content import Frame
from keeper.sandbox.venue.subscribers import Subscribers


async def test_frames_reach_only_those_who_follow_one_of_their_tokens():
    subscribers = Subscribers()
    one, one_box = subscribers.join()
    two, two_box = subscribers.join()
    one.token_ids.add("1")
    two.token_ids.add("2")
    subscribers.publish([Frame(frozenset({"1", "3"}), {"n": 1}), Frame(frozenset({"3"}), {"n": 2})])
    assert one_box.receive_nowait() == '{"n":1}'
    for box in (one_box, two_box):
        with pytest.raises(trio.WouldBlock):
            box.receive_nowait()
    with one_box, two_box, one.outbox, two.outbox:
        subscribers.leave(one)
        assert len(subscribers) == 1


async def test_a_subscriber_too_far_behind_is_cut_off_and_the_others_go_on():
    subscribers = Subscribers()
    slow, slow_box = subscribers.join()
    quick, quick_box = subscribers.join()
    for one in (slow, quick):
        one.token_ids.add("1")
    with slow_box, quick_box, slow.outbox, quick.outbox:
        for number in range(5_000):
            subscribers.publish([Frame(frozenset({"1"}), number)])
            assert quick_box.receive_nowait() == str(number)
        assert slow.scope.cancel_called
        assert not quick.scope.cancel_called
