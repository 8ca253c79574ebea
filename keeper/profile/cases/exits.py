"""The ways out: of liquidity, of the vault, of fees, and out of the vault's inventory."""

from collections.abc import Iterator
from itertools import count
from typing import Final

from solders.pubkey import Pubkey

from keeper.profile.call import Call
from keeper.profile.cases.trades import under_water
from keeper.profile.world import USD, User, World
from programs import addresses, instructions
from programs.accounts import Side, Stake

_PRICES_E6: Final = (500_000, 950_000, 20_000)
_LOCK_SLOTS: Final = 151
_VAULT_USD: Final = 100_000_000


def remove_liquidity(code: bytes) -> Iterator[Call]:
    """A part of a maker's liquidity, and all of it, at even and skewed prices."""
    world = World(code)
    markets = [world.traded_market(price) for price in _PRICES_E6]
    trader = world.user(100_000_000)
    for number in count():
        market, maker = markets[number % len(markets)], world.user(1_000_000)
        world.add_liquidity(maker, market, 1_000 + number)
        world.open(trader, market, 500 * USD)  # fees, and a pool that is not where the maker joined
        world.warp(_LOCK_SLOTS)
        for market_price, known in zip(_PRICES_E6, markets, strict=True):
            world.post(known, market_price)
        for part, case in ((500 * USD, "a part"), (instructions.ALL_LIQUIDITY, "all")):
            removed = instructions.remove_liquidity(
                world.program,
                maker.address,
                maker.tokens,
                market,
                pool=0,
                position_id=maker.take_id(),
                liquidity=part,
            )
            yield Call(world=world, instruction=removed, signers=[maker.key], case=case)


def _earning(code: bytes) -> tuple[World, Pubkey, User, User]:
    """A market with one maker, and a trader whose fees it earns."""
    world = World(code)
    maker, trader = world.user(100_000_000), world.user(100_000_000)
    market = world.create_market(500_000)
    world.add_liquidity(maker, market, 1_000_000)
    world.stake(maker, 1_000_000)
    return world, market, maker, trader


def claim_maker_fees(code: bytes) -> Iterator[Call]:
    """What one trade earned a maker."""
    world, market, maker, trader = _earning(code)
    while True:
        world.open(trader, market, 500 * USD)
        claimed = instructions.claim_maker_fees(
            world.program, maker.address, maker.tokens, market, pool=0
        )
        yield Call(world=world, instruction=claimed, signers=[maker.key], case="one trade's")


def withdraw_fees(code: bytes) -> Iterator[Call]:
    """What one trade left for the treasury."""
    world, market, _, trader = _earning(code)
    tokens = world.token_account(world.admin.pubkey(), world.quote_mint.pubkey())
    while True:
        world.open(trader, market, 500 * USD)
        withdrawn = instructions.withdraw_fees(world.program, world.admin.pubkey(), tokens, market)
        yield Call(world=world, instruction=withdrawn, signers=[world.admin], case="one trade's")


def sweep_fees(code: bytes) -> Iterator[Call]:
    """What one trade left for the vault; of a resolved market, with its inventory."""
    world, market, _, trader = _earning(code)
    sweep = instructions.sweep_fees(world.program, market)
    for number in count():
        if number % 8 == 0:
            yield _sweep_of_resolved(code)
            continue
        world.open(trader, market, 500 * USD)
        yield Call(world=world, instruction=sweep, signers=[world.admin], case="one trade's")


def _sweep_of_resolved(code: bytes) -> Call:
    world, market, _ = _with_inventory(code)
    resolved = instructions.resolve_market(
        world.program, world.admin.pubkey(), market, payouts_e6=[500_000]
    )
    world.send([resolved], [world.admin])
    sweep = instructions.sweep_fees(world.program, market)
    return Call(world=world, instruction=sweep, signers=[world.admin], case="resolved")


def request_unstake(code: bytes) -> Iterator[Call]:
    """A request, and another one in its place."""
    world = World(code)
    staker = world.user(1_000_000)
    world.stake(staker, 1_000_000)
    for number in count():
        asked = instructions.request_unstake(world.program, staker.address, shares=1_000 + number)
        case = "a request" if number == 0 else "in place of one"
        yield Call(world=world, instruction=asked, signers=[staker.key], case=case)


def unstake(code: bytes) -> Iterator[Call]:
    """A whole stake, which closes its account, and a part of one."""
    world = World(code)
    world.stake(world.user(_VAULT_USD), _VAULT_USD)
    for number in count():
        staker = world.user(1_000)
        world.stake(staker, 1_000)
        address = addresses.stake_address(world.program, staker.address)[0]
        held = Stake.from_bytes(world.data(address)).shares
        shares, case = (held, "all") if number % 2 == 0 else (held // 2, "a part")
        asked = instructions.request_unstake(world.program, staker.address, shares=shares)
        world.send([asked], [staker.key])
        world.warp(_LOCK_SLOTS)
        paid = instructions.unstake(world.program, staker.address, staker.tokens)
        yield Call(world=world, instruction=paid, signers=[staker.key], case=case)


def _with_inventory(code: bytes) -> tuple[World, Pubkey, User]:
    """A market whose liquidations left the vault shares of YES."""
    world, market, positions = under_water(code, 10, fall_e6=200_000, is_pushed=True)
    keeper = world.user(1_000_000)
    batch = instructions.liquidate(world.program, keeper.address, keeper.tokens, market, positions)
    world.send([batch], [keeper.key])
    return world, market, keeper


def buy_inventory(code: bytes) -> Iterator[Call]:
    """Small parts of what the vault took over."""
    world, market, buyer = _with_inventory(code)
    for number in count():
        bought = instructions.buy_inventory(
            world.program,
            buyer.address,
            buyer.tokens,
            market,
            pool=0,
            side=Side.YES,
            position_id=buyer.take_id(),
            shares=1_000_000 + number,
            cost_max=1_000 * USD,
        )
        yield Call(world=world, instruction=bought, signers=[buyer.key], case="a part")
