"""The port: found free or waited for, and every connection to it.

Shell.
"""

import errno
import resource
from typing import Final

import structlog
import trio

from keeper.errors import MonitorError
from keeper.monitor.config import MonitorConfig
from keeper.monitor.guards import Bounds, Door

_BACKLOG: Final = 1_024
_RETRY_S: Final = 0.5
_OTHER_FILES: Final = 256
"""Descriptors for everything that is no connection: sockets of services, databases, sinks."""

log = structlog.get_logger()


async def serve_port(
    config: MonitorConfig,
    door: Door,
    *,
    is_patient: bool,
    task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Listen, and let the door take every connection, until cancelled; started with the port's URL.

    Args:
        config: where.
        door: lets connections in.
        is_patient: whether to wait for a port that is taken, as after a keeper whose monitor has not ended yet.

    Raises:
        MonitorError: the port cannot be had.
    """
    listeners = await _listen(config, is_patient=is_patient)
    host = f"[{config.host}]" if ":" in config.host else config.host
    async with trio.open_nursery() as nursery:
        await nursery.start(trio.serve_listeners, door.welcome, listeners)
        task_status.started(f"http://{host}:{listeners[0].socket.getsockname()[1]}")


async def _listen(config: MonitorConfig, *, is_patient: bool) -> list[trio.SocketListener]:
    has_said = False
    while True:
        try:
            return await trio.open_tcp_listeners(config.port, host=config.host, backlog=_BACKLOG)
        except OSError as error:
            if not (is_patient and error.errno == errno.EADDRINUSE):
                raise MonitorError(
                    f"the monitor cannot listen on port {config.port} of {config.host} ({error.strerror}): stop what uses "
                    "it, or choose another one with monitor.port in keeper.toml; 0 takes a free one"
                ) from error
        if not has_said:
            has_said = True
            log.warning("port.taken", host=config.host, port=config.port, effect="waits for it")
        await trio.sleep(_RETRY_S)


def allow_connections(bounds: Bounds) -> None:
    """Raise the limit of open files as far as the port needs it, and this user may."""
    answered = bounds.open_max + bounds.probes_max
    wanted = answered + bounds.waiting_max + bounds.refusing_max + _OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))
        if most < wanted:
            log.warning("files.limited", files_max=most, wanted=wanted)
