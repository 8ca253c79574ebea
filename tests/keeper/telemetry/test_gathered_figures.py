import random
from collections import Counter

import numpy as np
import pytest
from scripted import market_row

from keeper.prices.board import PriceBoard
from keeper.prices.price import Price, PriceClass, Reason
from keeper.snapshot import take_markets
from keeper.telemetry.platform_figures import open_interest
from keeper.telemetry.price_figures import ROWS_SHOWN, price_rows, put_prices
from keeper.telemetry.work_figures import put_counted
from programs.layout import MARKET_DTYPE, POOL_DTYPE
from state.metrics import LABEL_VALUES_MAX, PRICE_AGE, PRICES, REFUSALS
from state.sample import Figures, Sample

USD = 1_000_000


def markets_of(*rows):
    """Markets of (prices, leveraged shares of YES and of NO in each pool)."""
    accounts = []
    for number, (prices_e6, leveraged) in enumerate(rows):
        address, data = market_row(number, slot=1, prices_e6=prices_e6)
        pools = np.frombuffer(data, POOL_DTYPE, offset=MARKET_DTYPE.itemsize).copy()
        pools["leveraged"] = leveraged
        accounts.append((address, data[: MARKET_DTYPE.itemsize] + pools.tobytes()))
    return take_markets(accounts)[0]


def price_of(token, price_class=PriceClass.VALID, received_at_s=0.0, source="stream"):
    return Price(
        token_id=token,
        price_e6=500_000,
        band_e6=0,
        price_class=price_class,
        source=source,
        received_at_s=received_at_s,
        content_time_ms=None,
        reason=Reason.OK,
    )


def sample_of(figures):
    return Sample(service="keeper", sequence=1, figures=figures.values)


def test_open_interest_is_leveraged_shares_at_the_oracle_s_price_of_their_side():
    markets = markets_of(
        ((250_000,), [(100 * USD, 10 * USD)]),
        ((500_000, 300_000, 200_000), [(2 * USD, 0), (0, 10 * USD), (0, 0)]),
    )
    # Three pools come after one pool: rows are ordered by pools, then as read.
    assert open_interest(markets).tolist() == pytest.approx([25 + 7.5, 1 + 7])
    assert open_interest(markets_of()).tolist() == []


def test_prices_are_counted_by_source_and_class_and_aged_by_rank():
    prices = [price_of(str(number), received_at_s=100.0 - number) for number in range(1, 101)]
    prices.append(price_of("x", PriceClass.STALE, 0.0, "gamma"))
    board, figures = PriceBoard(), Figures()
    for price in prices:
        board.publish(price)
    put_prices(figures, board.census, board.prices.values(), 100.0)
    found = sample_of(figures)
    assert found.get(PRICES, "stream", "valid") == 100
    assert found.get(PRICES, "gamma", "stale") == 1
    assert [found.get(PRICE_AGE, quantile) for quantile in ("0.5", "0.99", "1")] == [51, 100, 100]


def test_no_price_has_no_age():
    figures = Figures()
    put_prices(figures, {}, [], 100.0)
    assert figures.values == {}


def test_the_worst_prices_come_first_and_no_more_than_fit_a_page():
    board = PriceBoard()
    for number in range(200):
        board.publish(price_of(str(number), received_at_s=number))
    board.publish(price_of("halted", PriceClass.HALTED, 500))
    board.note_unpriced("unheard", Reason.EMPTY_BOOK)
    names = {token: f"market {token}" for token in [*board.prices, "unheard"]}
    rows = price_rows(names, board, 600.0)
    assert len(rows) == ROWS_SHOWN
    assert [row["market"] for row in rows[:3]] == ["market unheard", "market halted", "market 0"]
    assert (rows[0]["price_e6"], rows[0]["reason"]) == (None, "empty_book")
    assert rows[2]["age_s"] == 600.0


def test_labels_are_bounded_and_what_is_not_named_is_not_lost():
    found = {("prices", f"reason {number}"): float(number) for number in range(1_000)}
    figures = Figures()
    put_counted(figures, REFUSALS, found)
    values = dict(sample_of(figures).of(REFUSALS))
    assert len(values) == LABEL_VALUES_MAX
    assert sum(values.values()) == sum(found.values())
    assert ("other", "other") in values


def test_the_board_s_census_is_what_counting_its_prices_gives():
    board, draws = PriceBoard(), random.Random(5)
    for _ in range(2_000):
        token = str(draws.randrange(50))
        if draws.random() < 0.1:
            board.forget(token)
        else:
            source = draws.choice(("stream", "clob"))
            board.publish(price_of(token, draws.choice([*PriceClass]), source=source))
    counted = Counter((each.price_class, each.source) for each in board.prices.values())
    assert {key: count for key, count in board.census.items() if count} == counted
    for price_class in PriceClass:
        tokens = {token for token, each in board.prices.items() if each.price_class is price_class}
        assert {*board.tokens_of(price_class)} == tokens
