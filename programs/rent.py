"""What an account must hold to stay: the Rent sysvar, and the balance it asks for a number of bytes."""

import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from programs.units import Lamports

_OVERHEAD_BYTES: Final = 128
"""Every account is charged for so many bytes more. Source: solana-rent ACCOUNT_STORAGE_OVERHEAD."""
_LAYOUT: Final = struct.Struct("<QdB")
_WHOLE: Final = 1 << 52


class MalformedRentError(ValueError):
    """The bytes are no Rent sysvar."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RentRate:
    """Lamports per byte; a fraction, because the sysvar has it as a product."""

    lamports_per_byte: Fraction

    def exempt_lamports(self, data_bytes: int) -> Lamports:
        """Return the balance that exempts an account of `data_bytes` from rent, rounded down as the runtime does."""
        return Lamports(int((_OVERHEAD_BYTES + data_bytes) * self.lamports_per_byte))


def decode_rent(data: bytes) -> RentRate:
    """Read the Rent sysvar: u64 lamports per byte-year, f64 years until exempt, u8 percent burned.

    Raises:
        MalformedRentError: it is too short, or its numbers make no rate.
    """
    if len(data) < _LAYOUT.size:
        raise MalformedRentError(
            f"the Rent sysvar has {len(data)} bytes, expected {_LAYOUT.size} or more"
        )
    per_byte_year, years, _burned = _LAYOUT.unpack_from(data)
    if not 0 < years < _WHOLE:
        raise MalformedRentError(f"the Rent sysvar exempts after {years} years")
    return RentRate(lamports_per_byte=per_byte_year * Fraction(years))
