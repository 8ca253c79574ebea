"""The running venue: its content, its subscribers, its outages. What tests and the sandbox hold on to.

Shell: it reads the clock.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from keeper.sandbox.venue.content import Frame, VenueContent
from keeper.sandbox.venue.markets import SandboxMarket
from keeper.sandbox.venue.price_path import PathShape
from keeper.sandbox.venue.recorded import RecordedVenue, load_recording
from keeper.sandbox.venue.simulated import SimulatedVenue
from keeper.sandbox.venue.subscribers import Subscribers

_PORT_MAX = 65_535


class Endpoint(StrEnum):
    """The families of endpoints that can fail apart."""

    STREAM = "stream"
    CLOB = "clob"
    GAMMA = "gamma"


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueConfig:
    """Settings of the sandbox venue."""

    seed: int = 1
    """The same seed gives the same markets and prices."""
    markets: int = 8
    """Markets of their own."""
    groups: int = 0
    """Neg-risk events, whose outcomes are markets too."""
    group_outcomes: int = 4
    tick_ms: int = 250
    """How often prices move; in a replay, the time between two recorded frames."""
    volatility_e6: int = 1_500
    """Standard deviation of one tick at even odds, absolute."""
    jump_every_ticks: int = 80
    """0 for no jumps."""
    jump_points_e6: int = 150_000
    host: str = "127.0.0.1"
    port: int = 8_900
    """0 for any free port."""
    replay: Path | None = None
    """Serve the recorded bodies of this folder instead of simulated markets."""

    def __post_init__(self) -> None:
        """Refuse settings that mean nothing."""
        for name, value, least, most in (
            ("markets", self.markets, 1, 21_000),
            ("groups", self.groups, 0, 1_000),
            ("group_outcomes", self.group_outcomes, 3, 16),
            ("tick_ms", self.tick_ms, 1, 3_600_000),
            ("volatility_e6", self.volatility_e6, 0, 100_000),
            ("jump_every_ticks", self.jump_every_ticks, 0, 1_000_000),
            ("jump_points_e6", self.jump_points_e6, 0, 450_000),
            ("port", self.port, 0, _PORT_MAX),
        ):
            if not least <= value <= most:
                raise ValueError(f"{name} is {value}, wanted {least} to {most}")


class Venue:
    """A venue in this process; `serve_venue` puts it on a socket."""

    def __init__(self, config: VenueConfig, *, content: VenueContent | None = None) -> None:
        """Open the markets, or read the recording; `content` is served instead of either.

        Raises:
            RecordingError: the folder to replay holds nothing that can be served.

        """
        self.config = config
        self.subscribers = Subscribers()
        self._down: set[Endpoint] = set()
        self._simulated: SimulatedVenue | None = None
        self._recorded: RecordedVenue | None = None
        if content is not None:
            self.content: VenueContent = content
        elif config.replay is not None:
            self._recorded = load_recording(config.replay)
            self.content = self._recorded
        else:
            shape = PathShape(
                volatility_e6=config.volatility_e6,
                jump_every_ticks=config.jump_every_ticks,
                jump_points_e6=config.jump_points_e6,
            )
            self._simulated = SimulatedVenue(
                seed=config.seed,
                markets=config.markets,
                groups=config.groups,
                group_outcomes=config.group_outcomes,
                shape=shape,
                now_ms=now_ms(),
            )
            self.content = self._simulated

    @property
    def markets(self) -> tuple[SandboxMarket, ...]:
        """The simulated markets; none in a replay."""
        return () if self._simulated is None else self._simulated.markets

    @property
    def is_replay(self) -> bool:
        """Whether recorded bodies are served."""
        return self._recorded is not None

    @property
    def set_aside(self) -> dict[str, str]:
        """Recorded files that are not served, with the reason."""
        return {} if self._recorded is None else dict(self._recorded.set_aside)

    def advance(self) -> Iterator[None]:
        """Let one tick pass and tell the subscribers, pausing after each market; a recording does not move."""
        if self._simulated is not None:
            for frames in self._simulated.advance(now_ms()):
                self._publish(frames)
                yield

    def set_price(self, number: int, price_e6: int) -> None:
        """Move a simulated market to a price, and tell the subscribers."""
        assert self._simulated is not None, "a recording has no price to set"
        self._publish(self._simulated.set_price(number, price_e6, now_ms()))

    def price_e6(self, number: int) -> int:
        """Return where a simulated market's price is."""
        assert self._simulated is not None, "a recording has no simulated price"
        return self._simulated.price_e6(number)

    def take_down(self, endpoint: Endpoint) -> None:
        """Start an outage: calls answer 503; the stream's sockets are cut and new ones refused."""
        self._down.add(endpoint)
        if endpoint is Endpoint.STREAM:
            self.subscribers.close_all()

    def bring_up(self, endpoint: Endpoint) -> None:
        """End an outage."""
        self._down.discard(endpoint)

    def is_up(self, endpoint: Endpoint) -> bool:
        """Tell whether a family of endpoints answers."""
        return endpoint not in self._down

    def _publish(self, frames: tuple[Frame, ...]) -> None:
        self.subscribers.publish(frames)


def now_ms() -> int:
    """Return the venue's clock, Unix milliseconds."""
    return time.time_ns() // 1_000_000
