"""What the platform aims at, and whether the figures meet it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from keeper.profile.figures import InstructionFigures


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """Something aimed at."""

    name: str
    limit: int
    found: int | None
    """None: not measured in this run."""
    is_least: bool = False
    """The limit is the least, not the most, that will do."""

    @property
    def is_met(self) -> bool | None:
        """Whether it is met; None while it is not measured."""
        if self.found is None:
            return None
        return self.found >= self.limit if self.is_least else self.found <= self.limit

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        key = "at_least" if self.is_least else "at_most"
        return {"name": self.name, key: self.limit, "found": self.found, "met": self.is_met}


LIQUIDATION_CU: Final = (12_000, 2_000)
"""Aimed at: for the first position of a batch, and for each further one."""
PAID_LEAVES: Final = 8
"""Leaves in a batch of rewards that a goal speaks of."""


def batch_size(case: str) -> int:
    """Return how many of something a case is about, when it begins with a number."""
    first = case.split(" ", maxsplit=1)[0]
    return int(first) if first.isdigit() else 1


def base_and_marginal(liquidate: InstructionFigures) -> tuple[int, int]:
    """Return what one position costs, and what each further one adds at the most: worst cases."""
    worst = {batch_size(case): spread.worst for case, spread in liquidate.cases.items()}
    sizes = sorted(worst)
    steps = [math.ceil((worst[b] - worst[a]) / (b - a)) for a, b in pairwise(sizes)]
    return worst[sizes[0]], max(steps, default=0)


def goals(
    found: Mapping[str, InstructionFigures],
    positions_per_tx: Mapping[str, int],
    leverage_cu: int | None,
) -> list[Goal]:
    """Compare with what the platform aims at. Source: the CU goals of the specification's section 5."""

    def worst(name: str, case: str | None = None) -> int | None:
        figures = found.get(name)
        if figures is None:
            return None
        if case is None:
            return figures.cu.worst
        return figures.cases[case].worst if case in figures.cases else None

    base, marginal = base_and_marginal(found["liquidate"]) if "liquidate" in found else (None, None)
    paid = worst("pay_rewards", f"{PAID_LEAVES} leaves")
    rewards = found.get("pay_rewards")
    return [
        Goal(name="open_position, CU", limit=12_000, found=worst("open_position")),
        Goal(
            name="execute_chain of 5 steps, CU",
            limit=22_000,
            found=worst("execute_chain"),
        ),
        Goal(name="leverage calculation, CU", limit=300, found=leverage_cu),
        Goal(
            name="update_prices of 2 outcomes, CU",
            limit=2_500,
            found=worst("update_prices", "2 outcomes"),
        ),
        Goal(
            name="update_prices of 16 outcomes, CU",
            limit=12_000,
            found=worst("update_prices", "16 outcomes"),
        ),
        Goal(name="liquidate, first position, CU", limit=LIQUIDATION_CU[0], found=base),
        Goal(name="liquidate, each further position, CU", limit=LIQUIDATION_CU[1], found=marginal),
        Goal(
            name="positions in a transaction",
            limit=20,
            found=positions_per_tx.get("plain"),
            is_least=True,
        ),
        Goal(
            name="positions in a transaction with a lookup table",
            limit=50,
            found=positions_per_tx.get("lookup_table"),
            is_least=True,
        ),
        Goal(
            name=f"pay_rewards, per leaf of {PAID_LEAVES} at depth 16, CU",
            limit=2_500,
            found=None if paid is None else math.ceil(paid / PAID_LEAVES),
        ),
        Goal(
            name="pay_rewards, transaction bytes",
            limit=1_232,
            found=None if rewards is None else rewards.transaction_bytes,
        ),
    ]
