"""How patiently a cluster is asked, and what an endpoint may do before others are preferred to it.

Core. Keeper and incentives read the same keys of keeper.toml, so that both treat an endpoint alike.
"""

from dataclasses import dataclass
from typing import Final

from programs.breaker import BreakerRules

_DEADLINE_TRIES: Final = 3
_RANGES: Final = {
    "rpc_timeout_ms": (50, 60_000),  # from loopback to a satellite
    # Nodes behind one URL differ by a few slots; beyond 150 a price is stale.
    "max_lag_slots": (2, 150),
    "breaker_failures": (1, 100),
    "breaker_probe_ms": (100, 60_000),
    "breaker_probe_max_ms": (100, 600_000),
    "retry_after_max_ms": (0, 3_600_000),
    "check_interval_ms": (500, 600_000),
}
_POSITIVE: Final = (
    "try_timeout_s",
    "scan_timeout_s",
    "read_deadline_s",
    "tries",
    "concurrency",
    "max_lag_slots",
    "breaker_failures",
    "breaker_probe_s",
    "check_interval_s",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RpcSettings:
    """How patiently to ask."""

    try_timeout_s: float = 5.0
    """For one call to one endpoint."""
    scan_timeout_s: float = 30.0
    """For one reading of a program's accounts from one endpoint."""
    read_deadline_s: float = 15.0
    """For one read with its retries (scans: added to their own timeout)."""
    tries: int = 4
    """Of one read, each at the next endpoint; at least every endpoint is tried."""
    backoff_first_s: float = 0.1
    """Before an endpoint is asked the same thing again; another one is asked at once."""
    backoff_max_s: float = 2.0
    concurrency: int = 16
    """Calls of one method in flight at once at one endpoint: one that hangs, or a flood of one kind of question, takes no
    place from anything else."""
    body_bytes_max: int = 512 << 20
    """A million positions of 256 bytes are 350 MB of base64."""
    max_lag_slots: int = 25
    """How far behind the newest slot heard an answer may be."""
    breaker_failures: int = 3
    """Failed calls in a row after which an endpoint is only probed."""
    breaker_probe_s: float = 1.0
    """The first wait before a probe; each that fails doubles it."""
    breaker_probe_max_s: float = 30.0
    """The longest wait before a probe."""
    retry_after_max_s: float = 120.0
    """How long an endpoint may ask to be left alone; beyond it the wish is cut."""
    check_interval_s: float = 5.0
    """Between two rounds in which every endpoint is asked the same."""

    def __post_init__(self) -> None:
        """Refuse settings that could never succeed."""
        for name in _POSITIVE:
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} is {getattr(self, name)}, expected more than 0")
        if self.breaker_probe_max_s < self.breaker_probe_s:
            raise ValueError(
                f"breaker_probe_max_s is {self.breaker_probe_max_s:g}, expected at least breaker_probe_s "
                f"({self.breaker_probe_s:g})"
            )

    @property
    def breaker_rules(self) -> BreakerRules:
        """When an endpoint is only probed."""
        return BreakerRules(
            failures=self.breaker_failures,
            probe_s=self.breaker_probe_s,
            probe_max_s=self.breaker_probe_max_s,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointKeys:
    """The keys of [cluster] that say how endpoints are asked."""

    rpc_timeout_ms: int = 5_000
    """For one call to one endpoint; a read is tried again, at the next endpoint, for three times as long in all."""
    max_lag_slots: int = 25
    """How far behind the newest slot heard from any endpoint an answer may be; an older one is refused."""
    breaker_failures: int = 3
    """Failed calls in a row after which an endpoint is only probed."""
    breaker_probe_ms: int = 1_000
    """The first wait before such a probe; each that fails doubles it."""
    breaker_probe_max_ms: int = 30_000
    """The longest wait before a probe: an endpoint's return is noticed that late at most."""
    retry_after_max_ms: int = 120_000
    """How long an endpoint may ask to be left alone; beyond it the wish is cut."""
    check_interval_ms: int = 5_000
    """Between two rounds in which every endpoint is asked for its cluster, the program and its newest finalized block."""

    def __post_init__(self) -> None:
        """Refuse values that make no sense.

        Raises:
            ValueError: the first of them, and what is expected.
        """
        for name, (least, most) in _RANGES.items():
            if not least <= getattr(self, name) <= most:
                raise ValueError(f"{name} is {getattr(self, name)}, expected {least} to {most}")
        if self.breaker_probe_max_ms < self.breaker_probe_ms:
            raise ValueError(
                f"breaker_probe_max_ms is {self.breaker_probe_max_ms}, expected at least breaker_probe_ms "
                f"({self.breaker_probe_ms})"
            )

    @property
    def rpc_settings(self) -> RpcSettings:
        """How patiently the cluster is asked."""
        timeout_s = self.rpc_timeout_ms / 1_000
        return RpcSettings(
            try_timeout_s=timeout_s,
            read_deadline_s=_DEADLINE_TRIES * timeout_s,
            max_lag_slots=self.max_lag_slots,
            breaker_failures=self.breaker_failures,
            breaker_probe_s=self.breaker_probe_ms / 1_000,
            breaker_probe_max_s=self.breaker_probe_max_ms / 1_000,
            retry_after_max_s=self.retry_after_max_ms / 1_000,
            check_interval_s=self.check_interval_ms / 1_000,
        )
