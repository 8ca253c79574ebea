"""A thousand users who open and close positions in many markets, spot and leveraged: at a steady pace, and then all in one instant.

Shell, but for its judge.
"""

from dataclasses import dataclass, field
from typing import Final

import trio

from keeper.sandbox.cast import Actor
from keeper.sandbox.venue.draws import draw_below
from keeper.stress import measures, verdicts
from keeper.stress.evidence import Evidence
from keeper.stress.model import Judged, Measure
from keeper.stress.scenario import Scenario
from keeper.stress.settings import Settings
from keeper.stress.stage import Stage
from programs import instructions
from programs.accounts import Global, Side
from programs.addresses import global_address
from programs.instructions import ALL_SHARES
from programs.units import PRICE_ONE_E6

USERS: Final = 1_000
TRADES_PER_USER: Final = 4
"""Two positions, opened and closed."""
_AT_ONCE: Final = 2
"""Of them so many are handed in by everybody in the same instant."""
_MARKETS: Final = 50
_PER_S: Final = 120.0
"""Offered at scale 1: a hundred a second is where the monitor would warn, were it the keeper's own."""
_LEVERAGED_ONE_IN: Final = 5
_LEVERAGE: Final = 3
_MARGIN_USD: Final = (20, 180)
_SEED: Final = 1
_LOOK_SLOTS: Final = 5
_BURST_SLOTS: Final = 25.0
"""After which the platform calls due work late (SPEC.md section 6): no user should wait longer than the keeper may."""
_LANE_SLOTS: Final = 5.0
"""Of the 25 after which the monitor calls due work late (SPEC.md section 6), a fifth."""
_TRADES_COUNTED: Final = 100
_USD: Final = 1_000_000


def _settings(scale: float) -> Settings:
    users = max(round(USERS * scale), 20)
    rate = _rate(scale)
    return Settings(
        load=f"{users:,} users open and close {users * TRADES_PER_USER // 2:,} positions in {_markets(scale)} markets: half of them at {rate:g} transactions a second, the others all in one instant",
        markets=_markets(scale),
        start_e6=(500_000, 400_000, 620_000),
        wander_e6=4_000,
        liquidity_usd=1_000_000,
        stake_usd=10_000_000,
        users=users,
    )


def _markets(scale: float) -> int:
    return max(round(_MARKETS * scale), 3)


def _rate(scale: float) -> float:
    return _PER_S * max(scale, 0.1)


@dataclass(slots=True, kw_only=True)
class _Trader:
    """One user's next steps."""

    user: Actor
    number: int
    steps: int = 0
    held: list[tuple[int, int, bool]] = field(default_factory=list)
    """(market, position id, has debt) of what it opened and has not closed."""


async def _play(stage: Stage) -> None:
    await stage.wait(lambda: stage.market(0).price_class == 0 and stage.slot > 0, 30.0)
    await stage.wait_slots(10)
    stage.begin("users trade")
    traders = [_Trader(user=user, number=n) for n, user in enumerate(stage.users)]
    pause_s = 1 / _rate(stage.scale)
    due_s = trio.current_time()
    async with trio.open_nursery() as nursery:
        for _ in range(TRADES_PER_USER - _AT_ONCE):
            for trader in traders:
                nursery.start_soon(_step, stage, trader)
                due_s += pause_s
                await trio.sleep_until(due_s)
    stage.begin("all at once")
    for _ in range(_AT_ONCE):
        async with trio.open_nursery() as nursery:
            for trader in traders:
                nursery.start_soon(_step, stage, trader)
        # What a user closes has to be open: everybody looks before the second instant.
        await stage.wait_slots(_LOOK_SLOTS)
    stage.begin("users rest")
    await stage.wait_slots(10)


async def _step(stage: Stage, trader: _Trader) -> None:
    trader.steps += 1
    user = trader.user
    if trader.held and trader.steps % 2 == 0:
        market, position_id, has_debt = trader.held.pop()
        closed = instructions.close_position(
            stage.program,
            user.address,
            user.tokens,
            stage.places[market].address,
            position_id=position_id,
            has_debt=has_debt,
            shares=ALL_SHARES,
        )
        await stage.crowd.send(user, [closed])
        return
    names = (_SEED, trader.number, trader.steps)
    market = draw_below(len(stage.places), *names, "market")
    side = Side(draw_below(2, *names, "side"))
    is_leveraged = draw_below(_LEVERAGED_ONE_IN, *names, "leverage") == 0
    least, spread = _MARGIN_USD
    opened = instructions.open_position(
        stage.program,
        user.address,
        user.tokens,
        stage.places[market].address,
        pool=0,
        side=side,
        position_id=trader.steps,
        margin=(least + draw_below(spread, *names, "usd")) * _USD,
        leverage=_LEVERAGE if is_leveraged else 1,
        worst_price_e6=PRICE_ONE_E6,
        counts_trade=_counts(stage),
    )
    if await stage.crowd.send(user, [opened], cu=250_000):
        trader.held.append((market, trader.steps, is_leveraged))


def _counts(stage: Stage) -> bool:
    """Whether a trade is still one of those that the platform numbers for its launch."""
    account = stage.localnet.bank.account(global_address(stage.program)[0])
    assert account is not None, "the platform is founded"
    return Global.from_bytes(account.data).trade_count < _TRADES_COUNTED


def _judge(evidence: Evidence) -> Judged:
    trading, at_once = evidence.phase("users trade"), evidence.phase("all at once")
    rate = _rate(evidence.scale)
    steady = measures.user_latencies(evidence, during=trading)
    burst = measures.user_latencies(evidence, during=at_once)
    return Judged(
        verdicts=(
            *verdicts.sound(evidence),
            verdicts.at_least(
                "users' transactions that landed well",
                measures.user_success(evidence),
                99.0,
                "%",
                "what a pool refuses because others moved it first is the rest",
            ),
            verdicts.at_least(
                "users' transactions landed while they trade",
                measures.tps_between(evidence, trading.starts_s, trading.ends_s),
                rate * 0.8,
                "1/s",
                "four fifths of what is offered a second, first and last slots included",
            ),
            verdicts.at_most(
                "users at a steady pace, handed in to landed p99",
                measures.rank(steady, 99.0),
                2.0,
                "slots",
                "the block that is being made, or the next",
            ),
            verdicts.at_most(
                "users all at once, handed in to landed p99.9",
                measures.rank(burst, 99.9),
                _BURST_SLOTS,
                "slots",
                "a thousand signed, handed in, checked and executed by one process here, before anybody would call it late",
            ),
            verdicts.fair(evidence, _LANE_SLOTS),
        ),
        measures=(
            Measure(
                name="users' transactions landed a second, fastest second",
                unit="1/s",
                value=measures.fastest_second(evidence),
            ),
            *measures.usual(evidence),
        ),
        curves=measures.usual_curves(evidence),
    )


CONCURRENT_USERS: Final = Scenario(
    name="concurrent-users",
    title="a thousand users who open and close positions in many markets at once",
    settings=_settings,
    play=_play,
    judge=_judge,
)
