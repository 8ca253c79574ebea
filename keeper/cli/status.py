"""`keeper status`: is it well, and what has a person to know now."""

import json
import signal
import sys
from pathlib import Path
from typing import Any, Final

import click
import trio
from rich.live import Live

from keeper.cli.check import CONFIG_OPTION
from keeper.cli.monitor import services_of, state_folder
from keeper.cli.terminal import Terminal
from keeper.config import load_config
from keeper.monitor.asking import ask_health
from keeper.monitor.config import MonitorConfig
from keeper.monitor.health_page import health_page
from keeper.monitor.token import load_token
from keeper.monitor.view import KEEPER
from programs.terminal import echo

_REFRESH_S: Final = 1.0
_WIDTH_WHERE_NONE: Final = 160
"""Of a table that goes into a pipe."""
_NOT_READY: Final = 1
_EXAMPLES: Final = """\b
Examples:
  keeper status
  keeper status --watch
  keeper status --json | jq '.checks[] | select(.passed | not)'
  keeper status >/dev/null && echo ready
"""


@click.command("status", epilog=_EXAMPLES)
@CONFIG_OPTION
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--watch", "is_watch", is_flag=True, help="Go on showing it, until Ctrl-C.")
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Instead of state.folder: where the keeper's socket is.",
)
@click.option("--no-incentives", is_flag=True, help="Expect no figures of `incentives follow`.")
def status_command(
    config_path: Path,
    folder: Path | None,
    *,
    as_json: bool,
    is_watch: bool,
    no_incentives: bool,
) -> None:
    """Show whether the keeper is live and ready, every check, and every alert that fires.

    Asks the monitor; where none runs, listens to the services themselves. Exits 0 when ready, 1 when not.
    """
    if is_watch and as_json:
        raise click.UsageError("--watch shows a table and --json prints one object: choose one")
    config = load_config(config_path)
    services = (KEEPER,) if no_incentives else services_of(config)
    token = load_token(config.monitor.token_file)
    where = (config.monitor, folder or state_folder(config), services, token)
    found: dict[str, Any] = trio.run(_watch if is_watch else ask_health, *where)
    if as_json:
        echo(json.dumps(found))
    elif not is_watch:
        console = Terminal() if sys.stdout.isatty() else Terminal(width=_WIDTH_WHERE_NONE)
        console.print(health_page(found))
    if not found["is_ready"]:
        sys.exit(_NOT_READY)


async def _watch(
    config: MonitorConfig, folder: Path, services: tuple[str, ...], token: str | None
) -> dict[str, Any]:
    """Show it until interrupted; return what was shown last."""
    found = await ask_health(config, folder, services, token)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_end_on_signal, nursery.cancel_scope)
        with Live(
            health_page(found), console=Terminal(), auto_refresh=False, screen=sys.stdout.isatty()
        ) as live:
            while True:
                live.update(health_page(found), refresh=True)
                await trio.sleep(_REFRESH_S)
                found = await ask_health(config, folder, services, token)
    return found


async def _end_on_signal(scope: trio.CancelScope) -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _signal in signals:
            scope.cancel(reason="interrupted")
            return
