"""A regression check that a slow machine passes: figures against what stands beside them in the same run.

    python -m bench.report.ratios

Runs small forms of a few benchmarks and holds each ratio against `ratios.toml`. Exits 1 when one is out of bounds.
"""

import json
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.report.figure import Figure
from bench.report.kept import figure_of

BOUNDS: Final = Path(__file__).with_name("ratios.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """What one ratio may be."""

    benchmark: str
    figure: str
    """Its name begins so."""
    of: str
    """`baseline` or `limit`."""
    why: str
    arguments: tuple[str, ...] = ()
    at_most: float | None = None
    at_least: float | None = None

    def __post_init__(self) -> None:
        """Refuse a bound that bounds nothing."""
        assert self.of in {"baseline", "limit"}, self.of
        assert (self.at_most is None) != (self.at_least is None), self.figure

    def holds(self, ratio: float) -> bool:
        """Whether a ratio is within it."""
        if self.at_most is not None:
            return ratio <= self.at_most
        assert self.at_least is not None, "one of the two is given"
        return ratio >= self.at_least


def bounds(text: str) -> tuple[Bound, ...]:
    """Return the bounds of a TOML text."""
    return tuple(
        Bound(**each | {"arguments": tuple(each.get("arguments", ()))})
        for each in tomllib.loads(text)["ratio"]
    )


def ratio_of(bound: Bound, figures: Iterable[Figure]) -> float:
    """Return the figure over what stands beside it.

    Raises:
        LookupError: there is no such figure, or nothing beside it.
    """
    for figure in figures:
        if figure.name.startswith(bound.figure):
            beside = figure.baseline if bound.of == "baseline" else figure.limit
            if beside is None:
                break
            return figure.value / beside.value
    raise LookupError(f"{bound.benchmark} tells no {bound.of} of {bound.figure!r}")


def measured(wanted: Iterable[Bound]) -> Iterator[tuple[Bound, float]]:
    """Run each benchmark once, and yield every ratio.

    Raises:
        LookupError: a benchmark does not tell what is bounded.
    """
    told: dict[tuple[str, tuple[str, ...]], list[Figure]] = {}
    for bound in wanted:
        key = (bound.benchmark, bound.arguments)
        if key not in told:
            command = [sys.executable, "-m", f"bench.{bound.benchmark}", "--json", *bound.arguments]
            ended = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
            line = ended.stdout.strip().splitlines()[-1]
            told[key] = [figure_of(each) for each in json.loads(line)["figures"]]
        yield bound, ratio_of(bound, told[key])


def main() -> int:
    """Measure and judge all."""
    broken = 0
    for bound, ratio in measured(bounds(BOUNDS.read_text())):
        is_well = bound.holds(ratio)
        broken += not is_well
        limit = (
            f"at most {bound.at_most:g}"
            if bound.at_most is not None
            else f"at least {bound.at_least:g}"
        )
        print(
            f"{'ok' if is_well else 'NO'}  {ratio:8.3g} {limit}: {bound.figure}, of its {bound.of} ({bound.why})"
        )
    return int(broken > 0)


if __name__ == "__main__":
    sys.exit(main())
