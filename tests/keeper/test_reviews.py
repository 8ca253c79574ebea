"""keeper/reviews.py."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import market_address, market_row, token_of

from keeper.prices.price import Price, PriceClass, Reason, Source
from keeper.reviews import Reviews
from keeper.snapshot import take_markets
from programs.accounts import MarketStatus
from programs.units import PriceE6

PRICE = Price(
    token_id=token_of(0),
    price_e6=PriceE6(500_000),
    band_e6=1_000,
    price_class=PriceClass.VALID,
    source=Source.STREAM,
    received_at_s=0.0,
    content_time_ms=None,
    reason=Reason.OK,
)
TOKENS = {market_address(number): (token_of(number), token_of(100 + number)) for number in range(3)}


def markets_of(*rows):
    return take_markets(list(rows))[0]


def settled(prices=None, markets=None):
    """Everything was looked at."""
    reviews = Reviews()
    reviews.note_tokens(TOKENS)
    reviews.note_prices(prices or {})
    if markets is not None:
        reviews.note_markets(markets)
    reviews.take(0)
    return reviews


def test_every_market_is_looked_at_once():
    reviews = Reviews()
    reviews.note_tokens(TOKENS)
    reviews.note_markets(markets_of(*(market_row(number, slot=1) for number in range(4))))
    assert {market_address(number) for number in range(4)} == reviews.take(0)
    assert set() == reviews.take(0)


@pytest.mark.parametrize(
    "changes",
    [
        {"price_e6": 500_001},
        {"band_e6": 1_001},
        {"price_class": PriceClass.STALE},
        {"reason": Reason.FALLBACK},
    ],
)
def test_a_price_that_says_something_else_brings_its_market_up(changes):
    reviews = settled({token_of(0): PRICE, token_of(101): PRICE})
    reviews.note_prices({token_of(0): PRICE, token_of(101): replace(PRICE, **changes)})
    assert {market_address(1)} == reviews.take(0)


def test_a_price_that_appears_or_disappears_brings_its_market_up():
    reviews = settled({token_of(0): PRICE})
    reviews.note_prices({token_of(2): PRICE})
    assert {market_address(0), market_address(2)} == reviews.take(0)


def test_the_same_price_heard_again_matters_only_where_a_newer_reading_was_needed():
    reviews = settled({token_of(0): PRICE, token_of(1): PRICE})
    reviews.put_off(market_address(1), None, needs_newer=True)
    again = replace(PRICE, received_at_s=9.0)
    reviews.note_prices({token_of(0): again, token_of(1): again})
    assert {market_address(1)} == reviews.take(0)


def test_a_price_of_no_markets_token_is_nobodys_news():
    reviews = settled()
    reviews.note_prices({token_of(77): PRICE})
    assert set() == reviews.take(0)


def test_a_market_comes_up_again_in_its_review_slot_and_not_before():
    reviews = settled()
    reviews.put_off(market_address(1), 10)
    reviews.put_off(market_address(2), 12)
    assert set() == reviews.take(9)
    assert {market_address(1)} == reviews.take(10)
    assert set() == reviews.take(11)
    assert {market_address(2)} == reviews.take(50)
    assert set() == reviews.take(50)


def test_tokens_that_became_known_or_went_bring_their_market_up():
    reviews = settled()
    reviews.note_tokens({market_address(0): TOKENS[market_address(0)], market_address(5): ("5",)})
    assert {market_address(1), market_address(2), market_address(5)} == reviews.take(0)


@pytest.mark.parametrize(
    "changes",
    [
        {"status": MarketStatus.RESOLVED},
        {"price_class": 1},
        {"publish_slot": 2},
        {"price_update_slot": 2},
        {"prices_e6": [300_000, 300_001, 400_000]},
    ],
)
def test_what_a_decision_reads_of_the_chain_brings_the_market_up(changes):
    def rows(**of_last):
        last = {"prices_e6": [300_000, 300_000, 400_000]} | of_last
        return [market_row(0, slot=1), market_row(3, slot=1), market_row(2, slot=1, **last)]

    reviews = settled(markets=markets_of(*rows()))
    reviews.note_markets(markets_of(*rows()))
    assert set() == reviews.take(0)
    reviews.note_markets(markets_of(*reversed(rows(**changes))))
    assert {market_address(2)} == reviews.take(0)


def test_trades_bring_no_market_up():
    reviews = settled(markets=markets_of(market_row(0, slot=1)))
    traded = market_row(0, slot=1, debt=5, event_sequence=7, fees_vault=1)
    reviews.note_markets(markets_of(traded))
    assert set() == reviews.take(0)


def test_a_scan_without_any_market_after_one_with_some():
    reviews = settled(markets=markets_of(market_row(0, slot=1)))
    reviews.note_markets(markets_of())
    reviews.note_markets(markets_of(market_row(0, slot=1)))
    assert {market_address(0)} == reviews.take(0)


@given(
    st.lists(
        st.lists(st.sampled_from([300_000, 350_000]), min_size=6, max_size=6),
        min_size=2,
        max_size=4,
    ),
    st.randoms(use_true_random=False),
)
def test_exactly_the_markets_whose_prices_differ_come_up_in_whatever_order_scans_list_them(
    scans, shuffled
):
    def of(prices):
        rows = [
            market_row(0, slot=1, prices_e6=prices[:3]),
            market_row(1, slot=1, price_e6=prices[3]),
            market_row(2, slot=1, prices_e6=[*prices[4:], 1, 2]),
        ]
        shuffled.shuffle(rows)
        return markets_of(*rows)

    parts = [slice(0, 3), slice(3, 4), slice(4, 6)]
    reviews = settled(markets=of(scans[0]))
    for before, now in pairwise(scans):
        reviews.note_markets(of(now))
        expected = {
            market_address(number) for number, part in enumerate(parts) if before[part] != now[part]
        }
        assert expected == reviews.take(0)


def test_tokens_are_news_once_and_those_of_a_market_that_closed_are_forgotten():
    reviews = Reviews()
    assert reviews.note_tokens(TOKENS)
    assert not reviews.note_tokens(TOKENS)
    reviews.put_off(market_address(0), None, needs_newer=True)
    rest = {market: tokens for market, tokens in TOKENS.items() if market != market_address(0)}
    assert reviews.note_tokens(rest)
    assert {token for tokens in rest.values() for token in tokens} == set(reviews.tokens)
    reviews.note_tokens(TOKENS)
    reviews.take(0)
    # That its decision wanted a newer reading was forgotten with it: the same price heard again is no news.
    reviews.note_prices({token_of(0): PRICE})
    reviews.take(0)
    reviews.note_prices({token_of(0): replace(PRICE, received_at_s=1.0)})
    assert set() == reviews.take(0)
