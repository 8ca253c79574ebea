"""Where alerts go: each kind of sink as a function of one notice.

Shell. A sink raises `SinkError` and nothing else; whoever calls sets the deadline. An address may hold a secret, so no error
says more of it than its kind.
"""

import os
import signal
import subprocess
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import httpx
import structlog
import trio

from keeper.monitor import messages
from keeper.monitor.alerts import Alert, Notice, NoticeKind
from keeper.monitor.level import Level
from keeper.monitor.sink_config import PAGERDUTY_URL, SinkConfig, SinkSecretError, read_secret

REFRESH_S: Final = 60.0
"""How often an Alertmanager hears of what still fires; it forgets what it has not heard of for five minutes."""
_FOR_GOOD: Final = frozenset({400, 413, 415, 422})
"""Answers that say that this one body will never be taken; all others are tried again."""
_WORDS_MAX: Final = 200

log = structlog.get_logger()


class SinkError(Exception):
    """A notice was not taken."""

    def __init__(self, words: str, *, is_for_good: bool = False) -> None:
        super().__init__(words)
        self.is_for_good = is_for_good
        """Whether trying again is of no use."""


Tell = Callable[[Notice], Awaitable[None]]
Refresh = Callable[[Sequence[Alert]], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sink:
    """A place where alerts go."""

    name: str
    level_min: Level
    deadline_s: float
    tell: Tell
    """Raises SinkError."""
    refresh: Refresh | None = None
    """Says what fires, to a place that forgets; raises SinkError."""

    def wants(self, notice: Notice) -> bool:
        """Tell whether it is to be told."""
        return notice.alert.level.rank >= self.level_min.rank


def open_sink(settings: SinkConfig, client: httpx.AsyncClient) -> Sink:
    """Return the sink of one table of keeper.toml."""
    refresh: Refresh | None = None
    if settings.kind == "log":
        tell: Tell = _tell_log
    elif settings.kind == "command":
        tell = _Command(settings.command, settings.page_url).tell
    elif settings.kind == "alertmanager":
        alertmanager = _Alertmanager(_Http(settings, client), settings.page_url, settings.level_min)
        tell, refresh = alertmanager.tell, alertmanager.refresh
    else:
        tell = _Webhook(_Http(settings, client), settings).tell
    return Sink(
        name=settings.title,
        level_min=settings.level_min,
        deadline_s=settings.deadline_s,
        tell=tell,
        refresh=refresh,
    )


async def _tell_log(notice: Notice) -> None:
    """Write one line, as loud as the alert; it never fails."""
    alert = notice.alert
    tell = log.info if alert.level is Level.INFO else log.warning
    if alert.level.rank >= Level.CRITICAL.rank and notice.kind is not NoticeKind.RESOLVED:
        tell = log.error
    tell(
        "alert.told",
        kind=str(notice.kind),
        rule=alert.rule,
        level=str(alert.level),
        summary=alert.summary,
        already_did=alert.already_did,
        since=messages.timestamp(alert.since_wall_s),
        id=alert.fingerprint,
        runbook=alert.runbook,
    )
    await trio.lowlevel.checkpoint()


@dataclass(frozen=True, slots=True)
class _Http:
    """An address that takes bodies."""

    settings: SinkConfig
    client: httpx.AsyncClient

    async def post(self, body: object, path: str = "") -> None:
        """Post a body as JSON; only its taking counts, the answer is not read."""
        url = (self._url().rstrip("/") + path) if path else self._url()
        try:
            async with self.client.stream(
                "POST",
                url,
                content=messages.as_line(body),
                headers={"content-type": "application/json"},
            ) as answer:
                status = answer.status_code
        except httpx.InvalidURL as error:
            raise SinkError("its address is no http or https address") from error
        except httpx.HTTPError as error:
            # The error's own words can hold the address.
            raise SinkError(f"no answer: {type(error).__name__}") from error
        if not httpx.codes.is_success(status):
            raise SinkError(f"answered {status}", is_for_good=status in _FOR_GOOD)

    def _url(self) -> str:
        if self.settings.url_file is not None:
            return _secret(self.settings.url_file)
        return self.settings.url or PAGERDUTY_URL


@dataclass(frozen=True, slots=True)
class _Webhook:
    """A body of one of three shapes."""

    http: _Http
    settings: SinkConfig

    async def tell(self, notice: Notice) -> None:
        """Post the notice."""
        await self.http.post(self._body(notice))

    def _body(self, notice: Notice) -> dict[str, Any]:
        page_url = self.settings.page_url
        if self.settings.shape == "slack":
            return messages.slack(notice, page_url)
        if self.settings.routing_key_file is not None:
            key = _secret(self.settings.routing_key_file)
            return messages.pagerduty(notice, key, page_url)
        return messages.generic(notice, page_url)


@dataclass(frozen=True, slots=True)
class _Alertmanager:
    """An Alertmanager: told of each turn, and again and again of what fires."""

    http: _Http
    page_url: str | None
    level_min: Level

    async def tell(self, notice: Notice) -> None:
        """Post what the notice changes; one that rose ends as what it was."""
        alert = notice.alert
        if notice.kind is NoticeKind.RESOLVED:
            await self._post((), ((alert, notice.wall_s),))
            return
        was = replace(alert, level=alert.level.lowered())
        has_risen = notice.kind is NoticeKind.ESCALATED
        await self._post((alert,), ((was, notice.wall_s),) if has_risen else ())

    async def refresh(self, firing: Sequence[Alert]) -> None:
        """Say what fires."""
        wanted = [alert for alert in firing if alert.level.rank >= self.level_min.rank]
        if wanted:
            await self._post(wanted, ())

    async def _post(self, firing: Sequence[Alert], ended: Sequence[tuple[Alert, float]]) -> None:
        await self.http.post(messages.alertmanager(firing, ended, self.page_url), "/api/v2/alerts")


@dataclass(frozen=True, slots=True)
class _Command:
    """A program that reads one line of JSON."""

    command: tuple[str, ...]
    page_url: str | None

    async def tell(self, notice: Notice) -> None:
        """Run it; it and whatever it started ends with its deadline."""
        try:
            done = await trio.run_process(
                list(self.command),
                stdin=messages.as_line(messages.generic(notice, self.page_url)),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # one that is never read would stop it; one that is, could be endless
                check=False,
                start_new_session=True,
                deliver_cancel=_kill_group,
            )
        except OSError as error:
            raise SinkError(f"{self.command[0]} cannot be started: {error.strerror}") from error
        if done.returncode:
            raise SinkError(f"{self.command[0]} ended with {done.returncode}"[:_WORDS_MAX])


async def _kill_group(process: trio.Process) -> None:
    with suppress(ProcessLookupError):  # it has ended by itself
        os.killpg(process.pid, signal.SIGKILL)
    await trio.lowlevel.checkpoint()


def _secret(file: Path) -> str:
    try:
        return read_secret(file)
    except SinkSecretError as error:
        raise SinkError(str(error)) from error
