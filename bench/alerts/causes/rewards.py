"""A ledger that cannot read on, wallets that cannot be paid, and a root that nobody computed."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Final

import trio
from spl.token.instructions import create_idempotent_associated_token_account

from bench.alerts.acts import refusing
from bench.alerts.cause import Cause
from bench.alerts.scene import Scene, Script, on_stage
from bench.alerts.settings import SLOW, with_keys
from incentives.config import load_settings
from incentives.follow import Wishes, follow
from incentives.telemetry import LedgerWatch
from keeper.drills.platform import PROGRAM
from keeper.drills.scenario import Settings
from programs.instructions import post_epoch
from programs.units import BaseUnits

_RULES: Final = (
    "[{from_epoch = 0, trade_reward_ppm = 10_000, notional_min = 100_000_000, "
    "notional_max = 10_000_000_000, boosted_trades = 100, mining_rate_ppm = 1_000}]"
)
_EPOCH_SLOTS: Final = 1_000


def _with_rewards(settings: Settings) -> Settings:
    roomy = with_keys(
        settings,
        "lanes.payouts",
        hourly_spend_max_lamports=10**10,
        daily_spend_max_lamports=10**11,
    )
    return with_keys(
        roomy,
        "incentives",
        enabled="true",
        epoch_slots=_EPOCH_SLOTS,
        dwell_slots=150,
        rules=_RULES,
    )


_REWARDED: Final = _with_rewards(SLOW)
_QUICK_SLOTS: Final = _with_rewards(
    replace(
        SLOW,
        slot_ms=100,
        keeper=MappingProxyType({"cluster": MappingProxyType({"scan_interval_slots": 45})}),
    )
)
"""Nine thousand of them are a quarter of an hour."""
_STUCK_S: Final = 60.0
"""As `incentives follow` has it."""
_READ_S: Final = 30.0


def _followed(script: Script) -> Script:
    """Let the service that keeps the ledger run beside the keeper, and have read what there was."""

    async def followed(scene: Scene) -> None:
        settings = load_settings(scene.folder / "keeper.toml")
        watch = LedgerWatch(folder=settings.folder, slot_s=settings.slot_ms / 1_000)
        wishes = Wishes(now_text=lambda: "2026-11-23T00:00:00+00:00", watch=watch)
        reading: Callable[[], Awaitable[object]] = partial(follow, settings, wishes)
        scene.nursery.start_soon(watch.progress.run, "reading", _STUCK_S, reading)
        scene.nursery.start_soon(watch.look)
        scene.nursery.start_soon(
            scene.monitor.tell, settings.folder, watch.gather, watch.process, trio.Event()
        )
        await watch.ready.wait()
        await scene.stage.hold(_READ_S)
        await script(scene)

    return followed


async def _refuse_blocks(scene: Scene) -> None:
    scene.cause()
    with refusing(scene, "getBlock"):
        await scene.fires()
    scene.mend()


async def _pay_nobody(scene: Scene) -> None:
    """Owe MMT to wallets without an account for it, until they have one."""
    scene.cause()
    await scene.fires(within_s=3_000)
    scene.mend()
    admin, mint = scene.cast.admin, scene.cast.mmt_mint.pubkey()
    for actor in scene.cast.actors:
        opened = create_idempotent_associated_token_account(admin.address, actor.address, mint)
        await scene.land(([opened], [admin.key]))


async def _post_a_strange_root(scene: Scene) -> None:
    payer = scene.payer
    posted = post_epoch(
        PROGRAM,
        payer.pubkey(),
        epoch=0,
        index=7,
        root=bytes(range(32)),
        leaf_count=1,
        total=BaseUnits(1),
    )
    scene.cause()
    await scene.land(([posted], [payer]))
    await scene.fires()
    scene.mend()  # done is done: it is over when it lies far enough behind


_OWN_DISK: Final = frozenset({"commits_slow"})
"""The ledger is on this machine's disk, whose seconds are real whatever the clock says."""
CAUSES: Final = (
    Cause(
        rule="ledger_behind",
        how="the follower's node refuses to tell blocks",
        run=on_stage("ledger_behind", _followed(_refuse_blocks), _REWARDED),
        also=_OWN_DISK,
    ),
    Cause(
        rule="payouts_overdue",
        how="wallets that are owed rewards have no account for MMT, until they open one",
        run=on_stage("payouts_overdue", _followed(_pay_nobody), _QUICK_SLOTS),
        also=_OWN_DISK,
    ),
    Cause(
        rule="unknown_root",
        how="the incentives authority's key posts a root that the ledger did not compute",
        run=on_stage("unknown_root", _followed(_post_a_strange_root), _REWARDED),
        also=frozenset({"foreign_signature", *_OWN_DISK}),
    ),
)
