"""One stress run, from an empty folder to a result.

Shell.
"""

import json
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path
from typing import Final

import trio

from keeper.drills.alarms import DrillMonitor
from keeper.drills.attempts import read_attempts
from keeper.drills.chain_books import ledger_faults
from keeper.drills.child import KeeperChild
from keeper.drills.platform import PROGRAM
from keeper.drills.play import chain_accounts
from keeper.errors import StressError
from keeper.prices.unix_time import unix_ms
from keeper.sandbox.cast import cast_of
from keeper.stress import verdicts
from keeper.stress.evidence import AttemptRow, Evidence, Landing, Rival
from keeper.stress.model import StressResult
from keeper.stress.naive_child import run_naive
from keeper.stress.scenario import Scenario
from keeper.stress.stage import Stage
from keeper.stress.users import Crowd
from keeper.stress.world import CAST_SEED, World, keeper_toml, run_world
from programs.events import decode_logs
from programs.localnet.bank import Bank
from programs.localnet.ledger import TransactionRecord
from programs.rpc_http import open_rpc
from programs.rpc_settings import RpcSettings
from programs.units import Slot
from state.store import connect_read_only

PLAY_TIMEOUT_S: Final = 600.0
"""Against hanging only: a scenario bounds its own waits."""
LEDGER_TIMEOUT_S: Final = 180.0
_LISTED: Final = 3


async def play_stress(
    scenario: Scenario, scale: float, tell: Callable[[str], None]
) -> StressResult:
    """Run a scenario against the real keeper, and judge it.

    Raises:
        KeeperError: the world or the keeper did not come up, or the script did not end; alone or in a group.
    """
    began_s = time.perf_counter()
    rival = None
    if scenario.has_rival:
        async with _scene(scenario, scale, tell) as (world, folder):
            rival = await _play_rival(scenario, scale, world, folder, tell)
    async with _scene(scenario, scale, tell) as (world, folder):
        evidence = await _play(scenario, scale, world, folder, tell)
    judged = scenario.judge(replace(evidence, rival=rival))
    return StressResult(
        name=scenario.name,
        title=scenario.title,
        scale=scale,
        load=scenario.settings(scale).load,
        phases=evidence.phases,
        verdicts=(*judged.verdicts, verdicts.woken(evidence.alarms, scenario.alarms)),
        measures=judged.measures,
        curves=judged.curves,
        alarms=evidence.alarms,
        took_s=time.perf_counter() - began_s,
    )


@asynccontextmanager
async def _scene(
    scenario: Scenario, scale: float, tell: Callable[[str], None]
) -> AsyncGenerator[tuple[World, Path]]:
    """Found a world, with an empty folder for the keeper in it."""
    tell("founding the platform")
    with tempfile.TemporaryDirectory(prefix="keeper-stress-") as name:
        async with trio.open_nursery() as nursery:
            yield await nursery.start(run_world, scenario.settings(scale)), Path(name)
            nursery.cancel_scope.cancel(reason="the run is over")


@asynccontextmanager
async def _stage_in(
    scenario: Scenario, scale: float, world: World, tell: Callable[[str], None], started_s: float
) -> AsyncGenerator[Stage]:
    bank = world.localnet.bank
    async with (
        open_rpc([world.localnet.quiet.url], RpcSettings()) as quiet,
        open_rpc([world.localnet.url], RpcSettings()) as rpc,
        trio.open_nursery() as nursery,
    ):
        stage = Stage(
            scale=scale,
            settings=scenario.settings(scale),
            program=PROGRAM,
            localnet=world.localnet,
            house=world.house,
            places=world.platform.places,
            cast=cast_of(CAST_SEED),
            rpc=quiet,
            crowd=Crowd(rpc=rpc, bank=bank, started_s=started_s, users=world.users),
            keeper=world.platform.keeper.pubkey(),
            started_s=started_s,
            slot_at_start=bank.slot,
            tell=tell,
        )
        nursery.start_soon(stage.keep_time)
        yield stage
        stage.end()
        nursery.cancel_scope.cancel(reason="the play is over")


async def _act(scenario: Scenario, stage: Stage) -> None:
    """Play the script, on a network on which everything goes wrong from now on that should."""
    stage.localnet.trouble.arm()
    try:
        with trio.fail_after(PLAY_TIMEOUT_S):
            await scenario.play(stage)
    except trio.TooSlowError as error:
        raise StressError(
            f"the script of {scenario.name} did not end in {PLAY_TIMEOUT_S:g} s"
        ) from error


async def _play_rival(
    scenario: Scenario, scale: float, world: World, folder: Path, tell: Callable[[str], None]
) -> Rival:
    """Play the script with a keeper that does one thing after the other."""
    config = _write_config(world, scenario, scale, folder)
    started_s = trio.current_time()
    async with (
        _stage_in(scenario, scale, world, tell, started_s) as stage,
        trio.open_nursery() as nursery,
    ):
        tell("starting a keeper without priorities")
        await nursery.start(run_naive, config, stage.cast.quote_mint.pubkey())
        stage.runs_chains = False
        lost_before = stage.vault().bad_debt
        await _act(scenario, stage)
        nursery.cancel_scope.cancel(reason="the play is over")
    return Rival(
        landings=tuple(_landings(world.localnet.bank, stage.slot_at_start, stage.looks)),
        bad_debt=stage.vault().bad_debt - lost_before,
        kept=stage.kept,
    )


async def _play(
    scenario: Scenario, scale: float, world: World, folder: Path, tell: Callable[[str], None]
) -> Evidence:
    settings, bank = scenario.settings(scale), world.localnet.bank
    config = _write_config(world, scenario, scale, folder)
    started_s = trio.current_time()
    monitor = DrillMonitor(
        slot_s=settings.slot_ms / 1_000,
        now_s=lambda: trio.current_time() - started_s,
        wall_ms=unix_ms,
    )
    keeper = KeeperChild(config=config, recording=None, monitor=monitor)
    async with (
        _stage_in(scenario, scale, world, tell, started_s) as stage,
        trio.open_nursery() as nursery,
    ):
        tell("starting the keeper")
        await nursery.start(keeper.live)
        vault_before = stage.vault()
        nursery.start_soon(monitor.watch)
        nursery.start_soon(monitor.listen, folder / "state")
        await _act(scenario, stage)
        stage.begin("the keeper drains")
        await keeper.end()
        stage.begin("the ledger of rewards is read and verified")
        found = await _check_ledger(config)
        nursery.cancel_scope.cancel(reason="the keeper has ended")
    return Evidence(
        scale=scale,
        slot_s=settings.slot_ms / 1_000,
        keeper=str(stage.keeper),
        phases=tuple(stage.phases),
        slots=tuple(sorted(stage.slots.items())),
        landings=tuple(_landings(bank, stage.slot_at_start, stage.looks)),
        attempts=_attempt_rows(folder / "state"),
        repeats=read_attempts(folder / "state").repeats,
        sends=tuple(stage.crowd.sends),
        vault_before=vault_before,
        vault_after=stage.vault(),
        book_faults=ledger_faults(chain_accounts(bank)),
        ledger_faults=found,
        alarms=tuple(alarm.rule for alarm in monitor.alarms),
        exit_status=keeper.exit_status,
        report=keeper.reports[-1] if keeper.reports else {},
        rival=None,
        kept=stage.kept,
    )


def _write_config(world: World, scenario: Scenario, scale: float, folder: Path) -> Path:
    keypair = folder / "keeper.json"
    keypair.touch(mode=0o600)
    keypair.write_text(json.dumps(list(bytes(world.platform.keeper))))
    path = folder / "keeper.toml"
    path.write_text(keeper_toml(world, scenario.settings(scale), keypair, folder))
    return path


async def _check_ledger(config: Path) -> list[str]:
    """Read what is finalized into a ledger, verify it and hold it against the chain; return what is wrong."""
    faults: list[str] = []
    for words in (("follow", "--once", "--json"), ("verify", "--json"), ("reconcile", "--json")):
        with trio.move_on_after(LEDGER_TIMEOUT_S) as patience:
            ended = await trio.run_process(
                [sys.executable, "-m", "incentives.cli.main", *words, "--config", str(config)],
                capture_stdout=True,
                capture_stderr=True,
                check=False,
            )
            if ended.returncode:
                said = (ended.stderr or ended.stdout or b"").decode(errors="replace")
                last = said.strip().splitlines()[-1:]
                faults.append(
                    f"incentives {words[0]} ended with {ended.returncode}: {' '.join(last)[:400]}"
                )
        if patience.cancelled_caught:
            faults.append(f"incentives {words[0]} did not end in {LEDGER_TIMEOUT_S:g} s")
    return faults


def _landings(
    bank: Bank, since: int, looks: Mapping[int, Sequence[tuple[int, float]]]
) -> Iterator[Landing]:
    for slot in range(since, bank.slot + 1):
        seen = looks.get(slot, ())
        for place, record in enumerate(bank.ledger.in_slot(Slot(slot))):
            at_s = next((at_s for count, at_s in seen if count > place), None)
            yield _landing(record, at_s)


def _landing(record: TransactionRecord, at_s: float | None) -> Landing:
    is_ours = PROGRAM in record.locked.addresses
    is_ok = record.error is None
    return Landing(
        slot=record.slot,
        at_s=at_s,
        signature=str(record.signature),
        payer=str(record.locked.addresses[0]),
        is_ok=is_ok,
        is_ours=is_ours,
        cu_used=record.meta.compute_units_consumed(),
        fee_lamports=record.meta.fee(),
        events=tuple(decode_logs(record.meta.logs(), PROGRAM)) if is_ours and is_ok else (),
    )


def _attempt_rows(folder: Path) -> tuple[AttemptRow, ...]:
    rows: list[AttemptRow] = []
    for path in sorted(folder.glob("keeper-*.db")):
        with closing(connect_read_only(path)) as db:
            rows += [
                AttemptRow(**row)
                for row in db.query(
                    "SELECT signature, lane, state, created_slot, slot, cu_limit, cu_used, fee_lamports,"
                    " (SELECT count(*) FROM attempt_job WHERE attempt_id = attempt.id) AS jobs"
                    " FROM attempt ORDER BY id"
                )
            ]
    return tuple(rows)
