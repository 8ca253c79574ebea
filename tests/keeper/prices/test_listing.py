import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.prices.errors import MalformedError
from keeper.prices.listing import listing_of
from keeper.prices.numerals import load_json

MARKET = {
    "conditionId": "0x" + "ab" * 32,
    "question": "Will it?",
    "outcomes": '["Yes", "No"]',
    "clobTokenIds": '["11", "22"]',
    "active": True,
    "closed": False,
    "negRisk": False,
    "orderPriceMinTickSize": "0.001",
    "bestBid": "0.063",
    "bestAsk": "0.068",
}


def test_a_market_keeps_its_identity_flags_and_quote():
    listing = listing_of({**MARKET, "negRisk": True, "negRiskMarketID": "0x1"})
    assert listing.yes_token_id == "11"
    assert listing.token_ids == ("11", "22")
    assert listing.condition_bytes == b"\xab" * 32
    assert (listing.neg_risk, listing.neg_risk_market_id) == (True, "0x1")
    assert (listing.tick_e6, listing.quote.price_e6) == (1_000, 65_500)
    assert (listing.is_active, listing.is_closed, listing.is_neg_risk_other) == (True, False, False)


def test_version_two_has_its_ids_in_a_real_array():
    assert listing_of({**MARKET, "version": "v2", "positionIds": ["7", "8"]}).token_ids == (
        "7",
        "8",
    )


def test_absent_quotes_and_ticks_are_no_error():
    bare = {key: MARKET[key] for key in ("conditionId", "outcomes", "clobTokenIds")}
    listing = listing_of(bare)
    assert listing.quote.price_e6 is None
    assert (listing.tick_e6, listing.question) == (10_000, "")


def test_a_closed_flag_wins_over_accepting_orders_and_a_winner_over_an_open_flag():
    assert listing_of({**MARKET, "closed": True, "acceptingOrders": True}).is_closed
    assert listing_of({**MARKET, "outcomePrices": '["0", "1"]'}).is_closed
    assert listing_of({**MARKET, "outcomePrices": ["1.0", "0.0"]}).is_closed
    assert not listing_of({**MARKET, "outcomePrices": '["x", "1"]'}).is_closed
    assert not listing_of({**MARKET, "outcomePrices": '["0.0655", "0.9345"]'}).is_closed
    assert not listing_of({**MARKET, "endDate": "2020-01-01T00:00:00Z"}).is_closed


@pytest.mark.parametrize(
    "broken",
    [
        {"conditionId": "0xab"},
        {"clobTokenIds": '["11", "0x22"]'},
        {"clobTokenIds": '["11", "' + "9" * 79 + '"]'},
        {"clobTokenIds": '["11", "11"]'},
        {"conditionId": "0x" + "zz" * 32},
        {"conditionId": None},
        {"clobTokenIds": '["11"]'},
        {"clobTokenIds": "["},
        {"clobTokenIds": None},
        {"clobTokenIds": "[]", "outcomes": "[]"},
        {"outcomes": "[1, 2]"},
        {"version": "v3"},
        {"version": None},
    ],
    ids=json.dumps,
)
def test_a_market_that_cannot_be_identified_is_refused(broken):
    with pytest.raises(MalformedError):
        listing_of({**MARKET, **broken})


@given(
    st.dictionaries(
        st.sampled_from([*MARKET, "version", "positionIds", "outcomePrices"]),
        st.none() | st.booleans() | st.integers() | st.text(max_size=10) | st.lists(st.text()),
    )
)
def test_no_market_body_crashes_the_reader(changes):
    try:
        listing = listing_of({**MARKET, **changes})
    except MalformedError:
        return
    assert len(listing.token_ids) == len(listing.outcomes) > 0


def test_the_recorded_market_is_read(recorded):
    listing = listing_of(load_json((recorded / "gamma_binary_market.json").read_bytes()))
    book = load_json((recorded / "clob_book_binary.json").read_bytes())
    assert listing.yes_token_id == book["asset_id"]
    assert listing.condition_id == book["market"]
    assert (listing.quote.price_e6, listing.quote.half_spread_e6) == (65_500, 2_500)
    assert listing.question == "Iran Nuke before 2027?"
    assert (listing.tick_e6, listing.is_closed) == (1_000, False)


@pytest.mark.parametrize("body", [[], "market", 7, None])
def test_a_market_that_is_no_object_is_malformed(body):
    with pytest.raises(MalformedError, match="wanted an object"):
        listing_of(body)
