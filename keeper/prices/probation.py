"""How a source that lost its trust earns it back: three agreeing probes, at least a slot apart.

Core. A first contact is believed; a return is not. An observation of the source itself is a probe, and so is a poll that
is held against its standing word, for a quiet market sends no frames.
"""

from dataclasses import replace

from keeper.prices.crosscheck import disagree
from keeper.prices.observation import Observation
from keeper.prices.price import Reason
from keeper.prices.quote import Quote
from keeper.prices.token_state import SourceState, TokenState, is_fresh
from keeper.prices.trust_rules import AGREEING_PROBES, TrustRules


def lost(known: SourceState, doubt: Reason) -> SourceState:
    """Take a source's standing word and its trust: its connection is gone, or it fell silent."""
    return SourceState(
        last_heard=known.last_heard,
        withdrawn_at_s=known.withdrawn_at_s,
        is_stuck=known.is_stuck,
        is_trusted=False,
        doubt=doubt,
        changed_at_s=known.changed_at_s,
        doubts=known.doubts,
        stamp_ms=known.stamp_ms,
        regressed_at_s=known.regressed_at_s,
    )


def probed(
    known: SourceState, found: Quote, reference: Quote | None, rules: TrustRules, now_s: float
) -> SourceState:
    """Count a probe of an untrusted source, and trust it again after the third that agrees.

    Args:
        known: the source.
        found: what it says.
        reference: what a believed source says, or else what it said itself the time before; None: nothing to disagree
            with.
        rules: the length of a slot.
        now_s: when it was probed.

    """
    is_agreeing = found.is_sound and (reference is None or not disagree(found, reference))
    if not is_agreeing:
        return replace(known, agreeing=0, probed_at_s=now_s)
    if now_s - known.probed_at_s < rules.slot_s:
        return known
    agreeing = known.agreeing + 1
    if agreeing < AGREEING_PROBES:
        return replace(known, agreeing=agreeing, probed_at_s=now_s)
    return replace(
        known,
        agreeing=0,
        probed_at_s=now_s,
        is_trusted=True,
        doubt=None,
        behind=0,
        trusted_since_s=now_s,
    )


def reference_for(
    state: TokenState, place: int, before: Observation | None, rules: TrustRules, now_s: float
) -> Quote | None:
    """Return what an observation of an untrusted source has to agree with."""
    if rules.sources[place].is_compared:
        for other, (traits, known) in enumerate(zip(rules.sources, state.sources, strict=True)):
            if other == place or not traits.is_compared or not known.is_trusted:
                continue
            word = known.observation
            if word is None or not word.quote.is_sound:
                continue  # What is not believed of a believed source proves nobody else wrong.
            if traits.is_pushed or is_fresh(known, rules.fresh_s[other], now_s):
                return word.quote
    return None if before is None else before.quote
