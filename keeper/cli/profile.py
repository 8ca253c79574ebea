"""`keeper profile`: what every instruction costs."""

import json
from hashlib import sha256
from typing import Final

import click

from keeper.cli.refusal import Refusal
from keeper.profile.capacity import positions_per_tx, shared_accounts_written
from keeper.profile.latency import latencies
from keeper.profile.measure import (
    ProfilingBuild,
    build_for_profiling,
    committed_code,
    measure,
)
from keeper.profile.report import Profile, as_json, tables
from keeper.profile.table import CASES
from keeper.profile.world import ProfileError
from programs.betting_platform.build import CompileError
from programs.terminal import echo

_LATENCY_RUNS_PER_RUN: Final = 5
_EXAMPLES: Final = """\b
Examples:
  keeper profile
  keeper profile open_position execute_chain --sections
  keeper profile --json --runs 200
"""


@click.command("profile", epilog=_EXAMPLES)
@click.argument("names", metavar="[NAME]...", nargs=-1, type=click.Choice(list(CASES)))
@click.option(
    "--runs",
    default=120,
    show_default=True,
    type=click.IntRange(1, 100_000),
    help="Calls measured of each instruction, worst cases among them.",
)
@click.option(
    "--sections", "with_sections", is_flag=True, help="Print compute units by section of the code."
)
@click.option("--json", "as_object", is_flag=True, help="Print one JSON object.")
def profile_command(
    names: tuple[str, ...], runs: int, *, with_sections: bool, as_object: bool
) -> None:
    """Measure instructions of the committed program in a real SVM, in this process.

    For each: compute units over worst and typical cases, accounts, bytes, and the section of the code that takes most,
    from a second build of the same source that logs marks. Beside them: how many positions one transaction liquidates,
    what was aimed at, and how long the steps off the chain take.
    """
    try:
        profile = _measured(names or tuple(CASES), runs, has_latencies=not names)
    except ProfileError as error:
        raise Refusal(str(error)) from error
    if with_sections and profile.without_sections:
        raise Refusal(profile.without_sections)
    if as_object:
        echo(json.dumps(as_json(profile)))
    else:
        echo("\n".join(tables(profile, with_sections=with_sections)))


def _measured(names: tuple[str, ...], runs: int, *, has_latencies: bool) -> Profile:
    code = committed_code()
    profiling, reason = _profiling_build()
    return Profile(
        program_bytes=len(code),
        program_sha256=sha256(code).hexdigest(),
        instructions={
            name: measure(name, CASES[name], runs, code, profiling)
            for name in CASES
            if name in names
        },
        positions_per_tx=positions_per_tx(code) if "liquidate" in names else {},
        shared_accounts_written=shared_accounts_written(code) if "open_position" in names else None,
        latencies=latencies(runs * _LATENCY_RUNS_PER_RUN) if has_latencies else {},
        without_sections=reason,
    )


def _profiling_build() -> tuple[ProfilingBuild | None, str]:
    """The build with marks, or why there is none."""
    try:
        return build_for_profiling(), ""
    except (ProfileError, CompileError) as error:
        return None, str(error)
