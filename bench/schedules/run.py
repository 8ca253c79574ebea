"""Play schedules in a loop of their own on a virtual clock.

Shell.
"""

import logging
import os
from pathlib import Path

import structlog
import trio
from trio.testing import MockClock

from bench.schedules.schedule import schedule_of
from bench.schedules.world import Played, open_world, play
from keeper.drills.repeatable import make_repeatable


def play_seed(seed: int) -> Played:
    """Play one schedule from genesis to its verdict; nothing of it depends on anything but the seed."""
    found, _ = _play(seed, keep_lines=False)
    return found


def replay(seed: int) -> tuple[Played, list[str]]:
    """Play one schedule and return everything that happened in it."""
    return _play(seed, keep_lines=True)


def _play(seed: int, *, keep_lines: bool) -> tuple[Played, list[str]]:
    make_repeatable(seed)
    _be_silent()
    world = open_world(schedule_of(seed), keep_lines=keep_lines)
    found = trio.run(play, world, clock=MockClock(autojump_threshold=0))
    return found, world.trace.lines or []


def _be_silent() -> None:
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL),
        logger_factory=structlog.PrintLoggerFactory(Path(os.devnull).open("w")),  # noqa: SIM115 - for the life of the process
    )
