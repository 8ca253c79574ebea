"""Who is woken in a drill: nobody for nothing, somebody for each thing stated, and nobody for ever."""

import pytest

from keeper.drills.alarm_verdict import alarm_verdict
from keeper.drills.model import Alarm, Phase, PhaseName

PHASES = (
    Phase(name=PhaseName.BEFORE, starts_s=0, ends_s=10),
    Phase(name=PhaseName.DURING, starts_s=10, ends_s=20),
    Phase(name=PhaseName.AFTER, starts_s=20, ends_s=30),
)


def alarm(rule, fired_s=12.0, resolved_s=25.0):
    return Alarm(
        rule=rule, level="warning", labels=(), text="x", fired_s=fired_s, resolved_s=resolved_s
    )


def verdict(expected, *alarms, is_virtual=True):
    return alarm_verdict(frozenset(expected), alarms, PHASES, is_virtual=is_virtual)


def test_what_is_stated_goes_off_and_is_over():
    found = verdict({"rpc_down"}, alarm("rpc_down"))
    assert found.passed
    assert "people are told of rpc_down" == found.expected
    assert "rpc_down from 12 s to 25 s" == found.seen


@pytest.mark.parametrize(
    ("alarms", "seen"),
    [
        ((), "rpc_down did not go off"),
        ((alarm("rpc_down"), alarm("disk_low")), "disk_low went off"),
        ((alarm("rpc_down", fired_s=5.0),), "rpc_down before the fault"),
        ((alarm("rpc_down", resolved_s=None),), "rpc_down never ended"),
    ],
)
def test_what_goes_off_otherwise_fails_the_drill(alarms, seen):
    found = verdict({"rpc_down"}, *alarms)
    assert not found.passed
    assert seen == found.seen


def test_on_real_sockets_a_busy_machine_may_spare_an_alert_or_set_off_its_own():
    assert verdict({"rpc_down"}, is_virtual=False).passed
    late = alarm("event_loop_late", fired_s=1.0, resolved_s=None)
    assert verdict({"rpc_down"}, late, is_virtual=False).passed
    assert not verdict({"rpc_down"}, alarm("prices_stale"), is_virtual=False).passed


def test_nobody_is_told_of_nothing():
    found = verdict(())
    assert found.passed
    assert "people are told of nothing" == found.expected
    assert "nothing" == found.seen
