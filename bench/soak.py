"""An hour of platform life at the platform's scale, on the virtual clock: nothing grows that should not.

    python -m bench.soak [--markets 21000] [--for 3600] [--slot-ms 4000] [--seed N] [--trace] [--json]

The whole keeper and `incentives follow`, their databases in files: all markets listed, priced and posted, the busy ones
traded, lent to, liquidated and chained, rewards posted and paid. Stock is taken every quarter: memory of the process (it has
the network and the venue within, which forget what they logged before each stock taking), what the keeper's own lines have
allocated (--trace), bytes of databases, of their write-ahead logs, and of what was said. What the allocator holds and nobody
uses is given back before. The first quarter fills caches; the limits hold from its end to the last. Exits 0 only when every
limit is kept and every lane had work.
"""

import argparse
import ctypes
import gc
import logging
import random
import sys
import time
import tracemalloc
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

import structlog
import trio

from bench.life.scene import Life, live_virtually, reflected
from bench.quiet_hour import (
    HIGH_E6,
    JUMP_E6,
    LANES,
    LOW_E6,
    SETTINGS,
    STEP_E6,
    TICK_E6,
    trade,
)
from bench.report.figure import Figure, Goal, tell
from keeper.drills.model import Alarm
from keeper.monitor.view import KEEPER
from state.metrics import JOBS_LANDED

MARKETS = 21_000
FOR_S = 3_600.0
SLOT_MS = 4_000
"""Ten of a cluster's. Every market is posted anew at least every hundred slots: at 400 ms that is 525 posts a second, and an hour
of it takes two of this machine's. What grows by the slot is seen with --slot-ms 400 and fewer markets."""
EPOCH_SLOTS = 300
QUARTERS = 4
ACTIVE_MAX = 60
"""Markets with makers, positions and chains; in the others nobody has anything, and all are priced."""
MOVES_A_SECOND = 5
QUIET_ONE_IN = 5
"""Of the moves, one in so many is of a quiet market."""
JUMP_ONE_IN = 100
LOOK_INTERVAL_S = 20.0
RECORDS_KEPT = 2_000
"""Transactions that the network remembers, once the ledger of rewards has read what the founding made."""
MIB = 1 << 20
OTHERS = (
    "*/bench/*",
    "*/keeper/drills/*",
    "*/keeper/sandbox/*",
    "*/programs/localnet/*",
    "*/tracemalloc.py",
)
"""The world, and not what lives in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What may grow in the three quarters after the first, bytes."""

    rss: int = 48 * MIB
    traced: int = 4 * MIB
    wal: int = 129 * MIB
    """Folded back at 128 MiB (state/store.py): it has a size and no growth."""
    journal_per_landed: int = 1_100
    """Rows of the journal and of the ledger are kept for good: so many bytes for each landed job, three times what is seen."""
    said_per_landed: int = 130
    """Likewise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stock:
    """What there is at the end of a quarter, bytes; and what was done by then."""

    rss: int
    traced: int
    journal: int
    wal: int
    said: int
    landed: float
    by_line: dict[str, int] = field(default_factory=dict)
    """What is traced, by file and line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Soaked:
    """What was seen."""

    markets: int
    is_whole: bool
    """Long enough for work in every lane: an epoch closes, and is paid."""
    stocks: tuple[Stock, ...]
    jobs: dict[str, float]
    alarms: tuple[Alarm, ...]
    events: Counter[str]
    took_s: tuple[float, ...]
    """CPU of each quarter."""

    @property
    def grown(self) -> list[tuple[str, int]]:
        """Lines whose memory grew most after the first quarter."""
        first, last = self.stocks[0].by_line, self.stocks[-1].by_line
        found = {line: size - first.get(line, 0) for line, size in last.items()}
        return sorted(found.items(), key=lambda each: -each[1])[:5]


def soak(
    markets: int, duration_s: float, seed: int, *, slot_ms: int = SLOT_MS, is_traced: bool
) -> Soaked:
    """Live for so long, virtual seconds, and take stock."""
    settings = replace(
        SETTINGS,
        slot_ms=slot_ms,
        markets=markets,
        active_markets=min(markets, ACTIVE_MAX),
        tick_ms=86_400_000,  # the walk moves them
        wander_e6=0,
        positions_per_side=2,
        records_max=markets * 8 // 10 + RECORDS_KEPT,
        stake_usd=20_000_000,
        feed=_FRUGAL,
        keeper=MappingProxyType(
            {**SETTINGS.keeper, "posting": {"heartbeat_slots": 100}, "lanes.prices": _RICH}
        ),
    )

    async def script(life: Life) -> Soaked:
        stocks, took_s, events = [], [], Counter[str]()
        life.nursery.start_soon(_walk, life, settings.active_markets, seed)
        life.nursery.start_soon(trade, life, settings.active_markets, LOOK_INTERVAL_S)
        if is_traced:
            tracemalloc.start()
        said = 0
        for _ in range(QUARTERS):
            began_s = time.process_time()
            await trio.sleep(duration_s / QUARTERS)
            took_s.append(time.process_time() - began_s)
            said += sum(len(notice.text) for notice in life.keeper.notices)
            events.update(notice.event for notice in life.keeper.notices)
            _forget(life)
            stocks.append(_take_stock(life, said, is_traced=is_traced))
            print(_told(stocks[-1], took_s[-1]), file=sys.stderr, flush=True)
        tracemalloc.stop()
        return Soaked(
            markets=markets,
            is_whole=duration_s >= FOR_S,
            stocks=tuple(stocks),
            jobs={lane: life.monitor.figure(KEEPER, JOBS_LANDED, lane) or 0.0 for lane in LANES},
            alarms=tuple(life.monitor.alarms),
            events=events,
            took_s=tuple(took_s),
        )

    return live_virtually(settings, script, seed=seed, epoch_slots=EPOCH_SLOTS, are_files=True)


_FRUGAL = MappingProxyType({"rest_poll_interval_ms": 30_000, "gamma_poll_interval_ms": 300_000})
"""Most markets are quiet on the stream, so they are polled: 42,000 books every two seconds are more than the venue grants."""
_RICH = MappingProxyType(
    {
        "hourly_spend_max_lamports": 10_000_000_000,
        "daily_spend_max_lamports": 100_000_000_000,
    }
)
"""All markets are posted: a cap for the few with positions would be reached within the hour."""


async def _walk(life: Life, active: int, seed: int) -> None:
    """Let markets walk, the busy ones most; for ever."""
    dice = random.Random(seed)
    house = life.world.house
    count = len(house.script.markets)
    while True:
        await trio.sleep(1.0)
        for _ in range(MOVES_A_SECOND):
            number = dice.randrange(count if dice.randrange(QUIET_ONE_IN) == 0 else active)
            move_e6 = dice.gauss(0, STEP_E6)
            if dice.randrange(JUMP_ONE_IN) == 0:
                move_e6 += dice.choice((-JUMP_E6, JUMP_E6))
            at_e6 = reflected((house.script.truth_e6(number) or 0) + move_e6, LOW_E6, HIGH_E6)
            house.set_truth(number, round(at_e6 / TICK_E6) * TICK_E6)


def _forget(life: Life) -> None:
    """Let the world forget what it has logged for a judge, and all but its newest transactions."""
    house = life.world.house
    life.world.localnet.bank.ledger.keep(RECORDS_KEPT)
    house.asked.clear()
    house.script.sent.clear()
    house.script.worths.clear()
    life.keeper.notices.clear()


def _take_stock(life: Life, said: int, *, is_traced: bool) -> Stock:
    gc.collect()
    _give_back()
    by_line: dict[str, int] = {}
    if is_traced:
        filters = [tracemalloc.Filter(inclusive=False, filename_pattern=one) for one in OTHERS]
        snapshot = tracemalloc.take_snapshot().filter_traces(filters)
        for stat in snapshot.statistics("lineno"):
            frame = stat.traceback[0]
            by_line[f"{frame.filename}:{frame.lineno}"] = stat.size
    wal = _bytes(life.folder, "-wal")
    for db in (*life.stores.databases, life.follower.store.db):
        db.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return Stock(
        rss=_rss(),
        traced=sum(by_line.values()),
        journal=_bytes(life.folder, ".db"),
        wal=wal,
        said=said,
        landed=sum(life.monitor.figure(KEEPER, JOBS_LANDED, lane) or 0.0 for lane in LANES),
        by_line=by_line,
    )


def _give_back() -> None:
    """Return to the system what the allocator keeps for later: it would look like growth, and is none."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's
    if trim is not None:
        trim(0)


def _bytes(folder: Path, ending: str) -> int:
    return sum(path.stat().st_size for path in folder.rglob(f"*{ending}"))


def _rss() -> int:
    """Return what this process holds now, bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) * 1_024


def _told(stock: Stock, took_s: float) -> str:
    return (
        f"rss {stock.rss / MIB:.1f} MiB, traced {stock.traced / MIB:.2f} MiB, journal {stock.journal / MIB:.2f} MiB, "
        f"wal {stock.wal / MIB:.2f} MiB, said {stock.said / MIB:.2f} MiB, landed {stock.landed:,.0f}; {took_s:.0f} CPU s"
    )


def figures_of(found: Soaked, limits: Limits) -> Iterator[Figure]:
    """Yield what grew after the first quarter, each beside its limit."""
    first, last = found.stocks[0], found.stocks[-1]
    landed = max(1.0, last.landed - first.landed)

    def grew(name: str, unit: str, value: float, limit: float) -> Figure:
        return Figure(
            name=name, unit=unit, runs=(value,), goal=Goal(value=limit, source="bench.soak")
        )

    yield grew("memory of the process, growth", "bytes", last.rss - first.rss, limits.rss)
    yield grew(
        "traced memory of both services, growth", "bytes", last.traced - first.traced, limits.traced
    )
    yield grew(
        "write-ahead logs, largest", "bytes", max(each.wal for each in found.stocks), limits.wal
    )
    yield grew(
        "databases, growth for each landed job",
        "bytes",
        (last.journal - first.journal) / landed,
        limits.journal_per_landed,
    )
    yield grew(
        "log, growth for each landed job",
        "bytes",
        (last.said - first.said) / landed,
        limits.said_per_landed,
    )
    for lane, count in found.jobs.items():
        goal = Goal(value=1.0, is_most=False) if found.is_whole else None
        yield Figure(name=f"jobs landed, {lane}", unit="", runs=(count,), goal=goal)
    yield Figure(
        name=f"CPU of a quarter with {found.markets:,} markets", unit="s", runs=found.took_s
    )


def main(arguments: Sequence[str]) -> int:
    """Soak, and tell."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--markets", type=int, default=MARKETS)
    parser.add_argument("--for", dest="duration_s", type=float, default=FOR_S, help="virtual s")
    parser.add_argument("--slot-ms", type=int, default=SLOT_MS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--trace", action="store_true", help="by allocating line; twice as slow")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(arguments)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    found = soak(
        asked.markets, asked.duration_s, asked.seed, slot_ms=asked.slot_ms, is_traced=asked.trace
    )
    figures = list(figures_of(found, Limits()))
    tell("soak", figures, as_json=asked.json)
    for line, size in found.grown:
        print(f"grew by {size:,} bytes: {line}", file=sys.stderr)
    for alarm in found.alarms:
        print(f"{alarm.rule} {alarm.fired_s:,.0f} s: {alarm.text}", file=sys.stderr)
    print("said:", dict(found.events.most_common(12)), file=sys.stderr)
    return 1 if any(figure.is_met is False for figure in figures) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
