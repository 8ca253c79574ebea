"""The slots in which the program was called, oldest first, out of pages that come newest first.

Shell. A node lists the transactions that name an address backwards. A long history is walked back once with nothing kept but
where each page begins and ends, and then read page by page from its old end: memory is a few hundred bytes a page.
"""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from solders.pubkey import Pubkey
from solders.signature import Signature

from incentives.reading.errors import HistoryDisagreesError
from programs.rpc import AddressSignature, Rpc
from programs.units import Slot

PAGE_MAX: Final = 1_000
"""Signatures to a page, the most a node gives. Source: agave rpc-client-api, MAX_GET_CONFIRMED_SIGNATURES_FOR_ADDRESS2_LIMIT."""

Page = tuple[AddressSignature, ...]


@dataclass(frozen=True, slots=True)
class _Mark:
    """Where a page was."""

    before: Signature
    oldest: Signature
    count: int


@dataclass(frozen=True, slots=True)
class Walk:
    """A history between two slots, found and not yet read."""

    newest: Page
    """The first page, kept: while it is read again it would have moved."""
    marks: Sequence[_Mark]
    """Of the pages before it, newest first."""
    after_slot: int
    through_slot: int

    @property
    def pages(self) -> int:
        """How many there are."""
        return 1 + len(self.marks)


async def walk_back(
    rpc: Rpc, program: Pubkey, after_slot: int, through_slot: int, page_max: int = PAGE_MAX
) -> Walk:
    """Find all pages between two slots.

    Args:
        rpc: whom to ask.
        program: what the transactions name.
        page_max: signatures to a page.
        after_slot: the last slot that was read before.
        through_slot: finalized; a node that has not got so far is not asked.

    Raises:
        RpcFailure: a page could not be read.
        HistoryDisagreesError: a page is not in the order of slots.
    """
    newest = page = await _page(rpc, program, None, through_slot, page_max)
    marks: list[_Mark] = []
    while page and page[-1].slot > after_slot:
        before = page[-1].signature
        page = await _page(rpc, program, before, through_slot, page_max)
        if page:
            marks.append(_Mark(before, page[-1].signature, len(page)))
    return Walk(newest, marks, after_slot, through_slot)


async def read_forward(
    rpc: Rpc, program: Pubkey, walk: Walk
) -> AsyncGenerator[dict[Slot, list[Signature]]]:
    """Yield what succeeded of each page, oldest page first: signatures by slot, slots ascending.

    A slot that two pages share is yielded with each of them.

    Raises:
        RpcFailure: a page could not be read.
        HistoryDisagreesError: a page is no longer what it was when it was found.
    """
    for mark in reversed(walk.marks):
        page = await _page(rpc, program, mark.before, walk.through_slot, mark.count)
        if len(page) != mark.count or page[-1].signature != mark.oldest:
            raise HistoryDisagreesError(
                f"the page of transactions before {mark.before} is no longer the one that was found: "
                "endpoints have different histories"
            )
        yield _by_slot(page, walk)
    yield _by_slot(walk.newest, walk)


async def _page(
    rpc: Rpc, program: Pubkey, before: Signature | None, through_slot: int, page_max: int
) -> Page:
    page = await rpc.get_signatures_for_address(
        program,
        limit=page_max,
        before=before,
        commitment="finalized",
        min_context_slot=Slot(through_slot),
    )
    if any(newer.slot < older.slot for newer, older in pairwise(page)):
        raise HistoryDisagreesError(
            f"a page of the transactions of {program} is not in the order of slots"
        )
    return page


def _by_slot(page: Page, walk: Walk) -> dict[Slot, list[Signature]]:
    found: dict[Slot, list[Signature]] = {}
    for each in reversed(page):
        if walk.after_slot < each.slot <= walk.through_slot and each.err is None:
            found.setdefault(each.slot, []).append(each.signature)
    return found
