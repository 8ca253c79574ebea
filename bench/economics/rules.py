"""The rules that came out of simulation, each of which the model can go without.

Source: SPEC.md section 4, where they are marked with a dagger, the oracle's clamp of section 5, and `sales_repay`, which
came out of this study.
"""

from dataclasses import dataclass, field, fields, replace
from typing import Final, Self


def _rule(sentence: str) -> bool:
    """A rule, in force unless said otherwise, and what the platform does when it is not."""
    return field(default=True, metadata={"without": sentence})


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Which rules are in force; the program has them all."""

    gap_reserve: bool = _rule("a position needs its maintenance margin alone, not 0.02 per share")
    margin_buffer: bool = _rule(
        "a position may open with less equity than 1.25 times what it needs"
    )
    slippage_limit: bool = _rule(
        "an open may lose more than 20 % of its margin to its own slippage"
    )
    side_cap: bool = _rule("leveraged shares per side may exceed an eighth of L")
    debt_cap: bool = _rule("a market may borrow more than 10 % of the vault's equity")
    price_clamp: bool = _rule("the oracle's price arrives at once, not two points per slot")
    sale_floor: bool = _rule("liquidations sell at any price; the vault takes no inventory")
    sales_repay: bool = _rule(
        "liquidations sell below what repays the debt, down to oracle - 5 points"
    )
    underwater_bounty: bool = _rule("the keeper earns 5 bp, not 2, on what has no equity left")

    def without(self, name: str) -> Self:
        """Return these rules less one."""
        return replace(self, **{name: False})


ALL_RULES: Final = Rules()
WITHOUT: Final[dict[str, str]] = {
    each.name: str(each.metadata["without"]) for each in fields(Rules)
}
"""By the rule's name: what the platform does without it."""
NO_RULES: Final = replace(ALL_RULES, **dict.fromkeys(WITHOUT, False))
