"""Shortened programs do what they did: random ones, run step by step before and after."""

import random

import pytest

from programs.betting_platform.bytecode import (
    CALL,
    EXIT,
    JA,
    LDDW,
    MOV32_REG,
    MOV_IMM,
    MOV_REG,
    Instruction,
    decode,
    encode,
)
from programs.betting_platform.relax import relax

FRAME_BYTES = 4_096
MASK = (1 << 64) - 1
HEAP = 1 << 40
ADD_IMM, ADD, SUB, LSH_IMM, RSH_IMM = 0x07, 0x0F, 0x1F, 0x67, 0x77
LOAD8, STORE8, STORE8_IMM = 0x79, 0x7B, 0x7A
BRANCH = {0x15: int.__eq__, 0x55: int.__ne__, 0x25: int.__gt__, 0xB5: int.__le__}
COMPARE = BRANCH | {JA: lambda _d, _v: True}
RESULT = {
    MOV_IMM: lambda _d, _s, v: v,
    LDDW: lambda _d, _s, v: v,
    MOV_REG: lambda _d, s, _v: s,
    MOV32_REG: lambda _d, s, _v: s & 0xFFFFFFFF,
    ADD_IMM: lambda d, _s, v: d + v,
    ADD: lambda d, s, _v: d + s,
    SUB: lambda d, s, _v: d - s,
    LSH_IMM: lambda d, _s, v: d << v,
    RSH_IMM: lambda d, _s, v: d >> v,
}


def one(op, dst=0, src=0, offset=0, value=0, target=None):
    return Instruction(op=op, dst=dst, src=src, offset=offset, value=value, target=target)


class Author:
    """Writes functions of a pointer (r1) and a number (r2) that return a number, as the compiler would.

    r1 to r5 hold nothing after a call, r6 keeps the pointer, r7 and r8 numbers; two words of the frame are set first.
    """

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.functions = []

    def function(self):
        numbers = [2]
        code = [one(MOV_REG, 6, 1), one(MOV_REG, 7, 2), one(MOV_IMM, 8, value=self.small())]
        code += [one(STORE8, 10, 2, -8), one(STORE8_IMM, 10, 0, -16, self.small())]
        end = one(EXIT)
        numbers += [7, 8]
        for _ in range(self.random.randrange(2, 9)):
            numbers = self.statement(code, numbers, end)
        if self.functions and self.random.random() < 0.6:
            code += self.call(numbers)
        else:
            code.append(one(MOV_IMM, 0, value=self.small()))
        return [*code, end]

    def small(self):
        return self.random.choice((0, 0, 1, 5, -3))

    def call(self, numbers):
        pointer = [one(MOV_REG, 1, 6)]
        if self.random.random() < 0.4:
            pointer = [one(MOV_REG, 1, 10), one(ADD_IMM, 1, value=-8)]
        known = [one(MOV_REG, 2, self.random.choice(numbers)), one(MOV_IMM, 2, value=self.small())]
        setting = [pointer, [self.random.choice(known)]]
        if not any(each.src == 1 for each in setting[1]):
            self.random.shuffle(setting)
        target = self.random.choice(self.functions[:3])[0] if self.functions else None
        is_inside = target is not None and self.random.random() < 0.7
        made = one(CALL, src=1, target=target) if is_inside else one(CALL, value=77)
        return [*setting[0], *setting[1], made]

    def statement(self, code, numbers, end):
        pick = self.random.choice
        number, other = pick(numbers), pick(numbers)
        place = pick((10, 6))
        offset = pick((-8, -16)) if place == 10 else 0
        kind = self.random.randrange(10)
        if kind == 0:
            code.append(one(pick((ADD, SUB)), number, other))
        elif kind == 1:
            code += [one(LSH_IMM, number, value=32), one(RSH_IMM, number, value=32)]
        elif kind == 2:
            fresh = pick((3, 4))
            code += [one(MOV_IMM, fresh, value=self.small()), one(STORE8, place, fresh, offset)]
            return [*numbers, fresh]
        elif kind == 3:
            code.append(one(STORE8, place, number, offset))
        elif kind == 4:
            code.append(one(LOAD8, number, place, offset))
        elif kind == 5:
            code += self.call(numbers)
            kept = [each for each in numbers if each > 5]
            code.append(pick((one(0x55, 0, value=0, target=end), one(MOV_REG, 7, 0))))
            return kept
        elif kind == 6:
            code += [one(MOV_REG, 5, number), one(MOV_REG, number, 5)]
        elif kind == 7:  # a refusal: if not, over it
            after = one(MOV_REG, 8, other)
            code.append(one(pick(tuple(BRANCH)), number, value=pick((0, 3)), target=after))
            code += [one(MOV_IMM, 0, value=self.small()), one(JA, target=end), after]
        elif kind == 8:  # a refusal: its code first, then whether
            code += [one(MOV_IMM, 0, value=self.small()), one(0x25, number, value=3, target=end)]
        else:
            code.append(one(LDDW, number, value=pick((9, 1 << 40))))
        return numbers

    def program(self):
        for _ in range(self.random.randrange(3, 10)):
            self.functions.append(self.function())
        listed = [each for function in self.functions for each in function]
        code, place = encode(listed)
        return code, place[self.functions[-1][0]]


def run(code, entry):
    """Return r0 at the end, and what each outside call was given."""
    listed, starts = decode(code)
    index = {each: number for number, each in enumerate(listed)}
    at, steps, given = index[starts[entry // 8]], 0, []
    r, memory, stack = [0xDEAD] * 11, {HEAP: 4}, []
    r[1], r[2], r[10] = HEAP, 11, 1 << 20
    while True:
        each = listed[at]
        at, steps = at + 1, steps + 1
        assert steps < 100_000
        d, s, value = each.dst, r[each.src], each.value & MASK
        if each.op in RESULT:
            r[d] = RESULT[each.op](r[d], s, value) & MASK
        elif each.op == LOAD8:
            r[d] = memory[s + each.offset]
        elif each.op in (STORE8, STORE8_IMM):
            memory[r[d] + each.offset] = s if each.op == STORE8 else value
        elif each.op in COMPARE:
            at = index[each.target] if COMPARE[each.op](r[d], value) else at
        elif each.op == CALL and each.target is None:
            given.append((memory[r[1]], r[2]))
            r[:6] = [len(given) % 3, *(0xBAD0 + register for register in range(5))]
        elif each.op == CALL:
            stack.append((at, r[6:11]))
            r[10] += FRAME_BYTES
            at = index[each.target]
        elif stack:
            assert each.op == EXIT
            at, r[6:11] = stack.pop()
        else:
            return r[0], given


@pytest.mark.parametrize("seed", range(150))
def test_a_random_program_does_the_same_and_is_no_longer(seed):
    code, entry = Author(seed).program()
    shorter, start = relax(code, entry)
    assert run(shorter, start) == run(code, entry)
    assert len(shorter) <= len(code)
