"""keeper/posting.py against the committed program: what is decided is accepted, and arrives."""

from dataclasses import replace

import pytest
from harness import Platform, refused

from keeper.posting import UNCHANGED, NoPost, PostingRules, decide_post
from keeper.prices.price import Price, PriceClass, Reason, Source, TokenId
from programs import instructions
from programs.units import PriceE6, Slot

RULES = PostingRules()
STEP_E6 = 20_000
"""The program moves the furthest outcome so far in one slot."""


@pytest.fixture
def platform():
    platform = Platform()
    platform.initialize()
    return platform


def priced(outcome, price_e6, price_class=PriceClass.VALID, band_e6=500):
    return Price(
        token_id=TokenId(str(outcome)),
        price_e6=PriceE6(price_e6),
        band_e6=band_e6,
        price_class=price_class,
        source=Source.STREAM,
        received_at_s=0.0,
        content_time_ms=None,
        reason=Reason.OK,
    )


def land(platform, market, post):
    return platform.send(
        instructions.update_prices(
            platform.program,
            platform.admin.pubkey(),
            market,
            price_class=post.price_class,
            publish_slot=post.publish_slot,
            readings=post.outcomes,
        ),
        [platform.admin],
    )


def prices_on_chain(platform, market):
    return [pool.price_e6 for pool in platform.market(market).pools]


def evenly(outcomes):
    return [500_000] if outcomes == 2 else [1_000_000 // outcomes] * outcomes


def one_sided(outcomes):
    """The last outcome is nearly certain; the others share the rest."""
    if outcomes == 2:
        return [940_000]
    rest_e6 = 60_000 // (outcomes - 1)
    return [*[rest_e6] * (outcomes - 1), 940_000]


def post_until_quiet(platform, market, prices, reading_slot, *, slots_between):
    """Decide and land until nothing is left to post; return how many posts it took."""
    posts = 0
    while True:
        platform.warp(slots_between)
        decided = decide_post(
            platform.market(market),
            prices,
            slot=Slot(platform.slot),
            publish_slot=reading_slot,
            rules=RULES,
        )
        if isinstance(decided, NoPost):
            assert UNCHANGED == decided.reason
            return posts
        land(platform, market, decided)
        posts += 1
        assert posts <= 50, "it never arrives"


@pytest.mark.parametrize("slots_between", [1, 3, 7])
@pytest.mark.parametrize("outcomes", [2, 3, 16])
def test_a_large_move_is_continued_slot_by_slot_until_every_outcome_has_arrived(
    platform, outcomes, slots_between
):
    start = evenly(outcomes)
    market = platform.create_market(f"{outcomes}", *start)
    platform.warp(1)
    land_first = decide_post(
        platform.market(market),
        [priced(at, price_e6) for at, price_e6 in enumerate(start)],
        slot=Slot(platform.slot),
        publish_slot=Slot(platform.slot),
        rules=RULES,
    )
    land(platform, market, land_first)  # as valid: from here on only the prices move

    goal = one_sided(outcomes)
    prices = [priced(at, price_e6) for at, price_e6 in enumerate(goal)]
    reading_slot = Slot(platform.slot)
    posts = post_until_quiet(platform, market, prices, reading_slot, slots_between=slots_between)

    furthest_e6 = max(abs(to - at) for to, at in zip(goal, start, strict=True))
    off_e6 = [abs(to - at) for to, at in zip(goal, prices_on_chain(platform, market), strict=True)]
    assert max(off_e6) < RULES.change_e6
    assert posts == -(-(furthest_e6 - RULES.change_e6 // 2) // (STEP_E6 * min(slots_between, 5)))
    assert {500} == {pool.band_e6 for pool in platform.market(market).pools}


@pytest.mark.parametrize("outcomes", [2, 3, 16])
def test_one_degraded_outcome_brings_its_class_and_every_band_to_the_chain(platform, outcomes):
    start = evenly(outcomes)
    market = platform.create_market(f"{outcomes}", *start)
    platform.warp(1)
    prices = [priced(at, price_e6, band_e6=at) for at, price_e6 in enumerate(start)]
    valid = platform.slot
    assert 1 == post_until_quiet(platform, market, prices, Slot(valid + 1), slots_between=1)
    assert 0 == platform.market(market).price_class

    prices[-1] = replace(prices[-1], price_class=PriceClass.DEGRADED, band_e6=30_000)
    assert 1 == post_until_quiet(platform, market, prices, Slot(valid + 2), slots_between=1)
    on_chain = platform.market(market)
    assert 1 == on_chain.price_class
    assert [*range(len(start) - 1), 30_000] == [pool.band_e6 for pool in on_chain.pools]


@pytest.mark.parametrize("off_e6", [-50_001, -50_000, 50_000, 50_001])
def test_the_sum_that_is_withheld_is_the_sum_that_the_program_refuses(platform, off_e6):
    start = evenly(4)
    market = platform.create_market("four", *start)
    platform.warp(1)
    goal = [start[0] + off_e6, *start[1:]]
    decided = decide_post(
        platform.market(market),
        [priced(at, price_e6) for at, price_e6 in enumerate(goal)],
        slot=Slot(platform.slot),
        publish_slot=Slot(platform.slot),
        rules=RULES,
    )
    if abs(off_e6) > 50_000:
        assert "outcomes_sum" == decided.reason
        with refused("PRICE_SUM"):
            platform.post(market, *goal)
    else:
        land(platform, market, decided)
