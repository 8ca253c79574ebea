"""News for open pages: made once for all, newest wins, nothing while nobody looks."""

import json

import httpx
import moments
import pytest
import trio
import trio.testing
from starlette.applications import Starlette

from keeper.monitor.page.app import POLICY, STREAMS_MAX, Page
from keeper.monitor.page.render import STATIC
from keeper.newest import Newest


def shown(second):
    return moments.moment(
        sample=moments.keeper_sample(second, second=float(second)), wall_s=moments.NOW_S + second
    )


class Browser:
    """One ASGI connection to a page."""

    def __init__(self, page, path="/events", query=b"", method="GET"):
        self.app = {route.path: route for route in page.routes()}[path].endpoint
        self.scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": query,
            "headers": [],
        }
        self.leave = trio.Event()
        self.can_take = trio.Event()
        self.can_take.set()
        self.messages = []

    async def receive(self):
        await self.leave.wait()
        return {"type": "http.disconnect"}

    async def send(self, message):
        await self.can_take.wait()
        self.messages.append(message)

    async def run(self):
        await self.app(self.scope, self.receive, self.send)

    @property
    def frames(self):
        found = [each["body"] for each in self.messages if each["type"] == "http.response.body"]
        return [json.loads(body.split(b"data: ", 1)[1]) for body in found if body]


async def tell(board, *seconds):
    for second in seconds:
        board.publish(shown(second))
        await trio.sleep(1)


async def opened(nursery, *browsers):
    for browser in browsers:
        nursery.start_soon(browser.run)
    await trio.testing.wait_all_tasks_blocked()


@pytest.fixture
async def page(nursery):
    found = Page(Newest())
    nursery.start_soon(found.encode)
    return found


async def test_the_first_frame_is_whole_and_the_next_ones_are_what_changed(
    page, autojump_clock, nursery
):
    browser = Browser(page)
    await opened(nursery, browser)
    await tell(page.board, 1, 2, 3)
    whole, change, _ = browser.frames
    assert {"top", "charts", "vault", "landed"} <= whole["panels"].keys()
    assert "lanes" in change["panels"]
    assert not {"charts", "landed", "rewards"} & change["panels"].keys()
    assert 1_000 == change["next_ms"]


async def test_a_page_opened_later_gets_everything(page, autojump_clock, nursery):
    first, second = Browser(page), Browser(page)
    await opened(nursery, first)
    await tell(page.board, 1, 2)
    await opened(nursery, second)
    await tell(page.board, 3)
    assert second.frames[0]["panels"].keys() == first.frames[0]["panels"].keys()


async def test_a_slow_reader_skips_frames_and_then_gets_everything(page, autojump_clock, nursery):
    browser = Browser(page)
    await opened(nursery, browser)
    await tell(page.board, 1)
    browser.can_take = trio.Event()
    await tell(page.board, 2, 3, 4)
    browser.can_take.set()
    await tell(page.board, 5)
    assert [True, False, True] == ["charts" in each["panels"] for each in browser.frames[:3]]
    assert len(browser.frames) < 5


async def test_a_reader_that_takes_nothing_is_let_go(page, autojump_clock, nursery):
    browser = Browser(page)
    await opened(nursery, browser)
    await tell(page.board, 1)
    browser.can_take = trio.Event()
    await tell(page.board, *range(2, 20))
    assert 0 == page.streams


async def test_nothing_is_rendered_while_nobody_looks(page, autojump_clock, nursery):
    await tell(page.board, 1, 2)
    assert all(frames.newest.get() is None for frames in page._spans.values())
    browser = Browser(page)
    await opened(nursery, browser)
    await tell(page.board, 3)
    browser.leave.set()
    await tell(page.board, 4)
    assert 0 == page.streams
    sequence = page._spans["hour"].newest.sequence
    await tell(page.board, 5, 6)
    assert sequence == page._spans["hour"].newest.sequence


async def test_a_page_opened_again_gets_no_frame_of_long_ago(page, autojump_clock, nursery):
    browser = Browser(page)
    await opened(nursery, browser)
    await tell(page.board, 1)
    browser.leave.set()
    await tell(page.board, *range(2, 9))
    again = Browser(page)
    await opened(nursery, again)
    await tell(page.board, 9)
    assert ["14:13:29 UTC"] == [frame["at"] for frame in again.frames]


async def test_a_thousand_pages_are_told_the_same_bytes_and_less_often(
    page, autojump_clock, nursery
):
    browsers = [Browser(page) for _ in range(1_000)]
    await opened(nursery, *browsers)
    await tell(page.board, *range(1, 13))
    bodies = {id(each.messages[1]["body"]) for each in browsers}
    assert 1 == len(bodies)
    assert 3 == len(browsers[0].frames)
    assert 4_000 == browsers[0].frames[0]["next_ms"]
    for browser in browsers:
        browser.leave.set()


async def test_more_pages_than_there_is_room_for_are_asked_to_come_back(
    page, autojump_clock, nursery
):
    page._spans["day"].readers = STREAMS_MAX
    browser = Browser(page)
    await browser.run()
    assert 503 == browser.messages[0]["status"]


async def test_a_head_of_the_stream_ends(page, autojump_clock):
    browser = Browser(page, method="HEAD")
    await browser.run()
    assert [] == browser.frames


def client(page):
    transport = httpx.ASGITransport(app=Starlette(routes=page.routes()))
    return httpx.AsyncClient(transport=transport, base_url="http://page")


async def test_the_page_runs_no_script_but_its_own_and_every_file_it_names_is_there(
    page, autojump_clock
):
    page.board.publish(shown(1))
    async with client(page) as http:
        answer = await http.get("/")
        assert POLICY == answer.headers["content-security-policy"]
        assert "unsafe" not in POLICY
        named = {part.split('"')[0] for part in answer.text.split('"static/')[1:]}
        assert set(STATIC) == named
        for name in named:
            assert STATIC[name][1] == (await http.get(f"/static/{name}")).content
        assert 404 == (await http.get("/static/..%2fapp.py")).status_code


async def test_the_page_is_rendered_once_a_moment_however_often_it_is_asked_for(
    page, autojump_clock
):
    page.board.publish(shown(1))
    async with client(page) as http:
        first, again, day = [await http.get(path) for path in ("/", "/?span=x", "/?span=day")]
    assert first.text == again.text != day.text
    assert {"hour", "day"} == page._rendered.keys()


async def test_before_the_first_moment_the_page_says_so(page, autojump_clock):
    async with client(page) as http:
        answer = await http.get("/")
    assert (503, "1") == (answer.status_code, answer.headers["refresh"])


async def test_a_runbook_of_no_such_name_is_no_file(page, autojump_clock):
    async with client(page) as http:
        for name in ("nothing_like_it", "..%2f..%2fREADME", "UPPER", "a" * 65):
            assert 404 == (await http.get(f"/runbooks/{name}")).status_code
