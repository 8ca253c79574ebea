"""Liquidity and the vault."""

from collections.abc import Iterator
from itertools import count

from keeper.profile.call import Call
from keeper.profile.world import USD, World
from programs import instructions

_PRICES_E6 = (500_000, 950_000, 20_000)


def add_liquidity(code: bytes) -> Iterator[Call]:
    """A maker's first liquidity in a pool, with the surplus side as a position, then more of it, at three prices."""
    world = World(code)
    markets = [world.traded_market(price) for price in _PRICES_E6]
    user = world.user(0)
    for number in count():
        market = markets[number // 2 % len(markets)]
        is_first = number % 2 == 0
        if is_first:
            user = world.user(1_000_000)
        add = instructions.add_liquidity(
            world.program,
            user.address,
            user.tokens,
            market,
            pool=0,
            liquidity=1_000 * USD + number,
            cash_max=2**63,
            position_id=user.take_id(),
        )
        case = "a new maker" if is_first else "more of it"
        yield Call(world=world, instruction=add, signers=[user.key], case=case)


def stake(code: bytes) -> Iterator[Call]:
    """A staker's first stake, which creates the account, and a second one."""
    world = World(code)
    user = world.user(0)
    for number in count():
        is_first = number % 2 == 0
        if is_first:
            user = world.user(1_000_000)
        staked = instructions.stake(
            world.program, user.address, user.tokens, amount=1_000 * USD + number
        )
        case = "a new staker" if is_first else "more of it"
        yield Call(world=world, instruction=staked, signers=[user.key], case=case)
