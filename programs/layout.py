"""Account layouts, byte by byte: the field tables that dataclasses and arrays are read with.

Mirrors layout.h, which a test compares with the tables here field by field. All integers are little-endian. A u128 is
16 bytes, low half first. Amounts are quote base units (1e-6) unless a name says otherwise.

| account | address | bytes | kind |
|---|---|---|---|
| Global | ["global"] | 320 | 1 |
| Vault | ["vault"] | 176 | 2 |
| Market | ["market", condition id] | 256 + 160 per pool | 3 |
| Position | ["position", market, owner, id] | 160 | 4 |
| Maker | ["maker", market, pool, owner] | 144 | 5 |
| Stake | ["stake", owner] | 104 | 6 |
| Chain | ["chain", market, owner, id] | 904 | 7 |
| Epoch | ["epoch", epoch, index] | 104 + a bit per leaf, in words of 8 bytes | 8 |
"""

from enum import IntEnum
from typing import Final

import numpy as np

LAYOUT_VERSION: Final = 1


class AccountKind(IntEnum):
    """First byte of every account of the program."""

    GLOBAL = 1
    VAULT = 2
    MARKET = 3
    POSITION = 4
    MAKER = 5
    STAKE = 6
    CHAIN = 7
    EPOCH = 8


_ADDRESS: Final = "V32"
_U128: Final = [("low", "<u8"), ("high", "<u8")]
_HEAD: Final = [("kind", "u1"), ("version", "u1"), ("bump", "u1")]

GLOBAL_DTYPE: Final = np.dtype(
    [
        *_HEAD,
        ("halted", "u1"),
        ("market_count", "<u4"),
        ("trade_count", "<u8"),
        ("season_start_slot", "<u8"),
        ("season_slots", "<u8"),
        ("market_authority", _ADDRESS),
        ("oracle_authority", _ADDRESS),
        ("incentives_authority", _ADDRESS),
        ("fee_treasury_owner", _ADDRESS),
        ("halt_authority", _ADDRESS),
        ("quote_mint", _ADDRESS),
        ("mmt_mint", _ADDRESS),
        ("vault", _ADDRESS),
        ("posted_mmt", "<u8"),
        ("root_count", "<u4"),
        ("padding", "<u4"),
        ("reserved", "<u8", (2,)),
    ]
)
VAULT_DTYPE: Final = np.dtype(
    [
        *_HEAD,
        ("tokens_bump", "u1"),
        ("padding", "<u4"),
        ("event_sequence", "<u8"),
        ("cash", "<u8"),
        ("loans", "<u8"),
        ("weighted_debt_e6", _U128),
        ("share_supply", "<u8"),
        ("bad_debt", "<u8"),
        ("inventory_cost", "<u8"),
        ("locked_shares", "<u8"),
        ("withdraw_slot", "<u8"),
        ("withdrawn", "<u8"),
        ("tokens", _ADDRESS),
        ("unvested", "<u8"),
        ("vest_slot", "<u8"),
        ("reserved", "<u8", (4,)),
    ]
)
MARKET_DTYPE: Final = np.dtype(
    [
        *_HEAD,
        ("tokens_bump", "u1"),
        ("outcomes", "u1"),
        ("pools", "u1"),
        ("status", "u1"),
        ("price_class", "u1"),
        ("market_id", "<u4"),
        ("sigma_e6", "<u4"),
        ("event_sequence", "<u8"),
        ("publish_slot", "<u8"),
        ("price_update_slot", "<u8"),
        ("debt", "<u8"),
        ("fees_vault", "<u8"),
        ("fees_treasury", "<u8"),
        ("fees_makers", "<u8"),
        ("residual", "<u8"),
        ("cap_slot", "<u8"),
        ("cap_amount", "<u8"),
        ("cap_used", "<u8"),
        ("created_slot", "<u8"),
        ("condition_id", _ADDRESS),
        ("yes_token_or_hash", _ADDRESS),
        ("no_token", _ADDRESS),
        ("tokens", _ADDRESS),
        ("escrow", "<u8"),
        ("reserved", "<u8", (1,)),
    ]
)
POOL_DTYPE: Final = np.dtype(
    [
        ("liquidity", "<u8"),
        ("cash", "<u8"),
        ("outstanding", "<u8", (2,)),
        ("price_e6", "<u4"),
        ("band_e6", "<u4"),
        ("leveraged", "<u8", (2,)),
        ("inventory", "<u8", (2,)),
        ("fee_per_liquidity_q64", _U128),
        ("high_epoch", "<u8"),
        ("high_this", "<u8"),
        ("high_previous", "<u8"),
        ("inventory_cost", "<u8", (2,)),
        ("reserved", "<u8", (4,)),
    ]
)
POSITION_DTYPE: Final = np.dtype(
    [
        *_HEAD,
        ("side", "u1"),
        ("pool", "u1"),
        ("is_in_batch", "u1"),
        ("margin_bps", "<u2"),
        ("market", _ADDRESS),
        ("owner", _ADDRESS),
        ("shares", "<u8"),
        ("margin", "<u8"),
        ("debt", "<u8"),
        ("residual", "<u8"),
        ("notional", "<u8"),
        ("opened_slot", "<u8"),
        ("position_id", "<u4"),
        ("trade_number", "<u4"),
        ("reserved", "<u8", (4,)),
    ]
)
MAKER_DTYPE: Final = np.dtype(
    [
        *_HEAD,
        ("pool", "u1"),
        ("padding", "<u4"),
        ("market", _ADDRESS),
        ("owner", _ADDRESS),
        ("liquidity", "<u8"),
        ("fee_per_liquidity_paid_q64", _U128),
        ("fees_owed", "<u8"),
        ("last_add_slot", "<u8"),
        ("reserved", "<u8", (4,)),
    ]
)
STAKE_DTYPE: Final = np.dtype(
    [
        *_HEAD,
        ("padding", "u1", (5,)),
        ("owner", _ADDRESS),
        ("shares", "<u8"),
        ("requested_shares", "<u8"),
        ("request_slot", "<u8"),
        ("request_value", "<u8"),
        ("reserved", "<u8", (4,)),
    ]
)
CHAIN_STEP_DTYPE: Final = np.dtype(
    [("kind", "u1"), ("padding", "u1"), ("leverage", "<u2"), ("limit_e6", "<u4")]
)
CHAIN_DTYPE: Final = np.dtype(
    [
        *_HEAD,
        ("status", "u1"),
        ("pool", "u1"),
        ("side", "u1"),
        ("step_count", "u1"),
        ("next_step", "u1"),
        ("market", _ADDRESS),
        ("owner", _ADDRESS),
        ("chain_id", "<u4"),
        ("trigger_e6", "<u4"),
        ("is_above", "<u4"),
        ("leverage_e6", "<u4"),
        ("expiry_slot", "<u8"),
        ("deposit", "<u8"),
        ("steps", CHAIN_STEP_DTYPE, (5,)),
        ("opened_slot", "<u8"),
        ("working", "<u8"),
        ("debt", "<u8"),
        ("bounty", "<u8"),
        ("maker", MAKER_DTYPE),
        ("stake", STAKE_DTYPE),
        ("positions", POSITION_DTYPE, (3,)),
    ]
)
EPOCH_DTYPE: Final = np.dtype(
    [
        *_HEAD,
        ("padding", "u1"),
        ("root_number", "<u4"),
        ("epoch", "<u8"),
        ("index", "<u4"),
        ("leaf_count", "<u4"),
        ("total", "<u8"),
        ("root", _ADDRESS),
        ("paid", "<u8"),
        ("paid_count", "<u8"),
        ("event_sequence", "<u8"),
        ("reserved", "<u8", (2,)),
    ]
)

POSITION_BYTES: Final = POSITION_DTYPE.itemsize


def market_bytes(pools: int) -> int:
    """Return the size of a market account."""
    return MARKET_DTYPE.itemsize + pools * POOL_DTYPE.itemsize


def epoch_bytes(leaves: int) -> int:
    """Return the size of an epoch account."""
    return EPOCH_DTYPE.itemsize + (leaves + 63) // 64 * 8


def offset_of(dtype: np.dtype[np.void], field: str) -> int:
    """Return where a field of an account begins."""
    assert dtype.fields is not None
    return int(dtype.fields[field][1])
