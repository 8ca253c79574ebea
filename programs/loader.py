"""The upgradeable loader's wire format: instructions, account sizes and ProgramData.

solders has no builders for it, so they are written here by hand: a u32 little-endian tag, then the fields.

Source: solana-loader-v3-interface, `instruction.rs` and `state.rs`.
"""

import struct
from dataclasses import dataclass
from typing import Final

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM_PROGRAM
from solders.sysvar import CLOCK, RENT

from programs.units import Slot

LOADER: Final = Pubkey.from_string("BPFLoaderUpgradeab1e11111111111111111111111")
PROGRAM_BYTES: Final = 36
BUFFER_HEADER_BYTES: Final = 37
PROGRAM_DATA_HEADER_BYTES: Final = 45
"""Offset of the code in a ProgramData account."""
WRITE_CHUNK_BYTES_MAX: Final = 1_012
"""What one Write may carry: 1_232 less signatures, keys and headers of a one-instruction transaction."""

_BUFFER_TAG: Final = 1
_PROGRAM_TAG: Final = 2
_PROGRAM_DATA_TAG: Final = 3
_BUFFER = struct.Struct("<IB32s")
_PROGRAM = struct.Struct("<I32s")
_PROGRAM_DATA = struct.Struct("<IQB32s")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramData:
    """What a ProgramData account says.

    Layout: u32 tag 3 at 0, u64 slot at 4, u8 has_authority at 12, 32 bytes of authority at 13, code at 45.
    """

    deployed_slot: Slot
    authority: Pubkey | None
    """None: nobody can ever change the code."""
    code: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Buffer:
    """What a buffer account says: code on its way to a program.

    Layout: u32 tag 1 at 0, u8 has_authority at 4, 32 bytes of authority at 5, code at 37.
    """

    authority: Pubkey | None
    """Who may write, deploy and close it."""
    code: bytes
    """As far as it has been written; zeros elsewhere."""


class NotProgramData(ValueError):  # noqa: N818 - reads as the sentence it says
    """The bytes are no account of the kind asked for."""


def program_data_address(program: Pubkey) -> Pubkey:
    """Where the loader keeps the code of `program`."""
    return Pubkey.find_program_address([bytes(program)], LOADER)[0]


def decode_program_data(data: bytes) -> ProgramData:
    """Read a ProgramData account.

    Raises:
        NotProgramData: It is too short or of another kind.
    """
    if len(data) < PROGRAM_DATA_HEADER_BYTES:
        raise NotProgramData(
            f"a ProgramData account has at least {PROGRAM_DATA_HEADER_BYTES} bytes, found {len(data)}"
        )
    tag, slot, has_authority, authority = _PROGRAM_DATA.unpack_from(data)
    if tag != _PROGRAM_DATA_TAG:
        raise NotProgramData(f"a ProgramData account starts with 3, found {tag}")
    return ProgramData(
        deployed_slot=Slot(slot),
        authority=Pubkey(authority) if has_authority else None,
        code=data[PROGRAM_DATA_HEADER_BYTES:],
    )


def decode_buffer(data: bytes) -> Buffer:
    """Read a buffer account.

    Raises:
        NotProgramData: It is too short or of another kind.
    """
    if len(data) < BUFFER_HEADER_BYTES or _BUFFER.unpack_from(data)[0] != _BUFFER_TAG:
        raise NotProgramData("the account is no buffer of the upgradeable loader")
    _tag, has_authority, authority = _BUFFER.unpack_from(data)
    return Buffer(
        authority=Pubkey(authority) if has_authority else None, code=data[BUFFER_HEADER_BYTES:]
    )


def decode_program(data: bytes) -> Pubkey:
    """Read a program account: the address of its ProgramData.

    Raises:
        NotProgramData: The bytes are no program of the upgradeable loader.
    """
    if len(data) < PROGRAM_BYTES or _PROGRAM.unpack_from(data)[0] != _PROGRAM_TAG:
        raise NotProgramData("the account is no program of the upgradeable loader")
    return Pubkey(_PROGRAM.unpack_from(data)[1])


def initialize_buffer(buffer: Pubkey, authority: Pubkey) -> Instruction:
    """Make `buffer`, already created with the loader as owner, writable by `authority`."""
    accounts = [_writes(buffer), _reads(authority)]
    return Instruction(LOADER, struct.pack("<I", 0), accounts)


def write(buffer: Pubkey, authority: Pubkey, offset: int, chunk: bytes) -> Instruction:
    """Write `chunk` at `offset` of the code in `buffer`."""
    data = struct.pack("<IIQ", 1, offset, len(chunk)) + chunk
    return Instruction(LOADER, data, [_writes(buffer), _reads(authority, signs=True)])


def deploy_with_max_data_len(
    payer: Pubkey, program: Pubkey, buffer: Pubkey, authority: Pubkey, max_bytes: int
) -> Instruction:
    """Turn `buffer` into the code of `program`, with room for `max_bytes`."""
    accounts = [
        _writes(payer, signs=True),
        _writes(program_data_address(program)),
        _writes(program),
        _writes(buffer),
        _reads(RENT),
        _reads(CLOCK),
        _reads(SYSTEM_PROGRAM),
        _reads(authority, signs=True),
    ]
    return Instruction(LOADER, struct.pack("<IQ", 2, max_bytes), accounts)


def upgrade(program: Pubkey, buffer: Pubkey, authority: Pubkey, spill: Pubkey) -> Instruction:
    """Replace the code of `program` with that of `buffer`; the buffer's lamports go to `spill`."""
    accounts = [
        _writes(program_data_address(program)),
        _writes(program),
        _writes(buffer),
        _writes(spill),
        _reads(RENT),
        _reads(CLOCK),
        _reads(authority, signs=True),
    ]
    return Instruction(LOADER, struct.pack("<I", 3), accounts)


def set_authority(account: Pubkey, authority: Pubkey, new: Pubkey | None) -> Instruction:
    """Hand a buffer or ProgramData account to `new`; None burns the authority for ever."""
    accounts = [_writes(account), _reads(authority, signs=True)]
    if new is not None:
        accounts.append(_reads(new))
    return Instruction(LOADER, struct.pack("<I", 4), accounts)


def close(program: Pubkey, recipient: Pubkey, authority: Pubkey) -> Instruction:
    """Close the ProgramData of `program`; its lamports go to `recipient`."""
    accounts = [
        _writes(program_data_address(program)),
        _writes(recipient),
        _reads(authority, signs=True),
        _writes(program),
    ]
    return Instruction(LOADER, struct.pack("<I", 5), accounts)


def close_buffer(buffer: Pubkey, recipient: Pubkey, authority: Pubkey) -> Instruction:
    """Close a buffer that was never deployed; its lamports go to `recipient`."""
    accounts = [_writes(buffer), _writes(recipient), _reads(authority, signs=True)]
    return Instruction(LOADER, struct.pack("<I", 5), accounts)


def _writes(address: Pubkey, *, signs: bool = False) -> AccountMeta:
    return AccountMeta(address, is_signer=signs, is_writable=True)


def _reads(address: Pubkey, *, signs: bool = False) -> AccountMeta:
    return AccountMeta(address, is_signer=signs, is_writable=False)
