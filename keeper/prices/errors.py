"""What can go wrong between the venue and a price: one class per kind of failure."""

from typing import ClassVar


class PricesError(Exception):
    """Root of everything this package raises."""


class MalformedError(PricesError):
    """A body, frame, level or number is not what the venue documents."""


class VenueError(PricesError):
    """A call to the venue gave no usable body."""

    kind: ClassVar[str]
    """Short and stable: the key under which failures are counted."""


class ConnectFailedError(VenueError):
    """No connection, for a reason of the network's own: no route, no socket left."""

    kind = "connect"


class NameUnknownError(ConnectFailedError):
    """The host's name does not resolve."""

    kind = "dns"


class RefusedError(ConnectFailedError):
    """Nobody listens there."""

    kind = "refused"


class TlsError(ConnectFailedError):
    """Somebody answers and cannot prove to be the venue: a certificate or a handshake that fails."""

    kind = "tls"


class InterruptedBodyError(VenueError):
    """The connection was lost after the request went out."""

    kind = "interrupted"


class ResetError(InterruptedBodyError):
    """The peer, or something between, reset the connection."""

    kind = "reset"


class TruncatedError(InterruptedBodyError):
    """The peer ended the connection before the answer was whole."""

    kind = "truncated"


class TimedOutError(VenueError):
    """The hard deadline round the whole call passed."""

    kind = "timeout"


class HeldBackError(VenueError):
    """Not asked: the endpoint's breaker is open, after failures or because the venue asked to be left alone."""

    kind = "held_back"


class BadStatusError(VenueError):
    """The venue answered with a status other than 200."""

    kind = "status"

    def __init__(
        self,
        url: str,
        status: int,
        excerpt: str,
        *,
        code: str | None = None,
        retry_after_ms: int | None = None,
        wanted: int = 200,
    ) -> None:
        """Keep the status, the first characters of the body, and what a readable body says of the reason."""
        super().__init__(f"{url} answered {status}, wanted {wanted}: {excerpt}")
        self.status = status
        self.excerpt = excerpt
        self.code = code
        """The body's machine-readable `code`, such as cancel-only."""
        self.retry_after_ms = retry_after_ms
        """How long the venue asks to be left alone, bounded."""

    @property
    def restart(self) -> str | None:
        """Say which of the matching engine's restarts this is; None when it is none.

        425 is a restart under way; a 503 with a code is a mode it passes through: disabled, cancel-only, post-only.
        """
        return None


class TooEarlyError(BadStatusError):
    """425: the matching engine restarts."""

    kind = "status_425"

    @property
    def restart(self) -> str | None:
        """Say so."""
        return f"425 {self.code or 'service not ready'}"


class ThrottledError(BadStatusError):
    """429: too many calls, or so the venue says."""

    kind = "status_429"


class ForbiddenError(BadStatusError):
    """403: a firewall dislikes this address or client; asking again soon makes it worse."""

    kind = "status_403"


class RequestRefusedError(BadStatusError):
    """Another 4xx: the venue does not take the request as it stands."""

    kind = "status_4xx"


class ServerFailedError(BadStatusError):
    """A 5xx: the venue, or the proxy before it, is broken or switched off."""

    kind = "status_5xx"

    @property
    def restart(self) -> str | None:
        """Say which mode the engine is in, if it tells."""
        is_mode = self.status == _UNAVAILABLE and self.code is not None
        return f"{self.status} {self.code}" if is_mode else None


class NotJsonError(VenueError):
    """A 200 whose body is no JSON: a proxy's error page, most often."""

    kind = "not_json"


class TooLargeError(VenueError):
    """The body passed the size cap and was not read further."""

    kind = "too_large"


class MalformedReplyError(VenueError):
    """JSON, but of another shape than the endpoint documents; or not even HTTP."""

    kind = "malformed"


class StreamClosedError(VenueError):
    """The market websocket ended, or was never accepted."""

    kind = "stream_closed"


class StreamSilentError(VenueError):
    """No PONG within the watchdog's time: the socket is dead, whatever TCP says."""

    kind = "stream_silent"


class StreamMalformedError(VenueError):
    """Nothing of several frames in a row could be read: what speaks there is no market stream."""

    kind = "stream_malformed"


_UNAVAILABLE = 503
_BY_STATUS: dict[int, type[BadStatusError]] = {
    403: ForbiddenError,
    425: TooEarlyError,
    429: ThrottledError,
}
_BY_HUNDRED: dict[int, type[BadStatusError]] = {4: RequestRefusedError, 5: ServerFailedError}


def bad_status(
    url: str,
    status: int,
    excerpt: str,
    *,
    code: str | None = None,
    retry_after_ms: int | None = None,
    wanted: int = 200,
) -> BadStatusError:
    """Return the error of a status: 403, 425 and 429 apart, other 4xx and 5xx by their hundred, the rest together."""
    kind = _BY_STATUS.get(status) or _BY_HUNDRED.get(status // 100, BadStatusError)
    return kind(url, status, excerpt, code=code, retry_after_ms=retry_after_ms, wanted=wanted)
