"""Address lookup tables: what they are on chain, the program's instructions, and which of them serve a transaction.

An account from a table takes one byte of a transaction instead of 32; each table used takes 34. Signers and the programs
that are called must be named by the message itself, so they have no use for a place.

    Account, little endian, 56 bytes before the addresses:
    0   u32  1: a table
    4   u64  slot it was deactivated in; 2**64 - 1: in use
    12  u64  slot it was last extended in
    20  u8   index of the first address added in that slot
    21  u8   1: has an authority
    22  32 B authority
    54  u16  padding

Source: solana-address-lookup-table-interface, state.rs and instruction.rs; tests run each instruction in the SVM.
"""

import struct
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from solders.address_lookup_table_account import (
    ID,
    AddressLookupTableAccount,
    derive_lookup_table_address,
)
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from programs.addresses import SYSTEM_PROGRAM
from programs.units import U64_MAX, Slot

TABLE_PROGRAM: Final = ID
TABLE_META_BYTES: Final = 56
TABLE_ADDRESSES_MAX: Final = 256
TABLE_LOADED_BYTES: Final = 8_248
"""What each table adds to a transaction's loaded data, however short it is. Source: SIMD-0186."""
AUTHORITY_OFFSET: Final = 22
"""Where a filter on accounts finds the authority."""
_META: Final = struct.Struct("<IQQBB32sH")
_IS_TABLE: Final = 1
_WORTH_KEYS: Final = 2
"""A table of one key takes 36 bytes in the place of 32."""


class MalformedTableError(ValueError):
    """The bytes are no address lookup table."""


@dataclass(frozen=True, slots=True)
class LookupTable:
    """The addresses that a table may be asked for now."""

    address: Pubkey
    addresses: tuple[Pubkey, ...]
    members: frozenset[Pubkey] = field(init=False, repr=False, compare=False)
    """The same, to look things up in."""

    def __post_init__(self) -> None:
        """Index the addresses."""
        object.__setattr__(self, "members", frozenset(self.addresses))

    @property
    def account(self) -> AddressLookupTableAccount:
        """As messages are compiled with it."""
        return AddressLookupTableAccount(key=self.address, addresses=list(self.addresses))


@dataclass(frozen=True, slots=True, kw_only=True)
class TableState:
    """A table as the chain has it."""

    address: Pubkey
    authority: Pubkey | None
    """None: frozen for ever."""
    deactivated_slot: Slot | None
    """None: in use."""
    extended_slot: Slot
    extended_from: int
    """Addresses from here on cannot be used in the slot that added them."""
    addresses: tuple[Pubkey, ...]

    def usable_at(self, slot: Slot) -> LookupTable | None:
        """Return what may be used in a transaction that is made at `slot`; None: nothing.

        Addresses count from the slot after the one that added them. A deactivated table still serves transactions for a
        while, so those in flight are safe, but no new one should count on it.
        """
        if self.deactivated_slot is not None:
            return None
        is_settled = slot > self.extended_slot
        active = self.addresses if is_settled else self.addresses[: self.extended_from]
        return LookupTable(self.address, active) if active else None


def decode_table(address: Pubkey, data: bytes) -> TableState:
    """Read a table's account.

    Raises:
        MalformedTableError: it is too short, of another kind, or its addresses do not come out even.
    """
    if len(data) < TABLE_META_BYTES:
        raise MalformedTableError(
            f"{address} has {len(data)} bytes, a lookup table has {TABLE_META_BYTES} or more"
        )
    kind, deactivated, extended, start, has_authority, authority, _ = _META.unpack_from(data)
    keys, odd_bytes = divmod(len(data) - TABLE_META_BYTES, Pubkey.LENGTH)
    if kind != _IS_TABLE or odd_bytes or keys > TABLE_ADDRESSES_MAX:
        raise MalformedTableError(
            f"{address} is of kind {kind} with {keys} addresses and {odd_bytes} odd bytes, "
            f"expected kind {_IS_TABLE}, at most {TABLE_ADDRESSES_MAX} addresses and no odd bytes"
        )
    return TableState(
        address=address,
        authority=Pubkey(authority) if has_authority else None,
        deactivated_slot=None if deactivated == U64_MAX else Slot(deactivated),
        extended_slot=Slot(extended),
        extended_from=start,
        addresses=tuple(
            Pubkey(data[at : at + Pubkey.LENGTH])
            for at in range(TABLE_META_BYTES, len(data), Pubkey.LENGTH)
        ),
    )


def table_address(authority: Pubkey, recent_slot: Slot) -> Pubkey:
    """Return where `authority` would create a table with `recent_slot`."""
    return derive_lookup_table_address(authority, recent_slot)[0]


def create_table(authority: Pubkey, recent_slot: Slot) -> Instruction:
    """Create an empty table, paid by its authority; `recent_slot` must be among the chain's slot hashes."""
    table, bump = derive_lookup_table_address(authority, recent_slot)
    return Instruction(
        TABLE_PROGRAM,
        struct.pack("<IQB", 0, recent_slot, bump),
        [
            AccountMeta(table, is_signer=False, is_writable=True),
            AccountMeta(authority, is_signer=False, is_writable=False),
            *_payer(authority),
        ],
    )


def extend_table(table: Pubkey, authority: Pubkey, added: Sequence[Pubkey]) -> Instruction:
    """Add addresses, paid by the table's authority."""
    data = struct.pack("<IQ", 2, len(added)) + b"".join(bytes(address) for address in added)
    accounts = [*_owned(table, authority), *_payer(authority)]
    return Instruction(TABLE_PROGRAM, data, accounts)


def deactivate_table(table: Pubkey, authority: Pubkey) -> Instruction:
    """End a table's use; it can be closed once the slot has left the chain's slot hashes."""
    return Instruction(TABLE_PROGRAM, struct.pack("<I", 3), _owned(table, authority))


def close_table(table: Pubkey, authority: Pubkey) -> Instruction:
    """Close a table; its rent returns to the authority."""
    accounts = [
        *_owned(table, authority),
        AccountMeta(authority, is_signer=False, is_writable=True),
    ]
    return Instruction(TABLE_PROGRAM, struct.pack("<I", 4), accounts)


def _owned(table: Pubkey, authority: Pubkey) -> list[AccountMeta]:
    return [
        AccountMeta(table, is_signer=False, is_writable=True),
        AccountMeta(authority, is_signer=True, is_writable=False),
    ]


def _payer(payer: Pubkey) -> list[AccountMeta]:
    return [
        AccountMeta(payer, is_signer=True, is_writable=True),
        AccountMeta(SYSTEM_PROGRAM, is_signer=False, is_writable=False),
    ]


@dataclass(frozen=True, slots=True)
class TableShelf:
    """The tables at hand, and in which of them each address stands."""

    tables: tuple[LookupTable, ...] = ()
    _places: dict[Pubkey, list[int]] = field(init=False, default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        """Index the addresses."""
        for number, table in enumerate(self.tables):
            for address in table.members:
                self._places.setdefault(address, []).append(number)

    def choose(self, keys: Iterable[Pubkey]) -> tuple[LookupTable, ...]:
        """Choose tables for keys that need not be static: always the one that covers most of what is not covered yet.

        A table is taken only while it saves bytes.
        """
        uncovered = {key: places for key in keys if (places := self._places.get(key))}
        chosen: list[LookupTable] = []
        while uncovered:
            counts = Counter(number for places in uncovered.values() for number in places)
            # The first of equals: the same keys always make the same choice.
            number = min(counts, key=lambda one: (-counts[one], one))
            if counts[number] < _WORTH_KEYS:
                break
            chosen.append(self.tables[number])
            uncovered = {key: at for key, at in uncovered.items() if number not in at}
        return tuple(chosen)
