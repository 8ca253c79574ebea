"""The sandbox's markets: who they are. Ids have the real ones' shapes and are decided by the seed.

Core.
"""

from dataclasses import dataclass

from keeper.sandbox.venue.draws import draw_below, draw_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxMarket:
    """One binary market."""

    number: int
    condition_id: str
    token_ids: tuple[str, str]
    """YES, NO."""
    question: str
    tick_e6: int


def sandbox_market(seed: int, number: int) -> SandboxMarket:
    """Make one market. Two in three have the fine tick of 0.001, the rest one cent."""
    yes, no = (
        str(int.from_bytes(draw_bytes(32, seed, number, name), "big")) for name in ("yes", "no")
    )
    return SandboxMarket(
        number=number,
        condition_id="0x" + draw_bytes(32, seed, number, "condition").hex(),
        token_ids=(yes, no),
        question=f"Will sandbox event {number + 1} happen?",
        tick_e6=10_000 if draw_below(3, seed, number, "tick") == 0 else 1_000,
    )
