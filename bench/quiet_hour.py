"""A quiet hour: everything at work, nothing wrong, nobody woken.

    python -m bench.quiet_hour [--hours 1] [--seed N] [--json]

The whole keeper and `incentives follow` on the virtual clock, slots of 400 ms, settings as shipped; prices walk and now and
then jump, people trade, borrow and open chains, positions are liquidated, epochs close, roots are posted and paid. The
monitor's rules watch both services. Exits 0 only when no alert fired and every lane had work.
"""

import argparse
import logging
import random
import sys
import time
from dataclasses import dataclass
from types import MappingProxyType

import structlog
import trio

from bench.life.scene import SEED, Life, live_virtually, reflected, said
from bench.report.figure import Figure, Goal, tell
from keeper.drills.model import Alarm
from keeper.drills.platform import PROGRAM
from keeper.drills.scenario import Settings
from keeper.monitor.view import KEEPER
from keeper.sandbox.bustle import bustle
from keeper.sandbox.cast import cast_of
from keeper.sandbox.config import SandboxConfig
from keeper.sandbox.founding import Platform
from state.metrics import JOBS_LANDED

HOUR_S = 3_600.0
CALM_S = 120.0
"""Until everything stands, and after the last move."""
EPOCH_SLOTS = 1_500
"""Ten minutes. Shorter ones would post so many roots an hour that payouts come near their cap, and people are told."""
SHORT_EPOCH_SLOTS = 300
"""For a few minutes alone."""
SHORT_S = 1_200.0
STEP_S = 4.0
"""Between two moves of a market."""
STEP_E6 = 1_500
JUMP_E6 = 60_000
JUMP_ONE_IN = 150
"""Each market jumps every ten minutes."""
LOW_E6, HIGH_E6 = 200_000, 800_000
TICK_E6 = 1_000
LOOK_INTERVAL_S = 4.0
"""Between two looks of the actors."""
FIRST_ID = 1_000
"""Of the actors' positions: above those that founding opened."""
LANES = ("prices", "liquidations", "chains", "payouts")
SETTINGS = Settings(
    slot_ms=400,
    markets=6,
    start_e6=(500_000, 400_000, 620_000, 300_000, 700_000, 450_000),
    tick_ms=2_000,
    wander_e6=1_000,
    positions_per_side=4,
    is_brisk=False,
    keeper=MappingProxyType(
        {
            "cluster": {"subscribe": "true"},
            "payouts": {"folder": '"payouts"', "creates_token_accounts": "true"},
        }
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiet:
    """What was seen of it."""

    duration_s: float
    alarms: tuple[Alarm, ...]
    landed: dict[str, float]
    """Jobs by lane."""
    said: dict[str, int]
    """Warnings and errors of the keeper's log, by event."""

    @property
    def idle(self) -> tuple[str, ...]:
        """Lanes that landed nothing."""
        return tuple(lane for lane in LANES if not self.landed[lane])


def play(duration_s: float, seed: int) -> Quiet:
    """Live quietly for so long, virtual seconds."""

    async def script(life: Life) -> Quiet:
        life.nursery.start_soon(walk, life, seed)
        life.nursery.start_soon(trade, life, SETTINGS.markets, LOOK_INTERVAL_S)
        await trio.sleep(duration_s)
        return Quiet(
            duration_s=duration_s,
            alarms=tuple(life.monitor.alarms),
            landed={lane: life.monitor.figure(KEEPER, JOBS_LANDED, lane) or 0.0 for lane in LANES},
            said=said(life.keeper.notices),
        )

    return live_virtually(SETTINGS, script, seed=seed, epoch_slots=epoch_slots_of(duration_s))


def epoch_slots_of(duration_s: float) -> int:
    """Return a length of epochs of which some end within so many seconds."""
    return EPOCH_SLOTS if duration_s > SHORT_S else SHORT_EPOCH_SLOTS


async def walk(life: Life, seed: int) -> None:
    """Let every market walk as live ones do, and jump now and then; for ever."""
    dice = random.Random(seed)
    house, at_e6 = life.world.house, {}
    for number in range(len(house.script.markets)):
        at_e6[number] = float(house.script.truth_e6(number) or 0)
    while True:
        await trio.sleep(STEP_S)
        for number, price_e6 in at_e6.items():
            move_e6 = dice.gauss(0, STEP_E6)
            if dice.randrange(JUMP_ONE_IN) == 0:
                move_e6 += dice.choice((-JUMP_E6, JUMP_E6))
            at_e6[number] = reflected(price_e6 + move_e6, LOW_E6, HIGH_E6)
            house.set_truth(number, round(at_e6[number] / TICK_E6) * TICK_E6)


async def trade(life: Life, active: int, look_interval_s: float) -> None:
    """Let the sandbox's actors live in the first so many markets, for ever."""
    cast, platform = cast_of(SEED), life.world.platform
    markets = tuple(place.address for place in platform.places[:active])
    config = SandboxConfig(
        markets=len(markets),
        active_markets_max=len(markets),
        positions_per_side=SETTINGS.positions_per_side,
        slot_ms=SETTINGS.slot_ms,
        seed=SEED,
    )
    active = Platform(
        program=PROGRAM, quote_mint=cast.quote_mint.pubkey(), markets=markets, active=markets
    )
    await bustle(
        life.rpc,
        config,
        cast,
        active,
        look_interval_s=look_interval_s,
        first_id=FIRST_ID,
    )


def main() -> int:
    """Live through it, and tell."""
    parser = argparse.ArgumentParser(prog="python -m bench.quiet_hour", description=__doc__)
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    began_s = time.process_time()
    found = play(asked.hours * HOUR_S, asked.seed)
    took_s = time.process_time() - began_s
    none = Goal(value=0.0, source="issue 7: silent in a quiet hour")
    some = Goal(value=1.0, is_most=False)
    figures = [
        Figure(
            name=f"alerts in {asked.hours:g} quiet hours",
            unit="",
            runs=(float(len(found.alarms)),),
            goal=none,
        ),
        *(
            Figure(name=f"jobs landed, {lane}", unit="", runs=(count,), goal=some)
            for lane, count in found.landed.items()
        ),
        Figure(name="CPU for a virtual hour", unit="s", runs=(took_s / asked.hours,)),
    ]
    tell("quiet_hour", figures, as_json=asked.json)
    for alarm in found.alarms:
        print(
            f"{alarm.rule} ({alarm.level}) {dict(alarm.labels)} {alarm.fired_s:,.0f} s"
            f" to {alarm.resolved_s}: {alarm.text}",
            file=sys.stderr,
        )
    for event, count in found.said.items():
        print(f"said {count} times: {event}", file=sys.stderr)
    return 1 if found.alarms or found.idle else 0


if __name__ == "__main__":
    sys.exit(main())
