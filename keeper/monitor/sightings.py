"""Which services speak, which are silent, and which ended without a word.

Core. A service that ends in order says so in its last figures, and takes its socket away. One that was killed, that hangs or
whose machine is out of memory does neither: its silence is a failure. So is a socket that stands there with nobody behind it
when the monitor itself has only just begun: whoever made it is dead.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from keeper.monitor.view import SILENT_S, Seen
from state import metrics as m
from state.sample import Figures, Sample

UNSEEN_GRACE_S: Final = 30.0
"""How long a service may take from its start, or ours, until it says its first word."""


@dataclass(slots=True)
class Sightings:
    """What every service last said, and when."""

    services: tuple[str, ...]
    """Who is expected."""
    began_s: float
    """When we began to listen; every time here is monotonic."""
    left: frozenset[str] = frozenset()
    """Services whose socket is there though nobody has spoken yet."""
    _newest: dict[str, tuple[float, Sample]] = field(default_factory=dict)
    _processes: Counter[str] = field(default_factory=Counter)

    def hear(self, sample: Sample, now_s: float) -> None:
        """Note what a service says; what strangers say is not heard."""
        if sample.service in self.services:
            before = self._newest.get(sample.service)
            if before is None or sample.sequence <= before[1].sequence:
                self._processes[sample.service] += 1
            self._newest[sample.service] = (now_s, sample)

    def processes(self, service: str) -> int:
        """Return how many processes of a service have spoken, one after the other: each counts its figures from one."""
        return self._processes[service]

    def unheard(self) -> tuple[str, ...]:
        """Return the services that have said nothing yet."""
        return tuple(each for each in self.services if each not in self._newest)

    def seen(self, now_s: float) -> dict[str, Seen]:
        """Return what each service last said, and how long ago."""
        return {
            service: Seen(sample=sample, age_s=max(0.0, now_s - heard_s))
            for service, (heard_s, sample) in self._newest.items()
        }

    def silent_s(self, service: str, now_s: float) -> float:
        """Return since when a service has said nothing."""
        heard = self._newest.get(service)
        return max(0.0, now_s - (self.began_s if heard is None else heard[0]))

    def has_failed(self, service: str, now_s: float) -> bool:
        """Tell whether a service fell silent without saying that it stops."""
        silent_s = self.silent_s(service, now_s)
        heard = self._newest.get(service)
        if heard is None:
            return service in self.left and silent_s > UNSEEN_GRACE_S
        return silent_s > SILENT_S and not heard[1].is_last

    def has_stopped(self, service: str) -> bool:
        """Tell whether a service's last word was that it stops."""
        heard = self._newest.get(service)
        return heard is not None and heard[1].is_last

    def put(self, figures: Figures, now_s: float) -> None:
        """Say of each service whether it speaks."""
        seen = self.seen(now_s)
        for service in self.services:
            is_up = service in seen and seen[service].is_fresh
            figures.put(m.SERVICE_UP, float(is_up), service)
            figures.put(m.SERVICE_SILENT, self.silent_s(service, now_s), service)
            figures.put(m.SERVICE_FAILED, float(self.has_failed(service, now_s)), service)
