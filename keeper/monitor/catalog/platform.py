"""Rules about the platform: coverage, the vault, and whether it is still the program that the run started with.

Core.
"""

from typing import Final

from keeper.monitor.catalog.draining import drains
from keeper.monitor.expressions import figure, highest, lowest
from keeper.monitor.level import Level
from keeper.monitor.rule import Rule
from state import metrics as m

BAD_DEBT_PERCENT_MAX: Final = 1
"""Of the vault's equity, within ten minutes. A position that jumps through its margin costs the vault a little now and then:
fees are there to pay for that, and nobody is to be woken for it."""


def rules(slot_s: float) -> tuple[Rule, ...]:
    """Return the rules at slots of this length."""
    coverage, equity = figure(m.COVERAGE), figure(m.VAULT_EQUITY_QUOTE)
    peak = highest(m.VAULT_EQUITY_QUOTE, 150 * slot_s)
    slot_seconds = figure(m.SLOT_SECONDS)
    return (
        Rule(  # Source: SPEC section 6
            name="coverage_below_half",
            level=Level.CRITICAL,
            expression=(coverage < 0.5).when(equity > 0),
            for_s=25 * slot_s,  # one large trade that is hedged at once is none
            summary="coverage is {value:.3f}, below 0.5: more than 80 % of the vault is lent",
            already_did="the program refuses new loans; liquidations and closes, which bring cash back, go on and go first",
        ),
        Rule(  # Source: SPEC section 6
            name="coverage_low",
            level=Level.WARNING,
            expression=(coverage < 1).when(equity > 0),
            for_s=150 * slot_s,
            keep_s=120.0,
            summary="coverage is {value:.3f}, below 1: about two thirds of the vault are lent",
            already_did="nothing needs to be done yet: fees rise and the highest leverage falls with coverage, by themselves",
        ),
        Rule(  # Source: SPEC section 6
            name="vault_drop",
            level=Level.CRITICAL,
            expression=100 * ((peak - equity) / peak) > 20,
            keep_s=300.0,
            summary="the vault lost {value:.1f} % of its equity within 150 slots",
            already_did="liquidates whatever prices make unhealthy; it never moves the vault's money otherwise",
        ),
        Rule(
            name="bad_debt_grew",
            level=Level.WARNING,
            expression=100 * ((figure(m.BAD_DEBT_QUOTE) - lowest(m.BAD_DEBT_QUOTE, 600.0)) / equity)
            > BAD_DEBT_PERCENT_MAX,
            summary="the vault lost {value:.1f} % of its equity to bad debt within 10 minutes",
            already_did="liquidated the positions: what they owed beyond their worth is what is missing",
        ),
        Rule(
            name="platform_changed",
            level=Level.EMERGENCY,
            expression=figure(m.HAS_CHANGED) > 0,
            keep_s=0.0,
            summary="the program or its configuration on chain is not that of the start",
            already_did="signs nothing more, drains and ends with exit code 1",
        ),
        Rule(
            name="platform_halted",
            level=Level.WARNING,
            expression=figure(m.IS_HALTED) > 0,
            keep_s=0.0,
            summary="the platform was halted by its halt authority",
            already_did="steps no chain; prices, liquidations and payouts, which a halt allows, go on",
        ),
        Rule(
            name="platform_unseen",
            level=Level.CRITICAL,
            expression=(figure(m.SLOT_AGE) > 50 * slot_seconds).unless(drains()),
            for_s=2.0,
            summary="the platform has not been seen to move for {value:.0f} s, more than 50 slots",
            already_did="asks every endpoint in turn, and subscribes anew",
        ),
        Rule(
            name="scan_late",
            level=Level.WARNING,
            expression=(figure(m.LAST_SCAN_AGE) > 750 * slot_seconds).unless(drains()),
            for_s=5.0,
            summary="the program's accounts were last read whole {value:.0f} s ago, more than 750 slots",
            already_did="works on from notifications, and repeats the scan until it succeeds",
        ),
    )
