"""Put a venue on a loopback port: CLOB, Gamma and the stream under one address."""

from typing import Final

import structlog
import trio
from starlette.applications import Starlette

from keeper.sandbox.venue.clob_routes import clob_routes
from keeper.sandbox.venue.gamma_routes import gamma_routes
from keeper.sandbox.venue.stream_route import stream_route
from keeper.sandbox.venue.venue import Venue, VenueConfig
from programs.localnet.connections import serve_connections
from programs.localnet.listen import BoundedListener

_BACKLOG: Final = 512
_CONNECTIONS_MAX: Final = 4_096
"""42_000 tokens are 210 sockets of each keeper."""

log = structlog.get_logger()


class VenueAddressError(Exception):
    """The venue cannot listen where it was told to."""


async def serve_venue(
    config: VenueConfig,
    *,
    venue: Venue | None = None,
    task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve a venue until cancelled.

    Args:
        config: what to serve, and where.
        venue: one that the caller holds on to, to set prices and start outages; None makes one from `config`.
        task_status: started with the base URL, such as http://127.0.0.1:8900. Both REST families lie directly under
            it, the stream under ws://…/ws/market.

    Raises:
        VenueAddressError: the port is taken or the address is not ours.
        RecordingError: the folder to replay holds nothing that can be served.

    """
    venue = Venue(config) if venue is None else venue
    for name, reason in venue.set_aside.items():
        log.warning("recording.set_aside", file=name, reason=reason)
    app = Starlette(routes=[*clob_routes(venue), *gamma_routes(venue), stream_route(venue)])
    async with await _listen(config.host, config.port) as listener, trio.open_nursery() as nursery:
        nursery.start_soon(_tick, venue)
        await nursery.start(serve_connections, app, [listener])
        url = f"http://{config.host}:{listener.port}"
        log.info("venue.opened", url=url, markets=len(venue.markets), is_replay=venue.is_replay)
        task_status.started(url)


async def _tick(venue: Venue) -> None:
    """Move the prices at every tick; a late tick does not hurry the next."""
    while not venue.is_replay:
        await trio.sleep(venue.config.tick_ms / 1_000)
        # The network lives in the same loop: a tick over many markets must not stop its slots.
        for _ in venue.advance():
            await trio.lowlevel.checkpoint()


async def _listen(host: str, port: int) -> BoundedListener:
    try:
        listener, *others = await trio.open_tcp_listeners(port, host=host, backlog=_BACKLOG)
    except OSError as error:
        raise VenueAddressError(
            f"the sandbox venue cannot listen on port {port} of {host} ({error.strerror}): stop what uses it, "
            "or choose another one with sandbox.venue_port in keeper.toml (--venue-port); 0 takes a free one"
        ) from error
    for other in others:  # a name of several addresses: the first one is what the URL means
        await other.aclose()
    return BoundedListener(listener, trio.Semaphore(_CONNECTIONS_MAX))
