"""Rules about prices: classes, sources, clocks.

Core.
"""

from typing import Final

from keeper.monitor.catalog.draining import drains
from keeper.monitor.expressions import Magnitude, figure
from keeper.monitor.level import Level
from keeper.monitor.rule import Rule
from state import metrics as m

FAILURES_MAX: Final = 5
"""Rounds without an answer. Source: SPEC section 6, halted."""


def rules(slot_s: float) -> tuple[Rule, ...]:
    """Return the rules at slots of this length."""
    failures = figure(m.SOURCE_FAILURES_IN_A_ROW)
    followed = figure(m.PRICES).summed()
    return (
        Rule(  # Source: SPEC section 6
            name="prices_halted",
            level=Level.EMERGENCY,
            expression=(figure(m.PRICES, price_class="halted").summed() > 0).unless(drains()),
            for_s=5 * slot_s,
            summary="{value:.0f} prices are halted: unknown for 750 slots, or every source failed five times in a row",
            already_did="posts, liquidates and opens nothing in these markets, and keeps asking every source",
        ),
        Rule(
            name="prices_stale",
            level=Level.WARNING,
            expression=(figure(m.PRICES, price_class="stale").summed() > 0).unless(drains()),
            for_s=50 * slot_s,
            summary="{value:.0f} prices are stale: nobody has told them for 150 slots",
            already_did="acts on none of them: no post, no liquidation, no step of a chain",
        ),
        Rule(
            name="prices_degraded",
            level=Level.WARNING,
            expression=(
                100 * figure(m.PRICES, price_class="degraded").summed() / followed > 50
            ).unless(drains()),
            for_s=150 * slot_s,
            summary="{value:.0f} % of prices come from a fallback: their first source does not answer, or is not trusted yet",
            already_did="posts them with their band, liquidates only where the band leaves no doubt, opens nothing",
        ),
        Rule(
            name="prices_uncertain",
            level=Level.INFO,
            expression=(
                100 * figure(m.PRICES, price_class="uncertain").summed() / followed > 50
            ).unless(drains()),
            for_s=750 * slot_s,
            keep_s=300.0,
            summary="{value:.0f} % of prices are uncertain: books are wide or one-sided, or sources disagree",
            already_did="acts on none of them; rewards are paid all the same",
        ),
        Rule(  # Source: SPEC section 6
            name="price_source_failing",
            level=Level.WARNING,
            expression=(failures >= FAILURES_MAX).unless(drains()),
            for_s=5.0,
            summary="price source {source} has not answered {value:.0f} times in a row",
            already_did="uses the next best source, and trusts this one again after three agreeing probes",
        ),
        Rule(  # Source: SPEC section 6
            name="price_sources_all_failing",
            level=Level.EMERGENCY,
            expression=(failures.least() >= FAILURES_MAX).unless(drains()),
            for_s=2.0,
            summary="no price source answers: each failed {value:.0f} times in a row or more",
            already_did="counts every price as halted, acts on none, and keeps asking every source",
        ),
        Rule(
            name="venue_clock_apart",
            level=Level.WARNING,
            expression=Magnitude(inner=figure(m.VENUE_CLOCK_SKEW)) > 5,
            for_s=60.0,
            summary="the venue's clock and this machine's are {value:.1f} s apart, more than 5",
            already_did="judges ages by what both clocks allow, so that prices look older, never fresher",
        ),
    )
