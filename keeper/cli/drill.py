"""`keeper drill`: rehearse outages against the real keeper, and see what it does."""

import json
import logging
import signal
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Final

import click
import trio

from keeper.cli.drill_proxy import proxy_command
from keeper.cli.logs import open_logs
from keeper.cli.refusal import Refusal
from keeper.drills.model import DrillResult
from keeper.drills.page import write_report
from keeper.drills.runner import run_drills
from keeper.drills.scenario import Scenario
from keeper.drills.scenarios.catalog import SCENARIOS
from keeper.drills.summary import closing_line, result_lines, results_json, scenarios_json
from keeper.errors import AbandonedError
from programs.terminal import echo

EXIT_FAILED: Final = 1
"""At least one drill failed; all were run."""
_ALL: Final = "all"
_NAMED: Final = {scenario.name: scenario for scenario in SCENARIOS}
_EXAMPLES: Final = """\b
Examples:
  keeper drill list
  keeper drill run total-outage
  keeper drill run all --json
  keeper drill proxy --upstream https://clob.polymarket.com
  keeper drill run price-spike flapping --report report/
"""


@click.group("drill", epilog=_EXAMPLES)
def drill_group() -> None:
    """Break prices on purpose, and judge the keeper by what it does on chain."""


drill_group.add_command(proxy_command)


@drill_group.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def list_command(*, as_json: bool) -> None:
    """Name every drill and what it breaks."""
    if as_json:
        echo(json.dumps(scenarios_json(SCENARIOS)))
        return
    width = max(len(scenario.name) for scenario in SCENARIOS)
    for scenario in SCENARIOS:
        echo(f"{scenario.name:<{width}}  {scenario.title}")


@drill_group.command("run", epilog=_EXAMPLES)
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="End with one JSON object on stdout.")
@click.option(
    "--report",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write a page with the timeline and verdicts of every drill into this folder.",
)
def run_command(names: tuple[str, ...], *, as_json: bool, folder: Path | None) -> None:
    """Run drills by name, or all of them: a network, a scripted venue and the real keeper for each.

    Progress goes to stderr. Exits 0 only when every drill passed. Nothing outside this machine is asked, every port is a
    free one, and Ctrl-C ends it without leaving anything behind.
    """
    scenarios = _chosen(names)
    if folder is not None:
        make_folder(folder)
    with open_logs(sys.stderr, form="text", least=logging.CRITICAL):
        results = trio.run(partial(_run, scenarios))
    echo(json.dumps(results_json(results)) if as_json else closing_line(results))
    if folder is not None:
        echo(f"report: {write_report(results, folder)}", err=as_json)
    if not all(result.passed for result in results):
        sys.exit(EXIT_FAILED)


async def _run(scenarios: Sequence[Scenario]) -> list[DrillResult]:
    results: list[DrillResult] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_heed_signals)
        results = await run_drills(scenarios, started=_tell_start, ended=_tell_end)
        nursery.cancel_scope.cancel(reason="all drills are over")
    return results


async def _heed_signals() -> None:
    """End everything in order at the first signal: keepers, networks and venues are ours to clean up."""
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for number in signals:
            raise AbandonedError(number, "interrupted: what was running is ended, no verdicts")


def _tell_start(scenario: Scenario) -> None:
    echo(f"running {scenario.name}: {scenario.title}", err=True)


def _tell_end(result: DrillResult) -> None:
    for line in result_lines(result):
        echo(line, err=True)


def _chosen(names: Sequence[str]) -> list[Scenario]:
    """Return the scenarios of the names, in the catalog's order and each once."""
    for name in names:
        if name != _ALL and name not in _NAMED:
            near = get_close_matches(name, [*_NAMED, _ALL], n=1, cutoff=0.4)
            meant = f", did you mean {near[0]}?" if near else "."
            raise Refusal(
                f"there is no drill named {name!r}{meant} `keeper drill list` names them all"
            )
    wanted = set(_NAMED) if _ALL in names else set(names)
    return [scenario for scenario in SCENARIOS if scenario.name in wanted]


def make_folder(folder: Path) -> None:
    """Find out before the runs, and not after them, that their report has no place."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Refusal(f"{folder} cannot hold the report: {error.strerror}") from error
