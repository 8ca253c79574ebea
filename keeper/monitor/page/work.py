"""The lanes, the prices they act on, and what they landed.

Core. Details come from another process: what is not of the expected shape is left out.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from keeper.monitor.page import words
from keeper.monitor.page.blocks import Cell, Section, State, Table, Tile, above, cells
from keeper.monitor.page.history import LANES
from keeper.monitor.page.shown import Shown
from state import metrics as m

_CLASSES: Final[dict[str, State]] = {
    "valid": "good",
    "degraded": "note",
    "uncertain": "warning",
    "stale": "bad",
    "halted": "bad",
}
_FAILURES_WARNING: Final = 0
_FAILURES_BAD: Final = 4
"""Five failures in a row on every source halt a price. Source: SPEC.md section 6."""
_DUE_BAD_SLOTS: Final = 25
"""Source: SPEC.md section 6, the levels."""
_NOT_DONE_SHOWN: Final = 12


def lanes(shown: Shown) -> Section:
    """Show what is due, how old that is, and what landed."""
    due, oldest = shown.by(m.JOBS_DUE), shown.by(m.OLDEST_DUE)
    slot_s = shown.get(m.SLOT_SECONDS) or 0.4
    names = [lane for lane in LANES if lane in due] + sorted(set(due) - set(LANES))
    rows = []
    for lane in names:
        landed, queued = shown.get(m.JOBS_LANDED, lane), shown.get(m.JOBS_QUEUED, lane)
        flying, since_s = shown.get(m.JOBS_IN_FLIGHT, lane), shown.get(m.LAST_LANDED_AGE, lane)
        state = above(oldest.get(lane), _DUE_BAD_SLOTS * slot_s / 2, _DUE_BAD_SLOTS * slot_s)
        rows.append(
            (
                *cells(lane, words.count(due[lane])),
                Cell(text=words.length(oldest.get(lane)), state=state),
                *cells(words.count(queued), words.count(flying), words.count(landed)),
                *cells(words.rate(shown.history.landed_per_s(lane)), words.length(since_s)),
                *cells(
                    *(
                        words.latency(shown.history.due_to_landed(part, lane))
                        for part in (0.5, 0.99)
                    )
                ),
                *cells(_ended(shown, lane, "failed"), _ended(shown, lane, "expired")),
                *cells(words.count(shown.get(m.CU_PRICE, lane))),
            )
        )
    return Section(
        id="lanes",
        title="Lanes",
        tables=(
            Table(
                id="lanes-table",
                caption="Work by lane; latencies and rates are those of the last minute",
                columns=(
                    *("lane", "due", "oldest due", "queued", "in flight", "landed", "landed now"),
                    *("last landed", "p50", "p99", "failed", "expired", "µlamports per CU"),
                ),
                rows=rows,
                empty="no lane has told of its work yet",
            ),
            _not_done(shown),
            Table(
                id="failures",
                caption="Failed transactions by the program's reason",
                columns=("reason", "transactions"),
                rows=[
                    cells(words.plain(reason), words.count(value))
                    for reason, value in _most(shown.by(m.TRANSACTIONS_FAILED))
                ],
                empty="none failed",
                is_folded=True,
            ),
        ),
    )


def _ended(shown: Shown, lane: str, end: str) -> str:
    return words.count(shown.get(m.TRANSACTIONS, lane, end) or 0.0)


def _not_done(shown: Shown) -> Table:
    refusals = sorted(shown.of(m.REFUSALS).items(), key=lambda each: -each[1])
    return Table(
        id="refusals",
        caption="Not done, by reason",
        columns=("lane", "reason", "times"),
        rows=[
            cells(lane, words.plain(reason), words.count(value))
            for (lane, reason), value in refusals[:_NOT_DONE_SHOWN]
            if value
        ],
        empty="nothing was refused",
        is_folded=True,
    )


def prices(shown: Shown) -> Section:
    """Show how many prices are how good, from where, and the worst of them."""
    counted = shown.of(m.PRICES)
    sources = sorted({source for source, _class in counted})
    failures = shown.by(m.SOURCE_FAILURES_IN_A_ROW)
    ages = shown.by(m.PRICE_AGE)
    return Section(
        id="prices",
        title="Prices",
        tiles=[
            Tile(
                name=name,
                value=words.count(
                    sum(value for (_source, of), value in counted.items() if of == name)
                ),
                state=state
                if any(value and of == name for (_s, of), value in counted.items())
                else "",
            )
            for name, state in _CLASSES.items()
        ]
        + [
            Tile(name=f"age, {name}", value=words.length(ages.get(key)))
            for key, name in (("0.5", "half"), ("0.99", "99 of 100"), ("1", "oldest"))
        ],
        tables=(
            Table(
                id="sources",
                caption="Sources and classes",
                columns=("source", *_CLASSES, "failures in a row"),
                rows=[
                    (
                        *cells(words.plain(source)),
                        *cells(
                            *(words.count(counted.get((source, name), 0.0)) for name in _CLASSES)
                        ),
                        Cell(
                            text=words.count(failures.get(source)),
                            state=above(failures.get(source), _FAILURES_WARNING, _FAILURES_BAD),
                        ),
                    )
                    for source in sorted({*sources, *failures})
                ],
                empty="no price has been judged yet",
            ),
            Table(
                id="withheld",
                caption="Not posted now, by reason",
                columns=("reason", "markets"),
                rows=[
                    cells(words.plain(reason), words.count(value))
                    for reason, value in _most(shown.by(m.PRICES_WITHHELD))
                ],
                empty="none is withheld",
            ),
            _worst(shown),
        ),
    )


def _worst(shown: Shown) -> Table:
    return Table(
        id="worst-prices",
        caption="The worst prices",
        columns=("market", "outcome", "price", "class", "source", "age", "reason"),
        rows=[
            (
                Cell(text=_text(row, "market"), is_code=True),
                *cells(_text(row, "outcome"), words.price(row.get("price_e6"))),
                Cell(
                    text=_text(row, "price_class"),
                    state=_CLASSES.get(_text(row, "price_class"), ""),
                ),
                *cells(words.plain(_text(row, "source")), words.length(_number(row, "age_s"))),
                *cells(words.plain(_text(row, "reason"))),
            )
            for row in _rows(shown, "prices")
        ],
        empty="no price is told",
        is_folded=True,
    )


def chains(shown: Shown) -> Section:
    """Show chains and liquidations that wait."""
    stuck = shown.by(m.CHAINS_STUCK)
    return Section(
        id="chains",
        title="Liquidations and chains",
        tiles=(
            Tile(name="unhealthy positions", value=words.count(shown.get(m.LIQUIDATIONS_DUE))),
            Tile(name="chains due", value=words.count(shown.get(m.CHAINS_DUE))),
            Tile(
                name="chains stuck",
                value=words.count(sum(stuck.values())),
                state="warning" if any(stuck.values()) else "",
            ),
            *(
                Tile(name=f"positions {words.plain(verdict)}", value=words.count(value))
                for verdict, value in shown.by(m.POSITIONS).items()
            ),
        ),
        tables=(
            Table(
                id="stuck",
                caption="Chains that stand still",
                columns=("chain", "refusal", "since"),
                rows=[
                    (
                        Cell(text=_text(row, "chain"), is_code=True),
                        *cells(words.plain(_text(row, "refusal"))),
                        *cells(words.length(_number(row, "since_s"))),
                    )
                    for row in _rows(shown, "stuck_chains")
                ],
                empty="none stands still",
            ),
        ),
    )


def landed(shown: Shown) -> Section:
    """Show the newest landings, each with where to look at it."""
    return Section(
        id="landed",
        title="Newest landings",
        tables=(
            Table(
                id="landings",
                caption="`keeper decode SIGNATURE` tells what each did",
                columns=("at", "lane", "slot", "jobs", "signature"),
                rows=[
                    (
                        *cells(_at(row), _text(row, "lane"), words.count(_number(row, "slot"))),
                        *cells(words.count(_number(row, "jobs"))),
                        Cell(
                            text=_text(row, "signature"),
                            is_code=True,
                            href=link(shown.explorer_url, _text(row, "signature")),
                        ),
                    )
                    for row in _rows(shown, "landed")
                ],
                empty="nothing has landed yet",
                is_folded=True,
            ),
        ),
    )


def link(explorer_url: str | None, signature: str) -> str | None:
    """Return where a transaction can be looked at."""
    if explorer_url is None or not signature.isalnum():
        return None
    return explorer_url.replace("{signature}", signature)


def _most(values: Mapping[str, float]) -> list[tuple[str, float]]:
    return sorted(
        ((name, value) for name, value in values.items() if value), key=lambda each: -each[1]
    )


def _rows(shown: Shown, key: str) -> Iterator[Mapping[str, Any]]:
    found = shown.details(key)
    if isinstance(found, list):
        yield from (row for row in found if isinstance(row, dict))


def _text(row: Mapping[str, Any], key: str) -> str:
    found = row.get(key)
    return words.UNKNOWN if found is None else str(found)


def _number(row: Mapping[str, Any], key: str) -> float | None:
    found = row.get(key)
    return float(found) if isinstance(found, int | float) else None


def _at(row: Mapping[str, Any]) -> str:
    wall_s = _number(row, "wall_s")
    return words.UNKNOWN if wall_s is None else words.clock(wall_s)
