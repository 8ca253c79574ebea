"""One drill, from an empty folder to a verdict.

Shell.
"""

import json
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import trio
from solders.pubkey import Pubkey

from keeper.drills.alarms import DrillMonitor
from keeper.drills.attempts import AttemptsRead
from keeper.drills.chain_books import ChainAccounts, ledger_faults
from keeper.drills.chain_log import ChainLog
from keeper.drills.evidence import Evidence, Request, Said
from keeper.drills.machine import KeeperUnderDrill, Machine, real_machine
from keeper.drills.model import Alarm, DrillResult, Truth
from keeper.drills.outcome import outcome_of
from keeper.drills.platform import PROGRAM
from keeper.drills.recording import read_recording
from keeper.drills.scenario import Scenario
from keeper.drills.stage import WorldStage
from keeper.drills.world import World, keeper_toml, run_world
from keeper.errors import DrillError
from keeper.snapshot import take_markets, take_positions
from programs.accounts import Vault
from programs.addresses import market_tokens_address, vault_address, vault_tokens_address
from programs.chain_account import Chain, position_bytes
from programs.layout import CHAIN_DTYPE, AccountKind
from programs.localnet.bank import Bank
from programs.spl_token import decode_token_account

_HOLDINGS: Final = 3
"""Positions within a chain."""
_QUIET_WITHIN_S: Final = 1_800.0
"""Virtual. The slowest rule looks back ten minutes, and holds on for another five."""


async def play_drill(scenario: Scenario, machine: Machine | None = None) -> DrillResult:
    """Run a scenario against the real keeper, and judge it; on real sockets unless another machine is given.

    Raises:
        DrillError: the world or the keeper did not come up, or the script did not end.
    """
    machine = real_machine() if machine is None else machine
    began_s = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="keeper-drill-") as name:
        folder = Path(name)
        async with trio.open_nursery() as nursery:
            world = await nursery.start(run_world, scenario.settings, machine, folder)
            evidence = await _play(scenario, machine, world, folder, began_s)
            nursery.cancel_scope.cancel(reason="the drill is over")
    return outcome_of(scenario, evidence, is_virtual=machine.is_virtual)


async def _play(
    scenario: Scenario, machine: Machine, world: World, folder: Path, began_s: float
) -> Evidence:
    bank, settings = world.localnet.bank, scenario.settings
    markets, _ = take_markets(_program_accounts(bank))
    chain = ChainLog(program=PROGRAM, markets={address: markets[address] for address in markets})
    config = _write_config(world, scenario, folder)
    slot_at_start, started_ms, started_s = bank.slot, machine.wall_ms(), trio.current_time()
    recording = folder / "recording.jsonl"
    monitor = DrillMonitor(
        slot_s=settings.slot_ms / 1_000,
        now_s=lambda: trio.current_time() - started_s,
        wall_ms=machine.wall_ms,
    )
    keeper = machine.make_keeper(config=config, recording=recording, monitor=monitor)
    async with trio.open_nursery() as nursery:

        async def restart(down_s: float) -> None:
            await keeper.kill()
            await trio.sleep(down_s)
            await nursery.start(keeper.live)

        stage = WorldStage(
            settings=settings,
            house=world.house,
            doors=world.doors,
            bank=bank,
            places=world.platform.places,
            chain=chain,
            payer=world.platform.keeper.pubkey(),
            restart=restart,
            started_s=started_s,
        )
        await nursery.start(keeper.live)
        nursery.start_soon(stage.watch)
        nursery.start_soon(monitor.watch)
        if not machine.is_virtual:
            nursery.start_soon(monitor.listen, folder / "state")
        try:
            with trio.fail_after(machine.play_timeout_s):
                await scenario.play(stage)
        except trio.TooSlowError as error:
            raise DrillError(
                f"the script of {scenario.name} did not end in {machine.play_timeout_s:g} s"
            ) from error
        stage.end()
        if scenario.is_virtual:
            with trio.move_on_after(_QUIET_WITHIN_S):
                await monitor.wait_quiet()
        await keeper.end()
        stage.look()
        nursery.cancel_scope.cancel(reason="the keeper has ended")
    return _evidence(
        world,
        stage,
        keeper,
        recording,
        machine.read_attempts(folder / "state"),
        monitor.alarms,
        slot_at_start,
        started_ms,
        began_s,
    )


def _evidence(
    world: World,
    stage: WorldStage,
    keeper: KeeperUnderDrill,
    recording: Path,
    attempts: AttemptsRead,
    alarms: Sequence[Alarm],
    slot_at_start: int,
    started_ms: int,
    began_s: float,
) -> Evidence:
    house, names = world.house, [place.name for place in world.platform.places]
    heard, beliefs = read_recording(
        recording.read_text(errors="replace").splitlines(),
        market_of=world.platform.token_places,
        started_ms=started_ms,
    )

    def at_s(at_ms: int) -> float:
        return (at_ms - started_ms) / 1_000

    return Evidence(
        markets=names,
        phases=tuple(stage.phases),
        truths=[
            Truth(at_s=at_s(one.at_ms), market=names[one.market], price_e6=one.price_e6)
            for one in house.script.worths
        ],
        said=[
            Said(
                at_s=at_s(one.at_ms),
                family=one.family,
                market=names[one.market],
                price_e6=one.price_e6,
            )
            for one in house.script.sent
        ],
        requests=[
            Request(at_s=at_s(one.at_ms), family=one.family, path=one.path, status=one.status)
            for one in house.asked
        ],
        heard=heard,
        beliefs=beliefs,
        notices=keeper.notices,
        alarms=alarms,
        deeds=stage.chain.deeds,
        landed=stage.chain.landed,
        attempts=attempts.ends,
        repeats=attempts.repeats,
        liquidated=stage.chain.touched,
        ledger_faults=ledger_faults(chain_accounts(world.localnet.bank)),
        exit_status=keeper.exit_status,
        report=keeper.reports[-1] if keeper.reports else {},
        slot_at_start=slot_at_start,
        took_s=time.perf_counter() - began_s,
    )


def _write_config(world: World, scenario: Scenario, folder: Path) -> Path:
    keypair = folder / "keeper.json"
    keypair.write_text(json.dumps(list(bytes(world.platform.keeper))))
    keypair.chmod(0o600)
    path = folder / "drill.toml"
    path.write_text(keeper_toml(world, scenario.settings, keypair, folder / "state"))
    return path


def _program_accounts(bank: Bank) -> list[tuple[bytes, bytes]]:
    return [(bytes(address), account.data) for address, account in bank.program_accounts(PROGRAM)]


def chain_accounts(bank: Bank) -> ChainAccounts:
    """Return the platform's accounts as they stand, and the tokens behind them."""
    found = _program_accounts(bank)
    markets, _ = take_markets(found)
    chains = {address: data for address, data in found if _is_chain(data)}
    held = [
        (address, position_bytes(data, number))
        for address, data in chains.items()
        for number in range(_HOLDINGS)
    ]
    positions = np.concatenate([take_positions(found)[0], take_positions(held)[0]])
    chain_debts: Counter[Pubkey] = Counter()
    for data in chains.values():
        chain = Chain.from_bytes(data)
        chain_debts[chain.market] += chain.debt
    vault = bank.account(vault_address(PROGRAM)[0])
    assert vault is not None, "founding made it"
    return ChainAccounts(
        vault=Vault.from_bytes(vault.data),
        vault_tokens=_tokens(bank, vault_tokens_address(PROGRAM)[0]),
        markets={address: markets[address] for address in markets},
        market_tokens={
            address: _tokens(bank, market_tokens_address(PROGRAM, address)[0])
            for address in markets
        },
        positions=positions,
        chain_debts=chain_debts,
    )


def _is_chain(data: bytes) -> bool:
    return len(data) == CHAIN_DTYPE.itemsize and data[0] == AccountKind.CHAIN


def _tokens(bank: Bank, address: Pubkey) -> int:
    account = bank.account(address)
    return 0 if account is None else decode_token_account(account.data).amount
