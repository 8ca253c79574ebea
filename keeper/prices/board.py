"""Where prices are published: one value per token, the newest wins, nothing queues.

Shell, though it does no I/O: readers wait on it. An old price delivered late is worse than none, so a reader asks for
what is newer than what it has seen and always gets the present.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import trio

from keeper.prices.heard import SourceView
from keeper.prices.price import Price, PriceClass, Reason, SourceName, TokenId
from programs.breaker import BreakerState


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceStatistics:
    """What the feed did so far, and what it holds now."""

    published: int
    """Prices put on the board since the start."""
    tokens_by_class: Mapping[PriceClass, int]
    tokens_by_source: Mapping[SourceName, int]
    unpriced: int
    """Tokens asked for that never had a price."""
    observations: Mapping[SourceName, int]
    """Quotes taken in, by source."""
    refusals: Mapping[str, int]
    """Bodies, levels and frames skipped, by reason."""
    reasons: Mapping[Reason, int]
    """Prices that came to have a class for each reason but OK."""
    errors: Mapping[str, int]
    """Failed calls, as `source.kind`."""
    failures_in_a_row: Mapping[SourceName, int]
    """Rounds without any answer since the last answer: polls of all tokens, attempts at a socket."""
    clock_skew_ms: int | None
    """The venue's clock less ours; None until /time answered."""
    breakers: Mapping[str, BreakerState]
    """Of every endpoint whose breaker ever opened."""
    delays_ms: Mapping[str, int]
    """How long calls waited in all so as to stay below the published limits, by endpoint."""


class PriceBoard:
    """The newest price of every token, and the counts of how it came about."""

    def __init__(self) -> None:
        self._prices: dict[TokenId, Price] = {}
        self._unpriced: dict[TokenId, Reason] = {}
        self._census: Counter[tuple[PriceClass, SourceName]] = Counter()
        self._tokens: dict[PriceClass, dict[TokenId, None]] = {each: {} for each in PriceClass}
        self._sequence = 0
        self._changed = trio.Event()
        self._is_awaited = False
        self._observations: Counter[SourceName] = Counter()
        self._refusals: Counter[str] = Counter()
        self._reasons: Counter[Reason] = Counter()
        self._errors: Counter[str] = Counter()
        self._failures_in_a_row: Counter[SourceName] = Counter()
        self._tell_heard: Callable[[TokenId], tuple[SourceView, ...]] = _nothing_heard
        self.clock_skew_ms: int | None = None
        self._breakers: dict[str, BreakerState] = {}
        self._delays_ms: Counter[str] = Counter()

    @property
    def sequence(self) -> int:
        """Grows by one with every price published."""
        return self._sequence

    def publish(self, price: Price) -> None:
        """Replace a token's price and wake every reader."""
        self._unpriced.pop(price.token_id, None)
        former = self._prices.get(price.token_id)
        self._prices[price.token_id] = price
        if (
            former is None
            or former.price_class is not price.price_class
            or former.source != price.source
        ):
            if former is not None:
                self._leave(former)
            self._enter(price)
        self._sequence += 1
        if self._is_awaited:  # Thousands of prices a second come between two looks of a reader.
            self._is_awaited = False
            self._changed.set()
            self._changed = trio.Event()

    def _leave(self, price: Price) -> None:
        self._census[price.price_class, price.source] -= 1
        del self._tokens[price.price_class][price.token_id]

    def _enter(self, price: Price) -> None:
        self._census[price.price_class, price.source] += 1
        self._tokens[price.price_class][price.token_id] = None

    def note_unpriced(self, token_id: TokenId, reason: Reason) -> None:
        """Say why a token has no price at all."""
        self._unpriced[token_id] = reason

    def get(self, token_id: TokenId) -> Price | None:
        """Return the newest price; None when there never was one: `why_unpriced` tells the reason."""
        return self._prices.get(token_id)

    def why_unpriced(self, token_id: TokenId) -> Reason | None:
        """Return why a token has no price; None when it has one or nobody asked for it."""
        return self._unpriced.get(token_id)

    def forget(self, token_id: TokenId) -> None:
        """Drop a token that is followed no longer: its price would only grow old."""
        former = self._prices.pop(token_id, None)
        if former is not None:
            self._leave(former)
        self._unpriced.pop(token_id, None)

    def tell_heard_by(self, tell: Callable[[TokenId], tuple[SourceView, ...]]) -> None:
        """Let whoever knows the sources answer for `heard`: asked seldom, so nothing is kept for it here."""
        self._tell_heard = tell

    def heard(self, token_id: TokenId) -> tuple[SourceView, ...]:
        """Return the last word of every source that has spoken of a token, best source first."""
        return self._tell_heard(token_id)

    def snapshot(self) -> Mapping[TokenId, Price]:
        """Return every price as of now; later publications do not show in it."""
        return MappingProxyType(dict(self._prices))

    async def wait_newer(self, sequence: int) -> int:
        """Wait until something was published after `sequence`, and return the present sequence."""
        await trio.lowlevel.checkpoint()
        while self._sequence <= sequence:
            self._is_awaited = True
            await self._changed.wait()
        return self._sequence

    def count_observation(self, source: SourceName) -> None:
        """Count a quote taken in."""
        self._observations[source] += 1

    def count_refusal(self, reason: str) -> int:
        """Count something skipped, and return how many there were."""
        self._refusals[reason] += 1
        return self._refusals[reason]

    def count_reason(self, reason: Reason) -> None:
        """Count a price that came to have its class for a reason."""
        self._reasons[reason] += 1

    def count_failure(self, source: SourceName, kind: str) -> None:
        """Count a failed call."""
        self._errors[f"{source}.{kind}"] += 1

    def count_miss(self, source: SourceName) -> int:
        """Count a round in which a source answered nothing, and return how many there were in a row."""
        self._failures_in_a_row[source] += 1
        return self._failures_in_a_row[source]

    def count_success(self, source: SourceName) -> None:
        """End a row of failures."""
        self._failures_in_a_row[source] = 0

    def note_breaker(self, endpoint: str, state: BreakerState) -> None:
        """Keep what an endpoint's breaker lets through now."""
        self._breakers[endpoint] = state

    def note_delay(self, endpoint: str, delay_ms: int) -> None:
        """Add up what a call waited for its turn."""
        self._delays_ms[endpoint] += delay_ms

    def failures_in_a_row(self, source: SourceName) -> int:
        """Return how many rounds of a source went unanswered since the last answer."""
        return self._failures_in_a_row[source]

    @property
    def prices(self) -> Mapping[TokenId, Price]:
        """Every price, as it changes: to be looked through at once, never across a checkpoint."""
        return MappingProxyType(self._prices)

    @property
    def census(self) -> Mapping[tuple[PriceClass, SourceName], int]:
        """How many prices there are of each class by each source; kept up, for there may be 21,000."""
        return MappingProxyType(self._census)

    def tokens_of(self, price_class: PriceClass) -> Collection[TokenId]:
        """Return the tokens whose price has a class, as they change; those that came to it first stand first."""
        return self._tokens[price_class].keys()

    @property
    def misses(self) -> Mapping[SourceName, int]:
        """Rounds without an answer since the last one, by source."""
        return MappingProxyType(self._failures_in_a_row)

    @property
    def errors(self) -> Mapping[str, int]:
        """Failed calls so far, as `source.kind`."""
        return MappingProxyType(self._errors)

    def statistics(self) -> PriceStatistics:
        """Return the counts as of now."""
        prices = self._prices.values()
        return PriceStatistics(
            published=self._sequence,
            tokens_by_class=Counter(price.price_class for price in prices),
            tokens_by_source=Counter(price.source for price in prices),
            unpriced=len(self._unpriced),
            observations=Counter(self._observations),
            refusals=Counter(self._refusals),
            reasons=Counter(self._reasons),
            errors=Counter(self._errors),
            failures_in_a_row=Counter(self._failures_in_a_row),
            clock_skew_ms=self.clock_skew_ms,
            breakers=dict(self._breakers),
            delays_ms=Counter(self._delays_ms),
        )


def _nothing_heard(_: TokenId) -> tuple[SourceView, ...]:
    return ()
