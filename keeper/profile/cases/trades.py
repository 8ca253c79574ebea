"""Positions: opened, closed, liquidated."""

from collections.abc import Iterator
from itertools import count, cycle, product
from typing import NamedTuple

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from keeper.profile.call import Call
from keeper.profile.cases.lending import busy_world
from keeper.profile.world import USD, User, World
from programs import instructions
from programs.accounts import Side

_VAULT_USD = 10_000_000
_FALLS = (
    (60_000, False, True),
    (200_000, True, False),
    (40_000, False, False),
    (40_000, True, False),
    (60_000, True, True),
    (200_000, False, False),
)
"""How far the oracle falls, whether the pool falls first, and whether some positions keep equity: a sale of their own."""
_POOLS = 5
_PUSH_USD = 5_000_000
"""Buys so much NO of a pool of $10M that its YES falls from 0.5 to about 0.2."""
_BATCHES = (1, 2, 5, 10, 20)
"""Positions in the measured liquidations of one pool."""


class _Terms(NamedTuple):
    price_e6: int
    leverage: int
    margin: int
    side: Side

    @property
    def case(self) -> str:
        how = "spot" if self.leverage == 1 else f"{self.leverage} times"
        return f"{how} at {self.price_e6 / 1_000_000:g}"


_SPOT = [
    _Terms(*terms)
    for terms in product((20_000, 500_000, 980_000), (1,), (7_777_777, 30_000 * USD), Side)
]
"""Small ones, and large ones that move the price into the tails, where the curve takes most steps."""
_LEVERAGED = [
    _Terms(500_000, 10, 1_000 * USD, Side.YES),
    _Terms(900_000, 20, 333_333_333, Side.YES),
    _Terms(500_000, 2, 100 * USD + 1, Side.NO),
    _Terms(500_000, 5, 2_000 * USD, Side.YES),
]
_TERMS = [terms for pair in zip(_LEVERAGED * 3, _SPOT, strict=True) for terms in pair]


def _trading_world(code: bytes) -> tuple[World, dict[int, Pubkey], User]:
    world, user = busy_world(code)
    markets = {price: world.traded_market(price) for price in sorted({t.price_e6 for t in _TERMS})}
    return world, markets, user


def open_position(code: bytes) -> Iterator[Call]:
    """Spot and leveraged, small and large, both sides, at even and skewed prices."""
    world, markets, user = _trading_world(code)
    for number in count():
        terms = _TERMS[number % len(_TERMS)]
        market = markets[terms.price_e6]
        opened, position_id = world.open_instruction(
            user, market, terms.margin, leverage=terms.leverage, side=terms.side
        )
        yield Call(world=world, instruction=opened, signers=[user.key], case=terms.case)
        has_debt = terms.leverage > 1
        world.send([_closing(world, user, market, position_id, has_debt=has_debt)], [user.key])


def close_position(code: bytes) -> Iterator[Call]:
    """The whole of a position, with and without debt, and a part of one."""
    world, markets, user = _trading_world(code)
    for number in count():
        terms = _TERMS[number % len(_TERMS)]
        market, has_debt = markets[terms.price_e6], terms.leverage > 1
        position_id = world.open(
            user, market, terms.margin, leverage=terms.leverage, side=terms.side
        )
        if not has_debt and number % 4 == 1:
            held = world.position(world.position_address(user, market, position_id)).shares
            part = _closing(world, user, market, position_id, has_debt=False, shares=held // 3)
            yield Call(
                world=world, instruction=part, signers=[user.key], case=f"part, {terms.case}"
            )
        whole = _closing(world, user, market, position_id, has_debt=has_debt)
        yield Call(world=world, instruction=whole, signers=[user.key], case=terms.case)


def _closing(
    world: World,
    user: User,
    market: Pubkey,
    position_id: int,
    *,
    has_debt: bool,
    shares: int = instructions.ALL_SHARES,
) -> Instruction:
    return instructions.close_position(
        world.program,
        user.address,
        user.tokens,
        market,
        position_id=position_id,
        has_debt=has_debt,
        shares=shares,
    )


def liquidate(code: bytes) -> Iterator[Call]:
    """Batches of positions that are to be sold: of one pool or of five, the pool's price above or below the oracle's."""
    for (fall_e6, is_pushed, is_mixed), size in cycle(product(_FALLS, (*_BATCHES, 0))):
        if size:
            world, market, positions = under_water(
                code, size, fall_e6=fall_e6, is_pushed=is_pushed, is_mixed=is_mixed
            )
            case = f"{size} position{'s' if size > 1 else ''}"
        else:
            world, market, positions = _under_water_everywhere(code)
            case = f"over {_POOLS} pools, {len(positions)} positions"
        keeper = world.user(0)
        batch = instructions.liquidate(
            world.program, keeper.address, keeper.tokens, market, positions
        )
        yield Call(world=world, instruction=batch, signers=[keeper.key], case=case)


def _under_water_everywhere(code: bytes) -> tuple[World, Pubkey, list[Pubkey]]:
    """Two positions in each pool of a market: every pool is a sale of its own."""
    world = World(code)
    market = world.create_market(*[1_000_000 // _POOLS] * _POOLS)
    maker, owner = world.user(1_000_000_000), world.user(1_000_000)
    world.stake(world.user(_VAULT_USD), _VAULT_USD)
    ids = []
    for pool in range(_POOLS):
        world.add_liquidity(maker, market, 1_000_000, pool)
        side = Side.NO if pool == _POOLS - 1 else Side.YES
        ids += [
            world.open(owner, market, 100 * USD + i, leverage=4, side=side, pool=pool)
            for i in range(2)
        ]
    world.move_oracle(market, *[140_000] * (_POOLS - 1), 440_000)
    return world, market, [world.position_address(owner, market, i) for i in ids]


def under_water(
    code: bytes,
    positions: int,
    *,
    fall_e6: int,
    is_pushed: bool = False,
    is_mixed: bool = False,
) -> tuple[World, Pubkey, list[Pubkey]]:
    """Return a world with a market whose positions, bought at ten times, are all to be liquidated.

    Args:
        fall_e6: how far the oracle fell below 0.5; 40_000 leaves them equity, 60_000 does not.
        is_pushed: somebody sold first, so that the pool is below the oracle: inventory takes over.
        is_mixed: every other one bought at eight times, and has equity where the rest has none.
    """
    world = World(code)
    market = world.traded_market(500_000, liquidity_usd=10_000_000)
    world.stake(world.user(_VAULT_USD), _VAULT_USD)
    owner = world.user(100_000_000)
    ids = [
        world.open(owner, market, 100 * USD + i, leverage=8 if is_mixed and i % 2 else 10)
        for i in range(positions)
    ]
    if is_pushed:
        world.open(owner, market, _PUSH_USD * USD, side=Side.NO)
    world.move_oracle(market, 500_000 - fall_e6)
    return world, market, [world.position_address(owner, market, i) for i in ids]
