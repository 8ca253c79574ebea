"""Which alerts fire, since when, and what people have to be told about it.

Core: a state machine over moments. An alert is one rule with one set of labels, and is told once: when its condition has held
for the rule's time; when it rises because nobody acknowledged it; when somebody does; when it has been over for long enough.
Pending, firing and kept alerts are those of Prometheus (rules/alerting.go of 2.42; tests let promtool judge the same series),
but for one thing: while the service whose figures a rule reads is silent, an alert is held. Nobody knows that it is over.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType

from keeper.monitor.level import Level
from keeper.monitor.rule import ESCALATE_AFTER_S, Rule, filled
from keeper.monitor.rules import ranges_s
from keeper.monitor.view import View
from keeper.monitor.window import LabelSet, Window, label_set


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """A rule that fires for one set of labels."""

    rule: str
    level: Level
    """That of its rule, or one step up."""
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    since_wall_s: float
    """Since when its condition has held; unix time."""
    told_wall_s: float
    """When it was told last, but for its value; unix time."""
    value: float
    """What its expression is worth."""
    summary: str
    already_did: str
    acknowledged_by: str | None = None
    has_risen: bool = False
    """Whether its level is one step above its rule's, because nobody acknowledged it."""

    @property
    def runbook(self) -> str:
        """Return where it stands what to do."""
        return f"docs/alerts/{self.rule}.md"

    @property
    def fingerprint(self) -> str:
        """Return the alert's name on the command line, and for sinks: the same for the same rule and labels."""
        return fingerprint(self.rule, self.labels)


class NoticeKind(StrEnum):
    """Why people are told."""

    FIRED = "fired"
    ESCALATED = "escalated"
    """Nobody acknowledged it: its level rose one step."""
    REMINDED = "reminded"
    """Nobody acknowledged it, and it cannot rise."""
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What people are told of an alert."""

    kind: NoticeKind
    alert: Alert
    """As it was then."""
    wall_s: float
    """When; unix time."""


@dataclass(slots=True)
class _Fire:
    """An alert that fires, and for how long its condition has not held."""

    alert: Alert
    over_since_s: float | None = None
    """Monotonic."""


_Key = tuple[str, LabelSet]


@dataclass(slots=True)
class Engine:
    """The rules, and what fires of them."""

    rules: tuple[Rule, ...]
    window: Window = field(init=False)
    _pending: dict[_Key, tuple[float, float]] = field(default_factory=dict)
    """Monotonic and unix time since when a condition has held that has not held for long enough."""
    _fires: dict[_Key, _Fire] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Keep the past of what rules look back at."""
        self.window = Window(ranges_s=ranges_s(self.rules))

    @property
    def firing(self) -> tuple[Alert, ...]:
        """Return the alerts that fire, the worst first, then the oldest."""
        return tuple(
            sorted(
                (fire.alert for fire in self._fires.values()),
                key=lambda alert: (-alert.level.rank, alert.since_wall_s, alert.rule),
            )
        )

    def restore(self, alerts: Iterable[Alert]) -> None:
        """Take up alerts that fired when the last monitor ended: nobody is told of them again."""
        for alert in alerts:
            self._fires[alert.rule, label_set(alert.labels)] = _Fire(alert)

    def take(self, view: View) -> list[Notice]:
        """Judge one moment; return what people have to be told."""
        self.window.take(view)
        notices: list[Notice] = []
        for rule in self.rules:
            self._judge(rule, view, notices)
        known = {rule.name for rule in self.rules}
        for key in [key for key in self._fires if key[0] not in known]:
            # The rule went with an upgrade: nobody will ever say that it is over.
            self._resolve(key, view.wall_s, notices)
        return notices

    def acknowledge(self, fingerprint_: str, by: str, wall_s: float) -> Notice | None:
        """Note that somebody has taken an alert; None when that is known, or nothing of that name fires."""
        for fire in self._fires.values():
            alert = fire.alert
            if alert.fingerprint == fingerprint_ and alert.acknowledged_by != by:
                fire.alert = replace(alert, acknowledged_by=by)
                return Notice(kind=NoticeKind.ACKNOWLEDGED, alert=fire.alert, wall_s=wall_s)
        return None

    def _judge(self, rule: Rule, view: View, notices: list[Notice]) -> None:
        holds = rule.expression.evaluate(self.window)
        for labels, value in holds.items():
            key = rule.name, labels
            if (fire := self._fires.get(key)) is not None:
                fire.over_since_s = None
                fire.alert = _with_value(fire.alert, rule, value)
                continue
            since_s, since_wall_s = self._pending.setdefault(key, (view.now_s, view.wall_s))
            if view.now_s - since_s >= rule.for_s:
                del self._pending[key]
                alert = _alert(rule, dict(labels), value, since_wall_s, view.wall_s)
                self._fires[key] = _Fire(alert)
                notices.append(Notice(kind=NoticeKind.FIRED, alert=alert, wall_s=view.wall_s))
        for key in [key for key in self._pending if key[0] == rule.name and key[1] not in holds]:
            del self._pending[key]
        for key in [key for key in self._fires if key[0] == rule.name]:
            if key[1] not in holds:
                self._end(key, rule, view, notices)
            if key in self._fires:
                _escalate(self._fires[key], view.wall_s, notices)

    def _end(self, key: _Key, rule: Rule, view: View, notices: list[Notice]) -> None:
        """End an alert whose condition has not held for long enough."""
        fire = self._fires[key]
        if self._is_unknown(rule, view):
            fire.over_since_s = None
            return
        if fire.over_since_s is None:
            fire.over_since_s = view.now_s
        if view.now_s - fire.over_since_s >= rule.keep_s:
            self._resolve(key, view.wall_s, notices)

    def _resolve(self, key: _Key, wall_s: float, notices: list[Notice]) -> None:
        alert = self._fires.pop(key).alert
        notices.append(Notice(kind=NoticeKind.RESOLVED, alert=alert, wall_s=wall_s))

    def _is_unknown(self, rule: Rule, view: View) -> bool:
        """Tell whether a service that should say whether a rule holds says nothing."""
        for name, _range_s in rule.expression.series():
            teller = self.window.teller(name)
            for service in view.services if teller is None else (teller,):
                seen = view.samples.get(service)
                if seen is None or not (seen.is_fresh or seen.sample.is_last):
                    return True
        return False


def fingerprint(rule: str, labels: Mapping[str, str]) -> str:
    """Return ten hexadecimal digits, the same for the same rule and labels."""
    text = "\0".join((rule, *(f"{name}\0{value}" for name, value in label_set(labels))))
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def _alert(
    rule: Rule, labels: dict[str, str], value: float, since_wall_s: float, wall_s: float
) -> Alert:
    return Alert(
        rule=rule.name,
        level=rule.level,
        labels=MappingProxyType(labels),
        since_wall_s=since_wall_s,
        told_wall_s=wall_s,
        value=value,
        summary=filled(rule.summary, labels, value),
        already_did=filled(rule.already_did, labels, value),
    )


def _with_value(alert: Alert, rule: Rule, value: float) -> Alert:
    if value == alert.value:
        return alert
    return replace(
        alert,
        value=value,
        summary=filled(rule.summary, alert.labels, value),
        already_did=filled(rule.already_did, alert.labels, value),
    )


def _escalate(fire: _Fire, wall_s: float, notices: list[Notice]) -> None:
    """Tell again of an alert that nobody acknowledged: one step up, or at the top as it is."""
    alert = fire.alert
    after_s = ESCALATE_AFTER_S.get(alert.level)
    if after_s is None or alert.acknowledged_by is not None or wall_s - alert.told_wall_s < after_s:
        return
    if alert.level is Level.EMERGENCY:
        kind = NoticeKind.REMINDED
    elif alert.has_risen:
        return
    else:
        kind = NoticeKind.ESCALATED
    fire.alert = replace(
        alert,
        level=alert.level.raised(),
        has_risen=alert.has_risen or kind is NoticeKind.ESCALATED,
        told_wall_s=wall_s,
    )
    notices.append(Notice(kind=kind, alert=fire.alert, wall_s=wall_s))
