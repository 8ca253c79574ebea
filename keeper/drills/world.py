"""The world of one drill: a network, a scripted venue, and a proxy before each family of its endpoints.

Shell. Every port is a free one: several drills may run on one machine at once.
"""

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import trio
from solders.keypair import Keypair

from keeper.drills.certificate import self_signed
from keeper.drills.faults import Family, Road
from keeper.drills.machine import Machine
from keeper.drills.platform import PROGRAM, DrillPlatform, found_drill
from keeper.drills.proxy import HOST, Proxy
from keeper.drills.scenario import Settings
from keeper.drills.venue.app import STREAM_PATH, ScriptedHouse
from keeper.drills.venue.script import ScriptedVenue
from keeper.sandbox.cast import PROGRAM_KEY, cast_of
from keeper.sandbox.founding import ADMIN_LAMPORTS
from programs.betting_platform.build import PROGRAM_SO
from programs.deploy import ProgramImage
from programs.localnet.bank import BankConfig
from programs.localnet.connections import serve_connections
from programs.localnet.listen import BoundedListener
from programs.localnet.server import Localnet, LocalnetConfig, serve
from programs.rpc_http import open_rpc
from programs.rpc_settings import RpcSettings

_UNRESOLVABLE: Final = "venue.invalid"
"""A name under .invalid never resolves. Source: RFC 6761, section 6.4."""
_CAST_SEED: Final = 1
_CONNECTIONS_MAX: Final = 1_000
_PAST_BLOCKS: Final = 200
"""How far a node may fall behind, where there are several."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What a drill holds on to."""

    localnet: Localnet
    house: ScriptedHouse
    doors: Mapping[Family, Proxy]
    platform: DrillPlatform
    urls: Mapping[Family, str]
    """Where the keeper is told to find each family."""
    rpc_doors: tuple[Proxy, ...]
    """Before each RPC endpoint of the keeper; none where it reaches its only one plainly."""

    @property
    def rpc_urls(self) -> list[str]:
        """Where the keeper is told to find the cluster."""
        return [f"http://{HOST}:{door.port}" for door in self.rpc_doors] or [self.localnet.url]


async def run_world(
    settings: Settings,
    machine: Machine,
    folder: Path,
    *,
    task_status: trio.TaskStatus[World] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run until cancelled; started with the world once a keeper can start in it.

    Raises:
        KeeperError, ListenError: what an operator has to mend; alone or in a group.
    """
    script = ScriptedVenue(
        [settings.start_e6[n % len(settings.start_e6)] for n in range(settings.markets)],
        group_e6=settings.group_e6,
        wander_e6=settings.wander_e6,
        clock_ms=machine.wall_ms,
    )
    house = ScriptedHouse(script=script, clock_ms=machine.wall_ms)
    async with trio.open_nursery() as nursery:
        localnet = await nursery.start(serve, _localnet_config(settings, machine))
        venue_port = await nursery.start(_serve_house, house)
        doors = {family: _door(settings, family, venue_port, folder) for family in Family}
        rpc_doors = tuple(
            Proxy(target_port=address.port) for address in localnet.addresses[: settings.rpc_doors]
        )
        for door in (*doors.values(), *rpc_doors):
            await nursery.start(door.serve)
        async with open_rpc([localnet.url], RpcSettings()) as rpc:
            platform = await found_drill(
                rpc,
                script,
                machine.keeper,
                slot_ms=settings.slot_ms,
                positions_per_side=settings.positions_per_side,
                stake_usd=settings.stake_usd,
                active_markets=settings.active_markets,
            )
        nursery.start_soon(house.tick, settings.tick_ms / 1_000)
        task_status.started(
            World(
                localnet=localnet,
                house=house,
                doors=doors,
                platform=platform,
                urls={family: _url(settings, family, doors[family]) for family in Family},
                rpc_doors=rpc_doors,
            )
        )


def keeper_toml(world: World, settings: Settings, keypair: Path, state: Path) -> str:
    """Write the configuration of the keeper under drill; `keeper check` would print the rest."""
    others = {name: keys for name, keys in settings.keeper.items() if name != "cluster"}
    cluster = {
        "subscribe": "false",
        "slot_ms": settings.slot_ms,
        **settings.keeper.get("cluster", {}),
    }
    sections = "".join(f"\n[{name}]\n{_lines(keys)}" for name, keys in others.items())
    return (
        f'[cluster]\nrpc_urls = {json.dumps(world.rpc_urls)}\nprogram_id = "{PROGRAM}"\n'
        f"{_lines(cluster)}\n"
        f'[keys]\nkeeper = "{keypair}"\n\n[state]\nfolder = "{state}"\n\n'
        f'[polymarket]\nclob_url = "{world.urls[Family.CLOB]}"\n'
        f'gamma_url = "{world.urls[Family.GAMMA]}"\nstream_url = "{world.urls[Family.STREAM]}"\n'
        f"{_lines(settings.polymarket)}{sections}"
    )


def _lines(keys: Mapping[str, int | str]) -> str:
    return "".join(f"{key} = {value}\n" for key, value in keys.items())


def _localnet_config(settings: Settings, machine: Machine) -> LocalnetConfig:
    return LocalnetConfig(
        host=HOST,
        port=0,
        endpoints=max(1, settings.rpc_doors),
        bank=BankConfig(
            seed=machine.genesis_seed,
            slot_ms=settings.slot_ms,
            records_max=settings.records_max,
            confirmed_slots=1,
            finality_slots=8,
            past_blocks=_PAST_BLOCKS if settings.rpc_doors else 0,
            genesis_unix_s=machine.wall_ms() // 1_000,
        ),
        programs=(ProgramImage(program=PROGRAM_KEY, code=PROGRAM_SO.read_bytes()),),
        airdrops=((cast_of(_CAST_SEED).admin.address, ADMIN_LAMPORTS),),
    )


def _door(settings: Settings, family: Family, venue_port: int, folder: Path) -> Proxy:
    if settings.roads.get(family) is not Road.UNTRUSTED_TLS:
        return Proxy(target_port=venue_port)
    signed = self_signed(HOST, Keypair())
    path = folder / f"{family}.pem"
    path.write_text(signed.certificate + signed.key)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(path)
    return Proxy(target_port=venue_port, tls=tls)


def _url(settings: Settings, family: Family, door: Proxy) -> str:
    road = settings.roads.get(family, Road.PLAIN)
    secure = "s" if road is Road.UNTRUSTED_TLS else ""
    host = _UNRESOLVABLE if road is Road.UNRESOLVABLE else HOST
    if family is Family.STREAM:
        return f"ws{secure}://{host}:{door.port}{STREAM_PATH}"
    return f"http{secure}://{host}:{door.port}"


async def _serve_house(
    house: ScriptedHouse, *, task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED
) -> None:
    """Serve the scripted venue behind the doors; its port is known to them alone."""
    listener, *_ = await trio.open_tcp_listeners(0, host=HOST)
    bounded = BoundedListener(listener, trio.Semaphore(_CONNECTIONS_MAX))
    async with bounded, trio.open_nursery() as nursery:
        await nursery.start(serve_connections, house.app, [bounded])
        task_status.started(bounded.port)
