"""Our address lookup tables: made, extended, put to use, retired and closed, while the keeper runs.

What to do is `programs.table_plan`'s to say, from the chain alone; here it is read, carried out, and read again. A step that
did not land is planned anew by the next round, if it is still wanted.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import structlog
import trio
from solders.pubkey import Pubkey
from solders.sysvar import RENT

from keeper.batching import Desk
from keeper.execute import Lane, Shipment, ship
from keeper.fees import NoBid
from keeper.newest import Newest
from keeper.sizing import Unsized, note_end, size
from keeper.snapshot import Snapshot
from keeper.table_wants import wanted_tables
from programs.errors import in_words
from programs.lookup_tables import (
    AUTHORITY_OFFSET,
    TABLE_PROGRAM,
    MalformedTableError,
    TableShelf,
    TableState,
    decode_table,
)
from programs.outage import Outage
from programs.outcomes import Expired, Failed, JobRef, Landed, Outcome
from programs.rent import MalformedRentError, RentRate, decode_rent
from programs.rpc import Rpc, RpcBadReply, RpcFailure
from programs.table_plan import (
    SLOT_HASHES,
    TABLE_LOADED_BYTES_MAX,
    TablePlan,
    TableStep,
    Wanted,
    decode_slot_hashes,
    plan_tables,
)
from programs.units import Lamports, Slot
from state.progress import beat

SendStep = Callable[[TableStep], Awaitable[Outcome | NoBid]]
"""Lands one step exactly once and says how it ended; never raises for an ordinary end."""

_ROUND_S: Final = 60.0
"""Tables change with the set of markets: seldom. News of what is wanted begins a round at once."""
_RETRY_S: Final = 5.0
log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class TableReading:
    """The authority's tables as one slot has them."""

    slot: Slot
    """Confirmed."""
    found: tuple[TableState, ...]
    recent_slots: tuple[Slot, ...]
    """Finalized, newest first: a fork cannot take away what a table is created from."""


async def read_tables(rpc: Rpc, authority: Pubkey) -> TableReading:
    """Read the authority's tables.

    Raises:
        RpcFailure: no node could say.
    """
    filters = [{"memcmp": {"offset": AUTHORITY_OFFSET, "bytes": str(authority)}}]
    hashes = await rpc.get_account(SLOT_HASHES, "finalized")
    reply = await rpc.get_program_accounts(TABLE_PROGRAM, "confirmed", filters=filters)
    if reply.skipped:
        # An unread table would be created once more.
        raise RpcBadReply(f"{reply.skipped} of our lookup tables could not be read")
    try:
        slots = decode_slot_hashes(b"" if hashes is None else hashes.data)
        found = tuple(decode_table(Pubkey(address), data) for address, data in reply.accounts)
    except (MalformedTableError, ValueError) as error:
        raise RpcBadReply(str(error)) from error
    return TableReading(slot=reply.slot, found=found, recent_slots=slots)


def usable_tables(reading: TableReading, marker: Pubkey) -> TableShelf:
    """Return those of our tables that transactions may use from now on."""
    ours = [table for table in reading.found if table.addresses[:1] == (marker,)]
    usable = [table.usable_at(reading.slot) for table in ours]
    return TableShelf(tuple(table for table in usable if table is not None))


async def tend_tables(
    rpc: Rpc,
    send: SendStep,
    authority: Pubkey,
    rent: RentRate,
    wants: Newest[Wanted],
    shelf: Newest[TableShelf],
    slot_s: float,
) -> None:
    """Keep our tables as wanted, and publish those that may be used, until cancelled.

    Nothing is done before something is wanted: a platform without markets and one not yet read look alike, and the
    former retires every table.

    Args:
        rpc: where tables are read.
        send: lands a step, paid by `authority`.
        authority: of our tables.
        rent: what accounts must hold.
        wants: which addresses deserve a place.
        shelf: where the tables that may be used are published.
        slot_s: nominal length of a slot.
    """
    outage = Outage(subject="lookup_tables")
    sequence, wanted = await wants.wait_newer(0)
    while True:
        beat()
        pause_s = _ROUND_S
        try:
            reading = await read_tables(rpc, authority)
        except RpcFailure as failure:
            outage.note_failure(str(failure))
            pause_s = _RETRY_S
        else:
            outage.note_success()
            shelf.publish(usable_tables(reading, wanted.marker))
            plan = plan_tables(wanted, reading.found, reading.recent_slots, authority, rent)
            _log_unplaced(plan)
            if plan.steps:
                landed = await carry_out(send, plan.steps)
                pause_s = slot_s if landed else _RETRY_S
            elif any(table.extended_slot >= reading.slot for table in reading.found):
                pause_s = slot_s  # what was added counts from the next slot on
        with trio.move_on_after(pause_s):
            sequence, wanted = await wants.wait_newer(sequence)


async def keep_tables(
    lane: Lane, desk: Desk, chain: Newest[Snapshot], rent_lamports_max: Lamports
) -> None:
    """Keep tables of what the chain shows to deserve a place, paid by the lane's payer, until cancelled.

    Args:
        lane: whose payer owns the tables.
        desk: whose liquidations use them.
        chain: newest snapshot.
        rent_lamports_max: what all tables together may lock.
    """
    rent = await _read_rent(lane.kit.rpc)
    wants = Newest[Wanted]()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_want, desk, chain, rent_lamports_max, wants)
        nursery.start_soon(
            tend_tables,
            lane.kit.rpc,
            partial(send_step, lane, trio.CapacityLimiter(lane.room.size)),
            lane.payer.pubkey(),
            rent,
            wants,
            lane.kit.shelf,
            lane.kit.slot_s,
        )


async def _want(
    desk: Desk, chain: Newest[Snapshot], rent_lamports_max: Lamports, wants: Newest[Wanted]
) -> None:
    sequence = 0
    while True:
        sequence, snapshot = await chain.wait_newer(sequence)
        wanted = wanted_tables(desk, snapshot, rent_lamports_max)
        if wanted is not None and wanted != wants.get():
            wants.publish(wanted)
        await trio.sleep(_ROUND_S if wanted is not None else _RETRY_S)


async def _read_rent(rpc: Rpc) -> RentRate:
    outage = Outage(subject="rent")
    while True:
        try:
            sysvar = await rpc.get_account(RENT, "confirmed")
            rent = decode_rent(b"" if sysvar is None else sysvar.data)
        except (RpcFailure, MalformedRentError) as failure:
            outage.note_failure(str(failure))
        else:
            outage.note_success()
            return rent
        await trio.sleep(_RETRY_S)


async def send_step(lane: Lane, limiter: trio.CapacityLimiter, step: TableStep) -> Outcome | NoBid:
    """Land a step on the lane, in its turn; what a simulation refuses is not sent."""
    kind = f"table_{step.kind}"
    first = str(step.added[0]) if step.added else ""
    shipment = Shipment(
        jobs=(
            JobRef(
                job_id=f"table:{step.kind}:{step.table}:{first}",
                kind=kind,
                target=str(step.table),
                effect=f"{step.kind} {len(step.added)}",
            ),
        ),
        due_at_s=(trio.current_time(),),
        instructions=step.instructions,
        cu_limit=step.cu_limit,
        loaded_bytes=TABLE_LOADED_BYTES_MAX,
        rent_lamports=Lamports(max(0, step.rent_lamports)),
    )
    async with limiter:
        sized = await size(lane, kind, step.cu_limit, shipment)
        if isinstance(sized, Unsized):
            return NoBid(reason=sized.reason)
        outcome = await ship(lane, sized.shipment)
        note_end(lane.kit, kind, step.cu_limit, sized.shipment, outcome)
    return outcome


async def carry_out(send: SendStep, steps: Sequence[TableStep]) -> int:
    """Land steps side by side; return how many did."""
    landed = 0

    async def land_one(step: TableStep) -> None:
        nonlocal landed
        outcome = await send(step)
        landed += isinstance(outcome, Landed)
        _log_end(step, outcome)

    async with trio.open_nursery() as nursery:
        for step in steps:
            nursery.start_soon(land_one, step)
    return landed


def _log_end(step: TableStep, outcome: Outcome | NoBid) -> None:
    facts = {"table": str(step.table), "kind": step.kind, "addresses": len(step.added)}
    match outcome:
        case Landed():
            log.info("table.changed", **facts, rent_lamports=step.rent_lamports, reason=step.reason)
        case Failed():
            log.warning("table.refused", **facts, reason=in_words(outcome.err))
        case NoBid(is_of_the_lane=True):
            log.debug("table.unsent", **facts, reason=outcome.reason)
        case Expired() | NoBid():
            log.warning("table.unsent", **facts, reason=outcome.reason)


def _log_unplaced(plan: TablePlan) -> None:
    for unplaced in plan.unplaced:
        log.warning("table.unplaced", first=str(unplaced.group[0]), reason=unplaced.reason)
