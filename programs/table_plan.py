"""What to do about our lookup tables next, judged from the chain alone.

Nothing is remembered: which tables are ours follows from their authority and their first address, the marker; what is left
to do follows from what they hold. A run, one after kill -9, and one whose transactions were lost are the same: read, do what
the plan says, read again. A table is created and marked in one transaction, so there is never one that nobody knows.

    absent -> created with its first addresses -> extended -> (unwanted) deactivated -> (cooled down) closed, rent returned
"""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from programs.lookup_tables import (
    TABLE_ADDRESSES_MAX,
    TABLE_META_BYTES,
    TableState,
    close_table,
    create_table,
    deactivate_table,
    extend_table,
    table_address,
)
from programs.rent import RentRate
from programs.transaction import COMPUTE_BUDGET_CU, Budget
from programs.units import TRANSACTION_BYTES_MAX, ComputeUnits, Lamports, MicroLamports, Slot
from programs.wire_size import (
    BUDGET_BYTES,
    BUDGET_INSTRUCTIONS,
    KEY_BYTES,
    instruction_bytes,
    transaction_bytes,
)

SLOT_HASHES: Final = Pubkey.from_string("SysvarS1otHashes111111111111111111111111111")
TABLE_LOADED_BYTES_MAX: Final = 1 << 20
"""What a transaction on tables may load: the program's code, and tables of at most 8_248 bytes."""
CREATE_CU: Final = 13_000
EXTEND_CU: Final = 6_500
EXTEND_CU_PER_ADDRESS: Final = 310
END_CU: Final = ComputeUnits(COMPUTE_BUDGET_CU + 4_500)
"""Upper bounds; a test runs each step in the SVM and holds these to it."""
_WORN_ADDRESSES: Final = 64
"""Fewer dead addresses than this are not worth a table's replacement."""
_SLOT_HASH_BYTES: Final = 40

StepKind = Literal["create", "extend", "deactivate", "close"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The addresses that deserve a place."""

    marker: Pubkey
    """First in each of our tables: it tells them from others of the same authority, which are nobody's to retire."""
    shared: tuple[Pubkey, ...]
    """In every table, so that a transaction needs one table only."""
    groups: tuple[tuple[Pubkey, ...], ...]
    """Addresses used together (a market's, say), the most used group first: each has its home in one table."""
    rent_lamports_max: Lamports
    """All of our tables together may lock so much; it returns when they are closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableStep:
    """One transaction on a table: unsigned, without a blockhash."""

    kind: StepKind
    table: Pubkey
    instructions: tuple[Instruction, ...]
    added: tuple[Pubkey, ...] = ()
    cu_limit: ComputeUnits
    rent_lamports: int
    """Locked in the table; negative: returned."""
    reason: str

    def budget(self, cu_price: MicroLamports) -> Budget:
        """What it may use at this bid, and so what it costs beside the rent."""
        return Budget(
            cu_limit=self.cu_limit,
            cu_price_micro_lamports=cu_price,
            loaded_bytes=TABLE_LOADED_BYTES_MAX,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Unplaced:
    """A group that gets no place, with the reason."""

    group: tuple[Pubkey, ...]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TablePlan:
    """What can be done now; none of the steps depends on another."""

    steps: tuple[TableStep, ...]
    unplaced: tuple[Unplaced, ...]
    rent_lamports: Lamports
    """Locked in our tables before these steps."""


def decode_slot_hashes(data: bytes) -> tuple[Slot, ...]:
    """Read the slots of the SlotHashes sysvar, newest first.

    Raises:
        ValueError: it is cut short or empty.
    """
    count = int.from_bytes(data[:8], "little")
    if not count or len(data) < 8 + count * _SLOT_HASH_BYTES:
        raise ValueError(f"the SlotHashes sysvar names {count} slots in {len(data)} bytes")
    at = range(8, 8 + count * _SLOT_HASH_BYTES, _SLOT_HASH_BYTES)
    return tuple(Slot(struct.unpack_from("<Q", data, offset)[0]) for offset in at)


def addresses_per_step(*, creates: bool) -> int:
    """Return how many addresses one transaction can add, beside creating the table if it does."""
    # The authority pays; the table, the system program, the table program, the compute budget.
    fixed = instruction_bytes(4, 4 + 8 + 1) if creates else 0
    count = 0
    while (
        transaction_bytes(
            signatures=1,
            keys=5,
            instructions=BUDGET_INSTRUCTIONS + 1 + creates,
            instruction_bytes=BUDGET_BYTES
            + fixed
            + instruction_bytes(4, 4 + 8 + KEY_BYTES * (count + 1)),
        )
        <= TRANSACTION_BYTES_MAX
    ):
        count += 1
    return count


_FIRST_MAX: Final = addresses_per_step(creates=True)
_MORE_MAX: Final = addresses_per_step(creates=False)


@dataclass(slots=True)
class _Room:
    """A table that is there, or will be, while places are given out."""

    state: TableState | None
    held: set[Pubkey]
    size: int
    added: list[Pubkey]
    is_home: bool = False

    def missing(self, addresses: Iterable[Pubkey]) -> list[Pubkey]:
        return [address for address in addresses if address not in self.held]

    def take(self, missing: Sequence[Pubkey]) -> None:
        self.is_home = True
        self.added += missing
        self.held.update(missing)
        self.size += len(missing)


def plan_tables(
    wanted: Wanted,
    found: Sequence[TableState],
    slots: Sequence[Slot],
    authority: Pubkey,
    rent: RentRate,
) -> TablePlan:
    """Plan what brings our tables nearer to what is wanted.

    Args:
        wanted: which addresses deserve a place.
        found: the authority's tables as one slot has them, ours and others.
        slots: of the SlotHashes sysvar, finalized, newest first.
        authority: of our tables; it pays.
        rent: what accounts must hold.
    """
    ours = [
        table
        for table in found
        if table.authority == authority and table.addresses[:1] == (wanted.marker,)
    ]
    locked = sum(_rent(rent, len(table.addresses)) for table in ours)
    rooms = _rooms(wanted, ours)
    unplaced = _place(wanted, rooms, rent, wanted.rent_lamports_max - locked)
    taken = {table.address for table in found}
    fresh = (slot for slot in slots if table_address(authority, slot) not in taken)
    steps: list[TableStep] = []
    for room in rooms:
        if room.state is not None:
            steps += _extensions(room.state, room.added, authority, rent)
        elif (slot := next(fresh, None)) is not None:
            steps.append(_creation(room.added[:_FIRST_MAX], slot, authority, rent))
    if not steps:
        homes = {room.state.address for room in rooms if room.state and room.is_home}
        steps += [
            _end("deactivate", table, authority, 0, "no wanted address has its home here")
            for table in ours
            if table.deactivated_slot is None and table.address not in homes
        ]
    steps += [
        _end("close", table, authority, -_rent(rent, len(table.addresses)), "it has cooled down")
        for table in ours
        if table.deactivated_slot is not None and table.deactivated_slot < slots[-1]
    ]
    return TablePlan(steps=tuple(steps), unplaced=tuple(unplaced), rent_lamports=Lamports(locked))


def _rooms(wanted: Wanted, ours: Sequence[TableState]) -> list[_Room]:
    """Tables in use that are worth going on with: the order is the same whatever order they were read in."""
    live = {wanted.marker, *wanted.shared, *(one for group in wanted.groups for one in group)}
    rooms = []
    for table in sorted(ours, key=lambda one: bytes(one.address)):
        alive = len(live.intersection(table.addresses))
        is_worn = len(table.addresses) - alive > max(alive, _WORN_ADDRESSES)
        if table.deactivated_slot is None and not is_worn:
            rooms.append(_Room(table, set(table.addresses), len(table.addresses), []))
    return rooms


def _place(
    wanted: Wanted, rooms: list[_Room], rent: RentRate, left_lamports: int
) -> list[Unplaced]:
    """Give each group a home: where the least of it is missing, else in a new table."""
    unplaced = []
    core = tuple(dict.fromkeys((wanted.marker, *wanted.shared)))
    for group in wanted.groups:
        whole = tuple(dict.fromkeys((*core, *group)))
        if len(whole) > TABLE_ADDRESSES_MAX:
            reason = f"{len(whole)} addresses, a table holds {TABLE_ADDRESSES_MAX}"
            unplaced.append(Unplaced(group=group, reason=reason))
            continue
        fitting = [
            (len(missing), number)
            for number, room in enumerate(rooms)
            if room.size + len(missing := room.missing(whole)) <= TABLE_ADDRESSES_MAX
        ]
        room = rooms[min(fitting)[1]] if fitting else _Room(None, set(), 0, [])
        missing = room.missing(whole)
        before = _rent(rent, room.size) if room.size else 0
        cost = _rent(rent, room.size + len(missing)) - before
        if missing and cost > left_lamports:
            reason = f"its rent of {cost} lamports would pass the cap of {wanted.rent_lamports_max}"
            unplaced.append(Unplaced(group=group, reason=reason))
            continue
        left_lamports -= cost if missing else 0
        if not fitting:
            rooms.append(room)
        room.take(missing)
    return unplaced


def _extensions(
    table: TableState, added: Sequence[Pubkey], authority: Pubkey, rent: RentRate
) -> Iterable[TableStep]:
    size = len(table.addresses)
    for start in range(0, len(added), _MORE_MAX):
        chunk = tuple(added[start : start + _MORE_MAX])
        yield TableStep(
            kind="extend",
            table=table.address,
            instructions=(extend_table(table.address, authority, chunk),),
            added=chunk,
            cu_limit=_growth_cu(chunk, creates=False),
            rent_lamports=_rent(rent, size + len(chunk)) - _rent(rent, size),
            reason=f"{len(added)} wanted addresses have no place",
        )
        size += len(chunk)


def _creation(added: Sequence[Pubkey], slot: Slot, authority: Pubkey, rent: RentRate) -> TableStep:
    table = table_address(authority, slot)
    return TableStep(
        kind="create",
        table=table,
        instructions=(create_table(authority, slot), extend_table(table, authority, added)),
        added=tuple(added),
        cu_limit=_growth_cu(added, creates=True),
        rent_lamports=_rent(rent, len(added)),
        reason="no table of ours has room",
    )


def _end(
    kind: Literal["deactivate", "close"],
    table: TableState,
    authority: Pubkey,
    rent_lamports: int,
    reason: str,
) -> TableStep:
    build = close_table if kind == "close" else deactivate_table
    return TableStep(
        kind=kind,
        table=table.address,
        instructions=(build(table.address, authority),),
        cu_limit=END_CU,
        rent_lamports=rent_lamports,
        reason=reason,
    )


def _growth_cu(added: Sequence[Pubkey], *, creates: bool) -> ComputeUnits:
    growth = EXTEND_CU + EXTEND_CU_PER_ADDRESS * len(added)
    return ComputeUnits(COMPUTE_BUDGET_CU + growth + (CREATE_CU if creates else 0))


def _rent(rent: RentRate, addresses: int) -> int:
    return rent.exempt_lamports(TABLE_META_BYTES + KEY_BYTES * addresses)
