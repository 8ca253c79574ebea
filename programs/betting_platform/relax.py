"""Shorten linked code: constants that fit an instruction, and stores of constants without a register.

The compiler's target has no store of a constant and loads every address with two slots; sBPF has both short forms. Each
rewrite keeps what every register that is read later holds, which liveness over the whole code proves.

Source: the kernel's BPF instruction set; SIMD-0174 and SIMD-0178 for what sBPF v3 keeps of it.
"""

import struct
from dataclasses import dataclass
from typing import Final

_LDDW, _MOV_IMM, _MOV_REG, _CALL, _EXIT, _JA = 0x18, 0xB7, 0xBF, 0x85, 0x95, 0x05
_LOAD, _STORE_IMM, _STORE, _JUMP = 1, 2, 3, 5
_SOURCE_IS_REGISTER: Final = 8
_STORE_TO_STORE_IMM: Final = 1
"""The class of a store of a register, less this, is that of a store of a constant of the same size."""
_ARGUMENTS: Final = 0b111110
"""r1 to r5, which a call may read; it writes r0 to r5."""
_I32: Final = 1 << 31


@dataclass(slots=True, kw_only=True)
class _Instruction:
    op: int
    dst: int
    src: int
    offset: int
    value: int
    """Of 32 bits, signed, but for lddw."""
    target: int | None = None
    """Index of the instruction that a jump or a call within the program leads to."""

    @property
    def kind(self) -> int:
        return self.op & 7

    @property
    def slots(self) -> int:
        return 2 if self.op == _LDDW else 1

    @property
    def ends(self) -> bool:
        return self.op in (_EXIT, _JA)

    @property
    def branch(self) -> int | None:
        return self.target if self.kind == _JUMP and self.op != _CALL else None

    @property
    def reads(self) -> int:
        if self.op == _CALL:
            return _ARGUMENTS
        if self.op == _EXIT:
            return 1
        if self.op in (_LDDW, _MOV_IMM, _JA):
            return 0
        if self.kind == _LOAD or self.op == _MOV_REG:
            return 1 << self.src
        uses_source = self.kind == _STORE or (
            self.kind != _STORE_IMM and self.op & _SOURCE_IS_REGISTER
        )
        return 1 << self.dst | (1 << self.src if uses_source else 0)

    @property
    def writes(self) -> int:
        if self.op == _CALL:
            return _ARGUMENTS | 1
        return 0 if self.kind in (_STORE, _STORE_IMM, _JUMP) else 1 << self.dst


def relax(code: bytes, entry: int) -> tuple[bytes, int]:
    """Return shorter code that does the same, and where its entry point has moved to.

    Args:
        entry: offset of the entry point in the code.
    """
    listed, starts = _decode(code)
    for each in listed:
        if each.op == _LDDW and -_I32 <= each.value < _I32:
            each.op = _MOV_IMM
    kept = _without_moves(listed)
    place, at = {}, 0
    for index, each in enumerate(listed):
        place[index] = at
        at += each.slots if index in kept else 0
    return _encode(listed, kept, place), place[starts[entry // 8]] * 8


def _decode(code: bytes) -> tuple[list[_Instruction], dict[int, int]]:
    listed: list[_Instruction] = []
    starts: dict[int, int] = {}
    slot = 0
    while slot * 8 < len(code):
        op, registers, offset, value = struct.unpack_from("<BBhi", code, slot * 8)
        starts[slot] = len(listed)
        if op == _LDDW:
            (high,) = struct.unpack_from("<i", code, slot * 8 + 12)
            value = high << 32 | value & 0xFFFFFFFF
        listed.append(
            _Instruction(op=op, dst=registers & 15, src=registers >> 4, offset=offset, value=value)
        )
        slot += listed[-1].slots
    for slot, index in starts.items():
        each = listed[index]
        if each.op == _CALL and each.src:
            each.target = starts[slot + 1 + each.value]
        elif each.kind == _JUMP and each.op not in (_CALL, _EXIT):
            each.target = starts[slot + 1 + each.offset]
    return listed, starts


def _live(listed: list[_Instruction]) -> list[int]:
    """Return which registers, as bits, are read later, before each instruction."""
    before = [0] * (len(listed) + 1)
    changed = True
    while changed:
        changed = False
        for index in range(len(listed) - 1, -1, -1):
            each = listed[index]
            after = 0 if each.ends else before[index + 1]
            if each.branch is not None:
                after |= before[each.branch]
            found = each.reads | after & ~each.writes
            changed |= found != before[index]
            before[index] = found
    return before


def _without_moves(listed: list[_Instruction]) -> set[int]:
    """Let stores take their constants directly; return the instructions that are still needed."""
    live = _live(listed)
    labels = {each.branch for each in listed}
    kept = set(range(len(listed)))
    for index, each in enumerate(listed):
        if each.op == _MOV_IMM and (stores := _stores_of(listed, index, labels, live)):
            kept.discard(index)
            for store in stores:
                listed[store].op -= _STORE_TO_STORE_IMM
                listed[store].src, listed[store].value = 0, each.value
    return kept


def _stores_of(
    listed: list[_Instruction], move: int, labels: set[int | None], live: list[int]
) -> list[int]:
    """Return the stores that are all that a constant in a register is for; none when it is for more."""
    bit, stores, index = 1 << listed[move].dst, [], move + 1
    while index not in labels:
        each = listed[index]
        if each.reads & bit:
            if each.kind != _STORE or 1 << each.dst == bit:
                return []
            stores.append(index)
        if each.writes & bit:
            return stores
        if each.kind == _JUMP and each.op != _CALL:
            after = 0 if each.ends else live[index + 1]
            after |= 0 if each.branch is None else live[each.branch]
            return [] if after & bit else stores
        index += 1
    return [] if live[index] & bit else stores


def _encode(listed: list[_Instruction], kept: set[int], place: dict[int, int]) -> bytes:
    code = bytearray()
    for index in sorted(kept):
        each = listed[index]
        offset, value = each.offset, each.value
        if each.target is not None:
            distance = place[each.target] - place[index] - 1
            offset, value = (offset, distance) if each.op == _CALL else (distance, value)
        low = value & 0xFFFFFFFF
        code += struct.pack("<BBhI", each.op, each.src << 4 | each.dst, offset, low)
        if each.op == _LDDW:
            code += struct.pack("<II", 0, value >> 32 & 0xFFFFFFFF)
    return bytes(code)
