"""The sandbox's markets: who they are. Ids have the real ones' shapes and are decided by the seed.

Core. A group is a neg-risk event: each outcome is a market of its own. As at the venue its questions are numbered in the
last byte of their ids, and not each of them is an outcome: one has no name yet, the last stands for all others.
"""

from dataclasses import dataclass
from typing import Final

from keeper.sandbox.venue.draws import draw_below, draw_bytes

_UNNAMED: Final = 2
"""The question of a group that is a placeholder: in the middle, so that the outcomes' numbers have a gap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupPlace:
    """Where a market stands in its group."""

    group_id: str
    question: int
    """Its number among the group's questions."""
    is_active: bool = True
    """False for the question that has no name yet."""
    is_other: bool = False
    """The question that stands for all others."""

    @property
    def question_id(self) -> str:
        """Return the group's id with the question's number as its last byte."""
        return f"{self.group_id[:-2]}{self.question:02x}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxMarket:
    """One binary market."""

    number: int
    condition_id: str
    token_ids: tuple[str, str]
    """YES, NO."""
    question: str
    tick_e6: int
    place: GroupPlace | None = None
    """In its group; None for a market of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxGroup:
    """One neg-risk event."""

    outcomes: tuple[SandboxMarket, ...]
    """In the order of their questions."""
    placeholders: tuple[SandboxMarket, ...]
    """Listed, and never traded."""


def sandbox_market(seed: int, number: int) -> SandboxMarket:
    """Make one market. Two in three have the fine tick of 0.001, the rest one cent."""
    return SandboxMarket(
        number=number,
        condition_id=_condition_id(seed, number),
        token_ids=_token_ids(seed, number),
        question=f"Will sandbox event {number + 1} happen?",
        tick_e6=10_000 if draw_below(3, seed, number, "tick") == 0 else 1_000,
    )


def sandbox_group(seed: int, group: int, *, outcomes: int, first_number: int) -> SandboxGroup:
    """Make one group.

    Args:
        seed: decides its ids.
        group: its number among the groups.
        outcomes: how many are traded; two questions more are placeholders.
        first_number: of its markets.
    """
    group_id = "0x" + draw_bytes(31, seed, group, "group").hex() + "00"
    questions = [
        SandboxMarket(
            number=first_number + question,
            condition_id=_condition_id(seed, first_number + question),
            token_ids=_token_ids(seed, first_number + question),
            question=f"Will candidate {question + 1} win sandbox race {group + 1}?",
            tick_e6=1_000,
            place=GroupPlace(
                group_id=group_id,
                question=question,
                is_active=question != _UNNAMED,
                is_other=question == outcomes + 1,
            ),
        )
        for question in range(outcomes + 2)
    ]
    is_traded = [question not in (_UNNAMED, outcomes + 1) for question in range(outcomes + 2)]
    paired = list(zip(questions, is_traded, strict=True))
    return SandboxGroup(
        outcomes=tuple(market for market, traded in paired if traded),
        placeholders=tuple(market for market, traded in paired if not traded),
    )


def questions_of(outcomes: int) -> int:
    """Return how many market numbers a group of so many outcomes takes."""
    return outcomes + 2


def _condition_id(seed: int, number: int) -> str:
    return "0x" + draw_bytes(32, seed, number, "condition").hex()


def _token_ids(seed: int, number: int) -> tuple[str, str]:
    yes, no = (
        str(int.from_bytes(draw_bytes(32, seed, number, name), "big")) for name in ("yes", "no")
    )
    return yes, no
