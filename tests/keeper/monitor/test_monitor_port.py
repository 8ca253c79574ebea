"""The port, over real sockets: what is answered, and what hostile clients can do to everybody else, which is nothing."""

import json
import random
from contextlib import asynccontextmanager, suppress

import pytest
import trio
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from keeper.errors import MonitorError
from keeper.monitor.checks import look_at
from keeper.monitor.config import MonitorConfig
from keeper.monitor.guards import Bounds, Door
from keeper.monitor.moment import Moment
from keeper.monitor.port import serve_port
from keeper.monitor.server import application, server
from keeper.monitor.view import Seen, View
from keeper.newest import Newest
from state import metrics as m
from state.sample import Figures, Sample

HANG_S = 30.0
GET = b"GET %b HTTP/1.1\r\nHost: localhost\r\n\r\n"


def moment(*, age_s=0.5):
    figures = Figures()
    figures.put(m.COVERAGE, 0.75)
    figures.put(m.TASK_RUNNING, 0, "keeper", "scan")
    sample = Sample(service="keeper", sequence=1, figures=figures.values)
    view = View(wall_s=1e9, now_s=1.0, samples={"keeper": Seen(sample=sample, age_s=age_s)})
    return Moment(view=view, checks=look_at(view))


async def wait_used(door, *, is_used):
    while door.is_used is not is_used:  # noqa: ASYNC110 - the door tells nobody
        await trio.sleep(0.005)


async def large(_request):
    return PlainTextResponse("x" * 20_000_000)


class Served:
    def __init__(self, url, door, board):
        self.port = int(url.rpartition(":")[2])
        self.door, self.board = door, board

    async def connect(self):
        return await trio.open_tcp_stream("127.0.0.1", self.port)

    async def send(self, request):
        """Send bytes and read to the end."""
        with trio.fail_after(HANG_S):
            async with await self.connect() as stream:
                reply = b""
                with suppress(trio.BrokenResourceError):  # refused before all of it was taken
                    await stream.send_all(request)
                with suppress(trio.BrokenResourceError):
                    async for chunk in stream:
                        reply += chunk
                return reply

    async def get(self, path):
        head, _, body = (await self.send(GET % path)).partition(b"\r\n\r\n")
        return int(head.split()[1]), head.decode().lower(), body


@asynccontextmanager
async def served(token=None, *, is_begun=True, **bounds):
    board = Newest()
    if is_begun:
        board.publish(moment())
    app = application(board, [Route("/large", large)])
    door = Door(server(app), token, Bounds(**bounds))
    async with trio.open_nursery() as nursery:

        async def serve(task_status):
            config = MonitorConfig(port=0)
            await serve_port(config, door, is_patient=False, task_status=task_status)

        yield Served(await nursery.start(serve), door, board)
        nursery.cancel_scope.cancel()


async def test_live_ready_health_and_metrics_say_what_is_known():
    async with served() as monitor:
        assert (200, b"live\n") == (await monitor.get(b"/live"))[::2]
        status, _, words = await monitor.get(b"/ready")
        assert 503 == status
        assert b"tasks: keeper's task scan has ended\n" in words
        health = json.loads((await monitor.get(b"/health"))[2])
        assert (True, False) == (health["is_live"], health["is_ready"])
        status, head, text = await monitor.get(b"/metrics")
        assert (200, True) == (status, b"\nvault_coverage_ratio 0.75\n" in text)
        assert "content-type: text/plain; version=0.0.4" in head
        monitor.board.publish(moment(age_s=6.0))
        status, _, words = await monitor.get(b"/live")
        assert (503, True) == (status, b"told nothing for 6.0 s" in words)


async def test_before_the_first_look_nothing_is_called_well():
    async with served(is_begun=False) as monitor:
        for path in (b"/live", b"/ready", b"/health", b"/metrics"):
            assert 503 == (await monitor.get(path))[0]


@pytest.mark.parametrize(
    "path", [b"/live", b"/metrics", b"/nothing/../here", b"/%2e%2e/%2e%2e/etc/passwd"]
)
async def test_every_reply_keeps_browsers_from_making_anything_of_it(path):
    async with served() as monitor:
        _, head, _ = await monitor.get(path)
    for line in (
        "x-content-type-options: nosniff",
        "x-frame-options: deny",
        "content-security-policy: default-src 'none'",
        "cache-control: no-store",
        "connection: close",
    ):
        assert line in head


async def test_each_second_is_written_down_once_for_all_scrapers():
    async with served() as monitor:
        await monitor.get(b"/metrics")
        before = await monitor.get(b"/metrics")
        assert before[2] == (await monitor.get(b"/metrics"))[2]


async def test_a_head_that_comes_slowly_is_given_up():
    async with served(head_s=0.05) as monitor:
        with trio.fail_after(HANG_S):
            async with await monitor.connect() as stream:
                await stream.send_all(b"GET /live HT")
                assert (await stream.receive_some()).startswith(b"HTTP/1.1 408 ")
        assert 1 == monitor.door.refused["slow"]
        assert 200 == (await monitor.get(b"/live"))[0]


async def test_crowds_that_ask_nothing_keep_nobody_from_being_answered():
    async with served(waiting_max=8, head_s=HANG_S) as monitor, trio.open_nursery() as nursery:

        async def stand_idle(task_status):
            async with await monitor.connect() as stream:
                await stream.send_all(b"GET / HTTP/1.1\r\n")
                task_status.started()
                await trio.sleep_forever()

        for _ in range(40):
            await nursery.start(stand_idle)
        assert 200 == (await monitor.get(b"/live"))[0]
        figures = Figures()
        monitor.door.put(figures)
        assert 8 >= figures.values[m.PORT_CONNECTIONS.name, ("waiting",)]
        assert 30 < figures.values[m.PORT_REFUSED.name, ("crowded",)]
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /live HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 20_000, 431),
        (b"GET /live HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 20_000 + b"\r\n\r\n", 431),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n" + b"z" * 50_000, 405),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n", 413),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 405),
        (b"GET /live HTTP/1.1\r\nHost: rebound.example\r\n\r\n", 421),
    ],
)
async def test_what_is_too_much_or_not_for_us_is_refused_in_a_sentence(request_, status):
    async with served() as monitor:
        reply = await monitor.send(request_)
        assert reply.startswith(b"HTTP/1.1 %d " % status)
        assert 1 == sum(monitor.door.refused.values())
        assert 200 == (await monitor.get(b"/live"))[0]


async def test_a_connection_carries_one_request():
    async with served() as monitor:
        reply = await monitor.send(GET % b"/live" + GET % b"/health")
        assert 1 == reply.count(b"HTTP/1.1")


async def test_a_reader_that_does_not_read_is_let_go():
    async with served(send_s=0.05) as monitor, await monitor.connect() as stream:
        await stream.send_all(GET % b"/large")
        with trio.fail_after(HANG_S):
            await wait_used(monitor.door, is_used=True)
            await wait_used(monitor.door, is_used=False)


async def test_no_more_are_answered_at_once_than_there_are_places():
    async with served(open_max=1, send_s=HANG_S) as monitor, await monitor.connect() as stream:
        await stream.send_all(GET % b"/large")
        with trio.fail_after(HANG_S):
            await wait_used(monitor.door, is_used=True)
        status, head, _ = await monitor.get(b"/health")
        assert (503, True) == (status, "retry-after" in head)


async def test_a_crowd_that_holds_every_place_keeps_no_prober_out():
    """Whoever restarts what does not answer would restart a monitor that many people look at."""
    crowded = served(open_max=3, probes_max=2, send_s=HANG_S)
    async with crowded as monitor, trio.open_nursery() as nursery:

        async def hold(path, task_status):
            async with await monitor.connect() as stream:
                await stream.send_all(GET % path)
                await stream.receive_some(1)
                task_status.started()
                await trio.sleep_forever()

        for _ in range(3):
            await nursery.start(hold, b"/large")
        # Who asked, has the answer, and hangs on, holds no place.
        for _ in range(10):
            await nursery.start(hold, b"/live")
        assert 503 == (await monitor.get(b"/large"))[0]
        assert 503 == (await monitor.get(b"/live/nothing"))[0]
        assert (200, b"live\n") == (await monitor.get(b"/live?from=supervisor"))[::2]
        assert b"tasks: " in (await monitor.get(b"/ready"))[2]
        nursery.cancel_scope.cancel()


async def test_any_bytes_whatever_leave_the_port_answering():
    dice = random.Random(7)
    async with served(head_s=0.2) as monitor:
        for _ in range(60):
            await monitor.send(dice.randbytes(dice.randrange(1, 3_000)) + b"\r\n\r\n")
        assert 200 == (await monitor.get(b"/live"))[0]


async def test_with_a_token_nothing_is_told_without_it():
    async with served("correct-horse-battery") as monitor:
        assert 401 == (await monitor.get(b"/metrics"))[0]
        ask = (
            b"GET /live HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer correct-horse-battery\r\n\r\n"
        )
        assert (await monitor.send(ask)).startswith(b"HTTP/1.1 200")


async def test_a_port_that_is_taken_is_a_refusal_or_worth_waiting_for():
    async with served() as monitor:
        taken = MonitorConfig(port=monitor.port)
        with pytest.raises(
            MonitorError, match=f"cannot listen on port {monitor.port} .*monitor.port"
        ):
            await serve_port(taken, monitor.door, is_patient=False)
        with trio.move_on_after(0.01) as patience:
            await serve_port(taken, monitor.door, is_patient=True)
        assert patience.cancelled_caught
