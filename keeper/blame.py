"""Which of a transaction's instructions ended it.

Core. A cluster names the instruction that failed by its place among all of them, the compute-budget instructions included;
its error is that one's alone. What was planned behind it may be innocent, and what stands before it is.
"""

from typing import Final

BUDGET_INSTRUCTIONS: Final = 3
"""Those that `programs.transaction.Budget` puts before ours."""


def guilty_instruction(err: object, count: int) -> int | None:
    """Return which of our instructions a transaction error, in the node's own JSON, blames; 0 is the first.

    Args:
        err: the error.
        count: how many instructions are ours.

    Returns:
        None when it blames none of them: the transaction as a whole, or the budget.
    """
    match err:
        case {"InstructionError": [int(place), reason]} if reason != "ComputationalBudgetExceeded":
            ours = place - BUDGET_INSTRUCTIONS
            return ours if 0 <= ours < count else None
        case _:
            return None
