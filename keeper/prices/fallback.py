"""Which source is trusted now: what an observation, a loss or a closing changes in what is known of a token.

Core: frozen state in, frozen state out. The rules stand in files of their own; here is the order in which they speak, and
`judgement` makes one price of what they leave.

- A **pushed** source, the stream, is lost when its socket is, not when it is quiet: a market where nothing happens sends
  nothing. A **polled** source is lost when it falls silent for longer than its fresh time.
- The best believed source leads. Sources that agree make a price valid (`crosscheck`), one that comes back has to earn it
  (`probation`), and a jump or a disagreement has to settle (`settling`).
- A **cached** source, Gamma, carries on in an outage, degraded: its distance from the last valid price and from every
  voice widens its band. After it the last good price is carried, with its own old time.
- Time and losses never improve a class. Only news of a believed source does.
"""

from dataclasses import replace
from math import inf
from typing import Final

from keeper.prices.circumstances import CALM, Circumstances
from keeper.prices.crosscheck import crosschecked, with_source
from keeper.prices.observation import Observation
from keeper.prices.price import PriceClass, Reason
from keeper.prices.probation import lost, probed, reference_for
from keeper.prices.token_state import SourceState, TokenState, is_overtaken
from keeper.prices.trust_rules import FAR_E6, TrustRules

_GONE: Final = (Reason.LOST, Reason.SILENT)


def observe(
    state: TokenState, observation: Observation, rules: TrustRules, about: Circumstances = CALM
) -> TokenState:
    """Take in what one of the rules' sources says."""
    place = rules.place_of(observation.source)
    assert place is not None, "the appraiser refuses strangers"
    now_s = observation.received_at_s
    before = state.sources[place]
    traits = rules.sources[place]
    after = _heard(before, observation)
    is_restarting = traits.is_of_engine and now_s < about.restarting_until_s
    if is_restarting or (
        after.is_trusted and is_overtaken(after, traits, about.restarting_until_s)
    ):
        # Trust of before the restart is void, whether or not anything was said of this token meanwhile.
        after = replace(after, is_trusted=False, doubt=Reason.ENGINE_RESTART, agreeing=0)
    if not after.is_trusted and not is_restarting:
        reference = reference_for(state, place, before.observation, rules, now_s)
        after = probed(after, observation.quote, reference, rules, now_s)
    if traits.best_class is not PriceClass.VALID:
        after = _held_against_last_good(state, after, rules, now_s)
    state = replace(
        state,
        sources=(*state.sources[:place], after, *state.sources[place + 1 :]),
        news=state.news | 1 << place,
    )
    if not traits.is_compared or traits.is_pushed:
        return state
    state, other = crosschecked(state, place, before, rules, about, now_s)
    if other is None or not state.sources[place].is_trusted:
        return state
    found = state.sources[other]
    if found.is_trusted or found.observation is None or not rules.sources[other].is_pushed:
        return state
    # A quiet market sends no frames: the poll probes the standing word instead.
    return with_source(
        state, other, probed(found, found.observation.quote, observation.quote, rules, now_s)
    )


def lose(state: TokenState, place: int, doubt: Reason = Reason.LOST) -> TokenState:
    """Withdraw a source's word and trust: its socket is gone, it fell silent, or its book is asked for anew."""
    return with_source(state, place, lost(state.sources[place], doubt))


def withdraw(state: TokenState, place: int, now_s: float) -> TokenState:
    """Take back the word of a source found behind, whose book is asked for anew.

    It goes on to contradict the others until it answers, for as long as a price is not stale: otherwise asking a source
    would be a way to silence it.
    """
    known = replace(lost(state.sources[place], Reason.BEHIND), withdrawn_at_s=now_s)
    return with_source(state, place, known)


def close(state: TokenState, rules: TrustRules, now_s: float, *, is_closed: bool) -> TokenState:
    """Note whether the venue says that the market is closed or resolved.

    A listing may have been cached before the market closed: one that says open is believed only once no word of
    its closing is younger than a cache can be old.
    """
    if is_closed:
        return replace(state, is_closed=True, closed_at_s=now_s)
    if now_s - state.closed_at_s <= rules.listing_cache_ms / 1_000:
        return state
    return replace(state, is_closed=False)


def _heard(before: SourceState, observation: Observation) -> SourceState:
    """Return what is known of a source once it has spoken, its trust unchanged."""
    last = before.last_heard
    stamp_ms, regressed_at_s = observation.content_time_ms, before.regressed_at_s
    if stamp_ms is None:
        stamp_ms = before.stamp_ms
    elif before.stamp_ms is not None and stamp_ms < before.stamp_ms:
        regressed_at_s = observation.received_at_s
    has_changed = last is None or not observation.has_content_of(last)
    is_first = last is None and before.is_trusted
    doubt = before.doubt
    was_asked_anew = before.observation is None and before.withdrawn_at_s > -inf
    return SourceState(
        observation=observation,
        last_heard=observation,
        withdrawn_at_s=-inf if has_changed else before.withdrawn_at_s,
        is_stuck=not has_changed and (before.is_stuck or was_asked_anew),
        is_trusted=before.is_trusted,
        doubt=Reason.PROBATION if doubt in _GONE else doubt,
        trusted_since_s=observation.received_at_s if is_first else before.trusted_since_s,
        agreeing=before.agreeing,
        probed_at_s=before.probed_at_s,
        changed_at_s=observation.received_at_s if has_changed else before.changed_at_s,
        behind=before.behind,
        doubts=before.doubts,
        stamp_ms=stamp_ms,
        regressed_at_s=regressed_at_s,
    )


def _held_against_last_good(
    state: TokenState, known: SourceState, rules: TrustRules, now_s: float
) -> SourceState:
    """Refuse a cached quote that is far from a last good price which is still fresh; a later one may pass."""
    observation, good = known.observation, state.last_good
    assert observation is not None, "it was just heard"
    price_e6 = observation.quote.price_e6
    is_far = (
        good is not None
        and price_e6 is not None
        and now_s - good.received_at_s <= rules.stale_s
        and abs(price_e6 - good.price_e6) > FAR_E6
    )
    if is_far:
        return replace(known, doubt=Reason.FALLBACK_FAR)
    if known.doubt is Reason.FALLBACK_FAR:
        return replace(known, doubt=None if known.is_trusted else Reason.PROBATION)
    return known
