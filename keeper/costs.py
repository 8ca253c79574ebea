"""What our instructions cost in compute units, loaded bytes and logs: upper bounds for packing.

A test runs each in the SVM and holds these bounds between the measured worst case and one and a half times of it. What is
asked for is learned from what landed, and simulated while too little has (sizing.py).
"""

from collections.abc import Iterable
from typing import Final

from programs.betting_platform.build import PROGRAM_SO
from programs.chain_account import StepKind
from programs.layout import (
    CHAIN_DTYPE,
    GLOBAL_DTYPE,
    POSITION_BYTES,
    VAULT_DTYPE,
    epoch_bytes,
    market_bytes,
)
from programs.loader import PROGRAM_BYTES, PROGRAM_DATA_HEADER_BYTES
from programs.merkle import Batch
from programs.units import ComputeUnits, Lamports

_ACCOUNT_OVERHEAD_BYTES: Final = 64
"""What each loaded account counts beside its data. Source: SIMD-0186."""
_TOKEN_ACCOUNT_BYTES: Final = 165
_TOKEN_PROGRAM_BYTES: Final = 200_000
"""SPL Token's own code, loaded when it is called."""

UPDATE_PRICES_CU: Final = ComputeUnits(850)
UPDATE_PRICES_CU_PER_POOL: Final = ComputeUnits(75)
LIQUIDATE_CU_PER_POSITION: Final = ComputeUnits(900)
_LIQUIDATE_CU: Final = 3_800
_LIQUIDATE_CU_PER_SIDE: Final = 5_200
"""All positions on one side of one pool are one sale, or two: those under water sell apart."""
LIQUIDATE_MARGIN_BPS: Final = 400
"""Beyond a simulation in which every sale found room in its pool: it may find none when it lands, and then costs less. More
it costs by steps of the curve's root finding only. Source: of 695 such transactions of two sandbox runs with twice the usual
jumps, each given its full bound, the one that rose the most rose by 3.9 %."""
LIQUIDATE_MARGIN_UNSOLD_BPS: Final = 1_400
"""Beyond one in which a sale found no room: somebody's trade may make room for it before it lands, and a sale costs 2_000 to
4_400 compute units. Of 145 in the same runs 12 rose so, by 9.9 to 25.8 %. To ask for all of that of all would waste more than
the headroom's 15 %; so much less than those 15 % that they do not break at the next compute unit that is not used."""
LIQUIDATE_LOG_BYTES: Final = 900
"""The program's own lines, those of two token transfers, the event's head and that of bad debt."""
LIQUIDATE_LOG_BYTES_PER_POSITION: Final = 161
LIQUIDATE_LOG_BYTES_PER_CHAIN: Final = 600
"""Beside its position's record: the events of its pledges, when they are seized."""
EXECUTE_CHAIN_LOG_BYTES: Final = 520
EXECUTE_CHAIN_LOG_BYTES_PER_STEP: Final = 420
"""Source: sandbox runs, 788 to 926 for one step, 1_330 for two, 1_745 for three, 1_913 for four, 2_327 for all five."""
CANCEL_CHAIN_LOG_BYTES: Final = 1_800
"""Measured 768 to 1_119; a chain may unwind a stake and liquidity, each with an event and transfers."""
UPDATE_PRICES_LOG_BYTES: Final = 330
UPDATE_PRICES_LOG_BYTES_PER_POOL: Final = 11
"""Measured 321 for one pool; another is eight bytes more of the event."""
_PAY_REWARDS_CU: Final = 1_300
_PAY_REWARDS_CU_PER_LEAF: Final = 1_850
_PAY_REWARDS_CU_PER_NODE: Final = 190
_PAY_REWARDS_LOG_BYTES: Final = 350
_PAY_REWARDS_LOG_BYTES_PER_LEAF: Final = 320
"""A token transfer's own lines, those of the older token program too, and the event's record."""
_POST_EPOCH_CU: Final = 4_400
_CU_PER_BUMP: Final = 1_500
"""The program searches the address's bump from 255 downwards. Source: agave create_program_address_units."""
CREATE_CU: Final = ComputeUnits(40_000)
"""Measured 21_000 to 31_000 for our own account, whose bump is near 255: the associated token program searches it downwards."""
CREATE_LOADED_BYTES: Final = 1 << 20
TOKEN_ACCOUNT_RENT: Final = Lamports(2_039_280)
"""What a token account of 165 bytes holds at the rate of all clusters; counted against the lane's caps."""
_RENT_LAMPORTS_PER_BYTE: Final = 6_960
_RENT_OVERHEAD_BYTES: Final = 128
"""Both alike on all clusters. Source: solana-rent."""
_EXECUTE_CHAIN_CU: Final = 3_900
"""What the first step of a chain uses beside itself: two token transfers at most."""
_STEP_CU: Final = {
    StepKind.BORROW: 1_400,
    StepKind.LIQUIDITY: 4_000,
    StepKind.STAKE: 1_150,
    StepKind.ARBITRAGE: 6_050,
    StepKind.OPEN: 5_850,
}
CANCEL_CHAIN_CU: Final = ComputeUnits(9_500)


def _program_bytes() -> int:
    code = PROGRAM_SO.stat().st_size + PROGRAM_DATA_HEADER_BYTES + PROGRAM_BYTES
    return code + 2 * _ACCOUNT_OVERHEAD_BYTES


def liquidate_base_cu(sales: int) -> ComputeUnits:
    """Bound what a liquidation uses beside its positions, when they are so many sales on sides of pools."""
    return ComputeUnits(_LIQUIDATE_CU + _LIQUIDATE_CU_PER_SIDE * sales)


def update_prices_loaded_bytes(pools: int) -> int:
    """Bound the bytes one update_prices loads, program and shared accounts included."""
    accounts = GLOBAL_DTYPE.itemsize + market_bytes(pools)
    return _program_bytes() + accounts + 4 * _ACCOUNT_OVERHEAD_BYTES


def liquidate_loaded_bytes(pools: int) -> int:
    """Bound the bytes a liquidation's header loads."""
    state = GLOBAL_DTYPE.itemsize + VAULT_DTYPE.itemsize + market_bytes(pools)
    tokens = 3 * _TOKEN_ACCOUNT_BYTES + _TOKEN_PROGRAM_BYTES
    return _program_bytes() + state + tokens + 12 * _ACCOUNT_OVERHEAD_BYTES


def execute_chain_cu(kinds: Iterable[StepKind]) -> ComputeUnits:
    """Bound what these steps of one chain use in one instruction."""
    return ComputeUnits(_EXECUTE_CHAIN_CU + sum(_STEP_CU[kind] for kind in kinds))


def execute_chain_log_bytes(steps: int) -> int:
    """Bound what so many steps of one chain log."""
    return EXECUTE_CHAIN_LOG_BYTES + EXECUTE_CHAIN_LOG_BYTES_PER_STEP * steps


def execute_chain_loaded_bytes(pools: int) -> int:
    """Bound the bytes one execute_chain loads."""
    state = GLOBAL_DTYPE.itemsize + VAULT_DTYPE.itemsize + market_bytes(pools)
    tokens = 3 * _TOKEN_ACCOUNT_BYTES + _TOKEN_PROGRAM_BYTES
    chain = CHAIN_DTYPE.itemsize
    return _program_bytes() + state + tokens + chain + 9 * _ACCOUNT_OVERHEAD_BYTES


def cancel_chain_loaded_bytes(pools: int) -> int:
    """Bound the bytes one cancel_chain loads: the owner and his tokens beside those of execute_chain."""
    return execute_chain_loaded_bytes(pools) + _TOKEN_ACCOUNT_BYTES + 2 * _ACCOUNT_OVERHEAD_BYTES


LIQUIDATE_LOADED_BYTES_PER_POSITION: Final = POSITION_BYTES + _ACCOUNT_OVERHEAD_BYTES


def liquidate_log_bytes(chains: int) -> int:
    """Bound what a liquidation logs beside a record for each position, if all of so many chains are seized."""
    return LIQUIDATE_LOG_BYTES + LIQUIDATE_LOG_BYTES_PER_CHAIN * chains


def pay_rewards_cu(batch: Batch) -> ComputeUnits:
    """Bound what paying a batch uses: its transfers, and the hashes up to the root."""
    nodes = len(batch.entries) - 1 + len(batch.path)
    leaves = len(batch.wallets)
    return ComputeUnits(
        _PAY_REWARDS_CU + _PAY_REWARDS_CU_PER_LEAF * leaves + _PAY_REWARDS_CU_PER_NODE * nodes
    )


def pay_rewards_loaded_bytes(batch: Batch, leaf_count: int) -> int:
    """Bound the bytes that paying a batch loads, program and shared accounts included."""
    tokens = (1 + len(batch.wallets)) * (_TOKEN_ACCOUNT_BYTES + _ACCOUNT_OVERHEAD_BYTES)
    state = GLOBAL_DTYPE.itemsize + epoch_bytes(leaf_count) + _TOKEN_PROGRAM_BYTES
    return _program_bytes() + state + tokens + 6 * _ACCOUNT_OVERHEAD_BYTES


def pay_rewards_log_bytes(batch: Batch) -> int:
    """Bound what paying a batch logs: cut logs would leave the ledger without the event."""
    return _PAY_REWARDS_LOG_BYTES + _PAY_REWARDS_LOG_BYTES_PER_LEAF * len(batch.wallets)


def create_token_account_cu(bump: int) -> ComputeUnits:
    """Bound what opening an associated token account uses, whose address has this bump: of thousands, some lie far down."""
    return ComputeUnits(CREATE_CU + _CU_PER_BUMP * (255 - bump))


def post_epoch_cu(bump: int) -> ComputeUnits:
    """Bound what posting a root uses, whose account has this bump."""
    return ComputeUnits(_POST_EPOCH_CU + _CU_PER_BUMP * (255 - bump))


def post_epoch_loaded_bytes(leaf_count: int) -> int:
    """Bound the bytes that posting a root loads, program included."""
    return (
        _program_bytes()
        + GLOBAL_DTYPE.itemsize
        + epoch_bytes(leaf_count)
        + 5 * _ACCOUNT_OVERHEAD_BYTES
    )


def epoch_rent_lamports(leaf_count: int) -> Lamports:
    """Return what the account of a root locks up for good; who posts it pays."""
    return Lamports((_RENT_OVERHEAD_BYTES + epoch_bytes(leaf_count)) * _RENT_LAMPORTS_PER_BYTE)
