"""Five hundred chains of five steps, all due at once.

Shell, but for its judge.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Final

import trio

from keeper.sandbox.cast import Actor
from keeper.stress import measures, verdicts
from keeper.stress.evidence import Evidence
from keeper.stress.model import Judged, Measure
from keeper.stress.scenario import Scenario
from keeper.stress.settings import Settings
from keeper.stress.stage import Stage
from programs import instructions
from programs.accounts import Side
from programs.chain_account import Step, StepKind
from programs.event_layout import EventKind
from programs.units import PRICE_ONE_E6

CHAINS: Final = 500
STEPS: Final = 5
_PER_MARKET: Final = 20
_START_E6: Final = 500_000
_SLIPPAGE_E6: Final = 60_000
_DEPOSIT: Final = 200_000_000
_LIFE_SLOTS: Final = 2_000
_SENDERS: Final = 16
_REST_S: Final = 90.0
_SLOTS_MAX: Final = 25.0
"""After which the monitor calls due work late (SPEC.md section 6)."""
_LANE_SLOTS: Final = 5.0
"""Of the 25 after which the monitor calls due work late (SPEC.md section 6), a fifth."""


def _settings(scale: float) -> Settings:
    return Settings(
        load=f"{_chains(scale):,} chains of {STEPS} steps in {_markets(scale)} markets, all due as soon as they are opened",
        markets=_markets(scale),
        start_e6=(_START_E6,),
        wander_e6=2_000,
        liquidity_usd=1_000_000,
        stake_usd=20_000_000,
        users=_chains(scale),
    )


def _chains(scale: float) -> int:
    return max(round(CHAINS * scale), 4)


def _markets(scale: float) -> int:
    return -(-_chains(scale) // _PER_MARKET)


async def _play(stage: Stage) -> None:
    await stage.wait_slots(15)
    stage.begin("chains are opened")
    waiting = list(enumerate(stage.users))

    async def open_some() -> None:
        while waiting:
            await _open(stage, *waiting.pop())

    async with trio.open_nursery() as nursery:
        for _ in range(_SENDERS):
            nursery.start_soon(open_some)
    stage.begin("chains run")
    wanted = len(stage.users) * STEPS
    progress = _Progress(stage)
    await stage.wait(lambda: progress.steps() >= wanted, _REST_S)
    await stage.wait_slots(5)


class _Progress:
    """How many steps have run, counted on the chain as its slots close."""

    def __init__(self, stage: Stage) -> None:
        self._stage, self._slot, self._steps = stage, stage.slot_at_start, 0

    def steps(self) -> int:
        """Return all steps so far, of closed slots."""
        while self._slot < self._stage.slot:
            self._steps += self._stage.events_in(self._slot, EventKind.CHAIN_STEPPED)
            self._slot += 1
        return self._steps


async def _open(stage: Stage, number: int, user: Actor) -> None:
    side = Side(number % 2)
    limit_e6 = min(_START_E6 + _SLIPPAGE_E6, PRICE_ONE_E6)
    opened = instructions.open_chain(
        stage.program,
        user.address,
        user.tokens,
        stage.places[number % len(stage.places)].address,
        chain_id=1,
        pool=0,
        side=side,
        deposit=_DEPOSIT,
        trigger_e6=_START_E6 // 2,
        is_above=True,
        expiry_slot=stage.slot + _LIFE_SLOTS,
        steps=(
            Step(kind=StepKind.BORROW),
            Step(kind=StepKind.LIQUIDITY, limit_e6=_SLIPPAGE_E6),
            Step(kind=StepKind.STAKE),
            Step(kind=StepKind.ARBITRAGE, limit_e6=limit_e6),
            Step(kind=StepKind.OPEN, leverage=1, limit_e6=limit_e6),
        ),
    )
    await stage.crowd.send(user, [opened])


def _judge(evidence: Evidence) -> Judged:
    opened: dict[str, int] = {}
    last: dict[str, int] = {}
    steps: Counter[str] = Counter()
    for each in evidence.landings:
        for event in each.events:
            if event.kind is EventKind.CHAIN_OPENED:
                opened[str(event.address("chain"))] = each.slot
            elif event.kind is EventKind.CHAIN_STEPPED:
                chain = str(event.address("chain"))
                steps[chain] += 1
                last[chain] = each.slot
    whole = [chain for chain in opened if steps[chain] == STEPS]
    took = [float(last[chain] - opened[chain]) for chain in whole]
    slots = max(last.values(), default=0) - min(opened.values(), default=0) + 1
    return Judged(
        verdicts=(
            *verdicts.sound(evidence),
            verdicts.at_least("chains opened", len(opened), len(evidence.sends), ""),
            verdicts.at_least(
                "chains whose every step ran",
                100 * len(whole) / len(opened) if opened else None,
                99.0,
                "%",
                "one whose step the pool no longer serves stands still, and its owner can cancel it",
            ),
            verdicts.at_most(
                "chains, opened to last step p99",
                measures.rank(took, 99.0),
                _SLOTS_MAX,
                "slots",
                "all of them before anybody would call one late",
            ),
            verdicts.fair(evidence, _LANE_SLOTS, flooded=("chains",)),
        ),
        measures=(
            Measure(
                name="chains whose every step ran",
                unit="%",
                value=100 * len(whole) / len(opened) if opened else None,
            ),
            Measure(name="steps run", unit="", value=steps.total()),
            Measure(
                name="steps run a second",
                unit="1/s",
                value=steps.total() / (slots * evidence.slot_s) if steps else None,
            ),
            *(
                Measure(
                    name=f"chains, opened to last step p{percent:g}",
                    unit="slots",
                    value=measures.rank(took, percent),
                )
                for percent in measures.QUANTILES
            ),
            *measures.usual(evidence),
        ),
        curves=(
            measures.sum_curve(evidence, "chains with steps to run", _waiting(opened, last, whole)),
            *measures.usual_curves(evidence),
        ),
    )


def _waiting(
    opened: Mapping[str, int], last: Mapping[str, int], whole: Collection[str]
) -> Counter[int]:
    """Return by how much the count of chains that are not done changes, by slot."""
    changes = Counter(opened.values())
    changes.subtract(last[chain] for chain in whole)
    return changes


CHAIN_LOAD: Final = Scenario(
    name="chain-load",
    title="five hundred chains of five steps, all due at once",
    settings=_settings,
    play=_play,
    judge=_judge,
)
