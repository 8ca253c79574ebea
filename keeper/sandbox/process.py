"""The sandbox in one process: network, venue and actors under one nursery.

Shell. Actors and set-up reach network and venue through their sockets, as a keeper does.
"""

import secrets
import time
from pathlib import Path

import structlog
import trio
from solders.keypair import Keypair

from keeper.errors import SandboxError
from keeper.keypair import create_keypair, load_keypair
from keeper.prices.feed_config import FeedConfig
from keeper.sandbox.bustle import bustle
from keeper.sandbox.cast import PROGRAM_KEY, cast_of
from keeper.sandbox.config import SandboxConfig
from keeper.sandbox.endpoints import SandboxEndpoints
from keeper.sandbox.founding import ADMIN_LAMPORTS, found_platform
from keeper.sandbox.listings import find_markets
from keeper.sandbox.venue.recorded import RecordingError
from keeper.sandbox.venue.serve import VenueAddressError, serve_venue
from programs.betting_platform.build import PROGRAM_SO
from programs.deploy import DeploymentFailed, ProgramImage
from programs.localnet.bank import BankConfig
from programs.localnet.faults import FaultProfile
from programs.localnet.listen import ListenError
from programs.localnet.profiles import ProfileError, load_profile
from programs.localnet.server import LocalnetConfig, serve
from programs.rpc import RpcFailure
from programs.rpc_http import open_rpc
from programs.rpc_settings import RpcSettings

_GENESIS_BITS = 63
_CONFIRMED_SLOTS = 1
_RECORDS_MAX = 50_000
"""Some 200 MB; half an hour of actors and keeper."""

log = structlog.get_logger()


async def run_sandbox(
    config: SandboxConfig,
    keeper_keypair: Path,
    *,
    genesis_seed: int | None = None,
    task_status: trio.TaskStatus[SandboxEndpoints] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run until cancelled; reports the endpoints once a keeper can start.

    Args:
        config: what to run.
        keeper_keypair: the oracle authority's file; made when it is missing.
        genesis_seed: makes the same chain again; None makes a new one at every start.
        task_status: started with the endpoints.

    Raises:
        SandboxError, KeypairError: what an operator has to mend; alone or in a group.
    """
    profile = _fault_profile(config.faults)
    keeper = _keeper_key(keeper_keypair)
    cast = cast_of(config.seed)
    localnet_config = LocalnetConfig(
        host=config.host,
        port=config.rpc_port,
        endpoints=config.rpc_endpoints,
        faults=profile,
        fault_seed=config.seed,
        is_armed=False,
        bank=BankConfig(
            seed=secrets.randbits(_GENESIS_BITS) if genesis_seed is None else genesis_seed,
            slot_ms=config.slot_ms,
            confirmed_slots=min(_CONFIRMED_SLOTS, config.finality_slots),
            finality_slots=config.finality_slots,
            records_max=_RECORDS_MAX,
            genesis_unix_s=int(time.time()),
        ),
        programs=(ProgramImage(program=PROGRAM_KEY, code=PROGRAM_SO.read_bytes()),),
        airdrops=((cast.admin.address, ADMIN_LAMPORTS),),
    )
    try:
        async with trio.open_nursery() as nursery:
            localnet = await nursery.start(serve, localnet_config)
            venue_url = await nursery.start(serve_venue, config.venue())
            stream_url = venue_url.replace("http://", "ws://") + "/ws/market"
            feed = FeedConfig(clob_url=venue_url, gamma_url=venue_url, stream_url=stream_url)
            seeds = await find_markets(feed, config.replay)
            async with open_rpc([localnet.quiet.url], RpcSettings()) as rpc:
                platform = await found_platform(rpc, config, cast, keeper, seeds)
                endpoints = SandboxEndpoints(
                    rpc_url=localnet.url,
                    rpc_urls=tuple(address.url for address in localnet.addresses),
                    ws_url=localnet.ws_url,
                    ws_urls=tuple(address.ws_url for address in localnet.addresses),
                    clob_url=venue_url,
                    gamma_url=venue_url,
                    stream_url=stream_url,
                    program_id=platform.program,
                    keeper_keypair=keeper_keypair,
                    quote_mint=platform.quote_mint,
                    genesis_hash=str(localnet.bank.genesis_hash),
                    markets=len(platform.markets),
                )
                log.info("sandbox.ready", rpc_url=localnet.url, venue_url=venue_url)
                localnet.trouble.arm()
                task_status.started(endpoints)
                await bustle(rpc, config, cast, platform)
                await trio.sleep_forever()
    except* ListenError as group:
        raise SandboxError(
            f"the sandbox network cannot listen on port {config.rpc_port} of {config.host} or the one after it "
            f"({_cause(group)}): stop what uses it, or choose another one with sandbox.rpc_port in keeper.toml "
            "(--rpc-port); 0 takes free ones"
        ) from group
    except* (VenueAddressError, RecordingError, DeploymentFailed) as group:
        raise SandboxError(_sentence(group)) from group
    except* RpcFailure as group:
        raise SandboxError(f"the sandbox's own network failed: {_sentence(group)}") from group


def _fault_profile(name: str | None) -> FaultProfile:
    try:
        return FaultProfile() if name is None else load_profile(name)
    except ProfileError as error:
        raise SandboxError(f"sandbox.faults (--faults): {error}") from error


def _keeper_key(path: Path) -> Keypair:
    if not path.exists():
        keypair = Keypair()
        create_keypair(path, keypair)
        log.info("keypair.created", path=str(path), address=str(keypair.pubkey()))
        return keypair
    return load_keypair(path)


def _cause(error: BaseException) -> str:
    """Return the system's own words for what the network said in its terms."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    cause = error.__cause__
    return (cause.strerror if isinstance(cause, OSError) else None) or str(error)


def _sentence(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error)
