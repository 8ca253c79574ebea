"""Positions at the highest leverage the program allows, all on one side, and a fall that takes them all.

Shell.
"""

from functools import partial
from typing import Final

import numpy as np
import trio
from solders.instruction import Instruction
from solders.pubkey import Pubkey

from keeper.drills.play import chain_accounts
from keeper.sandbox.cast import Actor, Role
from keeper.stress.scenario import Scenario
from keeper.stress.scenarios.cascade_judge import judge
from keeper.stress.settings import Settings
from keeper.stress.stage import Stage
from keeper.stress.steep import steepest
from programs import curve, instructions
from programs.accounts import Pool, PositionArray, Side
from programs.chain_account import Step, StepKind
from programs.curve import Curve
from programs.fixed import E18
from programs.normal import u_of_price
from programs.units import PRICE_ONE_E6

POSITIONS: Final = 100
GREAT_POSITIONS: Final = 10_000
_PER_MARKET: Final = 20
_GREAT_PER_MARKET: Final = 100
_CHAINS_ONE_IN: Final = 10
"""So many of the positions are opened by chains."""
_CHAIN_GIVES: Final = 2
"""Multiples that a chain asks for less: others open between its opening and its step."""
_CHAIN_LIFE_SLOTS: Final = 5_000
_START_E6: Final = 500_000
_GAP_E6: Final = 40_000
"""The first move: two points beyond the gap reserve, so that every position owes more than it is worth before anybody can act."""
_SLIDE_E6: Final = 5_000
_SLIDES: Final = 12
_SLIDE_S: Final = 0.5
_MARGIN: Final = 20_000_000
_POOLS_EVERY_S: Final = 0.02
_SPARE_E6: Final = 1_500
"""What the pool moves while twenty open at once."""
_SENDERS: Final = 16
_TRIES: Final = 5
_OPEN_WITHIN_S: Final = 60.0
_REST_S: Final = 60.0
_SLOTS_LATE: Final = 8.0
_BEYOND_PERCENT: Final = 1.0
"""Of the debt: half a second's fall."""
_LANE_SLOTS: Final = 10.0
"""Of the 25 after which the monitor calls due work late (SPEC.md section 6), two fifths: lanes that are not flooded, in the worst case."""
_GREAT_SLOTS_LATE: Final = 40.0
"""Two thousand liquidations a second are five seconds for all. Network, users and keeper share this machine's processors, and the
network alone executes for as long again: three times as long, and a second, is 40 slots."""
_GREAT_BEYOND_PERCENT: Final = 5.0
"""Of the debt: prices fall on by a point a second, two per cent of the debt, for the eight seconds in which ten thousand are sold;
who is sold first loses least of it."""


def _settings(positions: int, per_market: int) -> Settings:
    markets = -(-positions // per_market)
    return Settings(
        load=(
            f"{positions:,} positions at the highest leverage allowed, every tenth within a chain, in {markets} markets, "
            "which fall by ten points in eight seconds"
        ),
        markets=markets,
        start_e6=(_START_E6,),
        wander_e6=0,
        liquidity_usd=10_000_000,
        stake_usd=200_000_000,
        users=positions,
    )


async def _play(stage: Stage) -> None:
    stage.begin("positions are opened")
    multiple = await _open_all(stage)
    stage.kept |= {"leverage": multiple, "users": len(stage.users)}
    markets = {place.address: stage.market(n) for n, place in enumerate(stage.places)}
    stage.kept |= {"positions": _leveraged(stage), "markets": markets, "slot": stage.slot}
    stage.begin("prices fall")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_keep_pools, stage)
        for step in range(_SLIDES + 1):
            price_e6 = _START_E6 - _GAP_E6 - step * _SLIDE_E6
            for number in range(len(stage.places)):
                stage.house.set_truth(number, price_e6)
            nursery.start_soon(_arbitrage, stage, step, price_e6)
            await trio.sleep(_SLIDE_S)
        stage.begin("the rest is liquidated")
        stage.kept["is_over"] = await stage.wait(lambda: not _left(stage), _REST_S)
        await stage.wait_slots(10)
        nursery.cancel_scope.cancel(reason="the cascade is over")
    stage.kept["left"] = sum(_shortfall(stage, row) for row in _leveraged(stage))
    stage.kept["after"] = [stage.market(n) for n in range(len(stage.places))]
    stage.kept["truths"] = [stage.house.script.truth_e6(n) for n in range(len(stage.places))]


async def _keep_pools(stage: Stage) -> None:
    """Keep every pool as it stands at the beginning of each slot, for ever."""
    pools: dict[int, dict[Pubkey, Pool]] = {}
    stage.kept["pools"] = pools
    while True:
        if stage.slot not in pools:
            pools[stage.slot] = {
                place.address: stage.market(n).pools[0] for n, place in enumerate(stage.places)
            }
        await trio.sleep(_POOLS_EVERY_S)


async def _arbitrage(stage: Stage, step: int, price_e6: int) -> None:
    """Let somebody who watches the venue take every pool to its price at once, before the keeper can have posted it.

    That is the worst for the vault: what it sells, it sells to a pool that has fallen already.
    """
    (actor,) = stage.cast.of(Role.ARBITRAGEUR)
    for number, place in enumerate(stage.places):
        pool = stage.market(number).pools[0]
        state = Curve(liquidity=pool.liquidity, q=pool.q)
        shares = (curve.u(state) - u_of_price(price_e6)) * pool.liquidity // E18
        if shares <= 0:
            continue
        bought = instructions.open_position(
            stage.program,
            actor.address,
            actor.tokens,
            place.address,
            pool=0,
            side=Side.NO,
            position_id=1 + step * len(stage.places) + number,
            margin=curve.buy_shares(state, curve.Side.NO, shares),
            leverage=1,
            worst_price_e6=PRICE_ONE_E6,
            counts_trade=True,
        )
        await stage.crowd.send(actor, [bought], cu=250_000)


async def _open_all(stage: Stage) -> int:
    """Let every user open one position at the steepest leverage that its market allows then; returns the highest."""
    highest = 1
    waiting = list(enumerate(stage.users))

    async def open_some() -> None:
        nonlocal highest
        while waiting:
            number, user = waiting.pop()
            place = stage.places[number % len(stage.places)]
            market, vault = stage.market(number % len(stage.places)), stage.vault()
            multiple = steepest(market, vault, Side.YES, _MARGIN, _SPARE_E6)
            highest = max(highest, multiple)
            opened = (
                _chain(stage, user, place.address, multiple - _CHAIN_GIVES)
                if _is_by_chain(stage, number)
                else _position(stage, user, place.address, multiple)
            )
            await stage.crowd.send(user, [opened], cu=250_000)

    await stage.wait(lambda: all(_is_fresh(stage, n) for n in range(len(stage.places))), 30.0)
    for _ in range(_TRIES):
        async with trio.open_nursery() as nursery:
            for _ in range(_SENDERS):
                nursery.start_soon(open_some)
        await stage.wait_slots(2)
        # The pool moved further than was spared before some landed: those look again, as anybody would.
        waiting = _refused(stage)
        if not waiting:
            break
    # Chains are opened by their owners, and run by the keeper.
    await stage.wait(lambda: len(_leveraged(stage)) >= len(stage.users), _OPEN_WITHIN_S)
    return highest


def _refused(stage: Stage) -> list[tuple[int, Actor]]:
    """Return those whose position the program did not let in, with their numbers; chains wait for the keeper."""
    owners = {row.tobytes() for row in _leveraged(stage)["owner"]}
    return [
        (number, user)
        for number, user in enumerate(stage.users)
        if not _is_by_chain(stage, number) and bytes(user.address) not in owners
    ]


def _is_by_chain(stage: Stage, number: int) -> bool:
    return stage.runs_chains and number % _CHAINS_ONE_IN == _CHAINS_ONE_IN - 1


def _is_fresh(stage: Stage, number: int) -> bool:
    """Whether a market's price is of class valid and young enough for leverage."""
    market = stage.market(number)
    return market.price_class == 0 and stage.slot - market.price_update_slot < 100  # noqa: PLR2004 - of 150


def _position(stage: Stage, user: Actor, market: Pubkey, multiple: int) -> Instruction:
    return instructions.open_position(
        stage.program,
        user.address,
        user.tokens,
        market,
        pool=0,
        side=Side.YES,
        position_id=1,
        margin=_MARGIN,
        leverage=multiple,
        worst_price_e6=PRICE_ONE_E6,
        counts_trade=True,
    )


def _chain(stage: Stage, user: Actor, market: Pubkey, multiple: int) -> Instruction:
    return instructions.open_chain(
        stage.program,
        user.address,
        user.tokens,
        market,
        chain_id=1,
        pool=0,
        side=Side.YES,
        deposit=_MARGIN,
        trigger_e6=_START_E6 // 2,
        is_above=True,
        expiry_slot=stage.slot + _CHAIN_LIFE_SLOTS,
        steps=(Step(kind=StepKind.OPEN, leverage=multiple, limit_e6=PRICE_ONE_E6),),
    )


def _leveraged(stage: Stage) -> PositionArray:
    """Return every position with debt, those within chains included."""
    rows = chain_accounts(stage.localnet.bank).positions
    return rows[rows["debt"] > 0]


def _shortfall(stage: Stage, row: np.void) -> int:
    """Return what a position that nobody has liquidated owes beyond its worth, base units.

    By the venue's price: a keeper that is busy selling posts none, and the chain would go on showing what was once so.
    """
    market = Pubkey.from_bytes(row["market"].tobytes())
    number = next(n for n, place in enumerate(stage.places) if place.address == market)
    price_e6 = stage.house.script.truth_e6(number)
    assert price_e6 is not None, "every market has one"
    return max(int(row["debt"]) - int(row["shares"]) * price_e6 // PRICE_ONE_E6, 0)


def _left(stage: Stage) -> bool:
    """Whether anything is leveraged yet."""
    return any(
        stage.market(number).pools[0].leveraged[Side.YES] for number in range(len(stage.places))
    )


LIQUIDATION_CASCADE: Final = Scenario(
    name="liquidation-cascade",
    title="positions at the highest leverage the rules allow, and a fall that takes them all",
    settings=lambda scale: _settings(max(round(POSITIONS * scale), 5), _PER_MARKET),
    play=_play,
    judge=partial(
        judge,
        slots_late_max=_SLOTS_LATE,
        lane_slots_max=_LANE_SLOTS,
        beyond_percent=_BEYOND_PERCENT,
    ),
    has_rival=True,
)
GREAT_CASCADE: Final = Scenario(
    name="great-cascade",
    title="the same with a hundred times as many",
    settings=lambda scale: _settings(max(round(GREAT_POSITIONS * scale), 100), _GREAT_PER_MARKET),
    play=_play,
    judge=partial(
        judge,
        slots_late_max=_GREAT_SLOTS_LATE,
        lane_slots_max=_LANE_SLOTS,
        beyond_percent=_GREAT_BEYOND_PERCENT,
    ),
    # Ten thousand at once take about as long as anybody waits before he calls one late.
    alarms=frozenset({"work_overdue"}),
    has_rival=True,
)
