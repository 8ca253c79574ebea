"""Time that passes only when nothing else is left to do: hours of sleeping in seconds.

Shell. What `trio.testing.MockClock` does with `autojump_threshold=0`, but for one thing: this clock stands still while a
worker thread of `trio.to_thread` runs, which that one does not see. So code that parses a long reply in a thread needs no
other way of doing it here.
"""

import math
import time
from typing import Final

import trio
from trio.testing import wait_all_tasks_blocked

_NAP_S: Final = 0.0005
"""How often a thread is asked whether it is done."""
_A_DAY_S: Final = 86_400.0


class VirtualClock(trio.abc.Clock):
    """Give it to `trio.run`, and start `pass_time` in its loop."""

    def __init__(self, *, now_s: float = 0.0) -> None:
        self._now_s = now_s

    def start_clock(self) -> None:
        """Nothing to do: it stands."""

    def current_time(self) -> float:
        """Return the virtual time in seconds."""
        return self._now_s

    def deadline_to_sleep_time(self, deadline: float) -> float:
        """Return 0 for what is due; anything else waits for `pass_time`, however long that takes."""
        return 0.0 if deadline <= self._now_s else _A_DAY_S

    def advance(self, duration_s: float) -> None:
        """Let time pass at once.

        Raises:
            ValueError: backwards.
        """
        if duration_s < 0:
            raise ValueError(f"duration_s is {duration_s}, wanted 0 or more: time does not go back")
        self._now_s += duration_s


async def pass_time(
    clock: VirtualClock, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Whenever every task waits, and no thread runs, go on to the next deadline; until cancelled."""
    threads = trio.to_thread.current_default_thread_limiter()
    ours = trio.CapacityLimiter(1)
    task_status.started()
    while True:
        await wait_all_tasks_blocked()
        left_s = trio.lowlevel.current_statistics().seconds_to_next_deadline
        if threads.borrowed_tokens or math.isinf(left_s):
            await trio.to_thread.run_sync(time.sleep, _NAP_S, limiter=ours)
        elif left_s > 0:
            clock.advance(left_s)
