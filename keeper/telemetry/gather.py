"""A keeper's sample: every figure it has, as of one moment.

Shell. Nothing waits and nothing is asked of the cluster: counters are read where they were counted, and columns are summed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, Final

import trio

from keeper.platform_watch import changed_parameters
from keeper.telemetry.endpoint_figures import put_endpoints, put_sources
from keeper.telemetry.platform_figures import put_platform
from keeper.telemetry.price_figures import (
    price_rows,
    put_prices,
    put_withheld,
    withheld_rows,
)
from keeper.telemetry.work_figures import put_lanes, put_money
from keeper.work import Work
from programs.endpoint_counts import EndpointStatistics
from state.metrics import (
    HAS_CHANGED,
    LAST_SCAN_AGE,
    PRICES_PUBLISHED,
    SLOT_AGE,
    SLOT_SECONDS,
    TRANSACTIONS_OPEN,
)
from state.process_figures import Process
from state.sample import Figures, Sample

SERVICE: Final = "keeper"
_STUCK_SHOWN: Final = 50
_BOOTSTRAP_TRADES: Final = 100
"""Source: SPEC.md section 7."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gatherer:
    """Knows where everything is counted."""

    work: Work
    process: Process
    endpoints: Callable[[], Sequence[EndpointStatistics]]
    version: str = field(default_factory=lambda: version("betting-keeper"))

    def gather(self, sequence: int, *, is_last: bool) -> Sample:
        """Make the sample of this number."""
        work, figures, now_s = self.work, Figures(), trio.current_time()
        kit, board = work.kit, work.board
        tally, lanes = kit.tally, tuple(work.lanes)
        self.process.put(figures, is_draining=work.stop.is_set())
        self._put_sight(figures, now_s)
        put_prices(figures, board.census, board.prices.values(), now_s)
        put_withheld(figures, tally.withheld)
        figures.put(PRICES_PUBLISHED, board.sequence)
        put_sources(figures, board.misses, board.errors, board.clock_skew_ms)
        put_lanes(figures, tally, [lane.name for lane in lanes], self.process.began_s, now_s)
        put_money(figures, lanes, now_s)
        figures.put(TRANSACTIONS_OPEN, kit.in_flight.statistics().open)
        put_endpoints(figures, self.endpoints())
        return Sample(
            service=SERVICE,
            sequence=sequence,
            is_last=is_last,
            figures=figures.values,
            histograms=figures.histograms,
            details=self._details(now_s),
        )

    def _put_sight(self, figures: Figures, now_s: float) -> None:
        work, tally = self.work, self.work.kit.tally
        began_s, snapshot = self.process.began_s, work.chain.get()
        figures.put(SLOT_SECONDS, work.kit.slot_s)
        figures.put(SLOT_AGE, now_s - (began_s if tally.slot_at_s is None else tally.slot_at_s))
        figures.put(
            LAST_SCAN_AGE, now_s - (began_s if tally.scanned_at_s is None else tally.scanned_at_s)
        )
        figures.put(HAS_CHANGED, bool(self._changes()))
        if snapshot is not None:
            assessed = snapshot.assessed
            verdicts = tally.verdicts if assessed is None else assessed.counts
            put_platform(figures, snapshot, verdicts)

    def _changes(self) -> list[str]:
        """Say what of the platform is not as it was at the start."""
        snapshot, fault = self.work.chain.get(), self.work.orders.faults.get()
        changed = [] if fault is None else [fault]
        if snapshot is not None:
            changed += changed_parameters(self.work.facts.parameters, snapshot.global_)
        return changed

    def _details(self, now_s: float) -> dict[str, Any]:
        work, tally = self.work, self.work.kit.tally
        following, snapshot = work.following.get(), work.chain.get()
        names = {} if following is None else following.names
        return {
            "cluster": {
                "genesis_hash": work.facts.genesis_hash,
                "program": str(work.facts.program),
                "slot_ms": work.kit.slot_ms,
                "version": self.version,
            },
            "changes": self._changes(),
            "marks": work.marks(),
            "bootstrap": None
            if snapshot is None
            else {
                "trades": int(snapshot.global_.trade_count),
                "trades_max": _BOOTSTRAP_TRADES,
                "is_over": snapshot.global_.trade_count >= _BOOTSTRAP_TRADES,
            },
            "prices": price_rows(names, work.board, now_s),
            "withheld": withheld_rows(tally.withheld, now_s),
            "stuck_chains": self._stuck_chains(),
            "landed": [
                {
                    "signature": str(each.landed.signature),
                    "lane": each.lane,
                    "slot": each.landed.slot,
                    "wall_s": each.wall_s,
                    "jobs": each.jobs,
                }
                for each in reversed(tally.newest_landed)
            ],
        }

    def _stuck_chains(self) -> list[dict[str, Any]]:
        """List the chains that stand still for the longest."""
        stuck, slot = self.work.kit.tally.stuck_chains, self.work.kit.tally.scan_slot
        ranked = sorted(stuck.items(), key=lambda item: (item[1].since_slot, item[0]))
        return [
            {
                "chain": address,
                "step": each.step,
                "kind": each.kind,
                "refusal": each.refusal,
                "reason": each.reason,
                "since_slot": each.since_slot,
                "since_s": max(0, slot - each.since_slot) * self.work.kit.slot_s,
            }
            for address, each in ranked[:_STUCK_SHOWN]
        ]
