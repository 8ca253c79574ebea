"""keeper/newest.py."""

import trio

from keeper.newest import Newest


async def test_a_reader_gets_the_present_not_what_it_missed(autojump_clock):
    board = Newest[str]()
    seen = []

    async def read():
        sequence = 0
        while sequence < 3:
            sequence, value = await board.wait_newer(sequence)
            seen.append(value)
            await trio.sleep(10)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await trio.sleep(1)
        board.publish("first")
        await trio.sleep(1)
        board.publish("missed")
        board.publish("present")

    assert seen == ["first", "present"]


async def test_every_waiting_reader_wakes(autojump_clock):
    board = Newest[int]()
    woken = []

    async def read(name):
        woken.append((name, await board.wait_newer(0)))

    async with trio.open_nursery() as nursery:
        for name in "ab":
            nursery.start_soon(read, name)
        await trio.testing.wait_all_tasks_blocked()
        board.publish(7)

    assert sorted(woken) == [("a", (1, 7)), ("b", (1, 7))]
    assert board.get() == 7
    assert board.sequence == 1


async def test_there_is_no_value_before_the_first():
    assert Newest[int]().get() is None
