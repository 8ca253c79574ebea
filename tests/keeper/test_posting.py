"""keeper/posting.py."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.pubkey import Pubkey

from keeper.posting import NoPost, Post, PostingRules, PublishSlots, decide_post
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
    inventory_cost=(0, 0),
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
    escrow=0,
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
    """What is decided when every outcome has this price, or each its own."""
    prices = price if isinstance(price, list) else [price] * len(market.pools)
    publish_slot = Slot(slot - age_slots)
    return decide_post(market, prices, slot=slot, publish_slot=publish_slot, rules=RULES)


def of_several(*prices_e6):
    """A market of as many outcomes, at these prices on chain."""
    pools = tuple(replace(POOL, price_e6=price_e6) for price_e6 in prices_e6)
    return replace(MARKET, outcomes=len(pools), pools=pools)


def reason_of(decision):
    return decision.reason


def at(price_e6, price_class=PriceClass.VALID):
    return replace(PRICE, price_e6=PriceE6(price_e6), price_class=price_class)


def test_a_price_that_did_not_move_is_not_posted():
    assert "unchanged" == reason_of(decide())


def standing(decision):
    if isinstance(decision, NoPost):
        return decision.reason
    return "due" if decision.is_due else "ripe"


@pytest.mark.parametrize(
    ("moved_e6", "expected"),
    [(999, "unchanged"), (1_000, "ripe"), (1_999, "ripe"), (2_000, "due"), (-2_000, "due")],
)
def test_a_move_is_due_from_the_threshold_on_and_ripe_from_half_of_it(moved_e6, expected):
    assert expected == standing(decide(price=at(500_000 + moved_e6)))


@pytest.mark.parametrize(
    ("age", "expected"), [(12, "unchanged"), (13, "ripe"), (24, "ripe"), (25, "due")]
)
def test_an_unchanged_reading_is_due_again_when_the_chains_copy_grows_old(age, expected):
    assert expected == standing(decide(replace(MARKET, publish_slot=SLOT - age)))


def test_an_old_chain_is_not_made_younger_by_a_reading_no_newer_than_its_own():
    old = replace(MARKET, publish_slot=SLOT - 100)
    assert "unchanged" == reason_of(decide(old, age_slots=100))
    assert "due" == standing(decide(old, age_slots=99))


def test_even_the_shortest_heartbeat_posts_no_reading_twice():
    old = replace(MARKET, publish_slot=SLOT - 100)
    rules = PostingRules(heartbeat_slots=1)
    decided = decide_post(old, [PRICE], slot=SLOT, publish_slot=Slot(SLOT - 100), rules=rules)
    assert "unchanged" == reason_of(decided)


def test_a_class_that_changed_is_posted_at_once():
    posted = decide(price=at(500_000, PriceClass.DEGRADED))
    assert isinstance(posted, Post)
    assert posted.price_class == 1


def test_a_new_class_goes_before_the_largest_move_of_another_market():
    changed = decide(price=at(500_000, PriceClass.DEGRADED))
    moved = decide(price=at(999_000))
    assert changed.urgency_bps > moved.urgency_bps > 10_000


@pytest.mark.parametrize("price_class", list(PriceClass))
def test_only_classes_that_permit_it_are_ever_posted(price_class):
    decided = decide(price=at(900_000, price_class))
    assert PERMISSIONS[price_class].post == isinstance(decided, Post)
    if isinstance(decided, NoPost):
        assert f"{price_class}:ok" == decided.reason


def test_a_reading_older_than_the_chains_own_is_not_posted():
    assert "chain_is_newer" == reason_of(decide(price=at(900_000), age_slots=11))
    assert isinstance(decide(price=at(900_000), age_slots=10), Post)


def test_every_other_refusal_has_its_reason():
    assert "no_price" == reason_of(decide(price=None))
    assert "outcomes_unlike_pools" == reason_of(decide(price=[PRICE, PRICE]))
    resolved = replace(MARKET, status=MarketStatus.RESOLVED)
    assert "market_resolved" == reason_of(decide(resolved))


def test_all_outcomes_are_posted_together_each_with_its_band():
    prices = [at(210_000), replace(at(300_000), band_e6=7), at(490_000)]
    posted = decide(of_several(200_000, 300_000, 500_000), prices)

    assert ((210_000, 1_000), (300_000, 7), (490_000, 1_000)) == posted.outcomes
    assert tuple(prices) == posted.prices
    assert (0, True) == (posted.price_class, posted.is_due)


def test_one_outcome_that_moved_makes_its_market_due():
    market = of_several(200_000, 300_000, 500_000)
    still = [at(200_000), at(300_000)]
    assert "due" == standing(decide(market, [*still, at(502_000)]))
    assert "ripe" == standing(decide(market, [*still, at(499_000)]))
    assert "unchanged" == standing(decide(market, [*still, at(500_999)]))


def test_a_reading_is_as_good_as_its_worst_outcome():
    market = of_several(200_000, 300_000, 500_000)
    prices = [at(200_000), at(300_000, PriceClass.DEGRADED), at(500_000)]
    assert 1 == decide(market, prices).price_class


def test_one_outcome_that_may_not_be_posted_withholds_its_market_with_its_reason():
    market = of_several(200_000, 300_000, 500_000)
    lost = replace(at(900_000, PriceClass.STALE), reason=Reason.TOO_OLD)
    wide = replace(at(900_000, PriceClass.UNCERTAIN), reason=Reason.WIDE_SPREAD)
    withheld = decide(market, [at(200_000), wide, lost])
    assert ("stale:too_old", 2) == (withheld.reason, withheld.outcome)
    missing = decide(market, [at(200_000), None, lost])
    assert ("no_price", 1) == (missing.reason, missing.outcome)


@pytest.mark.parametrize(
    ("last_e6", "expected"),
    [(449_999, "outcomes_sum"), (450_000, "due"), (550_000, "due"), (550_001, "outcomes_sum")],
)
def test_outcomes_that_the_program_would_not_take_together_are_withheld(last_e6, expected):
    market = of_several(200_000, 300_000, 500_000)
    assert expected == standing(decide(market, [at(200_000), at(300_000), at(last_e6)]))


def test_a_band_that_grew_under_class_degraded_is_as_urgent_as_a_move():
    degraded = replace(MARKET, price_class=1, pools=(replace(POOL, band_e6=1_000),))
    wider = replace(at(500_000, PriceClass.DEGRADED), band_e6=3_000)
    assert "due" == standing(decide(degraded, wider))
    assert "unchanged" == standing(decide(degraded, replace(wider, band_e6=0)))
    assert "unchanged" == standing(decide(price=replace(PRICE, band_e6=3_000)))


@pytest.mark.parametrize(
    ("age", "moved_e6", "in_slots"),
    [
        (1, 2_000, 6),  # due: it grows more urgent in steps of a quarter heartbeat
        (90, 0, 6),
        (14, 0, 6),  # ripe
        (22, 0, 3),  # ripe, and due before the next step
        (1, 0, 12),  # quiet until half the heartbeat
    ],
)
def test_a_decision_says_when_it_is_worth_another_look(age, moved_e6, in_slots):
    market = replace(MARKET, publish_slot=SLOT - age)
    decided = decide(market, at(500_000 + moved_e6), age_slots=0)
    assert SLOT + in_slots == decided.review_slot


@given(
    publish_slot=st.integers(900, 1_000),
    age_slots=st.integers(0, 120),
    moved_e6=st.integers(0, 1_500),
)
def test_until_its_review_nothing_but_news_changes_what_becomes_of_a_market(
    publish_slot, age_slots, moved_e6
):
    market = replace(MARKET, publish_slot=publish_slot)
    reading_slot = Slot(SLOT - age_slots)

    def at_slot(slot):
        return decide_post(
            market, [at(500_000 + moved_e6)], slot=slot, publish_slot=reading_slot, rules=RULES
        )

    decided = at_slot(SLOT)
    last = SLOT + 60 if decided.review_slot is None else decided.review_slot - 1
    for slot in range(SLOT, last + 1):
        assert standing(decided) == standing(at_slot(Slot(slot)))
    if isinstance(decided, NoPost) and decided.review_slot is None:
        assert decided.needs_newer


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
        ((posted_e6, _),) = posted.outcomes
        assert 1_000 <= posted_e6 <= 999_000
        assert market.publish_slot <= posted.publish_slot <= SLOT


@pytest.mark.parametrize(
    "wrong",
    [{"change_e6": 0}, {"change_e6": 50_001}, {"heartbeat_slots": 0}, {"heartbeat_slots": 101}],
)
def test_rules_that_would_let_the_chain_go_stale_are_refused(wrong):
    with pytest.raises(ValueError, match="expected 1 to"):
        PostingRules(**wrong)


def test_the_same_reading_keeps_its_slot_however_often_it_is_looked_at():
    slots = PublishSlots(slot_s=0.4)
    reading = replace(PRICE, received_at_s=100.0)
    first = slots.of(reading, slot=Slot(1_000), now_s=100.1)

    assert 999 == first
    for later in range(1, 50):
        found = slots.of(reading, slot=Slot(1_000 + later), now_s=100.1 + 0.37 * later)
        assert first == found


@given(
    st.lists(st.tuples(st.floats(0, 5), st.integers(-3, 3), st.booleans()), min_size=1, max_size=40)
)
def test_a_newer_reading_never_gets_an_older_slot_and_none_is_from_the_future(steps):
    slots, now_s, slot, received_at_s, before = PublishSlots(slot_s=0.4), 1_000.0, 5_000, 990.0, 0
    for wait_s, jitter, is_new in steps:
        now_s += wait_s
        slot = max(slot, 5_000 + int((now_s - 1_000) / 0.4) + jitter)
        received_at_s = now_s if is_new else received_at_s
        found = slots.of(replace(PRICE, received_at_s=received_at_s), slot=Slot(slot), now_s=now_s)
        assert before <= found <= slot
        before = found


def test_a_reading_older_than_one_seen_is_counted_back_by_its_own_age():
    slots = PublishSlots(slot_s=0.4)
    slots.of(replace(PRICE, received_at_s=100.0), slot=Slot(1_000), now_s=100.0)
    assert 990 == slots.of(replace(PRICE, received_at_s=96.0), slot=Slot(1_000), now_s=100.0)


def test_readings_of_tokens_that_nobody_follows_any_more_are_forgotten():
    slots = PublishSlots(slot_s=0.4)
    reading = replace(PRICE, received_at_s=100.0)
    assert 999 == slots.of(reading, slot=Slot(1_000), now_s=100.1)
    slots.keep_only({PRICE.token_id})
    assert 999 == slots.of(reading, slot=Slot(1_005), now_s=100.1)
    slots.keep_only(set())
    assert 1_004 == slots.of(reading, slot=Slot(1_005), now_s=100.1)
