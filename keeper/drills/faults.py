"""What a drill can break: what a venue says, how its endpoints answer, and what becomes of the bytes on the way.

Core: values only. The scripted venue and the proxy obey them, on real sockets and on the virtual clock alike.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Family(StrEnum):
    """Endpoints that can fail apart, each behind a port of its own."""

    STREAM = "stream"
    CLOB = "clob"
    GAMMA = "gamma"


class Shape(StrEnum):
    """What a told book looks like."""

    SOUND = "sound"
    """Two-sided, around the told price."""
    EMPTY = "empty"
    ONE_SIDED = "one_sided"
    """Bids only."""
    CROSSED = "crossed"
    """The best bid stands above the best ask."""
    THIN = "thin"
    """One cent bid, ninety-nine asked: what a restarted engine shows."""
    OMITTED = "omitted"
    """The venue leaves the token out of its answer, as it does for a market without a book."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """What one family of endpoints says of a market. The default is the truth, stamped with the venue's clock."""

    price_e6: int | None = None
    """None: the truth."""
    offset_e6: int = 0
    """Added to it: a lie that moves as the truth does, and so looks alive."""
    half_spread_e6: int = 5_000
    shape: Shape = Shape.SOUND
    is_frozen: bool = False
    """Go on saying what was said last, with its old timestamp; a frozen stream sends no frames but answers PING."""
    is_restamped: bool = False
    """Stamp every answer with the present, changed or not: a liar that looks alive."""
    is_closed: bool = False
    """Say that the market has resolved: Gamma by its flags, the stream by `market_resolved`; the CLOB has no book."""
    has_conflicting_flags: bool = False
    """Gamma: `closed` beside `acceptingOrders`, as it does around a resolution."""
    tick_e6: int = 1_000
    """Another one than before makes the stream send `tick_size_change` and a new book."""
    is_disordered: bool = False
    """The stream sends deltas twice, and an older one after a newer one."""


HONEST: Final = Telling()


@dataclass(frozen=True, slots=True, kw_only=True)
class Canned:
    """A reply that the endpoint gives instead of its own; on the stream, to the handshake."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    share_percent: int = 100
    """Of the requests, spread evenly by a hash of their number."""
    delay_s: float = 0.0
    """Waited before this reply and before every honest one, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Bytes arrive late, in either direction."""

    delay_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Drip:
    """The reply comes at so many bytes a second."""

    bytes_per_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """The connection ends after so many bytes of the reply."""

    after_bytes: int
    is_reset: bool = False
    """By RST; without it in order, so that the reply is merely truncated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blackhole:
    """Connections are taken and nothing ever comes back; open ones fall silent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse:
    """Nobody listens; open connections are reset."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Garbage:
    """The reply is replaced by bytes that are no HTTP."""

    data: bytes = b"\x15\x03\x01\x00\x02\x02\x28"
    """A TLS alert (handshake failure): what a plain client hears from a TLS port."""


Wire = Latency | Drip | Cut | Blackhole | Refuse | Garbage
"""What a proxy does to a family's connections."""


class Road(StrEnum):
    """How the keeper is told to reach a family; it reads its URLs once, at its start."""

    PLAIN = "plain"
    UNTRUSTED_TLS = "untrusted_tls"
    """Through TLS with a certificate that nobody has signed."""
    UNRESOLVABLE = "unresolvable"
    """By a host name that does not exist."""
