"""The start after a crash: 100_000 attempts that an earlier keeper left open, settled from a real local network.

    python -m bench.settle [--attempts 100000]

A keeper that was down for minutes after a busy day: most attempts are over long ago (three fifths landed, a tenth failed, three
tenths expired), and 700 are of its last seconds: landed and not final, never sent, or recorded as landed and then taken back
by a fork. Those must land now. Goal: all settled in 30 s, and every recorded end is the one that the chain tells. The network
is another process and shares the machine.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import structlog
import trio
from solders.signature import Signature

from bench._settle_world import FRESH, old
from bench.report.figure import Figure, Goal, tell
from programs.in_flight import InFlight, Pace
from programs.outcomes import err_text
from programs.rpc import Rpc
from programs.rpc_http import open_rpc
from programs.rpc_settings import RpcSettings
from programs.settling import settle_open_attempts
from programs.submit import land
from state.attempts import Attempts
from state.store import Store, open_store

GOAL_S = 30.0
FINAL_S = 60.0
"""For what a fork took back to land again, and for all of it to be final: work goes on meanwhile, the comparison waits."""


async def settle(url: str, path: Path) -> dict[str, Any]:
    """Settle what the database holds; return how long it took and what came of it."""
    pace, in_flight = Pace(), InFlight()
    async with open_store(path) as store, open_rpc([url], RpcSettings()) as rpc:
        attempts = Attempts(store)
        async with trio.open_nursery() as nursery:
            started_s, started_cpu_s = time.perf_counter(), time.process_time()
            await nursery.start(land, rpc, attempts, in_flight, lambda: pace)
            settled = await settle_open_attempts(attempts, in_flight, pace)
            took_s = time.perf_counter() - started_s
            cpu_s = time.process_time() - started_cpu_s
            with trio.fail_after(FINAL_S):
                await in_flight.wait_all_ended("finalized")
            nursery.cancel_scope.cancel(reason="final")
        return {
            "attempts": len(settled),
            "settled_s": round(took_s, 2),
            "cpu_s": round(cpu_s, 2),
            "cpu_share": round(cpu_s / took_s, 2),
            "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024),
            "ends": Counter(type(each.outcome).__name__.lower() for each in settled),
            "not_as_on_chain": await _count_wrong(store, rpc),
            "goal_s": GOAL_S,
        }


async def _count_wrong(store: Store, rpc: Rpc) -> int:
    """Compare every recorded end with the chain's own."""
    read = "SELECT signature, state, slot, err FROM attempt"
    rows = await store.read(lambda db: db.conn.execute(read).fetchall())
    wrong = 0
    for start in range(0, len(rows), 4_096):
        chunk = rows[start : start + 4_096]
        told = await rpc.get_settled_statuses([Signature.from_string(row[0]) for row in chunk])
        for (_, state, slot, err), status in zip(chunk, told.statuses, strict=True):
            if status is None:
                wrong += state != "expired"
            else:
                found = None if status.err is None else err_text(status.err)
                ended = "landed" if found is None else "failed"
                wrong += (state, slot, err) != (ended, status.slot, found)
    return wrong


def main() -> int:
    """Measure once."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--attempts", type=int, default=100_000)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    count = asked.attempts
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "log").open("w") as log:
        structlog.configure(
            processors=[structlog.processors.JSONRenderer()],
            logger_factory=structlog.WriteLoggerFactory(log),
            cache_logger_on_first_use=True,
        )
        path = Path(folder) / "keeper.db"
        command = [sys.executable, "-m", "bench._settle_world", str(path), str(count)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as world:
            assert world.stdout is not None
            try:
                url = json.loads(world.stdout.readline())["url"]
                found = trio.run(settle, url, path)
            finally:
                world.kill()
    wanted = old(count)
    # What a fork took back was not open: it is settled again, and compared with the chain, but not counted here.
    wanted["landed"] += FRESH["fresh"] + FRESH["unsent"]
    is_right = not found["not_as_on_chain"] and found["ends"] == wanted
    print(json.dumps({**found, "is_right": is_right}), file=sys.stderr)
    figures = [
        Figure(
            name=f"{count:,} open attempts settled at the start",
            unit="s",
            runs=(float(found["settled_s"]),),
            goal=Goal(value=GOAL_S, source="issue 5"),
        ),
        Figure(name="of it the keeper's processor", unit="s", runs=(float(found["cpu_s"]),)),
        Figure(name="memory of settling, at most", unit="MB", runs=(float(found["peak_mb"]),)),
        Figure(
            name="attempts recorded otherwise than the chain tells",
            unit="",
            runs=(float(found["not_as_on_chain"]),),
            goal=Goal(value=0.0, source="issue 5"),
        ),
    ]
    tell("settle", figures, as_json=asked.json)
    return int(not is_right or any(figure.is_met is False for figure in figures))


if __name__ == "__main__":
    sys.exit(main())
