"""keeper/chain_plan.py against the forecasts it is made of."""

import pytest
from chain_terms import BORROW, LIQUIDITY, STAKE, opening
from harness import USD, Platform

from keeper.chain_plan import (
    Forecasts,
    Portion,
    Scene,
    bounty_of_steps,
    plan_cancel,
    plan_steps,
)
from programs.chain_steps import Stand
from programs.chains import forecast


@pytest.fixture
def platform():
    platform = Platform()
    platform.initialize()
    maker = platform.user(10_000_000)
    market = platform.create_market("m", 500_000)
    platform.post(market, 500_000)
    platform.add_liquidity(maker, market, 1_000_000 * USD)
    platform.stake(maker, 1_000_000 * USD)
    return platform


def scene(platform, **changes):
    markets = {market: platform.market(market) for market in platform.markets}
    seen = {
        "markets": markets,
        "vault": platform.vault(),
        "counts_trade": True,
        "is_halted": False,
        "slot": platform.slot,
    }
    return Scene(**seen | changes)


def opened(platform, *steps, deposit=10_000 * USD):
    owner = platform.users[0]
    address = platform.open_chain(owner, platform.markets[0], deposit, *steps)
    return address, platform.chain(address)


def test_any_number_of_steps_pays_what_the_forecast_says(platform):
    _, chain = opened(platform, BORROW, LIQUIDITY, STAKE, STAKE, deposit=9_999_999)
    for count in range(5):
        found = forecast(
            scene(platform).stand(chain), slot=platform.slot, is_halted=False, step_count=count
        )
        assert found.bounty == bounty_of_steps(chain, count)
    assert chain.bounty == bounty_of_steps(chain, 4)


def test_the_second_of_two_chains_is_planned_on_what_the_first_leaves(platform):
    two = [opened(platform, opening(2), deposit=20_000 * USD) for _ in range(2)]
    alone = [plan_steps([each], scene(platform)) for each in two]
    assert [1, 1] == [len(portions) for portions in alone]
    (first,) = plan_steps(two, scene(platform))
    assert two[0][0] == first.address


def test_only_the_steps_before_a_refusal_are_planned(platform):
    named = opened(platform, STAKE, opening(71))
    (portion,) = plan_steps([named], scene(platform))
    assert (1, 2, False) == (portion.steps, portion.left, portion.completes)
    assert ("step 0", f"chain:{named[0]}") == (portion.effect, portion.job_id)
    whole = portion.of_steps(2)
    assert whole.completes
    assert named[1].bounty == whole.bounty > portion.bounty
    assert [] == plan_steps([named], scene(platform, is_halted=True))


def test_cancelling_is_another_effect_of_the_same_job(platform):
    address, chain = opened(platform, STAKE)
    portion = plan_cancel(address, chain, scene(platform))
    assert isinstance(portion, Portion)
    assert ("cancel", chain.bounty) == (portion.effect, portion.bounty)
    (steps,) = plan_steps([(address, chain)], scene(platform))
    assert steps.job_id == portion.job_id


def test_a_forecast_stands_until_what_it_was_made_of_changes(platform):
    address, chain = opened(platform, STAKE)
    known = Forecasts()
    stand = scene(platform).stand(chain)
    assert known.find(address, stand) is None
    made = known.make(address, stand, platform.slot)
    again = Stand(
        chain=platform.chain(address),
        market=platform.market(chain.market),
        vault=platform.vault(),
    )
    assert made is known.find(address, again)
    platform.stake(platform.users[0], USD)
    assert known.find(address, scene(platform).stand(chain)) is None
    known.keep_only([])
    assert known.find(address, stand) is None
