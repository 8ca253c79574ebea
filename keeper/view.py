"""The live view of a terminal: prices and their class, work queued, landed, latency, spend.

Reads the tally and the boards a few times a second and never waits for anything but the clock.
"""

from collections.abc import Mapping
from typing import Final

import trio
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from keeper.cluster import ClusterFacts
from keeper.newest import Newest
from keeper.prices.board import PriceBoard
from keeper.prices.price import Price, PriceClass, TokenId
from keeper.snapshot import Snapshot
from keeper.tally import Tally, percentile
from keeper.watch import followed_tokens

_REFRESH_S: Final = 0.5
_PRICES_SHOWN: Final = 12
_REFUSALS_SHOWN: Final = 6
_LAMPORTS_PER_SOL: Final = 1_000_000_000
_STYLES: Final[Mapping[PriceClass, str]] = {
    PriceClass.VALID: "green",
    PriceClass.DEGRADED: "yellow",
    PriceClass.UNCERTAIN: "yellow",
    PriceClass.STALE: "red",
    PriceClass.HALTED: "bold red",
}


async def show(
    console: Console,
    facts: ClusterFacts,
    chain: Newest[Snapshot],
    board: PriceBoard,
    tally: Tally,
) -> None:
    """Redraw until cancelled.

    Args:
        console: the terminal.
        facts: the cluster's, for the title.
        chain: the newest snapshot, for the tokens followed.
        board: newest prices.
        tally: counts of this run.
    """
    started_s = trio.current_time()
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            run_s = trio.current_time() - started_s
            snapshot = chain.get()
            tokens = {} if snapshot is None else followed_tokens(snapshot)
            live.update(render(facts, tokens, board, tally, run_s), refresh=True)
            await trio.sleep(_REFRESH_S)


def render(
    facts: ClusterFacts,
    tokens: Mapping[TokenId, str],
    board: PriceBoard,
    tally: Tally,
    run_s: float,
) -> RenderableType:
    """Draw one frame."""
    title = Text.assemble(
        ("keeper ", "bold"),
        f"{facts.program}  genesis {facts.genesis_hash[:8]}  slot {tally.scan_slot}  {run_s:.0f} s",
    )
    return Group(title, _prices(tokens, board), _lanes(tally), _positions(tally), _refusals(tally))


def _prices(tokens: Mapping[TokenId, str], board: PriceBoard) -> Table:
    table = Table("market", "price", "band", "class", "source", "age", "why", title="prices")
    now_s = trio.current_time()
    prices = board.snapshot()
    # The worst first: a table that is cut off must not hide trouble.
    order = list(PriceClass)
    worst_first = sorted(tokens, key=lambda token: _rank(prices.get(token), order))
    for token in worst_first[:_PRICES_SHOWN]:
        price = prices.get(token)
        if price is None:
            why = board.why_unpriced(token)
            table.add_row(tokens[token][:40], "-", "-", "-", "-", "-", str(why or "waiting"))
            continue
        table.add_row(
            tokens[token][:40],
            f"{price.price_e6 / 1e6:.4f}",
            f"{price.band_e6 / 1e6:.4f}",
            Text(price.price_class, style=_STYLES[price.price_class]),
            price.source,
            f"{now_s - price.received_at_s:.1f} s",
            price.reason,
        )
    if len(tokens) > _PRICES_SHOWN:
        table.caption = f"{len(tokens) - _PRICES_SHOWN} more"
    return table


def _rank(price: Price | None, order: list[PriceClass]) -> int:
    return -len(order) if price is None else -order.index(price.price_class)


def _lanes(tally: Tally) -> Table:
    table = Table(
        "lane", "queued", "in flight", "landed", "failed", "expired", "jobs/tx", "p50", "p99", "spent",
        title="lanes",
    )  # fmt: skip
    lanes = {*tally.landed, *tally.failed, *tally.expired, *tally.jobs_in_flight}
    for lane in sorted(lanes):
        latencies = tally.latencies_ms([lane])
        landed = tally.landed[lane]
        table.add_row(
            lane,
            str(tally.jobs_queued[lane]),
            str(tally.jobs_in_flight[lane]),
            str(landed),
            str(tally.failed[lane]),
            str(tally.expired[lane]),
            f"{tally.jobs_landed[lane] / landed:.1f}" if landed else "-",
            _milliseconds(percentile(latencies, 50)),
            _milliseconds(percentile(latencies, 99)),
            f"{tally.fees_lamports[lane] / _LAMPORTS_PER_SOL:.6f} SOL",
        )
    return table


def _milliseconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f} ms"


def _positions(tally: Tally) -> Text:
    return Text(
        f"positions {tally.positions_now}, unhealthy {tally.liquidations_due}, "
        f"liquidated {tally.liquidations_landed}, bounty ${tally.bounty_base_units / 1e6:.2f}, "
        f"bad debt ${tally.bad_debt_base_units / 1e6:.2f}"
    )


def _refusals(tally: Tally) -> Text:
    most = tally.refusals.most_common(_REFUSALS_SHOWN)
    listed = ", ".join(f"{reason} {count}" for reason, count in most) or "none"
    return Text(f"not done: {listed}", style="dim")
