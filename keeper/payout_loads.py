"""One transaction of the payouts lane: sized, sent, and what its end means for the jobs in it.

Shell.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog
import trio

from keeper.bisection import Bisection
from keeper.blame import guilty_instruction
from keeper.execute import Kit, Lane, Shipment, ship
from keeper.fees import NoBid
from keeper.payout_accounts import REFUSED, WITHHELD, PayoutAccounts
from keeper.payout_jobs import Due
from keeper.payout_roots import LANE, Root, Roots
from keeper.sizing import Unsized, note_end, size
from programs import events
from programs.errors import in_words
from programs.event_layout import EventKind
from programs.outcomes import Expired, Failed, Landed
from programs.pack import Batch, Group, pack_groups
from programs.units import Lamports, Slot

_INSTRUCTIONS: Final = {
    "pay": "pay_rewards",
    "create_token_account": "create_token_account",
    "post_root": "post_epoch",
}
"""By kind of job: what compute units are learned by."""
_DUES_REMEMBERED: Final = 65_536
_LANDINGS_REMEMBERED: Final = 65_536
_LAG_SLOTS_MAX: Final = 1_500
"""Ten minutes: an endpoint so far behind is not asked any more."""
log = structlog.get_logger()


@dataclass(slots=True)
class Memory:
    """What the lane remembers between rounds."""

    roots: Roots
    accounts: PayoutAccounts
    bisection: Bisection = field(default_factory=Bisection)
    busy: set[str] = field(default_factory=set)
    """Jobs in flight."""
    landed_slots: dict[str, Slot] = field(default_factory=dict)
    """A bitmap read earlier shows the leaves before our own payment, an account read earlier is not there."""
    vain: set[str] = field(default_factory=set)
    """Openings of token accounts that were tried and did not land: nobody waits for them."""
    due_at_s: dict[str, float] = field(default_factory=dict)
    open_roots: dict[tuple[int, int], Root] = field(default_factory=dict)
    """Those that are being paid, by epoch and index."""
    news: trio.Event = field(default_factory=trio.Event)
    """Set when the next round may find something else."""

    def may_begin(self, job_id: str, seen_slot: Slot) -> bool:
        """Whether a job that was seen to be due at a slot is not in flight, not done since, and not paused."""
        return (
            job_id not in self.busy
            and seen_slot > self.landed_slots.get(job_id, -1)
            and not self.bisection.is_paused(job_id, trio.current_time())
        )

    def note_due(self, dues: Sequence[Due]) -> None:
        """Remember since when jobs are due."""
        now_s = trio.current_time()
        for due in dues:
            self.due_at_s.setdefault(due.job.job_id, now_s)
        if len(self.due_at_s) > _DUES_REMEMBERED:  # others did most of them
            wanted = self.busy | {due.job.job_id for due in dues}
            self.due_at_s = {
                job_id: since_s for job_id, since_s in self.due_at_s.items() if job_id in wanted
            }

    def note_seen(self, slot: Slot) -> None:
        """Forget landings that even a node far behind knows of."""
        if len(self.landed_slots) > _LANDINGS_REMEMBERED:
            self.landed_slots = {
                job_id: landed
                for job_id, landed in self.landed_slots.items()
                if landed > slot - _LAG_SLOTS_MAX
            }


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """A transaction to be: jobs of one kind."""

    lane: Lane
    batch: Batch[Group]
    dues: tuple[Due, ...]

    @property
    def ids(self) -> list[str]:
        """Its jobs."""
        return [due.job.job_id for due in self.dues]

    @property
    def kind(self) -> str:
        """What is alike in compute units."""
        return _INSTRUCTIONS[self.dues[0].job.kind]


def packed(lane: Lane, memory: Memory, due: Iterable[Due]) -> list[Load]:
    """Pack jobs of one kind in order, as many together as earlier failures allow.

    Opening ten accounts logs more than a transaction may: payments in the same one would lose their events, which the
    ledger is made of.
    """
    by_id = {each.job.job_id: each for each in due}
    waiting, loads = list(by_id), list[Load]()
    while together := memory.bisection.first_batch(waiting):
        taken = set(together)
        waiting = [job_id for job_id in waiting if job_id not in taken]
        groups = [by_id[job_id].group for job_id in together]
        packing = pack_groups(groups, lane.keys.payer, shelf=lane.kit.shelf.get())
        for refused in packing.refused:
            lane.kit.tally.refusals[f"{LANE}.unpackable"] += 1
            memory.bisection.refused([refused.job.job_id], trio.current_time())
            log.error("payout.unpackable", job=refused.job.job_id, reason=refused.reason)
        loads += [
            Load(lane=lane, batch=batch, dues=tuple(by_id[group.job_id] for group in batch.jobs))
            for batch in packing.batches
        ]
    return loads


async def carry(memory: Memory, load: Load) -> None:
    """Size, send and settle one transaction; its jobs are busy and its place is taken."""
    try:
        if not await _send(memory, load):
            memory.vain |= {due.job.job_id for due in load.dues if due.opens_for is not None}
    finally:
        memory.busy.difference_update(load.ids)
        load.lane.room.release()


async def _send(memory: Memory, load: Load) -> bool:
    """Return whether it landed."""
    batch, lane = load.batch, load.lane
    rent = Lamports(sum(due.rent_lamports for due in load.dues))
    shipment = Shipment(
        jobs=tuple(due.job for due in load.dues),
        due_at_s=tuple(memory.due_at_s[job_id] for job_id in load.ids),
        instructions=batch.instructions,
        tables=batch.tables,
        cu_limit=batch.cu,
        loaded_bytes=batch.loaded_bytes,
        rent_lamports=rent,
    )
    sized = await size(lane, load.kind, batch.cu, shipment)
    if isinstance(sized, Unsized):
        if sized.err is None:
            lane.kit.tally.refusals[f"{LANE}.simulation_unanswered"] += len(load.dues)
            log.warning("payouts.unsimulated", jobs=len(load.dues), reason=sized.reason)
        else:
            _note_refused(memory, load, "simulation_refused", sized.err)
        return False
    if rent:
        log.info("payouts.locking", kind=load.kind, jobs=len(load.dues), rent_lamports=rent)
    _note_ours(memory, load, is_paid=True)
    outcome = await ship(lane, sized.shipment)
    note_end(lane.kit, load.kind, batch.cu, sized.shipment, outcome)
    match outcome:
        case Landed() as landed:
            _note_landed(memory, load, landed)
            return True
        case Failed() as failed:
            _note_refused(memory, load, "failed_on_chain", failed.err)
        case NoBid(is_of_the_lane=True):
            _pause_openings(memory, load.dues, WITHHELD)
        case Expired() | NoBid():
            pass  # counted and logged by ship; the next round decides anew
    _note_ours(memory, load, is_paid=False)
    return False


def _pause_openings(memory: Memory, dues: Iterable[Due], reason: str) -> None:
    """Look at these wallets again later, so that those behind them have their turn."""
    wallets = [due.opens_for for due in dues if due.opens_for is not None]
    if wallets:
        memory.accounts.skip(wallets, reason)
        memory.news.set()


def _note_ours(memory: Memory, load: Load, *, is_paid: bool) -> None:
    for due in load.dues:
        if due.place is not None and (root := memory.open_roots.get(due.place)) is not None:
            root.note_ours(due.leaves, is_paid=is_paid)


def _note_landed(memory: Memory, load: Load, landed: Landed) -> None:
    memory.bisection.landed(load.ids)
    memory.vain.difference_update(load.ids)
    for due in load.dues:
        memory.landed_slots[due.job.job_id] = landed.slot
        memory.due_at_s.pop(due.job.job_id, None)
        if due.job.kind == "post_root":
            load.lane.kit.tally.roots_posted += 1
            log.info(
                "root.posted",
                account=due.job.target,
                signature=str(landed.signature),
                slot=landed.slot,
                rent_lamports=due.rent_lamports,
            )
    if load.kind == "pay_rewards":
        _note_events(load.lane.kit, landed)
    memory.news.set()


def _note_refused(memory: Memory, load: Load, kind: str, err: object) -> None:
    # Each job is one instruction: the error names the guilty one, and its companions go on without it.
    at = guilty_instruction(err, len(load.dues))
    guilty = load.dues if at is None else load.dues[at : at + 1]
    memory.bisection.failed([due.job.job_id for due in guilty], trio.current_time())
    if len(guilty) == 1:
        _pause_openings(memory, guilty, REFUSED)
    load.lane.kit.tally.refusals[f"{LANE}.{kind}"] += len(load.dues)
    log.warning(
        "payouts.refused",
        jobs=len(load.dues),
        first=load.ids[0],
        kind=kind,
        reason=in_words(err),
    )
    memory.news.set()


def _note_events(kit: Kit, landed: Landed) -> None:
    """Count what the program says it paid."""
    leaves = amount = 0
    try:
        for data in events.program_data(landed.logs, kit.program):
            event = events.decode(data)
            if event.kind is EventKind.REWARDS_PAID:
                leaves += event.amount("count")
                amount += event.amount("amount")
    except events.MalformedEventError as error:
        kit.tally.refusals[f"{LANE}.event_unread"] += 1
        log.warning("event.unread", signature=str(landed.signature), reason=str(error))
    kit.tally.rewards_paid += leaves
    kit.tally.reward_base_units += amount
    if leaves:
        log.info(
            "rewards.paid",
            leaves=leaves,
            base_units=amount,
            signature=str(landed.signature),
            slot=landed.slot,
        )


def begin(memory: Memory, loads: Sequence[Load]) -> None:
    """Take a place for each load, and mark its jobs as in flight."""
    for load in loads:
        memory.busy.update(load.ids)
        load.lane.room.acquire_nowait()
