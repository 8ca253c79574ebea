"""Words of sources, and what a token's state becomes of them: shared by the tests of the rules of trust."""

from dataclasses import replace

from keeper.prices.circumstances import CALM
from keeper.prices.fallback import observe
from keeper.prices.feed_config import FeedConfig
from keeper.prices.judgement import judge
from keeper.prices.observation import Observation
from keeper.prices.price import Reason, Source, TokenId
from keeper.prices.quote import Quote, quote
from keeper.prices.token_state import unheard
from keeper.prices.trust_rules import TrustRules

STREAM, CLOB, GAMMA = (
    replace(traits, fresh_ms=fresh_ms)
    for traits, fresh_ms in zip(
        FeedConfig().trust_rules.sources, (10_000, 6_000, 90_000), strict=True
    )
)
RULES = TrustRules(slot_ms=400, sources=(STREAM, CLOB, GAMMA))
"""150 slots are 60 s, 750 slots are 300 s."""
AT_STREAM, AT_CLOB, AT_GAMMA = range(3)
TOKEN = unheard(TokenId("1"), RULES)


def seen(source, price_e6, at_s, *, content_time_ms=None, spread_e6=2_000):
    half = spread_e6 // 2
    return Observation(
        source=source,
        quote=quote(price_e6 - half, price_e6 + half),
        received_at_s=at_s,
        content_time_ms=content_time_ms,
    )


def streamed(price_e6, at_s, **how):
    return seen(Source.STREAM, price_e6, at_s, **how)


def polled(price_e6, at_s, **how):
    return seen(Source.CLOB, price_e6, at_s, **how)


def listed(price_e6, at_s, **how):
    return seen(Source.GAMMA, price_e6, at_s, **how)


def unsound(source, at_s, reason=Reason.ONE_SIDED):
    return replace(seen(source, 500_000, at_s), quote=Quote(None, 0, reason))


def after(*observations, state=TOKEN, rules=RULES, about=CALM):
    """Take in each word at its time, and judge after each, as the appraiser does."""
    for observation in observations:
        state = observe(state, observation, rules, about)
        state = judge(state, rules, observation.received_at_s, about).state
    return state


def price_at(state, now_s, about=CALM, *, rules=RULES):
    return judge(state, rules, now_s, about).price


def classes(*observations, state=TOKEN, rules=RULES, about=CALM):
    """Return the class and reason after each word."""
    told = []
    for observation in observations:
        state = observe(state, observation, rules, about)
        verdict = judge(state, rules, observation.received_at_s, about)
        state = verdict.state
        told.append((str(verdict.price.price_class), str(verdict.price.reason)))
    return told
