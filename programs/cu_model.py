"""How many compute units to ask for, learned from what landed transactions used.

Per kind of transaction a bounded window of (bound, used) pairs is kept: the static upper bound, which is linear in what
drives the cost (a base, and so much a target, pool or side), and what it really took. A line through the window replaces
the bound's guess of base against slope; what remains is a relative deviation, and its 99th percentile is asked for.

A window with exact order statistics, not P2 or another running sketch: the percentile of 512 numbers is cheap, the state is
plain integers that anyone can check, and it forgets. A sketch's five markers cannot be re-read against a new line, and keep
for ever what an upgrade of the runtime made untrue.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from programs.units import TRANSACTION_CU_MAX, ComputeUnits

WINDOW: Final = 512
SAMPLES_LEAST: Final = 100
"""Below this the 99th percentile is no more than the largest seen."""
REFIT_EVERY: Final = 16
DOUBTED: Final = 16
"""More than a hundredth of the window."""
_ONE_E6: Final = 1_000_000
_HIGH_BPS: Final = 9_900
_LOW_BPS: Final = 100
_ONE_BPS: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CuPolicy:
    """How much to ask for beyond what is expected."""

    margin_bps: int = 300
    """Over the 99th percentile of what was used."""
    simulated_margin_bps: int = 1_000
    """Over a simulation: between it and landing a position may need one more step of the curve's root finding."""
    headroom_bps_max: int = 1_500
    """What is asked for may exceed what is used by so much, 99 times in 100; a kind that would is simulated."""
    reach_bps: int = 2_500
    """How far beyond the bounds it has seen the line is believed, as a part of the distance between them: bounds that are all
    alike say nothing of any other."""


@dataclass(frozen=True, slots=True)
class _Fit:
    """used = (slope x bound + intercept) x deviation, integers scaled by `scale`."""

    slope: int
    intercept: int
    scale: int
    low_e6: int
    high_e6: int
    least_bound: int
    most_bound: int

    def expected_e6(self, bound: int) -> int:
        """Return what is expected, in millionths of a compute unit; at least one compute unit."""
        return max(_ONE_E6, (self.slope * bound + self.intercept) * _ONE_E6 // self.scale)


@dataclass(slots=True)
class _Window:
    pairs: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=WINDOW))
    fit: _Fit | None = None
    stale: int = 0
    """Pairs since the fit."""
    doubted: int = 0
    """Pairs that must come before it is believed again."""

    def add(self, bound: int, used: int) -> None:
        self.pairs.append((bound, used))
        self.stale += 1
        self.doubted = max(0, self.doubted - 1)

    def fitted(self) -> _Fit | None:
        if len(self.pairs) < SAMPLES_LEAST:
            return None
        if self.fit is None or self.stale >= REFIT_EVERY:
            self.fit, self.stale = _fit(self.pairs), 0
        return self.fit


@dataclass(slots=True)
class CuModel:
    """What each kind of transaction is expected to use. It keeps counts, and reads no clock."""

    policy: CuPolicy = field(default_factory=CuPolicy)
    _windows: dict[str, _Window] = field(default_factory=dict)

    def note_landed(self, kind: str, bound: ComputeUnits, used: ComputeUnits | None) -> None:
        """Learn from a landed transaction; None: no node could say what it used.

        Args:
            kind: what is alike: the lane's instruction.
            bound: the static bound it was packed with.
            used: what it took, compute-budget instructions included.
        """
        if used is not None and bound > 0:
            self._windows.setdefault(kind, _Window()).add(bound, used)

    def note_exhausted(self, kind: str) -> None:
        """Doubt a kind of which a transaction ran out of compute units: simulate until enough of it has landed again.

        One in a hundred may lie beyond what is asked for, and proves nothing. If what was learned no longer holds, what
        lands meanwhile is more than that hundredth: the spread is then too wide to go without simulations until the window
        holds nothing else.
        """
        if (window := self._windows.get(kind)) is not None:
            window.doubted = DOUBTED

    def is_sure(self, kind: str, bound: ComputeUnits) -> bool:
        """Tell whether a request without simulation is neither a risk nor a waste.

        It is, once enough has landed, within reach of the bounds seen, and if the usual spread keeps the headroom.
        """
        window, fit = self._windows.get(kind), self._fitted(kind)
        if window is None or fit is None or window.doubted:
            return False
        beyond = (fit.most_bound - fit.least_bound) * self.policy.reach_bps // _ONE_BPS
        lowest, highest = fit.least_bound - beyond, fit.most_bound + beyond
        asked = fit.high_e6 * (_ONE_BPS + self.policy.margin_bps)
        allowed = fit.low_e6 * (_ONE_BPS + self.policy.headroom_bps_max)
        return lowest <= bound <= highest and asked <= allowed

    def request(
        self,
        kind: str,
        bound: ComputeUnits,
        simulated: ComputeUnits | None = None,
        *,
        simulated_margin_bps: int | None = None,
    ) -> ComputeUnits:
        """Choose a transaction's limit, rounded up.

        Args:
            kind: as noted.
            bound: its static bound, asked for while nothing better is known.
            simulated: what a simulation just used, compute-budget instructions included: the request is never below it.
            simulated_margin_bps: what to ask for beyond a simulation of this kind; None: what the policy says of any.
        """
        if simulated is not None:
            margin_bps = simulated_margin_bps
            wanted = _raised(
                simulated, self.policy.simulated_margin_bps if margin_bps is None else margin_bps
            )
        elif (fit := self._fitted(kind)) is not None and self.is_sure(kind, bound):
            used = -(-fit.expected_e6(bound) * fit.high_e6 // _ONE_E6**2)
            wanted = _raised(used, self.policy.margin_bps)
        else:
            wanted = bound
        return ComputeUnits(min(wanted, TRANSACTION_CU_MAX))

    def as_values(self) -> dict[str, list[tuple[int, int]]]:
        """Return all that it learned, as plain integers, oldest first."""
        return {kind: list(window.pairs) for kind, window in self._windows.items()}

    @classmethod
    def of_values(
        cls, values: Mapping[str, Iterable[Sequence[int]]], policy: CuPolicy | None = None
    ) -> "CuModel":
        """Begin with what was learned before; what does not make sense is left out."""
        model = cls(policy=policy or CuPolicy())
        for kind, pairs in values.items():
            for bound, used in pairs:
                if bound > 0 and 0 < used <= TRANSACTION_CU_MAX:
                    model.note_landed(kind, ComputeUnits(bound), ComputeUnits(used))
        return model

    def _fitted(self, kind: str) -> _Fit | None:
        window = self._windows.get(kind)
        return None if window is None else window.fitted()


def quantile(ordered: Sequence[int], bps: int) -> int:
    """Return the smallest value that at least `bps` of 10_000 do not exceed."""
    rank = -(-len(ordered) * bps // _ONE_BPS)
    return ordered[max(rank, 1) - 1]


def _fit(pairs: Iterable[tuple[int, int]]) -> _Fit:
    """Draw the line of least squares, in exact integers, and measure how far the pairs lie from it."""
    known = list(pairs)
    count = len(known)
    bounds, uses = (sum(column) for column in zip(*known, strict=True))
    squares = count * sum(bound * bound for bound, _ in known) - bounds * bounds
    products = count * sum(bound * used for bound, used in known) - bounds * uses
    if squares and products >= 0:
        # slope = products / squares; intercept = (uses - slope x bounds) / count.
        slope, scale = products * count, squares * count
        intercept = uses * squares - products * bounds
    else:
        # All bounds alike, or a line that falls: a share of the bound is all that can be said.
        slope, intercept, scale = uses, 0, bounds
    line = _Fit(slope, intercept, scale, 0, 0, min(known)[0], max(known)[0])
    deviations = sorted(used * _ONE_E6**2 // line.expected_e6(bound) for bound, used in known)
    low, high = quantile(deviations, _LOW_BPS), quantile(deviations, _HIGH_BPS)
    return _Fit(slope, intercept, scale, low, high + 1, line.least_bound, line.most_bound)


def _raised(cu: int, margin_bps: int) -> int:
    return -(-cu * (_ONE_BPS + margin_bps) // _ONE_BPS)
