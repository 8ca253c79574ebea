"""SPL Token accounts and mints as bytes: what token methods, balances and parsed accounts are made of.

Both token programs share the layouts read here; Token-2022 appends extensions, which are left alone.

Source: spl-token-interface, `state.rs`.
"""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from solders.account import Account
from solders.pubkey import Pubkey
from solders.token import ID as TOKEN_PROGRAM

TOKEN_2022_PROGRAM: Final = Pubkey.from_string("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb")
TOKEN_PROGRAMS: Final = {TOKEN_PROGRAM: "spl-token", TOKEN_2022_PROGRAM: "spl-token-2022"}
"""The programs whose accounts are tokens, with the names that agave's parsed accounts use."""

MINT_BYTES: Final = 82
TOKEN_ACCOUNT_BYTES: Final = 165
_ACCOUNT_TYPE_AT: Final = 165
_MINT_TYPE: Final = 1
_ACCOUNT_TYPE: Final = 2
_STATES: Final = ("uninitialized", "initialized", "frozen")

_MINT = struct.Struct("<I32sQBBI32s")
_TOKEN_ACCOUNT = struct.Struct("<32s32sQI32sBIQQI32s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mint:
    """A token mint."""

    supply: int
    """Base units."""
    decimals: int
    mint_authority: Pubkey | None
    freeze_authority: Pubkey | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenAccount:
    """An account that holds tokens."""

    mint: Pubkey
    owner: Pubkey
    amount: int
    """Base units."""
    delegate: Pubkey | None
    delegated_amount: int
    """Base units."""
    state: str
    """initialized or frozen."""
    native_rent_lamports: int | None
    """The rent-exempt reserve of a wrapped-SOL account."""
    close_authority: Pubkey | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenBalance:
    """What one token account of a transaction held, before or after it."""

    index: int
    """Place among the transaction's accounts."""
    mint: Pubkey
    owner: Pubkey
    program: Pubkey
    amount: int
    """Base units."""
    decimals: int


class TokenBalances:
    """Reads what the token accounts of a transaction hold; keeps the decimals of the mints it has met."""

    def __init__(self, find: Callable[[Pubkey], Account | None]) -> None:
        self._find = find
        self._decimals: dict[Pubkey, int] = {}

    def of(self, addresses: Sequence[Pubkey], writable: Sequence[int]) -> tuple[TokenBalance, ...]:
        """Balances of the writable token accounts; readonly ones cannot have changed."""
        balances: list[TokenBalance] = []
        for index in writable:
            account = self._find(addresses[index])
            token = find_token_account(account)
            decimals = None if token is None else self._decimals_of(token.mint)
            if account is None or token is None or decimals is None:
                continue
            balances.append(
                TokenBalance(
                    index=index,
                    mint=token.mint,
                    owner=token.owner,
                    program=account.owner,
                    amount=token.amount,
                    decimals=decimals,
                )
            )
        return tuple(balances)

    def _decimals_of(self, address: Pubkey) -> int | None:
        decimals = self._decimals.get(address)
        if decimals is None:
            mint = find_mint(self._find(address))
            if mint is None:
                return None
            decimals = self._decimals[address] = mint.decimals
        return decimals


def find_mint(account: Account | None) -> Mint | None:
    """Read a mint, or None when `account` is none."""
    if account is None or account.owner not in TOKEN_PROGRAMS:
        return None
    data = account.data
    if not _has_shape(data, MINT_BYTES, _MINT_TYPE):
        return None
    has_mint, mint_authority, supply, decimals, is_initialized, has_freeze, freeze_authority = (
        _MINT.unpack_from(data)
    )
    if not is_initialized:
        return None
    return Mint(
        supply=supply,
        decimals=decimals,
        mint_authority=Pubkey(mint_authority) if has_mint else None,
        freeze_authority=Pubkey(freeze_authority) if has_freeze else None,
    )


def find_token_account(account: Account | None) -> TokenAccount | None:
    """Read a token account, or None when `account` is none."""
    if account is None or account.owner not in TOKEN_PROGRAMS:
        return None
    data = account.data
    if not _has_shape(data, TOKEN_ACCOUNT_BYTES, _ACCOUNT_TYPE):
        return None
    (
        mint,
        owner,
        amount,
        has_delegate,
        delegate,
        state,
        is_native,
        rent,
        delegated,
        has_close,
        close,
    ) = _TOKEN_ACCOUNT.unpack_from(data)
    if not 0 < state < len(_STATES):
        return None
    return TokenAccount(
        mint=Pubkey(mint),
        owner=Pubkey(owner),
        amount=amount,
        delegate=Pubkey(delegate) if has_delegate else None,
        delegated_amount=delegated,
        state=_STATES[state],
        native_rent_lamports=rent if is_native else None,
        close_authority=Pubkey(close) if has_close else None,
    )


def _has_shape(data: bytes, size: int, account_type: int) -> bool:
    """Whether `data` has the plain size, or is a Token-2022 account of that type with extensions."""
    if len(data) == size:
        return True
    return len(data) > _ACCOUNT_TYPE_AT and data[_ACCOUNT_TYPE_AT] == account_type


def ui_amount(amount: int, decimals: int) -> dict[str, object]:
    """An amount in agave's UiTokenAmount: the integer as text first, decimals for display only."""
    whole, part = divmod(amount, 10**decimals)
    text = f"{whole}.{part:0{decimals}d}".rstrip("0").rstrip(".") if decimals else str(whole)
    return {
        "amount": str(amount),
        "decimals": decimals,
        "uiAmount": amount / 10**decimals,
        "uiAmountString": text,
    }
