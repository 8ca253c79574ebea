"""`keeper monitor`: metrics, health, status page and alerts, in a process of their own."""

import json
import os
import signal
import sys
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import click
import trio

from keeper.cli.check import CONFIG_OPTION
from keeper.cli.logs import explorer_of, open_logs, redaction_of, set_log_level, stderr_form
from keeper.cli.monitor_files import monitor_files_command
from keeper.config import Config, load_config
from keeper.errors import MonitorError
from keeper.monitor.run import Post, watch
from keeper.monitor.token import load_token
from keeper.monitor.view import INCENTIVES, KEEPER
from keeper.sandbox.past_chains import SUBFOLDER
from state.errors import StateLocked
from state.file_lock import exclusive_lock

_STDIN: Final = 0
_LOCK_RETRY_S: Final = 0.2
_EXAMPLES: Final = """\b
Examples:
  keeper monitor
  keeper monitor --config /etc/keeper/keeper.toml
  keeper monitor files install/
"""


def state_folder(config: Config) -> Path:
    """Return where the services of a configuration have their sockets."""
    folder = config.state.folder
    return folder / SUBFOLDER if config.sandbox.enabled else folder


def services_of(config: Config) -> tuple[str, ...]:
    """Return which services a configuration has."""
    has_incentives = config.incentives.get("enabled") is True
    return (KEEPER, INCENTIVES) if has_incentives else (KEEPER,)


@click.group("monitor", epilog=_EXAMPLES, invoke_without_command=True)
@click.pass_context
@CONFIG_OPTION
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Instead of state.folder: where the keeper's socket is.",
)
@click.option("--no-incentives", is_flag=True, help="Expect no figures of `incentives follow`.")
@click.option(
    "--until-stdin-closes",
    is_flag=True,
    help="End with the keeper that holds our stdin; stay for monitor.linger_s when it was killed.",
)
def monitor_command(
    context: click.Context,
    config_path: Path,
    folder: Path | None,
    *,
    no_incentives: bool,
    until_stdin_closes: bool,
) -> None:
    """Watch the keeper and `incentives follow`: /metrics, /live, /ready, /health, the status page, alerts.

    Reads what the services tell on their sockets, changes nothing, and outlives a keeper that dies. `keeper run` starts it
    by itself when monitor.enabled is true.
    """
    if context.invoked_subcommand is not None:
        return
    config = load_config(config_path)
    folder = folder or state_folder(config)
    services = (KEEPER,) if no_incentives else services_of(config)
    token = load_token(config.monitor.token_file)
    redaction = redaction_of(config, () if token is None else (token,))
    form = stderr_form(as_json=until_stdin_closes)
    # A keeper that was killed reads our log no more: that is what we stay for.
    ends_with_reader = not until_stdin_closes
    with open_logs(sys.stderr, form=form, redaction=redaction, ends_with_reader=ends_with_reader):
        set_log_level(config.log.level)
        post = Post(
            config=config.monitor,
            folder=folder,
            services=services,
            slot_s=config.cluster.slot_ms / 1_000,
            token=token,
            explorer_url=explorer_of(config),
        )
        trio.run(partial(_run, post, is_child=until_stdin_closes))


monitor_command.add_command(monitor_files_command)


async def _run(post: Post, *, is_child: bool) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_end_on_signal, nursery.cancel_scope)
        if is_child:
            gone = trio.Event()
            nursery.start_soon(_note_end_of_stdin, gone)
            post = replace(post, keeper_gone=gone, opened=_say_url)
        with ExitStack() as lock:
            if await _hold_alone(post, lock):
                await watch(post)
        nursery.cancel_scope.cancel(reason="over")


async def _hold_alone(post: Post, lock: ExitStack) -> bool:
    """Become the only monitor of this folder: two would tell everything twice. False: there is nobody left to watch."""
    while post.keeper_gone is None or not post.keeper_gone.is_set():
        try:
            lock.enter_context(exclusive_lock(post.folder / "monitor"))
        except StateLocked as error:
            if post.keeper_gone is None:
                raise MonitorError(
                    f"another monitor watches {post.folder} (its process stands in monitor.lock there): "
                    "stop that one first, or start the keeper with monitor.enabled = false"
                ) from error
        else:
            return True
        await trio.sleep(_LOCK_RETRY_S)
    return False


async def _end_on_signal(scope: trio.CancelScope) -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _signal in signals:
            scope.cancel(reason="asked to stop")


async def _note_end_of_stdin(gone: trio.Event) -> None:
    """Read in a thread: stdin may be a pipe, a terminal or a file, and only a read works on all of them."""
    while await trio.to_thread.run_sync(os.read, _STDIN, 4_096, abandon_on_cancel=True):
        pass
    gone.set()


def _say_url(url: str) -> None:
    try:
        sys.stdout.write(json.dumps({"url": url}) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        pass  # the keeper has gone: we are here to say so, elsewhere
