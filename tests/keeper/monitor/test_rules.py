"""Every rule fires for what it is about, and for nothing else; and so says promtool, second by second."""

import json
import random
import shutil
import subprocess
from collections import defaultdict

import pytest
from causes import CAUSES, SLOT_S, WALL_S, Cause, teller, told, view_of

from keeper.monitor.alerts import Engine, NoticeKind
from keeper.monitor.rules import rules_for
from keeper.monitor.shipped.prometheus import RULE_FILE, promtool_file, rule_file
from keeper.monitor.window import COUNT, SUM
from state.metrics import BY_NAME

RULES = {rule.name: rule for rule in rules_for(SLOT_S)}
HOUR_S = 3_600


def play(rules, figures, every_s=1):
    """Return the engine's notices without reminders, and what fires after each moment judged."""
    engine = Engine(tuple(rules))
    notices, firing = [], []
    for second, told_now in enumerate(figures):
        if second % every_s == 0:
            notices += engine.take(view_of(told_now, float(second)))
            firing.append(engine.firing)
    return [each for each in notices if each.kind is not NoticeKind.REMINDED], firing


def test_every_rule_has_a_cause():
    assert set(CAUSES) == set(RULES)


@pytest.mark.parametrize("name", CAUSES)
def test_a_rule_fires_when_it_is_caused_and_resolves_when_it_is_over(name):
    rule = RULES[name]
    from_s = 35
    until_s = from_s + int(rule.for_s) + 90
    longest_s = max(range_s for _name, range_s in rule.expression.series())
    cause = CAUSES[name]
    figures = told(
        until_s + int(longest_s + rule.keep_s) + 130, cause, lambda at: from_s <= at < until_s
    )
    notices, firing = play(RULES.values(), figures, every_s=5)
    mine = [notice for notice in notices if notice.alert.rule == name]
    assert [notice.kind for notice in mine] == [NoticeKind.FIRED, NoticeKind.RESOLVED]
    assert from_s <= mine[0].alert.since_wall_s - WALL_S
    assert {alert.rule for alerts in firing for alert in alerts} == {name} | cause.also


def test_nothing_fires_in_a_quiet_hour():
    notices, _firing = play(RULES.values(), told(HOUR_S), every_s=5)
    assert notices == []


def test_a_condition_that_comes_and_goes_within_its_time_tells_nobody():
    rule = RULES["prices_stale"]
    figures = told(300, CAUSES[rule.name], lambda at: at % 30 < rule.for_s - 1)
    assert play([rule], figures)[0] == []


def test_a_condition_that_flaps_is_one_alert():
    rule = RULES["rpc_behind"]
    notices, _firing = play(
        [rule], told(600, CAUSES[rule.name], lambda at: at % 30 < 10 and at < 300)
    )
    assert [notice.kind for notice in notices] == [NoticeKind.FIRED, NoticeKind.RESOLVED]


promtool = pytest.mark.skipif(
    shutil.which("promtool") is None,
    reason="needs promtool: Debian's package prometheus",
)


@promtool
def test_promtool_takes_the_rule_file(tmp_path):
    (tmp_path / RULE_FILE).write_text(rule_file(SLOT_S))
    done = subprocess.run(
        ["promtool", "check", "rules", RULE_FILE],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"SUCCESS: {len(RULES)} rules found" in done.stdout


@promtool
def test_promtool_agrees_while_everything_is_wrong_at_once(tmp_path):
    seconds, step_s = 260, 20
    together = Cause(
        gauges={key: value for cause in CAUSES.values() for key, value in cause.gauges.items()},
        per_s={key: value for cause in CAUSES.values() for key, value in cause.per_s.items()},
    )
    figures = list(told(seconds, together, lambda at: 40 <= at < 140))
    _notices, firing = play(RULES.values(), figures)
    series, expected = {}, defaultdict(list)
    collect(series, expected, "wrong", figures, firing, range(0, seconds, step_s))
    judge(tmp_path, RULES.values(), series, expected, range(0, seconds, step_s))


@promtool
@pytest.mark.parametrize("seed", range(2))
def test_promtool_agrees_about_random_series(tmp_path, seed):
    """Figures jump between calm and trouble, vanish, and counters begin anew."""
    chance = random.Random(seed)
    seconds, step_s = 180, 20
    values = defaultdict(set)
    for cause in CAUSES.values():
        for key, value in cause.gauges.items():
            values[key].add(value)
    figures = [dict(each) for each in told(seconds)]
    for key in sorted({*figures[0], *values}):
        choices = [*values[key], *([figures[0][key]] if key in figures[0] else [])]
        at, base = 0, 0.0
        is_counter = key[0] not in BY_NAME or key[0].endswith("_total")
        while at < seconds:
            until = min(seconds, at + chance.choice((3, 20, 45, 90)))
            value, step = chance.choice(choices or [0.0]), chance.choice((0, 0, 1, 3, 12))
            is_gone = chance.random() < 0.15
            if is_counter and chance.random() < 0.2:
                base = 0.0
            for second in range(at, until):
                base += max(step, key[0].endswith(COUNT))  # what is counted has a mean
                figures[second][key] = base if is_counter else value
                if is_gone and not key[0].endswith((SUM, COUNT)):
                    del figures[second][key]
            at = until
    series, expected = {}, defaultdict(list)
    _notices, firing = play(RULES.values(), figures)
    assert len({alert.rule for alerts in firing for alert in alerts}) > len(RULES) / 2
    collect(series, expected, "random", figures, firing, range(0, seconds, step_s))
    judge(tmp_path, RULES.values(), series, expected, range(0, seconds, step_s))


def collect(series, expected, job, figures, firing, times):
    """Add a job's series as Prometheus would have them, and its alerts as ours."""
    for name, values in {key for each in figures for key in each}:
        metric = BY_NAME[name.removesuffix(SUM).removesuffix(COUNT)]
        labels = dict(zip(metric.labels, values, strict=True)) | {"job": job}
        written = name + "{" + ",".join(f'{k}="{v}"' for k, v in labels.items()) + "}"
        series[written] = [each.get((name, values)) for each in figures]
    for at in times:
        for alert in firing[at]:
            expected[alert.rule, at].append(
                {
                    "exp_labels": dict(alert.labels) | {"job": job, "level": str(alert.level)},
                    "exp_annotations": {
                        "summary": alert.summary,
                        "already_did": alert.already_did,
                        "runbook": alert.runbook,
                    },
                }
            )


def judge(folder, rules, series, expected, times):
    (folder / RULE_FILE).write_text(rule_file(SLOT_S, tuple(rules)))
    listed = [
        {"eval_time": f"{at}s", "alertname": rule.name, "exp_alerts": expected[rule.name, at]}
        for rule in rules
        for at in times
    ]
    (folder / "tests.yml").write_text(promtool_file(series, listed))
    done = subprocess.run(
        ["promtool", "test", "rules", "tests.yml"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[:3_000]


def test_rule_files_are_json_within_yaml(tmp_path):
    quoted = [line.split(": ", 1)[1] for line in rule_file(0.1).splitlines() if "expr: " in line]
    assert [json.loads(each) for each in quoted] == [
        rule.expression.promql() for rule in rules_for(0.1)
    ]


def test_what_a_rule_asks_is_told_by_one_service_or_by_the_monitor():
    for rule in RULES.values():
        names = {name.removesuffix(SUM).removesuffix(COUNT) for name, _ in rule.expression.series()}
        assert len({teller(name) for name in names}) == 1, rule.name
