"""The program's running numbers: proof that no event is missing, and that none comes twice.

Core. Every series (a market, the vault, a reward root) counts its events from 1 without gaps.
"""

from collections.abc import Iterable, Mapping

from incentives.reading.errors import GapError, RepeatedEventError
from incentives.reading.extraction import ReadEvent
from programs.event_layout import REWARDS_SERIES, VAULT_SERIES


def advanced(known: Mapping[int, int], events: Iterable[ReadEvent]) -> dict[int, int]:
    """Return the last running number of every series that moved.

    Args:
        known: the last one read of each series; none is 0.
        events: what was read next, in order.

    Raises:
        GapError: a number is left out.
        RepeatedEventError: a number comes again.
    """
    moved: dict[int, int] = {}
    for each in events:
        series, found = each.head.series, each.head.sequence
        last = moved.get(series) or known.get(series, 0)
        if found > last + 1:
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
    return moved


def _name(series: int) -> str:
    if series == VAULT_SERIES:
        return "the vault's series"
    if series >= REWARDS_SERIES:
        return f"the series of reward root {series - REWARDS_SERIES}"
    return f"the series of market {series}"
