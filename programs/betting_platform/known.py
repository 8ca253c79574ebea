"""Moves that move nothing: into a register that holds the value already.

The compiler takes every call to destroy r0 to r5 and forgets what a branch has shown. A call of this program's own leaves
alone the registers that nothing under it writes (calls neither clear nor restore r1 to r5), and past `if r0 != 0` r0 is
zero. Values get names: a constant is its own, any other is named by the instruction that made it or by the place where
two ways met; a name that is made anew is taken from whoever still has it. Two registers of one name hold the same.
"""

from collections.abc import Hashable, Sequence
from typing import TypeAlias

from programs.betting_platform.bytecode import (
    ARGUMENTS,
    CALL,
    LDDW,
    MOV_IMM,
    MOV_REG,
    Instruction,
    reached,
    successors,
)

_REGISTERS = range(11)
_JEQ_IMM, _JNE_IMM = 0x15, 0x55

_State: TypeAlias = tuple[Hashable, ...]
"""The name of what each register holds."""


def idle_moves(listed: Sequence[Instruction], entry: Instruction) -> set[Instruction]:
    """Return the moves without which every register holds the same at every point."""
    index = {each: number for number, each in enumerate(listed)}
    following = successors(listed)
    starts = {index[each.target] for each in listed if each.op == CALL and each.target}
    starts.add(index[entry])
    written = _written(listed, following, starts)
    before = _names(listed, following, starts, written)
    return {
        each
        for each, state in zip(listed, before, strict=True)
        if state and each.op in (MOV_IMM, MOV_REG, LDDW) and state[each.dst] == _moved(each, state)
    }


def _moved(each: Instruction, state: _State) -> Hashable:
    return state[each.src] if each.op == MOV_REG else each.value


def _written(
    listed: Sequence[Instruction],
    following: Sequence[Sequence[int]],
    starts: set[int],
) -> dict[Instruction, int]:
    """Return which of r0 to r5, as bits, each function or anything under it may write."""
    bodies = {listed[start]: [listed[i] for i in reached(following, start)] for start in starts}
    written = dict.fromkeys(bodies, 1)
    changed = True
    while changed:
        changed = False
        for start, body in bodies.items():
            found = written[start]
            for each in body:
                inside = each.target if each.op == CALL else None
                found |= written[inside] if inside else each.writes
            found &= ARGUMENTS | 1
            changed |= found != written[start]
            written[start] = found
    return written


def _names(
    listed: Sequence[Instruction],
    following: Sequence[Sequence[int]],
    starts: set[int],
    written: dict[Instruction, int],
) -> list[_State | None]:
    """Return what each register holds before each instruction, where it can be reached."""
    before: list[_State | None] = [None] * len(listed)
    arriving: list[dict[int, _State]] = [{} for _ in listed]
    for start in starts:
        arriving[start][-1] = tuple(("argument", start, register) for register in _REGISTERS)
    waiting = sorted(starts, reverse=True)
    while waiting:
        at = waiting.pop()
        state = _meet(at, list(arriving[at].values()))
        if state == before[at]:
            continue
        before[at] = state
        for number, to in enumerate(following[at]):
            jumped = number > 0 or listed[at].ends
            arriving[to][at * 2 + jumped] = _after(listed[at], at, state, written, jumped=jumped)
            waiting.append(to)
    return before


def _meet(at: int, states: list[_State]) -> _State:
    if len(states) == 1:
        return states[0]
    columns = list(zip(*states, strict=True))
    made = {("met", at, register) for register in _REGISTERS}
    return tuple(
        column[0]
        if len(set(column)) == 1 and column[0] not in made
        else ("met", at, columns.index(column))
        for column in columns
    )


def _after(
    each: Instruction, at: int, state: _State, written: dict[Instruction, int], *, jumped: bool
) -> _State:
    if each.op in (MOV_IMM, MOV_REG, LDDW):
        return _with(state, each.dst, _moved(each, state))
    if each.op == (_JEQ_IMM if jumped else _JNE_IMM):
        name = state[each.dst]
        return tuple(each.value if known == name else known for known in state)
    writes = each.writes if each.op != CALL or not each.target else written[each.target]
    made = {register: ("made", at, register) for register in _REGISTERS if writes >> register & 1}
    names = set(made.values())
    return tuple(
        made.get(register, ("old", at, register) if known in names else known)
        for register, known in enumerate(state)
    )


def _with(state: _State, register: int, name: Hashable) -> _State:
    return (*state[:register], name, *state[register + 1 :])
