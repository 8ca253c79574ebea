"""Each task of a run as one call: which parts of the run it works with, and how often it turns.

Which lifetime each belongs to is in keeper/lifetimes.py; how it works is in a module of its own.
"""

from collections.abc import Sequence
from functools import partial
from typing import Final

import structlog
import trio

from keeper.batching import Desk
from keeper.config import Config, pay_rules
from keeper.execute import watch_blockhashes
from keeper.execute_chains import execute_chains
from keeper.liquidate import liquidate_positions
from keeper.once import end_after_one_round
from keeper.other_signers import watch_other_signers
from keeper.pay import pay_due_rewards
from keeper.payer import watch_balances
from keeper.platform_watch import watch_platform
from keeper.post import post_prices
from keeper.post_roots import Posting
from keeper.reload import adjust_lanes, reread_settings
from keeper.saved.resuming import SavedStart
from keeper.shadow import watch_landings
from keeper.tables import keep_tables
from keeper.view import show
from keeper.watch import watch_chain
from keeper.work import Work
from programs.submit import land
from programs.units import Lamports
from state.progress import beat
from state.recorded import recorded

BALANCE_INTERVAL_SLOTS: Final = 25
"""Between two readings of every payer's balance."""
LANDINGS_INTERVAL_SLOTS: Final = 10
"""Between two readings, by a shadow, of what the keeper at work landed."""
PLATFORM_INTERVAL_SLOTS: Final = 150
"""Between two looks at what should never change: a minute on a real cluster."""
PATIENCE_S: Final = 30.0
"""A loop of slots that does not turn for so long is stuck: in this time it turns hundreds of times, and calls have deadlines."""
_ROUNDS_MISSED: Final = 3
"""A slower loop may miss so many of its turns besides."""
log = structlog.get_logger()


def paced(interval_s: float) -> float:
    """Return how old the last turn of a loop with such an interval may get before something is wrong."""
    return _ROUNDS_MISSED * interval_s + PATIENCE_S


async def follow_attempts(
    work: Work, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Send, confirm and record what was signed, until cancelled; started once attempts may be submitted."""
    kit = work.kit

    async def follow(task_status: trio.TaskStatus[None]) -> None:
        await land(
            kit.rpc,
            kit.attempts,
            kit.in_flight,
            lambda: work.pace,
            tell_move=kit.tally.note_move,
            tell_turn=beat,
            task_status=task_status,
        )

    is_resting = kit.in_flight.is_empty
    await work.progress.start("landing", PATIENCE_S, follow, is_resting, task_status)


async def refresh_blockhashes(
    work: Work, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Keep the newest blockhash at hand, until cancelled; started once there is one."""
    kit, genesis_hash = work.kit, work.facts.genesis_hash
    interval_s = kit.slot_s * work.config.landing.blockhash_interval_slots

    async def watch(task_status: trio.TaskStatus[None]) -> None:
        await watch_blockhashes(
            kit.rpc, kit.blockhashes, interval_s, genesis_hash, task_status=task_status
        )

    await work.progress.start("blockhashes", paced(interval_s), watch, task_status=task_status)


async def obey_rereads(work: Work) -> None:
    """Read keeper.toml again whenever asked to, until cancelled."""
    assert work.options.reread is not None

    def apply(config: Config) -> None:
        adjust_lanes(work.lanes, config.lanes)
        work.options.set_log_level(config.log.level)

    await reread_settings(work.orders, work.settings, work.options.reread, apply)


async def run_one_round(work: Work) -> None:
    """End the run once all that was due at its start was done."""
    kit = work.kit
    await end_after_one_round(
        work.orders, work.chain, work.followed, work.board, kit.tally, kit.slot_s
    )


async def shadow_landings(work: Work) -> None:
    """Write down what the keeper at work lands, until cancelled."""
    kit, shadow = work.kit, work.options.shadow
    assert shadow is not None
    payers = [funds.address for funds in work.lanes.payers]
    interval_s = kit.slot_s * LANDINGS_INTERVAL_SLOTS
    await watch_landings(kit.rpc, shadow, payers, work.facts.slot, interval_s)


async def guard_platform(work: Work) -> None:
    """End the run once program or configuration are not those of the start."""
    kit, slot_s = work.kit, work.kit.slot_s
    interval_s = slot_s * PLATFORM_INTERVAL_SLOTS
    await watch_platform(kit.rpc, work.facts, work.chain, work.orders, interval_s, slot_s)


async def look_for_other_signers(work: Work) -> None:
    """Count what somebody else signs with our keys, until cancelled."""
    kit = work.kit
    payers = [funds.address for funds in work.lanes.payers]
    interval_s = kit.slot_s * PLATFORM_INTERVAL_SLOTS

    async def is_ours(signatures: Sequence[str]) -> frozenset[str]:
        return await work.store.read(partial(recorded, signatures=signatures))

    await watch_other_signers(kit.rpc, payers, work.facts.slot, is_ours, kit.tally, interval_s)


async def read_balances(work: Work) -> None:
    """Read what every payer has now and then, until cancelled."""
    kit = work.kit
    await watch_balances(kit.rpc, work.lanes.payers, kit.slot_s * BALANCE_INTERVAL_SLOTS)


async def tend_lookup_tables(work: Work) -> None:
    """Keep our lookup tables as liquidations want them, until cancelled."""
    kit, config = work.kit, work.config.lanes
    payer = work.lanes.liquidations.payer.pubkey()
    desk = Desk(program=kit.program, payer=payer, quote_mint=kit.quote_mint)
    rent_max = Lamports(config.tables_rent_max_lamports)
    await keep_tables(work.lanes.tables, desk, work.chain, rent_max)


async def draw_view(work: Work) -> None:
    """Draw the live view, until cancelled."""
    console, notices, tally = work.options.console, work.options.notices, work.kit.tally
    assert console is not None
    await show(
        console, work.facts, work.chain, work.following, work.board, tally, notices, work.marks
    )


async def run_prices(work: Work) -> None:
    """Post prices until the run stops; then wait for what is in flight."""
    await post_prices(
        work.lanes.prices,
        lambda: work.config.posting,
        work.board,
        work.chain,
        work.following,
        work.stop,
    )


def refuse_posting(work: Work) -> None:
    """Say that no price will be posted: the program would refuse each one, for a fee. Liquidating is open to all."""
    work.kit.tally.refusals["prices.not_the_oracle_authority"] += 1
    log.warning(
        "posting.disabled",
        reason=f"the keeper's key {work.payer.address} is not the program's oracle authority "
        f"{work.facts.parameters.oracle_authority}: prices are read but not posted, positions are still liquidated; "
        "set keys.keeper to the oracle authority's key to post",
    )


async def run_liquidations(work: Work) -> None:
    """Liquidate until the run stops; then wait for what is in flight."""
    await liquidate_positions(
        work.lanes.liquidations,
        work.config.lanes.lamports_per_quote_unit,
        lambda: work.config.posting.change_e6,
        work.board,
        work.chain,
        work.following,
        work.stop,
    )


async def run_chains(work: Work) -> None:
    """Execute chains until the run stops; then wait for what is in flight."""
    await execute_chains(
        work.lanes.chains,
        work.config.lanes.lamports_per_quote_unit,
        lambda: work.config.posting.change_e6,
        work.board,
        work.chain,
        work.following,
        work.stop,
    )


async def run_payouts(work: Work) -> None:
    """Pay rewards until the run stops; then wait for what is in flight."""
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


async def run_scans(work: Work) -> None:
    """Read the chain until cancelled."""
    kit, cluster, state = work.kit, work.config.cluster, work.config.state
    await watch_chain(
        kit.rpc,
        kit.program,
        kit.tally,
        cluster.scan_pace,
        work.chain,
        cluster.listening,
        SavedStart(
            folder=state.folder,
            genesis_hash=work.facts.genesis_hash,
            slots_max=state.snapshot_slots_max,
        ),
    )
