"""`keeper drill`: what a person and a script are told before anything runs."""

import json

from click.testing import CliRunner

from keeper.cli.drill import drill_group
from keeper.drills.model import DrillResult, PhaseName, Verdict
from keeper.drills.scenarios.catalog import SCENARIOS
from keeper.drills.summary import closing_line, result_lines, results_json, unplayable


def invoke(*arguments):
    return CliRunner().invoke(drill_group, arguments)


def test_the_list_names_every_drill_and_what_it_breaks():
    found = json.loads(invoke("list", "--json").output)
    assert [scenario.name for scenario in SCENARIOS] == [each["name"] for each in found["drills"]]
    lines = invoke("list").output.splitlines()
    assert len(lines) == len(SCENARIOS)
    assert all(s.name in line and s.title in line for s, line in zip(SCENARIOS, lines, strict=True))


def test_an_unknown_name_is_answered_with_the_nearest():
    result = invoke("run", "total-outtage")
    assert 2 == result.exit_code
    assert "there is no drill named 'total-outtage', did you mean total-outage?" in result.output


def test_a_name_like_none_is_answered_with_where_to_look():
    result = invoke("run", "xyzzy")
    assert "`keeper drill list` names them all" in result.output


def test_no_name_is_a_usage_error():
    assert 2 == invoke("run").exit_code


def test_a_report_without_a_place_is_refused_before_anything_runs(tmp_path):
    (tmp_path / "file").write_text("")
    result = invoke("run", "redirected", "--report", str(tmp_path / "file" / "report"))
    assert 2 == result.exit_code
    assert "cannot hold the report: Not a directory" in result.output


def result(*verdicts):
    return DrillResult(
        name="a-drill",
        title="A.",
        is_virtual=False,
        slot_ms=40,
        phases=(),
        verdicts=verdicts,
        detected_ms=12,
        recovered_ms=None,
        actions_landed=3,
        actions_refused=4,
        truths=(),
        heard=(),
        beliefs=(),
        actions=(),
        notices=(),
        took_s=8.0,
    )


MISSED = Verdict(phase=PhaseName.DURING, expected="silence", seen="2 posts", passed=False)


def test_what_was_missed_is_told_in_a_line_of_its_own():
    first, second = result_lines(result(MISSED))
    assert first.startswith("FAILED  a-drill")
    assert "expected silence; seen: 2 posts" in second


def test_the_object_has_what_a_script_asks_for():
    (found,) = results_json([result(MISSED)])["drills"]
    assert {
        "name",
        "passed",
        "detected_ms",
        "recovered_ms",
        "actions_landed",
        "actions_refused",
        "bad_price_actions",
        "expectations",
        "took_s",
    } <= found.keys()
    assert (False, 0, 12, None) == (
        found["passed"],
        found["bad_price_actions"],
        found["detected_ms"],
        found["recovered_ms"],
    )
    assert [
        {"phase": "during", "expected": "silence", "seen": "2 posts", "passed": False}
    ] == found["expectations"]


def test_a_drill_that_cannot_be_played_is_failed_and_not_left_out():
    found = unplayable(SCENARIOS[0], "no free port", 1.0)
    assert not found.passed
    assert "no free port" in list(result_lines(found))[1]
    assert "1 of 2 drills passed" == closing_line([found, result()])
