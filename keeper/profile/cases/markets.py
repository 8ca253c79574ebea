"""Genesis, markets and their prices."""

from collections.abc import Iterator
from itertools import count
from random import Random

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from keeper.profile.call import Call
from keeper.profile.world import World

_OUTCOMES = (2, 16, 3, 8)
_ONE_E6 = 1_000_000


def prices_for(outcomes: int) -> list[int]:
    """Return equal first prices: one for two outcomes, else one for each."""
    return [500_000] if outcomes == 2 else [_ONE_E6 // outcomes] * outcomes  # noqa: PLR2004


def initialize(code: bytes) -> Iterator[Call]:
    """Genesis, each time on a new chain."""
    while True:
        world = World(code, is_founded=False)
        signers = [world.admin, world.program_key]
        yield Call(world=world, instruction=world.genesis(), signers=signers, case="genesis")


def create_market(code: bytes) -> Iterator[Call]:
    """Markets of 2 to 16 outcomes."""
    world = World(code)
    for number in count():
        outcomes = _OUTCOMES[number % len(_OUTCOMES)]
        create, _ = world.market_instruction(prices_for(outcomes))
        case = f"{outcomes} outcomes"
        yield Call(world=world, instruction=create, signers=[world.admin], case=case)


def update_prices(code: bytes) -> Iterator[Call]:
    """Prices of 2 to 16 outcomes; the clamp of the oracle's move binds in every other posting."""
    world, chance = World(code), Random(0)  # noqa: S311 - the same draws in every run
    markets = [(n, world.create_market(*prices_for(n))) for n in _OUTCOMES]
    for number in count():
        outcomes, market = markets[number % len(markets)]
        world.warp(1 + number % 7)
        post = _posting(world, market, outcomes, spread_e6=chance.choice((0, 1_000, 20_000)))
        case = f"{outcomes} outcomes"
        yield Call(world=world, instruction=post, signers=[world.admin], case=case)


def _posting(world: World, market: Pubkey, outcomes: int, spread_e6: int) -> Instruction:
    """Prices of which every other one is higher by the spread, and the next one lower: they sum to one."""
    prices = prices_for(outcomes)
    moved = [price + (spread_e6 if i % 2 else -spread_e6) for i, price in enumerate(prices)]
    return world.post_instruction(market, *moved)
