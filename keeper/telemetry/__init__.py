"""What a keeper tells of itself: every figure of `state/metrics.py`, once a second, in a few milliseconds."""
