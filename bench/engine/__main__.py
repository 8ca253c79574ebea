"""Liquidations landed per second, end to end, and how soon after they are due.

    python -m bench.engine [--json]             # both of:
    python -m bench.engine --flood [--json]     # 200 markets of 150 positions fall due at once
    python -m bench.engine --quiet [--json]     # a few become due now and then

Three processes: a local network with the real bytecode, the keeper's engine on a real database, and this one, which makes
the price fall and reads the chain's own events afterwards. Beside it, in the same run: the same liquidations ready signed
from a bare client over the same sockets, twenty in a transaction and one in each, and executed inside of the network's process.

The floor of the quiet mode: the network tells of a slot's changes at its end, so what falls due in a slot lands in the next
one at the earliest, and is confirmed once two more blocks lie on top: 1 slot to landed, and 2 slots (800 ms) from when the
keeper is told to when it can see its own transaction confirmed.
"""

import argparse
import base64
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

import trio

from bench.engine.network import TARGETS_PER_TRANSACTION
from bench.report.figure import Beside, Figure, Goal, tell
from programs.rpc_http import open_rpc
from programs.rpc_settings import RpcSettings

GOAL_PER_S: Final = 2_000
GOAL_SLOTS: Final = 3
CONFIRMED_SLOTS: Final = 2
"""Blocks on top of one after which the local network calls it confirmed."""
_STALLED_S: Final = 20.0
_BARE_MARKETS: Final = 20
_SENDERS: Final = 32
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")


class Process:
    """One of the two other processes, spoken with by lines of JSON."""

    def __init__(self, module: str, *arguments: object) -> None:
        """Start it."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def say(self, line: str) -> None:
        """Give it a line."""
        _pipe(self._process.stdin).write(line + "\n")
        _pipe(self._process.stdin).flush()

    def hear(self) -> dict[str, Any]:
        """Wait for its next line."""
        line = _pipe(self._process.stdout).readline()
        if not line:
            raise SystemExit(f"{self._process.args!r} ended with {self._process.wait()}")
        heard: dict[str, Any] = json.loads(line)
        return heard

    def ask(self, line: str) -> dict[str, Any]:
        """Give it a line and wait for what it says next."""
        self.say(line)
        return self.hear()

    def hear_until(self, key: str) -> dict[str, Any]:
        """Wait for a line with a key in it."""
        while key not in (heard := self.hear()):
            pass
        return heard

    def cpu_s(self) -> float:
        """Return the seconds of processor it has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S

    def end(self) -> None:
        """Close its input, and let go of it."""
        _pipe(self._process.stdin).close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _pipe(stream: IO[str] | None) -> IO[str]:
    assert stream is not None, "both ends are pipes"
    return stream


@contextmanager
def _stage(options: argparse.Namespace, folder: Path) -> Iterator[tuple[Process, Process]]:
    markets = options.markets + _BARE_MARKETS * 3
    sizes = ("--markets", markets, "--positions", options.positions, "--slot-ms", options.slot_ms)
    network = Process("bench.engine.network", *sizes)
    try:
        ready = network.hear()
        options.url = ready["url"]
        where = (ready["url"], ready["ws_url"], ready["program"], ready["keeper"])
        tables = ("--tables",) if options.tables else ()
        room = ("--concurrency", options.concurrency, *tables)
        more = ("--markets", markets, "--slot-ms", options.slot_ms, "--folder", folder)
        keeper = Process("bench.engine.keeper", *where, *more, *room)
        try:
            keeper.hear_until("ready")
            if options.pids:
                print(f"network {network.pid} keeper {keeper.pid}", file=sys.stderr, flush=True)
            yield network, keeper
        finally:
            keeper.end()
    finally:
        network.end()


def flood(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Let everything be due at once, and wait until the engine has landed it."""
    with _stage(options, folder) as (network, keeper):
        if options.tables:
            _wait_tables(keeper)
        before = network.cpu_s(), keeper.cpu_s(), time.monotonic()
        fall = network.ask(f"fall {options.markets}")
        _wait_landed(keeper, fall["due"])
        after = network.cpu_s(), keeper.cpu_s(), time.monotonic()
        told = network.ask("told")
        ended = _ended(keeper, {})
        bare = _bare(network, options.url)
    wall_s = after[2] - before[2]
    cpu = {name: (after[at] - before[at]) / wall_s for at, name in enumerate(("network", "keeper"))}
    return {"mode": "flood", **_judged([fall], told, ended), "cpu_share": cpu, **bare}


def quiet(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Let one market fall now and then."""
    falls = []
    with _stage(options, folder) as (network, keeper):
        before = network.cpu_s(), keeper.cpu_s(), time.monotonic()
        for number in range(options.markets):
            falls.append(network.ask("fall 1"))
            # Not in step with the slots: every phase of one is met.
            time.sleep(options.slot_ms / 1_000 * (2.0 + (number * 0.37) % 1))
        _wait_landed(keeper, sum(fall["due"] for fall in falls))
        after = network.cpu_s(), keeper.cpu_s(), time.monotonic()
        told, ended = network.ask("told"), _ended(keeper, {})
    wall_s = after[2] - before[2]
    cpu = {name: (after[at] - before[at]) / wall_s for at, name in enumerate(("network", "keeper"))}
    return {"mode": "quiet", **_judged(falls, told, ended), "cpu_share": cpu}


def _ended(keeper: Process, heard: dict[str, Any]) -> dict[str, Any]:
    if "ended" not in heard:
        keeper.say("end")
        heard = keeper.hear_until("ended")
    found: dict[str, Any] = heard["ended"]
    return found


def _wait_landed(keeper: Process, due: int) -> None:
    landed, moved_s = 0, time.monotonic()
    while landed < due:
        heard = keeper.hear_until("landed")
        if heard["landed"] > landed:
            landed, moved_s = heard["landed"], time.monotonic()
        elif time.monotonic() > moved_s + _STALLED_S:
            print(f"stalled at {landed} of {due}", file=sys.stderr)
            return


def _wait_tables(keeper: Process) -> None:
    """Wait until no table has been added for a while."""
    tables, moved_s = 0, time.monotonic()
    while time.monotonic() < moved_s + 5.0:
        heard = keeper.hear_until("tables")
        if heard["tables"] != tables:
            tables, moved_s = heard["tables"], time.monotonic()


def _judged(
    falls: Sequence[dict[str, Any]], told: dict[str, Any], ended: dict[str, Any]
) -> dict[str, Any]:
    """Read throughput and latency out of the chain's events; positions are liquidated in the order of the falls."""
    rows = [row for row in told["liquidations"] if row["positions"]]
    begun_s = {int(slot): at_s for slot, at_s in told["begun_s"].items()}
    due = [fall for fall in falls for _ in range(fall["due"])]
    landed = [row["slot"] for row in rows for _ in range(row["positions"])]
    slots = [at - fall["slot"] for at, fall in zip(landed, due, strict=False)]
    by_slot: dict[int, int] = {}
    for slot in landed:
        by_slot[slot] = by_slot.get(slot, 0) + 1
    first, last = min(landed), max(landed)
    busy_s = begun_s.get(last + 1, time.monotonic()) - begun_s[first]
    from_fall_s = begun_s.get(last + 1, time.monotonic()) - falls[0]["at_s"]
    confirmed = [
        (begun_s[at + CONFIRMED_SLOTS] - fall["at_s"]) * 1_000
        for at, fall in zip(landed, due, strict=False)
        if at + CONFIRMED_SLOTS in begun_s
    ]
    return {
        "due": len(due),
        "landed": len(landed),
        "transactions": len(rows),
        "failed_on_chain": sum(row["failed"] for row in told["liquidations"]),
        "busy_s": round(busy_s, 3),
        "slots": last - first + 1,
        "landed_per_s": round(len(landed) / busy_s),
        "landed_per_s_since_the_fall": round(len(landed) / from_fall_s),
        "transactions_per_s": round(len(rows) / busy_s, 1),
        "per_transaction": round(len(landed) / len(rows), 1),
        "due_to_landed_slots": {each: _percentile(slots, each) for each in (50, 99)},
        "due_to_confirmed_ms": {each: _percentile(confirmed, each) for each in (50, 99)},
        "seen_confirmed_ms": ended["seen_confirmed_ms"],
        "headroom_bps": ended["headroom_bps"],
        "duplicates": ended["attempts"]["duplicates"] + len(landed) - len(due[: len(landed)]),
        "attempts": {
            name: ended["attempts"][name] for name in ("attempts", "landed", "failed", "expired")
        },
        "tables": ended["tables"],
        "transactions_with_tables": sum(row["tables"] > 0 for row in rows),
        "refusals": ended["refusals"],
        "calls": sum(ended["calls"].values()),
        "landed_by_slot": [by_slot.get(slot, 0) for slot in range(first, last + 1)],
    }


def _percentile(values: Sequence[float], percent: int) -> float | None:
    if not values:
        return None
    return round(sorted(values)[max(1, math.ceil(percent * len(values) / 100)) - 1], 1)


def _bare(network: Process, url: str) -> dict[str, Any]:
    """Send liquidations that are ready signed, as fast as the sockets take them; then without sockets."""
    per_s = []
    for each in (TARGETS_PER_TRANSACTION, 1):
        ready = network.ask(f"signed {_BARE_MARKETS} {each}")
        wires = [base64.b64decode(wire) for wire in ready["wires"]]
        per_s.append(round(ready["due"] / trio.run(_send_all, url, wires)))
    inside = network.ask(f"bare {_BARE_MARKETS}")
    return {
        "bare_client_per_s": per_s[0],
        "one_action_per_transaction_per_s": per_s[1],
        "inside_the_network_per_s": round(inside["due"] / inside["elapsed_s"]),
    }


async def _send_all(url: str, wires: Sequence[bytes]) -> float:
    turns = iter(wires)

    async def send() -> None:
        for wire in turns:
            await rpc.send_transaction(wire)

    async with open_rpc([url], RpcSettings()) as rpc:
        started_s = time.perf_counter()
        async with trio.open_nursery() as nursery:
            for _ in range(_SENDERS):
                nursery.start_soon(send)
        return time.perf_counter() - started_s


def _flood_figures(found: Sequence[dict[str, Any]]) -> list[Figure]:
    return [
        Figure(
            name=f"liquidations landed end to end, {found[0]['due']:,} due at once",
            unit="1/s",
            runs=tuple(float(each["landed_per_s"]) for each in found),
            goal=Goal(value=GOAL_PER_S, is_most=False, source="issue 5"),
            baseline=Beside(
                name="one action per transaction, ready signed, over the same sockets",
                value=_median(found, "one_action_per_transaction_per_s"),
            ),
            limit=Beside(
                name=f"{TARGETS_PER_TRANSACTION} in each, ready signed, over the same sockets",
                value=_median(found, "bare_client_per_s"),
            ),
        ),
        Figure(
            name="liquidations executed inside the network's process, no sockets",
            unit="1/s",
            runs=tuple(float(each["inside_the_network_per_s"]) for each in found),
        ),
        Figure(
            name="positions liquidated in one transaction",
            unit="",
            runs=tuple(float(each["per_transaction"]) for each in found),
        ),
        *_faults("flood", found),
    ]


def _quiet_figures(found: Sequence[dict[str, Any]]) -> list[Figure]:
    slots = [each["due_to_landed_slots"] for each in found]
    return [
        Figure(
            name="due to landed on a quiet network, p99",
            unit="slots",
            runs=tuple(math.inf if each[99] is None else each[99] for each in slots),
            goal=Goal(value=GOAL_SLOTS, source="issue 5"),
            limit=Beside(name="told of a slot at its end: the next one", value=1.0),
        ),
        *_faults("quiet", found),
    ]


def _faults(mode: str, found: Sequence[dict[str, Any]]) -> list[Figure]:
    """Count what must not be: landed twice, due and not landed."""
    none = Goal(value=0.0, source="issue 5")
    twice = tuple(float(each["duplicates"]) for each in found)
    left = tuple(float(each["due"] - each["landed"]) for each in found)
    return [
        Figure(name=f"{mode}: landed twice", unit="", runs=twice, goal=none),
        Figure(name=f"{mode}: due and not landed", unit="", runs=left, goal=none),
    ]


def _median(found: Sequence[dict[str, Any]], key: str) -> float:
    return float(statistics.median(each[key] for each in found))


def _table(found: dict[str, Any]) -> str:
    return "\n".join(f"{name:28} {value}" for name, value in found.items())


def main() -> int:
    """Measure; non-zero if a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--markets", type=int)
    parser.add_argument("--positions", type=int)
    parser.add_argument("--runs", type=int, default=1, help="of the flood")
    parser.add_argument("--slot-ms", type=int, default=400)
    parser.add_argument("--concurrency", type=int, default=200)
    parser.add_argument("--tables", action="store_true", help="with lookup tables")
    parser.add_argument("--flood", action="store_true", help="only: all become due at once")
    parser.add_argument("--quiet", action="store_true", help="only: a few become due now and then")
    parser.add_argument("--pids", action="store_true", help="say whom to profile")
    parser.add_argument("--log", type=Path, help="keep the keeper's log here")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    figures = []
    if not asked.quiet:
        sizes = {"markets": asked.markets or 200, "positions": asked.positions or 150}
        found = [_measured(flood, asked, sizes) for _ in range(asked.runs)]
        figures += _flood_figures(found)
    if not asked.flood:
        sizes = {"markets": asked.markets or 40, "positions": asked.positions or 5}
        figures += _quiet_figures([_measured(quiet, asked, sizes)])
    tell("engine", figures, as_json=asked.json)
    return int(any(figure.is_met is False for figure in figures))


def _measured(
    play: Callable[[argparse.Namespace, Path], dict[str, Any]],
    asked: argparse.Namespace,
    sizes: dict[str, int],
) -> dict[str, Any]:
    """Play once, say all that was seen on stderr, and return it."""
    with tempfile.TemporaryDirectory() as folder:
        found = play(argparse.Namespace(**vars(asked) | sizes), Path(folder))
        if asked.log is not None:
            asked.log.write_bytes((Path(folder) / "keeper.log").read_bytes())
    print(_table(found), file=sys.stderr)
    return found


if __name__ == "__main__":
    sys.exit(main())
