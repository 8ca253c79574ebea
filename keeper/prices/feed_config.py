"""Where the feed reads and how often: every setting with its unit, the defaults for the real hosts."""

from dataclasses import dataclass, field

from keeper.prices.buckets import CallLimits
from keeper.prices.price import PriceClass, Source
from keeper.prices.traits import SourceTraits
from keeper.prices.trust_rules import TrustRules
from programs.breaker import BreakerRules
from programs.endpoint_urls import check_url

_POLLS_FRESH = 3
"""Polls missed in a row before a polled source counts as silent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedConfig:
    """Settings of the price feed."""

    clob_url: str = "https://clob.polymarket.com"
    gamma_url: str = "https://gamma-api.polymarket.com"
    stream_url: str = "wss://ws-subscriptions-clob.polymarket.com/ws/market"
    slot_ms: int = 400
    """The cluster's slot: ages are counted in slots."""
    rest_poll_interval_ms: int = 2_000
    gamma_poll_interval_ms: int = 30_000
    request_timeout_ms: int = 4_000
    """Hard limit on one call, connection and body included."""
    response_bytes_max: int = 32 * 1024 * 1024
    """Of one reply, unpacked; 500 books are about 7 MB."""
    breaker_failures: int = 5
    """Failed calls in a row after which an endpoint is probed now and then instead of polled."""
    breaker_probe_ms: int = 1_000
    """The first wait before such a probe; each that fails doubles it."""
    breaker_probe_max_ms: int = 15_000
    """The longest wait before a probe: a venue's return is noticed that late at most."""
    retry_after_max_ms: int = 300_000
    """How long the venue may ask to be left alone; beyond it the wish is cut."""
    limits: CallLimits = field(default_factory=CallLimits)
    """Calls per ten seconds; below the published limits, which delay before they reject."""
    stream_fresh_ms: int = 10_000
    """How long a streamed quote leads without a new frame."""
    ping_interval_ms: int = 10_000
    pong_timeout_ms: int = 30_000
    rotation_interval_ms: int = 600_000
    """Age at which a socket is replaced, against freezes that PONG does not show."""
    reconnect_max_ms: int = 30_000
    restart_cooldown_ms: int = 180_000
    """How long the books are not believed after a sign of an engine restart."""
    venue_frozen_ms: int = 120_000
    """How long no content of any followed token may change before no price of the venue is acted on."""
    clock_skew_max_ms: int = 10_000
    """How far the venue's clock may be from ours before its stamps are not believed."""
    listing_cache_ms: int = 300_000
    """How old a listing may be when Gamma answers it."""
    jump_e6: int = 100_000
    """A move of one source alone by more than this has to be confirmed."""
    assets_per_socket: int = 200
    books_per_request: int = 500
    markets_per_request: int = 40

    def __post_init__(self) -> None:
        """Refuse what the venue would refuse, what is no URL, and intervals that make no sense."""
        for name, schemes in (
            ("clob_url", ("http", "https")),
            ("gamma_url", ("http", "https")),
            ("stream_url", ("ws", "wss")),
        ):
            try:
                check_url(getattr(self, name), *schemes)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None
        for name, value, most in (
            ("assets_per_socket", self.assets_per_socket, 200),
            ("books_per_request", self.books_per_request, 500),
            ("markets_per_request", self.markets_per_request, 40),
        ):
            if not 1 <= value <= most:
                raise ValueError(f"{name} is {value}, wanted 1 to {most}: the venue's limit")
        for name in (
            "slot_ms",
            "rest_poll_interval_ms",
            "gamma_poll_interval_ms",
            "request_timeout_ms",
            "response_bytes_max",
            "breaker_failures",
            "breaker_probe_ms",
            "retry_after_max_ms",
            "stream_fresh_ms",
            "ping_interval_ms",
            "pong_timeout_ms",
            "rotation_interval_ms",
            "reconnect_max_ms",
            "restart_cooldown_ms",
            "venue_frozen_ms",
            "clock_skew_max_ms",
            "listing_cache_ms",
            "jump_e6",
        ):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, wanted 1 or more")
        if self.pong_timeout_ms <= self.ping_interval_ms:
            raise ValueError(
                f"pong_timeout_ms is {self.pong_timeout_ms}, wanted more than ping_interval_ms "
                f"({self.ping_interval_ms}): a PONG cannot come before its PING"
            )

        if self.breaker_probe_max_ms < self.breaker_probe_ms:
            raise ValueError(
                f"breaker_probe_max_ms is {self.breaker_probe_max_ms}, wanted at least breaker_probe_ms "
                f"({self.breaker_probe_ms})"
            )

    @property
    def breaker_rules(self) -> BreakerRules:
        """When an endpoint is no longer polled, and how it is probed then."""
        return BreakerRules(
            failures=self.breaker_failures,
            probe_s=self.breaker_probe_ms / 1_000,
            probe_max_s=self.breaker_probe_max_ms / 1_000,
        )

    @property
    def request_timeout_s(self) -> float:
        """The same limit in seconds."""
        return self.request_timeout_ms / 1_000

    @property
    def stream_traits(self) -> SourceTraits:
        """The market websocket: leads while it speaks, and is lost with its socket alone."""
        return SourceTraits(
            name=Source.STREAM,
            rank=0,
            best_class=PriceClass.VALID,
            fresh_ms=self.stream_fresh_ms,
            is_pushed=True,
        )

    @property
    def clob_traits(self) -> SourceTraits:
        """The CLOB's REST books: silent after three missed polls."""
        return SourceTraits(
            name=Source.CLOB,
            rank=1,
            best_class=PriceClass.VALID,
            fresh_ms=_POLLS_FRESH * self.rest_poll_interval_ms + self.request_timeout_ms,
        )

    @property
    def gamma_traits(self) -> SourceTraits:
        """Gamma: cached up to 300 s at the venue, so degraded only, and never held against the others."""
        return SourceTraits(
            name=Source.GAMMA,
            rank=2,
            best_class=PriceClass.DEGRADED,
            fresh_ms=_POLLS_FRESH * self.gamma_poll_interval_ms + self.request_timeout_ms,
            is_compared=False,
            is_of_engine=False,
        )

    @property
    def trust_rules(self) -> TrustRules:
        """The rules for the three sources built in."""
        return TrustRules(
            slot_ms=self.slot_ms,
            sources=(self.stream_traits, self.clob_traits, self.gamma_traits),
            restart_cooldown_ms=self.restart_cooldown_ms,
            venue_frozen_ms=self.venue_frozen_ms,
            clock_skew_max_ms=self.clock_skew_max_ms,
            listing_cache_ms=self.listing_cache_ms,
            jump_e6=self.jump_e6,
        )
