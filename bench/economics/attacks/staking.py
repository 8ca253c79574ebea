"""Attacks on the vault's other stakers."""

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from itertools import product
from typing import Final

from bench.economics.attacks.ground import TRADER, Ground, Variant
from bench.economics.attacks.liquidity import sell_all
from bench.economics.chain import Chain
from bench.economics.jump import LIQUIDITY, START_E6, USD, VAULT
from bench.economics.twin import POINT_E6
from programs.accounts import Side
from programs.errors import BY_NAME, ProgramError

UNSTAKE_SLOTS: Final = 150
STAKES: Final = (100 * USD, VAULT, 20 * VAULT)
TURNOVER: Final = 25_000 * USD


def stake_around_fees() -> Iterator[Variant]:
    """Stake right before fees reach the vault, ask for the stake back right after, and leave."""
    for stake, liquidity in product(STAKES, LIQUIDITY):
        yield Variant(
            name=f"${stake // USD} staked beside ${VAULT // USD}, L ${liquidity // USD}",
            play=partial(_around_fees, liquidity, stake),
        )


def stake_around_a_loss() -> Iterator[Variant]:
    """Keep a request standing, and leave between a jump and the bad debt it causes."""
    for stake, points in product(STAKES, (10, 30)):
        yield Variant(
            name=f"${stake // USD} staked beside ${VAULT // USD}, {points} points",
            play=partial(_around_a_loss, stake, points),
        )


def stake_first() -> Iterator[Variant]:
    """Be the first staker, raise the price of a share by one's own fees, and have the second one's rounded away."""
    for first, second in product((1, 1_000, USD, 1_000 * USD), (1_000, USD, 1_000 * USD)):
        yield Variant(
            name=f"{first} base units, then somebody else's ${second // USD}",
            play=partial(_first, first, second),
        )


def _around_fees(liquidity: int, stake: int, ground: Ground) -> int:
    chain = ground.program(liquidity)
    platform = chain.platform
    for _ in range(10):
        number, _ = platform.open(chain.user("others"), chain.market, TURNOVER)
        platform.close(chain.user("others"), chain.market, number)
    user = chain.user(TRADER)
    platform.stake(user, stake)
    platform.sweep_fees(chain.market)
    platform.request_unstake(user)
    _leave(chain)
    return chain.wallet(TRADER)


def _around_a_loss(stake: int, points: int, ground: Ground) -> int:
    """The bad debt is another's, whose position the keeper finds underwater only when the attacker is gone."""
    chain = ground.program(LIQUIDITY[1])
    platform, user, other = chain.platform, chain.user(TRADER), chain.user("others")
    platform.stake(user, stake)
    lent, _ = platform.open(other, chain.market, 500 * USD, leverage=15, side=Side.YES)
    platform.request_unstake(user)
    platform.warp(UNSTAKE_SLOTS)
    news_e6 = START_E6 - points * POINT_E6
    chain.trade_to("others", news_e6)
    platform.move_oracle(chain.market, news_e6)
    platform.unstake(user)
    target = platform.position_address(other, chain.market, lent)
    platform.liquidate(chain.user("keeper"), chain.market, [target])
    assert platform.vault().bad_debt > 0, "there is a loss to leave"
    _leave(chain)
    return chain.wallet(TRADER)


def _first(first: int, second: int, ground: Ground) -> int:
    chain = ground.program(LIQUIDITY[1], vault=0)
    platform, user = chain.platform, chain.user(TRADER)
    platform.stake(user, first)
    for _ in range(10):
        number, _ = platform.open(user, chain.market, max(10 * first, 1_000))
        platform.close(user, chain.market, number)
    with suppress(BY_NAME["VAULT_TOO_SMALL"]):  # fees beyond the vault wait until more is staked
        platform.sweep_fees(chain.market)
    with suppress(BY_NAME["ZERO_AMOUNT"]):
        platform.stake(chain.user("others"), second)
    platform.request_unstake(user)
    _leave(chain)
    return chain.wallet(TRADER)


def _leave(chain: Chain) -> None:
    """Take out what the bucket lets out, until there is nothing left that is worth a base unit."""
    platform, user = chain.platform, chain.user(TRADER)
    for _ in range(100):
        if not platform.exists(platform.stake_address(user)):
            break
        platform.warp(UNSTAKE_SLOTS)
        try:
            platform.unstake(user)
        except ProgramError:  # nothing requested: the rest is asked for again
            break
    sell_all(chain, TRADER)
