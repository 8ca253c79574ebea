"""The three lifetimes of a run, one function and one nursery each; whoever adds a task adds a line to one of them.

    follow_transactions    what was signed is sent, confirmed, recorded; blockhashes; the view
      work_lanes             each kind of work decides and ships
        take_in                the world is read: chain, venue

Nested, so that they end from the inside: intake first, then the lanes within the drain's deadline, then landing.
"""

from collections import Counter
from functools import partial

import structlog
import trio

from keeper.bounty import open_bounty_account
from keeper.config import pay_rules
from keeper.duplicates import INTERVAL_S as DUPLICATES_INTERVAL_S
from keeper.duplicates import watch_duplicates
from keeper.following import follow_markets
from keeper.lanes import count_spent, day_before
from keeper.learning import SAVE_EVERY_S, keep_units
from keeper.platform_watch import tell_halts
from keeper.prices.discovery import discover_at
from keeper.prices.feed import feed
from keeper.prices.venue_http import open_venue
from keeper.tasks import (
    BALANCE_INTERVAL_SLOTS,
    LANDINGS_INTERVAL_SLOTS,
    PATIENCE_S,
    PLATFORM_INTERVAL_SLOTS,
    draw_view,
    follow_attempts,
    guard_platform,
    look_for_other_signers,
    obey_rereads,
    paced,
    read_balances,
    refresh_blockhashes,
    refuse_posting,
    run_chains,
    run_liquidations,
    run_one_round,
    run_payouts,
    run_prices,
    run_scans,
    shadow_landings,
    tend_lookup_tables,
)
from keeper.venue import check_venue
from keeper.work import Work
from programs.settling import settle_open_attempts
from state.learned import LearnedUnits

log = structlog.get_logger()


async def follow_transactions(work: Work) -> None:
    """Follow every attempt to its end, as long as there are lanes; settle first what an earlier process left open."""
    kit, run = work.kit, work.progress.run
    async with trio.open_nursery() as landing:
        await landing.start(follow_attempts, work)
        await landing.start(refresh_blockhashes, work)
        await _get_ready(work)
        balances_s = paced(kit.slot_s * BALANCE_INTERVAL_SLOTS)
        platform_s = paced(kit.slot_s * PLATFORM_INTERVAL_SLOTS)
        landing.start_soon(run, "balances", balances_s, partial(read_balances, work))
        landing.start_soon(run, "tables", None, partial(tend_lookup_tables, work))
        learn = partial(keep_units, LearnedUnits(work.store), kit.cu_model)
        landing.start_soon(run, "units", paced(SAVE_EVERY_S), learn)
        count = partial(watch_duplicates, work.store, kit.tally)
        landing.start_soon(run, "duplicates", paced(DUPLICATES_INTERVAL_S), count)
        landing.start_soon(run, "platform", platform_s, partial(guard_platform, work))
        landing.start_soon(run, "halts", None, partial(tell_halts, work.chain, kit.tally))
        if work.options.console is not None:
            landing.start_soon(run, "view", PATIENCE_S, partial(draw_view, work))
        if work.options.reread is not None:
            landing.start_soon(run, "settings", None, partial(obey_rereads, work))
        if kit.rehearsal is None:  # else the keeper that it runs beside would be a stranger
            landing.start_soon(run, "signers", platform_s, partial(look_for_other_signers, work))
        if work.options.shadow is not None:
            landings_s = paced(kit.slot_s * LANDINGS_INTERVAL_SLOTS)
            landing.start_soon(run, "shadow", landings_s, partial(shadow_landings, work))
        await work_lanes(work)
        landing.cancel_scope.cancel(reason="drained")


async def work_lanes(work: Work) -> None:
    """Decide and ship, as long as there is news; then give what is in flight until the drain's deadline."""
    run = work.progress.run
    async with trio.open_nursery() as lanes:
        if work.payer.is_oracle_authority:
            lanes.start_soon(run, "prices", PATIENCE_S, partial(run_prices, work))
        else:
            refuse_posting(work)
        lanes.start_soon(run, "liquidations", PATIENCE_S, partial(run_liquidations, work))
        lanes.start_soon(run, "chains", PATIENCE_S, partial(run_chains, work))
        pay_s = paced(pay_rules(work.config).interval_s)
        lanes.start_soon(run, "payouts", pay_s, partial(run_payouts, work))
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
    tally, run = work.kit.tally, work.progress.run
    async with (
        open_venue(work.config.polymarket, work.board, wall_ms=wall_ms) as venue,
        trio.open_nursery() as intake,
    ):
        discover = partial(discover_at, venue)
        listen = partial(feed, wall_ms=wall_ms, recorder=work.options.recorder, venue=venue)
        scan_s = paced(work.config.cluster.scan_pace.calm_interval_s)
        intake.start_soon(run, "scan", scan_s, partial(run_scans, work))
        follow = partial(follow_markets, tally, work.chain, discover, work.following, work.followed)
        intake.start_soon(run, "markets", None, follow)
        if work.options.is_once:
            intake.start_soon(run, "round", None, partial(run_one_round, work))
        hear = partial(listen, work.config.polymarket, work.followed, work.board)
        intake.start_soon(run, "feed", PATIENCE_S, hear)
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


async def _remember_spent(work: Work) -> None:
    """Count what earlier processes spent within a day; read once all they left open has ended."""
    kit, slot = work.kit, work.facts.slot
    from_minute, from_slot = day_before(slot, slot_ms=kit.slot_ms, wall_ms=kit.wall_ms)
    rows = await kit.attempts.spent(from_minute=from_minute, from_slot=from_slot)
    count_spent(work.lanes, rows, slot)
