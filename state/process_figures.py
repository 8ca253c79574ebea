"""What every service says of its own process: time, memory, disk, tasks, commits.

Shell: asks the machine.
"""

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import trio

from state.commit_counts import CommitCounts
from state.loop_lag import LoopLag
from state.metrics import (
    COMMIT,
    CPU_SECONDS,
    DISK_FREE_BYTES,
    IS_DRAINING,
    LAST_COMMIT_AGE,
    LOOP_LAG,
    RESIDENT_BYTES,
    TASK_AGE,
    TASK_AGE_MAX,
    TASK_RUNNING,
    TELLING_CPU_SECONDS,
    UPTIME,
)
from state.progress import Progress
from state.sample import Figures

_STATM: Final = Path("/proc/self/statm")
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


@dataclass(slots=True, kw_only=True)
class Process:
    """One service's process, as long as it runs."""

    service: str
    folder: Path
    """Where its database lies."""
    progress: Progress
    commits: CommitCounts
    """Of that database."""
    lag: LoopLag = field(default_factory=LoopLag)
    began_s: float = field(default_factory=trio.current_time)
    """On the trio clock."""
    telling_cpu_s: float = 0.0
    """What telling all this took so far."""

    def put(self, figures: Figures, *, is_draining: bool) -> None:
        """Put in what the process is like now; a task that ended because the process drains is no news."""
        now_s, service = trio.current_time(), self.service
        figures.put(UPTIME, now_s - self.began_s, service)
        figures.put(IS_DRAINING, is_draining, service)
        figures.put(LOOP_LAG, self.lag.take_s(), service)
        figures.put(CPU_SECONDS, time.process_time(), service)
        figures.put(TELLING_CPU_SECONDS, self.telling_cpu_s, service)
        figures.put(RESIDENT_BYTES, resident_bytes(), service)
        figures.put(DISK_FREE_BYTES, free_bytes(self.folder), service)
        figures.put_histogram(COMMIT, self.commits.latency_s.frozen(), service)
        if self.commits.last_s is not None:
            figures.put(LAST_COMMIT_AGE, time.monotonic() - self.commits.last_s, service)
        for task in self.progress.tasks:
            if is_draining and not task.is_running:
                continue
            figures.put(TASK_RUNNING, task.is_running, service, task.name)
            if task.is_running and task.age_max_s is not None:
                figures.put(TASK_AGE, task.age_s(now_s), service, task.name)
                figures.put(TASK_AGE_MAX, task.age_max_s, service, task.name)


def resident_bytes() -> int | None:
    """Return how much memory is resident; None where the system does not say."""
    try:
        return int(_STATM.read_text().split()[1]) * _PAGE_BYTES
    except (OSError, ValueError, IndexError):
        return None


def free_bytes(folder: Path) -> int | None:
    """Return what this user may still write where `folder` lies; None where nobody says."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return None
    return found.f_bavail * found.f_frsize
