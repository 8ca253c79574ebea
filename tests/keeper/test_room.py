import pytest
import trio

from keeper.room import Room


def test_a_room_has_as_many_places_as_it_was_given():
    room = Room(2)
    room.acquire_nowait()
    room.acquire_nowait()
    with pytest.raises(trio.WouldBlock):
        room.acquire_nowait()
    room.release()
    assert 1 == room.value


def test_a_smaller_room_takes_no_place_back_and_gives_none_out_until_enough_came_free():
    room = Room(3)
    for _ in range(3):
        room.acquire_nowait()
    room.resize(1)
    for _ in range(2):
        assert 0 == room.value
        room.release()
    assert 0 == room.value
    room.release()
    assert 1 == room.value
