"""bench/schedules: the engine through seeded schedules of faults; `python -m bench.schedules` plays thousands."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.schedules.schedule import TROUBLE_SLOTS, Mortal, schedule_of

ROOT = Path(__file__).parents[2]
PATIENCE_S = 240.0
FIRST, SEEDS = 20, 30


def schedules(*options):
    """Run the command in a process of its own: it decides every draw of chance in it."""
    command = [sys.executable, "-m", "bench.schedules", *options]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )


@pytest.fixture(scope="module")
def played():
    ended = schedules("--from", str(FIRST), "--seeds", str(SEEDS), "--json")
    assert ended.stdout, ended.stderr
    return json.loads(ended.stdout)


def test_no_schedule_of_faults_makes_the_engine_break_an_invariant(played):
    assert {} == played["broken"]
    assert SEEDS == played["worlds"]


def test_the_schedules_are_eventful(played):
    assert played["lives"] > 2 * SEEDS
    assert played["forks"] > SEEDS
    assert min(played["landed"], played["failed"], played["expired"]) > 0
    assert played["effects"] > 5 * SEEDS


def test_a_seed_is_the_same_world_bit_for_bit_in_every_process():
    once, again = (schedules("--seed", "4") for _ in range(2))
    assert 0 == once.returncode, once.stderr
    assert once.stdout == again.stdout
    assert "trace" in once.stdout.splitlines()[-1]


def test_schedules_differ_in_their_weather_their_deaths_and_their_calm():
    found = [schedule_of(seed) for seed in range(200)]
    assert found == [schedule_of(seed) for seed in range(200)]
    assert {death.where for one in found for death in one.deaths} == set(Mortal)
    for name in ("lost_bps", "fork_bps", "silent_bps", "curse_bps", "lag_blocks_max"):
        values = {getattr(one.weather, name) for one in found}
        assert 0 in values, "each kind of fault is absent from some worlds"
        assert len(values) > 3


def test_in_the_end_of_every_schedule_the_venue_speaks_of_every_market():
    for seed in range(50):
        schedule = schedule_of(seed)
        last = {
            move.market for move in schedule.moves if move.slot == TROUBLE_SLOTS and move.price_e6
        }
        assert last == set(range(schedule.markets))
