from functools import partial

import pytest
import trio

from state.commit_counts import CommitCounts
from state.histogram import Buckets
from state.loop_lag import LoopLag
from state.metrics import (
    COMMIT,
    IS_DRAINING,
    LAST_COMMIT_AGE,
    LOOP_LAG,
    RESIDENT_BYTES,
    TASK_AGE,
    TASK_AGE_MAX,
    TASK_RUNNING,
    UPTIME,
)
from state.process_figures import Process
from state.progress import Progress, beat
from state.sample import Figures, Sample


async def turn(interval_s):
    while True:
        beat()
        await trio.sleep(interval_s)


async def hang():
    beat()
    await trio.sleep_forever()


def sample_of(process, *, is_draining=False):
    figures = Figures()
    process.put(figures, is_draining=is_draining)
    return Sample(
        service=process.service, sequence=1, figures=figures.values, histograms=figures.histograms
    )


@pytest.fixture
def process(tmp_path):
    return partial(Process, service="keeper", folder=tmp_path, commits=CommitCounts())


async def test_a_task_that_turns_is_young_and_one_that_hangs_grows_old(autojump_clock, process):
    progress = Progress()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(progress.run, "prices", 30.0, partial(turn, 0.5))
        nursery.start_soon(progress.run, "scan", 30.0, hang)
        nursery.start_soon(progress.run, "halts", None, trio.sleep_forever)
        await trio.sleep(40.25)
        found = sample_of(process(progress=progress, began_s=0.0))
        nursery.cancel_scope.cancel()
    assert found.get(TASK_AGE, "keeper", "prices") == pytest.approx(0.25)
    assert found.get(TASK_AGE, "keeper", "scan") == pytest.approx(40.25)
    assert found.get(TASK_AGE_MAX, "keeper", "scan") == 30.0
    assert found.get(TASK_AGE, "keeper", "halts") is None  # it may wait for ever
    assert [value for _, value in found.of(TASK_RUNNING)] == [1.0, 1.0, 1.0]
    assert found.get(UPTIME, "keeper") == pytest.approx(trio.current_time())


async def test_children_of_a_task_beat_for_it_and_code_outside_for_nobody(autojump_clock):
    progress = Progress()

    async def lane():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(turn, 1.0)

    beat()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(progress.run, "prices", 30.0, lane)
        await trio.sleep(10.5)
        (task,) = progress.tasks
        assert task.age_s(trio.current_time()) == pytest.approx(0.5)
        nursery.cancel_scope.cancel()


async def test_a_task_that_ends_or_is_cancelled_alone_is_told_by_name_and_the_others_go_on(
    autojump_clock, process
):
    progress = Progress()
    async with trio.open_nursery() as nursery:
        for name in ("prices", "scan"):
            nursery.start_soon(progress.run, name, 30.0, partial(turn, 1.0))
        nursery.start_soon(progress.run, "feed", 30.0, partial(trio.sleep, 2.0))
        await trio.sleep(5.5)
        progress.cancel("scan")
        await trio.testing.wait_all_tasks_blocked()
        found = sample_of(process(progress=progress))
        draining = sample_of(process(progress=progress), is_draining=True)
        nursery.cancel_scope.cancel()
    assert dict(found.of(TASK_RUNNING)) == {
        ("keeper", "prices"): 1.0,
        ("keeper", "scan"): 0.0,
        ("keeper", "feed"): 0.0,
    }
    assert found.get(TASK_AGE, "keeper", "scan") is None
    # A service that ends has its tasks end.
    assert dict(draining.of(TASK_RUNNING)) == {("keeper", "prices"): 1.0}
    assert draining.get(IS_DRAINING, "keeper") == 1.0


async def test_a_task_that_breaks_breaks_its_service(autojump_clock):
    progress = Progress()

    async def fail():
        await trio.sleep(1)
        raise ZeroDivisionError

    with pytest.RaisesGroup(ZeroDivisionError):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(progress.run, "prices", 30.0, fail)
    assert not progress.tasks[0].is_running


async def test_what_has_nothing_to_do_does_not_age_and_then_ages_from_when_it_has(autojump_clock):
    progress, has_work = Progress(), False

    async def follow(task_status):
        task_status.started()
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        await nursery.start(progress.start, "landing", 30.0, follow, lambda: not has_work)
        (task,) = progress.tasks
        await trio.sleep(100)
        assert task.age_s(trio.current_time()) == 0.0
        has_work = True
        await trio.sleep(7)
        assert task.age_s(trio.current_time()) == pytest.approx(7)
        nursery.cancel_scope.cancel()


async def test_the_loop_s_lag_is_the_worst_since_it_was_asked_for(mock_clock):
    lag = LoopLag()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lag.measure)
        await trio.testing.wait_all_tasks_blocked()
        mock_clock.jump(0.5)  # as if something had kept the loop for half a second
        await trio.testing.wait_all_tasks_blocked()
        assert lag.take_s() == pytest.approx(0.45)
        assert lag.take_s() == pytest.approx(0.0)
        mock_clock.jump(2.0)
        assert lag.take_s() == pytest.approx(1.95)  # it still is
        nursery.cancel_scope.cancel()


def test_values_are_counted_below_the_bound_they_reach():
    found = Buckets(COMMIT)
    for value in (0.0001, 0.0005, 0.0006, 2.0):
        found.note(value)
    frozen = found.frozen()
    assert frozen.counts == (2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1)
    assert frozen.sum == pytest.approx(2.0012)


async def test_commits_are_counted_by_whoever_commits(store, process):
    await store.transaction(lambda db: db.conn.execute("CREATE TABLE noted (id INTEGER)"))
    found = sample_of(process(progress=Progress(), commits=store.commit_counts))
    assert sum(found.histograms["sqlite_commit_seconds", ("keeper",)].counts) == 1
    assert 0 <= found.get(LAST_COMMIT_AGE, "keeper") < 60
    assert found.get(RESIDENT_BYTES, "keeper") > 1_000_000
    assert found.get(LOOP_LAG, "keeper") == 0.0
