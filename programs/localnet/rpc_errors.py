"""Errors as agave's JSON-RPC answers them: code, message and, where agave sends it, data.

Source: agave rpc-client-api, `custom_error.rs`.
"""

from typing import Final

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
PREFLIGHT_FAILURE: Final = -32002
SIGNATURE_VERIFICATION_FAILURE: Final = -32003
BLOCK_NOT_AVAILABLE: Final = -32004
SLOT_SKIPPED: Final = -32007
UNSUPPORTED_TRANSACTION_VERSION: Final = -32015
MIN_CONTEXT_SLOT_NOT_REACHED: Final = -32016
INTERNAL_ERROR: Final = -32603


class RpcError(Exception):
    """A request that gets an error object instead of a result."""

    def __init__(self, code: int, message: str, data: dict[str, object] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data

    def as_json(self) -> dict[str, object]:
        """The JSON-RPC error object; data is left out when there is none, as agave does."""
        error: dict[str, object] = {"code": self.code, "message": self.message}
        if self.data is not None:
            error["data"] = self.data
        return error


def invalid_params(explanation: str) -> RpcError:
    """Say that a parameter cannot be used, in agave's words."""
    return RpcError(INVALID_PARAMS, f"Invalid params: {explanation}")
