"""Link one relocatable eBPF object into an sBPF v3 program.

A v3 executable has no sections, symbols or load-time relocations: an ELF header, at most two program headers, the
constants at virtual address 0 and the code at 2**32. Everything the runtime does not check, this linker does: v3
verifies syscall names neither at load nor at deploy, so a misspelt one would only fail when reached, and 32-bit
ALU instructions have other semantics than the compiler assumes, so they would compute wrong sums.

Source: SIMD-0189 and SIMD-0377 (the v3 file format), the kernel's BPF instruction set (opcodes and relocations).
"""

import struct
from dataclasses import dataclass
from typing import Final

from programs.betting_platform.relax import relax

CODE_ADDRESS: Final = 1 << 32
SYSCALLS: Final = (
    "sol_get_sysvar",
    "sol_invoke_signed_c",
    "sol_log_",
    "sol_log_64_",
    "sol_log_data",
    "sol_memcpy_",
    "sol_memset_",
    "sol_remaining_compute_units",
    "sol_sha256",
    "sol_try_find_program_address",
)
"""What the program may call; anything else is a mistake at link time."""

_R_BPF_64_64, _R_BPF_64_ABS64, _R_BPF_64_32 = 1, 2, 10
_SHT_PROGBITS, _SHT_SYMTAB, _SHT_REL, _SHT_NOBITS = 1, 2, 9, 8
_SHF_WRITE, _SHF_ALLOC, _SHF_EXECINSTR = 1, 2, 4
_SHN_UNDEF = 0
_LDDW, _CALLX = 0x18, 0x8D
_ATOMIC, _ATOMIC_MASK = 0xC3, 0xE7
_CLASS_ALU32, _CLASS_JMP32 = 0x04, 0x06
_MEMORY: Final = (0x61, 0x69, 0x71, 0x79, 0x62, 0x6A, 0x72, 0x7A, 0x63, 0x6B, 0x73, 0x7B)
_ALU64: Final = (
    *(op | source for op in range(0x07, 0x78, 0x10) for source in (0, 8)),  # add ... rsh
    0x87, 0x97, 0x9F, 0xA7, 0xAF, 0xB7, 0xBF, 0xC7, 0xCF,  # neg mod xor mov arsh
)  # fmt: skip
_JUMPS: Final = (
    0x05, 0x15, 0x1D, 0x25, 0x2D, 0x35, 0x3D, 0x45, 0x4D, 0x55, 0x5D, 0x65, 0x6D, 0x75, 0x7D,
    0xA5, 0xAD, 0xB5, 0xBD, 0xC5, 0xCD, 0xD5, 0xDD, 0x85, 0x95,
)  # fmt: skip
_BYTE_SWAPS: Final = (0xD4, 0xDC)
"""le and be: class ALU32 by encoding, 64-bit by meaning."""
_MOV32: Final = 0xBC
"""Of a register: clears the upper half on the compiler's machine and on sBPF alike, unlike 32-bit sums."""
_OPCODES: Final = frozenset({_LDDW, *_MEMORY, *_ALU64, *_JUMPS, *_BYTE_SWAPS, _MOV32})
"""Everything else is refused, known to be harmful or not."""


class LinkError(Exception):
    """The object cannot become a program."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Section:
    name: str
    kind: int
    flags: int
    data: bytes
    link: int
    info: int
    alignment: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Symbol:
    name: str
    section: int
    value: int


def syscall_hash(name: str) -> int:
    """Return murmur3_32 of a syscall's name with seed 0, the `imm` of a static call."""
    data = name.encode()
    mask = 0xFFFFFFFF
    h = 0

    def mix(k: int) -> int:
        k = k * 0xCC9E2D51 & mask
        k = (k << 15 | k >> 17) & mask
        return k * 0x1B873593 & mask

    whole = len(data) // 4 * 4
    for (k,) in struct.iter_unpack("<I", data[:whole]):
        h ^= mix(k)
        h = (h << 13 | h >> 19) & mask
        h = (h * 5 + 0xE6546B64) & mask
    if tail := data[whole:]:
        h ^= mix(int.from_bytes(tail, "little"))
    h ^= len(data)
    h = (h ^ h >> 16) * 0x85EBCA6B & mask
    h = (h ^ h >> 13) * 0xC2B2AE35 & mask
    return h ^ h >> 16


def link(object_bytes: bytes, entrypoint: str = "entrypoint") -> bytes:
    """Return the v3 executable of a relocatable object.

    Raises:
        LinkError: a writable section, an unknown syscall, relocation or opcode, or no entry point.
    """
    sections = _read_sections(object_bytes)
    symbols = _read_symbols(sections)
    code, constants, address_of = _place(sections)
    for section in sections:
        if section.kind == _SHT_REL and section.info in address_of:
            target = sections[section.info]
            image = code if target.flags & _SHF_EXECINSTR else constants
            origin = address_of[section.info]
            base = origin - (CODE_ADDRESS if target.flags & _SHF_EXECINSTR else 0)
            for offset, info in struct.iter_unpack("<QQ", section.data):
                symbol = symbols[info >> 32]
                _relocate(image, base + offset, info & 0xFFFFFFFF, symbol, address_of)
    entry = next((s for s in symbols if s.name == entrypoint and s.section in address_of), None)
    if entry is None:
        raise LinkError(f"no symbol {entrypoint!r}: found no entry point")
    _check_instructions(code)
    # The lengths of code and constants are what an account of the program pays rent for.
    start = address_of[entry.section] + entry.value - CODE_ADDRESS
    shorter, start = relax(bytes(code), start)
    return executable(shorter, bytes(constants), CODE_ADDRESS + start)


def _read_sections(data: bytes) -> list[_Section]:
    if data[:7] != b"\x7fELF\x02\x01\x01" or struct.unpack_from("<HH", data, 16) != (1, 247):
        raise LinkError("expected a relocatable little-endian 64-bit BPF object")
    (table,) = struct.unpack_from("<Q", data, 40)
    entry_size, count, names_index = struct.unpack_from("<HHH", data, 58)
    rows = [struct.unpack_from("<IIQQQQIIQQ", data, table + i * entry_size) for i in range(count)]

    def content(row: tuple[int, ...]) -> bytes:
        return b"" if row[1] == _SHT_NOBITS else data[row[4] : row[4] + row[5]]

    names = content(rows[names_index])
    return [
        _Section(
            name=_text(names, row[0]),
            kind=row[1],
            flags=row[2],
            data=content(row),
            link=row[6],
            info=row[7],
            alignment=row[8],
        )
        for row in rows
    ]


def _read_symbols(sections: list[_Section]) -> list[_Symbol]:
    table = next(s for s in sections if s.kind == _SHT_SYMTAB)
    names = sections[table.link].data
    return [
        _Symbol(name=_text(names, name), section=index, value=value)
        for name, _info, _other, index, value, _size in struct.iter_unpack("<IBBHQQ", table.data)
    ]


def _text(names: bytes, offset: int) -> str:
    return names[offset : names.index(b"\0", offset)].decode()


def _place(sections: list[_Section]) -> tuple[bytearray, bytearray, dict[int, int]]:
    """Lay out code and constants; return both and the virtual address of each placed section."""
    code, constants = bytearray(), bytearray()
    address_of: dict[int, int] = {}
    for index, section in enumerate(sections):
        if not section.flags & _SHF_ALLOC or section.name == ".eh_frame":
            continue
        # A table of pointers is writable for a loader that relocates it; here it is constant once linked.
        if section.flags & _SHF_WRITE and not section.name.startswith(".data.rel.ro"):
            raise LinkError(f"section {section.name} is writable: a program has no globals")
        image = code if section.flags & _SHF_EXECINSTR else constants
        alignment = max(section.alignment, 8)
        image.extend(bytes(-len(image) % alignment))
        address_of[index] = len(image) + (CODE_ADDRESS if image is code else 0)
        image.extend(section.data)
    constants.extend(bytes(-len(constants) % 8))
    return code, constants, address_of


def _relocate(
    image: bytearray, at: int, kind: int, symbol: _Symbol, address_of: dict[int, int]
) -> None:
    if kind == _R_BPF_64_32:
        if symbol.section == _SHN_UNDEF:
            if symbol.name not in SYSCALLS:
                raise LinkError(f"call of {symbol.name!r}: neither defined nor a known syscall")
            image[at + 1] &= 0x0F
            struct.pack_into("<I", image, at + 4, syscall_hash(symbol.name))
            return
        (addend,) = struct.unpack_from("<i", image, at + 4)
        target = address_of[symbol.section] - CODE_ADDRESS + symbol.value
        image[at + 1] = image[at + 1] & 0x0F | 0x10
        struct.pack_into("<i", image, at + 4, (target - at) // 8 + addend)
        return
    if symbol.section not in address_of:
        raise LinkError(f"address of {symbol.name!r}: the symbol is not in this object")
    address = address_of[symbol.section] + symbol.value
    if kind == _R_BPF_64_64:
        low, _, high = struct.unpack_from("<IIi", image, at + 4)
        address += low | high << 32
        struct.pack_into("<I", image, at + 4, address & 0xFFFFFFFF)
        struct.pack_into("<I", image, at + 12, address >> 32)
    elif kind == _R_BPF_64_ABS64:
        (addend,) = struct.unpack_from("<Q", image, at)
        struct.pack_into("<Q", image, at, address + addend)
    else:
        raise LinkError(f"relocation type {kind} at {symbol.name!r} is not supported")


def _check_instructions(code: bytearray) -> None:
    at = 0
    while at < len(code):
        opcode = code[at]
        if opcode & 7 == _CLASS_ALU32 and opcode not in (*_BYTE_SWAPS, _MOV32):
            raise LinkError(f"32-bit ALU opcode {opcode:#04x} at {at:#x}: compile with -mcpu=v2")
        if opcode & 7 == _CLASS_JMP32:
            raise LinkError(f"32-bit jump {opcode:#04x} at {at:#x}: compile with -mcpu=v2")
        if opcode & _ATOMIC_MASK == _ATOMIC:
            raise LinkError(f"atomic {opcode:#04x} at {at:#x}: not an sBPF instruction")
        if opcode == _CALLX:
            raise LinkError(f"indirect call at {at:#x}: the program calls by name only")
        if opcode not in _OPCODES:
            raise LinkError(f"opcode {opcode:#04x} at {at:#x}: not one this program may use")
        at += 16 if opcode == _LDDW else 8


def executable(code: bytes, constants: bytes, entry: int) -> bytes:
    """Wrap code and constants into a v3 executable that starts at the address `entry`."""
    segments = [(1, CODE_ADDRESS, code)]
    if constants:
        segments.insert(0, (4, 0, constants))
    header_size = 64 + 56 * len(segments)
    offset = header_size
    headers = b""
    for flags, address, data in segments:
        headers += struct.pack(
            "<IIQQQQQQ", 1, flags, offset, address, address, len(data), len(data), 8
        )
        offset += len(data)
    elf = b"\x7fELF\x02\x01\x01" + bytes(9)
    elf += struct.pack("<HHIQQQIHHHHHH", 3, 247, 1, entry, 64, 0, 3, 64, 56, len(segments), 0, 0, 0)
    return elf + headers + b"".join(data for _, _, data in segments)
