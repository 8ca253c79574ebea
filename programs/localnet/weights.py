"""What a transaction weighs in a block, and how badly a leader wants it.

Source: agave cost-model `cost_model.rs` and core `receive_and_buffer.rs`, in the form of SOLANA.md section 3.
"""

import struct
from dataclasses import dataclass
from typing import Final

from solders.compute_budget import ID as COMPUTE_BUDGET_PROGRAM
from solders.message import Message, MessageV0, MessageV1
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM_PROGRAM

from programs.loader import LOADER
from programs.units import SIGNATURE_FEE_LAMPORTS, TRANSACTION_CU_MAX, Lamports

SIGNATURE_CU: Final = 720
WRITE_LOCK_CU: Final = 300
DATA_BYTES_PER_CU: Final = 4
LOADED_PAGE_BYTES: Final = 32 * 1024
LOADED_PAGE_CU: Final = 8
LOADED_BYTES_MAX: Final = 64 * 1024 * 1024
"""What a transaction may load when it sets no limit; 16_384 cost units."""
INSTRUCTION_CU: Final = 200_000
BUILTIN_CU: Final = 3_000
"""What one instruction adds to the default limit. Source: SIMD-0170."""
_BUILTINS: Final = frozenset(
    {
        COMPUTE_BUDGET_PROGRAM,
        SYSTEM_PROGRAM,
        LOADER,
        Pubkey.from_string("Vote111111111111111111111111111111111111111"),
        Pubkey.from_string("BPFLoader2111111111111111111111111111111111"),
    }
)
_BURNT_SHARE: Final = 2
"""Half the base fee is burnt, the leader gets the rest. Source: SIMD-0096."""
_PRIORITY_SCALE: Final = 1_000_000
_SET_LIMIT, _SET_PRICE, _SET_LOADED = 2, 3, 4
_U32 = struct.Struct("<xI")
_U64 = struct.Struct("<xQ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What a message asks for, defaults filled in."""

    limit_cu: int
    price_micro_lamports: int
    loaded_bytes_max: int

    @property
    def priority_lamports(self) -> Lamports:
        """The priority fee, rounded up."""
        return Lamports(-(-self.price_micro_lamports * self.limit_cu // 1_000_000))


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """One transaction to a leader."""

    cost_cu: int
    """What it takes of a block, and of every account it writes."""
    priority: int
    """Lamports the leader earns per million cost units; more comes first."""


def read_budget(message: Message | MessageV0 | MessageV1) -> Budget:
    """Read the compute budget instructions of `message`; malformed ones are the runtime's to refuse."""
    keys = message.account_keys
    limit: int | None = None
    price, loaded, default = 0, LOADED_BYTES_MAX, 0
    for instruction in message.instructions:
        program, data = keys[instruction.program_id_index], instruction.data
        default += BUILTIN_CU if program in _BUILTINS else INSTRUCTION_CU
        if program != COMPUTE_BUDGET_PROGRAM or not data:
            continue
        if data[0] == _SET_LIMIT and len(data) == _U32.size:
            (limit,) = _U32.unpack(data)
        elif data[0] == _SET_PRICE and len(data) == _U64.size:
            (price,) = _U64.unpack(data)
        elif data[0] == _SET_LOADED and len(data) == _U32.size:
            (loaded,) = _U32.unpack(data)
    return Budget(
        limit_cu=min(default if limit is None else limit, TRANSACTION_CU_MAX),
        price_micro_lamports=price,
        loaded_bytes_max=min(loaded, LOADED_BYTES_MAX),
    )


def weigh(message: Message | MessageV0 | MessageV1, write_locks: int) -> Weight:
    """Weigh a message that locks so many accounts for writing."""
    budget = read_budget(message)
    signatures = message.header.num_required_signatures
    cost = (
        budget.limit_cu
        + SIGNATURE_CU * signatures
        + WRITE_LOCK_CU * write_locks
        + sum(len(each.data) for each in message.instructions) // DATA_BYTES_PER_CU
        + LOADED_PAGE_CU * -(-budget.loaded_bytes_max // LOADED_PAGE_BYTES)
    )
    reward = budget.priority_lamports + SIGNATURE_FEE_LAMPORTS * signatures // _BURNT_SHARE
    return Weight(cost_cu=cost, priority=reward * _PRIORITY_SCALE // (cost + 1))
