"""Endpoints and processes: whether what the keeper stands on holds.

Core.
"""

from typing import Final

from keeper.monitor.page import words
from keeper.monitor.page.blocks import Cell, Section, State, Table, above, cells
from keeper.monitor.page.shown import SILENT_S, Shown
from state import metrics as m

_LAG_WARNING_SLOTS: Final = 50
"""Source: SPEC.md section 6, the levels."""
_LAG_BAD_SLOTS: Final = 150
_LOOP_WARNING_S: Final = 0.25
_LOOP_BAD_S: Final = 1.0


def endpoints(shown: Shown) -> Section:
    """Show every RPC endpoint, what it answers and how far behind it is."""
    calls, lags = shown.by(m.RPC_CALLS), shown.by(m.RPC_LAG)
    errors: dict[str, float] = {}
    for (endpoint, _kind), value in shown.of(m.RPC_ERRORS).items():
        errors[endpoint] = errors.get(endpoint, 0.0) + value
    rows = []
    for name in sorted({*calls, *lags}):
        word, state = _standing(shown, name)
        lag = lags.get(name)
        rows.append(
            (
                Cell(text=name, is_code=True),
                Cell(text=word, state=state),
                Cell(text=words.count(lag), state=above(lag, _LAG_WARNING_SLOTS, _LAG_BAD_SLOTS)),
                *cells(
                    *(
                        words.latency(shown.get(m.RPC_LATENCY, name, part))
                        for part in ("0.5", "0.99")
                    )
                ),
                *cells(words.count(calls.get(name)), words.count(errors.get(name, 0.0))),
            )
        )
    return Section(
        id="endpoints",
        title="Endpoints",
        tables=(
            Table(
                id="endpoints-table",
                caption="RPC endpoints",
                columns=("endpoint", "standing", "slots behind", "p50", "p99", "calls", "errors"),
                rows=rows,
                empty="no endpoint has been asked yet",
            ),
        ),
    )


def _standing(shown: Shown, endpoint: str) -> tuple[str, State]:
    if shown.get(m.RPC_SET_ASIDE, endpoint):
        return "not believed", "bad"
    if shown.get(m.RPC_BREAKER_OPEN, endpoint):
        return "only probed", "warning"
    return "asked", "good"


def processes(shown: Shown) -> Section:
    """Show the services, and each task of theirs that should be running."""
    return Section(
        id="processes",
        title="Processes",
        tables=(
            Table(
                id="services",
                caption="Services",
                columns=(
                    *("service", "told", "runs for", "loop lag", "CPU", "memory"),
                    *("last commit", "disk free"),
                ),
                rows=[_service(shown, name) for name in shown.samples],
                empty="no service has told anything yet",
            ),
            _tasks(shown),
        ),
    )


def _service(shown: Shown, name: str) -> tuple[Cell, ...]:
    age_s = shown.samples[name].age_s
    is_last = shown.samples[name].sample.is_last
    lag_s, uptime_s = shown.get(m.LOOP_LAG, name), shown.get(m.UPTIME, name)
    cpu_s = shown.get(m.CPU_SECONDS, name)
    cpu = cpu_s / uptime_s if cpu_s is not None and uptime_s else None
    return (
        Cell(text=name),
        Cell(text="stopped", state="note")
        if is_last
        else Cell(text=f"{words.length(age_s)} ago", state="bad" if age_s > SILENT_S else "good"),
        Cell(text=words.length(uptime_s)),
        Cell(text=words.latency(lag_s), state=above(lag_s, _LOOP_WARNING_S, _LOOP_BAD_S)),
        *cells(words.share(cpu), words.size(shown.get(m.RESIDENT_BYTES, name))),
        *cells(words.length(shown.get(m.LAST_COMMIT_AGE, name))),
        *cells(words.size(shown.get(m.DISK_FREE_BYTES, name))),
    )


def _tasks(shown: Shown) -> Table:
    running, limits = shown.of(m.TASK_RUNNING), shown.of(m.TASK_AGE_MAX)
    ages = shown.of(m.TASK_AGE)
    found: list[tuple[int, tuple[Cell, ...]]] = []
    for key in sorted({*running, *ages}):
        age_s, limit_s = ages.get(key), limits.get(key)
        word: tuple[str, State] = ("runs", "good")
        if running.get(key) == 0:
            word = ("has ended", "bad")
        elif age_s is not None and limit_s is not None and age_s > limit_s:
            word = ("stuck", "bad")
        row = (
            *cells(words.plain(key[1]), key[0]),
            Cell(text=word[0], state=word[1]),
            *cells(words.length(age_s), words.length(limit_s)),
        )
        found.append((word[1] == "good", row))
    wrong = sum(not is_good for is_good, _row in found)
    return Table(
        id="tasks",
        caption=f"Tasks: {wrong} of {len(found)} do not run as they should"
        if wrong
        else f"Tasks: all {len(found)} run",
        columns=("task", "service", "standing", "last progress", "may be"),
        rows=[row for _is_good, row in sorted(found, key=lambda each: each[0])],
        empty="no task is told",
        is_folded=not wrong,
    )
