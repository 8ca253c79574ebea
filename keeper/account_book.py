"""Accounts of one kind by address, as they were told last.

Core.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from keeper.precedence import Precedence
from programs.units import Slot


@dataclass(slots=True)
class AccountBook:
    """The data of a few thousand accounts; what is published of it never changes."""

    accounts: Mapping[bytes, bytes] = field(default_factory=dict)
    """Replaced, not changed, with every change."""
    precedence: Precedence = field(default_factory=Precedence)

    def tell(self, notices: Iterable[tuple[bytes, bytes | None, Slot]]) -> set[bytes]:
        """Take notifications in and return the addresses whose data changed.

        Args:
            notices: (address, data, slot); without data the account is closed.
        """
        changes = {
            address: data
            for address, data, slot in notices
            if self.precedence.admits(address, slot)
        }
        changed = {
            address for address, data in changes.items() if self.accounts.get(address) != data
        }
        if changed:
            merged = dict(self.accounts)
            for address in changed:
                data = changes[address]
                if data is None:
                    del merged[address]
                else:
                    merged[address] = data
            self.accounts = merged
        return changed

    def take_scan(self, accounts: Mapping[bytes, bytes], slot: Slot) -> set[bytes]:
        """Take a scan in and return the addresses whose data changed; one older than the last changes nothing."""
        if self.precedence.is_older(slot):
            return set()
        before, merged = self.accounts, dict(accounts)
        for address in self.precedence.take_scan(slot):
            merged.pop(address, None)
            if address in before:
                merged[address] = before[address]
        changed = {address for address, data in merged.items() if before.get(address) != data}
        changed.update(address for address in before if address not in merged)
        if changed:
            self.accounts = merged
        return changed
