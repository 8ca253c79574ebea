"""Accounts as values: bytes to frozen dataclasses, and to numpy arrays where there are many.

The bytes are described in layout.py. Amounts are quote base units (1e-6) unless a name says otherwise.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from solders.pubkey import Pubkey

from programs.layout import (
    EPOCH_DTYPE,
    GLOBAL_DTYPE,
    LAYOUT_VERSION,
    MAKER_DTYPE,
    MARKET_DTYPE,
    POOL_DTYPE,
    POSITION_BYTES,
    POSITION_DTYPE,
    STAKE_DTYPE,
    VAULT_DTYPE,
    AccountKind,
    epoch_bytes,
    market_bytes,
)
from programs.record_format import RecordFormat


class MarketStatus(IntEnum):
    """Whether a market trades."""

    OPEN = 0
    RESOLVED = 1


class Side(IntEnum):
    """YES or NO of one pool."""

    YES = 0
    NO = 1


class MalformedAccountError(ValueError):
    """The bytes are not an account of the kind asked for."""


class _Record:
    """What the dataclasses below share: fields are the dtype's fields of the same name."""

    __slots__ = ()
    _dtype: np.dtype[np.void]
    _kind: AccountKind

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Decode an account.

        Raises:
            MalformedAccountError: it is too short, of another kind or of another layout version.
        """
        if len(data) < cls._dtype.itemsize:
            raise MalformedAccountError(
                f"found {len(data)} bytes, expected at least {cls._dtype.itemsize} for a {cls.__name__}"
            )
        if data[0] != cls._kind or data[1] != LAYOUT_VERSION:
            raise MalformedAccountError(
                f"found account kind {data[0]} version {data[1]}, "
                f"expected a {cls.__name__}: kind {int(cls._kind)} version {LAYOUT_VERSION}"
            )
        return cls(**_fields(cls, data))


@cache
def _format_of(cls: type) -> RecordFormat:
    # Called with dataclasses that have a dtype only.
    return RecordFormat(cls._dtype, cls.__dataclass_fields__.keys())  # type: ignore[attr-defined]  # as said above


def _fields(cls: type, data: bytes, offset: int = 0) -> dict[str, Any]:
    return _format_of(cls).read(data, offset)


@dataclass(frozen=True, slots=True, kw_only=True)
class Global(_Record):
    """The genesis parameters; only the counters, and the halt, ever change them."""

    _dtype = GLOBAL_DTYPE
    _kind = AccountKind.GLOBAL
    halted: int
    market_count: int
    trade_count: int
    """Trades of at least $100 notional so far; stops at 100."""
    season_start_slot: int
    season_slots: int
    market_authority: Pubkey
    oracle_authority: Pubkey
    incentives_authority: Pubkey
    fee_treasury_owner: Pubkey
    halt_authority: Pubkey
    quote_mint: Pubkey
    mmt_mint: Pubkey
    vault: Pubkey
    posted_mmt: int
    """Total of all posted reward roots, MMT base units."""
    root_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Vault(_Record):
    """What finances leverage. Counters, never raw token balances."""

    _dtype = VAULT_DTYPE
    _kind = AccountKind.VAULT
    event_sequence: int
    cash: int
    """Unlent."""
    loans: int
    """Outstanding, at book."""
    weighted_debt_e6: int
    """Sum over markets of tail_loss_e6(N) * debt."""
    share_supply: int
    bad_debt: int
    inventory_cost: int
    locked_shares: int
    """In unstake requests."""
    withdraw_slot: int
    withdrawn: int
    """The leaky bucket of withdrawals, as of `withdraw_slot`."""
    tokens: Pubkey
    unvested: int
    """Part of the cash that those who leave do not share yet, as of `vest_slot`."""
    vest_slot: int

    @property
    def equity(self) -> int:
        """Cash and loans at book, base units: what caps a market's debt and the leverage ladder."""
        return self.cash + self.loans

    @property
    def value(self) -> int:
        """Cash, loans at book and inventory at cost, base units: what stakers own."""
        return self.equity + self.inventory_cost


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """One binary pool: reserves x = cash - outstanding YES, y = cash - outstanding NO."""

    _dtype = POOL_DTYPE
    liquidity: int
    cash: int
    outstanding: tuple[int, int]
    price_e6: int
    """The oracle's YES price; once resolved, what one YES share pays."""
    band_e6: int
    leveraged: tuple[int, int]
    inventory: tuple[int, int]
    fee_per_liquidity_q64: int
    high_this: int
    high_previous: int
    inventory_cost: tuple[int, int]

    @property
    def q(self) -> int:
        """y - x, the curve's state, in share base units."""
        return self.outstanding[Side.YES] - self.outstanding[Side.NO]


@dataclass(frozen=True, slots=True, kw_only=True)
class Market(_Record):
    """A mirrored Polymarket market and its pools: one for two outcomes, else one per outcome."""

    _dtype = MARKET_DTYPE
    _kind = AccountKind.MARKET
    outcomes: int
    status: int
    price_class: int
    """0 valid, 1 degraded."""
    market_id: int
    sigma_e6: int
    event_sequence: int
    publish_slot: int
    """Slot of the oracle's reading; staleness counts from here."""
    price_update_slot: int
    """Slot in which the last reading landed; the clamp counts from here."""
    debt: int
    fees_vault: int
    fees_treasury: int
    fees_makers: int
    residual: int
    cap_slot: int
    cap_amount: int
    cap_used: int
    created_slot: int
    condition_id: Pubkey
    yes_token_or_hash: Pubkey
    no_token: Pubkey
    tokens: Pubkey
    escrow: int
    """Working cash and bounties of chains."""
    pools: tuple[Pool, ...]

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Decode a market with its pools.

        Raises:
            MalformedAccountError: it is too short for its pools, or of another kind or version.
        """
        if len(data) < MARKET_DTYPE.itemsize or data[0] != cls._kind or data[1] != LAYOUT_VERSION:
            raise MalformedAccountError(
                f"found {len(data)} bytes of kind {data[0] if data else 'none'}, expected a market: "
                f"kind {int(cls._kind)}, {MARKET_DTYPE.itemsize} bytes and its pools"
            )
        fields = _fields(cls, data)
        count = fields["pools"]
        if len(data) < market_bytes(count):
            raise MalformedAccountError(
                f"found {len(data)} bytes, expected {market_bytes(count)} for a market of {count} pools"
            )
        fields["pools"] = tuple(
            Pool(**_fields(Pool, data, MARKET_DTYPE.itemsize + i * POOL_DTYPE.itemsize))
            for i in range(count)
        )
        return cls(**fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class Position(_Record):
    """Long one side of one pool; health is judged at the oracle's price."""

    _dtype = POSITION_DTYPE
    _kind = AccountKind.POSITION
    side: int
    pool: int
    margin_bps: int
    market: Pubkey
    owner: Pubkey
    shares: int
    margin: int
    debt: int
    residual: int
    """Cash that liquidations left to the owner; close_position pays it."""
    notional: int
    opened_slot: int
    position_id: int
    trade_number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Maker(_Record):
    """A maker's share of one pool."""

    _dtype = MAKER_DTYPE
    _kind = AccountKind.MAKER
    pool: int
    market: Pubkey
    owner: Pubkey
    liquidity: int
    fee_per_liquidity_paid_q64: int
    fees_owed: int
    last_add_slot: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stake(_Record):
    """An owner's vault shares."""

    _dtype = STAKE_DTYPE
    _kind = AccountKind.STAKE
    owner: Pubkey
    shares: int
    requested_shares: int
    request_slot: int
    request_value: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch(_Record):
    """One root of rewards, and which of its leaves are paid. Amounts are MMT base units (1e-9)."""

    _dtype = EPOCH_DTYPE
    _kind = AccountKind.EPOCH
    root_number: int
    """Of all roots ever posted, from 0; its events run in the series REWARDS_SERIES + root_number."""
    epoch: int
    index: int
    """Of this root among the epoch's."""
    leaf_count: int
    total: int
    root: Pubkey
    paid: int
    paid_count: int
    event_sequence: int
    bitmap: bytes

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Decode a root with its bitmap.

        Raises:
            MalformedAccountError: it is too short for its leaves, or of another kind or version.
        """
        if len(data) < EPOCH_DTYPE.itemsize or data[0] != cls._kind or data[1] != LAYOUT_VERSION:
            raise MalformedAccountError(
                f"found {len(data)} bytes of kind {data[0] if data else 'none'}, expected an epoch: "
                f"kind {int(cls._kind)}, {EPOCH_DTYPE.itemsize} bytes and its bitmap"
            )
        fields = _fields(cls, data)
        expected = epoch_bytes(fields["leaf_count"])
        if len(data) < expected:
            raise MalformedAccountError(
                f"found {len(data)} bytes, expected {expected} for an epoch of "
                f"{fields['leaf_count']} leaves"
            )
        return cls(**fields, bitmap=data[EPOCH_DTYPE.itemsize : expected])

    def is_paid(self, leaf: int) -> bool:
        """Say whether a leaf has been paid.

        Raises:
            IndexError: the root has no such leaf.
        """
        if not 0 <= leaf < self.leaf_count:
            raise IndexError(f"found leaf {leaf}, expected 0 to {self.leaf_count - 1}")
        return bool(self.bitmap[leaf // 8] >> leaf % 8 & 1)


PositionArray = npt.NDArray[np.void]
"""A structured array of POSITION_DTYPE."""


def positions_from_bytes(accounts: Sequence[bytes]) -> PositionArray:
    """Decode many positions at once, without an object per position.

    Accounts of another length, kind or version become rows of zeros (kind 0), so that indices keep meaning; the
    caller counts and reports them. The rows are read-only: 100_000 of them are 16 MB, and a copy costs as much as
    judging them.
    """
    if set(map(len, accounts)) <= {POSITION_BYTES}:
        joined = b"".join(accounts)
    else:
        blank = bytes(POSITION_BYTES)
        joined = b"".join([data if len(data) == POSITION_BYTES else blank for data in accounts])
    rows = np.frombuffer(joined, POSITION_DTYPE)
    foreign = (rows["kind"] != AccountKind.POSITION) | (rows["version"] != LAYOUT_VERSION)
    if foreign.any():
        rows = rows.copy()
        rows[foreign] = np.zeros(1, POSITION_DTYPE)[0]
    return rows
