"""What a chain's next steps will do, in the program's integers, and which of them are due.

The keeper asks before it pays for a transaction; the tests compare every number with the program's. Amounts and shares
are base units; every rounding is the program's own, against the chain.

Source: SPEC.md section 5; betting_platform/chain_steps.c.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from programs import errors
from programs.accounts import MarketStatus
from programs.chain_account import STEPS_MAX, ChainStatus, Step, StepKind
from programs.chain_steps import Stand, StepForecast, budget_of, run_next_step, side_price_e6
from programs.fixed import ceil_div

BOUNTY_BPS: Final = 2
"""Of the deposit, prepaid for the executing keepers, rounded up."""
BORROWS_MAX: Final = 2
DEPOSIT_MAX: Final = 10**17
OPEN_LEVERAGE_MAX: Final = 100
"""The highest cap of any tier: so no five steps multiply to the 500 that a chain's effective leverage may reach."""
EXECUTION_AGE_MAX_SLOTS: Final = 150
"""Oldest reading of the oracle that a step runs on."""
PRICE_VALID: Final = 0
"""The class that a step runs at, by its number on chain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """The steps that will run in one transaction, and why the one after them will not."""

    steps: tuple[StepForecast, ...]
    after: Stand
    """Without the fees that the steps pay, and what their makers and stakers earn of them."""
    refusal: type[errors.ProgramError] | None
    """Of the step after them; None when every step asked for runs. More than these steps in one transaction fail."""

    @property
    def bounty(self) -> int:
        """What a keeper earns with these steps, base units."""
        return sum(step.bounty for step in self.steps)


def bounty_of(deposit: int) -> int:
    """Return what an owner prepays for a deposit, rounded up."""
    return ceil_div(deposit * BOUNTY_BPS, 10_000)


def plan_refusal(steps: Sequence[Step]) -> type[errors.ProgramError] | None:
    """Return why open_chain would refuse these steps, or None.

    The cash in hand must cover the debt after each step, whatever the deposit; OPEN is last and leaves a margin.
    """
    working, debt = 10**9, 0
    bad = errors.BY_NAME["BAD_CHAIN"]
    if not 1 <= len(steps) <= STEPS_MAX:
        return bad
    for index, step in enumerate(steps):
        if step.kind is StepKind.BORROW:
            debt += working // 2
            working += working // 2
        working -= budget_of(step, working)
        if working < debt:
            return bad
        if step.kind is StepKind.OPEN:
            if index + 1 != len(steps) or working == debt:
                return bad
            if not 1 <= step.leverage <= OPEN_LEVERAGE_MAX:
                return bad
    return bad if [s.kind for s in steps].count(StepKind.BORROW) > BORROWS_MAX else None


def forecast(stand: Stand, *, slot: int, is_halted: bool, step_count: int = STEPS_MAX) -> Forecast:
    """Return what execute_chain will do at this slot, as far as it will go.

    A transaction of more steps than the forecast has fails whole; one of fewer leaves the rest for later, with the
    same result.
    """
    done: list[StepForecast] = []
    refusal = why_not_due(stand, slot=slot, is_halted=is_halted)
    while refusal is None and len(done) < step_count and stand.chain.status is ChainStatus.RUNNING:
        try:
            stand, step = run_next_step(stand, slot)
        except errors.ProgramError as error:
            refusal = type(error)
        else:
            done.append(step)
    return Forecast(steps=tuple(done), after=stand, refusal=refusal)


def why_not_due(stand: Stand, *, slot: int, is_halted: bool) -> type[errors.ProgramError] | None:
    """Return why no step of a chain runs at this slot, whichever it is; None when it is due."""
    chain, market = stand.chain, stand.market
    price = side_price_e6(stand.pool, chain.side)
    is_triggered = price >= chain.trigger_e6 if chain.is_above else price <= chain.trigger_e6
    age = slot - market.publish_slot
    for holds, name in (
        (not is_halted, "HALTED"),
        (market.status == MarketStatus.OPEN, "MARKET_NOT_OPEN"),
        (chain.status is ChainStatus.RUNNING, "CHAIN_NOT_RUNNING"),
        (slot <= chain.expiry_slot, "CHAIN_EXPIRED"),
        (market.price_class == PRICE_VALID, "PRICE_CLASS"),
        (age <= EXECUTION_AGE_MAX_SLOTS, "PRICE_STALE"),
        (is_triggered, "NOT_TRIGGERED"),
    ):
        if not holds:
            return errors.BY_NAME[name]
    return None
