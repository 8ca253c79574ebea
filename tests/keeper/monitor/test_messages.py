"""What each kind of sink is told."""

import json
from dataclasses import replace

import pytest

from keeper.monitor import messages
from keeper.monitor.alerts import Alert, Notice, NoticeKind
from keeper.monitor.level import Level

ALERT = Alert(
    rule="rpc_behind",
    level=Level.WARNING,
    labels={"endpoint": "rpc-a"},
    since_wall_s=1_790_000_000.25,
    told_wall_s=1_790_000_002.0,
    value=51.0,
    summary="endpoint <rpc-a> is 51 slots behind & more than 50",
    already_did="reads from others",
)


def notice(kind=NoticeKind.FIRED, **changes):
    return Notice(kind=kind, alert=replace(ALERT, **changes), wall_s=1_790_000_003.0)


def test_a_generic_body_has_everything_under_its_own_name():
    body = messages.generic(notice(), "http://box:9184/")
    assert body["kind"] == "fired"
    assert body["since"] == "2026-09-21T14:13:20.250Z"
    assert body["at"] == "2026-09-21T14:13:23.000Z"
    assert body["runbook_url"] == "http://box:9184/runbooks/rpc_behind"
    assert json.loads(messages.as_line(body)) == body


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_what_is_no_number_of_jsons_is_text(value):
    assert json.loads(messages.as_line(messages.generic(notice(value=value))))["value"] == str(
        value
    )


def test_slack_reads_no_markup_out_of_what_we_say():
    body = messages.slack(notice(summary="<!channel> & <http://evil|here>"))
    assert "<!channel>" not in json.dumps(body)
    assert "&lt;!channel&gt; &amp;" in body["text"]


def test_slack_says_how_to_take_an_alert_until_it_is_over():
    take = f"keeper alerts ack {ALERT.fingerprint}"
    assert take in json.dumps(messages.slack(notice()))
    assert take not in json.dumps(messages.slack(notice(NoticeKind.RESOLVED)))


@pytest.mark.parametrize(
    ("kind", "action"),
    [
        (NoticeKind.FIRED, "trigger"),
        (NoticeKind.ESCALATED, "trigger"),
        (NoticeKind.REMINDED, "trigger"),
        (NoticeKind.ACKNOWLEDGED, "acknowledge"),
        (NoticeKind.RESOLVED, "resolve"),
    ],
)
def test_pagerduty_keeps_one_incident_for_one_alert(kind, action):
    body = messages.pagerduty(notice(kind), "key", "http://box:9184")
    assert (body["event_action"], body["routing_key"]) == (action, "key")
    assert body["dedup_key"] == f"betting-keeper-{ALERT.fingerprint}"
    assert ("payload" in body) == (action == "trigger")


@pytest.mark.parametrize(
    ("level", "severity"),
    [
        (Level.INFO, "info"),
        (Level.WARNING, "warning"),
        (Level.CRITICAL, "error"),
        (Level.EMERGENCY, "critical"),
    ],
)
def test_pagerduty_has_four_severities_too(level, severity):
    payload = messages.pagerduty(notice(level=level, summary="x" * 3_000), "key")["payload"]
    assert payload["severity"] == severity
    assert len(payload["summary"]) == 1_024


def test_alertmanager_is_told_what_began_and_what_ended():
    began, ended = messages.alertmanager([ALERT], [(ALERT, 1_790_000_009.0)])
    assert began["labels"] == {
        "alertname": "rpc_behind",
        "level": "warning",
        "endpoint": "rpc-a",
    }
    assert "endsAt" not in began
    assert ended["endsAt"] == "2026-09-21T14:13:29.000Z"
