"""The passing of time, on a virtual clock: no source speaks, and prices age all the same."""

import pytest
import trio

from keeper.newest import Newest
from keeper.prices.appraiser import Appraiser
from keeper.prices.board import PriceBoard
from keeper.prices.errors import TimedOutError
from keeper.prices.feed import _age_prices
from keeper.prices.feed_config import FeedConfig
from keeper.prices.observation import Observation
from keeper.prices.polling import poll_for_ever
from keeper.prices.price import Reason, Source, TokenId
from keeper.prices.quote import quote
from keeper.prices.stream_bundle import backoff_s

ONE = TokenId("1")
CONFIG = FeedConfig()


def appraiser_of(board):
    return Appraiser(board, [ONE], CONFIG.trust_rules)


def following(tokens):
    followed = Newest()
    followed.publish(tuple(tokens))
    return followed


def age(appraiser):
    for _ in appraiser.pass_time():
        pass


def seen(source=Source.CLOB, price_e6=500_000):
    return Observation(
        source=source,
        quote=quote(price_e6 - 1_000, price_e6 + 1_000),
        received_at_s=trio.current_time(),
        content_time_ms=None,
    )


async def test_an_hour_of_silence_takes_a_price_through_every_class_once(autojump_clock):
    board = PriceBoard()
    appraiser = appraiser_of(board)
    begun_s = trio.current_time()
    appraiser.observe(ONE, seen())
    classes = [(0.0, "valid")]

    async def read():
        sequence = board.sequence
        while True:
            sequence = await board.wait_newer(sequence)
            classes.append((trio.current_time() - begun_s, board.get(ONE).price_class))

    with trio.move_on_after(3_600):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            nursery.start_soon(_age_prices, CONFIG, appraiser)
    # Nothing is published while nothing changes; each change is at most one ageing round late.
    assert [one for _, one in classes] == ["valid", "degraded", "stale", "halted"]
    for (at_s, _), due_s in zip(classes[1:], (10, 60, 300), strict=True):
        assert due_s < at_s <= due_s + 1.5


async def test_a_poll_that_always_fails_is_counted_and_never_stops_the_rounds(autojump_clock):
    board = PriceBoard()
    appraiser = appraiser_of(board)
    appraiser.observe(ONE, seen())

    async def poll(_):
        await trio.sleep(0.1)
        raise TimedOutError("no answer")

    with trio.move_on_after(20.5):
        await poll_for_ever(appraiser, following(appraiser.tokens), Source.CLOB, 500, 2.0, poll)
    assert board.statistics().errors == {"clob.timeout": 11}
    assert board.failures_in_a_row(Source.CLOB) == 11


async def test_a_round_of_many_failed_calls_is_one_miss_and_one_answer_makes_it_none(
    autojump_clock,
):
    board = PriceBoard()
    appraiser = Appraiser(board, [TokenId(str(number)) for number in range(4)], CONFIG.trust_rules)
    is_down = True

    async def poll(chunk):
        await trio.lowlevel.checkpoint()
        if is_down or chunk[0] != "0":
            raise TimedOutError("no answer")

    with trio.move_on_after(3):
        await poll_for_ever(appraiser, following(appraiser.tokens), Source.GAMMA, 1, 2.0, poll)
    assert board.statistics().errors == {"gamma.timeout": 8}
    assert board.failures_in_a_row(Source.GAMMA) == 2
    is_down = False
    with trio.move_on_after(3):
        await poll_for_ever(appraiser, following(appraiser.tokens), Source.GAMMA, 1, 2.0, poll)
    assert board.failures_in_a_row(Source.GAMMA) == 0


async def test_five_failures_in_a_row_on_every_source_halt_and_one_success_ends_it(autojump_clock):
    board = PriceBoard()
    appraiser = appraiser_of(board)
    appraiser.observe(ONE, seen())
    for source in (Source.STREAM, Source.CLOB, Source.GAMMA):
        for _ in range(5):
            age(appraiser)
            assert board.get(ONE).reason is Reason.OK
            appraiser.miss(source)
    age(appraiser)
    assert board.get(ONE).reason is Reason.SOURCES_FAILING
    appraiser.succeed(Source.GAMMA)
    age(appraiser)
    assert board.get(ONE).reason is Reason.OK


async def test_a_token_never_heard_of_is_unpriced_and_one_not_asked_for_is_refused(autojump_clock):
    board = PriceBoard()
    appraiser = appraiser_of(board)
    assert board.why_unpriced(ONE) is Reason.NO_SOURCE
    appraiser.observe("2", seen())
    appraiser.close("2", is_closed=True)
    assert board.statistics().refusals == {"clob.token_not_asked_for": 1}
    assert board.snapshot() == {}


async def test_a_closed_market_is_uncertain_and_a_reopened_one_is_not(autojump_clock):
    board = PriceBoard()
    appraiser = appraiser_of(board)
    appraiser.observe(ONE, seen())
    appraiser.close(ONE, is_closed=True)
    assert board.get(ONE).reason is Reason.MARKET_CLOSED
    # A listing may have been cached before the market closed: that it says open proves nothing for 300 s.
    await trio.sleep(300)
    appraiser.close(ONE, is_closed=False)
    assert board.get(ONE).reason is Reason.MARKET_CLOSED
    await trio.sleep(0.1)
    appraiser.close(ONE, is_closed=False)
    for _ in range(3):
        appraiser.observe(ONE, seen())
        await trio.sleep(1)
    assert board.get(ONE).reason is Reason.OK


@pytest.mark.parametrize(
    ("failures", "draw", "wait_s"),
    [(1, 0.0, 0.25), (2, 0.0, 0.5), (3, 0.5, 0.75), (8, 0.0, 30.0), (10_000, 0.0, 30.0), (10_000, 0.999, 15.015)],
)  # fmt: skip
def test_reconnections_back_off_to_a_limit_with_up_to_half_taken_off(failures, draw, wait_s):
    assert backoff_s(failures, draw, 30.0) == pytest.approx(wait_s)


@pytest.mark.parametrize(
    ("setting", "value"),
    [("books_per_request", 501), ("assets_per_socket", 0), ("markets_per_request", 41), ("slot_ms", 0), ("pong_timeout_ms", 10_000)],
)  # fmt: skip
def test_a_setting_that_the_venue_would_refuse_is_refused_by_name(setting, value):
    with pytest.raises(ValueError, match=setting):
        FeedConfig(**{setting: value})
