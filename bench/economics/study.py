"""Everything that the page tells, measured: jumps through the program, rules in the model, attacks through the program."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bench.economics.attacks import liquidations
from bench.economics.attacks.ground import Ground
from bench.economics.attacks.registry import ATTACKS, PROGRAM_ATTACKS, Verdict, attempt
from bench.economics.jump import (
    JUMPS_POINTS,
    LIQUIDITY,
    START_E6,
    STARTS_E6,
    Arbitrage,
    Crowd,
    Result,
    jump,
    open_book,
)
from bench.economics.pushed import FALLS_POINTS, WAYS, Pushed, pushed
from bench.economics.rules import ALL_RULES, NO_RULES, WITHOUT, Rules
from bench.economics.straddle import Straddle, straddle

UNREPAID: Final = ALL_RULES.without("sales_repay")
"""What that rule is worth fills a section of its own."""
EVERY: Final = 13
"""The short form plays each thirteenth variant: no list of parameters is of such a length, so each is drawn from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """What a rule is worth: the jump in which it matters most, and the worst jump, with the rule and without."""

    rule: str
    without: str
    matters_with: Result
    matters_without: Result
    worst_with: Result
    worst_without: Result
    extraction_with: int
    """What the best variant of liquidating oneself earns, base units."""
    extraction_without: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """All that was measured."""

    jumps: Sequence[Result]
    elsewhere: Sequence[Result]
    """From other prices than one half."""
    worths: Sequence[Worth]
    verdicts: Sequence[Verdict]
    unrepaid_jumps: Sequence[Result]
    unrepaid_verdicts: Sequence[Verdict]
    straddles: Sequence[Straddle]
    pushed: Sequence[Pushed]


def grid(rules: Rules, points: Sequence[int], *, has_chain: bool) -> list[Result]:
    """Play every jump of every crowd with every arbitrage."""
    return [
        jump(book, each, arbitrage)
        for liquidity in LIQUIDITY
        for crowd in Crowd
        for book in [open_book(liquidity, crowd, rules=rules, has_chain=has_chain)]
        for arbitrage in Arbitrage
        for each in points
    ]


def worths(jumps: Sequence[Result], points: Sequence[int], *, every: int) -> list[Worth]:
    """Play the same jumps in the model without each rule, and without all of them."""
    cases = {rule: ALL_RULES.without(rule) for rule in WITHOUT} | {"all of them": NO_RULES}
    extraction = _extraction(ALL_RULES, every)
    found = []
    for rule, rules in cases.items():
        without = grid(rules, points, has_chain=False)
        matters = max(
            zip(jumps, without, strict=True), key=lambda pair: pair[1].loss - pair[0].loss
        )
        found.append(
            Worth(
                rule=rule,
                without=WITHOUT.get(rule, "none of the above holds"),
                matters_with=matters[0],
                matters_without=matters[1],
                worst_with=max(jumps, key=lambda each: each.loss),
                worst_without=max(without, key=lambda each: each.loss),
                extraction_with=extraction,
                extraction_without=_extraction(rules, every),
            )
        )
    return found


def _extraction(rules: Rules, every: int) -> int:
    ground = Ground(rules=rules, has_chain=False)
    return attempt(liquidations.liquidate_oneself, ground, every=every).profit


def study(*, is_quick: bool) -> Study:
    """Measure everything; quick: fewer jumps and variants, in the model where that can play them."""
    points, every = ((2, 30), EVERY) if is_quick else (JUMPS_POINTS, 1)
    own = Ground(has_chain=not is_quick)
    jumps = grid(ALL_RULES, points, has_chain=True)
    model = Ground(rules=UNREPAID, has_chain=False)
    return Study(
        jumps=jumps,
        elsewhere=[
            jump(book, max(JUMPS_POINTS), Arbitrage.AHEAD)
            for start_e6 in STARTS_E6
            if start_e6 != START_E6
            for liquidity in LIQUIDITY
            for book in [
                open_book(liquidity, Crowd.ONE_SIDED, start_e6=start_e6, has_chain=not is_quick)
            ]
        ],
        worths=worths(jumps, points, every=every),
        verdicts=[
            *(attempt(attack, own, every=every) for attack in ATTACKS),
            *(attempt(attack, Ground(), every=every) for attack in PROGRAM_ATTACKS),
        ],
        unrepaid_jumps=grid(UNREPAID, points, has_chain=False),
        unrepaid_verdicts=[attempt(attack, model, every=every) for attack in ATTACKS],
        straddles=[straddle(liquidity, Ground()) for liquidity in LIQUIDITY],
        pushed=[
            pushed(fall, slots, own, buys_back=buys_back)
            for fall in (points if is_quick else FALLS_POINTS)
            for slots, buys_back in WAYS
        ],
    )
