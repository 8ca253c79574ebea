r"""Wiring: what a run is made of, from keeper.toml to the final report.

    sandbox (another process) | cluster
      prices -> board ----------\\
      scan -> chain ------------- > prices, liquidations, chains -> land -> attempts, tally
                 \\-> following -> tokens to read

The tasks and the order of their end are in keeper/lifetimes.py. What is still open when they have ended is in the
database, and the next start settles it before anything else.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import structlog
import trio

from keeper.cluster import check_cluster, check_endpoints, program_landmark
from keeper.config import Config
from keeper.execute import Kit
from keeper.interrupt import Orders
from keeper.keypair import load_keypair
from keeper.lanes import open_lanes, spend_json
from keeper.learning import recall_units
from keeper.lifetimes import follow_transactions
from keeper.monitor.child import command_line as monitor_command_line
from keeper.monitor.child import run_monitor_child
from keeper.newest import Newest
from keeper.options import RunOptions
from keeper.payer import check_payers
from keeper.reload import Settings
from keeper.report import HEADROOM_PERCENTS, report
from keeper.sandbox.child import run_sandbox_child
from keeper.sandbox.endpoints import SandboxEndpoints
from keeper.sandbox.follower import command_line, run_follower
from keeper.sandbox.past_chains import SUBFOLDER, forget_past_chains
from keeper.tally import Tally
from keeper.telemetry.gather import SERVICE, Gatherer
from keeper.work import Work
from programs.betting_platform.build import PROGRAM_SO
from programs.endpoint_counts import EndpointStatistics
from programs.in_flight import InFlight
from programs.rpc import LatestBlockhash
from programs.rpc_http import open_rpc
from state.attempts import Attempts
from state.headroom import headroom_bps
from state.learned import LearnedUnits
from state.process_figures import Process
from state.sample_socket import socket_path
from state.systemd import tell_systemd

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Began:
    """Where this run's own report begins."""

    s: float
    """On the trio clock."""
    last_id: int
    """Of the newest attempt before it."""
    final_up_to: int
    """The end of every attempt up to this id was final then."""


async def run(config: Config, options: RunOptions) -> dict[str, Any]:
    """Keep until interrupted, drain, and return the final report.

    The first SIGINT or SIGTERM, or the end of its terminal, drains; a second one stops waiting, and the next start settles what is open.

    Raises:
        AbandonedError: interrupted before any work, or twice; alone or in a group.
        KeeperError, StateError: what an operator has to mend, in one sentence; alone or in a group.
    """
    orders, in_file = Orders(), config
    async with trio.open_nursery() as nursery:
        nursery.start_soon(options.surroundings.obey_signals, orders)
        nursery.start_soon(tell_systemd, orders.working, orders.stop)
        if config.sandbox.enabled:
            if options.console is not None:
                options.console.print("starting the sandbox: network, venue and actors …")
            endpoints = await nursery.start(run_sandbox_child, config.sandbox, config.keys.keeper)
            config = _inside(config, endpoints)
            forget_past_chains(config.state.folder)
        finish = trio.Event()
        if _has_monitor(config, options):
            has_incentives = _has_follower(config, options)
            watching = monitor_command_line(config, options.path, has_incentives=has_incentives)
            nursery.start_soon(run_monitor_child, watching, finish)
        follower_out, follower_in = trio.open_memory_channel[Mapping[str, Any]](1)
        if _has_follower(config, options):
            command = command_line(config, options.path)
            nursery.start_soon(run_follower, command, finish, follower_out)
        else:
            follower_out.close()
        result = await _keep(Settings(config, in_file), options, orders)
        finish.set()
        result["incentives"] = await _last_words(follower_in)
        nursery.cancel_scope.cancel(reason="the run is over")
    return result


def _has_follower(config: Config, options: RunOptions) -> bool:
    """Whether the run stands for the whole platform: the sandbox is ours, and what is owed shall be paid."""
    is_wanted = config.incentives.get("enabled") is True
    return config.sandbox.enabled and is_wanted and options.rehearsal is None


def _has_monitor(config: Config, options: RunOptions) -> bool:
    """Whether somebody is to watch the run: a rehearsal tells nothing, and one round is watched by whoever asked for it."""
    return config.monitor.enabled and options.rehearsal is None and not options.is_once


async def _last_words(
    follower: trio.MemoryReceiveChannel[Mapping[str, Any]],
) -> Mapping[str, Any] | None:
    """Wait for what the follower reports; None without one."""
    try:
        return await follower.receive()
    except trio.EndOfChannel:
        return None


def _inside(config: Config, sandbox: SandboxEndpoints) -> Config:
    """Point a configuration at a running sandbox."""
    return replace(
        config,
        cluster=replace(config.cluster, rpc_urls=sandbox.rpc_urls, ws_urls=sandbox.ws_urls),
        polymarket=replace(
            config.polymarket,
            clob_url=sandbox.clob_url,
            gamma_url=sandbox.gamma_url,
            stream_url=sandbox.stream_url,
        ),
        # Its chain ends with us: what is remembered of it lies apart from what must never be lost.
        state=replace(config.state, folder=config.state.folder / SUBFOLDER),
    )


async def _keep(settings: Settings, options: RunOptions, orders: Orders) -> dict[str, Any]:
    config, started_s = settings.now, trio.current_time()
    keeper = load_keypair(config.keys.keeper)
    async with open_rpc(config.cluster.rpc_urls, config.cluster.rpc_settings) as rpc:
        facts = await check_cluster(rpc, config.cluster.program_id, PROGRAM_SO)
        await check_endpoints(
            config.cluster.rpc_urls, config.cluster.rpc_settings, facts.genesis_hash
        )
        rpc.watch_endpoints(await program_landmark(config.cluster.program_id, PROGRAM_SO))
        path = config.state.folder / f"keeper-{facts.genesis_hash[:12]}.db"
        async with options.surroundings.open_store(path) as store:
            kit = Kit(
                rpc=rpc,
                attempts=Attempts(store),
                in_flight=InFlight(),
                blockhashes=Newest[LatestBlockhash](),
                tally=Tally(),
                program=config.cluster.program_id,
                quote_mint=facts.parameters.quote_mint,
                slot_ms=config.cluster.slot_ms,
                wall_ms=options.surroundings.wall_ms,
                rehearsal=options.rehearsal,
                cu_model=await recall_units(LearnedUnits(store)),
            )
            lanes = open_lanes(
                kit,
                config.lanes,
                keeper,
                config.keys.keeper,
                incentives_authority=config.payouts.authority,
            )
            payers = [keeper.pubkey(), *(funds.address for funds in lanes.payers)]
            with options.surroundings.hold_payers(facts.genesis_hash, payers):
                payer = await check_payers(rpc, keeper.pubkey(), lanes.payers, facts.parameters)
                work = Work(
                    settings=settings,
                    options=options,
                    kit=kit,
                    lanes=lanes,
                    facts=facts,
                    payer=payer,
                    orders=orders,
                    store=store,
                )
                _log_start(work, path)
                attempts = Attempts(store)
                began = _Began(
                    s=started_s,
                    last_id=await attempts.last_id(),
                    final_up_to=await attempts.final_up_to(),
                )
                over = trio.Event()
                async with trio.open_nursery() as telling:
                    telling.start_soon(_tell, work, path, rpc.statistics, over)
                    await follow_transactions(work)
                    over.set()
            found = await _report(work, began, rpc.statistics())
    log.info(
        "keeper.stopped",
        run_s=found["run_s"],
        prices_posted=kit.tally.prices_posted,
        liquidations_landed=kit.tally.liquidations_landed,
        transactions_open=found["transactions"]["open"],
        fees_lamports=found["transactions"]["fees_lamports"],
        because=orders.faults.get(),
    )
    return found


async def _tell(
    work: Work, path: Path, endpoints: Callable[[], Sequence[EndpointStatistics]], over: trio.Event
) -> None:
    """Tell the run's figures beside its database, until it is over."""
    process = Process(
        service=SERVICE,
        folder=path.parent,
        progress=work.progress,
        commits=work.store.commit_counts,
    )
    gatherer = Gatherer(work=work, process=process, endpoints=endpoints)
    socket = socket_path(path.parent, SERVICE)
    await work.options.surroundings.tell_samples(socket, gatherer.gather, process, over)


def _log_start(work: Work, path: Path) -> None:
    log.info(
        "keeper.started",
        program=str(work.facts.program),
        genesis_hash=work.facts.genesis_hash,
        payer=str(work.payer.address),
        balance_lamports=work.payer.balance_lamports,
        state=str(path) if work.kit.rehearsal is None else None,
        sends=work.kit.rehearsal is None,
    )


async def _report(
    work: Work, began: _Began, endpoints: Sequence[EndpointStatistics]
) -> dict[str, Any]:
    """Say what became of the run: its transactions by the database's word, the rest by the tally's."""
    summary = await Attempts(work.store).summary(
        after_id=began.last_id, final_up_to=began.final_up_to
    )
    headroom = partial(headroom_bps, after_id=began.last_id, percents=HEADROOM_PERCENTS)
    return report(
        facts=work.facts,
        payer=work.payer,
        tally=work.kit.tally,
        summary=summary,
        headroom_bps=await work.store.read(headroom),
        prices=work.board.statistics(),
        resends=work.kit.in_flight.statistics().resends,
        run_s=trio.current_time() - began.s,
        slot_ms=work.kit.slot_ms,
        endpoints=endpoints,
        spend=spend_json(work.lanes),
        would_send=None if work.kit.rehearsal is None else work.kit.rehearsal.as_json(),
        stopped_because=work.orders.faults.get(),
    )
