"""Stress runs: the real keeper, program and network under a stated load, and what came of it."""
