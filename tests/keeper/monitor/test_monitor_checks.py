"""keeper/monitor/checks.py: what progress is, and who is named when there is none."""

import pytest

from keeper.monitor.checks import CHECKS, LIFE_SLOTS, OLDEST_DUE_SLOTS, health, look_at, why_dead
from keeper.monitor.view import Seen, View
from state import metrics as m
from state.sample import Figures, Sample

SLOT_S = 0.1
WELL = {
    (m.SLOT_SECONDS, ()): SLOT_S,
    (m.SLOT_AGE, ()): 0.1,
    (m.LAST_SCAN_AGE, ()): 1.0,
    (m.LAST_COMMIT_AGE, ("keeper",)): 0.2,
    (m.TRANSACTIONS_OPEN, ()): 3,
    (m.HAS_CHANGED, ()): 0,
    (m.PRICES, ("clob", "valid")): 12,
    (m.PRICE_AGE, ("0.5",)): 0.3,
    (m.OLDEST_DUE, ("liquidations",)): 0.2,
    (m.LAST_LANDED_AGE, ("liquidations",)): 0.4,
    (m.RPC_CALLS, ("a",)): 9,
    (m.RPC_CALLS, ("b",)): 9,
    (m.RPC_LAG, ("a",)): 1,
    (m.RPC_BREAKER_OPEN, ("a",)): 0,
    (m.PAYER_LAMPORTS, ("payer",)): 10**9,
    (m.IS_DRAINING, ("keeper",)): 0,
    (m.LOOP_LAG, ("keeper",)): 0.01,
    (m.DISK_FREE_BYTES, ("keeper",)): 10**10,
    (m.TASK_RUNNING, ("keeper", "scan")): 1,
    (m.TASK_AGE, ("keeper", "scan")): 0.5,
    (m.TASK_AGE_MAX, ("keeper", "scan")): 5,
}


def view_of(changes=None, *, age_s=0.5, is_last=False, services=("keeper",)):
    figures = Figures()
    for (metric, labels), value in (WELL | (changes or {})).items():
        figures.put(metric, value, *labels)
    sample = Sample(service="keeper", sequence=7, is_last=is_last, figures=figures.values)
    return View(
        wall_s=1_795_000_000.0,
        now_s=100.0,
        services=services,
        samples={"keeper": Seen(sample=sample, age_s=age_s)},
    )


def failed(view):
    return {each.name: each.words for each in look_at(view) if not each.passed}


def test_a_keeper_that_gets_somewhere_passes_every_check():
    assert {} == failed(view_of())
    assert why_dead(view_of()) is None


@pytest.mark.parametrize(
    ("changes", "check", "words"),
    [
        ({(m.TASK_RUNNING, ("keeper", "scan")): 0}, "tasks", "keeper's task scan has ended"),
        ({(m.TASK_AGE, ("keeper", "scan")): 6}, "tasks", "scan has not moved for 6.0 s, at most 5"),
        ({(m.IS_DRAINING, ("keeper",)): 1}, "draining", "keeper was told to stop"),
        ({(m.LOOP_LAG, ("keeper",)): 1.2}, "event_loop", "1.20 s late, at most 1 s"),
        (
            {(m.OLDEST_DUE, ("liquidations",)): OLDEST_DUE_SLOTS * SLOT_S + 0.1},
            "oldest_due",
            "liquidations has been due for 2.6 s, at most 2.5 s",
        ),
        ({(m.PRICES, ("clob", "valid")): 0}, "prices", "no price is known"),
        ({(m.PRICE_AGE, ("0.5",)): 16}, "prices", "16.0 s old or older, at most 15 s"),
        ({(m.PRICE_AGE, ("0.5",)): None}, "prices", "nothing says"),
        ({(m.LAST_SCAN_AGE, ()): 76}, "scan", "not been scanned for 76.0 s, at most 75 s"),
        ({(m.LAST_SCAN_AGE, ()): None}, "scan", "not been scanned yet"),
        ({(m.SLOT_AGE, ()): 16}, "slots", "seen to move for 16.0 s"),
        (
            {(m.LAST_COMMIT_AGE, ("keeper",)): 16},
            "commits",
            "nothing has been committed for 16.0 s",
        ),
        ({(m.HAS_CHANGED, ()): 1}, "program", "not that of the start"),
        ({(m.PAYER_LAMPORTS, ("payer",)): 9_000}, "payers", "payer payer has 9000 lamports"),
        ({(m.DISK_FREE_BYTES, ("keeper",)): 1 << 20}, "disk", "1 MiB left"),
    ],
)
def test_what_stands_still_fails_one_check_which_names_it(changes, check, words):
    found = failed(view_of(changes))
    assert [check] == list(found)
    assert words in found[check]


def test_a_lane_with_old_work_that_lands_nothing_is_stalled_and_one_without_work_is_not():
    late_s = LIFE_SLOTS * SLOT_S + 1
    idle = {(m.LAST_LANDED_AGE, ("liquidations",)): late_s}
    assert {} == failed(view_of(idle))
    stalled = failed(view_of(idle | {(m.OLDEST_DUE, ("liquidations",)): late_s}))
    assert "liquidations has work and has landed nothing for 16.0 s" in stalled["lanes"]


def test_nothing_open_needs_no_commit():
    quiet = {(m.TRANSACTIONS_OPEN, ()): 0, (m.LAST_COMMIT_AGE, ("keeper",)): 4_000}
    assert {} == failed(view_of(quiet))


def test_one_endpoint_that_keeps_up_is_enough_and_none_is_not():
    one = {(m.RPC_BREAKER_OPEN, ("a",)): 1}
    assert {} == failed(view_of(one))
    none = one | {(m.RPC_LAG, ("b",)): 51}
    assert "a does not answer; b is 51 slots behind" == failed(view_of(none))["rpc"]
    doubted = one | {(m.RPC_SET_ASIDE, ("b",)): 1}
    assert "a does not answer; b is not believed" == failed(view_of(doubted))["rpc"]


def test_the_chains_deadlines_are_counted_in_its_slots():
    late = {(m.OLDEST_DUE, ("liquidations",)): 2.6}
    assert "oldest_due" in failed(view_of(late))
    assert {} == failed(view_of(late | {(m.SLOT_SECONDS, ()): 0.4}))


@pytest.mark.parametrize(
    ("view", "words"),
    [
        (view_of(age_s=5.1), "told nothing for 5.1 s"),
        (view_of(is_last=True), "ended in order"),
        (View(wall_s=0, now_s=0, samples={}), "told nothing since the monitor began"),
    ],
)
def test_a_keeper_that_tells_nothing_is_not_alive_and_not_ready(view, words):
    assert words in why_dead(view)
    assert "figures" in failed(view)
    assert not health(view, look_at(view))["is_ready"]


def test_a_service_that_never_spoke_is_named():
    found = failed(view_of(services=("keeper", "incentives")))
    assert {"figures": "incentives has told nothing yet"} == found


def test_a_crowd_of_culprits_is_cut_short_and_counted():
    many = {(m.TASK_RUNNING, ("keeper", f"task{number}")): 0 for number in range(9)}
    words = failed(view_of(many))["tasks"]
    assert 5 == words.count("has ended")
    assert words.endswith("; and 4 more")


def test_health_says_all_of_it_as_json():
    found = health(view_of(), look_at(view_of()))
    assert (True, True, None) == (found["is_live"], found["is_ready"], found["why_dead"])
    assert {"age_s": 0.5, "is_last": False, "sequence": 7} == found["services"]["keeper"]
    assert [check.name for check in CHECKS] == [each["name"] for each in found["checks"]]
