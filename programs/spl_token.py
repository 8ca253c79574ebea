"""SPL Token accounts as values: mints and token accounts.

Source: spl-token-interface `state.rs`. A COption is a u32 tag, 0 or 1, and 32 bytes.
"""

import struct
from dataclasses import dataclass
from typing import Final

from solders.pubkey import Pubkey

from programs.units import BaseUnits

_MINT: Final = struct.Struct("<I32sQBBI32s")
_TOKEN_ACCOUNT: Final = struct.Struct("<32s32sQI32sBIQQI32s")
FROZEN: Final = 2
"""State of a token account that moves nothing."""

TOKEN_ACCOUNT_BYTES: Final = _TOKEN_ACCOUNT.size

assert (_MINT.size, _TOKEN_ACCOUNT.size) == (82, 165)


class NotTokenAccountError(ValueError):
    """The bytes are no SPL Token account of the kind asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mint:
    """A token. Authority at 0, supply u64 at 36, decimals at 44, initialized at 45, freeze authority at 46."""

    authority: Pubkey | None
    """Who may mint; None: nobody, for ever."""
    supply: BaseUnits
    decimals: int
    freeze_authority: Pubkey | None
    """Who may freeze accounts; None: nobody, for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenAccount:
    """A balance. Mint at 0, owner at 32, amount u64 at 64, delegate at 72, state at 108, close authority at 129."""

    mint: Pubkey
    owner: Pubkey
    """Who may move it."""
    amount: BaseUnits
    delegate: Pubkey | None
    """Who else may move some of it."""
    is_frozen: bool
    close_authority: Pubkey | None
    """Who else may close it, once it is empty."""


def decode_mint(data: bytes) -> Mint:
    """Read a mint.

    Raises:
        NotTokenAccountError: the bytes are no initialized mint.
    """
    if len(data) != _MINT.size:
        raise NotTokenAccountError(f"a mint has {_MINT.size} bytes, found {len(data)}")
    has_authority, authority, supply, decimals, initialized, has_freeze, freeze = _MINT.unpack(data)
    if not initialized:
        raise NotTokenAccountError("the mint is not initialized")
    return Mint(
        authority=_option(has_authority, authority),
        supply=BaseUnits(supply),
        decimals=decimals,
        freeze_authority=_option(has_freeze, freeze),
    )


def decode_token_account(data: bytes) -> TokenAccount:
    """Read a token account.

    Raises:
        NotTokenAccountError: the bytes are no initialized token account.
    """
    if len(data) != _TOKEN_ACCOUNT.size:
        raise NotTokenAccountError(
            f"a token account has {_TOKEN_ACCOUNT.size} bytes, found {len(data)}"
        )
    mint, owner, amount, has_delegate, delegate, state, _, _, _, has_close, close = (
        _TOKEN_ACCOUNT.unpack(data)
    )
    if not state:
        raise NotTokenAccountError("the token account is not initialized")
    return TokenAccount(
        mint=Pubkey(mint),
        owner=Pubkey(owner),
        amount=BaseUnits(amount),
        delegate=_option(has_delegate, delegate),
        is_frozen=state == FROZEN,
        close_authority=_option(has_close, close),
    )


def _option(tag: int, address: bytes) -> Pubkey | None:
    return Pubkey(address) if tag else None
