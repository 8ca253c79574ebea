"""The model program: prices that are posted, positions that a liquidation halves.

Core. It is *obedient*: it liquidates whoever it is told to, under water or not. The real one would skip the second of two
liquidations planned on the same position; a payout or a purchase could not. So here nothing but the engine stands
between one plan and two effects. What it refuses: a reading older than the one it has, and cursed positions.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from programs.instructions import Tag
from tests.keeper.scripted import HEADER_ACCOUNTS, PROGRAM, USD

_UPDATE: Final = struct.Struct("<BBB5xQ")
_READING: Final = struct.Struct("<II")
_MARKET_AT: Final = 2
_ONE_E6: Final = 1_000_000
_REQUIRED_BPS: Final = 200
"""Of the shares: the gap reserve. Source: SPEC.md section 4."""
TOO_OLD: Final = 6_001
CURSED: Final = 6_002
"""Custom errors of no real instruction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """One leveraged position, base units."""

    market: int
    shares: int
    debt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What stands on chain of a market."""

    price_e6: int
    publish_slot: int
    update_slot: int


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """All accounts of the model program after one block."""

    readings: Mapping[Pubkey, Reading]
    positions: Mapping[Pubkey, Position]


def execute(
    state: State, transaction: VersionedTransaction, slot: int, cursed: frozenset[Pubkey]
) -> tuple[State, object]:
    """Return the state after a transaction, and its error; with an error nothing changed."""
    message = transaction.message
    after = state
    for index, instruction in enumerate(message.instructions):
        accounts = [message.account_keys[at] for at in bytes(instruction.accounts)]
        if message.account_keys[instruction.program_id_index] != PROGRAM:
            continue
        data = bytes(instruction.data)
        code = None
        if data[0] == Tag.UPDATE_PRICES:
            after, code = _post(after, accounts[_MARKET_AT], data, slot)
        elif data[0] == Tag.LIQUIDATE:
            after, code = _liquidate(after, accounts[HEADER_ACCOUNTS:], cursed)
        if code is not None:
            return state, {"InstructionError": [index, {"Custom": code}]}
    return after, None


def _post(state: State, market: Pubkey, data: bytes, slot: int) -> tuple[State, int | None]:
    *_, publish_slot = _UPDATE.unpack_from(data)
    price_e6, _ = _READING.unpack_from(data, _UPDATE.size)
    if publish_slot < state.readings[market].publish_slot:
        return state, TOO_OLD
    reading = Reading(price_e6=price_e6, publish_slot=publish_slot, update_slot=slot)
    return replace(state, readings={**state.readings, market: reading}), None


def _liquidate(
    state: State, targets: Sequence[Pubkey], cursed: frozenset[Pubkey]
) -> tuple[State, int | None]:
    if not cursed.isdisjoint(targets):
        return state, CURSED
    return replace(
        state,
        positions={
            **state.positions,
            **{target: _halved(state.positions[target]) for target in targets},
        },
    ), None


def _halved(position: Position) -> Position:
    """Sell half of it at a price at which the debt halves too; what is left of little is nothing."""
    if position.shares < USD:
        return replace(position, shares=0, debt=0)
    return replace(position, shares=position.shares // 2, debt=position.debt * 2 // 5)


def is_under_water(position: Position, price_e6: int) -> bool:
    """Judge by SPEC.md section 4, at the oracle's price; the model's positions have no margin rule that binds first."""
    equity = position.shares * price_e6 // _ONE_E6 - position.debt
    return position.debt > 0 and equity < position.shares * _REQUIRED_BPS // 10_000
