"""Addresses in base58 -> 32 bytes each, many at once.

Core. A digit at a time would be 44 long multiplications; five digits are a number below 58**5, nine of those are one of
32 bytes, and all rows go through each step together. Sums of products stay below 2**64: a test works the bound out.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
from solders.pubkey import Pubkey

Bytes = npt.NDArray[np.uint8]

TEXT_MAX: Final = 44
"""Characters of the longest address."""
TEXT_MIN: Final = 32
_ALPHABET: Final = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_NO_DIGIT: Final = 255
_GROUP: Final = 5
_GROUPS: Final = 9
_LIMBS: Final = 8
_LIMB_BITS: Final = 32


def _digits() -> Bytes:
    table = np.full(256, _NO_DIGIT, np.uint8)
    table[np.frombuffer(_ALPHABET, np.uint8)] = np.arange(len(_ALPHABET))
    return table


def _powers() -> npt.NDArray[np.uint64]:
    """Return 58 ** (5 * (8 - k)) in limbs of 32 bits, the greatest first, by k."""
    mask = (1 << _LIMB_BITS) - 1
    rows = [
        [58 ** (_GROUP * k) >> _LIMB_BITS * limb & mask for limb in reversed(range(_LIMBS))]
        for k in reversed(range(_GROUPS))
    ]
    return np.array(rows, np.uint64)


DIGITS: Final = _digits()
POWERS: Final = _powers()


def decode_addresses(
    text: Bytes, lengths: npt.NDArray[np.int64]
) -> tuple[Bytes, npt.NDArray[np.bool_]]:
    """Decode many addresses.

    Args:
        text: a row of at least 44 characters each, of which the first `lengths` count.
        lengths: characters of each address.

    Returns:
        (rows of 32 bytes, which of them are addresses).
    """
    found = np.zeros((len(text), 32), np.uint8)
    is_good = np.zeros(len(text), np.bool_)
    for length in np.unique(lengths).tolist():
        if TEXT_MIN <= length <= TEXT_MAX:
            rows = np.flatnonzero(lengths == length)
            found[rows], is_good[rows] = _decode(text[rows, :length])
    # A leading 1 is a zero byte, which arithmetic does not see; few addresses have one.
    doubtful = np.flatnonzero(is_good & ((found[:, 0] == 0) | (text[:, 0] == _ALPHABET[0])))
    for row in doubtful.tolist():
        wording = text[row, : lengths[row]].tobytes().decode("ascii")
        try:
            found[row] = np.frombuffer(bytes(Pubkey.from_string(wording)), np.uint8)
        except ValueError:
            is_good[row] = False
    return found, is_good


def _decode(text: Bytes) -> tuple[Bytes, npt.NDArray[np.bool_]]:
    """Decode addresses of one length; those that hold a foreign character or are too great are none."""
    values = DIGITS[text.T]  # a row for each place: every step below goes along memory
    digits = np.zeros((_GROUP * _GROUPS, len(text)), np.uint32)
    digits[len(digits) - len(values) :] = values
    grouped = digits.reshape(_GROUPS, _GROUP, -1)
    groups = grouped[:, 0]
    for at in range(1, _GROUP):
        groups = groups * np.uint32(58) + grouped[:, at]
    numbers = groups.astype(np.uint64)
    limbs = np.zeros((len(text), _LIMBS), ">u4")
    carry = np.zeros(len(text), np.uint64)
    for limb in reversed(range(_LIMBS)):
        total = carry
        for group in range(_GROUPS):
            if POWERS[group, limb]:
                total = total + numbers[group] * POWERS[group, limb]
        limbs[:, limb] = total & np.uint64(0xFFFF_FFFF)
        carry = total >> np.uint64(_LIMB_BITS)
    is_good = (carry == 0) & ~(values == _NO_DIGIT).any(axis=0)
    return limbs.view(np.uint8).reshape(-1, 32), is_good
