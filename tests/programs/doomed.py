"""A keeper's landing in a process of its own, killed with SIGKILL at a chosen line.

Usage: python -m tests.programs.doomed URL DATABASE LINE [JOB]
"""

import os
import signal
import sys
from functools import partial
from pathlib import Path

import trio
from solders.keypair import Keypair

from programs.in_flight import InFlight, Pace
from programs.outcomes import JobRef, SignedBatch
from programs.rpc_http import open_rpc
from programs.rpc_settings import RpcSettings
from programs.settling import settle_open_attempts
from programs.submit import land, submit
from programs.transaction import Budget, compile_message, sign
from state.attempts import Attempts
from state.store import open_store
from tests.fakes import job_instruction

PACE = Pace(poll_interval_s=0.01, resend_interval_s=0.05, finality_interval_s=0.02)


class Doomed:
    """Pass every call on, and die before or after one of them."""

    def __init__(self, inner, line):
        self._inner = inner
        self._line = line

    def __getattr__(self, name):
        return partial(self._call, name)

    async def _call(self, name, *args, **options):
        self._die_at(f"before {name}")
        result = await getattr(self._inner, name)(*args, **options)
        self._die_at(f"after {name}")
        return result

    def _die_at(self, here):
        if here == self._line:
            os.kill(os.getpid(), signal.SIGKILL)


async def run(url, path, line, job):
    """Settle what is open, then land the job if a job is given; then wait until all is final."""
    async with open_store(Path(path)) as store, open_rpc([url], RpcSettings()) as real:
        rpc, attempts, in_flight = Doomed(real, line), Doomed(Attempts(store), line), InFlight()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(land, rpc, attempts, in_flight, lambda: PACE)
            settled = await settle_open_attempts(attempts, in_flight, PACE)
            if job is not None and not settled:
                await submit(attempts, in_flight, await _signed(real, job))
            await in_flight.wait_all_ended("finalized")
            nursery.cancel_scope.cancel()


async def _signed(rpc, job):
    payer = Keypair.from_seed(bytes(32))
    latest = await rpc.get_latest_blockhash("confirmed")
    budget = Budget(cu_limit=10_000, cu_price_micro_lamports=0, loaded_bytes=32 << 10)
    message = compile_message(payer.pubkey(), [job_instruction(job)], budget, latest.blockhash)
    return SignedBatch(
        lane="liquidations",
        jobs=(JobRef(job_id=job, kind="liquidate", target=job, effect="shares=1"),),
        transaction=sign(message, [payer]),
        latest=latest,
        budget=budget,
    )


if __name__ == "__main__":
    url, path, line, *job = sys.argv[1:]
    trio.run(run, url, path, line, job[0] if job else None)
