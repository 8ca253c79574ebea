"""One column of integers as bytes: constant, runs, rare exceptions, differences, a dictionary or as it is, whichever is least.

Core. A column is one byte of coding, then:

    0 constant     u64
    1 plain        planes (planes.py)
    2 differences  planes of each value less the one before, the sign in the lowest bit
    3 runs         u32 count, a column of values, a column of lengths less one
    4 rare         u64 the usual value, u32 how many others, a plane of one bit a row, a column of the others
    5 dictionary   u32 count, a column of values in order, a column of places

Columns inside of others are constant, plain or differences. Integers are little-endian and unsigned, of 64 bits; arithmetic
wraps around, so every column comes back as it was.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from state.snapshots.cursor import Cursor
from state.snapshots.errors import SnapshotDamaged
from state.snapshots.planes import (
    Integers,
    bits_of,
    pack,
    pack_bytes,
    unpack,
    unpack_bytes,
)


class Coding(IntEnum):
    """How a column is written."""

    CONSTANT = 0
    PLAIN = 1
    DIFFERENCES = 2
    RUNS = 3
    RARE = 4
    DICTIONARY = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which codings may be used: all, unless somebody wants to know what each is worth."""

    codings: frozenset[Coding] = frozenset(Coding)
    is_compressed: bool = True


ALL: Final = Choice()
_U32: Final = struct.Struct("<I")
_U64: Final = struct.Struct("<Q")
_RUN_ROWS_LEAST: Final = 4
"""Runs are tried when they are so long on average."""
_RARE_SHARE_MAX: Final = 0.6
_WORDS_MAX: Final = 256
"""Of a dictionary; its places are one byte each."""
_SAMPLED_WORDS_MAX: Final = 160
"""More different ones in a sample of 1_024, and it is no dictionary."""
_SAMPLED: Final = 1_024
_WORTH_BITS: Final = 3.0
"""A column that packs to so little a row needs no dictionary."""
_STRETCHES, _STRETCH_ROWS = 4, 1_024
_SIMPLE: Final = frozenset({Coding.CONSTANT, Coding.PLAIN, Coding.DIFFERENCES})
_BIT_ROWS: Final = 8
_ONE: Final = np.uint64(1)


def encode(values: Integers, choice: Choice = ALL) -> bytes:
    """Return a column as bytes."""
    if not len(values):
        return b""
    first = values[0]
    if Coding.CONSTANT in choice.codings and (values == first).all():
        return bytes([Coding.CONSTANT]) + _U64.pack(int(first))
    coding = _best(values, choice)
    writer = {
        Coding.RUNS: _runs,
        Coding.RARE: _rare,
        Coding.DICTIONARY: _dictionary,
    }.get(coding)
    if writer is not None:
        return bytes([coding]) + writer(values, choice)
    listed = differences(values) if coding is Coding.DIFFERENCES else values
    return bytes([coding]) + pack(listed, is_compressed=choice.is_compressed)


def decode(cursor: Cursor, rows: int, *, is_inner: bool = False) -> Integers:
    """Read a column of so many rows.

    Raises:
        SnapshotDamaged: there is none.
    """
    if not rows:
        return np.zeros(0, np.uint64)
    coding = cursor.take(1)[0]
    if coding not in (_SIMPLE if is_inner else Coding.__members__.values()):
        raise SnapshotDamaged(f"found a column of coding {coding}, which has no meaning there")
    match coding:
        case Coding.CONSTANT:
            return np.full(rows, cursor.unpack(_U64)[0], np.uint64)
        case Coding.PLAIN:
            return unpack(cursor, rows)
        case Coding.DIFFERENCES:
            return undo_differences(unpack(cursor, rows))
        case Coding.RUNS:
            return _read_runs(cursor, rows)
        case Coding.RARE:
            return _read_rare(cursor, rows)
        case _:
            return _read_dictionary(cursor, rows)


def fold_signs(values: Integers) -> Integers:
    """Return values that wrapped around below 0 with the sign in the lowest bit: small ones stay small."""
    signed = values.view(np.int64)
    return ((signed << 1) ^ (signed >> 63)).view(np.uint64)


def unfold_signs(folded: Integers) -> Integers:
    """Return the values that `fold_signs` was given."""
    unfolded: Integers = (folded >> _ONE) ^ (np.uint64(0) - (folded & _ONE))
    return unfolded


def differences(values: Integers) -> Integers:
    """Return each value less the one before, 0 before the first, the sign in the lowest bit."""
    return fold_signs(np.diff(values, prepend=np.uint64(0)))


def undo_differences(steps: Integers) -> Integers:
    """Return the values that `differences` was given."""
    return np.cumsum(unfold_signs(steps), dtype=np.uint64)


def _best(values: Integers, choice: Choice) -> Coding:
    """Guess which coding is least, by the entropy of what it would pack of a sample."""
    sampled, allowed = _stretches(values), choice.codings
    rows = len(sampled)
    plain = bits_of(sampled)
    guesses = {Coding.PLAIN: plain}
    if Coding.DIFFERENCES in allowed:
        guesses[Coding.DIFFERENCES] = bits_of(differences(sampled)[1:])
    starts = _starts(sampled)
    if Coding.RUNS in allowed and len(starts) * _RUN_ROWS_LEAST <= rows:
        lengths = np.diff(np.append(starts, rows)).astype(np.uint64)
        guesses[Coding.RUNS] = _inner_bits(sampled[starts]) + bits_of(lengths)
    if Coding.RARE in allowed:
        is_other = sampled != _usual(sampled)
        others = int(np.count_nonzero(is_other))
        if others <= rows * _RARE_SHARE_MAX:
            guesses[Coding.RARE] = _inner_bits(sampled[is_other]) + _mask_bits(is_other)
    is_wordy = Coding.DICTIONARY in allowed and plain > _WORTH_BITS * rows
    if is_wordy and len(np.unique(sampled[:_SAMPLED])) <= min(
        _SAMPLED_WORDS_MAX, max(2, rows // 4)
    ):
        words, places = np.unique(sampled, return_inverse=True)
        if len(words) <= _WORDS_MAX and len(np.unique(values)) <= _WORDS_MAX:
            guesses[Coding.DICTIONARY] = 64.0 * len(words) + bits_of(places.astype(np.uint64))
    return min(guesses, key=lambda coding: guesses[coding])


def _stretches(values: Integers) -> Integers:
    """Return some stretches of a long column: neighbours stay neighbours."""
    length = _STRETCHES * _STRETCH_ROWS
    if len(values) <= length:
        return values
    apart = (len(values) - _STRETCH_ROWS) // (_STRETCHES - 1)
    return np.concatenate(
        [values[at * apart : at * apart + _STRETCH_ROWS] for at in range(_STRETCHES)]
    )


def _inner_bits(values: Integers) -> float:
    return min(bits_of(values), bits_of(differences(values)))


def _mask_bits(mask: npt.NDArray[np.bool_]) -> float:
    return min(bits_of(np.packbits(mask).astype(np.uint64)), float(len(mask)))


def _usual(values: Integers) -> np.uint64:
    """Return the most frequent value of a sample."""
    sampled = _stretches(values)
    zeros = np.count_nonzero(sampled == 0)
    if zeros * 2 > len(sampled):
        return np.uint64(0)
    words, counts = np.unique(sampled, return_counts=True)
    usual: np.uint64 = words[counts.argmax()]
    return usual


def _starts(values: Integers) -> npt.NDArray[np.int64]:
    """Return where runs begin."""
    return np.concatenate([[0], np.flatnonzero(values[1:] != values[:-1]) + 1])


def _inner(values: Integers, choice: Choice) -> bytes:
    """Return a column inside of another."""
    return encode(
        values,
        Choice(codings=choice.codings & _SIMPLE, is_compressed=choice.is_compressed),
    )


def _runs(values: Integers, choice: Choice) -> bytes:
    starts = _starts(values)
    lengths = np.diff(np.append(starts, len(values))).astype(np.uint64)
    written = _inner(values[starts], choice) + _inner(lengths - np.uint64(1), choice)
    return _U32.pack(len(starts)) + written


def _read_runs(cursor: Cursor, rows: int) -> Integers:
    (count,) = cursor.unpack(_U32)
    if not 1 <= count <= rows:
        raise SnapshotDamaged(f"found {count} runs in {rows} rows")
    values = decode(cursor, count, is_inner=True)
    lengths = decode(cursor, count, is_inner=True)
    if int(lengths.max()) >= rows or int(lengths.sum()) + count != rows:
        raise SnapshotDamaged(f"found runs of another length than {rows} rows")
    return np.repeat(values, lengths.astype(np.int64) + 1)


def _rare(values: Integers, choice: Choice) -> bytes:
    usual = _usual(values)
    is_other = values != usual
    others = values[is_other]
    mask = pack_bytes(np.packbits(is_other).tobytes(), is_compressed=choice.is_compressed)
    return _U64.pack(int(usual)) + _U32.pack(len(others)) + mask + _inner(others, choice)


def _read_rare(cursor: Cursor, rows: int) -> Integers:
    (usual,) = cursor.unpack(_U64)
    (count,) = cursor.unpack(_U32)
    packed = unpack_bytes(cursor, (rows + _BIT_ROWS - 1) // _BIT_ROWS)
    is_other = np.unpackbits(np.frombuffer(packed, np.uint8), count=rows).view(np.bool_)
    if int(np.count_nonzero(is_other)) != count:
        raise SnapshotDamaged(f"found another number of exceptions than {count}")
    values = np.full(rows, usual, np.uint64)
    values[is_other] = decode(cursor, count, is_inner=True)
    return values


def _dictionary(values: Integers, choice: Choice) -> bytes:
    words, places = np.unique(values, return_inverse=True)
    written = _inner(words, choice) + _inner(places.astype(np.uint64), choice)
    return _U32.pack(len(words)) + written


def _read_dictionary(cursor: Cursor, rows: int) -> Integers:
    (count,) = cursor.unpack(_U32)
    if not 1 <= count <= min(rows, _WORDS_MAX):
        raise SnapshotDamaged(f"found a dictionary of {count} words for {rows} rows")
    words = decode(cursor, count, is_inner=True)
    places = decode(cursor, rows, is_inner=True)
    if int(places.max()) >= count:
        raise SnapshotDamaged(f"found a place beyond a dictionary of {count} words")
    read: Integers = words[places.astype(np.int64)]
    return read
