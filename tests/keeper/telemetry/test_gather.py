"""keeper/telemetry: a keeper at work on a virtual clock, and what it tells of itself."""

import pytest
import trio
from scripted_keeper import Keeper

from keeper.lane_counts import reason_of
from keeper.tally import StuckChain, Withheld
from keeper.telemetry.gather import Gatherer
from programs.breaker import BreakerState
from programs.endpoint_counts import EndpointStatistics
from state import metrics
from state.metrics import METRICS
from state.process_figures import Process
from state.sample import from_line, to_line

ENDPOINT = EndpointStatistics(
    name="http://node",
    calls=7,
    asked_beside=0,
    failures={"timeout": 2},
    breaker=BreakerState.OPEN,
    lag_slots=3,
    set_aside="it contradicts the others",
    latency_ms_p50=12.0,
    latency_ms_p99=250.0,
)
OF_INCENTIVES = {
    metrics.LEDGER_LINES,
    metrics.LEDGER_SLOT,
    metrics.LEDGER_LAG,
    metrics.EMITTED_MMT,
    metrics.OWED_MMT,
    metrics.PAID_MMT,
    metrics.EPOCHS_CLOSED,
    metrics.PAYOUTS,
    metrics.PAYOUT_OLDEST,
    metrics.ANOMALIES,
}


def gatherer_of(work, tmp_path):
    process = Process(
        service="keeper", folder=tmp_path, progress=work.progress, commits=work.store.commit_counts
    )
    return Gatherer(work=work, process=process, endpoints=lambda: (ENDPOINT,), version="1")


async def begun(nursery):
    keeper = Keeper()
    nursery.start_soon(keeper.work)
    await keeper.orders.working.wait()
    await trio.sleep(8.0)
    return keeper


async def test_a_keeper_tells_every_figure_that_is_its_own(autojump_clock, tmp_path):
    async with trio.open_nursery() as nursery:
        keeper = await begun(nursery)
        work, tally = keeper.work_of_run, keeper.kit.tally
        tally.withheld[0] = Withheld(reason="stale", outcome=0, since_slot=1, since_s=1.0)
        tally.stuck_chains["C"] = StuckChain(
            step=1,
            kind="open",
            refusal="SLIPPAGE",
            reason="worse",
            since_slot=tally.scan_slot - 10,
            is_forecast=True,
        )
        work.lanes.prices.funds.note_balance(10**9)
        tally.lane("prices").failed_because["STALE"] += 1
        keeper.board.count_failure("clob", "timeout")
        keeper.board.count_miss("gamma")
        keeper.board.clock_skew_ms = 250
        sample = gatherer_of(work, tmp_path).gather(1, is_last=False)
        nursery.cancel_scope.cancel()
    keeper.store.close()

    assert from_line(to_line(sample)) == sample
    told = {name for name, _ in (*sample.figures, *sample.histograms)}
    of_others = {each.name for each in OF_INCENTIVES} | {
        each.name for each in METRICS if each.name.startswith(("service_", "alert", "monitor_"))
    }
    assert {each.name for each in METRICS} - of_others == told
    assert sample.get(metrics.JOBS_LANDED, "liquidations") == tally.jobs_landed["liquidations"] >= 3
    assert sum(sample.histograms["due_to_landed_seconds", ("liquidations",)].counts) >= 3
    assert (
        sample.get(metrics.TRANSACTIONS, "liquidations", "landed") == tally.landed["liquidations"]
    )
    assert sample.get(metrics.POSITIONS, "due") is not None
    assert sample.get(metrics.VENUE_CLOCK_SKEW) == 0.25
    assert sample.get(metrics.RPC_BREAKER_OPEN, "http://node") == 1.0
    assert sample.get(metrics.RPC_LATENCY, "http://node", "0.99") == 0.25
    assert sample.get(metrics.HAS_CHANGED) == 0.0
    (landed, *_) = sample.details["landed"]
    assert {"signature", "lane", "slot", "wall_s", "jobs"} == landed.keys()
    assert sample.details["stuck_chains"][0]["refusal"] == "SLIPPAGE"
    assert sample.details["withheld"][0]["reason"] == "stale"


async def test_each_task_that_is_cancelled_alone_is_told_by_its_name(autojump_clock, tmp_path):
    async with trio.open_nursery() as nursery:
        keeper = await begun(nursery)
        work = keeper.work_of_run
        gatherer = gatherer_of(work, tmp_path)
        names = [task.name for task in work.progress.tasks]
        assert {"landing", "blockhashes", "prices", "liquidations", "chains", "payouts"} <= {*names}
        assert {"scan", "feed", "markets", "platform", "balances", "signers"} <= {*names}
        for number, name in enumerate(names):
            work.progress.cancel(name)
            await trio.testing.wait_all_tasks_blocked()
            sample = gatherer.gather(number, is_last=False)
            ended = [labels[1] for labels, is_on in sample.of(metrics.TASK_RUNNING) if not is_on]
            assert ended == names[: number + 1]
        nursery.cancel_scope.cancel()
    keeper.store.close()


async def test_what_the_program_s_configuration_became_is_told_in_words(autojump_clock, tmp_path):
    async with trio.open_nursery() as nursery:
        keeper = await begun(nursery)
        keeper.orders.end_because("program X was replaced in slot 7")
        sample = gatherer_of(keeper.work_of_run, tmp_path).gather(1, is_last=False)
        nursery.cancel_scope.cancel()
    keeper.store.close()
    assert sample.get(metrics.HAS_CHANGED) == 1.0
    assert sample.get(metrics.IS_DRAINING, "keeper") == 1.0
    assert sample.details["changes"] == ["program X was replaced in slot 7"]


@pytest.mark.parametrize(
    ("err", "name"),
    [
        ({"InstructionError": [2, {"Custom": 140}]}, "COVERAGE_LOW"),
        ({"InstructionError": [2, {"Custom": 1}]}, "INSUFFICIENT_FUNDS"),
        ({"InstructionError": [0, "ComputationalBudgetExceeded"]}, "ComputationalBudgetExceeded"),
        ("BlockhashNotFound", "BlockhashNotFound"),
    ],
)
def test_errors_are_counted_by_a_short_name(err, name):
    assert reason_of(err) == name
