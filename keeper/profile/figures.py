"""Measurements -> figures: least, median, 99th percentile and worst; what was aimed at, and whether it is met."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from keeper.profile.sections import Section


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One measured instruction."""

    case: str
    cu: int
    wire_bytes: int
    accounts: int
    sections: Mapping[str, Section]
    """In the profiling build; empty without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A distribution, in the unit of what was measured."""

    min: int
    median: int
    p99: int
    worst: int

    @classmethod
    def of(cls, values: Sequence[int]) -> "Spread":
        """Summarize at least one value; percentiles are values that occurred."""
        ordered = sorted(values)
        return cls(
            min=ordered[0],
            median=statistics.median_low(ordered),
            p99=ordered[math.ceil(0.99 * len(ordered)) - 1],
            worst=ordered[-1],
        )

    def as_json(self) -> dict[str, int]:
        """Return it as JSON has it."""
        return {"min": self.min, "median": self.median, "p99": self.p99, "worst": self.worst}


@dataclass(frozen=True, slots=True, kw_only=True)
class InstructionFigures:
    """One instruction over all its cases."""

    name: str
    cu: Spread
    cases: Mapping[str, Spread]
    worst_case: str
    accounts: int
    """Most that one call had."""
    transaction_bytes: int
    """Of the longest transaction, with its compute-unit limit."""
    runs: int
    sections: Mapping[str, int]
    """Of the worst case, most first."""
    section_visits: Mapping[str, int]
    """Most that one visit of a section took, in any case."""

    @property
    def bottleneck(self) -> str | None:
        """The section that takes most in the worst case."""
        return next(iter(self.sections), None)

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "cu": self.cu.as_json(),
            "worst_case": self.worst_case,
            "cases": {case: spread.as_json() for case, spread in self.cases.items()},
            "accounts": self.accounts,
            "transaction_bytes": self.transaction_bytes,
            "runs": self.runs,
            "bottleneck": self.bottleneck,
            "sections": dict(self.sections),
            "section_visits": dict(self.section_visits),
        }


def summarize(name: str, samples: Sequence[Sample]) -> InstructionFigures:
    """Summarize the samples of one instruction; there is at least one."""
    worst = max(samples, key=lambda sample: sample.cu)
    by_case: dict[str, list[int]] = {}
    for sample in samples:
        by_case.setdefault(sample.case, []).append(sample.cu)
    ordered = sorted(worst.sections.items(), key=lambda pair: -pair[1].cu)
    most: dict[str, int] = {}
    for sample in samples:
        for name_of, section in sample.sections.items():
            most[name_of] = max(most.get(name_of, 0), section.cu_per_visit)
    return InstructionFigures(
        name=name,
        cu=Spread.of([sample.cu for sample in samples]),
        cases={case: Spread.of(values) for case, values in by_case.items()},
        worst_case=worst.case,
        accounts=max(sample.accounts for sample in samples),
        transaction_bytes=max(sample.wire_bytes for sample in samples),
        runs=len(samples),
        sections={name_of: section.cu for name_of, section in ordered},
        section_visits=most,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """One step off the chain, in nanoseconds."""

    average: int
    spread: Spread

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON has it, in microseconds."""
        return {
            "average_us": self.average / 1_000,
            "p99_us": self.spread.p99 / 1_000,
            "median_us": self.spread.median / 1_000,
        }
