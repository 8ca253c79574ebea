"""What the program's own events say a liquidation did: whom it liquidated, and what that moved.

Core. A batch passes over whoever is healthy when it executes, so that a landed transaction is no proof of any one of its
liquidations; the events are.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from solders.pubkey import Pubkey

from programs import events
from programs.event_layout import EventKind
from programs.units import BaseUnits


@dataclass(frozen=True, slots=True, kw_only=True)
class Deeds:
    """What some logs tell, up to where they were cut."""

    liquidated: frozenset[Pubkey]
    positions: int
    bounty: BaseUnits
    bad_debt: BaseUnits
    unsold: int
    """Sales of which the pool took nothing: the vault's inventory took it all."""
    unread: str | None
    """Why there may be more than this; None: this is all."""


def deeds_of(program: Pubkey, logs: Sequence[str]) -> Deeds:
    """Read a transaction's logs; another program's lines count nothing."""
    liquidated: set[Pubkey] = set()
    positions = bounty = bad_debt = unsold = 0
    unread = None if logs else "no logs"
    try:
        for data in events.program_data(logs, program):
            event = events.decode(data)
            if event.kind is EventKind.POSITIONS_LIQUIDATED:
                liquidated.update(event.addresses("position"))
                positions += event.amount("positions")
                bounty += event.amount("to_keeper")
                bad_debt += sum(event.amounts("bad_debt"))
                unsold += list(_sold_by_sale(event).values()).count(0)
    except events.MalformedEventError as error:
        unread = str(error)
    return Deeds(
        liquidated=frozenset(liquidated),
        positions=positions,
        bounty=BaseUnits(bounty),
        bad_debt=BaseUnits(bad_debt),
        unsold=unsold,
        unread=unread,
    )


def _sold_by_sale(event: events.Event) -> Counter[tuple[int, int, bool]]:
    """Return what each sale sold: those of one side of one pool sell together, but for those under water."""
    sold: Counter[tuple[int, int, bool]] = Counter()
    for pool, side, equity, shares in zip(
        *map(event.amounts, ("pool", "side", "equity_before", "shares_sold")), strict=True
    ):
        sold[pool, side, equity > 0] += shares
    return sold
