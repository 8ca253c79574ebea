"""What a person in a terminal is told of health: the monitor's word, or, where none runs, the services' own.

Shell.
"""

import time
from pathlib import Path
from typing import Any, Final

import httpx
import trio

from keeper.errors import MonitorError
from keeper.monitor.checks import health, look_at
from keeper.monitor.config import MonitorConfig
from keeper.monitor.sightings import Sightings
from keeper.monitor.view import View
from state.sample_socket import read_samples, socket_path

_ASK_S: Final = 3.0
_LISTEN_S: Final = 2.5
"""Samples come once a second."""
_REPLY_BYTES_MAX: Final = 1 << 20
_REFUSED: Final = 401


async def ask_health(
    config: MonitorConfig, folder: Path, services: tuple[str, ...], token: str | None
) -> dict[str, Any]:
    """Return health, with the key `told_by`.

    Raises:
        MonitorError: the monitor does not accept the token.
    """
    found = await _ask_port(config, token) if config.port else None
    if found is None:
        return await listen(folder, services) | {"told_by": f"the sockets in {folder}"}
    return found | {"told_by": _url(config)}


def _url(config: MonitorConfig) -> str:
    wildcard = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - to ask where it listens everywhere
    host = wildcard.get(config.host, config.host)
    return f"http://{f'[{host}]' if ':' in host else host}:{config.port}/health"


async def _ask_port(config: MonitorConfig, token: str | None) -> dict[str, Any] | None:
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    try:
        async with httpx.AsyncClient(timeout=_ASK_S, trust_env=False, headers=headers) as client:
            reply = await client.get(_url(config))
        if reply.status_code == _REFUSED:
            raise MonitorError(
                f"the monitor at {_url(config)} does not accept the token of monitor.token_file: "
                "it read that file when it started; start it again"
            )
        found = reply.raise_for_status().json() if len(reply.content) <= _REPLY_BYTES_MAX else None
    except (httpx.HTTPError, ValueError):
        return None
    return found if isinstance(found, dict) and "checks" in found else None


async def listen(folder: Path, services: tuple[str, ...]) -> dict[str, Any]:
    """Hear each service once, and judge that."""
    sightings = Sightings(services, time.monotonic())
    with trio.move_on_after(_LISTEN_S):
        async with trio.open_nursery() as nursery:
            for service in services:
                nursery.start_soon(_hear_once, socket_path(folder, service), sightings)
    now_s = time.monotonic()
    view = View(wall_s=time.time(), now_s=now_s, services=services, samples=sightings.seen(now_s))
    return health(view, look_at(view)) | {"alerts": None}


async def _hear_once(path: Path, sightings: Sightings) -> None:
    async with read_samples(path) as samples:
        async for sample in samples:
            sightings.hear(sample, time.monotonic())
            return
