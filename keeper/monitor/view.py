"""One moment as the monitor sees it: what every service last said, and how long ago.

Core.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from state.metrics import Metric
from state.sample import Labels, Sample

KEEPER: Final = "keeper"
INCENTIVES: Final = "incentives"
MONITOR: Final = "monitor"
"""Says of the others whether they speak, and of itself what they say of themselves."""
SILENT_S: Final = 5.0
"""A service whose newest figures are older is silent: what it said last is not the present."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The newest figures of a service."""

    sample: Sample
    age_s: float
    """Since they arrived."""

    @property
    def is_fresh(self) -> bool:
        """Whether they may be taken for the present."""
        return self.age_s <= SILENT_S and not self.sample.is_last


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Everything known at one moment."""

    wall_s: float
    """Unix time: for people."""
    now_s: float
    """Monotonic: for differences."""
    services: tuple[str, ...] = (KEEPER,)
    """Who is expected to speak."""
    samples: Mapping[str, Seen]
    """By service, the monitor's own included; whoever never spoke is missing, whoever is silent is not fresh."""

    def sample(self, service: str) -> Sample | None:
        """Return a service's figures; None while it is silent."""
        seen = self.samples.get(service)
        return seen.sample if seen is not None and seen.is_fresh else None

    def of(self, metric: Metric) -> Iterator[tuple[Labels, float]]:
        """Yield a metric's values by labels, of whoever speaks."""
        for seen in self.samples.values():
            if seen.is_fresh:
                yield from seen.sample.of(metric)

    def get(self, metric: Metric, *labels: str) -> float | None:
        """Return one value; None where nobody who speaks knows it."""
        for seen in self.samples.values():
            if seen.is_fresh and (value := seen.sample.get(metric, *labels)) is not None:
                return value
        return None
