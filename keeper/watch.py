"""Keep up with the chain: told of changes by a subscription, mended by scans, published as snapshots.

Shell. Without a subscription there is a scan every few slots. While one tells everything without a gap, scans are rarer:
they find closed accounts, forks and lost notifications, of which nothing is told. A gap brings the next scan forward.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

import structlog
import trio
from solders.pubkey import Pubkey

from keeper.account_notices import SlotBegan
from keeper.continuity import Continuity
from keeper.newest import Newest
from keeper.platform_state import Notice, PlatformState
from keeper.precedence import BEFORE_ANY
from keeper.saved.resuming import SavedStart, resume
from keeper.scan import PlatformMissingError, fill, read_platform
from keeper.snapshot import Snapshot
from keeper.subscription import Listening, listen
from keeper.tally import Tally
from programs.layout import AccountKind
from programs.outage import Outage
from programs.rpc import Rpc, RpcFailure
from programs.units import Slot
from state.progress import beat

_GATHER_S: Final = 0.02
"""How long news is gathered before it is published: blocks are told of in bursts."""
_NOTICES_MAX: Final = 50_000
"""Accounts told of and not yet taken in; beyond, a scan is cheaper."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanPace:
    """How long from one scan to the next."""

    interval_s: float
    """While changes are not told, or not all of them."""
    calm_interval_s: float
    """While all of them are."""


async def watch_chain(
    rpc: Rpc,
    program: Pubkey,
    tally: Tally,
    pace: ScanPace,
    chain: Newest[Snapshot],
    listening: Listening | None = None,
    start: SavedStart | None = None,
) -> None:
    """Keep up until cancelled; a scan that fails is logged and tried again at the next interval.

    Args:
        rpc: where to ask.
        program: whose accounts.
        tally: counts.
        pace: from one scan to the next.
        chain: where what is known is published.
        listening: where to be told of changes.
        start: a snapshot that is taken in before the first scan, so that work need not wait for it.
    """
    watch = _Watch(tally=tally, chain=chain)
    async with trio.open_nursery() as nursery:
        if listening is not None and listening.urls:
            nursery.start_soon(listen, listening, program, watch)
            nursery.start_soon(_take_in_news, watch)
        if start is not None:
            await _resume(rpc, program, watch, start)
        await _scan_steadily(rpc, program, watch, pace)


@dataclass(slots=True, kw_only=True)
class _Watch:
    """What is known, and what was told and is not yet taken in; a `Hearer`."""

    tally: Tally
    chain: Newest[Snapshot]
    state: PlatformState = field(default_factory=PlatformState)
    continuity: Continuity = field(default_factory=Continuity)
    pending: dict[tuple[AccountKind, bytes], Notice] = field(default_factory=dict)
    """The newest notice of each account."""
    news: trio.Event = field(default_factory=trio.Event)
    hurry: trio.Event = field(default_factory=trio.Event)
    """Set when a scan should not wait as long as planned."""
    is_read: bool = False
    """Whether a scan was taken in."""

    def note_slot(self, began: SlotBegan) -> None:
        """See `Hearer`."""
        gap = self.continuity.note_slot(began.slot, began.parent)
        if gap is not None:
            self.tally.refusals[f"stream.{gap}"] += 1
        self._mind_continuity()
        self.news.set()

    def note_account(self, notice: Notice) -> None:
        """See `Hearer`."""
        key = notice.kind, notice.address
        known = self.pending.get(key)
        if known is not None and notice.slot < known.slot:
            return
        if known is None and len(self.pending) >= _NOTICES_MAX:
            self.pending.clear()
            self.tally.refusals[f"stream.{self.continuity.note_flood()}"] += 1
            self._mind_continuity()
        self.pending[key] = notice
        self.tally.accounts_told += 1
        self.news.set()

    def note_loss(self, kind: str) -> None:
        """See `Hearer`."""
        self.continuity.note_loss()
        self.tally.refusals[f"stream.{kind}"] += 1
        self._mind_continuity()

    def note_unreadable(self) -> None:
        """See `Hearer`."""
        self.tally.refusals["stream.unreadable_message"] += 1

    def take_pending(self) -> None:
        """Take in what was told, and publish what is known then."""
        notices, self.pending = list(self.pending.values()), {}
        for why, count in self.state.tell(notices).items():
            self.tally.refusals[f"stream.{why}"] += count
        if self.is_read:
            self.publish()

    def publish(self, least: Slot = BEFORE_ANY) -> None:
        """Publish what is known, of a slot that is at least so new."""
        newest = self.chain.get()
        slot = max(self.continuity.known_slot, least)
        # What was known of a slot stays known, even where the next scan comes from a node that is behind it.
        slot = slot if newest is None else max(slot, newest.slot)
        if newest is None or slot > newest.slot:
            self.tally.slot_at_s = trio.current_time()
        self.chain.publish(self.state.snapshot(slot))
        self.tally.scan_slot = slot
        self.tally.positions_now = self.state.positions

    def _mind_continuity(self) -> None:
        if not self.continuity.is_unbroken:
            self.hurry.set()


async def _take_in_news(watch: _Watch) -> None:
    while True:
        await watch.news.wait()
        await trio.sleep(_GATHER_S)
        watch.news = trio.Event()
        watch.take_pending()


async def _scan_steadily(rpc: Rpc, program: Pubkey, watch: _Watch, pace: ScanPace) -> None:
    outage = Outage(subject="scan")
    while True:
        beat()
        started_s = trio.current_time()
        try:
            await _scan(rpc, program, watch)
        except RpcFailure as failure:
            watch.tally.refusals["scan.unanswered"] += 1
            outage.note_failure(str(failure))
        except PlatformMissingError as missing:
            # A node that lags behind its own answers; a platform that is really gone shows at the next start.
            watch.tally.refusals["scan.platform_missing"] += 1
            outage.note_failure(str(missing))
        else:
            outage.note_success()
        if watch.continuity.is_unbroken:
            watch.hurry = trio.Event()
            with trio.move_on_at(started_s + pace.calm_interval_s):
                await watch.hurry.wait()
        await trio.sleep_until(max(started_s + pace.interval_s, trio.current_time()))


async def _resume(rpc: Rpc, program: Pubkey, watch: _Watch, start: SavedStart) -> None:
    """Take in a snapshot; whatever keeps that from working, the scan that follows does without."""
    try:
        reading = await resume(rpc, program, start)
    except RpcFailure as failure:
        watch.tally.refusals["snapshot.unanswered"] += 1
        log.warning("snapshot.unanswered", error=str(failure))
    except PlatformMissingError:  # the scan says so
        watch.tally.refusals["snapshot.platform_missing"] += 1
    else:
        filling = None if reading is None else watch.state.begin(reading)
        if filling is not None:
            await fill(filling)
            watch.state.adopt(filling)
            watch.is_read = True
            watch.publish(filling.slot)


async def _scan(rpc: Rpc, program: Pubkey, watch: _Watch) -> None:
    reading = await read_platform(rpc, program)
    filling = watch.state.begin(reading)
    if filling is None:
        # Another node answered, which lags: the state would go back in time.
        watch.tally.refusals["scan.older_than_the_last"] += 1
        log.warning("scan.refused", slot=reading.slot, newest_slot=watch.state.scan_slot)
        return
    await fill(filling)
    watch.state.adopt(filling)
    watch.continuity.note_scan(reading.slot)
    watch.is_read = True
    watch.take_pending()
    _note(watch)


def _note(watch: _Watch) -> None:
    tally, state = watch.tally, watch.state
    tally.scans += 1
    tally.scanned_at_s = trio.current_time()
    tally.positions_scanned += state.positions
    if state.skipped != tally.accounts_skipped:  # told when it changes, not at every scan
        log.warning("accounts.skipped", **{str(why): count for why, count in state.skipped.items()})
        tally.accounts_skipped = Counter(state.skipped)
