"""Lane -> budget -> sign -> persist, send, confirm -> outcome in the tally.

What every lane shares. A lane decides what to send; this module signs it with the newest blockhash, lands it through
`programs.submit`, and writes down what happened.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog
import trio
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from keeper.newest import Newest
from keeper.tally import Tally
from programs.in_flight import InFlight
from programs.outcomes import Expired, Failed, JobRef, Landed, Outcome, SignedBatch
from programs.rpc import LatestBlockhash, Rpc, RpcFailure, Simulation
from programs.submit import AttemptLog, submit
from programs.transaction import Budget, SignedTransaction, compile_message, sign
from programs.units import ComputeUnits, MicroLamports

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
    payer: Keypair
    slot_ms: int

    @property
    def slot_s(self) -> float:
        """Nominal length of a slot."""
        return self.slot_ms / 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipment:
    """One transaction's worth of work, ready to be signed."""

    lane: str
    jobs: tuple[JobRef, ...]
    due_at_s: tuple[float, ...]
    """When each job became due, trio clock."""
    instructions: tuple[Instruction, ...]
    cu_limit: ComputeUnits
    cu_price: MicroLamports
    loaded_bytes: int


async def watch_blockhashes(
    rpc: Rpc,
    blockhashes: Newest[LatestBlockhash],
    interval_s: float,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Keep the newest confirmed blockhash at hand; started once there is one."""
    while True:
        try:
            blockhashes.publish(await rpc.get_latest_blockhash("confirmed"))
        except RpcFailure as failure:
            log.warning("blockhash.unread", reason=str(failure))
        else:
            if blockhashes.sequence == 1:
                task_status.started()
        await trio.sleep(interval_s)


async def simulate(kit: Kit, shipment: Shipment) -> Simulation:
    """Run a shipment on the node without sending it.

    Raises:
        RpcFailure: no node could.
    """
    signed, _ = _signed(kit, shipment)
    return await kit.rpc.simulate_transaction(signed.wire, replace_blockhash=True)


async def ship(kit: Kit, shipment: Shipment) -> Outcome:
    """Land a shipment exactly once and tally how it ended."""
    signed, latest = _signed(kit, shipment)
    batch = SignedBatch(
        lane=shipment.lane,
        jobs=shipment.jobs,
        transaction=signed,
        latest=latest,
        budget=_budget(shipment),
    )
    tally, lane, count = kit.tally, shipment.lane, len(shipment.jobs)
    log.info(
        "batch.sending",
        lane=lane,
        jobs=count,
        signature=batch.signature_text,
        cu_limit=shipment.cu_limit,
        size_bytes=len(batch.wire),
    )
    tally.jobs_in_flight[lane] += count
    try:
        outcome = await submit(kit.attempts, kit.in_flight, batch)
    finally:
        tally.jobs_in_flight[lane] -= count
    _tally(tally, shipment, outcome)
    return outcome


def _signed(kit: Kit, shipment: Shipment) -> tuple[SignedTransaction, LatestBlockhash]:
    latest = kit.blockhashes.get()
    assert latest is not None, "lanes start after the first blockhash"
    message = compile_message(
        kit.payer.pubkey(), shipment.instructions, _budget(shipment), latest.blockhash
    )
    return sign(message, [kit.payer]), latest


def _budget(shipment: Shipment) -> Budget:
    return Budget(
        cu_limit=shipment.cu_limit,
        cu_price_micro_lamports=shipment.cu_price,
        loaded_bytes=shipment.loaded_bytes,
    )


def _tally(tally: Tally, shipment: Shipment, outcome: Outcome) -> None:
    lane = shipment.lane
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
