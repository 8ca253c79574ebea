r"""Wiring: the nurseries, the boards between the stages, and the order of shutdown.

    sandbox (another process) | cluster
      prices -> board ----------\\
      scan -> chain ------------- > prices lane, liquidations lane -> land -> attempts, tally
                 \\-> following -> tokens to read

Three lifetimes, one nursery each: `landing` follows transactions to their end, `lanes` decide and send, `intake` reads
the world. On interrupt intake ends first, then the lanes drain within the deadline, then landing; what is still open
is in the database, and the next start settles it before anything else.
"""

from collections import deque
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

import structlog
import trio
from rich.console import Console

from keeper.batching import Desk
from keeper.bounty import open_bounty_account
from keeper.cluster import ClusterFacts, check_cluster, check_endpoints
from keeper.config import Config
from keeper.execute import Kit, watch_blockhashes
from keeper.following import follow_markets
from keeper.keypair import load_keypair
from keeper.lanes import Lanes, open_lanes
from keeper.learning import keep_units, recall_units
from keeper.liquidate import liquidate_positions
from keeper.mirrors import Following
from keeper.newest import Newest
from keeper.payer import PayerFacts, check_payer
from keeper.post import post_prices
from keeper.prices.board import PriceBoard
from keeper.prices.discovery import discover_at
from keeper.prices.feed import feed
from keeper.prices.price import TokenId
from keeper.prices.recorder import Recorder
from keeper.prices.venue_http import open_venue
from keeper.report import report
from keeper.sandbox.child import run_sandbox_child
from keeper.sandbox.past_chains import SUBFOLDER, forget_past_chains
from keeper.snapshot import Snapshot
from keeper.surroundings import Surroundings
from keeper.tables import keep_tables
from keeper.tally import Tally
from keeper.venue import check_venue
from keeper.view import Notice, show
from keeper.watch import watch_chain
from programs.betting_platform.build import PROGRAM_SO
from programs.in_flight import InFlight, Pace
from programs.rpc import LatestBlockhash
from programs.rpc_http import open_rpc
from programs.submit import land, settle_open_attempts
from programs.units import Lamports
from state.attempts import Attempts
from state.learned import LearnedUnits

_HOUR_MS: Final = 3_600_000
log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What the command line adds to the configuration."""

    for_s: float | None = None
    """End after this many seconds of work; None runs until interrupted."""
    console: Console | None = None
    """Where the live view is drawn; None draws none."""
    notices: deque[Notice] = field(default_factory=deque)
    """The newest warnings, for the live view."""
    recorder: Recorder | None = None
    """Told of all that is heard and believed of prices; None records nothing."""
    surroundings: Surroundings = field(default_factory=Surroundings)
    """Disk, clock and signals, where they are not the machine's."""


async def run(config: Config, options: RunOptions) -> dict[str, Any]:
    """Keep until interrupted, drain, and return the final report.

    The first SIGINT, SIGTERM or SIGHUP drains; a second one stops waiting, and the next start settles what is open.

    Raises:
        AbandonedError: interrupted before any work, or twice; alone or in a group.
        KeeperError, StateError: what an operator has to mend, in one sentence; alone or in a group.
    """
    stop, working = trio.Event(), trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(options.surroundings.obey_signals, stop, working)
        if config.sandbox.enabled:
            if options.console is not None:
                options.console.print("starting the sandbox: network, venue and actors …")
            endpoints = await nursery.start(run_sandbox_child, config.sandbox, config.keys.keeper)
            config = replace(
                config,
                cluster=replace(config.cluster, rpc_urls=endpoints.rpc_urls),
                polymarket=replace(
                    config.polymarket,
                    clob_url=endpoints.clob_url,
                    gamma_url=endpoints.gamma_url,
                    stream_url=endpoints.stream_url,
                ),
                # Its chain ends with us: what is remembered of it lies apart from what must never be lost.
                state=replace(config.state, folder=config.state.folder / SUBFOLDER),
            )
            forget_past_chains(config.state.folder)
        result = await _keep(config, options, stop, working)
        nursery.cancel_scope.cancel(reason="the run is over")
    return result


async def _keep(
    config: Config, options: RunOptions, stop: trio.Event, working: trio.Event
) -> dict[str, Any]:
    payer = load_keypair(config.keys.keeper)
    started_s = trio.current_time()
    async with open_rpc(config.cluster.rpc_urls, config.cluster.rpc_settings) as rpc:
        facts = await check_cluster(rpc, config.cluster.program_id, PROGRAM_SO)
        await check_endpoints(
            config.cluster.rpc_urls, config.cluster.rpc_settings, facts.genesis_hash
        )
        payer_facts = await check_payer(rpc, payer.pubkey(), facts.parameters)
        path = config.state.folder / f"keeper-{facts.genesis_hash[:12]}.db"
        async with options.surroundings.open_store(path) as store:
            log.info(
                "keeper.started",
                program=str(facts.program),
                genesis_hash=facts.genesis_hash,
                payer=str(payer_facts.address),
                balance_lamports=payer_facts.balance_lamports,
                state=str(path),
            )
            attempts, board, tally = Attempts(store), PriceBoard(), Tally()
            first_id = await attempts.last_id()
            hour_ago = facts.slot - _HOUR_MS // config.cluster.slot_ms
            kit = Kit(
                rpc=rpc,
                attempts=attempts,
                in_flight=InFlight(),
                blockhashes=Newest[LatestBlockhash](),
                tally=tally,
                program=config.cluster.program_id,
                quote_mint=facts.parameters.quote_mint,
                slot_ms=config.cluster.slot_ms,
                cu_model=await recall_units(units := LearnedUnits(store)),
                spent_lamports=await attempts.fees_by_lane(from_slot=hour_ago),
            )
            lanes = open_lanes(kit, config.lanes, payer)
            async with trio.open_nursery() as learning:
                learning.start_soon(keep_units, units, kit.cu_model)
                await _work(config, options, kit, lanes, facts, payer_facts, board, stop, working)
                learning.cancel_scope.cancel(reason="nothing more is learned")
            summary = await attempts.summary(after_id=first_id)
    found = report(
        facts=facts,
        payer=payer_facts,
        tally=tally,
        summary=summary,
        prices=board.statistics(),
        resends=kit.in_flight.statistics().resends,
        run_s=trio.current_time() - started_s,
    )
    log.info(
        "keeper.stopped",
        run_s=found["run_s"],
        prices_posted=tally.prices_posted,
        liquidations_landed=tally.liquidations_landed,
        transactions_open=summary.open,
        fees_lamports=summary.fees_lamports,
    )
    return found


async def _work(
    config: Config,
    options: RunOptions,
    kit: Kit,
    lanes: Lanes,
    facts: ClusterFacts,
    payer: PayerFacts,
    board: PriceBoard,
    stop: trio.Event,
    working: trio.Event,
) -> None:
    chain = Newest[Snapshot]()
    following, followed = Newest[Following](), Newest[tuple[TokenId, ...]]()
    pace = Pace(
        poll_interval_s=kit.slot_s * config.landing.poll_interval_slots,
        resend_interval_s=kit.slot_s * config.landing.resend_interval_slots,
    )
    async with trio.open_nursery() as landing:
        await landing.start(land, kit.rpc, kit.attempts, kit.in_flight, pace)
        interval_s = kit.slot_s * config.landing.blockhash_interval_slots
        await landing.start(
            watch_blockhashes, kit.rpc, kit.blockhashes, interval_s, facts.genesis_hash
        )
        await _settle(kit, pace)
        await check_venue(config.polymarket)
        await open_bounty_account(lanes.liquidations)
        working.set()
        desk = Desk(
            program=kit.program,
            payer=lanes.liquidations.payer.pubkey(),
            quote_mint=kit.quote_mint,
        )
        rent_max = Lamports(config.lanes.tables_rent_max_lamports)
        landing.start_soon(keep_tables, lanes.tables, desk, chain, rent_max)
        if options.console is not None:
            landing.start_soon(
                show, options.console, facts, chain, following, board, kit.tally, options.notices
            )
        async with trio.open_nursery() as at_work:
            if payer.is_oracle_authority:
                at_work.start_soon(
                    post_prices,
                    lanes.prices,
                    config.posting,
                    board,
                    chain,
                    following,
                    stop,
                )
            else:
                _refuse_posting(kit, facts, payer)
            at_work.start_soon(
                liquidate_positions,
                lanes.liquidations,
                config.lanes.lamports_per_quote_unit,
                config.posting.change_e6,
                board,
                chain,
                following,
                stop,
            )
            async with (
                open_venue(config.polymarket, board, wall_ms=options.surroundings.wall_ms) as venue,
                trio.open_nursery() as intake,
            ):
                intake.start_soon(
                    watch_chain,
                    kit.rpc,
                    kit.program,
                    kit.tally,
                    kit.slot_s * config.cluster.scan_interval_slots,
                    chain,
                )
                intake.start_soon(
                    follow_markets,
                    kit.tally,
                    chain,
                    partial(discover_at, venue),
                    following,
                    followed,
                )
                intake.start_soon(
                    partial(
                        feed,
                        config.polymarket,
                        followed,
                        board,
                        wall_ms=options.surroundings.wall_ms,
                        recorder=options.recorder,
                        venue=venue,
                    )
                )
                with trio.move_on_after(float("inf") if options.for_s is None else options.for_s):
                    await stop.wait()
                stop.set()
                intake.cancel_scope.cancel(reason="draining")
            at_work.cancel_scope.deadline = trio.current_time() + config.landing.drain_s
        landing.cancel_scope.cancel(reason="drained")


def _refuse_posting(kit: Kit, facts: ClusterFacts, payer: PayerFacts) -> None:
    """Say that no price will be posted: the program would refuse each one, for a fee. Liquidating is open to all."""
    kit.tally.refusals["prices.not_the_oracle_authority"] += 1
    log.warning(
        "posting.disabled",
        reason=f"the keeper's key {payer.address} is not the program's oracle authority "
        f"{facts.parameters.oracle_authority}: prices are read but not posted, positions are still liquidated; "
        "set keys.keeper to the oracle authority's key to post",
    )


async def _settle(kit: Kit, pace: Pace) -> None:
    """Settle from the chain what an earlier process left open, before any new work."""
    for attempt, outcome in await settle_open_attempts(kit.attempts, kit.in_flight, pace):
        kit.tally.settled_attempts += 1
        log.info(
            "attempt.settled",
            signature=attempt.signature_text,
            lane=attempt.lane,
            outcome=type(outcome).__name__.lower(),
        )
