"""The live view of a terminal: what needs a person first, then money, lanes, prices and their class.

Reads the tally and the boards a few times a second and never waits for anything but the clock. It fills the terminal and
no more: prices give way first, the worst of them last.
"""

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import trio
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from keeper.cluster import ClusterFacts
from keeper.mirrors import Following
from keeper.newest import Newest
from keeper.price_table import CLASS_STYLES
from keeper.prices.board import PriceBoard
from keeper.prices.price import Price, PriceClass, TokenId
from keeper.snapshot import Snapshot
from keeper.tally import Tally, percentile
from state.progress import beat

_REFRESH_S: Final = 0.5
_REFUSALS_SHOWN: Final = 6
_ALARMS_SHOWN: Final = 5
"""Marks of the run and warnings together; warnings give way."""
_HALTED: Final = "platform halted: nothing is opened, no chain runs; prices and liquidations go on"
_PRICES_SHOWN_MIN: Final = 3
_ROWS_OF_FRAME: Final = 6
"""Title, positions, refusals, two table headings, and the line that the cursor stands in."""
_SCAN_LATE_S: Final = 5.0
_LAMPORTS_PER_SOL: Final = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A warning, while the view owns the terminal that would have shown it."""

    at: str
    """Local time of day."""
    level: str
    text: str

    @classmethod
    def from_entry(cls, level: str, entry: Mapping[str, Any]) -> Self:
        """Take a log entry."""
        details = " ".join(f"{key}={value}" for key, value in entry.items() if key != "event")
        at = time.strftime("%H:%M:%S")
        return cls(at=at, level=level, text=f"{entry.get('event', '')} {details}")


async def show(
    console: Console,
    facts: ClusterFacts,
    chain: Newest[Snapshot],
    following: Newest[Following],
    board: PriceBoard,
    tally: Tally,
    notices: deque[Notice],
    marks: Callable[[], Sequence[str]] = tuple,
) -> None:
    """Redraw on the terminal's second screen until cancelled; what was there before comes back.

    Args:
        console: the terminal.
        facts: the cluster's, for the title.
        chain: the newest snapshot, for its age.
        following: the tokens followed, with their names.
        board: newest prices.
        tally: counts of this run.
        notices: the newest warnings.
        marks: how this run differs from a keeper at work now, a sentence each: it sends nothing, or it drains.
    """
    started_s = scanned_s = trio.current_time()
    sequence = 0
    with Live(console=console, auto_refresh=False, screen=True) as live:
        while True:
            beat()
            now_s = trio.current_time()
            if chain.sequence > sequence:
                sequence, scanned_s = chain.sequence, now_s
            known = following.get()
            frame = render(
                facts,
                {} if known is None else known.names,
                board,
                tally,
                list(notices),
                marks(),
                run_s=now_s - started_s,
                scan_age_s=now_s - scanned_s,
                rows_max=console.size.height,
            )
            live.update(frame, refresh=True)
            await trio.sleep(_REFRESH_S)


def render(
    facts: ClusterFacts,
    tokens: Mapping[TokenId, str],
    board: PriceBoard,
    tally: Tally,
    notices: Sequence[Notice],
    marks: Sequence[str] = (),
    *,
    run_s: float,
    scan_age_s: float,
    rows_max: int,
) -> RenderableType:
    """Draw one frame of at most `rows_max` rows."""
    program = str(facts.program)
    title = Text.assemble(
        ("keeper ", "bold"),
        f"{program[:4]}…{program[-4:]} on {facts.genesis_hash[:8]}, slot {tally.scan_slot}, {run_s:.0f} s. ",
        ("Ctrl-C drains and ends.", "dim"),
    )
    alarms = [_line(each, "bold reverse") for each in marks]
    if tally.is_halted:
        alarms.append(_line(_HALTED, "bold red"))
    if scan_age_s > _SCAN_LATE_S:
        alarms.append(_line(f"no scan of the chain for {scan_age_s:.0f} s", "bold red"))
    newest = notices[-max(_ALARMS_SHOWN - len(alarms), 1) :]
    alarms += [_line(f"{each.at} {each.text}", "yellow") for each in newest]
    lanes = _lanes(tally)
    told = [*_chains(tally), *_withheld(tally)]
    rows_left = rows_max - _ROWS_OF_FRAME - len(alarms) - lanes.row_count - len(told)
    return Group(
        title,
        *alarms,
        _positions(tally),
        _refusals(tally),
        *told,
        lanes,
        _prices(tokens, board, max(rows_left, _PRICES_SHOWN_MIN)),
    )


def _line(text: str, style: str) -> Text:
    # What nodes, venues and accounts say must not steer the terminal; rich lets escapes through.
    printable = "".join(char if char.isprintable() else " " for char in text)
    return Text(printable, style=style, no_wrap=True, overflow="ellipsis")


def _table(*headings: str, gap: int) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="bold")
    for number, heading in enumerate(headings):
        table.add_column(heading, no_wrap=True, justify="left" if number == 0 else "right")
    return table


def _prices(tokens: Mapping[TokenId, str], board: PriceBoard, rows_max: int) -> Table:
    table = _table("market", "price", "band", "class", "source", "age", "why", gap=2)
    now_s = trio.current_time()
    prices = board.snapshot()
    # The worst first, and otherwise always in the same place: a table that is cut off must not hide trouble.
    order = list(PriceClass)
    worst_first = sorted(
        tokens, key=lambda token: (_rank(prices.get(token), order), _number(tokens[token]))
    )
    is_cut = len(worst_first) > rows_max
    for token in worst_first[: rows_max - is_cut]:
        price = prices.get(token)
        if price is None:
            why = board.why_unpriced(token)
            table.add_row(tokens[token][:40], "-", "-", "-", "-", "-", str(why or "waiting"))
            continue
        table.add_row(
            tokens[token][:40],
            f"{price.price_e6 / 1e6:.4f}",
            f"{price.band_e6 / 1e6:.4f}",
            Text(price.price_class, style=CLASS_STYLES[price.price_class]),
            price.source,
            f"{now_s - price.received_at_s:.1f} s",
            price.reason,
        )
    if is_cut:
        table.add_row(Text(f"{len(worst_first) - rows_max + 1} more, none worse", style="dim"))
    return table


def _rank(price: Price | None, order: list[PriceClass]) -> int:
    return -len(order) if price is None else -order.index(price.price_class)


def _number(name: str) -> tuple[int, str]:
    """Sort market 10 after market 9."""
    return len(name), name


def _lanes(tally: Tally) -> Table:
    table = _table(
        "lane",
        "queued",
        "flying",
        "landed",
        "failed",
        "expired",
        "jobs/tx",
        "p50",
        "p99",
        "SOL",
        gap=1,  # 80 columns hold it
    )
    lanes = {*tally.landed, *tally.failed, *tally.expired, *tally.jobs_in_flight}
    for lane in sorted(lanes):
        latencies = tally.latencies_ms([lane])
        landed = tally.landed[lane]
        table.add_row(
            lane,
            str(tally.jobs_queued[lane]),
            str(tally.jobs_in_flight[lane]),
            str(landed),
            Text(str(tally.failed[lane]), style="red" if tally.failed[lane] else ""),
            Text(str(tally.expired[lane]), style="red" if tally.expired[lane] else ""),
            f"{tally.jobs_landed[lane] / landed:.1f}" if landed else "-",
            _milliseconds(percentile(latencies, 50)),
            _milliseconds(percentile(latencies, 99)),
            f"{tally.fees_lamports[lane] / _LAMPORTS_PER_SOL:.5f}",
        )
    return table


def _milliseconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f} ms"


def _positions(tally: Tally) -> Text:
    return Text.assemble(
        f"positions {tally.positions_now}, ",
        (f"unhealthy {tally.liquidations_due}", "bold yellow" if tally.liquidations_due else ""),
        f", liquidated {tally.liquidations_landed}, bounty ${tally.bounty_base_units / 1e6:.2f}, "
        f"bad debt ${tally.bad_debt_base_units / 1e6:.2f}",
        no_wrap=True,
        overflow="ellipsis",
    )


def _refusals(tally: Tally) -> Text:
    most = tally.refusals.most_common(_REFUSALS_SHOWN)
    listed = ", ".join(f"{reason} {count}" for reason, count in most) or "none"
    return _line(f"not done: {listed}", "dim")


def _chains(tally: Tally) -> list[Text]:
    """Say how far chains came, once there are any; and which of them has stood still for the longest."""
    if not (tally.chains_due or tally.chain_steps_landed or tally.chains_cancelled):
        return []
    lines = [
        _line(
            f"chains due {tally.chains_due}, steps {tally.chain_steps_landed}, completed {tally.chains_completed}, "
            f"cancelled {tally.chains_cancelled}, bounty ${tally.chain_bounty_base_units / 1e6:.2f}",
            "",
        )
    ]
    if tally.stuck_chains:
        address, longest = min(
            tally.stuck_chains.items(), key=lambda item: (item[1].since_slot, item[0])
        )
        told = (
            f"stuck: {len(tally.stuck_chains)}, longest {address[:4]}…{address[-4:]} at step {longest.step} "
            f"({longest.kind}): {longest.refusal} (since slot {longest.since_slot})"
        )
        lines.append(_line(told, "yellow"))
    return lines


def _withheld(tally: Tally) -> list[Text]:
    """Say how many prices are not posted, and which of them for the longest."""
    outages = {number: each for number, each in tally.withheld.items() if not each.is_over}
    if not outages:
        return []
    number, longest = min(outages.items(), key=lambda item: (item[1].since_s, item[0]))
    outcome = "" if longest.outcome is None else f" outcome {longest.outcome}"
    return [
        _line(
            f"not posted: {len(outages)}, longest market {number}{outcome} for "
            f"{trio.current_time() - longest.since_s:.0f} s: {longest.reason} (since slot {longest.since_slot})",
            "yellow",
        )
    ]
