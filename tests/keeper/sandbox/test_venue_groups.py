"""The venue's neg-risk events: outcomes that move together, and placeholders among them."""

import json
from functools import partial

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted import market_row

from keeper.following import follow_markets
from keeper.newest import Newest
from keeper.prices.discovery import discover_markets
from keeper.prices.feed_config import FeedConfig
from keeper.prices.listing import listing_of
from keeper.prices.outcomes import group_id_of, in_order, sums_to_one
from keeper.sandbox.listings import find_markets
from keeper.sandbox.venue.content import touch_of
from keeper.sandbox.venue.price_path import PathShape
from keeper.sandbox.venue.serve import serve_venue
from keeper.sandbox.venue.simulated import SimulatedVenue
from keeper.sandbox.venue.venue import VenueConfig
from keeper.snapshot import Snapshot, take_markets
from keeper.tally import Tally


def opened(*, markets=2, groups=1, group_outcomes=4, seed=1):
    return SimulatedVenue(
        seed=seed,
        markets=markets,
        groups=groups,
        group_outcomes=group_outcomes,
        shape=PathShape(jump_every_ticks=10),
        now_ms=1_000,
    )


def outcomes_of(venue):
    return [market for market in venue.markets if market.place is not None]


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**63 - 1), outcomes=st.integers(3, 16))
def test_the_prices_of_a_group_are_one_together_whatever_happens_to_one(seed, outcomes):
    venue = opened(seed=seed, group_outcomes=outcomes)
    members = outcomes_of(venue)
    assert outcomes == len(members)
    for tick in range(12):
        for _ in venue.advance(1_000 + tick):
            pass
        touches = [touch_of(venue.book(market.token_ids[0]).body) for market in members]
        middles = [touch.midpoint() for touch in touches]
        assert all(middles)
        assert sums_to_one([round(float(middle) * 1e6) for middle in middles])


def test_when_one_outcome_is_moved_the_others_share_what_is_left():
    venue = opened()
    first, *rest = outcomes_of(venue)
    before = [venue.price_e6(market.number) for market in rest]
    frames = venue.set_price(first.number, 700_000, 2_000)

    after = [venue.price_e6(market.number) for market in rest]
    assert 700_000 == venue.price_e6(first.number)
    assert sum(after) == pytest.approx(300_000, abs=5)
    assert [at / sum(before) for at in before] == pytest.approx(
        [at / sum(after) for at in after], abs=1e-4
    )
    told = {token for frame in frames for token in frame.token_ids}
    assert {token for market in (first, *rest) for token in market.token_ids} == told


def test_a_group_lists_a_question_without_a_name_and_one_for_all_others():
    venue = opened(group_outcomes=3)
    listings = [listing_of(answer.body) for answer in venue.listings()]
    group = [listing for listing in listings if listing.neg_risk]
    traded = [listing for listing in group if group_id_of(listing) is not None]

    assert [0, 1, 2, 3, 4] == [listing.group_place for listing in group]
    assert [0, 1, 3] == [listing.group_place for listing in traded]
    assert traded == in_order(traded[::-1])
    assert [False, True] == [listing.is_active for listing in group if listing not in traded]
    assert {listing.condition_id for listing in traded} == {
        market.condition_id for market in outcomes_of(venue)
    }
    for listing in group:
        assert (listing in traded) == (venue.book(listing.yes_token_id) is not None)
        assert listing.question_id.startswith(listing.neg_risk_market_id[:-2])


def test_without_groups_a_venue_is_as_it_was():
    venue = opened(groups=0)
    assert [0, 1] == [market.number for market in venue.markets]
    bodies = [answer.body for answer in venue.listings()]
    assert all("questionID" not in body and not body["negRisk"] for body in bodies)
    assert bodies == [answer.body for answer in opened(groups=3).listings()[:2]]
    assert json.loads(bodies[0]["clobTokenIds"])[0] == venue.markets[0].token_ids[0]


async def test_the_outcomes_of_a_founded_group_are_found_at_the_venue_and_proved():
    """Over its socket, from a market's bytes on chain alone."""
    config = VenueConfig(port=0, markets=2, groups=2, group_outcomes=16)
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            url = await nursery.start(serve_venue, config)
            feed = FeedConfig(clob_url=url, gamma_url=url)
            *two, first, second = await find_markets(feed, None)
            assert [1, 1] == [len(seed.prices_e6) for seed in two]
            assert [16, 16] == [seed.outcomes for seed in (first, second)]
            assert all(sums_to_one(seed.prices_e6) for seed in (first, second))

            chain, following, followed = Newest(), Newest(), Newest()
            nursery.start_soon(
                follow_markets,
                Tally(),
                chain,
                partial(discover_markets, feed),
                following,
                followed,
            )
            chain.publish(_founded([first, second]))
            sequence, known = 0, None
            while known is None or known.unproven:
                sequence, known = await following.wait_newer(sequence)
            assert 32 == len(followed.get())
            venue = SimulatedVenue(
                seed=config.seed,
                markets=2,
                groups=2,
                group_outcomes=16,
                shape=PathShape(),
                now_ms=0,
            )
            expected = [market.token_ids[0] for market in outcomes_of(venue)]
            assert expected == [token for each in known.tokens.values() for token in each]
            nursery.cancel_scope.cancel()


def _founded(seeds):
    rows = []
    for number, seed in enumerate(seeds):
        address, data = market_row(
            number,
            slot=1,
            prices_e6=seed.prices_e6,
            condition_id=seed.condition_id,
            yes_token_or_hash=seed.yes_token_or_hash,
        )
        rows.append((address, data))
    return Snapshot(
        slot=1,
        global_=None,
        vault=None,
        markets=take_markets(rows)[0],
        positions=[],
        addresses=[],
    )
