"""JSON-RPC 2.0: request bytes in, reply bytes out, whatever the bytes are."""

import json
from collections.abc import Callable
from typing import Final

from programs.localnet.params import Params
from programs.localnet.rpc_errors import (
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    RpcError,
)

BATCH_MAX: Final = 1_000
"""Requests in one batch; a bound of ours."""

Answer = Callable[[str, Params], object]
"""Answers one method with a JSON value, or raises RpcError."""


def parse_body(body: bytes | str) -> object:
    """Read a request body.

    Raises:
        RpcError: It is no JSON.
    """
    try:
        return json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise RpcError(PARSE_ERROR, "Parse error") from error


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def requests(parsed: object) -> list[object]:
    """The requests of a body: one, or a batch.

    Raises:
        RpcError: The batch is empty or too long.
    """
    if not isinstance(parsed, list):
        return [parsed]
    if not parsed or len(parsed) > BATCH_MAX:
        raise RpcError(INVALID_REQUEST, f"Invalid request: a batch has 1 to {BATCH_MAX} requests")
    return parsed


def reply(request: object, answer: Answer) -> dict[str, object] | None:
    """Answer one request; None for a notification, which has no id and gets no reply."""
    identity = _identity(request)
    try:
        members = _members(request)
        result = answer(str(members["method"]), _params(members.get("params")))
    except RpcError as error:
        return failure(error, identity)
    if "id" not in members:
        return None
    return {"jsonrpc": "2.0", "result": result, "id": identity}


def method_of(request: object) -> str:
    """The method that a request names, "" where it names none."""
    method = request.get("method") if isinstance(request, dict) else None
    return method if isinstance(method, str) else ""


def failure(error: RpcError, identity: object = None) -> dict[str, object]:
    """A reply that says what went wrong."""
    return {"jsonrpc": "2.0", "error": error.as_json(), "id": identity}


def method_not_found() -> RpcError:
    """No such method."""
    return RpcError(METHOD_NOT_FOUND, "Method not found")


def encode(value: object) -> bytes:
    """Write JSON without blanks."""
    return json.dumps(value, separators=(",", ":")).encode()


def _members(request: object) -> dict[str, object]:
    if not isinstance(request, dict) or not isinstance(request.get("method"), str):
        raise RpcError(INVALID_REQUEST, "Invalid request")
    if request.get("jsonrpc", "2.0") != "2.0":
        raise RpcError(INVALID_REQUEST, "Unsupported JSON-RPC protocol version")
    return request


def _identity(request: object) -> object:
    if not isinstance(request, dict):
        return None
    identity = request.get("id")
    is_allowed = isinstance(identity, str | int | float) and not isinstance(identity, bool)
    return identity if is_allowed else None


def _params(values: object) -> Params:
    if values is None:
        return Params([])
    if not isinstance(values, list):
        raise RpcError(INVALID_PARAMS, "Invalid params: expected a list of positional parameters")
    return Params(values)
