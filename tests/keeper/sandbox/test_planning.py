"""keeper/sandbox/planning.py: planners propose only what the program takes, of every kind, and clear up after themselves."""

from collections import Counter

import pytest
from chain_terms import LIQUIDITY, STAKE, opening
from harness import USD, Platform

from keeper.sandbox.cast import Role, cast_of
from keeper.sandbox.floor import CancelChain, CloseHolding, Floor, PlannedChain
from keeper.sandbox.planning import CHAINS_PER_MARKET, plan_chains
from keeper.sandbox.trading import Plan
from programs.chains import plan_refusal

PLANNERS = cast_of(5).of(Role.PLANNER)


@pytest.fixture
def platform():
    platform = Platform()
    platform.initialize()
    maker = platform.user(10_000_000)
    market = platform.create_market("m", 500_000)
    platform.post(market, 500_000)
    platform.add_liquidity(maker, market, 100_000 * USD)
    platform.stake(maker, 1_000_000 * USD)
    return platform


def floor_of(platform, *chains):
    (market,) = platform.markets
    planned = [
        PlannedChain(owner=PLANNERS[0], address=each, chain=platform.chain(each)) for each in chains
    ]
    return Floor(
        slot=platform.slot,
        address=market,
        market=platform.market(market),
        vault=platform.vault(),
        held=(),
        chains=planned,
    )


def plan_of(tick):
    return Plan(seed=1, tick=tick, positions_per_side=12, stake=USD)


def actions_of(platform, *chains, ticks=200):
    floor = floor_of(platform, *chains)
    orders = [
        order for tick in range(ticks) for order in plan_chains(plan_of(tick), PLANNERS, floor)
    ]
    return [order.actions[0] for order in orders]


def test_what_is_proposed_is_taken_and_of_every_kind(platform):
    opened = actions_of(platform)
    owner = platform.users[0]
    kinds = Counter()
    for action in opened:
        assert plan_refusal(action.steps) is None
        platform.open_chain(
            owner,
            platform.markets[0],
            action.deposit,
            *action.steps,
            side=action.side,
            trigger_e6=action.trigger_e6,
            is_above=action.is_above,
            expiry_slot=action.expiry_slot,
        )
        kinds[len(action.steps), action.steps[-1].leverage] += 1
    assert {(3, 1), (5, 1), (3, 90)} == set(kinds)


def test_the_same_seed_tries_the_same_chains(platform):
    assert actions_of(platform) == actions_of(platform)


def test_a_market_holds_only_so_many_chains(platform):
    owner, market = platform.users[0], platform.markets[0]
    chains = [platform.open_chain(owner, market, USD, STAKE) for _ in range(CHAINS_PER_MARKET)]
    assert [] == actions_of(platform, *chains)


def test_a_finished_chain_is_sold_then_taken_back_until_it_is_gone(platform):
    owner, market = platform.users[0], platform.markets[0]
    chain = platform.open_chain(owner, market, 200 * USD, STAKE, LIQUIDITY, opening(1))
    platform.execute(platform.user(0), chain)
    assert not [
        one for one in actions_of(platform, chain) if one.__class__ in {CloseHolding, CancelChain}
    ]
    done = []
    for _ in range(12):
        platform.warp(100)
        platform.post(market, 500_000)
        wanted = [
            one
            for one in actions_of(platform, chain)
            if isinstance(one, CloseHolding | CancelChain)
        ]
        if not wanted:
            continue
        done.append(type(wanted[0]))
        if isinstance(wanted[0], CloseHolding):
            platform.close_holding(owner, chain, wanted[0].holding)
        else:
            platform.cancel(owner, chain)
        if not platform.exists(chain):
            break
    assert not platform.exists(chain)
    assert [CloseHolding, CancelChain, CancelChain] == done
