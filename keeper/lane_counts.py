"""What operators are shown of one lane, counted where it happens.

Core: moments are the caller's, on one clock.
"""

from collections import Counter
from dataclasses import dataclass, field

from programs.errors import in_words
from programs.outcomes import Failed, Landed
from state.histogram import Buckets
from state.metrics import DUE_TO_LANDED


@dataclass(slots=True)
class LaneCounts:
    """Since the run began."""

    due: int = 0
    """Jobs that are due and that may be done, shipped or not."""
    due_since_s: float | None = None
    """Since when the oldest of them is; None without one."""
    landed_at_s: float | None = None
    """The newest landing."""
    spent_lamports: int = 0
    """Fees, and rent of what landed."""
    cu_requested: int = 0
    """Where use is known."""
    cu_used: int = 0
    cu_price_micro_lamports: int | None = None
    """Of the newest bid."""
    due_to_landed_s: Buckets = field(default_factory=lambda: Buckets(DUE_TO_LANDED))
    failed_because: Counter[str] = field(default_factory=Counter)
    """Failed transactions, by the name of the error."""

    def note_due(self, due: int, since_s: float | None) -> None:
        """Take what is due now."""
        self.due, self.due_since_s = due, since_s if due else None

    def note_landed(self, landed: Landed, cu_limit: int, rent_lamports: int, now_s: float) -> None:
        """Count a transaction that did its work."""
        self.landed_at_s = now_s
        self.spent_lamports += landed.fee_lamports + rent_lamports
        self._note_units(landed, cu_limit)

    def note_failed(self, failed: Failed, cu_limit: int) -> None:
        """Count a transaction that cost its fee for nothing."""
        self.spent_lamports += failed.fee_lamports
        self.failed_because[reason_of(failed.err)] += 1
        self._note_units(failed, cu_limit)

    def _note_units(self, end: Landed | Failed, cu_limit: int) -> None:
        if end.cu_used is not None:
            self.cu_requested += cu_limit
            self.cu_used += end.cu_used


def reason_of(err: object) -> str:
    """Name an error in a few letters: the name that stands before its words."""
    name = in_words(err).partition(":")
    # "instruction 2: NAME: words" is the runtime's.
    found = name[2].strip().partition(":")[0] if name[0].startswith("instruction ") else name[0]
    return found[:64]
