"""Every rule has a cause that is real; the quickest of them are played here, all by `python -m bench.alerts`."""

from pathlib import Path

import pytest

from bench.alerts.__main__ import main, played, table
from bench.alerts.catalog import CAUSES
from bench.alerts.cause import Cause, Clock, Course, finding_of, finding_of_failure
from keeper.drills.model import Alarm
from keeper.drills.scenarios.catalog import SCENARIOS
from keeper.monitor.rules import rules_for

PAGES = Path(__file__).resolve().parents[3] / "docs/alerts"
BY_RULE = {cause.rule: cause for cause in CAUSES}


def test_every_rule_has_a_cause_and_states_only_rules_besides():
    rules = {rule.name for rule in rules_for(0.4)}
    assert set(BY_RULE) == rules
    for cause in CAUSES:
        assert cause.also <= rules - {cause.rule}, cause.rule


@pytest.mark.parametrize("rule", BY_RULE)
def test_the_page_of_a_rule_says_how_it_is_caused(rule):
    cause = BY_RULE[rule]
    text = (PAGES / f"{rule}.md").read_text()
    assert f"`python -m bench.alerts {rule}`: {cause.how}." in text
    drills = [each.name for each in SCENARIOS if each.is_virtual and rule in each.alarms]
    assert ("in which it goes off: " + ", ".join(f"`{each}`" for each in drills) in text) is bool(
        drills
    )


@pytest.mark.parametrize(
    "cause", [each for each in CAUSES if each.is_quick], ids=lambda each: each.rule
)
def test_a_rule_fires_when_it_is_caused_for_real_and_is_over_when_that_is_mended(cause):
    found = played(cause)
    assert found.is_right, found
    assert found.fired_after_s is not None
    assert found.resolved_after_s is not None


def alarm(rule="rpc_down", fired_s=30.0, resolved_s=90.0):
    return Alarm(
        rule=rule, level="warning", labels=(), text="x", fired_s=fired_s, resolved_s=resolved_s
    )


def found(*alarms, also=()):
    cause = Cause(rule="rpc_down", how="x", run=lambda: None, also=frozenset(also))
    course = Course(clock=Clock.VIRTUAL, caused_s=20.0, mended_s=50.0, alarms=alarms)
    return finding_of(cause, course)


def test_a_right_rule_is_timed_from_its_cause_and_from_its_end():
    one = found(alarm(), alarm("disk_low"), also=["disk_low"])
    assert one.is_right
    assert (10.0, 40.0) == (one.fired_after_s, one.resolved_after_s)
    assert ("disk_low",) == one.also_fired


@pytest.mark.parametrize(
    ("alarms", "fault"),
    [
        ((), "it did not fire"),
        ((alarm(), alarm("disk_low")), "disk_low fired too"),
        ((alarm(fired_s=19.0),), "rpc_down fired before anything was wrong"),
        ((alarm(resolved_s=None),), "rpc_down never ended"),
        ((alarm(resolved_s=49.0),), "it was over before anything was mended"),
    ],
)
def test_a_rule_that_does_otherwise_is_wrong(alarms, fault):
    assert (fault,) == found(*alarms).faults


def test_the_table_has_a_line_for_each_and_counts_the_right_ones():
    broken = finding_of_failure(BY_RULE["rpc_down"], "it broke off")
    lines = list(table([found(alarm()), broken]))
    assert "| `rpc_down` | x | virtual | 10 s | 40 s | nothing | right |" in lines
    assert "| never | never | nothing | it broke off |" in lines[3]
    assert "1 of 2 rules are right" == lines[-1]


def test_a_rule_that_is_none_is_refused(capsys):
    with pytest.raises(SystemExit):
        main(["no_such_rule"])
    assert "no cause is known for no_such_rule" in capsys.readouterr().err
