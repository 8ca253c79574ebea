"""Steps that the tests of chains share."""

from programs.chain_account import Step, StepKind

ANY_PRICE = 1_000_000
BORROW = Step(kind=StepKind.BORROW)
LIQUIDITY = Step(kind=StepKind.LIQUIDITY, limit_e6=ANY_PRICE)
STAKE = Step(kind=StepKind.STAKE)
ARBITRAGE = Step(kind=StepKind.ARBITRAGE, limit_e6=ANY_PRICE)


def opening(leverage: int = 3, limit_e6: int = ANY_PRICE) -> Step:
    """An OPEN."""
    return Step(kind=StepKind.OPEN, leverage=leverage, limit_e6=limit_e6)
