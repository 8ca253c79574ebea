"""Each fault of a wire, over streams in memory on a virtual clock."""

import math

import pytest
import trio
from trio.testing import memory_stream_pair

from keeper.drills.faults import Blackhole, Cut, Drip, Garbage, Latency, Refuse
from keeper.drills.wires import WireState, conduct


@pytest.fixture
def state():
    return WireState()


class Ends:
    """The client's and the server's end of one connection, and how it ended."""

    def __init__(self, nursery, state):
        self.client, inner = memory_stream_pair()
        self.server, outer = memory_stream_pair()
        self.is_reset = None
        self.ended_s = math.inf

        async def run():
            async with inner, outer:
                self.is_reset = await conduct(inner, outer, state)
                self.ended_s = trio.current_time()

        nursery.start_soon(run)


@pytest.fixture
def ends(autojump_clock, nursery, state):
    return Ends(nursery, state)


async def received(stream, count):
    data = b""
    while len(data) < count:
        chunk = await stream.receive_some()
        if not chunk:
            break
        data += chunk
    return data


async def test_whole_wires_carry_bytes_both_ways(autojump_clock, ends):
    await ends.client.send_all(b"ask")
    assert b"ask" == await received(ends.server, 3)
    await ends.server.send_all(b"answer")
    assert b"answer" == await received(ends.client, 6)
    assert 0 == trio.current_time()


async def test_latency_delays_each_direction_and_not_the_rate(autojump_clock, ends, state):
    state.set((Latency(delay_s=2),), 100)
    for part in (b"a", b"b", b"c"):
        await ends.client.send_all(part)
    assert b"abc" == await received(ends.server, 3)
    assert pytest.approx(2) == trio.current_time()


async def test_a_drip_slows_the_reply_alone(autojump_clock, ends, state):
    state.set((Drip(bytes_per_s=40),), 100)
    await ends.client.send_all(b"q" * 400)
    await received(ends.server, 400)
    assert 0 == trio.current_time()
    await ends.server.send_all(b"r" * 80)
    assert 80 == len(await received(ends.client, 80))
    assert pytest.approx(2, abs=0.1) == trio.current_time()


@pytest.mark.parametrize("is_reset", [True, False])
async def test_a_cut_ends_the_reply_after_its_bytes(autojump_clock, ends, state, is_reset):
    state.set((Cut(after_bytes=5, is_reset=is_reset),), 100)
    await ends.server.send_all(b"0123456789")
    assert b"01234" == await received(ends.client, 10)
    await trio.sleep(1)
    assert is_reset is ends.is_reset


async def test_a_black_hole_holds_bytes_until_it_is_mended(autojump_clock, ends, state):
    state.set((Blackhole(),), 100)
    await ends.server.send_all(b"late")
    with trio.move_on_after(60) as patience:
        await ends.client.receive_some()
    assert patience.cancelled_caught
    state.set((), 100)
    assert b"late" == await received(ends.client, 4)


async def test_garbage_replaces_the_reply_and_ends_it(autojump_clock, ends, state):
    await trio.testing.wait_all_tasks_blocked()
    broken = Garbage(data=b"\x15\x03")
    state.set((broken,), 100)
    await trio.sleep(1)
    assert ends.is_reset, "open connections break at once"


async def test_a_refusal_resets_what_is_open(autojump_clock, ends, state):
    await ends.client.send_all(b"ask")
    await received(ends.server, 3)
    state.set((Refuse(),), 100)
    assert state.is_refusing
    await trio.sleep(0.1)
    assert ends.is_reset


async def test_a_share_of_the_connections_suffers_and_the_others_do_not(
    autojump_clock, nursery, state
):
    state.set((Cut(after_bytes=0, is_reset=True),), 50)
    assert not state.is_refusing
    many = [Ends(nursery, state) for _ in range(40)]
    for each in many:
        await each.server.send_all(b"x")
    await trio.sleep(1)
    assert 8 < sum(each.is_reset is True for each in many) < 32


async def test_either_side_may_end_it(autojump_clock, ends):
    await ends.client.aclose()
    assert b"" == await ends.server.receive_some()
