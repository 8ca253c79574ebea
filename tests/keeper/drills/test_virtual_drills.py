"""Drills on the virtual clock, each in a process of its own, as `keeper drill run` plays them."""

from dataclasses import replace

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
