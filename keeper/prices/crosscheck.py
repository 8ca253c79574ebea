"""Sources held against each other: how far apart they are, and which of them has missed something.

Core. A disagreement beyond five points makes a price uncertain at once, whoever is right. Three polls in a row that find
the same side behind, its content older and itself unmoved, take the trust from it: a stream frozen while its PONG goes
on, one token of it frozen, or a poll answered from a book that stands still. Within five points too: there the band
tells the gap meanwhile.
"""

from dataclasses import replace

from keeper.prices.circumstances import Circumstances
from keeper.prices.clocks import Older, older_of
from keeper.prices.price import Reason
from keeper.prices.quote import Quote
from keeper.prices.token_state import SourceState, TokenState, is_fresh
from keeper.prices.trust_rules import BEHIND_PROBES, DISAGREEMENT_E6, TrustRules
from programs.units import PriceE6


def disagree(one: Quote, other: Quote) -> bool:
    """Whether two quotes are more than five points apart, or only one of them names a price."""
    if one.price_e6 is None or other.price_e6 is None:
        return one.price_e6 is not other.price_e6
    return abs(one.price_e6 - other.price_e6) > DISAGREEMENT_E6


def gap_e6(state: TokenState, place: int, price_e6: int, rules: TrustRules, now_s: float) -> int:
    """Return how far the farthest peer is from a price of a source."""
    return max((abs(price_e6 - other) for other in peers(state, place, rules, now_s)), default=0)


def peers(state: TokenState, place: int, rules: TrustRules, now_s: float) -> list[PriceE6]:
    """Return the voices that a source is compared with; none when it is not compared at all."""
    return voices(state, place, rules, now_s) if rules.sources[place].is_compared else []


def voices(state: TokenState, place: int, rules: TrustRules, now_s: float) -> list[PriceE6]:
    """Return what the other compared sources say, trusted or not, as far as it stands and is sound.

    A poll's word stands while it is fresh, a stream's until its connection is lost. A word that was withdrawn so that
    the book could be asked for anew stands until the answer comes, or is overdue by the age at which a price is stale;
    an answer that is word for word the old one adds nothing to it, and is no voice.
    """
    found: list[PriceE6] = []
    for other, (traits, known) in enumerate(zip(rules.sources, state.sources, strict=True)):
        if other == place or not traits.is_compared or known.is_stuck:
            continue
        word = known.observation
        if word is None:
            word = known.last_heard if now_s <= known.withdrawn_at_s + rules.stale_s else None
        elif not traits.is_pushed and not is_fresh(known, rules.fresh_s[other], now_s):
            word = None
        if word is not None and word.quote.is_sound and word.quote.price_e6 is not None:
            found.append(word.quote.price_e6)
    return found


def crosschecked(
    state: TokenState,
    place: int,
    before: SourceState,
    rules: TrustRules,
    about: Circumstances,
    now_s: float,
) -> tuple[TokenState, int | None]:
    """Hold a poll that has just answered against the best other source that stands.

    Args:
        state: with the poll taken in.
        place: the poll's place.
        before: what was known of it before.
        rules: the sources.
        about: the clocks.
        now_s: when it answered.

    Returns:
        The state, and the place of the source it was compared with if that one is not behind: its trust can be
        probed by this poll. None when there was nothing to compare with.

    """
    other = _reference(state, place, rules, now_s)
    if other is None:
        return state, None
    polled, found = state.sources[place], state.sources[other]
    assert polled.observation is not None, "it has just answered"
    assert found.observation is not None, "it is the reference"
    one, two = polled.observation.quote, found.observation.quote
    older = Older.UNDECIDED if one == two else older_of(polled, found, about, rules)
    late = None
    asked_at_s = float("-inf") if before.observation is None else before.observation.received_at_s
    if older is Older.FIRST:
        late = place
        # Within five points it may only be on its way: the other must have had its content a whole poll ago.
        if not disagree(one, two) and found.changed_at_s >= asked_at_s:
            late = None
    elif older is Older.SECOND:
        late = other
        if not disagree(one, two) and (
            found.observation.received_at_s >= asked_at_s or before.observation is None
        ):
            late = None
    for side in (place, other):
        state = _counted(state, side, is_behind=side == late, asked_at_s=asked_at_s)
    return state, None if late == other else other


def _reference(state: TokenState, place: int, rules: TrustRules, now_s: float) -> int | None:
    """Return the best other compared source with a word that stands: a stream's, or a fresh poll's."""
    for other, (traits, known) in enumerate(zip(rules.sources, state.sources, strict=True)):
        if other == place or not traits.is_compared or known.observation is None:
            continue
        if traits.is_pushed or is_fresh(known, rules.fresh_s[other], now_s):
            return other
    return None


def _counted(state: TokenState, place: int, *, is_behind: bool, asked_at_s: float) -> TokenState:
    known = state.sources[place]
    if not is_behind:
        if known.behind == 0:
            return state
        return with_source(state, place, replace(known, behind=0))
    # What moved since the poll before is alive, however old its stamp: the row begins with it.
    behind = 1 if known.changed_at_s > asked_at_s else known.behind + 1
    if behind < BEHIND_PROBES:
        return with_source(state, place, replace(known, behind=behind))
    distrusted = replace(
        known,
        is_trusted=False,
        doubt=Reason.BEHIND,
        agreeing=0,
        behind=0,
        doubts=known.doubts + 1,
    )
    state = with_source(state, place, distrusted)
    # Three polls have shown who is to be believed: the winner needs no three more.
    return replace(state, settling=None) if known.is_trusted else state


def with_source(state: TokenState, place: int, changed: SourceState) -> TokenState:
    """Return the state with what is known of one source replaced."""
    return replace(state, sources=(*state.sources[:place], changed, *state.sources[place + 1 :]))
