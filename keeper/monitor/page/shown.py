"""What the page shows: everything known at one moment, from whoever knows it.

Core.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from keeper.monitor.page.history import History
from state.metrics import Metric
from state.sample import Labels, Sample

KEEPER: Final = "keeper"
INCENTIVES: Final = "incentives"
SILENT_S: Final = 5.0
"""A service whose newest figures are older tells nothing: what it last said is not the present."""


class Seen(Protocol):
    """The newest figures of a service."""

    @property
    def sample(self) -> Sample:
        """What it said."""
        ...

    @property
    def age_s(self) -> float:
        """How long ago."""
        ...


class Alert(Protocol):
    """An alert that fires."""

    @property
    def rule(self) -> str:
        """Name of its rule."""
        ...

    @property
    def level(self) -> str:
        """How bad it is."""
        ...

    @property
    def labels(self) -> Mapping[str, str]:
        """Of what."""
        ...

    @property
    def since_wall_s(self) -> float:
        """Since when, unix time."""
        ...

    @property
    def value(self) -> float:
        """What its expression is worth now."""
        ...

    @property
    def summary(self) -> str:
        """What is wrong, in one sentence."""
        ...

    @property
    def already_did(self) -> str:
        """What the keeper does about it by itself."""
        ...

    @property
    def acknowledged_by(self) -> str | None:
        """Who has taken it."""
        ...

    @property
    def fingerprint(self) -> str:
        """What `keeper alerts ack` calls it."""
        ...


class Check(Protocol):
    """The result of a health check."""

    @property
    def name(self) -> str:
        """What was looked at."""
        ...

    @property
    def passed(self) -> bool:
        """Whether it is as it should be."""
        ...

    @property
    def words(self) -> str:
        """What was found, in one sentence."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One moment."""

    wall_s: float
    """Unix time."""
    samples: Mapping[str, Seen] = field(default_factory=dict)
    """By service."""
    alerts: Sequence[Alert] = ()
    checks: Sequence[Check] = ()
    history: History = field(default_factory=History)
    explorer_url: str | None = None
    """Where a transaction can be looked at: a URL with `{signature}` in it."""
    _by_name: dict[str, dict[Labels, float]] = field(default_factory=dict, repr=False)

    def sample(self, service: str) -> Sample | None:
        """Return what a service last said."""
        seen = self.samples.get(service)
        return None if seen is None else seen.sample

    def of(self, metric: Metric) -> Mapping[Labels, float]:
        """Return a metric's values by labels, whoever told them."""
        if (
            not self._by_name
        ):  # once, instead of through all figures for each of a hundred questions
            for seen in self.samples.values():
                for (name, labels), value in seen.sample.figures.items():
                    self._by_name.setdefault(name, {})[labels] = value
        return self._by_name.get(metric.name, {})

    def get(self, metric: Metric, *labels: str) -> float | None:
        """Return one value; None where nobody told it."""
        return self.of(metric).get(labels)

    def by(self, metric: Metric) -> dict[str, float]:
        """Return the values of a metric with one label."""
        return {labels[0]: value for labels, value in self.of(metric).items()}

    def details(self, key: str) -> object:
        """Return what the keeper tells beside figures; None where it does not."""
        sample = self.sample(KEEPER)
        return None if sample is None else sample.details.get(key)
