"""Which of two facts about an account is the newer: one from a notification, one from a scan.

Core. The rule, for every account of one kind:

- A scan at slot S says of every account what it holds at S, and of every other address that there is none.
- A notification at slot s says of one account what it holds when s ends.
- The fact of the greater slot stands, whichever came first; between a scan and a notification of the same slot the
  notification stands, for the scan may have been taken before the slot ended.
- A scan older than the newest scan adds nothing, and is not taken in.

So a notification is provisional: it stands until a scan of a later slot confirms it or not. That is what mends a fork, of
which a program subscription says nothing: what was told of an abandoned block has a slot, and every scan of the surviving
fork that is taken after it has a greater one. It also mends lost notifications, and closed accounts, which are not told.

A slot that no scan reaches would make a lie stand for ever: what was told of a slot far ahead of a scan falls with that scan.
"""

from dataclasses import dataclass, field
from typing import Final

from programs.units import Slot

BEFORE_ANY: Final = Slot(-1)
AHEAD_SLOTS_MAX: Final = 1_000
"""Some seven minutes: no scan takes so long, and no socket is silent so long and lives."""


@dataclass(slots=True)
class Precedence:
    """What the newest scan and the notifications since then have been told at."""

    scan_slot: Slot = BEFORE_ANY
    """Of the newest scan."""
    _told: dict[bytes, Slot] = field(default_factory=dict)
    """Slots of notifications that no scan has replaced, by address."""

    def admits(self, address: bytes, slot: Slot) -> bool:
        """Tell whether a notification is news, and if so remember it."""
        if slot < self._told.get(address, self.scan_slot):
            return False
        self._told[address] = slot
        return True

    def is_older(self, slot: Slot) -> bool:
        """Tell whether a scan is older than the newest one."""
        return slot < self.scan_slot

    def take_scan(self, slot: Slot) -> list[bytes]:
        """Note a scan, and return the addresses of which notifications know better than it does."""
        self.scan_slot = slot
        self._told = {
            address: told
            for address, told in self._told.items()
            if slot <= told <= slot + AHEAD_SLOTS_MAX
        }
        return list(self._told)
