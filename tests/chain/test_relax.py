"""Shorter code does the same: what is rewritten, and what must stay."""

import struct

from programs.betting_platform.relax import relax

R1, R2, R10 = 1, 2, 10
EXIT = struct.pack("<BBhi", 0x95, 0, 0, 0)


def one(op, dst=0, src=0, offset=0, value=0):
    return struct.pack("<BBhi", op, src << 4 | dst, offset, value)


def lddw(dst, value):
    low, high = value & 0xFFFFFFFF, value >> 32 & 0xFFFFFFFF
    return struct.pack("<BBhIII", 0x18, dst, 0, low, 0, high)


def mov(dst, value):
    return one(0xB7, dst, value=value)


def store(src, offset=-8):
    return one(0x7B, R10, src, offset)


def store_constant(value, offset=-8):
    return one(0x7A, R10, 0, offset, value)


def relaxed(*code):
    return relax(b"".join(code), 0)[0]


def test_an_address_that_fits_takes_one_slot_and_another_keeps_two():
    address = (lddw(R1, 4_096), one(0x85, value=0x1234), EXIT)
    assert relaxed(*address) == mov(R1, 4_096) + b"".join(address[1:])
    kept = (lddw(R2, 1 << 32), store(R2), EXIT)
    assert relaxed(*kept) == b"".join(kept)
    negative = (lddw(0, -5), EXIT)
    assert relaxed(*negative) == mov(0, -5) + EXIT


def test_a_constant_that_is_only_stored_needs_no_register():
    assert relaxed(mov(R1, 7), store(R1), store(R1, -16), EXIT) == (
        store_constant(7) + store_constant(7, -16) + EXIT
    )


def test_a_constant_that_is_read_otherwise_stays():
    for reader in (one(0x07, R1, value=1), one(0x85, value=0x1234), one(0x0F, R2, R1)):
        code = (mov(R1, 7), store(R1), reader, EXIT)
        assert relaxed(*code) == b"".join(code)
    returned = (mov(0, 7), store(0), EXIT)
    assert relaxed(*returned) == b"".join(returned)
    pointer = (mov(R1, 7), one(0x7B, R1, R1), EXIT)
    assert relaxed(*pointer) == b"".join(pointer)


def test_a_constant_that_a_branch_still_needs_stays():
    read_there = (mov(R1, 7), store(R1), one(0x15, R2, offset=1), EXIT, store(R1, -16), EXIT)
    assert relaxed(*read_there) == b"".join(read_there)
    not_read = (mov(R1, 7), store(R1), one(0x15, R2, offset=1), EXIT, mov(0, 1), EXIT)
    assert relaxed(*not_read) == store_constant(7) + b"".join(not_read[2:])


def test_a_store_that_another_path_reaches_keeps_its_register():
    code = (one(0x15, R2, offset=1), mov(R1, 7), store(R1), EXIT)
    assert relaxed(*code) == b"".join(code)


def test_jumps_calls_and_the_entry_follow_what_has_moved():
    code = (
        mov(R1, 7),
        store(R1),
        EXIT,
        lddw(R1, 5),
        one(0x85, 0, 1, value=-6),  # calls what stands first
        one(0x05, offset=-2),  # calls again
    )
    shorter, entry = relax(b"".join(code), 3 * 8)
    assert shorter == b"".join(
        (
            store_constant(7),
            EXIT,
            mov(R1, 5),
            one(0x85, 0, 1, value=-4),
            one(0x05, offset=-2),
        )
    )
    assert entry == 2 * 8


def test_one_move_of_32_bits_clears_the_upper_half():
    shifts = (one(0x67, R2, value=32), one(0x77, R2, value=32))
    assert relaxed(*shifts, store(R2), EXIT) == one(0xBC, R2, R2) + store(R2) + EXIT
    assert relaxed(one(0xBF, R2, R1), *shifts, store(R2), EXIT) == (
        one(0xBC, R2, R1) + store(R2) + EXIT
    )
    jumped_between = (one(0x15, R1, offset=1), *shifts, store(R2), EXIT)
    assert relaxed(*jumped_between) == b"".join(jumped_between)


def test_a_move_of_what_the_register_holds_goes():
    again = one(0xBF, R1, 6)
    call, callee = one(0x85, 0, 1, value=3), (one(0x79, 0, R1), EXIT)
    assert relaxed(again, call, again, store(R1), EXIT, *callee) == (
        again + one(0x85, 0, 1, value=2) + store(R1) + EXIT + b"".join(callee)
    )
    outside = (again, one(0x85, value=0x1234), again, store(R1), EXIT)
    assert relaxed(*outside) == b"".join(outside)  # it may have written r1


def test_what_a_branch_has_shown_is_known():
    check = (one(0x79, 0, R1), one(0x55, 0, offset=2), store(R2), mov(0, 0), EXIT)
    assert relaxed(*check) == check[0] + one(0x55, 0, offset=1) + store(R2) + EXIT


def test_a_last_call_is_a_jump_unless_its_frame_is_passed_on():
    def calls(first, callee):
        inner = (first, one(0x85, 0, 1, value=1), EXIT)
        return relaxed(one(0x85, 0, 1, value=1), EXIT, *inner, *callee)

    uses_frame = (store(R1), one(0x79, 0, R1), EXIT)
    frameless = (one(0x79, 0, R1), EXIT)
    passed, kept = one(0xBF, R1, R10), one(0xBF, R1, R2)
    assert calls(passed, uses_frame).count(one(0x85, 0, 1)[:2]) == 1  # the outer one passes none
    assert calls(kept, uses_frame).count(one(0x85, 0, 1)[:2]) == 0
    assert calls(passed, frameless).count(one(0x85, 0, 1)[:2]) == 0


def test_equal_tails_have_one_copy():
    tail = (mov(0, 7), store(0), one(0x85, value=0x1234), mov(0, 9), EXIT)
    shorter = relaxed(one(0x15, R2, offset=6), one(0x0F, R1, R2), *tail, one(0x1F, R1, R2), *tail)
    assert shorter.count(b"".join(tail[2:])) == 1


def test_what_callers_do_alike_before_a_call_is_done_once_on_the_way_in():
    def caller(offset, distance):
        return (
            mov(R2, 5),
            one(0x79, R1, 6, offset),
            one(0x85, 0, 1, value=distance),
            store(0, -offset),
        )

    callee = (one(0x79, 0, R1), one(0x0F, 0, R2), mov(R2, 3), EXIT)
    code = (*caller(8, 11), *caller(16, 7), *caller(24, 3), mov(0, 0), EXIT, *callee)
    assert relaxed(*code).count(mov(R2, 5)) == 1
    framed = b"".join(code).replace(mov(R2, 5), one(0xBF, R2, R10))
    assert relaxed(framed).count(one(0xBF, R2, R10)) == 3  # the callee has another frame
