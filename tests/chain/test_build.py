"""The committed bytes are what the source builds, anywhere; and the linker refuses what would fail later or silently."""

import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.litesvm import LiteSVM
from solders.message import Message
from solders.transaction import Transaction

from programs.betting_platform import build as builder
from programs.betting_platform import link as linker
from programs.betting_platform.build import PROGRAM_SO, SOURCE, CompileError, build
from programs.betting_platform.link import SYSCALLS, LinkError, link, syscall_hash

ROOT = SOURCE.parents[1]
ENTRY = "unsigned long long entrypoint(unsigned char *input)"
LOG = "extern unsigned long long sol_log_64_(unsigned long long);"


def build_text(folder: Path, text: str) -> bytes:
    source = folder / "small.c"
    source.write_text(f"{text}\n")
    return build(source)


def entry(body: str, before: str = "") -> str:
    return f"{before} {ENTRY}; {ENTRY} {{ {body} }}"


def test_the_committed_program_is_what_the_source_builds():
    assert build() == PROGRAM_SO.read_bytes()


def test_another_folder_home_and_cache_build_the_same_bytes(tmp_path):
    copy = tmp_path / "somewhere else"
    shutil.copytree(SOURCE, copy, ignore=shutil.ignore_patterns("*.so", "*.py", "__pycache__"))
    code = (
        "import sys, pathlib; from programs.betting_platform.build import build;"
        "sys.stdout.buffer.write(build(pathlib.Path(sys.argv[1])))"
    )
    home = tmp_path / "home"
    home.mkdir()
    environment = os.environ | {
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / "cache"),
        "ZIG_GLOBAL_CACHE_DIR": str(home / "zig"),
        "ZIG_LOCAL_CACHE_DIR": str(home / "zig-local"),
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        [sys.executable, "-c", code, str(copy / "program.c")],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    assert done.stdout == PROGRAM_SO.read_bytes()


def test_the_check_command_says_the_digest_and_passes(capsys):
    arguments, sys.argv = sys.argv, ["build", "--check"]
    try:
        assert builder.main() == 0
    finally:
        sys.argv = arguments
    assert "sha256" in capsys.readouterr().out


def test_what_does_not_compile_is_reported_in_the_compilers_words(tmp_path):
    with pytest.raises(CompileError, match="undeclared"):
        build_text(tmp_path, entry("return input[0] + nothing;"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(
            entry("return sol_lgo_64_(input[0]);", LOG.replace("log", "lgo")),
            "call of 'sol_lgo_64_': neither defined nor a known syscall",
            id="a misspelt syscall",
        ),
        pytest.param(
            entry("return ++counter + input[0];", "static volatile unsigned long long counter;"),
            "is writable: a program has no globals",
            id="a global in bss",
        ),
        pytest.param(
            entry("return ++counter + input[0];", "unsigned long long counter = 7;"),
            "is writable: a program has no globals",
            id="a global in data",
        ),
        pytest.param(
            entry("return input[0];").replace("entrypoint", "start"),
            "no symbol 'entrypoint'",
            id="no entry point",
        ),
        pytest.param(
            entry(
                "unsigned long long (*f)(unsigned long long) = input[0] ? one : two; return f(1);",
                "static __attribute__((noinline)) unsigned long long one(unsigned long long x) { return x * 3; }"
                "static __attribute__((noinline)) unsigned long long two(unsigned long long x) { return x * 5; }",
            ),
            "indirect call",
            id="an indirect call",
        ),
    ],
)
def test_the_linker_refuses(tmp_path, text, said):
    with pytest.raises(LinkError, match=said):
        build_text(tmp_path, text)


def test_the_linker_refuses_32_bit_arithmetic_because_its_meaning_differs(tmp_path):
    source, target = tmp_path / "small.c", tmp_path / "small.o"
    source.write_text(entry("unsigned x = input[0]; return x * 7u + (x >> 3);") + "\n")
    flags = ["-mcpu=v3" if flag == "-mcpu=v2" else flag for flag in builder._FLAGS]
    subprocess.run(
        [sys.executable, "-m", "ziglang", "cc", *flags, "-c", str(source), "-o", str(target)],
        check=True,
    )
    with pytest.raises(LinkError, match="32-bit"):
        link(target.read_bytes())


@pytest.mark.parametrize("data", [b"", b"\x7fELF", b"\x7fELF\x02\x01\x01" + bytes(57), bytes(200)])
def test_the_linker_refuses_what_is_no_object(data):
    with pytest.raises(LinkError, match="expected a relocatable"):
        link(data)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("", 0),
        ("test", 0xBA6BD213),
        ("Hello, world!", 0xC0363E43),
        ("The quick brown fox jumps over the lazy dog", 0x2E4FF723),
        ("abort", 0xB6FC1A11),
        ("sol_log_", 0x207559BD),
        ("sol_memcpy_", 0x717CC4A3),
        ("sol_invoke_signed_c", 0xA22B9C85),
    ],
)
def test_syscall_hashes_are_murmur3(name, expected):
    # Source: the first four, common murmur3_32 vectors of seed 0; the rest, Solana's published syscall list.
    assert syscall_hash(name) == expected


def test_syscall_names_do_not_collide():
    assert len({syscall_hash(name) for name in SYSCALLS}) == len(SYSCALLS)


def test_the_executable_is_a_v3_file():
    data = PROGRAM_SO.read_bytes()
    assert data[:16] == b"\x7fELF\x02\x01\x01" + bytes(9)
    kind, machine, version, start, headers, sections, flags = struct.unpack_from(
        "<HHIQQQI", data, 16
    )
    sizes = struct.unpack_from("<HHHHHH", data, 52)
    assert (kind, machine, version, headers, sections, flags) == (3, 247, 1, 64, 0, 3)
    assert sizes == (64, 56, 2, 0, 0, 0)
    constants = struct.unpack_from("<IIQQQQQQ", data, 64)
    code = struct.unpack_from("<IIQQQQQQ", data, 120)
    assert constants[:2] == (1, 4)
    assert code[:2] == (1, 1)
    assert (constants[3], code[3]) == (0, 1 << 32)
    for segment in (constants, code):
        assert segment[3] == segment[4]
        assert segment[5] == segment[6]
        assert segment[5] % 8 == 0
    assert constants[2] == 64 + 2 * 56
    assert code[2] == constants[2] + constants[5]
    assert len(data) == code[2] + code[5]
    assert (1 << 32) <= start < (1 << 32) + code[5]
    assert start % 8 == 0


def test_a_program_without_constants_has_one_segment(tmp_path):
    data = build_text(tmp_path, entry("return input[0];"))
    assert struct.unpack_from("<H", data, 56) == (1,)
    assert struct.unpack_from("<IIQQ", data, 64) == (1, 1, 120, 1 << 32)


def test_the_linker_refuses_every_opcode_it_does_not_know():
    for opcode in range(256):
        code = bytearray([opcode]) + bytearray(15)
        code[8] = 0x95  # exit, or the second half of lddw
        if opcode in linker._OPCODES:
            if opcode == 0x18:
                code[8] = 0
            linker._check_instructions(code)
        else:
            with pytest.raises(LinkError, match=f"{opcode:#04x}|indirect call"):
                linker._check_instructions(code)


def test_the_committed_program_uses_only_opcodes_it_may():
    code = PROGRAM_SO.read_bytes()
    offset, size = struct.unpack_from("<8xQ16xQ", code, 64 + 56)
    linker._check_instructions(bytearray(code[offset : offset + size]))


def test_a_table_of_pointers_to_constants_and_own_functions_links_and_runs(tmp_path):
    program = build_text(
        tmp_path,
        entry(
            "unsigned long long at = input[0]; return at < 3 ? weigh(NAMES[at]) : 0;",
            "static const unsigned char A[] = {1, 0}, B[] = {2, 0}, C[] = {40, 0};"
            "static const unsigned char *const NAMES[] = {A, B, C};"
            # Not static: calls of an exported function go through a relocation, calls of a static one do not.
            "unsigned long long weigh(const unsigned char *name);"
            "__attribute__((noinline)) unsigned long long weigh(const unsigned char *name) {"
            " return 100 + *(const volatile unsigned char *)name; }",
        ),
    )
    svm, payer = LiteSVM(), Keypair()
    svm.airdrop(payer.pubkey(), 10**9)
    address = Keypair().pubkey()
    svm.add_program(address, program)
    for accounts, expected in ((0, 101), (1, 102), (2, 140)):
        # The first byte of the input is the number of accounts.
        metas = [AccountMeta(Keypair().pubkey(), is_signer=False, is_writable=False)] * accounts
        message = Message([Instruction(address, b"", metas)], payer.pubkey())
        failed = svm.send_transaction(Transaction([payer], message, svm.latest_blockhash()))
        assert expected == failed.err().err.code


def test_the_linker_refuses_addresses_and_relocations_it_cannot_resolve(tmp_path):
    with pytest.raises(LinkError, match="address of 'elsewhere': the symbol is not in this object"):
        build_text(
            tmp_path, entry("return elsewhere + input[0];", "extern unsigned long long elsewhere;")
        )
    with pytest.raises(LinkError, match=r"relocation type 77 at 'x' is not supported"):
        linker._relocate(bytearray(16), 0, 77, linker._Symbol(name="x", section=1, value=0), {1: 0})
