"""Ten thousand rewards posted, paid and finalized, and what each of them costs.

    python -m bench.payouts [--wallets 10000] [--without 200] [--slot-ms 400] [--finality 31]

The keeper's payouts lane, with its database on disk, against a local network in another process that has the slots and the
finality of a real cluster. The clock runs from the lane's start, before the root is on chain, to the slot in which the last
leaf is finalized. Goal: 60 s for wallets that have token accounts. A second, smaller root is of wallets that have none: what
opening theirs costs.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import structlog
import trio
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from bench._reward_world import PROGRAM
from bench.report.figure import Beside, Figure, Goal, tell
from keeper.execute import Kit, open_lane, watch_blockhashes
from keeper.lane_config import LaneConfig
from keeper.newest import Newest
from keeper.pay import PayRules, pay_due_rewards
from keeper.post_roots import Posting
from keeper.tally import Tally
from programs.accounts import Epoch, Global
from programs.addresses import epoch_address, global_address
from programs.in_flight import InFlight, Pace
from programs.rpc import Rpc
from programs.rpc_http import open_rpc
from programs.rpc_settings import RpcSettings
from programs.submit import land
from state.attempts import Attempts
from state.store import open_store

GOAL_S: Final = 60.0
_PATIENCE_S: Final = 280.0
_CAP: Final = 10**12
_LOOK_S: Final = 0.2
_BY_KIND: Final = """
SELECT kind, count(*), sum(rent_lamports) FROM (
    SELECT DISTINCT attempt.id, kind, rent_lamports
    FROM attempt JOIN attempt_job ON attempt_id = attempt.id WHERE state = 'landed'
) GROUP BY kind
"""
"""One that opens accounts and pays other wallets counts as both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid:
    """One run of the lane."""

    wallets: int
    with_account: int
    posted_s: float
    confirmed_s: float
    finalized_s: float
    keeper_cpu_s: float
    transactions: int
    failed: int
    expired: int
    leaves_per_payment: float
    fees_lamports: int
    accounts_rent_lamports: int
    root_rent_lamports: int
    """Of the root's own account: once for all of them."""

    @property
    def lamports_per_recipient(self) -> float:
        """Fees and token accounts; the root's account apart."""
        return round((self.fees_lamports + self.accounts_rent_lamports) / self.wallets, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Paying:
    """A payouts lane at work."""

    rpc: Rpc
    kit: Kit
    mint: Pubkey
    """Of MMT."""


@asynccontextmanager
async def paying(
    url: str,
    payer: Keypair,
    folder: Path,
    *,
    slot_s: float,
    concurrency: int,
    creates: bool,
    interval_s: float,
) -> AsyncGenerator[Paying]:
    """Post and pay the roots of `folder`/payouts until the block ends.

    Args:
        url: of the network.
        payer: its faucet, which is every authority.
        folder: for the database too.
        slot_s: length of a slot.
        concurrency: transactions in flight.
        creates: whether token accounts are opened.
        interval_s: between two rounds while nothing lands.
    """
    async with (
        open_rpc([url], RpcSettings()) as rpc,
        open_store(folder / "keeper.db") as store,
        trio.open_nursery() as nursery,
    ):
        genesis = await rpc.get_account(global_address(PROGRAM)[0], "confirmed")
        assert genesis is not None, "founded before the keeper may start"
        parameters = Global.from_bytes(genesis.data)
        kit = Kit(
            rpc=rpc,
            attempts=Attempts(store),
            in_flight=InFlight(),
            blockhashes=Newest(),
            tally=Tally(),
            program=PROGRAM,
            quote_mint=parameters.quote_mint,
            slot_ms=round(slot_s * 1_000),
        )
        pace = Pace(poll_interval_s=slot_s / 4, resend_interval_s=4 * slot_s)
        await nursery.start(land, rpc, kit.attempts, kit.in_flight, lambda: pace)
        hash_ = str(await rpc.get_genesis_hash())
        await nursery.start(watch_blockhashes, rpc, kit.blockhashes, 2 * slot_s, hash_)
        config = LaneConfig(
            concurrency=concurrency,
            hourly_spend_max_lamports=_CAP,
            daily_spend_max_lamports=_CAP,
        )
        lane = open_lane(kit, "payouts", payer, config.purse(), concurrency=concurrency)
        posting = Posting(lane=lane, incentives_authority=parameters.incentives_authority)
        rules = PayRules(
            folder=folder / "payouts", creates_token_accounts=creates, interval_s=interval_s
        )
        pay = partial(pay_due_rewards, posting=posting, genesis_hash=hash_)
        nursery.start_soon(pay, lane, rules, parameters.mmt_mint, trio.Event())
        yield Paying(rpc=rpc, kit=kit, mint=parameters.mmt_mint)
        nursery.cancel_scope.cancel(reason="all is paid")


async def pay_all(url: str, payer: Keypair, folder: Path, asked: argparse.Namespace) -> Paid:
    """Post and pay the one root of the folder."""
    slot_s = asked.slot_ms / 1_000
    work = paying(
        url,
        payer,
        folder,
        slot_s=slot_s,
        concurrency=asked.concurrency,
        creates=True,
        interval_s=25 * slot_s,
    )
    async with work as lane:
        started_s, started_cpu_s = time.perf_counter(), time.process_time()
        with trio.fail_after(_PATIENCE_S):
            posted_s = await _until_paid(lane.rpc, 0, started_s)
            confirmed_s = await _until_paid(lane.rpc, asked.wallets, started_s)
            cpu_s = time.process_time() - started_cpu_s
            finalized_s = await _until_paid(lane.rpc, asked.wallets, started_s, "finalized")
            await lane.kit.in_flight.wait_all_ended("finalized")
    return await _sum_up(
        folder,
        lane.kit,
        asked,
        posted_s=posted_s,
        confirmed_s=confirmed_s,
        finalized_s=finalized_s,
        cpu_s=cpu_s,
    )


async def _until_paid(
    rpc: Rpc, count: int, started_s: float, commitment: Any = "confirmed"
) -> float:
    address = epoch_address(PROGRAM, 0, 0)[0]
    while True:
        account = await rpc.get_account(address, commitment)
        if account is not None and Epoch.from_bytes(account.data).paid_count >= count:
            return round(time.perf_counter() - started_s, 2)
        await trio.sleep(_LOOK_S)


async def _sum_up(
    folder: Path, kit: Kit, asked: argparse.Namespace, *, cpu_s: float, **times: float
) -> Paid:
    async with open_store(folder / "keeper.db") as store:
        summary = await Attempts(store).summary()
        by_kind = await store.read(lambda db: db.conn.execute(_BY_KIND).fetchall())
    transactions = {kind: count for kind, count, _ in by_kind}
    rents = {kind: rent for kind, _, rent in by_kind}
    return Paid(
        wallets=asked.wallets,
        with_account=asked.wallets - asked.without,
        keeper_cpu_s=round(cpu_s, 1),
        transactions=summary.landed,
        failed=summary.failed,
        expired=summary.expired,
        leaves_per_payment=round(kit.tally.rewards_paid / transactions["pay"], 2),
        fees_lamports=summary.fees_lamports,
        accounts_rent_lamports=rents.get("create_token_account", 0),
        root_rent_lamports=rents.get("post_root", 0),
        **times,
    )


def run(asked: argparse.Namespace) -> Paid:
    """Start the network, pay, and end it."""
    with tempfile.TemporaryDirectory() as name, (Path(name) / "log").open("w") as log:
        folder = Path(name)
        structlog.configure(
            processors=[structlog.processors.JSONRenderer()],
            logger_factory=structlog.WriteLoggerFactory(log),
        )
        numbers = (asked.wallets, asked.without, asked.slot_ms, asked.finality)
        command = [sys.executable, "-m", "bench._reward_world", str(folder / "payouts")]
        command += map(str, numbers)
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as world:
            assert world.stdout is not None, "as asked for"
            try:
                told = json.loads(world.stdout.readline())
                payer = Keypair.from_bytes(bytes(told["payer"]))
                return trio.run(pay_all, told["url"], payer, folder, asked)
            finally:
                world.kill()


def main() -> int:
    """Measure both roots; non-zero if the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--wallets", type=int, default=10_000, help="that have token accounts")
    parser.add_argument("--without", type=int, default=200, help="wallets of the second root")
    parser.add_argument("--slot-ms", type=int, default=400)
    parser.add_argument("--finality", type=int, default=31, help="blocks until a slot is final")
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    without = asked.without
    asked.without = 0
    roots = [asked]
    if without:
        roots.append(argparse.Namespace(**vars(asked) | {"wallets": without, "without": without}))
    figures = []
    for root in roots:
        found = run(root)
        print(json.dumps(asdict(found)), file=sys.stderr, flush=True)
        figures += _figures(found)
    tell("payouts", figures, as_json=asked.json)
    return int(any(figure.is_met is False for figure in figures))


def _figures(found: Paid) -> list[Figure]:
    """Put the time first, then what a recipient costs, beside paying each alone."""
    has_accounts = bool(found.with_account)
    whom = f"{found.wallets:,} wallets with{'' if has_accounts else 'out'} token accounts"
    goal = Goal(value=GOAL_S, source="issue 6") if has_accounts else None
    return [
        Figure(
            name=f"rewards of {whom} posted, paid and finalized",
            unit="s",
            runs=(found.finalized_s,),
            goal=goal,
        ),
        Figure(name=f"lamports a recipient, {whom}", unit="", runs=(found.lamports_per_recipient,)),
        Figure(
            name=f"transactions for {whom}",
            unit="",
            runs=(float(found.transactions),),
            baseline=Beside(name="one action per transaction", value=float(found.wallets)),
        ),
        Figure(name=f"the keeper's processor, {whom}", unit="s", runs=(found.keeper_cpu_s,)),
        Figure(
            name=f"transactions that failed or expired, {whom}",
            unit="",
            runs=(float(found.failed + found.expired),),
        ),
    ]


if __name__ == "__main__":
    sys.exit(main())
