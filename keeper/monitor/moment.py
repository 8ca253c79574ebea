"""What is published once a second: a view, what checks found in it, and what fires.

Core.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from keeper.monitor.checks import Checked, health
from keeper.monitor.view import View


class Alert(Protocol):
    """An alert that fires, as far as health tells of it."""

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
    def runbook(self) -> str:
        """Where it stands what to do."""
        ...

    @property
    def acknowledged_by(self) -> str | None:
        """Who has taken it."""
        ...

    @property
    def fingerprint(self) -> str:
        """What `keeper alerts ack` calls it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Everything that is shown of one second."""

    view: View
    checks: tuple[Checked, ...]
    alerts: Sequence[Alert] = ()

    def health(self) -> dict[str, Any]:
        """Return checks and alerts as JSON types."""
        return health(self.view, self.checks) | {"alerts": [_json(alert) for alert in self.alerts]}


def _json(alert: Alert) -> dict[str, Any]:
    return {
        "rule": alert.rule,
        "level": str(alert.level),
        "labels": dict(alert.labels),
        "since_wall_s": round(alert.since_wall_s, 3),
        "value": alert.value,
        "summary": alert.summary,
        "already_did": alert.already_did,
        "runbook": alert.runbook,
        "acknowledged_by": alert.acknowledged_by,
        "fingerprint": alert.fingerprint,
    }
