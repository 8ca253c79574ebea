"""Quantiles out of histograms.

Core.
"""

from collections.abc import Sequence


def quantile(share: float, counts: Sequence[int], bounds: Sequence[float]) -> float | None:
    """Return the value that a share of all lies at or below; None of nothing.

    Within a bucket values are taken to lie evenly, as Prometheus' `histogram_quantile` does; beyond the last bound nothing
    is known but that bound.

    Args:
        share: 0 to 1.
        counts: of each bucket by itself, one more than there are bounds.
        bounds: upper, ascending, the first bucket begins at 0.
    """
    total = sum(counts)
    if total == 0:
        return None
    wanted, below, lower = share * total, 0, 0.0
    for count, upper in zip(counts, bounds, strict=False):
        if count and below + count >= wanted:
            return lower + (upper - lower) * (wanted - below) / count
        below, lower = below + count, upper
    return bounds[-1]
