"""What the program's own events say a liquidation did: whom it liquidated, and what that moved.

Core. A batch passes over whoever is healthy when it executes, so that a landed transaction is no proof of any one of its
liquidations; the events are.
"""

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
    unread: str | None
    """Why there may be more than this; None: this is all."""


def deeds_of(program: Pubkey, logs: Sequence[str]) -> Deeds:
    """Read a transaction's logs; another program's lines count nothing."""
    liquidated: set[Pubkey] = set()
    positions = bounty = bad_debt = 0
    unread = None if logs else "no logs"
    try:
        for data in events.program_data(logs, program):
            event = events.decode(data)
            if event.kind is EventKind.POSITIONS_LIQUIDATED:
                liquidated.update(event.addresses("position"))
                positions += event.amount("positions")
                bounty += event.amount("to_keeper")
                bad_debt += sum(event.amounts("bad_debt"))
    except events.MalformedEventError as error:
        unread = str(error)
    return Deeds(
        liquidated=frozenset(liquidated),
        positions=positions,
        bounty=BaseUnits(bounty),
        bad_debt=BaseUnits(bad_debt),
        unread=unread,
    )
