"""What the platform aims at, and whether the figures meet it."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from keeper.profile.figures import InstructionFigures
from programs.units import TRANSACTION_BYTES_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """Something aimed at."""

    name: str
    limit: int
    found: int | None
    """None: not measured in this run."""
    is_least: bool = False
    """The limit is the least, not the most, that will do."""
    spender: str = ""
    """The section of the code that takes most of it; empty: not known, or not a question of compute units."""

    @property
    def is_met(self) -> bool | None:
        """Whether it is met; None while it is not measured."""
        if self.found is None:
            return None
        return self.found >= self.limit if self.is_least else self.found <= self.limit

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        key = "at_least" if self.is_least else "at_most"
        return {
            "name": self.name,
            key: self.limit,
            "found": self.found,
            "met": self.is_met,
            "spender": self.spender or None,
        }


FURTHER_POSITION_CU: Final = 2_000
"""What each position of a batch after its first may cost."""
PAID_LEAVES: Final = 8
"""Leaves in a batch of rewards that a goal speaks of."""
_BATCH: Final = re.compile(r"(?:over \d+ pools, )?(\d+) positions?")


def beyond_further_positions(liquidate: InstructionFigures) -> int:
    """Return what the worst batch costs beyond what its further positions may: what is left for the first one."""
    return max(
        spread.worst - FURTHER_POSITION_CU * (int(batch[1]) - 1)
        for case, spread in liquidate.cases.items()
        if (batch := _BATCH.fullmatch(case))
    )


def base_and_marginal(liquidate: InstructionFigures) -> tuple[int, int]:
    """Return what a batch of one costs, and what each position adds to a large one of the same pool: worst cases."""
    worst = sorted(
        (int(batch[1]), spread.worst)
        for case, spread in liquidate.cases.items()
        if (batch := _BATCH.fullmatch(case)) and not case.startswith("over")
    )
    (size, cu), (more, more_cu) = (worst * 2)[-2:]
    marginal = math.ceil((more_cu - cu) / (more - size)) if more > size else 0
    return worst[0][1], marginal


def goals(
    found: Mapping[str, InstructionFigures],
    positions_per_tx: Mapping[str, int],
    leverage_cu: int | None,
    shared_accounts_written: int | None,
) -> list[Goal]:
    """Compare with what the platform aims at. Source: the goals that stand beside the specification's section 5."""

    def cu(name: str, limit: int, instruction: str, case: str | None = None) -> Goal:
        figures = found.get(instruction)
        worst = None if figures is None else _worst(figures, case)
        return Goal(name=name, limit=limit, found=worst, spender=_spender(figures))

    liquidate = found.get("liquidate")
    rewards = found.get("pay_rewards")
    batch = None if rewards is None else _worst(rewards, f"{PAID_LEAVES} leaves")
    return [
        cu("open_position, CU", 12_000, "open_position"),
        cu("execute_chain of 5 steps, CU", 22_000, "execute_chain"),
        Goal(name="leverage calculation, CU", limit=300, found=leverage_cu),
        cu("update_prices of 2 outcomes, CU", 2_500, "update_prices", "2 outcomes"),
        cu("update_prices of 16 outcomes, CU", 12_000, "update_prices", "16 outcomes"),
        Goal(
            name=f"liquidate, CU less {FURTHER_POSITION_CU} for each further position",
            limit=12_000,
            found=None if liquidate is None else beyond_further_positions(liquidate),
            spender=_spender(liquidate),
        ),
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
            found=None if batch is None else math.ceil(batch / PAID_LEAVES),
            spender=_spender(rewards),
        ),
        Goal(
            name="pay_rewards, transaction bytes",
            limit=TRANSACTION_BYTES_MAX,
            found=None if rewards is None else rewards.transaction_bytes,
        ),
        Goal(
            name="accounts of all markets that a spot trade writes",
            limit=0,
            found=shared_accounts_written,
        ),
    ]


def _worst(figures: InstructionFigures, case: str | None) -> int | None:
    """The worst of a case, of all without one; None where no call was of it."""
    if case is None:
        return figures.cu.worst
    return figures.cases[case].worst if case in figures.cases else None


def _spender(figures: InstructionFigures | None) -> str:
    """The section that takes most of the worst case."""
    return (figures and figures.bottleneck) or ""
