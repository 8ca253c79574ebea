from hypothesis import given
from hypothesis import strategies as st

from keeper.prices.book import LEVELS_MAX, Applied, Book, BookDelta, BookSnapshot, Level, Side

prices = st.integers(1, 40).map(lambda ticks: ticks * 10_000)
sizes = st.integers(0, 3).map(lambda tokens: tokens * 1_000_000)
levels = st.lists(st.builds(lambda p, s: Level(price_e6=p, size_e6=s), prices, sizes), max_size=12)
deltas = st.builds(
    lambda side, level: delta(side, level.price_e6, level.size_e6),
    st.sampled_from(Side),
    st.builds(lambda p, s: Level(price_e6=p, size_e6=s), prices, sizes),
)


def snapshot(bids=(), asks=(), time_ms=1_000):
    return BookSnapshot(
        token_id="1",
        bids=tuple(level if isinstance(level, Level) else at(*level) for level in bids),
        asks=tuple(level if isinstance(level, Level) else at(*level) for level in asks),
        time_ms=time_ms,
        last_trade_e6=None,
    )


def at(price_e6, size_e6=1_000_000):
    return Level(price_e6=price_e6, size_e6=size_e6)


def delta(side, price_e6, size_e6, time_ms=1_000, **stated):
    return BookDelta(
        token_id="1", side=side, level=at(price_e6, size_e6), time_ms=time_ms, **stated
    )


def opened(**sides):
    book = Book()
    assert book.apply_snapshot(snapshot(**sides)) is Applied.APPLIED
    return book


def test_the_best_is_the_highest_bid_and_the_lowest_ask_wherever_they_stand():
    book = opened(bids=[(30_000,), (63_000,), (10_000,)], asks=[(68_000,), (90_000,), (70_000,)])
    assert (book.best_bid_e6, book.best_ask_e6) == (63_000, 68_000)


def test_size_zero_removes_a_level_and_is_no_level_in_a_snapshot():
    book = opened(bids=[(63_000,), (60_000,), (64_000, 0)])
    assert book.best_bid_e6 == 63_000
    book.apply_delta(delta(Side.BUY, 63_000, 0))
    assert book.best_bid_e6 == 60_000
    assert book.best_ask_e6 is None


def test_an_older_delta_or_snapshot_changes_nothing():
    book = opened(bids=[(63_000,)], time_ms=2_000)
    assert book.apply_delta(delta(Side.BUY, 64_000, 1, time_ms=1_999)) is Applied.OUT_OF_ORDER
    assert book.apply_snapshot(snapshot(bids=[(1_000,)], time_ms=1_999)) is Applied.OLDER
    assert book.best_bid_e6 == 63_000
    assert book.apply_delta(delta(Side.BUY, 64_000, 1, time_ms=2_000)) is Applied.APPLIED
    assert book.best_bid_e6 == 64_000


def test_a_delta_without_a_snapshot_is_refused_and_so_is_one_after_a_drop():
    book = Book()
    assert book.needs_snapshot
    assert book.apply_delta(delta(Side.BUY, 64_000, 1)) is Applied.NO_SNAPSHOT
    book.apply_snapshot(snapshot(bids=[(63_000,)]))
    book.drop()
    assert book.needs_snapshot
    assert book.best_bid_e6 is None
    assert book.apply_delta(delta(Side.BUY, 64_000, 1)) is Applied.NO_SNAPSHOT
    # The next snapshot counts even if its content is older than what was dropped.
    assert book.apply_snapshot(snapshot(bids=[(61_000,)], time_ms=1)) is Applied.APPLIED


def test_only_the_best_levels_are_remembered_and_running_out_of_them_is_noticed():
    book = opened(bids=[(price,) for price in range(1_000, 1_000 * (LEVELS_MAX + 11), 1_000)])
    assert len(book.bids()) == LEVELS_MAX
    book.apply_delta(delta(Side.BUY, 5_000, 9))
    assert len(book.bids()) == LEVELS_MAX
    for level in book.bids()[:-1]:
        book.apply_delta(delta(Side.BUY, level.price_e6, 0))
        assert not book.needs_snapshot
    book.apply_delta(delta(Side.BUY, book.best_bid_e6, 0))
    assert book.needs_snapshot


def test_a_level_beyond_what_is_remembered_is_never_taken_for_the_best():
    book = opened(bids=[(price,) for price in range(1_000, 1_000 * (LEVELS_MAX + 11), 1_000)])
    known = book.bids()
    book.apply_delta(delta(Side.BUY, known[0].price_e6, 0))
    book.apply_delta(delta(Side.BUY, 5_000, 9))
    for level in known[1:]:
        book.apply_delta(delta(Side.BUY, level.price_e6, 0))
    # Levels between 5_000 and the horizon were forgotten, so 5_000 may not be the best.
    assert (book.best_bid_e6, book.needs_snapshot) == (None, True)


def test_a_book_that_fits_may_become_empty_without_asking_for_a_snapshot():
    book = opened(bids=[(price * 1_000,) for price in range(1, LEVELS_MAX + 1)])
    for level in book.bids():
        book.apply_delta(delta(Side.BUY, level.price_e6, 0))
    assert book.best_bid_e6 is None
    assert not book.needs_snapshot


def test_a_stated_best_that_differs_is_a_contradiction_and_an_unstated_one_is_none():
    book = opened(bids=[(63_000,)], asks=[(68_000,)])
    agreeing = delta(Side.BUY, 63_000, 5, best_bid_e6=63_000, best_ask_e6=68_000)
    assert not book.contradicts(agreeing)
    assert not book.contradicts(delta(Side.BUY, 63_000, 5))
    assert book.contradicts(delta(Side.BUY, 63_000, 5, best_bid_e6=64_000))
    assert book.contradicts(delta(Side.BUY, 63_000, 5, best_ask_e6=67_000))


@given(levels, levels, st.lists(deltas, max_size=20))
def test_a_book_agrees_with_two_dictionaries(bids, asks, changes):
    book = opened(bids=bids, asks=asks)
    model = {
        Side.BUY: {level.price_e6: level.size_e6 for level in bids},
        Side.SELL: {level.price_e6: level.size_e6 for level in asks},
    }
    for change in changes:
        book.apply_delta(change)
        model[change.side][change.level.price_e6] = change.level.size_e6
    held = {side: {p: s for p, s in sides.items() if s} for side, sides in model.items()}
    assert [(one.price_e6, one.size_e6) for one in book.bids()] == sorted(
        held[Side.BUY].items(), reverse=True
    )
    assert [(one.price_e6, one.size_e6) for one in book.asks()] == sorted(held[Side.SELL].items())


@given(levels, levels, st.lists(deltas, max_size=20), st.randoms(use_true_random=False))
def test_repeated_deltas_and_a_shuffle_of_different_levels_give_the_same_book(
    bids, asks, changes, random
):
    distinct = list({(one.side, one.level.price_e6): one for one in changes}.values())
    once, again = opened(bids=bids, asks=asks), opened(bids=bids, asks=asks)
    for change in distinct:
        once.apply_delta(change)
    repeated = distinct * 2
    random.shuffle(repeated)
    for change in repeated:
        again.apply_delta(change)
    assert (once.bids(), once.asks()) == (again.bids(), again.asks())


def test_a_delta_without_a_time_changes_the_level_and_leaves_the_books_time():
    book = Book()
    book.apply_snapshot(snapshot(bids=[(400_000,)], asks=[(500_000,)], time_ms=7))
    assert Applied.APPLIED is book.apply_delta(delta(Side.BUY, 450_000, 1_000_000, time_ms=None))
    assert (450_000, 7) == (book.best_bid_e6, book.time_ms)
