"""One price out of what is known of a token: the best believed source, the cached one, or the last good price.

Core. Nothing is invented: a price is some source's own quote, or the last good price with its own old time. Time and losses
never improve a class: only news of a believed source does.
"""

from dataclasses import dataclass, replace
from itertools import combinations
from math import inf
from typing import Final

from keeper.prices.circumstances import CALM, Circumstances
from keeper.prices.crosscheck import disagree, gap_e6, voices
from keeper.prices.fallback import lose
from keeper.prices.observation import Observation
from keeper.prices.price import CLASS_ORDER, Price, PriceClass, Reason, Source
from keeper.prices.settling import jump_of, settled, unsettled
from keeper.prices.token_state import Settling, TokenState, is_fresh, is_overtaken
from keeper.prices.trust_rules import DISAGREEMENT_E6, TrustRules
from programs.units import PriceE6

_ACTED_ON: Final = (PriceClass.VALID, PriceClass.DEGRADED)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The price now, if there ever was one, and the state to go on from."""

    state: TokenState
    price: Price | None
    reason: Reason


@dataclass(frozen=True, slots=True)
class _Finding:
    """A verdict on the sources alone, and what it would have remembered."""

    price: Price | None
    reason: Reason
    settling: Settling | None
    last_good: Price | None
    last_valid: Price | None
    heard: int = 0
    """The places of the sources it rests on, one bit each: news of any of them may improve the class."""


def judge(
    state: TokenState, rules: TrustRules, now_s: float, about: Circumstances = CALM
) -> Verdict:
    """Decide the price of a token at this moment."""
    for place, traits in enumerate(rules.sources):
        known = state.sources[place]
        if (
            not traits.is_pushed
            and known.observation is not None
            and not is_fresh(known, rules.fresh_s[place], now_s)
        ):
            state = lose(state, place, Reason.SILENT)
    verdict = _remembered(state, _found(state, rules, now_s, about))
    if state.is_closed:
        return _overruled(verdict, PriceClass.UNCERTAIN, Reason.MARKET_CLOSED)
    if about.are_sources_failing:
        return _overruled(verdict, PriceClass.HALTED, Reason.SOURCES_FAILING)
    if about.is_frozen and verdict.price is not None and verdict.price.price_class in _ACTED_ON:
        return _overruled(verdict, PriceClass.UNCERTAIN, Reason.VENUE_FROZEN)
    return verdict


def due_s(state: TokenState, rules: TrustRules, now_s: float) -> float:
    """Return the next moment at which time alone can change the verdict; infinity when nothing is left to age."""
    due = inf
    for known, fresh_s in zip(state.sources, rules.fresh_s, strict=True):
        if known.observation is not None:
            due = _sooner(due, known.observation.received_at_s + fresh_s, now_s)
        else:
            due = _sooner(due, known.withdrawn_at_s + rules.stale_s, now_s)
    if state.last_good is not None:
        received_at_s = state.last_good.received_at_s
        due = _sooner(due, received_at_s + rules.stale_s, now_s)
        due = _sooner(due, received_at_s + rules.halted_s, now_s)
    return due


def _sooner(due: float, end_s: float, now_s: float) -> float:
    return end_s if now_s <= end_s < due else due


def _found(state: TokenState, rules: TrustRules, now_s: float, about: Circumstances) -> _Finding:
    live: list[int] = []
    cached: int | None = None
    for place, traits in enumerate(rules.sources):
        known = state.sources[place]
        if (
            not known.is_trusted
            or not is_fresh(known, rules.fresh_s[place], now_s)
            or is_overtaken(known, traits, about.restarting_until_s)
        ):
            continue
        if traits.best_class is PriceClass.VALID:
            live.append(place)
        elif cached is None:
            cached = place
    if live:
        return _found_live(state, live, rules, now_s)
    why = Reason.ENGINE_RESTART if now_s < about.restarting_until_s else Reason.FALLBACK
    if cached is not None:
        return _found_cached(state, cached, why, rules, now_s)
    return _found_last_good(state, why, rules, now_s)


def _found_live(state: TokenState, live: list[int], rules: TrustRules, now_s: float) -> _Finding:
    leader = _standing(state, live[0])
    heard = sum(1 << place for place in live)
    quote = leader.quote
    settling = state.settling
    if len(live) > 1 and _are_apart(state, live, rules):
        if quote.price_e6 is not None:
            settling = unsettled(quote.price_e6, Reason.SETTLING)
        return _uncertain(state, leader, Reason.SOURCES_DISAGREE, settling, heard)
    price_e6 = quote.price_e6
    if price_e6 is None or not quote.is_sound:
        return _uncertain(state, leader, quote.reason, settling, heard)
    jump = jump_of(state, live[0], price_e6, rules, now_s)
    if jump is Reason.JUMP_CONTESTED:
        settling = unsettled(price_e6, Reason.SETTLING)
        return _uncertain(state, leader, jump, settling, heard)
    if jump is not None and settling is None:
        settling = unsettled(price_e6, jump)
    if settling is not None:
        is_probe = _is_probe(state, live, rules)
        settling = settled(settling, price_e6, is_probe=is_probe, rules=rules, now_s=now_s)
        if settling is not None:
            return _uncertain(state, leader, settling.reason, settling, heard)
    gap = gap_e6(state, live[0], price_e6, rules, now_s)
    if gap > DISAGREEMENT_E6:
        price = _price(state, leader, price_e6, PriceClass.DEGRADED, Reason.CONTESTED, gap)
        return _Finding(price, Reason.CONTESTED, None, price, state.last_valid, heard)
    price = _price(state, leader, price_e6, PriceClass.VALID, Reason.OK, gap)
    return _Finding(price, Reason.OK, None, price, price, heard)


def _are_apart(state: TokenState, live: list[int], rules: TrustRules) -> bool:
    compared = [_standing(state, place).quote for place in live if rules.sources[place].is_compared]
    return any(disagree(one, other) for one, other in combinations(compared, 2))


def _is_probe(state: TokenState, live: list[int], rules: TrustRules) -> bool:
    """Whether a poll was heard since the last judgement; where nothing is polled any news is a probe."""
    polled = sum(1 << place for place in live if not rules.sources[place].is_pushed)
    return bool(state.news & (polled or sum(1 << place for place in live)))


def _found_cached(
    state: TokenState, place: int, why: Reason, rules: TrustRules, now_s: float
) -> _Finding:
    observation = _standing(state, place)
    heard = 1 << place
    if state.sources[place].doubt is Reason.FALLBACK_FAR:
        return _carried(state, PriceClass.UNCERTAIN, Reason.FALLBACK_FAR, heard=heard)
    quote = observation.quote
    if quote.price_e6 is None or not quote.is_sound:
        return _uncertain(state, observation, quote.reason, state.settling, heard)
    others = voices(state, place, rules, now_s)
    if state.last_valid is not None:
        others.append(state.last_valid.price_e6)
    gap = max((abs(other - quote.price_e6) for other in others), default=0)
    price = _price(state, observation, quote.price_e6, PriceClass.DEGRADED, why, gap)
    # Not the last good price while a better one is fresh: a jump is measured from what the books said.
    good = state.last_good
    if good is None or now_s > good.received_at_s + rules.stale_s:
        good = price
    return _Finding(price, why, state.settling, good, state.last_valid, heard)


def _found_last_good(state: TokenState, why: Reason, rules: TrustRules, now_s: float) -> _Finding:
    if state.last_good is None:
        return _unpriced(state, Reason.NO_SOURCE)
    received_at_s = state.last_good.received_at_s
    if now_s > received_at_s + rules.halted_s:
        return _carried(state, PriceClass.HALTED, Reason.TOO_OLD)
    if now_s > received_at_s + rules.stale_s:
        return _carried(state, PriceClass.STALE, Reason.TOO_OLD)
    return _carried(state, PriceClass.DEGRADED, why)


def _uncertain(
    state: TokenState,
    observation: Observation,
    reason: Reason,
    settling: Settling | None,
    heard: int,
) -> _Finding:
    price_e6 = observation.quote.price_e6
    if price_e6 is None:  # No midpoint and no trade: show the last good one, with its own old time.
        return _carried(state, PriceClass.UNCERTAIN, reason, heard=heard)
    price = _price(state, observation, price_e6, PriceClass.UNCERTAIN, reason, 0)
    return _Finding(price, reason, settling, state.last_good, state.last_valid, heard)


def _carried(
    state: TokenState, price_class: PriceClass, reason: Reason, *, heard: int = 0
) -> _Finding:
    good = state.last_good
    if good is None:
        return _unpriced(state, reason)
    price = replace(good, price_class=price_class, source=Source.LAST_GOOD, reason=reason)
    return _Finding(price, reason, state.settling, good, state.last_valid, heard)


def _unpriced(state: TokenState, reason: Reason) -> _Finding:
    return _Finding(None, reason, state.settling, None, state.last_valid)


def _price(
    state: TokenState,
    observation: Observation,
    price_e6: PriceE6,
    price_class: PriceClass,
    reason: Reason,
    gap: int,
) -> Price:
    return Price(
        token_id=state.token_id,
        price_e6=price_e6,
        band_e6=observation.quote.half_spread_e6 + gap,
        price_class=price_class,
        source=observation.source,
        received_at_s=observation.received_at_s,
        content_time_ms=observation.content_time_ms,
        reason=reason,
        recorded_body=observation.recorded_body,
    )


def _remembered(before: TokenState, finding: _Finding) -> Verdict:
    """Make a finding the verdict, unless it is better than the last one without news to make it so."""
    price, reason, judged = finding.price, finding.reason, before.judged
    if price is None:
        return Verdict(replace(before, news=0), None, reason)
    if (
        judged is not None
        and CLASS_ORDER[price.price_class] < CLASS_ORDER[judged]
        and not before.news & finding.heard
    ):
        # What the finding would have remembered as good is not: nobody was allowed to act on it.
        reason = before.judged_reason
        price = replace(price, price_class=judged, reason=reason)
        return Verdict(replace(before, news=0), price, reason)
    # Written out: `replace` would take longer than all the rest of a judgement.
    state = TokenState(
        token_id=before.token_id,
        sources=before.sources,
        settling=finding.settling,
        is_closed=before.is_closed,
        closed_at_s=before.closed_at_s,
        last_good=finding.last_good,
        last_valid=finding.last_valid,
        judged=price.price_class,
        judged_reason=reason,
    )
    return Verdict(state, price, reason)


def _overruled(verdict: Verdict, price_class: PriceClass, reason: Reason) -> Verdict:
    """Say of the last good price what holds for the whole venue or market; what was found is kept for afterwards."""
    good = verdict.state.last_good
    shown = verdict.price if good is None else replace(good, source=Source.LAST_GOOD)
    if shown is not None:
        shown = replace(shown, price_class=price_class, reason=reason)
    return Verdict(verdict.state, shown, reason)


def _standing(state: TokenState, place: int) -> Observation:
    observation = state.sources[place].observation
    assert observation is not None, "only what was heard is believed"
    return observation
