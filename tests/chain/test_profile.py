"""`keeper profile` on the committed program."""

import json

import pytest
from click.testing import CliRunner

from keeper.cli.profile import profile_command
from keeper.profile.capacity import positions_per_tx, shared_accounts_written
from keeper.profile.table import CASES
from programs.betting_platform.build import PROGRAM_SO
from programs.betting_platform.headers import load_interface


def run(*arguments):
    return CliRunner().invoke(profile_command, [*arguments])


def test_every_instruction_that_the_program_has_is_profiled():
    assert set(CASES) == {shape.name for shape in load_interface().instructions}


@pytest.mark.parametrize("name", CASES)
def test_every_case_lands_and_the_sections_sum_to_what_it_costs(name):
    ended = run(name, "--runs", "3", "--json")
    assert ended.exit_code == 0, ended.output
    found = json.loads(ended.stdout)["instructions"][name]
    assert 0 < found["cu"]["min"] <= found["cu"]["median"] <= found["cu"]["p99"]
    assert found["cu"]["p99"] <= found["cu"]["worst"]
    assert found["bottleneck"] in found["sections"]
    assert sum(found["sections"].values()) == pytest.approx(found["cu"]["worst"], rel=0.05)


def test_people_get_a_table_with_what_was_aimed_at():
    text = run("open_position", "--runs", "2", "--sections").stdout
    assert "open_position, CU" in text
    assert "compute units by section" in text


def test_an_instruction_that_does_not_exist_is_refused():
    ended = run("open_pozition")
    assert ended.exit_code == 2
    assert "'open_pozition' is not one of" in ended.stderr


def test_the_number_of_positions_is_of_transactions_that_landed():
    found = positions_per_tx(PROGRAM_SO.read_bytes())
    assert found["lookup_table"] > found["plain"] >= 20


def test_a_spot_trade_writes_no_account_of_all_markets_once_100_trades_are_done():
    assert shared_accounts_written(PROGRAM_SO.read_bytes()) == 0
