"""Which source is trusted now: the state machine that turns observations and silence into one price per token.

Core: frozen state in, frozen state out. Best first: stream, CLOB, Gamma (degraded only), last good price.

- The **stream** is lost when its socket is, not when it is quiet: a market where nothing happens sends nothing.
- The **polled** sources, CLOB and Gamma, are lost when they fall silent for longer than their fresh time.
- Stream and CLOB are compared at every poll. One disagreement makes the price uncertain; three in a row take the trust
  from the side whose content is older, for one of the two is frozen.
- A lost source is trusted again after three agreeing probes within five points; a first contact is not a return.
- Gamma never contradicts: its cache may be 300 s old. Its distance from the last good price widens the band instead.
"""

from dataclasses import dataclass, field, replace
from typing import Final

from keeper.prices.price import Price, PriceClass, Reason, Source, TokenId
from keeper.prices.quote import Quote
from programs.units import PriceE6

DISAGREEMENT_E6: Final = 50_000
"""Five points. Source: SPEC.md section 6."""
AGREEING_PROBES: Final = 3
"""Source: SPEC.md section 6, hysteresis."""
DISAGREEING_PROBES: Final = 3
"""Polls in a row, so that a price in motion between two polls is not called a frozen source."""
STALE_SLOTS: Final = 150
HALTED_SLOTS: Final = 750
"""Source: SPEC.md section 6."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustRules:
    """The times by which sources are judged."""

    slot_ms: int
    """One slot; sandboxes use short ones."""
    stream_fresh_ms: int
    """How long a streamed quote leads without a new frame; after that the poll, which asks, leads."""
    clob_fresh_ms: int
    gamma_fresh_ms: int

    def fresh_s(self, source: Source) -> float:
        """Return how long a source's quote is fresh: never past the age at which a price is stale."""
        fresh_ms = {
            Source.STREAM: self.stream_fresh_ms,
            Source.CLOB: self.clob_fresh_ms,
            Source.GAMMA: self.gamma_fresh_ms,
        }[source]
        return min(fresh_ms / 1_000, self.slots_s(STALE_SLOTS))

    def slots_s(self, slots: int) -> float:
        """Return the length of so many slots in seconds."""
        return slots * self.slot_ms / 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What one source said of one token."""

    source: Source
    quote: Quote
    received_at_s: float
    content_time_ms: int | None
    recorded_body: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceState:
    """What is known of one source for one token."""

    observation: Observation | None = None
    is_trusted: bool = True
    agreeing: int = 0
    """Agreeing probes since trust was lost."""
    probed_at_s: float = float("-inf")
    """When the last probe counted: probes within one slot are one probe."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenState:
    """Everything the judgement of one token depends on."""

    token_id: TokenId
    stream: SourceState = field(default_factory=SourceState)
    clob: SourceState = field(default_factory=SourceState)
    gamma: SourceState = field(default_factory=SourceState)
    disagreeing: int = 0
    """Polls in a row at which stream and CLOB disagreed."""
    is_closed: bool = False
    last_good: Price | None = None

    def of(self, source: Source) -> SourceState:
        """Return the state of a live source."""
        return {Source.STREAM: self.stream, Source.CLOB: self.clob, Source.GAMMA: self.gamma}[
            source
        ]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The price now, if there ever was one, and the state to go on from."""

    state: TokenState
    price: Price | None
    reason: Reason


def observe(state: TokenState, observation: Observation, rules: TrustRules) -> TokenState:
    """Take in what a source says."""
    source = observation.source
    before = state.of(source)
    after = _probed(state, before, observation, rules)
    state = _with(state, source, after)
    if source is Source.GAMMA:
        return state
    return _compared(state, observation, rules)


def lose(state: TokenState, source: Source) -> TokenState:
    """Withdraw trust from a source: its socket is gone, or it fell silent."""
    return _with(state, source, SourceState(is_trusted=False))


def close(state: TokenState, *, is_closed: bool) -> TokenState:
    """Note whether the venue says that the market is closed or resolved."""
    return replace(state, is_closed=is_closed)


def judge(
    state: TokenState, rules: TrustRules, now_s: float, *, are_sources_failing: bool = False
) -> Verdict:
    """Decide the price of a token at this moment."""
    for source in (Source.CLOB, Source.GAMMA):
        polled = state.of(source)
        if polled.observation is not None and not _is_fresh(polled, rules, now_s):
            state = lose(state, source)
    if state.is_closed:
        return _carried(state, PriceClass.UNCERTAIN, Reason.MARKET_CLOSED)
    if are_sources_failing:
        return _carried(state, PriceClass.HALTED, Reason.SOURCES_FAILING)
    live = [
        candidate.observation
        for candidate in (state.stream, state.clob)
        if candidate.observation is not None
        and candidate.is_trusted
        and _is_fresh(candidate, rules, now_s)
    ]
    if live:
        return _judge_live(state, live)
    gamma = state.gamma
    if gamma.observation is not None and gamma.is_trusted:
        return _judge_gamma(state, gamma.observation, rules, now_s)
    return _judge_last_good(state, rules, now_s)


def _judge_live(state: TokenState, live: list[Observation]) -> Verdict:
    best = live[0]
    gap_e6 = 0
    if len(live) > 1:
        if _disagree(live[0].quote, live[1].quote):
            return _uncertain(state, best, Reason.SOURCES_DISAGREE)
        gap_e6 = _gap_e6(live[0].quote.price_e6, live[1].quote.price_e6)
    if not best.quote.is_sound:
        return _uncertain(state, best, best.quote.reason)
    price = _price(state, best, PriceClass.VALID, Reason.OK, gap_e6)
    assert price is not None, "a sound quote has a price"
    return Verdict(replace(state, last_good=price), price, Reason.OK)


def _judge_gamma(
    state: TokenState, observation: Observation, rules: TrustRules, now_s: float
) -> Verdict:
    if not observation.quote.is_sound:
        return _uncertain(state, observation, observation.quote.reason)
    last_good = state.last_good
    gap_e6 = 0
    if last_good is not None and now_s - last_good.received_at_s <= rules.slots_s(HALTED_SLOTS):
        gap_e6 = _gap_e6(observation.quote.price_e6, last_good.price_e6)
    price = _price(state, observation, PriceClass.DEGRADED, Reason.FALLBACK, gap_e6)
    assert price is not None, "a sound quote has a price"
    # Not the new last good: a widened band measured against itself would narrow at the next poll.
    good = last_good
    if good is None or now_s - good.received_at_s > rules.slots_s(STALE_SLOTS):
        good = price
    return Verdict(replace(state, last_good=good), price, Reason.FALLBACK)


def _judge_last_good(state: TokenState, rules: TrustRules, now_s: float) -> Verdict:
    if state.last_good is None:
        return Verdict(state, None, Reason.NO_SOURCE)
    age_s = now_s - state.last_good.received_at_s
    if age_s > rules.slots_s(HALTED_SLOTS):
        return _carried(state, PriceClass.HALTED, Reason.TOO_OLD)
    if age_s > rules.slots_s(STALE_SLOTS):
        return _carried(state, PriceClass.STALE, Reason.TOO_OLD)
    return _carried(state, PriceClass.DEGRADED, Reason.FALLBACK)


def _uncertain(state: TokenState, observation: Observation, reason: Reason) -> Verdict:
    price = _price(state, observation, PriceClass.UNCERTAIN, reason, 0)
    if price is None:  # No midpoint and no trade: show the last good one, with its own old time.
        return _carried(state, PriceClass.UNCERTAIN, reason)
    return Verdict(state, price, reason)


def _carried(state: TokenState, price_class: PriceClass, reason: Reason) -> Verdict:
    if state.last_good is None:
        return Verdict(state, None, reason)
    price = replace(
        state.last_good, price_class=price_class, source=Source.LAST_GOOD, reason=reason
    )
    return Verdict(state, price, reason)


def _price(
    state: TokenState,
    observation: Observation,
    price_class: PriceClass,
    reason: Reason,
    gap_e6: int,
) -> Price | None:
    if observation.quote.price_e6 is None:
        return None
    return Price(
        token_id=state.token_id,
        price_e6=observation.quote.price_e6,
        band_e6=observation.quote.half_spread_e6 + gap_e6,
        price_class=price_class,
        source=observation.source,
        received_at_s=observation.received_at_s,
        content_time_ms=observation.content_time_ms,
        reason=reason,
        recorded_body=observation.recorded_body,
    )


def _probed(
    state: TokenState, before: SourceState, observation: Observation, rules: TrustRules
) -> SourceState:
    """Count an observation of an untrusted source as a probe."""
    after = replace(before, observation=observation)
    if before.is_trusted:
        return after
    reference = before.observation
    if observation.source is not Source.GAMMA:
        other = state.clob if observation.source is Source.STREAM else state.stream
        if other.is_trusted and other.observation is not None:
            reference = other.observation
    return _counted(after, observation.quote, reference, observation.received_at_s, rules)


def _counted(
    probed: SourceState,
    found: Quote,
    reference: Observation | None,
    now_s: float,
    rules: TrustRules,
) -> SourceState:
    is_agreeing = found.is_sound and (reference is None or not _disagree(found, reference.quote))
    if not is_agreeing:
        return replace(probed, agreeing=0, probed_at_s=now_s)
    if now_s - probed.probed_at_s < rules.slots_s(1):
        return probed
    agreeing = probed.agreeing + 1
    return replace(
        probed, agreeing=agreeing, probed_at_s=now_s, is_trusted=agreeing >= AGREEING_PROBES
    )


def _compared(state: TokenState, observation: Observation, rules: TrustRules) -> TokenState:
    """Hold stream and CLOB against each other after either spoke."""
    stream, clob = state.stream, state.clob
    if stream.observation is None or clob.observation is None or not clob.is_trusted:
        return state
    now_s = observation.received_at_s
    is_poll = observation.source is Source.CLOB
    if not stream.is_trusted:
        # A quiet market sends no frames: each poll probes the standing stream quote instead.
        found = stream.observation.quote
        probed = _counted(stream, found, observation, now_s, rules) if is_poll else stream
        return replace(state, stream=probed)
    if not _is_fresh(stream, rules, now_s):
        return state
    if not _disagree(stream.observation.quote, clob.observation.quote):
        return replace(state, disagreeing=0)
    # Only polls count: many frames may pass between two of them.
    return _disagreed(state, stream.observation, clob.observation) if is_poll else state


def _disagreed(state: TokenState, stream: Observation, clob: Observation) -> TokenState:
    """Count a poll at which the two disagreed, and distrust the frozen one at the third in a row."""
    disagreeing = state.disagreeing + 1
    if disagreeing < DISAGREEING_PROBES:
        return replace(state, disagreeing=disagreeing)
    # On a tie the poll is believed: it was asked, the stream merely says nothing new.
    is_clob_older = (clob.content_time_ms or 0) < (stream.content_time_ms or 0)
    frozen = clob if is_clob_older else stream
    return _with(
        replace(state, disagreeing=0),
        frozen.source,
        SourceState(observation=frozen, is_trusted=False),
    )


def _disagree(one: Quote, other: Quote) -> bool:
    if one.price_e6 is None or other.price_e6 is None:
        return one.price_e6 is not other.price_e6
    return abs(one.price_e6 - other.price_e6) > DISAGREEMENT_E6


def _gap_e6(one: PriceE6 | None, other: PriceE6 | None) -> int:
    return 0 if one is None or other is None else abs(one - other)


def _is_fresh(source: SourceState, rules: TrustRules, now_s: float) -> bool:
    return (
        source.observation is not None
        and now_s - source.observation.received_at_s <= rules.fresh_s(source.observation.source)
    )


def _with(state: TokenState, source: Source, changed: SourceState) -> TokenState:
    if source is Source.STREAM:
        return replace(state, stream=changed)
    if source is Source.CLOB:
        return replace(state, clob=changed)
    return replace(state, gamma=changed)
