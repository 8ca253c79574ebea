"""One copy of each way to an end: calls that return at once, equal tails, and what follows what.

Frames are of one size and begin where their function is called, so code does the same wherever it lies: a jump into
another function's tail keeps the frame and the registers.
"""

from collections import defaultdict
from collections.abc import Hashable, Sequence
from typing import Final

from programs.betting_platform.bytecode import (
    CALL,
    EXIT,
    FRAME,
    JA,
    LOAD,
    SOURCE_IS_REGISTER,
    STORE,
    STORE_IMM,
    Instruction,
    reached,
    successors,
    without,
)

_INVERSE: Final = {
    comparison | source: inverse | source
    for one, other in ((0x15, 0x55), (0x25, 0xB5), (0x35, 0xA5), (0x65, 0xD5), (0x75, 0xC5))
    for comparison, inverse in ((one, other), (other, one))
    for source in (0, SOURCE_IS_REGISTER)
}
"""== and !=, > and <=, >= and <; unsigned and signed."""


def jump_to_last_calls(listed: Sequence[Instruction], entry: Instruction) -> None:
    """Turn a call whose result the function returns at once into a jump: the callee returns in its place.

    The callee then runs in its caller's frame, which is over unless its address was taken and may be among the
    arguments. From such a frame only functions that touch no frame are jumped to, and those pass on to their like.
    """
    index = {each: number for number, each in enumerate(listed)}
    following = successors(listed)
    starts = {each.target for each in listed if each.op == CALL and each.target} | {entry}
    bodies = {start: [listed[i] for i in reached(following, index[start])] for start in starts}
    lasting = {start for start, body in bodies.items() if any(map(_takes_frame, body))}
    frameless = {start for start, body in bodies.items() if not any(map(_uses_frame, body))}
    last = {
        start: [each for each in body if _is_last(listed, index[each])]
        for start, body in bodies.items()
    }
    waiting = list(lasting)
    while waiting:
        for each in last[waiting.pop()]:
            if each.target in frameless and each.target not in lasting:
                lasting.add(each.target)
                waiting.append(each.target)
    for start, calls in last.items():
        for each in calls:
            if start not in lasting or each.target in frameless:
                each.op, each.src, each.value = JA, 0, 0


def _is_last(listed: Sequence[Instruction], at: int) -> bool:
    if listed[at].op != CALL or listed[at].target is None:
        return False
    after: Instruction | None = listed[at + 1]
    while after is not None and after.op == JA:
        after = after.target
    return after is not None and after.op == EXIT


def _uses_frame(each: Instruction) -> bool:
    return bool((each.reads | each.writes) >> FRAME & 1)


def _takes_frame(each: Instruction) -> bool:
    """Whether the frame's address gets anywhere but into the address of a load or a store."""
    is_base = each.kind in (LOAD, STORE, STORE_IMM) and not (
        each.kind == STORE and each.src == FRAME
    )
    return _uses_frame(each) and not is_base


def merge_equals(
    listed: Sequence[Instruction], entry: Instruction
) -> tuple[list[Instruction], Instruction]:
    """Return the code with one copy of each tail, and its entry.

    Two instructions are equal when they do the same and whatever may follow them is equal: the coarsest such partition,
    as for the states of a machine (Moore 1956).
    """
    groups = _partition(listed)
    members = defaultdict(list)
    for number, group in enumerate(groups):
        if listed[number].op != JA:  # a jump is equal to where it leads
            members[group].append(number)
    # Of equals, that one stays which the longest run of others leads into.
    run, led_by = 0, []
    for each, group in zip(listed, groups, strict=True):
        led_by.append(run)
        run = run + 1 if len(members[group]) > 1 and not each.ends else 0
    stays = [max(members[group], key=lambda one: (led_by[one], -one)) for group in groups]
    index = {each: number for number, each in enumerate(listed)}
    result = list(listed)
    for each in listed:
        if each.target is not None:
            each.target = listed[stays[index[each.target]]]
    for number, each in enumerate(listed):
        is_copy = stays[number] != number and each.op != JA
        if is_copy and _slots_to_end(listed, number) > 1:
            result[number] = Instruction(op=JA, target=listed[stays[number]])
    return _without_unreached(result, listed[stays[index[entry]]])


def _slots_to_end(listed: Sequence[Instruction], number: int) -> int:
    slots = listed[number].slots
    while not listed[number].ends:
        number += 1
        slots += listed[number].slots
    return slots


def _partition(listed: Sequence[Instruction]) -> list[int]:
    index = {each: number for number, each in enumerate(listed)}

    def through(number: int) -> int:
        each = listed[number]
        return through(index[each.target]) if each.op == JA and each.target else number

    real = [through(number) for number in range(len(listed))]
    next_of = [
        real[number] if each.ends else real[number + 1] for number, each in enumerate(listed)
    ]
    target_of = [
        real[number] if each.target is None else real[index[each.target]]
        for number, each in enumerate(listed)
    ]
    signs: list[Hashable] = [
        (each.op, each.dst, each.src, each.offset, each.value)
        if each.target is None
        else (each.op, each.dst, each.src, 0, each.value if each.op != CALL else 0)
        for each in listed
    ]
    groups = [0] * len(listed)
    count = 0
    while True:
        names: dict[Hashable, int] = {}
        groups = [
            names.setdefault(
                (signs[at], groups[at], groups[next_of[at]], groups[target_of[at]]), len(names)
            )
            for at in real
        ]
        if len(names) == count:
            return groups
        count = len(names)


def _without_unreached(
    listed: list[Instruction], entry: Instruction
) -> tuple[list[Instruction], Instruction]:
    index = {each: number for number, each in enumerate(listed)}
    following = successors(listed)
    found: set[int] = set()
    waiting = [index[entry]]
    while waiting:
        new = reached(following, waiting.pop()) - found
        found |= new
        called = (listed[number].target for number in new if listed[number].op == CALL)
        waiting.extend(index[each] for each in called if each)
    dropped = {each for number, each in enumerate(listed) if number not in found}
    return without(listed, dropped, entry)


def order(
    listed: Sequence[Instruction], entry: Instruction
) -> tuple[list[Instruction], Instruction]:
    """Return the code in an order that needs fewer jumps, and its entry: what a jump leads to follows in its place."""
    over = set()
    for branch, jump, after in zip(listed, listed[1:], listed[2:], strict=False):
        if branch.op in _INVERSE and branch.target is after and jump.op == JA:
            branch.op, branch.target = _INVERSE[branch.op], jump.target
            over.add(jump)
    listed, entry = without(listed, over, entry)
    runs: dict[Instruction, list[Instruction]] = {}
    run: list[Instruction] = []
    for each in listed:
        run.append(each)
        if each.ends:
            runs[run[0]] = run
            run = []
    followed = set()
    for head in list(runs):
        run = runs.get(head, [])  # it may have been taken as what follows another
        while run and (to := run[-1].target) and run[-1].op == JA and to in runs and to is not head:
            followed.add(run[-1])
            run.extend(runs.pop(to))
    return without([each for run in runs.values() for each in run], followed, entry)
