"""Any sequence of instructions, by anybody: every invariant of the platform holds after every one."""

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from wandering import Wandering

from programs.events import EventKind
from programs.instructions.tags import Tag

SETTINGS = settings(
    max_examples=40,
    stateful_step_count=50,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


def test_whatever_anybody_does_every_invariant_holds_and_nothing_is_out_of_reach():
    Wandering.landed.clear()
    Wandering.said.clear()
    run_state_machine_as_test(Wandering, settings=SETTINGS)
    assert set(Wandering.landed) == set(Tag)
    assert set(Wandering.said) == set(EventKind)
