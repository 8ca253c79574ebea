"""What was claimed of the platform, and the figure that answers each claim.

Source: SPEC.md, section 8. A benchmark names a claim's key in the figure that answers it (`Figure.claim`).
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One of them."""

    key: str
    origin: str
    """The origin's words and figure."""
    ours: str
    """What our figure is, and on what."""
    benchmark: str
    """Which benchmark measures it."""


CLAIMS: Final[tuple[Claim, ...]] = (
    Claim(
        key="markets",
        origin="21,000 markets",
        ours="one slot's posting decisions over 21,000 markets, nothing moved",
        benchmark="posting",
    ),
    Claim(
        key="users",
        origin="1,000 concurrent users",
        ours="1,000 users who trade at once: transactions that landed well",
        benchmark="stress",
    ),
    Claim(
        key="tps",
        origin="5,000 transactions a second",
        ours="spot trades a second in the SVM on one core, signatures checked",
        benchmark="tps",
    ),
    Claim(
        key="chains",
        origin="500 chains of 5 steps",
        ours="500 chains of 5 steps, due at once: chains whose every step ran",
        benchmark="stress",
    ),
    Claim(
        key="cascade",
        origin="cascades of 100 positions at the highest leverage the rules allow (origin: 500x)",
        ours="bad debt beyond the least there could be, of the debt",
        benchmark="stress",
    ),
    Claim(
        key="degradation",
        origin="API failing 50 % at 2 s latency",
        ours="markets posted while half of the calls fail and the rest take 2 s",
        benchmark="stress",
    ),
    Claim(
        key="spam",
        origin="10,000 spam against 100 legitimate transactions",
        ours="users' transactions that landed well among 10,000 strangers'",
        benchmark="stress",
    ),
    Claim(
        key="compression",
        origin="state compression >= 10x",
        ours="raw account bytes less incompressible keys, over the snapshot's bytes",
        benchmark="snapshots",
    ),
    Claim(
        key="write",
        origin="write contention < 1.5 ms",
        ours="one event committed durably under a reader, p99",
        benchmark="incentives",
    ),
    Claim(
        key="leverage",
        origin="leverage < 100 µs off chain",
        ours="the leverage a market allows, computed in Python",
        benchmark="optimisations",
    ),
    Claim(
        key="cached-amm",
        origin="cached AMM < 10 µs off chain",
        ours="a curve result that was computed before",
        benchmark="optimisations",
    ),
    Claim(
        key="positions",
        origin="(ours) scans of 1,000,000 positions",
        ours="a scan of a million positions taken in, from raw bytes",
        benchmark="scan",
    ),
)
"""In the order of the specification."""
