"""keeper/reading.py."""

from dataclasses import replace
from itertools import product

import pytest

from keeper.prices.price import (
    CHAIN_CLASSES,
    PERMISSIONS,
    Price,
    PriceClass,
    Reason,
    Source,
    TokenId,
)
from keeper.reading import Refusal, is_chain_behind, reading_of, why_not_liquidate
from programs.accounts import Side
from programs.units import PriceE6

VALID = Price(
    token_id=TokenId("1"),
    price_e6=PriceE6(500_000),
    band_e6=1_000,
    price_class=PriceClass.VALID,
    source=Source.STREAM,
    received_at_s=0.0,
    content_time_ms=None,
    reason=Reason.OK,
)


def priced(price_class):
    return replace(VALID, price_class=price_class, reason=Reason.FALLBACK)


@pytest.mark.parametrize("classes", list(product(PriceClass, repeat=3)))
def test_a_reading_allows_what_every_outcome_allows(classes):
    reading = reading_of([priced(each) for each in classes])
    for name in ("post", "liquidate", "execute_chain"):
        allowed = all(getattr(PERMISSIONS[each], name) for each in classes)
        assert allowed == getattr(reading.permissions, name)
    for chain_class in range(len(CHAIN_CLASSES)):
        refusal = why_not_liquidate(reading, chain_class)
        if refusal is None:
            assert all(PERMISSIONS[each].liquidate for each in classes)


def test_the_first_of_the_worst_outcomes_gives_the_reason():
    prices = [
        VALID,
        replace(priced(PriceClass.STALE), reason=Reason.TOO_OLD),
        priced(PriceClass.STALE),
    ]
    assert Refusal(reason="stale:too_old", outcome=1) == reading_of(prices).refusal


def test_an_outcome_without_a_price_is_named():
    assert Refusal(reason="no_price", outcome=1) == reading_of([VALID, None, None])


def test_under_class_degraded_liquidations_wait_until_the_band_is_on_chain():
    reading = reading_of([VALID, priced(PriceClass.DEGRADED)])
    assert Refusal(reason="band_not_on_chain_yet", outcome=1) == why_not_liquidate(reading, 0)
    assert why_not_liquidate(reading, 1) is None


@pytest.mark.parametrize(
    ("side", "chain_e6", "expected"),
    [
        (Side.YES, 497_000, False),
        (Side.YES, 496_999, True),
        (Side.YES, 900_000, False),
        (Side.NO, 503_000, False),
        (Side.NO, 503_001, True),
        (Side.NO, 100_000, False),
    ],
)
def test_the_chain_is_behind_for_the_side_that_it_wrongs_by_more_than_band_and_threshold(
    side, chain_e6, expected
):
    assert expected == is_chain_behind(chain_e6, VALID, side, change_e6=2_000)


@pytest.mark.parametrize(
    ("side", "chain_e6", "chain_band_e6", "expected"),
    [
        (Side.YES, 500_000, 98_000, False),
        (
            Side.YES,
            500_000,
            97_999,
            True,
        ),  # our band grew, and the program would judge at the old one
        (Side.NO, 500_000, 97_999, True),
        (Side.YES, 490_000, 100_000, True),  # the band that is theirs covers no move of the price
        (Side.YES, 510_000, 90_000, False),
        (Side.NO, 510_000, 90_000, True),
    ],
)
def test_at_price_and_band_a_side_is_spared_until_the_chain_grants_it_as_much_as_we_do(
    side, chain_e6, chain_band_e6, expected
):
    price = replace(VALID, band_e6=100_000, price_class=PriceClass.DEGRADED)
    assert expected == is_chain_behind(
        chain_e6, price, side, change_e6=2_000, judged_band_e6=chain_band_e6
    )
