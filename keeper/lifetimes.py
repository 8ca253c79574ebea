"""The three lifetimes of a run, one function and one nursery each; whoever adds a task adds a line to one of them.

    follow_transactions    what was signed is sent, confirmed, recorded; blockhashes; the view
      work_lanes             each kind of work decides and ships
        take_in                the world is read: chain, venue

Nested, so that they end from the inside: intake first, then the lanes within the drain's deadline, then landing.
"""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Final

import structlog
import trio

from keeper.batching import Desk
from keeper.bounty import open_bounty_account
from keeper.config import Config, pay_rules
from keeper.execute import watch_blockhashes
from keeper.execute_chains import execute_chains
from keeper.following import follow_markets
from keeper.lanes import count_spent, day_before
from keeper.learning import keep_units
from keeper.liquidate import liquidate_positions
from keeper.once import end_after_one_round
from keeper.other_signers import watch_other_signers
from keeper.pay import pay_due_rewards
from keeper.payer import watch_balances
from keeper.platform_watch import tell_halts, watch_platform
from keeper.post import post_prices
from keeper.post_roots import Posting
from keeper.prices.discovery import discover_at
from keeper.prices.feed import feed
from keeper.prices.venue_http import open_venue
from keeper.reload import adjust_lanes, reread_settings
from keeper.shadow import watch_landings
from keeper.tables import keep_tables
from keeper.venue import check_venue
from keeper.view import show
from keeper.watch import watch_chain
from keeper.work import Work
from programs.settling import settle_open_attempts
from programs.submit import land
from programs.units import Lamports
from state.learned import LearnedUnits
from state.recorded import recorded

_BALANCE_INTERVAL_SLOTS: Final = 25
"""Between two readings of every payer's balance."""
_LANDINGS_INTERVAL_SLOTS: Final = 10
"""Between two readings, by a shadow, of what the keeper at work landed."""
_PLATFORM_INTERVAL_SLOTS: Final = 150
"""Between two looks at what should never change: a minute on a real cluster."""
log = structlog.get_logger()


async def follow_transactions(work: Work) -> None:
    """Follow every attempt to its end, as long as there are lanes; settle first what an earlier process left open."""
    kit = work.kit
    blockhash_s = kit.slot_s * work.config.landing.blockhash_interval_slots
    watch = partial(watch_blockhashes, interval_s=blockhash_s, genesis_hash=work.facts.genesis_hash)
    async with trio.open_nursery() as landing:
        follow = partial(land, tell_move=kit.tally.note_move)
        await landing.start(follow, kit.rpc, kit.attempts, kit.in_flight, lambda: work.pace)
        await landing.start(watch, kit.rpc, kit.blockhashes)
        await _get_ready(work)
        landing.start_soon(_watch_balances, work)
        landing.start_soon(_keep_tables, work)
        landing.start_soon(keep_units, LearnedUnits(work.store), kit.cu_model)
        landing.start_soon(_show, work)
        landing.start_soon(_reread, work)
        landing.start_soon(_watch_platform, work)
        landing.start_soon(_watch_other_signers, work)
        landing.start_soon(_watch_landings, work)
        landing.start_soon(tell_halts, work.chain, kit.tally)
        await work_lanes(work)
        landing.cancel_scope.cancel(reason="drained")


async def work_lanes(work: Work) -> None:
    """Decide and ship, as long as there is news; then give what is in flight until the drain's deadline."""
    async with trio.open_nursery() as lanes:
        lanes.start_soon(_post, work)
        lanes.start_soon(_liquidate, work)
        lanes.start_soon(_execute_chains, work)
        lanes.start_soon(_pay, work)
        await take_in(work)
        drain_s = work.config.landing.drain_s
        log.info(
            "drain.waits",
            jobs_in_flight=sum(work.kit.tally.jobs_in_flight.values()),
            at_most_s=drain_s,
            because=work.orders.faults.get(),
        )
        lanes.cancel_scope.deadline = trio.current_time() + drain_s


async def take_in(work: Work) -> None:
    """Read the world until told to stop, or until the time is over."""
    for_s, wall_ms = work.options.for_s, work.options.surroundings.wall_ms
    async with (
        open_venue(work.config.polymarket, work.board, wall_ms=wall_ms) as venue,
        trio.open_nursery() as intake,
    ):
        discover = partial(discover_at, venue)
        listen = partial(feed, wall_ms=wall_ms, recorder=work.options.recorder, venue=venue)
        intake.start_soon(_scan, work)
        intake.start_soon(
            follow_markets, work.kit.tally, work.chain, discover, work.following, work.followed
        )
        intake.start_soon(_end_after_one_round, work)
        intake.start_soon(listen, work.config.polymarket, work.followed, work.board)
        with trio.move_on_after(float("inf") if for_s is None else for_s):
            await work.stop.wait()
        work.stop.set()
        intake.cancel_scope.cancel(reason="draining")


async def _get_ready(work: Work) -> None:
    """Do what comes before any new work."""
    await _settle(work)
    await _remember_spent(work)
    await check_venue(work.config.polymarket, work.kit.tally)
    lanes = work.lanes
    for lane in {lane.payer.pubkey(): lane for lane in (lanes.chains, lanes.liquidations)}.values():
        await open_bounty_account(lane)
    work.orders.working.set()


async def _settle(work: Work) -> None:
    kit, started_s = work.kit, trio.current_time()
    settled = await settle_open_attempts(kit.attempts, kit.in_flight, work.pace)
    kit.tally.settled_attempts += len(settled)
    if settled:
        ends = Counter(
            "unproved" if each.outcome is None else type(each.outcome).__name__.lower()
            for each in settled
        )
        log.info("attempts.settled", **ends, settling_s=round(trio.current_time() - started_s, 3))


async def _reread(work: Work) -> None:
    def apply(config: Config) -> None:
        adjust_lanes(work.lanes, config.lanes)
        work.options.set_log_level(config.log.level)

    if work.options.reread is not None:
        await reread_settings(work.orders, work.settings, work.options.reread, apply)


async def _end_after_one_round(work: Work) -> None:
    if work.options.is_once:
        kit = work.kit
        await end_after_one_round(
            work.orders, work.chain, work.followed, work.board, kit.tally, kit.slot_s
        )


async def _watch_landings(work: Work) -> None:
    kit, shadow = work.kit, work.options.shadow
    if shadow is not None:
        payers = [funds.address for funds in work.lanes.payers]
        interval_s = kit.slot_s * _LANDINGS_INTERVAL_SLOTS
        await watch_landings(kit.rpc, shadow, payers, work.facts.slot, interval_s)


async def _watch_platform(work: Work) -> None:
    kit, slot_s = work.kit, work.kit.slot_s
    interval_s = slot_s * _PLATFORM_INTERVAL_SLOTS
    await watch_platform(kit.rpc, work.facts, work.chain, work.orders, interval_s, slot_s)


async def _watch_other_signers(work: Work) -> None:
    if work.kit.rehearsal is not None:
        return  # a keeper that it runs beside is no stranger
    kit = work.kit
    payers = [funds.address for funds in work.lanes.payers]
    interval_s = kit.slot_s * _PLATFORM_INTERVAL_SLOTS

    async def is_ours(signatures: Sequence[str]) -> frozenset[str]:
        return await work.store.read(partial(recorded, signatures=signatures))

    await watch_other_signers(kit.rpc, payers, work.facts.slot, is_ours, kit.tally, interval_s)


async def _remember_spent(work: Work) -> None:
    """Count what earlier processes spent within a day; read once all they left open has ended."""
    kit, slot = work.kit, work.facts.slot
    from_minute, from_slot = day_before(slot, slot_ms=kit.slot_ms, wall_ms=kit.wall_ms)
    rows = await kit.attempts.spent(from_minute=from_minute, from_slot=from_slot)
    count_spent(work.lanes, rows, slot)


async def _watch_balances(work: Work) -> None:
    kit = work.kit
    await watch_balances(kit.rpc, work.lanes.payers, kit.slot_s * _BALANCE_INTERVAL_SLOTS)


async def _keep_tables(work: Work) -> None:
    kit, config = work.kit, work.config.lanes
    payer = work.lanes.liquidations.payer.pubkey()
    desk = Desk(program=kit.program, payer=payer, quote_mint=kit.quote_mint)
    rent_max = Lamports(config.tables_rent_max_lamports)
    await keep_tables(work.lanes.tables, desk, work.chain, rent_max)


async def _show(work: Work) -> None:
    console, notices = work.options.console, work.options.notices
    if console is not None:
        tally = work.kit.tally
        await show(
            console, work.facts, work.chain, work.following, work.board, tally, notices, work.marks
        )


async def _post(work: Work) -> None:
    if not work.payer.is_oracle_authority:
        _refuse_posting(work)
        return
    await post_prices(
        work.lanes.prices,
        lambda: work.config.posting,
        work.board,
        work.chain,
        work.following,
        work.stop,
    )


def _refuse_posting(work: Work) -> None:
    """Say that no price will be posted: the program would refuse each one, for a fee. Liquidating is open to all."""
    work.kit.tally.refusals["prices.not_the_oracle_authority"] += 1
    log.warning(
        "posting.disabled",
        reason=f"the keeper's key {work.payer.address} is not the program's oracle authority "
        f"{work.facts.parameters.oracle_authority}: prices are read but not posted, positions are still liquidated; "
        "set keys.keeper to the oracle authority's key to post",
    )


async def _liquidate(work: Work) -> None:
    await liquidate_positions(
        work.lanes.liquidations,
        work.config.lanes.lamports_per_quote_unit,
        lambda: work.config.posting.change_e6,
        work.board,
        work.chain,
        work.following,
        work.stop,
    )


async def _execute_chains(work: Work) -> None:
    await execute_chains(
        work.lanes.chains,
        work.config.lanes.lamports_per_quote_unit,
        lambda: work.config.posting.change_e6,
        work.board,
        work.chain,
        work.following,
        work.stop,
    )


async def _pay(work: Work) -> None:
    facts, lanes = work.facts, work.lanes
    await pay_due_rewards(
        lanes.payouts,
        pay_rules(work.config),
        facts.parameters.mmt_mint,
        work.stop,
        posting=Posting(
            lane=lanes.posting, incentives_authority=facts.parameters.incentives_authority
        ),
        genesis_hash=facts.genesis_hash,
    )


async def _scan(work: Work) -> None:
    kit, cluster = work.kit, work.config.cluster
    await watch_chain(
        kit.rpc, kit.program, kit.tally, cluster.scan_pace, work.chain, cluster.listening
    )
