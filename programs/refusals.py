"""Which refusals of a transaction time does not cure."""

from typing import Final

from programs.rpc import RpcError

_CODES: Final = frozenset({-32003, -32013, -32602})
"""Signature verification failed, signature length mismatch, parameters that cannot be decoded (too long, say).
Source: agave rpc-client-api/src/custom_error.rs; JSON-RPC 2.0 section 5.1."""
_PREFLIGHT: Final = -32002
_ERRORS: Final = frozenset(
    {
        "AccountNotFound",
        "InsufficientFundsForFee",
        "InvalidAccountForFee",
        "SanitizeFailure",
        "SignatureFailure",
        "TooManyAccountLocks",
        "UnsupportedVersion",
    }
)
"""Of a node that tries a transaction before it takes it. Source: solana-transaction-error, by name as in JSON."""


def is_permanent(error: RpcError) -> bool:
    """Whether the same bytes would be refused again by this node, whatever the blockhash and the load.

    A payer without funds counts: the bytes may become acceptable, but not by waiting for a block.
    """
    if error.code in _CODES:
        return True
    err = error.data.get("err") if isinstance(error.data, dict) else None
    return error.code == _PREFLIGHT and isinstance(err, str) and err in _ERRORS
