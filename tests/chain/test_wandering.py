"""Any sequence of instructions, by anybody: every invariant of the platform holds after every one.

And the machine that says so says otherwise of programs that are almost right: compiled from the source with one line
spoiled, each is found out.
"""

import shutil

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from wandering import Wandering

from programs.betting_platform.build import SOURCE, build
from programs.event_layout import EventKind
from programs.instructions.tags import Tag

SETTINGS = settings(
    max_examples=30,
    stateful_step_count=50,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
SELDOM = 5
"""What lands fewer times was reached by chance."""
FINDING = settings(SETTINGS, phases=[Phase.generate], report_multiple_bugs=False)
SPOILED = {
    "a loan ends in the market and not in the vault": ("ledger.h", "    v->loans -= amount;\n", ""),
    "a leaf is paid and not marked": ("rewards.c", "    *marks |= mark;\n", ""),
    "redeemed shares stay outstanding": (
        "ledger.h",
        "    p->cash -= *value;\n    p->outstanding[side] -= shares;\n",
        "    p->cash -= *value;\n",
    ),
    "a cancelled chain's cash stays in escrow": (
        "chain_cancel.c",
        "    in->market->escrow -= h->working + h->bounty;\n",
        "",
    ),
    "a chain takes two steps for one": ("chain_steps.c", "(u8)next + 1;", "(u8)next + 2;"),
    "roots promise more than was emitted": ("rewards.c", " && g->posted_mmt <= e.emitted_mmt", ""),
}


def test_whatever_anybody_does_every_invariant_holds_and_nothing_is_out_of_reach():
    Wandering.landed.clear()
    Wandering.said.clear()
    run_state_machine_as_test(Wandering, settings=SETTINGS)
    assert [tag for tag in Tag if Wandering.landed[tag] < SELDOM] == []
    assert [kind for kind in EventKind if not Wandering.said[kind]] == []


@pytest.mark.parametrize("mistake", SPOILED)
def test_a_program_with_a_mistake_is_found_out(mistake, tmp_path):
    file, right, wrong = SPOILED[mistake]
    shutil.copytree(SOURCE, tmp_path, dirs_exist_ok=True)
    source = (tmp_path / file).read_text()
    assert source.count(right) == 1
    (tmp_path / file).write_text(source.replace(right, wrong))

    class Walk(Wandering):
        so = build(tmp_path / "program.c")

    with pytest.raises(AssertionError):
        run_state_machine_as_test(Walk, settings=FINDING)
