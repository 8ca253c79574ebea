"""An alert is told once, rises when nobody takes it, survives a restart, and is not over because nobody speaks."""

import dataclasses

import pytest
from causes import CALM, CAUSES, SLOT_S, WALL_S, told, view_of

from keeper.monitor.alerts import Engine, NoticeKind
from keeper.monitor.level import Level
from keeper.monitor.rule import ESCALATE_AFTER_S
from keeper.monitor.rules import rules_for

RULES = {rule.name: rule for rule in rules_for(SLOT_S)}
BEHIND = RULES["rpc_behind"]


def figures(name=None):
    *_rest, newest = told(3, CAUSES.get(name), lambda _second: True)
    return newest


def kinds(notices):
    return [notice.kind for notice in notices]


def fired(name, at_s=0.0):
    """An engine with one rule, whose alert fires from `at_s` on."""
    engine = Engine((RULES[name],))
    notices = engine.take(view_of(figures(name), at_s))
    notices += engine.take(view_of(figures(name), at_s + RULES[name].for_s + 1))
    assert kinds(notices) == [NoticeKind.FIRED]
    return engine, notices[0].alert


def test_a_condition_is_told_when_it_has_held_for_its_time_and_says_since_when_it_has():
    engine = Engine((BEHIND,))
    assert engine.take(view_of(figures("rpc_behind"), 100.0)) == []
    (notice,) = engine.take(view_of(figures("rpc_behind"), 100.0 + BEHIND.for_s))
    assert notice.alert.since_wall_s == WALL_S + 100.0
    assert notice.alert.summary == "endpoint rpc-a is 51 slots behind, more than 50"
    assert dict(notice.alert.labels) == {"endpoint": "rpc-a"}
    assert engine.firing == (notice.alert,)


def test_each_set_of_labels_is_an_alert_of_its_own():
    engine, first = fired("rpc_behind")
    both = figures("rpc_behind") | {("rpc_lag_slots", ("rpc-b",)): 70.0}
    engine.take(view_of(both, 10.0))
    (notice,) = engine.take(view_of(both, 20.0))
    assert notice.alert.fingerprint != first.fingerprint
    assert {alert.labels["endpoint"] for alert in engine.firing} == {"rpc-a", "rpc-b"}


def test_what_fires_is_shown_with_its_newest_value_and_told_once():
    engine, _alert = fired("rpc_behind")
    more = figures("rpc_behind") | {("rpc_lag_slots", ("rpc-a",)): 90.0}
    assert engine.take(view_of(more, 30.0)) == []
    assert engine.firing[0].summary == "endpoint rpc-a is 90 slots behind, more than 50"


def test_what_is_over_is_told_after_it_has_been_over_for_its_time():
    engine, _alert = fired("rpc_behind")
    assert engine.take(view_of(figures(), 100.0)) == []
    assert engine.take(view_of(figures(), 100.0 + BEHIND.keep_s - 1)) == []
    assert kinds(engine.take(view_of(figures(), 100.0 + BEHIND.keep_s))) == [NoticeKind.RESOLVED]
    assert engine.firing == ()


def test_the_silence_of_whoever_measures_ends_no_alert():
    engine, _alert = fired("rpc_behind")
    for second in range(100, 400, 5):
        assert engine.take(view_of(figures(), float(second), ages={"keeper": 30.0})) == []
    assert engine.firing
    # It speaks again, and all is well: only now does the time run in which it has to stay so.
    assert engine.take(view_of(figures(), 400.0)) == []
    assert kinds(engine.take(view_of(figures(), 400.0 + BEHIND.keep_s))) == [NoticeKind.RESOLVED]


def test_whoever_ended_in_order_leaves_no_alert_behind():
    engine, _alert = fired("rpc_behind")
    notices = []
    for second in range(100, 300, 5):
        notices += engine.take(view_of(figures(), float(second), last=("keeper",)))
    assert kinds(notices) == [NoticeKind.RESOLVED]


def test_a_killed_keeper_is_told_once_and_by_one_alert():
    engine = Engine(tuple(RULES.values()))
    engine.take(view_of(figures(), 0.0))
    dead = figures("service_failed")
    notices = []
    for second in range(6, 120):
        notices += engine.take(view_of(dead, float(second), ages={"keeper": float(second)}))
    assert [(notice.alert.rule, notice.kind) for notice in notices] == [
        ("service_failed", NoticeKind.FIRED)
    ]
    assert notices[0].alert.level is Level.EMERGENCY


def test_a_keeper_that_drains_may_know_less_and_less():
    engine = Engine(tuple(RULES.values()))
    old = figures() | {("process_is_draining", ("keeper",)): 1.0}
    for name in ("platform_unseen", "scan_late", "prices_stale", "prices_halted", "work_overdue"):
        old |= CAUSES[name].gauges
    assert [n for second in range(60) for n in engine.take(view_of(old, float(second)))] == []


def test_an_alert_that_nobody_takes_rises_one_step_and_no_further():
    engine, alert = fired("rpc_behind")
    after_s = ESCALATE_AFTER_S[Level.WARNING]
    told_at_s = alert.told_wall_s - WALL_S
    assert engine.take(view_of(figures("rpc_behind"), told_at_s + after_s - 1)) == []
    (notice,) = engine.take(view_of(figures("rpc_behind"), told_at_s + after_s))
    assert (notice.kind, notice.alert.level) == (NoticeKind.ESCALATED, Level.CRITICAL)
    assert engine.take(view_of(figures("rpc_behind"), 10 * after_s)) == []


def test_an_emergency_that_nobody_takes_is_told_again():
    engine, _alert = fired("platform_changed")
    again = [
        engine.take(view_of(figures("platform_changed"), 1.0 + number * 600.0)) for number in (1, 2)
    ]
    assert [kinds(notices) for notices in again] == [[NoticeKind.REMINDED]] * 2


def test_an_alert_that_somebody_took_does_not_rise():
    engine, alert = fired("platform_changed")
    notice = engine.acknowledge(alert.fingerprint, "anna", WALL_S + 5)
    assert (notice.kind, notice.alert.acknowledged_by) == (NoticeKind.ACKNOWLEDGED, "anna")
    assert engine.acknowledge(alert.fingerprint, "anna", WALL_S + 6) is None
    assert engine.acknowledge("no such id", "anna", WALL_S + 6) is None
    assert engine.take(view_of(figures("platform_changed"), 9_000.0)) == []


def test_information_never_rises():
    engine, _alert = fired("prices_uncertain")
    assert engine.take(view_of(figures("prices_uncertain"), 1e6)) == []


def test_what_fired_before_a_restart_is_not_told_again_and_its_end_is():
    engine, alert = fired("rpc_behind")
    after = Engine((BEHIND,))
    after.restore(engine.firing)
    assert after.firing == (alert,)
    # Nobody has spoken yet.
    silent = dataclasses.replace(view_of(figures(), 0.0), samples={})
    assert after.take(silent) == []
    assert after.take(view_of(figures("rpc_behind"), 5.0)) == []
    assert after.take(view_of(figures(), 10.0)) == []
    assert kinds(after.take(view_of(figures(), 10.0 + BEHIND.keep_s))) == [NoticeKind.RESOLVED]


def test_an_alert_whose_rule_went_with_an_upgrade_is_over():
    engine, _alert = fired("rpc_behind")
    after = Engine((RULES["rpc_down"],))
    after.restore(engine.firing)
    assert kinds(after.take(view_of(figures(), 0.0))) == [NoticeKind.RESOLVED]


def test_the_worst_comes_first():
    engine = Engine(tuple(RULES.values()))
    wrong = figures()
    for name in ("prices_uncertain", "rpc_behind", "service_failed", "payer_empty"):
        wrong |= CAUSES[name].gauges
    for second in range(0, 600, 5):
        engine.take(view_of(wrong, float(second)))
    ranks = [alert.level.rank for alert in engine.firing]
    assert ranks == sorted(ranks, reverse=True)
    assert ranks[0] == Level.EMERGENCY.rank


@pytest.mark.parametrize("slot_s", [0.1, 0.4])
def test_the_limits_that_are_stated_in_slots_follow_the_cluster(slot_s):
    engine = Engine(rules_for(slot_s))
    slots = CALM | {("platform_slot_seconds", ()): slot_s}
    for overdue_slots, expected in ((24, 0), (26, 1)):
        late = slots | {("oldest_due_seconds", ("prices",)): overdue_slots * slot_s}
        notices = [
            notice
            for second in range(10)
            for notice in engine.take(view_of(late, 100.0 * overdue_slots + second))
        ]
        assert len(notices) == expected
