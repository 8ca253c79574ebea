"""`keeper prices`: what every source says of every market, and what may be believed of it."""

import json
import logging
import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import click
import trio
from rich.live import Live

from keeper.cli.check import CONFIG_OPTION
from keeper.cli.duration import Duration
from keeper.cli.logs import keep_notices, open_logs, redaction_of
from keeper.cli.terminal import Terminal
from keeper.config import Config, load_config
from keeper.errors import VenueUnreachableError
from keeper.newest import Newest
from keeper.price_rows import PriceRow, count_by_class, price_row, rows_json, worst_first
from keeper.price_table import price_table
from keeper.price_watch import Names, wait_priced, watch_chain_prices, watch_venue_prices
from keeper.prices.board import PriceBoard
from keeper.prices.price import PriceClass
from keeper.report import feed_json
from programs.terminal import echo

_REFRESH_S: Final = 0.5
_FRAME_ROWS: Final = 4
"""Heading, the line of what is left out, the last line, the cursor's."""
_WIDTH_WHERE_NONE: Final = 160
"""Of a table that goes into a pipe."""
_EXAMPLES: Final = """\b
Examples:
  keeper prices
  keeper prices --class uncertain --class halted
  keeper prices --once --json
  keeper prices --venue --markets 20 --match election
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wish:
    """What the command line asked for."""

    is_once: bool
    as_json: bool
    for_s: float | None
    wait_s: float
    classes: tuple[str, ...]
    match: str | None
    is_live: bool


@click.command("prices", epilog=_EXAMPLES)
@CONFIG_OPTION
@click.option("--once", "is_once", is_flag=True, help="Print one table and end.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object; implies --once.")
@click.option("--for", "for_s", type=Duration(), help="End by itself after this long, e.g. 40s.")
@click.option(
    "--wait",
    "wait_s",
    type=Duration(),
    default="15s",
    show_default=True,
    help="With --once: how long prices may take to arrive.",
)
@click.option(
    "--venue",
    "is_venue_only",
    is_flag=True,
    help="Markets that the venue lists, without any cluster, instead of those on chain.",
)
@click.option(
    "--markets",
    "markets_max",
    type=click.IntRange(1, 21_000),
    default=50,
    show_default=True,
    help="With --venue: how many.",
)
@click.option(
    "--class",
    "classes",
    multiple=True,
    type=click.Choice([*map(str, PriceClass), "none"]),
    help="Only this class; may be repeated. none: without a price.",
)
@click.option("--match", help="Only markets whose name, or token id, has this text.")
def prices_command(
    config_path: Path,
    for_s: float | None,
    wait_s: float,
    markets_max: int,
    classes: tuple[str, ...],
    match: str | None,
    *,
    is_once: bool,
    as_json: bool,
    is_venue_only: bool,
) -> None:
    """Show every market's price by source, with age, class, band and reason: what needs a person first.

    Reads the venue and the chain as a keeper does, needs no key and sends nothing. With the shipped keeper.toml it
    attaches to a sandbox that runs in another terminal.
    """
    config = load_config(config_path)
    board, names = PriceBoard(), Newest[Names]()
    watch = (
        partial(watch_venue_prices, config, markets_max, board, names)
        if is_venue_only
        else partial(watch_chain_prices, config, board, names)
    )
    wish = _Wish(
        is_once=is_once or as_json or not sys.stdout.isatty(),
        as_json=as_json,
        for_s=for_s,
        wait_s=wait_s,
        classes=classes,
        match=match,
        is_live=sys.stdout.isatty(),
    )
    with ExitStack() as stack:
        if wish.is_once:
            stack.enter_context(open_logs(sys.stderr, form="text", least=logging.CRITICAL))
        else:
            stack.enter_context(keep_notices(redaction_of(config)))
        trio.run(_show, config, wish, watch, board, names)


async def _show(
    config: Config,
    wish: _Wish,
    watch: Callable[..., Any],
    board: PriceBoard,
    names: Newest[Names],
) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_end_on_signal, nursery.cancel_scope)
        await nursery.start(watch)
        if wish.is_once:
            await wait_priced(board, names, wish.wait_s)
            _print_once(config, wish, board, names)
        else:
            with trio.move_on_after(float("inf") if wish.for_s is None else wish.for_s):
                await _draw(wish, board, names)
        nursery.cancel_scope.cancel(reason="shown")


async def _end_on_signal(scope: trio.CancelScope) -> None:
    """End in order: there is nothing to drain."""
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            scope.cancel(reason="interrupted")


async def _draw(wish: _Wish, board: PriceBoard, names: Newest[Names]) -> None:
    console = Terminal()
    with Live(console=console, auto_refresh=False, screen=True) as live:
        while True:
            rows_max = console.size.height - _FRAME_ROWS
            live.update(price_table(_rows(wish, board, names), rows_max=rows_max), refresh=True)
            await trio.sleep(_REFRESH_S)


def _rows(wish: _Wish, board: PriceBoard, names: Newest[Names]) -> list[PriceRow]:
    now_s = trio.current_time()
    rows = [
        price_row(
            token_id,
            name,
            board.get(token_id),
            board.why_unpriced(token_id),
            board.heard(token_id),
            now_s,
        )
        for token_id, name in (names.get() or {}).items()
        if wish.match is None or wish.match.lower() in f"{name} {token_id}".lower()
    ]
    kept = [row for row in rows if not wish.classes or (row.price_class or "none") in wish.classes]
    return worst_first(kept)


def _print_once(config: Config, wish: _Wish, board: PriceBoard, names: Newest[Names]) -> None:
    everything = names.get() or {}
    priced = sum(board.get(token_id) is not None for token_id in everything)
    statistics = board.statistics()
    errors = ", ".join(f"{kind} {count}" for kind, count in sorted(statistics.errors.items()))
    if everything and not priced:
        raise VenueUnreachableError(
            f"none of {len(everything)} markets had a price within {wish.wait_s:g} s "
            f"({errors or 'no source answered'}): check [polymarket] in keeper.toml "
            f"(CLOB at {config.polymarket.clob_url}), or allow more time with --wait"
        )
    rows = _rows(wish, board, names)
    if wish.as_json:
        echo(json.dumps(rows_json(rows, feed_json(statistics))))
        return
    # A pipe has no width of its own.
    console = Terminal() if wish.is_live else Terminal(width=_WIDTH_WHERE_NONE)
    console.print(price_table(rows))
    counts = ", ".join(f"{count} {name}" for name, count in count_by_class(rows).items())
    echo(f"{len(rows)} of {len(everything)} markets: {counts or 'none shown'}", err=True)
    if errors:
        # A source that never answered has no column to be missed in.
        echo(f"calls failed: {errors}", err=True)
