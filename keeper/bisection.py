"""Which job of a failed batch is to blame: halve the batch until one fails alone, and let that one pause.

Core. A batch lands or fails whole, so one bad job takes its companions down with it. After a failure each of them may
have half as many companions; the innocent land on the way, and the guilty one pauses, twice as long each time.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

_PAUSE_FIRST_S: Final = 2.0
_PAUSE_MAX_S: Final = 300.0
_DOUBLINGS_MAX: Final = 32
_UNBOUNDED: Final = 1 << 16


@dataclass(slots=True)
class _Suspicion:
    refusals: int = 0
    batch_max: int = _UNBOUNDED
    """Jobs a batch with this one may have, itself included."""
    paused_until_s: float = 0.0
    """Of the newest failure: its own time, if that was no failure alone."""


@dataclass(slots=True)
class Bisection:
    """The suspects of one lane, by job id."""

    _suspicions: dict[str, _Suspicion] = field(default_factory=dict)

    def first_batch(self, job_ids: Sequence[str]) -> list[str]:
        """Return the first job and those after it that may share its batch, in order."""
        if not job_ids:
            return []
        room = self._batch_max(job_ids[0])
        return [job_id for job_id in job_ids if self._batch_max(job_id) >= room][:room]

    def _batch_max(self, job_id: str) -> int:
        suspicion = self._suspicions.get(job_id)
        return _UNBOUNDED if suspicion is None else suspicion.batch_max

    def is_suspect(self, job_id: str) -> bool:
        """Whether it was in a batch that failed, and nothing has cleared it since."""
        return self._batch_max(job_id) < _UNBOUNDED

    def is_paused(self, job_id: str, now_s: float) -> bool:
        """Whether it failed alone a short while ago."""
        suspicion = self._suspicions.get(job_id)
        return suspicion is not None and now_s < suspicion.paused_until_s

    def failed(self, job_ids: Sequence[str], now_s: float) -> None:
        """Note a failed batch: halve it, or let the one job it consisted of pause."""
        for job_id in job_ids:
            suspicion = self._suspicions.setdefault(job_id, _Suspicion())
            suspicion.batch_max = max(1, len(job_ids) // 2)
            suspicion.paused_until_s = now_s
        if len(job_ids) == 1:
            self.refused(job_ids, now_s)

    def refused(self, job_ids: Iterable[str], now_s: float) -> None:
        """Let jobs pause that were refused each for itself, twice as long each time; companions did no harm."""
        for job_id in job_ids:
            suspicion = self._suspicions.setdefault(job_id, _Suspicion())
            doublings = min(suspicion.refusals, _DOUBLINGS_MAX)
            suspicion.refusals += 1
            suspicion.paused_until_s = now_s + min(_PAUSE_MAX_S, _PAUSE_FIRST_S * 2.0**doublings)

    def landed(self, job_ids: Iterable[str]) -> None:
        """Clear jobs that landed."""
        for job_id in job_ids:
            self._suspicions.pop(job_id, None)

    def forget(self, now_s: float) -> None:
        """Drop suspicions that nothing has confirmed for as long as the longest pause."""
        self._suspicions = {
            job_id: suspicion
            for job_id, suspicion in self._suspicions.items()
            if now_s < suspicion.paused_until_s + _PAUSE_MAX_S
        }

    def __len__(self) -> int:
        return len(self._suspicions)
