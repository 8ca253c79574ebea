"""What a source of prices is, and what it may say: the one seam between the venue and what is believed of it.

Shell, without code: a source runs until cancelled and tells what it hears; it never decides what is believed.
"""

from collections.abc import Collection, Iterable
from typing import Protocol

from keeper.newest import Newest
from keeper.prices.errors import VenueError
from keeper.prices.observation import Observation
from keeper.prices.price import SourceName, TokenId
from keeper.prices.traits import SourceTraits


class Hearing(Protocol):
    """All that a source may say, and the two things it may ask. To tell never waits."""

    def observe(self, token_id: str, observation: Observation) -> None:
        """Take in a quote of a token; one of a token that nobody asked for is refused and counted."""

    def lose(self, source: SourceName, tokens: Iterable[TokenId]) -> None:
        """Withdraw trust from a source for the tokens it carried: its socket is gone."""

    def close(self, token_id: str, *, is_closed: bool) -> None:
        """Note the venue's word on whether a market is over."""

    def succeed(self, source: SourceName) -> None:
        """Note that a source answered."""

    def fail(self, source: SourceName, error: VenueError) -> None:
        """Count one failed call."""

    def miss(self, source: SourceName) -> None:
        """Count one round in which a source answered nothing at all."""

    def refuse(self, source: SourceName, reason: str, **details: object) -> None:
        """Count and tell a part of a body that was skipped."""

    def note_clock_skew(self, skew_ms: int) -> None:
        """Note the venue's clock less ours."""

    async def wait_clock_doubted(self) -> None:
        """Wait until a stamp went back, or came from the future, since the venue's clock was last noted.

        Nothing is decided by such a stamp until the clock is read again.
        """

    def note_restart(self, source: SourceName, why: str) -> None:
        """Note a sign that the venue's engine restarts (425, 503 with a code): starts or extends the cooldown."""

    def take_doubted(self, source: SourceName, tokens: Collection[TokenId]) -> tuple[TokenId, ...]:
        """Return which of the tokens the source was last found frozen on, and forget that it was.

        The stream asks for their snapshots anew, and replaces a socket on which many are doubted.
        """


class PriceSource(Protocol):
    """Somewhere that prices come from."""

    @property
    def traits(self) -> SourceTraits:
        """How the judge treats what it says."""

    async def run(self, hearing: Hearing, followed: Newest[tuple[TokenId, ...]]) -> None:
        """Tell what is heard of the followed tokens, until cancelled.

        A failure to reach the venue is told, never raised: it ends a round, not the source. `followed` is read anew
        each round, so that a market that opens is heard without a restart.
        """
