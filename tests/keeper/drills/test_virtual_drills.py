"""Drills on the virtual clock, each in a process of its own, as `keeper drill run` plays them."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from keeper.drills.scenarios.long_silences import ENGINE_RESTART_IN_FULL
from keeper.drills.virtual_run import play_in_process
from keeper.errors import DrillError

HANG_S = 240


async def test_the_same_seed_gives_the_same_actions_to_the_last_bit():
    results = []

    async def play():
        results.append(await play_in_process(ENGINE_RESTART_IN_FULL))

    with trio.fail_after(HANG_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(play)
            nursery.start_soon(play)

    first, second = results
    assert first.passed, [verdict for verdict in first.verdicts if not verdict.passed]
    assert first.is_virtual
    assert first.actions
    assert first.actions == second.actions
    assert first.beliefs == second.beliefs
    assert first.heard == second.heard
    # Eight minutes of the venue's time; what it takes is this machine's affair.
    assert 480 < first.phases[-1].ends_s < 900


async def test_a_drill_that_cannot_be_played_says_why():
    unknown = replace(ENGINE_RESTART_IN_FULL, name="no-such-drill")
    with trio.fail_after(HANG_S):
        with pytest.raises(DrillError, match="no-such-drill ended with status 1 and no result"):
            await play_in_process(unknown)


PLAY = """
import trio
from keeper.drills.scenarios.long_silences import ENGINE_RESTART_IN_FULL
from keeper.drills.virtual_run import play_in_process
trio.run(play_in_process, ENGINE_RESTART_IN_FULL)
"""


def children_of(pid):
    # A child belongs to the thread that started it.
    listed = [each.read_text().split() for each in Path(f"/proc/{pid}/task").glob("*/children")]
    return [int(child) for each in listed for child in each]


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def until(is_so):
    while not is_so():  # noqa: ASYNC110  # other processes set no event of ours
        await trio.sleep(0.05)


async def test_a_drill_killed_with_9_leaves_nobody_behind():
    with trio.fail_after(HANG_S):
        drill = await trio.lowlevel.open_process([sys.executable, "-c", PLAY])
        await until(lambda: children_of(drill.pid))
        (child,) = children_of(drill.pid)
        drill.kill()
        await drill.wait()
        await until(lambda: not is_running(child))
