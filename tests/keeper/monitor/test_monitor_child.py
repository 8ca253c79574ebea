"""`keeper monitor` as a child: it ends with a keeper that ends in order, and with no other."""

import sys
from pathlib import Path

import pytest
import trio
from structlog.testing import capture_logs

from keeper.config import parse_config
from keeper.monitor.child import command_line, run_monitor_child

WATCHES = 'import sys; print(\'{"url": "http://here"}\', flush=True); sys.stdin.read()'
DIES = "import sys; sys.exit('no database')"
OUTLIVES = "import sys, pathlib; sys.stdin.read(); pathlib.Path(sys.argv[1]).write_text('told')"
HANG_S = 30


async def test_it_tells_its_address_and_ends_with_the_keeper():
    finish = trio.Event()
    with trio.fail_after(HANG_S), capture_logs() as logs:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run_monitor_child, [sys.executable, "-c", WATCHES], finish)
            while "monitor.opened" not in [line["event"] for line in logs]:  # noqa: ASYNC110 - a log
                await trio.sleep(0.005)
            finish.set()
            nursery.cancel_scope.cancel()  # as a run that is over does at once
    assert ["monitor.started", "monitor.opened"] == [line["event"] for line in logs]
    assert "http://here" == logs[1]["url"]


async def test_that_it_dies_stops_nothing_and_is_said():
    with trio.fail_after(HANG_S), capture_logs() as logs:
        await run_monitor_child([sys.executable, "-c", DIES], trio.Event())
    assert ("monitor.lost", 1, "no database") == tuple(
        logs[-1][key] for key in ("event", "status", "words")
    )


# It is meant to outlive the run that started it, whose handles on it nobody closes.
@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")
@pytest.mark.filterwarnings("ignore:Exception ignored in:pytest.PytestUnraisableExceptionWarning")
async def test_a_keeper_that_breaks_leaves_it_to_say_so(tmp_path):
    said = tmp_path / "said"
    command = [sys.executable, "-c", OUTLIVES, str(said)]
    with trio.fail_after(HANG_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run_monitor_child, command, trio.Event())
            await trio.sleep(0.05)
            nursery.cancel_scope.cancel()
        while not said.exists():  # noqa: ASYNC110 - another process
            await trio.sleep(0.005)


def test_it_is_told_where_the_run_remembers_and_who_else_runs():
    raw = {
        "cluster": {"rpc_urls": ["http://127.0.0.1:1"], "program_id": "1" * 32},
        "keys": {"keeper": "k.json"},
        "state": {"folder": "state"},
    }
    path = Path("/etc/keeper.toml")
    command = command_line(parse_config(raw, path), path, has_incentives=False)
    assert "/etc/state" == command[command.index("--folder") + 1]
    assert {"--until-stdin-closes", "--no-incentives"} <= {*command}
