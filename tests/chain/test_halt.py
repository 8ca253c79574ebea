"""halt: stops new exposure and nothing else, once, for good."""

import pytest
from harness import USD, Platform, refused
from reward_desk import RewardDesk
from solders.pubkey import Pubkey

from programs.accounts import Side
from programs.event_layout import VAULT_SERIES, EventKind


def test_a_halt_is_written_and_its_authority_is_gone(platform):
    (event,) = platform.halt().events
    state = platform.global_()
    assert (state.halted, state.halt_authority) == (1, Pubkey.default())
    assert (event.kind, event.series) == (EventKind.HALTED, VAULT_SERIES)
    assert event.address("authority") == platform.admin.pubkey()


def test_nobody_halts_twice(platform):
    platform.halt()
    with refused("WRONG_AUTHORITY"):
        platform.halt()


def test_only_the_halt_authority_halts(platform):
    user = platform.user()
    with refused("WRONG_AUTHORITY"):
        platform.halt(user.key)
    assert platform.global_().halted == 0


def test_the_other_authorities_stay(platform):
    before = platform.global_()
    platform.halt()
    after = platform.global_()
    for name in ("market", "oracle", "incentives"):
        assert getattr(after, f"{name}_authority") == getattr(before, f"{name}_authority")
    assert after.fee_treasury_owner == before.fee_treasury_owner
    assert after.season_start_slot == before.season_start_slot


@pytest.fixture
def halted(platform, staked):
    """A market with two positions and a pending liquidation, then the halt."""
    user = platform.user()
    lent, _ = platform.open(user, staked, 1_000 * USD, leverage=10)
    spot, _ = platform.open(user, staked, 100 * USD)
    platform.halt()
    return platform, staked, user, lent, spot


def test_new_exposure_is_refused(halted):
    platform, market, user, _, _ = halted
    attempts = [
        lambda: platform.open(user, market, 100 * USD),
        lambda: platform.open(user, market, 100 * USD, leverage=5, side=Side.NO),
        lambda: platform.add_liquidity(user, market, 10**9),
        lambda: platform.stake(user, USD),
    ]
    for attempt in attempts:
        with refused("HALTED"):
            attempt()


def test_everything_else_goes_on(halted):
    platform, market, user, lent, spot = halted
    platform.warp(5)
    platform.post(market, 480_000)
    platform.close(user, market, spot)
    platform.move_oracle(market, 460_000)
    platform.liquidate(user, market, [platform.position_address(user, market, lent)])
    platform.create_market("a new one")
    desk = RewardDesk(platform)
    tree = desk.posted(1, 2)
    desk.pay(tree.batch(0, 1))
    platform.resolve(market, 1_000_000)
    platform.redeem(user, market, lent)


def test_a_platform_that_is_not_halted_says_so():
    platform = Platform()
    platform.initialize()
    assert platform.global_().halted == 0
