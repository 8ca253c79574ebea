from pathlib import Path

from bench._snapshot_world import States
from bench.snapshots import measure


def test_every_figure_is_measured_and_every_technique_leaves_less(
    states: States, tmp_path: Path
) -> None:
    figures = {each.name: each for each in measure(states, 1, tmp_path)}
    ratio = next(each for name, each in figures.items() if name.startswith("raw bytes over"))
    assert ratio.value > 5, "even of fourteen markets"
    steps = [each.value for name, each in figures.items() if name.startswith("left after")]
    whole = figures["whole snapshot"].value
    assert steps[-1] == whole
    assert steps[0] > steps[2] > steps[-1]
    following = [
        each.value for name, each in figures.items() if name.startswith("next snapshot: left after")
    ]
    assert following[-1] == figures["next snapshot, a minute later"].value
    assert len(following) == len(steps) + 2, "only what is concerned, and differences to the base"
    assert following[0] > following[2] > following[-1]
    assert figures["raw state"].value > 3 * whole
