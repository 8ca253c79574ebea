"""Rules about RPC endpoints.

Core.
"""

from typing import Final

from keeper.monitor.expressions import figure
from keeper.monitor.level import Level
from keeper.monitor.rule import Rule
from state import metrics as m

LAG_SLOTS_MAX: Final = 50
"""Source: SPEC section 6."""


def rules(_slot_s: float) -> tuple[Rule, ...]:
    """Return the rules."""
    is_open, is_aside = figure(m.RPC_BREAKER_OPEN), figure(m.RPC_SET_ASIDE)
    return (
        Rule(  # Source: SPEC section 6
            name="rpc_behind",
            level=Level.WARNING,
            expression=figure(m.RPC_LAG) > LAG_SLOTS_MAX,
            for_s=2.0,
            summary="endpoint {endpoint} is {value:.0f} slots behind, more than 50",
            already_did="reads from endpoints that keep up; transactions are still sent to all",
        ),
        Rule(
            name="rpc_down",
            level=Level.WARNING,
            expression=is_open > 0,
            for_s=10.0,
            summary="endpoint {endpoint} does not answer",
            already_did="asks the others, and tries this one again now and then",
        ),
        Rule(
            name="rpc_all_down",
            level=Level.EMERGENCY,
            expression=is_open.least() > 0,
            for_s=5.0,
            summary="no RPC endpoint answers",
            already_did="signs nothing; what is signed is in the database and is settled when an endpoint is back",
        ),
        Rule(
            name="rpc_disbelieved",
            level=Level.WARNING,
            expression=is_aside > 0,
            for_s=2.0,
            summary="endpoint {endpoint} contradicts the others, or the chain: it is not believed",
            already_did="reads nothing from it until it agrees again",
        ),
    )
