"""Which tasks of a process run, and when each last got somewhere.

Shell. A service's tasks run inside `Progress.run`, each under a name and in a cancel scope of its own. Inside, the loop says
`beat()` at each turn. A task that has ended, or was cancelled alone, while the process goes on is seen at once; one that runs
and gets nowhere is seen once its last beat is older than it may be.
"""

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass, field

import trio

_current: ContextVar["Task | None"] = ContextVar("task", default=None)
"""The task that the present code belongs to: as each trio task has it from whoever started it."""


@dataclass(slots=True, eq=False)
class Task:
    """One task of a service."""

    name: str
    age_max_s: float | None
    """How old its last beat may get before it is stuck; None: it waits for something that may never happen."""
    is_resting: Callable[[], bool] | None
    """Whether it has nothing to do now, and so need not beat."""
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    beat_s: float = 0.0
    """On the trio clock."""
    is_running: bool = True

    def age_s(self, now_s: float) -> float:
        """Return the age of the last sign of progress; 0 while there is nothing to do."""
        if self.is_resting is not None and self.is_resting():
            self.beat_s = now_s  # what comes to be done now has waited for nothing yet
        return max(0.0, now_s - self.beat_s)


def beat() -> None:
    """Say that the loop of the present task has turned; nothing outside of `Progress.run`."""
    task = _current.get()
    if task is not None:
        task.beat_s = trio.current_time()


class Progress:
    """The tasks of one service, by name."""

    def __init__(self) -> None:
        self._tasks: dict[str, Task] = {}

    @property
    def tasks(self) -> tuple[Task, ...]:
        """All that were ever begun, in that order."""
        return tuple(self._tasks.values())

    async def run(
        self, name: str, age_max_s: float | None, service: Callable[[], Awaitable[object]]
    ) -> None:
        """Run a service under its name; returns when it ends, or when it is cancelled by that name."""
        await self.start(name, age_max_s, lambda task_status: service())  # noqa: ARG005 - it has nothing to report

    async def start(
        self,
        name: str,
        age_max_s: float | None,
        service: Callable[[trio.TaskStatus[None]], Awaitable[object]],
        is_resting: Callable[[], bool] | None = None,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Do the same for a service that says when it is ready."""
        task = Task(name, age_max_s, is_resting, beat_s=trio.current_time())
        assert name not in self._tasks, f"two tasks are called {name}"
        self._tasks[name] = task
        token = _current.set(task)
        try:
            with task.scope:
                await service(task_status)
        finally:
            task.is_running = False
            _current.reset(token)

    def cancel(self, name: str) -> None:
        """End one task and nothing else: what a drill does to see whether anybody notices."""
        self._tasks[name].scope.cancel(reason="a drill ends this task alone")
