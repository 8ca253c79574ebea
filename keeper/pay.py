"""The payouts lane: reward roots paid from their manifests, each wallet once.

Each round reads the folder, the roots' accounts and the wallets' token accounts, and pays what the chain's bitmap says is
left. A subtree of eight leaves is a job, and the bitmap makes paying it twice impossible: a payment by another keeper, or a
wallet's own, is noticed by the next reading. Price classes are no concern of this lane.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import structlog
import trio
from solders.pubkey import Pubkey
from spl.token.instructions import create_idempotent_associated_token_account

from keeper.bisection import Bisection
from keeper.bounty import CREATE_CU, CREATE_LOADED_BYTES, TOKEN_ACCOUNT_RENT
from keeper.costs import pay_rewards_cu, pay_rewards_loaded_bytes
from keeper.execute import Kit, Lane, Shipment, job_refs, ship, simulate
from keeper.fees import NoBid
from keeper.payout_accounts import PayoutAccounts, Standing
from keeper.payout_roots import LANE, OpenRoot, Roots
from keeper.payouts import Subtree, tight_batch, unpaid_subtrees
from programs import events
from programs.errors import in_words
from programs.event_layout import EventKind
from programs.instructions import pay_rewards
from programs.outcomes import Expired, Failed, JobRef, Landed
from programs.pack import Batch, Group, pack_groups
from programs.rpc import RpcFailure
from programs.units import Lamports, Slot

_WALLETS_PER_PLACE: Final = 64
"""Whose accounts are read in one round for each transaction that may be sent: more than any transaction pays."""
_NO_RENT: Final = Lamports(0)
log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class PayRules:
    """How rewards are paid."""

    folder: Path
    """Where manifests are put, one file a root; written elsewhere and moved there whole."""
    creates_token_accounts: bool
    """Whether to open an account for a wallet that has none: its rent never comes back."""
    interval_s: float
    """Between two rounds while nothing lands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Due:
    """One job, ready to be packed."""

    job: JobRef
    group: Group
    rent_lamports: Lamports = _NO_RENT


@dataclass(slots=True)
class _Memory:
    """What the lane remembers between rounds."""

    roots: Roots
    accounts: PayoutAccounts
    bisection: Bisection = field(default_factory=Bisection)
    busy: set[str] = field(default_factory=set)
    """Jobs in flight."""
    landed_slots: dict[str, Slot] = field(default_factory=dict)
    """A bitmap read earlier shows the leaves before our own payment."""
    due_at_s: dict[str, float] = field(default_factory=dict)
    news: trio.Event = field(default_factory=trio.Event)
    """Set when the next round may find something else."""


async def pay_due_rewards(lane: Lane, rules: PayRules, mint: Pubkey, stop: trio.Event) -> None:
    """Pay until `stop` is set; then wait for what is in flight.

    Args:
        lane: who pays the fees.
        rules: from where, and whether token accounts are opened.
        mint: of MMT.
        stop: ends it.
    """
    tally = lane.kit.tally
    memory = _Memory(Roots(lane.kit.program, tally), PayoutAccounts(mint, tally))
    async with trio.open_nursery() as nursery:
        while not stop.is_set():
            memory.news = trio.Event()
            try:
                for batch, dues in await _plan(lane, rules, memory):
                    memory.busy.update(due.job.job_id for due in dues)
                    lane.room.acquire_nowait()
                    nursery.start_soon(_pay, lane, memory, batch, dues)
            except RpcFailure as failure:
                tally.refusals[f"{LANE}.chain_unread"] += 1
                log.warning("payouts.unread", reason=str(failure))
            with trio.move_on_after(rules.interval_s):
                await _first_of(stop, memory.news)


async def _first_of(*awaited: trio.Event) -> None:
    async def wait(event: trio.Event) -> None:
        await event.wait()
        nursery.cancel_scope.cancel(reason="one of them is set")

    async with trio.open_nursery() as nursery:
        for event in awaited:
            nursery.start_soon(wait, event)


async def _plan(
    lane: Lane, rules: PayRules, memory: _Memory
) -> list[tuple[Batch[Group], list[_Due]]]:
    """Fill as many transactions as may be sent, the oldest root first."""
    memory.bisection.forget(trio.current_time())
    await memory.roots.read_folder(rules.folder)
    budget, due = lane.room.value * _WALLETS_PER_PLACE, list[_Due]()
    for root in memory.roots.waiting:
        if budget <= 0:
            break
        found = await memory.roots.look_at(root, lane.kit.rpc)
        if found is not None:
            chosen = _chosen(found, memory, budget)
            budget -= sum(len(subtree.unpaid) for subtree in chosen)
            due += await _dues(lane, rules, memory, found, chosen)
    lane.kit.tally.jobs_queued[LANE] = len(due)
    return _packed(lane, memory, due)[: lane.room.value]


def _chosen(root: OpenRoot, memory: _Memory, budget: int) -> list[Subtree]:
    """Choose the first subtrees of which something may be paid now."""
    now_s, chosen = trio.current_time(), list[Subtree]()
    for subtree in unpaid_subtrees(root.epoch):
        job_id = _job_id(root, subtree)
        unpaid = tuple(
            leaf
            for leaf in subtree.unpaid
            if memory.accounts.may_look_at(root.tree.rewards[leaf].wallet)
        )
        if (
            unpaid
            and job_id not in memory.busy
            and root.slot > memory.landed_slots.get(job_id, -1)
            and not memory.bisection.is_paused(job_id, now_s)
        ):
            chosen.append(replace(subtree, unpaid=unpaid))
            budget -= len(unpaid)
            if budget <= 0:
                break
    return chosen


async def _dues(
    lane: Lane, rules: PayRules, memory: _Memory, root: OpenRoot, subtrees: Sequence[Subtree]
) -> list[_Due]:
    """Make jobs: subtrees to pay, and before them the token accounts that are opened for them."""
    rewards, accounts = root.tree.rewards, memory.accounts
    wallets = [rewards[leaf].wallet for subtree in subtrees for leaf in subtree.unpaid]
    if not wallets:
        return []
    standings = await accounts.standings(lane.kit.rpc, wallets)
    accounts.skip(_those(standings, "unusable"), "unusable token account")
    missing = _those(standings, "missing")
    if not rules.creates_token_accounts:
        accounts.skip(missing, "no token account")
        missing = []
    created = [
        _creation(lane, accounts, wallet)
        for wallet in missing
        if _creation_id(accounts, wallet) not in memory.busy
        and not memory.bisection.is_paused(_creation_id(accounts, wallet), trio.current_time())
    ]
    waiting = set(missing)
    due = list[_Due]()
    for subtree in subtrees:
        payable = [i for i in subtree.unpaid if standings[rewards[i].wallet] == "usable"]
        # One payment for the whole subtree, as soon as the accounts it lacks are there.
        if payable and not any(rewards[leaf].wallet in waiting for leaf in subtree.unpaid):
            due.append(_payment(lane, accounts, root, subtree, payable))
    for each in (*created, *due):
        memory.due_at_s.setdefault(each.job.job_id, trio.current_time())
    return [*created, *due]


def _those(standings: Mapping[Pubkey, Standing], standing: Standing) -> list[Pubkey]:
    return [wallet for wallet, found in standings.items() if found == standing]


def _job_id(root: OpenRoot, subtree: Subtree) -> str:
    return f"pay:{root.tree.epoch}:{root.tree.index}:{subtree.number}"


def _payment(
    lane: Lane,
    accounts: PayoutAccounts,
    root: OpenRoot,
    subtree: Subtree,
    payable: Sequence[int],
) -> _Due:
    batch = tight_batch(root.tree, payable)
    job_id = _job_id(root, subtree)
    return _Due(
        # The marks only ever grow: the same job on the same marks landing twice would be a duplicate.
        job=JobRef(
            job_id=job_id, kind="pay", target=str(root.address), effect=f"{subtree.marks:02x}"
        ),
        group=Group(
            job_id=job_id,
            instructions=(
                pay_rewards(
                    lane.kit.program, batch, [accounts.of(wallet) for wallet in batch.wallets]
                ),
            ),
            cu=pay_rewards_cu(batch),
            loaded_bytes=pay_rewards_loaded_bytes(batch, root.epoch.leaf_count),
        ),
    )


def _creation_id(accounts: PayoutAccounts, wallet: Pubkey) -> str:
    return f"create_token_account:{accounts.of(wallet)}"


def _creation(lane: Lane, accounts: PayoutAccounts, wallet: Pubkey) -> _Due:
    payer = lane.payer.pubkey()
    (job,) = job_refs("create_token_account", [(accounts.of(wallet), "create")])
    return _Due(
        job=job,
        group=Group(
            job_id=job.job_id,
            instructions=(
                create_idempotent_associated_token_account(payer, wallet, accounts.mint),
            ),
            cu=CREATE_CU,
            loaded_bytes=CREATE_LOADED_BYTES,
        ),
        rent_lamports=TOKEN_ACCOUNT_RENT,
    )


def _packed(
    lane: Lane, memory: _Memory, due: Iterable[_Due]
) -> list[tuple[Batch[Group], list[_Due]]]:
    """Pack jobs in order, as many together as earlier failures allow."""
    waiting = {each.job.job_id: each for each in due}
    packed: list[tuple[Batch[Group], list[_Due]]] = []
    by_id = dict(waiting)
    while together := memory.bisection.first_batch(list(waiting)):
        groups = [waiting.pop(job_id).group for job_id in together]
        packing = pack_groups(groups, lane.payer.pubkey(), shelf=lane.kit.shelf.get())
        for refused in packing.refused:
            lane.kit.tally.refusals[f"{LANE}.unpackable"] += 1
            memory.bisection.refused([refused.job.job_id], trio.current_time())
            log.error("payout.unpackable", job=refused.job.job_id, reason=refused.reason)
        packed += [
            (batch, [by_id[group.job_id] for group in batch.jobs]) for batch in packing.batches
        ]
    return packed


async def _pay(lane: Lane, memory: _Memory, batch: Batch[Group], dues: Sequence[_Due]) -> None:
    rent = Lamports(sum(due.rent_lamports for due in dues))
    shipment = Shipment(
        jobs=tuple(due.job for due in dues),
        due_at_s=tuple(memory.due_at_s[due.job.job_id] for due in dues),
        instructions=batch.instructions,
        tables=batch.tables,
        cu_limit=batch.cu,
        loaded_bytes=batch.loaded_bytes,
        rent_lamports=rent,
    )
    if rent:
        log.info(
            "token_accounts.opening",
            accounts=sum(bool(due.rent_lamports) for due in dues),
            rent_lamports=rent,
        )
    try:
        await _send(lane, memory, shipment, [due.job.job_id for due in dues])
    finally:
        memory.busy.difference_update(due.job.job_id for due in dues)
        lane.room.release()


async def _send(lane: Lane, memory: _Memory, shipment: Shipment, ids: Sequence[str]) -> None:
    """Simulate, send, and settle the jobs."""
    try:
        simulated = await simulate(lane, shipment)
    except RpcFailure as failure:
        lane.kit.tally.refusals[f"{LANE}.simulation_unanswered"] += len(ids)
        log.warning("payouts.unsimulated", jobs=len(ids), reason=str(failure))
        return
    if simulated.err is not None:
        _note_refused(lane, memory, ids, "simulation_refused", simulated.err)
        return
    cu_limit = lane.kit.cu_model.request("pay_rewards", shipment.cu_limit, simulated.cu_used)
    match await ship(lane, replace(shipment, cu_limit=cu_limit)):
        case Landed() as landed:
            memory.bisection.landed(ids)
            for job_id in ids:
                memory.landed_slots[job_id] = landed.slot
                memory.due_at_s.pop(job_id, None)
            _note_events(lane.kit, landed)
            memory.news.set()
        case Failed() as failed:
            _note_refused(lane, memory, ids, "failed_on_chain", failed.err)
        case Expired() | NoBid():
            pass  # counted and logged by ship; the next round decides anew


def _note_refused(lane: Lane, memory: _Memory, ids: Sequence[str], kind: str, err: object) -> None:
    memory.bisection.failed(ids, trio.current_time())
    lane.kit.tally.refusals[f"{LANE}.{kind}"] += len(ids)
    log.warning("payouts.refused", jobs=len(ids), kind=kind, reason=in_words(err))
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
