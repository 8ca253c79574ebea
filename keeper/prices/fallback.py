"""Which source is trusted now: the state machine that turns observations and silence into one price per token.

Core: frozen state in, frozen state out. Best first: stream, CLOB, Gamma (degraded only), last good price.

- The **stream** is lost when its socket is, not when it is quiet: a market where nothing happens sends nothing.
- The **polled** sources, CLOB and Gamma, are lost when they fall silent for longer than their fresh time.
- Stream and CLOB are compared at every poll. One disagreement makes the price uncertain; three in a row take the trust
  from the side whose content is older, for one of the two is frozen.
- A lost source is trusted again after three agreeing probes within five points; a first contact is not a return.
- Gamma never contradicts: its cache may be 300 s old. Its distance from the last good price widens the band instead.
"""

from dataclasses import dataclass, replace
from typing import Final

from keeper.prices.price import Price, PriceClass, Reason, Source, SourceName, TokenId
from keeper.prices.quote import Quote
from keeper.prices.traits import SourceTraits
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
    """The sources there are, and the times by which they are judged."""

    slot_ms: int
    """One slot; sandboxes use short ones."""
    sources: tuple[SourceTraits, ...]
    """Best first."""

    def __post_init__(self) -> None:
        """Refuse sources that are not in the order of their ranks, or that share a name."""
        ranks = [traits.rank for traits in self.sources]
        if ranks != sorted(set(ranks)):
            raise ValueError(f"the ranks of the sources are {ranks}, wanted each once, ascending")
        names = [traits.name for traits in self.sources]
        if len(set(names)) != len(names) or Source.LAST_GOOD in names:
            raise ValueError(f"the sources are named {names}, wanted each once and none last_good")

    def place_of(self, source: SourceName) -> int | None:
        """Return where a source stands among the sources; None when it is not one of them."""
        for place, traits in enumerate(self.sources):
            if traits.name == source:
                return place
        return None

    def fresh_s(self, place: int) -> float:
        """Return how long a source's quote is fresh: never past the age at which a price is stale."""
        return min(self.sources[place].fresh_ms / 1_000, self.slots_s(STALE_SLOTS))

    def slots_s(self, slots: int) -> float:
        """Return the length of so many slots in seconds."""
        return slots * self.slot_ms / 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What one source said of one token."""

    source: SourceName
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
    sources: tuple[SourceState, ...]
    """In the order of the rules' sources, best first."""
    disagreeing: int = 0
    """Polls in a row at which stream and poll disagreed."""
    is_closed: bool = False
    last_good: Price | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The price now, if there ever was one, and the state to go on from."""

    state: TokenState
    price: Price | None
    reason: Reason


def unheard(token_id: TokenId, rules: TrustRules) -> TokenState:
    """Return the state of a token of which no source has spoken."""
    return TokenState(token_id=token_id, sources=(SourceState(),) * len(rules.sources))


def observe(state: TokenState, observation: Observation, rules: TrustRules) -> TokenState:
    """Take in what one of the rules' sources says."""
    place = rules.place_of(observation.source)
    assert place is not None, "the appraiser refuses strangers"
    after = _probed(state, place, observation, rules)
    state = _with(state, place, after)
    if not rules.sources[place].is_compared:
        return state
    return _compared(state, observation, rules)


def lose(state: TokenState, place: int) -> TokenState:
    """Withdraw trust from a source: its socket is gone, or it fell silent."""
    return _with(state, place, SourceState(is_trusted=False))


def close(state: TokenState, *, is_closed: bool) -> TokenState:
    """Note whether the venue says that the market is closed or resolved."""
    return replace(state, is_closed=is_closed)


def judge(
    state: TokenState, rules: TrustRules, now_s: float, *, are_sources_failing: bool = False
) -> Verdict:
    """Decide the price of a token at this moment."""
    for place, traits in enumerate(rules.sources):
        silent = state.sources[place].observation is not None and not _is_fresh(
            state, place, rules, now_s
        )
        if silent and not traits.is_pushed:
            state = lose(state, place)
    if state.is_closed:
        return _carried(state, PriceClass.UNCERTAIN, Reason.MARKET_CLOSED)
    if are_sources_failing:
        return _carried(state, PriceClass.HALTED, Reason.SOURCES_FAILING)
    live, degraded = _leading(state, rules, now_s)
    if live:
        return _judge_live(state, live)
    if degraded:
        return _judge_degraded(state, degraded[0], rules, now_s)
    return _judge_last_good(state, rules, now_s)


def _leading(
    state: TokenState, rules: TrustRules, now_s: float
) -> tuple[list[Observation], list[Observation]]:
    """Return what the trusted and fresh sources say: of those that may make a price valid, and of the others."""
    live: list[Observation] = []
    degraded: list[Observation] = []
    for place, traits in enumerate(rules.sources):
        known = state.sources[place]
        if known.observation is None or not known.is_trusted:
            continue
        if _is_fresh(state, place, rules, now_s):
            (live if traits.best_class is PriceClass.VALID else degraded).append(known.observation)
    return live, degraded


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


def _judge_degraded(
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
    state: TokenState, place: int, observation: Observation, rules: TrustRules
) -> SourceState:
    """Count an observation of an untrusted source as a probe."""
    before = state.sources[place]
    after = replace(before, observation=observation)
    if before.is_trusted:
        return after
    reference = before.observation
    if rules.sources[place].is_compared:
        for other, traits in enumerate(rules.sources):
            known = state.sources[other]
            if other != place and traits.is_compared and known.is_trusted and known.observation:
                reference = known.observation
                break
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
    """Hold the pushed and the polled source against each other after either spoke."""
    pair = _pair(rules)
    if pair is None:
        return state
    pushed, polled = state.sources[pair[0]], state.sources[pair[1]]
    if pushed.observation is None or polled.observation is None or not polled.is_trusted:
        return state
    now_s = observation.received_at_s
    is_poll = observation.source == rules.sources[pair[1]].name
    if not pushed.is_trusted:
        # A quiet market sends no frames: each poll probes the standing stream quote instead.
        found = pushed.observation.quote
        probed = _counted(pushed, found, observation, now_s, rules) if is_poll else pushed
        return _with(state, pair[0], probed)
    if not _is_fresh(state, pair[0], rules, now_s):
        return state
    if not _disagree(pushed.observation.quote, polled.observation.quote):
        return replace(state, disagreeing=0)
    # Only polls count: many frames may pass between two of them.
    return _disagreed(state, pair) if is_poll else state


def _pair(rules: TrustRules) -> tuple[int, int] | None:
    """Return the places of the best compared source that is pushed and of the best that is polled."""
    pushed = [n for n, one in enumerate(rules.sources) if one.is_compared and one.is_pushed]
    polled = [n for n, one in enumerate(rules.sources) if one.is_compared and not one.is_pushed]
    return (pushed[0], polled[0]) if pushed and polled else None


def _disagreed(state: TokenState, pair: tuple[int, int]) -> TokenState:
    """Count a poll at which the two disagreed, and distrust the frozen one at the third in a row."""
    disagreeing = state.disagreeing + 1
    if disagreeing < DISAGREEING_PROBES:
        return replace(state, disagreeing=disagreeing)
    pushed, polled = state.sources[pair[0]].observation, state.sources[pair[1]].observation
    assert pushed is not None, "they were compared"
    assert polled is not None, "they were compared"
    # On a tie the poll is believed: it was asked, the stream merely says nothing new.
    is_poll_older = (polled.content_time_ms or 0) < (pushed.content_time_ms or 0)
    frozen, place = (polled, pair[1]) if is_poll_older else (pushed, pair[0])
    return _with(
        replace(state, disagreeing=0), place, SourceState(observation=frozen, is_trusted=False)
    )


def _disagree(one: Quote, other: Quote) -> bool:
    if one.price_e6 is None or other.price_e6 is None:
        return one.price_e6 is not other.price_e6
    return abs(one.price_e6 - other.price_e6) > DISAGREEMENT_E6


def _gap_e6(one: PriceE6 | None, other: PriceE6 | None) -> int:
    return 0 if one is None or other is None else abs(one - other)


def _is_fresh(state: TokenState, place: int, rules: TrustRules, now_s: float) -> bool:
    observation = state.sources[place].observation
    return observation is not None and now_s - observation.received_at_s <= rules.fresh_s(place)


def _with(state: TokenState, place: int, changed: SourceState) -> TokenState:
    sources = (*state.sources[:place], changed, *state.sources[place + 1 :])
    return replace(state, sources=sources)
