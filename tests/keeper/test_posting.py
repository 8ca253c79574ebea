"""keeper/posting.py."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.pubkey import Pubkey

from keeper.posting import NoPost, Post, PostingRules, decide_post, yes_token_of
from keeper.prices.price import PERMISSIONS, Price, PriceClass, Reason, Source, TokenId
from programs.accounts import Market, MarketStatus, Pool
from programs.units import PriceE6, Slot

TOKEN = 55302250828823180276187438149698246226978412434312478767847394628702439947936
SLOT = Slot(1_000)
POOL = Pool(
    liquidity=10**9,
    cash=10**9,
    outstanding=(0, 0),
    price_e6=500_000,
    band_e6=0,
    leveraged=(0, 0),
    inventory=(0, 0),
    fee_per_liquidity_q64=0,
    high_this=0,
    high_previous=0,
)
MARKET = Market(
    outcomes=2,
    status=MarketStatus.OPEN,
    price_class=0,
    market_id=0,
    sigma_e6=0,
    event_sequence=0,
    publish_slot=990,
    price_update_slot=990,
    debt=0,
    fees_vault=0,
    fees_treasury=0,
    fees_makers=0,
    residual=0,
    cap_slot=0,
    cap_amount=0,
    cap_used=0,
    created_slot=0,
    condition_id=Pubkey.default(),
    yes_token_or_hash=Pubkey.from_bytes(TOKEN.to_bytes(32, "big")),
    no_token=Pubkey.default(),
    tokens=Pubkey.default(),
    pools=(POOL,),
)
PRICE = Price(
    token_id=TokenId(str(TOKEN)),
    price_e6=PriceE6(500_000),
    band_e6=1_000,
    price_class=PriceClass.VALID,
    source=Source.STREAM,
    received_at_s=0.0,
    content_time_ms=None,
    reason=Reason.OK,
)
RULES = PostingRules()


def decide(market=MARKET, price=PRICE, slot=SLOT, age_slots=1):
    return decide_post(market, price, slot=slot, age_slots=age_slots, rules=RULES)


def at(price_e6, price_class=PriceClass.VALID):
    return replace(PRICE, price_e6=PriceE6(price_e6), price_class=price_class)


def test_a_two_outcome_market_follows_the_token_it_stores():
    assert str(TOKEN) == yes_token_of(MARKET)
    assert yes_token_of(replace(MARKET, outcomes=3)) is None


def test_a_price_that_did_not_move_is_not_posted():
    assert NoPost(reason="unchanged") == decide()


@pytest.mark.parametrize(("moved_e6", "is_posted"), [(1_999, False), (2_000, True), (-2_000, True)])
def test_a_move_is_posted_from_the_threshold_on(moved_e6, is_posted):
    assert is_posted == isinstance(decide(price=at(500_000 + moved_e6)), Post)


@pytest.mark.parametrize(("age", "is_posted"), [(24, False), (25, True)])
def test_an_old_reading_is_posted_again_unchanged(age, is_posted):
    market = replace(MARKET, publish_slot=SLOT - age)
    assert is_posted == isinstance(decide(market), Post)


def test_a_class_that_changed_is_posted_at_once():
    posted = decide(price=at(500_000, PriceClass.DEGRADED))
    assert isinstance(posted, Post)
    assert posted.price_class == 1


@pytest.mark.parametrize("price_class", list(PriceClass))
def test_only_classes_that_permit_it_are_ever_posted(price_class):
    decided = decide(price=at(900_000, price_class))
    assert PERMISSIONS[price_class].post == isinstance(decided, Post)
    if isinstance(decided, NoPost):
        assert f"{price_class}:ok" == decided.reason


def test_a_reading_older_than_the_chains_own_is_not_posted():
    assert NoPost(reason="chain_is_newer") == decide(price=at(900_000), age_slots=11)
    assert isinstance(decide(price=at(900_000), age_slots=10), Post)


def test_every_other_refusal_has_its_reason():
    assert NoPost(reason="no_price") == decide(price=None)
    resolved = replace(MARKET, status=MarketStatus.RESOLVED)
    assert NoPost(reason="market_resolved") == decide(resolved)
    assert NoPost(reason="multi_outcome_not_followed") == decide(replace(MARKET, outcomes=3))


@given(
    price_e6=st.integers(0, 1_000_000),
    chain_e6=st.integers(1_000, 999_000),
    age_slots=st.integers(0, 200),
    publish_slot=st.integers(800, 1_000),
)
def test_what_is_posted_is_what_the_program_accepts(price_e6, chain_e6, age_slots, publish_slot):
    market = replace(MARKET, publish_slot=publish_slot, pools=(replace(POOL, price_e6=chain_e6),))
    posted = decide(market, at(price_e6), age_slots=age_slots)
    if isinstance(posted, Post):
        assert 1_000 <= posted.price_e6 <= 999_000
        assert market.publish_slot <= posted.publish_slot <= SLOT


@pytest.mark.parametrize(
    "wrong",
    [{"change_e6": 0}, {"change_e6": 50_001}, {"heartbeat_slots": 0}, {"heartbeat_slots": 101}],
)
def test_rules_that_would_let_the_chain_go_stale_are_refused(wrong):
    with pytest.raises(ValueError, match="expected 1 to"):
        PostingRules(**wrong)
