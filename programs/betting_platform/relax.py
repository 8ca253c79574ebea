"""Shorten linked code, keeping what it does.

One rewrite a pass, each proved over the whole code: constants and extensions that fit one instruction, stores of
constants without a register, moves that move nothing (known.py), what callers do alike (entries.py), and one copy of
each way to an end (tails.py).
"""

from typing import Final

from programs.betting_platform.bytecode import (
    CALL,
    JUMP,
    LDDW,
    MOV32_REG,
    MOV_IMM,
    MOV_REG,
    STORE,
    Instruction,
    decode,
    encode,
    successors,
    without,
)
from programs.betting_platform.entries import enter_early
from programs.betting_platform.known import idle_moves
from programs.betting_platform.tails import jump_to_last_calls, merge_equals, order

_STORE_TO_STORE_IMM: Final = 1
"""The class of a store of a register, less this, is that of a store of a constant of the same size."""
_LSH_IMM, _RSH_IMM = 0x67, 0x77
_I32: Final = 1 << 31


def relax(code: bytes, entry: int) -> tuple[bytes, int]:
    """Return shorter code that does the same, and where its entry point has moved to.

    Args:
        entry: offset of the entry point in the code.
    """
    listed, starts = decode(code)
    start = starts[entry // 8]
    for each in listed:
        if each.op == LDDW and -_I32 <= each.value < _I32:
            each.op = MOV_IMM
    listed, start = without(listed, _shift_halves(listed), start)
    listed, start = without(listed, _needless_moves(listed), start)
    listed, start = without(listed, idle_moves(listed, start), start)
    jump_to_last_calls(listed, start)
    listed, start = enter_early(listed, start)
    listed, start = merge_equals(listed, start)
    listed, start = order(listed, start)
    shorter, place = encode(listed)
    return shorter, place[start]


def _shift_halves(listed: list[Instruction]) -> set[Instruction]:
    """Let a move of 32 bits clear the upper half instead of two shifts; return the shifts back, needed no more."""
    labels = {each.target for each in listed}
    dropped = set()
    for move, left, right in zip([None, *listed], listed, listed[1:], strict=False):
        shifts = (left.op, left.value, right.op, right.value) == (_LSH_IMM, 32, _RSH_IMM, 32)
        if not shifts or left.dst != right.dst or right in labels:
            continue
        left.op, left.src, left.value = MOV32_REG, left.dst, 0
        dropped.add(right)
        if move and move.op == MOV_REG and move.dst == left.dst and left not in labels:
            left.src = move.src
            dropped.add(move)
    return dropped


def _live_after(listed: list[Instruction]) -> list[int]:
    """Return which registers, as bits, are read later, after each instruction."""
    following = successors(listed)
    before, after = [0] * len(listed), [0] * len(listed)
    changed = True
    while changed:
        changed = False
        for index in range(len(listed) - 1, -1, -1):
            each = listed[index]
            for to in following[index]:
                after[index] |= before[to]
            found = each.reads | after[index] & ~each.writes
            changed |= found != before[index]
            before[index] = found
    return after


def _needless_moves(listed: list[Instruction]) -> set[Instruction]:
    """Let stores take their constants directly; return the moves that are needed no more."""
    live = _live_after(listed)
    labels = {each.branch for each in listed}
    dropped = set()
    for index, each in enumerate(listed):
        if each.op == MOV_IMM and (stores := _stores_of(listed, index, labels, live)):
            dropped.add(each)
            for store in stores:
                store.op -= _STORE_TO_STORE_IMM
                store.src, store.value = 0, each.value
    return dropped


def _stores_of(
    listed: list[Instruction], move: int, labels: set[Instruction | None], live: list[int]
) -> list[Instruction]:
    """Return the stores that are all that a constant in a register is for; none when it is for more."""
    bit, stores, index = 1 << listed[move].dst, [], move + 1
    while (each := listed[index]) not in labels:
        if each.reads & bit:
            if each.kind != STORE or 1 << each.dst == bit:
                return []
            stores.append(each)
        if each.writes & bit:
            return stores
        if each.kind == JUMP and each.op != CALL:
            return [] if live[index] & bit else stores
        index += 1
    return [] if live[index - 1] & bit else stores
