"""`keeper stress`: load the real keeper on purpose, and judge it by what lands."""

import json
import logging
import math
import signal
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Final

import click
import trio

from keeper.cli.drill import make_folder
from keeper.cli.logs import open_logs
from keeper.cli.refusal import Refusal
from keeper.errors import AbandonedError
from keeper.stress.model import StressResult
from keeper.stress.page import write_report
from keeper.stress.runner import run_stress
from keeper.stress.scenario import Scenario
from keeper.stress.scenarios.catalog import SCENARIOS
from keeper.stress.summary import closing_line, result_lines, results_json
from programs.terminal import echo

EXIT_FAILED: Final = 1
"""At least one run failed; all were played."""
_ALL: Final = "all"
_NAMED: Final = {scenario.name: scenario for scenario in SCENARIOS}
_SCALE_MAX: Final = 10.0
_EXAMPLES: Final = """\b
Examples:
  keeper stress list
  keeper stress run liquidation-cascade
  keeper stress run all --json
  keeper stress run all --scale 0.05 --report report/
"""


@click.group("stress", epilog=_EXAMPLES)
def stress_group() -> None:
    """Load the keeper as the platform's claims say, and judge it by what lands."""


@stress_group.command("list", epilog="\b\nExamples:\n  keeper stress list --json\n")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def list_command(*, as_json: bool) -> None:
    """Name every stress run and what it offers."""
    if as_json:
        listed = [
            {"name": each.name, "title": each.title, "load": each.settings(1.0).load}
            for each in SCENARIOS
        ]
        echo(json.dumps({"scenarios": listed}))
        return
    width = max(len(scenario.name) for scenario in SCENARIOS)
    for scenario in SCENARIOS:
        echo(f"{scenario.name:<{width}}  {scenario.title}")
        echo(f"{'':<{width}}  at scale 1: {scenario.settings(1.0).load}")


@stress_group.command("run", epilog=_EXAMPLES)
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@click.option(
    "--scale",
    type=float,
    default=1.0,
    show_default=True,
    help=f"Of the load: 1 is as large as the platform's claims, at most {_SCALE_MAX:g}.",
)
@click.option("--json", "as_json", is_flag=True, help="End with one JSON object on stdout.")
@click.option(
    "--report",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write a page with the plots, verdicts and figures of every run into this folder.",
)
def run_command(
    names: tuple[str, ...], *, scale: float, as_json: bool, folder: Path | None
) -> None:
    """Play stress runs by name, or all of them: a network, a venue, users and the real keeper for each.

    Progress goes to stderr. Exits 0 only when every run passed. Nothing outside this machine is asked, every port is a free
    one, and Ctrl-C ends it without leaving anything behind. A run wants the machine for itself: its times are real.
    """
    if not (math.isfinite(scale) and 0 < scale <= _SCALE_MAX):
        raise Refusal(f"--scale is {scale:g}: expected more than 0 and at most {_SCALE_MAX:g}")
    scenarios = _chosen(names)
    if folder is not None:
        make_folder(folder)
    with open_logs(sys.stderr, form="text", least=logging.CRITICAL):
        results = trio.run(partial(_run, scenarios, scale))
    echo(json.dumps(results_json(results)) if as_json else closing_line(results))
    if folder is not None:
        echo(f"report: {write_report(results, folder)}", err=as_json)
    if not all(result.passed for result in results):
        sys.exit(EXIT_FAILED)


async def _run(scenarios: Sequence[Scenario], scale: float) -> list[StressResult]:
    results: list[StressResult] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_heed_signals)
        results = await run_stress(scenarios, scale, tell=_tell, ended=_tell_end)
        nursery.cancel_scope.cancel(reason="all runs are over")
    return results


async def _heed_signals() -> None:
    """End everything in order at the first signal: keepers, networks and venues are ours to clean up."""
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for number in signals:
            raise AbandonedError(number, "interrupted: what was running is ended, no verdicts")


def _tell(scenario: Scenario, act: str) -> None:
    echo(f"{scenario.name}: {act}", err=True)


def _tell_end(result: StressResult) -> None:
    for line in result_lines(result):
        echo(line, err=True)


def _chosen(names: Sequence[str]) -> list[Scenario]:
    """Return the scenarios of the names, in the catalog's order and each once."""
    for name in names:
        if name != _ALL and name not in _NAMED:
            near = get_close_matches(name, [*_NAMED, _ALL], n=1, cutoff=0.4)
            meant = f", did you mean {near[0]}?" if near else "."
            raise Refusal(
                f"there is no stress run named {name!r}{meant} `keeper stress list` names them all"
            )
    wanted = set(_NAMED) if _ALL in names else set(names)
    return [scenario for scenario in SCENARIOS if scenario.name in wanted]
