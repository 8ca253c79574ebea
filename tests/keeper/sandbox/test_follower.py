"""`incentives follow` as a child: what it says last is reported, and its end ends nothing else."""

import sys
from pathlib import Path

import trio
from structlog.testing import capture_logs

from keeper.config import parse_config
from keeper.sandbox.follower import command_line, run_follower

READS_TO_THE_END = "import sys; sys.stdin.read(); print('{\"epochs_closed\": 3}')"
DIES = "import sys; sys.exit('the ledger is of another cluster')"
BABBLES = "import sys; sys.stdin.read(); print('no object')"


async def last_words(code, *, finish_at_once=True):
    finish = trio.Event()
    said, heard = trio.open_memory_channel(1)
    with trio.fail_after(30), capture_logs() as logs:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run_follower, [sys.executable, "-c", code], finish, said)
            if finish_at_once:
                finish.set()
            found = await heard.receive()
    return found, [line["event"] for line in logs]


async def test_it_reads_to_the_end_when_the_keeper_has_drained():
    found, logs = await last_words(READS_TO_THE_END)
    assert found == {"epochs_closed": 3}
    assert logs == ["follower.started"]


async def test_that_it_dies_stops_nothing_and_stands_in_the_report():
    found, logs = await last_words(DIES, finish_at_once=False)
    assert found == {
        "error": "incentives follow ended with status 1: the ledger is of another cluster"
    }
    assert logs[-1] == "follower.ended"


async def test_a_report_that_is_none_is_said_to_be_missing():
    found, _ = await last_words(BABBLES)
    assert found == {"error": "incentives follow ended with status 0: it said nothing"}


def test_it_is_told_where_the_sandbox_is():
    raw = {
        "cluster": {
            "rpc_urls": ["http://127.0.0.1:1", "http://127.0.0.1:2"],
            "program_id": "1" * 32,
        },
        "keys": {"keeper": "k.json"},
        "state": {"folder": "state"},
    }
    config = parse_config(raw, Path("/etc/keeper.toml"))
    command = command_line(config, Path("/etc/keeper.toml"))
    assert command.count("--rpc-url") == 2
    assert command[command.index("--folder") + 1] == "/etc/state"
    assert command[command.index("--manifests") + 1] == "/etc/state/payouts"
