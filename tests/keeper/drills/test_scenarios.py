"""What every scenario promises as data."""

import re

import pytest

from keeper.config import load_config
from keeper.drills.expectations import Reaches, Refrains, Unmoved
from keeper.drills.faults import Family
from keeper.drills.model import PhaseName
from keeper.drills.scenarios.catalog import SCENARIOS
from keeper.monitor.rules import rules_for


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each.name)
def test_a_scenario_is_named_titled_and_states_what_it_expects(scenario):
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", scenario.name)
    assert re.fullmatch(r"[A-Z0-9].*\.", scenario.title)
    assert scenario.expects
    phases = {expectation.phase for expectation in scenario.expects}
    assert {PhaseName.BEFORE, PhaseName.DURING, PhaseName.AFTER} == phases


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each.name)
def test_a_scenarios_settings_are_settings_of_the_keeper(scenario, tmp_path):
    (tmp_path / "keeper.toml").write_text(
        '[cluster]\nrpc_urls = ["http://127.0.0.1:1"]\n'
        f'program_id = "{"1" * 32}"\nslot_ms = {scenario.settings.slot_ms}\n'
        '[keys]\nkeeper = "k"\n[state]\nfolder = "s"\n[polymarket]\n'
        + "".join(f"{key} = {value}\n" for key, value in scenario.settings.polymarket.items())
    )
    assert scenario.settings.slot_ms == load_config(tmp_path / "keeper.toml").polymarket.slot_ms


def test_names_are_unique():
    names = [scenario.name for scenario in SCENARIOS]
    assert len(names) == len(set(names))


def test_markets_that_are_named_exist():
    for scenario in SCENARIOS:
        for expectation in scenario.expects:
            market = getattr(expectation, "market", None)
            count = scenario.settings.markets + len(scenario.settings.group_e6)
            assert market is None or market < count, scenario.name


def test_a_lasting_fault_of_everything_is_expected_to_end_all_action():
    for scenario in SCENARIOS:
        blind = [
            each
            for each in scenario.expects
            if isinstance(each, Reaches)
            and each.phase is PhaseName.DURING
            and each.market is None
            and "valid" not in each.classes
            and "degraded" not in each.classes
        ]
        if blind:
            assert any(isinstance(each, Refrains) for each in scenario.expects), scenario.name


def test_families_are_the_three_that_fail_apart():
    assert {"stream", "clob", "gamma"} == {str(family) for family in Family}
    assert any(isinstance(each, Unmoved) for scenario in SCENARIOS for each in scenario.expects)


def test_alerts_that_a_scenario_states_are_rules():
    rules = {rule.name for rule in rules_for(0.4)}
    for scenario in SCENARIOS:
        assert scenario.alarms <= rules, scenario.name
