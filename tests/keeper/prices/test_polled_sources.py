"""The CLOB and Gamma as sources: what they say to whoever listens, on a virtual clock."""

import json

import httpx
import pytest
import trio
from answering import Answering
from hearing import Notes

from keeper.newest import Newest
from keeper.prices.clob_source import ClobSource
from keeper.prices.discovery import discover_at
from keeper.prices.errors import MalformedReplyError
from keeper.prices.feed_config import FeedConfig
from keeper.prices.gamma_source import GammaSource
from keeper.prices.venue_http import open_venue

CONFIG = FeedConfig(
    clob_url="http://clob",
    gamma_url="http://gamma",
    rest_poll_interval_ms=1_000,
    gamma_poll_interval_ms=1_000,
)
NOON_S = 1_782_670_540


class ScriptedVenue:
    """Answers with what it is told to."""

    def __init__(self, **replies):
        self.replies = {"books": [], "time": NOON_S, "markets": [], **replies}
        self.asked = []

    def answer(self, request):
        name = request.url.path.split("/")[1]
        reply = self.replies[name]
        if isinstance(reply, httpx.Response):
            return reply
        if name == "markets":
            params = request.url.params
            ids, closed = params.get_list("clob_token_ids"), params["closed"] == "true"
            self.asked.append((ids, closed))
            found = [one for one in reply if one.get("closed", False) is closed]
            return httpx.Response(200, json={"markets": found})
        return httpx.Response(200, json=reply)


async def heard(source_of, venue, duration_s, tokens=("1", "2"), wall_ms=lambda: NOON_S * 1_000):
    notes, followed = Notes(), Newest()
    followed.publish(tokens)
    async with open_venue(CONFIG, wall_ms=wall_ms, transport=Answering(venue.answer)) as http:
        with trio.move_on_after(duration_s):
            await source_of(http).run(notes, followed)
    return notes


def clob(http):
    return ClobSource(venue=http, wall_ms=http.wall_ms)


def gamma(http):
    return GammaSource(venue=http)


def book(token_id, bid="0.4", ask="0.5"):
    return {"asset_id": token_id, "bids": [{"price": bid, "size": "1"}], "asks": [{"price": ask, "size": "1"}]}  # fmt: skip


def market(number, **changes):
    return {
        "conditionId": f"0x{number:064x}",
        "question": "Will it?",
        "outcomes": '["Yes", "No"]',
        "clobTokenIds": json.dumps([str(number), f"{number}00"]),
        "bestBid": 0.4,
        "bestAsk": 0.5,
        **changes,
    }


async def test_books_are_observed_and_what_is_wrong_with_them_is_said(autojump_clock):
    levels = [{"price": "0.4", "size": "1"}, {"price": "x", "size": "1"}]
    venue = ScriptedVenue(books=[book("2"), book("2"), book("9"), "no book", {**book("1"), "bids": levels}])  # fmt: skip
    notes = await heard(clob, venue, 0.5)
    assert notes.of("observe", "refuse", "succeed") == [
        ("refuse", "clob", "token_twice"),
        ("refuse", "clob", "token_not_asked_for"),
        ("refuse", "clob", "malformed_book"),
        ("observe", "2", 450_000),
        ("refuse", "clob", "malformed_level"),
        ("observe", "1", 450_000),
        ("succeed", "clob"),
    ]


async def test_a_reply_of_far_more_entries_than_were_asked_for_is_refused_whole(autojump_clock):
    venue = ScriptedVenue(books=[book("1"), *["no book"] * 100_000])
    notes = await heard(clob, venue, 0.5)
    assert notes.of("observe", "refuse") == []
    assert ("fail", "clob", "malformed") in notes.said


async def test_a_page_of_far_more_markets_than_were_asked_for_is_refused_whole(autojump_clock):
    notes = await heard(gamma, ScriptedVenue(markets=[market(1), *[{}] * 100]), 0.5)
    assert notes.of("observe", "refuse") == []
    assert ("fail", "gamma", "malformed") in notes.said


async def test_listings_asked_for_by_their_ids_are_not_turned_over_for_ever(autojump_clock):
    asked = []

    def answer(request):
        asked.append(request)
        return httpx.Response(200, json={"markets": [], "next_cursor": f"c{len(asked)}"})

    notes, followed = Notes(), Newest()
    followed.publish(("1",))
    async with open_venue(CONFIG, transport=Answering(answer)) as http:
        with trio.move_on_after(0.5):
            await gamma(http).run(notes, followed)
        with pytest.raises(MalformedReplyError, match="more than 4 pages"):
            await discover_at(http, question_ids=["0x1"])
    assert ("fail", "gamma", "malformed") in notes.said
    assert len(asked) == 8


async def test_a_token_left_out_three_times_is_asked_of_gamma_and_what_it_says_is_told(
    autojump_clock,
):
    venue = ScriptedVenue(books=[book("1")], markets=[market(2, closed=True), market(3)])
    notes = await heard(clob, venue, 2.5, tokens=("1", "2", "3", "4"))
    assert venue.asked == [(["2", "3", "4"], False), (["2", "4"], True)]
    assert notes.of("close") == [("close", "2", True), ("close", "3", False)]
    assert notes.of("refuse") == [
        ("refuse", "clob", "book_gone"),
        ("refuse", "clob", "book_missing"),
        ("refuse", "clob", "token_unlisted"),
    ]


async def test_many_tokens_without_a_book_are_all_asked_about_forty_at_a_time(autojump_clock):
    tokens = tuple(str(number) for number in range(1, 1_001))
    venue = ScriptedVenue()
    notes = await heard(clob, venue, 2.9, tokens=tokens)
    assert {len(ids) for ids, _ in venue.asked} == {40}
    assert notes.of("refuse") == [("refuse", "clob", "token_unlisted")] * 1_000


async def test_when_gamma_cannot_be_asked_about_a_token_its_failure_is_told(autojump_clock):
    venue = ScriptedVenue(markets=httpx.Response(500))
    notes = await heard(clob, venue, 2.5)
    assert ("fail", "gamma", "status_5xx") in notes.said


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (httpx.Response(425, text="service not ready"), "425 service not ready"),
        (httpx.Response(503, json={"code": "cancel-only"}), "503 cancel-only"),
        (httpx.Response(503, text="no engine"), None),
        (httpx.Response(500, json={"code": "oops"}), None),
    ],
)
async def test_signs_of_an_engine_restart_are_passed_on(reply, why, autojump_clock):
    for venue in (ScriptedVenue(books=reply), ScriptedVenue(time=reply)):
        notes = await heard(clob, venue, 0.5)
        assert notes.of("restart") == ([] if why is None else [("restart", "clob", why)])


async def test_the_venues_clock_is_told_less_ours_and_read_sooner_while_it_jumps(autojump_clock):
    begun_s = trio.current_time()
    ahead_ms = 0

    def wall_ms():
        passed_ms = round((trio.current_time() - begun_s) * 1_000)
        return NOON_S * 1_000 + passed_ms

    def answer(request):
        if request.url.path == "/time":
            read_at_s.append(round(trio.current_time() - begun_s))
            return httpx.Response(200, json=(wall_ms() + ahead_ms) // 1_000)
        return httpx.Response(200, json=[])

    read_at_s: list[int] = []
    venue = ScriptedVenue()
    venue.answer = answer
    notes, followed = Notes(), Newest()
    followed.publish(())
    async with (
        open_venue(CONFIG, wall_ms=wall_ms, transport=Answering(answer)) as http,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(clob(http).run, notes, followed)
        await trio.sleep(70)
        ahead_ms = 45_000
        await trio.sleep(70)
        nursery.cancel_scope.cancel()
    # Once a minute; at 120 s the clock is found to have jumped, and 5 s later to stand where it jumped to.
    assert read_at_s == [0, 60, 120, 125]
    skews = [skew_ms for _, skew_ms in notes.of("skew")]
    assert [abs(skew_ms - expected) <= 500 for skew_ms, expected in zip(skews, (0, 0, 45_000, 45_000), strict=True)] == [True] * 4  # fmt: skip


async def test_a_clock_that_cannot_be_read_is_said_and_asked_again_soon(autojump_clock):
    notes = await heard(clob, ScriptedVenue(time="noon"), 12, tokens=())
    assert notes.of("refuse") == [("refuse", "clob", "clock_unread")] * 3


async def test_gamma_tells_the_quote_of_outcome_0_and_whether_a_market_is_over(autojump_clock):
    markets = [market(1), market(2, closed=True), market(7), market(1), {"conditionId": "0x1"}]
    notes = await heard(gamma, ScriptedVenue(markets=markets), 0.5, tokens=("1", "200"))
    assert notes.of("observe", "close", "refuse") == [
        ("refuse", "gamma", "malformed_market"),
        ("refuse", "gamma", "malformed_market"),
        ("refuse", "gamma", "malformed_market"),
        ("observe", "1", 450_000),
        ("close", "1", False),
        ("close", "200", True),
    ]
