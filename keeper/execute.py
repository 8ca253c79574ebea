"""Lane -> bid -> sign -> persist, send, confirm -> outcome in the tally.

What every lane shares. A lane decides what to send; this module bids for it, signs it with the newest blockhash, lands it
through `programs.submit`, and writes down what happened. A lane has a payer, a purse and a number of places of its own,
so that a flood in one takes nothing from another.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import structlog
import trio
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from keeper.errors import ClusterError
from keeper.fees import Bid, FeePolicy, NoBid, choose_bid, recent_floor
from keeper.newest import Newest
from keeper.spend import HourlySpend
from keeper.tally import Tally
from programs.cu_model import CuModel
from programs.in_flight import InFlight
from programs.lookup_tables import LookupTable, TableShelf
from programs.outage import Outage
from programs.outcomes import Expired, Failed, JobRef, Landed, Outcome, SignedBatch
from programs.rpc import LatestBlockhash, Rpc, RpcFailure, Simulation
from programs.submit import AttemptLog, submit
from programs.transaction import (
    Budget,
    SignedTransaction,
    compile_message,
    sign,
    whole_pages,
)
from programs.units import ComputeUnits, Lamports, MicroLamports

_FEES_FRESH_S = 2.0
"""Recent fees are asked for at most this often: they are a floor over whole slots."""
_FEE_ACCOUNTS_MAX = 128
_NONCES = 64
"""More than a lane signs alike on one blockhash: a newer one comes every two slots."""
_NOTHING: Final = Lamports(0)
_FREE: Final = MicroLamports(0)
log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Kit:
    """What every lane works with."""

    rpc: Rpc
    attempts: AttemptLog
    in_flight: InFlight
    blockhashes: Newest[LatestBlockhash]
    tally: Tally
    program: Pubkey
    quote_mint: Pubkey
    slot_ms: int
    cu_model: CuModel = field(default_factory=CuModel)
    """What transactions used so far, by kind."""
    shelf: Newest[TableShelf] = field(default_factory=Newest)
    """Our lookup tables that transactions may use."""
    spent_lamports: Mapping[str, int] = field(default_factory=dict)
    """Fees of the last hour before this process, by lane."""
    nonces: Iterator[int] = field(default_factory=itertools.count)
    """Tells apart transactions that would otherwise be the same bytes, and so one transaction to the cluster."""

    @property
    def slot_s(self) -> float:
        """Nominal length of a slot."""
        return self.slot_ms / 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipment:
    """One transaction's worth of work."""

    jobs: tuple[JobRef, ...]
    due_at_s: tuple[float, ...]
    """When each job became due, trio clock."""
    instructions: tuple[Instruction, ...]
    cu_limit: ComputeUnits
    loaded_bytes: int
    """All account data it loads at most; whole pages of it are asked for."""
    value_lamports: Lamports = _NOTHING
    """What it is expected to earn."""
    tables: tuple[LookupTable, ...] = ()
    """The lookup tables it was packed with."""


@dataclass(slots=True)
class Purse:
    """What one lane pays with: its policy, what is left of the hour, and the newest floor."""

    policy: FeePolicy
    spend: HourlySpend
    _floor: MicroLamports = _FREE
    _floor_until_s: float = field(default=-float("inf"))

    async def bid(self, lane: "Lane", shipment: Shipment) -> Bid | NoBid:
        """Choose a price for a shipment; keeping the platform solvent may cost up to the policy's loss."""
        now_s = trio.current_time()
        if now_s >= self._floor_until_s:
            self._floor_until_s = now_s + _FEES_FRESH_S
            self._floor = await _read_floor(lane, shipment, self.policy)
        return choose_bid(
            self.policy,
            floor=self._floor,
            cu_limit=shipment.cu_limit,
            value_lamports=shipment.value_lamports,
            budget_lamports=self.spend.left_lamports(now_s),
            is_solvency=True,
        )


@dataclass(slots=True, kw_only=True)
class Lane:
    """One kind of work: who pays for it, how much, and how many of its transactions at once."""

    name: str
    kit: Kit
    payer: Keypair
    """Pays every fee of the lane."""
    signers: tuple[Keypair, ...] = ()
    """Who signs beside the payer: an authority whose lane has a payer of its own."""
    purse: Purse
    room: trio.Semaphore
    """Transactions that may still be sent now."""

    @property
    def authority(self) -> Pubkey:
        """Whom the program asks for: the signer beside the payer, or the payer where there is none."""
        return (*self.signers, self.payer)[0].pubkey()


def open_lane(
    kit: Kit,
    name: str,
    payer: Keypair,
    purse: Purse,
    *,
    concurrency: int = 1,
    signers: Sequence[Keypair] = (),
) -> Lane:
    """Open a lane, and count what an earlier process spent on it within the hour: a restart is no way round the cap.

    The database keeps slots, not times, so all of it counts for a whole hour from now.
    """
    purse.spend.reserve(Lamports(kit.spent_lamports.get(name, 0)), trio.current_time())
    return Lane(
        name=name,
        kit=kit,
        payer=payer,
        signers=tuple(signer for signer in signers if signer != payer),
        purse=purse,
        room=trio.Semaphore(concurrency),
    )


async def _read_floor(lane: Lane, shipment: Shipment, policy: FeePolicy) -> MicroLamports:
    writable = {
        meta.pubkey
        for instruction in shipment.instructions
        for meta in instruction.accounts
        if meta.is_writable
    }
    try:
        accounts = list(writable)[:_FEE_ACCOUNTS_MAX]
        recent = await lane.kit.rpc.get_recent_prioritization_fees(accounts)
    except RpcFailure as failure:
        log.warning("fees.unread", lane=lane.name, reason=str(failure))
        return _FREE
    return recent_floor(recent, policy.percentile_bps)


async def watch_blockhashes(
    rpc: Rpc,
    blockhashes: Newest[LatestBlockhash],
    interval_s: float,
    genesis_hash: str,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Keep the newest confirmed blockhash of one cluster at hand; started once there is one.

    A blockhash ties a transaction to its chain, so here is where a change of chain must be noticed: the genesis hash
    is read after the blockhash, and a blockhash is believed only with the right one.

    Raises:
        ClusterError: another cluster answers.
    """
    outage = Outage(subject="blockhash")
    while True:
        try:
            latest = await rpc.get_latest_blockhash("confirmed")
            found = str(await rpc.get_genesis_hash())
        except RpcFailure as failure:
            outage.note_failure(str(failure))
        else:
            if found != genesis_hash:
                raise ClusterError(
                    f"the cluster behind cluster.rpc_urls changed while the keeper ran (genesis {found}, expected "
                    f"{genesis_hash}), so it stopped: point cluster.rpc_urls back, or start it again to keep the new one"
                )
            outage.note_success()
            blockhashes.publish(latest)
            if blockhashes.sequence == 1:
                task_status.started()
        await trio.sleep(interval_s)


async def simulate(lane: Lane, shipment: Shipment) -> Simulation:
    """Run a shipment on the node without sending it.

    Raises:
        RpcFailure: no node could.
    """
    signed, _ = _signed(lane, shipment, _budget(shipment, _FREE))
    return await lane.kit.rpc.simulate_transaction(signed.wire, replace_blockhash=True)


async def ship(lane: Lane, shipment: Shipment) -> Outcome | NoBid:
    """Bid, land exactly once, and tally how it ended; or say why it is not worth sending."""
    kit, purse, name = lane.kit, lane.purse, lane.name
    shipment = _unlike_others(shipment, next(kit.nonces))
    bid = await purse.bid(lane, shipment)
    tally, count = kit.tally, len(shipment.jobs)
    if isinstance(bid, NoBid):
        tally.refusals[f"{name}.not_worth_sending"] += count
        log.warning("batch.withheld", lane=name, jobs=count, reason=bid.reason)
        return bid
    # No checkpoint between the bid and its reservation: a burst cannot pass the cap.
    reservation = purse.spend.reserve(bid.fee_lamports, trio.current_time())
    budget = _budget(shipment, bid.cu_price_micro_lamports)
    signed, latest = _signed(lane, shipment, budget)
    batch = SignedBatch(
        lane=name, jobs=shipment.jobs, transaction=signed, latest=latest, budget=budget
    )
    log.info(
        "batch.signed",
        lane=name,
        jobs=count,
        signature=batch.signature_text,
        cu_limit=shipment.cu_limit,
        fee_lamports=bid.fee_lamports,
        size_bytes=len(batch.wire),
    )
    tally.jobs_in_flight[name] += count
    try:
        outcome = await submit(kit.attempts, kit.in_flight, batch)
    finally:
        tally.jobs_in_flight[name] -= count
    if isinstance(outcome, Expired):
        purse.spend.release(reservation)
    _tally(tally, name, shipment, outcome)
    return outcome


def _unlike_others(shipment: Shipment, nonce: int) -> Shipment:
    """Ask to load up to _NONCES bytes less than whole pages, which makes the bytes unique and costs nothing.

    The same reading posted twice under one blockhash, as a clamped move is, would else be the same signature. The
    scheduler charges for whole pages.
    """
    pages = whole_pages(shipment.loaded_bytes + _NONCES)
    return replace(shipment, loaded_bytes=pages - nonce % _NONCES)


def _signed(
    lane: Lane, shipment: Shipment, budget: Budget
) -> tuple[SignedTransaction, LatestBlockhash]:
    latest = lane.kit.blockhashes.get()
    assert latest is not None, "lanes start after the first blockhash"
    message = compile_message(
        lane.payer.pubkey(),
        shipment.instructions,
        budget,
        latest.blockhash,
        tables=[table.account for table in shipment.tables],
    )
    return sign(message, [lane.payer, *lane.signers]), latest


def _budget(shipment: Shipment, cu_price: MicroLamports) -> Budget:
    return Budget(
        cu_limit=shipment.cu_limit,
        cu_price_micro_lamports=cu_price,
        loaded_bytes=shipment.loaded_bytes,
    )


def _tally(tally: Tally, lane: str, shipment: Shipment, outcome: Outcome) -> None:
    match outcome:
        case Landed():
            tally.landed[lane] += 1
            tally.jobs_landed[lane] += len(shipment.jobs)
            tally.fees_lamports[lane] += outcome.fee_lamports
            now_s = trio.current_time()
            for due_at_s in shipment.due_at_s:
                tally.note_latency(lane, (now_s - due_at_s) * 1_000)
        case Failed():
            tally.failed[lane] += 1
            tally.fees_lamports[lane] += outcome.fee_lamports
        case Expired():
            tally.expired[lane] += 1


def job_refs(kind: str, targets: Sequence[tuple[Pubkey, str]]) -> tuple[JobRef, ...]:
    """Name the jobs of a batch: one id per kind and target, so that a target is never open twice."""
    return tuple(
        JobRef(job_id=f"{kind}:{target}", kind=kind, target=str(target), effect=effect)
        for target, effect in targets
    )
