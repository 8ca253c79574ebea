"""Accounts as agave writes them in JSON: encodings, slices, parsed tokens, and the filters of program accounts."""

import binascii
import struct
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from solders.account import Account
from solders.pubkey import Pubkey

from programs.localnet import base58
from programs.localnet.params import Config, as_config, parse_integer, parse_list
from programs.localnet.rpc_errors import INVALID_REQUEST, RpcError, invalid_params
from programs.localnet.tokens import (
    TOKEN_PROGRAMS,
    Mint,
    TokenAccount,
    find_mint,
    find_token_account,
    ui_amount,
)

ENCODINGS: Final = ("binary", "base58", "base64", "base64+zstd", "jsonParsed")
BASE58_BYTES_MAX: Final = 128
"""Source: agave account-decoder MAX_BASE58_BYTES."""
FILTERS_MAX: Final = 4
"""Source: agave rpc-client-api MAX_GET_PROGRAM_ACCOUNT_FILTERS."""
MEMCMP_BYTES_MAX: Final = 128

FindAccount = Callable[[Pubkey], Account | None]
"""Finds an account at the slot being read; parsing a token account needs its mint."""
AccountFilter = Callable[[bytes], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountView:
    """How a client wants to see accounts."""

    encoding: str
    slice_at: int = 0
    slice_bytes: int | None = None
    """None: all of it."""

    @classmethod
    def parse(cls, config: Config, default: str = "binary") -> "AccountView":
        """Read `encoding` and `dataSlice`.

        Raises:
            RpcError: One of them cannot be used.
        """
        encoding = config.choice("encoding", ENCODINGS, default)
        data_slice = config.nested("dataSlice")
        if data_slice is None:
            return cls(encoding=encoding)
        return cls(
            encoding=encoding,
            slice_at=parse_integer(data_slice.get("offset"), "dataSlice.offset"),
            slice_bytes=parse_integer(data_slice.get("length"), "dataSlice.length"),
        )

    def render(self, account: Account, find: FindAccount) -> dict[str, object]:
        """Write one account.

        Raises:
            RpcError: The data is too long for base58.
        """
        data = account.data
        return {
            "lamports": account.lamports,
            "data": self._data(account, data, find),
            "owner": str(account.owner),
            "executable": account.executable,
            "rentEpoch": account.rent_epoch,
            "space": len(data),
        }

    def _data(self, account: Account, data: bytes, find: FindAccount) -> object:
        encoding = self.encoding
        if encoding == "jsonParsed":
            parsed = _parsed(account, find)
            if parsed is not None:
                return parsed
            encoding = "base64"
        if self.slice_bytes is not None:
            data = data[self.slice_at : self.slice_at + self.slice_bytes]
        if encoding == "base64":
            return [b64encode(data).decode(), "base64"]
        if encoding == "base64+zstd":
            return [b64encode(zstd_stored(data)).decode(), "base64+zstd"]
        if len(data) > BASE58_BYTES_MAX:
            raise RpcError(
                INVALID_REQUEST,
                "Encoded binary (base 58) data should be less than 128 bytes,"
                " please use Base64 encoding.",
            )
        text = base58.encode(data)
        return text if encoding == "binary" else [text, "base58"]


def parse_filters(config: Config) -> list[AccountFilter]:
    """Read the `filters` of program accounts.

    Raises:
        RpcError: A filter is unknown, too long, or there are more than four.
    """
    raw = config.get("filters")
    if raw is None:
        return []
    items = parse_list(raw, "filters", FILTERS_MAX)
    return [_parse_filter(item) for item in items]


def _parse_filter(item: object) -> AccountFilter:
    if item == "tokenAccountState":
        return lambda data: len(data) >= 165 and data[108] != 0  # noqa: PLR2004 - tokens.py's layout
    filter_config = as_config(item, "a filter")
    size = filter_config.integer("dataSize")
    if size is not None:
        return lambda data: len(data) == size
    memcmp = filter_config.nested("memcmp")
    if memcmp is None:
        raise invalid_params("a filter must be dataSize, memcmp or tokenAccountState")
    at = parse_integer(memcmp.get("offset"), "memcmp.offset")
    wanted = _memcmp_bytes(memcmp)
    if len(wanted) > MEMCMP_BYTES_MAX:
        raise invalid_params(
            f"memcmp compares at most {MEMCMP_BYTES_MAX} bytes, found {len(wanted)}"
        )
    end = at + len(wanted)
    return lambda data: data[at:end] == wanted


def _memcmp_bytes(memcmp: Config) -> bytes:
    value = memcmp.get("bytes")
    encoding = memcmp.choice("encoding", ("base58", "base64", "binary", "bytes"), "base58")
    if isinstance(value, list):
        return bytes(parse_integer(byte, "a byte of memcmp.bytes", 255) for byte in value[:1_000])
    if not isinstance(value, str) or len(value) > 4 * MEMCMP_BYTES_MAX:
        raise invalid_params("memcmp.bytes must be base58 or base64 text of at most 128 bytes")
    try:
        return b64decode(value, validate=True) if encoding == "base64" else base58.decode(value)
    except (ValueError, binascii.Error) as error:
        raise invalid_params(f"memcmp.bytes is no {encoding}: {error}") from error


def zstd_stored(data: bytes) -> bytes:
    """A zstd frame that stores `data` uncompressed: valid for every reader, and no compressor needed.

    Source: RFC 8878, sections 3.1.1 and 3.1.1.2.
    """
    block_max = 1 << 17
    blocks = [data[i : i + block_max] for i in range(0, len(data), block_max)] or [b""]
    frame = [struct.pack("<IBQ", 0xFD2FB528, 0xE0, len(data))]
    for number, block in enumerate(blocks):
        is_last = number == len(blocks) - 1
        frame += [(len(block) << 3 | is_last).to_bytes(3, "little"), block]
    return b"".join(frame)


def _parsed(account: Account, find: FindAccount) -> dict[str, object] | None:
    """What `jsonParsed` shows, or None where it falls back to base64."""
    program = TOKEN_PROGRAMS.get(account.owner)
    if program is None:
        return None
    mint = find_mint(account)
    if mint is not None:
        return _with_type(program, "mint", _mint_info(mint), account)
    token = find_token_account(account)
    token_mint = None if token is None else find_mint(find(token.mint))
    if token is None or token_mint is None:
        return None
    return _with_type(program, "account", _token_info(token, token_mint.decimals), account)


def _with_type(
    program: str, kind: str, info: dict[str, object], account: Account
) -> dict[str, object]:
    parsed = {"type": kind, "info": info}
    return {"program": program, "parsed": parsed, "space": len(account.data)}


def _mint_info(mint: Mint) -> dict[str, object]:
    return {
        "mintAuthority": None if mint.mint_authority is None else str(mint.mint_authority),
        "supply": str(mint.supply),
        "decimals": mint.decimals,
        "isInitialized": True,
        "freezeAuthority": None if mint.freeze_authority is None else str(mint.freeze_authority),
    }


def _token_info(token: TokenAccount, decimals: int) -> dict[str, object]:
    info: dict[str, object] = {
        "mint": str(token.mint),
        "owner": str(token.owner),
        "tokenAmount": ui_amount(token.amount, decimals),
        "state": token.state,
        "isNative": token.native_rent_lamports is not None,
    }
    if token.delegate is not None:
        info["delegate"] = str(token.delegate)
        info["delegatedAmount"] = ui_amount(token.delegated_amount, decimals)
    if token.native_rent_lamports is not None:
        info["rentExemptReserve"] = ui_amount(token.native_rent_lamports, decimals)
    if token.close_authority is not None:
        info["closeAuthority"] = str(token.close_authority)
    return info
