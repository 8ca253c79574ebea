"""A failing source, told once and then ever more rarely: an outage of hours is a dozen lines, not a flood.

Shell without I/O: it logs.
"""

from dataclasses import dataclass

import structlog
import trio

_log = structlog.get_logger()


def is_told(count: int) -> bool:
    """Whether the count-th of the same thing is worth a log line: the first, second, fourth, eighth and so on."""
    return count & (count - 1) == 0


@dataclass(slots=True, kw_only=True)
class Outage:
    """Failures in a row of one thing that is asked again and again."""

    subject: str
    """Names the events: `subject.unread` and `subject.recovered`."""
    failures: int = 0
    _since_s: float = 0.0

    def note_failure(self, reason: str, **facts: object) -> None:
        """Log the first failure in a row, the second, the fourth, the eighth and so on; with what else is known."""
        if self.failures == 0:
            self._since_s = trio.current_time()
        self.failures += 1
        if is_told(self.failures):
            _log.warning(f"{self.subject}.unread", **facts, reason=reason, in_a_row=self.failures)

    def note_success(self, **facts: object) -> None:
        """Log the end of an outage, with its length."""
        if self.failures:
            _log.info(
                f"{self.subject}.recovered",
                **facts,
                failures=self.failures,
                outage_s=round(trio.current_time() - self._since_s, 3),
            )
        self.failures = 0
