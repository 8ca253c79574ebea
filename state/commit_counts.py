"""How long commits take, counted by whoever commits."""

import time
from dataclasses import dataclass, field

from state.histogram import Buckets
from state.metrics import COMMIT


@dataclass(slots=True)
class CommitCounts:
    """Of one database. Written by its one writer, read from anywhere: what a reader sees may be a commit old."""

    latency_s: Buckets = field(default_factory=lambda: Buckets(COMMIT))
    """From BEGIN to the end of COMMIT, of each group that shared one."""
    last_s: float | None = None
    """When the last one ended, `time.monotonic`; None before the first."""

    def note(self, began_s: float) -> None:
        """Count a commit that began then and is over now."""
        self.last_s = time.monotonic()
        self.latency_s.note(self.last_s - began_s)
