"""After a resolution everybody leaves, in any order: each is paid, and what stays behind is fees and dust.

The harness audits every landed transaction: no pool may ever owe more than it holds.
"""

import struct

from harness import USD, Platform, User
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from solders.instruction import Instruction
from solders.pubkey import Pubkey

from programs import addresses
from programs.accounts import Side
from programs.addresses import SYSTEM_PROGRAM, TOKEN_PROGRAM
from programs.errors import ProgramError
from programs.instructions.metas import readable, writable
from programs.instructions.tags import Tag
from programs.units import U64_MAX

AMOUNTS = st.one_of(st.integers(1_000, 10**6), st.integers(10**6, 20_000 * USD))
BINARY, THREE = (600_000,), (500_000, 300_000, 200_000)


def leave(platform: Platform, user: User, market: Pubkey, pool: int) -> None:
    """Remove all of a maker's liquidity; a resolved pool pays in cash, so no position is made."""
    maker = addresses.maker_address(platform.program, market, pool, user.address)[0]
    position = addresses.position_address(platform.program, market, user.address, 2**32 - 1)
    data = struct.pack(
        "<BB2xIQQII", Tag.REMOVE_LIQUIDITY, position[1], 2**32 - 1, U64_MAX, 0, 0, 1_000_000
    )
    accounts = [
        writable(user.address, signer=True),
        readable(platform.global_address),
        writable(market),
        writable(addresses.market_tokens_address(platform.program, market)[0]),
        writable(user.tokens),
        writable(maker),
        writable(position[0]),
        readable(TOKEN_PROGRAM),
        readable(SYSTEM_PROGRAM),
    ]
    platform.send(Instruction(platform.program, data, accounts), [user.key])


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
        except ProgramError:
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
            leave(platform, user, market, which)
        elif platform.exists(platform.position_address(user, market, which)):
            platform.redeem(user, market, which, data.draw(st.sampled_from(people)))

    state = platform.market(market)
    assert (state.debt, state.residual, state.escrow) == (0, 0, 0)
    for pool in state.pools:
        assert (pool.liquidity, pool.outstanding, pool.leveraged) == (0, (0, 0), (0, 0))
    dust = platform.market_tokens(market) - state.fees_vault - state.fees_treasury
    assert 0 <= dust <= 3 * len(leaving)
