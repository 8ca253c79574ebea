"""`keeper sandbox`: network, venue and actors, without a keeper."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any, Final

import click
import trio

from keeper.cli.duration import Duration
from keeper.cli.logs import open_logs, stderr_form
from keeper.cli.refusal import Refusal
from keeper.errors import KeeperError
from keeper.sandbox.config import SandboxConfig
from keeper.sandbox.endpoints import SandboxEndpoints
from keeper.sandbox.process import run_sandbox
from programs.terminal import echo

KEYPAIR_NAME: Final = "keeper.json"
_DEFAULTS: Final = SandboxConfig()
_STDIN: Final = 0
_OPTIONS: Final = {
    "host": "Address to listen on.",
    "rpc_port": "Port of the network; its websocket takes the next one. 0 takes free ports.",
    "venue_port": "Port of the venue; 0 takes a free one.",
    "slot_ms": "How long a slot lasts.",
    "finality_slots": "After how many slots one is finalized.",
    "rpc_endpoints": "How many addresses the network has, each on the two ports after the last.",
    "seed": "Decides what venue and actors try; the genesis hash is new at every start.",
    "markets": "How many markets with two outcomes the venue lists.",
    "groups": "How many multi-outcome events it lists; each is one market on chain.",
    "group_outcomes": "How many outcomes each of them has.",
    "active_markets_max": "Actors trade in the first so many with two outcomes.",
    "tick_ms": "How often the venue's prices move.",
    "volatility_e6": "Standard deviation of one tick at even odds, in millionths.",
    "jump_every_ticks": "Every market jumps once in so many ticks; 0 for no jumps.",
    "jump_points_e6": "How far a jump goes, in millionths.",
    "liquidity_usd": "L of every active pool.",
    "stake_usd": "What the vault starts with.",
    "positions_per_side": "Leveraged positions kept open on each side of an active market.",
}
_EXAMPLES: Final = """\b
Examples:
  keeper sandbox
  keeper sandbox --json --rpc-port 0 --venue-port 0
  keeper sandbox --markets 1000 --active-markets-max 8 --for 60s
  keeper sandbox --groups 3 --group-outcomes 16
  keeper sandbox --replay recorded/ --seed 7
"""


def _settings(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command one option for each setting of SandboxConfig."""
    for name, text in reversed(_OPTIONS.items()):
        default = getattr(_DEFAULTS, name)
        flag = "--" + name.replace("_", "-")
        command = click.option(flag, default=default, show_default=True, help=text)(command)
    return command


@click.command("sandbox", epilog=_EXAMPLES)
@_settings
@click.option(
    "--replay",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Let the venue serve the recorded bodies of this folder.",
)
@click.option(
    "--faults",
    metavar="light|heavy|FILE",
    help="What may go wrong on the network once all is set up; see docs/localnet.md.",
)
@click.option(
    "--folder",
    default=Path("var/sandbox"),
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help=f"Where the keeper's keypair is kept, as {KEYPAIR_NAME}.",
)
@click.option(
    "--keypair",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Keypair file of the keeper, the oracle authority; made when missing.  [default: in --folder]",
)
@click.option("--for", "for_s", type=Duration(), help="End by itself after this long, e.g. 40s.")
@click.option("--until-stdin-closes", is_flag=True, help="End with whoever holds our stdin.")
@click.option("--json", "as_json", is_flag=True, help="One JSON line on stdout when ready.")
def sandbox_command(
    *,
    replay: Path | None,
    faults: str | None,
    folder: Path,
    keypair: Path | None,
    for_s: float | None,
    until_stdin_closes: bool,
    as_json: bool,
    **settings: Any,  # noqa: ANN401 - one for each setting of SandboxConfig
) -> None:
    """Run a network, a Polymarket look-alike and actors that trade, without a keeper.

    A keeper can be started, killed and started again against it. Ctrl-C ends it; the chain is not kept.
    """
    try:
        config = SandboxConfig(replay=replay, faults=faults, **settings)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    path = folder / KEYPAIR_NAME if keypair is None else keypair
    run = partial(_run, config, path, for_s, as_json=as_json, until_stdin_closes=until_stdin_closes)
    try:
        with open_logs(sys.stderr, form=stderr_form(as_json=as_json)):
            trio.run(run)
    except (KeeperError, BaseExceptionGroup) as error:
        raise Refusal("; ".join(dict.fromkeys(_sentences(error)))) from error


async def _run(
    config: SandboxConfig,
    keypair: Path,
    for_s: float | None,
    *,
    as_json: bool,
    until_stdin_closes: bool,
) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_cancel_on_signal, nursery.cancel_scope)
        if until_stdin_closes:
            nursery.start_soon(_cancel_at_end_of_stdin, nursery.cancel_scope)
        endpoints = await nursery.start(run_sandbox, config, keypair)
        echo(endpoints.to_line() if as_json else _greeting(endpoints))
        sys.stdout.flush()
        if for_s is not None:
            await trio.sleep(for_s)
            nursery.cancel_scope.cancel(reason="--for is over")


async def _cancel_on_signal(scope: trio.CancelScope) -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _signal in signals:
            scope.cancel(reason="asked to stop")


async def _cancel_at_end_of_stdin(scope: trio.CancelScope) -> None:
    """Read in a thread: stdin may be a pipe, a terminal or a file, and only a read works on all of them."""
    while await trio.to_thread.run_sync(os.read, _STDIN, 4_096, abandon_on_cancel=True):
        pass
    scope.cancel(reason="stdin was closed")


def _greeting(endpoints: SandboxEndpoints) -> str:
    lines = [
        f"{each.name.replace('_', ' '):<16}{_shown(getattr(endpoints, each.name))}"
        for each in fields(endpoints)
    ]
    return "\n".join([*lines, "Ctrl-C stops it; the chain is not kept."])


def _shown(value: object) -> str:
    return " ".join(value) if isinstance(value, tuple) else str(value)


def _sentences(error: BaseException) -> Iterator[str]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _sentences(inner)
    elif isinstance(error, KeeperError):
        yield str(error)
    else:
        raise error


if __name__ == "__main__":
    sandbox_command()
