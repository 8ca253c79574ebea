"""When a price that was in doubt is a price again: the jump filter, and the calm after a disagreement.

Core. A disagreement, a contradicted jump or a jump of one source alone leaves a token unsettled: three polls at one price,
at least a slot apart, settle it. So a venue that flaps every few seconds makes one uncertain price and not a train of
valid ones, and a spike that comes and goes is never acted on.
"""

from keeper.prices.crosscheck import peers
from keeper.prices.price import Reason
from keeper.prices.token_state import Settling, TokenState
from keeper.prices.trust_rules import AGREEING_PROBES, DISAGREEMENT_E6, TrustRules


def jump_of(
    state: TokenState, place: int, price_e6: int, rules: TrustRules, now_s: float
) -> Reason | None:
    """Return why a move of the leading source from the last good price is not believed yet; None when it is no jump.

    A jump that another source speaks of too is none. One that another source contradicts is believed by nobody until
    the last good price is too old to mean anything. One of which nobody else speaks has to hold for three polls, if the
    last good price is younger than stale.
    """
    good = state.last_good
    if good is None or abs(price_e6 - good.price_e6) <= rules.jump_e6:
        return None
    age_s = now_s - good.received_at_s
    if age_s > rules.halted_s:
        return None
    others = peers(state, place, rules, now_s)
    if any(abs(voice - price_e6) <= DISAGREEMENT_E6 for voice in others):
        return None
    if others:
        return Reason.JUMP_CONTESTED
    return Reason.JUMP if age_s <= rules.stale_s else None


def unsettled(price_e6: int, reason: Reason) -> Settling:
    """Ask for three polls that agree on a price before it is valid again."""
    return Settling(wanted=AGREEING_PROBES, reason=reason, price_e6=price_e6)


def settled(
    settling: Settling, price_e6: int, *, is_probe: bool, rules: TrustRules, now_s: float
) -> Settling | None:
    """Count a poll towards settling, or begin anew when the price has moved on; None once it has settled."""
    if abs(price_e6 - settling.price_e6) > DISAGREEMENT_E6:
        settling = unsettled(price_e6, settling.reason)
    if not is_probe or now_s - settling.counted_at_s < rules.slot_s:
        return settling
    if settling.wanted == 1:
        return None
    return Settling(
        wanted=settling.wanted - 1,
        reason=settling.reason,
        price_e6=settling.price_e6,
        counted_at_s=now_s,
    )
