import json

import pytest

from keeper.profile.figures import Latency, Sample, Spread, summarize
from keeper.profile.goals import Goal, base_and_marginal, beyond_further_positions, goals
from keeper.profile.report import Profile, as_json, tables
from keeper.profile.sections import Section


def sample(case, cu, **sections):
    found = {name: Section(cu=each, visits=2) for name, each in sections.items()}
    return Sample(case=case, cu=cu, wire_bytes=cu // 10, accounts=3, sections=found)


def profile(**changed):
    figures = {
        "open_position": summarize(
            "open_position",
            [sample("spot", 5_000, curve=3_000), sample("lent", 9_000, curve=5_000, leverage=250)],
        ),
        "update_prices": summarize(
            "update_prices", [sample("2 outcomes", 900), sample("16 outcomes", 13_000)]
        ),
        "liquidate": summarize(
            "liquidate",
            [
                sample("over 5 pools, 2 positions", 13_500),
                sample("1 position", 11_000),
                sample("2 positions", 13_000),
                sample("5 positions", 18_000),
            ],
        ),
        "pay_rewards": summarize("pay_rewards", [sample("8 leaves", 16_001)]),
    }
    values = {
        "program_bytes": 60_000,
        "program_sha256": "ab",
        "instructions": figures,
        "positions_per_tx": {"plain": 23, "lookup_table": 49},
        "shared_accounts_written": 0,
        "latencies": {"sign": Latency(average=1_500, spread=Spread.of([1_000, 2_000]))},
        "without_sections": "",
    }
    return Profile(**values | changed)


def test_percentiles_are_values_that_occurred():
    spread = Spread.of(list(range(1, 201)))
    assert (spread.min, spread.median, spread.p99, spread.worst) == (1, 100, 198, 200)
    assert Spread.of([7]).as_json() == {"min": 7, "median": 7, "p99": 7, "worst": 7}


def test_the_bottleneck_is_the_largest_section_of_the_worst_case():
    figures = profile().instructions["open_position"]
    assert figures.worst_case == "lent"
    assert figures.bottleneck == "curve"
    assert figures.section_visits == {"curve": 2_500, "leverage": 125}
    assert list(figures.cases) == ["spot", "lent"]


def test_a_batch_costs_its_first_position_and_so_much_for_each_further_one():
    figures = profile().instructions["liquidate"]
    assert base_and_marginal(figures) == (11_000, 1_667)  # from two positions to five
    alone = summarize("liquidate", [sample("1 position", 11_000)])
    assert base_and_marginal(alone) == (11_000, 0)


def test_what_a_batch_may_cost_grows_with_its_positions():
    figures = profile().instructions["liquidate"]
    assert beyond_further_positions(figures) == 13_500 - 2_000


def test_goals_are_met_missed_or_not_measured():
    found = {goal.name: goal.is_met for goal in profile().goals}
    assert found["open_position, CU"] is True
    assert found["leverage calculation, CU"] is True
    assert found["update_prices of 16 outcomes, CU"] is False
    assert found["liquidate, CU less 2000 for each further position"] is True
    assert found["positions in a transaction with a lookup table"] is False
    assert found["pay_rewards, per leaf of 8 at depth 16, CU"] is True
    assert found["execute_chain of 5 steps, CU"] is None
    assert {goal.is_met for goal in goals({}, {}, None, None)} == {None}


def test_a_goal_tells_on_which_side_of_it_one_has_to_be():
    assert Goal(name="a", limit=2, found=2).as_json() == {
        "name": "a",
        "at_most": 2,
        "found": 2,
        "met": True,
        "spender": None,
    }
    assert Goal(name="a", limit=2, found=1, is_least=True).as_json()["met"] is False


def test_the_object_has_the_documented_shape():
    found = json.loads(json.dumps(as_json(profile())))
    assert found["instructions"]["open_position"]["cu"] == {
        "min": 5_000,
        "median": 5_000,
        "p99": 9_000,
        "worst": 9_000,
    }
    assert found["positions_per_tx"] == {"plain": 23, "lookup_table": 49}
    assert found["update_prices_cu_by_outcomes"] == {"2": 900, "16": 13_000}
    assert found["liquidate_cu"] == {"first_position": 11_000, "each_further_position": 1_667}
    assert found["pay_rewards_cu_per_leaf"] == 2_001
    assert found["leverage_calculation_cu"] == 125
    assert found["off_chain"]["sign"] == {"average_us": 1.5, "p99_us": 2.0, "median_us": 1.0}


def test_the_tables_say_what_was_missed():
    text = "\n".join(tables(profile(), with_sections=True))
    assert "lent: curve 95 %" in text
    assert "open_position     curve 5000, leverage 250" in text
    (missed,) = [line for line in text.splitlines() if "lookup table" in line]
    assert missed.split()[-3:] == ["50", "49", "MISSED"]
    assert "execute_chain" not in text
    (opened,) = [goal for goal in profile().goals if goal.name == "open_position, CU"]
    assert opened.spender == "curve"
    assert "sign" in text


def test_the_tables_say_why_there_are_no_sections():
    text = "\n".join(tables(profile(without_sections="no compiler"), with_sections=False))
    assert "no sections: no compiler" in text


@pytest.mark.parametrize("names", [(), ("open_position",)])
def test_what_was_not_measured_is_left_out(names):
    whole = profile()
    part = profile(
        instructions={name: whole.instructions[name] for name in names},
        positions_per_tx={},
        shared_accounts_written=None,
        latencies={},
    )
    found = as_json(part)
    assert set(found["instructions"]) == set(names)
    assert "liquidate_cu" not in found
    assert found["leverage_calculation_cu"] == (125 if names else None)
    assert "".join(tables(part, with_sections=True))
