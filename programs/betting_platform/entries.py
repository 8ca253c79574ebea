"""Entries in front of a function: what many of its callers do right before the call is done once, on the way in.

A call changes no register but the frame's, so what sets r0 to r5 from constants, registers and memory may as well run
after it, as long as it reads no frame. (r6 to r9 come back when the callee returns: nothing that writes them moves.)
"""

from collections import defaultdict
from collections.abc import Hashable, Sequence
from typing import Final

from programs.betting_platform.bytecode import (
    CALL,
    FRAME,
    JA,
    JUMP,
    LOAD,
    STORE,
    STORE_IMM,
    Instruction,
    without,
)

_CALLERS_MIN: Final = 2
"""An entry takes an instruction, and a jump unless the function follows it; it saves one instruction a caller."""
_PRESERVED_OR_FRAME: Final = 0b11111 << 6
_Work = list[Instruction]
"""What runs in a straight line before a call and has not moved yet."""


def enter_early(
    listed: Sequence[Instruction], entry: Instruction
) -> tuple[list[Instruction], Instruction]:
    """Return the code with entries for what several callers of a function do alike, and its entry."""
    starts = {each.target for each in listed if each.op == CALL}
    labels = {each.target for each in listed}
    callers: dict[Instruction, list[tuple[Instruction, _Work]]] = defaultdict(list)
    work: _Work = []
    for each in listed:
        if each in labels:
            work = []
        if each.op in (CALL, JA) and each.target in starts and each.target:
            callers[each.target].append((each, work))
        work = [] if each.kind == JUMP else [*work, each]
    added: list[Instruction] = []
    moved: set[Instruction] = set()
    for start, calls in callers.items():
        _grow(start, calls, added, moved)
    return without([*listed, *added], moved, entry)


def _grow(
    start: Instruction,
    calls: list[tuple[Instruction, _Work]],
    added: list[Instruction],
    moved: set[Instruction],
) -> None:
    while True:
        found: dict[Hashable, list[tuple[Instruction, _Work, Instruction]]] = defaultdict(list)
        for call, work in calls:
            for each in _movable(work):
                sign = (each.op, each.dst, each.src, each.offset, each.value)
                found[sign].append((call, work, each))
        alike = max(found.values(), key=len, default=[])
        if len(alike) < _CALLERS_MIN:
            return
        one = alike[0][2]
        first = Instruction(op=one.op, dst=one.dst, src=one.src, offset=one.offset, value=one.value)
        added.extend((first, Instruction(op=JA, target=start)))
        for call, work, each in alike:
            call.target = first
            work.remove(each)
            moved.add(each)
        chosen = {call for call, _, _ in alike}
        _grow(first, [pair for pair in calls if pair[0] in chosen], added, moved)
        calls = [pair for pair in calls if pair[0] not in chosen]


def _movable(work: _Work) -> list[Instruction]:
    """Return what may as well run after all the rest."""
    movable: list[Instruction] = []
    read = written = 0
    stored = False
    for each in reversed(work):
        stays = each.writes & (read | written) or each.reads & written
        stays |= (each.reads | each.writes) >> FRAME & 1 | each.writes & _PRESERVED_OR_FRAME
        if each.writes and not stays and not (stored and each.kind == LOAD):
            movable.append(each)
        read |= each.reads
        written |= each.writes
        stored |= each.kind in (STORE, STORE_IMM)
    return movable
