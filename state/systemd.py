"""What systemd is told of a service: that it is ready, that its event loop turns, that it stops.

Shell. The protocol of sd_notify(3): datagrams to a socket named in the environment. Without one nothing is told.
"""

import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

import structlog
import trio

_SOCKET: Final = "NOTIFY_SOCKET"
_WATCHDOG_US: Final = "WATCHDOG_USEC"
_WATCHDOG_PID: Final = "WATCHDOG_PID"
_MICROSECONDS: Final = 1_000_000
_IDLE_S: Final = 3_600.0

log = structlog.get_logger()


async def tell_systemd(
    ready: trio.Event, stopping: trio.Event, environment: Mapping[str, str] | None = None
) -> None:
    """Tell when `ready` is set, feed the watchdog twice as often as it asks, tell when `stopping` is set; until cancelled.

    Args:
        ready: set once the service does its work.
        stopping: set once it ends.
        environment: None: the process's own.
    """
    given = os.environ if environment is None else environment
    address = given.get(_SOCKET)
    if not address:
        return
    socket = trio.socket.socket(trio.socket.AF_UNIX, trio.socket.SOCK_DGRAM)
    with socket:
        try:
            await socket.connect(f"\0{address[1:]}" if address.startswith("@") else address)
        except OSError as error:
            log.warning("systemd.untold", address=address, reason=str(error))
            return
        await ready.wait()
        await _say(socket, "READY=1")
        interval_s = watchdog_interval_s(given, os.getpid())
        is_told, never = False, trio.Event()
        while True:
            if interval_s is not None:
                await _say(socket, "WATCHDOG=1")
            if stopping.is_set() and not is_told:
                await _say(socket, "STOPPING=1")
                is_told = True
            with trio.move_on_after(interval_s or _IDLE_S):
                await (never if is_told else stopping).wait()


def watchdog_interval_s(environment: Mapping[str, str], pid: int) -> float | None:
    """Return how often the watchdog is fed; None when there is none, or it is another process's. Source: sd_watchdog_enabled(3)."""
    if environment.get(_WATCHDOG_PID, str(pid)) != str(pid):
        return None
    asked = environment.get(_WATCHDOG_US, "")
    if not asked.isdecimal() or int(asked) == 0:
        return None
    return int(asked) / _MICROSECONDS / 2


async def _say(socket: trio.socket.SocketType, words: str) -> None:
    with suppress(OSError):  # whoever listened is gone; the next one is another's to start
        await socket.send(words.encode())
