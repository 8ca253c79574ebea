"""A vault that has lent more than half of its cash, as in a busy market: coverage and fee are computed, not capped."""

from typing import Final

from keeper.profile.world import USD, User, World

_VAULT_USD: Final = 10_000_000
_LOANS: Final = 6
_MARGIN_USD: Final = 110_000
"""Borrows nine times as much: just under a tenth of the vault, which is the most in one market."""
_LIQUIDITY_USD: Final = 100_000_000


def busy_world(code: bytes) -> tuple[World, User]:
    """Return a world at a coverage of about 1.4, and somebody rich."""
    world = World(code)
    world.stake(world.user(_VAULT_USD), _VAULT_USD)
    user = world.user(1_000_000_000)
    for _ in range(_LOANS):
        market = world.traded_market(liquidity_usd=_LIQUIDITY_USD)
        world.open(user, market, _MARGIN_USD * USD, leverage=10)
    return world, user
