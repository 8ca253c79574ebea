"""`keeper alerts`: what fires, who has it, what was told."""

import json

import pytest
from click.testing import CliRunner

from keeper.cli.commands import cli
from keeper.monitor.alert_store import FILE_NAME, AlertStore
from keeper.monitor.alerts import Alert, Notice, NoticeKind
from keeper.monitor.level import Level
from keeper.monitor.rules import rules_for

ALERT = Alert(
    rule="rpc_behind",
    level=Level.WARNING,
    labels={"endpoint": "rpc-a"},
    since_wall_s=1_790_000_000.0,
    told_wall_s=1_790_000_002.0,
    value=51.0,
    summary="endpoint rpc-a is 51 slots behind, more than 50",
    already_did="reads from others",
)
TOML = """
[cluster]
rpc_urls = ["http://127.0.0.1:1"]
program_id = "5gem261mYxK8YWVx5EPZAv34TmDmvk6RkvmaBg1Drkmw"
[keys]
keeper = "key.json"
[state]
folder = "state"
[[monitor.sinks]]
kind = "command"
name = "well"
command = ["/bin/cat"]
[[monitor.sinks]]
kind = "command"
name = "broken"
command = ["/bin/false"]
"""


@pytest.fixture
def store(tmp_path):
    (tmp_path / "keeper.toml").write_text(TOML)
    found = AlertStore(tmp_path / "state" / FILE_NAME)
    found.open(["log"])
    notice = Notice(kind=NoticeKind.FIRED, alert=ALERT, wall_s=ALERT.told_wall_s)
    found.record([notice], lambda _notice: ["log"])
    return found


def said(store, *words, exit_code=0):
    config = store.path.parents[1] / "keeper.toml"
    ended = CliRunner().invoke(cli, ["alerts", *words, "--config", str(config)])
    assert ended.exit_code == exit_code, ended.output
    return ended.output


def test_the_list_says_what_is_wrong_since_when_what_the_keeper_did_and_what_to_do(store):
    text = said(store, "list")
    for part in (
        f"{ALERT.fingerprint}  WARNING  rpc_behind  endpoint rpc-a",
        ALERT.summary,
        "since 2026-09-21 14:13:20Z, taken by nobody",
        "the keeper: reads from others",
        "what to do: docs/alerts/rpc_behind.md",
    ):
        assert part in text
    (listed,) = json.loads(said(store, "list", "--json"))["alerts"]
    assert listed["id"] == ALERT.fingerprint


def test_an_alert_is_taken_by_the_beginning_of_its_id(store):
    said(store, "ack", ALERT.fingerprint[:6], "--by", "anna")
    assert store.acknowledgements() == {ALERT.fingerprint: "anna"}
    assert "taken by anna" in said(store, "list")


@pytest.mark.parametrize("alert_id", ["abc", "0000000000"])
def test_an_id_that_names_no_alert_is_refused(store, alert_id):
    assert "`keeper alerts list` shows their IDs" in said(store, "ack", alert_id, exit_code=2)


def test_the_history_says_what_was_told_to_whom(store):
    assert "[log queued]" in said(store, "history")
    (past,) = json.loads(said(store, "history", "--json"))["notices"]
    assert (past["kind"], past["deliveries"][0]["sink"]) == ("fired", "log")


def test_all_rules_are_listed(store):
    listed = json.loads(said(store, "rules", "--json"))["rules"]
    assert [rule["name"] for rule in listed] == [rule.name for rule in rules_for(0.4)]
    assert "  rpc_lag_slots > 50" in said(store, "rules")


def test_a_sink_is_tried_and_says_why_it_does_not_work(store):
    assert "well took a trial alert and its end" in said(store, "test-sink", "well")
    assert "/bin/false ended with 1" in said(store, "test-sink", "broken", exit_code=1)
    assert "keeper.toml has: well, broken" in said(store, "test-sink", "none", exit_code=2)


def test_without_a_monitor_there_is_nothing_to_list(store):
    store.path.unlink()
    assert "no monitor has run" in said(store, "list", exit_code=2)
