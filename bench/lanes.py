"""Whether a flood in one lane delays another: a sparse lane's latency alone, and beside a lane that floods.

    python -m bench.lanes [--flood 600] [--in-flight 16] [--samples 20] [--slot-ms 400]

The real landing, database and HTTP client against the local network in a process of its own, on two cores. The sparse lane
ships one transaction at a time; the flooding lane keeps its concurrency in flight, 16 as the prices lane has, until it has
landed so many. Both do the same: a transfer. What the flood adds is waiting as long as the keeper's core is not used up: that
is printed beside it.
"""

import argparse
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import structlog
import trio
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer

from bench.report.figure import Beside, Figure, tell
from keeper.execute import Kit, Shipment, job_refs, open_lane, ship, watch_blockhashes
from keeper.lane_config import LaneConfig
from keeper.newest import Newest
from keeper.tally import Tally, percentile
from programs.in_flight import InFlight, Pace
from programs.outcomes import Landed
from programs.rpc_http import open_rpc
from programs.rpc_settings import RpcSettings
from programs.submit import land
from state.attempts import Attempts
from state.store import open_store

PAUSE_SLOTS = 2.3
"""Between two samples; not whole, so that they meet every phase of a slot."""
POOR = 1 << 40
TARGET = Pubkey(bytes([1] * 32))


@dataclass
class Flood:
    """What the flooding lane did."""

    wanted: int
    begun: int = 0
    landed: int = 0
    done: trio.Event = field(default_factory=trio.Event)


@contextmanager
def network(payers, slot_ms):
    """Start the local network in another process; yield where it listens."""
    command = [sys.executable, "-m", "keeper.cli.main", "localnet", "--port", "0", "--json"]
    command += ["--no-program", "--slot-ms", str(slot_ms)]
    command += [f"--airdrop={payer.pubkey()}=1000" for payer in payers]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            yield json.loads(process.stdout.readline())["url"]
        finally:
            process.terminate()


@asynccontextmanager
async def kit_at(url, slot_ms):
    """Landing and blockhashes, as a keeper has them."""
    pace = Pace(poll_interval_s=slot_ms / 1e3, resend_interval_s=4 * slot_ms / 1e3)
    with tempfile.TemporaryDirectory() as folder:
        async with (
            open_rpc([url], RpcSettings()) as rpc,
            open_store(Path(folder) / "keeper.db") as store,
            trio.open_nursery() as landing,
        ):
            kit = Kit(
                rpc=rpc,
                attempts=Attempts(store),
                in_flight=InFlight(),
                blockhashes=Newest(),
                tally=Tally(),
                program=TARGET,
                quote_mint=TARGET,
                slot_ms=slot_ms,
            )
            await landing.start(land, rpc, kit.attempts, kit.in_flight, lambda: pace)
            genesis = str(await rpc.get_genesis_hash())
            await landing.start(watch_blockhashes, rpc, kit.blockhashes, slot_ms / 500, genesis)
            yield kit
            landing.cancel_scope.cancel()


def lane_of(kit, name, payer, concurrency):
    """A lane that may spend all it has."""
    config = LaneConfig(hourly_spend_max_lamports=POOR, daily_spend_max_lamports=POOR)
    return open_lane(kit, name, payer, config.purse(), concurrency=concurrency)


def shipment(lane, number):
    """One transfer, each of another amount."""
    job = f"{lane.name}:{number}"
    own = lane.payer.pubkey()
    send = transfer(TransferParams(from_pubkey=own, to_pubkey=own, lamports=number + 100))
    return Shipment(
        jobs=tuple(job_refs(job, [(TARGET, job)])),
        due_at_s=(),
        instructions=(send,),
        cu_limit=1_000,
        loaded_bytes=64 << 10,
    )


async def sample(lane, samples, first):
    """Ship one after the other; return how long each took, in milliseconds."""
    found = []
    for number in range(samples):
        began_s = trio.current_time()
        outcome = await ship(lane, shipment(lane, first + number))
        assert isinstance(outcome, Landed), outcome
        found.append(1e3 * (trio.current_time() - began_s))
        await trio.sleep(PAUSE_SLOTS * lane.kit.slot_s)
    return sorted(found)


async def flood(lane, flood, in_flight):
    """Keep the lane full until so many have landed."""

    async def work():
        while not flood.done.is_set():
            flood.begun += 1
            outcome = await ship(lane, shipment(lane, flood.begun))
            flood.landed += isinstance(outcome, Landed)
            if flood.landed >= flood.wanted:
                flood.done.set()

    async with trio.open_nursery() as nursery:
        for _ in range(in_flight):
            nursery.start_soon(work)


async def measure(options, payers, url):
    """Quiet first, then beside the flood; both on one keeper."""
    async with kit_at(url, options.slot_ms) as kit:
        sparse = lane_of(kit, "sparse", payers[0], 4)
        flooding = Flood(wanted=options.flood)
        await sample(sparse, 3, -3)  # connections, the first fees
        quiet = await sample(sparse, options.samples, 0)
        beside = []
        async with trio.open_nursery() as nursery:
            began_s = trio.current_time()
            busy_s = time.process_time()
            lane = lane_of(kit, "flood", payers[1], options.in_flight)
            nursery.start_soon(flood, lane, flooding, options.in_flight)
            while not flooding.done.is_set():
                beside += await sample(sparse, 10, 10_000 + len(beside))
            took_s = trio.current_time() - began_s
        busy = (time.process_time() - busy_s) / took_s
        return quiet, sorted(beside), flooding, took_s, busy


def main() -> None:
    """Print both, and the difference."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--flood", type=int, default=600)
    parser.add_argument("--in-flight", type=int, default=16)
    parser.add_argument("--samples", type=int, default=20)
    parser.add_argument("--slot-ms", type=int, default=400)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    payers = [Keypair(), Keypair()]
    with network(payers, options.slot_ms) as url:
        quiet, beside, flooding, took_s, busy = trio.run(measure, options, payers, url)
    print(
        f"flood: {flooding.landed} transactions landed in {took_s:.1f} s "
        f"({flooding.landed / took_s:.0f} a second), {options.in_flight} in flight; slots of {options.slot_ms} ms; "
        f"the keeper used {100 * busy:.0f} % of a core, load {os.getloadavg()[0]:.0f} on {os.cpu_count()}",
        file=sys.stderr,
    )
    figures = [
        Figure(
            name=f"a sparse lane beside a lane that floods, p{at} of {len(beside)}",
            unit="ms",
            runs=(percentile(beside, at),),
            limit=Beside(name=f"alone, p{at} of {len(quiet)}", value=percentile(quiet, at)),
        )
        for at in (50, 99)
    ]
    figures.append(
        Figure(
            name=f"landed by the flood, {options.in_flight} in flight",
            unit="1/s",
            runs=(flooding.landed / took_s,),
        )
    )
    tell("lanes", figures, as_json=options.json)


if __name__ == "__main__":
    main()
