"""Attacks through chains, whose steps borrow before they trade."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import product
from typing import Final

from solders.pubkey import Pubkey

from bench.economics.attacks.ground import TRADER, WALLETS, Ground, Variant
from bench.economics.attacks.liquidity import LOCK_SLOTS, sell_all
from bench.economics.chain import Chain
from bench.economics.jump import LIQUIDITY, START_E6, USD
from bench.economics.twin import POINT_E6
from programs.accounts import Side
from programs.chain_account import Step, StepKind
from programs.errors import ProgramError

DEPOSIT: Final = 200 * USD
PLANS: Final = {
    "borrow, open": (StepKind.BORROW, StepKind.OPEN),
    "all five": (StepKind.BORROW, StepKind.LIQUIDITY, StepKind.STAKE, StepKind.ARBITRAGE, StepKind.OPEN),
}  # fmt: skip
FALLS_POINTS: Final = (0.8, 2.0, 5.0, 30.0)
PUSHES_POINTS: Final = (None, 0.0, 2.0, 4.0)
MULTIPLE_MAX: Final = 20
_HOLDINGS: Final = 3


def two_opposite_chains() -> Iterator[Variant]:
    """Run a chain on either side at the highest leverage, and let the price jump: one loses no more than its deposit."""
    for liquidity, plan, points, push in product(LIQUIDITY, PLANS, FALLS_POINTS, PUSHES_POINTS):
        pool = "left alone" if push is None else f"brought to {push:g} points under it"
        yield Variant(
            name=f"{plan}: oracle {points:g} points down, pool {pool}, L ${liquidity // USD}",
            play=partial(_play, liquidity, PLANS[plan], points, push),
        )


def _play(
    liquidity: int, kinds: Sequence[StepKind], points: float, push: float | None, ground: Ground
) -> int:
    ours = ground.program(liquidity)
    platform = ours.platform
    chains = {side: _run(ours, side, kinds) for side in Side}
    news_e6 = START_E6 - int(points * POINT_E6)
    now_e6 = START_E6
    while now_e6 > news_e6:
        platform.warp(1)
        platform.post(ours.market, news_e6)
        now_e6 = platform.market(ours.market).pools[0].price_e6
        if push is not None:
            ours.trade_to(TRADER, now_e6 - int(push * POINT_E6))
        with suppress(ProgramError):  # nothing was due
            platform.liquidate(ours.user("keeper"), ours.market, list(chains.values()))
    sell_all(ours, TRADER)
    for side, chain in chains.items():
        _unwind(ours, side, chain, news_e6)
    platform.audit()
    return sum(ours.wallet(name) for name in WALLETS)


def _run(ours: Chain, side: Side, kinds: Sequence[StepKind]) -> Pubkey:
    """Open and execute a chain with the highest multiple at its end that the program takes."""
    user = ours.user(side.name)
    for multiple in range(MULTIPLE_MAX, 0, -1):
        steps = [Step(kind=kind, leverage=multiple, limit_e6=999_000) if kind is StepKind.OPEN
                 else Step(kind=kind, limit_e6=999_000) for kind in kinds]  # fmt: skip
        chain = ours.platform.open_chain(
            user, ours.market, DEPOSIT, *steps, side=side, trigger_e6=1_000, is_above=True
        )
        try:
            ours.platform.execute(user, chain, len(steps))
        except ProgramError:
            ours.platform.cancel(user, chain)
            continue
        return chain
    raise AssertionError("no multiple was taken")


def _unwind(ours: Chain, side: Side, chain: Pubkey, news_e6: int) -> None:
    """Sell, cancel, wait for the locks, until nothing is left that comes out."""
    platform, user = ours.platform, ours.user(side.name)
    for _ in range(3):
        for holding in range(_HOLDINGS):
            if platform.exists(chain):
                with suppress(ProgramError):
                    platform.close_holding(user, chain, holding)
        if platform.exists(chain):
            with suppress(ProgramError):
                platform.cancel(user, chain)
        platform.warp(LOCK_SLOTS)
        platform.post(ours.market, news_e6)
