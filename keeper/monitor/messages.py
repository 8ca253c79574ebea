"""What each kind of sink is told: a notice as the body it understands.

Core. Sources: developer.pagerduty.com/docs/events-api-v2; docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
(&, < and > are escaped); Alertmanager's api/v2/openapi.yaml, postable alerts.
"""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from keeper.monitor.alerts import Alert, Notice, NoticeKind
from keeper.monitor.level import Level

SUMMARY_CHARACTERS_MAX: Final = 1_024
"""Source: PagerDuty, payload.summary."""
SOURCE: Final = "betting-keeper"
_SEVERITIES: Final = {
    Level.INFO: "info",
    Level.WARNING: "warning",
    Level.CRITICAL: "error",
    Level.EMERGENCY: "critical",
}
_ACTIONS: Final = {
    NoticeKind.ACKNOWLEDGED: "acknowledge",
    NoticeKind.RESOLVED: "resolve",
}
_MARKS: Final = {
    Level.INFO: ":information_source:",
    Level.WARNING: ":warning:",
    Level.CRITICAL: ":red_circle:",
    Level.EMERGENCY: ":rotating_light:",
}


def runbook_url(alert: Alert, page_url: str | None) -> str | None:
    """Return where the runbook can be opened; None when nobody said where the status page is."""
    return None if page_url is None else f"{page_url.rstrip('/')}/runbooks/{alert.rule}"


def generic(notice: Notice, page_url: str | None = None) -> dict[str, Any]:
    """Return everything there is, under its own names: of webhooks, commands and `keeper alerts --json`."""
    return {
        "kind": str(notice.kind),
        "at": timestamp(notice.wall_s),
        **as_json(notice.alert, page_url),
    }


def as_json(alert: Alert, page_url: str | None = None) -> dict[str, Any]:
    """Return an alert as JSON types."""
    return {
        "id": alert.fingerprint,
        "rule": alert.rule,
        "level": str(alert.level),
        "labels": dict(alert.labels),
        "since": timestamp(alert.since_wall_s),
        "value": _finite(alert.value),
        "summary": alert.summary,
        "already_did": alert.already_did,
        "runbook": alert.runbook,
        "runbook_url": runbook_url(alert, page_url),
        "acknowledged_by": alert.acknowledged_by,
    }


def line(notice: Notice) -> str:
    """Return a notice as one line for people."""
    alert = notice.alert
    what = "" if notice.kind is NoticeKind.FIRED else f" {notice.kind}"
    return f"{str(alert.level).upper()}{what}: {alert.summary} ({alert.rule})"


def slack(notice: Notice, page_url: str | None = None) -> dict[str, Any]:
    """Return the body of an incoming webhook."""
    alert = notice.alert
    mark = ":white_check_mark:" if notice.kind is NoticeKind.RESOLVED else _MARKS[alert.level]
    url = runbook_url(alert, page_url)
    runbook = alert.runbook if url is None else f"<{url}|{alert.runbook}>"
    facts = [
        f"*{_escaped(line(notice))}*",
        f"Since {timestamp(alert.since_wall_s)}",
        f"The keeper: {_escaped(alert.already_did)}",
        f"Runbook: {runbook}",
    ]
    if notice.kind not in {NoticeKind.RESOLVED, NoticeKind.ACKNOWLEDGED}:
        facts.append(f"`keeper alerts ack {alert.fingerprint}`")
    text = "\n".join(facts)
    return {
        "text": f"{mark} {_escaped(line(notice))}",
        "blocks": [
            {"type": "section", "text": {"type": "mrkdwn", "text": f"{mark} {text}"[:3_000]}}
        ],
    }


def pagerduty(notice: Notice, routing_key: str, page_url: str | None = None) -> dict[str, Any]:
    """Return an event of Events API v2; the same alert is the same incident."""
    alert = notice.alert
    action = _ACTIONS.get(notice.kind, "trigger")
    body: dict[str, Any] = {
        "routing_key": routing_key,
        "event_action": action,
        "dedup_key": f"{SOURCE}-{alert.fingerprint}",
    }
    if action != "trigger":
        return body
    url = runbook_url(alert, page_url)
    return body | {
        "payload": {
            "summary": alert.summary[:SUMMARY_CHARACTERS_MAX],
            "source": SOURCE,
            "severity": _SEVERITIES[alert.level],
            "timestamp": timestamp(alert.since_wall_s),
            "component": "/".join(alert.labels.values()) or "platform",
            "class": alert.rule,
            "custom_details": generic(notice, page_url),
        },
        "links": [] if url is None else [{"href": url, "text": "Runbook"}],
    }


def alertmanager(
    firing: Iterable[Alert], ended: Iterable[tuple[Alert, float]] = (), page_url: str | None = None
) -> list[dict[str, Any]]:
    """Return postable alerts: those that fire, and those that ended, with when.

    An alert's level is a label: one that has risen is another alert to Alertmanager, so the lower one ends with it.
    """
    return [_postable(alert, None, page_url) for alert in firing] + [
        _postable(alert, ended_wall_s, page_url) for alert, ended_wall_s in ended
    ]


def timestamp(wall_s: float) -> str:
    """Return unix time as RFC 3339 with milliseconds."""
    return (
        datetime.fromtimestamp(wall_s, UTC)
        .isoformat(timespec="milliseconds")
        .replace("+00:00", "Z")
    )


def as_line(body: object) -> bytes:
    """Return a body as one line of JSON."""
    return json.dumps(body, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def _postable(alert: Alert, ended_wall_s: float | None, page_url: str | None) -> dict[str, Any]:
    url = runbook_url(alert, page_url)
    found: dict[str, Any] = {
        "labels": {"alertname": alert.rule, "level": str(alert.level), **alert.labels},
        "annotations": {
            "summary": alert.summary,
            "already_did": alert.already_did,
            "runbook": alert.runbook,
            "id": alert.fingerprint,
        },
        "startsAt": timestamp(alert.since_wall_s),
    }
    if url is not None:
        found["annotations"]["runbook_url"] = url
        found["generatorURL"] = url
    if ended_wall_s is not None:
        found["endsAt"] = timestamp(max(ended_wall_s, alert.since_wall_s))
    return found


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _finite(value: float) -> float | str:
    """Return a number that JSON has; others as text."""
    return value if abs(value) < float("inf") else str(value)
