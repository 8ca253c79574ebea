"""The tables [[monitor.sinks]] of keeper.toml: where alerts go.

Edge. An address that holds a secret (Slack's, PagerDuty's key) is the path of a file of mode 0600, as every secret is.
"""

import stat
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from keeper.monitor.level import Level
from programs.endpoint_urls import check_url

PAGERDUTY_URL: Final = "https://events.pagerduty.com/v2/enqueue"
"""Source: developer.pagerduty.com, Events API v2."""
_DEADLINE_S_MAX: Final = 300.0
_SECRET_BYTES_MAX: Final = 4_096


class SinkSecretError(ValueError):
    """A file with a secret cannot be used: one sentence says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkConfig:
    """One place where alerts go."""

    kind: Literal["log", "webhook", "alertmanager", "command"]
    name: str = ""
    """What logs and metrics call it; without it its kind, or for a webhook its shape."""
    shape: Literal["generic", "slack", "pagerduty"] = "generic"
    """Of a webhook's body."""
    url: str | None = None
    """Of a webhook or an Alertmanager (its root, as http://127.0.0.1:9093), when it is no secret."""
    url_file: Path | None = None
    """File, mode 0600, with the address in one line, when it is a secret."""
    routing_key_file: Path | None = None
    """File, mode 0600, with PagerDuty's integration key in one line."""
    command: tuple[str, ...] = ()
    """A program and its arguments; the notice comes on its standard input, as one line of JSON."""
    level_min: Level = Level.INFO
    """Alerts below are not told here."""
    deadline_s: float = 10.0
    """How long one telling may take."""
    page_url: str | None = None
    """Where whoever is told can open the status page: links to runbooks lead there."""

    def __post_init__(self) -> None:
        """Refuse what could tell nobody."""
        if not 0 < self.deadline_s <= _DEADLINE_S_MAX:
            raise ValueError(
                f"deadline_s is {self.deadline_s}, expected more than 0, at most {_DEADLINE_S_MAX:g}"
            )
        if self.kind == "command" and not self.command:
            raise ValueError("command is empty, expected a program and its arguments")
        if self.shape != "generic" and self.kind != "webhook":
            raise ValueError(f"shape is {self.shape}, which only a webhook has")
        if self.kind in {"webhook", "alertmanager"}:
            self._check_url()
        if (self.shape == "pagerduty") != (self.routing_key_file is not None):
            raise ValueError("routing_key_file goes with shape pagerduty, and only with it")
        if self.page_url is not None:
            _check_http("page_url", self.page_url)

    @property
    def title(self) -> str:
        """Return its name, or what it is."""
        return self.name or (self.shape if self.shape != "generic" else self.kind)

    def anchored(self, folder: Path) -> "SinkConfig":
        """Return it with relative paths taken from a folder."""
        return replace(
            self,
            url_file=None if self.url_file is None else folder / self.url_file,
            routing_key_file=None
            if self.routing_key_file is None
            else folder / self.routing_key_file,
        )

    def _check_url(self) -> None:
        if self.shape == "pagerduty" and self.url is None and self.url_file is None:
            return
        if (self.url is None) == (self.url_file is None):
            raise ValueError("expected url, or url_file where the address is a secret, not both")
        if self.url is not None:
            _check_http("url", self.url)


def titled(sinks: tuple[SinkConfig, ...]) -> tuple[SinkConfig, ...]:
    """Give every sink a name of its own, numbering those that would have the same."""
    found: list[SinkConfig] = []
    taken: set[str] = set()
    for sink in sinks:
        title, number = sink.title, 2
        while title in taken:
            title, number = f"{sink.title}-{number}", number + 1
        taken.add(title)
        found.append(replace(sink, name=title))
    return tuple(found)


def read_secret(path: Path) -> str:
    """Return the one line of a file that only its owner can read.

    Raises:
        SinkSecretError: it is not there, others can read it, or it is no single line of text.
    """
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise SinkSecretError(f"{path} can be read by others: chmod 600 {path}")
        if path.stat().st_size > _SECRET_BYTES_MAX:
            raise SinkSecretError(f"{path} is larger than {_SECRET_BYTES_MAX} bytes: not one line")
        text = path.read_text(encoding="utf-8").strip()
    except FileNotFoundError as error:
        raise SinkSecretError(
            f"{path} does not exist: write the secret into it, mode 0600"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise SinkSecretError(f"{path} cannot be read: {error}") from error
    if not text or any(character.isspace() for character in text):
        raise SinkSecretError(f"{path} is empty or has more than one word, expected one line")
    return text


def _check_http(key: str, url: str) -> None:
    try:
        check_url(url, "http", "https")
    except ValueError:
        raise ValueError(f"{key} is no http or https address") from None
