"""The monitor's rules over a drill: of what people would have been told, and when it was over.

Shell. The rules, the judging and the view of services are the monitor's own; only the sockets between are left out where the
keeper is a task of the drill's loop. It goes on while the keeper is dead: that is when people most need to be told.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Protocol

import trio

from keeper.drills.model import Alarm
from keeper.monitor.alerts import Engine, Notice, NoticeKind
from keeper.monitor.rules import rules_for
from keeper.monitor.sightings import Sightings
from keeper.monitor.view import KEEPER, MONITOR, Seen, View
from state.metrics import Metric
from state.process_figures import Process
from state.sample import Figures, Sample
from state.sample_socket import read_samples, socket_path
from state.telling import Gather

LOOK_S: Final = 1.0
"""Between two looks, as in a monitor at work."""
QUIET_S: Final = 60.0
"""Without any alert: a fault that still shows, or its end, would have set one off."""


class Bell(Protocol):
    """What tells people, where a drill is about telling them."""

    async def take(self, view: View) -> None:
        """Judge a moment, and tell of it."""
        ...

    def put(self, figures: Figures) -> None:
        """Say how telling goes."""
        ...


@dataclass(slots=True, kw_only=True)
class DrillMonitor:
    """Who watches the keeper under drill."""

    slot_s: float
    now_s: Callable[[], float]
    """Seconds since the drill's start."""
    wall_ms: Callable[[], int]
    services: tuple[str, ...] = (KEEPER,)
    """Who has to tell."""
    alarms: list[Alarm] = field(default_factory=list)
    """In the order in which they went off."""
    bell: Bell | None = None
    """Rings besides; None: alarms are noted only."""
    _sightings: Sightings = field(init=False)
    _engine: Engine = field(init=False)

    def __post_init__(self) -> None:
        """Begin to look."""
        self._sightings = Sightings(self.services, self.now_s())
        self._engine = Engine(rules_for(self.slot_s))

    async def watch(self) -> None:
        """Judge every second, until cancelled."""
        sequence = 0
        while True:
            sequence += 1
            view = self._view(sequence)
            if self.bell is not None:
                await self.bell.take(view)
            for notice in self._engine.take(view):
                self._note(notice)
            await trio.sleep(LOOK_S)

    def fired(self, rule: str) -> bool:
        """Whether an alert of this rule ever went off."""
        return any(alarm.rule == rule for alarm in self.alarms)

    def fires(self, rule: str) -> bool:
        """Whether one does now."""
        return any(alarm.rule == rule and alarm.resolved_s is None for alarm in self.alarms)

    def figure(self, service: str, metric: Metric, *labels: str) -> float | None:
        """Return what a service told last of a metric."""
        seen = self._sightings.seen(self.now_s()).get(service)
        return None if seen is None else seen.sample.get(metric, *labels)

    async def wait_quiet(self) -> None:
        """Wait until nothing fires, and nothing has for as long as any rule but the slowest waits before it does."""
        quiet_since_s = self.now_s()
        while self.now_s() - quiet_since_s < QUIET_S:
            if any(alarm.resolved_s is None for alarm in self.alarms):
                quiet_since_s = self.now_s()
            await trio.sleep(LOOK_S)

    async def listen(self, folder: Path) -> None:
        """Hear a keeper that is a process of its own, until cancelled."""
        async with read_samples(socket_path(folder, KEEPER), lambda _refusal: None) as samples:
            async for sample in samples:
                self._hear(sample)

    async def tell(self, _path: Path, gather: Gather, _process: Process, over: trio.Event) -> None:
        """Be told by a keeper of the same loop: `Surroundings.tell_samples`."""
        sequence = 1
        while not over.is_set():
            self._hear(gather(sequence, is_last=False))
            sequence += 1
            with trio.move_on_after(LOOK_S):
                await over.wait()
        self._hear(gather(sequence, is_last=True))

    def _hear(self, sample: Sample) -> None:
        self._sightings.hear(sample, self.now_s())

    def _view(self, sequence: int) -> View:
        now_s, figures = self.now_s(), Figures()
        self._sightings.put(figures, now_s)
        if self.bell is not None:
            self.bell.put(figures)
        own = Sample(service=MONITOR, sequence=sequence, figures=figures.values)
        return View(
            wall_s=self.wall_ms() / 1_000,
            now_s=now_s,
            samples=self._sightings.seen(now_s) | {MONITOR: Seen(sample=own, age_s=0.0)},
        )

    def _note(self, notice: Notice) -> None:
        alert, now_s = notice.alert, self.now_s()
        if notice.kind is NoticeKind.FIRED:
            self.alarms.append(
                Alarm(
                    rule=alert.rule,
                    level=alert.level,
                    labels=tuple(alert.labels.items()),
                    text=alert.summary,
                    fired_s=now_s,
                    resolved_s=None,
                )
            )
        elif notice.kind is NoticeKind.RESOLVED:
            place, alarm = next(
                (place, each)
                for place, each in reversed(list(enumerate(self.alarms)))
                if (each.rule, each.labels) == (alert.rule, tuple(alert.labels.items()))
            )
            self.alarms[place] = replace(alarm, resolved_s=now_s)
