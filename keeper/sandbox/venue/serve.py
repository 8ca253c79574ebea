"""Put a venue on a loopback port: CLOB, Gamma and the stream under one address."""

import socket
from typing import cast

import hypercorn.config
import hypercorn.trio
import hypercorn.typing
import structlog
import trio
from starlette.applications import Starlette

from keeper.sandbox.venue.clob_routes import clob_routes
from keeper.sandbox.venue.gamma_routes import gamma_routes
from keeper.sandbox.venue.stream_route import stream_route
from keeper.sandbox.venue.venue import Venue, VenueConfig

_BACKLOG = 512

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
    listener = _listen(config.host, config.port)
    host, port = listener.getsockname()[:2]
    settings = hypercorn.config.Config()
    settings.bind = [f"fd://{listener.detach()}"]
    settings.errorlog = None
    settings.keep_alive_max_requests = 1_000_000
    settings.keep_alive_timeout = 60
    settings.graceful_timeout = 0.2
    settings.backlog = _BACKLOG
    app = Starlette(routes=[*clob_routes(venue), *gamma_routes(venue), stream_route(venue)])
    framework = cast("hypercorn.typing.Framework", app)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_tick, venue)
        await nursery.start(hypercorn.trio.serve, framework, settings)
        url = f"http://{host}:{port}"
        log.info("venue.opened", url=url, markets=len(venue.markets), is_replay=venue.is_replay)
        task_status.started(url)


async def _tick(venue: Venue) -> None:
    """Move the prices at every tick; a late tick does not hurry the next."""
    while not venue.is_replay:
        await trio.sleep(venue.config.tick_ms / 1_000)
        # The network lives in the same loop: a tick over many markets must not stop its slots.
        for _ in venue.advance():
            await trio.lowlevel.checkpoint()


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener.bind((host, port))
        # Listening at once makes a second venue fail here, and not at its first connection.
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise VenueAddressError(
            f"the sandbox venue cannot listen on port {port} of {host} ({error.strerror}): stop what uses it, "
            "or choose another one with sandbox.venue_port in keeper.toml (--venue-port); 0 takes a free one"
        ) from error
    return listener
