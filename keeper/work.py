"""What the tasks of a run have in common: settings, tools, and the boards between the stages."""

from dataclasses import dataclass, field

import trio

from keeper.cluster import ClusterFacts
from keeper.config import Config
from keeper.execute import Kit
from keeper.interrupt import Orders
from keeper.lanes import Lanes
from keeper.mirrors import Following
from keeper.newest import Newest
from keeper.options import RunOptions
from keeper.payer import PayerFacts
from keeper.prices.board import PriceBoard
from keeper.prices.price import TokenId
from keeper.reload import Settings
from keeper.snapshot import Snapshot
from programs.in_flight import Pace
from state.progress import Progress
from state.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What the tasks of a run have in common: settings, tools, and the boards between the stages."""

    settings: Settings
    options: RunOptions
    kit: Kit
    lanes: Lanes
    facts: ClusterFacts
    payer: PayerFacts
    orders: Orders
    store: Store
    progress: Progress = field(default_factory=Progress)
    """Its tasks, by name."""
    board: PriceBoard = field(default_factory=PriceBoard)
    chain: Newest[Snapshot] = field(default_factory=Newest)
    following: Newest[Following] = field(default_factory=Newest)
    followed: Newest[tuple[TokenId, ...]] = field(default_factory=Newest)

    @property
    def config(self) -> Config:
        """The settings in effect now."""
        return self.settings.now

    @property
    def stop(self) -> trio.Event:
        """Set by whoever ends the run: everything drains."""
        return self.orders.stop

    @property
    def pace(self) -> Pace:
        """How eagerly transactions are landed."""
        landing, slot_s = self.config.landing, self.kit.slot_s
        return Pace(
            poll_interval_s=slot_s * landing.poll_interval_slots,
            resend_interval_s=slot_s * landing.resend_interval_slots,
        )

    def marks(self) -> list[str]:
        """Say how this run differs from a keeper at work now: it sends nothing, or it drains."""
        found = []
        if self.kit.rehearsal is not None:
            mode = "dry run" if self.options.shadow is None else "shadow"
            lanes = self.kit.rehearsal.by_lane.values()
            found.append(
                f"{mode}: nothing is sent; would have been: {sum(lane.transactions for lane in lanes)} transactions "
                f"with {sum(lane.jobs for lane in lanes)} jobs, {sum(lane.simulated_badly for lane in lanes)} simulated badly"
            )
        if self.options.shadow is not None:
            found.append(f"written to {self.options.shadow.file.path}")
        if self.options.is_once:
            found.append("one round")
        if self.stop.is_set():
            flying = sum(self.kit.tally.jobs_in_flight.values())
            found.append(
                f"draining: {flying} jobs in flight, for {self.config.landing.drain_s:g} s at most; Ctrl-C does not wait"
            )
        return found
