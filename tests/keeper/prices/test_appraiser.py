"""Between the sources and the board, on a virtual clock: what is told once, counted, and asked for anew."""

from dataclasses import replace

import pytest
import trio
from structlog.testing import capture_logs

from keeper.newest import Newest
from keeper.prices.appraiser import Appraiser
from keeper.prices.board import PriceBoard
from keeper.prices.feed import _age_prices, feed
from keeper.prices.feed_config import FeedConfig
from keeper.prices.observation import Observation
from keeper.prices.price import PriceClass, Reason, Source, TokenId
from keeper.prices.quote import quote

ONE = TokenId("1")
MANY = tuple(TokenId(str(number)) for number in range(8))
CONFIG = FeedConfig()
RULES = CONFIG.trust_rules
NOW_MS = 1_790_000_000_000


def seen(source=Source.CLOB, price_e6=500_000, content_time_ms=None):
    return Observation(
        source=source,
        quote=quote(price_e6 - 1_000, price_e6 + 1_000),
        received_at_s=trio.current_time(),
        content_time_ms=content_time_ms,
    )


def appraising(tokens=(ONE,), rules=RULES):
    board = PriceBoard()
    return board, Appraiser(board, tokens, rules, wall_ms=lambda: NOW_MS)


def age(appraiser):
    return sum(1 for _ in appraiser.pass_time())


def events(told):
    return [one["event"] for one in told]


def pushed(price_e6, content_time_ms):
    return replace(seen(Source.STREAM, price_e6, content_time_ms), is_as_it_happens=True)


async def test_a_stream_that_is_held_up_on_its_way_is_lost_until_its_news_is_new_again(
    autojump_clock,
):
    board, appraiser = appraising()
    appraiser.note_clock_skew(0)
    appraiser.observe(ONE, pushed(500_000, NOW_MS - 10_000))
    assert board.get(ONE).price_class is PriceClass.VALID
    for lag_ms in (10_001, 300_000):  # PONG may well come all the while
        await trio.sleep(1)
        appraiser.observe(ONE, pushed(480_000, NOW_MS - lag_ms))
        price = board.get(ONE)
        assert (price.source, price.price_e6) == (Source.LAST_GOOD, 500_000)
        assert price.price_class is PriceClass.DEGRADED
    assert board.statistics().refusals == {"stream.late": 2}
    with trio.fail_after(1):  # a clock that was set back looks the same: it is read
        await appraiser.wait_clock_doubted()
    for _ in range(3):
        await trio.sleep(1)
        appraiser.observe(ONE, pushed(490_000, NOW_MS))
    assert (board.get(ONE).source, board.get(ONE).price_class) == (Source.STREAM, PriceClass.VALID)


@pytest.mark.parametrize("skew_ms", [-9_000, -3_600_000])
async def test_news_is_not_late_by_a_venues_clock_that_is_behind(skew_ms, autojump_clock):
    board, appraiser = appraising()
    appraiser.note_clock_skew(skew_ms)
    appraiser.observe(ONE, pushed(500_000, NOW_MS + skew_ms - 5_000))
    assert board.get(ONE).price_class is PriceClass.VALID


async def test_a_book_asked_for_may_have_changed_long_ago(autojump_clock):
    board, appraiser = appraising()
    appraiser.observe(ONE, seen(Source.STREAM, 500_000, NOW_MS - 3_600_000))
    assert board.get(ONE).price_class is PriceClass.VALID


async def test_a_stamp_from_the_future_is_not_believed_until_the_clock_says_so_and_never_makes_what_follows_look_old(
    autojump_clock,
):
    board, appraiser = appraising()
    appraiser.observe(ONE, seen(Source.STREAM, 500_000, NOW_MS + 10_001))
    assert (board.get(ONE).content_time_ms, board.get(ONE).reason) == (None, Reason.FROM_FUTURE)
    with trio.fail_after(1):  # asked for already
        await appraiser.wait_clock_doubted()
    assert board.statistics().refusals == {"stream.content_from_future": 1}
    appraiser.note_clock_skew(9_000)  # the venue is ahead of us, and says so
    appraiser.observe(ONE, seen(Source.STREAM, 500_000, NOW_MS + 10_001))
    assert board.get(ONE).content_time_ms == NOW_MS + 10_001
    assert board.get(ONE).price_class is PriceClass.VALID


async def test_a_receipt_from_the_future_and_a_source_nobody_runs_are_refused(autojump_clock):
    board, appraiser = appraising()
    appraiser.observe(ONE, replace(seen(), received_at_s=trio.current_time() + 1))
    appraiser.observe(ONE, replace(seen(), source="hearsay"))
    assert board.get(ONE) is None
    assert board.statistics().refusals == {
        "clob.received_in_the_future": 1,
        "hearsay.not_a_source": 1,
    }


async def test_an_engine_restart_is_told_once_and_lasts_until_three_probes_after_its_cooldown(
    autojump_clock,
):
    board, appraiser = appraising()
    appraiser.observe(ONE, seen(Source.CLOB))
    appraiser.observe(ONE, seen(Source.GAMMA))
    with capture_logs() as told:
        for _ in range(3):
            appraiser.note_restart(Source.CLOB, "425")
            await trio.sleep(1)
        age(appraiser)
        assert (board.get(ONE).source, board.get(ONE).reason) == ("gamma", Reason.ENGINE_RESTART)
        assert board.get(ONE).price_class is PriceClass.DEGRADED
        for _ in range(89):
            appraiser.observe(ONE, seen(Source.CLOB))
            await trio.sleep(2)
        age(appraiser)
        assert board.get(ONE).source is not Source.CLOB  # 178 s since the last sign, and 2 to go
        await trio.sleep(2)
        age(appraiser)
        assert board.get(ONE).price_class is PriceClass.STALE
        for _ in range(2):
            appraiser.observe(ONE, seen(Source.CLOB))
            await trio.sleep(2)
        assert board.get(ONE).price_class is PriceClass.STALE
        appraiser.observe(ONE, seen(Source.CLOB))
    assert board.get(ONE).price_class is PriceClass.VALID
    assert [one for one in events(told) if one.startswith("venue")] == [
        "venue.restarting",
        "venue.restarting",  # the second sign of three: the first, second, fourth are told
        "venue.restarted",
    ]
    assert board.statistics().refusals["clob.engine_restart"] == 3


async def test_a_venue_of_which_nothing_moves_for_two_minutes_is_frozen_until_something_does(
    autojump_clock,
):
    board, appraiser = appraising(MANY)
    with capture_logs() as told:
        for _ in range(61):
            for token_id in MANY:
                appraiser.observe(token_id, seen())
            await trio.sleep(2)
            age(appraiser)
        assert {one.reason for one in board.snapshot().values()} == {Reason.VENUE_FROZEN}
        assert {one.price_class for one in board.snapshot().values()} == {PriceClass.UNCERTAIN}
        appraiser.observe(ONE, seen(price_e6=501_000))
        for token_id in MANY:
            appraiser.observe(token_id, seen(price_e6=501_000))
    assert {one.reason for one in board.snapshot().values()} == {Reason.OK}
    assert events(told).count("venue.frozen") == 1
    assert events(told).count("venue.thawed") == 1
    # One line for the venue, none for each of its tokens.
    assert events(told).count("price.classed") == len(MANY)
    assert board.statistics().reasons[Reason.VENUE_FROZEN] == len(MANY)


@pytest.mark.parametrize("tokens", [MANY[:7], MANY])
async def test_fewer_than_eight_quiet_tokens_are_a_quiet_market(autojump_clock, tokens):
    board, appraiser = appraising(tokens)
    for _ in range(70):
        for token_id in tokens:
            appraiser.observe(token_id, seen())
        await trio.sleep(2)
    age(appraiser)
    is_frozen = len(tokens) == 8
    assert (board.get(tokens[0]).reason is Reason.VENUE_FROZEN) is is_frozen


async def test_a_reconnected_stream_that_repeats_its_books_is_no_sign_of_life(autojump_clock):
    board, appraiser = appraising(MANY)
    for round_number in range(70):
        for token_id in MANY:
            appraiser.observe(token_id, seen(Source.STREAM))
        if round_number % 10 == 9:
            appraiser.lose(Source.STREAM, MANY)
        await trio.sleep(2)
        age(appraiser)
    for token_id in MANY:
        appraiser.observe(token_id, seen(Source.GAMMA))
    appraiser.observe(ONE, seen(Source.GAMMA))
    assert "venue.frozen" in board.statistics().refusals


async def test_a_frozen_outage_still_ages_to_halted(autojump_clock):
    board, appraiser = appraising(MANY)
    for token_id in MANY:
        appraiser.observe(token_id, seen())
    for _ in range(310):
        await trio.sleep(1)
        age(appraiser)
    assert {one.price_class for one in board.snapshot().values()} == {PriceClass.HALTED}


async def test_doubted_tokens_are_told_once_and_their_old_books_withdrawn(autojump_clock):
    board, appraiser = appraising()
    appraiser.observe(ONE, seen(Source.STREAM, 500_000, 1_000))
    for stamp_ms in range(2_000, 6_000, 1_000):
        await trio.sleep(2)
        appraiser.observe(ONE, seen(Source.CLOB, 560_000, stamp_ms))
    assert board.get(ONE).reason is Reason.CONTESTED
    assert board.statistics().refusals["stream.behind"] == 1
    assert appraiser.take_doubted(Source.STREAM, ["2"]) == ()
    assert appraiser.take_doubted(Source.CLOB, [ONE]) == ()
    assert appraiser.take_doubted(Source.STREAM, ["2", ONE]) == (ONE,)
    assert appraiser.take_doubted(Source.STREAM, ["2", ONE]) == ()
    # Until it answers, its old word still counts against the others.
    appraiser.observe(ONE, seen(Source.CLOB, 560_000, 6_000))
    assert (board.get(ONE).reason, board.get(ONE).source) == (Reason.CONTESTED, Source.CLOB)
    appraiser.observe(ONE, seen(Source.STREAM, 560_000, 6_000))
    appraiser.observe(ONE, seen(Source.CLOB, 560_000, 6_000))
    assert (board.get(ONE).price_class, board.get(ONE).source) == (PriceClass.VALID, Source.CLOB)


async def test_a_clock_that_goes_wrong_and_right_again_is_told_each_time_once(autojump_clock):
    board, appraiser = appraising()
    with capture_logs() as told:
        for skew_ms in (0, 10_001, 20_000, -10_000, 0):
            appraiser.note_clock_skew(skew_ms)
    assert events(told) == ["venue.clock_skewed", "venue.clock_sane"]
    assert (board.clock_skew_ms, board.statistics().refusals) == (0, {"venue.clock_skewed": 1})


async def test_the_clock_is_asked_for_when_a_stamp_goes_back_and_once_read_that_is_settled(
    autojump_clock,
):
    _, appraiser = appraising()
    asked_at_s = []

    async def ask():
        while True:
            await appraiser.wait_clock_doubted()
            asked_at_s.append(trio.current_time())
            appraiser.note_clock_skew(0)
            await trio.sleep(1)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        begun_s = trio.current_time()
        for stamp_ms in (1_000, 5_000, 3_000, 4_000, 4_000):
            await trio.sleep(2)
            appraiser.observe(ONE, seen(Source.CLOB, 500_000, stamp_ms))
        nursery.cancel_scope.cancel()
    assert [at_s - begun_s for at_s in asked_at_s] == [6]


async def test_a_token_is_judged_by_time_only_when_a_boundary_is_past(autojump_clock):
    board, appraiser = appraising()
    appraiser.observe(ONE, seen())
    published = board.sequence
    await trio.sleep(10)  # exactly the fresh time of a poll: still fresh
    assert age(appraiser) == 1
    assert board.sequence == published
    await trio.sleep(0.001)
    age(appraiser)
    assert (board.sequence, board.get(ONE).source) == (published + 1, Source.LAST_GOOD)


async def test_what_concerns_every_token_is_not_kept_waiting_for_the_next_round(autojump_clock):
    board, appraiser = appraising()
    appraiser.observe(ONE, seen())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_age_prices, CONFIG, appraiser)
        await trio.sleep(0.5)
        begun_s = trio.current_time()
        appraiser.note_restart(Source.CLOB, "425")
        await board.wait_newer(board.sequence)
        assert trio.current_time() == begun_s
        assert board.get(ONE).reason is Reason.ENGINE_RESTART
        nursery.cancel_scope.cancel()


async def test_a_forgotten_token_takes_its_doubts_and_its_pulse_with_it(autojump_clock):
    board, appraiser = appraising(MANY)
    for token_id in MANY:
        appraiser.observe(token_id, seen())
    appraiser.follow(MANY[1:])
    await trio.sleep(121)
    age(appraiser)
    assert "venue.frozen" not in board.statistics().refusals
    gone = MANY[0]
    appraiser.lose(Source.CLOB, [gone])
    assert (board.get(gone), board.heard(gone)) == (None, ())


async def test_what_each_source_last_said_is_shown_with_why_it_is_not_believed(autojump_clock):
    board, appraiser = appraising()
    appraiser.observe(ONE, seen(Source.CLOB, 500_000))
    appraiser.observe(ONE, seen(Source.GAMMA, 900_000))
    appraiser.lose(Source.STREAM, [ONE])
    appraiser.observe(ONE, seen(Source.STREAM, 510_000))
    shown = [(one.source, one.price_e6, one.is_trusted, one.reason) for one in board.heard(ONE)]
    assert shown == [
        (Source.STREAM, 510_000, False, Reason.PROBATION),
        (Source.CLOB, 500_000, True, Reason.OK),
        (Source.GAMMA, 900_000, True, Reason.FALLBACK_FAR),
    ]


async def test_two_sources_of_one_rank_or_name_are_refused_before_anything_runs():
    class Twin:
        traits = CONFIG.clob_traits

        async def run(self, *_):
            raise AssertionError

    with pytest.raises(ValueError, match="ranks"):
        await feed(CONFIG, Newest(), PriceBoard(), sources=[Twin(), Twin()])
    with pytest.raises(ValueError, match="named"):
        replace(RULES, sources=(CONFIG.clob_traits, replace(CONFIG.clob_traits, rank=9)))
    with pytest.raises(ValueError, match="best_class"):
        replace(CONFIG.clob_traits, best_class=PriceClass.STALE)
    with pytest.raises(ValueError, match="fresh_ms"):
        replace(CONFIG.clob_traits, fresh_ms=0)
    with pytest.raises(ValueError, match="jump_e6"):
        replace(RULES, jump_e6=0)
