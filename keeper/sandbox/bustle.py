"""The actors at work: look at the markets, let the core decide, send, and ask what became of it.

Shell.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog
import trio
from solders.instruction import Instruction
from solders.pubkey import Pubkey
from solders.signature import Signature

from keeper.sandbox.cast import Cast, Role
from keeper.sandbox.config import SandboxConfig
from keeper.sandbox.floor import Floor, Held, Order, PlannedChain
from keeper.sandbox.founding import USD, Platform
from keeper.sandbox.holders import chains_by_market, held_by_market
from keeper.sandbox.planning import plan_chains
from keeper.sandbox.trading import Plan, plan_orders, refill_vault
from keeper.sandbox.wallet import post, refusal_of
from keeper.sandbox.written_orders import instructions_of
from keeper.snapshot import take_positions
from programs.accounts import Global, Market, Vault
from programs.addresses import global_address, vault_address
from programs.layout import CHAIN_DTYPE, POSITION_BYTES
from programs.rpc import LatestBlockhash, Rpc, RpcFailure
from programs.units import ComputeUnits

LOOK_INTERVAL_S: Final = 0.4
SUMMARY_INTERVAL_S: Final = 10.0
_SENDING_AT_ONCE: Final = 8
_CU_OF_ACTION: Final = 120_000
_CU_OF_ORDER: Final = 60_000
_TRADES_COUNTED: Final = 100
"""Later trades leave the global account alone."""
_POSITIONS: Final = (
    {"dataSize": POSITION_BYTES},
    {"memcmp": {"offset": 0, "bytes": "5"}},  # base58 of the byte 4, a position's kind
)
_CHAINS: Final = (
    {"dataSize": CHAIN_DTYPE.itemsize},
    {"memcmp": {"offset": 0, "bytes": "8"}},  # of 7, a chain's
)

log = structlog.get_logger()


@dataclass(slots=True)
class BustleStatistics:
    """What the actors did so far."""

    sent: Counter[str] = field(default_factory=Counter)
    """Transactions by purpose."""
    landed: int = 0
    actions: int = 0
    """Trades inside the landed transactions."""
    refusals: Counter[str] = field(default_factory=Counter)
    """Transactions by the reason they were refused for."""


@dataclass(slots=True)
class _View:
    """One look."""

    slot: int
    counts_trade: bool
    vault: Vault
    markets: Mapping[Pubkey, Market]
    held: Mapping[Pubkey, Sequence[Held]]
    chains: Mapping[Pubkey, Sequence[PlannedChain]]


async def bustle(
    rpc: Rpc,
    config: SandboxConfig,
    cast: Cast,
    platform: Platform,
    *,
    look_interval_s: float = LOOK_INTERVAL_S,
    first_id: int = 1,
) -> None:
    """Trade until cancelled; refusals are counted by reason, and a silent network is asked again.

    Args:
        rpc: of the network.
        config: how restless everybody is.
        cast: who trades.
        platform: where.
        look_interval_s: between two looks at it.
        first_id: of the actors' positions; those below are taken.
    """
    statistics = BustleStatistics()
    next_id: Counter[Pubkey] = Counter({actor.address: first_id for actor in cast.actors})
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_summarize, statistics)
            await _look_and_trade(rpc, config, cast, platform, statistics, next_id, look_interval_s)
    finally:
        _log_summary("actors.ended", statistics)


async def _look_and_trade(
    rpc: Rpc,
    config: SandboxConfig,
    cast: Cast,
    platform: Platform,
    statistics: BustleStatistics,
    next_id: Counter[Pubkey],
    look_interval_s: float,
) -> None:
    tick = 0
    due_s = trio.current_time()
    while platform.active:
        plan = Plan(
            seed=config.seed,
            tick=tick,
            positions_per_side=config.positions_per_side,
            stake=config.stake_usd * USD,
        )
        try:
            latest = await rpc.get_latest_blockhash("processed")
            view = await _look(rpc, cast, platform)
            floors = _floors(view)
            orders = refill_vault(plan, cast.of(Role.STAKER)[0], floors[0])
            orders += [order for floor in floors for order in plan_orders(plan, cast, floor)]
            planners = cast.of(Role.PLANNER)
            orders += [order for floor in floors for order in plan_chains(plan, planners, floor)]
            await _trade(rpc, latest, orders, view.counts_trade, platform, statistics, next_id)
        except RpcFailure as failure:
            statistics.refusals[f"rpc: {type(failure).__name__}"] += 1
            log.warning("actors.unanswered", reason=str(failure))
        tick += 1
        due_s = max(due_s + look_interval_s, trio.current_time())
        await trio.sleep_until(due_s)


async def _look(rpc: Rpc, cast: Cast, platform: Platform) -> _View:
    program = platform.program
    found = await rpc.get_program_accounts(program, "processed", filters=_POSITIONS)
    opened = await rpc.get_program_accounts(program, "processed", filters=_CHAINS)
    singletons = [global_address(program)[0], vault_address(program)[0]]
    read = await rpc.get_multiple_accounts([*singletons, *platform.active], "processed")
    data = [b"" if account is None else account.data for account in read.accounts]
    rows, _, _ = take_positions(found.accounts)
    return _View(
        slot=read.slot,
        counts_trade=Global.from_bytes(data[0]).trade_count < _TRADES_COUNTED,
        vault=Vault.from_bytes(data[1]),
        markets={
            address: Market.from_bytes(each)
            for address, each in zip(platform.active, data[2:], strict=True)
        },
        held=held_by_market(rows, cast),
        chains=chains_by_market(opened.accounts, cast),
    )


def _floors(view: _View) -> list[Floor]:
    return [
        Floor(
            slot=view.slot,
            address=address,
            market=market,
            vault=view.vault,
            held=view.held.get(address, ()),
            chains=view.chains.get(address, ()),
        )
        for address, market in view.markets.items()
    ]


async def _trade(
    rpc: Rpc,
    latest: LatestBlockhash,
    orders: Sequence[Order],
    counts_trade: bool,  # noqa: FBT001 - a fact passed through
    platform: Platform,
    statistics: BustleStatistics,
    next_id: Counter[Pubkey],
) -> None:
    """Send every order, several at once, then read how they ended."""
    sent: dict[Signature, Order] = {}
    places = trio.CapacityLimiter(_SENDING_AT_ONCE)

    async def send(order: Order, built: Sequence[Instruction]) -> None:
        cu = ComputeUnits(min(_CU_OF_ORDER + _CU_OF_ACTION * len(built), 1_400_000))
        try:
            async with places:
                signature = await post(rpc, latest, built, [order.actor.key], cu=cu)
        except RpcFailure as failure:
            statistics.refusals[f"rpc: {type(failure).__name__}"] += 1
        else:
            sent[signature] = order

    async with trio.open_nursery() as nursery:
        for order in orders:
            statistics.sent[order.purpose] += 1
            built = instructions_of(order, platform.program, next_id, counts_trade=counts_trade)
            nursery.start_soon(send, order, built)
    if sent:
        await _note_outcomes(rpc, sent, statistics)


async def _note_outcomes(
    rpc: Rpc, sent: Mapping[Signature, Order], statistics: BustleStatistics
) -> None:
    statuses = await rpc.get_signature_statuses(list(sent))
    for order, status in zip(sent.values(), statuses, strict=True):
        if status is None:
            statistics.refusals["unseen"] += 1
        elif status.err is None:
            statistics.landed += 1
            statistics.actions += len(order.actions)
        else:
            reason = refusal_of(status.err)
            statistics.refusals[f"{order.purpose}: {reason}"] += 1
            log.info("order.refused", purpose=order.purpose, reason=reason)


async def _summarize(statistics: BustleStatistics) -> None:
    while True:
        await trio.sleep(SUMMARY_INTERVAL_S)
        _log_summary("actors.traded", statistics)


def _log_summary(event: str, statistics: BustleStatistics) -> None:
    log.info(
        event,
        sent=dict(statistics.sent),
        landed=statistics.landed,
        actions=statistics.actions,
        refusals=dict(statistics.refusals),
    )
