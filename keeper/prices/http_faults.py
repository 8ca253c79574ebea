"""What httpx raises, told apart: no name, refused, no proof of identity, reset, cut off.

Shell without I/O. httpx folds a dozen failures into ConnectError and ReadError; what happened stands in the chain of
causes, which its own layers put there: httpcore, trio, ssl, the operating system.
"""

import socket
import ssl
from collections.abc import Iterator
from typing import Final

import httpx

from keeper.prices.errors import (
    ConnectFailedError,
    InterruptedBodyError,
    MalformedReplyError,
    NameUnknownError,
    RefusedError,
    ResetError,
    TimedOutError,
    TlsError,
    TruncatedError,
    VenueError,
)

_CUT_OFF: Final = ("peer closed connection", "Server disconnected", "Connection closed")
"""How h11 and httpcore word an end of the stream before the end of the answer; there is no class for it."""
_CAUSES_MAX: Final = 20


def fault_of(url: str, error: Exception) -> VenueError:
    """Return our error for one that httpx raised on the way to a reply."""
    if isinstance(error, httpx.TimeoutException):
        return TimedOutError(f"{url} could not be reached in time")
    causes = tuple(_causes_of(error))
    told = f"{type(error).__name__} {error}".rstrip()
    if isinstance(error, httpx.ConnectError):
        return _connect_fault_of(url, causes)
    if isinstance(
        error, UnicodeError
    ):  # A label of more than 63 characters, before anybody is asked.
        return NameUnknownError(f"{url} cannot be reached: its name is none ({error})")
    if isinstance(error, (httpx.UnsupportedProtocol, httpx.InvalidURL)):
        return ConnectFailedError(f"{url} cannot be reached: {error}")
    if isinstance(error, httpx.RemoteProtocolError):
        if str(error).startswith(_CUT_OFF):
            return TruncatedError(f"{url} broke off: {told}")
        return MalformedReplyError(f"{url} did not answer in HTTP: {error}")
    if isinstance(error, (httpx.ReadError, httpx.WriteError)):
        return ResetError(f"{url} broke off: {told}")
    return InterruptedBodyError(f"{url} broke off: {told}")


def _connect_fault_of(url: str, causes: tuple[BaseException, ...]) -> VenueError:
    for cause in causes:
        if isinstance(cause, socket.gaierror):
            return NameUnknownError(f"{url} cannot be reached: its name does not resolve ({cause})")
        if isinstance(cause, ssl.SSLError):
            return TlsError(f"{url} cannot be trusted: {cause}")
    for cause in causes:
        if isinstance(cause, ConnectionRefusedError):
            return RefusedError(f"{url} cannot be reached: connection refused")
        if isinstance(cause, ConnectionResetError):
            return ResetError(f"{url} reset the connection while it was made")
    return ConnectFailedError(f"{url} cannot be reached: {causes[0]}")


def _causes_of(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and everything it came from; trio groups the failures of a host's several addresses."""
    waiting = [error]
    for _ in range(_CAUSES_MAX):
        if not waiting:
            return
        one = waiting.pop(0)
        yield one
        if isinstance(one, BaseExceptionGroup):
            waiting += one.exceptions
        cause = one.__cause__ or one.__context__
        if cause is not None:
            waiting.append(cause)
