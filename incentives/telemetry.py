"""What `incentives follow` tells of itself and of its ledger, once a second.

Shell. The ledger is asked now and then, on a connection of its own; between two looks its figures stand.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import structlog
import trio
from sqlite_utils import Database

from incentives.reading.reader import Delivery
from state.commit_counts import CommitCounts
from state.errors import StateError
from state.metrics import (
    ANOMALIES,
    EMITTED_MMT,
    EPOCHS_CLOSED,
    LEDGER_LAG,
    LEDGER_LINES,
    LEDGER_SLOT,
    OWED_MMT,
    PAID_MMT,
    PAYOUT_OLDEST,
    PAYOUTS,
    SLOT_SECONDS,
)
from state.process_figures import Process
from state.progress import Progress
from state.sample import Figures, Labels, Sample
from state.store import Store

SERVICE: Final = "incentives"
_LOOK_EVERY_S: Final = 10.0
_MMT: Final = 1_000_000_000
"""Base units of one MMT."""
_EPOCHS: Final = (
    "SELECT count(*), coalesce(sum(emitted), 0), coalesce(sum(allocated), 0) FROM epoch"
)
_STATES: Final = "SELECT state, count(*), coalesce(sum(amount), 0) FROM payout GROUP BY state"
_OLDEST: Final = """
    SELECT max(0, (SELECT through_slot FROM progress) - end_slot) FROM epoch
    WHERE epoch = (SELECT min(epoch) FROM payout WHERE state = 'pending')"""

log = structlog.get_logger()


@dataclass(slots=True, kw_only=True)
class LedgerWatch:
    """What is known of a ledger while it is kept."""

    folder: Path
    slot_s: float
    progress: Progress = field(default_factory=Progress)
    store: Store | None = None
    """The ledger's, once it is open."""
    through_slot: int | None = None
    finalized_slot: int | None = None
    """As of the newest round that was read whole."""
    heard_s: float = 0.0
    """When that was, on the trio clock."""
    ready: trio.Event = field(default_factory=trio.Event)
    """Set once the ledger is open and reading goes on."""
    stopping: trio.Event = field(default_factory=trio.Event)
    """Set once the service ends."""
    process: Process = field(init=False)
    _recorded: Mapping[tuple[str, Labels], float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Begin with a process that has committed nothing."""
        self.process = Process(
            service=SERVICE, folder=self.folder, progress=self.progress, commits=CommitCounts()
        )

    def begin(self, store: Store, through_slot: int) -> None:
        """Take the ledger, which is read up to a slot."""
        self.store, self.through_slot = store, through_slot
        self.finalized_slot, self.heard_s = through_slot, trio.current_time()
        self.process.commits = store.commit_counts
        self.ready.set()

    def note(self, delivery: Delivery) -> None:
        """Take how far a delivery brings the ledger."""
        self.through_slot, self.finalized_slot = delivery.through_slot, delivery.finalized_slot
        self.heard_s = trio.current_time()

    async def look(self) -> None:
        """Ask the ledger now and then, until cancelled."""
        while True:
            if self.store is not None:
                try:
                    self._recorded = await self.store.read(ledger_figures)
                except StateError as error:
                    log.warning("figures.stale", reason=str(error))
            await trio.sleep(_LOOK_EVERY_S)

    def gather(self, sequence: int, *, is_last: bool) -> Sample:
        """Make the sample of this number."""
        figures = Figures(values=dict(self._recorded))
        self.process.put(figures, is_draining=self.stopping.is_set() or is_last)
        figures.put(SLOT_SECONDS, self.slot_s)
        figures.put(LEDGER_SLOT, self.through_slot)
        if self.finalized_slot is not None and self.through_slot is not None:
            # While nothing can be read nobody tells how far the chain is: it is taken to go on.
            since = int((trio.current_time() - self.heard_s) / self.slot_s)
            figures.put(LEDGER_LAG, max(0, self.finalized_slot + since - self.through_slot))
        return Sample(
            service=SERVICE,
            sequence=sequence,
            is_last=is_last,
            figures=figures.values,
            histograms=figures.histograms,
        )


def ledger_figures(db: Database) -> Mapping[tuple[str, Labels], float]:
    """Return what a ledger has recorded, as figures."""
    figures = Figures()
    row = db.conn.execute("SELECT seq FROM progress").fetchone()
    figures.put(LEDGER_LINES, 0 if row is None else row[0])
    closed, emitted, owed = db.conn.execute(_EPOCHS).fetchone()
    figures.put(EPOCHS_CLOSED, closed)
    figures.put(EMITTED_MMT, emitted / _MMT)
    figures.put(OWED_MMT, owed / _MMT)
    states = {state: (count, amount) for state, count, amount in db.conn.execute(_STATES)}
    for state in ("pending", "posted", "voided"):
        figures.put(PAYOUTS, states.get(state, (0, 0))[0], state)
    figures.put(PAID_MMT, states.get("posted", (0, 0))[1] / _MMT)
    oldest = db.conn.execute(_OLDEST).fetchone()
    figures.put(PAYOUT_OLDEST, 0 if oldest is None else oldest[0])
    figures.put(ANOMALIES, 0, "unknown_root")  # told before the first: an alert counts from here
    for kind, count in db.conn.execute("SELECT kind, count(*) FROM anomaly GROUP BY kind"):
        figures.put(ANOMALIES, count, kind)
    return figures.values
