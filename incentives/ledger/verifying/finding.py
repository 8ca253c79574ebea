"""What is wrong, in one sentence.

Core.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

FINDINGS_PER_CHECK: Final = 20


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that does not hold."""

    check: str
    """Which invariant."""
    sentence: str


def limited(findings: Iterator[Finding]) -> Iterator[Finding]:
    """Yield the first findings of a check, and how many more there are; the check is always finished."""
    yield from islice(findings, FINDINGS_PER_CHECK)
    rest = list(findings)
    if rest:
        yield Finding(
            rest[-1].check, f"and {len(rest)} more, the last of them: {rest[-1].sentence}"
        )
