"""`keeper run`: sandbox and keeper, or the keeper alone against a cluster."""

import json
import os
import sys
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import click
import trio
from rich.console import Console

from keeper.cli.check import CONFIG_OPTION
from keeper.cli.duration import Duration
from keeper.cli.logs import keep_notices, open_logs
from keeper.config import load_config
from keeper.errors import ReportError
from keeper.options import RunOptions
from keeper.prices.recorder import FileRecorder
from keeper.run import run
from keeper.summary import summary_lines

_EXAMPLES = """\b
Examples:
  keeper run
  keeper run --for 40s --json
  keeper run --no-sandbox --config mainnet.toml
  keeper run --for 20s --json --replay recorded/
  keeper run --for 60s --json --faults heavy
"""


@click.command("run", epilog=_EXAMPLES)
@CONFIG_OPTION
@click.option("--for", "for_s", type=Duration(), help="End by itself after this long, e.g. 40s.")
@click.option(
    "--json", "as_json", is_flag=True, help="Log to stderr, and end with one JSON object on stdout."
)
@click.option(
    "--no-sandbox",
    is_flag=True,
    help="Do not start the sandbox; use the cluster and venue of the file.",
)
@click.option(
    "--replay",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Let the sandbox venue serve the recorded bodies of this folder.",
)
@click.option(
    "--faults",
    metavar="light|heavy|FILE",
    help="Let the sandbox's network misbehave: a profile by name, or a file as docs/localnet.md describes it.",
)
@click.option(
    "--record",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Append to this file what every price source says and what is believed, one JSON object a line.",
)
def run_command(
    config_path: Path,
    for_s: float | None,
    *,
    as_json: bool,
    no_sandbox: bool,
    replay: Path | None,
    faults: str | None,
    record: Path | None,
) -> None:
    """Keep: prices in, posted on chain; positions scanned, liquidations landed, each exactly once.

    With the shipped keeper.toml this starts the sandbox (network, venue, actors) and keeps it. Ctrl-C drains what is in
    flight and exits 0; a second Ctrl-C does not wait. A terminal shows a live view, a pipe gets JSON log lines.
    """
    config = load_config(config_path)
    if no_sandbox:
        config = replace(config, sandbox=replace(config.sandbox, enabled=False))
    if replay is not None:
        config = replace(config, sandbox=replace(config.sandbox, replay=replay))
    if faults is not None and not config.sandbox.enabled:
        raise click.UsageError(
            "--faults is for the sandbox's network, and no sandbox is started: leave out --faults or --no-sandbox, "
            "or set sandbox.enabled = true"
        )
    if faults is not None:
        config = replace(config, sandbox=replace(config.sandbox, faults=faults))
    live = sys.stdout.isatty() and not as_json
    with ExitStack() as stack:
        recorder = None if record is None else stack.enter_context(closing(_open_recorder(record)))
        if live:
            notices = stack.enter_context(keep_notices())
            options = RunOptions(for_s=for_s, console=Console(), notices=notices, recorder=recorder)
        else:
            stack.enter_context(open_logs(sys.stderr if as_json else sys.stdout, form="json"))
            options = RunOptions(for_s=for_s, recorder=recorder)
        result = trio.run(partial(run, config, options))
    if as_json:
        _print(json.dumps(result))
    elif live:
        _print("\n".join(summary_lines(result)))


def _open_recorder(path: Path) -> FileRecorder:
    try:
        return FileRecorder(path)
    except OSError as error:
        raise click.BadParameter(
            f"{path} cannot be opened for writing ({error.strerror}): name a file in a folder that can be written",
            param_hint="--record",
        ) from error


def _print(text: str) -> None:
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except OSError as error:
        # What is still buffered would fail once more when the interpreter flushes it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise ReportError(
            f"the run ended in order, but its report cannot be written to stdout ({error.strerror}): "
            "its attempts are in the state database"
        ) from error
