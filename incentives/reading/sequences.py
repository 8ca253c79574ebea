"""The program's running numbers: proof that no event is missing, and that none comes twice.

Core. Every series (a market, the vault, a reward root) counts its events from 1 without gaps. Where logs were cut, the series
that the program may have told of there go on with any higher number, once.
"""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from incentives.reading.errors import GapError, RepeatedEventError
from incentives.reading.extraction import ReadEvent, ReadUnread
from programs.event_layout import REWARDS_SERIES, VAULT_SERIES


@dataclass(frozen=True, slots=True)
class Advance:
    """How far the series are read."""

    moved: dict[int, int]
    """Last running numbers of those of which something was read or could not be; 0 where none was ever read."""
    unsettled: frozenset[int]
    """All series, moved or not, whose next number may be any higher one."""


def advanced(
    known: Mapping[int, int], unsettled: AbstractSet[int], read: Iterable[ReadEvent | ReadUnread]
) -> Advance:
    """Return how far the series are after what was read next.

    Args:
        known: the last number read of each series; none is 0.
        unsettled: series of which something could not be read since.
        read: in order.

    Raises:
        GapError: a number is left out, and nothing explains it.
        RepeatedEventError: a number comes again.
    """
    moved, open_series = dict[int, int](), set(unsettled)
    for each in read:
        if isinstance(each, ReadUnread):
            open_series |= each.touched
            for series in each.touched:
                moved.setdefault(series, known.get(series, 0))
            continue
        series, found = each.head.series, each.head.sequence
        last = moved.get(series) or known.get(series, 0)
        if found > last + 1 and series not in open_series:
            raise GapError(
                f"{_name(series)}: {each.event.source_id} in slot {each.head.slot} has running number {found}, expected "
                f"{last + 1}: {found - last - 1} events before it are missing"
            )
        if found <= last:
            raise RepeatedEventError(
                f"{_name(series)}: {each.event.source_id} in slot {each.head.slot} has running number {found}, which was "
                f"read before (the last was {last}): the chain is another one than the ledger's"
            )
        moved[series] = found
        if open_series:
            open_series.discard(series)
    return Advance(moved, frozenset(open_series))


def _name(series: int) -> str:
    if series == VAULT_SERIES:
        return "the vault's series"
    if series >= REWARDS_SERIES:
        return f"the series of reward root {series - REWARDS_SERIES}"
    return f"the series of market {series}"
