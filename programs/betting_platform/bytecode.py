"""Code as instructions that name each other: what it reads, writes and leads to, and its bytes.

Source: the kernel's BPF instruction set; SIMD-0174 and SIMD-0178 for what sBPF v3 keeps of it.
"""

import struct
from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Final

LDDW, MOV_IMM, MOV_REG, MOV32_REG, CALL, EXIT, JA = 0x18, 0xB7, 0xBF, 0xBC, 0x85, 0x95, 0x05
LOAD, STORE_IMM, STORE, JUMP = 1, 2, 3, 5
FRAME: Final = 10
"""r10 points at the function's frame."""
SOURCE_IS_REGISTER: Final = 8
ARGUMENTS: Final = 0b111110
"""r1 to r5, which a call may read; it writes r0 to r5."""


@dataclass(slots=True, kw_only=True, eq=False)
class Instruction:
    """One instruction; two are the same only when they stand in the same place."""

    op: int
    dst: int = 0
    src: int = 0
    offset: int = 0
    value: int = 0
    """Of 32 bits, signed, but for lddw."""
    target: "Instruction | None" = None
    """What a jump or a call within the program leads to."""

    @property
    def kind(self) -> int:
        """The class of the operation."""
        return self.op & 7

    @property
    def slots(self) -> int:
        """How many times 8 bytes it takes."""
        return 2 if self.op == LDDW else 1

    @property
    def ends(self) -> bool:
        """Whether what stands after it is reached by jumps alone."""
        return self.op in (EXIT, JA)

    @property
    def branch(self) -> "Instruction | None":
        """Where it may jump to; a call is none."""
        return self.target if self.kind == JUMP and self.op != CALL else None

    @property
    def reads(self) -> int:
        """The registers that it may read, as bits."""
        if self.op == CALL:
            return ARGUMENTS
        if self.op == EXIT:
            return 1
        if self.op in (LDDW, MOV_IMM, JA):
            return 0
        if self.kind == LOAD or self.op in (MOV_REG, MOV32_REG):
            return 1 << self.src
        uses_source = self.kind == STORE or (
            self.kind != STORE_IMM and self.op & SOURCE_IS_REGISTER
        )
        return 1 << self.dst | (1 << self.src if uses_source else 0)

    @property
    def writes(self) -> int:
        """The registers that it may write, as bits."""
        if self.op == CALL:
            return ARGUMENTS | 1
        return 0 if self.kind in (STORE, STORE_IMM, JUMP) else 1 << self.dst


def decode(code: bytes) -> tuple[list[Instruction], dict[int, Instruction]]:
    """Return the instructions, and each by the slot that it starts in."""
    listed: list[Instruction] = []
    starts: dict[int, Instruction] = {}
    slot = 0
    while slot * 8 < len(code):
        op, registers, offset, value = struct.unpack_from("<BBhi", code, slot * 8)
        if op == LDDW:
            (high,) = struct.unpack_from("<i", code, slot * 8 + 12)
            value = high << 32 | value & 0xFFFFFFFF
        starts[slot] = Instruction(
            op=op, dst=registers & 15, src=registers >> 4, offset=offset, value=value
        )
        listed.append(starts[slot])
        slot += listed[-1].slots
    for slot, each in starts.items():
        if each.op == CALL and each.src:
            each.target = starts[slot + 1 + each.value]
        elif each.kind == JUMP and each.op not in (CALL, EXIT):
            each.target = starts[slot + 1 + each.offset]
    return listed, starts


def encode(listed: Sequence[Instruction]) -> tuple[bytes, dict[Instruction, int]]:
    """Return the bytes, and the offset of each instruction in them."""
    place, at = {}, 0
    for each in listed:
        place[each] = at
        at += each.slots * 8
    code = bytearray()
    for each in listed:
        offset, value = each.offset, each.value
        if each.target is not None:
            distance = (place[each.target] - place[each]) // 8 - 1
            offset, value = (offset, distance) if each.op == CALL else (distance, value)
        low = value & 0xFFFFFFFF
        code += struct.pack("<BBhI", each.op, each.src << 4 | each.dst, offset, low)
        if each.op == LDDW:
            code += struct.pack("<II", 0, value >> 32 & 0xFFFFFFFF)
    return bytes(code), place


def without(
    listed: Sequence[Instruction], dropped: Container[Instruction], entry: Instruction
) -> tuple[list[Instruction], Instruction]:
    """Return the code less some instructions, and its entry: what led to one leads to what stood after it."""
    instead: dict[Instruction, Instruction] = {}
    following = listed[-1]
    for each in reversed(listed):
        following = following if each in dropped else each
        instead[each] = following
    kept = [each for each in listed if each not in dropped]
    for each in kept:
        if each.target is not None:
            each.target = instead[each.target]
    return kept, instead[entry]


def successors(listed: Sequence[Instruction]) -> list[list[int]]:
    """Return the indices of what may run after each instruction within its function."""
    index = {each: number for number, each in enumerate(listed)}
    return [
        ([] if each.ends else [number + 1]) + ([] if each.branch is None else [index[each.branch]])
        for number, each in enumerate(listed)
    ]


def reached(following: Sequence[Sequence[int]], start: int) -> set[int]:
    """Return the indices of what a function that begins at an index may run, without what it calls."""
    found, waiting = {start}, [start]
    while waiting:
        new = [each for each in following[waiting.pop()] if each not in found]
        found.update(new)
        waiting.extend(new)
    return found
