"""The keeper's engine in a process of its own: everything of a run but the venue's sockets, signals and screens.

    python -m bench.engine.keeper URL WS_URL PROGRAM KEY_HEX --markets N --folder F [--slot-ms 400] [--concurrency 64]

Says `{"ready": …}` once it has seen the whole chain, then tells every quarter of a second how far it is. A line on its
standard input ends it: it drains, and says last what its database and its tally know.
"""

import argparse
import dataclasses
import json
import sys
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import trio
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from bench.engine.network import FALLEN_E6, token_of
from keeper.batching import Desk
from keeper.bounty import open_bounty_account
from keeper.cli.logs import open_logs
from keeper.cluster import check_cluster
from keeper.cluster_config import ClusterConfig
from keeper.config import LandingConfig
from keeper.execute import Kit, watch_blockhashes
from keeper.lane_config import LaneConfig, LanesConfig
from keeper.lanes import Lanes, open_lanes
from keeper.learning import keep_units, recall_units
from keeper.liquidate import liquidate_positions
from keeper.mirrors import Following, following_of, mirrors_of
from keeper.newest import Newest
from keeper.posting import PostingRules
from keeper.prices.board import PriceBoard
from keeper.prices.price import Price, PriceClass, Reason, Source
from keeper.snapshot import Snapshot
from keeper.tables import keep_tables
from keeper.tally import Tally, percentile
from keeper.watch import watch_chain
from programs.betting_platform.build import PROGRAM_SO
from programs.in_flight import InFlight, Pace
from programs.rpc_http import open_rpc
from programs.submit import land
from programs.units import Lamports
from state.attempts import Attempts
from state.headroom import headroom_bps
from state.learned import LearnedUnits
from state.store import Store, open_store

_BAND_E6: Final = 1_000
_TELL_S: Final = 0.25
_PERCENTS: Final = (50, 99)


async def _keep(options: argparse.Namespace) -> None:
    program = Pubkey.from_string(options.program)
    key = Keypair.from_bytes(bytes.fromhex(options.key_hex))
    cluster = ClusterConfig(
        rpc_urls=(options.url,),
        ws_urls=(options.ws_url,),
        program_id=program,
        slot_ms=options.slot_ms,
    )
    spend = 1_000_000_000
    lanes_config = LanesConfig(
        liquidations=LaneConfig(concurrency=options.concurrency, hourly_spend_max_lamports=spend),
        tables_rent_max_lamports=spend if options.tables else 0,
    )
    async with open_rpc(cluster.rpc_urls, cluster.rpc_settings) as rpc:
        facts = await check_cluster(rpc, program, PROGRAM_SO)
        async with open_store(Path(options.folder) / "keeper.db") as store:
            kit = Kit(
                rpc=rpc,
                attempts=Attempts(store),
                in_flight=InFlight(),
                blockhashes=Newest(),
                tally=Tally(),
                program=program,
                quote_mint=facts.parameters.quote_mint,
                slot_ms=options.slot_ms,
                cu_model=await recall_units(LearnedUnits(store)),
            )
            lanes = open_lanes(kit, lanes_config, key)
            await _work(options, cluster, kit, lanes, store, facts.genesis_hash)
            headroom = partial(headroom_bps, after_id=0, percents=_PERCENTS)
            summary = await Attempts(store).summary(after_id=0)
            latencies = kit.tally.latencies_ms(["liquidations"])
            _say(
                ended={
                    "attempts": dataclasses.asdict(summary),
                    "headroom_bps": await store.read(headroom),
                    "seen_confirmed_ms": {each: percentile(latencies, each) for each in _PERCENTS},
                    "refusals": dict(Counter(kit.tally.refusals)),
                    "tables": len(shelf.tables) if (shelf := kit.shelf.get()) else 0,
                    "calls": {each.name: each.calls for each in rpc.statistics()},
                    "resends": kit.in_flight.statistics().resends,
                }
            )


async def _work(
    options: argparse.Namespace,
    cluster: ClusterConfig,
    kit: Kit,
    lanes: Lanes,
    store: Store,
    genesis_hash: str,
) -> None:
    landing = LandingConfig()
    pace = Pace(
        poll_interval_s=kit.slot_s * landing.poll_interval_slots,
        resend_interval_s=kit.slot_s * landing.resend_interval_slots,
    )
    board, stop = PriceBoard(), trio.Event()
    chain, following = Newest[Snapshot](), Newest[Following]()
    async with trio.open_nursery() as nursery:
        await nursery.start(land, kit.rpc, kit.attempts, kit.in_flight, lambda: pace)
        blockhash_s = kit.slot_s * landing.blockhash_interval_slots
        await nursery.start(watch_blockhashes, kit.rpc, kit.blockhashes, blockhash_s, genesis_hash)
        await open_bounty_account(lanes.liquidations)
        desk = Desk(
            program=kit.program,
            payer=lanes.liquidations.payer.pubkey(),
            quote_mint=kit.quote_mint,
        )
        if options.tables:
            rent = Lamports(1_000_000_000)
            nursery.start_soon(keep_tables, lanes.tables, desk, chain, rent)
        nursery.start_soon(keep_units, LearnedUnits(store), kit.cu_model)
        nursery.start_soon(_tell_prices, board, options.markets, kit.slot_s)
        nursery.start_soon(_follow, chain, following)
        scan = partial(watch_chain, listening=cluster.listening)
        nursery.start_soon(scan, kit.rpc, kit.program, kit.tally, cluster.scan_pace, chain)
        nursery.start_soon(_tell, kit, chain)
        async with trio.open_nursery() as working:
            working.start_soon(_wait_for_the_end, stop)
            await liquidate_positions(
                lanes.liquidations,
                LanesConfig().lamports_per_quote_unit,
                lambda: PostingRules().change_e6,
                board,
                chain,
                following,
                stop,
            )
        nursery.cancel_scope.cancel(reason="drained")


async def _wait_for_the_end(stop: trio.Event) -> None:
    await trio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True)
    stop.set()


async def _tell_prices(board: PriceBoard, markets: int, every_s: float) -> None:
    """Be the venue: it has fallen already, and the chain follows market by market."""
    while True:
        for number in range(markets):
            board.publish(
                Price(
                    token_id=token_of(number),
                    price_e6=FALLEN_E6,
                    band_e6=_BAND_E6,
                    price_class=PriceClass.VALID,
                    source=Source.CLOB,
                    received_at_s=trio.current_time(),
                    content_time_ms=None,
                    reason=Reason.OK,
                )
            )
        await trio.sleep(every_s)


async def _follow(chain: Newest[Snapshot], following: Newest[Following]) -> None:
    """Say which token each market is priced by; markets that never change are said once."""
    sequence, known = 0, -1
    while True:
        sequence, snapshot = await chain.wait_newer(sequence)
        if len(snapshot.markets) != known:
            known = len(snapshot.markets)
            following.publish(following_of(mirrors_of(snapshot.markets), {}, {}))


async def _tell(kit: Kit, chain: Newest[Snapshot]) -> None:
    await chain.wait_newer(0)
    _say(ready=True)
    while True:
        tables = len(shelf.tables) if (shelf := kit.shelf.get()) else 0
        _say(landed=kit.tally.liquidations_landed, tables=tables)
        await trio.sleep(_TELL_S)


def _say(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Keep until a line comes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("url", "ws_url", "program", "key_hex"):
        parser.add_argument(name)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--markets", type=int, required=True)
    parser.add_argument("--slot-ms", type=int, default=400)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--tables", action="store_true")
    options = parser.parse_args(arguments)
    with (Path(options.folder) / "keeper.log").open("w") as log, open_logs(log, form="json"):
        trio.run(_keep, options)


if __name__ == "__main__":
    main()
