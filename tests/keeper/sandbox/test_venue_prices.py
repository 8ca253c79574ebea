from itertools import chain, pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from keeper.prices.numerals import load_json
from keeper.prices.price import TokenId
from keeper.prices.quote import quote_of_book
from keeper.prices.streamed_books import StreamedBooks
from keeper.sandbox.venue.bodies import decimal_of
from keeper.sandbox.venue.depth import changes_between, depth_around
from keeper.sandbox.venue.draws import draw_normal_e3
from keeper.sandbox.venue.price_path import PathShape, is_jump, path_start, path_step
from keeper.sandbox.venue.simulated import SimulatedVenue

SHAPE = PathShape()
prices = st.integers(30_000, 970_000)
ticks = st.sampled_from([1_000, 10_000])


def walk(shape, seed, market, length):
    state, path = path_start(seed, market), []
    for tick in range(1, length + 1):
        state = path_step(shape, state, seed, market, tick)
        path.append(state.price_e6)
    return path


def test_a_path_is_decided_by_seed_and_market():
    assert walk(SHAPE, 1, 0, 50) == walk(SHAPE, 1, 0, 50)
    assert walk(SHAPE, 1, 0, 50) != walk(SHAPE, 2, 0, 50) != walk(SHAPE, 1, 1, 50)
    # Golden: a change of the draws changes every recorded run, and must be deliberate.
    assert walk(SHAPE, 1, 0, 3) == [517_338, 515_969, 515_067]


def test_the_draws_are_centred_with_unit_deviation():
    drawn = [draw_normal_e3("test", number) for number in range(4_000)]
    mean = sum(drawn) / len(drawn)
    assert abs(mean) < 60
    assert 950 < (sum(one * one for one in drawn) / len(drawn)) ** 0.5 < 1_050


def test_every_market_jumps_once_a_cycle_by_the_points_asked_for():
    shape = PathShape(volatility_e6=0, jump_every_ticks=20, jump_points_e6=150_000)
    for market in range(5):
        path = [path_start(7, market).price_e6, *walk(shape, 7, market, 60)]
        moves = [abs(b - a) for a, b in pairwise(path)]
        assert [one for one in moves if one] == [150_000] * 3
        jumps = [tick for tick in range(1, 61) if is_jump(shape, 7, market, tick)]
        assert [b - a for a, b in pairwise(jumps)] == [20, 20]


def test_without_jumps_there_are_none():
    calm = PathShape(jump_every_ticks=0)
    path = walk(calm, 1, 0, 400)
    assert max(abs(b - a) for a, b in pairwise(path)) < 10_000
    assert len(set(path)) > 300


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 100_000))
@settings(max_examples=25)
def test_a_path_stays_where_books_have_room(seed, market, volatility_e6):
    wild = PathShape(volatility_e6=volatility_e6, jump_every_ticks=5, jump_points_e6=450_000)
    assert all(30_000 <= price_e6 <= 970_000 for price_e6 in walk(wild, seed, market, 40))


@given(prices, ticks, st.integers(0, 1_000))
def test_a_book_stands_around_its_price_on_the_grid_and_never_crosses(price_e6, tick_e6, tick):
    depth = depth_around(price_e6, tick_e6, 1, 0, tick)
    bid_e6, ask_e6 = max(depth.bids), min(depth.asks)
    assert bid_e6 < price_e6 <= ask_e6 or bid_e6 <= price_e6 < ask_e6
    assert ask_e6 - bid_e6 <= 2 * tick_e6
    assert abs((bid_e6 + ask_e6) // 2 - price_e6) <= tick_e6 // 2
    for side in (depth.bids, depth.asks):
        assert all(0 < one < 1_000_000 and one % tick_e6 == 0 for one in side)
        assert all(size_e6 > 0 for size_e6 in side.values())


@given(prices, prices, ticks, st.integers(0, 100))
def test_changes_turn_one_book_into_the_other_without_crossing_on_the_way(a, b, tick_e6, tick):
    before = depth_around(a, tick_e6, 1, 0, tick)
    after = depth_around(b, tick_e6, 1, 0, tick + 1)
    bids, asks = dict(before.bids), dict(before.asks)
    for change in changes_between(before, after):
        side = bids if change.is_bid else asks
        if change.size_e6:
            side[change.price_e6] = change.size_e6
        else:
            del side[change.price_e6]
        assert max(bids, default=0) < min(asks, default=1_000_000)
    assert (bids, asks) == (after.bids, after.asks)


def test_a_calm_tick_changes_few_levels():
    changed = [
        len(
            changes_between(
                depth_around(500_500, 1_000, 1, 0, tick),
                depth_around(500_500, 1_000, 1, 0, tick + 1),
            )
        )
        for tick in range(100)
    ]
    assert 0 < sum(changed) / len(changed) < 8


@given(st.integers(0, 10**15))
def test_decimals_are_written_without_trailing_zeros_and_read_back(value_e6):
    text = decimal_of(value_e6)
    whole, _, fraction = text.partition(".")
    assert not fraction.endswith("0")
    assert int(whole) * 1_000_000 + int(fraction.ljust(6, "0")) == value_e6


def test_the_frames_rebuild_the_venues_own_books_tick_by_tick():
    shape = PathShape(volatility_e6=5_000, jump_every_ticks=10)
    venue = SimulatedVenue(seed=3, markets=3, shape=shape, now_ms=1_000)
    tokens = [TokenId(token_id) for one in venue.markets for token_id in one.token_ids]
    books = StreamedBooks(tokens)
    for frame in venue.opening_frames(tokens):
        assert books.apply_frame(frame.body).refusals == []
    for tick in range(40):
        for frame in chain.from_iterable(venue.advance(1_001 + tick)):
            outcome = books.apply_frame(frame.body)
            assert (outcome.refusals, outcome.dropped) == ([], [])
        for token_id in tokens:
            body = venue.book(token_id).body
            book = books.book(token_id)
            assert [decimal_of(one.price_e6) for one in reversed(book.bids())] == [
                level["price"] for level in body["bids"]
            ]
            assert [decimal_of(one.size_e6) for one in reversed(book.asks())] == [
                level["size"] for level in body["asks"]
            ]
            assert quote_of_book(book).is_sound


def test_simulated_bodies_have_the_keys_of_the_recorded_ones(recorded):
    venue = SimulatedVenue(seed=1, markets=1, shape=SHAPE, now_ms=1_782_670_540_073)
    token_id = venue.markets[0].token_ids[0]
    real = load_json((recorded / "clob_book_binary.json").read_bytes())
    body = venue.book(token_id).body
    assert body.keys() == real.keys()
    assert [type(one) for one in body.values()] == [type(one) for one in real.values()]
    assert (len(body["hash"]), len(body["market"])) == (len(real["hash"]), len(real["market"]))
    market = load_json((recorded / "gamma_binary_market.json").read_bytes())
    assert venue.listings()[0].body.keys() <= market.keys()
    capture = load_json((recorded / "ws_market_capture.json").read_bytes())
    frames = [frame for tick in range(9) for moved in venue.advance(tick) for frame in moved]
    (change, *_) = [one.body for one in frames if one.body["event_type"] == "price_change"]
    assert change.keys() == capture[1].keys()
    assert change["price_changes"][0].keys() == capture[1]["price_changes"][0].keys()
    assert venue.opening_frames([token_id])[0].body[0].keys() <= (
        capture[0][0].keys() | real.keys()
    )
