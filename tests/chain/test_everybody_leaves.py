"""After a resolution everybody leaves, in any order: each is paid, and what stays behind is dust.

The harness audits every landed transaction: no pool may ever owe more than it holds.
"""

import contextlib

from harness import USD, Platform
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from programs import errors
from programs.accounts import Side

AMOUNTS = st.one_of(st.integers(1_000, 10**6), st.integers(10**6, 20_000 * USD))
BINARY, THREE = (600_000,), (500_000, 300_000, 200_000)


def payouts_of(data, pools):
    if pools == 1:
        return (data.draw(st.sampled_from([0, 1, 333_333, 500_000, 999_999, 1_000_000])),)
    first = data.draw(st.integers(0, 1_000_000))
    second = data.draw(st.sampled_from([0, 1_000_000 - first, (1_000_000 - first) // 3]))
    return first, second, 1_000_000 - first - second


@given(data=st.data(), prices=st.sampled_from([BINARY, THREE]))
@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
def test_all_are_paid_and_dust_is_left(data, prices):
    platform = Platform()
    platform.initialize()
    market = platform.create_market("m", *prices)
    platform.post(market, *prices)
    people = [platform.user(20_000_000) for _ in range(3)]
    platform.stake(people[0], 500_000 * USD)
    pools = range(len(prices))
    makers = [(user, pool) for user in people[:2] for pool in pools]
    held = []

    def provide(user, pool, liquidity):
        platform.add_liquidity(user, market, liquidity, pool)
        held.append((user, user.next_position_id - 1))

    for user, pool in makers:
        provide(user, pool, data.draw(st.integers(100_000 * USD, 300_000 * USD)))
    for _ in range(data.draw(st.integers(3, 10))):
        user = data.draw(st.sampled_from(people))
        terms = {
            "pool": data.draw(st.sampled_from(pools)),
            "side": data.draw(st.sampled_from(Side)),
            "leverage": data.draw(st.sampled_from([1, 1, 2, 5])),
        }
        try:
            held.append((user, platform.open(user, market, data.draw(AMOUNTS), **terms)[0]))
        except errors.ProgramError:
            continue
    user, pool = data.draw(st.sampled_from(makers))
    provide(user, pool, data.draw(st.integers(1_000 * USD, 50_000 * USD)))
    platform.warp(151)
    payouts = payouts_of(data, len(prices))
    platform.resolve(market, *payouts)

    leaving = [*makers, *held]
    for who in data.draw(st.permutations(range(len(leaving)))):
        user, which = leaving[who]
        if who < len(makers):
            platform.remove_liquidity(user, market, pool=which)
        elif platform.exists(platform.position_address(user, market, which)):
            platform.redeem(user, market, which, data.draw(st.sampled_from(people)))

    for take in (
        lambda: platform.sweep_fees(market),
        lambda: platform.withdraw_fees(market, people[0].tokens),
    ):
        with contextlib.suppress(errors.BY_NAME["ZERO_AMOUNT"]):  # nobody traded enough for a fee
            take()
    state = platform.market(market)
    assert (state.fees_vault, state.fees_treasury) == (0, 0)
    assert (state.debt, state.residual, state.escrow) == (0, 0, 0)
    for pool in state.pools:
        assert (pool.liquidity, pool.outstanding, pool.leveraged) == (0, (0, 0), (0, 0))
    assert platform.market_tokens(market) <= 3 * len(leaving)
