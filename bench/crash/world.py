"""The world that outlives every keeper: a network on a bad day, a venue whose prices jump, and actors who keep trading.

Shell. All of it in one process and on free ports; the keeper reaches it over sockets only. The actors and the audit use
the network's quiet endpoint: nothing goes wrong between them and the chain.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import trio
from solders.keypair import Keypair

from bench.crash.reading import ChainReader
from keeper.drills.machine import real_machine
from keeper.drills.places import Place
from keeper.drills.platform import PROGRAM, found_drill
from keeper.drills.scenario import Settings
from keeper.drills.venue.app import STREAM_PATH, ScriptedHouse
from keeper.drills.venue.script import ScriptedVenue
from keeper.keypair import create_keypair
from keeper.prices.unix_time import unix_ms
from keeper.sandbox.bustle import bustle
from keeper.sandbox.cast import PROGRAM_KEY, cast_of
from keeper.sandbox.config import SandboxConfig
from keeper.sandbox.founding import ADMIN_LAMPORTS, Platform
from programs.betting_platform.build import PROGRAM_SO
from programs.deploy import ProgramImage
from programs.localnet.bank import BankConfig
from programs.localnet.connections import serve_connections
from programs.localnet.faults import FaultProfile
from programs.localnet.listen import BoundedListener
from programs.localnet.server import Localnet, LocalnetConfig, serve
from programs.rpc_http import HttpRpc, open_rpc
from programs.rpc_settings import RpcSettings

_HOST: Final = "127.0.0.1"
_CONNECTIONS_MAX: Final = 1_000
CAST_SEED: Final = 1
_TICK_S: Final = 0.1
_WANDER_E6: Final = 2_000
_ONE_JUMP_EVERY_S: Final = 0.4
_JUMP_E6: Final = (60_000, 160_000)
_TRUTH_E6: Final = (220_000, 780_000)
_RECORDS_MAX: Final = 60_000
_LIMITLESS: Final = "".join(
    f"{name} = {10**12}\n"
    for name in (
        "hourly_spend_max_lamports",
        "daily_spend_max_lamports",
        "hourly_loss_max_lamports",
    )
)
"""Caps are not what is tried here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How large the world is."""

    markets: int = 8
    positions_per_side: int = 6
    slot_ms: int = 50
    finality_slots: int = 12


@dataclass(slots=True, kw_only=True)
class World:
    """What a campaign holds on to."""

    scale: Scale
    localnet: Localnet
    house: ScriptedHouse
    places: tuple[Place, ...]
    keeper: Keypair
    quiet: HttpRpc
    reader: ChainReader
    venue_url: str
    restlessness: trio.CancelScope = field(default_factory=trio.CancelScope)
    """Cancelled, prices stay where they are and the actors go home."""

    def write_config(self, folder: Path) -> Path:
        """Write the keeper's key and keeper.toml into a folder, its state to be kept beside them."""
        create_keypair(folder / "keeper.json", self.keeper)
        urls = ", ".join(f'"{address.url}"' for address in self.localnet.addresses)
        stream = self.venue_url.replace("http", "ws", 1) + STREAM_PATH
        path = folder / "keeper.toml"
        path.write_text(
            f'[cluster]\nrpc_urls = [{urls}]\nprogram_id = "{PROGRAM}"\nslot_ms = {self.scale.slot_ms}\n\n'
            '[keys]\nkeeper = "keeper.json"\n\n[state]\nfolder = "state"\n\n'
            f'[polymarket]\nclob_url = "{self.venue_url}"\ngamma_url = "{self.venue_url}"\n'
            f'stream_url = "{stream}"\n{_lines(Settings().polymarket)}\n'
            f"[lanes.prices]\nconcurrency = 16\n{_LIMITLESS}\n"
            f"[lanes.liquidations]\nconcurrency = 8\n{_LIMITLESS}\n[lanes.chains]\n{_LIMITLESS}"
        )
        return path


async def run_world(
    seed: int,
    scale: Scale,
    faults: FaultProfile,
    *,
    task_status: trio.TaskStatus[World] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run until cancelled; started once a keeper can start in it, with the faults armed."""
    keeper = Keypair()
    chance = random.Random(f"world {seed}")
    starts = [chance.randint(350_000, 650_000) // 1_000 * 1_000 for _ in range(scale.markets)]
    script = ScriptedVenue(starts, wander_e6=_WANDER_E6, clock_ms=unix_ms)
    house = ScriptedHouse(script=script, clock_ms=unix_ms)
    async with trio.open_nursery() as nursery:
        localnet = await nursery.start(serve, _localnet_config(seed, scale, faults))
        venue_port = await nursery.start(_serve_house, house)
        async with open_rpc([localnet.quiet.url], RpcSettings()) as quiet:
            founded = await found_drill(
                quiet,
                script,
                keeper,
                slot_ms=scale.slot_ms,
                positions_per_side=scale.positions_per_side,
            )
            reader = ChainReader(bank=localnet.bank, program=PROGRAM, payer=keeper.pubkey())
            reader.start_here()
            world = World(
                scale=scale,
                localnet=localnet,
                house=house,
                places=founded.places,
                keeper=keeper,
                quiet=quiet,
                reader=reader,
                venue_url=f"http://{_HOST}:{venue_port}",
            )
            nursery.start_soon(house.tick, _TICK_S)
            nursery.start_soon(reader.follow)
            nursery.start_soon(_be_restless, world, seed, chance)
            localnet.trouble.arm()
            task_status.started(world)
            await trio.sleep_forever()


async def _be_restless(world: World, seed: int, chance: random.Random) -> None:
    markets = tuple(place.address for place in world.places)
    config = SandboxConfig(
        seed=seed,
        slot_ms=world.scale.slot_ms,
        finality_slots=world.scale.finality_slots,
        markets=world.scale.markets,
        positions_per_side=world.scale.positions_per_side,
    )
    cast = cast_of(CAST_SEED)
    platform = Platform(
        program=PROGRAM, quote_mint=cast.quote_mint.pubkey(), markets=markets, active=markets
    )
    with world.restlessness:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_jump, world.house, len(markets), chance)
            nursery.start_soon(bustle, world.quiet, config, cast, platform)


async def _jump(house: ScriptedHouse, markets: int, chance: random.Random) -> None:
    while True:
        await trio.sleep(_ONE_JUMP_EVERY_S)
        market = chance.randrange(markets)
        truth_e6 = house.script.truth_e6(market)
        assert truth_e6 is not None, "no market of this world is closed"
        move_e6 = chance.randint(*_JUMP_E6) * chance.choice((-1, 1))
        least, most = _TRUTH_E6
        if not least <= truth_e6 + move_e6 <= most:
            move_e6 = -move_e6
        house.set_truth(market, (truth_e6 + move_e6) // 1_000 * 1_000)


def _localnet_config(seed: int, scale: Scale, faults: FaultProfile) -> LocalnetConfig:
    return LocalnetConfig(
        host=_HOST,
        port=0,
        endpoints=max(2, len(faults.endpoints)),
        faults=faults,
        fault_seed=seed,
        is_armed=False,
        bank=BankConfig(
            seed=real_machine().genesis_seed,
            slot_ms=scale.slot_ms,
            confirmed_slots=2,
            finality_slots=scale.finality_slots,
            records_max=_RECORDS_MAX,
            genesis_unix_s=unix_ms() // 1_000,
        ),
        programs=(ProgramImage(program=PROGRAM_KEY, code=PROGRAM_SO.read_bytes()),),
        airdrops=((cast_of(CAST_SEED).admin.address, ADMIN_LAMPORTS),),
    )


async def _serve_house(
    house: ScriptedHouse, *, task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED
) -> None:
    listener, *_ = await trio.open_tcp_listeners(0, host=_HOST)
    bounded = BoundedListener(listener, trio.Semaphore(_CONNECTIONS_MAX))
    async with bounded, trio.open_nursery() as nursery:
        await nursery.start(serve_connections, house.app, [bounded])
        task_status.started(bounded.port)


def _lines(keys: Mapping[str, int]) -> str:
    return "".join(f"{key} = {value}\n" for key, value in keys.items())
