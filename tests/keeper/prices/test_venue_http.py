import httpx
import pytest
import trio
from answering import Answering

from keeper.prices.buckets import CallLimits
from keeper.prices.clob import read_books, read_time_s
from keeper.prices.endpoints import Endpoint
from keeper.prices.errors import (
    BadStatusError,
    ConnectFailedError,
    InterruptedBodyError,
    MalformedReplyError,
    NotJsonError,
    TimedOutError,
    TooLargeError,
)
from keeper.prices.feed_config import FeedConfig
from keeper.prices.gamma import iterate_pages, read_listings
from keeper.prices.price import TokenId
from keeper.prices.venue_http import USER_AGENT, open_client, open_venue

CONFIG = FeedConfig(clob_url="http://clob", gamma_url="http://gamma", response_bytes_max=10_000)


def venue_of(answer):
    return open_venue(CONFIG, transport=Answering(answer))


async def fetched(answer):
    async with venue_of(answer) as venue, venue.reading(Endpoint.TIME) as reply:
        return reply.json(), reply.recorded_bodies


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (httpx.Response(403, html="<b>error code: 1010</b>"), BadStatusError),
        (httpx.Response(425, text="service not ready"), BadStatusError),
        (httpx.Response(302, headers={"location": "http://elsewhere"}), BadStatusError),
        (httpx.Response(200, html="<b>checking your browser</b>"), NotJsonError),
        (httpx.Response(200, content=b"{", headers={"content-type": "application/json"}), NotJsonError),
        (httpx.Response(200, content=b"{}"), NotJsonError),
        (httpx.Response(200, json=["x" * 10_001]), TooLargeError),
    ],
    ids=["403", "425", "redirect", "html", "truncated", "untyped", "too large"],
)  # fmt: skip
async def test_what_is_no_whole_json_answer_is_an_error_of_its_kind(response, error):
    with pytest.raises(error):
        await fetched(lambda _: response)


async def test_a_bad_status_keeps_the_beginning_of_its_body():
    with pytest.raises(BadStatusError, match=r"503.*cancel-only") as refused:
        await fetched(lambda _: httpx.Response(503, json={"code": "cancel-only"}))
    assert refused.value.status == 503


async def test_a_refused_connection_is_not_tried_again_and_a_lost_one_is_once():
    calls = []

    def refuse(request):
        calls.append(request)
        raise httpx.ConnectError("refused")

    with pytest.raises(ConnectFailedError):
        await fetched(refuse)
    assert len(calls) == 1

    def break_once(request):
        calls.append(request)
        if len(calls) == 2:
            raise httpx.RemoteProtocolError("Server disconnected without sending a response.")
        return httpx.Response(200, json={"n": 1})

    assert await fetched(break_once) == ({"n": 1}, ())

    def break_always(_):
        raise httpx.ReadError("reset")

    with pytest.raises(InterruptedBodyError, match="ReadError reset"):
        await fetched(break_always)


async def test_the_deadline_is_round_the_whole_call(autojump_clock):
    async def drip(_):
        await trio.sleep(CONFIG.request_timeout_s + 1)
        return httpx.Response(200, json={})

    begun_s = trio.current_time()
    with pytest.raises(TimedOutError, match="4000 ms"):
        await fetched(drip)
    assert trio.current_time() - begun_s == pytest.approx(CONFIG.request_timeout_s)


async def test_numbers_are_never_floats_and_recorded_files_are_named():
    response = httpx.Response(
        200,
        content=b'{"mid": 0.0655}',
        headers={"content-type": "application/json", "x-recorded-body": "a.json, b.json"},
    )
    body, recorded_bodies = await fetched(lambda _: response)
    assert body == {"mid": "0.0655"}
    assert recorded_bodies == ("a.json", "b.json")


async def test_the_client_introduces_itself_asks_for_gzip_alone_and_follows_no_redirect():
    async with open_client() as client:
        assert client.headers["User-Agent"] == USER_AGENT
        assert client.headers["Accept-Encoding"] == "gzip"
        assert not client.follow_redirects
        assert not client.trust_env


def book(token_id, **changes):
    sides = {"bids": [{"price": "0.4", "size": "1"}], "asks": [{"price": "0.5", "size": "1"}]}
    return {"asset_id": token_id, **sides, **changes}


async def test_a_batch_may_come_unordered_with_omissions_and_with_a_broken_entry():
    def answer(request):
        assert request.method == "POST"
        assert b'[{"token_id":"1"}' in request.content
        return httpx.Response(200, json=[book("3"), {"asset_id": "2"}, book("1")])

    async with venue_of(answer) as venue:
        reply = await read_books(venue, [TokenId(one) for one in "1234"])
    assert [one.book.token_id for one in reply.books] == ["3", "1"]
    assert [one.recorded_body for one in reply.books] == [None, None]
    assert len(reply.refusals) == 1


@pytest.mark.parametrize("body", [{}, "x", 5], ids=repr)
async def test_books_that_are_no_list_are_malformed(body):
    async with venue_of(lambda _: httpx.Response(200, json=body)) as venue:
        with pytest.raises(MalformedReplyError):
            await read_books(venue, [TokenId("1")])


@pytest.mark.parametrize("body", [0, "1782670540", []], ids=repr)
async def test_a_clock_that_tells_no_seconds_is_malformed(body):
    async with venue_of(lambda _: httpx.Response(200, json=body)) as venue:
        with pytest.raises(MalformedReplyError):
            await read_time_s(venue)


def market(number, **changes):
    return {
        "conditionId": f"0x{number:064x}",
        "outcomes": '["Yes", "No"]',
        "clobTokenIds": f'["{number}", "{number}00"]',
        **changes,
    }


async def test_pages_follow_after_cursor_to_the_end():
    asked = []

    def answer(request):
        asked.append(request.url.params.get("after_cursor"))
        if asked[-1] is None:
            return httpx.Response(200, json={"markets": [market(1), {}], "next_cursor": "A"})
        return httpx.Response(200, json={"markets": [market(2)]})

    async with venue_of(answer) as venue:
        pages = [page async for page in iterate_pages(venue, [])]
    assert asked == [None, "A"]
    assert [one.token_ids[0] for page in pages for one in page.listings] == ["1", "2"]
    assert [len(page.refusals) for page in pages] == [1, 0]


async def test_a_cursor_that_repeats_is_an_error_and_no_endless_loop():
    def answer(_):
        return httpx.Response(200, json={"markets": [], "next_cursor": "A"})

    async with venue_of(answer) as venue:
        with pytest.raises(MalformedReplyError, match="repeated the cursor"):
            [page async for page in iterate_pages(venue, [])]


async def test_pages_without_end_are_an_error_too(autojump_clock):
    cursors = iter(range(2_000))

    def answer(_):
        return httpx.Response(200, json={"markets": [], "next_cursor": str(next(cursors))})

    limits = CallLimits(markets_per_10_s=300)
    with trio.fail_after(3_600):
        async with open_venue(FeedConfig(limits=limits), transport=Answering(answer)) as venue:
            with pytest.raises(MalformedReplyError, match="more than 1000 pages"):
                [page async for page in iterate_pages(venue, [])]


@pytest.mark.parametrize("url", ["ftp://clob", "http://999.1.1.1", "clob", ""])
def test_an_address_that_is_none_is_refused_before_anybody_is_asked(url):
    with pytest.raises(ValueError, match="clob_url: expected an http:// or https:// URL"):
        FeedConfig(clob_url=url)


async def test_tokens_missing_among_open_markets_are_asked_for_among_closed_ones():
    asked = []

    def answer(request):
        params = request.url.params
        asked.append((params["closed"], params.get_list("clob_token_ids")))
        is_closed = params["closed"] == "true"
        return httpx.Response(
            200, json={"markets": [market(2 if is_closed else 1, closed=is_closed)]}
        )

    async with venue_of(answer) as venue:
        page = await read_listings(venue, [TokenId("1"), TokenId("2")])
    assert asked == [("false", ["1", "2"]), ("true", ["2"])]
    assert [one.is_closed for one in page.listings] == [False, True]
