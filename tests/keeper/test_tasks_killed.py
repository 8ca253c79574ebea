"""A keeper that loses one task goes on, and says so: `/ready` is red within seconds and names the task.

On a virtual clock: tasks, registry, figures, checks and the reply are those of a run; only the cluster is scripted.
"""

import httpx
import pytest
import trio
from scripted_keeper import Keeper

from keeper.monitor.checks import look_at
from keeper.monitor.moment import Moment
from keeper.monitor.server import application
from keeper.monitor.sightings import Sightings
from keeper.monitor.view import View
from keeper.newest import Newest
from keeper.telemetry.gather import Gatherer
from state.process_figures import Process

TASKS = (
    *("landing", "blockhashes", "balances", "tables", "units", "duplicates", "platform", "halts"),
    *("signers", "prices", "liquidations", "chains", "payouts", "scan", "markets", "feed"),
)
WITHIN_S = 5.0


async def tell(keeper, folder, board):
    """What the keeper tells and the monitor makes of it, once a second each."""
    work = keeper.work_of_run
    process = Process(
        service="keeper", folder=folder, progress=work.progress, commits=work.store.commit_counts
    )
    gatherer = Gatherer(work=work, process=process, endpoints=lambda: (), version="1")
    sightings, sequence = Sightings(("keeper",), trio.current_time()), 0
    while True:
        sequence += 1
        now_s = trio.current_time()
        sightings.hear(gatherer.gather(sequence, is_last=False), now_s)
        view = View(wall_s=0.0, now_s=now_s, samples=sightings.seen(now_s))
        board.publish(Moment(view=view, checks=look_at(view)))
        await trio.sleep(1.0)


def task_words(reply):
    """The line about tasks, if any."""
    return "".join(line for line in reply.text.splitlines() if line.startswith("tasks: "))


@pytest.mark.parametrize("name", TASKS)
async def test_the_end_of_any_single_task_turns_ready_red_and_names_it(
    name, autojump_clock, tmp_path
):
    keeper, board = Keeper(), Newest()
    transport = httpx.ASGITransport(application(board, []))
    async with (
        httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(keeper.work)
        await keeper.orders.working.wait()
        await trio.sleep(1.0)
        nursery.start_soon(tell, keeper, tmp_path, board)
        await trio.sleep(5.0)
        progress = keeper.work_of_run.progress
        assert set(TASKS) == {task.name for task in progress.tasks}
        assert "" == task_words(await client.get("/ready"))

        progress.cancel(name)
        words, sequence = "", board.sequence
        with trio.fail_after(WITHIN_S):
            while not words:
                sequence, _ = await board.wait_newer(sequence)
                words = task_words(await client.get("/ready"))
        assert f"tasks: keeper's task {name} has ended" == words
        reply = await client.get("/ready")
        assert 503 == reply.status_code
        assert 200 == (await client.get("/live")).status_code
        nursery.cancel_scope.cancel()
    keeper.store.close()
