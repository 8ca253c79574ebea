"""keeper/liquidate.py, on a virtual clock over a scripted cluster."""

from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

import pytest
import trio
from scripted import (
    HEADER_ACCOUNTS,
    PAYER,
    PROGRAM,
    USD,
    lane_of,
    logs_of_liquidation,
    market_address,
    market_row,
    open_world,
    position_address,
    position_row,
)

from keeper.fees import FeePolicy
from keeper.lane_config import LaneConfig
from keeper.liquidate import liquidate_positions
from keeper.prices.price import PERMISSIONS, PriceClass
from keeper.rehearsal import Rehearsal
from programs.accounts import Side
from programs.errors import BY_NAME
from programs.instructions import Tag
from programs.layout import POSITION_DTYPE, offset_of
from programs.rpc import RpcTimeout
from tests.fakes import SLOT_S, accounts_of_each

CHANGE_E6 = 2_000
GUILTY = {"InstructionError": [3, {"Custom": BY_NAME["NOT_ENOUGH_SHARES"].code}]}
NOTHING = {"InstructionError": [3, {"Custom": BY_NAME["NOTHING_LIQUIDATED"].code}]}


@asynccontextmanager
async def liquidating(lamports_per_quote_unit=5_000_000, rehearsal=None, **changes):
    """The liquidations lane runs over markets with a valid price; it is drained when the block ends."""
    async with open_world() as world:
        world.cluster.logs_of = logs_of_liquidation
        kit = replace(world.kit, rehearsal=rehearsal)
        world.nursery.start_soon(
            liquidate_positions,
            lane_of(kit, "liquidations", LaneConfig(**changes)),
            lamports_per_quote_unit,
            lambda: CHANGE_E6,
            world.board,
            world.chain,
            world.following,
            world.stop,
        )
        yield world
        world.stop.set()


def due(world, numbers, *, market=0):
    """A scan as of now that shows these positions under water."""
    world.price(market)
    world.scan(
        markets=[market_row(market, slot=world.cluster.slot)],
        positions=[position_row(number, market=market) for number in numbers],
    )


def due_of(world):
    """What the lane tells of its due jobs: how many, and since when the oldest is."""
    counts = world.tally.lane("liquidations")
    return counts.due, counts.due_since_s


async def test_what_is_due_lands_in_one_batch_and_is_counted_from_the_programs_own_events(
    autojump_clock,
):
    async with liquidating() as world:
        due(world, range(5))
        await world.slots(6)

        (batch,) = world.batches()
        assert {position_address(number) for number in range(5)} == set(batch)
        tally = world.tally
        assert (5, 5_000, 35) == (
            tally.liquidations_landed,
            tally.bounty_base_units,
            tally.bad_debt_base_units,
        )
        assert 5 == len(tally.latencies_ms(["liquidations"]))
        assert 5 == tally.liquidations_due
        effects = world.rows("SELECT DISTINCT effect FROM attempt_job")
        assert [(f"{100 * USD}:{60 * USD}#0",)] == effects


@pytest.mark.parametrize(("shares_sold", "cu_limit"), [(USD, 10_400), (0, 11_400)])
async def test_the_limit_follows_from_what_the_simulation_sold_and_not_from_the_worst_case(
    autojump_clock, shares_sold, cu_limit
):
    async with liquidating() as world:
        world.cluster.logs_of = partial(logs_of_liquidation, shares_sold=shares_sold)
        due(world, range(5))
        await world.slots(6)
        assert [(cu_limit,)] == world.rows("SELECT cu_limit FROM attempt")


async def test_a_landed_target_is_sent_again_only_for_a_scan_newer_than_the_landing(
    autojump_clock,
):
    async with liquidating() as world:
        due(world, [1])
        await world.slots(6)
        ((slot, _),) = world.cluster.included.values()
        rows = [market_row(0, slot=slot)], [position_row(1)]
        for seen in (slot - 1, slot):
            world.scan(markets=rows[0], positions=rows[1], slot=seen)
            await world.slots(4)
        assert 1 == len(world.batches())
        # As it was before: a node that lags, or a fork. What may still be undone is not signed anew.
        world.scan(markets=rows[0], positions=rows[1], slot=slot + 1)
        await world.slots(4)
        assert 1 == len(world.batches())
        assert world.tally.refusals["liquidations.already_open"] > 0
        less = [position_row(1, debt=62 * USD)]
        world.scan(markets=rows[0], positions=less, slot=slot + 2)
        await world.slots(4)
        assert 2 == len(world.batches())


async def test_one_batch_of_a_market_is_in_flight_at_a_time_the_most_urgent_first(autojump_clock):
    async with liquidating() as world:
        world.cluster.drops = 1
        world.price()
        rows = [position_row(n, debt=(60 + n) * USD) for n in range(40)]
        began_s = trio.current_time()
        for _ in range(4):
            world.scan(markets=[market_row(0, slot=world.cluster.slot)], positions=rows)
            await world.slots(1)
        (batch,) = world.batches()
        assert len(batch) < 40
        # What is on its way and what waits behind it are due alike, since they were seen.
        count, since_s = due_of(world)
        assert (40, began_s) == (count, since_s)
        assert [position_address(n) for n in range(39, 39 - len(batch), -1)] == batch
        for _ in range(30):
            gone = {bytes(each) for each in landed(world)}
            left = [row for row in rows if row[0] not in gone]
            world.scan(markets=[market_row(0, slot=world.cluster.slot)], positions=left)
            await world.slots(1)
        assert {position_address(n) for n in range(40)} == {
            position for batch in world.batches() for position in batch
        }


async def test_a_market_is_free_once_a_sight_shows_the_block_that_holds_its_last_transaction(
    autojump_clock,
):
    async with liquidating() as world:
        world.price()
        rows = [position_row(n, debt=(60 + n) * USD) for n in range(40)]
        world.scan(markets=[market_row(0, slot=world.cluster.slot)], positions=rows)
        await world.slots(1)
        gone = {bytes(each) for each in landed(world)}
        ((block_slot, _),) = world.cluster.included.values()
        left = [row for row in rows if row[0] not in gone]
        # What a sight from before that block shows is what the transaction was about to change.
        world.scan(markets=[market_row(0, slot=block_slot)], positions=left, slot=block_slot - 1)
        await world.slots(0.5)
        assert 1 == len(world.batches())
        world.scan(markets=[market_row(0, slot=block_slot)], positions=left, slot=block_slot)
        await world.slots(0.5)
        assert [("open",), ("open",)] == world.rows("SELECT state FROM attempt")
        first, second = world.batches()
        assert not set(first) & set(second)


async def test_a_market_waits_again_when_a_fork_takes_the_block_of_its_last_transaction(
    autojump_clock,
):
    async with liquidating() as world:
        world.price()
        rows = [position_row(n, debt=(60 + n) * USD) for n in range(40)]
        world.scan(markets=[market_row(0, slot=world.cluster.slot)], positions=rows)
        await world.slots(1)
        world.cluster.fork(1)
        world.cluster.drops = 10_000
        await world.slots(1)
        for _ in range(3):
            world.scan(markets=[market_row(0, slot=world.cluster.slot)], positions=rows)
            await world.slots(1)
        assert 1 == len(world.batches())
        world.cluster.drops = 0


async def test_markets_go_side_by_side_as_many_as_may_be_in_flight(autojump_clock):
    async with liquidating(concurrency=3) as world:
        world.cluster.drops = 10_000
        slot = world.cluster.slot
        for number in range(8):
            world.price(number)
        for _ in range(3):
            world.scan(
                markets=[market_row(number, slot=slot) for number in range(8)],
                positions=[
                    position_row(30 * number + each, market=number, debt=(60 + number) * USD)
                    for number in range(8)
                    for each in range(30)
                ],
            )
            await world.slots(1)
        # None of them has room for a second market; the most is at stake in the last ones.
        served = [
            {(address[1] + 256 * address[2]) // 30 for address in map(bytes, batch)}
            for batch in world.batches()
        ]
        assert [{5}, {6}, {7}] == sorted(served, key=min)
        sent = sum(map(len, world.batches()))
        assert 240 - sent == world.tally.jobs_queued["liquidations"]
        world.cluster.drops = 0


async def test_what_is_left_of_many_markets_shares_a_transaction(autojump_clock):
    async with liquidating() as world:
        slot = world.cluster.slot
        for number in range(4):
            world.price(number)
        world.scan(
            markets=[market_row(number, slot=slot) for number in range(4)],
            positions=[position_row(number, market=number) for number in range(4)],
        )
        await world.slots(5)
        assert [4] == [len(batch) for batch in world.batches()]
        assert 4 == world.tally.liquidations_landed


async def test_blame_off_by_one_so_the_innocent_task_is_dropped(autojump_clock):
    """The cluster numbers instructions from the compute budget's three on: the failure names exactly one market's."""
    async with liquidating() as world:
        slot = world.cluster.slot
        guilty = position_address(1)

        world.cluster.outcome_of = lambda transaction: next(
            (
                {"InstructionError": [3 + number, {"Custom": 1}]}
                for number, accounts in enumerate(accounts_of_each(transaction))
                if guilty in accounts
            ),
            None,
        )
        for number in range(3):
            world.price(number)
        alive = set(range(3))
        for _ in range(6):
            world.scan(
                markets=[market_row(number, slot=slot) for number in range(3)],
                positions=[position_row(number, market=number) for number in alive],
            )
            await world.slots(1)
            alive -= {bytes(each)[1] for each in landed(world)}
        # The innocent landed at once and together; the guilty one alone waits, and is tried again.
        assert {1} == alive
        assert [{position_address(0), position_address(2)}] == [
            set(batch) for batch in world.batches()
        ]
        refused = world.tally.refusals["liquidations.simulation_refused"]
        assert 1 <= refused <= 3


@pytest.mark.parametrize(
    "price_class", [each for each in PriceClass if not PERMISSIONS[each].liquidate]
)
async def test_a_price_we_do_not_trust_now_withholds_what_the_chain_would_do(
    autojump_clock, price_class
):
    async with liquidating() as world:
        for _ in range(5):
            due(world, [1])
            world.price(0, price_class=price_class)
            await world.slots(1)
        assert [] == world.batches()
        assert {f"liquidations.{price_class}:fallback": 1} == world.tally.refusals
        # Due, but not ours to do: no operator is woken for it, nor for the time that it waited once it may go.
        assert 1 == world.tally.liquidations_due
        assert (0, None) == due_of(world)
        due(world, [1])
        allowed_s = trio.current_time()
        await world.slots(1)
        count, since_s = due_of(world)
        assert 1 == count
        assert allowed_s - SLOT_S <= since_s
        await world.slots(3)
        assert 1 == len(world.batches())


async def test_without_any_price_nothing_is_liquidated(autojump_clock):
    async with liquidating() as world:
        row = market_row(0, slot=world.cluster.slot)
        world.scan(markets=[row], positions=[position_row(1)])
        await world.slots(3)
        assert [] == world.batches()
        assert {"liquidations.no_price": 1} == world.tally.refusals


async def test_a_degraded_price_liquidates_once_its_band_is_on_chain(autojump_clock):
    async with liquidating() as world:
        due(world, [1])
        world.price(0, price_class=PriceClass.DEGRADED)
        await world.slots(3)
        assert [] == world.batches()
        assert {"liquidations.band_not_on_chain_yet": 1} == world.tally.refusals

        row = market_row(0, slot=world.cluster.slot, price_class=1)
        world.scan(markets=[row], positions=[position_row(1)])
        await world.slots(3)
        assert 1 == len(world.batches())


@pytest.mark.parametrize("where", ["simulation", "chain"])
async def test_a_refused_batch_is_bisected_to_the_guilty_job_and_the_innocents_land(
    autojump_clock, where
):
    async with liquidating() as world:
        guilty = position_address(7)
        world.cluster.judge = lambda _, accounts: GUILTY if guilty in accounts else None
        if where == "chain":

            async def blind(wire, *, replace_blockhash):
                found = await simulate(wire, replace_blockhash=replace_blockhash)
                return type(found)(err=None, logs=(), cu_used=10_000, slot=found.slot)

            simulate = world.rpc.simulate_transaction
            world.rpc.simulate_transaction = blind
        alive = set(range(16))
        for _ in range(50):
            due(world, alive)
            await world.slots(1)
            alive -= {bytes(each)[1] for each in landed(world)}
        assert {7} == alive
        assert 15 == world.tally.liquidations_landed
        failed = world.tally.failed["liquidations"]
        kind = "failed_on_chain" if where == "chain" else "simulation_refused"
        assert world.tally.refusals[f"liquidations.{kind}"] >= 16 + 8 + 4 + 2 + 1
        # Bisection takes five; alone it pauses 2, 4, 8 … seconds.
        assert 0 == failed if where == "simulation" else 5 <= failed <= 9


def landed(world):
    """The positions of the batches that did their work."""
    return [
        address
        for signature, (_, err) in world.cluster.included.items()
        if err is None
        for address in world.cluster.received[signature].message.account_keys
        if bytes(address)[0] == 200
    ]


async def test_a_batch_of_which_nothing_can_be_liquidated_pauses_whole(autojump_clock):
    async with liquidating() as world:
        world.cluster.judge = lambda *_: NOTHING
        for _ in range(5):  # two seconds: one simulation, not one each
            due(world, range(16))
            await world.slots(1)
        assert 1 == world.rpc.calls["simulate_transaction"]
        await world.slots(1)
        world.cluster.judge = lambda *_: None
        due(world, range(16))
        await world.slots(4)
        assert 16 == world.tally.liquidations_landed


async def test_a_silent_node_is_held_against_no_job(autojump_clock):
    async with liquidating() as world:
        world.rpc.faults["simulate_transaction"] = [RpcTimeout("no answer")] * 4
        for _ in range(4):
            due(world, range(10))
            await world.slots(1)
        assert {"liquidations.simulation_unanswered": 40} == world.tally.refusals
        due(world, range(10))
        await world.slots(5)
        # The whole batch at once, and its latency is from when it was first due.
        (batch,) = world.batches()
        assert 10 == len(batch)
        assert min(world.tally.latencies_ms()) >= 4 * SLOT_S * 1_000


async def test_what_expired_is_tried_again_whole_and_counts_from_its_first_sight(autojump_clock):
    async with liquidating() as world:
        world.cluster.drops = 10_000
        due(world, range(3))
        await world.slots(5)
        while world.tally.expired["liquidations"] == 0:
            await world.slots(1)
        world.cluster.drops = 0
        due(world, range(3))
        await world.slots(5)
        assert 3 == world.tally.liquidations_landed
        assert min(world.tally.latencies_ms()) > 150 * SLOT_S * 1_000


async def test_what_does_not_pay_for_itself_waits_unharmed(autojump_clock):
    async with liquidating(fees=FeePolicy(), lamports_per_quote_unit=1) as world:
        for _ in range(4):
            due(world, range(4))
            await world.slots(1)
        assert [] == world.batches()
        assert {"liquidations.not_worth_sending": 16} == world.tally.refusals
        assert 4 == world.tally.liquidations_due


async def test_a_landing_without_logs_is_said_to_be_uncounted(autojump_clock):
    async with liquidating() as world:
        world.cluster.logs_of = lambda _: ()
        due(world, [1])
        await world.slots(5)
        assert (1, 0) == (world.tally.landed["liquidations"], world.tally.liquidations_landed)
        assert {"liquidations.logs_unread": 1} == world.tally.refusals


@pytest.mark.parametrize("broken", ["Log truncated", "Program data: AAAA"])
async def test_logs_that_break_off_count_up_to_the_break(autojump_clock, broken):
    async with liquidating() as world:
        whole = logs_of_liquidation
        world.cluster.logs_of = lambda accounts: (*whole(accounts)[:-1], broken)
        due(world, [1, 2])
        await world.slots(5)
        assert 2 == world.tally.liquidations_landed
        assert {"liquidations.event_unread": 1} == world.tally.refusals


async def test_another_programs_event_counts_nothing(autojump_clock):
    async with liquidating() as world:
        whole = logs_of_liquidation
        world.cluster.logs_of = lambda accounts: [
            line.replace(str(PROGRAM), str(PAYER.pubkey())) for line in whole(accounts)
        ]
        due(world, [1])
        await world.slots(5)
        assert 0 == world.tally.liquidations_landed
        assert Counter() == world.tally.refusals


async def test_a_need_that_is_gone_at_the_next_scan_is_not_sent(autojump_clock):
    async with liquidating(concurrency=1) as world:
        world.cluster.drops = 2
        for number in range(2):
            world.price(number)
        slot = world.cluster.slot
        markets = [market_row(number, slot=slot) for number in range(2)]
        full = [position_row(number, market=0, debt=70 * USD) for number in range(30)]
        world.scan(markets=markets, positions=[*full, position_row(100, market=1)])
        await world.slots(2)
        world.scan(markets=markets, positions=[])
        await world.slots(20)
        (batch,) = world.batches()
        assert position_address(100) not in batch
        assert 0 == world.tally.jobs_queued["liquidations"]


async def test_a_stop_takes_nothing_new_and_waits_for_what_is_in_flight(autojump_clock):
    async with liquidating() as world:
        world.cluster.drops = 2
        due(world, [1])
        await world.slots(1)
        world.stop.set()
        due(world, [1, 2])
    assert 1 == world.tally.liquidations_landed
    assert [[position_address(1)]] == world.batches()


async def test_a_silent_cluster_does_not_keep_a_stop_waiting(autojump_clock):
    async with liquidating() as world:
        await world.slots(3)
        world.stop.set()
        before_s = trio.current_time()
    assert trio.current_time() - before_s <= 2 * SLOT_S


async def test_the_header_names_the_market_and_the_keepers_token_account(autojump_clock):
    async with liquidating() as world:
        due(world, [1])
        await world.slots(4)
        (transaction,) = world.sent(Tag.LIQUIDATE)
        keys = transaction.message.account_keys
        assert PAYER.pubkey() == keys[0]
        assert market_address(0) in keys
        assert HEADER_ACCOUNTS + 1 == len(bytes(transaction.message.instructions[-1].accounts))


async def test_a_market_with_more_due_than_can_be_sent_leaves_room_for_the_others(autojump_clock):
    async with liquidating() as world:
        slot = world.cluster.slot
        world.price(0, price_class=PriceClass.UNCERTAIN)  # its liquidations wait
        world.price(1)
        rows = [position_row(n, debt=90 * USD) for n in range(400)]
        world.scan(
            markets=[market_row(0, slot=slot), market_row(1, slot=slot)],
            positions=[*rows, position_row(500, market=1)],
        )
        await world.slots(1)
        assert [[position_address(500)]] == world.batches()
        assert 401 == world.tally.liquidations_due
        assert 400 == world.tally.jobs_queued["liquidations"]


async def test_one_outcome_that_is_not_trusted_protects_every_position_of_its_market(
    autojump_clock,
):
    async with liquidating() as world:
        world.prove(0, 3)
        for outcome in range(3):
            world.price(0, 333_333, outcome=outcome)
        world.price(0, 333_333, PriceClass.UNCERTAIN, outcome=2)

        def scan():
            world.scan(
                markets=[market_row(0, slot=world.cluster.slot, prices_e6=[333_333] * 3)],
                positions=[position_row(0)],
            )

        scan()
        await world.slots(3)
        assert [] == world.batches()
        assert {"liquidations.uncertain:fallback": 1} == world.tally.refusals

        world.price(0, 333_333, outcome=2)
        scan()
        await world.slots(5)
        assert 1 == len(world.batches())


async def test_positions_of_a_market_with_unknown_outcomes_are_left_alone(autojump_clock):
    async with liquidating() as world:
        row = market_row(0, slot=world.cluster.slot, prices_e6=[333_333] * 3)
        world.scan(markets=[row], positions=[position_row(0)])
        await world.slots(3)
        assert [] == world.batches()
        assert {"liquidations.outcomes_pending": 1} == world.tally.refusals


def at_chain_price(world, chain_e6, *, side=Side.YES):
    """A scan with one position that has 60 of debt on 100 shares, while the chain stands at this price."""
    address, data = position_row(0)
    data = bytearray(data)
    data[offset_of(POSITION_DTYPE, "side")] = side
    row = market_row(0, slot=world.cluster.slot, price_e6=chain_e6)
    world.scan(markets=[row], positions=[(address, bytes(data))])


@pytest.mark.parametrize(
    ("side", "sign"), [(Side.YES, -1), (Side.NO, 1)], ids=["yes below", "no above"]
)
async def test_nobody_is_liquidated_at_a_chain_price_that_we_know_to_wrong_him(
    autojump_clock, side, sign
):
    band_e6 = 1_000
    async with liquidating() as world:
        world.price(0, 500_000, band_e6=band_e6)
        off_e6 = band_e6 + CHANGE_E6
        for farther_e6 in (300_000, 20_000, 1):
            at_chain_price(world, 500_000 + sign * (off_e6 + farther_e6), side=side)
            await world.slots(3)
        assert [] == world.batches()
        # Told when it begins, not in every scan since.
        assert {"liquidations.chain_price_behind": 1} == world.tally.refusals

        at_chain_price(world, 500_000 + sign * off_e6, side=side)
        await world.slots(5)
        assert 1 == len(world.batches())


@pytest.mark.parametrize(
    ("side", "board_e6", "chain_e6"),
    [(Side.YES, 300_000, 450_000), (Side.NO, 700_000, 550_000)],
)
async def test_a_true_fall_liquidates_the_side_it_hurts_while_the_chain_walks_down(
    autojump_clock, side, board_e6, chain_e6
):
    async with liquidating() as world:
        world.price(0, board_e6)
        at_chain_price(world, chain_e6, side=side)
        await world.slots(5)
        assert 1 == len(world.batches())


async def test_each_outcome_and_side_of_a_market_is_spared_for_itself(autojump_clock):
    async with liquidating() as world:
        world.prove(0, 3)
        for outcome, price_e6 in enumerate((600_000, 300_000, 100_000)):
            world.price(0, price_e6, outcome=outcome)
        rows = []
        for pool in range(3):
            address, data = position_row(pool)
            data = bytearray(data)
            data[offset_of(POSITION_DTYPE, "pool")] = pool
            rows.append((address, bytes(data)))
        row = market_row(0, slot=world.cluster.slot, prices_e6=[450_000, 300_000, 250_000])
        world.scan(markets=[row], positions=rows)
        await world.slots(5)
        # YES of outcome 0 is worth more than the chain says; the others are not.
        assert [{position_address(1), position_address(2)}] == [set(one) for one in world.batches()]


async def test_a_rehearsal_sends_nothing_and_comes_to_what_is_less_urgent_too(autojump_clock):
    rehearsal = Rehearsal()
    async with liquidating(rehearsal=rehearsal, concurrency=1) as world:
        for _ in range(6):
            due(world, range(60))
            await world.slots(2)

        assert {} == world.cluster.received
        assert 60 == rehearsal.by_lane["liquidations"].jobs
        assert 0 == world.tally.liquidations_landed
