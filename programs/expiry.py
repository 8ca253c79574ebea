"""The proof that an attempt will never land: a finalized height past its last valid one, and absence from the history.

Both must come from one node, the height first, and that node's history must reach back to where the attempt began: an
absence from a node that lags, or that has forgotten, proves nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog
import trio

from programs.flight import Flight
from programs.in_flight import ReadPace
from programs.rpc import Rpc, SettledStatuses, SignatureStatus
from programs.units import BlockHeight

_log = structlog.get_logger()
_NONE = BlockHeight(0)

Seen = tuple[Flight, SignatureStatus]


@dataclass(slots=True)
class Expiry:
    """What to do about attempts that no node shows; asks for heights no oftener than they matter."""

    rpc: Rpc
    pace: ReadPace
    """Its resend interval lies between two readings of heights, and two searches for one signature."""
    _confirmed: BlockHeight = field(default=_NONE, init=False)
    _finalized: BlockHeight = field(default=_NONE, init=False)
    _read_at_s: float = field(default=-float("inf"), init=False)

    async def settle(self, absent: Sequence[Flight]) -> tuple[list[Seen], list[Flight]]:
        """Find which absent attempts landed longer ago than nodes remember, and which never will.

        Returns:
            Those found in a node's history, and those proved expired.

        Raises:
            RpcFailure: no node said; nothing is proved.
        """
        if not absent:
            return [], []
        await self._read_heights(absent)
        now_s = trio.current_time()
        for flight in absent:
            flight.is_spent = flight.last_valid_block_height < self._confirmed
        overdue = [
            flight
            for flight in absent
            if flight.last_valid_block_height < self._finalized and flight.history_again_s <= now_s
        ]
        if not overdue:
            return [], []
        for flight in overdue:
            flight.history_again_s = now_s + self.pace().resend_interval_s
        settled = await self.rpc.get_settled_statuses([flight.signature for flight in overdue])
        found: list[Seen] = []
        expired: list[Flight] = []
        for flight, status in zip(overdue, settled.statuses, strict=True):
            if status is not None:
                found.append((flight, status))
            elif _proves_expiry(settled, flight):
                expired.append(flight)
        return found, expired

    async def _read_heights(self, absent: Sequence[Flight]) -> None:
        now_s = trio.current_time()
        if now_s < self._read_at_s + self.pace().resend_interval_s:
            return
        self._confirmed = await self.rpc.get_block_height("confirmed")
        if any(flight.last_valid_block_height < self._confirmed for flight in absent):
            self._finalized = await self.rpc.get_block_height("finalized")
        self._read_at_s = now_s


def _proves_expiry(settled: SettledStatuses, flight: Flight) -> bool:
    # The height of this very node, not the one read above: they may be two nodes.
    if flight.last_valid_block_height >= settled.finalized_block_height:
        return False
    if flight.created_slot < settled.first_available_slot:
        if not flight.is_unprovable:
            _log.warning(
                "expiry.unproved",
                signature=str(flight.signature),
                created_slot=flight.created_slot,
                first_available_slot=settled.first_available_slot,
                reason="the node no longer has the blocks in which it could be: "
                "add an endpoint with a longer history to cluster.rpc_urls",
            )
        flight.is_unprovable = True
        return False
    return True
