"""Sockets that come and go, on a virtual clock: nothing here waits, and an hour passes at once."""

import json
from contextlib import asynccontextmanager

import httpx
import trio
from scripted_market import NotedHearing, ScriptedMarket, book, change
from trio.testing import wait_all_tasks_blocked

from keeper.newest import Newest
from keeper.prices.feed_config import FeedConfig
from keeper.prices.stream import StreamSource
from keeper.prices.stream_link import MESSAGE_BYTES_MAX, RUBBISH_MAX

ONE, TWO, THREE, FOUR = "1", "2", "3", "4"


@asynccontextmanager
async def following(*books, tokens=None, prepare=None, **settings):
    async with trio.open_nursery() as nursery:
        market, hearing, followed = ScriptedMarket(nursery, *books), NotedHearing(), Newest()
        if prepare is not None:
            prepare(market)
        followed.publish(tuple(market.books) if tokens is None else tokens)
        config = FeedConfig(stream_url="ws://market/ws/market", **settings)
        async with httpx.AsyncClient(transport=market) as client, trio.open_nursery() as running:
            running.start_soon(StreamSource(client=client, config=config).run, hearing, followed)
            await wait_all_tasks_blocked()
            yield market, hearing, followed
            running.cancel_scope.cancel()
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()


async def successor(market):
    """Wait until a second socket is open beside the first, and return both."""
    while len(market.open_peers) < 2:  # noqa: ASYNC110 - a socket opens at its own time, without an event
        await trio.sleep(1)
    return market.open_peers


def operations(peer):
    return [(one.get("operation"), one["assets_ids"]) for one in peer.heard]


async def test_a_new_token_is_subscribed_on_the_open_socket_and_a_gone_one_unsubscribed(
    autojump_clock,
):
    async with following(book(ONE), book(TWO), tokens=(ONE,)) as (market, hearing, followed):
        followed.publish((ONE, TWO))
        await wait_all_tasks_blocked()
        followed.publish((TWO,))
        await wait_all_tasks_blocked()
        (peer,) = market.peers
        assert operations(peer) == [
            (None, [ONE]),
            ("subscribe", [TWO]),
            ("unsubscribe", [ONE]),
        ]
        await peer.say(change(ONE, "0.42"), change(TWO, "0.42"))
        await wait_all_tasks_blocked()
        assert hearing.told == [(ONE, 450_000), (TWO, 450_000), (TWO, 460_000)]
        assert hearing.lost == []


async def test_a_socket_without_tokens_is_closed_and_opened_again_for_the_next_one(autojump_clock):
    async with following(book(ONE), book(TWO), tokens=(ONE,)) as (market, hearing, followed):
        followed.publish(())
        await trio.sleep(1)
        assert market.open_peers == []
        followed.publish((TWO,))
        await trio.sleep(1)
        assert [operations(peer) for peer in market.open_peers] == [[(None, [TWO])]]
        assert (hearing.failures, hearing.misses) == ({}, 0)


async def test_tokens_fill_the_room_that_others_left_before_a_socket_is_added(autojump_clock):
    books = [book(str(number)) for number in range(5)]
    settings = {"tokens": ("0", "1", "2"), "assets_per_socket": 2}
    async with following(*books, **settings) as (market, _, followed):
        followed.publish(("1", "2", "3", "4"))
        await wait_all_tasks_blocked()
        subscribed = sorted(map(operations, market.peers))
        assert subscribed == [
            [(None, ["0", "1"]), ("unsubscribe", ["0"]), ("subscribe", ["3"])],
            [(None, ["2"]), ("subscribe", ["4"])],
        ]


async def test_a_socket_is_replaced_when_old_and_its_successor_knows_every_book_first(
    autojump_clock,
):
    async with following(book(ONE), book(TWO)) as (market, hearing, _):
        market.books = {ONE: book(ONE, bid="0.42")}
        old, new = await successor(market)
        assert 540 <= trio.current_time() <= 601
        # The successor has one book of two: the old socket still speaks, and alone.
        await old.say(change(TWO, "0.46"))
        await new.say(change(ONE, "0.44"))
        await wait_all_tasks_blocked()
        assert hearing.prices == {ONE: 450_000, TWO: 480_000}
        await new.say(book(TWO, bid="0.48", timestamp="1002"))
        await trio.sleep(1)
        assert market.open_peers == [new]
        assert hearing.prices == {ONE: 470_000, TWO: 490_000}
        assert (hearing.lost, hearing.failures) == ([], {})


async def test_a_book_that_the_successor_is_not_given_in_time_is_lost_to_the_polls(autojump_clock):
    async with following(book(ONE), book(TWO)) as (market, hearing, _):
        del market.books[TWO]
        await trio.sleep(615)
        assert len(market.open_peers) == 1
        assert (hearing.lost, list(hearing.prices)) == ([TWO], [ONE])


async def test_a_successor_that_is_given_nothing_is_sent_away_and_the_old_socket_goes_on(
    autojump_clock,
):
    async with following(book(ONE)) as (market, hearing, _):
        (old,) = market.peers
        held, market.books = market.books, {}
        await trio.sleep(640)
        assert old in market.open_peers
        assert hearing.failures["timeout"] >= 2
        await old.say(change(ONE, "0.42"))
        await wait_all_tasks_blocked()
        assert hearing.prices == {ONE: 460_000}
        market.books = held
        await trio.sleep(45)
        assert old not in market.open_peers
        assert (hearing.lost, hearing.misses) == ([], 0)


async def test_a_successor_takes_over_at_once_when_the_old_socket_breaks(autojump_clock):
    async with following(book(ONE), book(TWO)) as (market, hearing, _):
        del market.books[TWO]
        old, _ = await successor(market)
        await old.cut()
        await wait_all_tasks_blocked()
        assert (hearing.prices, hearing.lost) == ({ONE: 450_000}, [TWO])
        assert hearing.failures == {"stream_closed": 1}


async def test_a_lost_socket_withdraws_its_tokens_and_is_opened_again(autojump_clock):
    async with following(book(ONE), book(TWO)) as (market, hearing, _):
        (peer,) = market.peers
        await peer.cut()
        await wait_all_tasks_blocked()
        assert sorted(hearing.lost) == [ONE, TWO]
        assert (hearing.failures, hearing.misses) == ({"stream_closed": 1}, 1)
        await trio.sleep(0.3)
        assert operations(market.peers[-1]) == [(None, [ONE, TWO])]
        assert hearing.prices == {ONE: 450_000, TWO: 450_000}


async def test_attempts_at_a_dead_venue_grow_rare_and_are_told_by_kind(autojump_clock):
    def refuse(market):
        market.status = None

    async with following(tokens=(ONE,), prepare=refuse) as (market, hearing, _):
        await trio.sleep(60)
        assert 7 <= hearing.failures["connect"] <= 12
        assert hearing.misses == hearing.failures["connect"]
        market.status = 500
        await trio.sleep(60)
        assert hearing.failures["status_5xx"] >= 2
        market.status, market.books = 101, {ONE: book(ONE)}
        await trio.sleep(31)
        assert hearing.prices == {ONE: 450_000}


async def test_a_refused_handshake_is_repeated_no_sooner_than_the_venue_asks(autojump_clock):
    def throttle(market):
        market.status, market.headers = 429, {"Retry-After": "100"}

    async with following(tokens=(ONE,), prepare=throttle) as (market, hearing, _):
        await trio.sleep(99)
        assert (market.attempts, hearing.failures) == (1, {"status_429": 1})
        market.status, market.headers = 403, {}
        await trio.sleep(15)
        assert (market.attempts, hearing.failures["status_403"]) == (2, 1)
        market.status = 425
        await trio.sleep(2)
        assert set(hearing.restarts) == {"425 service not ready"}


async def test_a_hundred_sockets_are_opened_a_few_at_a_time(autojump_clock):
    def slow(market):
        market.handshake_s = 1.0

    tokens = tuple(str(number) for number in range(100))
    async with following(tokens=tokens, assets_per_socket=1, prepare=slow) as (market, _, _):
        await trio.sleep(26)
        assert (len(market.peers), market.opening_most) == (100, 4)


async def test_a_handshake_that_hangs_ends_at_the_deadline(autojump_clock):
    def hang(market):
        market.handshake_s = 1e9

    async with following(tokens=(ONE,), prepare=hang) as (_, hearing, _):
        await trio.sleep(4.1)
        assert hearing.failures == {"timeout": 1}


async def test_without_pong_a_socket_is_dead_after_thirty_seconds(autojump_clock):
    def silent(market):
        market.answers_ping = False

    async with following(book(ONE), prepare=silent) as (_, hearing, _):
        await trio.sleep(29.9)
        assert hearing.failures == {}
        await trio.sleep(0.2)
        assert hearing.failures == {"stream_silent": 1}


async def test_a_doubted_token_is_subscribed_anew_and_the_socket_stays(autojump_clock):
    async with following(book(ONE), book(TWO), book(THREE)) as (market, hearing, _):
        await trio.sleep(5)
        market.books[TWO] = book(TWO, bid="0.44", timestamp="2000")
        hearing.doubted = {TWO}
        await trio.sleep(30)
        (peer,) = market.peers
        assert operations(peer)[1:] == [("unsubscribe", [TWO]), ("subscribe", [TWO])]
        assert hearing.prices[TWO] == 470_000


async def test_a_token_that_its_snapshot_does_not_heal_moves_the_socket(autojump_clock):
    async with following(book(ONE), book(TWO), book(THREE)) as (market, hearing, _):
        await trio.sleep(5)
        hearing.doubted = {TWO}
        await trio.sleep(20)
        assert len(market.peers) == 1
        hearing.doubted = {TWO}
        await trio.sleep(2)
        old, new = market.peers
        assert (old.is_closed, new.is_closed) == (True, False)
        assert hearing.lost == []


async def test_a_token_whose_snapshot_does_not_come_moves_the_socket(autojump_clock):
    async with following(book(ONE), book(TWO), book(THREE)) as (market, hearing, _):
        await trio.sleep(5)
        held = market.books.pop(TWO)
        hearing.doubted = {TWO}
        await trio.sleep(3)
        assert len(market.peers) == 1
        market.books[TWO] = held
        await trio.sleep(3)
        assert len(market.peers) == 2


async def test_a_socket_on_which_half_is_doubted_is_replaced_at_once(autojump_clock):
    async with following(book(ONE), book(TWO), book(THREE), book(FOUR)) as (market, hearing, _):
        await trio.sleep(5)
        hearing.doubted = {TWO, THREE}
        await trio.sleep(1.1)
        old, new = market.peers
        assert (old.is_closed, operations(new)) == (True, [(None, [ONE, TWO, THREE, FOUR])])
        # What a fresh socket does not heal, the next will not either: replacements grow rare.
        for _ in range(60):
            hearing.doubted = {TWO, THREE}
            await trio.sleep(1)
        assert 3 <= len(market.peers) <= 5


async def test_after_a_tick_size_change_the_snapshot_is_awaited_before_it_is_asked_for(
    autojump_clock,
):
    async with following(book(ONE)) as (market, hearing, _):
        (peer,) = market.peers
        await peer.say({"event_type": "tick_size_change", "asset_id": ONE})
        await trio.sleep(2.5)
        assert hearing.lost == [ONE]
        assert len(peer.heard) == 1
        await trio.sleep(1)
        assert operations(peer)[1:] == [("unsubscribe", [ONE]), ("subscribe", [ONE])]
        assert hearing.prices == {ONE: 450_000}


async def test_requests_that_bring_nothing_grow_rare(autojump_clock):
    async with following(tokens=(ONE,)) as (market, _, _):
        await trio.sleep(500)
        (peer,) = market.peers
        # At 10, 20, 40, 80, 160 and 320 seconds.
        assert operations(peer)[1:] == [("unsubscribe", [ONE]), ("subscribe", [ONE])] * 6


async def test_stated_best_prices_that_stay_apart_from_the_book_have_it_sent_anew(autojump_clock):
    async with following(book(ONE)) as (market, hearing, _):
        (peer,) = market.peers
        stated = {"event_type": "best_bid_ask", "asset_id": ONE, "timestamp": "1001"}
        await peer.say({**stated, "best_bid": "0.41", "best_ask": "0.5"}, change(ONE, "0.41"))
        await trio.sleep(5)
        assert hearing.refusals == {}
        await peer.say({**stated, "best_bid": "0.45", "best_ask": "0.5", "timestamp": "1002"})
        await trio.sleep(5)
        assert (hearing.refusals, hearing.lost) == ({"best_contradicted": 1}, [ONE])
        assert operations(peer)[1:] == [("unsubscribe", [ONE]), ("subscribe", [ONE])]


async def test_a_clock_that_went_back_cannot_hold_a_book_still(autojump_clock):
    async with following(book(ONE, timestamp="9000000")) as (market, hearing, _):
        (peer,) = market.peers
        market.books[ONE] = book(ONE, bid="0.42", timestamp="1000")
        await peer.say(change(ONE, "0.41", timestamp="900"))
        await wait_all_tasks_blocked()
        assert hearing.refusals == {"clock_stepped": 1}
        assert hearing.prices == {ONE: 460_000}
        await peer.say(change(ONE, "0.44"))
        await wait_all_tasks_blocked()
        assert hearing.prices == {ONE: 470_000}


async def test_a_message_is_refused_while_it_grows_and_the_socket_replaced(autojump_clock):
    async with following(book(ONE)) as (market, hearing, _):
        (peer,) = market.peers
        part = " " * (MESSAGE_BYTES_MAX // 4 - 1_000)
        for _ in range(4):
            await peer.say_part(part)
        await wait_all_tasks_blocked()
        assert hearing.failures == {}
        await peer.say_part(" " * 5_000)
        await wait_all_tasks_blocked()
        assert hearing.failures == {"too_large": 1}
        await trio.sleep(0.3)
        assert len(market.open_peers) == 1


async def test_a_message_in_parts_is_one_message_and_a_ping_between_them_is_answered(
    autojump_clock,
):
    async with following(book(ONE)) as (market, hearing, _):
        (peer,) = market.peers
        text = json.dumps(change(ONE, "0.42"))
        await peer.say_part(text[:7])
        await peer.ping()
        await peer.say_part(text[7:20])
        await peer.say_part(text[20:], is_last=True)
        await wait_all_tasks_blocked()
        assert hearing.prices == {ONE: 460_000}


async def test_a_socket_that_speaks_nothing_but_rubbish_is_replaced(autojump_clock):
    async with following(book(ONE)) as (market, hearing, _):
        (peer,) = market.peers
        for _ in range(3):
            await peer.say(*["{"] * (RUBBISH_MAX - 1), change(ONE, "0.42"))
        await wait_all_tasks_blocked()
        assert hearing.failures == {}
        await peer.say(*["[7]"] * RUBBISH_MAX)
        await wait_all_tasks_blocked()
        assert hearing.failures == {"stream_malformed": 1}


async def test_a_flood_of_frames_leaves_every_other_task_its_turn(autojump_clock):
    async with following(book(ONE)) as (market, hearing, _):
        (peer,) = market.peers
        await peer.say_at_once(*[change(ONE, "0.42")] * 50)
        while len(hearing.told) < 51:
            told = len(hearing.told)
            await trio.lowlevel.checkpoint()
            # Once before this task's turn and once after it, as chance has it.
            assert len(hearing.told) - told <= 2


async def test_two_hundred_books_in_one_frame_are_applied_in_portions(autojump_clock):
    tokens = tuple(str(number) for number in range(200))
    async with following(tokens=tokens) as (market, hearing, _):
        (peer,) = market.peers
        await peer.say([book(token_id) for token_id in tokens])
        while len(hearing.told) < 200:
            told = len(hearing.told)
            await trio.lowlevel.checkpoint()
            assert len(hearing.told) - told <= 16


async def test_a_cancelled_stream_says_goodbye(autojump_clock):
    async with following(book(ONE)) as (market, _, _):
        (peer,) = market.peers
        began_s = trio.current_time()
    assert peer.is_closed
    assert trio.current_time() - began_s <= 0.5
