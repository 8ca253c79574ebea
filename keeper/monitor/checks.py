"""Health: is there progress? A check is a function with a name and a deadline over what is known at one moment.

Core. `/live` asks whether the keeper's loop turns, `/ready` whether every check passes. Deadlines of the chain's pace are
counted in its slots, so that they mean the same at 100 ms and at 400 ms. A figure that should be there and is not is no
health: a check that knows nothing fails, and says what is missing.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from keeper.monitor.view import KEEPER, SILENT_S, View
from state import metrics as m
from state.metrics import Metric

OLDEST_DUE_SLOTS: Final = 25
"""Source: SPEC section 6, oldest due work."""
RPC_LAG_SLOTS: Final = 50
"""Source: SPEC section 6, RPC behind."""
LIFE_SLOTS: Final = 150
"""A price's life, and a blockhash's: what was signed before this has ended, and its end is written down."""
SCAN_SLOTS: Final = 750
"""Scans are rarer while every change is told; after this one is missing."""
SLOT_SECONDS: Final = 0.4
"""Until the keeper says how long its cluster's slots are."""
LOOP_LAG_MAX_S: Final = 1.0
PAYER_LAMPORTS_MIN: Final = 1_000_000
"""Two hundred signatures."""
DISK_FREE_BYTES_MIN: Final = 256 * 1024 * 1024
LANES: Final = ("prices", "liquidations", "chains", "payouts")
_NAMED_MAX: Final = 5
"""Culprits that a sentence names."""

Look = Callable[[View, float], Iterable[str]]
"""Says what is wrong, a few words for each thing; nothing when all is well. Its second argument is the deadline, seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One question about progress."""

    name: str
    look: Look
    well: str
    """What to say when nothing is wrong."""
    deadline_s: float | None = None
    """How long there may be no progress."""
    deadline_slots: int | None = None
    """The same, of what goes at the chain's pace."""

    def seconds(self, view: View) -> float:
        """Return the deadline at the pace of the chain; 0 where the check is not of time."""
        if self.deadline_slots is not None:
            return self.deadline_slots * _slot_s(view)
        return self.deadline_s or 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a check found."""

    name: str
    passed: bool
    words: str
    """One sentence."""
    deadline_s: float


def _slot_s(view: View) -> float:
    return view.get(m.SLOT_SECONDS) or SLOT_SECONDS


def _figures(view: View, deadline_s: float) -> Iterator[str]:
    for service in view.services:
        seen = view.samples.get(service)
        if seen is None:
            yield f"{service} has told nothing yet"
        elif seen.sample.is_last:
            yield f"{service} said that it stops"
        elif seen.age_s > deadline_s:
            yield f"{service} has been silent for {seen.age_s:.1f} s, at most {deadline_s:g} s"


def _tasks(view: View, _deadline_s: float) -> Iterator[str]:
    for (service, task), is_running in view.of(m.TASK_RUNNING):
        age_s = view.get(m.TASK_AGE, service, task)
        age_max_s = view.get(m.TASK_AGE_MAX, service, task)
        if not is_running:
            yield f"{service}'s task {task} has ended"
        elif age_s is not None and age_max_s is not None and age_s > age_max_s:
            yield f"{service}'s task {task} has not moved for {age_s:.1f} s, at most {age_max_s:g} s"


def _draining(view: View, _deadline_s: float) -> Iterator[str]:
    for (service,), is_draining in view.of(m.IS_DRAINING):
        if is_draining:
            yield f"{service} was told to stop and drains"


def _loop(view: View, deadline_s: float) -> Iterator[str]:
    for (service,), lag_s in view.of(m.LOOP_LAG):
        if lag_s > deadline_s:
            yield f"{service}'s event loop was {lag_s:.2f} s late, at most {deadline_s:g} s"


def _oldest_due(view: View, deadline_s: float) -> Iterator[str]:
    for (lane,), age_s in view.of(m.OLDEST_DUE):
        if age_s > deadline_s:
            yield f"the oldest job of {lane} has been due for {age_s:.1f} s, at most {deadline_s:g} s"


def _stalls(view: View, deadline_s: float) -> Iterator[str]:
    """A lane that has work for longer than a transaction can live, and lands nothing."""
    for (lane,), age_s in view.of(m.LAST_LANDED_AGE):
        oldest_s = view.get(m.OLDEST_DUE, lane) or 0.0
        if oldest_s > deadline_s and age_s > deadline_s:
            yield f"{lane} has work and has landed nothing for {age_s:.1f} s, at most {deadline_s:g} s"


def _prices(view: View, deadline_s: float) -> Iterator[str]:
    if not sum(count for _labels, count in view.of(m.PRICES)):
        yield "no price is known"
        return
    median_s = view.get(m.PRICE_AGE, "0.5")
    if median_s is None:
        yield "nothing says how old prices are"
    elif median_s > deadline_s:
        yield f"half of the prices are {median_s:.1f} s old or older, at most {deadline_s:g} s"


def _scan(view: View, deadline_s: float) -> Iterator[str]:
    yield from _age(view, m.LAST_SCAN_AGE, deadline_s, "the program has not been scanned")


def _slots(view: View, deadline_s: float) -> Iterator[str]:
    yield from _age(view, m.SLOT_AGE, deadline_s, "the platform has not been seen to move")


def _age(view: View, metric: Metric, deadline_s: float, words: str) -> Iterator[str]:
    age_s = view.get(metric)
    if age_s is None:
        yield f"{words} yet"
    elif age_s > deadline_s:
        yield f"{words} for {age_s:.1f} s, at most {deadline_s:g} s"


def _commits(view: View, deadline_s: float) -> Iterator[str]:
    """With transactions open something is written down before their blockhash is over: at the latest that it is."""
    age_s = view.get(m.LAST_COMMIT_AGE, KEEPER)
    if view.get(m.TRANSACTIONS_OPEN) and age_s is not None and age_s > deadline_s:
        yield f"transactions are open, and nothing has been committed for {age_s:.1f} s, at most {deadline_s:g} s"


def _rpc(view: View, _deadline_s: float) -> Iterator[str]:
    endpoints = {labels[0] for labels, _calls in view.of(m.RPC_CALLS)}
    troubles = {endpoint: _trouble(view, endpoint) for endpoint in sorted(endpoints)}
    if not troubles:
        yield "no endpoint has been asked"
    elif all(troubles.values()):
        yield from (f"{endpoint} {trouble}" for endpoint, trouble in troubles.items())


def _trouble(view: View, endpoint: str) -> str | None:
    if view.get(m.RPC_BREAKER_OPEN, endpoint):
        return "does not answer"
    if view.get(m.RPC_SET_ASIDE, endpoint):
        return "is not believed"
    lag = view.get(m.RPC_LAG, endpoint)
    if lag is not None and lag > RPC_LAG_SLOTS:
        return f"is {lag:.0f} slots behind"
    return None


def _program(view: View, _deadline_s: float) -> Iterator[str]:
    if view.get(m.HAS_CHANGED):
        yield "the program or its configuration on chain is not that of the start"


def _payers(view: View, _deadline_s: float) -> Iterator[str]:
    for (payer,), lamports in view.of(m.PAYER_LAMPORTS):
        if lamports < PAYER_LAMPORTS_MIN:
            yield f"payer {payer} has {lamports:.0f} lamports"


def _disk(view: View, _deadline_s: float) -> Iterator[str]:
    for (service,), free in view.of(m.DISK_FREE_BYTES):
        if free < DISK_FREE_BYTES_MIN:
            yield f"{service}'s disk has {free / 1024 / 1024:.0f} MiB left"


CHECKS: Final = (
    Check(
        name="figures", look=_figures, deadline_s=SILENT_S, well="every service tells its figures"
    ),
    Check(name="tasks", look=_tasks, well="every task runs and moves"),
    Check(name="draining", look=_draining, well="nothing was told to stop"),
    Check(name="event_loop", look=_loop, deadline_s=LOOP_LAG_MAX_S, well="event loops turn"),
    Check(
        name="oldest_due",
        look=_oldest_due,
        deadline_slots=OLDEST_DUE_SLOTS,
        well="no job has been due for long",
    ),
    Check(name="lanes", look=_stalls, deadline_slots=LIFE_SLOTS, well="every lane with work lands"),
    Check(name="prices", look=_prices, deadline_slots=LIFE_SLOTS, well="prices are fresh"),
    Check(name="scan", look=_scan, deadline_slots=SCAN_SLOTS, well="the program is scanned"),
    Check(
        name="slots", look=_slots, deadline_slots=LIFE_SLOTS, well="the platform is seen to move"
    ),
    Check(
        name="commits",
        look=_commits,
        deadline_slots=LIFE_SLOTS,
        well="what is open is written down",
    ),
    Check(name="rpc", look=_rpc, well="an endpoint answers and keeps up"),
    Check(name="program", look=_program, well="program and configuration are those of the start"),
    Check(name="payers", look=_payers, well="every payer can pay"),
    Check(name="disk", look=_disk, well="there is room on disk"),
)
"""All of them have to pass for `/ready`."""


def look_at(view: View, checks: Iterable[Check] = CHECKS) -> tuple[Checked, ...]:
    """Ask every question about one moment."""
    return tuple(_look(check, view) for check in checks)


def _look(check: Check, view: View) -> Checked:
    deadline_s = check.seconds(view)
    found = list(check.look(view, deadline_s))
    shown = "; ".join(found[:_NAMED_MAX])
    more = f"; and {len(found) - _NAMED_MAX} more" if len(found) > _NAMED_MAX else ""
    return Checked(
        name=check.name,
        passed=not found,
        words=f"{shown}{more}" if found else check.well,
        deadline_s=deadline_s,
    )


def why_dead(view: View) -> str | None:
    """Say why the keeper does not live; None while its loop turns."""
    seen = view.samples.get(KEEPER)
    if seen is None:
        return "the keeper has told nothing since the monitor began"
    if seen.sample.is_last:
        return f"the keeper ended in order {seen.age_s:.1f} s ago"
    if seen.age_s > SILENT_S:
        return f"the keeper has told nothing for {seen.age_s:.1f} s, at most {SILENT_S:g} s: it was killed, or its event loop hangs"
    return None


def health(view: View, checked: Iterable[Checked]) -> dict[str, Any]:
    """Return all that is known about health, as JSON types."""
    found = tuple(checked)
    dead = why_dead(view)
    return {
        "is_live": dead is None,
        "is_ready": all(each.passed for each in found),
        "why_dead": dead,
        "wall_s": round(view.wall_s, 3),
        "services": {
            service: {
                "age_s": None if seen is None else round(seen.age_s, 3),
                "is_last": seen is not None and seen.sample.is_last,
                "sequence": None if seen is None else seen.sample.sequence,
            }
            for service in view.services
            for seen in (view.samples.get(service),)
        },
        "checks": [
            {
                "name": each.name,
                "passed": each.passed,
                "words": each.words,
                "deadline_s": each.deadline_s,
            }
            for each in found
        ],
    }
