"""How things end: markets resolved, positions redeemed, the platform halted."""

from collections.abc import Iterator
from itertools import count, cycle
from typing import Final

from solders.pubkey import Pubkey

from keeper.profile.call import Call
from keeper.profile.cases.markets import prices_for
from keeper.profile.world import USD, User, World
from programs import instructions
from programs.accounts import Side

_ONE_E6: Final = 1_000_000
_VAULT_USD: Final = 10_000_000


def resolve_market(code: bytes) -> Iterator[Call]:
    """Markets of two outcomes and of sixteen."""
    world = World(code)
    for number in count():
        outcomes = (2, 16)[number % 2]
        market = world.create_market(*prices_for(outcomes))
        payouts = [_ONE_E6] if number % 2 == 0 else [_ONE_E6, *[0] * (outcomes - 1)]
        resolved = instructions.resolve_market(
            world.program, world.admin.pubkey(), market, payouts_e6=payouts
        )
        case = f"{outcomes} outcomes"
        yield Call(world=world, instruction=resolved, signers=[world.admin], case=case)


def redeem(code: bytes) -> Iterator[Call]:
    """Shares that pay and shares that do not, with debt and without."""
    world = World(code)
    world.stake(world.user(_VAULT_USD), _VAULT_USD)
    holder, caller = world.user(100_000_000), world.user(0)
    for payout_e6 in cycle((_ONE_E6, 0, _ONE_E6 // 2)):
        market = world.traded_market()
        held = [
            (
                f"{leverage} times, pays {payout_e6 / _ONE_E6:g}",
                _held(world, holder, market, leverage),
            )
            for leverage in (5, 1)
        ]
        resolved = instructions.resolve_market(
            world.program, world.admin.pubkey(), market, payouts_e6=[payout_e6]
        )
        world.send([resolved], [world.admin])
        for case, position in held:
            redeemed = instructions.redeem(
                world.program,
                caller.address,
                holder.address,
                holder.tokens,
                market,
                position,
            )
            yield Call(world=world, instruction=redeemed, signers=[caller.key], case=case)


def _held(world: World, holder: User, market: Pubkey, leverage: int) -> Pubkey:
    position_id = world.open(holder, market, 1_000 * USD, leverage=leverage, side=Side.YES)
    return world.position_address(holder, market, position_id)


def halt(code: bytes) -> Iterator[Call]:
    """Once on a platform, each time on a new one."""
    while True:
        world = World(code)
        halted = instructions.halt(world.program, world.admin.pubkey())
        yield Call(world=world, instruction=halted, signers=[world.admin], case="once")
