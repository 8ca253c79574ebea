"""The payouts lane: reward roots posted and paid from their manifests, each wallet once.

Each round reads the folder, the roots' accounts and the wallets' token accounts, posts what is not on chain where that is ours
to do, and pays what the chain's bitmap says is left. A subtree of eight leaves is a job, and the bitmap makes paying it twice
impossible: a payment by another keeper, or a wallet's own, is noticed by the next reading. Price classes are no concern of
this lane.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import structlog
import trio
from solders.pubkey import Pubkey

from keeper.execute import Lane
from keeper.payout_accounts import PayoutAccounts, Standings
from keeper.payout_jobs import Due, creation, creation_id, payment, payment_id
from keeper.payout_loads import Load, Memory, begin, carry, packed
from keeper.payout_roots import LANE, AbsentRoot, OpenRoot, Roots
from keeper.payouts import Subtree, unpaid_subtrees
from keeper.post_roots import Posting, posts
from programs.rpc import RpcFailure
from state.progress import beat

_WALLETS_PER_PLACE: Final = 64
"""Whose accounts are read in one round for each transaction that may be sent: more than any transaction pays."""
_ROOTS_AT_ONCE: Final = 16
"""Read together: the account of 65_536 leaves has 8 KB, and a season has thousands of roots, most of them paid."""
_ROUNDS_AT_REST: Final = 6
"""Until the second look at a root of which only wallets are left that cannot be paid: a minute by default; then ever longer."""
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


async def pay_due_rewards(
    lane: Lane,
    rules: PayRules,
    mint: Pubkey,
    stop: trio.Event,
    *,
    posting: Posting | None = None,
    genesis_hash: str | None = None,
) -> None:
    """Post and pay until `stop` is set; then wait for what is in flight.

    Args:
        lane: who pays the fees.
        rules: from where, and whether token accounts are opened.
        mint: of MMT.
        stop: ends it.
        posting: who posts roots; None: nobody here.
        genesis_hash: of the cluster: manifests that name another one are left alone.
    """
    tally = lane.kit.tally
    accounts = PayoutAccounts(mint, tally, lane.kit.attempts.landed_slots)
    memory = Memory(Roots(lane.kit.program, tally, genesis_hash), accounts)
    async with trio.open_nursery() as nursery:
        while not stop.is_set():
            beat()
            memory.news = trio.Event()
            try:
                loads = await _plan(lane, rules, memory, posting)
                begin(memory, loads)
                for load in loads:
                    nursery.start_soon(carry, memory, load)
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


async def _plan(lane: Lane, rules: PayRules, memory: Memory, posting: Posting | None) -> list[Load]:
    """Fill as many transactions as may be sent, the oldest root first; posts, then payments, then openings."""
    now_s = trio.current_time()
    memory.bisection.forget(now_s)
    await memory.roots.read_folder(rules.folder)
    budget, due, absent = lane.room.value * _WALLETS_PER_PLACE, list[Due](), list[AbsentRoot]()
    waiting = [root for root in memory.roots.waiting if now_s >= root.rests_until_s]
    for start in range(0, len(waiting), _ROOTS_AT_ONCE):
        if budget <= 0:
            break
        roots = waiting[start : start + _ROOTS_AT_ONCE]
        reading = await memory.roots.read(roots, lane.kit.rpc)
        memory.note_seen(reading.slot)
        for root, account in zip(roots, reading.accounts, strict=True):
            if budget <= 0 and account is not None:
                continue  # its turn comes; what is not on chain yet is posted at once
            match await memory.roots.look_at(root, account, reading.slot):
                case AbsentRoot() as found:
                    absent.append(found)
                case OpenRoot() as found:
                    chosen = _chosen(found, rules, memory, budget)
                    budget -= sum(len(subtree.unpaid) for subtree in chosen)
                    due += await _dues(lane, rules, memory, found, chosen)
    posted = await posts(posting, memory, absent)
    memory.note_due([*posted, *due])
    ages_s = [memory.due_at_s[each.job.job_id] for each in (*posted, *due)]
    lane.kit.tally.lane(LANE).note_due(len(ages_s), min(ages_s, default=None))
    lane.kit.tally.jobs_queued[LANE] = len(posted) + len(due)
    loads = list[Load]()
    if posting is not None:
        for each in posted:  # each by itself: the authority pays for its account
            loads += packed(posting.lane, memory, [each])
    for kind in ("pay", "create_token_account"):  # who can be paid waits for nobody who cannot
        loads += packed(lane, memory, [each for each in due if each.job.kind == kind])
    return loads[: lane.room.value]


def _chosen(found: OpenRoot, rules: PayRules, memory: Memory, budget: int) -> list[Subtree]:
    """Choose the first subtrees of which something may be paid now; a root whose wallets are all paused rests."""
    memory.open_roots[found.tree.epoch, found.tree.index] = found.root
    chosen, may_be_paid = list[Subtree](), False
    rewards, tree = found.tree.rewards, found.tree
    for subtree in unpaid_subtrees(found.epoch):
        unpaid = tuple(
            leaf for leaf in subtree.unpaid if memory.accounts.may_look_at(rewards[leaf].wallet)
        )
        may_be_paid = may_be_paid or bool(unpaid)
        job_id = payment_id(tree.epoch, tree.index, subtree.number)
        if unpaid and memory.may_begin(job_id, found.slot):
            chosen.append(replace(subtree, unpaid=unpaid))
            budget -= len(unpaid)
            if budget <= 0:
                break
    if may_be_paid:
        found.root.rests = 0
    else:
        found.root.rest(_ROUNDS_AT_REST * rules.interval_s)
    return chosen


async def _dues(
    lane: Lane, rules: PayRules, memory: Memory, found: OpenRoot, subtrees: Sequence[Subtree]
) -> list[Due]:
    """Make jobs: subtrees to pay, and token accounts to open for those that lack some."""
    rewards, accounts, program = found.tree.rewards, memory.accounts, lane.kit.program
    wallets = [rewards[leaf].wallet for subtree in subtrees for leaf in subtree.unpaid]
    if not wallets:
        return []
    standings = await accounts.standings(lane.kit.rpc, wallets)
    accounts.skip(standings.those("unusable"), "unusable token account")
    missing = await _to_open(lane, rules, memory, found, standings)
    payer, mint = lane.payer.pubkey(), accounts.mint
    created = [
        creation(payer, mint, wallet)
        for wallet in missing
        if memory.may_begin(creation_id(mint, wallet), found.slot)
    ]
    awaited = {wallet for wallet in missing if creation_id(mint, wallet) not in memory.vain}
    due = list[Due]()
    for subtree in subtrees:
        payable = [i for i in subtree.unpaid if standings.of[rewards[i].wallet] == "usable"]
        # One payment for the whole subtree, as soon as the accounts it lacks are there; what could not be opened is not awaited.
        if payable and not any(rewards[leaf].wallet in awaited for leaf in subtree.unpaid):
            due.append(payment(program, mint, found.tree, found.epoch, subtree, payable))
    return [*created, *due]


async def _to_open(
    lane: Lane, rules: PayRules, memory: Memory, found: OpenRoot, standings: Standings
) -> list[Pubkey]:
    """Choose the wallets that get an account, once the cost of all of the root has been told."""
    missing = standings.those("missing")
    if not missing:
        return []
    if not rules.creates_token_accounts:
        memory.accounts.skip(missing, "no token account")
        return []
    if not found.root.is_surveyed:
        await _tell_cost(lane, memory, found)
    refused = await memory.accounts.why_no_account(lane.kit.rpc, standings)
    for reason in sorted(set(refused.values())):
        memory.accounts.skip([wallet for wallet in refused if refused[wallet] == reason], reason)
    return [wallet for wallet in missing if wallet not in refused]


async def _tell_cost(lane: Lane, memory: Memory, found: OpenRoot) -> None:
    """Say what opening accounts for a root costs, before the first of them is opened."""
    unpaid = [
        found.tree.rewards[leaf].wallet
        for subtree in unpaid_subtrees(found.epoch)
        for leaf in subtree.unpaid
    ]
    survey = await memory.accounts.survey(lane.kit.rpc, unpaid)
    found.root.is_surveyed = True
    tally = lane.kit.tally
    tally.token_accounts_missing += survey.missing
    tally.token_accounts_rent_lamports += survey.rent_lamports
    log.warning(
        "token_accounts.cost",
        wallets=survey.wallets,
        with_account=survey.with_account,
        missing=survey.missing,
        refused=survey.refused,
        rent_lamports=survey.rent_lamports,
        balance_lamports=lane.funds.balance_lamports,
        **{f"{period}_max_lamports": window.max_lamports for period, window in lane.purse.spend},
        **found.root.names,
    )
