"""The transaction being filled: what it holds, and exactly how large it would be, without building it."""

from collections.abc import Iterable, Sequence
from typing import Final

from solders.compute_budget import ID as COMPUTE_BUDGET
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from programs.lookup_tables import TABLE_LOADED_BYTES, LookupTable
from programs.transaction import COMPUTE_BUDGET_CU
from programs.wire_size import (
    BUDGET_BYTES,
    BUDGET_INSTRUCTIONS,
    KEY_BYTES,
    instruction_bytes,
    transaction_bytes,
)

_WRITABLE: Final = 1
_STATIC: Final = 2
"""It signs or is called: no lookup table can stand for it."""
_SIGNS: Final = 4

TARGET_BYTES: Final = KEY_BYTES + 1
"""A target that no table has: its key, and its index in the instruction."""


class Draft:
    """Roles of the keys, counted as a message compiled with `tables` would have them.

    A key goes into the first table that has it, as the compiler does it. Loaded data is what callers add, which counts
    shared accounts twice and so errs on the safe side, and the tables.
    """

    def __init__(self, payer: Pubkey, tables: Sequence[LookupTable] = ()) -> None:
        """Begin with the payer and the compute budget's instructions."""
        self.payer = payer
        self.cu: int = COMPUTE_BUDGET_CU
        self._loaded_bytes = 0
        self.log_bytes = 0
        self._instructions = BUDGET_INSTRUCTIONS
        self._instruction_bytes = BUDGET_BYTES
        self._open: tuple[int, int] | None = None
        """Accounts and data bytes of the instruction that targets extend."""
        self._roles: dict[Pubkey, int] = {}
        self._place_in(tables)
        self._note(payer, _WRITABLE | _STATIC | _SIGNS)
        self._note(COMPUTE_BUDGET, _STATIC)

    @property
    def locks(self) -> int:
        """Accounts it locks; tables themselves are not among them."""
        return len(self._roles)

    def __contains__(self, key: Pubkey) -> bool:
        """Whether it names an account, itself or through a table."""
        return key in self._roles

    @property
    def loaded_bytes(self) -> int:
        """Account data it loads."""
        used = sum(1 for writable, readonly in self._lookups if writable or readonly)
        return self._loaded_bytes + used * TABLE_LOADED_BYTES

    @property
    def loaded_bytes_at_most(self) -> int:
        """What it loads if every table at hand is used."""
        return self._loaded_bytes + len(self._tables) * TABLE_LOADED_BYTES

    @property
    def growth_bytes(self) -> int:
        """What targets may take beyond `TARGET_BYTES` each, all together.

        The counts of accounts, keys and tables may grow wider; the first address used of a table takes three bytes
        more than a key, and its count may grow wider too.
        """
        return 3 + 4 * len(self._tables)

    @property
    def size_bytes(self) -> int:
        """Its exact length, signed."""
        return transaction_bytes(
            signatures=self._signatures,
            keys=self._static,
            instructions=self._instructions,
            instruction_bytes=self._instruction_bytes,
            lookups=self._lookups,
        )

    @property
    def tables(self) -> tuple[LookupTable, ...]:
        """The tables it uses."""
        pairs = zip(self._tables, self._lookups, strict=True)
        return tuple(table for table, counts in pairs if any(counts))

    def copy(self) -> "Draft":
        """Return one that can grow without this one."""
        twin = object.__new__(Draft)
        twin.__dict__.update(self.__dict__)
        twin._roles = dict(self._roles)
        twin._lookups = [list(counts) for counts in self._lookups]
        return twin

    def add_tables(self, tables: Sequence[LookupTable]) -> None:
        """Let it use more tables, after those it has."""
        more = [table for table in tables if table not in self._tables]
        if more:
            self._place_in([*self._tables, *more])

    def drop_wasteful_tables(self) -> None:
        """Give up tables that take more bytes than they save: those of which one key is used."""
        while wasteful := [
            table
            for table, counts in zip(self._tables, self._lookups, strict=True)
            if sum(counts) == 1
        ]:
            self._place_in([table for table in self._tables if table != wasteful[-1]])

    def add_instruction(
        self, instruction: Instruction, *, cu: int = 0, loaded_bytes: int = 0, log_bytes: int = 0
    ) -> None:
        """Add an instruction at the end; targets added next extend it."""
        self._note(instruction.program_id, _STATIC)
        for meta in instruction.accounts:
            self._note(meta.pubkey, _role(meta))
        self._open = (len(instruction.accounts), len(instruction.data))
        self._instructions += 1
        self._instruction_bytes += instruction_bytes(*self._open)
        self.add_cost(cu=cu, loaded_bytes=loaded_bytes, log_bytes=log_bytes)

    def add_targets(
        self, targets: Iterable[Pubkey], *, cu: int, loaded_bytes: int, log_bytes: int = 0
    ) -> int:
        """Extend the last instruction by one writable account each, up to one that the draft names already.

        Returns:
            How many were added.
        """
        assert self._open is not None, "targets extend an instruction"
        before = len(self._roles)
        for target in targets:
            if target in self._roles:
                break
            self._roles[target] = _WRITABLE
            self._count(target, _WRITABLE, 1)
        added = len(self._roles) - before
        self._lengthen(added)
        self.add_cost(cu=added * cu, loaded_bytes=added * loaded_bytes, log_bytes=added * log_bytes)
        return added

    def take_target_back(
        self, target: Pubkey, *, cu: int, loaded_bytes: int, log_bytes: int = 0
    ) -> None:
        """Undo the addition of the last target."""
        self._count(target, self._roles.pop(target), -1)
        self._lengthen(-1)
        self.add_cost(cu=-cu, loaded_bytes=-loaded_bytes, log_bytes=-log_bytes)

    def _lengthen(self, accounts: int) -> None:
        """Let the last instruction name so many accounts more."""
        assert self._open is not None, "targets extend an instruction"
        old, data = self._open
        self._open = (old + accounts, data)
        grown = instruction_bytes(old + accounts, data) - instruction_bytes(old, data)
        self._instruction_bytes += grown

    def add_cost(self, *, cu: int, loaded_bytes: int, log_bytes: int = 0) -> None:
        """Count what is not an account or a byte."""
        self.cu += cu
        self.log_bytes += log_bytes
        self._loaded_bytes += loaded_bytes

    def _place_in(self, tables: Sequence[LookupTable]) -> None:
        """Count every key anew, with these tables at hand."""
        self._tables = tuple(tables)
        self._lookups = [[0, 0] for _ in self._tables]
        self._static = self._signatures = 0
        for key, role in self._roles.items():
            self._count(key, role, 1)

    def _note(self, key: Pubkey, role: int) -> None:
        known = self._roles.get(key)
        if known is None:
            self._roles[key] = role
            self._count(key, role, 1)
        elif known | role != known:
            self._count(key, known, -1)
            self._roles[key] = known | role
            self._count(key, known | role, 1)

    def _count(self, key: Pubkey, role: int, change: int) -> None:
        if role & _SIGNS:
            self._signatures += change
        if not role & _STATIC:
            for table, lookup in zip(self._tables, self._lookups, strict=True):
                if key in table.members:
                    lookup[0 if role & _WRITABLE else 1] += change
                    return
        self._static += change


def _role(meta: AccountMeta) -> int:
    role = _WRITABLE if meta.is_writable else 0
    return role | _STATIC | _SIGNS if meta.is_signer else role
