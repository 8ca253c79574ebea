"""Ten thousand strangers' transactions fill every block, while users trade and the keeper has to liquidate.

Shell, but for its judge.
"""

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
from programs.localnet.faults import Congestion, FaultProfile
from programs.units import PRICE_ONE_E6

SPAM: Final = 10_000
LEGITIMATE: Final = 100
_SLOTS: Final = 20
_SPAM_PRICE_MAX: Final = 50_000
"""What strangers bid at most, micro-lamports a compute unit."""
_CONGESTION: Final = Congestion(spam_price_max=_SPAM_PRICE_MAX, spam_cu=400_000)
"""They ask for 250,000 units in the mean: 500 of them are a block and a quarter."""
_BIDS: Final = (0, _SPAM_PRICE_MAX // 2, _SPAM_PRICE_MAX * 2)
"""Users who bid nothing, as the middle of the strangers does, and above all of them; a third each."""
_START_E6: Final = 500_000
_FALL_E6: Final = 60_000
_MARGIN: Final = 50_000_000
_KEEPER_SLOTS: Final = 8.0
"""The keeper learns what a place in a block costs while blocks are full: a refusal or two, and a bid that is high enough."""


def _settings(scale: float) -> Settings:
    return Settings(
        load=(
            f"{_spam(scale):,} strangers' transactions within {_slots(scale)} blocks, which hold four fifths of them, {_users(scale)} "
            "users' trades among them, and a fall that makes leveraged positions due"
        ),
        markets=6,
        start_e6=(_START_E6,),
        wander_e6=2_000,
        positions_per_side=4,
        users=_users(scale),
        faults=FaultProfile(congestion=_CONGESTION),
    )


def _spam(scale: float) -> int:
    return max(round(SPAM * scale), 1_000)


def _users(scale: float) -> int:
    return max(round(LEGITIMATE * scale), 12)


def _slots(scale: float) -> int:
    """Blocks that strangers fill: as full at any scale."""
    return max(_spam(scale) * _SLOTS // SPAM, 2)


async def _play(stage: Stage) -> None:
    await stage.wait_slots(15)
    stage.begin("blocks are full")
    per_slot = _spam(stage.scale) // _slots(stage.scale)
    users = list(enumerate(stage.users))
    per_slot_users = -(-len(users) // _slots(stage.scale))
    async with trio.open_nursery() as nursery:
        for number in range(_slots(stage.scale)):
            stage.localnet.trouble.flood(per_slot, _CONGESTION)
            if number == 1:
                for market in range(len(stage.places)):
                    stage.house.set_truth(market, _START_E6 - _FALL_E6)
            for place, user in users[number * per_slot_users : (number + 1) * per_slot_users]:
                nursery.start_soon(_trade, stage, user, place)
            await stage.wait_slots(1)
    stage.begin("strangers are gone")
    await stage.wait_slots(25)


async def _trade(stage: Stage, user: Actor, number: int) -> None:
    opened = instructions.open_position(
        stage.program,
        user.address,
        user.tokens,
        stage.places[number % len(stage.places)].address,
        pool=0,
        side=Side.NO,
        position_id=1,
        margin=_MARGIN,
        leverage=1,
        worst_price_e6=PRICE_ONE_E6,
        counts_trade=True,
    )
    await stage.crowd.send(user, [opened], cu=250_000, cu_price=_BIDS[number % len(_BIDS)])


def _judge(evidence: Evidence) -> Judged:
    above = measures.user_latencies(evidence, _SPAM_PRICE_MAX + 1)
    strangers = [each for each in evidence.landings if not each.is_ours]
    return Judged(
        verdicts=(
            *verdicts.sound(evidence),
            verdicts.at_least(
                "users' transactions that landed well",
                measures.user_success(evidence),
                99.0,
                "%",
                "whatever they bid: who bids too little waits until strangers are gone",
            ),
            verdicts.at_most(
                "users who bid above strangers, handed in to landed p99",
                measures.rank(above, 99.0),
                2.0,
                "slots",
            ),
            verdicts.fair(evidence, _KEEPER_SLOTS, busy=("prices", "liquidations")),
            verdicts.at_least(
                "keeper's transactions that landed well",
                measures.keeper_success(evidence),
                90.0,
                "%",
            ),
        ),
        measures=(
            Measure(name="strangers' transactions landed", unit="", value=len(strangers)),
            *(
                Measure(
                    name=f"users who bid {bid} or more, handed in to landed p99",
                    unit="slots",
                    value=measures.rank(measures.user_latencies(evidence, bid), 99.0),
                )
                for bid in _BIDS
            ),
            *measures.usual(evidence),
        ),
        curves=measures.usual_curves(evidence),
    )


NETWORK_CONGESTION: Final = Scenario(
    name="network-congestion",
    title="ten thousand strangers' transactions fill every block, while users trade and positions fall due",
    settings=_settings,
    play=_play,
    judge=_judge,
)
