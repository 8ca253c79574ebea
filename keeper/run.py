r"""Wiring: what a run is made of, from keeper.toml to the final report.

    sandbox (another process) | cluster
      prices -> board ----------\\
      scan -> chain ------------- > prices, liquidations, chains -> land -> attempts, tally
                 \\-> following -> tokens to read

The tasks and the order of their end are in keeper/lifetimes.py. What is still open when they have ended is in the
database, and the next start settles it before anything else.
"""

from dataclasses import replace
from typing import Any, Final

import structlog
import trio

from keeper.cluster import check_cluster, check_endpoints
from keeper.config import Config
from keeper.execute import Kit
from keeper.keypair import load_keypair
from keeper.lanes import open_lanes, spend_json
from keeper.learning import keep_units, recall_units
from keeper.lifetimes import Work, follow_transactions
from keeper.newest import Newest
from keeper.options import RunOptions
from keeper.payer import check_payers
from keeper.report import report
from keeper.sandbox.child import run_sandbox_child
from keeper.sandbox.endpoints import SandboxEndpoints
from keeper.sandbox.past_chains import SUBFOLDER, forget_past_chains
from keeper.tally import Tally
from programs.betting_platform.build import PROGRAM_SO
from programs.in_flight import InFlight
from programs.rpc import LatestBlockhash
from programs.rpc_http import open_rpc
from state.attempts import Attempts
from state.learned import LearnedUnits

_HOUR_MS: Final = 3_600_000
log = structlog.get_logger()


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
            config = _inside(config, endpoints)
            forget_past_chains(config.state.folder)
        result = await _keep(config, options, stop, working)
        nursery.cancel_scope.cancel(reason="the run is over")
    return result


def _inside(config: Config, sandbox: SandboxEndpoints) -> Config:
    """Point a configuration at a running sandbox."""
    return replace(
        config,
        cluster=replace(config.cluster, rpc_urls=sandbox.rpc_urls),
        polymarket=replace(
            config.polymarket,
            clob_url=sandbox.clob_url,
            gamma_url=sandbox.gamma_url,
            stream_url=sandbox.stream_url,
        ),
        # Its chain ends with us: what is remembered of it lies apart from what must never be lost.
        state=replace(config.state, folder=config.state.folder / SUBFOLDER),
    )


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
        path = config.state.folder / f"keeper-{facts.genesis_hash[:12]}.db"
        async with options.surroundings.open_store(path) as store:
            attempts = Attempts(store)
            first_id = await attempts.last_id()
            kit = Kit(
                rpc=rpc,
                attempts=attempts,
                in_flight=InFlight(),
                blockhashes=Newest[LatestBlockhash](),
                tally=Tally(),
                program=config.cluster.program_id,
                quote_mint=facts.parameters.quote_mint,
                slot_ms=config.cluster.slot_ms,
                wall_ms=options.surroundings.wall_ms,
                cu_model=await recall_units(units := LearnedUnits(store)),
            )
            lanes = open_lanes(kit, config.lanes, payer, config.keys.keeper)
            payer_facts = await check_payers(rpc, payer.pubkey(), lanes.payers, facts.parameters)
            log.info(
                "keeper.started",
                program=str(facts.program),
                genesis_hash=facts.genesis_hash,
                payer=str(payer_facts.address),
                balance_lamports=payer_facts.balance_lamports,
                state=str(path),
            )
            work = Work(
                config=config,
                options=options,
                kit=kit,
                lanes=lanes,
                facts=facts,
                payer=payer_facts,
                stop=stop,
                working=working,
            )
            async with trio.open_nursery() as learning:
                learning.start_soon(keep_units, units, kit.cu_model)
                await follow_transactions(work)
                learning.cancel_scope.cancel(reason="nothing more is learned")
            summary = await attempts.summary(after_id=first_id)
    found = report(
        facts=facts,
        payer=payer_facts,
        tally=kit.tally,
        summary=summary,
        prices=work.board.statistics(),
        resends=kit.in_flight.statistics().resends,
        run_s=trio.current_time() - started_s,
        spend=spend_json(lanes),
    )
    log.info(
        "keeper.stopped",
        run_s=found["run_s"],
        prices_posted=kit.tally.prices_posted,
        liquidations_landed=kit.tally.liquidations_landed,
        transactions_open=summary.open,
        fees_lamports=summary.fees_lamports,
    )
    return found
