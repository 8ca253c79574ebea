"""Payers that run out of SOL, and lanes that spend what they may."""

from typing import Final

from bench.alerts.acts import (
    LIQUIDATOR,
    LIQUIDATOR_FILE,
    WELL_LAMPORTS,
    give_liquidator_a_key,
    set_lamports,
)
from bench.alerts.cause import Cause
from bench.alerts.scene import Scene, Script, on_stage
from bench.alerts.settings import BUSY, SLOW, with_keys
from keeper.lane_config import LaneConfig
from state.metrics import SPEND_HOUR_LAMPORTS

_OWN_PAYER: Final = with_keys(SLOW, "lanes.liquidations", key=f'"{LIQUIDATOR_FILE}"')
_DEAR: Final = with_keys(
    BUSY, "lanes.prices.fees", cu_price_min=1_000_000, loss_max_lamports=10_000_000
)
"""A fee market in which each post costs a hundred times as much."""
_SPENDING_S: Final = 240.0
_KEPT_LAMPORTS: Final = 60_000_000
"""Not low, but gone within hours."""
_RICH_LAMPORTS: Final = 1_000 * 10**9


def _has_left(lamports: int) -> Script:
    """The payer of liquidations has so little, until it is given more."""

    async def script(scene: Scene) -> None:
        scene.cause()
        set_lamports(scene.bank, LIQUIDATOR.pubkey(), lamports)
        await scene.fires()
        scene.mend()
        set_lamports(scene.bank, LIQUIDATOR.pubkey(), WELL_LAMPORTS)

    return script


async def _burn(scene: Scene) -> None:
    await scene.stage.hold(_SPENDING_S)
    scene.cause()
    set_lamports(scene.bank, scene.payer.pubkey(), _KEPT_LAMPORTS)
    await scene.fires()
    scene.mend()
    set_lamports(scene.bank, scene.payer.pubkey(), _RICH_LAMPORTS)


def _may_spend(percent: int) -> Script:
    """The cap of prices is set to so little that this much of it is spent already; then it is raised again."""

    async def script(scene: Scene) -> None:
        await scene.stage.hold(_SPENDING_S)
        scene.cause()
        spent = round(scene.figure(SPEND_HOUR_LAMPORTS, "prices"))
        scene.configure("lanes.prices", hourly_spend_max_lamports=spent * 100 // percent)
        await scene.fires()
        scene.mend()
        usual = LaneConfig().hourly_spend_max_lamports
        scene.configure("lanes.prices", hourly_spend_max_lamports=usual)

    return script


CAUSES: Final = (
    Cause(
        rule="spend_near_cap",
        how="the cap of prices is lowered to what they have nearly spent, then raised",
        run=on_stage("spend_near_cap", _may_spend(90), BUSY),
    ),
    Cause(
        rule="spend_at_cap",
        how="the cap of prices is lowered to what they have spent, then raised",
        run=on_stage("spend_at_cap", _may_spend(100), BUSY),
        also=frozenset({"spend_near_cap", "work_overdue"}),
    ),
    Cause(
        rule="payer_low",
        how="the payer of liquidations has 0.04 SOL, then one",
        run=on_stage("payer_low", _has_left(40_000_000), _OWN_PAYER, prepare=give_liquidator_a_key),
        is_quick=True,
    ),
    Cause(
        rule="payer_runway_short",
        how="fees are a hundred times as high, and 0.06 SOL are left",
        run=on_stage("payer_runway_short", _burn, _DEAR),
    ),
    Cause(
        rule="payer_empty",
        how="the payer of liquidations has 900,000 lamports, then one SOL",
        run=on_stage("payer_empty", _has_left(900_000), _OWN_PAYER, prepare=give_liquidator_a_key),
        also=frozenset({"payer_low"}),
    ),
)
