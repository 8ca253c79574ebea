"""A chain as a value: its terms, where it stands, and what its steps have made.

The bytes are described in layout.py. Amounts are quote base units (1e-6).
"""

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any, Final, Self

import numpy as np
from solders.pubkey import Pubkey

from programs.accounts import Maker, MalformedAccountError, Position, Side, Stake
from programs.layout import (
    CHAIN_DTYPE,
    LAYOUT_VERSION,
    MAKER_DTYPE,
    POSITION_DTYPE,
    STAKE_DTYPE,
    AccountKind,
)

STEPS_MAX: Final = 5
_NUMBERS: Final = (
    "pool",
    "next_step",
    "chain_id",
    "trigger_e6",
    "leverage_e6",
    "opened_slot",
    "expiry_slot",
    "deposit",
    "working",
    "debt",
    "bounty",
)


class ChainStatus(IntEnum):
    """Whether a chain's steps run."""

    RUNNING = 0
    DONE = 1
    """Every step has run."""
    CANCELLED = 2
    """Being unwound; no step runs any more."""


class StepKind(IntEnum):
    """What a step moves. Source: SPEC.md section 5."""

    BORROW = 0
    LIQUIDITY = 1
    STAKE = 2
    ARBITRAGE = 3
    OPEN = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step, as its owner fixed it."""

    kind: StepKind
    leverage: int = 0
    """OPEN only: whole multiples of the working cash."""
    limit_e6: int = 0
    """ARBITRAGE, OPEN: worst average price; LIQUIDITY: how far the pool may be from the oracle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """One owner's chain in one market."""

    status: ChainStatus
    pool: int
    side: Side
    next_step: int
    market: Pubkey
    owner: Pubkey
    chain_id: int
    trigger_e6: int
    is_above: bool
    leverage_e6: int
    """Effective leverage: the product of the multipliers of the steps that ran."""
    opened_slot: int
    expiry_slot: int
    """The last slot in which a step runs."""
    deposit: int
    working: int
    """Cash in the market's tokens that the next steps work with."""
    debt: int
    """Borrowed by steps, until OPEN moves it into the position; at most `working`."""
    bounty: int
    """What is left of the keepers' prepaid bounty."""
    steps: tuple[Step, ...]
    maker: Maker
    stake: Stake
    position: Position
    """What OPEN bought, with its debt."""
    holdings: tuple[Position, Position]
    """YES and NO shares without debt, that other steps bought or were left with: holding 1 and 2 of close_position."""

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Decode a chain.

        Raises:
            MalformedAccountError: it is too short, of another kind or version, or in a state that no chain is in.
        """
        if (
            len(data) < CHAIN_DTYPE.itemsize
            or data[0] != AccountKind.CHAIN
            or data[1] != LAYOUT_VERSION
        ):
            raise MalformedAccountError(
                f"found {len(data)} bytes of kind {data[0] if data else 'none'}, expected a chain: "
                f"kind {int(AccountKind.CHAIN)}, {CHAIN_DTYPE.itemsize} bytes"
            )
        row: Any = np.frombuffer(data, CHAIN_DTYPE, count=1)[0]
        try:
            steps = tuple(_step(step) for step in row["steps"][: int(row["step_count"])])
            status, side = ChainStatus(row["status"]), Side(row["side"])
        except ValueError as error:
            raise MalformedAccountError(f"found {error}, expected the chain's own values") from None
        position, *holdings = (
            Position.from_bytes(position_bytes(data, holding)) for holding in range(3)
        )
        market = Pubkey.from_bytes(row["market"].tobytes())
        owner = Pubkey.from_bytes(row["owner"].tobytes())
        maker = Maker.from_bytes(_headed(data, "maker", MAKER_DTYPE, AccountKind.MAKER))
        stake = Stake.from_bytes(_headed(data, "stake", STAKE_DTYPE, AccountKind.STAKE))
        numbers = {name: int(row[name]) for name in _NUMBERS}
        return cls(
            status=status,
            side=side,
            market=market,
            owner=owner,
            is_above=bool(row["is_above"]),
            steps=steps,
            maker=replace(maker, market=market, owner=owner),
            stake=replace(stake, owner=owner),
            position=position,
            holdings=(holdings[0], holdings[1]),
            **numbers,
        )


def _step(row: Any) -> Step:  # noqa: ANN401  # a numpy record
    return Step(
        kind=StepKind(row["kind"]), leverage=int(row["leverage"]), limit_e6=int(row["limit_e6"])
    )


def position_bytes(data: bytes, holding: int) -> bytes:
    """Return one of a chain's embedded positions as the bytes of a position account.

    Args:
        data: a chain's account.
        holding: 0 for what OPEN bought, 1 for YES and 2 for NO shares without debt.
    """
    return _part(data, "positions", POSITION_DTYPE, holding)


def _headed(data: bytes, name: str, dtype: np.dtype[np.void], kind: AccountKind) -> bytes:
    """The bytes of an embedded maker or stake, which has no head of its own, with one."""
    return bytes([kind, LAYOUT_VERSION]) + _part(data, name, dtype)[2:]


def _part(data: bytes, name: str, dtype: np.dtype[np.void], index: int = 0) -> bytes:
    assert CHAIN_DTYPE.fields is not None
    start = CHAIN_DTYPE.fields[name][1] + index * dtype.itemsize
    return data[start : start + dtype.itemsize]
