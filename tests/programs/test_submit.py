from dataclasses import replace
from functools import partial

import pytest
import trio
from solders.signature import Signature

from programs.flight import Flight
from programs.in_flight import InFlight, Pace
from programs.outcomes import Expired, Failed, Landed
from programs.refusals import is_permanent
from programs.rpc import RpcBadReply, RpcError, RpcTimeout, RpcUnreachable
from programs.settling import settle_open_attempts
from programs.submit import JobHeld, land, submit
from state.attempts import Attempts
from state.errors import AlreadyOpen, StateDiskFull
from state.in_loop import InLoopStore
from tests.fakes import SLOT_S, FakeRpc, ScriptedCluster, signed_batch

PACE = Pace()


class World:
    """One keeper's landing on one scripted cluster."""

    def __init__(self):
        self.cluster = ScriptedCluster(trio.current_time)
        self.rpc = FakeRpc(self.cluster)
        self.attempts = Attempts(InLoopStore())
        self.in_flight = InFlight()
        self.moves = []
        self.pace = PACE

    async def submit(self, job_id="a", **options):
        return await submit(
            self.attempts, self.in_flight, signed_batch(self.cluster, job_id), **options
        )

    async def settle(self):
        return await settle_open_attempts(self.attempts, self.in_flight, PACE)

    def land(self, **others):
        attempts = others.get("attempts", self.attempts)
        return land(
            self.rpc, attempts, self.in_flight, lambda: self.pace, tell_move=self.moves.append
        )

    def killed(self):
        """Lose everything but the chain and the state, as kill -9 does."""
        self.in_flight = InFlight()

    async def states(self):
        find = "SELECT state, is_finalized FROM attempt ORDER BY id"
        return await self.attempts.store.read(lambda db: db.conn.execute(find).fetchall())


@pytest.fixture
async def world():
    made = World()
    yield made
    made.attempts.store.close()


@pytest.fixture
async def landing(world, nursery):
    nursery.start_soon(world.land)
    return world


async def test_a_batch_lands_and_is_recorded_with_what_it_used(autojump_clock, landing):
    outcome = await landing.submit()
    assert isinstance(outcome, Landed)
    assert (outcome.slot, outcome.cu_used, outcome.fee_lamports) == (1_001, 1_234, 5_000)
    assert outcome.logs == ("log",)
    assert await landing.states() == [("landed", 0)]
    assert landing.cluster.executed == {b"a": 1}


async def test_a_landed_attempt_is_followed_until_it_is_finalized(autojump_clock, landing):
    await landing.submit()
    assert landing.in_flight.statistics().following == 1
    await trio.sleep(40 * SLOT_S)
    assert await landing.states() == [("landed", 1)]
    assert landing.in_flight.is_empty()


async def test_a_caller_may_wait_for_finality(autojump_clock, landing):
    outcome = await landing.submit(until="finalized")
    assert outcome.is_finalized
    assert landing.cluster.slot >= outcome.slot + 31


async def test_confirmed_with_an_error_is_a_failure_that_costs_its_fee(autojump_clock, landing):
    err = {"InstructionError": [3, {"Custom": 6}]}
    landing.cluster.failing[b"a"] = err
    outcome = await landing.submit()
    assert isinstance(outcome, Failed)
    assert (outcome.err, outcome.fee_lamports) == (err, 5_000)
    assert (await landing.attempts.summary()).failed == 1


async def test_an_error_of_an_unknown_shape_hurts_nobody_else(autojump_clock, landing):
    landing.cluster.failing[b"a"] = {"SomethingNobodyHasSeen": [1, "two"]}
    outcomes = {}

    async def one(job_id):
        outcomes[job_id] = await landing.submit(job_id)

    async with trio.open_nursery() as nursery:
        for job_id in "abc":
            nursery.start_soon(one, job_id)
    assert {name: type(found) for name, found in outcomes.items()} == {
        "a": Failed,
        "b": Landed,
        "c": Landed,
    }


async def test_lost_bytes_are_sent_again_unchanged_and_land_once(autojump_clock, landing):
    landing.cluster.drops = 3
    assert isinstance(await landing.submit(), Landed)
    assert list(landing.cluster.sends.values()) == [4]
    assert landing.cluster.executed == {b"a": 1}
    assert landing.in_flight.statistics().resends == 3


async def test_nothing_is_resent_once_a_node_has_it(autojump_clock, landing):
    await landing.submit(until="finalized")
    assert list(landing.cluster.sends.values()) == [1]


@pytest.mark.parametrize(
    "fault",
    [
        RpcTimeout("slow"),
        RpcUnreachable("gone"),
        RpcBadReply("429"),
        RpcError(-32005, "node is behind"),
        4.0,
    ],
    ids=["timeout", "unreachable", "bad reply", "refusal", "delay"],
)
@pytest.mark.parametrize(
    "method",
    ["send_transaction", "get_signature_statuses", "get_transaction", "get_block_height"],
)
async def test_any_fault_of_any_call_is_outlasted(autojump_clock, landing, method, fault):
    landing.rpc.faults[method] = [fault] * 3
    assert isinstance(await landing.submit(), Landed)
    assert landing.cluster.executed == {b"a": 1}


async def test_already_processed_is_waited_for_not_believed(autojump_clock, landing):
    landing.rpc.faults["send_transaction"] = [
        RpcError(-32002, "This transaction has already been processed")
    ]
    outcome = await landing.submit()
    assert isinstance(outcome, Landed)
    # The node lied once: the bytes had to go out again.
    assert list(landing.cluster.sends.values()) == [1]


async def test_without_facts_it_is_recorded_at_the_fee_it_bid(autojump_clock, landing):
    landing.rpc.faults["get_transaction"] = [3_600.0]
    outcome = await landing.submit()
    assert (outcome.cu_used, outcome.fee_lamports) == (None, 5_000)


async def test_expiry_waits_for_finalized_height_and_says_the_last_refusal(autojump_clock, landing):
    landing.rpc.faults["send_transaction"] = [
        RpcError(-32003, "signature verification failed")
    ] * 999
    last_valid = signed_batch(landing.cluster, "a").last_valid_block_height
    outcome = await landing.submit()
    assert isinstance(outcome, Expired)
    assert "signature verification failed" in outcome.reason
    assert landing.cluster.height("finalized") > last_valid
    assert await landing.states() == [("expired", 1)]


async def test_an_expired_job_may_be_signed_again(autojump_clock, landing):
    landing.cluster.drops = 10_000
    assert isinstance(await landing.submit(), Expired)
    landing.cluster.drops = 0
    assert isinstance(await landing.submit(), Landed)
    assert landing.cluster.executed == {b"a": 1}


async def test_a_job_in_flight_is_not_signed_twice(autojump_clock, landing, nursery):
    landing.cluster.drops = 5
    nursery.start_soon(landing.submit)
    await trio.sleep(1)
    with pytest.raises(AlreadyOpen, match="a is held by"):
        await landing.submit()


async def test_absence_at_a_node_that_lags_is_no_proof_of_expiry(autojump_clock, landing):
    settled = landing.rpc.get_settled_statuses
    lagging = 3

    async def lag(signatures):
        nonlocal lagging
        answer = await settled(signatures)
        if lagging:
            # Another node, before the transaction's blocks: it knows neither the signature nor the height.
            lagging -= 1
            return replace(answer, finalized_block_height=1, statuses=(None,) * len(signatures))
        return answer

    landing.rpc.get_settled_statuses = lag
    landing.cluster.memory_slots = -1
    assert isinstance(await landing.submit(), Landed)
    assert lagging == 0


async def test_what_nodes_forgot_is_found_in_their_history(autojump_clock, landing):
    landing.cluster.memory_slots = -1
    outcome = await landing.submit()
    assert isinstance(outcome, Landed)
    assert outcome.is_finalized


async def test_a_fork_that_drops_a_landed_transaction_gets_the_same_bytes_again(
    autojump_clock, landing
):
    outcome = await landing.submit()
    landing.cluster.fork(5)
    assert landing.cluster.executed[b"a"] == 0
    await trio.sleep(60 * SLOT_S)
    assert landing.cluster.executed == {b"a": 1}
    assert list(landing.cluster.sends.values()) == [2]
    assert await landing.states() == [("landed", 1)]
    assert landing.in_flight.statistics().moved == 1
    find = "SELECT DISTINCT slot FROM attempt_event ORDER BY id"
    slots = await landing.attempts.store.read(lambda db: db.conn.execute(find).fetchall())
    assert slots[0] == (outcome.slot,)
    assert len(slots) == 2


async def test_a_fork_that_drops_it_for_good_ends_in_proved_expiry(autojump_clock, landing):
    await landing.submit()
    landing.cluster.fork(5)
    landing.cluster.drops = 10_000
    await trio.sleep(250 * SLOT_S)
    assert await landing.states() == [("expired", 1)]
    assert landing.in_flight.is_empty()


async def test_a_node_that_forgets_for_a_moment_changes_nothing(autojump_clock, landing):
    await landing.submit()
    landing.cluster.memory_slots = -1
    await trio.sleep(3)
    landing.cluster.memory_slots = 300
    await trio.sleep(60 * SLOT_S)
    assert landing.in_flight.statistics().moved == 0
    assert await landing.states() == [("landed", 1)]


async def test_a_thousand_attempts_share_one_poll(autojump_clock, landing):
    async with trio.open_nursery() as nursery:
        for number in range(1_000):
            nursery.start_soon(landing.submit, str(number))
    assert (await landing.attempts.summary()).landed == 1_000
    assert landing.rpc.calls["get_signature_statuses"] <= 20


async def test_a_cancelled_caller_leaves_the_attempt_on_its_way(autojump_clock, landing):
    landing.cluster.drops = 2
    with trio.move_on_after(1):
        await landing.submit()
    await trio.sleep(10)
    assert await landing.states() == [("landed", 0)]
    assert landing.cluster.executed == {b"a": 1}


@pytest.mark.parametrize("after_s", [0, 0.2, 0.5, 0.9, 1.3, 2.0, 14.0])
@pytest.mark.parametrize("drops", [0, 1, 3])
async def test_a_kill_at_any_moment_is_settled_from_the_chain_and_nothing_runs_twice(
    autojump_clock, world, after_s, drops
):
    world.cluster.drops = drops
    with trio.move_on_after(after_s):
        async with trio.open_nursery() as first_life:
            first_life.start_soon(world.land)
            first_life.start_soon(world.submit)
    world.killed()
    async with trio.open_nursery() as second_life:
        second_life.start_soon(world.land)
        settled = await world.settle()
        assert all(isinstance(each.outcome, Landed) for each in settled)
        if await world.states() == []:
            await world.submit()
        await trio.sleep(40 * SLOT_S)
        second_life.cancel_scope.cancel()
    assert world.cluster.executed == {b"a": 1}
    assert await world.states() == [("landed", 1)]


async def test_an_attempt_that_never_left_is_proved_expired_after_its_time(autojump_clock, world):
    batch = signed_batch(world.cluster, "a")
    await world.attempts.record_attempt(batch)
    await trio.sleep(300 * SLOT_S)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(world.land)
        (settled,) = await world.settle()
        nursery.cancel_scope.cancel()
    assert (settled.jobs[0].job_id, type(settled.outcome)) == ("a", Expired)
    assert world.cluster.sends == {}


async def test_an_attempt_that_failed_before_the_kill_is_followed_to_finality(
    autojump_clock, world
):
    world.cluster.failing[b"a"] = {"InstructionError": [3, {"Custom": 6}]}
    async with trio.open_nursery() as first_life:
        first_life.start_soon(world.land)
        await world.submit()
        first_life.cancel_scope.cancel()
    world.killed()
    await trio.sleep(200 * SLOT_S)
    async with trio.open_nursery() as second_life:
        second_life.start_soon(world.land)
        assert await world.settle() == ()
        await trio.sleep(10)
        second_life.cancel_scope.cancel()
    assert await world.states() == [("failed", 1)]


async def test_what_cannot_be_recorded_is_not_sent(autojump_clock, landing):
    class FullDisk:
        async def record_attempt(self, _attempt):
            raise StateDiskFull("keeper.db")

    with pytest.raises(StateDiskFull):
        await submit(FullDisk(), landing.in_flight, signed_batch(landing.cluster, "a"))
    assert landing.cluster.sends == {}


async def test_an_end_that_cannot_be_recorded_stops_landing(autojump_clock, world):
    class FullDisk(Attempts):
        async def record_ends(self, _ends):
            raise StateDiskFull("keeper.db")

    with pytest.RaisesGroup(StateDiskFull, flatten_subgroups=True):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: world.land(attempts=FullDisk(world.attempts.store)))
            nursery.start_soon(world.submit)


@pytest.mark.parametrize("name", ["poll_interval_s", "resend_interval_s", "sends_at_once"])
def test_a_pace_that_would_spin_is_refused(name):
    with pytest.raises(ValueError, match=f"{name} is 0, expected more than 0"):
        Pace(**{name: 0})


async def test_the_end_is_recorded_while_its_facts_are_still_unknown(
    autojump_clock, landing, nursery
):
    landing.rpc.faults["get_transaction"] = [1.0]
    nursery.start_soon(landing.submit)
    await trio.sleep(2)
    assert await landing.states() == [("landed", 0)]
    assert (await landing.attempts.summary()).cu_used == 0
    await trio.sleep(2)
    assert (await landing.attempts.summary()).cu_used == 1_234


async def test_facts_that_came_too_late_for_the_caller_are_recorded_all_the_same(
    autojump_clock, landing
):
    landing.rpc.faults["get_transaction"] = [3_600.0]
    assert (await landing.submit()).cu_used is None
    await trio.sleep(10)
    assert (await landing.attempts.summary()).cu_used == 1_234


async def test_slow_facts_of_one_attempt_delay_no_other(autojump_clock, landing):
    landing.rpc.faults["get_transaction"] = [3_600.0]
    ended_s = {}

    async def one(job_id):
        await landing.submit(job_id)
        ended_s[job_id] = trio.current_time()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(one, "a")
        nursery.start_soon(one, "b")
    assert max(ended_s.values()) - min(ended_s.values()) >= PACE.facts_timeout_s * 0.9


async def ended_together(landing, count):
    """Submit so many at once; return their ends."""
    ends = []

    async def one(number):
        ends.append(await landing.submit(f"job {number}"))

    async with trio.open_nursery() as nursery:
        for number in range(count):
            nursery.start_soon(one, number)
    return ends


@pytest.mark.parametrize(("count", "calls", "blocks"), [(15, 15, 0), (16, 0, 1)])
async def test_the_facts_of_many_in_one_block_cost_one_call(
    autojump_clock, landing, count, calls, blocks
):
    ends = await ended_together(landing, count)
    assert all(end.cu_used == 1_234 and end.logs for end in ends)
    assert (landing.rpc.calls["get_transaction"], landing.rpc.calls["get_block"]) == (calls, blocks)
    assert (await landing.attempts.summary()).cu_used == count * 1_234


async def test_a_few_in_a_block_full_of_others_are_asked_for_one_by_one(autojump_clock, landing):
    found = landing.rpc.get_block

    async def crowded(slot, commitment):
        block = await found(slot, commitment)
        other = replace(block.transactions[0], signature=Signature.default())
        return replace(block, transactions=block.transactions + (other,) * 1_000)

    landing.rpc.get_block = crowded
    await ended_together(landing, 20)
    assert (landing.rpc.calls["get_transaction"], landing.rpc.calls["get_block"]) == (0, 1)
    await trio.sleep(40 * SLOT_S)
    await ended_together(landing, 20)
    assert (landing.rpc.calls["get_transaction"], landing.rpc.calls["get_block"]) == (20, 1)


@pytest.mark.parametrize("fault", [RpcTimeout("no answer"), 3_600.0])
async def test_a_block_that_nobody_tells_is_made_up_for_one_by_one(autojump_clock, landing, fault):
    landing.rpc.faults["get_block"] = [fault]
    ends = await ended_together(landing, 16)
    assert all(end.cu_used == 1_234 for end in ends)
    assert landing.rpc.calls["get_transaction"] == 16


async def test_an_end_that_a_fork_changes_after_it_was_told_is_told_again(autojump_clock, landing):
    await landing.submit()
    landing.cluster.fork(5)
    landing.cluster.drops = 10_000
    await trio.sleep(250 * SLOT_S)
    (move,) = landing.moves
    assert (move.lane, move.job_ids) == ("liquidations", ("a",))
    assert (type(move.was), type(move.now)) == (Landed, Expired)
    assert landing.in_flight.statistics().undone == 1
    assert landing.cluster.executed[b"a"] == 0


async def test_whoever_plans_hears_of_the_block_long_before_the_end_and_of_the_fork_that_takes_it(
    autojump_clock, landing
):
    heard = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(landing.submit, tell_block=heard.append))
        await trio.sleep(1.5 * SLOT_S)
        ((first, _),) = landing.cluster.included.values()
        assert heard == [first]
        landing.cluster.fork(1)
    ((second, _),) = landing.cluster.included.values()
    assert heard == [first, None, second]


async def test_nobody_plans_on_a_block_in_which_it_failed(autojump_clock, landing):
    heard = []
    landing.cluster.failing[b"a"] = "error"
    await landing.submit(tell_block=heard.append)
    assert not heard


async def test_an_effect_that_landed_is_not_signed_again_before_it_is_final(
    autojump_clock, landing
):
    await landing.submit()
    with pytest.raises(AlreadyOpen, match="which landed and is not finalized"):
        await landing.submit()
    await trio.sleep(40 * SLOT_S)
    await landing.submit()


async def test_bytes_refused_for_good_are_offered_rarely_and_counted_once(autojump_clock, landing):
    landing.rpc.faults["send_transaction"] = [
        RpcError(-32003, "signature verification failed")
    ] * 999
    with trio.move_on_after(40):
        await landing.submit()
    statistics = landing.in_flight.statistics()
    assert statistics.refused == 1
    assert statistics.sends <= 6


async def test_nothing_is_sent_once_the_blockhash_has_expired(autojump_clock, landing):
    landing.cluster.drops = 10_000
    last_valid = signed_batch(landing.cluster, "a").last_valid_block_height
    sent = []
    receive = landing.cluster.receive

    def note(wire):
        sent.append(landing.cluster.height("confirmed"))
        return receive(wire)

    landing.cluster.receive = note
    assert isinstance(await landing.submit(), Expired)
    assert last_valid - 10 < max(sent) <= last_valid + 5


async def test_a_history_that_begins_after_the_attempt_proves_nothing(autojump_clock, world):
    settled = world.rpc.get_settled_statuses

    async def pruned(signatures):
        return replace(await settled(signatures), first_available_slot=world.cluster.slot)

    world.rpc.get_settled_statuses = pruned
    await world.attempts.record_attempt(signed_batch(world.cluster, "a"))
    await trio.sleep(300 * SLOT_S)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(world.land)
        (found,) = await world.settle()
        assert found.outcome is None
        assert await world.states() == [("open", 0)]
        # Another endpoint has the blocks.
        world.rpc.get_settled_statuses = settled
        await trio.sleep(10)
        nursery.cancel_scope.cancel()
    assert await world.states() == [("expired", 1)]


async def test_lanes_take_turns_so_that_a_flood_of_one_delays_no_other(autojump_clock, world):
    pace = Pace(sends_at_once=1)
    for number in range(100):
        batch = replace(signed_batch(world.cluster, f"flood {number}"), lane="prices")
        world.in_flight.launch(flight_of(batch))
    world.in_flight.launch(flight_of(signed_batch(world.cluster, "urgent")))
    lanes = [(await world.in_flight.wait_due(lambda: pace)).lane for _ in range(4)]
    assert "liquidations" in lanes[:2]


def flight_of(batch):
    return Flight(
        lane=batch.lane,
        jobs=batch.jobs,
        signature=batch.transaction.signature,
        wire=batch.wire,
        last_valid_block_height=batch.last_valid_block_height,
        created_slot=batch.created_slot,
        fee_bid_lamports=batch.fee_bid_lamports,
    )


def test_resends_are_spread_by_signature_and_the_same_each_time():
    cluster = ScriptedCluster(lambda: 0.0)
    flights = [flight_of(signed_batch(cluster, str(number))) for number in range(50)]
    intervals = [PACE.resend_in_s(flight) for flight in flights]
    assert intervals == [PACE.resend_in_s(flight) for flight in flights]
    assert len(set(intervals)) > 30
    assert 0.75 * 1.5 <= min(intervals) < max(intervals) <= 1.25 * 1.5


@pytest.mark.parametrize(
    ("error", "permanent"),
    [
        (RpcError(-32003, "Transaction signature verification failure"), True),
        (RpcError(-32602, "base64 encoded transaction too large"), True),
        (RpcError(-32002, "simulation failed", {"err": "InsufficientFundsForFee"}), True),
        (RpcError(-32002, "simulation failed", {"err": "BlockhashNotFound"}), False),
        (RpcError(-32002, "simulation failed", {"err": {"InstructionError": [0, {}]}}), False),
        (RpcError(-32005, "node is behind"), False),
    ],
)
def test_time_cures_some_refusals_and_not_others(error, permanent):
    assert is_permanent(error) is permanent


_FAILURE = {"InstructionError": [3, {"Custom": 6}]}


async def test_a_failure_that_a_fork_took_back_holds_its_job_until_it_is_in_a_block_again(
    autojump_clock, landing
):
    landing.cluster.failing[b"a"] = _FAILURE
    assert isinstance(await landing.submit(), Failed)
    landing.cluster.fork(5)
    landing.cluster.drops = 1
    await trio.sleep(PACE.finality_interval_s + PACE.poll_interval_s)
    with pytest.raises(JobHeld, match="failed in a block that a fork took back"):
        await landing.submit()
    await trio.sleep(2 * PACE.resend_interval_s + 3 * SLOT_S)
    assert list(landing.cluster.sends.values()) == [3]
    assert isinstance(await landing.submit(), Failed)


async def test_a_failure_is_not_sent_again_once_its_job_was_signed_anew(autojump_clock, landing):
    landing.cluster.failing[b"a"] = _FAILURE
    former = await landing.submit()
    landing.cluster.fork(5)
    # Before a poll has shown that, the failure is believed.
    del landing.cluster.failing[b"a"]
    await trio.sleep(2 * SLOT_S)
    assert isinstance(await landing.submit(), Landed)
    await trio.sleep(250 * SLOT_S)
    assert landing.cluster.sends[former.signature] == 1
    assert landing.cluster.executed == {b"a": 1}
    assert await landing.states() == [("expired", 1), ("landed", 1)]
    assert landing.in_flight.is_empty()


async def test_an_end_that_a_fork_moved_is_recorded_as_soon_as_its_new_block_is_confirmed(
    autojump_clock, landing
):
    await landing.submit()
    landing.cluster.fork(5)
    await trio.sleep(PACE.finality_interval_s + 5 * SLOT_S)
    assert landing.in_flight.statistics().moved == 1


async def test_another_pace_holds_for_what_is_in_flight(autojump_clock, landing, nursery):
    landing.cluster.drops = 10_000
    nursery.start_soon(landing.submit)
    await trio.sleep(6)
    (at_first,) = landing.cluster.sends.values()
    landing.pace = Pace(resend_interval_s=0.2)
    await trio.sleep(6)
    (in_all,) = landing.cluster.sends.values()
    assert at_first <= 6
    assert in_all - at_first >= 15
