"""bench/guards: its table keeps step with the source. The drills themselves are run by `python -m bench.guards`."""

from collections import Counter
from pathlib import Path

import pytest

from bench.guards.table import GUARDS
from keeper.drills.scenarios.catalog import SCENARIOS

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_the_text_of_every_guard_stands_in_its_file_once_and_what_replaces_it_is_code(guard):
    text = (ROOT / guard.file).read_text()
    assert text.count(guard.found) == 1
    assert guard.found != guard.replacement
    compile(text.replace(guard.found, guard.replacement), guard.file, "exec")


def test_every_guard_has_a_name_of_its_own_and_drills_that_exist():
    assert max(Counter(guard.name for guard in GUARDS).values()) == 1
    known = {scenario.name for scenario in SCENARIOS}
    for guard in GUARDS:
        assert guard.drills
        assert set(guard.drills) <= known
