"""The world of a stress run: a network, a scripted venue, the platform founded on it, and users with funds.

Shell. Every port is a free one. Network, venue and users are in this process, the keeper is not.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import trio
from solders.keypair import Keypair

from keeper.drills.platform import PROGRAM, DrillPlatform, found_drill
from keeper.drills.venue.app import STREAM_PATH, ScriptedHouse
from keeper.drills.venue.script import ScriptedVenue
from keeper.prices.unix_time import unix_ms
from keeper.sandbox.cast import PROGRAM_KEY, Actor, cast_of
from keeper.sandbox.founding import ADMIN_LAMPORTS
from keeper.stress.settings import Settings
from keeper.stress.users import fund_users, users_of
from programs.betting_platform.build import PROGRAM_SO
from programs.deploy import ProgramImage
from programs.localnet.bank import BankConfig
from programs.localnet.connections import serve_connections
from programs.localnet.listen import BoundedListener
from programs.localnet.server import Localnet, LocalnetConfig, serve
from programs.rpc_http import open_rpc
from programs.rpc_settings import RpcSettings

HOST: Final = "127.0.0.1"
CAST_SEED: Final = 1
_CONNECTIONS_MAX: Final = 1_000
_RECORDS_MAX: Final = 400_000
_FINALITY_SLOTS: Final = 8
_INCENTIVES: Final = """\
[incentives]
enabled = true
epoch_slots = 100
dwell_slots = 50

[[incentives.rules]]
from_epoch = 0
trade_reward_ppm = 10_000
notional_min = 100_000_000
notional_max = 10_000_000_000
boosted_trades = 100
mining_rate_ppm = 1_000
"""
"""Epochs short enough that a run of a minute closes some."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What a run holds on to."""

    localnet: Localnet
    house: ScriptedHouse
    venue_url: str
    platform: DrillPlatform
    users: tuple[Actor, ...]


async def run_world(
    settings: Settings, *, task_status: trio.TaskStatus[World] = trio.TASK_STATUS_IGNORED
) -> None:
    """Run until cancelled; started with the world once a keeper can start in it, its faults not armed yet.

    Raises:
        KeeperError, ListenError, RpcFailure: what an operator has to mend; alone or in a group.
    """
    script = ScriptedVenue(
        [settings.start_e6[n % len(settings.start_e6)] for n in range(settings.markets)],
        wander_e6=settings.wander_e6,
        clock_ms=unix_ms,
    )
    house = ScriptedHouse(script=script, clock_ms=unix_ms)
    cast, keeper = cast_of(CAST_SEED), Keypair()
    async with trio.open_nursery() as nursery:
        localnet = await nursery.start(serve, _localnet_config(settings))
        venue_port = await nursery.start(_serve_house, house)
        users = users_of(settings.users, cast.quote_mint.pubkey())
        async with open_rpc([localnet.quiet.url], RpcSettings()) as rpc:
            platform = await found_drill(
                rpc,
                script,
                keeper,
                slot_ms=settings.slot_ms,
                positions_per_side=settings.positions_per_side,
                liquidity_usd=settings.liquidity_usd,
                stake_usd=settings.stake_usd,
            )
            await fund_users(rpc, cast, users, settings.user_usd)
        nursery.start_soon(house.tick, settings.tick_ms / 1_000)
        task_status.started(
            World(
                localnet=localnet,
                house=house,
                venue_url=f"http://{HOST}:{venue_port}",
                platform=platform,
                users=users,
            )
        )


def keeper_toml(world: World, settings: Settings, keypair: Path, folder: Path) -> str:
    """Write the configuration of the keeper under stress, and of `incentives follow` beside it."""
    tables: dict[str, dict[str, object]] = {
        "cluster": {
            "rpc_urls": f'["{world.localnet.url}"]',
            "ws_urls": f'["{world.localnet.ws_url}"]',
            "program_id": f'"{PROGRAM}"',
            "slot_ms": settings.slot_ms,
        },
        "keys": {"keeper": f'"{keypair}"'},
        "state": {"folder": f'"{folder / "state"}"'},
        "payouts": {"folder": f'"{folder / "payouts"}"', "creates_token_accounts": "true"},
        "polymarket": {
            "clob_url": f'"{world.venue_url}"',
            "gamma_url": f'"{world.venue_url}"',
            "stream_url": f'"{world.venue_url.replace("http", "ws", 1)}{STREAM_PATH}"',
        },
        "sandbox": {"enabled": "false"},
        "monitor": {"enabled": "false"},
    }
    for section, keys in settings.keeper.items():
        tables.setdefault(section, {}).update(keys)
    written = "\n".join(
        f"[{section}]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items())
        for section, keys in tables.items()
    )
    return f"{written}\n{_INCENTIVES}"


def _localnet_config(settings: Settings) -> LocalnetConfig:
    return LocalnetConfig(
        host=HOST,
        port=0,
        faults=settings.faults,
        is_armed=False,
        bank=BankConfig(
            seed=unix_ms(),
            slot_ms=settings.slot_ms,
            confirmed_slots=1,
            finality_slots=_FINALITY_SLOTS,
            records_max=_RECORDS_MAX,
            genesis_unix_s=unix_ms() // 1_000,
        ),
        programs=(ProgramImage(program=PROGRAM_KEY, code=PROGRAM_SO.read_bytes()),),
        airdrops=((cast_of(CAST_SEED).admin.address, ADMIN_LAMPORTS),),
    )


async def _serve_house(
    house: ScriptedHouse, *, task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED
) -> None:
    listener, *_ = await trio.open_tcp_listeners(0, host=HOST)
    bounded = BoundedListener(listener, trio.Semaphore(_CONNECTIONS_MAX))
    async with bounded, trio.open_nursery() as nursery:
        await nursery.start(serve_connections, house.app, [bounded])
        task_status.started(bounded.port)
