"""The table [monitor] of keeper.toml.

Edge.
"""

import ipaddress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from keeper.monitor.sink_config import SinkConfig
from programs.toml_mistakes import shown

PORT: Final = 9184
_PORT_MAX: Final = 65_535
_LINGER_S_MAX: Final = 3_600


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorConfig:
    """Metrics, health, status page and alerts, from a process of their own."""

    enabled: bool = False
    """Whether `keeper run` starts it beside the keeper. Where each service is a unit of its own, `keeper monitor` is too."""
    host: str = "127.0.0.1"
    """An address of this machine; other than loopback only with `token_file`."""
    port: int = PORT
    """0 takes a free one, which the log tells."""
    token_file: Path | None = None
    """Mode 0600, one line: what whoever asks has to know."""
    explorer_url: str = "https://explorer.solana.com/tx/{signature}"
    """Where a transaction can be looked at."""
    linger_s: float = 60.0
    """How long the monitor of a keeper that was killed stays once that is plain, to say so."""
    sinks: tuple[SinkConfig, ...] = ()
    """Where alerts go; without any, into the monitor's log."""

    def __post_init__(self) -> None:
        """Refuse what would let strangers look, and what cannot be listened on."""
        if not 0 <= self.port <= _PORT_MAX:
            raise ValueError(f"port is {self.port}, expected 0 to {_PORT_MAX}")
        if not 0 <= self.linger_s <= _LINGER_S_MAX:
            raise ValueError(f"linger_s is {self.linger_s}, expected 0 to {_LINGER_S_MAX}")
        if "{signature}" not in self.explorer_url or not self.explorer_url.startswith(
            ("https://", "http://")
        ):
            raise ValueError(
                f"explorer_url is {shown(self.explorer_url, is_url=True)}, expected an http(s) address with {{signature}} in it"
            )
        if self.token_file is None and not self.is_loopback:
            raise ValueError(
                f"host is {shown(self.host)}, where others can connect: set monitor.token_file to a file with a token, mode 0600, "
                "or leave host at 127.0.0.1"
            )

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def anchored(self, folder: Path) -> "MonitorConfig":
        """Return it with relative paths taken from a folder."""
        return replace(
            self,
            token_file=None if self.token_file is None else folder / self.token_file,
            sinks=tuple(sink.anchored(folder) for sink in self.sinks),
        )
