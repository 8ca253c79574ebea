"""What recent transactions bid for compute units: the floor that getRecentPrioritizationFees reports."""

import struct
from collections import deque
from collections.abc import Iterable
from typing import Final

from solders.compute_budget import ID as COMPUTE_BUDGET_PROGRAM
from solders.message import Message, MessageV0, MessageV1
from solders.pubkey import Pubkey

from programs.units import MicroLamports, Slot

FEE_SLOTS_MAX: Final = 150
"""Source: agave rpc MAX_NUM_RECENT_BLOCKS of the prioritization fee cache."""
LOCKS_MAX: Final = 128
"""Accounts one request may name. Source: agave MAX_TX_ACCOUNT_LOCKS of this method."""
_SET_UNIT_PRICE: Final = 3
_PRICE = struct.Struct("<BQ")


def bid_micro_lamports(message: Message | MessageV0 | MessageV1) -> MicroLamports:
    """The price per compute unit that `message` offers, 0 when it names none."""
    keys = message.account_keys
    if COMPUTE_BUDGET_PROGRAM not in keys:
        return MicroLamports(0)
    program_index = keys.index(COMPUTE_BUDGET_PROGRAM)
    for instruction in message.instructions:
        data = instruction.data
        if instruction.program_id_index != program_index or len(data) < _PRICE.size:
            continue
        tag, price = _PRICE.unpack_from(data)
        if tag == _SET_UNIT_PRICE:
            return MicroLamports(price)
    return MicroLamports(0)


class RecentFees:
    """The lowest bid of each of the last 150 slots, overall and by writable account."""

    def __init__(self, slot: Slot) -> None:
        self._slots: deque[tuple[Slot, dict[Pubkey | None, MicroLamports]]]
        self._slots = deque([(slot, {})], maxlen=FEE_SLOTS_MAX)

    def open_slot(self, slot: Slot) -> None:
        """Start `slot`; the oldest one is forgotten."""
        self._slots.append((slot, {}))

    def take_back(self, slot: Slot) -> None:
        """Forget every slot after `slot`."""
        while self._slots and self._slots[-1][0] > slot:
            self._slots.pop()

    def add(self, writable: Iterable[Pubkey], bid: MicroLamports) -> None:
        """Count a landed transaction of the newest slot."""
        lowest = self._slots[-1][1]
        for address in (None, *writable):
            if lowest.get(address, bid) >= bid:
                lowest[address] = bid

    def floor(self, addresses: Iterable[Pubkey]) -> list[tuple[Slot, MicroLamports]]:
        """Per slot, what a transaction writing `addresses` had to beat; 0 where nothing landed."""
        wanted: tuple[Pubkey | None, ...] = (None, *addresses)
        return [
            (slot, max(lowest.get(address, MicroLamports(0)) for address in wanted))
            for slot, lowest in self._slots
        ]
