import ctypes
import struct
from random import Random

from tests.programs.curve_cases import (
    check_function_case,
    check_pool_case,
    check_risk_case,
    draw_u64,
)
from tests.programs.native import BPF_FLAGS, EXPORTS, compile_c


def test_c_and_python_agree_on_every_trade_and_change_of_liquidity(native):
    rng = Random(1)
    for _ in range(6_000):
        check_pool_case(native, rng)


def test_c_and_python_agree_on_every_function_of_u(native):
    rng = Random(2)
    for _ in range(2_500):
        check_function_case(native, rng)


def test_c_and_python_agree_on_every_risk_rule(native):
    rng = Random(3)
    for _ in range(6_000):
        check_risk_case(native, rng)


def test_mul_div_is_exact_where_knuths_guess_is_two_too_large(native):
    rng, out = Random(4), (ctypes.c_uint64 * 1)()
    edges = (1, 2**32 - 1, 2**32, 2**32 + 1, 2**63 - 1, 2**63, 2**63 + 1, 2**64 - 1)
    for a in edges:
        for b in edges:
            for divisor in (*edges, draw_u64(rng) | 1):
                fitted = native["mul_div"](a, b, divisor, 0, out)
                expected = a * b // divisor
                assert fitted == (expected < 2**64)
                assert not fitted or out[0] == expected


def test_a_debt_weighed_and_repaid_leaves_the_sum_as_it_was(native):
    total = (ctypes.c_uint64 * 2)(2**64 - 5, 7)
    native["weigh_debt"](total, 10**15, 3, 0)
    assert total[1] << 64 | total[0] == (7 << 64 | 2**64 - 5) + 10**15 * 666_667
    native["weigh_debt"](total, 10**15, 3, 1)
    assert (total[0], total[1]) == (2**64 - 5, 7)
    native["weigh_debt"](total, 2**64 - 1, 0, 1)
    native["weigh_debt"](total, 2**64 - 1, 0, 1)
    assert total[1] >= 0


def undefined_symbols(elf: bytes) -> list[str]:
    """Names that a 64-bit little-endian object leaves to others to define."""
    (offset,) = struct.unpack_from("<Q", elf, 40)
    entry, count = struct.unpack_from("<HH", elf, 58)
    sections = [struct.unpack_from("<IIQQQQIIQQ", elf, offset + i * entry) for i in range(count)]
    names = []
    for _, kind, _, _, start, size, link, _, _, stride in sections:
        if kind != 2:  # SHT_SYMTAB
            continue
        strings = sections[link][4]
        for at in range(start + stride, start + size, stride):
            name, _, _, section = struct.unpack_from("<IBBH", elf, at)
            if section == 0:
                begin = strings + name
                names.append(elf[begin : elf.index(b"\0", begin)].decode())
    return names


def test_the_headers_compile_for_the_chain_and_call_nothing_outside(tmp_path):
    # A __multi3 or __udivti3 here would be 128-bit arithmetic that the chain does not have.
    source, output = tmp_path / "chain.c", tmp_path / "chain.o"
    source.write_text(EXPORTS, "ascii")
    compile_c(source, output, (*BPF_FLAGS, "-c"))
    assert undefined_symbols(output.read_bytes()) == []
