"""keeper/execute_chains.py beside the committed program, on a virtual clock."""

from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from chain_terms import ARBITRAGE, BORROW, LIQUIDITY, STAKE, opening
from harness import USD
from solders.account import Account
from svm_world import SvmCluster, founded, open_svm_world

from keeper.fees import FeePolicy
from keeper.prices.price import PriceClass
from keeper.rehearsal import Rehearsal
from programs import chains
from programs.accounts import Side
from programs.addresses import SYSTEM_PROGRAM
from programs.chain_account import ChainStatus, Step, StepKind
from programs.rpc import RpcTimeout
from state.in_loop import InLoopStore

FIVE = (BORROW, LIQUIDITY, STAKE, ARBITRAGE, opening())
DEPOSIT = 10_000 * USD


class Stage:
    """A market with liquidity and a full vault, an owner of chains, and a keeper with nothing."""

    def __init__(self, *, stake_usd=1_000_000, markets=1):
        self.platform = founded()
        maker = self.platform.user(100_000_000)
        self.owner = self.platform.user(100_000_000)
        self.keeper = self.platform.user(0)
        self.maker = maker
        self.markets = []
        self.cluster = None
        for number in range(markets):
            market = self.platform.create_market(f"m{number}", 500_000)
            self.platform.post(market, 500_000)
            self.platform.add_liquidity(maker, market, 1_000_000 * USD)
            self.markets.append(market)
        if stake_usd:
            self.platform.stake(maker, stake_usd * USD)

    @property
    def market(self):
        return self.markets[0]

    def open(self, *steps, deposit=DEPOSIT, market=None, **terms):
        return self.platform.open_chain(self.owner, market or self.market, deposit, *steps, **terms)

    @asynccontextmanager
    async def executing(self, store=None, in_kit=None, **changes):
        """The lane runs, every market has a valid price; it is drained when the block ends."""
        self.cluster = self.cluster or SvmCluster(self.platform)
        async with open_svm_world(self.cluster, self.keeper, store, **in_kit or {}) as world:
            for market in self.markets:
                world.price(market)
            world.run_lane(**changes)
            yield world
            world.stop.set()


async def test_five_steps_that_are_due_land_in_one_transaction_and_pay_the_whole_bounty(
    autojump_clock,
):
    stage = Stage()
    chain = stage.open(*FIVE)
    async with stage.executing() as world:
        await world.look()
        assert 1 == len(world.sent)
        assert ChainStatus.DONE is stage.platform.chain(chain).status
        assert chains.bounty_of(DEPOSIT) == world.earned()
        tally = world.tally
        assert (5, 1, chains.bounty_of(DEPOSIT)) == (
            tally.chain_steps_landed,
            tally.chains_completed,
            tally.chain_bounty_base_units,
        )
        assert 1 == len(tally.latencies_ms(["chains"]))
        await world.look()
        assert (1, 0) == (len(world.sent), tally.chains_due)
        rows = world.store.db.conn.execute("SELECT job_id, effect FROM attempt_job").fetchall()
        assert [(f"chain:{chain}", "step 0")] == rows


async def test_what_is_asked_for_is_little_more_than_what_is_used(autojump_clock):
    stage = Stage()
    stage.open(*FIVE)
    async with stage.executing() as world:
        await world.look()
        (used,) = world.cluster.used.values()
        ((asked,),) = world.store.db.conn.execute("SELECT cu_limit FROM attempt").fetchall()
        assert used <= asked <= used * 1.15


async def test_chains_of_one_market_and_of_others_share_a_transaction_in_order(autojump_clock):
    stage = Stage(markets=3)
    opened = [stage.open(STAKE, LIQUIDITY, market=market) for market in stage.markets for _ in "ab"]
    async with stage.executing() as world:
        await world.look()
        assert 1 == len(world.sent)
        assert all(stage.platform.chain(each).status is ChainStatus.DONE for each in opened)
        assert (12, 6) == (world.tally.chain_steps_landed, world.tally.chains_completed)


async def test_a_chain_whose_third_step_is_refused_lands_two_and_is_reported_with_the_reason(
    autojump_clock,
):
    stage = Stage()
    chain = stage.open(STAKE, BORROW, opening(71))
    async with stage.executing() as world:
        await world.look(3)
        assert 1 == len(world.sent)
        assert 2 == stage.platform.chain(chain).next_step
        (stuck,) = world.tally.stuck_chains.values()
        assert (2, "open", "LEVERAGE_TOO_HIGH") == (stuck.step, stuck.kind, stuck.refusal)
        assert "leverage is above" in stuck.reason
        # Told when it begins, not at every look since.
        assert 1 == world.tally.refusals["chains.stuck:LEVERAGE_TOO_HIGH"]
        since_slot = stuck.since_slot
        await world.look(2)
        assert since_slot == world.tally.stuck_chains[str(chain)].since_slot


async def test_a_stuck_chain_goes_on_when_what_it_waited_for_has_come(autojump_clock):
    stage = Stage(stake_usd=0)
    chain = stage.open(LIQUIDITY, BORROW, STAKE)
    async with stage.executing() as world:
        await world.look(2)
        assert ["COVERAGE_LOW"] == [one.refusal for one in world.tally.stuck_chains.values()]
        stage.platform.stake(stage.maker, 1_000_000 * USD)
        await world.look()
        assert ChainStatus.DONE is stage.platform.chain(chain).status
        assert {} == world.tally.stuck_chains


async def test_steps_that_only_a_newer_node_allows_are_found_by_simulation(autojump_clock):
    stage = Stage(stake_usd=0)
    chain = stage.open(STAKE, LIQUIDITY, BORROW, STAKE)
    async with stage.executing() as world:
        world.scan()  # STAKE fills the empty vault, but not enough for a loan
        stage.platform.stake(stage.maker, 1_000_000 * USD)
        await world.slots(4)
        assert 1 == len(world.sent)
        assert ChainStatus.DONE is stage.platform.chain(chain).status


async def test_steps_that_a_newer_node_refuses_are_left_for_later(autojump_clock):
    stage = Stage()
    tight = Step(kind=StepKind.LIQUIDITY, limit_e6=1_000)
    chain = stage.open(STAKE, BORROW, tight, STAKE)
    async with stage.executing() as world:
        world.scan()
        stage.platform.open(stage.owner, stage.market, 14_000 * USD, side=Side.NO)
        await world.slots(4)
        assert 2 == stage.platform.chain(chain).next_step
        await world.look()
        assert ["SLIPPAGE"] == [one.refusal for one in world.tally.stuck_chains.values()]
        assert {"landed"} == {
            state for (state,) in world.store.db.conn.execute("SELECT state FROM attempt")
        }


async def test_chains_that_share_a_cap_go_as_far_as_it_lasts(autojump_clock):
    stage = Stage()
    opened = [stage.open(opening(2), deposit=20_000 * USD) for _ in range(3)]
    async with stage.executing() as world:
        await world.look(3)
        done = [stage.platform.chain(each).status is ChainStatus.DONE for each in opened]
        assert 1 == sum(done)
        assert [] == [row for row in world.cluster.included.values() if row[1] is not None]
        assert {"SIDE_CAP"} == {one.refusal for one in world.tally.stuck_chains.values()}


async def test_a_price_that_moved_away_before_the_simulation_sends_nothing(autojump_clock):
    stage = Stage()
    chain = stage.open(STAKE, trigger_e6=499_000)
    async with stage.executing() as world:
        world.scan()
        stage.platform.move_oracle(stage.market, 490_000)
        await world.slots(3)
        assert [] == world.sent
        assert 1 == world.tally.refusals["chains.no_longer_due"]
        assert {} == world.tally.stuck_chains
        world.price(stage.market, 490_000)
        await world.look()
        assert 0 == world.tally.chains_due
        stage.platform.move_oracle(stage.market, 500_000)
        world.price(stage.market, 500_000)
        await world.look()
        assert ChainStatus.DONE is stage.platform.chain(chain).status


async def test_a_price_that_moved_away_before_the_landing_costs_a_fee_and_blames_nobody(
    autojump_clock,
):
    stage = Stage(markets=2)
    first = stage.open(STAKE, trigger_e6=499_000)
    second = stage.open(STAKE, market=stage.markets[1])
    async with stage.executing() as world:
        away = stage.platform.move_oracle
        world.cluster.before_landing.append(lambda: away(stage.market, 490_000))
        await world.look()
        assert 1 == world.tally.failed["chains"]
        assert {} == world.tally.stuck_chains
        world.price(stage.market, 490_000)
        await world.look()
        assert ChainStatus.DONE is stage.platform.chain(second).status
        assert ChainStatus.RUNNING is stage.platform.chain(first).status


async def test_an_expired_chain_runs_no_step_and_is_cancelled_for_its_bounty(autojump_clock):
    stage = Stage()
    chain = stage.open(BORROW, opening(71), expiry_slot=stage.platform.slot + 12)
    async with stage.executing() as world:
        await world.look(3)
        assert 1 == stage.platform.chain(chain).next_step
        assert stage.platform.vault().loans
        await world.slots(8)
        await world.look(2)
        assert not stage.platform.exists(chain)
        assert 0 == stage.platform.vault().loans
        assert chains.bounty_of(DEPOSIT) == world.earned() == world.tally.chain_bounty_base_units
        assert (1, 1, 0) == (
            world.tally.chain_steps_landed,
            world.tally.chains_cancelled,
            world.tally.chains_completed,
        )
        assert {} == world.tally.stuck_chains


async def test_no_step_is_sent_that_could_only_land_after_the_expiry(autojump_clock):
    stage = Stage()
    stage.open(STAKE, expiry_slot=stage.platform.slot + 1)
    async with stage.executing() as world:
        await world.slots(1)
        world.scan()
        await world.slots(1)
        assert [] == world.sent
        assert 0 == world.tally.chains_due


async def test_a_chain_of_a_resolved_market_is_cancelled(autojump_clock):
    stage = Stage()
    chain = stage.open(BORROW, STAKE)
    stage.platform.resolve(stage.market, 1_000_000)
    async with stage.executing() as world:
        await world.look(2)
        assert not stage.platform.exists(chain)
        assert (0, 1) == (world.tally.chain_steps_landed, world.tally.chains_cancelled)


@pytest.mark.parametrize("price_class", [each for each in PriceClass if each != PriceClass.VALID])
async def test_nothing_is_sent_while_we_do_not_see_a_valid_price(autojump_clock, price_class):
    stage = Stage()
    chain = stage.open(STAKE)
    async with stage.executing() as world:
        world.price(stage.market, price_class=price_class)
        await world.look(2)
        assert [] == world.sent
        assert 1 == world.tally.chains_due
        assert {f"chains.{price_class}:fallback": 1} == world.tally.refusals
        world.price(stage.market)
        await world.look()
        assert ChainStatus.DONE is stage.platform.chain(chain).status


async def test_nothing_is_sent_while_the_chain_has_no_valid_price(autojump_clock):
    stage = Stage()
    stage.open(STAKE)
    stage.platform.warp(1)
    stage.platform.post(stage.market, 500_000, price_class=1)
    async with stage.executing() as world:
        await world.look(2)
        assert ([], 0) == (world.sent, world.tally.chains_due)


@pytest.mark.parametrize("board_e6", [480_000, 520_000])
async def test_a_step_waits_until_the_chain_stands_where_we_know_the_market_to_be(
    autojump_clock, board_e6
):
    stage = Stage()
    chain = stage.open(STAKE)
    async with stage.executing() as world:
        world.price(stage.market, board_e6)
        await world.look(2)
        assert [] == world.sent
        assert {"chains.chain_price_behind": 1} == world.tally.refusals
        stage.platform.move_oracle(stage.market, board_e6)
        await world.look()
        assert ChainStatus.DONE is stage.platform.chain(chain).status


async def test_a_halted_platform_runs_no_step(autojump_clock):
    stage = Stage()
    stage.open(STAKE)
    stage.platform.halt()
    async with stage.executing() as world:
        await world.look(2)
        assert ([], 0) == (world.sent, world.tally.chains_due)


async def test_a_chain_is_decided_again_only_by_a_sight_newer_than_its_landing(autojump_clock):
    stage = Stage()
    chain = stage.open(STAKE, STAKE, opening(71))
    async with stage.executing() as world:
        await world.look()
        ((slot, _),) = world.cluster.included.values()
        simulations = world.rpc.simulations
        for seen in (slot - 1, slot):
            world.scan(slot=seen)
            await world.slots(2)
        assert {} == world.tally.stuck_chains
        assert simulations == world.rpc.simulations
        world.scan(slot=slot + 1)
        await world.slots(2)
        assert [str(chain)] == list(world.tally.stuck_chains)


async def test_a_chain_that_another_keeper_took_further_is_overtaken_and_not_stuck(autojump_clock):
    stage = Stage()
    chain = stage.open(STAKE, LIQUIDITY, STAKE)
    other = stage.platform.user(0)
    async with stage.executing() as world:
        world.scan()
        stage.platform.execute(other, chain, 1)
        await world.slots(3)
        assert [] == world.sent
        assert 1 == world.tally.refusals["chains.overtaken"]
        await world.look()
        assert ChainStatus.DONE is stage.platform.chain(chain).status
        assert (2, {}) == (world.tally.chain_steps_landed, world.tally.stuck_chains)
        paid = world.earned() + stage.platform.tokens(other.tokens)
        assert chains.bounty_of(DEPOSIT) == paid


async def test_a_chain_that_is_gone_is_not_simulated_slot_after_slot_until_a_scan_misses_it(
    autojump_clock,
):
    stage = Stage()
    chain = stage.open(STAKE)
    async with stage.executing() as world:
        world.scan()
        stage.platform.cancel(stage.owner, chain)
        assert stage.platform.svm.get_account(chain) is None
        for _ in range(30):  # other accounts are told of; that one was closed is not
            world.chain.publish(replace(world.chain.get(), slot=world.cluster.slot))
            await world.slots(1)
        assert [] == world.sent
        assert 1 <= world.tally.refusals["chains.overtaken"] <= 4
        assert {} == world.tally.stuck_chains


async def test_a_keeper_that_dies_mid_chain_repeats_no_step_and_earns_each_bounty_once(
    autojump_clock,
):
    stage = Stage(stake_usd=0)
    chain = stage.open(STAKE, LIQUIDITY, BORROW, STAKE, LIQUIDITY)
    store = InLoopStore()
    async with stage.executing(store) as world:
        await world.look()
        assert 2 == stage.platform.chain(chain).next_step
        stage.platform.stake(stage.maker, 1_000_000 * USD)
        world.scan()
        await world.slots(1)  # sent, and the end not read yet
        assert 2 == len(world.sent)
        world.nursery.cancel_scope.cancel()
    async with stage.executing(store) as world:
        await world.look(2)
    assert ChainStatus.DONE is stage.platform.chain(chain).status
    ((stepped,),) = store.db.conn.execute(
        "SELECT count(DISTINCT effect) FROM attempt_job"
    ).fetchall()
    landed = store.db.conn.execute("SELECT count(*) FROM attempt WHERE state = 'landed'").fetchone()
    assert (2, (2,)) == (stepped, landed)
    assert chains.bounty_of(DEPOSIT) == stage.platform.tokens(stage.keeper.tokens)
    store.close()


async def test_a_chain_that_earns_less_than_it_costs_waits_ever_longer(autojump_clock):
    stage = Stage()
    stage.open(STAKE, deposit=USD)
    async with stage.executing(fees=FeePolicy()) as world:
        await world.look(10)
        assert [] == world.sent
        assert 1 < world.tally.refusals["chains.not_worth_sending"] <= 4


async def test_what_we_may_not_execute_is_not_late(autojump_clock):
    stage = Stage()
    stage.open(STAKE)
    async with stage.executing() as world:
        world.price(stage.market, price_class=PriceClass.UNCERTAIN)
        await world.look(10)
        world.price(stage.market)
        await world.look()
        (latency_ms,) = world.tally.latencies_ms(["chains"])
        assert latency_ms <= 4 * 400


async def test_a_step_that_is_refused_on_chain_alone_is_to_blame_and_its_companions_go_on(
    autojump_clock,
):
    stage = Stage(markets=2)
    tight = Step(kind=StepKind.LIQUIDITY, limit_e6=1_000)
    guilty, innocent = stage.open(tight), stage.open(STAKE, market=stage.markets[1])

    def push():
        stage.platform.open(stage.owner, stage.market, 14_000 * USD, side=Side.NO)

    async with stage.executing() as world:
        world.cluster.before_landing.append(push)
        await world.look()
        assert (1, 0) == (world.tally.failed["chains"], world.tally.chain_steps_landed)
        (stuck,) = world.tally.stuck_chains.values()
        assert ("SLIPPAGE", False) == (stuck.refusal, stuck.is_forecast)
        await world.look()
        assert ChainStatus.DONE is stage.platform.chain(innocent).status
        await world.look(5)
        assert ChainStatus.RUNNING is stage.platform.chain(guilty).status
        assert 1 == world.tally.failed["chains"]
        assert 2 == len(world.sent)


async def test_a_limit_that_was_too_low_blames_no_chain_and_is_learned_anew(autojump_clock):
    stage = Stage()
    chain = stage.open(STAKE)
    async with stage.executing() as world:
        world.cluster.too_few_units = 1
        await world.look()
        assert 1 == world.tally.failed["chains"]
        await world.look()
        assert ChainStatus.DONE is stage.platform.chain(chain).status
        assert 0 == world.tally.refusals["chains.refused"]


async def test_what_a_newer_node_has_no_room_for_waits_without_blame(autojump_clock):
    stage = Stage()
    two = [stage.open(opening(2), deposit=14_000 * USD) for _ in range(2)]
    trader = stage.platform.user(1_000_000)
    async with stage.executing() as world:
        world.scan()
        stage.platform.open(trader, stage.market, 9_000 * USD, leverage=2)
        await world.slots(4)
        assert [1, 1] == [world.tally.refusals["chains.crowded_out"], len(world.sent)]
        assert {} == world.tally.stuck_chains
        assert 1 == sum(stage.platform.chain(each).status is ChainStatus.DONE for each in two)
        assert 0 == world.tally.failed["chains"]


async def test_a_transaction_refused_as_a_whole_blames_no_chain(autojump_clock):
    stage = Stage(markets=2)
    for market in stage.markets:
        stage.open(STAKE, market=market)
    stage.platform.svm.set_account(stage.keeper.address, Account(1_000, b"", SYSTEM_PROGRAM))
    async with stage.executing() as world:
        await world.look()
        assert [] == world.sent
        assert 2 == world.tally.refusals["chains.simulation_refused"]
        assert {} == world.tally.stuck_chains


async def test_a_rehearsal_sends_nothing_and_lets_a_chain_rest_as_if_it_had_landed(autojump_clock):
    stage, rehearsal = Stage(), Rehearsal()
    stage.open(STAKE, STAKE)
    async with stage.executing(in_kit={"rehearsal": rehearsal}) as world:
        await world.look(5)
        assert [] == world.sent
        assert (1, 1) == (
            rehearsal.by_lane["chains"].transactions,
            rehearsal.by_lane["chains"].jobs,
        )
        assert (0, {}) == (world.tally.chain_steps_landed, world.tally.refusals)


async def test_a_silent_cluster_loses_nothing(autojump_clock):
    stage = Stage()
    chain = stage.open(STAKE)
    async with stage.executing() as world:
        world.rpc.faults["simulate_transaction"] = [RpcTimeout("silence")]
        await world.look()
        assert 1 == world.tally.refusals["chains.simulation_unanswered"]
        await world.look()
        assert ChainStatus.DONE is stage.platform.chain(chain).status


async def test_what_expires_soon_goes_first_then_what_has_been_due_for_longest(autojump_clock):
    stage = Stage(markets=3)
    later = stage.open(STAKE, market=stage.markets[0], deposit=90_000 * USD)
    async with stage.executing(concurrency=1) as world:
        world.price(stage.markets[0], price_class=PriceClass.UNCERTAIN)
        await world.look()
        soon = stage.open(STAKE, market=stage.markets[1], expiry_slot=stage.platform.slot + 100)
        newest = stage.open(STAKE, market=stage.markets[2], deposit=50_000 * USD)
        world.price(stage.markets[0])
        await world.look()
        (transaction,) = world.sent
        message = transaction.message
        order = [
            message.account_keys[bytes(instruction.accounts)[7]]
            for instruction in message.instructions[3:]
        ]
        assert [soon, later, newest] == order


async def test_a_stop_waits_for_what_is_in_flight_and_takes_nothing_new(autojump_clock):
    stage = Stage(markets=2)
    first = stage.open(STAKE)
    async with stage.executing() as world:
        world.cluster.drops = 1
        world.scan()
        await world.slots(1)
        world.stop.set()
        second = stage.open(STAKE, market=stage.markets[1])
        world.scan()
    assert ChainStatus.DONE is stage.platform.chain(first).status
    assert ChainStatus.RUNNING is stage.platform.chain(second).status


async def test_a_plan_of_one_market_lands_whole_in_several_transactions(autojump_clock):
    stage = Stage()
    opened = [stage.open(STAKE, deposit=1_000 * USD) for _ in range(14)]
    async with stage.executing() as world:
        await world.look()
        assert 2 == len(world.sent)
        assert all(stage.platform.chain(each).status is ChainStatus.DONE for each in opened)
        assert (14, 0) == (world.tally.chain_steps_landed, world.tally.failed["chains"])


async def test_a_market_waits_until_all_of_an_earlier_plan_has_ended_and_is_seen(autojump_clock):
    stage = Stage()
    opened = [stage.open(STAKE, deposit=1_000 * USD) for _ in range(14)]
    async with stage.executing() as world:
        world.cluster.drops = 1
        world.scan()
        await world.slots(1)
        done = [stage.platform.chain(each).status is ChainStatus.DONE for each in opened]
        assert 0 < sum(done) < 14
        late = stage.open(STAKE)
        world.scan()
        await world.slots(1)
        assert 2 == len({one.signatures[0] for one in world.sent})
        await world.slots(10)
        await world.look(2)
        assert all(
            stage.platform.chain(each).status is ChainStatus.DONE for each in (*opened, late)
        )
        assert 3 == len({one.signatures[0] for one in world.sent})


async def test_who_is_not_alone_asks_for_the_most_and_keeps_to_the_plan(autojump_clock):
    stage = Stage(stake_usd=0)
    opened = [stage.open(STAKE, LIQUIDITY, BORROW, STAKE, deposit=1_000 * USD) for _ in range(6)]
    async with stage.executing() as world:
        world.scan()  # no loan yet, as far as we see; a node already knows better
        stage.platform.stake(stage.maker, 1_000_000 * USD)
        await world.slots(4)
        assert 2 == len(world.sent)
        assert {2} == {stage.platform.chain(each).next_step for each in opened}
        rows = world.store.db.conn.execute("SELECT cu_limit, cu_used FROM attempt").fetchall()
        assert all(asked > used * 1.1 for asked, used in rows)
        await world.look(4)
        assert all(stage.platform.chain(each).status is ChainStatus.DONE for each in opened)


async def test_a_refusal_beside_companions_costs_a_fee_and_a_rest_and_is_held_against_nobody(
    autojump_clock,
):
    stage = Stage()
    tight = Step(kind=StepKind.LIQUIDITY, limit_e6=1_000)
    guilty = stage.open(tight, deposit=1_000 * USD)
    others = [stage.open(STAKE, deposit=1_000 * USD) for _ in range(15)]

    def push():
        stage.platform.open(stage.owner, stage.market, 14_000 * USD, side=Side.NO)

    async with stage.executing() as world:
        world.cluster.before_landing.append(push)
        await world.look()
        assert (1, 1) == (world.tally.failed["chains"], world.tally.refusals["chains.crowded_out"])
        assert {} == world.tally.stuck_chains
        await world.look()
        assert all(stage.platform.chain(each).status is ChainStatus.DONE for each in others)
        assert ChainStatus.RUNNING is stage.platform.chain(guilty).status
        assert 1 == world.tally.failed["chains"]
