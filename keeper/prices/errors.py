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
    """No connection: DNS, refused, or TLS."""

    kind = "connect"


class InterruptedBodyError(VenueError):
    """The connection was lost after the request went out: reset, truncation, GOAWAY."""

    kind = "interrupted"


class TimedOutError(VenueError):
    """The hard deadline round the whole call passed."""

    kind = "timeout"


class BadStatusError(VenueError):
    """The venue answered with a status other than 200."""

    kind = "status"

    def __init__(self, url: str, status: int, excerpt: str) -> None:
        """Keep the status and the first characters of the body, which often name the reason."""
        super().__init__(f"{url} answered {status}, wanted 200: {excerpt}")
        self.status = status
        self.excerpt = excerpt


class NotJsonError(VenueError):
    """A 200 whose body is no JSON: a proxy's error page, most often."""

    kind = "not_json"


class TooLargeError(VenueError):
    """The body passed the size cap and was not read further."""

    kind = "too_large"


class MalformedReplyError(VenueError):
    """JSON, but of another shape than the endpoint documents."""

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
