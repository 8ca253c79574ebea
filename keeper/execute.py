"""Lane -> bid -> sign -> persist, send, confirm -> outcome in the tally.

What every lane shares. A lane decides what to send; this module bids for it, signs it with the newest blockhash, lands it
through `programs.submit`, and writes down what happened. A lane has a payer, a purse and a number of places of its own,
so that a flood in one takes nothing from another.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

import structlog
import trio
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from keeper.errors import ClusterError
from keeper.fees import NoBid
from keeper.funds import Funds
from keeper.newest import Newest
from keeper.prices.unix_time import unix_ms
from keeper.purse import Ask, Purse
from keeper.rehearsal import Rehearsal
from keeper.room import Room
from keeper.spend import SpentRow
from keeper.tally import LandedTransaction, Tally
from programs.attempt_log import AttemptLog
from programs.cu_model import CuModel
from programs.flight import TellBlock, ignore_block
from programs.in_flight import InFlight
from programs.lookup_tables import LookupTable, TableShelf
from programs.outage import Outage
from programs.outcomes import Expired, Failed, JobRef, Landed, Outcome, SignedBatch
from programs.rpc import LatestBlockhash, Rpc, RpcFailure, RpcOtherCluster, Simulation
from programs.submit import JobHeld, submit
from programs.transaction import (
    Budget,
    SignedTransaction,
    Signers,
    compile_message,
    whole_pages,
)
from programs.units import ComputeUnits, Lamports, MicroLamports
from state.errors import AlreadyOpen
from state.progress import beat

_NONCES = 64
"""More than a lane signs alike on one blockhash: a newer one comes every two slots."""
_MILLISECONDS: Final = 1_000
_MINUTE_MS: Final = 60 * _MILLISECONDS
_NOTHING: Final = Lamports(0)
_FREE: Final = MicroLamports(0)
log = structlog.get_logger()


class SpendingLog(AttemptLog, Protocol):
    """Attempts that also remember what they did and what they cost; `state.attempts.Attempts` is one."""

    async def landed_slots(self, job_ids: Sequence[str], effect: str) -> Mapping[str, int]:
        """Return the newest slot in which each of these jobs landed with an effect; without the others."""
        ...

    async def spent(self, *, from_minute: int, from_slot: int) -> Sequence[SpentRow]:
        """Sum what lanes spent, by minute of the wall clock, since a minute or since a slot."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Kit:
    """What every lane works with."""

    rpc: Rpc
    attempts: SpendingLog
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
    wall_ms: Callable[[], int] = unix_ms
    """Unix milliseconds; attempts are dated by it, for the caps of a process after this one."""
    rehearsal: Rehearsal | None = None
    """Stands where transactions are sent; None: they are sent."""
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
    """What it earns if it does its work."""
    rent_lamports: Lamports = _NOTHING
    """What it locks in new accounts: spent if it lands."""
    is_critical: bool = True
    """Whether it may be sent at an expected loss, up to the lane's caps."""
    tables: tuple[LookupTable, ...] = ()
    """The lookup tables it was packed with."""


@dataclass(slots=True, kw_only=True)
class Lane:
    """One kind of work: who pays for it, how much, and how many of its transactions at once."""

    name: str
    kit: Kit
    payer: Keypair
    """Pays every fee of the lane."""
    signers: tuple[Keypair, ...] = ()
    """Who signs beside the payer: an authority whose lane has a payer of its own."""
    funds: Funds
    """What the payer has; lanes with one payer share it."""
    purse: Purse
    room: Room
    """Transactions that may still be sent now."""
    keys: Signers = field(init=False)
    """The payer's and the signers', which sign everything that the lane sends."""

    def __post_init__(self) -> None:
        """Work out the addresses of the keys."""
        self.keys = Signers([self.payer, *self.signers])

    @property
    def authority(self) -> Pubkey:
        """Whom the program asks for: the signer beside the payer, or the payer where there is none."""
        return self.keys.addresses[1 if self.signers else 0]


def open_lane(
    kit: Kit,
    name: str,
    payer: Keypair,
    purse: Purse,
    *,
    concurrency: int = 1,
    signers: Sequence[Keypair] = (),
    funds: Funds | None = None,
) -> Lane:
    """Open a lane; without `funds` its payer's balance is never held against it."""
    return Lane(
        name=name,
        kit=kit,
        payer=payer,
        signers=tuple(signer for signer in signers if signer != payer),
        funds=funds or Funds(payer.pubkey()),
        purse=purse,
        room=Room(concurrency),
    )


async def watch_blockhashes(
    rpc: Rpc,
    blockhashes: Newest[LatestBlockhash],
    interval_s: float,
    genesis_hash: str,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Keep the newest confirmed blockhash of one cluster at hand; started once there is one.

    A blockhash ties a transaction to its chain, so here is where a change of chain must be noticed: `rpc` lets none through
    before its endpoint has said, on that same connection or a later one, that it still serves the cluster we began with.

    Raises:
        ClusterError: another cluster answers.
    """
    outage = Outage(subject="blockhash")
    while True:
        beat()
        try:
            latest = await rpc.get_latest_blockhash("confirmed")
        except RpcOtherCluster as other:
            raise ClusterError(
                f"the cluster behind cluster.rpc_urls changed while the keeper ran (genesis {other.found}, expected "
                f"{genesis_hash}), so it stopped: point cluster.rpc_urls back, or start it again to keep the new one"
            ) from other
        except RpcFailure as failure:
            outage.note_failure(str(failure))
        else:
            outage.note_success()
            newest = blockhashes.get()
            # Never back: the slot that comes with it is what ages are counted by.
            if newest is None or latest.slot >= newest.slot:
                blockhashes.publish(latest)
            if newest is None:
                task_status.started()
        await trio.sleep(interval_s)


async def simulate(lane: Lane, shipment: Shipment) -> Simulation:
    """Run a shipment on the node without sending it.

    The fees of the day are asked for meanwhile: every millisecond between a simulation and its landing is one in which others
    change what it found.

    Raises:
        RpcFailure: no node could.
    """
    signed, _ = _signed(lane, shipment, _budget(shipment, _FREE))
    rpc = lane.kit.rpc
    found: Simulation | RpcFailure
    async with trio.open_nursery() as asking:
        asking.start_soon(lane.purse.read_floor, rpc, lane.name, _writable(shipment))
        try:
            found = await rpc.simulate_transaction(signed.wire, replace_blockhash=True)
        except RpcFailure as failure:
            found = failure
    if isinstance(found, RpcFailure):
        raise found
    return found


async def ship(
    lane: Lane, shipment: Shipment, tell_block: TellBlock = ignore_block
) -> Outcome | NoBid:
    """Bid, land exactly once, and tally how it ended; or say why it is not worth sending.

    Args:
        lane: whose it is.
        shipment: what to send.
        tell_block: hears of the block that holds it before its end is firm.
    """
    kit, purse, name = lane.kit, lane.purse, lane.name
    if kit.rehearsal is not None and (resting := _resting(kit, shipment)) is not None:
        return resting
    shipment = _unlike_others(shipment, next(kit.nonces))
    pledge = await purse.offer(kit.rpc, name, lane.funds, _ask(lane, shipment))
    tally, count = kit.tally, len(shipment.jobs)
    if isinstance(pledge, NoBid):
        tally.refusals[f"{name}.{pledge.kind}"] += count
        tell = log.debug if pledge.is_of_the_lane else log.info
        tell("batch.withheld", lane=name, jobs=count, kind=pledge.kind, reason=pledge.reason)
        return pledge
    tally.lane(name).cu_price_micro_lamports = pledge.cu_price_micro_lamports
    budget = _budget(shipment, pledge.cu_price_micro_lamports)
    signed, latest = _signed(lane, shipment, budget)
    batch = SignedBatch(
        lane=name,
        jobs=shipment.jobs,
        transaction=signed,
        latest=latest,
        budget=budget,
        signed_minute=kit.wall_ms() // _MINUTE_MS,
        rent_lamports=shipment.rent_lamports,
    )
    if kit.rehearsal is not None:
        # Nothing is paid, but the caps count what would have been: they bite as they would.
        lane.funds.settle(pledge.payment, _NOTHING)
        return await kit.rehearsal.perform(
            kit.rpc,
            batch,
            shipment.instructions,
            value_lamports=shipment.value_lamports,
            is_critical=shipment.is_critical,
        )
    log.info(
        "batch.signed",
        lane=name,
        jobs=count,
        signature=batch.signature_text,
        cu_limit=shipment.cu_limit,
        fee_lamports=pledge.fee_lamports,
        size_bytes=len(batch.wire),
    )
    tally.jobs_in_flight[name] += count
    try:
        outcome = await submit(kit.attempts, kit.in_flight, batch, tell_block=tell_block)
    except (AlreadyOpen, JobHeld) as held:
        # The chain as this lane sees it is not what we did to it, or not yet again: the next look will tell.
        purse.take_back(pledge, lane.funds)
        tally.refusals[f"{name}.already_open"] += count
        log.warning("batch.withheld", lane=name, jobs=count, reason=str(held))
        return NoBid(reason=str(held), kind="already_open")
    finally:
        tally.jobs_in_flight[name] -= count
    purse.settle(pledge, lane.funds, outcome, latest.slot)
    _tally(kit, name, shipment, outcome)
    return outcome


def _resting(kit: Kit, shipment: Shipment) -> NoBid | None:
    latest = kit.blockhashes.get()
    assert kit.rehearsal is not None
    assert latest is not None, "lanes start after the first blockhash"
    return kit.rehearsal.resting(shipment.jobs, latest.slot)


def _ask(lane: Lane, shipment: Shipment) -> Ask:
    return Ask(
        writable=_writable(shipment),
        cu_limit=shipment.cu_limit,
        signatures=1 + len(lane.signers),
        value_lamports=shipment.value_lamports,
        rent_lamports=shipment.rent_lamports,
        is_critical=shipment.is_critical,
    )


def _writable(shipment: Shipment) -> set[Pubkey]:
    return {
        meta.pubkey
        for instruction in shipment.instructions
        for meta in instruction.accounts
        if meta.is_writable
    }


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
        lane.keys.payer,
        shipment.instructions,
        budget,
        latest.blockhash,
        tables=[table.account for table in shipment.tables],
    )
    return lane.keys.sign(message), latest


def _budget(shipment: Shipment, cu_price: MicroLamports) -> Budget:
    return Budget(
        cu_limit=shipment.cu_limit,
        cu_price_micro_lamports=cu_price,
        loaded_bytes=shipment.loaded_bytes,
    )


def _tally(kit: Kit, lane: str, shipment: Shipment, outcome: Outcome) -> None:
    tally, counts = kit.tally, kit.tally.lane(lane)
    match outcome:
        case Landed():
            jobs, now_s = len(shipment.jobs), trio.current_time()
            tally.landed[lane] += 1
            tally.jobs_landed[lane] += jobs
            tally.fees_lamports[lane] += outcome.fee_lamports
            counts.note_landed(outcome, shipment.cu_limit, shipment.rent_lamports, now_s)
            wall_s = kit.wall_ms() / _MILLISECONDS
            tally.newest_landed.append(
                LandedTransaction(lane=lane, jobs=jobs, wall_s=wall_s, landed=outcome)
            )
            for due_at_s in shipment.due_at_s:
                tally.note_latency(lane, (now_s - due_at_s) * 1_000)
        case Failed():
            tally.failed[lane] += 1
            tally.fees_lamports[lane] += outcome.fee_lamports
            counts.note_failed(outcome, shipment.cu_limit)
        case Expired():
            tally.expired[lane] += 1


def job_refs(kind: str, targets: Sequence[tuple[Pubkey, str]]) -> tuple[JobRef, ...]:
    """Name the jobs of a batch: one id per kind and target, so that a target is never open twice."""
    return tuple(
        JobRef(job_id=f"{kind}:{target}", kind=kind, target=str(target), effect=effect)
        for target, effect in targets
    )
