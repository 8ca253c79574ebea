"""What becomes of the platform: its vault, its halt, its configuration, and the network that shows it."""

from dataclasses import replace
from typing import Final

import trio
from solders.account import Account

from bench.alerts.acts import (
    LIQUIDATOR,
    LIQUIDATOR_FILE,
    WELL_LAMPORTS,
    arbitrate_all,
    give_liquidator_a_key,
    refusing,
    set_lamports,
    vault_of,
)
from bench.alerts.cause import Cause
from bench.alerts.scene import Scene, Script, on_stage
from bench.alerts.settings import SLOW, with_keys
from keeper.drills.platform import PROGRAM
from keeper.sandbox.cast import Role
from programs.accounts import Global
from programs.addresses import global_address
from programs.instructions import halt, request_unstake, stake, unstake

_USD: Final = 1_000_000
_LOCK_S: Final = 61.0
"""150 slots, after which an unstake request is paid, and the bucket of withdrawals has leaked out."""
_LENT: Final = replace(SLOW, markets=6, stake_usd=10_000)
"""Sixty per cent of the smallest vault that lends by the formula: coverage is 1.4."""
_OWN_PAYER: Final = with_keys(_LENT, "lanes.liquidations", key=f'"{LIQUIDATOR_FILE}"')
_NOTIFIED: Final = with_keys(SLOW, "cluster", subscribe="true")
_EMPTY_LAMPORTS: Final = 890_880
"""What an account must keep: not one signature more. One would liquidate in all six markets at once."""
_FALLEN_E6: Final = 20_000
_FALL_S: Final = 240.0
"""The chain follows a price by two points a slot, and by ten at a post."""


def _withdraws(usd: int) -> Script:
    """The staker takes so much out, as fast as the program pays, and brings it back in the end."""

    async def script(scene: Scene) -> None:
        (staker,) = scene.cast.of(Role.STAKER)
        vault = vault_of(scene)
        shares = usd * _USD * vault.share_supply // vault.equity
        await scene.land(([request_unstake(PROGRAM, staker.address, shares=shares)], [staker.key]))
        await scene.stage.hold(_LOCK_S)
        scene.cause()
        before = vault.equity
        while vault_of(scene).equity > before - usd * _USD * 99 // 100:
            await scene.land(([unstake(PROGRAM, staker.address, staker.tokens)], [staker.key]))
            await scene.stage.hold(_LOCK_S)
        await scene.fires()
        scene.mend()
        back = stake(PROGRAM, staker.address, staker.tokens, amount=usd * _USD)
        await scene.land(([back], [staker.key]))

    return script


def _falls(*markets: int) -> Script:
    """Markets fall by nearly all, and their pools with them, while the payer of liquidations has no SOL."""

    async def script(scene: Scene) -> None:
        scene.cause()
        set_lamports(scene.bank, LIQUIDATOR.pubkey(), _EMPTY_LAMPORTS)
        await scene.fires("payer_empty")  # and the keeper knows it too
        for market in markets:
            scene.stage.set_truth(market, _FALLEN_E6)
        await scene.stage.hold(_FALL_S)
        await arbitrate_all(scene)
        set_lamports(scene.bank, LIQUIDATOR.pubkey(), WELL_LAMPORTS)
        await scene.fires()
        scene.mend()  # nothing brings it back: it is over when it lies far enough behind

    return script


async def _halt(scene: Scene) -> None:
    admin = scene.cast.admin
    scene.cause()
    await scene.land(([halt(PROGRAM, admin.address)], [admin.key]))
    await scene.fires()
    scene.mend()  # for good: it is over when its operator stops the keeper
    await scene.keeper.end()


async def _change(scene: Scene) -> None:
    """Let the chain behind the endpoint be another one: its oracle is somebody else."""
    address = global_address(PROGRAM)[0]
    account = scene.bank.account(address)
    assert account is not None, "founding made it"
    at = account.data.index(bytes(Global.from_bytes(account.data).oracle_authority))
    stranger = bytes(scene.cast.admin.address)
    data = account.data[:at] + stranger + account.data[at + len(stranger) :]
    scene.cause()
    scene.bank.set_account(
        address, Account(lamports=account.lamports, data=data, owner=account.owner)
    )
    await scene.fires()
    scene.mend()  # the keeper ends by itself


async def _freeze(scene: Scene) -> None:
    """Let the only node stop at a block, and go on answering."""
    (node,) = scene.world.localnet.nodes
    stood = scene.bank.height_at("processed")

    async def stand() -> None:
        while True:
            node.lag_blocks = scene.bank.height_at("processed") - stood
            await trio.sleep(scene.stage.settings.slot_s / 2)

    scene.cause()
    await scene.fires_while(stand)
    scene.mend()
    node.lag_blocks = 0


async def _refuse_scans(scene: Scene) -> None:
    """Let the node refuse the one costly question, as public endpoints do; it goes on telling of what changes."""
    scene.cause()
    with refusing(scene, "getProgramAccounts"):
        await scene.fires()
    scene.mend()


_UNPAID: Final = frozenset(
    {"payer_low", "payer_empty", "payer_runway_short", "work_overdue", "lane_stalled"}
)
"""What people are told of the payer and of the lane that it pays for."""
CAUSES: Final = (
    Cause(
        rule="coverage_below_half",
        how="stakers take a third of a well-lent vault out",
        run=on_stage("coverage_below_half", _withdraws(3_200), _LENT),
        also=frozenset({"coverage_low", "vault_drop"}),
    ),
    Cause(
        rule="coverage_low",
        how="stakers take a fifth of a well-lent vault out",
        run=on_stage("coverage_low", _withdraws(1_900), _LENT),
    ),
    Cause(
        rule="vault_drop",
        how="six markets fall by nearly all while liquidations cannot be paid for; then they can",
        run=on_stage("vault_drop", _falls(*range(6)), _OWN_PAYER, prepare=give_liquidator_a_key),
        also=_UNPAID | {"bad_debt_grew"},
    ),
    Cause(
        rule="bad_debt_grew",
        how="one of six markets falls so; then liquidations can be paid for again",
        run=on_stage("bad_debt_grew", _falls(0), _OWN_PAYER, prepare=give_liquidator_a_key),
        also=_UNPAID,
    ),
    Cause(
        rule="platform_changed",
        how="the oracle authority on chain is somebody else; the keeper ends",
        run=on_stage("platform_changed", _change, SLOW),
    ),
    Cause(
        rule="platform_halted",
        how="the halt authority halts; its operator stops the keeper",
        run=on_stage("platform_halted", _halt, SLOW),
    ),
    Cause(
        rule="platform_unseen",
        how="the only node stands still and goes on answering",
        run=on_stage("platform_unseen", _freeze, replace(SLOW, rpc_doors=1)),
        also=frozenset({"work_overdue"}),
    ),
    Cause(
        rule="scan_late",
        how="the node refuses getProgramAccounts, and goes on notifying",
        run=on_stage("scan_late", _refuse_scans, _NOTIFIED),
    ),
)
