"""`keeper run`: sandbox and keeper, or the keeper alone against a cluster."""

import json
import os
import sys
from collections.abc import Callable, Generator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import click
import trio

from keeper.cli.check import CONFIG_OPTION
from keeper.cli.duration import Duration
from keeper.cli.logs import explorer_of, keep_notices, open_logs, redaction_of, set_log_level
from keeper.cli.terminal import Terminal
from keeper.config import Config, load_config
from keeper.errors import PlatformChangedError, ReportError, UndoneError
from keeper.once import undone
from keeper.options import RunOptions
from keeper.payer_lock import no_lock
from keeper.prices.recorder import FileRecorder
from keeper.rehearsal import Rehearsal
from keeper.run import run
from keeper.shadow import Shadow, open_shadow
from keeper.summary import summary_lines
from keeper.surroundings import Surroundings, tell_nobody
from programs.plain_text import shown_page
from state.in_loop import InLoopStores

T = TypeVar("T")

_EXAMPLES = """\b
Examples:
  keeper run
  keeper run --for 40s --json
  keeper run --no-sandbox --config mainnet.toml
  keeper run --for 20s --json --replay recorded/
  keeper run --for 60s --json --faults heavy
  keeper run --no-sandbox --once
  keeper run --no-sandbox --for 10m --dry-run
  keeper run --no-sandbox --shadow shadow.jsonl
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
@click.option(
    "--once", "is_once", is_flag=True, help="One round: see all, do what is due, wait for it, end."
)
@click.option(
    "--dry-run",
    "is_dry_run",
    is_flag=True,
    help="Decide, pack, sign and simulate, but send nothing and remember nothing.",
)
@click.option(
    "--shadow",
    "shadow_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A dry run that appends to this file what it would have sent and what landed; beside a keeper at work.",
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
    is_once: bool,
    is_dry_run: bool,
    shadow_path: Path | None,
) -> None:
    """Keep: prices in, posted on chain; positions scanned, liquidations landed, each exactly once.

    With the shipped keeper.toml this starts the sandbox (network, venue, actors) and keeps it. Ctrl-C drains what is in
    flight and exits 0; a second Ctrl-C does not wait. A terminal shows a live view, a pipe gets JSON log lines.
    """
    reread = partial(_configured, config_path, no_sandbox=no_sandbox, replay=replay, faults=faults)
    config = reread()
    if faults is not None and not config.sandbox.enabled:
        raise click.UsageError(
            "--faults is for the sandbox's network, and no sandbox is started: leave out --faults or --no-sandbox, "
            "or set sandbox.enabled = true"
        )
    live = sys.stdout.isatty() and not as_json
    with ExitStack() as stack:
        recorder = (
            None
            if record is None
            else stack.enter_context(closing(_open(record, FileRecorder, "--record")))
        )
        options = RunOptions(
            path=config_path, for_s=for_s, recorder=recorder, reread=reread, is_once=is_once
        )
        if is_dry_run or shadow_path is not None:
            options = stack.enter_context(_rehearsing(options, config, shadow_path))
        if live:
            notices = stack.enter_context(keep_notices(redaction_of(config)))
            options = replace(options, console=Terminal(), notices=notices)
        else:
            stream = sys.stderr if as_json else sys.stdout
            logs = open_logs(
                stream,
                form="json",
                redaction=redaction_of(config),
                explorer_url=explorer_of(config),
            )
            stack.enter_context(logs)
            set_log_level(config.log.level)
            options = replace(options, set_log_level=set_log_level)
        result = trio.run(partial(run, config, options))
    if as_json:
        _print(json.dumps(result))
    elif live:
        _print(shown_page("\n".join(summary_lines(result))))
    if result["stopped_because"]:
        raise PlatformChangedError(result["stopped_because"])
    if is_once and (sentences := undone(result)):
        raise UndoneError(f"not all of the round could be done: {'; '.join(sentences)}")


def _configured(path: Path, *, no_sandbox: bool, replay: Path | None, faults: str | None) -> Config:
    """Read keeper.toml, and let the command line have the last word."""
    config = load_config(path)
    sandbox = config.sandbox
    if no_sandbox:
        sandbox = replace(sandbox, enabled=False)
    if replay is not None:
        sandbox = replace(sandbox, replay=replay)
    if faults is not None:
        sandbox = replace(sandbox, faults=faults)
    return replace(config, sandbox=sandbox)


@contextmanager
def _rehearsing(options: RunOptions, config: Config, path: Path | None) -> Generator[RunOptions]:
    """Let a run send nothing; it locks nothing and remembers nothing, so that it can stand beside one that works."""
    with ExitStack() as stack:
        shadow = None
        if path is not None:
            file = stack.enter_context(closing(_open(path, open_shadow, "--shadow")))
            shadow = Shadow(file, config.cluster.program_id)
        stores = stack.enter_context(closing(InLoopStores()))
        yield replace(
            options,
            rehearsal=Rehearsal(witness=shadow),
            shadow=shadow,
            surroundings=Surroundings(
                open_store=stores.open_store, hold_payers=no_lock, tell_samples=tell_nobody
            ),
        )


def _open(path: Path, opener: Callable[[Path], T], option: str) -> T:
    try:
        return opener(path)
    except OSError as error:
        raise click.BadParameter(
            f"{path} cannot be opened for writing ({error.strerror}): name a file in a folder that can be written",
            param_hint=option,
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
