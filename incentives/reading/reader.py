"""Reading: finalized slots in, deliveries of events out, in the chain's order, behind a cursor.

Shell. A round reads all that was finalized since the last: where the program was called (pages.py), the blocks of those
slots, the events in them (extraction.py), their running numbers (sequences.py). What a delivery holds is proven whole before
it is handed over; what fails is read again from the last delivery on.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final

import trio
from solders.pubkey import Pubkey
from solders.signature import Signature

from incentives.reading.errors import HistoryDisagreesError
from incentives.reading.extraction import ReadEvent, ReadUnread, events_of
from incentives.reading.known import Known
from incentives.reading.pages import PAGE_MAX, read_forward, walk_back
from incentives.reading.sequences import advanced
from incentives.sourced import SourcedEvent
from programs.rpc import Block, Rpc, RpcFailure
from programs.units import Slot

BLOCKS_AT_ONCE: Final = 8
EVENTS_PER_DELIVERY: Final = 50_000
"""A delivery is handed over once it has so many; a single slot may have more. Only a ledger that catches up meets it: at the
tip a round ends first. Committed by 10_000, a million trades took a quarter longer: every commit writes most of the indexes' pages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Everything the program said from the last delivery up to a slot."""

    events: Sequence[SourcedEvent]
    """All but price updates."""
    through_slot: int
    series: Mapping[int, int]
    """The series that moved, price updates included, with their last running numbers."""
    unsettled: frozenset[int] = frozenset()
    """All series of which something could not be read since; see sequences.py."""
    finalized_slot: int
    """How far this round will get."""
    pages: int
    """Of signatures in this round."""


@dataclass(slots=True, kw_only=True)
class Reader:
    """Where reading stands."""

    rpc: Rpc
    program: Pubkey
    through_slot: int = -1
    """Everything up to it was delivered."""
    series: dict[int, int] = field(default_factory=dict)
    """Last running number of each series."""
    unsettled: frozenset[int] = frozenset()
    """Series whose next number may be any higher one."""
    known: Known = field(default_factory=Known)
    page_max: int = PAGE_MAX
    blocks_read: int = 0
    events_read: int = 0
    """Price updates included."""

    async def read_round(self) -> AsyncGenerator[Delivery]:
        """Yield all that was finalized since the last delivery.

        A delivery that was handed over counts as read: whoever fails to commit it starts anew from the ledger.

        Raises:
            RpcFailure: the cluster gives no answer; later it may.
            ReadingError: what it answers cannot be reckoned with.
        """
        finalized = await self.rpc.get_slot("finalized")
        if finalized <= self.through_slot:
            return
        walk = await walk_back(self.rpc, self.program, self.through_slot, finalized, self.page_max)
        waiting: list[ReadEvent | ReadUnread] = []
        async with aclosing(read_forward(self.rpc, self.program, walk)) as pages:
            read_to = self.through_slot
            async for page in pages:
                slots = [slot for slot in page if slot > read_to]
                for at in range(0, len(slots), BLOCKS_AT_ONCE):
                    some = slots[at : at + BLOCKS_AT_ONCE]
                    for block in await self._blocks(some, page):
                        waiting += events_of(block, self.program, self.known)
                        read_to = block.slot
                    if len(waiting) >= EVENTS_PER_DELIVERY:
                        yield self._deliver(waiting, read_to, finalized, walk.pages)
                        waiting = []
        yield self._deliver(waiting, finalized, finalized, walk.pages)

    def _deliver(
        self, events: list[ReadEvent | ReadUnread], through_slot: int, finalized: int, pages: int
    ) -> Delivery:
        advance = advanced(self.series, self.unsettled, events)
        self.series |= advance.moved
        self.unsettled = advance.unsettled
        self.through_slot = through_slot
        self.events_read += len(events)
        return Delivery(
            events=[each.event for each in events if each.is_kept],
            through_slot=through_slot,
            series=advance.moved,
            unsettled=advance.unsettled,
            finalized_slot=finalized,
            pages=pages,
        )

    async def _blocks(
        self, slots: Sequence[Slot], listed: Mapping[Slot, Sequence[Signature]]
    ) -> list[Block]:
        """Read blocks side by side; return them in their order."""
        found: dict[Slot, Block] = {}
        failures: list[RpcFailure | HistoryDisagreesError] = []

        async def one(slot: Slot, cancel: trio.CancelScope) -> None:
            try:
                found[slot] = _whole(
                    await self.rpc.get_block(slot, "finalized"), slot, listed[slot]
                )
            except (RpcFailure, HistoryDisagreesError) as failure:
                failures.append(failure)
                cancel.cancel(reason="another block failed")

        async with trio.open_nursery() as nursery:
            for slot in slots:
                nursery.start_soon(one, slot, nursery.cancel_scope)
        if failures:
            raise failures[0]
        self.blocks_read += len(slots)
        return [found[slot] for slot in slots]


def _whole(block: Block | None, slot: Slot, listed: Sequence[Signature]) -> Block:
    """Return a block that has all that was listed for it."""
    if block is None:
        raise HistoryDisagreesError(
            f"slot {slot} was skipped by one answer, and holds {listed[0]} by another"
        )
    there = {each.signature for each in block.transactions}
    missing = [signature for signature in listed if signature not in there]
    if missing:
        raise HistoryDisagreesError(
            f"{missing[0]} is listed for slot {slot}, whose block does not have it: endpoints have different histories"
        )
    return block
