"""Which accounts a transaction locks, through lookup tables too, and what loading them weighs."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from solders.account import Account
from solders.address_lookup_table_account import AddressLookupTable
from solders.message import Message, MessageV0, MessageV1
from solders.pubkey import Pubkey

from programs.loader import LOADER, program_data_address

AnyMessage = Message | MessageV0 | MessageV1
FindAccount = Callable[[Pubkey], Account | None]

ACCOUNT_LOADED_BYTES: Final = 64
LOOKUP_TABLE_LOADED_BYTES: Final = 8_248
"""What each account and each lookup table adds to the loaded data size. Source: SIMD-0186."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedAccounts:
    """The accounts of one transaction: the message's own, then those from lookup tables."""

    static: Sequence[Pubkey]
    writable: tuple[int, ...]
    """Indexes that the message makes writable; programs among them are written by nobody all the same."""
    loaded_writable: tuple[Pubkey, ...] = ()
    loaded_readonly: tuple[Pubkey, ...] = ()

    @property
    def addresses(self) -> list[Pubkey]:
        """All of them, in the order that instruction indexes count in."""
        return [*self.static, *self.loaded_writable, *self.loaded_readonly]


def count_locks(message: AnyMessage) -> int:
    """How many accounts `message` locks, whether or not its lookup tables exist."""
    lookups = message.address_table_lookups if isinstance(message, MessageV0) else ()
    return len(message.account_keys) + sum(
        len(lookup.writable_indexes) + len(lookup.readonly_indexes) for lookup in lookups
    )


class LookupTables:
    """Resolves messages; keeps the tables it has read until they are written."""

    def __init__(self, find: FindAccount) -> None:
        self._find = find
        self._addresses: dict[Pubkey, tuple[Pubkey, ...]] = {}

    def forget(self, written: Iterable[Pubkey]) -> None:
        """Read these again next time, if they are tables."""
        for address in written:
            self._addresses.pop(address, None)

    def lock(self, message: AnyMessage) -> LockedAccounts:
        """Resolve the accounts of `message`.

        A table that does not exist, or an index beyond it, is the runtime's to refuse; here it has no address.
        """
        header = message.header
        static = message.account_keys
        signers = header.num_required_signatures
        writable = (
            *range(signers - header.num_readonly_signed_accounts),
            *range(signers, len(static) - header.num_readonly_unsigned_accounts),
        )
        if not isinstance(message, MessageV0) or not message.address_table_lookups:
            return LockedAccounts(static=static, writable=writable)
        loaded_writable: list[Pubkey] = []
        loaded_readonly: list[Pubkey] = []
        for lookup in message.address_table_lookups:
            table = self._table(lookup.account_key)
            loaded_writable += [table[i] for i in lookup.writable_indexes if i < len(table)]
            loaded_readonly += [table[i] for i in lookup.readonly_indexes if i < len(table)]
        return LockedAccounts(
            static=static,
            writable=(*writable, *range(len(static), len(static) + len(loaded_writable))),
            loaded_writable=tuple(loaded_writable),
            loaded_readonly=tuple(loaded_readonly),
        )

    def loaded_bytes(self, message: AnyMessage) -> int:
        """Sum what a transaction loads: accounts, the code behind programs, lookup tables."""
        lookups = message.address_table_lookups if isinstance(message, MessageV0) else ()
        total = len(lookups) * LOOKUP_TABLE_LOADED_BYTES
        for address in self.lock(message).addresses:
            account = self._find(address)
            if account is None:
                continue
            total += ACCOUNT_LOADED_BYTES + len(account.data)
            if account.executable and account.owner == LOADER:
                code = self._find(program_data_address(address))
                total += 0 if code is None else ACCOUNT_LOADED_BYTES + len(code.data)
        return total

    def _table(self, address: Pubkey) -> tuple[Pubkey, ...]:
        addresses = self._addresses.get(address)
        if addresses is None:
            addresses = self._addresses[address] = _table_addresses(self._find(address))
        return addresses


def _table_addresses(account: Account | None) -> tuple[Pubkey, ...]:
    if account is None:
        return ()
    try:
        return tuple(AddressLookupTable.deserialize(account.data).addresses)
    except ValueError:
        return ()
