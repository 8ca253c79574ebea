"""The guards of what is believed."""

from typing import Final

from bench.guards.guard import Guard

_RULES: Final = "keeper/prices/trust_rules.py"
_JUDGEMENT: Final = "keeper/prices/judgement.py"
_FALLBACK: Final = "keeper/prices/fallback.py"
_CROSSCHECK: Final = "keeper/prices/crosscheck.py"
_CLOCKS: Final = "keeper/prices/clocks.py"
_CIRCUMSTANCES: Final = "keeper/prices/circumstances.py"
_SETTLING: Final = "keeper/prices/settling.py"
_PROBATION: Final = "keeper/prices/probation.py"

TRUST: Final = (
    Guard(
        name="the fallback: a second source carries on",
        file=_JUDGEMENT,
        found="            live.append(place)\n",
        replacement="            live.extend([place] if place == 0 else [])\n",
        drills=("stream-lost",),
    ),
    Guard(
        name="the cached source carries on, degraded",
        file=_JUDGEMENT,
        found="    if cached is not None:\n",
        replacement="    if cached is not None and cached < 0:\n",
        drills=("gamma-alone",),
    ),
    Guard(
        name="a cached source is degraded at best",
        file="keeper/prices/feed_config.py",
        found="            best_class=PriceClass.DEGRADED,\n",
        replacement="            best_class=PriceClass.VALID,\n",
        drills=("gamma-alone",),
    ),
    Guard(
        name="the distance of a cached quote is in its band",
        file=_JUDGEMENT,
        found="    gap = max((abs(other - quote.price_e6) for other in others), default=0)\n",
        replacement="    gap = 0 * len(others)\n",
        drills=("gamma-off",),
    ),
    Guard(
        name="a cached quote far from a fresh last good price is refused",
        file=_FALLBACK,
        found="        and abs(price_e6 - good.price_e6) > FAR_E6\n",
        replacement="        and abs(price_e6 - good.price_e6) > 10 * FAR_E6\n",
        drills=("gamma-far",),
    ),
    Guard(
        name="a last good price grows stale",
        file=_JUDGEMENT,
        found="    if now_s > received_at_s + rules.stale_s:\n",
        replacement="    if now_s > received_at_s + rules.halted_s:\n",
        drills=("total-outage", "black-hole"),
    ),
    Guard(
        name="sources that disagree make a price uncertain",
        file=_CROSSCHECK,
        found="    return abs(one.price_e6 - other.price_e6) > DISAGREEMENT_E6\n",
        replacement="    return abs(one.price_e6 - other.price_e6) > 20 * DISAGREEMENT_E6\n",
        drills=("small-spike",),
    ),
    Guard(
        name="a source found behind loses its trust",
        file=_CROSSCHECK,
        found="    if behind < BEHIND_PROBES:\n",
        replacement="    if behind < 1_000 * BEHIND_PROBES:\n",
        drills=("stream-frozen", "asset-frozen", "stale-but-200"),
    ),
    Guard(
        name="a source that moves is not behind",
        file=_CROSSCHECK,
        found="    behind = 1 if known.changed_at_s > asked_at_s else known.behind + 1\n",
        replacement="    behind = known.behind + 1\n",
        drills=("both-move-apart",),
    ),
    Guard(
        name="a jump that somebody contradicts is not believed",
        file=_SETTLING,
        found="        return Reason.JUMP_CONTESTED\n",
        replacement="        return None\n",
        drills=("shouted-down",),
    ),
    Guard(
        name="a jump of one source alone has to hold",
        file=_SETTLING,
        found="    return Reason.JUMP if age_s <= rules.stale_s else None\n",
        replacement="    return None\n",
        drills=("lone-spike",),
    ),
    Guard(
        name="a source that comes back has to earn its trust",
        file=_PROBATION,
        found="    if agreeing < AGREEING_PROBES:\n",
        replacement="    if agreeing < 1:\n",
        drills=("back-with-a-lie",),
    ),
    Guard(
        name="what was in doubt has to settle",
        file=_SETTLING,
        found="    if settling.wanted == 1:\n",
        replacement="    if settling.wanted:\n",
        drills=("flicker",),
    ),
    Guard(
        name="after an engine restart no book is believed",
        file=_CIRCUMSTANCES,
        found="    return max(about.restarting_until_s, now_s + rules.restart_cooldown_ms / 1_000)\n",
        replacement="    return max(about.restarting_until_s, now_s - rules.restart_cooldown_ms)\n",
        drills=("engine-restart",),
    ),
    Guard(
        name="a venue of which nothing moves is frozen",
        file=_CIRCUMSTANCES,
        found="    return heard >= FROZEN_TOKENS_MIN and now_s",
        replacement="    return heard < 0 and now_s",
        drills=("venue-frozen",),
    ),
    Guard(
        name="what is stamped from the future is not believed",
        file=_CLOCKS,
        found="    return content_time_ms > latest_ms\n",
        replacement="    return content_time_ms > 2 * latest_ms\n",
        drills=("stamped-ahead",),
    ),
    Guard(
        name="while clocks are apart stamps are not compared",
        file=_CLOCKS,
        found="        or not are_clocks_sane(about, rules)\n",
        replacement="        or (about.skew_ms is not None and rules.slot_ms < 0)\n",
        drills=("set-back",),
    ),
    Guard(
        name="after a stamp went back nothing is decided by stamps",
        file=_CLOCKS,
        found="    if regressed_at_s > -inf and about",
        replacement="    if regressed_at_s > inf and about",
        drills=("set-back-unread",),
    ),
    Guard(
        name="a closed market is not acted on",
        file=_JUDGEMENT,
        found="    if state.is_closed:\n",
        replacement="    if state.is_closed and now_s < 0:\n",
        drills=("conflicting-flags", "resolved-mid-run"),
    ),
    Guard(
        name="a book that is not sound makes no price",
        file=_JUDGEMENT,
        found="    if price_e6 is None or not quote.is_sound:\n",
        replacement="    if price_e6 is None:\n",
        drills=("crossed-and-empty", "engine-restart", "thin-but-200"),
    ),
    Guard(
        name="a wide spread is not sound",
        file="keeper/prices/quote.py",
        found="    if spread_e6 > SPREAD_MAX_E6:\n",
        replacement="    if spread_e6 > 100 * SPREAD_MAX_E6:\n",
        drills=("crossed-and-empty", "engine-restart", "thin-but-200"),
    ),
    Guard(
        name="a crossed book has no midpoint",
        file="keeper/prices/quote.py",
        found="    if bid_e6 >= ask_e6:\n",
        replacement="    if bid_e6 >= 2 * ask_e6:\n",
        drills=("crossed-and-empty",),
    ),
)
