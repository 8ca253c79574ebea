"""`incentives follow`: the service that keeps the ledger."""

import json
import os
import signal
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

import click
import trio

from incentives.cli.cluster import RPC_URL_OPTION
from incentives.cli.logs import open_logs
from incentives.config import Settings, load_settings
from incentives.follow import Wishes, follow
from incentives.ledger.opened import read_ledger
from incentives.standing import standing
from incentives.telemetry import SERVICE, LedgerWatch
from programs.redaction import redaction_for
from programs.terminal import echo
from state.sample_socket import socket_path
from state.systemd import tell_systemd
from state.telling import tell_samples

_STDIN: Final = 0
_STUCK_S: Final = 60.0
"""Rounds are a second or two apart, and their calls have deadlines."""
_EXAMPLES: Final = """\b
Examples:
  incentives follow
  incentives follow --once --config mainnet.toml
  incentives follow --once --json | jq .epochs_paid
"""


@click.command("follow", epilog=_EXAMPLES)
@click.option(
    "--config",
    "config_path",
    default=Path("keeper.toml"),
    show_default=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where [cluster], [state], [payouts] and [incentives] stand.",
)
@click.option("--once", "is_once", is_flag=True, help="Read what is finalized now, and end.")
@click.option("--json", "as_json", is_flag=True, help="End with one JSON object on stdout.")
@RPC_URL_OPTION
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Instead of state.folder: where the ledger is, unless the file names it.",
)
@click.option(
    "--manifests",
    type=click.Path(file_okay=False, path_type=Path),
    help="Instead of payouts.folder: where the keeper looks for what is to be paid.",
)
@click.option(
    "--until-stdin-closes",
    is_flag=True,
    help="End with whoever holds our stdin, once what has happened by then is finalized and read.",
)
def follow_command(
    *,
    config_path: Path,
    is_once: bool,
    as_json: bool,
    rpc_urls: tuple[str, ...],
    folder: Path | None,
    manifests: Path | None,
    until_stdin_closes: bool,
) -> None:
    """Read the program's finalized events into the ledger, close epochs, and write manifests of what is owed.

    Ctrl-C or SIGTERM ends it between two commits; it goes on from there at the next start, after weeks too.
    """
    settings = load_settings(config_path)
    settings = replace(
        settings,
        rpc_urls=rpc_urls or settings.rpc_urls,
        folder=folder or settings.folder,
        manifests=manifests or settings.manifests,
    )
    open_logs(redaction_for(settings.rpc_urls))
    path = trio.run(partial(_run, settings, is_once=is_once, until_stdin_closes=until_stdin_closes))
    if as_json and path is not None:
        with closing(read_ledger(path)) as db:
            echo(json.dumps({**standing(db), "ledger": str(path)}))


async def _run(settings: Settings, *, is_once: bool, until_stdin_closes: bool) -> Path | None:
    slot_s = settings.slot_ms / 1_000
    watch = LedgerWatch(folder=settings.folder, slot_s=slot_s)
    wishes = Wishes(now_text=_now_text, is_once=is_once, finish=watch.stopping, watch=watch)
    path: Path | None = None

    async def read() -> None:
        nonlocal path
        path = await follow(settings, wishes)

    over = trio.Event()
    async with trio.open_nursery() as nursery:
        if until_stdin_closes:
            nursery.start_soon(_finish_at_end_of_stdin, wishes.finish)
        nursery.start_soon(tell_systemd, watch.ready, watch.stopping)
        async with trio.open_nursery() as telling:
            if not is_once:
                socket = socket_path(settings.folder, SERVICE)
                telling.start_soon(tell_samples, socket, watch.gather, watch.process, over)
                nursery.start_soon(watch.look)
            with trio.CancelScope() as reading:
                nursery.start_soon(_cancel_on_signal, reading)
                await watch.progress.run("reading", _STUCK_S, read)
            watch.stopping.set()
            over.set()
        nursery.cancel_scope.cancel(reason="all that was asked for is read")
    return path


def _now_text() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


async def _cancel_on_signal(scope: trio.CancelScope) -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _signal in signals:
            scope.cancel(reason="asked to stop")


async def _finish_at_end_of_stdin(finish: trio.Event) -> None:
    """Read in a thread: stdin may be a pipe, a terminal or a file, and only a read works on all of them."""
    while await trio.to_thread.run_sync(os.read, _STDIN, 4_096, abandon_on_cancel=True):
        pass
    finish.set()
