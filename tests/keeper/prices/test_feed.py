"""The feed against the sandbox venue, on real loopback sockets."""

from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio

from keeper.newest import Newest
from keeper.prices.board import PriceBoard
from keeper.prices.discovery import discover_markets
from keeper.prices.errors import VenueError
from keeper.prices.feed import feed
from keeper.prices.feed_config import FeedConfig
from keeper.prices.price import PriceClass, Reason, Source, TokenId
from keeper.sandbox.venue.serve import serve_venue
from keeper.sandbox.venue.venue import Endpoint, Venue, VenueConfig

NEVER_MS = 3_600_000


def config_of(url, **changes):
    settings = {
        "slot_ms": 40,
        "rest_poll_interval_ms": 30,
        "gamma_poll_interval_ms": 30,
        "request_timeout_ms": 1_000,
        "reconnect_max_ms": 40,
        "restart_cooldown_ms": 300,
        **changes,
    }
    stream_url = url.replace("http", "ws", 1) + "/ws/market"
    return FeedConfig(clob_url=url, gamma_url=url, stream_url=stream_url, **settings)


@asynccontextmanager
async def running(**venue_settings):
    """Serve a venue whose prices stand still unless told to move."""
    config = VenueConfig(port=0, **{"markets": 2, "tick_ms": NEVER_MS, **venue_settings})
    venue = Venue(config)
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            url = await nursery.start(partial(serve_venue, config, venue=venue))
            yield venue, url, nursery
            nursery.cancel_scope.cancel()


def following(tokens):
    followed = Newest()
    followed.publish(tuple(tokens))
    return followed


async def started(nursery, url, tokens, **changes):
    board = PriceBoard()
    await nursery.start(feed, config_of(url, **changes), following(tokens), board)
    return board


async def price_when(board, token_id, is_awaited):
    """Wait for a price that satisfies; the test's deadline is round it."""
    sequence = 0
    while True:
        sequence = await board.wait_newer(sequence)
        price = board.get(token_id)
        if price is not None and is_awaited(price):
            return price


def valid_from(source):
    return lambda price: price.source is source and price.price_class is PriceClass.VALID


async def test_a_move_at_the_venue_arrives_over_the_stream():
    async with running() as (venue, url, nursery):
        token_id = TokenId(venue.markets[0].token_ids[0])
        board = await started(nursery, url, [token_id], stream_fresh_ms=5_000)
        await price_when(board, token_id, valid_from(Source.STREAM))
        venue.set_price(0, 700_500)
        price = await price_when(
            board, token_id, lambda one: valid_from(Source.STREAM)(one) and one.price_e6 > 690_000
        )
        assert abs(price.price_e6 - 700_500) <= venue.markets[0].tick_e6
        assert price.recorded_body is None
        # The gap to a poll from before the move is in the band; after it the band is half the spread.
        await price_when(board, token_id, lambda one: one.band_e6 <= venue.markets[0].tick_e6)


async def test_a_jump_is_uncertain_until_the_poll_confirms_it():
    async with running() as (venue, url, nursery):
        token_id = TokenId(venue.markets[0].token_ids[0])
        board = await started(nursery, url, [token_id], rest_poll_interval_ms=300)
        before = await price_when(board, token_id, valid_from(Source.STREAM))
        while board.statistics().observations[Source.CLOB] == 0:
            await board.wait_newer(board.sequence)
        to_e6 = 900_500 if before.price_e6 < 500_000 else 100_500
        venue.set_price(0, to_e6)
        await price_when(board, token_id, lambda one: one.reason is Reason.SOURCES_DISAGREE)
        price = await price_when(board, token_id, lambda one: one.reason is Reason.OK)
        assert abs(price.price_e6 - to_e6) <= venue.markets[0].tick_e6


async def test_polls_take_over_from_a_dead_stream_and_hand_back_when_it_returns():
    async with running() as (venue, url, nursery):
        token_id = TokenId(venue.markets[0].token_ids[0])
        board = await started(nursery, url, [token_id], stream_fresh_ms=5_000)
        await price_when(board, token_id, valid_from(Source.STREAM))
        venue.take_down(Endpoint.STREAM)
        await price_when(board, token_id, valid_from(Source.CLOB))
        assert set(board.statistics().errors) <= {"stream.stream_closed", "stream.status_403"}
        polls = board.statistics().observations[Source.CLOB]
        venue.bring_up(Endpoint.STREAM)
        # The market is quiet, so it is the polls that prove the returned stream: three must agree.
        await price_when(board, token_id, valid_from(Source.STREAM))
        assert board.statistics().observations[Source.CLOB] - polls >= 2


async def test_with_the_clob_gone_gamma_serves_degraded_and_without_it_the_last_good_ages():
    async with running() as (venue, url, nursery):
        token_id = TokenId(venue.markets[0].token_ids[0])
        board = await started(
            nursery, url, [token_id], slot_ms=2, request_timeout_ms=100, stream_fresh_ms=100
        )
        await price_when(board, token_id, lambda one: one.reason is Reason.OK)
        venue.take_down(Endpoint.STREAM)
        venue.take_down(Endpoint.CLOB)
        price = await price_when(board, token_id, lambda one: one.source is Source.GAMMA)
        # The venue says 503 with a code, as it does when its engine restarts.
        assert (price.price_class, price.reason) == (PriceClass.DEGRADED, Reason.ENGINE_RESTART)
        venue.take_down(Endpoint.GAMMA)
        price = await price_when(board, token_id, lambda one: one.price_class is PriceClass.HALTED)
        assert price.source is Source.LAST_GOOD
        assert abs(price.price_e6 - venue.price_e6(0)) <= venue.markets[0].tick_e6
        errors = board.statistics().errors
        assert errors["clob.status_5xx"] > 0
        assert errors["gamma.status_5xx"] > 0

        polls = board.statistics().observations[Source.CLOB]
        venue.bring_up(Endpoint.CLOB)
        await price_when(board, token_id, valid_from(Source.CLOB))
        assert board.statistics().observations[Source.CLOB] - polls >= 3


async def test_sockets_are_rotated_without_a_price_being_lost():
    async with running() as (venue, url, nursery):
        tokens = [TokenId(one.token_ids[0]) for one in venue.markets]
        board = await started(
            nursery, url, tokens, rotation_interval_ms=60, assets_per_socket=1, slot_ms=400
        )
        for token_id in tokens:
            await price_when(board, token_id, valid_from(Source.STREAM))
        opened = board.statistics().observations[Source.STREAM]
        while board.statistics().observations[Source.STREAM] < opened + 6:
            await board.wait_newer(board.sequence)
            assert {one.price_class for one in board.snapshot().values()} == {PriceClass.VALID}
        assert board.statistics().errors == {}
        assert len(venue.subscribers) <= 4


async def test_a_replay_arrives_at_the_recorded_price_and_names_the_recorded_body(recorded):
    async with running(replay=recorded) as (_, url, nursery):
        (listing,) = await discover_markets(config_of(url))
        token_id = listing.yes_token_id
        board = await started(nursery, url, [token_id])
        price = await price_when(board, token_id, valid_from(Source.CLOB))
        assert (price.price_e6, price.band_e6) == (65_500, 2_500)
        assert price.recorded_body == "clob_book_binary.json"
        assert price.content_time_ms == 1_782_670_540_073
        assert board.statistics().refusals == {}


async def test_a_replayed_capture_streams_its_own_books(recorded):
    low = TokenId("28543399540889573521326455114444614843465304193358852739098843595402438285283")
    async with running(replay=recorded, tick_ms=5) as (_, url, nursery):
        board = await started(nursery, url, [low])
        price = await price_when(board, low, lambda one: one.content_time_ms == 1_782_852_254_129)
        assert (price.price_e6, price.source) == (1_500, Source.STREAM)
        assert price.recorded_body == "ws_market_capture.json"


async def test_discovery_reads_every_page_and_finds_markets_by_condition():
    async with running(markets=205) as (venue, url, _):
        config = config_of(url)
        listings = await discover_markets(config)
        assert [one.condition_id for one in listings] == [one.condition_id for one in venue.markets]
        assert len(await discover_markets(config, markets_max=101)) == 101
        wanted = [listings[3].condition_id, listings[200].condition_id]
        found = await discover_markets(config, condition_ids=wanted)
        assert [one.yes_token_id for one in found] == [
            venue.markets[3].token_ids[0],
            venue.markets[200].token_ids[0],
        ]
        assert await discover_markets(config, is_closed=True) == ()


async def test_a_venue_that_is_not_there_is_said_so():
    with pytest.raises(VenueError, match="cannot be reached"):
        await discover_markets(config_of("http://127.0.0.1:1"))


async def test_cancelling_the_feed_leaves_no_socket_behind():
    async with running() as (venue, url, _):
        board = PriceBoard()
        token_id = TokenId(venue.markets[0].token_ids[0])
        async with trio.open_nursery() as feeding:
            await feeding.start(feed, config_of(url), following([token_id]), board)
            await price_when(board, token_id, valid_from(Source.STREAM))
            assert len(venue.subscribers) == 1
            feeding.cancel_scope.cancel()
        await venue.subscribers.wait_empty()


async def test_a_market_that_opens_is_priced_and_one_that_goes_is_forgotten_without_a_restart():
    async with running(markets=3) as (venue, url, nursery):
        one, two, three = (TokenId(market.token_ids[0]) for market in venue.markets)
        board, followed = PriceBoard(), following([one, two])
        await nursery.start(feed, config_of(url), followed, board)
        for token_id in (one, two):
            await price_when(board, token_id, lambda price: price.reason is Reason.OK)
        followed.publish((two, three))
        await price_when(board, three, lambda price: price.reason is Reason.OK)
        assert (board.get(one), board.heard(one)) == (None, ())
        sources = [view.source for view in board.heard(two)]
        assert sources == sorted(sources, key=list(Source).index)
        assert all(view.is_trusted for view in board.heard(two))
