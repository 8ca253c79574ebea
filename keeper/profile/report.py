"""The profile as one JSON object, and as tables for people."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from keeper.profile.figures import InstructionFigures, Latency
from keeper.profile.goals import PAID_LEAVES, Goal, base_and_marginal, goals


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Everything that was measured."""

    program_bytes: int
    program_sha256: str
    instructions: Mapping[str, InstructionFigures]
    positions_per_tx: Mapping[str, int]
    """Empty when liquidations were not asked for."""
    shared_accounts_written: int | None
    """By a spot trade once 100 trades are done; None when opens were not asked for."""
    latencies: Mapping[str, Latency]
    without_sections: str
    """Why sections were not measured; empty: they were."""

    @property
    def leverage_cu(self) -> int | None:
        """The leverage calculation alone: coverage, and the most that it allows; None without sections."""
        opened = self.instructions.get("open_position")
        if opened is None or not opened.sections:
            return None
        return sum(opened.section_visits.get(name, 0) for name in ("coverage", "leverage"))

    @property
    def goals(self) -> Sequence[Goal]:
        """What was aimed at, of what was measured."""
        return goals(
            self.instructions,
            self.positions_per_tx,
            self.leverage_cu,
            self.shared_accounts_written,
        )


def as_json(profile: Profile) -> dict[str, Any]:
    """Return one object."""
    found: dict[str, Any] = {
        "program": {"bytes": profile.program_bytes, "sha256": profile.program_sha256},
        "instructions": {name: each.as_json() for name, each in profile.instructions.items()},
        "positions_per_tx": dict(profile.positions_per_tx),
        "leverage_calculation_cu": profile.leverage_cu,
        "without_sections": profile.without_sections or None,
        "goals": [goal.as_json() for goal in profile.goals],
        "off_chain": {name: each.as_json() for name, each in profile.latencies.items()},
    }
    update = profile.instructions.get("update_prices")
    if update:
        found["update_prices_cu_by_outcomes"] = {
            case.partition(" ")[0]: spread.worst for case, spread in update.cases.items()
        }
    if "liquidate" in profile.instructions:
        base, marginal = base_and_marginal(profile.instructions["liquidate"])
        found["liquidate_cu"] = {"first_position": base, "each_further_position": marginal}
    paid = profile.instructions.get("pay_rewards")
    if paid:
        per_leaf = [
            goal.found for goal in profile.goals if goal.name.startswith("pay_rewards, per")
        ]
        found["pay_rewards_cu_per_leaf"] = per_leaf[0]
        found["pay_rewards_leaves"] = PAID_LEAVES
    return found


def tables(profile: Profile, *, with_sections: bool) -> Iterator[str]:
    """Yield lines for people."""
    yield f"program {profile.program_bytes} bytes, sha256 {profile.program_sha256}"
    yield ""
    yield (
        f"{'instruction':<18}{'min':>8}{'median':>8}{'p99':>8}{'worst':>8}{'accounts':>10}{'bytes':>7}"
        "  most of the worst case"
    )
    for name, each in profile.instructions.items():
        cu = each.cu
        yield (
            f"{name:<18}{cu.min:>8}{cu.median:>8}{cu.p99:>8}{cu.worst:>8}{each.accounts:>10}"
            f"{each.transaction_bytes:>7}  {_bottleneck(each)}"
        )
    if profile.without_sections:
        yield f"no sections: {profile.without_sections}"
    elif with_sections:
        yield from _sections(profile)
    yield from _goals(profile)
    if profile.latencies:
        yield ""
        yield f"{'off the chain':<34}{'average':>12}{'p99':>12}"
        for name, latency in profile.latencies.items():
            shown = latency.as_json()
            yield f"{name:<34}{shown['average_us']:>9.1f} us{shown['p99_us']:>9.1f} us"


def _bottleneck(each: InstructionFigures) -> str:
    if each.bottleneck is None:
        return each.worst_case
    share = 100 * each.sections[each.bottleneck] // max(1, sum(each.sections.values()))
    return f"{each.worst_case}: {each.bottleneck} {share} %"


def _sections(profile: Profile) -> Iterator[str]:
    yield ""
    yield "compute units by section, in the worst case of each instruction"
    for name, each in profile.instructions.items():
        parts = ", ".join(f"{section} {cu}" for section, cu in each.sections.items())
        yield f"  {name:<18}{parts}"


def _goals(profile: Profile) -> Iterator[str]:
    measured = [goal for goal in profile.goals if goal.found is not None]
    if not measured:
        return
    yield ""
    yield f"{'goal':<52}{'aimed at':>12}{'found':>10}"
    for goal in measured:
        aim = f"{'>=' if goal.is_least else '<='} {goal.limit}"
        spender = f": most of it is {goal.spender}" if goal.spender else ""
        end = "met" if goal.is_met else f"MISSED{spender}"
        yield f"{goal.name:<52}{aim:>12}{goal.found:>10}  {end}"
